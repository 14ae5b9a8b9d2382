package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

// TestReadsAfterALateRecovery: a commit is not confirmed, and the disk is not well at once. When
// it is, what stands is read again, though nothing has been written since.
func TestReadsAfterALateRecovery(t *testing.T) {
	var armed atomic.Bool
	var failures atomic.Int64
	options := store.Options{Create: true, RetryInterval: time.Millisecond, CommitHook: func(stage store.CommitStage) error {
		if armed.Load() && stage != store.BeforeCommit && failures.Add(1) <= 3 {
			return errors.New("the disk does not confirm")
		}
		return nil
	}}
	l, err := store.OpenLeader(filepath.Join(t.TempDir(), "leader.db"), make([]byte, store.KeySize), options)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	armed.Store(true)
	ctx := context.Background()
	if err := l.PutTask(ctx, storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)); err == nil {
		t.Fatal("the commit has not failed")
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		tasks, err := l.Tasks(ctx)
		if err == nil && len(tasks) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %d failures: %d tasks, %v", failures.Load(), len(tasks), err)
		}
	}
}
