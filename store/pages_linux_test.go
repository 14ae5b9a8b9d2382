package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestMappedMemory maps a file and touches it: its pages count.
func TestMappedMemory(t *testing.T) {
	const size = 64 << 20
	path := filepath.Join(t.TempDir(), "mapped")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	content, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(content)
	before, sum := mappedMemory(), byte(0)
	for i := 0; i < size; i += os.Getpagesize() {
		sum += content[i]
	}
	if after := mappedMemory(); before <= 0 || after-before < size/2 || sum != 0 {
		t.Errorf("%d bytes are mapped before, %d after %d were touched", before, after, size)
	}
}

// TestReleaseParts releases a store's file part by part, and then has none of it in memory.
func TestReleaseParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "parts.db")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const values, size = 16, 4 << 20
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("bucket"))
		for i := range values {
			err = errors.Join(err, b.Put([]byte{byte(i)}, make([]byte, size)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	touch := func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("bucket")).ForEach(func(_, value []byte) error {
			if bytes.Count(value, []byte{0}) != size {
				return errors.New("a value has changed")
			}
			return nil
		})
	}
	if err := db.View(touch); err != nil {
		t.Fatal(err)
	}
	var m mappedFile
	release := func(parts int) (bytes int64) {
		before := mappedMemory()
		for range parts {
			if err := db.View(func(tx *bolt.Tx) error { m.releasePart(tx); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		return before - mappedMemory()
	}
	// The kernel counts in steps.
	const all = values * size
	if got := release(mappedParts / 4); got < all/8 || got > all/2 {
		t.Errorf("a quarter of the parts had %d bytes of %d", got, all)
	}
	if got := release(mappedParts * 3 / 4); got < all/2 {
		t.Errorf("the other parts had %d bytes of %d", got, all)
	}
	if m.next != 0 {
		t.Errorf("after all parts it goes on with part %d", m.next)
	}
	if err := db.View(touch); err != nil {
		t.Fatal(err)
	}
}
