package store

import (
	"context"
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// Contents is all that a store says of one task's reports, read in one
// transaction. It is made for tests that compare a store with a model of what
// it should hold. The buckets' aggregate shares are secret.
type Contents struct {
	// Reports are all report IDs that are remembered.
	Reports []ReportStanding
	// Waiting are the sequence numbers of a Leader's waiting reports.
	Waiting []uint64
	// Jobs are a Leader's aggregation jobs, those that are not active too.
	Jobs []aggregator.AggregationJob
	// Buckets are the batch buckets.
	Buckets []BucketStanding
	// Collected are the batches that were collected.
	Collected []aggregator.Batch
	// Closed are a Leader's intervals that refuse uploads, in the time-interval mode.
	Closed []dap.Interval
	// Floor is the task's floor, below which reports are forgotten.
	Floor dap.Time
	// Ledger is what a task with differential privacy has spent, and Charged are the batches that were charged.
	Ledger  aggregator.PrivacyLedger
	Charged []aggregator.Batch
}

// ReportStanding is what has become of a report.
type ReportStanding struct {
	ID    dap.ReportID
	Time  dap.Time
	State ReportState
	// Sequence is that of an open report.
	Sequence uint64
	// Bucket is that of a counted report; its batch ID is zero if the batch was below the floor and is forgotten.
	Bucket aggregator.BucketID
	// Error is that of a rejected report.
	Error dap.ReportError
}

// ReportState is where a report stands in the index of report IDs.
type ReportState uint8

const (
	ReportOpen     = ReportState(idOpen)    // it waits, or is in an aggregation job
	ReportCounted  = ReportState(idCounted) // it is in a batch bucket
	ReportRejected = ReportState(idRejected)
)

// BucketStanding is a batch bucket (DAP Section 4.5.4.3).
type BucketStanding struct {
	ID       aggregator.BucketID
	Share    []byte // the encoded aggregate share
	Count    uint64
	Checksum dap.Checksum
	AggParam []byte
}

// Contents reads all that the store says of a task's reports. An unknown task
// is aggregator.ErrNotFound.
func (s *store) Contents(ctx context.Context, task dap.TaskID) (Contents, error) {
	var c Contents
	err := s.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		return sp.contents(&c)
	})
	return c, err
}

func (sp *space) contents(c *Contents) (err error) {
	if c.Floor, err = sp.floor(); err != nil {
		return err
	}
	batches, err := sp.batchContents(c)
	if err != nil {
		return err
	}
	if err := sp.reportContents(c, batches); err != nil {
		return err
	}
	if err := sp.bucketContents(c); err != nil {
		return err
	}
	if err := sp.ledgerContents(c); err != nil {
		return err
	}
	if sp.t.role != dap.RoleLeader {
		return nil
	}
	return sp.leaderContents(c)
}

// batchContents reads which batches are collected, and the ordinals of the leader-selected ones.
func (sp *space) batchContents(c *Contents) (map[uint64]dap.BatchID, error) {
	if sp.mode == dap.BatchModeTimeInterval {
		taken := sp.sub(bucketTaken)
		return nil, taken.each(func(key, value []byte) error {
			e, err := decodeTaken(taken, key, value)
			if err == nil && e.hold == holdCollected {
				c.Collected = append(c.Collected, aggregator.Batch{Mode: sp.mode, Interval: e.interval()})
			}
			return err
		})
	}
	ordinals := make(map[uint64]dap.BatchID)
	batches := sp.sub(bucketBatches)
	return ordinals, batches.each(func(key, value []byte) error {
		r, err := batches.decodeBatch(key, value)
		if err != nil {
			return err
		}
		ordinals[r.Ordinal] = dap.BatchID(key)
		if r.Hold == holdCollected {
			c.Collected = append(c.Collected, aggregator.Batch{Mode: sp.mode, BatchID: dap.BatchID(key)})
		}
		return nil
	})
}

func (sp *space) reportContents(c *Contents, batches map[uint64]dap.BatchID) error {
	index, err := sp.reportIDs()
	if err != nil {
		return err
	}
	return index.each(func(at idPlace, e idEntry) error {
		e = sp.standing(e)
		standing := ReportStanding{ID: *at.id, Time: e.time, State: ReportState(e.state), Sequence: e.sequence, Error: e.error}
		if e.state == idCounted {
			standing.Bucket = sp.bucketID(e.time, batches[e.ordinal])
		}
		c.Reports = append(c.Reports, standing)
		return nil
	})
}

func (sp *space) bucketContents(c *Contents) error {
	buckets := sp.sub(bucketBuckets)
	return buckets.each(func(key, value []byte) error {
		r, err := buckets.decodeBatchBucket(key, value)
		if err != nil {
			return err
		}
		standing := BucketStanding{Share: r.Share, Count: r.Count, Checksum: dap.Checksum(r.Checksum), AggParam: r.AggParam}
		if sp.mode == dap.BatchModeTimeInterval {
			standing.ID.Time, err = buckets.timeOf(key)
		} else {
			err = copyExactly("batch ID", standing.ID.BatchID[:], key)
		}
		c.Buckets = append(c.Buckets, standing)
		return err
	})
}

func (sp *space) ledgerContents(c *Contents) error {
	record, err := sp.ledger()
	if err != nil {
		return err
	}
	c.Ledger = aggregator.PrivacyLedger{Batches: record.Batches, Assumed: record.Assumed}
	return sp.sub(bucketLedger).each(func(key, value []byte) error {
		batch, _, err := sp.decodeCharge(key, value)
		c.Charged = append(c.Charged, batch)
		return err
	})
}

func (sp *space) leaderContents(c *Contents) error {
	waiting := sp.sub(bucketWaiting)
	err := waiting.each(func(key, _ []byte) error {
		sequence, err := waiting.ordinalOf(key)
		c.Waiting = append(c.Waiting, sequence)
		return err
	})
	if err != nil {
		return err
	}
	err = sp.sub(bucketJobs).each(func(key, value []byte) error {
		stored, err := sp.decodeStoredJob(slices.Clone(key), value)
		if err == nil {
			c.Jobs = append(c.Jobs, stored.job)
		}
		return err
	})
	if err != nil || sp.mode != dap.BatchModeTimeInterval {
		return err
	}
	closed := sp.sub(bucketClosed)
	return closed.each(func(key, value []byte) error {
		start, end, err := closed.decodeClosed(key, value)
		c.Closed = append(c.Closed, dap.Interval{Start: dap.Time(start), Duration: dap.Duration(end - start)})
		return err
	})
}
