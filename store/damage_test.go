package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestDamageAnywhere cuts a file off within and between all its pages, clears each page, and changes every byte of
// the first two that counts. Nothing brings the process down, what is opened can be checked, and what is
// refused is named with the remedy.
func TestDamageAnywhere(t *testing.T) {
	content := fullFile(t)
	meta, err := readMeta(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(memoryDir(t), "damaged.db")
	opens := func(content []byte) (harmless bool) {
		t.Helper()
		if err := os.WriteFile(path, content, fileMode); err != nil {
			t.Fatal(err)
		}
		l, err := OpenLeader(path, checkKey, Options{NoSync: true})
		if err != nil {
			var open *OpenError
			if !errors.As(err, &open) || open.Remedy == "" || open.Path != path || open.Problem == ErrUnreadable {
				t.Fatalf("it is not named: %v", err)
			}
			return false
		}
		violations, err := l.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return len(violations) == 0
	}
	size := meta.pageSize
	used := int(meta.high) * size
	if !opens(content[:used]) {
		t.Fatal("what is behind the last page is needed")
	}
	for page := range int(meta.high) {
		for _, cut := range []int{page * size, page*size + 100} {
			if opens(content[:cut]) {
				t.Errorf("a file of %d bytes, of %d, is taken", cut, used)
			}
		}
	}
	free := 0
	for page := 2; page < int(meta.high); page++ {
		spoilt := bytes.Clone(content[:used])
		clear(spoilt[page*size : (page+1)*size])
		if opens(spoilt) {
			free++
		}
	}
	if free == int(meta.high)-2 {
		t.Error("no page is needed")
	}
	older := 0
	for page := range 2 {
		for at := range metaLength {
			spoilt := bytes.Clone(content[:used])
			spoilt[page*size+pageHeaderLength+at] ^= 0x10
			if opens(spoilt) { // by the other one: the state before, or the same
				older++
			}
		}
		both := bytes.Clone(content[:used])
		both[pageHeaderLength+page] ^= 1
		both[size+pageHeaderLength+page] ^= 1
		if opens(both) {
			t.Error("a file without a whole first page is taken")
		}
	}
	t.Logf("%d of %d pages can be cleared without harm; %d of %d changes of the first pages lead to the other one", free, meta.high-2, older, 2*metaLength)
}

// TestCheckOfAFileThatShrinks cuts a file off under an open store: checking and reading say so, and the process goes on.
func TestCheckOfAFileThatShrinks(t *testing.T) {
	path := filepath.Join(memoryDir(t), "store.db")
	content := fullFile(t)
	meta, err := readMeta(bytes.NewReader(content))
	if err := errors.Join(err, os.WriteFile(path, content, fileMode)); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLeader(path, checkKey, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Truncate(path, int64(2*meta.pageSize)); err != nil {
		t.Fatal(err)
	}
	violations, err := l.Check(t.Context())
	if err == nil && len(violations) == 0 || err != nil && !errors.Is(err, ErrCorrupt) {
		t.Fatal(violations, err)
	}
	if _, err := l.Tasks(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("reading what is gone: %v", err)
	}
}
