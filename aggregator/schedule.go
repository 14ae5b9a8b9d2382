package aggregator

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// sourceKey identifies a source: a task's reports that are aggregated eagerly, or
// those that are aggregated for one collection job.
type sourceKey struct {
	task       dap.TaskID
	collection dap.CollectionJobID // zero: eager
}

// source is where aggregation jobs come from: waiting reports of one task that
// are aggregated with one aggregation parameter. The scheduler's lock protects it.
type source struct {
	key      sourceKey
	task     *preparedTask
	aggParam []byte
	within   *dap.Interval // of a time-interval collection
	filling  *fillingBatches

	waiting  uint64 // reports that wait and that no job has taken, about; never too few
	bytes    uint64 // of their bodies, about
	since    time.Time
	urgent   bool // do not wait for a job to be full
	after    uint64
	rewind   bool // reports before after were given back
	jobs     int  // unfinished jobs
	stuck    int  // those of them whose answers cannot be understood
	pausedTo time.Time
	ended    bool // of a collection that is over
	refill   bool // the filling batches are to be read anew
	takings  int  // reports on their way into so many jobs
	version  int  // counts what has changed the filling batches
}

// scheduler decides which reports go into the next aggregation job: the sources
// in turn, each report in one job at a time.
type scheduler struct {
	maxReports, maxBytes, maxJobs int
	linger                        time.Duration
	wake                          chan struct{} // has one value if a source may have become ready
	// admits tells whether there is memory for a source's job of so many reports; nil: always.
	admits func(src *source, reports int) bool

	mu      sync.Mutex
	order   []*source
	turn    int
	sources map[sourceKey]*source
	taken   map[dap.TaskID]map[uint64]struct{} // sequence numbers of reports on their way into a job
}

func newScheduler(c *LeaderConfig) *scheduler {
	return &scheduler{
		maxReports: c.MaxJobReports, maxBytes: c.MaxJobBytes, maxJobs: c.MaxJobsInFlight, linger: c.Linger,
		wake:    make(chan struct{}, 1),
		sources: make(map[sourceKey]*source),
		taken:   make(map[dap.TaskID]map[uint64]struct{}),
	}
}

func (s *scheduler) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// waitingReports is the number of reports that wait, about.
func (s *scheduler) waitingReports() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := uint64(0)
	for _, src := range s.order {
		total += src.waiting
	}
	return float64(total)
}

// eager returns the source of a task's eager aggregation. The caller holds the lock.
func (s *scheduler) eager(t *preparedTask) *source {
	key := sourceKey{task: t.ID}
	src := s.sources[key]
	if src == nil {
		src = &source{key: key, task: t, aggParam: []byte{}}
		if t.Config.BatchMode == dap.BatchModeLeaderSelected {
			src.filling = &fillingBatches{target: t.Config.MinBatchSize}
		}
		s.add(src)
	}
	return src
}

func (s *scheduler) add(src *source) {
	s.sources[src.key] = src
	s.order = append(s.order, src)
}

// uploaded tells that reports of an eager task wait which did not before.
func (s *scheduler) uploaded(t *preparedTask, count, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eager(t).arrived(uint64(count), uint64(bytes), time.Now())
	s.signal()
}

func (src *source) arrived(count, bytes uint64, now time.Time) {
	if src.waiting == 0 {
		src.since = now
	}
	src.waiting += count
	src.bytes += bytes
}

// reset forgets what unfinished jobs and takings there were, and what waits.
func (s *scheduler) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order, s.turn = nil, 0
	clear(s.sources)
	clear(s.taken)
}

// resync tells how many reports of a task wait, all together. What was uploaded since they were counted
// is counted twice then; none is left out.
func (s *scheduler) resync(t *preparedTask, waiting uint64, open []OpenBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.eager(t)
	if src.filling != nil {
		src.filling.load(open)
	}
	src.arrived(waiting, 0, time.Now())
	s.signal()
}

// pick returns the next source that is ready for a job, or nil and when one may
// become ready by time alone (0: only by an event).
func (s *scheduler) pick() (*source, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	soonest := time.Duration(0)
	for i := range s.order {
		at := (s.turn + i) % len(s.order)
		ready, wait := s.ready(s.order[at], now)
		if ready {
			s.turn = at + 1
			return s.order[at], 0
		}
		if wait > 0 && (soonest == 0 || wait < soonest) {
			soonest = wait
		}
	}
	return nil, soonest
}

func (s *scheduler) ready(src *source, now time.Time) (ready bool, wait time.Duration) {
	if src.refill && src.takings > 0 || src.waiting == 0 || src.jobs >= s.allowed(src) || src.ended || s.limit(src) == 0 {
		return false, 0
	}
	if wait := src.pausedTo.Sub(now); wait > 0 {
		return false, wait
	}
	if s.admits != nil && !s.admits(src, s.nextJob(src)) {
		return false, 0
	}
	if src.urgent || src.waiting >= uint64(s.limit(src)) || src.bytes >= uint64(s.maxBytes) {
		return true, 0
	}
	wait = src.since.Add(s.linger).Sub(now)
	return wait <= 0, wait
}

// allowed is how many unfinished jobs a source may have. Some that are stuck do not keep
// others from being made; but where all get stuck, most reports wait outside of jobs.
func (s *scheduler) allowed(src *source) int {
	return s.maxJobs + min(src.stuck, 4*s.maxJobs)
}

// limit is how many reports the source's next job takes, at most. The caller holds the lock.
func (s *scheduler) limit(src *source) int {
	most := src.task.memory.jobReports(s.maxReports)
	if src.filling == nil {
		return most
	}
	return int(min(uint64(most), src.filling.room(src.waiting)))
}

// nextJob is how many reports the source's next job has, about; never too few. The
// caller holds the lock.
func (s *scheduler) nextJob(src *source) int { return int(min(src.waiting, uint64(s.limit(src)))) }

// jobSize is nextJob for who does not hold the lock.
func (s *scheduler) jobSize(src *source) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nextJob(src)
}

// taking is a set of waiting reports that the scheduler has taken for one job.
type taking struct {
	source  *source
	slot    *jobSlot
	reports []StoredReport
	batch   *fillingBatch // leader-selected
}

// take takes reports for one job of a source, or nil if none wait.
func (s *scheduler) take(ctx context.Context, store LeaderStore, src *source) (*taking, error) {
	if err := s.refill(ctx, store, src); err != nil {
		s.pause(src)
		return nil, err
	}
	s.mu.Lock()
	if src.rewind {
		src.after, src.rewind = 0, false
	}
	after, limit, seen := src.after, s.limit(src), src.waiting
	s.mu.Unlock()
	if limit == 0 {
		return nil, nil
	}
	for {
		reports, err := store.WaitingReports(ctx, src.key.task, after, limit, s.maxBytes, src.within)
		if err != nil {
			s.pause(src)
			return nil, err
		}
		if len(reports) == 0 {
			s.mu.Lock()
			defer s.mu.Unlock()
			// What arrived since may have been read over, and is still counted.
			src.waiting -= min(seen, src.waiting)
			src.bytes, src.urgent = 0, false
			return nil, nil
		}
		after = reports[len(reports)-1].Sequence
		if t, over := s.claim(src, reports, after); over {
			return t, nil
		}
	}
}

// refill reads the filling batches of a source again after something went
// wrong with one of its jobs. Its reports on their way into a job would be in neither; there are none then.
func (s *scheduler) refill(ctx context.Context, store LeaderStore, src *source) error {
	for range 3 { // jobs may end meanwhile; then what was read is of the past
		s.mu.Lock()
		needed, version := src.refill && src.takings == 0, src.version
		s.mu.Unlock()
		if !needed {
			return nil
		}
		open, err := store.OpenBatches(ctx, src.key.task)
		if err != nil {
			return err
		}
		s.mu.Lock()
		if src.version == version {
			src.refill = false
			src.filling.reload(open)
		}
		s.mu.Unlock()
	}
	return nil
}

// claim takes those of the reports that no other job has taken. over is false if there are none, and others may
// be looked for. Where the source's batches must be read again first, nothing is taken.
func (s *scheduler) claim(src *source, reports []StoredReport, after uint64) (t *taking, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src.refill {
		return nil, true
	}
	taken := s.taken[src.key.task]
	if taken == nil {
		taken = make(map[uint64]struct{})
		s.taken[src.key.task] = taken
	}
	reports = slices.DeleteFunc(reports, func(r StoredReport) bool { _, ok := taken[r.Sequence]; return ok })
	if len(reports) == 0 {
		return nil, false
	}
	bytes := uint64(0)
	for i := range reports {
		taken[reports[i].Sequence] = struct{}{}
		bytes += uint64(len(reports[i].Body))
	}
	src.after = after
	src.waiting -= min(uint64(len(reports)), src.waiting)
	src.bytes -= min(bytes, src.bytes)
	src.since = time.Now()
	src.jobs++
	src.takings++
	t = &taking{source: src, reports: reports}
	if src.filling != nil {
		t.batch = src.filling.take(uint64(len(reports)))
	}
	return t, true
}

// pause keeps a source from being picked for a moment after a failure.
func (s *scheduler) pause(src *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src.pausedTo = time.Now().Add(time.Second)
}

// settle ends a taking: its reports are in a job now, or were given back.
func (s *scheduler) settle(t *taking, givenBack bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.taken[t.source.key.task]
	bytes := uint64(0)
	for i := range t.reports {
		delete(taken, t.reports[i].Sequence)
		bytes += uint64(len(t.reports[i].Body))
	}
	if len(taken) == 0 {
		delete(s.taken, t.source.key.task)
	}
	src := t.source
	src.takings--
	src.version++
	if src.refill {
		s.signal()
	}
	if givenBack {
		src.arrived(uint64(len(t.reports)), bytes, time.Now())
		src.rewind = true
		src.pausedTo = time.Now().Add(time.Second)
		src.jobs--
		if t.batch != nil {
			src.filling.give(t.batch, uint64(len(t.reports)), true)
			src.refill = !src.filling.fixed // the batch may take no more reports
		}
		s.forget(src)
		s.signal()
	}
}

// jobRejected tells that n reports of a job will not be counted.
func (s *scheduler) jobRejected(src *source, batch *fillingBatch, n int) {
	if batch == nil || n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src.version++
	src.refill = src.filling.give(batch, uint64(n), false) || src.refill
}

// jobResumed tells of an unfinished job that was found in the store.
func (s *scheduler) jobResumed(src *source, batch dap.BatchID) *fillingBatch {
	s.mu.Lock()
	defer s.mu.Unlock()
	src.jobs++
	src.version++
	if src.filling == nil {
		return nil
	}
	src.refill = src.refill || !src.filling.fixed
	return src.filling.resume(batch)
}

// jobStuck tells that the answers for n more jobs cannot be understood.
func (s *scheduler) jobStuck(src *source, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src.stuck += n
	s.signal()
}

// jobLost tells that a job will be resumed from the store, because it is not
// known what became of its last transaction.
func (s *scheduler) jobLost(src *source, batch *fillingBatch) {
	s.mu.Lock()
	src.refill = src.filling != nil && !src.filling.fixed
	s.mu.Unlock()
	s.jobEnded(src, batch, 0)
}

// jobEnded tells that a job is over; its last n reports will not be counted.
func (s *scheduler) jobEnded(src *source, batch *fillingBatch, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src.jobs--
	src.version++
	if batch != nil {
		src.refill = src.filling.give(batch, uint64(n), true) || src.refill
	}
	s.forget(src)
	s.signal()
}
