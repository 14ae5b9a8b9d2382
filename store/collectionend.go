package store

import (
	"bytes"
	"context"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// CloseBatch implements aggregator.LeaderStore. A job without a batch, or
// one that has its answer, is aggregator.ErrConflict; a batch that another job has, or that is collected,
// aggregator.ErrBatchOverlap.
func (l *Leader) CloseBatch(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) error {
	return l.changeCollection(ctx, task, id, 0, func(sp *space, c *storedCollection) error {
		switch {
		case c.job.State == aggregator.CollectionClosed:
			return nil
		case c.job.State != aggregator.CollectionPending || !c.assigned(sp):
			return about(aggregator.ErrConflict, "collection job %s", id)
		}
		c.job.State = aggregator.CollectionClosed
		return firstError(sp.reserveOwn(c.job.Batch, id), sp.closeBatch(c.job.Batch), c.put(sp))
	})
}

// closeBatch makes a batch refuse new reports.
func (sp *space) closeBatch(batch aggregator.Batch) error {
	if sp.mode == dap.BatchModeTimeInterval {
		return sp.closeInterval(batch.Interval)
	}
	r, err := sp.batch(batch.BatchID)
	if err != nil {
		return err
	}
	if r == nil {
		return about(aggregator.ErrNotFound, "batch %s", batch.BatchID)
	}
	r.Closed = true
	return sp.putBatch(batch.BatchID, r)
}

// UpdateCollectionJob implements aggregator.LeaderStore. It stores NextAttempt, too. A
// job that has its answer is aggregator.ErrConflict.
func (l *Leader) UpdateCollectionJob(ctx context.Context, job aggregator.CollectionJob) error {
	return l.changeCollection(ctx, job.Task, job.ID, 0, func(sp *space, c *storedCollection) error {
		if !c.record.unfinished() {
			return about(aggregator.ErrConflict, "collection job %s has its answer", job.ID)
		}
		c.job.HelperLocation = job.HelperLocation
		c.job.Attempts = job.Attempts
		c.job.NextAttempt = job.NextAttempt
		c.job.LastError = job.LastError
		return c.put(sp)
	})
}

// sameFailure compares what is stored of two failures.
func sameFailure(a, b *dap.Error) bool {
	return bytes.Equal(encodeRecord(newFailureRecord(a)), encodeRecord(newFailureRecord(b)))
}

// FinishCollectionJob implements aggregator.LeaderStore. The batch refuses uploads from now
// on, if it did not before. The same answer again is no error; another is aggregator.ErrConflict.
func (l *Leader) FinishCollectionJob(ctx context.Context, job aggregator.CollectionJob, count uint64, checksum dap.Checksum) error {
	if (job.Response == nil) == (job.Failure == nil) {
		return inputError("collection job", "it needs a response or a failure")
	}
	state := aggregator.CollectionFinished
	if job.Failure != nil {
		state = aggregator.CollectionFailed
	}
	return l.changeCollection(ctx, job.Task, job.ID, len(job.Response), func(sp *space, c *storedCollection) error {
		if !c.record.unfinished() {
			held, owner, err := c.hold(sp)
			if err != nil {
				return err
			}
			mine := held == holdCollected && owner == job.ID
			if mine && c.job.State == state && bytes.Equal(c.job.Response, job.Response) && sameFailure(c.job.Failure, job.Failure) {
				return nil
			}
			return about(aggregator.ErrConflict, "collection job %s has its answer", job.ID)
		}
		if err := sp.checkCollectible(c, count, checksum); err != nil {
			return err
		}
		if err := sp.charge(c.job.Batch, job.ID, count, stamp(job.EndedAt)); err != nil {
			return err
		}
		c.job.State, c.job.Response, c.job.Failure, c.job.EndedAt = state, job.Response, job.Failure, job.EndedAt
		c.job.HelperLocation = job.HelperLocation
		return firstError(
			sp.closeBatch(c.job.Batch),
			sp.setBatchHold(c.job.Batch, holdCollected, job.ID),
			c.put(sp),
			sp.changeLeaderCounters(func(counters *leaderCounters) { counters.Collected += count }),
		)
	})
}

// hold returns how the job's batch is held, and by whom.
func (c *storedCollection) hold(sp *space) (hold, [16]byte, error) {
	if !c.assigned(sp) {
		return 0, [16]byte{}, nil
	}
	return sp.holdOf(c.job.Batch)
}

// checkCollectible gives aggregator.ErrConflict unless the job's batch has this
// count and checksum and no pending report.
func (sp *space) checkCollectible(c *storedCollection, count uint64, checksum dap.Checksum) error {
	held, owner, err := c.hold(sp)
	if err != nil {
		return err
	}
	if c.assigned(sp) {
		if below, err := sp.belowFloor(c.job.Batch); err != nil {
			return err
		} else if below {
			return about(aggregator.ErrBatchOverlap, "collection job %s: the batch reaches below the floor", c.job.ID)
		}
	}
	if held != 0 && (held != holdReserved || owner != c.job.ID) || !c.assigned(sp) {
		return about(aggregator.ErrConflict, "collection job %s has no batch", c.job.ID)
	}
	pending, err := sp.pending(c.job.Batch)
	if err != nil {
		return err
	}
	if pending.waiting+pending.inJobs != 0 {
		return about(aggregator.ErrConflict, "collection job %s: %d reports of the batch wait, %d are in jobs", c.job.ID, pending.waiting, pending.inJobs)
	}
	return sp.checkAggregate(c.job.Batch, count, checksum)
}

// checkAggregate gives aggregator.ErrConflict unless the batch has this count and checksum.
func (sp *space) checkAggregate(batch aggregator.Batch, count uint64, checksum dap.Checksum) error {
	aggregate, err := sp.readBatch(batch, nil)
	if err != nil {
		return err
	}
	if aggregate.Count != count || aggregate.Checksum != checksum {
		return about(aggregator.ErrConflict, "the batch has %d reports; %d were given, or their checksum is another", aggregate.Count, count)
	}
	return nil
}

// FailCollectionJob implements aggregator.LeaderStore. The same failure again is no error; a job
// with another answer is aggregator.ErrConflict.
func (l *Leader) FailCollectionJob(ctx context.Context, job aggregator.CollectionJob) error {
	if job.Failure == nil {
		return inputError("collection job", "it has no failure")
	}
	return l.changeCollection(ctx, job.Task, job.ID, 0, func(sp *space, c *storedCollection) error {
		if c.job.State == aggregator.CollectionFailed && sameFailure(c.job.Failure, job.Failure) {
			return nil
		}
		if !c.record.unfinished() {
			return about(aggregator.ErrConflict, "collection job %s has its answer", job.ID)
		}
		if c.assigned(sp) {
			if err := firstError(sp.dropHold(c.job.Batch, job.ID), sp.collectionFailed(c.job.Batch, job.Failure, stamp(job.EndedAt))); err != nil {
				return err
			}
		}
		c.job.State, c.job.Failure, c.job.EndedAt = aggregator.CollectionFailed, job.Failure, job.EndedAt
		return c.put(sp)
	})
}

// DeleteCollectionJob implements aggregator.LeaderStore. The same request makes a new job from now on.
func (l *Leader) DeleteCollectionJob(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) error {
	return l.changeCollection(ctx, task, id, 0, func(sp *space, c *storedCollection) error {
		if c.assigned(sp) {
			if err := sp.dropHold(c.job.Batch, id); err != nil {
				return err
			}
		}
		if c.record.unfinished() {
			if err := sp.sub(bucketUnfinished).delete(be64(c.record.Ordinal)); err != nil {
				return err
			}
		}
		return firstError(
			sp.sub(bucketCollections).delete(id[:]),
			sp.sub(bucketRequests).delete(c.record.RequestDigest),
		)
	})
}
