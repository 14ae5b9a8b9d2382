package store

import (
	"bytes"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// collections checks a Leader's collection jobs.
func (c *leaderChecker) collections() error {
	return c.each(c.sp.sub(bucketCollections), func(key, value []byte) error {
		collection, err := c.sp.decodeCollection(key, value)
		if err != nil {
			return err
		}
		job := &collection.job
		if !bytes.Equal(c.sp.sub(bucketRequests).get(job.RequestDigest[:]), key) {
			c.report(ruleIndex, "task %s: collection job %s cannot be found by its request", c.sp.task, job.ID)
		}
		listed := bytes.Equal(c.sp.sub(bucketUnfinished).get(be64(collection.record.Ordinal)), key)
		if listed != collection.record.unfinished() {
			c.report(ruleIndex, "task %s: collection job %s is unfinished: %t, listed as unfinished: %t", c.sp.task, job.ID, !listed, listed)
		}
		if (job.State == aggregator.CollectionFinished) != (job.Response != nil) || (job.State == aggregator.CollectionFailed) != (job.Failure != nil) {
			c.report(ruleCollected, "task %s: collection job %s is in state %d, but its answer is not", c.sp.task, job.ID, job.State)
		}
		return c.holds(collection)
	})
}

// holds checks that a collection job has the batch that its state says.
func (c *leaderChecker) holds(collection *storedCollection) error {
	job := &collection.job
	if !collection.assigned(c.sp) {
		if job.State != aggregator.CollectionPending && job.State != aggregator.CollectionFailed {
			c.report(ruleCollected, "task %s: collection job %s is in state %d, but has no batch", c.sp.task, job.ID, job.State)
		}
		return nil
	}
	held, owner, err := c.sp.storedHold(job.Batch)
	if err != nil {
		return err
	}
	if forgotten, err := c.forgotten(job.Batch); err != nil || forgotten && held == 0 {
		return err
	}
	mine := owner == [16]byte(job.ID)
	if job.State == aggregator.CollectionPending && c.sp.mode == dap.BatchModeTimeInterval && !mine {
		return nil // it reserves its batch when it is closed, at the latest
	}
	switch {
	case job.State == aggregator.CollectionFinished && !(mine && held == holdCollected):
		c.report(ruleCollected, "task %s: collection job %s is finished, but its batch is not collected by it", c.sp.task, job.ID)
	case collection.record.unfinished() && !(mine && held == holdReserved):
		c.report(ruleHold, "task %s: collection job %s is unfinished, but its batch is not reserved by it", c.sp.task, job.ID)
	}
	return nil
}

func (c *leaderChecker) requests() error {
	return c.each(c.sp.sub(bucketRequests), func(digest, id []byte) error {
		encoded := c.sp.sub(bucketCollections).get(id)
		if encoded == nil {
			c.report(ruleIndex, "task %s: a request leads to collection job %x, which does not exist", c.sp.task, id)
			return nil
		}
		collection, err := c.sp.decodeCollection(id, encoded)
		if err == nil && !bytes.Equal(collection.record.RequestDigest, digest) {
			c.report(ruleIndex, "task %s: a request leads to collection job %s, which has another", c.sp.task, collection.job.ID)
		}
		return nil // reported by collections
	})
}

func (c *leaderChecker) unfinished() error {
	return c.each(c.sp.sub(bucketUnfinished), func(ordinal, id []byte) error {
		encoded := c.sp.sub(bucketCollections).get(id)
		if encoded == nil {
			c.report(ruleIndex, "task %s: collection job %x is listed as unfinished, but does not exist", c.sp.task, id)
			return nil
		}
		collection, err := c.sp.decodeCollection(id, encoded)
		if err == nil && !bytes.Equal(be64(collection.record.Ordinal), ordinal) {
			c.report(ruleIndex, "task %s: collection job %s is listed as unfinished under another's number", c.sp.task, collection.job.ID)
		}
		return nil // reported by collections
	})
}

// taken checks the batch intervals that are reserved or collected.
func (c *leaderChecker) taken() error {
	return c.takenIntervals(func(e takenEntry) error {
		batch := aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: e.interval()}
		if e.hold == holdReserved {
			return c.holder(e.hold, e.owner, batch)
		}
		pending, err := c.sp.pendingIn(batch.Interval)
		if err != nil {
			return err
		}
		late := uint64(0)
		for t, n := range c.lateTimes {
			if batch.Interval.Contains(t) {
				late += n
			}
		}
		if pending.waiting > 0 || pending.inJobs > late {
			c.report(rulePending, "task %s: in the collected batch %s, %d reports wait and %d are in jobs", c.sp.task, e.interval(), pending.waiting, pending.inJobs)
		}
		return c.fullyClosed(e)
	})
}

// fullyClosed checks that a collected interval takes no uploads. The closed
// intervals do not touch, so one of them must contain it.
func (c *leaderChecker) fullyClosed(e takenEntry) error {
	b := c.sp.sub(bucketClosed)
	key, value := b.last(be64(e.start))
	if key != nil {
		_, end, err := b.decodeClosed(key, value)
		if err != nil || end >= e.end {
			return err
		}
	}
	c.report(rulePending, "task %s: the collected batch %s is not closed", c.sp.task, e.interval())
	return nil
}

func (c *leaderChecker) closed() error {
	b := c.sp.sub(bucketClosed)
	first, last := true, uint64(0)
	return c.each(b, func(key, value []byte) error {
		start, end, err := b.decodeClosed(key, value)
		if err != nil {
			return err
		}
		if !first && start <= last {
			c.report(ruleOverlap, "task %s: the closed interval from %d is not apart from the one before", c.sp.task, start)
		}
		first, last = false, end
		return nil
	})
}
