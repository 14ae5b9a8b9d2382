package aggregator_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/testvdaf"
)

// TestFailedBatchComesLast: a leader-selected batch whose collection the Helper refuses for ever stands in nobody's way: the
// batches after it are collected, and it is tried again after a while.
func TestFailedBatchComesLast(t *testing.T) {
	for name, config := range map[string]testvdaf.Config{"eager": {Rounds: 1}, "with a parameter": {Rounds: 1, AggParam: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{vdaf: config, mode: dap.BatchModeLeaderSelected, keepQuiet: true})
			request, factor := w.query(nil, nil), uint64(1)
			if config.AggParam {
				request, factor = w.query(nil, aggParam(7)), 7
			}
			fail := func(want dap.ErrorType) {
				t.Helper()
				w.peer.setHook(refusing("share", false, &dap.Error{Type: want}))
				id := w.ask(request)
				w.eventually("the collection fails", func() bool {
					_, err := w.leader.PollCollectionJob(ctx, w.id, id)
					if err != nil {
						w.wantError("the collection", err, want)
					}
					return err != nil
				})
				w.peer.setHook(nil)
				w.ok(w.leader.DeleteCollectionJob(ctx, w.id, id))
			}
			collect := func(id dap.CollectionJobID, sum uint64) {
				t.Helper()
				w.wantResult(w.await(request, id), 3, factor*sum)
				w.ok(w.leader.DeleteCollectionJob(ctx, w.id, id))
			}
			old, oldSum := w.reports(3)
			w.uploadAll(old...)
			fail(dap.ErrorTypeBatchMismatch)
			open := w.openBatches()
			if len(open) != 1 || open[0].Failures != 1 || open[0].LastFailure == "" || !open[0].FailedAt.Equal(w.clock.Now()) {
				t.Fatalf("%+v", open)
			}
			w.restartLeader() // it is not forgotten
			for range 2 {
				reports, sum := w.reports(3)
				w.uploadAll(reports...)
				collect(w.ask(request), sum)
			}
			// It rests for a minute, then for two.
			w.clock.advance(time.Minute)
			fail(dap.ErrorTypeBatchOverlap)
			w.clock.advance(time.Minute)
			id := w.ask(request)
			reports, sum := w.reports(3)
			w.uploadAll(reports...)
			collect(id, sum)
			w.clock.advance(time.Minute)
			collect(w.ask(request), oldSum)
			if open := w.openBatches(); len(open) != 0 {
				t.Errorf("%+v", open)
			}
		})
	}
}

// TestFullBatchComesFirst: a collection gets a batch that is full rather than an older one that may never be.
func TestFullBatchComesFirst(t *testing.T) {
	w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: 1, AggParam: true}, mode: dap.BatchModeLeaderSelected, keepQuiet: true})
	request := w.query(nil, aggParam(7))
	w.peer.setHook(refusing("init", false, errNetwork))
	short, shortSum := w.reports(2)
	w.uploadAll(append(short, w.report(testvdaf.Failing(1, testvdaf.Failure{Step: testvdaf.FailInit, Who: testvdaf.Helper})))...)
	id := w.ask(request)
	w.eventually("the first batch's job", func() bool { return len(w.jobs()) == 1 })
	w.ok(w.leader.DeleteCollectionJob(ctx, w.id, id))
	full, fullSum := w.reports(3)
	w.uploadAll(full...)
	id = w.ask(request)
	w.eventually("the second batch's job", func() bool { return len(w.jobs()) == 2 })
	w.peer.setHook(refusing("share", false, errNetwork))
	w.settled()
	w.ok(w.leader.DeleteCollectionJob(ctx, w.id, id))
	w.peer.setHook(nil)
	if open := w.openBatches(); len(open) != 2 || open[0].Count != 2 || open[1].Count != 3 {
		t.Fatalf("%+v", open)
	}
	id = w.ask(request)
	w.wantResult(w.await(request, id), 3, 7*fullSum)
	w.ok(w.leader.DeleteCollectionJob(ctx, w.id, id))
	more, sum := w.reports(1)
	w.uploadAll(more...)
	w.wantResult(w.collect(request), 3, 7*(shortSum+sum))
}

// TestReactivatedJobFillsItsBatch: a job that was in quarantine and is tried again counts in its batch with what it adds, and
// only with that. A batch that was filled up in its place takes no report more, also if those of the job are rejected.
func TestReactivatedJobFillsItsBatch(t *testing.T) {
	rejected := testvdaf.Failing(1, testvdaf.Failure{Step: testvdaf.FailInit, Who: testvdaf.Helper})
	for name, c := range map[string]struct {
		measurement    uint64   // of the report whose job is in quarantine
		instead, after int      // how many reports come before it is tried again, and after that
		want           []uint64 // how many reports the batches have then
	}{
		"a full batch, and it is rejected":                 {rejected, 3, 3, []uint64{3, 3}},
		"a full batch, and it is counted":                  {1, 3, 3, []uint64{4, 3}},
		"a batch that is being filled, and it is rejected": {rejected, 1, 5, []uint64{3, 3}},
		"a batch that is being filled, and it is counted":  {1, 1, 4, []uint64{3, 3}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, settings{mode: dap.BatchModeLeaderSelected, keepQuiet: true})
				w.peer.setHook(refusing("init", false, &dap.Error{Type: dap.ErrorTypeInvalidMessage}))
				w.uploadAll(w.report(c.measurement))
				w.eventually("the job is in quarantine", func() bool { return w.counts().Quarantined == 1 })
				w.peer.setHook(nil)
				job := w.jobs()[0].ID
				instead, _ := w.reports(c.instead)
				w.uploadAll(instead...)
				w.settled()
				if restart {
					w.restartLeader()
				}
				active, err := w.leader.RetryJob(ctx, job)
				if err != nil || !active {
					t.Fatalf("%t, %v", active, err)
				}
				w.eventually("the job is over", func() bool { return len(w.jobs()) == 0 })
				after, _ := w.reports(c.after)
				w.uploadAll(after...)
				w.settled()
				var got []uint64
				for _, b := range w.openBatches() {
					got = append(got, b.Count)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("the batches have %d reports, want %d", got, c.want)
				}
			})
		}
	}
}

// ask creates a collection job.
func (w *world) ask(request []byte) dap.CollectionJobID {
	w.Helper()
	status, err := w.leader.CreateCollectionJob(ctx, w.id, request)
	w.ok(err)
	return status.ID
}

// openBatches returns the Leader's open batches.
func (w *world) openBatches() []aggregator.OpenBatch {
	w.Helper()
	open, err := w.leader.OpenBatches(ctx, w.id)
	w.ok(err)
	return open
}

// TestAssignedAfterAll: a batch that was assigned to a collection job though storing that seemed to fail is the one that
// the job goes on with, also where there are others that it could have.
func TestAssignedAfterAll(t *testing.T) {
	var failing atomic.Bool
	w := newWorld(t, settings{mode: dap.BatchModeLeaderSelected, keepQuiet: true, leader: func(c *aggregator.LeaderConfig) {
		c.Store = assigningStore{c.Store, &failing}
	}})
	sums := make([]uint64, 2)
	for i := range sums {
		reports, sum := w.reports(3)
		w.uploadAll(reports...)
		w.settled()
		sums[i] = sum
	}
	request := w.query(nil, nil)
	for _, sum := range sums {
		failing.Store(true)
		id := w.ask(request)
		w.wantResult(w.await(request, id), 3, sum)
		w.ok(w.leader.DeleteCollectionJob(ctx, w.id, id))
	}
}

// assigningStore assigns a batch and says that it did not, once.
type assigningStore struct {
	aggregator.LeaderStore
	failing *atomic.Bool
}

func (s assigningStore) AssignBatch(ctx context.Context, task dap.TaskID, id dap.CollectionJobID, batch dap.BatchID) error {
	err := s.LeaderStore.AssignBatch(ctx, task, id, batch)
	if err == nil && s.failing.CompareAndSwap(true, false) {
		return aggregator.ErrUnavailable
	}
	return err
}
