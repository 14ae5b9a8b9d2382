package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
)

// Restored says what Restore has made.
type Restored struct {
	// TakenAt is when the copy was made; zero if the file was no copy.
	TakenAt time.Time
	// Until is the time before which every report is refused and every batch counts as collected, in each
	// task rounded up to its time precision.
	Until time.Time
	// Tasks is how many tasks the store has. GivenUp is how many reports were not collected
	// when the copy was made: they will not be.
	Tasks, GivenUp uint64
	Standing       Standing
}

// Restore makes a store of a file, which may be a copy: with all that Open checks, with Check, and with every
// task's floor raised above until. What the aggregator did after the copy was made is not in it: which reports
// it counted, and which batches it released. So until must be later than the time of any such report.
// The same holds for tasks that are added from now on, since they may have been there before.
//
// The file is changed in place; an error leaves it unfit for use, and the same call may be
// made again on another copy of it.
func Restore(ctx context.Context, path string, role dap.Role, key secret.Bytes, until time.Time, options Options) (Restored, error) {
	options.Create = false
	result := Restored{Until: until}
	var leader *Leader
	s := &store{restoring: true}
	if role == dap.RoleLeader {
		leader = &Leader{store{restoring: true}}
		s = &leader.store
	}
	if err := s.open(path, role, key, options); err != nil {
		return result, err
	}
	violations, err := s.Check(ctx)
	if err == nil && len(violations) > 0 {
		err = &OpenError{
			Path: path, Problem: ErrCorrupt, Detail: fmt.Sprintf("%s: %s", violations[0].Invariant, violations[0].Detail),
			Remedy: "restore another copy",
		}
	}
	if err == nil {
		err = s.restore(ctx, leader, &result)
	}
	return result, errors.Join(err, s.Close())
}

// restore raises the floors, and last of all takes the copy's mark away.
func (s *store) restore(ctx context.Context, leader *Leader, result *Restored) error {
	tasks, err := s.Tasks(ctx)
	if err != nil {
		return err
	}
	result.Tasks = uint64(len(tasks))
	for i := range tasks {
		n, err := s.restoreTask(ctx, leader, &tasks[i], result.Until)
		if err != nil {
			return err
		}
		result.GivenUp += n
	}
	err = s.update(ctx, 100, func(t *txn) error {
		var err error
		if result.TakenAt, _, err = takenAt(t.tx); err != nil {
			return err
		}
		meta := t.top(bucketMeta)
		return firstError(
			meta.put([]byte(keyRestored), encodeRecord(restoredRecord{stamp(result.Until)})),
			putStanding(t, Standing{Instance: newInstance()}),
			meta.delete([]byte(keyCopy)),
		)
	})
	if err != nil {
		return err
	}
	result.Standing, err = s.Standing(ctx)
	return err
}

// restoredRecord is in bucketMeta under keyRestored, in a store that was restored.
type restoredRecord struct {
	Until int64 `cbor:"1,keyasint"` // see Restored
}

const keyRestored = "restored"

// restoredUntil is the time up to which the store does not know what was done; zero if it was never restored.
func restoredUntil(tx *bolt.Tx) (time.Time, error) {
	encoded := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyRestored))
	if encoded == nil {
		return time.Time{}, nil
	}
	var record restoredRecord
	if err := decodeRecord(encoded, &record); err != nil {
		return time.Time{}, &RecordError{bucketMeta + "/" + keyRestored, err.Error()}
	}
	return unstamp(record.Until), nil
}

// raiseNewTask raises the floor of a task that is added to a store that was restored, and takes its privacy budget for
// spent: it may have been there before.
func (t *txn) raiseNewTask(task *aggregator.Task) error {
	until, err := restoredUntil(t.tx)
	if err != nil || until.IsZero() {
		return err
	}
	floor, err := floorAfter(&task.Config, until)
	if err != nil {
		return err
	}
	sp, err := t.space(task.ID)
	if err != nil {
		return err
	}
	_, err = sp.raiseFloor(floor)
	return firstError(err, sp.assumeNewSpent(&task.Config, floor))
}

// floorAfter is the first time of a task of which nothing lies before until.
func floorAfter(config *dap.TaskConfiguration, until time.Time) (dap.Time, error) {
	last, err := config.TimePrecision.TimeOf(until)
	if err != nil {
		return 0, inputError("until", "%v", err)
	}
	return last + 1, nil
}

// Claim takes the lock of the file at path, if there is one, so that no server starts on it. If another
// process has it the error is ErrLocked.
func Claim(path string) (release func() error, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, fileMode)
	if errors.Is(err, os.ErrNotExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	if err := lock(file); err != nil {
		return nil, errors.Join(&OpenError{Path: path, Problem: ErrLocked, Remedy: "stop that process first"}, file.Close())
	}
	return func() error { return closeLocked(file) }, nil
}
