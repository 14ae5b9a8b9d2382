package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// fullFile is the content of a Leader's database with one of everything, closed properly.
func fullFile(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	l, err := OpenLeader(path, checkKey, WithoutSync(Options{Create: true}))
	if err != nil {
		t.Fatal(err)
	}
	fillLeader(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestCheckPagesFinds breaks the pages of a file one by one.
func TestCheckPagesFinds(t *testing.T) {
	content := fullFile(t)
	if err := checkPages(bytes.NewReader(content), int64(len(content)), everyLeaf); err != nil {
		t.Fatal(err)
	}
	meta, err := readMeta(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if meta.freelist == noFreelist {
		t.Fatal("the file has no list of free pages")
	}
	root, free := int(meta.root)*meta.pageSize, int(meta.freelist)*meta.pageSize
	put16 := func(b []byte, at int, n uint16) { binary.NativeEndian.PutUint16(b[at:], n) }
	put32 := func(b []byte, at int, n uint32) { binary.NativeEndian.PutUint32(b[at:], n) }
	put64 := func(b []byte, at int, n uint64) { binary.NativeEndian.PutUint64(b[at:], n) }
	for name, test := range map[string]struct {
		spoil func([]byte)
		want  string
	}{
		"number":              {func(b []byte) { put64(b, root, 1<<40) }, "it is marked as page"},
		"kind":                {func(b []byte) { put16(b, root+8, 0x20) }, "its kind is 0x20"},
		"empty branch":        {func(b []byte) { put16(b, root+8, pageBranch); put16(b, root+10, 0) }, "with 0 elements"},
		"too many elements":   {func(b []byte) { put16(b, root+10, 0xffff) }, "no room for its 65535 elements"},
		"continued too far":   {func(b []byte) { put32(b, root+12, 1<<30) }, "is in use elsewhere"},
		"continued into free": {func(b []byte) { put32(b, root+12, 1) }, "in use"},
		"element outside":     {func(b []byte) { put32(b, root+20, 1<<31) }, "element 0 is not in it"},
		"key too long":        {func(b []byte) { put32(b, root+24, 1<<31) }, "element 0 is not in it"},
		"value too long":      {func(b []byte) { put32(b, root+28, 1<<31) }, "the value of element 0 is not in it"},
		"keys out of order": {func(b []byte) {
			at := root + pageHeaderLength + int(binary.NativeEndian.Uint32(b[root+20:]))
			b[at] = 0xff
		}, "out of order"},
		"bucket without a root": {func(b []byte) { put32(b, root+28, 8) }, "a bucket has 8 bytes"},
		"a free page in use":    {func(b []byte) { put64(b, free+16, meta.root) }, "is listed as free, but is in use"},
		"a free page twice":     {func(b []byte) { copy(b[free+24:free+32], b[free+16:]) }, "is listed as free"},
		"a free page beyond":    {func(b []byte) { put64(b, free+16, meta.high) }, "beyond the last page"},
		"free list of another":  {func(b []byte) { put16(b, free+8, pageLeaf) }, "not a list of free pages"},
		"free list too long":    {func(b []byte) { put16(b, free+10, 0xffff); put64(b, free+16, 1<<60) }, "it lists"},
	} {
		spoilt := bytes.Clone(content)
		test.spoil(spoilt)
		err := checkPages(bytes.NewReader(spoilt), int64(len(spoilt)), everyLeaf)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	if err := checkPages(bytes.NewReader(content), int64(meta.high)*int64(meta.pageSize)-1, everyLeaf); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a file that is too short: %v", err)
	}
	// One of the first two pages may be damaged: the other one counts.
	for page := range 2 {
		spoilt := bytes.Clone(content)
		clear(spoilt[page*meta.pageSize : page*meta.pageSize+100])
		other, err := readMeta(bytes.NewReader(spoilt))
		if err != nil || (other.txid == meta.txid) == (int(meta.txid%2) == page) {
			t.Errorf("without page %d: %+v, %v", page, other, err)
		}
	}
	if err := checkPages(noReader{}, 1<<20, everyLeaf); err == nil {
		t.Error("a file that cannot be read is whole")
	}
}

type noReader struct{}

func (noReader) ReadAt([]byte, int64) (int, error) { return 0, iotest.ErrTimeout }

// TestCheckPagesAgrees compares with bbolt on files of random content: many keys,
// long and short, buckets in buckets.
func TestCheckPagesAgrees(t *testing.T) {
	path := filepath.Join(t.TempDir(), "random.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for round := range 6 {
		err := db.Update(func(tx *bolt.Tx) error {
			outer, err := tx.CreateBucketIfNotExists([]byte{byte(round % 3)})
			if err != nil {
				return err
			}
			for n := range 300 {
				b, err := outer.CreateBucketIfNotExists([]byte{byte(n % 7), 1})
				if err != nil {
					return err
				}
				key := bytes.Repeat([]byte{byte(n), byte(n * 37)}, 1+n%50)
				if n%11 == 10 {
					key = bytes.Repeat(key, 60) // more than a page
				}
				if err := b.Put(key, make([]byte, n*n%9000)); err != nil {
					return err
				}
				if err := b.Delete([]byte{byte(n / 2), byte(n / 2 * 37)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, leaves := range []int{everyLeaf, 5, 0} {
			if err := checkPages(bytes.NewReader(content), int64(len(content)), leaves); err != nil {
				t.Fatalf("round %d, %d leaves: %v", round, leaves, err)
			}
		}
	}
}

// countingReader counts the pages that are read.
type countingReader struct {
	*bytes.Reader
	reads int
}

func (r *countingReader) ReadAt(b []byte, offset int64) (int, error) {
	r.reads++
	return r.Reader.ReadAt(b, offset)
}

// TestCheckPagesSamples: of a large file the branches are all read, and a few of the leaves.
func TestCheckPagesSamples(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	var branch, leaf uint64 // a page of branches to leaves, and the last of these
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("values"))
		for n := 0; err == nil && n < 60_000; n++ {
			err = b.Put(binary.BigEndian.AppendUint64(nil, uint64(n)), make([]byte, 100))
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(content []byte, leaves int) (reads int, err error) {
		r := &countingReader{Reader: bytes.NewReader(content)}
		err = checkPages(r, int64(len(content)), leaves)
		return r.reads, err
	}
	pageSize := os.Getpagesize()
	for at := 2 * pageSize; at < len(content); at += pageSize {
		number, kind, count := binary.NativeEndian.Uint64(content[at:]), binary.NativeEndian.Uint16(content[at+8:]), int(binary.NativeEndian.Uint16(content[at+10:]))
		if kind != pageBranch || count <= 10 {
			continue
		}
		child := binary.NativeEndian.Uint64(content[at+pageHeaderLength+(count-1)*pageElementLength+8:])
		if binary.NativeEndian.Uint16(content[int(child)*pageSize+8:]) == pageLeaf {
			branch, leaf = number, child
		}
	}
	every, err := check(content, everyLeaf)
	if err != nil {
		t.Fatal(err)
	}
	few, err := check(content, 0)
	if err != nil || few*10 > every {
		t.Fatalf("%d of %d pages were read, %v", few, every, err)
	}
	for name, page := range map[string]uint64{"branch": branch, "leaf": leaf} {
		spoilt := bytes.Clone(content)
		binary.NativeEndian.PutUint64(spoilt[int(page)*pageSize:], 1<<40)
		if _, err := check(spoilt, everyLeaf); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a damaged %s: %v", name, err)
		}
		if _, err := check(spoilt, 0); errors.Is(err, ErrCorrupt) != (name == "branch") {
			t.Errorf("a damaged %s, when samples are read: %v", name, err)
		}
	}
	// A child that is beyond the file is found, though it is not read.
	spoilt := bytes.Clone(content)
	last := int(branch)*pageSize + pageHeaderLength + (int(binary.NativeEndian.Uint16(spoilt[int(branch)*pageSize+10:]))-1)*pageElementLength
	binary.NativeEndian.PutUint64(spoilt[last+8:], 1<<40)
	if _, err := check(spoilt, 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a leaf beyond the file: %v", err)
	}
}

// FuzzPages feeds files to the page checker, which must not panic, nor take more memory than the file is long.
func FuzzPages(f *testing.F) {
	content := fullFile(f)
	meta, err := readMeta(bytes.NewReader(content))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content[:int(meta.high)*meta.pageSize], uint16(0), uint64(0))
	f.Add(content[:int(meta.high)*meta.pageSize], uint16(meta.root*uint64(meta.pageSize)+12), uint64(1))
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, b []byte, at uint16, n uint64) {
		if int(at)+8 <= len(b) {
			binary.NativeEndian.PutUint64(b[at:], n)
		}
		checkPages(bytes.NewReader(b), int64(len(b)), everyLeaf)
		checkPages(bytes.NewReader(b), int64(len(b)), 0)
	})
}
