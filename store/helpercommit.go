package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf"
)

// CommitHelperStep implements aggregator.HelperStore. A later step of a job that is not there is
// aggregator.ErrNotFound.
func (h *Helper) CommitHelperStep(ctx context.Context, step aggregator.HelperStep, agg aggregator.Aggregator) (job aggregator.HelperJob, err error) {
	c := helperCommit{step: &step, agg: agg}
	if err := c.check(); err != nil {
		return job, err
	}
	var mode dap.BatchMode
	err = h.view(ctx, func(t *txn) error {
		sp, err := t.space(step.Job.Task)
		if err == nil {
			mode = sp.mode
		}
		return err
	})
	if err != nil {
		return job, err
	}
	// Hardly ever is a report refused in the transaction; so the sums of all of them
	// are made before it, and only those that turn out to be wrong are made in it.
	for i := range step.Commits {
		c.sort(mode, &step.Commits[i])
	}
	for _, b := range c.buckets {
		if err := b.whole.sum(step.Job.AggParam, agg); err != nil {
			return job, err
		}
	}
	size := len(step.Commits)*128 + len(step.Responses)*64
	for i := range step.Job.Reports {
		size += len(step.Job.Reports[i].State)
	}
	err = h.update(ctx, size, func(t *txn) error {
		sp, err := t.space(step.Job.Task)
		if err != nil {
			return err
		}
		job, err = c.commit(sp)
		return err
	})
	if err != nil {
		return aggregator.HelperJob{}, err
	}
	return job, nil
}

// helperCommit is one CommitHelperStep.
type helperCommit struct {
	step    *aggregator.HelperStep
	agg     aggregator.Aggregator
	buckets []*helperBucket
	byID    map[aggregator.BucketID]*helperBucket

	// Of the run under way:
	responses []dap.VerifyResp
}

// helperBucket is what a step adds to one batch bucket.
type helperBucket struct {
	whole   addition // all of the step's reports
	commits []*aggregator.HelperCommit

	// Of the run under way:
	accepted []*aggregator.HelperCommit
	refused  bool // the bucket is collected
	ordinal  uint64
}

// check finds the mistakes of a caller.
func (c *helperCommit) check() error {
	if c.step.Job.Pending || c.step.Job.Request != nil {
		return inputError("aggregation job", "the job of a committed step must not be pending")
	}
	last := -1
	for i := range c.step.Commits {
		commit := &c.step.Commits[i]
		if commit.Index <= last || commit.Index >= len(c.step.Responses) {
			return inputError("commits", "index %d of commit %d is out of order or range", commit.Index, i)
		}
		last = commit.Index
		if c.step.Responses[commit.Index].ReportID != commit.ID {
			return inputError("commits", "response %d answers another report", commit.Index)
		}
		if err := checkTime(commit.Time); err != nil {
			return err
		}
	}
	return nil
}

// sort puts a commit into its bucket.
func (c *helperCommit) sort(mode dap.BatchMode, commit *aggregator.HelperCommit) {
	id := aggregator.BucketID{BatchID: c.step.Job.BatchID}
	if mode == dap.BatchModeTimeInterval {
		id = aggregator.BucketID{Time: commit.Time}
	}
	b := c.byID[id]
	if b == nil {
		b = &helperBucket{whole: addition{id: id}}
		if c.byID == nil {
			c.byID = make(map[aggregator.BucketID]*helperBucket)
		}
		c.byID[id] = b
		c.buckets = append(c.buckets, b)
	}
	b.commits = append(b.commits, commit)
	b.whole.add(&commit.ID, commit.Time, commit.OutShare)
}

// commit is the transaction.
func (c *helperCommit) commit(sp *space) (job aggregator.HelperJob, err error) {
	stored, err := sp.helperJob(c.step.Job.ID)
	if err != nil {
		return job, err
	}
	if done, err := c.place(stored); done || err != nil {
		if done {
			job = stored.job
		}
		return job, err
	}
	c.responses = slices.Clone(c.step.Responses)
	if err := c.prepareBuckets(sp); err != nil {
		return job, err
	}
	if err := c.remember(sp); err != nil {
		return job, err
	}
	if err := c.accumulate(sp); err != nil {
		return job, err
	}
	job = c.step.Job
	job.Response, err = (dap.AggregationJobResp{VerifyResps: c.responses}).Encode()
	if err != nil {
		return job, fmt.Errorf("store: response of aggregation job %s: %w", job.ID, err)
	}
	if stored != nil {
		job.CreatedAt, job.Counted = stored.job.CreatedAt, stored.job.Counted
	}
	job.Attempts, job.LastError = 0, ""
	for _, b := range c.buckets {
		job.Counted += uint64(len(b.accepted))
	}
	return job, firstError(sp.putHelperJob(&job, stored, c.newest()), c.count(sp))
}

// place tells whether the step is committed already, and gives an error unless it is the job's next.
func (c *helperCommit) place(stored *storedHelperJob) (done bool, err error) {
	job := &c.step.Job
	switch {
	case stored == nil && job.Step == 0:
		return false, nil
	case stored == nil:
		return false, about(aggregator.ErrNotFound, "aggregation job %s", job.ID)
	case stored.job.Quarantined():
		return false, about(aggregator.ErrConflict, "aggregation job %s is in quarantine", job.ID)
	case stored.job.Step > job.Step, stored.job.Step == job.Step && !stored.job.Pending:
		return true, nil
	case stored.job.Step == job.Step && stored.job.RequestDigest == job.RequestDigest:
		return false, nil
	case stored.job.Step+1 == job.Step && !stored.job.Pending:
		return false, nil
	}
	return false, about(aggregator.ErrConflict, "aggregation job %s is at step %d", job.ID, stored.job.Step)
}

// prepareBuckets finds out which buckets are collected. A leader-selected batch gets its
// ordinal here.
func (c *helperCommit) prepareBuckets(sp *space) error {
	for _, b := range c.buckets {
		b.accepted, b.refused, b.ordinal = b.accepted[:0], false, 0
		if sp.mode == dap.BatchModeTimeInterval {
			var err error
			if b.refused, err = sp.collectedAt(b.whole.id.Time); err != nil {
				return err
			}
			continue
		}
		r, err := sp.batch(b.whole.id.BatchID)
		if err != nil {
			return err
		}
		if r == nil {
			if r, err = sp.newBatch(stamp(c.step.Job.CreatedAt)); err != nil {
				return err
			}
			if err := sp.putBatch(b.whole.id.BatchID, r); err != nil {
				return err
			}
		}
		b.refused, b.ordinal = r.Hold == holdCollected, r.Ordinal
	}
	return nil
}

// remember decides on each report in order, and remembers those that are counted.
func (c *helperCommit) remember(sp *space) error {
	ids, err := sp.reportIDs()
	if err != nil {
		return err
	}
	floor, err := sp.floor()
	if err != nil {
		return err
	}
	accepted := uint64(0)
	for i := range c.step.Commits {
		commit := &c.step.Commits[i]
		b := c.bucketOf(sp.mode, commit)
		if commit.Time < floor {
			c.reject(commit, dap.ReportErrorReportDropped)
			continue
		}
		if b.refused {
			c.reject(commit, dap.ReportErrorBatchCollected)
			continue
		}
		found, err := ids.has(&commit.ID)
		if err != nil {
			return err
		}
		if found {
			c.reject(commit, dap.ReportErrorReportReplayed)
			continue
		}
		entry := idEntry{state: idCounted, time: commit.Time, ordinal: b.ordinal}
		if err := ids.insert(&commit.ID, entry); err != nil {
			return err
		}
		b.accepted = append(b.accepted, commit)
		accepted++
	}
	return ids.recent.settle(accepted)
}

func (c *helperCommit) bucketOf(mode dap.BatchMode, commit *aggregator.HelperCommit) *helperBucket {
	if mode == dap.BatchModeTimeInterval {
		return c.byID[aggregator.BucketID{Time: commit.Time}]
	}
	return c.byID[aggregator.BucketID{BatchID: c.step.Job.BatchID}]
}

func (c *helperCommit) reject(commit *aggregator.HelperCommit, reason dap.ReportError) {
	c.responses[commit.Index] = dap.VerifyResp{ReportID: commit.ID, Type: dap.VerifyRespReject, Error: reason}
}

// accumulate adds the accepted reports to their buckets.
func (c *helperCommit) accumulate(sp *space) error {
	for _, b := range c.buckets {
		if len(b.accepted) == 0 {
			continue
		}
		a := &b.whole
		if len(b.accepted) < len(b.commits) {
			a = &addition{id: b.whole.id, shares: make([]vdaf.OutShare, 0, len(b.accepted))}
			for _, commit := range b.accepted {
				a.add(&commit.ID, commit.Time, commit.OutShare)
			}
			if err := a.sum(c.step.Job.AggParam, c.agg); err != nil {
				return err
			}
		}
		if err := sp.addToBucket(a, c.step.Job.AggParam, c.agg); err != nil {
			return err
		}
	}
	return nil
}

// newest is the newest time of the reports that the step counts.
func (c *helperCommit) newest() (last dap.Time) {
	for _, b := range c.buckets {
		for _, commit := range b.accepted {
			last = max(last, commit.Time)
		}
	}
	return last
}

// count adds the step to the task's counters.
func (c *helperCommit) count(sp *space) error {
	accepted := 0
	for _, b := range c.buckets {
		accepted += len(b.accepted)
	}
	return sp.changeHelperCounters(func(counters *helperCounters) {
		counters.Aggregated += uint64(accepted)
		counters.Newest = max(counters.Newest, uint64(c.newest()))
		for i := range c.responses {
			if r := &c.responses[i]; r.Type == dap.VerifyRespReject {
				counters.reject(r.Error)
			}
		}
	})
}

// Replayed implements aggregator.HelperStore.
func (h *Helper) Replayed(ctx context.Context, task dap.TaskID, reportIDs []dap.ReportID) ([]bool, error) {
	replayed := make([]bool, len(reportIDs))
	err := h.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		ids, err := sp.reportIDs()
		if err != nil {
			return err
		}
		for i := range reportIDs {
			if replayed[i], err = ids.has(&reportIDs[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return replayed, nil
}
