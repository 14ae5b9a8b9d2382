package storetest

import (
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// What a Leader's store must do with jobs that begin again, and with quarantine.

var why = aggregator.Quarantine{At: time.Unix(77, 0).UTC(), Reason: "refused by the Helper", MayBeCounted: true}

func testRejectionsAlone(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 10, 20, 30, 40)
	all := l.waiting(l.byTime)
	reject := func(reports ...aggregator.StoredReport) error {
		job := l.job(l.byTime, nil)
		var rejections []aggregator.Rejection
		for _, r := range reports {
			rejections = append(rejections, aggregator.Rejection{Sequence: r.Sequence, Error: dap.ReportErrorHpkeDecryptError})
		}
		return l.s.CreateAggregationJob(ctx, job, rejections)
	}
	t.ok(reject(all[:2]...))
	t.ok(reject(all[:2]...)) // its outcome was unknown
	t.ok(reject(all[1:3]...))
	counts := l.counts(l.byTime)
	equal(t, "rejected", counts.Rejected[dap.ReportErrorHpkeDecryptError], 3)
	equal(t, "waiting", counts.Waiting, 1)
	t.ok(l.s.CreateAggregationJob(ctx, l.job(l.byTime, all[3:]), nil))
	t.is(reject(all[3]), aggregator.ErrConflict) // it is in a job
	t.is(reject(aggregator.StoredReport{Sequence: 999}), aggregator.ErrConflict)
	t.fails(reject(all[0], all[0]))
}

func testRestartJob(t tester, l *leaderTest) {
	ctx := t.Context()
	for _, task := range []dap.TaskID{l.byTime, l.byID} {
		l.upload(task, 1, 10, 20, 30)
		all := l.waiting(task)
		job := l.job(task, all)
		t.ok(l.s.CreateAggregationJob(ctx, job, nil))
		next := job
		next.Step, next.States = 2, [][]byte{{1}, {2}, {3}}
		next.HelperLocation, next.RequestDigest = "https://helper.example/job", [32]byte{7}
		t.ok(l.s.AdvanceAggregationJob(ctx, next, nil))

		again := job
		again.Reports, again.RequestDigest = job.Reports[:2], [32]byte{8}
		reject := []aggregator.Rejection{{Sequence: job.Reports[2], Error: dap.ReportErrorHpkeDecryptError}}
		t.fails(l.s.RestartAggregationJob(ctx, again, reject)) // it does not count its restarts
		again.Restarts = 2
		t.is(l.s.RestartAggregationJob(ctx, again, reject), aggregator.ErrConflict)
		again.Restarts = 1
		t.fails(l.s.RestartAggregationJob(ctx, again, nil)) // a report would be lost
		t.ok(l.s.RestartAggregationJob(ctx, again, reject))
		t.ok(l.s.RestartAggregationJob(ctx, again, reject)) // its outcome was unknown
		// Who knows the job as it was does nothing to it any more.
		next.Reports, next.States, next.Step = next.Reports[:2], next.States[:2], 3
		t.is(l.s.AdvanceAggregationJob(ctx, next, nil), aggregator.ErrConflict)

		l.s = l.f.Crash()
		stored, err := l.s.AggregationJob(ctx, task, job.ID)
		t.ok(err)
		sameJob(t, stored, again)
		counts := l.counts(task)
		equal(t, "in jobs", counts.InJobs, 2)
		equal(t, "rejected", counts.Rejected[dap.ReportErrorHpkeDecryptError], 1)
		t.ok(l.s.FinishAggregationJob(ctx, task, job.ID, commitAll(again.Reports), nil, Sums{}))
		t.is(l.s.RestartAggregationJob(ctx, again, nil), aggregator.ErrNotFound)
		clean(t, l.s)
	}
}

func testQuarantineJob(t tester, l *leaderTest) {
	ctx := t.Context()
	for _, task := range []dap.TaskID{l.byTime, l.byID} {
		batch := timeBatch(10, 20)
		if task == l.byID {
			batch = idBatch(batchID(1))
		}
		l.upload(task, 1, 10, 11, 12)
		all := l.waiting(task)
		job := l.job(task, all[:2])
		t.is(l.s.QuarantineAggregationJob(ctx, task, job.ID, why), aggregator.ErrNotFound)
		t.ok(l.s.CreateAggregationJob(ctx, job, nil))
		_, inJobs, err := l.s.PendingReports(ctx, task, batch)
		t.ok(err)
		equal(t, "in jobs", inJobs, 2)
		t.fails(l.s.QuarantineAggregationJob(ctx, task, job.ID, aggregator.Quarantine{At: why.At}))
		t.ok(l.s.QuarantineAggregationJob(ctx, task, job.ID, why))
		other := why
		other.Reason, other.MayBeCounted = "another", false
		t.ok(l.s.QuarantineAggregationJob(ctx, task, job.ID, other)) // changes nothing
		_, inJobs, err = l.s.PendingReports(ctx, task, batch)
		t.ok(err)
		equal(t, "in jobs", inJobs, 0)
		jobs, err := l.s.AggregationJobs(ctx)
		t.ok(err)
		equal(t, "active jobs", len(jobs), 0)
		l.s = l.f.Crash()
		stored, err := l.s.AggregationJob(ctx, task, job.ID)
		t.ok(err)
		job.State, job.Quarantine = aggregator.JobQuarantined, why
		sameJob(t, stored, job)
		unfinished, err := l.s.UnfinishedJobs(ctx, task)
		t.ok(err)
		equal(t, "unfinished jobs", len(unfinished), 1)
		sameJob(t, unfinished[0], job)
		// Its reports stay with it, bodies and all, and are counted nowhere.
		reports, err := l.s.JobReports(ctx, task, job.ID)
		t.ok(err)
		equal(t, "reports", len(reports), 2)
		counts := l.counts(task)
		equal(t, "quarantined", counts.Quarantined, 2)
		equal(t, "in jobs", counts.InJobs, 0)
		equal(t, "waiting", counts.Waiting, 1)
		t.is(l.s.FinishAggregationJob(ctx, task, job.ID, commitAll(job.Reports), nil, Sums{}), aggregator.ErrConflict)
		job.State, job.Quarantine = aggregator.JobActive, aggregator.Quarantine{}
		job.Attempts = 3
		t.is(l.s.AdvanceAggregationJob(ctx, job, nil), aggregator.ErrConflict)
		job.Restarts = 1
		t.is(l.s.RestartAggregationJob(ctx, job, nil), aggregator.ErrConflict)
		equal(t, "count", l.read(task, batch).Count, 0)
		outcomes, err := l.s.Upload(ctx, task, []aggregator.UploadReport{upload(1, 10)})
		t.ok(err)
		equal(t, "outcome", outcomes[0], dap.ReportErrorReportReplayed)
		clean(t, l.s)
	}
}

func testReactivateJob(t tester, l *leaderTest) {
	ctx := t.Context()
	for _, task := range []dap.TaskID{l.byTime, l.byID} {
		l.upload(task, 1, 10, 11)
		job := l.job(task, l.waiting(task))
		_, err := l.s.ReactivateAggregationJob(ctx, task, job.ID)
		t.is(err, aggregator.ErrNotFound)
		t.ok(l.s.CreateAggregationJob(ctx, job, nil))
		job.Step, job.States, job.HelperLocation = 1, [][]byte{{1}, {2}}, "https://helper.example/job"
		job.Attempts, job.NextAttempt, job.LastError = 4, time.Unix(99, 0).UTC(), "refused"
		t.ok(l.s.AdvanceAggregationJob(ctx, job, nil))

		reactivate := func() {
			t.Helper()
			active, err := l.s.ReactivateAggregationJob(ctx, task, job.ID)
			t.ok(err)
			equal(t, "active", active, true)
			stored, err := l.s.AggregationJob(ctx, task, job.ID)
			t.ok(err)
			sameJob(t, stored, job)
		}
		job.NextAttempt = time.Time{}
		reactivate() // it was active: it is tried at once

		t.ok(l.s.QuarantineAggregationJob(ctx, task, job.ID, why))
		job.Attempts, job.Reactivations = 0, 1
		reactivate()
		l.s = l.f.Crash()
		reactivate()
		jobs, err := l.s.AggregationJobs(ctx)
		t.ok(err)
		equal(t, "active jobs", len(jobs), 1)
		counts := l.counts(task)
		equal(t, "in jobs", counts.InJobs, 2)
		equal(t, "quarantined", counts.Quarantined, 0)
		clean(t, l.s)
		t.ok(l.s.FinishAggregationJob(ctx, task, job.ID, commitAll(job.Reports), nil, Sums{}))
		equal(t, "aggregated", l.counts(task).Aggregated, 2)
		clean(t, l.s)
	}
}

// quarantined makes a job of reports at the given times, and puts it in quarantine.
func (l *leaderTest) quarantined(task dap.TaskID, first int, times ...dap.Time) aggregator.AggregationJob {
	l.Helper()
	l.upload(task, first, times...)
	job := l.job(task, l.waiting(task))
	l.ok(l.s.CreateAggregationJob(l.Context(), job, nil))
	l.ok(l.s.QuarantineAggregationJob(l.Context(), task, job.ID, why))
	return job
}

// collect collects a batch.
func (l *leaderTest) collect(batch aggregator.Batch) {
	l.Helper()
	task := l.byTime
	if batch.Mode == dap.BatchModeLeaderSelected {
		task = l.byID
	}
	c := l.collection(batch)
	c.Task = task
	l.create(c)
	a := l.read(task, batch)
	c.Response = []byte("the answer")
	l.ok(l.s.FinishCollectionJob(l.Context(), c, a.Count, a.Checksum))
}

func testReactivateCollected(t tester, l *leaderTest) {
	ctx := t.Context()
	for task, batch := range map[dap.TaskID]aggregator.Batch{l.byTime: timeBatch(10, 20), l.byID: idBatch(batchID(1))} {
		l.upload(task, 1, 10)
		l.aggregate(task)
		job := l.quarantined(task, 2, 10, 11)
		l.collect(batch)
		active, err := l.s.ReactivateAggregationJob(ctx, task, job.ID)
		t.ok(err)
		equal(t, "active", active, false)
		_, err = l.s.AggregationJob(ctx, task, job.ID)
		t.is(err, aggregator.ErrNotFound)
		counts := l.counts(task)
		equal(t, "quarantined", counts.Quarantined, 0)
		equal(t, "rejected", counts.Rejected[dap.ReportErrorBatchCollected], 2)
		equal(t, "count", l.read(task, batch).Count, 1)
		clean(t, l.s)
	}
}

// testReactivatePartly has the batch of one of a job's reports collected: its request must stay what it
// was, so that report ends with the job.
func testReactivatePartly(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 10)
	l.aggregate(l.byTime)
	job := l.quarantined(l.byTime, 2, 10, 30)
	l.collect(timeBatch(10, 20))
	active, err := l.s.ReactivateAggregationJob(ctx, l.byTime, job.ID)
	t.ok(err)
	equal(t, "active", active, true)
	clean(t, l.s)
	t.ok(l.s.FinishAggregationJob(ctx, l.byTime, job.ID, commitAll(job.Reports), nil, Sums{}))
	counts := l.counts(l.byTime)
	equal(t, "rejected", counts.Rejected[dap.ReportErrorBatchCollected], 1)
	equal(t, "aggregated", counts.Aggregated, 2)
	equal(t, "the collected batch", l.read(l.byTime, timeBatch(10, 20)).Count, 1)
	equal(t, "the other", l.read(l.byTime, timeBatch(30, 31)).Count, 1)
	clean(t, l.s)
}

func testReactivateQuarantined(t tester, l *leaderTest) {
	ctx := t.Context()
	for task, batch := range map[dap.TaskID]aggregator.Batch{l.byTime: timeBatch(10, 20), l.byID: idBatch(batchID(1))} {
		inside := l.quarantined(task, 1, 10, 50)
		outside := l.quarantined(task, 3, 60)
		n := 1
		if task == l.byID {
			n = 2 // of the same batch
		}
		c := l.collection(batch)
		c.Task = task
		_, err := l.s.ReactivateQuarantined(ctx, task, c.ID)
		t.is(err, aggregator.ErrNotFound)
		l.create(c)
		jobs, err := l.s.ReactivateQuarantined(ctx, task, c.ID)
		t.ok(err)
		equal(t, "jobs", jobs, n)
		l.s = l.f.Crash()
		stored, err := l.s.CollectionJob(ctx, task, c.ID)
		t.ok(err)
		equal(t, "reactivated", stored.Reactivated, true)
		job, err := l.s.AggregationJob(ctx, task, inside.ID)
		t.ok(err)
		equal(t, "state", job.State, aggregator.JobActive)
		job, err = l.s.AggregationJob(ctx, task, outside.ID)
		t.ok(err)
		equal(t, "state of the other", job.State == aggregator.JobActive, n == 2)
		// Once for each collection job.
		t.ok(l.s.QuarantineAggregationJob(ctx, task, inside.ID, why))
		jobs, err = l.s.ReactivateQuarantined(ctx, task, c.ID)
		t.ok(err)
		equal(t, "jobs", jobs, 0)
		clean(t, l.s)
	}
}
