package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// taskRecord is an aggregator.Task. Its configuration is decoded from its
// encoding whenever it is read.
type taskRecord struct {
	Ordinal             uint64 `cbor:"1,keyasint"` // tasks are numbered as they are added
	EncodedConfig       []byte `cbor:"2,keyasint"`
	VerifyKey           []byte `cbor:"3,keyasint"` // sealed
	VerifyKeyID         uint8  `cbor:"4,keyasint"`
	CollectorHpkeConfig []byte `cbor:"5,keyasint"` // dap.HpkeConfig
	HelperToken         []byte `cbor:"6,keyasint"` // sealed
	LeaderTokenHash     []byte `cbor:"7,keyasint"`
	CollectorTokenHash  []byte `cbor:"8,keyasint"`
	Taskprov            bool   `cbor:"9,keyasint"`
	Name                string `cbor:"10,keyasint"`
	AddedAt             int64  `cbor:"11,keyasint"`
}

const (
	fieldVerifyKey   = "verify key"
	fieldHelperToken = "helper token"
)

// PutTask implements aggregator.Store. The task's AddedAt and Name do not make it another one.
func (s *store) PutTask(ctx context.Context, task aggregator.Task) error {
	record, err := s.sealTask(&task)
	if err != nil {
		return err
	}
	return s.update(ctx, len(record.EncodedConfig), func(t *txn) error {
		tasks := t.top(bucketTasks)
		if encoded := tasks.get(task.ID[:]); encoded != nil {
			stored, _, err := s.decodeTask(tasks, task.ID[:], encoded)
			if err != nil {
				return err
			}
			if !sameTask(&stored, &task) {
				return about(aggregator.ErrExists, "task %s", task.ID)
			}
			return nil
		}
		if err := s.createSpace(t, &task); err != nil {
			return err
		}
		if err := t.raiseNewTask(&task); err != nil {
			return err
		}
		ordinal, err := tasks.next()
		if err != nil {
			return err
		}
		record := *record
		record.Ordinal = ordinal
		return tasks.put(task.ID[:], encodeRecord(record))
	})
}

// sealTask checks a task and makes its record, but for the ordinal.
func (s *store) sealTask(task *aggregator.Task) (*taskRecord, error) {
	if task.Role != s.role {
		return nil, inputError("task role", "it is %s, this is the store of a %s", task.Role, s.role)
	}
	config, err := dap.DecodeTaskConfiguration(task.EncodedConfig)
	if err != nil {
		return nil, fmt.Errorf("store: encoded task configuration: %w", err)
	}
	encoded, err := task.Config.Encode()
	if err != nil || !bytes.Equal(encoded, task.EncodedConfig) {
		return nil, inputError("task configuration", "it differs from its encoding")
	}
	if !config.BatchMode.IsKnown() {
		return nil, inputError("task configuration", "its batch mode %d is unknown", config.BatchMode)
	}
	collector, err := task.CollectorHpkeConfig.Encode()
	if err != nil {
		return nil, fmt.Errorf("store: collector HPKE configuration: %w", err)
	}
	return &taskRecord{
		EncodedConfig:       task.EncodedConfig,
		VerifyKey:           s.seal.seal(task.VerifyKey, place(bucketTasks, task.ID[:], fieldVerifyKey)),
		VerifyKeyID:         task.VerifyKeyID,
		CollectorHpkeConfig: collector,
		HelperToken:         s.seal.seal(task.HelperToken, place(bucketTasks, task.ID[:], fieldHelperToken)),
		LeaderTokenHash:     task.LeaderTokenHash[:],
		CollectorTokenHash:  task.CollectorTokenHash[:],
		Taskprov:            task.Taskprov,
		Name:                task.Name,
		AddedAt:             stamp(task.AddedAt),
	}, nil
}

func (s *store) decodeTask(b bucket, key, encoded []byte) (task aggregator.Task, ordinal uint64, err error) {
	var r taskRecord
	if err := decodeRecord(encoded, &r); err != nil {
		return task, 0, b.damaged(key, "%v", err)
	}
	task = aggregator.Task{
		Role:          s.role,
		EncodedConfig: r.EncodedConfig,
		VerifyKeyID:   r.VerifyKeyID,
		Taskprov:      r.Taskprov,
		Name:          r.Name,
		AddedAt:       unstamp(r.AddedAt),
	}
	var errs [6]error
	// A copy, because the decoded configuration may share memory with its encoding.
	task.Config, errs[0] = dap.DecodeTaskConfiguration(bytes.Clone(r.EncodedConfig))
	task.CollectorHpkeConfig, errs[1] = dap.DecodeHpkeConfig(r.CollectorHpkeConfig)
	task.VerifyKey, errs[2] = s.seal.unseal(r.VerifyKey, place(bucketTasks, key, fieldVerifyKey))
	task.HelperToken, errs[3] = s.seal.unseal(r.HelperToken, place(bucketTasks, key, fieldHelperToken))
	errs[4] = copyExactly("leader token hash", task.LeaderTokenHash[:], r.LeaderTokenHash)
	errs[5] = copyExactly("collector token hash", task.CollectorTokenHash[:], r.CollectorTokenHash)
	if err := firstError(append(errs[:], copyExactly("task ID", task.ID[:], key))...); err != nil {
		return task, 0, b.damaged(key, "%v", err)
	}
	return task, r.Ordinal, nil
}

// sameTask compares what makes a task, in constant time where it is secret.
func sameTask(a, b *aggregator.Task) bool {
	return bytes.Equal(a.EncodedConfig, b.EncodedConfig) &&
		a.VerifyKey.Equal(b.VerifyKey) &&
		a.VerifyKeyID == b.VerifyKeyID &&
		reflect.DeepEqual(a.CollectorHpkeConfig, b.CollectorHpkeConfig) &&
		a.HelperToken.Equal(b.HelperToken) &&
		a.LeaderTokenHash == b.LeaderTokenHash &&
		a.CollectorTokenHash == b.CollectorTokenHash &&
		a.Taskprov == b.Taskprov
}

// Task implements aggregator.Store.
func (s *store) Task(ctx context.Context, id dap.TaskID) (task aggregator.Task, err error) {
	err = s.view(ctx, func(t *txn) error {
		tasks := t.top(bucketTasks)
		encoded := tasks.get(id[:])
		if encoded == nil {
			return about(aggregator.ErrNotFound, "task %s", id)
		}
		task, _, err = s.decodeTask(tasks, id[:], encoded)
		return err
	})
	return task, err
}

// Tasks implements aggregator.Store.
func (s *store) Tasks(ctx context.Context) ([]aggregator.Task, error) {
	var all []ordered[aggregator.Task]
	err := s.view(ctx, func(t *txn) error {
		tasks := t.top(bucketTasks)
		return tasks.each(func(key, encoded []byte) error {
			task, ordinal, err := s.decodeTask(tasks, key, encoded)
			all = append(all, ordered[aggregator.Task]{ordinal, task})
			return err
		})
	})
	return inOrder(all), err
}

// ordered is a value with its place among others.
type ordered[T any] struct {
	ordinal uint64
	value   T
}

func inOrder[T any](all []ordered[T]) []T {
	slices.SortStableFunc(all, func(a, b ordered[T]) int { return cmp.Compare(a.ordinal, b.ordinal) })
	values := make([]T, len(all))
	for i := range all {
		values[i] = all[i].value
	}
	return values
}
