package aggregator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fairshare"
)

// asyncQueue holds the jobs whose step an asynchronous Helper has accepted and
// not computed yet. The store has them too: the queue only says which.
type asyncQueue struct {
	mu     sync.Mutex
	queued []helperJobKey
	known  map[helperJobKey]*asyncState // queued, or being computed
	tasks  map[dap.TaskID]*asyncTask    // of the known jobs
	turn   uint64
	wake   chan struct{} // has one value if queued may have changed
}

// asyncTask is a task with known jobs.
type asyncTask struct {
	known  int
	served uint64 // the turn in which one of its jobs was last taken
}

type asyncState struct {
	queued bool
	again  bool // came again while it was being computed
}

// add adds a job. full tells that the limit (0: none) is reached, or the task's share of it, which
// is twice of what is still free; the job is then not added.
func (q *asyncQueue) add(key helperJobKey, limit int) (full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if state := q.known[key]; state != nil {
		state.again = !state.queued
		return false
	}
	free := limit - len(q.known)
	task := q.tasks[key.task]
	if limit > 0 && (free <= 0 || task != nil && task.known+1 > 2*free) {
		return true
	}
	if q.known == nil {
		q.known = make(map[helperJobKey]*asyncState)
		q.tasks = make(map[dap.TaskID]*asyncTask)
	}
	if task == nil {
		task = &asyncTask{}
		q.tasks[key.task] = task
	}
	task.known++
	q.known[key] = &asyncState{queued: true}
	q.push(key)
	return false
}

func (q *asyncQueue) push(key helperJobKey) {
	q.queued = append(q.queued, key)
	q.signal()
}

func (q *asyncQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next takes a job: the oldest of the task that has waited longest for its turn.
func (q *asyncQueue) next() (helperJobKey, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queued) == 0 {
		return helperJobKey{}, false
	}
	at := 0
	for i := range q.queued {
		if q.tasks[q.queued[i].task].served < q.tasks[q.queued[at].task].served {
			at = i
		}
	}
	key := q.queued[at]
	q.queued = slices.Delete(q.queued, at, at+1)
	q.known[key].queued = false
	q.turn++
	q.tasks[key.task].served = q.turn
	if len(q.queued) > 0 { // for the next worker
		q.signal()
	}
	return key, true
}

// done forgets a job that was computed. If it is to be computed again, or came
// again in the meantime, it goes to the end of the queue.
func (q *asyncQueue) done(key helperJobKey, again bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if state := q.known[key]; again || state.again {
		state.queued, state.again = true, false
		q.push(key)
		return
	}
	delete(q.known, key)
	if task := q.tasks[key.task]; task.known > 1 {
		task.known--
	} else {
		delete(q.tasks, key.task)
	}
}

func (q *asyncQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.known)
}

// deferJob stores a new job to be computed by Run.
func (h *Helper) deferJob(ctx context.Context, job HelperJob, init *initRequest) (AggregationStatus, error) {
	key := helperJobKey{job.Task, job.ID}
	if h.async.add(key, h.config.MaxPendingJobs) {
		return AggregationStatus{}, ErrBusy
	}
	stored, _, err := h.store.CreateHelperJob(ctx, job)
	if errors.Is(err, ErrNotFound) {
		return h.deletedJob(job, init.ids())
	}
	if err != nil {
		return AggregationStatus{}, err // what is queued finds no job, or the one that was stored after all
	}
	h.metrics.pending.Set(float64(h.async.len()))
	return h.statusOf(stored), nil
}

// deferStep stores the request of a job's next step to be computed by Run.
func (h *Helper) deferStep(ctx context.Context, job HelperJob, step uint16, digest [32]byte, body []byte) (AggregationStatus, error) {
	key := helperJobKey{job.Task, job.ID}
	if h.async.add(key, h.config.MaxPendingJobs) {
		return AggregationStatus{}, ErrBusy
	}
	err := h.store.SetHelperRequest(ctx, job.Task, job.ID, step, digest, body)
	if errors.Is(err, ErrConflict) {
		return AggregationStatus{}, peerError(job.Task, dap.ErrorTypeStepMismatch, "the aggregation job is not ready for step %d", step)
	}
	if err != nil {
		return AggregationStatus{}, err
	}
	h.metrics.pending.Set(float64(h.async.len()))
	return AggregationStatus{ID: job.ID, Step: step, RetryAfter: h.config.RetryAfter}, nil
}

// Run computes what an asynchronous Helper has deferred, until ctx ends. A
// synchronous Helper finishes what an asynchronous one has left in its store. Run also deletes what
// is older than it is to be kept (Config.Retention). Only one Run runs at a time.
func (h *Helper) Run(ctx context.Context) error {
	if !h.run.TryLock() {
		return &ConfigError{Field: "Run", Problem: "is running already"}
	}
	defer h.run.Unlock()
	work, stop := h.workContext(ctx)
	defer stop()
	pending, err := h.store.PendingHelperJobs(work) // also if ctx has ended already, which is no failure
	if err != nil {
		return err
	}
	for _, job := range pending {
		h.async.add(helperJobKey{job.Task, job.ID}, 0)
	}
	var workers sync.WaitGroup
	for range asyncWorkers {
		workers.Go(func() { h.computeDeferred(ctx, work) })
	}
	workers.Go(func() { h.retainer.run(ctx, work) })
	workers.Wait()
	return nil
}

// asyncWorkers is how many jobs an asynchronous Helper computes at the same
// time, so that one may be verified while another is committed.
const asyncWorkers = 2

// computeDeferred computes deferred jobs until ctx ends; work is the context of
// what it has begun.
func (h *Helper) computeDeferred(ctx, work context.Context) {
	for ctx.Err() == nil {
		key, ok := h.async.next()
		if !ok {
			select {
			case <-ctx.Done():
			case <-h.async.wake:
			}
			continue
		}
		again := h.computePending(work, key)
		if again {
			sleep(ctx, h.config.RetryAfter)
		}
		h.async.done(key, again)
		h.metrics.pending.Set(float64(h.async.len()))
	}
}

// computePending computes the step that a job waits for. again tells that it
// failed for a reason of this server's own, and is to be tried again.
func (h *Helper) computePending(ctx context.Context, key helperJobKey) (again bool) {
	unlock, err := h.jobs.lock(ctx, key)
	if err != nil {
		return true
	}
	defer unlock()
	job, err := h.store.HelperJob(ctx, key.task, key.job)
	if errors.Is(err, ErrNotFound) || err == nil && !job.Pending {
		return false
	}
	if err == nil {
		err = h.computeRequest(ctx, job)
	}
	if err != nil {
		h.log.Error("an aggregation job could not be computed; it is tried again", "task", key.task, "job", key.job, "error", err)
		if err := h.store.RecordHelperAttempt(ctx, key.task, key.job, job.Step, err.Error()); err != nil && !errors.Is(err, ErrNotFound) {
			h.log.Error("a failed attempt could not be recorded", "task", key.task, "job", key.job, "error", err)
		}
		return true
	}
	return false
}

// computeRequest computes the stored request of a job when there is memory for it. The request has
// passed its checks when it was accepted.
func (h *Helper) computeRequest(ctx context.Context, job HelperJob) error {
	t, err := h.task(ctx, job.Task)
	if err != nil {
		return err
	}
	if job.Step == 0 {
		init, err := h.decodeInit(t, job.Request)
		if err != nil {
			return err
		}
		memory, err := h.waitForMemory(ctx, t, job, len(init.VerifyInits))
		if err != nil {
			return err
		}
		defer memory.Release()
		_, err = h.computeInit(ctx, t, job, init)
		return err
	}
	req, err := dap.DecodeAggregationJobContinueReq(job.Request)
	if err != nil {
		return malformed(t.ID, err)
	}
	reports, err := matchContinue(t, job, &req)
	if err != nil {
		return err
	}
	memory, err := h.waitForMemory(ctx, t, job, len(reports))
	if err != nil {
		return err
	}
	defer memory.Release()
	_, err = h.computeContinue(ctx, t, job, &req, reports)
	return err
}

// waitForMemory waits until there is memory for a stored request and its reports.
func (h *Helper) waitForMemory(ctx context.Context, t *preparedTask, job HelperJob, reports int) (*fairshare.Grant[dap.TaskID], error) {
	return h.bytes.Take(ctx, t.ID, int64(len(job.Request))+int64(reports)*t.memory.held)
}

// sleep waits for d or until ctx ends; it tells whether d has passed.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
