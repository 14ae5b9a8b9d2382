package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

// copyTo writes a copy of a store, and calls after once its beginning is written.
func copyTo(ctx context.Context, l *store.Leader, path string, after func()) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	size := int64(0)
	err = l.Copy(ctx, func(n int64) (io.Writer, error) {
		size = n
		return &watchedWriter{file, after}, nil
	})
	info, statErr := file.Stat()
	if err = errors.Join(err, statErr, file.Close()); err != nil {
		return err
	}
	if info.Size() != size {
		return errors.New("it has another size than was announced")
	}
	return store.MarkCopy(path, time.Unix(1_900_000_000, 0))
}

type watchedWriter struct {
	io.Writer
	after func()
}

func (w *watchedWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if w.after != nil {
		w.after()
		w.after = nil
	}
	return n, err
}

// TestCopyIsConsistent copies while others upload and aggregate: the copy is whole, has what was accepted
// before it was begun, and is not opened as a store.
func TestCopyIsConsistent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leader.db")
	l, err := store.OpenLeader(path, testKey, store.Options{Create: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	if err := l.PutTask(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	uploaded := 0
	upload := func(n int) {
		for range n {
			uploaded++
			if _, err := l.Upload(t.Context(), task.ID, []aggregator.UploadReport{numbered(uploaded)}); err != nil {
				t.Error(err)
			}
		}
	}
	upload(200)
	copied := filepath.Join(t.TempDir(), "copy.db")
	var group sync.WaitGroup
	err = copyTo(t.Context(), l, copied, func() {
		group.Go(func() { upload(300) })
		group.Wait() // uploads do not wait for the copy
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.OpenLeader(copied, testKey, store.Options{NoSync: true})
	if !errors.Is(err, store.ErrCopy) || !strings.Contains(err.Error(), "2030-03-17") || !strings.Contains(err.Error(), "leader restore --dir DIR --from "+copied) {
		t.Fatalf("a copy is opened: %v", err)
	}
	if counts, err := l.Counts(t.Context(), task.ID); err != nil || counts.Waiting != 500 {
		t.Fatal(counts, err)
	}
	opened := store.OpenCopy(t, copied, testKey)
	counts, err := opened.Counts(t.Context(), task.ID)
	if err != nil || counts.Waiting != 200 {
		t.Fatal(counts, err)
	}
	if violations, err := opened.Check(t.Context()); err != nil || len(violations) > 0 {
		t.Fatal(violations, err)
	}
}

// TestCopyEnds: a copy ends when its caller gives up, its receiver fails, or the store must be opened again.
func TestCopyEnds(t *testing.T) {
	var fail bool
	options := store.Options{Create: true, NoSync: true, RetryInterval: time.Millisecond, CommitHook: func(stage store.CommitStage) error {
		if stage == store.AfterCommit && fail {
			fail = false
			return errInjected
		}
		return nil
	}}
	l, err := store.OpenLeader(filepath.Join(t.TempDir(), "leader.db"), testKey, options)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	body := make([]byte, 1<<20)
	if err := l.PutTask(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	for n := range byte(8) {
		if _, err := l.Upload(t.Context(), task.ID, []aggregator.UploadReport{{ID: dap.ReportID{n}, Time: 1, Body: body}}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	ctx, cancel := context.WithCancel(t.Context())
	if err := copyTo(ctx, l, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	full := errors.New("no space")
	if err := l.Copy(t.Context(), func(int64) (io.Writer, error) { return nil, full }); !errors.Is(err, full) {
		t.Errorf("no place: %v", err)
	}
	// A commit that is not confirmed: the store waits for the copy, and the copy gives way.
	err = copyTo(t.Context(), l, path, func() {
		fail = true
		if err := l.PutPeering(t.Context(), aggregator.Peering{Name: "x"}); !errors.Is(err, aggregator.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
	if err != nil && !errors.Is(err, aggregator.ErrUnavailable) {
		t.Errorf("while the store is opened again: %v", err)
	}
	if err := l.PutPeering(t.Context(), aggregator.Peering{Name: "y"}); err != nil { // done once the store is open again
		t.Fatal(err)
	}
	if err := copyTo(t.Context(), l, path, nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	content, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(content, []byte("twofold")) {
		t.Fatal(err)
	}
	// What is cut off is found.
	if err := os.WriteFile(path, content[:len(content)-4096], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.MarkCopy(path, time.Now()); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a copy that is cut off: %v", err)
	}
	l.Close()
	if err := l.Copy(context.Background(), nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
}

func TestStanding(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leader.db")
	open := func() *store.Leader {
		l, err := store.OpenLeader(path, testKey, store.Options{Create: true, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := open()
	first, err := l.Start(t.Context())
	if err != nil || first.Starts != 1 || first.Instance == (store.Standing{}).Instance {
		t.Fatal(first, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	copyFile(t, path, path+".old")
	l = open()
	second, err := l.Start(t.Context())
	if err != nil || second.Starts != 2 || second.Instance != first.Instance || second.Transaction <= first.Transaction {
		t.Fatal(second, err)
	}
	if err := l.PutPeering(t.Context(), aggregator.Peering{Name: "x"}); err != nil {
		t.Fatal(err)
	}
	later, err := l.Standing(t.Context())
	if err != nil || later.Transaction != second.Transaction+1 || second.Precedes(second) || later.Precedes(second) || !second.Precedes(later) || !first.Precedes(second) {
		t.Fatal(later, err)
	}
	if err := errors.Join(l.Close(), os.Rename(path+".old", path)); err != nil {
		t.Fatal(err)
	}
	l = open()
	defer l.Close()
	if old, err := l.Standing(t.Context()); err != nil || !old.Precedes(later) {
		t.Fatal(old, err)
	}
	if another := (store.Standing{Instance: [16]byte{1}, Starts: 9, Transaction: 99}); !another.Precedes(later) {
		t.Fatal("another store is taken for this one")
	}
}
