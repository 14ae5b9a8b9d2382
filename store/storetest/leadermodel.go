package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// modelReport is a report that the model has accepted. It is in one state at a
// time by construction; everything else is computed from the list of these.
type modelReport struct {
	id       dap.ReportID
	time     dap.Time
	body     string
	sequence uint64
	state    modelState
	job      dap.AggregationJobID // inJob, quarantined
	batch    dap.BatchID          // counted, leader-selected
	value    uint64               // counted
	reason   dap.ReportError      // rejected
}

type modelState int

const (
	modelWaiting modelState = iota
	modelInJob
	modelQuarantined
	modelCounted
	modelRejected
)

// modelBatch is a leader-selected batch.
type modelBatch struct {
	id        dap.BatchID
	createdAt time.Time
	closed    bool
	failures  uint32
	failure   string
	failedAt  time.Time
}

// modelCollection is a collection job, deleted or not.
type modelCollection struct {
	job       aggregator.CollectionJob
	deleted   bool
	reserves  bool
	collected uint64 // reports
	hasBatch  bool   // its batch is collected
}

// modelTask is what a Leader's store should know of a task.
type modelTask struct {
	id          dap.TaskID
	mode        dap.BatchMode
	reports     []*modelReport
	jobs        []*aggregator.AggregationJob // active and in quarantine
	batches     []*modelBatch
	collections []*modelCollection
	closed      map[dap.Time]bool
	private     bool
	charged     int // collected batches, if private
}

func (m *modelTask) byID(id dap.ReportID) *modelReport {
	for _, r := range m.reports {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (m *modelTask) bySequence(sequence uint64) *modelReport {
	for _, r := range m.reports {
		if r.sequence == sequence {
			return r
		}
	}
	return nil
}

func (m *modelTask) in(states ...modelState) []*modelReport {
	var found []*modelReport
	for _, r := range m.reports {
		if slices.Contains(states, r.state) {
			found = append(found, r)
		}
	}
	return found
}

func (m *modelTask) batch(id dap.BatchID) *modelBatch {
	for _, b := range m.batches {
		if b.id == id {
			return b
		}
	}
	return nil
}

func (m *modelTask) active() []*aggregator.AggregationJob {
	var jobs []*aggregator.AggregationJob
	for _, job := range m.jobs {
		if job.State == aggregator.JobActive {
			jobs = append(jobs, job)
		}
	}
	return jobs
}

// contains tells whether a report that is counted, or pending, is of a batch.
func (m *modelTask) contains(batch aggregator.Batch, r *modelReport) bool {
	if m.mode == dap.BatchModeTimeInterval {
		return batch.Interval.Contains(r.time)
	}
	switch r.state {
	case modelInJob:
		for _, job := range m.jobs {
			if job.ID == r.job {
				return job.BatchID == batch.BatchID
			}
		}
	case modelCounted:
		return r.batch == batch.BatchID
	}
	return false
}

// overlaps tells whether two batches share a bucket.
func (m *modelTask) overlaps(a, b aggregator.Batch) bool {
	if m.mode == dap.BatchModeTimeInterval {
		return a.Interval.Overlaps(b.Interval)
	}
	return a.BatchID == b.BatchID && a.BatchID != dap.BatchID{}
}

// holder returns the collection that has a bucket of the batch, if there is one.
func (m *modelTask) holder(batch aggregator.Batch) *modelCollection {
	for _, c := range m.collections {
		if (c.reserves || c.hasBatch) && m.overlaps(c.job.Batch, batch) {
			return c
		}
	}
	return nil
}

func (m *modelTask) collectedAt(t dap.Time) bool {
	for _, c := range m.collections {
		if c.hasBatch && c.job.Batch.Interval.Contains(t) {
			return true
		}
	}
	return false
}

func (m *modelTask) pending(batch aggregator.Batch) (waiting, inJobs uint64) {
	for _, r := range m.reports {
		if !m.contains(batch, r) {
			continue
		}
		switch r.state {
		case modelWaiting:
			waiting++
		case modelInJob:
			inJobs++
		}
	}
	return waiting, inJobs
}

func (m *modelTask) aggregate(batch aggregator.Batch) (sum, count uint64, checksum dap.Checksum, times dap.Interval) {
	for _, r := range m.reports {
		if r.state == modelCounted && m.contains(batch, r) {
			sum += r.value
			count++
			checksum.Add(r.id)
			times, _ = times.Merge(r.time.BatchBucket())
		}
	}
	return sum, count, checksum, times
}

// leaderModel compares a store with the model, after each of many random operations.
type leaderModel struct {
	*rapid.T
	t     tester
	f     Fixture[aggregator.LeaderStore]
	s     aggregator.LeaderStore
	tasks []*modelTask
	steps int
}

// The model's operations draw from small sets, so that they meet.
const (
	modelIDs   = 25
	modelTimes = 6
)

func runLeaderModel(t *testing.T, open func(testing.TB) Fixture[aggregator.LeaderStore]) {
	rapid.Check(t, func(r *rapid.T) {
		m := &leaderModel{T: r, t: tester{r}, f: open(t)}
		m.s = m.f.Store
		for _, task := range []aggregator.Task{
			NewTask(dap.RoleLeader, "by time", dap.BatchModeTimeInterval),
			NewTask(dap.RoleLeader, "leader-selected", dap.BatchModeLeaderSelected),
			NewPrivateTask(dap.RoleLeader, "private", dap.BatchModeTimeInterval),
		} {
			m.t.ok(m.s.PutTask(r.Context(), task))
			m.tasks = append(m.tasks, &modelTask{id: task.ID, mode: task.Config.BatchMode, private: len(task.Config.Extensions) > 0, closed: make(map[dap.Time]bool)})
		}
		r.Repeat(map[string]func(*rapid.T){
			"Upload":           m.upload,
			"CreateJob":        m.createJob,
			"AdvanceJob":       m.advanceJob,
			"FinishJob":        m.finishJob,
			"RestartJob":       m.restartJob,
			"QuarantineJob":    m.quarantineJob,
			"ReactivateJob":    m.reactivateJob,
			"ReactivateBatch":  m.reactivateQuarantined,
			"CreateCollection": m.createCollection,
			"ChangeCollection": m.changeCollection,
			"FinishCollection": m.finishCollection,
			"Reopen":           m.reopen,
			"":                 m.compare,
		})
		if err := m.s.Close(); err != nil {
			r.Fatal(err)
		}
	})
}

func (m *leaderModel) task() *modelTask { return rapid.SampledFrom(m.tasks).Draw(m.T, "task") }

// do runs an operation that should give want, perhaps with a commit that fails. again
// is what the same operation gives when it was written, but its caller was told that it failed.
func (m *leaderModel) do(call func() error, want, again error, apply func()) {
	fault := rapid.SampledFrom([]Fault{NoFault, NoFault, NoFault, FailBefore, FailAfter}).Draw(m.T, "fault")
	m.f.Fail(fault)
	err := call()
	m.f.Fail(NoFault)
	switch {
	case fault != NoFault && errors.Is(err, aggregator.ErrUnavailable) && want == nil:
		if fault == FailAfter {
			apply()
			if err := call(); !errors.Is(err, again) {
				m.Fatalf("after a commit of unknown outcome: got %v, want %v", err, again)
			}
		}
	case !errors.Is(err, want):
		m.Fatalf("got %v, want %v", err, want)
	case want == nil:
		apply()
	}
}

func (m *leaderModel) now() time.Time {
	m.steps++
	return time.Unix(int64(m.steps), 0).UTC()
}

func (m *leaderModel) upload(*rapid.T) {
	task := m.task()
	var reports []aggregator.UploadReport
	for range rapid.IntRange(1, 6).Draw(m.T, "reports") {
		n := rapid.IntRange(1, modelIDs).Draw(m.T, "ID")
		t := dap.Time(rapid.IntRange(0, modelTimes-1).Draw(m.T, "time"))
		r := upload(n, t*200) // in several generations
		if task.mode == dap.BatchModeTimeInterval {
			r.Time = t
		}
		r.Body = fmt.Appendf(nil, "body %d at %d, step %d", n, t, m.steps)
		reports = append(reports, r)
	}
	want := make([]dap.ReportError, len(reports))
	var accepted []*modelReport
	seen := make(map[dap.ReportID]bool)
	for i, r := range reports {
		switch {
		case task.byID(r.ID) != nil || seen[r.ID]:
			want[i] = dap.ReportErrorReportReplayed
		case task.closed[r.Time]:
			want[i] = dap.ReportErrorBatchCollected
		default:
			seen[r.ID] = true
			accepted = append(accepted, &modelReport{id: r.ID, time: r.Time, body: string(r.Body)})
		}
	}
	m.do(func() error {
		got, err := m.s.Upload(m.t.Context(), task.id, reports)
		if err == nil && !slices.Equal(got, want) {
			m.Fatalf("outcomes are %v, not %v", got, want)
		}
		return err
	}, nil, nil, func() {
		task.reports = append(task.reports, accepted...)
		for i := range want { // if they are sent again
			if task.byID(reports[i].ID) != nil {
				want[i] = dap.ReportErrorReportReplayed
			}
		}
	})
	m.learnSequences(task)
}

// learnSequences asks for the sequence numbers of reports that are new.
func (m *leaderModel) learnSequences(task *modelTask) {
	reports, err := m.s.WaitingReports(m.t.Context(), task.id, 0, 1000, 1<<30, nil)
	m.t.ok(err)
	for _, r := range reports {
		if known := task.byID(r.ID); known != nil && known.sequence == 0 {
			known.sequence = r.Sequence
		}
	}
}

// some draws a few of the reports.
func (m *leaderModel) some(reports []*modelReport, what string) []*modelReport {
	if len(reports) == 0 {
		return nil
	}
	n := rapid.IntRange(0, min(5, len(reports))).Draw(m.T, "number of "+what)
	return rapid.Permutation(reports).Draw(m.T, what)[:n]
}

func sequences(reports []*modelReport) []uint64 {
	var all []uint64
	for _, r := range reports {
		all = append(all, r.sequence)
	}
	return all
}

func (m *leaderModel) rejections(reports []*modelReport) []aggregator.Rejection {
	var all []aggregator.Rejection
	for _, r := range reports {
		reason := rapid.SampledFrom([]dap.ReportError{dap.ReportErrorHpkeDecryptError, dap.ReportErrorVdafVerifyError}).Draw(m.T, "reason")
		all = append(all, aggregator.Rejection{Sequence: r.sequence, Error: reason})
	}
	return all
}

func reject(task *modelTask, rejected []aggregator.Rejection) {
	for _, r := range rejected {
		report := task.bySequence(r.Sequence)
		report.state, report.reason = modelRejected, r.Error
	}
}

func (m *leaderModel) createJob(*rapid.T) {
	task := m.task()
	candidates := task.in(modelWaiting)
	if rapid.IntRange(0, 9).Draw(m.T, "stale") == 0 {
		candidates = task.in(modelWaiting, modelInJob, modelCounted, modelRejected)
	}
	chosen := m.some(candidates, "reports")
	rest := slices.DeleteFunc(slices.Clone(candidates), func(r *modelReport) bool { return slices.Contains(chosen, r) })
	refused := m.some(rest, "rejected")
	job := aggregator.AggregationJob{
		Task: task.id, State: aggregator.JobActive, Reports: sequences(chosen), CreatedAt: m.now(),
	}
	job.ID = dap.AggregationJobID{byte(m.steps), byte(m.steps >> 8)}
	if task.mode == dap.BatchModeLeaderSelected {
		job.BatchID = batchID(byte(rapid.IntRange(1, 3).Draw(m.T, "batch")))
	}
	if len(task.collections) > 0 && rapid.IntRange(0, 3).Draw(m.T, "of a collection") == 0 {
		job.Collection = rapid.SampledFrom(task.collections).Draw(m.T, "collection").job.ID
	}
	rejected := m.rejections(refused)
	var want error
	for _, r := range append(slices.Clone(chosen), refused...) {
		ended := r.state == modelCounted || r.state == modelRejected
		if r.state != modelWaiting && (len(chosen) > 0 || !ended) {
			want = aggregator.ErrConflict
		}
	}
	for _, r := range chosen {
		if task.mode != dap.BatchModeTimeInterval {
			continue
		}
		c := task.holder(timeBatch(r.time, r.time+1))
		if task.collectedAt(r.time) || job.Collection != (dap.CollectionJobID{}) && (c == nil || !c.reserves || c.job.ID != job.Collection) {
			want = aggregator.ErrConflict
		}
	}
	if b := task.batch(job.BatchID); b != nil && len(chosen) > 0 {
		c := task.holder(idBatch(b.id))
		own := c != nil && c.reserves && c.job.ID == job.Collection
		if (c != nil || b.closed) && !own {
			want = aggregator.ErrConflict
		}
	}
	m.do(func() error { return m.s.CreateAggregationJob(m.t.Context(), job, rejected) }, want, nil, func() {
		reject(task, slices.DeleteFunc(slices.Clone(rejected), func(r aggregator.Rejection) bool {
			return task.bySequence(r.Sequence).state != modelWaiting
		}))
		if len(chosen) == 0 {
			return
		}
		for _, r := range chosen {
			r.state, r.job = modelInJob, job.ID
		}
		task.jobs = append(task.jobs, &job)
		if task.mode == dap.BatchModeLeaderSelected && task.batch(job.BatchID) == nil {
			task.batches = append(task.batches, &modelBatch{id: job.BatchID, createdAt: job.CreatedAt})
		}
	})
}

// split draws which of a job's reports are rejected.
func (m *leaderModel) split(task *modelTask, job *aggregator.AggregationJob) (kept, refused []*modelReport) {
	for _, sequence := range job.Reports {
		r := task.bySequence(sequence)
		if rapid.IntRange(0, 3).Draw(m.T, "rejected") == 0 {
			refused = append(refused, r)
		} else {
			kept = append(kept, r)
		}
	}
	return kept, refused
}

func (m *leaderModel) advanceJob(*rapid.T) {
	task := m.task()
	if len(task.jobs) == 0 {
		return
	}
	job := rapid.SampledFrom(task.jobs).Draw(m.T, "job")
	var want error
	if job.State == aggregator.JobQuarantined {
		want = aggregator.ErrConflict
	}
	kept, refused := m.split(task, job)
	next := *job
	next.State = aggregator.JobActive
	next.Reports, next.Step, next.Attempts = sequences(kept), job.Step+1, uint32(m.steps)
	next.States = nil
	for range kept {
		next.States = append(next.States, []byte{byte(m.steps), 1})
	}
	next.Quarantine = aggregator.Quarantine{}
	rejected := m.rejections(refused)
	m.do(func() error { return m.s.AdvanceAggregationJob(m.t.Context(), next, rejected) }, want, nil, func() {
		reject(task, rejected)
		*job = next
	})
}

func (m *leaderModel) finishJob(*rapid.T) {
	task := m.task()
	jobs := task.active()
	if len(jobs) == 0 {
		return
	}
	job := rapid.SampledFrom(jobs).Draw(m.T, "job")
	kept, refused := m.split(task, job)
	rejected := m.rejections(refused)
	var commits []aggregator.Commit
	for _, r := range rapid.Permutation(kept).Draw(m.T, "order") {
		r.value = rapid.Uint64().Draw(m.T, "output share")
		commits = append(commits, aggregator.Commit{Sequence: r.sequence, OutShare: share{value: r.value}})
	}
	m.do(func() error {
		return m.s.FinishAggregationJob(m.t.Context(), task.id, job.ID, commits, rejected, Sums{})
	}, nil, aggregator.ErrNotFound, func() {
		reject(task, rejected)
		for _, r := range kept {
			if job.Reactivations > 0 && task.bucketCollected(job, r) {
				r.state, r.reason = modelRejected, dap.ReportErrorBatchCollected
				continue
			}
			r.state, r.batch = modelCounted, job.BatchID
		}
		task.jobs = slices.DeleteFunc(task.jobs, func(j *aggregator.AggregationJob) bool { return j == job })
	})
}

func (m *leaderModel) reopen(*rapid.T) {
	if rapid.Bool().Draw(m.T, "crash") {
		m.s = m.f.Crash()
	} else {
		m.s = m.f.Reopen()
	}
}
