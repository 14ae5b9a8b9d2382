package aggregator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// leaderJob is an unfinished aggregation job while the Leader runs. One
// goroutine drives it.
type leaderJob struct {
	record AggregationJob // as it is stored
	task   *preparedTask
	source *source
	batch  *fillingBatch // leader-selected, if the scheduler fills it

	driven *drivenJob      // its place in the table
	ctx    context.Context // of what is done for it: ends when its driver is to end

	live    *liveJob // nil: to be computed again from the store
	slot    *jobSlot // nil: it waits
	polling bool     // the Helper has accepted the request, and is still computing
	release func()   // gives back the share of what may be retained
	over    bool     // the scheduler knows that it is no more
	lost    bool     // the store is to be asked what became of it
	// unsettled: the request may have been sent before, without an answer that says what became of it.
	unsettled bool
	stuck     bool // its answers cannot be understood
}

// liveJob is what a job needs to send its next request and to understand the
// answer. It follows from the store's records alone.
type liveJob struct {
	request []byte
	ids     []dap.ReportID   // of record.Reports
	states  []pingpong.State // of record.Reports
}

// scheduleJobs makes aggregation jobs out of waiting reports.
func (l *Leader) scheduleJobs(b *background) {
	for b.stopping.Err() == nil {
		src, wait := l.schedule.pick()
		if src == nil {
			l.schedule.idle(b.stopping, wait)
			continue
		}
		slot, ok := l.newSlot(src, l.schedule.jobSize(src))
		if !ok {
			l.schedule.idle(b.stopping, 0) // until someone has given memory back
			continue
		}
		taking, err := l.schedule.take(b.stopping, l.store, src)
		if err != nil && b.stopping.Err() == nil {
			l.log.Error("waiting reports could not be read", "task", src.key.task, "error", err)
		}
		if taking == nil {
			slot.release()
			continue
		}
		taking.slot = slot
		b.wait.Go(func() { l.newJob(b, taking) })
	}
}

// idle waits for an event, or for d if it is not zero.
func (s *scheduler) idle(ctx context.Context, d time.Duration) {
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-timer:
	}
}

// newJob makes a job of taken reports, stores it and drives it. It holds a slot.
func (l *Leader) newJob(b *background, taking *taking) {
	src := taking.source
	job, rejections, err := l.prepareJob(b.work, taking)
	if err == nil {
		job.drivenBy(l.jobs.add(b.work, job.record.ID))
		err = l.withStore(b, func() error { return l.store.CreateAggregationJob(b.work, job.record, rejections) })
	}
	if err != nil {
		if job != nil && job.driven != nil {
			job.over = true
			l.jobs.remove(job.driven)
		}
		l.schedule.settle(taking, true)
		taking.slot.release()
		if b.work.Err() == nil {
			l.log.Error("an aggregation job could not be made; its reports wait", "task", src.key.task, "error", err)
			l.reconcile(b) // it may have been stored though storing it failed
		}
		return
	}
	l.schedule.settle(taking, false)
	l.schedule.jobRejected(src, taking.batch, len(rejections))
	l.countRejections(rejections)
	if len(job.record.Reports) == 0 {
		l.jobs.remove(job.driven)
		l.schedule.jobEnded(src, taking.batch, 0)
		taking.slot.release()
		l.collections.signal(src.key.task)
		return
	}
	l.metrics.jobs.WithLabelValues("created").Inc()
	job.slot = taking.slot
	l.drive(b, job)
}

// prepareJob opens and verifies the Leader's shares of the reports (DAP Section
// 4.5.3.1), and makes the job of those that are not rejected. Everything that
// depends on the clock is decided here, once and for all.
func (l *Leader) prepareJob(ctx context.Context, taking *taking) (*leaderJob, []Rejection, error) {
	src := taking.source
	job := &leaderJob{task: src.task, source: src, batch: taking.batch}
	job.record = AggregationJob{
		ID: dap.NewAggregationJobID(), Task: src.key.task, AggParam: src.aggParam, Collection: src.key.collection,
		State: JobActive, CreatedAt: l.now().UTC(),
	}
	if taking.batch != nil {
		job.record.BatchID = taking.batch.id
	}
	opening, err := l.opening(src.task, true)
	if err != nil {
		return nil, nil, err
	}
	computed, err := l.computeInit(ctx, opening, src.aggParam, taking.reports)
	if err != nil {
		return nil, nil, err
	}
	live, rejections, err := job.assemble(taking.reports, computed)
	if err != nil {
		return nil, nil, err
	}
	job.live, job.record.RequestDigest = live, digestOf(live.request)
	return job, rejections, nil
}

// initialized is a report after the Leader's initialization.
type initialized struct {
	report    dap.Report
	state     pingpong.State
	rejection dap.ReportError
}

// computeInit opens and verifies stored reports.
func (l *Leader) computeInit(ctx context.Context, opening *inputShareOpening, aggParam []byte, reports []StoredReport) ([]initialized, error) {
	computed := make([]initialized, len(reports))
	err := l.cpu.inChunks(ctx, opening.task, len(reports), func(lo, hi int) {
		initLeaderChunk(opening, aggParam, reports[lo:hi], computed[lo:hi])
	})
	return computed, err
}

// initLeaderChunk opens and verifies reports as one batch.
func initLeaderChunk(opening *inputShareOpening, aggParam []byte, reports []StoredReport, computed []initialized) {
	shares := newShareBatch(len(reports))
	for i := range reports {
		c := &computed[i]
		var err error
		if c.report, err = dap.DecodeReport(reports[i].Body); err != nil {
			c.rejection = dap.ReportErrorInvalidMessage
			continue
		}
		shares.add(i, dap.ReportShare{
			Metadata: c.report.Metadata, PublicShare: c.report.PublicShare, EncryptedInputShare: c.report.LeaderEncryptedInputShare,
		})
	}
	batch := make([]pingpong.Report, 0, len(reports))
	at := make([]int, 0, len(reports))
	opening.open(shares, func(i int, payload []byte, rejection dap.ReportError) {
		c := &computed[i]
		if c.rejection = rejection; rejection != 0 {
			return
		}
		batch = append(batch, pingpong.Report{Nonce: c.report.Metadata.ReportID[:], PublicShare: c.report.PublicShare, InputShare: payload})
		at = append(at, i)
	})
	t := opening.task
	for k, s := range t.topology.LeaderInit(t.VerifyKey, t.vdafContext, aggParam, batch) {
		c := &computed[at[k]]
		c.state = s
		if s.Kind != pingpong.Continued {
			c.rejection = verificationError(s.Err)
		}
	}
}

// assemble makes the job's AggregationJobInitReq of the reports that are not
// rejected, and enters them into the job's record.
func (j *leaderJob) assemble(reports []StoredReport, computed []initialized) (*liveJob, []Rejection, error) {
	live := &liveJob{}
	var rejections []Rejection
	req := dap.AggregationJobInitReq{VerificationKeyID: j.task.VerifyKeyID, AggParam: j.record.AggParam}
	if j.task.Config.BatchMode == dap.BatchModeLeaderSelected {
		req.Extensions = []dap.AggregationJobExtension{dap.NewLeaderSelectedBatchIDExtension(j.record.BatchID)}
	}
	j.record.Reports = nil
	for i := range computed {
		c := &computed[i]
		if c.rejection != 0 {
			rejections = append(rejections, Rejection{Sequence: reports[i].Sequence, Error: c.rejection})
			continue
		}
		j.record.Reports = append(j.record.Reports, reports[i].Sequence)
		live.ids = append(live.ids, c.report.Metadata.ReportID)
		live.states = append(live.states, c.state)
		req.VerifyInits = append(req.VerifyInits, dap.VerifyInit{
			ReportShare: dap.ReportShare{
				Metadata: c.report.Metadata, PublicShare: c.report.PublicShare, EncryptedInputShare: c.report.HelperEncryptedInputShare,
			},
			Payload: c.state.Outbound,
		})
	}
	var err error
	live.request, err = req.Encode()
	return live, rejections, err
}

// resumeJobs starts the jobs that the store holds, and tells the scheduler what waits.
func (l *Leader) resumeJobs(b *background) error {
	l.schedule.reset()
	waiting, err := l.store.WaitingTasks(b.work)
	if err != nil {
		return err
	}
	tasks, err := l.store.Tasks(b.work)
	if err != nil {
		return err
	}
	for i := range tasks {
		t, err := l.task(b.work, tasks[i].ID)
		if err != nil {
			l.log.Error("a task cannot be used; its reports wait", "task", tasks[i].ID, "error", err)
			continue
		}
		if !t.eager {
			continue
		}
		var open []OpenBatch
		if t.Config.BatchMode == dap.BatchModeLeaderSelected {
			if open, err = l.store.OpenBatches(b.work, t.ID); err != nil {
				return err
			}
		} else if waiting[t.ID] == 0 {
			continue
		}
		l.schedule.resync(t, waiting[t.ID], open)
	}
	return l.resumeStored(b)
}

// resumeStored drives the active jobs of the store that nobody drives.
func (l *Leader) resumeStored(b *background) error {
	records, err := l.store.AggregationJobs(b.work)
	if err != nil {
		return err
	}
	for _, record := range records {
		driven := l.jobs.add(b.work, record.ID)
		if driven == nil {
			continue
		}
		job, err := l.resumeJob(b.work, record)
		if err != nil {
			l.jobs.remove(driven)
			l.log.Error("an aggregation job cannot be resumed", "task", record.Task, "job", record.ID, "error", err)
			continue
		}
		job.drivenBy(driven)
		b.wait.Go(func() {
			if job.sleep(b.stopping, record.NextAttempt.Sub(l.now())) {
				l.drive(b, job)
			} else {
				l.jobs.remove(driven)
			}
		})
	}
	return nil
}

func (l *Leader) resumeJob(ctx context.Context, record AggregationJob) (*leaderJob, error) {
	t, err := l.task(ctx, record.Task)
	if err != nil {
		return nil, err
	}
	src, err := l.sourceOf(ctx, t, record.Collection)
	if err != nil {
		return nil, err
	}
	batch := l.schedule.jobResumed(src, record.BatchID)
	return &leaderJob{record: record, task: t, source: src, batch: batch, unsettled: true}, nil
}

// reconcile resumes jobs that are in the store though storing them seemed to
// fail. It does not end before the store could be read.
func (l *Leader) reconcile(b *background) {
	for pause := l.config.MinBackoff; sleep(b.stopping, pause); pause = min(2*pause, l.config.MaxBackoff) {
		err := l.resumeStored(b)
		if err == nil {
			return
		}
		l.log.Error("aggregation jobs could not be read; it is tried again", "error", err)
	}
}

// liveJob returns what the job's next request needs, computed again if it is not in memory.
func (l *Leader) liveJob(ctx context.Context, j *leaderJob) (*liveJob, error) {
	if j.live != nil {
		return j.live, nil
	}
	reports, err := l.store.JobReports(ctx, j.record.Task, j.record.ID)
	if err != nil {
		return nil, err
	}
	if len(reports) != len(j.record.Reports) {
		return nil, unsettled("the store has %d of the job's %d reports", len(reports), len(j.record.Reports))
	}
	var live *liveJob
	if j.record.Step == 0 {
		live, err = l.recomputeInit(ctx, j, reports)
	} else {
		live, err = recomputeContinue(j, reports)
	}
	if err != nil {
		return nil, err
	}
	if digestOf(live.request) != j.record.RequestDigest {
		return nil, unsettled("the request of step %d cannot be made again: it would differ from the one that was stored", j.record.Step)
	}
	j.live = live
	return live, nil
}

func (l *Leader) recomputeInit(ctx context.Context, j *leaderJob, reports []StoredReport) (*liveJob, error) {
	opening, err := l.opening(j.task, false)
	if err != nil {
		return nil, err
	}
	computed, err := l.computeInit(ctx, opening, j.record.AggParam, reports)
	if err != nil {
		return nil, err
	}
	again := &leaderJob{record: j.record, task: j.task}
	live, rejections, err := again.assemble(reports, computed)
	if err != nil {
		return nil, err
	}
	if len(rejections) > 0 {
		return nil, unsettled("%d reports do not verify any more as they did when the job was made (%s)", len(rejections), rejections[0].Error)
	}
	return live, nil
}

// recomputeContinue makes the request of a later step from the stored states.
func recomputeContinue(j *leaderJob, reports []StoredReport) (*liveJob, error) {
	if len(j.record.States) != len(reports) {
		return nil, unsettled("the store has %d states for the job's %d reports", len(j.record.States), len(reports))
	}
	live := &liveJob{ids: make([]dap.ReportID, len(reports)), states: make([]pingpong.State, len(reports))}
	for i := range reports {
		live.ids[i] = reports[i].ID
		var err error
		if live.states[i], err = j.task.topology.DecodeState(true, j.record.AggParam, j.record.States[i]); err != nil {
			return nil, unsettled("a stored state does not decode: %v", err)
		}
	}
	var err error
	live.request, err = continueRequest(j.record.Step, live.ids, live.states)
	return live, err
}

// continueRequest encodes an AggregationJobContinueReq (DAP Section 4.5.4.1).
func continueRequest(step uint16, ids []dap.ReportID, states []pingpong.State) ([]byte, error) {
	req := dap.AggregationJobContinueReq{Step: step, VerifyContinues: make([]dap.VerifyContinue, len(ids))}
	for i := range ids {
		req.VerifyContinues[i] = dap.VerifyContinue{ReportID: ids[i], Payload: states[i].Outbound}
	}
	return req.Encode()
}

// withStore repeats a transaction while the store is busy or unavailable.
func (l *Leader) withStore(b *background, transaction func() error) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, l.config.MinBackoff) {
		err := transaction()
		if !errors.Is(err, ErrBusy) && !errors.Is(err, ErrUnavailable) {
			return err
		}
		if !sleep(b.stopping, pause) {
			return err
		}
	}
}

func (l *Leader) countRejections(rejections []Rejection) {
	for _, r := range rejections {
		l.metrics.rejected.WithLabelValues(r.Error.String()).Inc()
	}
}

// unsettledError says that it cannot be told what became of a job's request: the answer breaks
// the protocol, or the request cannot be made. Only that request, sent again, settles it.
type unsettledError struct{ reason string }

func (e *unsettledError) Error() string { return e.reason }

func unsettled(format string, args ...any) error {
	return &unsettledError{fmt.Sprintf(format, args...)}
}
