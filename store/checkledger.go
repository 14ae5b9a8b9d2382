package store

import (
	"github.com/twofold-dap/twofold/aggregator"
)

// ledger checks that each collected batch of a task with differential privacy was charged, and that nothing
// else was. It comes when charged is complete.
func (c *spaceChecker) ledger() error {
	if c.sp.t.top(bucketTasks).get(c.sp.task[:]) == nil {
		return nil // reported by space
	}
	p, private, err := c.sp.privacy()
	if err != nil {
		return c.damaged(err)
	}
	record, err := c.sp.ledger()
	if err != nil {
		return c.damaged(err)
	}
	charges := uint64(0)
	err = c.each(c.sp.sub(bucketLedger), func(owner, value []byte) error {
		charges++
		batch, _, err := c.sp.decodeCharge(owner, value)
		if err != nil {
			return err
		}
		if forgotten, err := c.forgotten(batch); err != nil || forgotten {
			return err
		}
		held, holder, err := c.sp.storedHold(batch)
		if err == nil && (held != holdCollected || holder != [16]byte(owner)) {
			c.report(ruleLedger, "task %s: %x was charged for a batch that it has not collected", c.sp.task, owner)
		}
		return err
	})
	if err != nil {
		return err
	}
	if charges != record.Batches {
		c.report(ruleLedger, "task %s: %d batches were charged, the ledger says %d", c.sp.task, charges, record.Batches)
	}
	if !private {
		if charges > 0 {
			c.report(ruleLedger, "task %s: %d batches were charged, though it has no differential privacy", c.sp.task, charges)
		}
		return nil
	}
	if loss := p.ClientLoss(record.total().Batches); loss.Cmp(p.Budget) > 0 {
		c.report(ruleLedger, "task %s: a client has lost %s, and the budget is %s", c.sp.task, loss.RatString(), p.Budget.RatString())
	}
	return c.collectedAreCharged()
}

// collectedAreCharged checks that each batch that is known to be collected has its charge.
func (c *spaceChecker) collectedAreCharged() error {
	charges := c.sp.sub(bucketLedger)
	uncharged := func(batch aggregator.Batch, owner []byte) {
		if charges.get(owner) == nil {
			c.report(ruleLedger, "task %s: the batch %s %s is collected by %x, and was not charged", c.sp.task, batch.Interval, batch.BatchID, owner)
		}
	}
	err := c.each(c.sp.sub(bucketTaken), func(key, value []byte) error {
		e, err := decodeTaken(c.sp.sub(bucketTaken), key, value)
		if err == nil && e.hold == holdCollected {
			uncharged(aggregator.Batch{Mode: c.sp.mode, Interval: e.interval()}, e.owner[:])
		}
		return nil // what does not decode is reported by taken
	})
	if err != nil {
		return err
	}
	batches := c.sp.sub(bucketBatches)
	return c.each(batches, func(key, value []byte) error {
		r, err := batches.decodeBatch(key, value)
		if err == nil && r.Hold == holdCollected {
			uncharged(aggregator.Batch{Mode: c.sp.mode, BatchID: [32]byte(key)}, r.Owner)
		}
		return nil
	})
}
