package aggregator

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

const (
	// collectionGap is the least time between two looks at a collection job.
	collectionGap = 20 * time.Millisecond
	// collectionIdle is after how long a collection job is looked at without an event.
	collectionIdle = 5 * time.Second
)

// collectionRun is an unfinished collection job while the Leader runs. One goroutine drives it.
type collectionRun struct {
	job     CollectionJob // as it is stored
	task    *preparedTask
	request dap.CollectionJobReq
	source  *source // unless aggregation is eager
	polling bool    // the Helper has accepted the request for its aggregate share
	// uncertain: the store may have more of the job, or another state of it, than job says.
	uncertain bool

	wake    chan struct{} // has one value after an event
	waits   chan struct{} // closed when the job waits for something for the first time
	ctx     context.Context
	stop    context.CancelFunc
	stopped chan struct{} // closed when the goroutine has ended
}

// collectionTable knows which collection jobs have a goroutine.
type collectionTable struct {
	mu         sync.Mutex
	background *background // nil while the Leader does not run
	runs       map[dap.TaskID]map[dap.CollectionJobID]*collectionRun
	count      int
}

func (c *collectionTable) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// signal tells the collection jobs of a task that something may have changed for them.
func (c *collectionTable) signal(task dap.TaskID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, run := range c.runs[task] {
		select {
		case run.wake <- struct{}{}:
		default:
		}
	}
}

// stop lets no more goroutines begin.
func (c *collectionTable) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.background = nil
}

// inBackground runs f while the Leader runs; otherwise not at all.
func (c *collectionTable) inBackground(f func(*background)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.background; b != nil {
		b.wait.Go(func() { f(b) })
	}
}

// cancel ends the goroutine of a collection job, and waits until it has ended.
func (c *collectionTable) cancel(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) error {
	c.mu.Lock()
	run := c.runs[task][id]
	c.mu.Unlock()
	if run == nil {
		return nil
	}
	run.stop()
	select {
	case <-run.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resumeCollections drives the unfinished collection jobs of the store, and from now on new ones.
func (l *Leader) resumeCollections(b *background) error {
	l.collections.mu.Lock()
	l.collections.background = b
	l.collections.mu.Unlock()
	jobs, err := l.store.CollectionJobs(b.work)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		t, err := l.task(b.work, job.Task)
		if err != nil {
			l.log.Error("a collection job cannot be resumed", "task", job.Task, "job", job.ID, "error", err)
			continue
		}
		l.startCollection(t, job)
	}
	return nil
}

// startCollection drives a collection job, unless it is over, driven already, or
// the Leader does not run.
func (l *Leader) startCollection(t *preparedTask, job CollectionJob) {
	if job.State != CollectionPending && job.State != CollectionClosed {
		return
	}
	req, err := dap.DecodeCollectionJobReq(job.Request)
	if err != nil {
		l.log.Error("a stored collection job does not decode", "task", job.Task, "job", job.ID, "error", err)
		return
	}
	c := &l.collections
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.background == nil || c.runs[t.ID][job.ID] != nil {
		return
	}
	run := &collectionRun{job: job, task: t, request: req, wake: make(chan struct{}, 1), waits: make(chan struct{}), stopped: make(chan struct{})}
	run.ctx, run.stop = context.WithCancel(c.background.work)
	if c.runs == nil {
		c.runs = make(map[dap.TaskID]map[dap.CollectionJobID]*collectionRun)
	}
	if c.runs[t.ID] == nil {
		c.runs[t.ID] = make(map[dap.CollectionJobID]*collectionRun)
	}
	c.runs[t.ID][job.ID] = run
	c.count++
	b := c.background
	b.wait.Go(func() { l.driveCollection(b, run) })
}

// firstAnswer is how long the answer to a new collection job is held back at most while its result is made.
const firstAnswer = 2 * time.Second

// afterFirstWork returns a collection job as it is when there is nothing to be done for it at once, or when a moment has
// passed: so that a result that needs nothing but work is in the first answer.
func (l *Leader) afterFirstWork(ctx context.Context, job CollectionJob) (CollectionJob, error) {
	l.collections.mu.Lock()
	run := l.collections.runs[job.Task][job.ID]
	l.collections.mu.Unlock()
	if run != nil {
		timer := time.NewTimer(firstAnswer)
		defer timer.Stop()
		select {
		case <-run.waits:
		case <-timer.C:
		case <-ctx.Done():
			return job, nil
		}
	}
	stored, err := l.store.CollectionJob(ctx, job.Task, job.ID)
	if errors.Is(err, ErrNotFound) { // it was deleted meanwhile, which polling tells
		return job, nil
	}
	return stored, err
}

// ended takes a run out of the table.
func (c *collectionTable) ended(run *collectionRun) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.runs[run.job.Task], run.job.ID)
	if len(c.runs[run.job.Task]) == 0 {
		delete(c.runs, run.job.Task)
	}
	c.count--
	close(run.stopped)
}

// driveCollection takes a collection job to its end, or as far as it comes
// before the Leader stops or the job is deleted.
func (l *Leader) driveCollection(b *background, run *collectionRun) {
	defer l.collections.ended(run)
	defer run.stop()
	if !run.task.eager {
		run.source = l.schedule.ofCollection(run.task, run.job, run.request.AggParam, false)
	}
	waits := sync.OnceFunc(func() { close(run.waits) })
	defer waits()
	for {
		wait, over := l.stepCollection(b, run)
		if wait > 0 && !over {
			waits()
		}
		if over {
			if run.ctx.Err() == nil {
				l.schedule.end(sourceKey{task: run.job.Task, collection: run.job.ID})
			}
			return
		}
		if !run.pause(b.stopping, wait) {
			return
		}
	}
}

// pause waits for an event, at least for collectionGap and at most for d.
func (run *collectionRun) pause(stopping context.Context, d time.Duration) bool {
	timer := time.NewTimer(collectionGap)
	defer timer.Stop()
	wake := (chan struct{})(nil)
	for {
		select {
		case <-run.ctx.Done():
			return false
		case <-stopping.Done():
			return false
		case <-wake:
			return true
		case <-timer.C:
			if d <= collectionGap {
				return true
			}
			timer.Reset(d - collectionGap)
			d, wake = 0, run.wake
		}
	}
}
