package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// collectionRecord is an aggregator.CollectionJob. Its batch's mode is the task's.
type collectionRecord struct {
	// Ordinal numbers a task's collection jobs; bucketUnfinished lists by it those without an answer.
	Ordinal        uint64         `cbor:"1,keyasint"`
	Request        []byte         `cbor:"2,keyasint"`
	RequestDigest  []byte         `cbor:"3,keyasint"`
	Start          uint64         `cbor:"4,keyasint"` // of the batch interval
	Duration       uint64         `cbor:"5,keyasint"`
	BatchID        []byte         `cbor:"6,keyasint"` // zero while no batch is assigned
	State          uint8          `cbor:"7,keyasint"`
	HelperLocation string         `cbor:"8,keyasint"`
	Response       []byte         `cbor:"9,keyasint"`
	Failure        *failureRecord `cbor:"10,keyasint"`
	CreatedAt      int64          `cbor:"11,keyasint"`
	Attempts       uint32         `cbor:"12,keyasint"`
	NextAttempt    int64          `cbor:"13,keyasint"`
	LastError      string         `cbor:"14,keyasint"`
	Reactivated    bool           `cbor:"15,keyasint,omitempty"` // since version 2
	EndedAt        int64          `cbor:"16,keyasint,omitempty"` // since version 2
}

// failureRecord is a dap.Error.
type failureRecord struct {
	Type                  string   `cbor:"1,keyasint"`
	TaskID                []byte   `cbor:"2,keyasint"` // empty if there is none
	Detail                string   `cbor:"3,keyasint"`
	UnsupportedExtensions []uint16 `cbor:"4,keyasint"`
}

func newFailureRecord(e *dap.Error) *failureRecord {
	if e == nil {
		return nil
	}
	r := &failureRecord{Type: string(e.Type), Detail: e.Detail, UnsupportedExtensions: e.UnsupportedExtensions}
	if e.TaskID != nil {
		r.TaskID = bytes.Clone(e.TaskID[:])
	}
	return r
}

func (r *failureRecord) failure() (*dap.Error, error) {
	if r == nil {
		return nil, nil
	}
	e := &dap.Error{Type: dap.ErrorType(r.Type), Detail: r.Detail, UnsupportedExtensions: r.UnsupportedExtensions}
	if len(r.TaskID) == 0 {
		return e, nil
	}
	e.TaskID = new(dap.TaskID)
	return e, copyExactly("task ID of the failure", e.TaskID[:], r.TaskID)
}

func (r *collectionRecord) unfinished() bool {
	state := aggregator.CollectionState(r.State)
	return state == aggregator.CollectionPending || state == aggregator.CollectionClosed
}

func newCollectionRecord(job *aggregator.CollectionJob, ordinal uint64) *collectionRecord {
	return &collectionRecord{
		Ordinal: ordinal, Request: job.Request, RequestDigest: job.RequestDigest[:],
		Start: uint64(job.Batch.Interval.Start), Duration: uint64(job.Batch.Interval.Duration), BatchID: job.Batch.BatchID[:],
		State: uint8(job.State), HelperLocation: job.HelperLocation, Response: job.Response, Failure: newFailureRecord(job.Failure),
		CreatedAt: stamp(job.CreatedAt), Attempts: job.Attempts, NextAttempt: stamp(job.NextAttempt), LastError: job.LastError,
		Reactivated: job.Reactivated,
		EndedAt:     stamp(job.EndedAt),
	}
}

// storedCollection is a collection job within a transaction.
type storedCollection struct {
	record *collectionRecord
	job    aggregator.CollectionJob
}

func (sp *space) decodeCollection(key, encoded []byte) (*storedCollection, error) {
	b := sp.sub(bucketCollections)
	var r collectionRecord
	if err := decodeRecord(encoded, &r); err != nil {
		return nil, b.damaged(key, "%v", err)
	}
	job := aggregator.CollectionJob{
		Task: sp.task, Request: r.Request,
		Batch: aggregator.Batch{Mode: sp.mode, Interval: dap.Interval{Start: dap.Time(r.Start), Duration: dap.Duration(r.Duration)}},
		State: aggregator.CollectionState(r.State), HelperLocation: r.HelperLocation, Response: r.Response,
		CreatedAt: unstamp(r.CreatedAt), Attempts: r.Attempts, NextAttempt: unstamp(r.NextAttempt), LastError: r.LastError,
		Reactivated: r.Reactivated,
		EndedAt:     unstamp(r.EndedAt),
	}
	failure, err := r.Failure.failure()
	job.Failure = failure
	err = firstError(err,
		copyExactly("collection job ID", job.ID[:], key),
		copyExactly("request digest", job.RequestDigest[:], r.RequestDigest),
		copyExactly("batch ID", job.Batch.BatchID[:], r.BatchID),
	)
	if err == nil && (r.Ordinal == 0 || job.State < aggregator.CollectionPending || job.State > aggregator.CollectionFailed) {
		err = fmt.Errorf("ordinal %d, state %d", r.Ordinal, r.State)
	}
	if err == nil && sp.mode == dap.BatchModeTimeInterval {
		err = job.Batch.Interval.CheckWellFormed()
	}
	if err != nil {
		return nil, b.damaged(key, "%v", err)
	}
	return &storedCollection{&r, job}, nil
}

// collection reads a collection job, or gives aggregator.ErrNotFound.
func (sp *space) collection(id dap.CollectionJobID) (*storedCollection, error) {
	encoded := sp.sub(bucketCollections).get(id[:])
	if encoded == nil {
		return nil, about(aggregator.ErrNotFound, "collection job %s", id)
	}
	return sp.decodeCollection(id[:], encoded)
}

// put stores the job as it now is, and takes it off the list of the unfinished
// when it has its answer.
func (c *storedCollection) put(sp *space) error {
	was := c.record.unfinished()
	ordinal := c.record.Ordinal
	c.record = newCollectionRecord(&c.job, ordinal)
	id := c.job.ID
	if err := sp.sub(bucketCollections).put(id[:], encodeRecord(c.record)); err != nil {
		return err
	}
	if was && !c.record.unfinished() {
		return sp.sub(bucketUnfinished).delete(be64(ordinal))
	}
	return nil
}

// assigned tells whether the job has a batch.
func (c *storedCollection) assigned(sp *space) bool {
	return sp.mode == dap.BatchModeTimeInterval || c.job.Batch.BatchID != dap.BatchID{}
}

// changeCollection runs f on a collection job in a write transaction.
func (l *Leader) changeCollection(ctx context.Context, task dap.TaskID, id dap.CollectionJobID, size int, f func(*space, *storedCollection) error) error {
	return l.update(ctx, size, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		c, err := sp.collection(id)
		if err != nil {
			return err
		}
		return f(sp, c)
	})
}

// CreateCollectionJob implements aggregator.LeaderStore. A leader-selected batch that the job names
// must exist: aggregator.ErrNotFound.
func (l *Leader) CreateCollectionJob(ctx context.Context, job aggregator.CollectionJob) (stored aggregator.CollectionJob, created bool, err error) {
	if job.State == 0 {
		job.State = aggregator.CollectionPending
	}
	if job.State != aggregator.CollectionPending || job.Response != nil || job.Failure != nil {
		return stored, false, inputError("collection job", "a new job must be pending and without an answer")
	}
	var existing *storedCollection
	find := func(t *txn) (sp *space, err error) {
		if sp, err = t.space(job.Task); err != nil {
			return nil, err
		}
		if err := sp.checkBatch(job.Batch); err != nil {
			return nil, err
		}
		existing, err = sp.collectionOf(job.RequestDigest)
		return sp, err
	}
	// A job that is there is answered without writing, also while the disk refuses to be written.
	err = l.view(ctx, func(t *txn) error {
		_, err := find(t)
		return err
	})
	if err != nil {
		return aggregator.CollectionJob{}, false, err
	}
	if existing != nil {
		return existing.job, false, nil
	}
	err = l.update(ctx, len(job.Request), func(t *txn) error {
		created = false
		sp, err := find(t)
		if err != nil {
			return err
		}
		if existing != nil {
			stored = existing.job
			return nil
		}
		if sp.sub(bucketCollections).get(job.ID[:]) != nil {
			return about(aggregator.ErrExists, "collection job %s", job.ID)
		}
		stored, created = job, true
		return sp.createCollection(&job)
	})
	if err != nil {
		return aggregator.CollectionJob{}, false, err
	}
	return stored, created, nil
}

// collectionOf returns the collection job of a request, or nil.
func (sp *space) collectionOf(digest [32]byte) (*storedCollection, error) {
	requests := sp.sub(bucketRequests)
	id := requests.get(digest[:])
	if id == nil {
		return nil, nil
	}
	encoded := sp.sub(bucketCollections).get(id)
	if encoded == nil {
		return nil, requests.damaged(digest[:], "its collection job is missing")
	}
	return sp.decodeCollection(id, encoded)
}

func (sp *space) createCollection(job *aggregator.CollectionJob) error {
	if sp.mode == dap.BatchModeTimeInterval {
		if err := sp.checkFree(job.Batch, job.ID); err != nil {
			return err
		}
	} else if (job.Batch.BatchID != dap.BatchID{}) {
		if err := sp.reserve(job.Batch, job.ID); err != nil {
			return err
		}
	}
	b := sp.sub(bucketCollections)
	ordinal, err := b.next()
	if err != nil {
		return err
	}
	id, digest := job.ID, job.RequestDigest
	return firstError(
		b.put(id[:], encodeRecord(newCollectionRecord(job, ordinal))),
		sp.sub(bucketRequests).put(digest[:], id[:]),
		sp.sub(bucketUnfinished).sequential().put(be64(ordinal), id[:]),
	)
}

// checkFree gives aggregator.ErrBatchOverlap if a batch is held, by whomever.
func (sp *space) checkFree(batch aggregator.Batch, id dap.CollectionJobID) error {
	held, _, err := sp.holdOf(batch)
	if err == nil && held != 0 {
		err = about(aggregator.ErrBatchOverlap, "collection job %s", id)
	}
	return err
}

// reserve gives a batch to a collection job, or aggregator.ErrBatchOverlap.
func (sp *space) reserve(batch aggregator.Batch, id dap.CollectionJobID) error {
	if err := sp.checkFree(batch, id); err != nil {
		return err
	}
	return sp.setBatchHold(batch, holdReserved, id)
}

// reserveOwn is reserve for a batch that the job may have already.
func (sp *space) reserveOwn(batch aggregator.Batch, id dap.CollectionJobID) error {
	held, owner, err := sp.holdOf(batch)
	if err != nil || held == holdReserved && owner == id {
		return err
	}
	return sp.reserve(batch, id)
}

// ReserveBatch implements aggregator.LeaderStore.
func (l *Leader) ReserveBatch(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) error {
	return l.changeCollection(ctx, task, id, 0, func(sp *space, c *storedCollection) error {
		if !c.assigned(sp) || !c.record.unfinished() {
			return about(aggregator.ErrConflict, "collection job %s", id)
		}
		return sp.reserveOwn(c.job.Batch, id)
	})
}

// AssignBatch implements aggregator.LeaderStore. A batch that another collection holds is
// aggregator.ErrBatchOverlap; a job that has another batch or is over, aggregator.ErrConflict.
func (l *Leader) AssignBatch(ctx context.Context, task dap.TaskID, id dap.CollectionJobID, batch dap.BatchID) error {
	if batch == (dap.BatchID{}) {
		return inputError("batch ID", "it is zero")
	}
	return l.changeCollection(ctx, task, id, 0, func(sp *space, c *storedCollection) error {
		if sp.mode != dap.BatchModeLeaderSelected {
			return inputError("collection job", "the task's batches are not leader-selected")
		}
		if c.job.Batch.BatchID == batch {
			return nil
		}
		if c.assigned(sp) || !c.record.unfinished() {
			return about(aggregator.ErrConflict, "collection job %s", id)
		}
		c.job.Batch.BatchID = batch
		if err := sp.reserve(c.job.Batch, id); err != nil {
			return err
		}
		return c.put(sp)
	})
}

// CollectionJob implements aggregator.LeaderStore.
func (l *Leader) CollectionJob(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) (job aggregator.CollectionJob, err error) {
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		c, err := sp.collection(id)
		if err != nil {
			return err
		}
		job = c.job
		return nil
	})
	return job, err
}

// CollectionJobs implements aggregator.LeaderStore. They come oldest first.
func (l *Leader) CollectionJobs(ctx context.Context) ([]aggregator.CollectionJob, error) {
	var all []ordered[aggregator.CollectionJob]
	err := l.view(ctx, func(t *txn) error {
		return t.eachSpace(func(sp *space) error {
			unfinished := sp.sub(bucketUnfinished)
			return unfinished.each(func(ordinal, id []byte) error {
				encoded := sp.sub(bucketCollections).get(id)
				if encoded == nil {
					return unfinished.damaged(ordinal, "its collection job is missing")
				}
				c, err := sp.decodeCollection(id, encoded)
				if err != nil {
					return err
				}
				all = append(all, ordered[aggregator.CollectionJob]{uint64(c.record.CreatedAt), c.job})
				return nil
			})
		})
	})
	if err != nil {
		return nil, err
	}
	return inOrder(all), nil
}

// OpenBatches implements aggregator.LeaderStore.
func (l *Leader) OpenBatches(ctx context.Context, task dap.TaskID) (batches []aggregator.OpenBatch, err error) {
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		if sp.mode != dap.BatchModeLeaderSelected {
			return nil
		}
		open := sp.sub(bucketOpen)
		return open.each(func(ordinal, id []byte) error {
			var batch dap.BatchID
			if err := copyExactly("batch ID", batch[:], id); err != nil {
				return open.damaged(ordinal, "%v", err)
			}
			r, err := sp.batch(batch)
			if err != nil {
				return err
			}
			if r == nil {
				return open.damaged(ordinal, "batch %s is missing", batch)
			}
			aggregate, err := sp.readBatch(aggregator.Batch{Mode: sp.mode, BatchID: batch}, nil)
			batches = append(batches, aggregator.OpenBatch{
				BatchID: batch, InJobs: r.InJobs, Count: aggregate.Count, Closed: r.Closed, CreatedAt: unstamp(r.CreatedAt),
				Failures: r.Failures, LastFailure: r.LastFailure, FailedAt: unstamp(r.FailedAt),
			})
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return batches, nil
}
