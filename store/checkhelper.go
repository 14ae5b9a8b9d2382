package store

import (
	"bytes"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// helperChecker checks what a Helper keeps of a task.
type helperChecker struct {
	spaceChecker
	batchJobs map[uint64]uint64 // by ordinal of the leader-selected batch: batchRecord.Jobs
}

func (c *helperChecker) check() error {
	for _, part := range []func() error{c.helperBatches, c.ids, c.buckets, c.taken, c.jobs, c.jobTimes, c.pending, c.shares, c.ledger, c.counters} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (c *helperChecker) helperBatches() error {
	c.batchJobs = make(map[uint64]uint64)
	return c.eachBatch(func(id dap.BatchID, r *batchRecord) error {
		c.batchJobs[r.Ordinal] = r.Jobs
		if r.InJobs != 0 || r.Closed || r.Hold == holdReserved {
			c.report(ruleBatch, "task %s: batch %s has %d reports in jobs, closed: %t, reserved: %t", c.sp.task, id, r.InJobs, r.Closed, r.Hold == holdReserved)
		}
		return nil
	})
}

func (c *helperChecker) ids() error {
	return c.reportIDs(func(id dap.ReportID, e idEntry) error {
		if e.state != idCounted {
			c.report(ruleOneState, "task %s: report %s is remembered, but not counted", c.sp.task, id)
		}
		return nil
	})
}

func (c *helperChecker) taken() error {
	return c.takenIntervals(func(e takenEntry) error {
		if e.hold != holdCollected {
			c.report(ruleHold, "task %s: the batch %s is held, but not collected", c.sp.task, e.interval())
		}
		return nil
	})
}

func (c *helperChecker) jobs() error {
	inBatch := make(map[uint64]uint64)
	err := c.each(c.sp.sub(bucketJobs), func(key, value []byte) error {
		stored, err := c.sp.decodeHelperJob(key, value)
		if err != nil {
			return err
		}
		if listed := bytes.Equal(c.sp.sub(bucketPending).get(be64(stored.record.Ordinal)), key); listed != stored.job.Pending {
			c.report(ruleIndex, "task %s: job %s is pending: %t, listed as pending: %t", c.sp.task, stored.job.ID, stored.job.Pending, listed)
		}
		if c.sp.sub(bucketJobTimes).get(append(be64(stored.record.Last), key...)) == nil {
			c.report(ruleIndex, "task %s: job %s is not listed by the time of its newest report", c.sp.task, stored.job.ID)
		}
		if stored.record.Batch != 0 {
			inBatch[stored.record.Batch]++
		}
		return nil
	})
	for ordinal, want := range c.batchJobs {
		if got := inBatch[ordinal]; got != want {
			c.report(ruleBatch, "task %s: batch %s has %d aggregation jobs, there are %d", c.sp.task, c.batches[ordinal], want, got)
		}
	}
	return err
}

// jobTimes checks the list of jobs by the time of their newest report.
func (c *helperChecker) jobTimes() error {
	b := c.sp.sub(bucketJobTimes)
	return c.each(b, func(key, _ []byte) error {
		if len(key) != 8+len(dap.AggregationJobID{}) {
			return b.damaged(key, "it has %d bytes", len(key))
		}
		encoded := c.sp.sub(bucketJobs).get(key[8:])
		if encoded == nil {
			c.report(ruleIndex, "task %s: job %x is listed by its time, but does not exist", c.sp.task, key[8:])
			return nil
		}
		stored, err := c.sp.decodeHelperJob(key[8:], encoded)
		if err == nil && !bytes.Equal(be64(stored.record.Last), key[:8]) {
			c.report(ruleIndex, "task %s: job %s is listed under the time of another", c.sp.task, stored.job.ID)
		}
		return nil // reported by jobs
	})
}

func (c *helperChecker) pending() error {
	return c.each(c.sp.sub(bucketPending), func(ordinal, id []byte) error {
		encoded := c.sp.sub(bucketJobs).get(id)
		if encoded == nil {
			c.report(ruleIndex, "task %s: job %x is listed as pending, but does not exist", c.sp.task, id)
			return nil
		}
		stored, err := c.sp.decodeHelperJob(id, encoded)
		if err == nil && !bytes.Equal(be64(stored.record.Ordinal), ordinal) {
			c.report(ruleIndex, "task %s: job %s is listed as pending under another's number", c.sp.task, stored.job.ID)
		}
		return nil // reported by jobs
	})
}

// shares checks that the batch of each answer is collected, and is what the answer says.
func (c *helperChecker) shares() error {
	return c.each(c.sp.sub(bucketShares), func(key, value []byte) error {
		share, err := c.sp.decodeShare(key, value)
		if err != nil {
			return err
		}
		if forgotten, err := c.forgotten(share.Batch); err != nil || forgotten {
			return err
		}
		held, owner, err := c.sp.storedHold(share.Batch)
		if err != nil {
			return err
		}
		if held != holdCollected || owner != [16]byte(share.ID) {
			c.report(ruleCollected, "task %s: the batch of aggregate share %s is not collected by it", c.sp.task, share.ID)
		}
		aggregate, err := c.sp.readBatch(share.Batch, nil)
		if err != nil {
			return c.conflict(share.Batch, err)
		}
		if aggregate.Count != share.Count || aggregate.Checksum != share.Checksum {
			c.report(ruleBucket, "task %s: the batch of aggregate share %s has changed since it was collected", c.sp.task, share.ID)
		}
		return nil
	})
}

// conflict reports a batch that cannot be read as one.
func (c *helperChecker) conflict(batch aggregator.Batch, err error) error {
	if err := c.damaged(err); err != nil {
		c.report(ruleBucket, "task %s: the buckets of batch %s %s: %v", c.sp.task, batch.Interval, batch.BatchID, err)
	}
	return nil
}

// counters leaves out the rejected reports: a Helper keeps nothing else of them.
func (c *helperChecker) counters() error {
	got, err := c.sp.helperCounters()
	if err != nil {
		return c.damaged(err)
	}
	c.number("aggregated", got.Aggregated, c.aggregated+got.ForgottenAggregated)
	c.number("collected", got.Collected, c.collected+got.ForgottenCollected)
	return nil
}
