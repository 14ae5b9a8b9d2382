package storetest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// helperCounted is a report that the model of a Helper has counted.
type helperCounted struct {
	id    dap.ReportID
	time  dap.Time
	batch dap.BatchID
	value uint64
	gone  bool // its batch bucket was below the floor and is forgotten; its ID is not
}

// helperModelTask is what a Helper's store should know of a task.
type helperModelTask struct {
	id       dap.TaskID
	mode     dap.BatchMode
	private  bool
	counted  []helperCounted
	jobs     []*aggregator.HelperJob
	deleted  map[dap.AggregationJobID]bool // that were finished
	shares   []*helperModelShare
	rejected map[dap.ReportError]uint64

	// See helperfloormodel.go.
	floor   dap.Time
	last    map[dap.AggregationJobID]dap.Time // the newest report time of a job, also of a deleted one
	batches map[dap.BatchID]int               // leader-selected ones that exist, by which of that ID it is
	known   int                               // how many there have been
	entered map[dap.AggregationJobID]int      // in which of them a job has counted reports
}

type helperModelShare struct {
	record  aggregator.AggregateShareRecord
	deleted bool
	past    bool // the batch is below the floor and is forgotten
}

func (m *helperModelTask) contains(batch aggregator.Batch, c helperCounted) bool {
	if m.mode == dap.BatchModeTimeInterval {
		return batch.Interval.Contains(c.time)
	}
	return c.batch == batch.BatchID
}

func (m *helperModelTask) collected(batch aggregator.Batch) bool {
	return slices.ContainsFunc(m.shares, func(s *helperModelShare) bool {
		if m.mode == dap.BatchModeTimeInterval {
			return s.record.Batch.Interval.Overlaps(batch.Interval)
		}
		return s.record.Batch.BatchID == batch.BatchID && !s.past
	}) || m.mode == dap.BatchModeTimeInterval && batch.Interval.Start < m.floor
}

func (m *helperModelTask) aggregate(batch aggregator.Batch) (sum, count uint64, checksum dap.Checksum, times dap.Interval) {
	for _, c := range m.counted {
		if m.contains(batch, c) && !c.gone {
			sum += c.value
			count++
			checksum.Add(c.id)
			times, _ = times.Merge(c.time.BatchBucket())
		}
	}
	return sum, count, checksum, times
}

func (m *helperModelTask) remembers(id dap.ReportID) bool {
	return slices.ContainsFunc(m.counted, func(c helperCounted) bool { return c.id == id })
}

func (m *helperModelTask) job(id dap.AggregationJobID) *aggregator.HelperJob {
	for _, job := range m.jobs {
		if job.ID == id {
			return job
		}
	}
	return nil
}

// helperModel compares a store with the model, after each of many random operations.
type helperModel struct {
	*rapid.T
	t     tester
	f     Fixture[aggregator.HelperStore]
	s     aggregator.HelperStore
	tasks []*helperModelTask
	steps int
}

func runHelperModel(t *testing.T, open func(testing.TB) Fixture[aggregator.HelperStore]) {
	rapid.Check(t, func(r *rapid.T) {
		m := &helperModel{T: r, t: tester{r}, f: open(t)}
		m.s = m.f.Store
		for _, task := range []aggregator.Task{
			NewTask(dap.RoleHelper, "by time", dap.BatchModeTimeInterval),
			NewTask(dap.RoleHelper, "leader-selected", dap.BatchModeLeaderSelected),
			NewPrivateTask(dap.RoleHelper, "private", dap.BatchModeLeaderSelected),
		} {
			m.t.ok(m.s.PutTask(r.Context(), task))
			m.tasks = append(m.tasks, &helperModelTask{
				id: task.ID, mode: task.Config.BatchMode, private: len(task.Config.Extensions) > 0, rejected: make(map[dap.ReportError]uint64), deleted: make(map[dap.AggregationJobID]bool),
				last: make(map[dap.AggregationJobID]dap.Time), batches: make(map[dap.BatchID]int), entered: make(map[dap.AggregationJobID]int),
			})
		}
		r.Repeat(map[string]func(*rapid.T){
			"CommitStep": m.commitStep,
			"CreateJob":  m.createJob,
			"SetRequest": m.setRequest,
			"DeleteJob":  m.deleteJob,
			"PutShare":   m.putShare,
			"Attempt":    m.recordAttempt,
			"Quarantine": m.quarantineJob,
			"Release":    m.releaseJob,
			"Reopen":     m.reopen,
			"Sweep":      m.sweep,
			"":           m.compare,
		})
		if err := m.s.Close(); err != nil {
			r.Fatal(err)
		}
	})
}

func (m *helperModel) task() *helperModelTask { return rapid.SampledFrom(m.tasks).Draw(m.T, "task") }

// do is leaderModel.do; a call after an unknown outcome gives again.
func (m *helperModel) do(call func() error, want, again error, apply func()) {
	fault := rapid.SampledFrom([]Fault{NoFault, NoFault, NoFault, FailBefore, FailAfter}).Draw(m.T, "fault")
	m.f.Fail(fault)
	err := call()
	m.f.Fail(NoFault)
	switch {
	case fault != NoFault && errors.Is(err, aggregator.ErrUnavailable) && want == nil:
		if fault == FailAfter {
			if err := call(); !errors.Is(err, again) {
				m.Fatalf("after a commit of unknown outcome: got %v, want %v", err, again)
			}
			apply()
		}
	case !errors.Is(err, want):
		m.Fatalf("got %v, want %v", err, want)
	case want == nil:
		apply()
	}
}

const helperModelJobs = 6

func (m *helperModel) jobID() dap.AggregationJobID {
	return dap.AggregationJobID{byte(rapid.IntRange(1, helperModelJobs).Draw(m.T, "job"))}
}

// draw makes a step of a job, with some reports in it.
func (m *helperModel) draw(task *helperModelTask, id dap.AggregationJobID, stepNumber uint16) aggregator.HelperStep {
	m.steps++
	step := aggregator.HelperStep{Job: aggregator.HelperJob{ID: id, Task: task.id, Step: stepNumber, CreatedAt: time.Unix(int64(m.steps), 0).UTC()}}
	step.Job.RequestDigest = [32]byte{id[0], byte(stepNumber)}
	if task.mode == dap.BatchModeLeaderSelected {
		step.Job.BatchID = batchID(id[0]%3 + 1)
	}
	for i := range rapid.IntRange(0, 5).Draw(m.T, "reports") {
		r := reportID(rapid.IntRange(1, modelIDs).Draw(m.T, "ID"))
		t := dap.Time(rapid.IntRange(0, modelTimes-1).Draw(m.T, "time"))
		response := dap.VerifyResp{ReportID: r, Type: dap.VerifyRespFinish}
		switch rapid.IntRange(0, 4).Draw(m.T, "what") {
		case 0:
			response = dap.VerifyResp{ReportID: r, Type: dap.VerifyRespReject, Error: dap.ReportErrorVdafVerifyError}
		case 1:
			response = dap.VerifyResp{ReportID: r, Type: dap.VerifyRespContinue, Payload: []byte{1}}
			step.Job.Reports = append(step.Job.Reports, aggregator.HelperReport{ID: r, Time: t, State: []byte{r[7], 1}})
		default:
			value := rapid.Uint64().Draw(m.T, "output share")
			step.Commits = append(step.Commits, aggregator.HelperCommit{Index: i, ID: r, Time: t, OutShare: share{value: value}})
		}
		step.Responses = append(step.Responses, response)
	}
	return step
}

func (m *helperModel) commitStep(*rapid.T) {
	task := m.task()
	id := m.jobID()
	stored := task.job(id)
	number := uint16(rapid.IntRange(0, 3).Draw(m.T, "step"))
	if stored != nil && rapid.IntRange(0, 3).Draw(m.T, "next") != 0 {
		number = stored.Step
		if !stored.Pending {
			number++
		}
	}
	step := m.draw(task, id, number)
	var want error
	done := false
	switch {
	case stored == nil && (number > 0 || task.deleted[id]):
		want = aggregator.ErrNotFound
	case stored == nil:
	case stored.Quarantined():
		want = aggregator.ErrConflict
	case stored.Step > number || stored.Step == number && !stored.Pending:
		done = true
	case stored.Step == number || stored.Step+1 == number && !stored.Pending:
	default:
		want = aggregator.ErrConflict
	}
	var got aggregator.HelperJob
	m.do(func() (err error) {
		got, err = m.s.CommitHelperStep(m.t.Context(), step, Sums{})
		return err
	}, want, nil, func() {
		if !done {
			stored = m.apply(task, stored, &step)
		}
		if !equalHelperJobs(got, *stored) {
			m.Fatalf("the job is\n%+v, not\n%+v", got, *stored)
		}
	})
}

// apply commits a step to the model.
func (m *helperModel) apply(task *helperModelTask, stored *aggregator.HelperJob, step *aggregator.HelperStep) *aggregator.HelperJob {
	responses := slices.Clone(step.Responses)
	counted := uint64(0)
	for _, c := range step.Commits {
		batch := timeBatch(c.Time, c.Time+1)
		if task.mode == dap.BatchModeLeaderSelected {
			batch = idBatch(step.Job.BatchID)
		}
		switch {
		case c.Time < task.floor:
			responses[c.Index] = dap.VerifyResp{ReportID: c.ID, Type: dap.VerifyRespReject, Error: dap.ReportErrorReportDropped}
		case task.collected(batch):
			responses[c.Index] = dap.VerifyResp{ReportID: c.ID, Type: dap.VerifyRespReject, Error: dap.ReportErrorBatchCollected}
		case task.remembers(c.ID):
			responses[c.Index] = dap.VerifyResp{ReportID: c.ID, Type: dap.VerifyRespReject, Error: dap.ReportErrorReportReplayed}
		default:
			counted++
			task.counted = append(task.counted, helperCounted{c.ID, c.Time, step.Job.BatchID, c.OutShare.(share).value, false})
			task.last[step.Job.ID] = max(task.last[step.Job.ID], c.Time)
		}
	}
	for _, r := range responses {
		if r.Type == dap.VerifyRespReject {
			task.rejected[r.Error]++
		}
	}
	job := step.Job
	job.Counted = counted
	var err error
	job.Response, err = dap.AggregationJobResp{VerifyResps: responses}.Encode()
	m.t.ok(err)
	if stored == nil {
		task.jobs = append(task.jobs, &job)
		task.committed(&job, len(step.Commits) > 0)
		return &job
	}
	job.CreatedAt = stored.CreatedAt
	job.Counted += stored.Counted
	*stored = job
	task.committed(stored, len(step.Commits) > 0)
	return stored
}

func (m *helperModel) createJob(*rapid.T) {
	task := m.task()
	id := m.jobID()
	m.steps++
	job := aggregator.HelperJob{
		ID: id, Task: task.id, RequestDigest: [32]byte{id[0], 0}, Pending: true, Request: []byte{id[0], 1}, CreatedAt: time.Unix(int64(m.steps), 0).UTC(),
	}
	if task.mode == dap.BatchModeLeaderSelected {
		job.BatchID = batchID(id[0]%3 + 1)
	}
	existing := task.job(id)
	var want error
	if task.deleted[id] {
		want = aggregator.ErrNotFound
	}
	m.do(func() error {
		stored, _, err := m.s.CreateHelperJob(m.t.Context(), job)
		if err == nil && existing != nil && !equalHelperJobs(stored, *existing) {
			m.Fatalf("the same ID gives %+v, not %+v", stored, *existing)
		}
		return err
	}, want, nil, func() {
		if existing == nil {
			task.jobs = append(task.jobs, &job)
		}
	})
}

func (m *helperModel) setRequest(*rapid.T) {
	task := m.task()
	id := m.jobID()
	step := uint16(rapid.IntRange(1, 4).Draw(m.T, "step"))
	job := task.job(id)
	digest, request := [32]byte{id[0], byte(step)}, []byte{id[0], byte(step)}
	var want error
	done := false
	switch {
	case job == nil:
		want = aggregator.ErrNotFound
	case job.Pending && job.Step == step:
		done = true
	case job.Pending || job.Step != step-1 || job.Quarantined():
		want = aggregator.ErrConflict
	}
	m.do(func() error { return m.s.SetHelperRequest(m.t.Context(), task.id, id, step, digest, request) }, want, nil, func() {
		if done {
			return // what was stored stays, its attempts too
		}
		job.Step, job.RequestDigest, job.Pending, job.Request, job.Response = step, digest, true, request, nil
		job.Attempts, job.LastError = 0, ""
	})
}

func (m *helperModel) deleteJob(*rapid.T) {
	task := m.task()
	id := m.jobID()
	var want error
	if task.job(id) == nil {
		want = aggregator.ErrNotFound
	}
	m.do(func() error { return m.s.DeleteHelperJob(m.t.Context(), task.id, id) }, want, aggregator.ErrNotFound, func() {
		if task.deleted[id] = task.job(id).Finished(); !task.deleted[id] {
			delete(task.last, id)
		}
		delete(task.entered, id)
		task.jobs = slices.DeleteFunc(task.jobs, func(job *aggregator.HelperJob) bool { return job.ID == id })
	})
}

func (m *helperModel) putShare(*rapid.T) {
	task := m.task()
	if len(task.shares) > 0 && rapid.IntRange(0, 3).Draw(m.T, "delete") == 0 {
		s := rapid.SampledFrom(task.shares).Draw(m.T, "share")
		var want error
		if s.deleted {
			want = aggregator.ErrNotFound
		}
		m.do(func() error { return m.s.DeleteAggregateShare(m.t.Context(), task.id, s.record.ID) }, want, aggregator.ErrNotFound, func() { s.deleted = true })
		return
	}
	start := dap.Time(rapid.IntRange(0, modelTimes-1).Draw(m.T, "start"))
	batch := timeBatch(start, dap.Time(rapid.IntRange(int(start)+1, modelTimes).Draw(m.T, "end")))
	if task.mode == dap.BatchModeLeaderSelected {
		batch = idBatch(batchID(byte(rapid.IntRange(1, 3).Draw(m.T, "batch"))))
	}
	_, count, checksum, _ := task.aggregate(batch)
	m.steps++
	record := aggregator.AggregateShareRecord{
		ID: dap.AggregateShareID{byte(m.steps), byte(m.steps >> 8)}, Task: task.id, RequestDigest: [32]byte{1}, Batch: batch,
		Count: count, Checksum: checksum, Response: []byte{byte(m.steps), 1}, CreatedAt: time.Unix(int64(m.steps), 0).UTC(),
	}
	var want error
	disagree := rapid.IntRange(0, 5).Draw(m.T, "disagree") == 0
	switch {
	case task.collected(batch):
		want = aggregator.ErrBatchOverlap
	case disagree:
		record.Count++
		want = aggregator.ErrConflict
	case task.private && (len(task.shares) >= PrivateBatches || count > PrivateBatchSize):
		want = aggregator.ErrPrivacy
	}
	m.do(func() error {
		stored, err := m.s.PutAggregateShare(m.t.Context(), record)
		if err == nil && !reflect.DeepEqual(stored, record) {
			m.Fatalf("stored is %+v, not %+v", stored, record)
		}
		return err
	}, want, nil, func() {
		task.shares = append(task.shares, &helperModelShare{record: record})
		task.exists(batch.BatchID)
	})
}

func (m *helperModel) reopen(*rapid.T) {
	if rapid.Bool().Draw(m.T, "crash") {
		m.s = m.f.Crash()
	} else {
		m.s = m.f.Reopen()
	}
}

// compare asks the store for everything, and checks it against the model.
func (m *helperModel) compare(*rapid.T) {
	for _, task := range m.tasks {
		m.compareJobs(task)
		m.compareBatches(task)
		comparePrivacy(m.t, m.s, task.id, task.private, len(task.shares))
	}
	violations, err := m.s.Check(m.t.Context())
	m.t.ok(err)
	for _, v := range violations {
		m.Errorf("%s: %s", v.Invariant, v.Detail)
	}
	if len(violations) > 0 {
		m.FailNow()
	}
}

func (m *helperModel) compareJobs(task *helperModelTask) {
	pending := 0
	for n := range helperModelJobs {
		id := dap.AggregationJobID{byte(n + 1)}
		got, err := m.s.HelperJob(m.t.Context(), task.id, id)
		want := task.job(id)
		if want == nil {
			m.t.is(err, aggregator.ErrNotFound)
			continue
		}
		m.t.ok(err)
		if !equalHelperJobs(got, *want) {
			m.Fatalf("job %s is\n%+v, not\n%+v", id, got, *want)
		}
		if want.Pending {
			pending++
		}
	}
	m.compareUnfinished(task)
	all, err := m.s.PendingHelperJobs(m.t.Context())
	m.t.ok(err)
	if got := slices.DeleteFunc(all, func(job aggregator.HelperJob) bool { return job.Task != task.id }); len(got) != pending {
		m.Fatalf("%d jobs are pending, not %d", len(got), pending)
	}
}

func (m *helperModel) compareBatches(task *helperModelTask) {
	batches := []aggregator.Batch{timeBatch(0, modelTimes)}
	for t := range dap.Time(modelTimes) {
		batches = append(batches, timeBatch(t, t+1))
	}
	if task.mode == dap.BatchModeLeaderSelected {
		batches = []aggregator.Batch{idBatch(batchID(1)), idBatch(batchID(2)), idBatch(batchID(3))}
	}
	collected := uint64(0)
	for _, batch := range batches {
		got, err := m.s.ReadBatch(m.t.Context(), task.id, batch, Sums{})
		m.t.ok(err)
		sum, count, checksum, times := task.aggregate(batch)
		if sumOf(got) != sum || got.Count != count || got.Checksum != checksum || got.Interval != times {
			m.Fatalf("batch %v is %+v, not a sum of %d over %d reports of %v", batch, got, sum, count, times)
		}
		isCollected, err := m.s.Collected(m.t.Context(), task.id, batch)
		m.t.ok(err)
		if isCollected != task.collected(batch) {
			m.Fatalf("batch %v is collected: %t", batch, isCollected)
		}
	}
	for _, s := range task.shares {
		collected += s.record.Count
		got, err := m.s.AggregateShare(m.t.Context(), task.id, s.record.ID)
		if s.deleted {
			m.t.is(err, aggregator.ErrNotFound)
		} else if m.t.ok(err); !s.deleted && !reflect.DeepEqual(got, s.record) {
			m.Fatalf("aggregate share %s is %+v", s.record.ID, got)
		}
	}
	counts, err := m.s.HelperCounts(m.t.Context(), task.id)
	m.t.ok(err)
	if counts.Aggregated != uint64(len(task.counted)) || counts.Collected != collected || !mapsEqual(counts.Rejected, task.rejected) {
		m.Fatalf("counts are %+v", counts)
	}
	var ids []dap.ReportID
	for n := range modelIDs {
		ids = append(ids, reportID(n+1))
	}
	replayed, err := m.s.Replayed(m.t.Context(), task.id, ids)
	m.t.ok(err)
	for i, id := range ids {
		if replayed[i] != task.remembers(id) {
			m.Fatalf("report %s is remembered: %t", id, replayed[i])
		}
	}
}
