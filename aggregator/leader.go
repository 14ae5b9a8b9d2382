package aggregator

import (
	"context"
	"crypto/sha256"
	"sync"
	"sync/atomic"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fairshare"
)

// Leader is the engine of a Leader (DAP Sections 4.4 to 4.6). Its methods
// handle requests; Run does what goes on in the background. All that is known
// is in the store: a Leader that was stopped at any moment goes on where it was. It is
// safe for concurrent use.
type Leader struct {
	engine
	store   LeaderStore
	peer    Peer
	config  LeaderConfig
	metrics *leaderMetrics

	schedule    *scheduler
	memory      *fairshare.Pool[dap.TaskID] // bytes of the aggregation jobs that are worked on
	leastJob    int64                       // what a job takes of it at least, so that their number is bounded too
	retained    *fairshare.Pool[dap.TaskID] // bytes of those that keep what they have computed while they wait
	jobs        jobTable
	collections collectionTable
	undriven    atomic.Bool // an active job may have nobody that drives it: see resumeInBackground

	run sync.Mutex // held by Run
}

// NewLeader returns a Leader over its store. Its errors are a *ConfigError and those of the store.
func NewLeader(config LeaderConfig) (*Leader, error) {
	if config.Store == nil {
		return nil, &ConfigError{Field: "Store", Problem: "missing"}
	}
	if config.Peer == nil {
		return nil, &ConfigError{Field: "Peer", Problem: "missing; it is how the Leader reaches Helpers"}
	}
	config.setDefaults()
	l := &Leader{store: config.Store, peer: config.Peer, config: config}
	if err := l.init(dap.RoleLeader, config.Store, &config.Config); err != nil {
		return nil, err
	}
	var err error
	if l.metrics, err = newLeaderMetrics(config.Metrics); err != nil {
		return nil, err
	}
	l.retainer.swept = l.collections.signal
	l.schedule = newScheduler(&l.config)
	if err := register(config.Metrics, waitingGauge(l.schedule.waitingReports)); err != nil {
		return nil, err
	}
	l.memory = fairshare.New[dap.TaskID](config.MaxBytesInJobs, l.schedule.signal)
	l.leastJob = config.MaxBytesInJobs / int64(config.MaxJobsInFlight+(config.MaxJobsInFlight+1)/2)
	l.retained = fairshare.New[dap.TaskID](config.MaxBytesInJobs/4, nil)
	l.jobMemory = config.MaxBytesInJobs
	l.schedule.admits = func(src *source, reports int) bool { return l.memory.Would(src.key.task, l.jobCost(src.task, reports)) }
	return l, nil
}

// AuthorizeCollector checks the token that a Collector presents for a task:
// ErrUnauthorized, or a *dap.Error of type unrecognizedTask.
func (l *Leader) AuthorizeCollector(ctx context.Context, id dap.TaskID, token string) error {
	t, err := l.task(ctx, id)
	if err != nil {
		return err
	}
	return authorize(token, t.CollectorTokenHash)
}

// CheckTask returns nil if the task is known, else a *dap.Error of type
// unrecognizedTask or an error of the store.
func (l *Leader) CheckTask(ctx context.Context, id dap.TaskID) error {
	_, err := l.task(ctx, id)
	return err
}

// Counts returns a task's numbers.
func (l *Leader) Counts(ctx context.Context, id dap.TaskID) (LeaderCounts, error) {
	return l.store.Counts(ctx, id)
}

// OpenBatches returns a task's leader-selected batches that are not collected nor about to be, oldest first. Of those
// whose collection has failed it says why.
func (l *Leader) OpenBatches(ctx context.Context, id dap.TaskID) ([]OpenBatch, error) {
	return l.store.OpenBatches(ctx, id)
}

// Run aggregates reports, finishes collection jobs and deletes what is older than it is to be kept, until ctx ends. Then it
// begins nothing new, lets what is under way reach its next safe point for at most
// Config.DrainTimeout, and returns. Whatever is left goes on with the next Run. Only one Run runs at a time.
func (l *Leader) Run(ctx context.Context) error {
	if !l.run.TryLock() {
		return &ConfigError{Field: "Run", Problem: "is running already"}
	}
	defer l.run.Unlock()
	stopping, halt := context.WithCancel(ctx)
	work, stop := l.workContext(stopping)
	b := &background{stopping: stopping, work: work}
	defer func() {
		halt()
		l.collections.stop()
		b.wait.Wait()
		stop()
	}()

	l.undriven.Store(false) // who has set it before has stored the job
	if err := l.resumeJobs(b); err != nil {
		return err
	}
	if err := l.resumeCollections(b); err != nil {
		return err
	}
	b.wait.Go(func() { l.resumeUndriven(b) })
	b.wait.Go(func() { l.scheduleJobs(b) })
	b.wait.Go(func() { l.retainer.run(b.stopping, b.work) })
	<-ctx.Done()
	return nil
}

// background is what one Run needs to start work: stopping ends when nothing
// new is to begin, work when what has begun must end too.
type background struct {
	stopping context.Context
	work     context.Context
	wait     sync.WaitGroup
}

// jobCost is what a job of a task takes of the memory for jobs.
func (l *Leader) jobCost(t *preparedTask, reports int) int64 {
	return max(t.memory.job(reports, l.config.MaxJobBytes), l.leastJob)
}

// jobSlot is the memory of a job that is worked on.
type jobSlot struct {
	leader *Leader
	grant  *fairshare.Grant[dap.TaskID]
}

// acquireSlot waits for the memory that the job takes. It fails when the Leader is stopping.
func (l *Leader) acquireSlot(b *background, j *leaderJob) bool {
	ctx, cancel := context.WithCancel(b.stopping)
	defer cancel()
	defer context.AfterFunc(j.ctx, cancel)()
	grant, err := l.memory.Take(ctx, j.task.ID, l.jobCost(j.task, len(j.record.Reports)))
	if err != nil {
		return false
	}
	j.slot = l.slotOf(grant)
	return true
}

// newSlot takes the memory of a source's next job, if there is so much now.
func (l *Leader) newSlot(src *source, reports int) (*jobSlot, bool) {
	grant, ok := l.memory.TryTake(src.key.task, l.jobCost(src.task, reports))
	if !ok {
		return nil, false
	}
	return l.slotOf(grant), true
}

func (l *Leader) slotOf(grant *fairshare.Grant[dap.TaskID]) *jobSlot {
	l.metrics.inFlight.Inc()
	return &jobSlot{l, grant}
}

// release gives the memory back, so that others get it.
func (s *jobSlot) release() {
	s.leader.metrics.inFlight.Dec()
	s.grant.Release()
}

func digestOf(request []byte) [32]byte { return sha256.Sum256(request) }
