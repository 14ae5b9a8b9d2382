package store

import (
	"context"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// restoreTask makes sure that nothing of a task counts or is released that may have counted or been released
// before: it raises the floor above until, and above all reports that the copy knows, ends what was under way, and
// forgets the batches that were not collected. It returns how many reports are given up so.
func (s *store) restoreTask(ctx context.Context, leader *Leader, task *aggregator.Task, until time.Time) (givenUp uint64, err error) {
	floor, err := floorAfter(&task.Config, until)
	if err != nil {
		return 0, err
	}
	err = s.view(ctx, func(t *txn) error {
		sp, err := t.space(task.ID)
		if err != nil {
			return err
		}
		newest, err := sp.newest()
		if err != nil {
			return err
		}
		floor = max(floor, newest+1)
		givenUp, err = sp.uncollected()
		return err
	})
	if err != nil {
		return 0, err
	}
	if _, err := s.RaiseFloor(ctx, task.ID, floor); err != nil {
		return 0, err
	}
	if err := s.assumeSpent(ctx, task.ID); err != nil {
		return 0, err
	}
	if leader != nil {
		if err := leader.endJobs(ctx, task.ID); err != nil {
			return 0, err
		}
	}
	for { // the task goes on, but of what is there nothing does
		swept, err := s.Sweep(ctx, task.ID, aggregator.SweepLimits{Ended: true})
		if err != nil || !swept.More {
			return givenUp, err
		}
	}
}

// uncollected is how many reports are pending, or counted in a batch that is not collected.
func (sp *space) uncollected() (uint64, error) {
	if sp.t.role == dap.RoleHelper {
		c, err := sp.helperCounters()
		if err != nil {
			return 0, err
		}
		collected, err := sp.collected()
		return c.Aggregated - c.ForgottenAggregated - collected, err
	}
	c, err := sp.leaderCounters()
	if err != nil {
		return 0, err
	}
	collected, err := sp.collected()
	return c.Waiting + c.InJobs + c.Quarantined + c.Aggregated - c.ForgottenAggregated - collected, err
}

// collected counts the reports in the batch buckets that were collected.
func (sp *space) collected() (n uint64, err error) {
	buckets := sp.sub(bucketBuckets)
	err = buckets.each(func(key, encoded []byte) error {
		record, err := buckets.decodeBatchBucket(key, encoded)
		if err != nil {
			return err
		}
		batch := aggregator.Batch{Mode: sp.mode}
		if sp.mode == dap.BatchModeTimeInterval {
			at, err := buckets.timeOf(key)
			if err != nil {
				return err
			}
			batch.Interval = at.BatchBucket()
		} else if err := copyExactly("batch ID", batch.BatchID[:], key); err != nil {
			return buckets.damaged(key, "%v", err)
		}
		held, _, err := sp.storedHold(batch)
		if held == holdCollected {
			n += record.Count
		}
		return err
	})
	return n, err
}

// endJobs ends the collection jobs that have no answer, with batchOverlap, and rejects the reports of the active
// aggregation jobs: whatever they were about may have been done.
func (l *Leader) endJobs(ctx context.Context, task dap.TaskID) error {
	collections, err := l.CollectionJobs(ctx)
	if err != nil {
		return err
	}
	for _, job := range collections {
		if job.Task != task {
			continue
		}
		job.EndedAt = l.options.Now()
		job.Failure = &dap.Error{Type: dap.ErrorTypeBatchOverlap, TaskID: &task, Detail: "the Leader was restored from a copy, and does not know whether the batch was released"}
		if err := l.FailCollectionJob(ctx, job); err != nil {
			return err
		}
	}
	jobs, err := l.AggregationJobs(ctx)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if job.Task != task {
			continue
		}
		rejected := make([]aggregator.Rejection, len(job.Reports))
		for i, sequence := range job.Reports {
			rejected[i] = aggregator.Rejection{Sequence: sequence, Error: dap.ReportErrorReportDropped}
		}
		if err := l.FinishAggregationJob(ctx, task, job.ID, nil, rejected, nil); err != nil {
			return err
		}
	}
	return nil
}
