package aggregator_test

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
	"github.com/twofold-dap/twofold/internal/testvdaf"
	"github.com/twofold-dap/twofold/store"
)

// refusing is a hook that answers every request of an operation with an error: before the
// Helper sees it, or in place of its answer.
func refusing(operation string, inPlace bool, err error) func(string, bool) error {
	return func(o string, answered bool) error {
		if o == operation && answered == inPlace {
			return err
		}
		return nil
	}
}

// TestRefusedJob: a job that the Helper refuses for good goes into quarantine by itself, and is held against nobody: the
// batch's other reports are collected. Mended, it is counted.
func TestRefusedJob(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		for operation, rounds := range map[string]int{"init": 1, "continue": 3} {
			t.Run(mode.String()+"/"+operation, func(t *testing.T) {
				w := newWorld(t, settings{vdaf: testConfig(rounds), mode: mode, keepQuiet: true})
				request := w.thisHour()
				if mode == dap.BatchModeLeaderSelected {
					request = w.query(nil, nil)
				}
				w.peer.setHook(refusing(operation, false, &dap.Error{Type: dap.ErrorTypeInvalidMessage}))
				refused, refusedSum := w.reports(3)
				w.uploadAll(refused...)
				w.eventually("the job is in quarantine", func() bool { return w.counts().Quarantined == 3 })
				job := w.jobs()[0]
				if job.State != aggregator.JobQuarantined || job.Quarantine.MayBeCounted || job.Quarantine.Reason == "" || job.Quarantine.At.IsZero() {
					t.Errorf("%+v", job)
				}
				if w.peer.count("delete") != 0 {
					t.Error("a job in quarantine was deleted at the Helper")
				}
				w.restartLeader()
				if active, err := w.leader.RetryJob(ctx, job.ID); err != nil || !active {
					t.Fatalf("%t, %v", active, err)
				}
				w.eventually("it is refused again", func() bool {
					j := w.jobs()
					return len(j) == 1 && j[0].Reactivations == 1 && j[0].State == aggregator.JobQuarantined
				})
				w.peer.setHook(nil)
				reports, sum := w.reports(3)
				w.uploadAll(reports...)
				if mode == dap.BatchModeTimeInterval {
					// Retried before the batch is collected, its reports are counted with it.
					_, err := w.leader.RetryJob(ctx, job.ID)
					w.ok(err)
					w.settled()
					w.wantResult(w.collect(request), 6, sum+refusedSum)
					return
				}
				w.wantResult(w.collect(request), 3, sum)
			})
		}
	}
}

// TestQuarantineIsNotCollected: the batch of a job in quarantine is collected without it, and then its reports
// can only be rejected.
func TestQuarantineIsNotCollected(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true})
	w.peer.setHook(refusing("init", false, &dap.Error{Type: dap.ErrorTypeInvalidMessage}))
	lost, _ := w.reports(2)
	w.uploadAll(lost...)
	w.eventually("the job is in quarantine", func() bool { return w.counts().Quarantined == 2 })
	w.peer.setHook(nil)
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.wantResult(w.collect(w.thisHour()), 3, sum)
	active, err := w.leader.RetryJob(ctx, w.jobs()[0].ID)
	if err != nil || active {
		t.Errorf("%t, %v", active, err)
	}
	if c := w.counts(); c.Quarantined != 0 || c.Rejected[dap.ReportErrorBatchCollected] != 2 || c.Collected != 3 {
		t.Errorf("%+v", c)
	}
}

// TestUncertainIsNeverGivenUp: what proves nothing is tried again, however often, and
// the job's reports are counted once in the end, though the Helper has worked on them all along.
func TestUncertainIsNeverGivenUp(t *testing.T) {
	for name, e := range map[string]error{
		"a server's error": &aggregator.PeerError{Status: 500}, "a bare 404": &aggregator.PeerError{Status: 404}, "unauthorized": &aggregator.PeerError{Status: 401},
		"the network": errNetwork, "an answer that cannot be used": errors.New("no Location"),
		"a new job is not known":       &dap.Error{Type: dap.ErrorTypeUnrecognizedAggregationJob},
		"a new job is at a later step": &dap.Error{Type: dap.ErrorTypeStepMismatch},
	} {
		for _, inPlace := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, settings{vdaf: testConfig(2), keepQuiet: true})
				w.peer.setHook(refusing("init", inPlace, e))
				reports, sum := w.reports(3)
				w.uploadAll(reports...)
				w.eventually("many attempts", func() bool { j := w.jobs(); return len(j) == 1 && j[0].Attempts >= 12 })
				if c := w.counts(); c.InJobs != 3 || c.Quarantined != 0 {
					t.Errorf("%+v", c)
				}
				w.peer.setHook(nil)
				w.wantResult(w.collect(w.thisHour()), 3, sum)
			})
		}
	}
}

// TestBareRefusalMayBeCounted: a status without a problem type that comes after an attempt of
// unknown outcome does not prove that the Helper has not counted the reports. The batch is collected
// with them nevertheless: what the Helper says of its count brings them back.
func TestBareRefusalMayBeCounted(t *testing.T) {
	for _, rounds := range []int{1, 2} {
		w := newWorld(t, settings{keepQuiet: true, vdaf: testConfig(rounds)})
		operation := map[int]string{1: "init", 2: "continue"}[rounds]
		var requests atomic.Int64
		w.peer.setHook(func(o string, answered bool) error {
			switch {
			case o != operation:
				return nil
			case answered:
				return errNetwork // the Helper has counted them
			case requests.Add(1) > 1:
				return &aggregator.PeerError{Status: 413}
			}
			return nil
		})
		lost, lostSum := w.reports(2)
		w.uploadAll(lost...)
		w.eventually("the job is in quarantine", func() bool { return w.counts().Quarantined == 2 })
		if job := w.jobs()[0]; !job.Quarantine.MayBeCounted {
			t.Errorf("%+v", job.Quarantine)
		}
		w.peer.setHook(nil)
		reports, sum := w.reports(3)
		w.uploadAll(reports...)
		w.settled()
		w.wantResult(w.collect(w.thisHour()), 5, sum+lostSum)
		if n := w.helperCount(); n != 5 {
			t.Errorf("the Helper has counted %d", n)
		}
	}
}

// TestMismatchFails: where the jobs in quarantine are not what the Helper has counted more, the
// collection fails after they were tried once.
func TestMismatchFails(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true})
	w.peer.setHook(refusing("init", false, &dap.Error{Type: dap.ErrorTypeInvalidMessage}))
	lost, _ := w.reports(2)
	w.uploadAll(lost...)
	w.eventually("the job is in quarantine", func() bool { return w.counts().Quarantined == 2 })
	w.peer.setHook(nil)
	reports, _ := w.reports(3)
	w.uploadAll(reports...)
	w.settled()
	w.peer.setHook(func(o string, _ bool) error {
		switch o {
		case "share":
			return &dap.Error{Type: dap.ErrorTypeBatchMismatch}
		case "init":
			return &dap.Error{Type: dap.ErrorTypeInvalidMessage}
		}
		return nil
	})
	if e := w.collectError(w.thisHour()); e.Type != dap.ErrorTypeBatchMismatch {
		t.Errorf("%s", e)
	}
	if job := w.jobs()[0]; job.Reactivations != 1 || job.State != aggregator.JobQuarantined {
		t.Errorf("%+v", job)
	}
}

// TestHelperRestored puts a Helper's database back to an older copy while a job of several rounds is in
// flight: before the job, and at an earlier step of it. The job begins anew, and is counted once on both sides.
func TestHelperRestored(t *testing.T) {
	for name, copyAt := range map[string]string{"before the job": "init", "at an earlier step": "continue"} {
		for _, async := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, settings{vdaf: testConfig(4), async: async, keepQuiet: true})
				// The network is down from the request that the older copy is to know nothing of. Then one
				// request is answered, which is forgotten with its commit; and in the end all are.
				var phase, answers, lost atomic.Int64
				w.peer.setHook(func(o string, answered bool) error {
					switch {
					case o != "init" && o != "continue":
					case phase.Load() == 1 && answered:
						answers.Add(1)
					case answered:
					case phase.Load() == 0 && o == copyAt, phase.Load() == 1 && answers.Load() > 0:
						lost.Add(1)
						return errNetwork
					}
					return nil
				})
				step := map[string]uint16{"init": 1, "continue": 2}[copyAt] // after the request that is answered
				reports, sum := w.reports(5)
				w.uploadAll(reports...)
				w.eventually("the Leader asks", func() bool { return lost.Load() > 0 })
				w.stopHelper()
				file := filepath.Join(w.dir, "helper.db")
				older, err := os.ReadFile(file)
				w.ok(err)
				w.startHelper()
				before := lost.Load()
				phase.Store(1)
				w.eventually("the job is a step further", func() bool { j := w.jobs(); return len(j) == 1 && j[0].Step == step && lost.Load() > before })
				w.stopHelper()
				w.ok(os.WriteFile(file, older, 0o600))
				w.startHelper()
				phase.Store(2)
				w.wantResult(w.collect(w.thisHour()), 5, sum)
				if n := w.helperCount(); n != 5 {
					t.Errorf("the Helper has counted %d", n)
				}
			})
		}
	}
}

// TestOperatorQuarantine: an operator quarantines a job that is tried over and over, and brings it back.
func TestOperatorQuarantine(t *testing.T) {
	for _, running := range []bool{true, false} {
		w := newWorld(t, settings{keepQuiet: true})
		w.peer.setHook(refusing("init", true, errNetwork)) // counted by the Helper, and never confirmed
		stuck, stuckSum := w.reports(2)
		w.uploadAll(stuck...)
		w.eventually("some attempts", func() bool { j := w.jobs(); return len(j) == 1 && j[0].Attempts > 2 })
		id := w.jobs()[0].ID
		if !running {
			w.stopRunning()
		}
		job, err := w.leader.QuarantineJob(ctx, id, "by hand")
		w.ok(err)
		if job.State != aggregator.JobQuarantined || !job.Quarantine.MayBeCounted || job.Quarantine.Reason != "by hand" {
			t.Errorf("%+v", job)
		}
		sent := w.peer.count("init")
		if !running {
			w.restartLeader()
		}
		w.peer.setHook(nil)
		reports, sum := w.reports(3)
		w.uploadAll(reports...)
		w.settled()
		if n := w.peer.count("init"); n != sent+1 {
			t.Errorf("%d requests", n-sent)
		}
		if _, err := w.leader.QuarantineJob(ctx, dap.AggregationJobID{1}, "none"); !errors.Is(err, aggregator.ErrNotFound) {
			t.Error(err)
		}
		if _, err := w.leader.RetryJob(ctx, id); err != nil {
			t.Error(err)
		}
		w.wantResult(w.collect(w.thisHour()), 5, sum+stuckSum)
	}
}

// TestQuarantineAfterTheEnd: of a task that has ended everything goes, but a job in quarantine not before its leader-selected
// batch. While that waits for another job it may be collected yet, and then with what the Helper has counted of both.
func TestQuarantineAfterTheEnd(t *testing.T) {
	w := newWorld(t, settings{mode: dap.BatchModeLeaderSelected, keepQuiet: true})
	w.peer.setHook(refusing("init", true, errNetwork)) // counted by the Helper, and never confirmed
	stuck, stuckSum := w.reports(2)
	w.uploadAll(stuck...)
	w.eventually("an attempt", func() bool { j := w.jobs(); return len(j) == 1 && j[0].Attempts > 0 })
	quarantined, err := w.leader.QuarantineJob(ctx, w.jobs()[0].ID, "by hand")
	w.ok(err)
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.eventually("another job of the batch", func() bool { j := w.jobs(); return len(j) == 2 && j[1].BatchID == quarantined.BatchID })

	w.sweepEnded()
	if c := w.counts(); c.Quarantined != 2 || c.InJobs != 3 {
		t.Errorf("after the end: %+v", c)
	}
	w.peer.setHook(nil)
	w.settled()
	w.wantResult(w.collect(w.query(nil, nil)), 5, sum+stuckSum)
	w.sweepEnded()
	if n := w.helperCount(); n != 5 || len(w.jobs()) != 0 {
		t.Errorf("the Helper has counted %d, and there are the jobs %v", n, w.jobs())
	}
}

// sweepEnded has the Leader forget what it need not keep of a task that has ended.
func (w *world) sweepEnded() {
	w.Helper()
	_, err := w.leaderStore.RaiseFloor(ctx, w.id, w.now()+1)
	w.ok(err)
	_, err = w.leaderStore.Sweep(ctx, w.id, aggregator.SweepLimits{Ended: true})
	w.ok(err)
}

// TestRetryNow: a job that waits for its next attempt is tried at once.
func TestRetryNow(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true, leader: func(c *aggregator.LeaderConfig) { c.SlowBackoff = time.Hour }})
	w.peer.setHook(refusing("init", false, &aggregator.PeerError{Status: 404}))
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.eventually("an attempt", func() bool { j := w.jobs(); return len(j) == 1 && j[0].Attempts == 1 })
	w.peer.setHook(nil)
	job, buckets, err := w.leader.AggregationJob(ctx, w.jobs()[0].ID)
	if err != nil || len(buckets) != 1 || buckets[0] != (aggregator.JobBucket{ID: aggregator.BucketID{Time: w.now()}, Reports: 3}) {
		t.Errorf("%+v, %v", buckets, err)
	}
	if !job.NextAttempt.After(w.clock.Now()) {
		t.Errorf("the next attempt is at %s", job.NextAttempt)
	}
	_, err = w.leader.RetryJob(ctx, job.ID)
	w.ok(err)
	w.wantResult(w.collect(w.thisHour()), 3, sum)
}

// TestRetryWhileStarting: a job that an operator brings back just after a Leader that starts has read its jobs is driven.
func TestRetryWhileStarting(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true})
	w.peer.setHook(refusing("init", false, &dap.Error{Type: dap.ErrorTypeInvalidMessage}))
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.eventually("the job is in quarantine", func() bool { return w.counts().Quarantined == 3 })
	id := w.jobs()[0].ID
	w.peer.setHook(nil)
	w.stopLeader()
	retry := sync.OnceFunc(func() {
		if active, err := w.leader.RetryJob(ctx, id); err != nil || !active {
			t.Errorf("%t, %v", active, err)
		}
	})
	w.settings.leader = func(c *aggregator.LeaderConfig) { c.Store = retryingStore{c.Store, retry} }
	w.startLeader()
	w.eventually("the job is counted", func() bool { return w.counts().Aggregated == 3 })
	w.wantResult(w.collect(w.thisHour()), 3, sum)
}

// retryingStore has a job retried just after it has said which jobs there are.
type retryingStore struct {
	aggregator.LeaderStore
	retry func()
}

func (s retryingStore) AggregationJobs(ctx context.Context) ([]aggregator.AggregationJob, error) {
	jobs, err := s.LeaderStore.AggregationJobs(ctx)
	s.retry()
	return jobs, err
}

// TestStuckJobsLeaveRoom: jobs whose answers cannot be understood do not keep the task's
// other reports from being aggregated.
func TestStuckJobsLeaveRoom(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true, leader: func(c *aggregator.LeaderConfig) { c.MaxJobsInFlight, c.MaxJobReports = 1, 2 }})
	w.peer.setMangle(func(o string, reply *aggregator.PeerReply) {
		if o == "init" {
			reply.Body = []byte{1}
		}
	})
	stuck, stuckSum := w.reports(2)
	w.uploadAll(stuck...)
	w.eventually("some attempts", func() bool { j := w.jobs(); return len(j) == 1 && j[0].Attempts > 2 })
	stuckJob := w.jobs()[0].ID
	reports, sum := w.reports(2)
	w.uploadAll(reports...)
	w.eventually("another job", func() bool { return len(w.jobs()) == 2 })
	w.peer.setMangle(nil)
	w.eventually("both are counted", func() bool { return w.counts().Aggregated == 4 })
	if _, err := w.leader.RetryJob(ctx, stuckJob); !errors.Is(err, aggregator.ErrNotFound) {
		t.Errorf("a finished job: %v", err)
	}
	w.wantResult(w.collect(w.thisHour()), 4, sum+stuckSum)
}

// TestUploadsWhileStarting: reports that are uploaded while a Leader finds out what waits are not forgotten.
func TestUploadsWhileStarting(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true, minBatch: 6, mode: dap.BatchModeLeaderSelected})
	w.stopLeader()
	first, sum1 := w.reports(3)
	second, sum2 := w.reports(3)
	w.settings.leader = func(c *aggregator.LeaderConfig) {
		c.Store = uploadingStore{c.Store, func() { w.uploadAll(second...) }}
	}
	w.openLeader()
	w.uploadAll(first...)
	w.runLeader()
	w.settled()
	w.wantResult(w.collect(w.query(nil, nil)), 6, sum1+sum2)
}

// uploadingStore has reports uploaded just after it has said how many wait.
type uploadingStore struct {
	aggregator.LeaderStore
	upload func()
}

func (s uploadingStore) WaitingTasks(ctx context.Context) (map[dap.TaskID]uint64, error) {
	waiting, err := s.LeaderStore.WaitingTasks(ctx)
	s.upload()
	return waiting, err
}

// TestReadFailureWhileReconciling: a job that is stored though storing it failed is found, even if the store
// cannot be read at first.
func TestReadFailureWhileReconciling(t *testing.T) {
	var failing atomic.Int64
	w := newWorld(t, settings{keepQuiet: true, leader: func(c *aggregator.LeaderConfig) { c.Store = conflictingStore{c.Store, &failing} }})
	failing.Store(3)
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.settled()
	w.wantResult(w.collect(w.thisHour()), 3, sum)
}

// conflictingStore stores a job and says that it did not, and then cannot be read for a while.
type conflictingStore struct {
	aggregator.LeaderStore
	failing *atomic.Int64
}

func (s conflictingStore) CreateAggregationJob(ctx context.Context, job aggregator.AggregationJob, rejected []aggregator.Rejection) error {
	err := s.LeaderStore.CreateAggregationJob(ctx, job, rejected)
	if s.failing.Load() > 0 && err == nil {
		return aggregator.ErrConflict
	}
	return err
}

func (s conflictingStore) AggregationJobs(ctx context.Context) ([]aggregator.AggregationJob, error) {
	if s.failing.Load() > 0 {
		s.failing.Add(-1)
		return nil, aggregator.ErrUnavailable
	}
	return s.LeaderStore.AggregationJobs(ctx)
}

// TestRejectionsAlonePersisted: rejections that were stored though storing them failed are done.
func TestRejectionsAlonePersisted(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		w := newWorld(t, settings{keepQuiet: true, mode: mode})
		w.stopRunning()
		w.uploadAll(w.report(testvdaf.Failing(1, testvdaf.Failure{Step: testvdaf.FailInit, Who: testvdaf.Leader})))
		var once atomic.Bool
		w.leaderHook.set(func(at store.CommitStage) error {
			if at == store.AfterCommit && once.CompareAndSwap(false, true) {
				return errors.New("the disk hesitates")
			}
			return nil
		})
		w.runLeader()
		if c := w.settled(); c.Rejected[dap.ReportErrorVdafVerifyError] != 1 {
			t.Errorf("%+v", c)
		}
		w.leaderHook.set(nil)
		reports, sum := w.reports(3)
		w.uploadAll(reports...)
		request := w.thisHour()
		if mode == dap.BatchModeLeaderSelected {
			request = w.query(nil, nil)
		}
		w.wantResult(w.collect(request), 3, sum)
	}
}
