package store

import (
	"bytes"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/dap"
)

// A file of an earlier schema version is brought to SchemaVersion when it is
// opened, in place, one version after the other. Each version's change is a list of steps, and
// a step takes as many transactions as it needs, so that none is large. The
// schema record has the new version from the first transaction on, so that no
// older program takes the file for its own, and says how far the change is: after an
// interruption the next opening goes on there.

// migrationRecord is how far a file has come.
type migrationRecord struct {
	From   uint64 `cbor:"1,keyasint"` // the version that is being left
	Step   uint64 `cbor:"2,keyasint"` // the step of its list that is next
	Cursor []byte `cbor:"3,keyasint"` // where that step goes on
}

// migrationStep changes a part of the file, from cursor on, which is empty at first. It
// returns the cursor of the part that is next; nil after the last.
type migrationStep func(s *store, t *txn, cursor []byte) (next []byte, err error)

// migrations are the steps that lead from a version to the next one.
var migrations = map[uint64][]migrationStep{
	1: {eachTask(prepareVersion2), eachTask(releasePending), eachTask(orderHelperJobs)},
	2: {nothingToChange}, // values of one piece stay as they are
	3: {eachTask(addLedger)},
	4: {nothingToChange}, // entries that say counted stay so
	5: {eachTask(addRecent)},
}

// migrationPart is how many records a transaction of a migration changes, about.
const migrationPart = 1000

// migrate brings the file to SchemaVersion. An error leaves it on its way.
func (s *store) migrate() error {
	for done := false; !done; {
		err := guard(func() error {
			tx, err := s.db.Begin(true)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if done, err = s.migrateNext(newTxn(tx, s.role)); err != nil || done {
				return err
			}
			return s.commitMigration(tx)
		})
		if errors.As(err, new(*OpenError)) || errors.Is(err, ErrCorrupt) {
			return err
		}
		if err != nil {
			return &OpenError{
				Path: s.path, Problem: ErrMigration, Detail: err.Error(),
				Remedy: "check the disk and start again: it goes on where it was",
			}
		}
	}
	return nil
}

// commitMigration is tx.Commit with the hook for tests.
func (s *store) commitMigration(tx *bolt.Tx) error {
	hook := s.options.CommitHook
	if hook == nil {
		return tx.Commit()
	}
	if err := hook(BeforeCommit); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return hook(AfterCommit)
}

// migrateNext makes the next transaction's change. done: nothing is left to be changed.
func (s *store) migrateNext(t *txn) (done bool, err error) {
	meta := t.top(bucketMeta)
	var record schemaRecord
	if err := decodeRecord(meta.get([]byte(keySchema)), &record); err != nil {
		return false, meta.damaged([]byte(keySchema), "%v", err)
	}
	m := record.Migration
	switch {
	case m == nil && record.Version == SchemaVersion:
		return true, nil
	case m == nil:
		m = &migrationRecord{From: record.Version}
		record.Version, record.Migration = SchemaVersion, m
	case record.Version < SchemaVersion:
		record.Version = SchemaVersion // a later program goes on
	}
	if err := m.advance(s, t); err != nil {
		return false, err
	}
	if m.From == SchemaVersion {
		record.Migration = nil
	}
	return false, meta.put([]byte(keySchema), encodeRecord(record))
}

// advance does the next part of the next step.
func (m *migrationRecord) advance(s *store, t *txn) error {
	steps, known := migrations[m.From]
	if !known || m.Step >= uint64(len(steps)) {
		return &RecordError{bucketMeta + "/" + keySchema, fmt.Sprintf("the migration from version %d has no step %d", m.From, m.Step)}
	}
	next, err := steps[m.Step](s, t, m.Cursor)
	if err != nil {
		return err
	}
	m.Cursor = next
	if next != nil {
		return nil
	}
	if m.Step++; m.Step == uint64(len(steps)) {
		m.From, m.Step = m.From+1, 0
	}
	return nil
}

// nothingToChange is the step of a version that only adds to what records can be.
func nothingToChange(*store, *txn, []byte) ([]byte, error) { return nil, nil }

// eachTask makes a step of a change to the data of one task. change has a cursor of its
// own within the task's data.
func eachTask(change func(s *store, sp *space, cursor []byte) (next []byte, err error)) migrationStep {
	return func(s *store, t *txn, cursor []byte) ([]byte, error) {
		const idLength = len(dap.TaskID{})
		var key, within []byte
		tasks := t.top(bucketData).b.Cursor()
		if len(cursor) >= idLength {
			key, _ = tasks.Seek(cursor[:idLength])
			if bytes.Equal(key, cursor[:idLength]) {
				within = cursor[idLength:]
			}
		} else {
			key, _ = tasks.First()
		}
		if key == nil {
			return nil, nil
		}
		var task dap.TaskID
		if err := copyExactly("task ID", task[:], key); err != nil {
			return nil, t.top(bucketData).damaged(key, "%v", err)
		}
		sp, err := t.space(task)
		if err != nil {
			return nil, err
		}
		next, err := change(s, sp, within)
		if err != nil {
			return nil, err
		}
		if next != nil {
			return append(bytes.Clone(task[:]), next...), nil
		}
		following := t.top(bucketData).b.Cursor()
		following.Seek(task[:])
		if key, _ = following.Next(); key == nil {
			return nil, nil
		}
		return bytes.Clone(key), nil
	}
}
