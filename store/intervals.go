package store

import (
	"encoding/binary"

	"github.com/twofold-dap/twofold/dap"
)

// The time-interval mode keeps two sets of disjoint intervals, each keyed by
// start: those that collections have reserved or collected (bucketTaken), and those that refuse
// uploads (bucketClosed). Both are asked in logarithmic time; neither has an
// entry for each bucket.

// hold is how a collection holds a batch.
type hold uint8

const (
	// holdReserved: a collection job that is not finished has the batch for itself.
	holdReserved hold = 1
	// holdCollected: the batch was collected, and never will be again.
	holdCollected hold = 2
)

// takenEntry is an interval of bucketTaken.
//
//	struct {
//	  uint64 end;
//	  uint8 hold;
//	  opaque owner[16];   // the collection job (Leader) or the aggregate share (Helper)
//	} takenEntry;
type takenEntry struct {
	start, end uint64
	hold       hold
	owner      [16]byte
}

const takenLength = 8 + 1 + 16

func (e takenEntry) encode() []byte {
	b := be64(e.end)
	b = append(b, byte(e.hold))
	return append(b, e.owner[:]...)
}

func (e takenEntry) interval() dap.Interval {
	return dap.Interval{Start: dap.Time(e.start), Duration: dap.Duration(e.end - e.start)}
}

func decodeTaken(b bucket, key, value []byte) (e takenEntry, err error) {
	if len(key) != 8 || len(value) != takenLength {
		return e, b.damaged(key, "it has a key of %d bytes and %d bytes", len(key), len(value))
	}
	e.start, e.end = binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(value)
	e.hold = hold(value[8])
	copy(e.owner[:], value[9:])
	if e.end <= e.start || (e.hold != holdReserved && e.hold != holdCollected) {
		return e, b.damaged(key, "it ends at %d, hold %d", e.end, e.hold)
	}
	return e, nil
}

// taken returns the taken interval that overlaps i, if there is one: the last if there are more.
func (sp *space) taken(i dap.Interval) (e takenEntry, found bool, err error) {
	b := sp.sub(bucketTaken)
	_, limit := bounds(i)
	key, value := b.last(limit)
	if key == nil {
		return e, false, nil
	}
	// The intervals are disjoint: the one that starts last ends last.
	e, err = decodeTaken(b, key, value)
	return e, err == nil && e.end > uint64(i.Start), err
}

// collectedAt tells whether a time-interval batch bucket is collected.
func (sp *space) collectedAt(t dap.Time) (bool, error) {
	e, found, err := sp.taken(t.BatchBucket())
	return found && e.hold == holdCollected, err
}

// take stores that a collection holds the interval.
func (sp *space) take(i dap.Interval, h hold, owner [16]byte) error {
	e := takenEntry{start: uint64(i.Start), end: uint64(i.Start) + uint64(i.Duration), hold: h, owner: owner}
	return sp.sub(bucketTaken).put(be64(e.start), e.encode())
}

// release gives an interval back that owner has reserved.
func (sp *space) release(i dap.Interval, owner [16]byte) error {
	b := sp.sub(bucketTaken)
	key := be64(uint64(i.Start))
	value := b.get(key)
	if value == nil {
		return nil
	}
	e, err := decodeTaken(b, key, value)
	if err != nil || e.hold != holdReserved || e.owner != owner {
		return err
	}
	return b.delete(key)
}

func (b bucket) decodeClosed(key, value []byte) (start, end uint64, err error) {
	if len(key) != 8 || len(value) != 8 {
		return 0, 0, b.damaged(key, "it has a key of %d bytes and %d bytes", len(key), len(value))
	}
	start, end = binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(value)
	if end <= start {
		return 0, 0, b.damaged(key, "it ends at %d", end)
	}
	return start, end, nil
}

// closedAt tells whether the bucket of a time refuses uploads.
func (sp *space) closedAt(t dap.Time) (bool, error) {
	b := sp.sub(bucketClosed)
	key, value := b.last(be64(uint64(t)))
	if key == nil {
		return false, nil
	}
	_, end, err := b.decodeClosed(key, value)
	return err == nil && end > uint64(t), err
}

// closeInterval adds an interval to the closed ones and joins those that it touches.
func (sp *space) closeInterval(i dap.Interval) error {
	b := sp.sub(bucketClosed)
	start, end := uint64(i.Start), uint64(i.Start)+uint64(i.Duration)
	for {
		key, value := b.last(be64(end))
		if key == nil {
			break
		}
		otherStart, otherEnd, err := b.decodeClosed(key, value)
		if err != nil {
			return err
		}
		if otherEnd < start {
			break
		}
		if otherStart <= start && otherEnd >= end {
			return nil
		}
		start, end = min(start, otherStart), max(end, otherEnd)
		if err := b.delete(be64(otherStart)); err != nil {
			return err
		}
	}
	return b.put(be64(start), be64(end))
}
