package store

import (
	"context"
	"encoding/binary"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// The floor of a task is a time that only rises. Below it nothing is remembered report by report: a report of
// an earlier time is refused, and a batch that reaches below it counts as collected. That is what
// allows to forget IDs and batch buckets.

const (
	keyFloor = "floor" // be64 of the task's floor; missing: 0
	keyMarks = "marks" // marksRecord
)

// floor reads the task's floor.
func (sp *space) floor() (dap.Time, error) {
	value := sp.root.get([]byte(keyFloor))
	if value == nil {
		return 0, nil
	}
	if len(value) != 8 {
		return 0, sp.root.damaged([]byte(keyFloor), "it has %d bytes, not 8", len(value))
	}
	return dap.Time(binary.BigEndian.Uint64(value)), nil
}

// raiseFloor raises the floor, and returns what it is now.
func (sp *space) raiseFloor(floor dap.Time) (dap.Time, error) {
	now, err := sp.floor()
	if err != nil || floor <= now {
		return now, err
	}
	return floor, sp.root.put([]byte(keyFloor), be64(uint64(floor)))
}

// belowFloor tells whether a time-interval batch reaches below the floor. Leader-selected
// batches are not: their reports are refused one by one.
func (sp *space) belowFloor(batch aggregator.Batch) (bool, error) {
	if sp.mode != dap.BatchModeTimeInterval {
		return false, nil
	}
	floor, err := sp.floor()
	return batch.Interval.Start < floor, err
}

// Floor implements aggregator.Store.
func (s *store) Floor(ctx context.Context, task dap.TaskID) (floor dap.Time, err error) {
	err = s.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		floor, err = sp.floor()
		return err
	})
	return floor, err
}

// RaiseFloor implements aggregator.Store.
func (s *store) RaiseFloor(ctx context.Context, task dap.TaskID, floor dap.Time) (now dap.Time, err error) {
	err = s.update(ctx, 64, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		now, err = sp.raiseFloor(floor)
		return err
	})
	if err != nil {
		return 0, err
	}
	return now, nil
}

// marksRecord says what the newest report time of a task was at some moments of the past, oldest first.
type marksRecord struct {
	Marks []mark `cbor:"1,keyasint"`
}

type mark struct {
	_      struct{} `cbor:",toarray"`
	At     int64    // when it was noted
	Newest uint64
}

// marksPerPeriod is how many marks there are in a period, at most.
const marksPerPeriod = 16

// AgeFloor implements aggregator.Store.
func (s *store) AgeFloor(ctx context.Context, task dap.TaskID, aging aggregator.Aging) (floor dap.Time, err error) {
	if aging.Period <= 0 {
		return 0, inputError("period", "%v; it must be positive", aging.Period)
	}
	err = s.update(ctx, 1024, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		newest, err := sp.newest()
		if err != nil {
			return err
		}
		due, err := sp.age(stamp(aging.Now), int64(aging.Period), newest)
		if err != nil {
			return err
		}
		if due = min(due, aging.Limit); aging.Ended {
			due = aging.Limit
		}
		if due, err = sp.belowReserved(due); err != nil {
			return err
		}
		floor, err = sp.raiseFloor(due)
		return err
	})
	if err != nil {
		return 0, err
	}
	return floor, nil
}

// belowReserved lowers a floor to the beginning of the first batch that is reserved.
func (sp *space) belowReserved(floor dap.Time) (dap.Time, error) {
	if sp.mode != dap.BatchModeTimeInterval || floor == 0 {
		return floor, nil
	}
	taken := sp.sub(bucketTaken)
	err := taken.between(be64(0), be64(uint64(floor)-1), func(key, value []byte) (bool, error) {
		e, err := decodeTaken(taken, key, value)
		if err == nil && e.hold == holdReserved {
			floor = dap.Time(e.start)
			return false, nil
		}
		return err == nil, err
	})
	return floor, err
}

// newest is the newest time of a report that was accepted or counted.
func (sp *space) newest() (dap.Time, error) {
	if sp.t.role == dap.RoleLeader {
		c, err := sp.leaderCounters()
		return dap.Time(c.Newest), err
	}
	c, err := sp.helperCounters()
	return dap.Time(c.Newest), err
}

// age notes the newest report time, and returns what it was a period ago; 0 if that is not known.
func (sp *space) age(now, period int64, newest dap.Time) (dap.Time, error) {
	var record marksRecord
	if encoded := sp.root.get([]byte(keyMarks)); encoded != nil {
		if err := decodeRecord(encoded, &record); err != nil {
			return 0, sp.root.damaged([]byte(keyMarks), "%v", err)
		}
	}
	changed := false
	if n := len(record.Marks); newest > 0 && (n == 0 ||
		uint64(newest) > record.Marks[n-1].Newest && now-record.Marks[n-1].At >= period/marksPerPeriod) {
		record.Marks, changed = append(record.Marks, mark{At: now, Newest: uint64(newest)}), true
	}
	due := 0
	for due < len(record.Marks) && record.Marks[due].At <= now-period {
		due++
	}
	if due == 0 {
		if changed {
			return 0, sp.root.put([]byte(keyMarks), encodeRecord(record))
		}
		return 0, nil
	}
	floor := dap.Time(record.Marks[due-1].Newest)
	if due > 1 { // the last of those that are due stays, so that what comes next is compared with it
		record.Marks, changed = record.Marks[due-1:], true
	}
	if !changed {
		return floor, nil
	}
	return floor, sp.root.put([]byte(keyMarks), encodeRecord(record))
}
