package store

import (
	"os"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
)

// WithoutSync makes a store that does not wait for the disk, has small pages, as all files had once, and begins to sort its report IDs when there are few.
func WithoutSync(o Options) Options {
	o.NoSync = true
	if o.LeastRecentIDs == 0 {
		o.LeastRecentIDs = 3
	}
	if o.PageSize == 0 {
		o.PageSize = 4096
	}
	return o
}

// edit changes a file behind the back of this package.
func edit(t testing.TB, path string, f func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, fileMode, &bolt.Options{NoFreelistSync: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// SetSchemaVersion makes the file one of another version, with a field that this one does not know.
func SetSchemaVersion(t testing.TB, path string, version uint64) {
	edit(t, path, func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte(bucketMeta))
		var record schemaRecord
		if err := decodeRecord(meta.Get([]byte(keySchema)), &record); err != nil {
			return err
		}
		record.Version = version
		later := struct {
			schemaRecord
			New string `cbor:"99,keyasint"`
		}{record, "of a later version"}
		return meta.Put([]byte(keySchema), encodeRecord(later))
	})
}

// UsedBytes is how much of the file holds pages.
func UsedBytes(t testing.TB, path string) (n int) {
	edit(t, path, func(tx *bolt.Tx) error {
		n = int(tx.Size())
		return nil
	})
	return n
}

// spoilPage writes over the flags in a page's header.
func spoilPage(t testing.TB, path string, page int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0xff, 0x7f}, page*int64(os.Getpagesize())+8); err != nil {
		t.Fatal(err)
	}
}

// inTxn runs f in a write transaction of the calling goroutine, which the committer knows nothing of.
func inTxn(t interface {
	Helper()
	Fatal(...any)
}, s *store, commit bool, f func(*txn)) {
	t.Helper()
	tx, err := s.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	in := s.newTxn(tx)
	f(in)
	if !commit {
		in.undone()
	}
	if commit {
		txid := uint64(tx.ID())
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		s.durable.Store(txid)
	}
}

// OpenCopy opens a file that is marked as a copy.
func OpenCopy(t testing.TB, path string, key secret.Bytes) *Leader {
	t.Helper()
	l := &Leader{store{restoring: true}}
	if err := l.open(path, dap.RoleLeader, key, Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Used tells how many bytes of a store's file are in use, and how long the file is.
func Used(s interface{ base() *store }) (used, size int64) {
	db := s.base().db
	stats := db.Stats()
	err := db.View(func(tx *bolt.Tx) error { size = tx.Size(); return nil })
	if err != nil {
		panic(err)
	}
	return size - int64(stats.FreePageN+stats.PendingPageN)*int64(os.Getpagesize()), size
}

// PagesWritten counts the pages that a store has written.
func PagesWritten(s interface{ base() *store }) int64 {
	stats := s.base().db.Stats()
	return stats.TxStats.GetPageCount()
}

func (s *store) base() *store { return s }

// AwaitFilter waits until the filter of report IDs is of use.
func AwaitFilter(t testing.TB, s interface{ base() *store }) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); !s.base().filter.Load().complete.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the filter is never complete")
		}
	}
}
