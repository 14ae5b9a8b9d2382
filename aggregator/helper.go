package aggregator

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fairshare"
)

// Helper is the engine of a Helper (DAP Sections 4.5 and 4.6.4). Everything it
// answers is stored before it is given, under an identifier that follows from
// the request's content, so that a request may come any number of times. It is safe for concurrent use.
type Helper struct {
	engine
	store   HelperStore
	config  HelperConfig
	metrics *helperMetrics

	slots  *fairshare.Pool[dap.TaskID] // requests in progress
	jobs   keyedLocks[helperJobKey]
	shares keyedLocks[helperShareKey]
	async  asyncQueue

	run sync.Mutex // held by Run
}

// helperJobKey identifies an aggregation job.
type helperJobKey struct {
	task dap.TaskID
	job  dap.AggregationJobID
}

// helperShareKey identifies an aggregate share.
type helperShareKey struct {
	task  dap.TaskID
	share dap.AggregateShareID
}

// NewHelper returns a Helper over its store. Its errors are a *ConfigError and those of the store.
func NewHelper(config HelperConfig) (*Helper, error) {
	if config.Store == nil {
		return nil, &ConfigError{Field: "Store", Problem: "missing"}
	}
	config.setDefaults()
	h := &Helper{store: config.Store, config: config}
	if err := h.init(dap.RoleHelper, config.Store, &config.Config); err != nil {
		return nil, err
	}
	var err error
	if h.metrics, err = newHelperMetrics(config.Metrics); err != nil {
		return nil, err
	}
	h.slots = fairshare.New[dap.TaskID](int64(config.MaxJobsInProgress), nil)
	h.async.wake = make(chan struct{}, 1)
	return h, nil
}

// AuthorizeLeader checks the token that a Leader presents for a task:
// ErrUnauthorized, or a *dap.Error of type unrecognizedTask.
func (h *Helper) AuthorizeLeader(ctx context.Context, id dap.TaskID, token string) error {
	t, err := h.task(ctx, id)
	if err != nil {
		return err
	}
	return authorize(token, t.LeaderTokenHash)
}

// Counts returns a task's numbers.
func (h *Helper) Counts(ctx context.Context, id dap.TaskID) (HelperCounts, error) {
	return h.store.HelperCounts(ctx, id)
}

// PollAggregationJob returns the state of an aggregation job at a step (DAP
// Section 4.5). An unknown job is unrecognizedAggregationJob, a step that is not
// its current one stepMismatch.
func (h *Helper) PollAggregationJob(ctx context.Context, id dap.TaskID, jobID dap.AggregationJobID, step uint16) (AggregationStatus, error) {
	if _, err := h.task(ctx, id); err != nil {
		return AggregationStatus{}, err
	}
	job, err := h.helperJob(ctx, id, jobID)
	if err != nil {
		return AggregationStatus{}, err
	}
	if err := refusal(job); err != nil {
		return AggregationStatus{}, err
	}
	if step != job.Step {
		return AggregationStatus{}, peerError(id, dap.ErrorTypeStepMismatch, "the aggregation job is at step %d, not at step %d", job.Step, step)
	}
	return h.statusOf(job), nil
}

// DeleteAggregationJob forgets an aggregation job (DAP Section 4.5.5). What
// was aggregated stays aggregated, and replays stay known.
func (h *Helper) DeleteAggregationJob(ctx context.Context, id dap.TaskID, jobID dap.AggregationJobID) error {
	if _, err := h.task(ctx, id); err != nil {
		return err
	}
	unlock, err := h.jobs.lock(ctx, helperJobKey{id, jobID})
	if err != nil {
		return err
	}
	defer unlock()
	err = h.store.DeleteHelperJob(ctx, id, jobID)
	if errors.Is(err, ErrNotFound) {
		return unrecognizedJob(id)
	}
	return err
}

// helperJob returns a stored job; an unknown one is a *dap.Error.
func (h *Helper) helperJob(ctx context.Context, id dap.TaskID, jobID dap.AggregationJobID) (HelperJob, error) {
	job, err := h.store.HelperJob(ctx, id, jobID)
	if errors.Is(err, ErrNotFound) {
		return HelperJob{}, unrecognizedJob(id)
	}
	return job, err
}

func unrecognizedJob(id dap.TaskID) error {
	return peerError(id, dap.ErrorTypeUnrecognizedAggregationJob, "no aggregation job with this ID, or it was deleted")
}

func (h *Helper) statusOf(job HelperJob) AggregationStatus {
	status := AggregationStatus{ID: job.ID, Step: job.Step, Ready: !job.Pending}
	if status.Ready {
		status.Body = job.Response
	} else {
		status.RetryAfter = h.config.RetryAfter
	}
	return status
}

// progress is what a request takes of the limits while it is worked on.
type progress struct {
	slot, memory *fairshare.Grant[dap.TaskID]
}

// begin takes a place and the memory for a request of a task with this body, or fails with ErrBusy.
func (h *Helper) begin(id dap.TaskID, body []byte) (*progress, error) {
	slot, ok := h.slots.TryTake(id, 1)
	if !ok {
		return nil, ErrBusy
	}
	memory, ok := h.bytes.TryTake(id, int64(len(body)))
	if !ok {
		slot.Release()
		return nil, ErrBusy
	}
	return &progress{slot, memory}, nil
}

// hold takes the memory for the reports of a job. It fails with ErrBusy, or with
// ErrTooLarge if there is never so much.
func (h *Helper) hold(p *progress, t *preparedTask, reports int) error {
	n := int64(reports) * t.memory.held
	if p.memory.Size()+n > h.bytes.Limit() && reports > 1 {
		return fmt.Errorf("%w: %w", ErrTooLarge, &MemoryError{fmt.Sprintf("an aggregation job of %d reports of this task", reports), p.memory.Size() + n, h.bytes.Limit()})
	}
	if !p.memory.Grow(n) {
		return ErrBusy
	}
	return nil
}

func (p *progress) end() {
	p.memory.Release()
	p.slot.Release()
}

// contentID derives the identifier of a resource from the request that creates
// it (DAP Section 3.2), so that the same request always names the same resource.
func contentID(kind string, id dap.TaskID, body []byte) [16]byte {
	hash := sha256.New()
	hash.Write([]byte("twofold " + kind + "\x00"))
	hash.Write(id[:])
	hash.Write(body)
	return [16]byte(hash.Sum(nil))
}
