package store

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/dap"
)

// inBucket runs f on an empty bucket.
func inBucket(t testing.TB, f func(b bucket)) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "pieces.db"), 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("values"))
		if err == nil {
			f(newBucket(newTxn(tx, dap.RoleLeader), b, "values"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPieces compares values in pieces with a map.
func TestPieces(t *testing.T) {
	inBucket(t, func(b bucket) {
		rapid.Check(t, func(t *rapid.T) {
			plain := make(map[string][]byte)
			for range rapid.IntRange(1, 30).Draw(t, "operations") {
				key := []byte{'k', byte(rapid.IntRange(0, 5).Draw(t, "key"))}
				if rapid.Bool().Draw(t, "put") {
					value := bytes.Repeat([]byte{byte(len(plain)), 7, 9}, rapid.IntRange(1, 400).Draw(t, "length"))
					if err := firstError(b.deletePieces(key), b.putPieces(key, value, rapid.IntRange(1, 40).Draw(t, "pieces"))); err != nil {
						t.Fatal(err)
					}
					plain[string(key)] = value
				} else {
					if err := b.deletePieces(key); err != nil {
						t.Fatal(err)
					}
					delete(plain, string(key))
				}
				for i := range 6 {
					key := []byte{'k', byte(i)}
					got, err := b.getPieces(key)
					if err != nil || !bytes.Equal(got, plain[string(key)]) || b.hasPieces(key) != (plain[string(key)] != nil) {
						t.Fatalf("key %d: %d bytes, not %d, %v", i, len(got), len(plain[string(key)]), err)
					}
				}
			}
			for key := range plain {
				if err := b.deletePieces([]byte(key)); err != nil {
					t.Fatal(err)
				}
			}
			if first, _ := b.b.Cursor().First(); first != nil {
				t.Fatalf("%x is left", first)
			}
		})
	})
}

// TestMissingPieces: whichever piece is missing, the value is not taken for another.
func TestMissingPieces(t *testing.T) {
	for missing := range 4 {
		inBucket(t, func(b bucket) {
			key, value := []byte("key"), []byte("a value in pieces")
			if err := firstError(b.putPieces(key, value, 4), b.delete(pieceKey(key, missing, 4)), b.put([]byte("kez"), value)); err != nil {
				t.Fatal(err)
			}
			if got, err := b.getPieces(key); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("piece %d of it is missing", missing)) {
				t.Errorf("without piece %d: %q, %v", missing, got, err)
			}
			c := &checker{}
			var seen []string
			err := c.eachPieced(b, len(key), func(key []byte) error { seen = append(seen, string(key)); return nil })
			if err != nil || len(c.violations) == 0 || c.violations[0].Invariant != ruleDecodes || seen[len(seen)-1] != "kez" {
				t.Errorf("without piece %d: the check saw %v, and reports %v, %v", missing, seen, c.violations, err)
			}
			if err := b.deletePieces(key); err == nil {
				t.Errorf("without piece %d it was deleted", missing)
			}
		})
	}
}

// TestBodyPieces: bodies of every length fill their pages.
func TestBodyPieces(t *testing.T) {
	const pageSize = 4096
	for length := 1; length < 100_000; length++ {
		n := bodyPieces(length, pageSize)
		cost := pagesCost(length, n, pageSize)
		if n < 1 || n > maxBodyPieces || length > 200 && cost > length+length/5 {
			t.Fatalf("a body of %d bytes in %d pieces takes %d bytes", length, n, cost)
		}
	}
	for length, want := range map[int]int{100: 1, 2632: 2, 60_000: 1} {
		if got := bodyPieces(length, pageSize); got != want {
			t.Errorf("a body of %d bytes is cut into %d pieces, not %d", length, got, want)
		}
	}
}

// TestListsNeedNoRuns: whatever stands together on a page until it is parted fits onto one.
func TestListsNeedNoRuns(t *testing.T) {
	const pageSize, keyLength = 4096, 16
	for length := range 100_000 {
		n := listPieces(length, keyLength, pageSize)
		longest := (length + n - 1) / n
		if pageHeaderLength+entriesTogether*(pageElementLength+keyLength+pieceNumberLength+longest) > pageSize {
			t.Fatalf("a list of %d bytes in %d pieces", length, n)
		}
	}
}
