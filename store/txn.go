package store

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/dap"
)

// txn is a bbolt transaction that counts its writes, so that the committer
// knows whether an operation that failed has left something to undo.
type txn struct {
	tx     *bolt.Tx
	role   dap.Role
	filter *idFilter // nil: there is none
	recent *recentMemory
	// changed: the tasks of whose recent IDs something was changed, see undone.
	changed map[dap.TaskID]bool
	writes  int
	// written are the bytes of the keys and values that were put.
	written int
	spaces  map[string]*space
}

func newTxn(tx *bolt.Tx, role dap.Role) *txn {
	return &txn{tx: tx, role: role, spaces: make(map[string]*space)}
}

// newTxn is a transaction of the store's own database.
func (s *store) newTxn(tx *bolt.Tx) *txn {
	t := newTxn(tx, s.role)
	t.filter, t.recent = s.filter.Load(), s.recent
	return t
}

// changes notes that the transaction changes what is known of a task's logs of recent IDs.
func (t *txn) changes(task dap.TaskID) {
	if t.changed == nil {
		t.changed = make(map[dap.TaskID]bool)
	}
	t.changed[task] = true
}

// undone is called when the transaction was not committed, or it is not known whether it was. What it says of recent IDs
// is then to be read again.
func (t *txn) undone() {
	for task := range t.changed {
		t.recent.forget(task)
	}
}

// bucket is a bbolt bucket within a transaction. Copies of it share a cursor, so only one goroutine uses them.
type bucket struct {
	t    *txn
	b    *bolt.Bucket
	name string
	at   *seeker
}

// seeker is the cursor with which a bucket's keys are looked up: bbolt's own Get and Delete make one for each key.
type seeker struct{ cursor *bolt.Cursor }

func newBucket(t *txn, b *bolt.Bucket, name string) bucket { return bucket{t, b, name, new(seeker)} }

// top returns a bucket of the first level. Open has made sure that it exists.
func (t *txn) top(name string) bucket { return newBucket(t, t.tx.Bucket([]byte(name)), name) }

// seek finds the first key that is not below key. The cursor stays there until the bucket is next asked or changed.
func (b bucket) seek(key []byte) (cursor *bolt.Cursor, found, value []byte) {
	if b.at.cursor == nil {
		b.at.cursor = b.b.Cursor()
	}
	found, value = b.at.cursor.Seek(key)
	return b.at.cursor, found, value
}

// get returns a value that is valid during the transaction, or nil.
func (b bucket) get(key []byte) []byte {
	if _, found, value := b.seek(key); bytes.Equal(found, key) {
		return value
	}
	return nil
}

// put stores a value, which must not change until the transaction has ended.
func (b bucket) put(key, value []byte) error {
	b.t.writes++
	b.t.written += len(key) + len(value)
	return b.b.Put(key, value)
}

// delete deletes a key, if it is there.
func (b bucket) delete(key []byte) error {
	b.t.writes++
	if cursor, found, _ := b.seek(key); bytes.Equal(found, key) {
		return cursor.Delete()
	}
	return nil
}

// next returns the next number of the bucket's own sequence, from 1 on.
func (b bucket) next() (uint64, error) {
	b.t.writes++
	return b.b.NextSequence()
}

// sequential makes the bucket's pages fill up: for keys that are only appended.
func (b bucket) sequential() bucket {
	b.b.FillPercent = 1
	return b
}

// damaged is the error of a record of the bucket.
func (b bucket) damaged(key []byte, format string, args ...any) error {
	return &RecordError{Record: fmt.Sprintf("%s/%x", b.name, key), Problem: fmt.Sprintf(format, args...)}
}

// guard runs f and turns a panic, or a fault in the mapped file, into an
// error that wraps ErrCorrupt: bbolt panics on pages that make no sense.
func guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = &RecordError{Record: "(page)", Problem: fmt.Sprintf("reading or writing it fails: %v", r)}
		}
	}()
	return f()
}

// view runs f in a read transaction.
func (s *store) view(ctx context.Context, f func(*txn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed() {
		return unavailable(ErrClosed)
	}
	seen, newest, err := s.viewOnce(f)
	if unconfirmed := confirmed(seen, newest); unconfirmed != nil {
		return unconfirmed
	}
	return closedError(err)
}

// viewOnce runs f, and tells which transaction it has seen and which is the newest.
func (s *store) viewOnce(f func(*txn) error) (seen uint64, newest *commitState, err error) {
	s.swap.RLock()
	defer s.swap.RUnlock()
	if s.db == nil {
		return 0, nil, unavailable(s.Health().Problem)
	}
	err = guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			seen = uint64(tx.ID())
			return f(s.newTxn(tx))
		})
	})
	return seen, s.committer.newest.Load(), err
}
