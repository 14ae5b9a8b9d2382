package store

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf"
)

// bucketRecord is a batch bucket (DAP Section 4.5.4.3). Its key is the
// time of its reports in the time-interval mode, else the batch ID.
type bucketRecord struct {
	Share    []byte `cbor:"1,keyasint"` // the encoded aggregate share
	Count    uint64 `cbor:"2,keyasint"`
	Checksum []byte `cbor:"3,keyasint"`
	First    uint64 `cbor:"4,keyasint"` // the smallest and the greatest of the reports' times
	Last     uint64 `cbor:"5,keyasint"`
	AggParam []byte `cbor:"6,keyasint"`
}

func (b bucket) decodeBatchBucket(key, encoded []byte) (r bucketRecord, err error) {
	if err := decodeRecord(encoded, &r); err != nil {
		return r, b.damaged(key, "%v", err)
	}
	if len(r.Checksum) != len(dap.Checksum{}) || r.First > r.Last || r.Count == 0 {
		return r, b.damaged(key, "count %d, checksum of %d bytes, times %d to %d", r.Count, len(r.Checksum), r.First, r.Last)
	}
	return r, nil
}

// addition is what one operation adds to one batch bucket.
type addition struct {
	id       aggregator.BucketID
	shares   []vdaf.OutShare
	share    []byte // the aggregate share of all of shares alone
	checksum dap.Checksum
	first    dap.Time
	last     dap.Time
}

func (a *addition) add(id *dap.ReportID, t dap.Time, share vdaf.OutShare) {
	if len(a.shares) == 0 {
		a.first, a.last = t, t
	}
	a.first, a.last = min(a.first, t), max(a.last, t)
	a.checksum.Add(*id)
	a.shares = append(a.shares, share)
}

// sum computes share, which needs no transaction.
func (a *addition) sum(aggParam []byte, agg aggregator.Aggregator) (err error) {
	a.share, err = agg.AggUpdate(aggParam, agg.AggInit(aggParam), a.shares)
	return err
}

// bucketID names the bucket of a report.
func (sp *space) bucketID(t dap.Time, batch dap.BatchID) aggregator.BucketID {
	if sp.mode == dap.BatchModeTimeInterval {
		return aggregator.BucketID{Time: t}
	}
	return aggregator.BucketID{BatchID: batch}
}

func (sp *space) bucketKey(id aggregator.BucketID) []byte {
	if sp.mode == dap.BatchModeTimeInterval {
		return be64(uint64(id.Time))
	}
	return id.BatchID[:]
}

// addToBucket merges an addition into its bucket. Another aggregation parameter
// than the bucket's is ErrConflict.
func (sp *space) addToBucket(a *addition, aggParam []byte, agg aggregator.Aggregator) error {
	buckets := sp.sub(bucketBuckets)
	key := sp.bucketKey(a.id)
	record := bucketRecord{
		Share: a.share, Count: uint64(len(a.shares)), Checksum: a.checksum[:],
		First: uint64(a.first), Last: uint64(a.last), AggParam: aggParam,
	}
	if encoded := buckets.get(key); encoded != nil {
		stored, err := buckets.decodeBatchBucket(key, encoded)
		if err != nil {
			return err
		}
		if !bytes.Equal(stored.AggParam, aggParam) {
			return about(aggregator.ErrConflict, "batch bucket %x was aggregated with another parameter", key)
		}
		if record.Share, err = agg.Merge(aggParam, stored.Share, a.share); err != nil {
			return err
		}
		record.Count += stored.Count
		checksum := a.checksum
		checksum.Xor(dap.Checksum(stored.Checksum))
		record.Checksum = checksum[:]
		record.First = min(record.First, stored.First)
		record.Last = max(record.Last, stored.Last)
	}
	return buckets.put(key, encodeRecord(record))
}

// mergeChunk is how many buckets' shares ReadBatch holds at a time.
const mergeChunk = 64

// batchReader merges buckets into an Aggregate.
type batchReader struct {
	agg         aggregator.Aggregator
	share       []byte
	pending     [][]byte
	record      bucketRecord // count, times, parameter of what was read
	checksum    dap.Checksum
	bucketsRead int
}

func (r *batchReader) read(buckets bucket, key, encoded []byte) error {
	record, err := buckets.decodeBatchBucket(key, encoded)
	if err != nil {
		return err
	}
	if r.bucketsRead == 0 {
		r.record.AggParam, r.record.First, r.record.Last = record.AggParam, record.First, record.Last
	} else if !bytes.Equal(r.record.AggParam, record.AggParam) {
		return about(aggregator.ErrConflict, "the buckets of the batch were aggregated with different parameters")
	}
	r.bucketsRead++
	r.record.Count += record.Count
	r.record.First = min(r.record.First, record.First)
	r.record.Last = max(r.record.Last, record.Last)
	r.checksum.Xor(dap.Checksum(record.Checksum))
	if r.agg == nil {
		return nil
	}
	if r.pending = append(r.pending, record.Share); len(r.pending) == mergeChunk {
		return r.merge()
	}
	return nil
}

func (r *batchReader) merge() (err error) {
	if r.share != nil {
		r.pending = append(r.pending, r.share)
	}
	r.share, err = r.agg.Merge(r.record.AggParam, r.pending...)
	r.pending = r.pending[:0]
	return err
}

// readBatch merges the buckets of a batch. Without an Aggregator it leaves the share out.
func (sp *space) readBatch(batch aggregator.Batch, agg aggregator.Aggregator) (aggregator.Aggregate, error) {
	if err := sp.checkBatch(batch); err != nil {
		return aggregator.Aggregate{}, err
	}
	reader := batchReader{agg: agg}
	if err := sp.eachBucket(batch, reader.read); err != nil {
		return aggregator.Aggregate{}, err
	}
	if reader.bucketsRead == 0 {
		return aggregator.Aggregate{}, nil
	}
	if len(reader.pending) > 0 {
		if err := reader.merge(); err != nil {
			return aggregator.Aggregate{}, err
		}
	}
	return aggregator.Aggregate{
		Share: reader.share, Count: reader.record.Count, Checksum: reader.checksum,
		Interval: dap.Interval{Start: dap.Time(reader.record.First), Duration: dap.Duration(reader.record.Last - reader.record.First + 1)},
		AggParam: reader.record.AggParam,
	}, nil
}

// eachBucket calls f for the buckets of a batch that exist.
func (sp *space) eachBucket(batch aggregator.Batch, f func(buckets bucket, key, encoded []byte) error) error {
	buckets := sp.sub(bucketBuckets)
	if sp.mode == dap.BatchModeLeaderSelected {
		if encoded := buckets.get(batch.BatchID[:]); encoded != nil {
			return f(buckets, batch.BatchID[:], encoded)
		}
		return nil
	}
	first, last := bounds(batch.Interval)
	return buckets.between(first, last, func(key, encoded []byte) (bool, error) {
		if len(key) != 8 {
			return false, buckets.damaged(key, "its key has %d bytes, not 8", len(key))
		}
		return true, f(buckets, key, encoded)
	})
}

// bounds are the keys of the first and the last time of an interval that is well formed.
func bounds(i dap.Interval) (first, last []byte) {
	return be64(uint64(i.Start)), be64(uint64(i.Start) + uint64(i.Duration) - 1)
}

// checkBatch says whether a batch makes sense for the task.
func (sp *space) checkBatch(batch aggregator.Batch) error {
	if batch.Mode != sp.mode {
		return inputError("batch mode", "it is %s, the task's is %s", batch.Mode, sp.mode)
	}
	if batch.Mode == dap.BatchModeTimeInterval {
		if err := batch.Interval.CheckWellFormed(); err != nil {
			return err
		}
	}
	return nil
}

// checkTime refuses the last time there is: no interval contains it.
func checkTime(t dap.Time) error {
	if t == lastTime {
		return inputError("report time", "no interval contains %d", uint64(t))
	}
	return nil
}

const lastTime = ^dap.Time(0)

// ReadBatch implements aggregator.Store.
func (s *store) ReadBatch(ctx context.Context, task dap.TaskID, batch aggregator.Batch, agg aggregator.Aggregator) (result aggregator.Aggregate, err error) {
	err = s.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		result, err = sp.readBatch(batch, agg)
		return err
	})
	return result, err
}

// timeOf reads a key that is a time.
func (b bucket) timeOf(key []byte) (dap.Time, error) {
	if len(key) != 8 {
		return 0, b.damaged(key, "its key has %d bytes, not 8", len(key))
	}
	return dap.Time(binary.BigEndian.Uint64(key)), nil
}
