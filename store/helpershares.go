package store

import (
	"context"
	"fmt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// helperCounters are a task's numbers of reports at a Helper.
type helperCounters struct {
	Aggregated uint64           `cbor:"1,keyasint"`
	Rejected   map[uint8]uint64 `cbor:"2,keyasint"` // by report error
	Collected  uint64           `cbor:"3,keyasint"`
	retained
}

func (c *helperCounters) reject(e dap.ReportError) {
	if c.Rejected == nil {
		c.Rejected = make(map[uint8]uint64)
	}
	c.Rejected[uint8(e)]++
}

func (sp *space) helperCounters() (c helperCounters, err error) {
	encoded := sp.root.get([]byte(keyCounters))
	if encoded == nil {
		return c, nil
	}
	if err := decodeRecord(encoded, &c); err != nil {
		return c, sp.root.damaged([]byte(keyCounters), "%v", err)
	}
	return c, nil
}

func (sp *space) changeHelperCounters(f func(*helperCounters)) error {
	c, err := sp.helperCounters()
	if err != nil {
		return err
	}
	f(&c)
	return sp.root.put([]byte(keyCounters), encodeRecord(c))
}

// HelperCounts implements aggregator.HelperStore.
func (h *Helper) HelperCounts(ctx context.Context, task dap.TaskID) (counts aggregator.HelperCounts, err error) {
	err = h.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		c, err := sp.helperCounters()
		counts = aggregator.HelperCounts{Aggregated: c.Aggregated, Rejected: reportErrors(c.Rejected), Collected: c.Collected, Expired: c.expired()}
		return err
	})
	return counts, err
}

// shareRecord is an aggregator.AggregateShareRecord. Its batch's mode is the task's.
type shareRecord struct {
	RequestDigest []byte `cbor:"1,keyasint"`
	Start         uint64 `cbor:"2,keyasint"` // of the batch interval
	Duration      uint64 `cbor:"3,keyasint"`
	BatchID       []byte `cbor:"4,keyasint"`
	Count         uint64 `cbor:"5,keyasint"`
	Checksum      []byte `cbor:"6,keyasint"`
	Response      []byte `cbor:"7,keyasint"`
	CreatedAt     int64  `cbor:"8,keyasint"`
}

func newShareRecord(s *aggregator.AggregateShareRecord) *shareRecord {
	return &shareRecord{
		RequestDigest: s.RequestDigest[:], Start: uint64(s.Batch.Interval.Start), Duration: uint64(s.Batch.Interval.Duration),
		BatchID: s.Batch.BatchID[:], Count: s.Count, Checksum: s.Checksum[:], Response: s.Response, CreatedAt: stamp(s.CreatedAt),
	}
}

func (sp *space) decodeShare(key, encoded []byte) (s aggregator.AggregateShareRecord, err error) {
	b := sp.sub(bucketShares)
	var r shareRecord
	if err := decodeRecord(encoded, &r); err != nil {
		return s, b.damaged(key, "%v", err)
	}
	s = aggregator.AggregateShareRecord{
		Task: sp.task, Count: r.Count, Response: r.Response, CreatedAt: unstamp(r.CreatedAt),
		Batch: aggregator.Batch{Mode: sp.mode, Interval: dap.Interval{Start: dap.Time(r.Start), Duration: dap.Duration(r.Duration)}},
	}
	err = firstError(
		copyExactly("aggregate share ID", s.ID[:], key),
		copyExactly("request digest", s.RequestDigest[:], r.RequestDigest),
		copyExactly("batch ID", s.Batch.BatchID[:], r.BatchID),
		copyExactly("checksum", s.Checksum[:], r.Checksum),
	)
	if err == nil && sp.mode == dap.BatchModeTimeInterval {
		err = s.Batch.Interval.CheckWellFormed()
	}
	if err == nil && len(s.Response) == 0 {
		err = fmt.Errorf("it has no response")
	}
	if err != nil {
		return s, b.damaged(key, "%v", err)
	}
	return s, nil
}

// share reads an answer, or gives aggregator.ErrNotFound.
func (sp *space) share(id dap.AggregateShareID) (aggregator.AggregateShareRecord, error) {
	encoded := sp.sub(bucketShares).get(id[:])
	if encoded == nil {
		return aggregator.AggregateShareRecord{}, about(aggregator.ErrNotFound, "aggregate share %s", id)
	}
	return sp.decodeShare(id[:], encoded)
}

// PutAggregateShare implements aggregator.HelperStore.
func (h *Helper) PutAggregateShare(ctx context.Context, share aggregator.AggregateShareRecord) (stored aggregator.AggregateShareRecord, err error) {
	if len(share.Response) == 0 {
		return stored, inputError("aggregate share", "it has no response")
	}
	err = h.update(ctx, len(share.Response), func(t *txn) error {
		sp, err := t.space(share.Task)
		if err != nil {
			return err
		}
		if encoded := sp.sub(bucketShares).get(share.ID[:]); encoded != nil {
			stored, err = sp.decodeShare(share.ID[:], encoded)
			return err
		}
		stored = share
		return sp.putShare(&share)
	})
	if err != nil {
		return aggregator.AggregateShareRecord{}, err
	}
	return stored, nil
}

func (sp *space) putShare(share *aggregator.AggregateShareRecord) error {
	if err := sp.checkBatch(share.Batch); err != nil {
		return err
	}
	held, _, err := sp.holdOf(share.Batch)
	if err != nil {
		return err
	}
	if held != 0 {
		return about(aggregator.ErrBatchOverlap, "aggregate share %s", share.ID)
	}
	if err := sp.checkAggregate(share.Batch, share.Count, share.Checksum); err != nil {
		return err
	}
	if err := sp.charge(share.Batch, share.ID, share.Count, stamp(share.CreatedAt)); err != nil {
		return err
	}
	if err := sp.collect(share); err != nil {
		return err
	}
	id := share.ID
	return firstError(
		sp.sub(bucketShares).put(id[:], encodeRecord(newShareRecord(share))),
		sp.changeHelperCounters(func(c *helperCounters) { c.Collected += share.Count }),
	)
}

// collect marks the batch of an aggregate share as collected. A leader-selected
// batch that the Helper has no report of is made for it.
func (sp *space) collect(share *aggregator.AggregateShareRecord) error {
	if sp.mode == dap.BatchModeLeaderSelected {
		r, err := sp.batch(share.Batch.BatchID)
		if err != nil {
			return err
		}
		if r == nil {
			if r, err = sp.newBatch(stamp(share.CreatedAt)); err != nil {
				return err
			}
			if err := sp.putBatch(share.Batch.BatchID, r); err != nil {
				return err
			}
		}
	}
	return sp.setBatchHold(share.Batch, holdCollected, share.ID)
}

// AggregateShare implements aggregator.HelperStore.
func (h *Helper) AggregateShare(ctx context.Context, task dap.TaskID, id dap.AggregateShareID) (share aggregator.AggregateShareRecord, err error) {
	err = h.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		share, err = sp.share(id)
		return err
	})
	return share, err
}

// Collected implements aggregator.HelperStore.
func (h *Helper) Collected(ctx context.Context, task dap.TaskID, batch aggregator.Batch) (collected bool, err error) {
	err = h.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		if err := sp.checkBatch(batch); err != nil {
			return err
		}
		held, _, err := sp.holdOf(batch)
		collected = held == holdCollected
		return err
	})
	return collected, err
}

// DeleteAggregateShare implements aggregator.HelperStore.
func (h *Helper) DeleteAggregateShare(ctx context.Context, task dap.TaskID, id dap.AggregateShareID) error {
	return h.update(ctx, 0, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		if _, err := sp.share(id); err != nil {
			return err
		}
		return sp.sub(bucketShares).delete(id[:])
	})
}
