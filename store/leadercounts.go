package store

import (
	"context"
	"encoding/binary"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// leaderCounters are a task's numbers of reports: what each method has changed,
// added up, so that nothing has to be counted.
type leaderCounters struct {
	Waiting     uint64           `cbor:"1,keyasint"`
	InJobs      uint64           `cbor:"2,keyasint"` // in active jobs
	Quarantined uint64           `cbor:"3,keyasint"` // in jobs in quarantine
	Aggregated  uint64           `cbor:"4,keyasint"` // in batch buckets
	Rejected    map[uint8]uint64 `cbor:"5,keyasint"` // by report error
	Collected   uint64           `cbor:"6,keyasint"` // in collected batches
	retained
}

func (c *leaderCounters) reject(e dap.ReportError, n uint64) {
	if c.Rejected == nil {
		c.Rejected = make(map[uint8]uint64)
	}
	c.Rejected[uint8(e)] += n
}

func (sp *space) leaderCounters() (c leaderCounters, err error) {
	encoded := sp.root.get([]byte(keyCounters))
	if encoded == nil {
		return c, nil
	}
	if err := decodeRecord(encoded, &c); err != nil {
		return c, sp.root.damaged([]byte(keyCounters), "%v", err)
	}
	return c, nil
}

// changeLeaderCounters applies f to the task's counters.
func (sp *space) changeLeaderCounters(f func(*leaderCounters)) error {
	c, err := sp.leaderCounters()
	if err != nil {
		return err
	}
	f(&c)
	return sp.root.put([]byte(keyCounters), encodeRecord(c))
}

func reportErrors(counts map[uint8]uint64) map[dap.ReportError]uint64 {
	result := make(map[dap.ReportError]uint64, len(counts))
	for e, n := range counts {
		result[dap.ReportError(e)] = n
	}
	return result
}

// Counts implements aggregator.LeaderStore.
func (l *Leader) Counts(ctx context.Context, task dap.TaskID) (counts aggregator.LeaderCounts, err error) {
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		c, err := sp.leaderCounters()
		counts = aggregator.LeaderCounts{
			Waiting: c.Waiting, InJobs: c.InJobs, Quarantined: c.Quarantined, Aggregated: c.Aggregated,
			Rejected: reportErrors(c.Rejected), Collected: c.Collected, Expired: c.expired(),
		}
		return err
	})
	return counts, err
}

// WaitingTasks implements aggregator.LeaderStore.
func (l *Leader) WaitingTasks(ctx context.Context) (map[dap.TaskID]uint64, error) {
	tasks := make(map[dap.TaskID]uint64)
	err := l.view(ctx, func(t *txn) error {
		return t.eachSpace(func(sp *space) error {
			c, err := sp.leaderCounters()
			if c.Waiting > 0 {
				tasks[sp.task] = c.Waiting
			}
			return err
		})
	})
	return tasks, err
}

// timeCounts are the numbers of pending reports of one time, so that the
// pending reports of an interval need no scan of reports.
//
//	struct {
//	  uint64 waiting;
//	  uint64 in_jobs;   // in active jobs
//	} timeCounts;
type timeCounts struct{ waiting, inJobs uint64 }

const timeCountsLength = 8 + 8

func decodeTimeCounts(b bucket, key, value []byte) (c timeCounts, err error) {
	if len(value) != timeCountsLength {
		return c, b.damaged(key, "it has %d bytes, not %d", len(value), timeCountsLength)
	}
	return timeCounts{binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])}, nil
}

// timeDelta is what one operation changes at one time.
type timeDelta struct{ waiting, inJobs int64 }

// timeDeltas are the changes of one operation to bucketTimes.
type timeDeltas map[dap.Time]timeDelta

func (d timeDeltas) add(t dap.Time, waiting, inJobs int64) {
	delta := d[t]
	delta.waiting += waiting
	delta.inJobs += inJobs
	d[t] = delta
}

// applyTimes adds the changes; a time with no pending report has no entry.
func (sp *space) applyTimes(deltas timeDeltas) error {
	b := sp.sub(bucketTimes)
	for t, delta := range deltas {
		key := be64(uint64(t))
		var c timeCounts
		if value := b.get(key); value != nil {
			var err error
			if c, err = decodeTimeCounts(b, key, value); err != nil {
				return err
			}
		}
		c.waiting += uint64(delta.waiting)
		c.inJobs += uint64(delta.inJobs)
		if int64(c.waiting) < 0 || int64(c.inJobs) < 0 {
			return b.damaged(key, "a count would fall below zero")
		}
		if err := b.putTimeCounts(key, c); err != nil {
			return err
		}
	}
	return nil
}

func (b bucket) putTimeCounts(key []byte, c timeCounts) error {
	if c == (timeCounts{}) {
		return b.delete(key)
	}
	value := binary.BigEndian.AppendUint64(nil, c.waiting)
	return b.put(key, binary.BigEndian.AppendUint64(value, c.inJobs))
}

// pendingIn adds up bucketTimes over an interval.
func (sp *space) pendingIn(i dap.Interval) (total timeCounts, err error) {
	first, last := bounds(i)
	b := sp.sub(bucketTimes)
	err = b.between(first, last, func(key, value []byte) (bool, error) {
		c, err := decodeTimeCounts(b, key, value)
		total.waiting += c.waiting
		total.inJobs += c.inJobs
		return true, err
	})
	return total, err
}

// pending counts the pending reports of a batch.
func (sp *space) pending(batch aggregator.Batch) (timeCounts, error) {
	if err := sp.checkBatch(batch); err != nil {
		return timeCounts{}, err
	}
	if sp.mode == dap.BatchModeTimeInterval {
		return sp.pendingIn(batch.Interval)
	}
	r, err := sp.batch(batch.BatchID)
	if err != nil || r == nil {
		return timeCounts{}, err
	}
	return timeCounts{inJobs: r.InJobs}, nil
}

// PendingReports implements aggregator.LeaderStore.
func (l *Leader) PendingReports(ctx context.Context, task dap.TaskID, batch aggregator.Batch) (waiting, inJobs uint64, err error) {
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		c, err := sp.pending(batch)
		waiting, inJobs = c.waiting, c.inJobs
		return err
	})
	return waiting, inJobs, err
}
