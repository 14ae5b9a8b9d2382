package aggregator

import (
	"context"
	"errors"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// Where aggregation cannot be eager, each collection job has a source of its
// own, which the scheduler treats like any other.

// sourceOf returns the source of a stored job: the task's eager one, or that of
// the collection job that it was made for.
func (l *Leader) sourceOf(ctx context.Context, t *preparedTask, id dap.CollectionJobID) (*source, error) {
	if id == (dap.CollectionJobID{}) {
		l.schedule.mu.Lock()
		defer l.schedule.mu.Unlock()
		return l.schedule.eager(t), nil
	}
	job, err := l.store.CollectionJob(ctx, t.ID, id)
	if errors.Is(err, ErrNotFound) { // deleted; its aggregation jobs are finished all the same
		return l.schedule.ofCollection(t, CollectionJob{ID: id, Task: t.ID}, nil, true), nil
	}
	if err != nil {
		return nil, err
	}
	req, err := dap.DecodeCollectionJobReq(job.Request)
	if err != nil {
		return nil, err
	}
	over := job.State == CollectionFinished || job.State == CollectionFailed
	return l.schedule.ofCollection(t, job, req.AggParam, over), nil
}

// ofCollection returns the source of a collection job, made if there is none.
func (s *scheduler) ofCollection(t *preparedTask, job CollectionJob, aggParam []byte, ended bool) *source {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sourceKey{task: t.ID, collection: job.ID}
	if src := s.sources[key]; src != nil {
		return src
	}
	src := &source{key: key, task: t, aggParam: aggParam, ended: ended}
	if t.Config.BatchMode == dap.BatchModeTimeInterval {
		if !ended {
			src.within = &job.Batch.Interval
		}
	} else {
		src.filling = &fillingBatches{target: t.Config.MinBatchSize, fixed: true}
		if job.Batch.BatchID != (dap.BatchID{}) {
			src.filling.batches = []*fillingBatch{{id: job.Batch.BatchID, assigned: src.filling.target}}
		}
	}
	s.add(src)
	return src
}

// request lets a collection's source make jobs of the reports that wait for it.
// counted is how many reports its batch has already.
func (s *scheduler) request(src *source, waiting, counted uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src.filling != nil && src.jobs == 0 {
		if len(src.filling.batches) == 0 {
			src.filling.batches = []*fillingBatch{{id: dap.NewBatchID()}}
		}
		src.filling.batches[0].assigned = counted
	}
	src.waiting, src.since, src.urgent = waiting, time.Now(), true
	if src.jobs == 0 {
		src.rewind = true
	}
	s.signal()
}

// batchOf returns the batch that a leader-selected collection's source fills, if it has jobs.
func (s *scheduler) batchOf(src *source) (dap.BatchID, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src.jobs == 0 || len(src.filling.batches) == 0 {
		return dap.BatchID{}, false
	}
	return src.filling.batches[0].id, true
}

// useBatch makes the source fill this batch.
func (s *scheduler) useBatch(src *source, batch dap.BatchID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(src.filling.batches) == 0 || src.filling.batches[0].id != batch {
		src.filling.batches = []*fillingBatch{{id: batch, assigned: src.filling.target}}
	}
}

// end keeps a collection's source from making more jobs. Once it has none it is forgotten.
func (s *scheduler) end(key sourceKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.sources[key]
	if src == nil || key.collection == (dap.CollectionJobID{}) {
		return
	}
	src.ended, src.waiting = true, 0
	s.forget(src)
}

// forget drops a source that has ended and has no jobs. The caller holds the lock.
func (s *scheduler) forget(src *source) {
	if !src.ended || src.jobs > 0 || s.sources[src.key] != src {
		return
	}
	delete(s.sources, src.key)
	for i := range s.order {
		if s.order[i] == src {
			s.order = append(s.order[:i:i], s.order[i+1:]...)
			return
		}
	}
}

// hasLeftovers tells whether jobs of a collection of this task that is over are
// unfinished: they may still add to batches that another collection has now.
func (s *scheduler) hasLeftovers(task dap.TaskID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, src := range s.order {
		if src.key.task == task && src.ended && src.jobs > 0 {
			return true
		}
	}
	return false
}

// hurry makes jobs of a task's waiting reports at once, full or not.
func (s *scheduler) hurry(t *preparedTask, waiting uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.eager(t)
	src.urgent = true
	if src.waiting == 0 && src.jobs == 0 {
		src.arrived(waiting, 0, time.Now())
		src.rewind = true
	}
	s.signal()
}
