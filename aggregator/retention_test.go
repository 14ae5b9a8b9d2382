package aggregator_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/testvdaf"
)

const month = 30 * 24 * time.Hour

// retained are the settings of a world in which reports are kept for a month, and answers too.
func retained(mode dap.BatchMode) settings {
	retention := aggregator.Retention{Reports: month, Answers: month, Interval: 2 * time.Millisecond}
	return settings{
		mode: mode, keepQuiet: true,
		leader: func(c *aggregator.LeaderConfig) { c.Retention = retention },
		helper: func(c *aggregator.HelperConfig) { c.Retention = retention },
	}
}

// later lets time pass, some hours at a time, until f holds.
func (w *world) later(what string, f func() bool) {
	w.Helper()
	w.eventually(what, func() bool {
		w.clock.advance(6 * time.Hour)
		return f()
	})
}

func (w *world) helperCounts() aggregator.HelperCounts {
	w.Helper()
	c, err := w.helper.Counts(ctx, w.id)
	w.ok(err)
	return c
}

// TestRetention: what was collected goes, and what was not too, but never silently; a report from
// before is refused, and what comes afterwards is counted exactly.
func TestRetention(t *testing.T) {
	w := newWorld(t, retained(dap.BatchModeTimeInterval))
	first := w.now()
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	collected, err := w.leader.CreateCollectionJob(ctx, w.id, w.thisHour())
	w.ok(err)
	w.wantResult(w.await(w.thisHour(), collected.ID), 3, sum)
	w.clock.advance(time.Hour)
	few, _ := w.reports(2)
	w.uploadAll(few...)
	waits, err := w.leader.CreateCollectionJob(ctx, w.id, w.thisHour())
	w.ok(err)
	w.clock.advance(24 * time.Hour)
	newest := w.now()
	last, sum := w.reports(3)
	w.uploadAll(last...)
	w.settled()

	w.later("the Leader lets go what nobody has collected", func() bool { return w.counts().Expired == 2 })
	w.later("the Helper does", func() bool { return w.helperCounts().Expired == 2 })
	w.later("so does the job that waited for more of it end", func() bool {
		_, err := w.leader.PollCollectionJob(ctx, w.id, waits.ID)
		return err != nil
	})
	_, err = w.leader.PollCollectionJob(ctx, w.id, waits.ID)
	w.wantError("a batch below the floor", err, dap.ErrorTypeBatchOverlap)
	w.later("the answer that nobody deletes goes", func() bool {
		_, err := w.leader.PollCollectionJob(ctx, w.id, collected.ID)
		return errors.Is(err, aggregator.ErrNotFound)
	})
	_, err = w.leader.CreateCollectionJob(ctx, w.id, w.query(&dap.Interval{Start: first, Duration: 1}, nil))
	w.wantError("a collected batch that is forgotten", err, dap.ErrorTypeBatchOverlap)
	w.wantRefused([]dap.Report{reports[0], w.report(1, at(first)), w.report(1, at(newest-1))},
		dap.ReportErrorReportDropped, dap.ReportErrorReportDropped, dap.ReportErrorReportDropped)
	l := w.byHand()
	status, err := w.helper.CreateAggregationJob(ctx, w.id, l.encode(l.init(nil, few[0], w.report(1, at(first)))))
	w.ok(err)
	w.eventually("the Helper deletes that job, since all its reports are below the floor", func() bool {
		_, err := w.helper.AggregationJob(ctx, status.ID)
		return errors.Is(err, aggregator.ErrNotFound)
	})
	outcomes := l.outcomes(l.ready(status).Body)
	if outcomes[0] == 0 || outcomes[1] != dap.ReportErrorReportDropped {
		t.Errorf("the Helper's responses are %v", outcomes)
	}

	// What is at the floor and above it is still there, and known.
	w.wantRefused(last[:1], dap.ReportErrorReportReplayed)
	w.wantResult(w.collect(w.query(&dap.Interval{Start: newest, Duration: 1}, nil)), 3, sum)
	more, sum := w.reports(4)
	w.uploadAll(more...)
	w.wantResult(w.collect(w.thisHour()), 4, sum)
	counts := w.counts()
	if counts.Aggregated != 12 || counts.Collected != 10 || counts.Expired != 2 {
		t.Errorf("the counts are %+v", counts)
	}
}

// TestRetentionOfPendingReports: reports that were never aggregated end as dropped, those that wait
// and those in a job that the Helper does not answer.
func TestRetentionOfPendingReports(t *testing.T) {
	for _, waiting := range []bool{true, false} {
		s := retained(dap.BatchModeTimeInterval)
		var parameter []byte
		factor := uint64(1)
		if waiting {
			s.vdaf, parameter, factor = testvdaf.Config{Rounds: 1, AggParam: true}, aggParam(5), 5
		}
		w := newWorld(t, s)
		w.peer.setHook(func(string, bool) error { return errNetwork })
		old, _ := w.reports(3)
		w.uploadAll(old...)
		w.clock.advance(2 * time.Hour)
		newest := w.now()
		last, sum := w.reports(3)
		w.uploadAll(last...)
		w.eventually("the reports are where they are to be", func() bool {
			c := w.counts()
			return waiting && c.Waiting == 6 || c.InJobs == 6
		})
		w.later("the floor rises", func() bool {
			floor, err := w.leaderStore.Floor(ctx, w.id)
			w.ok(err)
			return floor == newest
		})
		w.peer.setHook(nil)
		w.restartLeader()
		w.eventually("the old reports are dropped", func() bool { return w.counts().Rejected[dap.ReportErrorReportDropped] == 3 })
		w.wantResult(w.collect(w.query(&dap.Interval{Start: newest, Duration: 1}, parameter)), 3, factor*sum)
		if c := w.counts(); c.Aggregated != 3 || c.Expired != 0 {
			t.Errorf("the counts are %+v", c)
		}
	}
}

// TestDroppedAtOnce: of a job of several rounds, the Helper drops the reports below its floor at the first step. Nothing of
// them is being verified after it, so that a continuation of the job that the Helper had before it was restored finds nothing.
func TestDroppedAtOnce(t *testing.T) {
	for _, async := range []bool{false, true} {
		w := newWorld(t, settings{vdaf: testConfig(4), async: async})
		l := w.byHand()
		old, recent := w.report(1), w.report(2, at(w.now()+1))
		alone := l.init(nil, old)
		before := l.create(alone)
		l.answered(before.Body)
		late := l.next(1)
		w.ok(w.helper.DeleteAggregationJob(ctx, w.id, before.ID)) // it is lost
		w.clock.advance(time.Hour)
		_, err := w.helperStore.RaiseFloor(ctx, w.id, w.now())
		w.ok(err)

		anew := l.create(alone)
		if got := l.outcomes(anew.Body); anew.ID != before.ID || got[0] != dap.ReportErrorReportDropped {
			t.Errorf("job %s is made anew as %s, and answered with %v", before.ID, anew.ID, got)
		}
		_, err = w.helper.ContinueAggregationJob(ctx, w.id, before.ID, l.encode(late))
		w.wantError("a continuation of the job that was lost", err, dap.ErrorTypeInvalidMessage)
		if again := l.create(alone); !bytes.Equal(again.Body, anew.Body) {
			t.Error("the job has another answer after it")
		}
		if got := l.outcomes(l.create(l.init(nil, old, recent)).Body); got[0] != dap.ReportErrorReportDropped || got[1] != 0 {
			t.Errorf("a report below the floor and one above it are answered with %v", got)
		}
	}
}

// TestRetentionOfBatches: a leader-selected batch that was full goes when it is old; one that is
// being filled goes on, whatever the age of its reports.
func TestRetentionOfBatches(t *testing.T) {
	w := newWorld(t, retained(dap.BatchModeLeaderSelected))
	full, _ := w.reports(3)
	w.uploadAll(full...)
	w.settled()
	w.clock.advance(time.Hour)
	begun, sum := w.reports(1)
	w.uploadAll(begun...)
	w.settled()
	w.later("the full batch goes", func() bool { return w.counts().Expired == 3 && w.helperCounts().Expired == 3 })
	w.wantRefused(full[:1], dap.ReportErrorReportDropped)
	rest, more := w.reports(2)
	w.uploadAll(rest...)
	w.wantResult(w.collect(w.query(nil, nil)), 3, sum+more)
}

// TestRetentionAfterTheEnd: of a task that has ended, everything goes.
func TestRetentionAfterTheEnd(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		s := retained(mode)
		begin, err := dap.TimePrecision(3600).TimeOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		s.interval = &dap.Interval{Start: begin, Duration: 24}
		w := newWorld(t, s)
		reports, _ := w.reports(4)
		w.uploadAll(reports...)
		w.settled()
		w.later("everything goes", func() bool { return w.counts().Expired == 4 && w.helperCounts().Expired == 4 })
		w.wantRefused(reports[:1], dap.ReportErrorTaskExpired)
	}
}
