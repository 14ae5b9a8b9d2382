package storetest

import (
	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// The operations of leaderModel on collection jobs.

func (m *leaderModel) createCollection(*rapid.T) {
	task := m.task()
	start := dap.Time(rapid.IntRange(0, modelTimes-1).Draw(m.T, "start"))
	end := dap.Time(rapid.IntRange(int(start)+1, modelTimes).Draw(m.T, "end"))
	batch := timeBatch(start, end)
	digest := [32]byte{byte(rapid.IntRange(1, 8).Draw(m.T, "request"))}
	if task.mode == dap.BatchModeLeaderSelected {
		batch = idBatch(dap.BatchID{})
		if len(task.batches) > 0 && rapid.Bool().Draw(m.T, "with a batch") {
			batch.BatchID = rapid.SampledFrom(task.batches).Draw(m.T, "batch").id
		}
	}
	job := aggregator.CollectionJob{
		Task: task.id, Batch: batch, State: aggregator.CollectionPending, Request: []byte{1, 2, digest[0]}, RequestDigest: digest, CreatedAt: m.now(),
	}
	job.ID = dap.CollectionJobID{byte(m.steps), byte(m.steps >> 8)}
	var existing *modelCollection
	for _, c := range task.collections {
		if !c.deleted && c.job.RequestDigest == digest {
			existing = c
		}
	}
	var want error
	if existing == nil && task.holder(batch) != nil {
		want = aggregator.ErrBatchOverlap
	}
	var stored aggregator.CollectionJob
	m.do(func() (err error) {
		stored, _, err = m.s.CreateCollectionJob(m.t.Context(), job)
		return err
	}, want, nil, func() {
		if existing != nil {
			if !equalCollections(stored, existing.job) {
				m.Fatalf("the same request gives %+v, not %+v", stored, existing.job)
			}
			return
		}
		task.collections = append(task.collections, &modelCollection{job: job, reserves: batch.BatchID != dap.BatchID{}})
	})
}

// collection draws a collection job, perhaps a deleted one.
func (m *leaderModel) collection(task *modelTask) *modelCollection {
	if len(task.collections) == 0 {
		return nil
	}
	return rapid.SampledFrom(task.collections).Draw(m.T, "collection")
}

// assigned tells whether the job has a batch.
func (c *modelCollection) assigned() bool {
	return c.job.Batch.Mode == dap.BatchModeTimeInterval || c.job.Batch.BatchID != dap.BatchID{}
}

func (c *modelCollection) unfinished() bool {
	return c.job.State == aggregator.CollectionPending || c.job.State == aggregator.CollectionClosed
}

// changeCollection assigns a batch, closes it, updates, fails or deletes the job.
func (m *leaderModel) changeCollection(*rapid.T) {
	task := m.task()
	c := m.collection(task)
	if c == nil {
		return
	}
	change := rapid.SampledFrom([]func(*modelTask, *modelCollection, error){m.assign, m.reserve, m.close, m.update, m.fail, m.delete}).Draw(m.T, "change")
	var want error
	if c.deleted {
		want = aggregator.ErrNotFound
	}
	change(task, c, want)
}

func (m *leaderModel) assign(task *modelTask, c *modelCollection, want error) {
	if task.mode != dap.BatchModeLeaderSelected || len(task.batches) == 0 {
		return
	}
	batch := rapid.SampledFrom(task.batches).Draw(m.T, "batch").id
	switch {
	case want != nil:
	case c.job.Batch.BatchID == batch:
	case c.assigned() || !c.unfinished():
		want = aggregator.ErrConflict
	case task.holder(idBatch(batch)) != nil:
		want = aggregator.ErrBatchOverlap
	}
	m.do(func() error { return m.s.AssignBatch(m.t.Context(), task.id, c.job.ID, batch) }, want, nil, func() {
		if c.job.Batch.BatchID != batch {
			c.job.Batch.BatchID, c.reserves = batch, true
		}
	})
}

func (m *leaderModel) reserve(task *modelTask, c *modelCollection, want error) {
	switch holder := task.holder(c.job.Batch); {
	case want != nil:
	case !c.unfinished() || !c.assigned():
		want = aggregator.ErrConflict
	case holder != nil && holder != c:
		want = aggregator.ErrBatchOverlap
	}
	m.do(func() error { return m.s.ReserveBatch(m.t.Context(), task.id, c.job.ID) }, want, nil, func() { c.reserves = true })
}

func (m *leaderModel) close(task *modelTask, c *modelCollection, want error) {
	switch holder := task.holder(c.job.Batch); {
	case want != nil:
	case !c.unfinished() || !c.assigned():
		want = aggregator.ErrConflict
	case holder != nil && holder != c:
		want = aggregator.ErrBatchOverlap
	}
	m.do(func() error { return m.s.CloseBatch(m.t.Context(), task.id, c.job.ID) }, want, nil, func() {
		c.job.State, c.reserves = aggregator.CollectionClosed, true
		task.closeBatch(c.job.Batch)
	})
}

func (m *modelTask) closeBatch(batch aggregator.Batch) {
	if b := m.batch(batch.BatchID); b != nil {
		b.closed = true
		return
	}
	for t := range dap.Time(modelTimes) {
		if batch.Interval.Contains(t) {
			m.closed[t] = true
		}
	}
}

func (m *leaderModel) update(task *modelTask, c *modelCollection, want error) {
	if want == nil && !c.unfinished() {
		want = aggregator.ErrConflict
	}
	next := c.job
	next.Attempts, next.LastError, next.HelperLocation, next.NextAttempt = uint32(m.steps), "later", "https://helper.example/", m.now()
	m.do(func() error { return m.s.UpdateCollectionJob(m.t.Context(), next) }, want, nil, func() { c.job = next })
}

func (m *leaderModel) fail(task *modelTask, c *modelCollection, want error) {
	if want == nil && !c.unfinished() {
		want = aggregator.ErrConflict
	}
	m.steps++
	next := c.job
	next.Failure = &dap.Error{Type: dap.ErrorTypeBatchMismatch, Detail: string(rune('a' + m.steps%26)), UnsupportedExtensions: []uint16{uint16(m.steps)}}
	next.EndedAt = m.now()
	m.do(func() error { return m.s.FailCollectionJob(m.t.Context(), next) }, want, nil, func() {
		c.job.EndedAt = next.EndedAt
		c.job.State, c.job.Failure, c.reserves = aggregator.CollectionFailed, next.Failure, false
		if b := task.batch(c.job.Batch.BatchID); b != nil {
			b.failures, b.failure, b.failedAt = b.failures+1, next.Failure.Error(), next.EndedAt
		}
	})
}

func (m *leaderModel) delete(task *modelTask, c *modelCollection, want error) {
	m.do(func() error { return m.s.DeleteCollectionJob(m.t.Context(), task.id, c.job.ID) }, want, aggregator.ErrNotFound, func() {
		c.deleted, c.reserves = true, false
	})
}

func (m *leaderModel) finishCollection(*rapid.T) {
	task := m.task()
	c := m.collection(task)
	if c == nil {
		return
	}
	_, count, checksum, _ := task.aggregate(c.job.Batch)
	waiting, inJobs := task.pending(c.job.Batch)
	if rapid.IntRange(0, 5).Draw(m.T, "disagree") == 0 {
		count++
	}
	m.steps++
	next := c.job
	if next.Response, next.Failure = []byte{byte(m.steps), byte(m.steps >> 8)}, nil; rapid.IntRange(0, 5).Draw(m.T, "failure") == 0 {
		next.Response, next.Failure = nil, &dap.Error{Type: dap.ErrorTypeInvalidBatchSize, Detail: string(rune('a' + m.steps%26))}
	}
	var want error
	_, right, _, _ := task.aggregate(c.job.Batch)
	holder := task.holder(c.job.Batch)
	switch {
	case c.deleted:
		want = aggregator.ErrNotFound
	case !c.unfinished() || !c.assigned() || holder != nil && (holder != c || !c.reserves) || waiting+inJobs != 0 || count != right:
		want = aggregator.ErrConflict
	case task.private && (task.charged >= PrivateBatches || count > PrivateBatchSize):
		want = aggregator.ErrPrivacy
	}
	m.do(func() error { return m.s.FinishCollectionJob(m.t.Context(), next, count, checksum) }, want, nil, func() {
		c.job.State, c.job.Response, c.job.Failure = aggregator.CollectionFinished, next.Response, next.Failure
		if next.Failure != nil {
			c.job.State = aggregator.CollectionFailed
		}
		c.reserves, c.hasBatch, c.collected = false, true, count
		if task.private {
			task.charged++
		}
		task.closeBatch(c.job.Batch)
	})
}
