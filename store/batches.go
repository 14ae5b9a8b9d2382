package store

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// batchRecord is a leader-selected batch, keyed by its ID.
type batchRecord struct {
	// Ordinal numbers a task's batches from 1 on; the report IDs refer to it.
	Ordinal   uint64 `cbor:"1,keyasint"`
	CreatedAt int64  `cbor:"2,keyasint"`
	InJobs    uint64 `cbor:"3,keyasint"` // reports in active jobs (Leader)
	Closed    bool   `cbor:"4,keyasint"` // no more reports (Leader)
	Hold      hold   `cbor:"5,keyasint"` // 0: of nobody
	Owner     []byte `cbor:"6,keyasint"` // the collection job or the aggregate share that holds it
	// Since version 2, of a Leader: how many collections of the batch have failed, and how and when the last one did.
	Failures    uint32 `cbor:"7,keyasint,omitempty"`
	LastFailure string `cbor:"8,keyasint,omitempty"`
	FailedAt    int64  `cbor:"9,keyasint,omitempty"`
	// Jobs are a Helper's aggregation jobs that have counted reports in it and that the Leader has not deleted: it
	// may ask for their answers yet.
	Jobs uint64 `cbor:"10,keyasint,omitempty"`
}

// batch returns a batch, or nil if there is none of that ID.
func (sp *space) batch(id dap.BatchID) (*batchRecord, error) {
	b := sp.sub(bucketBatches)
	encoded := b.get(id[:])
	if encoded == nil {
		return nil, nil
	}
	return b.decodeBatch(id[:], encoded)
}

func (b bucket) decodeBatch(key, encoded []byte) (*batchRecord, error) {
	var r batchRecord
	if err := decodeRecord(encoded, &r); err != nil {
		return nil, b.damaged(key, "%v", err)
	}
	wantOwner := 0
	if r.Hold != 0 {
		wantOwner = 16
	}
	if (r.Failures == 0) != (r.LastFailure == "") {
		return nil, b.damaged(key, "%d collections have failed, the last one with %q", r.Failures, r.LastFailure)
	}
	if len(key) != len(dap.BatchID{}) || r.Ordinal == 0 || r.Hold > holdCollected || len(r.Owner) != wantOwner {
		return nil, b.damaged(key, "ordinal %d, hold %d, owner of %d bytes", r.Ordinal, r.Hold, len(r.Owner))
	}
	return &r, nil
}

func (sp *space) putBatch(id dap.BatchID, r *batchRecord) error {
	return sp.sub(bucketBatches).put(id[:], encodeRecord(r))
}

// newBatch numbers a batch; putBatch stores it.
func (sp *space) newBatch(createdAt int64) (*batchRecord, error) {
	ordinal, err := sp.sub(bucketBatches).next()
	return &batchRecord{Ordinal: ordinal, CreatedAt: createdAt}, err
}

// heldBy tells whether owner holds the batch.
func (r *batchRecord) heldBy(owner [16]byte) bool {
	return r.Hold != 0 && slices.Equal(r.Owner, owner[:])
}

// setHold changes who holds a batch, and keeps the Leader's list of open ones.
func (sp *space) setHold(id dap.BatchID, r *batchRecord, h hold, owner [16]byte) error {
	wasOpen := r.Hold == 0
	r.Hold, r.Owner = h, nil
	if h != 0 {
		r.Owner = slices.Clone(owner[:])
	}
	if err := sp.putBatch(id, r); err != nil {
		return err
	}
	if sp.t.role != dap.RoleLeader || wasOpen == (h == 0) {
		return nil
	}
	if h == 0 {
		return sp.listOpen(id, r)
	}
	return sp.sub(bucketOpen).delete(be64(r.Ordinal))
}

func (sp *space) listOpen(id dap.BatchID, r *batchRecord) error {
	return sp.sub(bucketOpen).put(be64(r.Ordinal), slices.Clone(id[:]))
}

// holdOf returns how and by whom a batch is held; in the time-interval
// mode, one of the intervals that overlap it. What reaches below the floor counts as collected, by nobody
// unless it is known by whom.
func (sp *space) holdOf(batch aggregator.Batch) (h hold, owner [16]byte, err error) {
	h, owner, err = sp.storedHold(batch)
	if err != nil || h == holdCollected {
		return h, owner, err
	}
	below, err := sp.belowFloor(batch)
	if err == nil && below {
		h, owner = holdCollected, [16]byte{}
	}
	return h, owner, err
}

// storedHold is holdOf without regard to the floor.
func (sp *space) storedHold(batch aggregator.Batch) (h hold, owner [16]byte, err error) {
	if sp.mode == dap.BatchModeTimeInterval {
		e, found, err := sp.taken(batch.Interval)
		if err != nil || !found {
			return 0, owner, err
		}
		return e.hold, e.owner, nil
	}
	r, err := sp.batch(batch.BatchID)
	if err != nil || r == nil || r.Hold == 0 {
		return 0, owner, err
	}
	return r.Hold, [16]byte(r.Owner), nil
}

// setBatchHold stores that owner holds the batch. Nobody else does.
func (sp *space) setBatchHold(batch aggregator.Batch, h hold, owner [16]byte) error {
	if sp.mode == dap.BatchModeTimeInterval {
		return sp.take(batch.Interval, h, owner)
	}
	r, err := sp.batch(batch.BatchID)
	if err != nil {
		return err
	}
	if r == nil {
		return about(aggregator.ErrNotFound, "batch %s", batch.BatchID)
	}
	return sp.setHold(batch.BatchID, r, h, owner)
}

// dropHold gives up what owner has reserved. What is collected stays so.
func (sp *space) dropHold(batch aggregator.Batch, owner [16]byte) error {
	if sp.mode == dap.BatchModeTimeInterval {
		return sp.release(batch.Interval, owner)
	}
	r, err := sp.batch(batch.BatchID)
	if err != nil || r == nil || r.Hold != holdReserved || !r.heldBy(owner) {
		return err
	}
	return sp.setHold(batch.BatchID, r, 0, [16]byte{})
}

// collectionFailed notes that a collection of a batch has failed, so that other batches come before it. In the
// time-interval mode it is the Collector who names the batch.
func (sp *space) collectionFailed(batch aggregator.Batch, failure *dap.Error, at int64) error {
	if sp.mode == dap.BatchModeTimeInterval {
		return nil
	}
	r, err := sp.batch(batch.BatchID)
	if err != nil || r == nil {
		return err
	}
	if r.Failures < math.MaxUint32 {
		r.Failures++
	}
	r.LastFailure, r.FailedAt = failure.Error(), at
	return sp.putBatch(batch.BatchID, r)
}

// ordinalOf reads a key that is an ordinal or a sequence number.
func (b bucket) ordinalOf(key []byte) (uint64, error) {
	if len(key) != 8 {
		return 0, b.damaged(key, "its key has %d bytes, not 8", len(key))
	}
	return binary.BigEndian.Uint64(key), nil
}
