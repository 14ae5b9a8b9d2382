package store

import (
	"context"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// AggregationJob implements aggregator.LeaderStore.
func (l *Leader) AggregationJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) (job aggregator.AggregationJob, err error) {
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		stored, err := sp.job(id)
		if err != nil {
			return err
		}
		job = stored.job
		return nil
	})
	return job, err
}

// UnfinishedJobs implements aggregator.LeaderStore.
func (l *Leader) UnfinishedJobs(ctx context.Context, task dap.TaskID) ([]aggregator.AggregationJob, error) {
	var all []ordered[aggregator.AggregationJob]
	err := l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		return sp.sub(bucketJobs).each(func(id, encoded []byte) error {
			stored, err := sp.decodeStoredJob(id, encoded)
			if err != nil {
				return err
			}
			stored.job.States = nil
			all = append(all, ordered[aggregator.AggregationJob]{stored.record.Ordinal, stored.job})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return inOrder(all), nil
}

// changeJob runs f on an aggregation job in a write transaction.
func (l *Leader) changeJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, f func(*space, *storedJob) error) error {
	return l.update(ctx, 0, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		stored, err := sp.job(id)
		if err != nil {
			return err
		}
		return f(sp, stored)
	})
}

// RestartAggregationJob implements aggregator.LeaderStore.
func (l *Leader) RestartAggregationJob(ctx context.Context, job aggregator.AggregationJob, rejected []aggregator.Rejection) error {
	reasons, err := newRejections(rejected)
	if err != nil {
		return err
	}
	if job.State != aggregator.JobActive || job.Step != 0 || len(job.States) != 0 || job.HelperLocation != "" || job.Restarts == 0 {
		return inputError("aggregation job", "a job that begins again is active, at step 0, without states and location, and counts its restarts")
	}
	return l.changeJob(ctx, job.Task, job.ID, func(sp *space, stored *storedJob) error {
		record := newJobRecord(&job, stored.record.Ordinal)
		if stored.sameReports(job.Reports) && stored.sameRecord(record) {
			return nil // done already
		}
		if !stored.record.active() || stored.record.Restarts != job.Restarts-1 {
			return about(aggregator.ErrConflict, "aggregation job %s", job.ID)
		}
		kept, refused, err := stored.remaining(&job, reasons)
		if err != nil {
			return err
		}
		return sp.putAdvanced(record, &job, kept, refused, reasons)
	})
}

// QuarantineAggregationJob implements aggregator.LeaderStore.
func (l *Leader) QuarantineAggregationJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, why aggregator.Quarantine) error {
	if why.Reason == "" || why.At.IsZero() {
		return inputError("quarantine", "it has no reason or no time")
	}
	return l.changeJob(ctx, task, id, func(sp *space, stored *storedJob) error {
		if !stored.record.active() {
			return nil
		}
		job := stored.job
		job.State, job.Quarantine, job.NextAttempt = aggregator.JobQuarantined, why, unstamp(0)
		n := uint64(len(stored.members))
		return firstError(
			sp.sub(bucketActive).delete(be64(stored.record.Ordinal)),
			sp.putJobAs(stored, &job, -1),
			sp.changeLeaderCounters(func(c *leaderCounters) { c.InJobs, c.Quarantined = c.InJobs-n, c.Quarantined+n }),
		)
	})
}

// putJobAs stores a job in another state. Its reports are pending from now on (change 1) or no more (-1).
func (sp *space) putJobAs(stored *storedJob, job *aggregator.AggregationJob, change int64) error {
	times := make(timeDeltas)
	for i := range stored.members {
		times.add(stored.members[i].time, 0, change)
	}
	id := job.ID
	return firstError(
		sp.applyTimes(times),
		sp.changeInJobs(job.BatchID, change*int64(len(stored.members))),
		sp.sub(bucketJobs).put(id[:], encodeRecord(newJobRecord(job, stored.record.Ordinal))),
	)
}

// ReactivateAggregationJob implements aggregator.LeaderStore.
func (l *Leader) ReactivateAggregationJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) (active bool, err error) {
	err = l.changeJob(ctx, task, id, func(sp *space, stored *storedJob) error {
		var err error
		if active = stored.record.active(); !active {
			active, err = sp.reactivate(stored)
			return err
		}
		if stored.record.NextAttempt == 0 {
			return nil
		}
		job := stored.job
		job.NextAttempt = unstamp(0)
		return sp.putJobAs(stored, &job, 0)
	})
	return active && err == nil, err
}

// reactivate ends a job's quarantine. active is false if the job is gone instead.
func (sp *space) reactivate(stored *storedJob) (active bool, err error) {
	open := len(stored.members) == 0
	for i := range stored.members {
		collected, err := sp.bucketCollected(stored.members[i].time, stored.job.BatchID)
		if err != nil {
			return false, err
		}
		open = open || !collected
	}
	if !open {
		return false, sp.dropCollected(stored)
	}
	job := stored.job
	job.State, job.Quarantine = aggregator.JobActive, aggregator.Quarantine{}
	job.Attempts, job.NextAttempt = 0, unstamp(0)
	job.Reactivations++
	id, n := job.ID, uint64(len(stored.members))
	return true, firstError(
		sp.sub(bucketActive).put(be64(stored.record.Ordinal), id[:]),
		sp.putJobAs(stored, &job, 1),
		sp.changeLeaderCounters(func(c *leaderCounters) { c.InJobs, c.Quarantined = c.InJobs+n, c.Quarantined-n }),
	)
}

// bucketCollected tells whether the batch bucket of a report is collected: of that
// time, or of that leader-selected batch.
func (sp *space) bucketCollected(t dap.Time, id dap.BatchID) (bool, error) {
	if sp.mode == dap.BatchModeTimeInterval {
		return sp.collectedAt(t)
	}
	r, err := sp.batch(id)
	// A batch of which nothing is known any more is not one that takes reports.
	return r == nil || r.Hold == holdCollected, err
}

// dropCollected rejects all reports of a job in quarantine, because their buckets are collected.
func (sp *space) dropCollected(stored *storedJob) error {
	for i := range stored.members {
		if err := sp.rejectReport(&stored.members[i], dap.ReportErrorBatchCollected); err != nil {
			return err
		}
	}
	id, n := stored.job.ID, uint64(len(stored.members))
	return firstError(
		sp.deleteJob(id),
		sp.changeLeaderCounters(func(c *leaderCounters) {
			c.Quarantined -= n
			c.reject(dap.ReportErrorBatchCollected, n)
		}),
	)
}

// ReactivateQuarantined implements aggregator.LeaderStore. A collection job that has its answer is aggregator.ErrConflict.
func (l *Leader) ReactivateQuarantined(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) (jobs int, err error) {
	err = l.changeCollection(ctx, task, id, 0, func(sp *space, c *storedCollection) error {
		jobs = 0
		if !c.record.unfinished() {
			return about(aggregator.ErrConflict, "collection job %s has its answer", id)
		}
		if c.job.Reactivated || !c.assigned(sp) {
			return nil
		}
		quarantined, err := sp.quarantinedIn(c.job.Batch)
		if err != nil || len(quarantined) == 0 {
			return err
		}
		for _, stored := range quarantined {
			if _, err := sp.reactivate(stored); err != nil {
				return err
			}
		}
		jobs = len(quarantined)
		c.job.Reactivated = true
		return c.put(sp)
	})
	if err != nil {
		return 0, err
	}
	return jobs, nil
}

// quarantinedIn returns the jobs in quarantine that have a report in a batch.
func (sp *space) quarantinedIn(batch aggregator.Batch) ([]*storedJob, error) {
	var found []*storedJob
	err := sp.sub(bucketJobs).each(func(id, encoded []byte) error {
		stored, err := sp.decodeStoredJob(id, encoded)
		if err != nil {
			return err
		}
		if !stored.record.active() && stored.inBatch(sp.mode, batch) {
			found = append(found, stored)
		}
		return nil
	})
	return found, err
}

// inBatch tells whether the job has a report in a batch.
func (s *storedJob) inBatch(mode dap.BatchMode, batch aggregator.Batch) bool {
	for i := range s.members {
		if mode == dap.BatchModeTimeInterval && batch.Interval.Contains(s.members[i].time) ||
			mode == dap.BatchModeLeaderSelected && s.job.BatchID == batch.BatchID {
			return true
		}
	}
	return false
}
