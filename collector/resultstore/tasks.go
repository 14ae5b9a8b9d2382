package resultstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/sealed"
	"github.com/twofold-dap/twofold/internal/secret"
)

// PutTask implements service.Store.
func (s *Store) PutTask(ctx context.Context, task service.StoredTask) (added bool, err error) {
	err = s.update(ctx, func(tx *bolt.Tx) error {
		tasks := tx.Bucket([]byte(bucketTasks))
		if added = tasks.Get(task.ID[:]) == nil; !added {
			return nil
		}
		ordinal, err := tasks.NextSequence()
		if err != nil {
			return err
		}
		record := taskRecord{File: task.File, Token: s.sealToken(task.ID, task.Token), AddedAt: stamp(task.AddedAt), Ordinal: ordinal}
		record.setSchedule(task.Schedule)
		if err := tasks.Put(task.ID[:], encodeRecord(record)); err != nil {
			return err
		}
		return createSpace(tx, task.ID)
	})
	return added && err == nil, err
}

func (s *Store) sealToken(id dap.TaskID, token secret.Bytes) []byte {
	return s.seal.Seal(token, sealed.Place(bucketTasks, id[:], "token"))
}

func (s *Store) task(id dap.TaskID, encoded []byte) (task service.StoredTask, record taskRecord, err error) {
	if encoded == nil {
		return task, record, service.ErrNotFound
	}
	if err := decodeRecord(bucketTasks, id[:], encoded, &record); err != nil {
		return task, record, err
	}
	token, err := s.seal.Unseal(record.Token, sealed.Place(bucketTasks, id[:], "token"))
	if err != nil {
		return task, record, damaged(bucketTasks, id[:], "has a token that does not open")
	}
	return service.StoredTask{
		ID: id, File: bytes.Clone(record.File), Token: token, Schedule: record.schedule(), AddedAt: unstamp(record.AddedAt),
	}, record, nil
}

// Task implements service.Store.
func (s *Store) Task(ctx context.Context, id dap.TaskID) (task service.StoredTask, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) (err error) {
		task, _, err = s.task(id, tx.Bucket([]byte(bucketTasks)).Get(id[:]))
		return err
	})
	return task, err
}

// Tasks implements service.Store.
func (s *Store) Tasks(ctx context.Context) (tasks []service.StoredTask, err error) {
	ordinals := make(map[dap.TaskID]uint64)
	err = s.view(ctx, func(tx *bolt.Tx) error {
		tasks = nil
		return tx.Bucket([]byte(bucketTasks)).ForEach(func(key, encoded []byte) error {
			var id dap.TaskID
			if copy(id[:], key) != len(key) || len(key) != len(id) {
				return damaged(bucketTasks, key, "has a key of another length")
			}
			task, record, err := s.task(id, encoded)
			tasks, ordinals[id] = append(tasks, task), record.Ordinal
			return err
		})
	})
	slices.SortFunc(tasks, func(a, b service.StoredTask) int { return cmp.Compare(ordinals[a.ID], ordinals[b.ID]) })
	return tasks, err
}

// changeTask changes the record of a task.
func (s *Store) changeTask(ctx context.Context, id dap.TaskID, change func(*taskRecord)) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		tasks := tx.Bucket([]byte(bucketTasks))
		_, record, err := s.task(id, tasks.Get(id[:]))
		if err != nil {
			return err
		}
		change(&record)
		return tasks.Put(id[:], encodeRecord(record))
	})
}

// SetToken implements service.Store.
func (s *Store) SetToken(ctx context.Context, id dap.TaskID, token secret.Bytes) error {
	return s.changeTask(ctx, id, func(r *taskRecord) { r.Token = s.sealToken(id, token) })
}

// SetSchedule implements service.Store.
func (s *Store) SetSchedule(ctx context.Context, id dap.TaskID, schedule service.Schedule) error {
	return s.changeTask(ctx, id, func(r *taskRecord) { r.setSchedule(schedule) })
}

// PutAnalystToken implements service.Store.
func (s *Store) PutAnalystToken(ctx context.Context, token service.StoredToken) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		tokens := tx.Bucket([]byte(bucketTokens))
		if tokens.Get([]byte(token.Name)) != nil {
			return service.ErrExists
		}
		return tokens.Put([]byte(token.Name), encodeRecord(tokenRecord{string(token.Scope), token.Digest[:], stamp(token.CreatedAt)}))
	})
}

// AnalystTokens implements service.Store. They are in the order of their names.
func (s *Store) AnalystTokens(ctx context.Context) (tokens []service.StoredToken, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		tokens = nil
		return tx.Bucket([]byte(bucketTokens)).ForEach(func(name, encoded []byte) error {
			var record tokenRecord
			if err := decodeRecord(bucketTokens, name, encoded, &record); err != nil {
				return err
			}
			token := service.StoredToken{Name: string(name), Scope: service.Scope(record.Scope), CreatedAt: unstamp(record.CreatedAt)}
			if copy(token.Digest[:], record.Digest) != len(token.Digest) || len(record.Digest) != len(token.Digest) {
				return damaged(bucketTokens, name, "has a digest of another length")
			}
			tokens = append(tokens, token)
			return nil
		})
	})
	return tokens, err
}

// DeleteAnalystToken implements service.Store.
func (s *Store) DeleteAnalystToken(ctx context.Context, name string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		tokens := tx.Bucket([]byte(bucketTokens))
		if tokens.Get([]byte(name)) == nil {
			return service.ErrNotFound
		}
		return tokens.Delete([]byte(name))
	})
}
