package storetest

import (
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// RunHelper runs every test of the contract of a Helper's store. open makes an empty one.
func RunHelper(t *testing.T, open func(testing.TB) Fixture[aggregator.HelperStore]) {
	runCommon(t, dap.RoleHelper, open)
	for name, test := range map[string]func(tester, *helperTest){
		"CommitStep":           testCommitStep,
		"CommitStepTwice":      testCommitStepTwice,
		"CommitStepConcurrent": testCommitStepConcurrent,
		"CommitStepMistakes":   testCommitStepMistakes,
		"Replays":              testReplays,
		"CollectedBucket":      testCollectedBucket,
		"Ledger":               testHelperLedger,
		"Rounds":               testRounds,
		"PendingJobs":          testPendingJobs,
		"PendingRounds":        testPendingRounds,
		"DeleteJob":            testDeleteJob,
		"AggregateShare":       testAggregateShare,
		"AggregateShareBatch":  testAggregateShareBatch,
		"Floor":                testHelperFloor,
		"FloorOfBatches":       testHelperFloorBatch,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHelperTest(tester{t}, open(t))
			test(h.tester, h)
			clean(h.tester, h.s)
		})
	}
	t.Run("Model", func(t *testing.T) { runHelperModel(t, open) })
}

// helperTest is a store with a task of each batch mode.
type helperTest struct {
	tester
	f            Fixture[aggregator.HelperStore]
	s            aggregator.HelperStore
	byTime, byID dap.TaskID
}

func newHelperTest(t tester, f Fixture[aggregator.HelperStore]) *helperTest {
	h := &helperTest{tester: t, f: f, s: f.Store}
	for _, task := range []aggregator.Task{
		NewTask(dap.RoleHelper, "by time", dap.BatchModeTimeInterval),
		NewTask(dap.RoleHelper, "leader-selected", dap.BatchModeLeaderSelected),
	} {
		t.ok(f.Store.PutTask(t.Context(), task))
	}
	copy(h.byTime[:], "by time")
	copy(h.byID[:], "leader-selected")
	return h
}

// helperReport is a report of a step.
type helperReport struct {
	n     int
	time  dap.Time
	value uint64          // of the output share
	error dap.ReportError // if not 0, verification has failed
}

// step makes the first step of a job, which ends it for all its reports.
func (h *helperTest) step(task dap.TaskID, job byte, reports ...helperReport) aggregator.HelperStep {
	step := aggregator.HelperStep{Job: aggregator.HelperJob{
		ID: dap.AggregationJobID{job}, Task: task, RequestDigest: [32]byte{job}, CreatedAt: time.Unix(int64(job), 0).UTC(),
	}}
	if task == h.byID {
		step.Job.BatchID = batchID(1)
	}
	for i, r := range reports {
		response := dap.VerifyResp{ReportID: reportID(r.n), Type: dap.VerifyRespContinue, Payload: []byte{byte(r.n), 1}}
		if r.error != 0 {
			response = dap.VerifyResp{ReportID: reportID(r.n), Type: dap.VerifyRespReject, Error: r.error}
		} else {
			step.Commits = append(step.Commits, aggregator.HelperCommit{Index: i, ID: reportID(r.n), Time: r.time, OutShare: share{value: r.value}})
		}
		step.Responses = append(step.Responses, response)
	}
	return step
}

// commit commits a step and returns what became of its reports: 0, or the report error.
func (h *helperTest) commit(step aggregator.HelperStep) ([]dap.ReportError, aggregator.HelperJob) {
	h.Helper()
	job, err := h.s.CommitHelperStep(h.Context(), step, Sums{})
	h.ok(err)
	return h.outcomes(job), job
}

// outcomes decodes a job's answer.
func (h *helperTest) outcomes(job aggregator.HelperJob) []dap.ReportError {
	h.Helper()
	response, err := dap.DecodeAggregationJobResp(job.Response)
	h.ok(err)
	outcomes := make([]dap.ReportError, len(response.VerifyResps))
	for i, r := range response.VerifyResps {
		outcomes[i] = r.Error
	}
	return outcomes
}

func (h *helperTest) read(task dap.TaskID, batch aggregator.Batch) aggregator.Aggregate {
	h.Helper()
	a, err := h.s.ReadBatch(h.Context(), task, batch, Sums{})
	h.ok(err)
	return a
}

func (h *helperTest) counts(task dap.TaskID) aggregator.HelperCounts {
	h.Helper()
	counts, err := h.s.HelperCounts(h.Context(), task)
	h.ok(err)
	return counts
}

func equalHelperJobs(a, b aggregator.HelperJob) bool {
	return a.CreatedAt.Equal(b.CreatedAt) && slices.Equal(a.AggParam, b.AggParam) && slices.Equal(a.Request, b.Request) &&
		slices.Equal(a.Response, b.Response) && a.ID == b.ID && a.Task == b.Task && a.BatchID == b.BatchID && a.Step == b.Step &&
		a.RequestDigest == b.RequestDigest && a.Pending == b.Pending &&
		a.Counted == b.Counted && a.Attempts == b.Attempts && a.LastError == b.LastError && a.Quarantine == b.Quarantine &&
		slices.EqualFunc(a.Reports, b.Reports, func(x, y aggregator.HelperReport) bool { return reflect.DeepEqual(x, y) })
}

const (
	replayed  = dap.ReportErrorReportReplayed
	collected = dap.ReportErrorBatchCollected
	unproven  = dap.ReportErrorVdafVerifyError
)

func testCommitStep(t tester, h *helperTest) {
	ctx := t.Context()
	for _, task := range []dap.TaskID{h.byTime, h.byID} {
		step := h.step(task, 1, helperReport{1, 10, 1, 0}, helperReport{2, 11, 0, unproven}, helperReport{3, 12, 100, 0}, helperReport{4, 10, 1000, 0})
		step.Job.AggParam = []byte("parameter")
		outcomes, job := h.commit(step)
		if !slices.Equal(outcomes, []dap.ReportError{0, unproven, 0, 0}) {
			t.Fatalf("outcomes are %v", outcomes)
		}
		want := step.Job
		want.Counted = 3
		var err error
		want.Response, err = dap.AggregationJobResp{VerifyResps: step.Responses}.Encode()
		t.ok(err)
		if !equalHelperJobs(job, want) {
			t.Fatalf("the job is %+v, not %+v", job, want)
		}
		h.s = h.f.Crash()
		stored, err := h.s.HelperJob(ctx, task, step.Job.ID)
		t.ok(err)
		if !equalHelperJobs(stored, want) {
			t.Fatalf("the stored job is %+v, not %+v", stored, want)
		}
		batch := timeBatch(0, 100)
		if task == h.byID {
			batch = idBatch(batchID(1))
		} else {
			equal(t, "sum of a bucket", sumOf(h.read(task, timeBatch(10, 11))), 1001)
			equal(t, "count of a rejected report's bucket", h.read(task, timeBatch(11, 12)).Count, 0)
		}
		var checksum dap.Checksum
		for _, n := range []int{1, 3, 4} {
			checksum.Add(reportID(n))
		}
		a := h.read(task, batch)
		equal(t, "sum", sumOf(a), 1101)
		equal(t, "count", a.Count, 3)
		equal(t, "checksum", a.Checksum, checksum)
		equal(t, "times", a.Interval, *interval(10, 13))
		counts := h.counts(task)
		equal(t, "aggregated", counts.Aggregated, 3)
		equal(t, "rejected", counts.Rejected[unproven], 1)
		_, err = h.s.HelperJob(ctx, task, dap.AggregationJobID{9})
		t.is(err, aggregator.ErrNotFound)
	}
	_, err := h.s.CommitHelperStep(ctx, h.step(dap.TaskID{1}, 1), Sums{})
	t.is(err, aggregator.ErrNotFound)
}

func testCommitStepTwice(t tester, h *helperTest) {
	step := h.step(h.byTime, 1, helperReport{1, 10, 1, 0}, helperReport{2, 10, 10, 0})
	_, first := h.commit(step)
	_, second := h.commit(step)
	if !equalHelperJobs(first, second) {
		t.Fatal("the same step has another answer")
	}
	equal(t, "count", h.read(h.byTime, timeBatch(10, 11)).Count, 2)
	equal(t, "aggregated", h.counts(h.byTime).Aggregated, 2)

	// The commit was written, but its caller told that it failed.
	h.f.Fail(FailAfter)
	step = h.step(h.byTime, 2, helperReport{3, 10, 100, 0})
	_, err := h.s.CommitHelperStep(t.Context(), step, Sums{})
	t.is(err, aggregator.ErrUnavailable)
	h.f.Fail(NoFault)
	outcomes, _ := h.commit(step)
	if !slices.Equal(outcomes, []dap.ReportError{0}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
	equal(t, "sum", sumOf(h.read(h.byTime, timeBatch(10, 11))), 111)
}

// testCommitStepConcurrent commits each of several steps, which share reports, many times at once.
func testCommitStepConcurrent(t tester, h *helperTest) {
	const steps, callers, reports = 4, 4, 20
	var answers [steps][callers]aggregator.HelperJob
	var group sync.WaitGroup
	for i := range steps {
		for caller := range callers {
			group.Go(func() {
				var all []helperReport
				for n := range reports {
					all = append(all, helperReport{n, dap.Time(100*i + n%3), 1, 0})
				}
				job, err := h.s.CommitHelperStep(t.Context(), h.step(h.byTime, byte(i+1), all...), Sums{})
				if err != nil {
					t.Error(err)
				}
				answers[i][caller] = job
			})
		}
	}
	group.Wait()
	accepted := 0
	for i := range steps {
		for caller := range callers {
			if !equalHelperJobs(answers[i][0], answers[i][caller]) {
				t.Fatalf("step %d has two answers", i)
			}
		}
		for _, outcome := range h.outcomes(answers[i][0]) {
			if outcome == 0 {
				accepted++
			}
		}
	}
	equal(t, "accepted reports", accepted, reports)
	equal(t, "sum", sumOf(h.read(h.byTime, timeBatch(0, 1000))), reports)
}

func testCommitStepMistakes(t tester, h *helperTest) {
	ctx := t.Context()
	for name, spoil := range map[string]func(*aggregator.HelperStep){
		"index out of range":   func(s *aggregator.HelperStep) { s.Commits[1].Index = 2 },
		"negative index":       func(s *aggregator.HelperStep) { s.Commits[0].Index = -1 },
		"index twice":          func(s *aggregator.HelperStep) { s.Commits[1].Index = 0 },
		"another report":       func(s *aggregator.HelperStep) { s.Commits[1].ID[0]++ },
		"pending":              func(s *aggregator.HelperStep) { s.Job.Pending = true },
		"request":              func(s *aggregator.HelperStep) { s.Job.Request = []byte("request") },
		"the last time":        func(s *aggregator.HelperStep) { s.Commits[0].Time = ^dap.Time(0) },
		"no output share":      func(s *aggregator.HelperStep) { s.Commits[0].OutShare = nil },
		"response of no kind":  func(s *aggregator.HelperStep) { s.Responses[0].Type = 77 },
		"later step of no job": func(s *aggregator.HelperStep) { s.Job.Step = 1 },
	} {
		step := h.step(h.byTime, 1, helperReport{1, 10, 1, 0}, helperReport{2, 10, 1, 0})
		spoil(&step)
		if _, err := h.s.CommitHelperStep(ctx, step, Sums{}); err == nil {
			t.Errorf("%s: there was no error", name)
		}
	}
	_, err := h.s.HelperJob(ctx, h.byTime, dap.AggregationJobID{1})
	t.is(err, aggregator.ErrNotFound)
	got, err := h.s.Replayed(ctx, h.byTime, []dap.ReportID{reportID(1), reportID(2)})
	t.ok(err)
	if slices.Contains(got, true) {
		t.Fatal("a report of a step that failed is remembered")
	}
	equal(t, "count", h.read(h.byTime, timeBatch(0, 100)).Count, 0)
}

func testReplays(t tester, h *helperTest) {
	for _, task := range []dap.TaskID{h.byTime, h.byID} {
		h.commit(h.step(task, 1, helperReport{1, 10, 1, 0}, helperReport{2, 2_000_000, 10, 0}))
		// Whatever its time, and also within a step.
		outcomes, _ := h.commit(h.step(task, 2, helperReport{1, 99_999, 1, 0}, helperReport{3, 5, 100, 0}, helperReport{2, 3, 1, 0}, helperReport{3, 6, 1, 0}))
		if !slices.Equal(outcomes, []dap.ReportError{0: replayed, 2: replayed, 3: replayed}) {
			t.Fatalf("outcomes are %v", outcomes)
		}
		got, err := h.s.Replayed(t.Context(), task, []dap.ReportID{reportID(3), reportID(4), reportID(1)})
		t.ok(err)
		if !slices.Equal(got, []bool{true, false, true}) {
			t.Fatalf("replayed: %v", got)
		}
		counts := h.counts(task)
		equal(t, "aggregated", counts.Aggregated, 3)
		equal(t, "replayed", counts.Rejected[replayed], 3)
	}
	equal(t, "sum", sumOf(h.read(h.byTime, timeBatch(0, 3_000_000))), 111)
	equal(t, "sum", sumOf(h.read(h.byID, idBatch(batchID(1)))), 111)
	// A report that failed is not remembered: it was counted nowhere.
	h.commit(h.step(h.byTime, 3, helperReport{50, 10, 0, unproven}))
	outcomes, _ := h.commit(h.step(h.byTime, 4, helperReport{50, 10, 7, 0}))
	if !slices.Equal(outcomes, []dap.ReportError{0}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
}

func testCollectedBucket(t tester, h *helperTest) {
	for _, task := range []dap.TaskID{h.byTime, h.byID} {
		batch := timeBatch(10, 20)
		if task == h.byID {
			batch = idBatch(batchID(1))
		}
		h.commit(h.step(task, 1, helperReport{1, 10, 1, 0}))
		h.collect(task, batch, 1)
		outcomes, _ := h.commit(h.step(task, 2, helperReport{1, 15, 1, 0}, helperReport{2, 19, 1, 0}, helperReport{3, 20, 1, 0}))
		want := []dap.ReportError{collected, collected, 0}
		if task == h.byID {
			want[2] = collected
		}
		if !slices.Equal(outcomes, want) {
			t.Fatalf("outcomes are %v", outcomes)
		}
		equal(t, "count", h.read(task, batch).Count, 1)
		equal(t, "collected", h.counts(task).Collected, 1)
	}
}

// share makes the record of the aggregate share of a batch as it stands.
func (h *helperTest) share(task dap.TaskID, batch aggregator.Batch, id byte) aggregator.AggregateShareRecord {
	h.Helper()
	a := h.read(task, batch)
	return aggregator.AggregateShareRecord{
		ID: dap.AggregateShareID{id}, Task: task, RequestDigest: [32]byte{id}, Batch: batch, Count: a.Count, Checksum: a.Checksum,
		Response: []byte{id, 1, 2}, CreatedAt: time.Unix(int64(id), 0).UTC(),
	}
}

func (h *helperTest) collect(task dap.TaskID, batch aggregator.Batch, id byte) aggregator.AggregateShareRecord {
	h.Helper()
	record := h.share(task, batch, id)
	stored, err := h.s.PutAggregateShare(h.Context(), record)
	h.ok(err)
	if !reflect.DeepEqual(stored, record) {
		h.Fatalf("stored is %+v", stored)
	}
	return record
}

func testRounds(t tester, h *helperTest) {
	ctx := t.Context()
	first := h.step(h.byTime, 1)
	first.Job.Reports = []aggregator.HelperReport{{ID: reportID(1), Time: 10, State: []byte("state 1")}, {ID: reportID(2), Time: 11, State: []byte("state 2")}}
	first.Responses = []dap.VerifyResp{
		{ReportID: reportID(1), Type: dap.VerifyRespContinue, Payload: []byte("a")},
		{ReportID: reportID(2), Type: dap.VerifyRespContinue, Payload: []byte("b")},
	}
	_, job := h.commit(first)
	if !reflect.DeepEqual(job.Reports, first.Job.Reports) {
		t.Fatalf("the job's reports are %v", job.Reports)
	}
	second := h.step(h.byTime, 1, helperReport{1, 10, 1, 0}, helperReport{2, 11, 0, unproven})
	second.Job.Step, second.Job.RequestDigest = 1, [32]byte{11}
	far := second
	far.Job.Step = 2
	_, err := h.s.CommitHelperStep(ctx, far, Sums{})
	t.is(err, aggregator.ErrConflict)
	_, job = h.commit(second)
	equal(t, "step", job.Step, 1)
	equal(t, "reports", len(job.Reports), 0)
	// The first step again: it was committed, and so was a later one.
	_, again := h.commit(first)
	if !equalHelperJobs(again, job) {
		t.Fatal("an earlier step changed the job")
	}
	equal(t, "count", h.read(h.byTime, timeBatch(0, 100)).Count, 1)
	h.s = h.f.Crash()
	stored, err := h.s.HelperJob(ctx, h.byTime, job.ID)
	t.ok(err)
	if !equalHelperJobs(stored, job) {
		t.Fatal("the job is not what was committed")
	}
}

func testPendingJobs(t tester, h *helperTest) {
	ctx := t.Context()
	var jobs []aggregator.HelperJob
	for i, n := range []byte{9, 3, 5} {
		task := h.byTime
		if i == 1 {
			task = h.byID
		}
		job := aggregator.HelperJob{
			ID: dap.AggregationJobID{n}, Task: task, RequestDigest: [32]byte{n}, AggParam: []byte{n}, BatchID: batchID(n),
			Pending: true, Request: []byte{n, n}, CreatedAt: time.Unix(int64(i+1), 0).UTC(),
		}
		stored, created, err := h.s.CreateHelperJob(ctx, job)
		t.ok(err)
		if !created || !equalHelperJobs(stored, job) {
			t.Fatalf("created: %t, %+v", created, stored)
		}
		jobs = append(jobs, job)
	}
	again := jobs[0]
	again.CreatedAt = time.Unix(99, 0)
	stored, created, err := h.s.CreateHelperJob(ctx, again)
	t.ok(err)
	if created || !equalHelperJobs(stored, jobs[0]) {
		t.Fatal("the same ID made another job")
	}
	pending := func() []aggregator.HelperJob {
		all, err := h.s.PendingHelperJobs(ctx)
		t.ok(err)
		return all
	}
	h.s = h.f.Crash()
	if !slices.EqualFunc(pending(), jobs, equalHelperJobs) {
		t.Fatalf("pending jobs are %+v", pending())
	}
	step := h.step(h.byTime, 9, helperReport{1, 10, 1, 0})
	step.Job.CreatedAt = time.Unix(77, 0)
	_, job := h.commit(step)
	if job.Pending || job.Request != nil || len(job.Response) == 0 || !job.CreatedAt.Equal(jobs[0].CreatedAt) {
		t.Fatalf("the job is %+v", job)
	}
	if !slices.EqualFunc(pending(), jobs[1:], equalHelperJobs) {
		t.Fatalf("pending jobs are %+v", pending())
	}
	stored, created, err = h.s.CreateHelperJob(ctx, jobs[0])
	t.ok(err)
	if created || !equalHelperJobs(stored, job) {
		t.Fatal("a job that was computed is not returned as such")
	}
	t.ok(h.s.DeleteHelperJob(ctx, h.byID, jobs[1].ID))
	equal(t, "pending jobs", len(pending()), 1)
	_, _, err = h.s.CreateHelperJob(ctx, aggregator.HelperJob{ID: dap.AggregationJobID{1}, Task: h.byTime, Pending: true})
	t.fails(err)
	jobs[0].Task, jobs[0].ID = dap.TaskID{1}, dap.AggregationJobID{77}
	_, _, err = h.s.CreateHelperJob(ctx, jobs[0])
	t.is(err, aggregator.ErrNotFound)
}

func testPendingRounds(t tester, h *helperTest) {
	ctx := t.Context()
	job := h.step(h.byTime, 1).Job
	request := func(step uint16, n byte) error {
		return h.s.SetHelperRequest(ctx, h.byTime, job.ID, step, [32]byte{n}, []byte{n})
	}
	t.is(request(1, 1), aggregator.ErrNotFound)
	first := h.step(h.byTime, 1)
	first.Job.Reports = []aggregator.HelperReport{{ID: reportID(1), Time: 10, State: []byte("state")}}
	first.Responses = []dap.VerifyResp{{ReportID: reportID(1), Type: dap.VerifyRespContinue, Payload: []byte("a")}}
	h.commit(first)
	t.is(request(2, 2), aggregator.ErrConflict)
	t.fails(request(0, 2))
	t.ok(request(1, 1))
	t.ok(request(1, 1)) // its outcome was unknown
	t.is(request(1, 2), aggregator.ErrConflict)
	t.is(request(2, 2), aggregator.ErrConflict) // step 1 is not ready
	pending, err := h.s.PendingHelperJobs(ctx)
	t.ok(err)
	equal(t, "pending jobs", len(pending), 1)
	got := pending[0]
	if got.Step != 1 || !got.Pending || string(got.Request) != "\x01" || got.RequestDigest != [32]byte{1} || got.Response != nil || !reflect.DeepEqual(got.Reports, first.Job.Reports) {
		t.Fatalf("the pending job is %+v", got)
	}
	second := h.step(h.byTime, 1, helperReport{1, 10, 5, 0})
	second.Job.Step = 1
	second.Job.RequestDigest = [32]byte{99}
	_, err = h.s.CommitHelperStep(ctx, second, Sums{})
	t.is(err, aggregator.ErrConflict) // another request than the one that waits
	second.Job.RequestDigest = [32]byte{1}
	_, done := h.commit(second)
	equal(t, "step", done.Step, 1)
	pending, err = h.s.PendingHelperJobs(ctx)
	t.ok(err)
	equal(t, "pending jobs", len(pending), 0)
	t.is(request(1, 1), aggregator.ErrConflict)
	equal(t, "sum", sumOf(h.read(h.byTime, timeBatch(10, 11))), 5)
}

func testDeleteJob(t tester, h *helperTest) {
	ctx := t.Context()
	step := h.step(h.byTime, 1, helperReport{1, 10, 1, 0})
	h.commit(step)
	t.ok(h.s.DeleteHelperJob(ctx, h.byTime, step.Job.ID))
	t.is(h.s.DeleteHelperJob(ctx, h.byTime, step.Job.ID), aggregator.ErrNotFound)
	_, err := h.s.HelperJob(ctx, h.byTime, step.Job.ID)
	t.is(err, aggregator.ErrNotFound)
	// But not the report IDs nor the buckets.
	equal(t, "count", h.read(h.byTime, timeBatch(10, 11)).Count, 1)
	_, err = h.s.CommitHelperStep(ctx, step, Sums{})
	t.is(err, aggregator.ErrNotFound)
	_, _, err = h.s.CreateHelperJob(ctx, aggregator.HelperJob{ID: step.Job.ID, Task: h.byTime, Pending: true, Request: []byte("late")})
	t.is(err, aggregator.ErrNotFound)
	equal(t, "count", h.read(h.byTime, timeBatch(10, 11)).Count, 1)
	jobs, err := h.s.HelperJobs(ctx, h.byTime, true)
	t.ok(err)
	equal(t, "jobs", len(jobs), 0)
	outcomes, _ := h.commit(h.step(h.byTime, 2, helperReport{1, 10, 1, 0}))
	if !slices.Equal(outcomes, []dap.ReportError{replayed}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
	clean(t, h.s)
}

func testAggregateShare(t tester, h *helperTest) {
	ctx := t.Context()
	h.commit(h.step(h.byTime, 1, helperReport{1, 10, 1, 0}, helperReport{2, 15, 1, 0}))
	batch := timeBatch(10, 20)
	isCollected := func(b aggregator.Batch, want bool) {
		t.Helper()
		got, err := h.s.Collected(ctx, h.byTime, b)
		t.ok(err)
		equal(t, "collected", got, want)
	}
	isCollected(batch, false)
	wrong := h.share(h.byTime, batch, 1)
	wrong.Count++
	_, err := h.s.PutAggregateShare(ctx, wrong)
	t.is(err, aggregator.ErrConflict)
	wrong.Count, wrong.Checksum[0] = wrong.Count-1, wrong.Checksum[0]+1
	_, err = h.s.PutAggregateShare(ctx, wrong)
	t.is(err, aggregator.ErrConflict)
	_, err = h.s.AggregateShare(ctx, h.byTime, wrong.ID)
	t.is(err, aggregator.ErrNotFound)
	isCollected(batch, false)

	record := h.collect(h.byTime, batch, 1)
	again := record
	again.Response = []byte("another answer")
	stored, err := h.s.PutAggregateShare(ctx, again)
	t.ok(err)
	if !reflect.DeepEqual(stored, record) {
		t.Fatal("the same ID has another answer")
	}
	h.s = h.f.Crash()
	stored, err = h.s.AggregateShare(ctx, h.byTime, record.ID)
	t.ok(err)
	if !reflect.DeepEqual(stored, record) {
		t.Fatal("the answer is not what was stored")
	}
	for _, b := range []aggregator.Batch{batch, timeBatch(0, 11), timeBatch(19, 30), timeBatch(12, 13), timeBatch(0, 100)} {
		isCollected(b, true)
		_, err = h.s.PutAggregateShare(ctx, h.share(h.byTime, b, 2))
		t.is(err, aggregator.ErrBatchOverlap)
	}
	isCollected(timeBatch(20, 30), false)
	isCollected(timeBatch(0, 10), false)
	t.ok(h.s.DeleteAggregateShare(ctx, h.byTime, record.ID))
	t.is(h.s.DeleteAggregateShare(ctx, h.byTime, record.ID), aggregator.ErrNotFound)
	_, err = h.s.AggregateShare(ctx, h.byTime, record.ID)
	t.is(err, aggregator.ErrNotFound)
	isCollected(batch, true)
	_, err = h.s.PutAggregateShare(ctx, record)
	t.is(err, aggregator.ErrBatchOverlap)
	h.collect(h.byTime, timeBatch(20, 30), 3)
	_, err = h.s.Collected(ctx, h.byTime, timeBatch(1, 1))
	t.fails(err)
	_, err = h.s.Collected(ctx, dap.TaskID{1}, batch)
	t.is(err, aggregator.ErrNotFound)
}

func testAggregateShareBatch(t tester, h *helperTest) {
	ctx := t.Context()
	step := h.step(h.byID, 1, helperReport{1, 10, 1, 0})
	h.commit(step)
	record := h.collect(h.byID, idBatch(batchID(1)), 1)
	_, err := h.s.PutAggregateShare(ctx, h.share(h.byID, idBatch(batchID(1)), 2))
	t.is(err, aggregator.ErrBatchOverlap)
	for _, test := range []struct {
		batch byte
		want  bool
	}{{1, true}, {2, false}} {
		got, err := h.s.Collected(ctx, h.byID, idBatch(batchID(test.batch)))
		t.ok(err)
		equal(t, "collected", got, test.want)
	}
	t.ok(h.s.DeleteAggregateShare(ctx, h.byID, record.ID))
	_, err = h.s.PutAggregateShare(ctx, record)
	t.is(err, aggregator.ErrBatchOverlap)
	h.collect(h.byID, idBatch(batchID(7)), 3) // a batch that the Helper has no report of
	outcomes, _ := h.commit(func() aggregator.HelperStep {
		step := h.step(h.byID, 2, helperReport{9, 10, 1, 0})
		step.Job.BatchID = batchID(7)
		return step
	}())
	if !slices.Equal(outcomes, []dap.ReportError{collected}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
}
