package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A copy of a store holds less than what its aggregator has done since: reports that were counted after it
// are not remembered in it, and batches that were collected after it are not collected in it. So a
// copy says that it is one, and is not opened; Restore makes a store of it that
// refuses whatever it cannot check.

// Copy writes a consistent copy of the whole file while the store goes on. begin is called first, with
// the number of bytes, and returns where they go. The copy becomes a file that Restore takes by
// MarkCopy. It ends early, with aggregator.ErrUnavailable, if the disk fails meanwhile.
func (s *store) Copy(ctx context.Context, begin func(size int64) (io.Writer, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed() {
		return unavailable(ErrClosed)
	}
	tx, err := s.beginCopy()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	w, err := begin(tx.Size())
	if err != nil {
		return err
	}
	copied := &copyWriter{ctx: ctx, store: s, w: w}
	if _, err = tx.WriteTo(copied); copied.err != nil {
		return copied.err // bbolt keeps only its text
	}
	return err
}

// beginCopy begins a read transaction of what the disk has confirmed.
func (s *store) beginCopy() (*bolt.Tx, error) {
	for {
		tx, newest, err := s.beginRead()
		if err != nil {
			return nil, err
		}
		seen := uint64(tx.ID())
		if isKnown(seen, newest) {
			if err := confirmed(seen, newest); err != nil {
				return nil, errors.Join(err, tx.Rollback())
			}
			return tx, nil
		}
		// It is waited for without the transaction: finding out what the disk holds ends by closing the file, which waits
		// for all transactions.
		if err := errors.Join(tx.Rollback(), confirmed(seen, newest)); err != nil {
			return nil, err
		}
	}
}

// beginRead begins a read transaction, and tells which commit is the newest.
func (s *store) beginRead() (tx *bolt.Tx, newest *commitState, err error) {
	s.swap.RLock()
	defer s.swap.RUnlock()
	if s.db == nil {
		return nil, nil, unavailable(s.Health().Problem)
	}
	err = guard(func() (err error) { tx, err = s.db.Begin(false); return err })
	if err != nil {
		return nil, nil, closedError(err)
	}
	return tx, s.committer.newest.Load(), nil
}

// copyWriter gives up when the store must be reopened, which waits for the copy's transaction.
type copyWriter struct {
	ctx   context.Context
	store *store
	w     io.Writer
	err   error
}

func (w *copyWriter) Write(b []byte) (n int, err error) {
	if w.err = firstError(w.ctx.Err(), w.store.interrupted()); w.err == nil {
		n, w.err = w.w.Write(b)
	}
	return n, w.err
}

// interrupted is why whatever reads for long must end, or nil.
func (s *store) interrupted() error {
	if s.reopening.Load() || s.closed() {
		return unavailable(errors.New("the database is being closed"))
	}
	return nil
}

// copyRecord marks a file as a copy.
type copyRecord struct {
	TakenAt int64 `cbor:"1,keyasint"`
}

const keyCopy = "copy" // in bucketMeta: copyRecord

// MarkCopy checks a file that Copy has written and marks it as a copy, taken at that time. The file is
// on the disk when it returns.
func MarkCopy(path string, takenAt time.Time) error {
	return editFile(path, func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte(bucketMeta))
		if meta == nil {
			return &OpenError{Path: path, Problem: ErrNotStore}
		}
		return meta.Put([]byte(keyCopy), encodeRecord(copyRecord{stamp(takenAt)}))
	})
}

// editFile changes a file that is no open store.
func editFile(path string, f func(*bolt.Tx) error) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	s := &store{path: path, options: Options{}.withDefaults()}
	info, err := file.Stat()
	if err == nil {
		err = checkPages(file, info.Size(), everyLeaf)
	}
	if err != nil {
		return s.openError(errors.Join(err, file.Close()))
	}
	db, err := openBolt(path, s.boltOptions(file))
	if err != nil {
		return s.openError(errors.Join(err, closeLocked(file)))
	}
	err = guard(func() error { return db.Update(f) })
	if errors.Is(err, ErrCorrupt) {
		return s.openError(errors.Join(err, closeLocked(file)))
	}
	return errors.Join(err, db.Close())
}

// takenAt is when the file was copied, if it is a copy.
func takenAt(tx *bolt.Tx) (at time.Time, is bool, err error) {
	meta := tx.Bucket([]byte(bucketMeta))
	if meta == nil {
		return at, false, nil
	}
	encoded := meta.Get([]byte(keyCopy))
	if encoded == nil {
		return at, false, nil
	}
	var record copyRecord
	if err := decodeRecord(encoded, &record); err != nil {
		return at, true, &RecordError{bucketMeta + "/" + keyCopy, err.Error()}
	}
	return unstamp(record.TakenAt), true, nil
}

// refuseCopy is the error of a file that is a copy.
func (s *store) refuseCopy(tx *bolt.Tx) error {
	at, is, err := takenAt(tx)
	if err != nil || !is {
		return err
	}
	return &OpenError{
		Path: s.path, Problem: ErrCopy, Detail: "made at " + at.Format(time.RFC3339),
		Remedy: fmt.Sprintf("put it into place with %s restore --dir DIR --from %s", s.role, s.path),
	}
}
