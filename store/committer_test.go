package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store/storetest"
)

// heldStore is a Leader's store whose commits wait until they are let go.
type heldStore struct {
	*Leader
	t       *testing.T
	task    dap.TaskID
	commits atomic.Int64
	held    atomic.Bool
	arrived chan struct{} // a commit has begun to wait
	letGo   chan error    // what it returns
	after   func() error  // if not nil, what AfterCommit calls
	full    atomic.Bool   // it does not recover
}

func newHeldStore(t *testing.T, options Options) *heldStore {
	h := &heldStore{t: t, arrived: make(chan struct{}, 100), letGo: make(chan error)}
	options.Create = true
	options.CommitHook = func(stage CommitStage) error {
		if stage == Recovering && h.full.Load() {
			return ErrNoSpace
		}
		if stage == AfterCommit && h.after != nil {
			return h.after()
		}
		if stage != BeforeCommit {
			return nil
		}
		h.commits.Add(1)
		if h.held.Load() {
			h.arrived <- struct{}{}
			return <-h.letGo
		}
		return nil
	}
	var err error
	if h.Leader, err = OpenLeader(filepath.Join(t.TempDir(), "store.db"), checkKey, WithoutSync(options)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	if err := h.PutTask(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	h.task = task.ID
	h.commits.Store(0)
	return h
}

// hold makes an operation whose commit waits, and returns when it does.
func (h *heldStore) hold() (done chan error) {
	h.held.Store(true)
	done = make(chan error, 1)
	go func() {
		done <- h.PutPeering(context.WithoutCancel(h.t.Context()), aggregator.Peering{Name: "held"})
	}()
	<-h.arrived
	return done
}

// release lets the commit end that waits, and all later ones.
func (h *heldStore) release(err error) {
	h.held.Store(false)
	h.letGo <- err
}

// queued waits until so many operations are in the queues.
func (h *heldStore) queued(n int) {
	for deadline := time.Now().Add(time.Minute); len(h.committer.uploads)+len(h.committer.steps) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("%d operations are queued, not %d", len(h.committer.uploads)+len(h.committer.steps), n)
		}
	}
}

func (h *heldStore) upload(ctx context.Context, n byte) ([]dap.ReportError, error) {
	return h.Upload(ctx, h.task, []aggregator.UploadReport{{ID: dap.ReportID{n}, Time: 1, Body: []byte("body")}})
}

func (h *heldStore) waiting() int {
	h.t.Helper()
	counts, err := h.Counts(h.t.Context(), h.task)
	if err != nil {
		h.t.Fatal(err)
	}
	return int(counts.Waiting)
}

func TestOperationsShareACommit(t *testing.T) {
	h := newHeldStore(t, Options{})
	done := h.hold()
	var group sync.WaitGroup
	for n := range 50 {
		group.Go(func() {
			outcomes, err := h.upload(t.Context(), byte(n))
			if err != nil || outcomes[0] != 0 {
				t.Error(outcomes, err)
			}
		})
	}
	h.queued(50)
	h.release(nil)
	group.Wait()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := h.commits.Load(); n != 2 {
		t.Fatalf("51 operations took %d commits, not 2", n)
	}
	if h.waiting() != 50 {
		t.Fatalf("%d reports wait", h.waiting())
	}
}

func TestFullQueueIsBusy(t *testing.T) {
	h := newHeldStore(t, Options{QueueLength: 3})
	done := h.hold()
	var group sync.WaitGroup
	for n := range 3 {
		group.Go(func() {
			if _, err := h.upload(t.Context(), byte(n)); err != nil {
				t.Error(err)
			}
		})
	}
	h.queued(3)
	if _, err := h.upload(t.Context(), 9); !errors.Is(err, aggregator.ErrBusy) {
		t.Fatalf("got %v, want ErrBusy", err)
	}
	// Other operations have a queue of their own.
	group.Go(func() {
		if err := h.PutPeering(t.Context(), aggregator.Peering{Name: "another"}); err != nil {
			t.Error(err)
		}
	})
	h.queued(4)
	h.release(nil)
	group.Wait()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if h.waiting() != 3 {
		t.Fatalf("%d reports wait", h.waiting())
	}
}

func TestGivingUp(t *testing.T) {
	h := newHeldStore(t, Options{})
	// While it is queued: nothing is written.
	done := h.hold()
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() {
		_, err := h.upload(ctx, 1)
		given <- err
	}()
	h.queued(1)
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	h.release(nil)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if outcomes, err := h.upload(t.Context(), 2); err != nil || outcomes[0] != 0 {
		t.Fatal(outcomes, err)
	}
	if h.waiting() != 1 {
		t.Fatalf("%d reports wait", h.waiting())
	}
	// While its transaction is under way: the outcome is told.
	h.held.Store(true)
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		_, err := h.upload(ctx, 3)
		given <- err
	}()
	<-h.arrived
	cancel()
	select {
	case err := <-given:
		t.Fatalf("it returned before its outcome was known: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	h.release(nil)
	if err := <-given; err != nil {
		t.Fatal(err)
	}
	if h.waiting() != 2 {
		t.Fatalf("%d reports wait", h.waiting())
	}
}

// TestFailedOperationSpoilsNoOther queues operations that fail after they have
// written, and one that panics, between two that are good.
func TestFailedOperationSpoilsNoOther(t *testing.T) {
	h := newHeldStore(t, Options{})
	done := h.hold()
	errPlanned := errors.New("planned")
	runs := 0
	write := func(tx *txn, name string) error { return tx.top(bucketPeerings).put([]byte(name), []byte("x")) }
	results := make([]error, 5)
	var group sync.WaitGroup
	for i, f := range []func(*txn) error{
		func(tx *txn) error { runs++; return write(tx, "first") },
		func(tx *txn) error { return errors.Join(write(tx, "second"), errPlanned) },
		func(tx *txn) error { return errPlanned },
		func(tx *txn) error { write(tx, "fourth"); panic("planned") },
		func(tx *txn) error { return write(tx, "fifth") },
	} {
		group.Go(func() { results[i] = h.update(t.Context(), 0, f) })
		h.queued(i + 1)
	}
	h.release(nil)
	group.Wait()
	<-done
	for i, want := range []error{nil, errPlanned, errPlanned, ErrCorrupt, nil} {
		if !errors.Is(results[i], want) {
			t.Errorf("operation %d: got %v, want %v", i, results[i], want)
		}
	}
	if runs != 3 {
		t.Errorf("the first operation ran %d times, not 3", runs)
	}
	err := h.view(t.Context(), func(tx *txn) error {
		for name, want := range map[string]bool{"first": true, "second": false, "fourth": false, "fifth": true} {
			if got := tx.top(bucketPeerings).get([]byte(name)) != nil; got != want {
				t.Errorf("what operation %s wrote is there: %t", name, got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := h.commits.Load(); n != 2 {
		t.Errorf("there were %d commits, not 2", n)
	}
}

// TestNoOutcomeOfAFailedCommit has two uploads of one report in one transaction.
// The second is a replay of the first; but if the first fails nobody may be told so.
func TestNoOutcomeOfAFailedCommit(t *testing.T) {
	h := newHeldStore(t, Options{})
	done := h.hold()
	results := make([]error, 2)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() { _, results[i] = h.upload(t.Context(), 7) })
		h.queued(i + 1)
	}
	h.letGo <- nil // the next commit waits, too
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	<-h.arrived
	disk := errors.New("the disk is full")
	h.release(disk)
	group.Wait()
	for i, err := range results {
		if !errors.Is(err, aggregator.ErrUnavailable) || !errors.Is(err, disk) {
			t.Errorf("upload %d: got %v", i, err)
		}
	}
	if h.waiting() != 0 {
		t.Fatal("a report is kept whose commit has failed")
	}
	if outcomes, err := h.upload(t.Context(), 7); err != nil || outcomes[0] != 0 {
		t.Fatal(outcomes, err)
	}
}

// TestCloseDrains closes a store with operations in its queues: what was taken is done.
func TestCloseDrains(t *testing.T) {
	h := newHeldStore(t, Options{})
	h.hold()
	var group sync.WaitGroup
	for n := range 20 {
		group.Go(func() {
			if _, err := h.upload(context.WithoutCancel(t.Context()), byte(n)); err != nil {
				t.Error(err)
			}
		})
	}
	h.queued(20)
	closed := make(chan error, 1)
	go func() { closed <- h.Close() }()
	h.release(nil)
	group.Wait()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if _, err := h.upload(context.Background(), 99); !errors.Is(err, ErrClosed) || !errors.Is(err, aggregator.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	reopened, err := OpenLeader(h.Path(), checkKey, WithoutSync(Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer reopened.Close()
	counts, err := reopened.Counts(t.Context(), h.task)
	if err != nil || counts.Waiting != 20 {
		t.Fatal(counts, err)
	}
}

// TestFullDisk makes the file unable to grow: a transaction that needs more is refused whole,
// and the store goes on when there is room again.
func TestFullDisk(t *testing.T) {
	h := newHeldStore(t, Options{RetryInterval: 5 * time.Millisecond})
	if _, err := h.upload(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	h.db.MaxSize = 1 << 20
	h.full.Store(true)
	large := aggregator.UploadReport{ID: dap.ReportID{2}, Time: 1, Body: make([]byte, 4<<20)}
	_, err := h.Upload(t.Context(), h.task, []aggregator.UploadReport{large})
	if !errors.Is(err, aggregator.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	if h.waiting() != 1 {
		t.Fatalf("%d reports wait", h.waiting())
	}
	if state := h.Health().State; state != StateFailing {
		t.Fatalf("the store is %v", state)
	}
	// What is there is read meanwhile, and everything else refused at once.
	if _, err := h.upload(t.Context(), 3); !errors.Is(err, aggregator.ErrUnavailable) {
		t.Fatal(err)
	}
	h.db.MaxSize = 0
	h.full.Store(false)
	for deadline := time.Now().Add(time.Minute); h.Health().State != StateReady && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if outcomes, err := h.Upload(t.Context(), h.task, []aggregator.UploadReport{large}); err != nil || outcomes[0] != 0 {
		t.Fatal(outcomes, err)
	}
	if violations, err := h.Check(t.Context()); err != nil || len(violations) > 0 {
		t.Fatal(violations, err)
	}
}

// TestFreelist works a backlog off, and sees that the list of free pages is left out of the file while it is long.
func TestFreelist(t *testing.T) {
	h := newHeldStore(t, Options{PageSize: 4096})
	var sequences []uint64
	for n := range 8 {
		reports := make([]aggregator.UploadReport, 250)
		for i := range reports {
			reports[i] = aggregator.UploadReport{ID: dap.ReportID{byte(n), byte(i)}, Time: 1, Body: make([]byte, 6000)}
			sequences = append(sequences, uint64(len(sequences)+1))
		}
		if _, err := h.Upload(t.Context(), h.task, reports); err != nil {
			t.Fatal(err)
		}
	}
	if h.db.NoFreelistSync {
		t.Fatal("a short list of free pages is left out")
	}
	job := aggregator.AggregationJob{ID: dap.AggregationJobID{1}, Task: h.task, Reports: sequences, State: aggregator.JobActive}
	if err := h.CreateAggregationJob(t.Context(), job, nil); err != nil {
		t.Fatal(err)
	}
	commits := make([]aggregator.Commit, len(sequences))
	for i := range commits {
		commits[i] = aggregator.Commit{Sequence: sequences[i], OutShare: storetest.OutShare(1)}
	}
	if err := h.FinishAggregationJob(t.Context(), h.task, job.ID, commits, nil, storetest.Sums{}); err != nil {
		t.Fatal(err)
	}
	for n := range byte(3) {
		if _, err := h.upload(t.Context(), 100+n); err != nil {
			t.Fatal(err)
		}
	}
	if !h.db.NoFreelistSync {
		t.Fatal("a long list of free pages is written")
	}
	content, err := os.ReadFile(h.Path())
	if err != nil {
		t.Fatal(err)
	}
	crashed := filepath.Join(t.TempDir(), "crashed.db")
	if err := errors.Join(os.WriteFile(crashed, content, 0o600), h.Close()); err != nil {
		t.Fatal(err)
	}
	for path, listed := range map[string]bool{h.Path(): true, crashed: false} {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if meta, err := readMeta(file); err != nil || (meta.freelist != noFreelist) != listed {
			t.Fatal(path, meta, err)
		}
		file.Close()
		reopened, err := OpenLeader(path, checkKey, WithoutSync(Options{}))
		if err != nil {
			t.Fatal(err)
		}
		defer reopened.Close()
		if free := reopened.db.Stats().FreePageN; free < maxSyncedFreelist {
			t.Fatalf("after opening there are %d free pages", free)
		}
		if violations, err := reopened.Check(t.Context()); err != nil || len(violations) > 0 {
			t.Fatal(violations, err)
		}
	}
}
