package aggregator

import (
	"context"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// jobTable knows which aggregation jobs have a driver, so that each has one at most.
type jobTable struct {
	mu   sync.Mutex
	jobs map[dap.AggregationJobID]*drivenJob
}

// drivenJob is a job's place in the table.
type drivenJob struct {
	id    dap.AggregationJobID
	job   *leaderJob // nil until it is known
	ctx   context.Context
	stop  context.CancelFunc
	wake  chan struct{} // has one value if the next attempt is to be made now
	held  bool          // by an operator's command; the place is kept when the driver ends
	ended chan struct{} // closed when the driver has ended
}

// add makes a place for a job that has none; nil if it has one.
func (t *jobTable) add(ctx context.Context, id dap.AggregationJobID) *drivenJob {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[id] != nil {
		return nil
	}
	d := &drivenJob{id: id, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	d.ctx, d.stop = context.WithCancel(ctx)
	if t.jobs == nil {
		t.jobs = make(map[dap.AggregationJobID]*drivenJob)
	}
	t.jobs[id] = d
	return d
}

// remove gives up the place of a job whose driver has ended.
func (t *jobTable) remove(d *drivenJob) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.stop()
	close(d.ended)
	if !d.held {
		delete(t.jobs, d.id)
	}
}

// hold ends the driver of a job, if there is one, and keeps others from driving it until release is
// called. driver is the job as its driver left it, nil if it had none. ErrBusy: another command holds it.
func (t *jobTable) hold(ctx context.Context, id dap.AggregationJobID) (driver *leaderJob, release func(), err error) {
	d, err := t.take(id)
	if err != nil {
		return nil, nil, err
	}
	d.stop()
	select {
	case <-d.ended:
		return d.job, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			delete(t.jobs, id)
		}, nil
	case <-ctx.Done():
		t.letGo(d)
		return nil, nil, ctx.Err()
	}
}

// take marks the place of a job as held. One without a driver gets a place.
func (t *jobTable) take(id dap.AggregationJobID) (*drivenJob, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.jobs[id]
	if d == nil {
		d = &drivenJob{id: id, stop: func() {}, ended: make(chan struct{})}
		close(d.ended)
		if t.jobs == nil {
			t.jobs = make(map[dap.AggregationJobID]*drivenJob)
		}
		t.jobs[id] = d
	}
	if d.held {
		return nil, ErrBusy
	}
	d.held = true
	return d, nil
}

// letGo ends what take began before the driver has ended.
func (t *jobTable) letGo(d *drivenJob) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.held = false
	select {
	case <-d.ended:
		delete(t.jobs, d.id)
	default:
	}
}

// hurry lets a driver that waits make its next attempt now. It tells whether there is a driver.
func (t *jobTable) hurry(id dap.AggregationJobID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.jobs[id]
	if d == nil || d.held {
		return false
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
	return true
}

// drivenBy gives a job its place in the table.
func (j *leaderJob) drivenBy(d *drivenJob) {
	j.driven, j.ctx = d, d.ctx
	d.job = j
}

// sleep waits for d, or until the job is to be tried now. False: its driver is to end.
func (j *leaderJob) sleep(stopping context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return stopping.Err() == nil && j.ctx.Err() == nil
	case <-j.driven.wake:
		return stopping.Err() == nil && j.ctx.Err() == nil
	case <-stopping.Done():
		return false
	case <-j.ctx.Done():
		return false
	}
}
