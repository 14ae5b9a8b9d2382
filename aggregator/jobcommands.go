package aggregator

import (
	"context"
	"errors"

	"github.com/twofold-dap/twofold/dap"
)

// What an operator can see of a Leader's aggregation jobs, and do with one. It works
// while the Leader runs and while it does not.

// JobBucket is how many reports of a job are of one batch bucket.
type JobBucket struct {
	ID      BucketID
	Reports uint64
}

// UnfinishedJobs returns a task's aggregation jobs, active and in quarantine, in the
// order in which they were made. An unknown task is ErrNotFound.
func (l *Leader) UnfinishedJobs(ctx context.Context, task dap.TaskID) ([]AggregationJob, error) {
	return l.store.UnfinishedJobs(ctx, task)
}

// AggregationJob finds a job of any task, with its reports by batch bucket. An unknown one is ErrNotFound.
func (l *Leader) AggregationJob(ctx context.Context, id dap.AggregationJobID) (AggregationJob, []JobBucket, error) {
	job, err := l.findJob(ctx, id)
	if err != nil {
		return AggregationJob{}, nil, err
	}
	reports, err := l.store.JobReports(ctx, job.Task, id)
	if err != nil {
		return AggregationJob{}, nil, err
	}
	buckets := make(map[BucketID]uint64)
	var order []BucketID
	for i := range reports {
		bucket := BucketID{BatchID: job.BatchID}
		if job.BatchID == (dap.BatchID{}) {
			bucket.Time = reports[i].Time
		}
		if buckets[bucket] == 0 {
			order = append(order, bucket)
		}
		buckets[bucket]++
	}
	counts := make([]JobBucket, len(order))
	for i, bucket := range order {
		counts[i] = JobBucket{ID: bucket, Reports: buckets[bucket]}
	}
	return job, counts, nil
}

// findJob looks for a job in all tasks.
func (l *Leader) findJob(ctx context.Context, id dap.AggregationJobID) (AggregationJob, error) {
	tasks, err := l.store.Tasks(ctx)
	if err != nil {
		return AggregationJob{}, err
	}
	for i := range tasks {
		job, err := l.store.AggregationJob(ctx, tasks[i].ID, id)
		if !errors.Is(err, ErrNotFound) {
			return job, err
		}
	}
	return AggregationJob{}, ErrNotFound
}

// RetryJob lets a job be tried now: an active one need not wait for its next attempt, and one in
// quarantine becomes active again. active is false if there was nothing left to try, because all
// batch buckets of its reports are collected: they are rejected then. An unknown job is ErrNotFound.
func (l *Leader) RetryJob(ctx context.Context, id dap.AggregationJobID) (active bool, err error) {
	job, err := l.findJob(ctx, id)
	if err != nil {
		return false, err
	}
	if job.State == JobActive && l.jobs.hurry(id) {
		return true, nil
	}
	active, err = l.store.ReactivateAggregationJob(ctx, job.Task, id)
	if err != nil {
		l.resumeInBackground() // whatever became of it
		return false, err
	}
	l.log.Info("an aggregation job is reactivated", "task", job.Task, "job", id, "active", active)
	l.metrics.jobs.WithLabelValues("reactivated").Inc()
	l.resumeInBackground()
	l.collections.signal(job.Task)
	return active, nil
}

// QuarantineJob puts an active job in quarantine. Its request may have reached the Helper, so the Helper may have
// counted its reports. The job as it is then is returned. An unknown job is ErrNotFound.
func (l *Leader) QuarantineJob(ctx context.Context, id dap.AggregationJobID, reason string) (AggregationJob, error) {
	job, err := l.findJob(ctx, id)
	if err != nil {
		return AggregationJob{}, err
	}
	driver, release, err := l.jobs.hold(ctx, id)
	if err != nil {
		return AggregationJob{}, err
	}
	why := Quarantine{At: l.now().UTC(), Reason: reason, MayBeCounted: true}
	err = l.store.QuarantineAggregationJob(ctx, job.Task, id, why)
	if driver != nil && !driver.over {
		lost := 0
		if err == nil {
			lost = len(driver.record.Reports)
		}
		l.schedule.jobEnded(driver.source, driver.batch, lost)
	}
	release()
	if err != nil {
		l.resumeInBackground() // whatever became of it
		return AggregationJob{}, err
	}
	l.log.Warn("an aggregation job was put in quarantine by the operator", "task", job.Task, "job", id)
	l.metrics.jobs.WithLabelValues("quarantined").Inc()
	l.collections.signal(job.Task)
	return l.store.AggregationJob(ctx, job.Task, id)
}

// resumeInBackground drives the active jobs that nobody drives, if the Leader runs. If Run is just
// beginning, and may have read the jobs already, it does so when it has begun.
func (l *Leader) resumeInBackground() {
	l.undriven.Store(true)
	l.collections.inBackground(l.resumeUndriven)
}

// resumeUndriven drives the active jobs that nobody drives, if there may be such.
func (l *Leader) resumeUndriven(b *background) {
	if !l.undriven.Swap(false) {
		return
	}
	if err := l.resumeStored(b); err != nil {
		l.log.Error("aggregation jobs could not be read; it is tried again", "error", err)
		l.reconcile(b)
	}
}

// reactivateQuarantined reactivates the jobs in quarantine of a collection job's batch, once for each
// collection job, when the Helper says that it has counted other reports of the batch
// than the Leader: it may be theirs. It tells whether there may be such jobs, which are to end first.
func (l *Leader) reactivateQuarantined(b *background, run *collectionRun, cause error) bool {
	e, ok := errors.AsType[*dap.Error](cause)
	if !ok || e.Type != dap.ErrorTypeBatchMismatch || run.job.Reactivated {
		return false
	}
	jobs, err := l.store.ReactivateQuarantined(run.ctx, run.job.Task, run.job.ID)
	if err != nil {
		l.log.Error("aggregation jobs could not be reactivated; it is tried again", "task", run.job.Task, "error", err)
		b.wait.Go(func() { l.reconcile(b) }) // they may be
		return true
	}
	if jobs == 0 {
		return false
	}
	run.job.Reactivated, run.polling = true, false
	l.log.Warn("the Helper has other reports of a batch; the batch's aggregation jobs in quarantine are tried again",
		"task", run.job.Task, "job", run.job.ID, "aggregation jobs", jobs)
	l.metrics.jobs.WithLabelValues("reactivated").Add(float64(jobs))
	b.wait.Go(func() {
		if err := l.resumeStored(b); err != nil {
			l.reconcile(b)
		}
	})
	return true
}
