package aggregator

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/dap"
)

// waitingStore is a store that has waiting reports only.
type waitingStore struct {
	LeaderStore
	waiting map[dap.TaskID][]uint64
	batches []OpenBatch
}

func (s *waitingStore) OpenBatches(context.Context, dap.TaskID) ([]OpenBatch, error) {
	return slices.Clone(s.batches), nil
}

// count puts reports of a job into their batch.
func (s *waitingStore) count(batch dap.BatchID, n int) {
	i := slices.IndexFunc(s.batches, func(o OpenBatch) bool { return o.BatchID == batch })
	if i < 0 {
		i = len(s.batches)
		s.batches = append(s.batches, OpenBatch{BatchID: batch})
	}
	s.batches[i].Count += uint64(n)
}

func (s *waitingStore) WaitingReports(_ context.Context, task dap.TaskID, after uint64, maxReports, _ int, _ *dap.Interval) (reports []StoredReport, _ error) {
	for _, sequence := range s.waiting[task] {
		if sequence > after && len(reports) < maxReports {
			reports = append(reports, StoredReport{Sequence: sequence, Body: []byte{1}})
		}
	}
	return reports, nil
}

// remove takes reports out, as a job or a rejection does.
func (s *waitingStore) remove(task dap.TaskID, reports []StoredReport) {
	s.waiting[task] = slices.DeleteFunc(s.waiting[task], func(sequence uint64) bool {
		return slices.ContainsFunc(reports, func(r StoredReport) bool { return r.Sequence == sequence })
	})
}

func taskFor(i byte, mode dap.BatchMode) *preparedTask {
	return &preparedTask{Task: Task{ID: dap.TaskID{i}, Config: dap.TaskConfiguration{BatchMode: mode, MinBatchSize: 10}}, eager: true}
}

// TestSchedulerTakesEachReportOnce lets jobs come to their ends in any order,
// some of them by giving their reports back.
func TestSchedulerTakesEachReportOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		config := &LeaderConfig{MaxJobReports: 4, MaxJobBytes: 1 << 20, MaxJobsInFlight: 3}
		s := newScheduler(config)
		store := &waitingStore{waiting: make(map[dap.TaskID][]uint64)}
		tasks := []*preparedTask{taskFor(1, dap.BatchModeTimeInterval), taskFor(2, dap.BatchModeLeaderSelected)}
		next := uint64(1)
		var open []*taking
		total, done := 0, make(map[uint64]int)
		upload := func() {
			task, n := rapid.SampledFrom(tasks).Draw(rt, "task"), rapid.IntRange(1, 12).Draw(rt, "reports")
			for range n {
				store.waiting[task.ID] = append(store.waiting[task.ID], next)
				next++
			}
			total += n
			s.uploaded(task, n, n)
		}
		take := func() bool {
			for _, src := range s.order {
				src.pausedTo = time.Time{} // no waiting in this test
				src.urgent = true
			}
			src, _ := s.pick()
			if src == nil {
				return false
			}
			taking, err := s.take(context.Background(), store, src)
			if err != nil {
				rt.Fatal(err)
			}
			if taking != nil {
				open = append(open, taking)
			}
			return true
		}
		end := func(giveBack bool) {
			i := rapid.IntRange(0, len(open)-1).Draw(rt, "job")
			taking := open[i]
			open = slices.Delete(open, i, i+1)
			if giveBack {
				s.settle(taking, true)
				return
			}
			store.remove(taking.source.key.task, taking.reports)
			s.settle(taking, false)
			rejected := rapid.IntRange(0, len(taking.reports)).Draw(rt, "rejected")
			if taking.batch != nil {
				store.count(taking.batch.id, len(taking.reports)-rejected)
			}
			s.jobEnded(taking.source, taking.batch, rejected)
			for _, r := range taking.reports {
				done[r.Sequence]++
			}
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0:
				upload()
			case 1, 2:
				take()
			default:
				if len(open) > 0 {
					end(rapid.Bool().Draw(rt, "give back"))
				}
			}
			seen := make(map[uint64]bool)
			for _, taking := range open {
				for _, r := range taking.reports {
					if seen[r.Sequence] || done[r.Sequence] > 0 {
						rt.Fatalf("report %d is in two jobs", r.Sequence)
					}
					seen[r.Sequence] = true
				}
				if taking.batch != nil && taking.batch.assigned > 10 {
					rt.Fatalf("a batch of %d reports for a target of 10", taking.batch.assigned)
				}
			}
		}
		for i := 0; len(done) < total; i++ {
			if !take() && len(open) == 0 {
				rt.Fatalf("%d of %d reports were in jobs, and no more are taken", len(done), total)
			}
			if len(open) > 0 {
				end(false)
			}
			if i > 10_000 {
				rt.Fatal("no end")
			}
		}
		if len(s.taken) != 0 {
			rt.Fatalf("reports of %d tasks are still taken", len(s.taken))
		}
	})
}

// TestSchedulerIsFair: tasks take turns, however many reports each has.
func TestSchedulerIsFair(t *testing.T) {
	s := newScheduler(&LeaderConfig{MaxJobReports: 2, MaxJobBytes: 1 << 20, MaxJobsInFlight: 100})
	store := &waitingStore{waiting: make(map[dap.TaskID][]uint64)}
	tasks := []*preparedTask{taskFor(1, 1), taskFor(2, 1), taskFor(3, 1)}
	for i, n := range []int{100, 6, 20} {
		for k := range n {
			store.waiting[tasks[i].ID] = append(store.waiting[tasks[i].ID], uint64(k+1))
		}
		s.uploaded(tasks[i], n, n)
	}
	turns := make(map[dap.TaskID]int)
	for range 9 {
		src, _ := s.pick()
		if src == nil {
			t.Fatal("nothing is ready")
		}
		if _, err := s.take(context.Background(), store, src); err != nil {
			t.Fatal(err)
		}
		turns[src.key.task]++
	}
	for _, task := range tasks {
		if turns[task.ID] != 3 {
			t.Errorf("task %d had %d turns of 9", task.ID[0], turns[task.ID])
		}
	}
}

func TestSchedulerLingers(t *testing.T) { synctest.Test(t, testSchedulerLingers) }

// testSchedulerLingers runs where time stands still.
func testSchedulerLingers(t *testing.T) {
	s := newScheduler(&LeaderConfig{MaxJobReports: 10, MaxJobBytes: 100, MaxJobsInFlight: 2, Linger: time.Hour})
	task := taskFor(1, 1)
	s.uploaded(task, 9, 9)
	if src, wait := s.pick(); src != nil || wait != time.Hour {
		t.Errorf("a job that is not full: %v, wait %s", src != nil, wait)
	}
	s.uploaded(task, 1, 1)
	if src, _ := s.pick(); src == nil {
		t.Error("a full job waits")
	}
	s = newScheduler(&LeaderConfig{MaxJobReports: 10, MaxJobBytes: 100, MaxJobsInFlight: 2, Linger: time.Hour})
	s.uploaded(task, 1, 100)
	if src, _ := s.pick(); src == nil {
		t.Error("a job that is full by its bytes waits")
	}
	s.pause(s.order[0])
	if src, wait := s.pick(); src != nil || wait != time.Second {
		t.Errorf("after a failure: %v, wait %s", src != nil, wait)
	}
}
