package aggregator_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// TestFirstRequestAfterDelete sends a job's first request once more after the job was finished and deleted: a
// report that came too early then would pass now, but the Leader has rejected it.
func TestFirstRequestAfterDelete(t *testing.T) {
	for _, async := range []bool{false, true} {
		w := newWorld(t, settings{async: async, keepQuiet: true})
		l := w.byHand()
		early := w.report(7, func(d *draft) { d.metadata.Time += 2 })
		req := l.init(nil, w.report(1), early)
		first := l.create(req)
		if got := l.outcomes(first.Body); got[0] != 0 || got[1] != dap.ReportErrorReportTooEarly {
			t.Fatalf("report errors %v", got)
		}
		w.ok(w.helper.DeleteAggregationJob(ctx, w.id, first.ID))
		w.clock.advance(3 * time.Hour)
		again, err := w.helper.CreateAggregationJob(ctx, w.id, l.encode(req))
		w.ok(err)
		for _, e := range l.outcomes(again.Body) {
			if e != dap.ReportErrorReportReplayed {
				t.Errorf("report error %s", e)
			}
		}
		w.restartHelper()
		if n := w.helperCount(); n != 1 {
			t.Errorf("%d reports are counted", n)
		}
	}
}

// TestDeleteBeforeComputed: a step that an asynchronous Helper has not computed when its job is
// deleted is never computed.
func TestDeleteBeforeComputed(t *testing.T) {
	w := newWorld(t, settings{async: true, keepQuiet: true})
	w.stopHelping() // nothing is computed
	l := w.byHand()
	status, err := w.helper.CreateAggregationJob(ctx, w.id, l.encode(l.init(nil, w.report(1), w.report(2))))
	w.ok(err)
	w.ok(w.helper.DeleteAggregationJob(ctx, w.id, status.ID))
	w.restartHelper()
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.wantResult(w.collect(w.thisHour()), 3, sum)
	if n := w.helperCount(); n != 3 {
		t.Errorf("%d reports are counted", n)
	}
}

// TestHelperQuarantine: a job in quarantine is refused, so that the Leader's goes there, too; both count
// nothing of it until both operators have released it.
func TestHelperQuarantine(t *testing.T) {
	for _, async := range []bool{false, true} {
		w := newWorld(t, settings{vdaf: testConfig(4), async: async, keepQuiet: true})
		w.peer.setHook(refusing("continue", false, errNetwork))
		reports, sum := w.reports(3)
		w.uploadAll(reports...)
		w.eventually("the job is between two steps", func() bool { j := w.jobs(); return len(j) == 1 && j[0].Step == 1 })
		jobs, err := w.helper.Jobs(ctx, w.id, false)
		if err != nil || len(jobs) != 1 || len(jobs[0].Reports) != 3 || jobs[0].Counted != 0 {
			t.Fatalf("%+v, %v", jobs, err)
		}
		id := jobs[0].ID
		job, err := w.helper.QuarantineJob(ctx, id, "by hand")
		if err != nil || !job.Quarantined() || job.Quarantine.Reason != "by hand" {
			t.Fatalf("%+v, %v", job, err)
		}
		w.peer.setHook(nil)
		w.eventually("the Leader's job is in quarantine", func() bool { return w.counts().Quarantined == 3 })
		if w.jobs()[0].Quarantine.MayBeCounted {
			t.Error("the Helper has said that it has counted nothing")
		}
		w.restartHelper()
		w.ok(w.helper.RetryJob(ctx, id))
		_, err = w.leader.RetryJob(ctx, w.jobs()[0].ID)
		w.ok(err)
		w.settled()
		if job, err := w.helper.QuarantineJob(ctx, id, "too late"); err == nil || errors.Is(err, aggregator.ErrConflict) && job.Counted != 3 {
			t.Errorf("a committed job: %+v, %v", job, err)
		}
		w.wantResult(w.collect(w.thisHour()), 3, sum)
	}
}

// TestLateRequestAfterRelease: a request that the Helper has refused, because its job was in quarantine, comes once more when
// the Helper's operator has released the job. What the Helper counts then, the Leader, whose job is in
// quarantine, counts with the collection.
func TestLateRequestAfterRelease(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		for _, c := range []struct{ rounds, async int }{{1, 1}, {2, 0}, {4, 0}, {4, 1}} {
			t.Run(fmt.Sprintf("%s/%d rounds/%d", mode, c.rounds, c.async), func(t *testing.T) {
				t.Parallel()
				testLateRequest(t, mode, c.rounds, c.async == 1)
			})
		}
	}
}

func testLateRequest(t *testing.T, mode dap.BatchMode, rounds int, async bool) {
	recorder := &recordingPeer{}
	w := newWorld(t, settings{vdaf: testConfig(rounds), mode: mode, async: async, keepQuiet: true,
		leader: func(c *aggregator.LeaderConfig) { recorder.Peer, c.Peer = c.Peer, recorder },
		helper: func(c *aggregator.HelperConfig) {
			if rounds == 1 { // there is but the first step, which is to be pending
				c.Store = failingCommits{c.Store.(*store.Helper)}
			}
		},
	})
	if rounds > 1 {
		w.peer.setHook(refusing("continue", false, errNetwork))
	}
	early, earlySum := w.reports(3)
	w.uploadAll(early...)
	var id dap.AggregationJobID
	w.eventually("the Helper has the job", func() bool {
		jobs, err := w.helper.Jobs(ctx, w.id, false)
		w.ok(err)
		if len(jobs) == 1 {
			id = jobs[0].ID
		}
		return len(jobs) == 1 && len(w.jobs()) == 1 && (rounds == 1 || w.jobs()[0].Step == 1)
	})
	_, err := w.helper.QuarantineJob(ctx, id, "by hand")
	w.ok(err)
	w.peer.setHook(nil)
	w.eventually("the Leader's job is in quarantine", func() bool { return w.counts().Quarantined == 3 })
	w.settings.helper = nil
	w.restartHelper()
	w.ok(w.helper.RetryJob(ctx, id))
	w.ok(recorder.again(w.helper, id))
	counted := uint64(3)
	if rounds > 2 {
		counted = 0 // it takes more requests
	}
	w.eventually("the late request is executed", func() bool {
		job, err := w.helper.AggregationJob(ctx, id)
		return err == nil && !job.Pending && job.Step == uint16(min(rounds-1, 1)) && job.Counted == counted
	})
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.settled()
	request := w.query(nil, nil)
	if mode == dap.BatchModeTimeInterval {
		request = w.thisHour()
	}
	if counted == 0 {
		w.wantResult(w.collect(request), 3, sum)
		return
	}
	w.wantResult(w.collect(request), 6, sum+earlySum)
	if c := w.counts(); c.Quarantined != 0 || c.Aggregated != 6 || w.helperCount() != 6 {
		t.Errorf("%+v, the Helper has counted %d", c, w.helperCount())
	}
}

// recordingPeer keeps the newest request of an aggregation job.
type recordingPeer struct {
	aggregator.Peer
	mu                 sync.Mutex
	task               dap.TaskID
	created, continued []byte
}

func (p *recordingPeer) CreateAggregationJob(ctx context.Context, task *aggregator.Task, req []byte) (aggregator.PeerReply, error) {
	p.mu.Lock()
	p.task, p.created = task.ID, req
	p.mu.Unlock()
	return p.Peer.CreateAggregationJob(ctx, task, req)
}

func (p *recordingPeer) ContinueAggregationJob(ctx context.Context, task *aggregator.Task, location string, req []byte) (aggregator.PeerReply, error) {
	p.mu.Lock()
	p.continued = req
	p.mu.Unlock()
	return p.Peer.ContinueAggregationJob(ctx, task, location, req)
}

// again delivers the newest request once more.
func (p *recordingPeer) again(h *aggregator.Helper, id dap.AggregationJobID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.continued == nil {
		_, err := h.CreateAggregationJob(ctx, p.task, p.created)
		return err
	}
	_, err := h.ContinueAggregationJob(ctx, p.task, id, p.continued)
	return err
}

// TestHelperAttempts: a pending step that cannot be computed shows, with its problem.
func TestHelperAttempts(t *testing.T) {
	w := newWorld(t, settings{async: true, keepQuiet: true, helper: func(c *aggregator.HelperConfig) { c.Store = failingCommits{c.Store.(*store.Helper)} }})
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.eventually("some attempts", func() bool {
		jobs, err := w.helper.Jobs(ctx, w.id, false)
		w.ok(err)
		return len(jobs) == 1 && jobs[0].Pending && jobs[0].Attempts > 1 && jobs[0].LastError != ""
	})
	w.settings.helper = nil
	w.restartHelper()
	w.wantResult(w.collect(w.thisHour()), 3, sum)
}

// failingCommits is a store that commits no step.
type failingCommits struct{ *store.Helper }

func (failingCommits) CommitHelperStep(context.Context, aggregator.HelperStep, aggregator.Aggregator) (aggregator.HelperJob, error) {
	return aggregator.HelperJob{}, errors.New("no step is committed")
}
