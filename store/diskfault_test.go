package store

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store/storetest"
)

// diskTest is a Leader's store over a lossy disk, with what its callers were told.
type diskTest struct {
	*Leader
	t    testing.TB
	disk *lossyDisk
	task dap.TaskID
	next uint64

	accepted  map[uint64]bool // by the number of the report
	uncertain map[uint64]bool // the store was unavailable
	finished  int
	refused   int
	recovered int
	told      atomic.Int64 // problems, by OnHealth
}

func newDiskTest(t testing.TB, seed uint64) *diskTest {
	d := &diskTest{t: t, accepted: make(map[uint64]bool), uncertain: make(map[uint64]bool)}
	random := rand.New(rand.NewPCG(seed, 2))
	options := Options{Create: true, RetryInterval: time.Millisecond, LockTimeout: 10 * time.Second}
	options.CommitHook = func(stage CommitStage) error {
		if d.disk == nil {
			return nil
		}
		switch stage {
		case BeforeCommit:
			d.disk.attach()
		case AfterCommit:
			d.disk.confirm()
		case Recovering:
			d.disk.mend()
			d.recovered++
			if random.IntN(4) == 0 {
				return syscall.EIO // once more
			}
		}
		return nil
	}
	options.OnHealth = func(h Health) {
		if h.Problem != nil {
			d.told.Add(1)
		}
	}
	var err error
	if d.Leader, err = OpenLeader(filepath.Join(memoryDir(t), "store.db"), checkKey, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	if err := d.PutTask(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	d.task = task.ID
	d.disk = newLossyDisk(t, &d.store, random)
	d.disk.choose = func(bool) diskFault { return noFault }
	return d
}

func diskReport(n uint64, length int) aggregator.UploadReport {
	r := aggregator.UploadReport{Time: dap.Time(n % 5), Body: make([]byte, length)}
	binary.BigEndian.PutUint64(r.ID[:], n*0x9e3779b97f4a7c15) // spread over the IDs
	return r
}

// ready waits until the store takes operations again.
func (d *diskTest) ready() {
	d.t.Helper()
	nothing := func(*txn) error { return nil }
	for deadline := time.Now().Add(2 * time.Minute); d.update(d.t.Context(), 0, nothing) != nil; time.Sleep(time.Millisecond) {
		if h := d.Health(); h.State == StateFailed || time.Now().After(deadline) {
			d.t.Fatalf("the store does not recover: %v, %v", h.State, h.Problem)
		}
	}
}

// uploadSome uploads new reports, and notes what became of them.
func (d *diskTest) uploadSome(n, length int) error {
	d.t.Helper()
	reports := make([]aggregator.UploadReport, n)
	first := d.next
	for i := range reports {
		d.next++
		reports[i] = diskReport(d.next, length)
	}
	outcomes, err := d.Upload(d.t.Context(), d.task, reports)
	for i := range reports {
		number := first + uint64(i) + 1
		switch {
		case err == nil && outcomes[i] == 0:
			d.accepted[number] = true
		case errors.Is(err, aggregator.ErrUnavailable):
			d.uncertain[number] = true
		default:
			d.t.Fatal(outcomes, err)
		}
	}
	if err != nil {
		d.refused++
	}
	return err
}

// again uploads the reports again of which nothing certain is known, or that were accepted: these are replayed.
func (d *diskTest) again(l *Leader) {
	d.t.Helper()
	for number := range d.accepted {
		outcomes, err := l.Upload(d.t.Context(), d.task, []aggregator.UploadReport{diskReport(number, 100)})
		if err != nil || outcomes[0] != dap.ReportErrorReportReplayed {
			d.t.Fatalf("report %d was accepted, and is now %v, %v", number, outcomes, err)
		}
	}
	for number := range d.uncertain {
		outcomes, err := l.Upload(d.t.Context(), d.task, []aggregator.UploadReport{diskReport(number, 100)})
		if err != nil || outcomes[0] != 0 && outcomes[0] != dap.ReportErrorReportReplayed {
			d.t.Fatalf("report %d: %v, %v", number, outcomes, err)
		}
	}
}

// aggregate puts waiting reports into a job and finishes it. Either may fail, and is then done again.
func (d *diskTest) aggregate() {
	d.t.Helper()
	ctx := d.t.Context()
	try := func(f func() error) {
		for {
			err := f()
			if !errors.Is(err, aggregator.ErrUnavailable) {
				if err != nil && !errors.Is(err, aggregator.ErrNotFound) {
					d.t.Fatal(err)
				}
				return
			}
			d.refused++
			d.ready()
		}
	}
	var waiting []aggregator.StoredReport
	try(func() (err error) {
		waiting, err = d.WaitingReports(ctx, d.task, 0, 100, 1<<20, nil)
		return err
	})
	if len(waiting) == 0 {
		return
	}
	job := aggregator.AggregationJob{Task: d.task, State: aggregator.JobActive, CreatedAt: time.Now()}
	binary.BigEndian.PutUint64(job.ID[:], waiting[0].Sequence)
	commits := make([]aggregator.Commit, len(waiting))
	for i, r := range waiting {
		job.Reports = append(job.Reports, r.Sequence)
		commits[i] = aggregator.Commit{Sequence: r.Sequence, OutShare: storetest.OutShare(1)}
	}
	try(func() error { return d.CreateAggregationJob(ctx, job, nil) })
	try(func() error { return d.FinishAggregationJob(ctx, d.task, job.ID, commits, nil, storetest.Sums{}) })
	d.finished += len(waiting)
}

// verify checks that the store holds what its callers were told, once each.
func (d *diskTest) verify(l *Leader) {
	d.t.Helper()
	d.again(l)
	counts, err := l.Counts(d.t.Context(), d.task)
	if err != nil {
		d.t.Fatal(err)
	}
	if got, want := counts.Waiting+counts.InJobs+counts.Aggregated, uint64(len(d.accepted)+len(d.uncertain)); got != want {
		d.t.Fatalf("the store holds %d reports, and should hold %d", got, want)
	}
	if violations, err := l.Check(d.t.Context()); err != nil || len(violations) > 0 {
		d.t.Fatal(violations, err)
	}
}

// TestDiskFaults makes each write, each part of a write and each sync of a commit fail once.
func TestDiskFaults(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault diskFault
		meta  bool
		kept  bool // the transaction may be there afterwards
	}{
		{"writing a page fails", writeFails, false, false},
		{"the disk is full", writeFull, false, false},
		{"a page is written in part", writeShort, false, false},
		{"syncing the pages fails", syncFails, false, false},
		{"writing the first page fails", writeFails, true, false},
		{"the disk is full at the first page", writeFull, true, false},
		{"the first page is written in part", writeShort, true, true},
		{"syncing the first page fails", syncFails, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			kept := 0
			for seed := range uint64(4) {
				d := newDiskTest(t, seed)
				if err := d.uploadSome(10, 100); err != nil {
					t.Fatal(err)
				}
				armed := true
				d.disk.choose = func(meta bool) diskFault {
					if armed && meta == test.meta {
						armed = false
						return test.fault
					}
					return noFault
				}
				if err := d.uploadSome(1, 100); !errors.Is(err, aggregator.ErrUnavailable) {
					t.Fatalf("got %v", err)
				}
				d.ready()
				counts, err := d.Counts(t.Context(), d.task)
				if err != nil {
					t.Fatal(err)
				}
				kept += int(counts.Waiting) - 10
				if counts.Waiting != 10 && !test.kept {
					t.Fatalf("%d reports wait after a commit that failed before it was to be seen", counts.Waiting)
				}
				if err := d.uploadSome(10, 100); err != nil {
					t.Fatal(err)
				}
				d.aggregate()
				d.verify(d.Leader)
				if d.told.Load() == 0 {
					t.Error("nobody was told")
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				d.verify(opensAs(t, d.disk.content()))
			}
			t.Logf("the transaction was there in %d of 4 cases", kept)
		})
	}
}

// TestPowerFailure runs a store over a disk that fails at random, with the power failing again and again: what
// the disk then holds opens, is whole, and has every report that was accepted before.
func TestPowerFailure(t *testing.T) {
	total := make(map[diskFault]int)
	crashes := 0
	for seed := range uint64(6) {
		d := newDiskTest(t, 100+seed)
		random := rand.New(rand.NewPCG(seed, 7))
		type crash struct {
			content  []byte
			accepted map[uint64]bool
		}
		var found []crash
		d.disk.crash = func(content []byte) {
			if len(found) < 6 {
				// Reports are uploaded one call after the other: nobody adds to accepted at the moment.
				copied := make(map[uint64]bool)
				for n := range d.accepted {
					copied[n] = true
				}
				found = append(found, crash{content, copied})
			}
		}
		d.disk.choose = func(meta bool) diskFault {
			if random.IntN(25) > 0 {
				return noFault
			}
			return diskFault(1 + random.IntN(int(powerFails)))
		}
		for range 40 {
			if random.IntN(3) == 0 {
				d.aggregate()
			} else if d.uploadSome(1+random.IntN(30), random.IntN(3000)) != nil {
				d.ready()
			}
		}
		d.disk.choose = func(bool) diskFault { return noFault }
		d.ready()
		d.verify(d.Leader)
		for fault, n := range d.disk.faults {
			total[fault] += n
		}
		for _, c := range found {
			crashes++
			after := opensAs(t, c.content)
			for number := range c.accepted {
				outcomes, err := after.Upload(t.Context(), d.task, []aggregator.UploadReport{diskReport(number, 100)})
				if err != nil || outcomes[0] != dap.ReportErrorReportReplayed {
					t.Fatalf("seed %d: report %d was accepted before the power failed, and is now %v, %v", seed, number, outcomes, err)
				}
			}
			after.Close()
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for fault := writeFails; fault <= powerFails; fault++ {
		if total[fault] == 0 {
			t.Errorf("fault %d never happened", fault)
		}
	}
	t.Logf("faults %v, power failures examined %d", total, crashes)
}

// TestUnconfirmedIsNotTold has a reader see a transaction before it is known whether the disk has confirmed it.
func TestUnconfirmedIsNotTold(t *testing.T) {
	for name, failure := range map[string]error{"confirmed": nil, "not confirmed": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			h := newHeldStore(t, Options{})
			told := make(chan error, 1)
			early := false
			h.after = func() error {
				h.after = nil
				seen := make(chan struct{})
				go func() {
					told <- h.view(context.WithoutCancel(t.Context()), func(tx *txn) error {
						if tx.top(bucketPeerings).get([]byte("new")) == nil {
							t.Error("the reader does not see what is written; this test tests nothing")
						}
						close(seen)
						return nil
					})
				}()
				<-seen
				select {
				case <-told:
					early = true
				case <-time.After(20 * time.Millisecond):
				}
				return failure
			}
			err := h.PutPeering(t.Context(), aggregator.Peering{Name: "new"})
			if (err == nil) != (failure == nil) {
				t.Fatal(err)
			}
			if early {
				t.Fatal("the reader was told what may never have been")
			}
			// After a failure the store finds that the disk has it, all the same.
			if err := <-told; err != nil {
				t.Fatal(err)
			}
		})
	}
}
