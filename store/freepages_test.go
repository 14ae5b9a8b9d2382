package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// unlisted makes a file without a list of free pages, with many pages of every kind, and free ones between them.
func unlisted(t *rapid.T, path string) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true, NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range rapid.IntRange(1, 6).Draw(t, "transactions") {
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := someBucket(t, tx)
			if err != nil {
				return err
			}
			first := rapid.IntRange(0, 3000).Draw(t, "first")
			length := rapid.SampledFrom([]int{10, 500, 3900, 5000, 30_000}).Draw(t, "length")
			remove := rapid.Bool().Draw(t, "delete")
			for n := range rapid.IntRange(1, 400).Draw(t, "n") {
				key := binary.BigEndian.AppendUint64(nil, uint64(first+n))
				if remove {
					err = b.Delete(key)
				} else {
					err = b.Put(key, bytes.Repeat([]byte{byte(n), 2}, length/2))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// someBucket is one that the store has, or could have. Besides buckets there are values in those that may have them.
func someBucket(t *rapid.T, tx *bolt.Tx) (*bolt.Bucket, error) {
	first := []byte(rapid.SampledFrom([]string{bucketMeta, bucketData, bucketData, bucketTasks}).Draw(t, "first level"))
	b, err := tx.CreateBucketIfNotExists(first)
	for kind := kindFile.below(first); err == nil && kind != kindPlain && rapid.IntRange(0, 9).Draw(t, "deeper") > 0; {
		name := []byte{byte(rapid.IntRange(1, 20).Draw(t, "name"))}
		if kind == kindTask {
			name = []byte(rapid.SampledFrom(leaderBuckets).Draw(t, "part"))
		}
		b, err = b.CreateBucketIfNotExists(name)
		kind = kind.below(name)
	}
	return b, err
}

// contentOf is all that a file holds, but for its pages.
func contentOf(t *rapid.T, db *bolt.DB) (content []byte) {
	err := db.View(func(tx *bolt.Tx) error {
		var walk func(b *bolt.Bucket) error
		walk = func(b *bolt.Bucket) error {
			return b.ForEach(func(key, value []byte) error {
				content = append(append(content, key...), value...)
				if value == nil {
					return walk(b.Bucket(key))
				}
				return nil
			})
		}
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			content = append(content, name...)
			return walk(b)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestWriteFreelist writes the list of free pages into files that are left without one, however few of the leaves were read: bbolt opens
// them, finds each page in use or free, and goes on.
func TestWriteFreelist(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "file.db")
		defer os.Remove(path)
		unlisted(t, path)
		before, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		want := contentOf(t, before)
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		listed(t, path, rapid.SampledFrom([]int{everyLeaf, 5, 0}).Draw(t, "leaves"))
		db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true, NoFreelistSync: rapid.Bool().Draw(t, "unlisted again")})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for round := range 3 {
			if !bytes.Equal(contentOf(t, db), want) {
				t.Fatal("the content is another")
			}
			if err := db.View(checkTree); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if err := db.Update(func(tx *bolt.Tx) error { // takes free pages, and gives others back
				b, err := tx.CreateBucket([]byte("new"))
				return errors.Join(err, b.Put([]byte("key"), make([]byte, 20_000)))
			}); err != nil {
				t.Fatal(err)
			}
			if err := db.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("new")) }); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func checkTree(tx *bolt.Tx) (err error) {
	for problem := range tx.Check() {
		err = errors.Join(err, problem)
	}
	return err
}

// openPages opens a file and reads its pages.
func openPages(t rapid.TB, path string, leaves int) (*os.File, *pageChecker) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := readPages(file, info.Size(), leaves)
	if err != nil {
		t.Fatal(err)
	}
	return file, pages
}

// listed writes the list of free pages into a file.
func listed(t *rapid.T, path string, leaves int) {
	file, pages := openPages(t, path, leaves)
	defer file.Close()
	if err := pages.writeFreelist(file, true); err != nil {
		t.Fatal(err)
	}
	m, err := readMeta(file)
	if err != nil || m.freelist != pages.high || m.txid != pages.meta.txid+1 {
		t.Fatalf("the newest state is %+v, after %+v: %v", m, pages.meta, err)
	}
	if err := pages.writeFreelist(file, true); err != nil { // there is one by now
		t.Fatal(err)
	}
	if again, err := readMeta(file); err != nil || again != m {
		t.Fatalf("the state %+v has changed to %+v: %v", m, again, err)
	}
}

// TestWriteLongFreelist: the number of the pages does not fit into the list's header.
func TestWriteLongFreelist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file.db")
	options := &bolt.Options{NoSync: true, NoFreelistSync: true, PageSize: 1024}
	db, err := bolt.Open(path, 0o600, options)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("values"))
		value := make([]byte, 900)
		for n := 0; err == nil && n < longFreelist+10; n++ {
			err = b.Put(binary.BigEndian.AppendUint64(nil, uint64(n)), value)
		}
		return err
	})
	remove := func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("values")) }
	if err := errors.Join(err, db.Update(remove), db.Close()); err != nil {
		t.Fatal(err)
	}
	file, pages := openPages(t, path, 0)
	defer file.Close()
	if err := pages.writeFreelist(file, false); err != nil {
		t.Fatal(err)
	}
	if db, err = bolt.Open(path, 0o600, options); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if free := db.Stats().FreePageN; free < longFreelist {
		t.Errorf("%d pages are free", free)
	}
	if err := db.View(checkTree); err != nil {
		t.Error(err)
	}
}

// TestFreePagesAfterACrash: a store that is opened after a crash has a list of its free pages before bbolt looks for it.
func TestFreePagesAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leader.db")
	l, err := OpenLeader(path, checkKey, WithoutSync(Options{Create: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fillLeader(t, l)
	l.committer.stop()
	l.db.NoFreelistSync = true
	inTxn(t, &l.store, true, func(tx *txn) { tx.top(bucketMeta).put([]byte("mark"), []byte{1}) })
	crashed := filepath.Join(t.TempDir(), "leader.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(crashed, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if before, err := readMeta(bytes.NewReader(content)); err != nil || before.freelist != noFreelist {
		t.Fatal(before, err)
	}
	again, err := OpenLeader(crashed, checkKey, WithoutSync(Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if m, err := readMeta(again.file); err != nil || m.freelist == noFreelist {
		t.Errorf("the file is as it was: %+v, %v", m, err)
	}
	if violations, err := again.Check(t.Context()); err != nil || len(violations) > 0 {
		t.Error(violations, err)
	}
}
