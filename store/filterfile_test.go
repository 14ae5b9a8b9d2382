package store

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// closedWithFilter makes a store on which a server has started, with reports 0 to 99 of the first task, and closes it.
func closedWithFilter(t *testing.T) (path string, tasks [2]dap.TaskID) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "leader.db")
	l, tasks := filterLeader(t, path, Options{Create: true})
	if _, err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	AwaitFilter(t, l)
	numbers := make([]int, 100)
	for i := range numbers {
		numbers[i] = i
	}
	expectOutcomes(t, l, tasks[0], numbered(1000, numbers...), 0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path, tasks
}

// hasFilter opens the store, which has the filter that was left at once, made when there were so many IDs. All reports are known.
func hasFilter(t *testing.T, path string, tasks [2]dap.TaskID, found uint64) *Leader {
	t.Helper()
	l, _ := filterLeader(t, path, Options{})
	if f := l.filter.Load(); !f.complete.Load() || f.found != found {
		t.Errorf("the filter is complete: %t, and made for %d IDs, not %d", f.complete.Load(), f.found, found)
	}
	if _, err := os.Stat(filterPath(path)); !os.IsNotExist(err) {
		t.Error("the file is still there:", err)
	}
	expectOutcomes(t, l, tasks[0], numbered(1000, 0, 1, 50, 98, 99), dap.ReportErrorReportReplayed)
	if violations, err := l.Check(t.Context()); err != nil || len(violations) > 0 {
		t.Error(violations, err)
	}
	return l
}

// TestFilterIsLeft: a store that is opened again has the filter at once, and goes on with it.
func TestFilterIsLeft(t *testing.T) {
	path, tasks := closedWithFilter(t)
	for round := range 3 {
		l := hasFilter(t, path, tasks, 0)
		expectOutcomes(t, l, tasks[1], numbered(1000, round), 0)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	expectOutcomes(t, hasFilter(t, path, tasks, 0), tasks[1], numbered(1000, 0, 1, 2), dap.ReportErrorReportReplayed)
}

// TestFilterOfAnotherState: a filter that is damaged, or of another state of the database, is not used.
func TestFilterOfAnotherState(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path string, filter []byte) []byte{
		"missing":        func(*testing.T, string, []byte) []byte { return nil },
		"cut short":      func(_ *testing.T, _ string, filter []byte) []byte { return filter[:len(filter)-1] },
		"longer":         func(_ *testing.T, _ string, filter []byte) []byte { return append(filter, 0) },
		"a bit":          func(_ *testing.T, _ string, filter []byte) []byte { filter[len(filter)/2] ^= 4; return filter },
		"digest":         func(_ *testing.T, _ string, filter []byte) []byte { filter[len(filter)-1] ^= 1; return filter },
		"other database": func(_ *testing.T, _ string, filter []byte) []byte { filter[16] ^= 1; return filter },
		"database before a transaction": func(t *testing.T, path string, filter []byte) []byte {
			l, tasks := filterLeader(t, path, Options{})
			expectOutcomes(t, l, tasks[0], numbered(1000, 1000), 0)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return filter
		},
		"database before a start": func(t *testing.T, path string, filter []byte) []byte {
			l, _ := filterLeader(t, path, Options{})
			if _, err := l.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return filter
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, tasks := closedWithFilter(t)
			filter, err := os.ReadFile(filterPath(path))
			if err != nil {
				t.Fatal(err)
			}
			if filter = change(t, path, filter); filter == nil {
				err = os.Remove(filterPath(path))
			} else {
				err = os.WriteFile(filterPath(path), filter, fileMode)
			}
			if err != nil {
				t.Fatal(err)
			}
			l, _ := filterLeader(t, path, Options{})
			AwaitFilter(t, l)
			found := l.filter.Load().found
			if found < 100 {
				t.Error("the filter was used")
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			hasFilter(t, path, tasks, found)
		})
	}
}

// TestFilterTooLarge: a filter that takes more memory than there is for it is not used.
func TestFilterTooLarge(t *testing.T) {
	path, tasks := closedWithFilter(t)
	l, _ := filterLeader(t, path, Options{FilterBytes: 1 << 16})
	AwaitFilter(t, l)
	if size := len(l.filter.Load().blocks) * blockBytes; size > 1<<16 {
		t.Errorf("the filter has %d bytes", size)
	}
	expectOutcomes(t, l, tasks[0], numbered(1000, 0, 50, 99), dap.ReportErrorReportReplayed)
}

// TestNoFilterIsLeft: what is not complete is not left, nor is the filter of a database on which no server has started.
func TestNoFilterIsLeft(t *testing.T) {
	for _, started := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "leader.db")
		l, _ := filterLeader(t, path, Options{Create: true})
		AwaitFilter(t, l)
		if started {
			if _, err := l.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.filter.Load().complete.Store(false)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filterPath(path)); !os.IsNotExist(err) {
			t.Errorf("started: %t: there is a file: %v", started, err)
		}
	}
}

// FuzzFilterFile: a file is read as the filter of a database only if it is one.
func FuzzFilterFile(f *testing.F) {
	h := filterHeader{Magic: filterMagic, Instance: [16]byte{1}, Starts: 2, Transaction: 3, Limit: 4, Blocks: 2}
	path := filepath.Join(f.TempDir(), "filter")
	if err := writeFilter(path, &h, []filterBlock{{1, 2, 3, 4}, {5, 6, 7, 8}}); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(whole[:binary.Size(&h)])
	for _, at := range []int{0, 16, 32, 40, 48, 88, 90, 95} {
		changed := slices.Clone(whole)
		changed[at] ^= 0x40
		f.Add(changed)
	}
	fuzzing.Run(f, fuzzing.Limit{Fixed: 1 << 20}, func(t testing.TB, data []byte) {
		filter, err := readFilter(bytes.NewReader(data), int64(len(data)), &h, 1<<16)
		if (filter == nil) == (err == nil) {
			t.Fatal(filter, err)
		}
		if filter == nil {
			return
		}
		again := filterPath(filepath.Join(t.TempDir(), "db"))
		h := h
		h.Key, h.Found, h.Added, h.Limit, h.Blocks = filter.key, filter.found, uint64(filter.added.Load()), uint64(filter.limit), uint64(len(filter.blocks))
		if err := writeFilter(again, &h, filter.blocks); err != nil {
			t.Fatal(err)
		}
		if written, err := os.ReadFile(again); err != nil || !bytes.Equal(written, data) {
			t.Fatal("what was read is written as something else", err)
		}
	})
}
