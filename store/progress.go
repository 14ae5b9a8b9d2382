package store

import (
	"context"
	"encoding/binary"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// keyReady, beside the task's buckets, is the interval that ReadyInterval has told: be64 of its start and of its end.
const keyReady = "ready"

// BucketCounts implements aggregator.LeaderStore.
func (l *Leader) BucketCounts(ctx context.Context, task dap.TaskID, from dap.Time, least uint64, most int) (counts []aggregator.BucketCounts, err error) {
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil || sp.mode != dap.BatchModeTimeInterval {
			return err
		}
		floor, err := sp.floor()
		if err != nil {
			return err
		}
		counts, err = sp.bucketCounts(max(from, floor), least, most)
		return err
	})
	return counts, err
}

// bucketCounts walks over the batch buckets and the pending reports' times together.
func (sp *space) bucketCounts(from dap.Time, least uint64, most int) (counts []aggregator.BucketCounts, err error) {
	free, err := sp.newFreeTimes(from)
	if err != nil {
		return nil, err
	}
	buckets, times := sp.sub(bucketBuckets), sp.sub(bucketTimes)
	counted, pending := buckets.b.Cursor(), times.b.Cursor()
	bucketKey, bucketValue := counted.Seek(be64(uint64(from)))
	timeKey, timeValue := pending.Seek(be64(uint64(from)))
	for (bucketKey != nil || timeKey != nil) && len(counts) < most {
		var c aggregator.BucketCounts
		first := bucketKey
		if first == nil || timeKey != nil && string(timeKey) < string(first) {
			first = timeKey
		}
		if c.Time, err = buckets.timeOf(first); err != nil {
			return nil, err
		}
		if string(timeKey) == string(first) {
			p, err := decodeTimeCounts(times, timeKey, timeValue)
			if err != nil {
				return nil, err
			}
			c.Pending = p.waiting + p.inJobs
			timeKey, timeValue = pending.Next()
		}
		if string(bucketKey) == string(first) {
			if c.Counted, err = buckets.countOf(bucketKey, bucketValue); err != nil {
				return nil, err
			}
			bucketKey, bucketValue = counted.Next()
		}
		if c.Pending < least && c.Counted < least {
			continue
		}
		if _, ok, err := free.around(c.Time); err != nil {
			return nil, err
		} else if ok {
			counts = append(counts, c)
		}
	}
	return counts, nil
}

// countOf reads the number of reports of a batch bucket, without its share.
func (b bucket) countOf(key, encoded []byte) (uint64, error) {
	var r struct {
		Count uint64 `cbor:"2,keyasint"`
	}
	if err := lenientDecoding.Unmarshal(encoded, &r); err != nil || r.Count == 0 {
		return 0, b.damaged(key, "its count cannot be read")
	}
	return r.Count, nil
}

// freeTimes finds the gaps between the intervals that collections hold, for times that only rise.
type freeTimes struct {
	taken      bucket
	key, value []byte // the first interval that ends after the newest time
	next       func() (key, value []byte)
	from       uint64 // the end of the one before it, or the floor
}

func (sp *space) newFreeTimes(from dap.Time) (*freeTimes, error) {
	floor, err := sp.floor()
	if err != nil {
		return nil, err
	}
	cursor := sp.sub(bucketTaken).b.Cursor()
	f := &freeTimes{taken: sp.sub(bucketTaken), from: uint64(floor), next: cursor.Next}
	f.key, f.value = cursor.Seek(be64(uint64(from)))
	if f.key == nil { // the last may reach beyond from, and tells where the gap begins
		f.key, f.value = cursor.Last()
	} else if key, value := cursor.Prev(); key != nil {
		f.key, f.value = key, value
	} else {
		f.key, f.value = cursor.First()
	}
	return f, nil
}

// gap is the time from from up to but without until (0: for ever) that no collection holds.
type gap struct{ from, until uint64 }

// around returns the gap that t lies in; false if a collection holds t.
func (f *freeTimes) around(t dap.Time) (gap, bool, error) {
	for f.key != nil {
		e, err := decodeTaken(f.taken, f.key, f.value)
		if err != nil {
			return gap{}, false, err
		}
		if e.end > uint64(t) {
			return gap{f.from, e.start}, uint64(t) < e.start, nil
		}
		f.from = max(f.from, e.end)
		f.key, f.value = f.next()
	}
	return gap{from: f.from}, true, nil
}

// ReadyInterval implements aggregator.LeaderStore.
func (l *Leader) ReadyInterval(ctx context.Context, task dap.TaskID, least uint64) (ready *aggregator.ReadyInterval, err error) {
	var told bool
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil || sp.mode != dap.BatchModeTimeInterval {
			return err
		}
		ready, told, err = sp.readyInterval(least)
		return err
	})
	if err != nil || ready == nil || told {
		return ready, err
	}
	err = l.update(ctx, 64, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		if ready, told, err = sp.readyInterval(least); err != nil || told || ready == nil {
			return err
		}
		start := uint64(ready.Interval.Start)
		return sp.root.put([]byte(keyReady), append(be64(start), be64(start+uint64(ready.Interval.Duration))...))
	})
	if err != nil {
		return nil, err
	}
	return ready, nil
}

// readyInterval returns the interval that was told before, or looks for one that was not.
func (sp *space) readyInterval(least uint64) (ready *aggregator.ReadyInterval, told bool, err error) {
	if value := sp.root.get([]byte(keyReady)); value != nil {
		if len(value) != 16 {
			return nil, false, sp.root.damaged([]byte(keyReady), "it has %d bytes, not 16", len(value))
		}
		start, end := binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])
		free, err := sp.newFreeTimes(dap.Time(start))
		if err != nil {
			return nil, false, err
		}
		g, ok, err := free.around(dap.Time(start))
		if err != nil {
			return nil, false, err
		}
		if ok && start < end && start >= g.from && (g.until == 0 || end <= g.until) {
			return newReadyInterval(start, end, g), true, nil
		}
	}
	ready, err = sp.findReady(least)
	return ready, false, err
}

func newReadyInterval(start, end uint64, g gap) *aggregator.ReadyInterval {
	return &aggregator.ReadyInterval{
		Interval: dap.Interval{Start: dap.Time(start), Duration: dap.Duration(end - start)},
		FreeFrom: dap.Time(g.from), FreeUntil: dap.Time(g.until),
	}
}

// findReady adds the buckets of each gap up, in the order of time, until there are enough.
func (sp *space) findReady(least uint64) (ready *aggregator.ReadyInterval, err error) {
	floor, err := sp.floor()
	if err != nil {
		return nil, err
	}
	free, err := sp.newFreeTimes(floor)
	if err != nil {
		return nil, err
	}
	var current gap
	var start, count uint64
	buckets := sp.sub(bucketBuckets)
	err = buckets.between(be64(uint64(floor)), be64(^uint64(0)-1), func(key, encoded []byte) (bool, error) {
		t, err := buckets.timeOf(key)
		if err != nil {
			return false, err
		}
		g, ok, err := free.around(t)
		if err != nil || !ok {
			return err == nil, err
		}
		if g != current || count == 0 {
			current, start, count = g, uint64(t), 0
		}
		n, err := buckets.countOf(key, encoded)
		if err != nil {
			return false, err
		}
		if count += n; count >= least {
			ready = newReadyInterval(start, uint64(t)+1, g)
		}
		return ready == nil, nil
	})
	return ready, err
}
