package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// RunLeader runs every test of the contract of a Leader's store. open makes an empty one.
func RunLeader(t *testing.T, open func(testing.TB) Fixture[aggregator.LeaderStore]) {
	runCommon(t, dap.RoleLeader, open)
	for name, test := range map[string]func(tester, *leaderTest){
		"Upload":                testUpload,
		"UploadConcurrent":      testUploadConcurrent,
		"UploadRefused":         testUploadRefused,
		"WaitingReports":        testWaitingReports,
		"CreateJob":             testCreateJob,
		"CreateJobConflicts":    testCreateJobConflicts,
		"CreateJobInBatches":    testCreateJobInBatches,
		"AdvanceJob":            testAdvanceJob,
		"RejectionsAlone":       testRejectionsAlone,
		"RestartJob":            testRestartJob,
		"QuarantineJob":         testQuarantineJob,
		"ReactivateJob":         testReactivateJob,
		"ReactivateCollected":   testReactivateCollected,
		"ReactivatePartly":      testReactivatePartly,
		"ReactivateQuarantined": testReactivateQuarantined,
		"FinishJob":             testFinishJob,
		"FinishJobMistakes":     testFinishJobMistakes,
		"FinishEmptyJob":        testFinishEmptyJob,
		"OpenBatches":           testOpenBatches,
		"CreateCollection":      testCreateCollection,
		"CollectionLifeTime":    testCollectionLife,
		"CollectionLifeBatch":   testCollectionLifeBatch,
		"FinishCollectionCheck": testFinishCollectionConflicts,
		"FailCollection":        testFailCollection,
		"Ledger":                testLeaderLedger,
		"DeleteCollection":      testDeleteCollection,
		"ManyCollections":       testManyCollections,
		"Floor":                 testLeaderFloor,
		"FloorOfBatches":        testLeaderFloorBatch,
		"FloorOfQuarantine":     testQuarantineFloorBatch,
		"FloorOfQuarantineEnd":  testQuarantineFloorEnded,
		"AgeFloor":              testAgeFloor,
		"ManyGenerations":       testManyGenerations,
		"BucketCounts":          testBucketCounts,
		"ReadyInterval":         testReadyInterval,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLeaderTest(tester{t}, open(t))
			test(l.tester, l)
			clean(l.tester, l.s)
		})
	}
	t.Run("Model", func(t *testing.T) { runLeaderModel(t, open) })
}

// leaderTest is a store with a task of each batch mode.
type leaderTest struct {
	tester
	f            Fixture[aggregator.LeaderStore]
	s            aggregator.LeaderStore
	byTime, byID dap.TaskID
	jobs         int
}

func newLeaderTest(t tester, f Fixture[aggregator.LeaderStore]) *leaderTest {
	l := &leaderTest{tester: t, f: f, s: f.Store}
	for _, task := range []aggregator.Task{
		NewTask(dap.RoleLeader, "by time", dap.BatchModeTimeInterval),
		NewTask(dap.RoleLeader, "leader-selected", dap.BatchModeLeaderSelected),
	} {
		t.ok(f.Store.PutTask(t.Context(), task))
	}
	copy(l.byTime[:], "by time")
	copy(l.byID[:], "leader-selected")
	return l
}

// upload uploads reports first, first+1, ... with the given times, all of which are accepted.
func (l *leaderTest) upload(task dap.TaskID, first int, times ...dap.Time) {
	l.Helper()
	reports := make([]aggregator.UploadReport, len(times))
	for i, t := range times {
		reports[i] = upload(first+i, t)
	}
	outcomes, err := l.s.Upload(l.Context(), task, reports)
	l.ok(err)
	for i, outcome := range outcomes {
		equal(l.tester, "outcome of report "+reports[i].ID.String(), outcome, 0)
	}
}

// waiting returns the waiting reports of a task.
func (l *leaderTest) waiting(task dap.TaskID) []aggregator.StoredReport {
	l.Helper()
	reports, err := l.s.WaitingReports(l.Context(), task, 0, 1000, 1<<30, nil)
	l.ok(err)
	return reports
}

// job makes a new aggregation job of reports; it does not store it.
func (l *leaderTest) job(task dap.TaskID, reports []aggregator.StoredReport) aggregator.AggregationJob {
	l.jobs++
	job := aggregator.AggregationJob{
		ID: dap.AggregationJobID{byte(l.jobs), byte(l.jobs >> 8)}, Task: task, State: aggregator.JobActive,
		RequestDigest: [32]byte{byte(l.jobs)}, CreatedAt: time.Unix(int64(l.jobs), 0).UTC(),
	}
	for _, r := range reports {
		job.Reports = append(job.Reports, r.Sequence)
	}
	if task == l.byID {
		job.BatchID = batchID(1)
	}
	return job
}

// aggregate puts all waiting reports of a task into a job and finishes it; each
// report's output share is 1.
func (l *leaderTest) aggregate(task dap.TaskID) {
	l.Helper()
	job := l.job(task, l.waiting(task))
	l.ok(l.s.CreateAggregationJob(l.Context(), job, nil))
	l.ok(l.s.FinishAggregationJob(l.Context(), task, job.ID, commitAll(job.Reports), nil, Sums{}))
}

func commitAll(sequences []uint64) []aggregator.Commit {
	commits := make([]aggregator.Commit, len(sequences))
	for i, sequence := range sequences {
		commits[i] = aggregator.Commit{Sequence: sequence, OutShare: share{value: 1}}
	}
	return commits
}

func (l *leaderTest) counts(task dap.TaskID) aggregator.LeaderCounts {
	l.Helper()
	counts, err := l.s.Counts(l.Context(), task)
	l.ok(err)
	return counts
}

func (l *leaderTest) read(task dap.TaskID, batch aggregator.Batch) aggregator.Aggregate {
	l.Helper()
	a, err := l.s.ReadBatch(l.Context(), task, batch, Sums{})
	l.ok(err)
	return a
}

func testUpload(t tester, l *leaderTest) {
	l.upload(l.byTime, 1, 10, 20)
	outcomes, err := l.s.Upload(t.Context(), l.byTime, []aggregator.UploadReport{
		upload(1, 10), upload(3, 10), upload(2, 999_999), upload(3, 11), upload(4, 0),
	})
	t.ok(err)
	const replayed = dap.ReportErrorReportReplayed
	if !slices.Equal(outcomes, []dap.ReportError{replayed, 0, replayed, replayed, 0}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
	l.upload(l.byID, 1, 10) // another task knows nothing of these IDs

	outcomes, err = l.s.Upload(t.Context(), l.byTime, nil)
	t.ok(err)
	equal(t, "outcomes of nothing", len(outcomes), 0)
	_, err = l.s.Upload(t.Context(), dap.TaskID{1}, []aggregator.UploadReport{upload(1, 1)})
	t.is(err, aggregator.ErrNotFound)

	for _, crash := range []bool{false, true} {
		reports := l.waiting(l.byTime)
		equal(t, "waiting reports", len(reports), 4)
		last := uint64(0)
		for i, want := range []aggregator.UploadReport{upload(1, 10), upload(2, 20), upload(3, 10), upload(4, 0)} {
			got := reports[i]
			if got.Sequence <= last || got.ID != want.ID || got.Time != want.Time || string(got.Body) != string(want.Body) {
				t.Fatalf("waiting report %d is %v", i, got)
			}
			last = got.Sequence
		}
		equal(t, "waiting", l.counts(l.byTime).Waiting, 4)
		if !crash {
			l.s = l.f.Crash()
		}
	}
}

// testUploadConcurrent uploads the same reports from many goroutines, each with its own times.
func testUploadConcurrent(t tester, l *leaderTest) {
	const callers, reports, each = 8, 40, 5
	var accepted [callers]int
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for first := 0; first < reports; first += each {
				var batch []aggregator.UploadReport
				for n := first; n < first+each; n++ {
					batch = append(batch, upload(n, dap.Time(caller*1000)))
				}
				outcomes, err := l.s.Upload(t.Context(), l.byTime, batch)
				if err != nil {
					t.Error(err)
					return
				}
				for _, outcome := range outcomes {
					if outcome == 0 {
						accepted[caller]++
					}
				}
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range accepted {
		total += n
	}
	equal(t, "accepted reports", total, reports)
	equal(t, "waiting reports", len(l.waiting(l.byTime)), reports)
}

func testUploadRefused(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 10, 15)
	pending := l.collection(timeBatch(10, 20))
	l.create(pending)
	l.upload(l.byTime, 3, 19) // reserved is not closed
	t.ok(l.s.CloseBatch(ctx, l.byTime, pending.ID))
	outcomes, err := l.s.Upload(ctx, l.byTime, []aggregator.UploadReport{
		upload(1, 10), upload(11, 10), upload(12, 19), upload(13, 9), upload(14, 20),
	})
	t.ok(err)
	const collected = dap.ReportErrorBatchCollected
	// A replay is one even in a closed batch: the client that sends a report
	// again learns that it was accepted.
	if !slices.Equal(outcomes, []dap.ReportError{dap.ReportErrorReportReplayed, collected, collected, 0, 0}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
	// The refused IDs are free.
	l.upload(l.byTime, 11, 30, 31)
	_, err = l.s.Upload(ctx, l.byTime, []aggregator.UploadReport{upload(99, ^dap.Time(0))})
	t.fails(err)
	_, err = l.s.Upload(ctx, l.byTime, []aggregator.UploadReport{{ID: reportID(99), Time: 40}})
	t.fails(err)
}

func testWaitingReports(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 10, 20, 10, 30, 20)
	all := l.waiting(l.byTime)
	body := len(all[0].Body)
	for _, test := range []struct {
		name                 string
		after                uint64
		maxReports, maxBytes int
		within               *dap.Interval
		want                 []int // indices of all
	}{
		{"all", 0, 100, 1 << 20, nil, []int{0, 1, 2, 3, 4}},
		{"after", all[1].Sequence, 100, 1 << 20, nil, []int{2, 3, 4}},
		{"after the last", all[4].Sequence, 100, 1 << 20, nil, nil},
		{"two", 0, 2, 1 << 20, nil, []int{0, 1}},
		{"none", 0, 0, 1 << 20, nil, nil},
		{"bytes", 0, 100, 3*body + 1, nil, []int{0, 1, 2}},
		{"one that is too large", 0, 100, 1, nil, []int{0}},
		{"within", 0, 100, 1 << 20, interval(10, 11), []int{0, 2}},
		{"within and after", all[0].Sequence, 100, 1 << 20, interval(10, 21), []int{1, 2, 4}},
		{"within nothing", 0, 100, 1 << 20, interval(21, 30), nil},
		{"within, two", 0, 2, 1 << 20, interval(20, 40), []int{1, 3}},
	} {
		got, err := l.s.WaitingReports(ctx, l.byTime, test.after, test.maxReports, test.maxBytes, test.within)
		t.ok(err)
		var ids, want []dap.ReportID
		for i := range got {
			ids = append(ids, got[i].ID)
		}
		for _, i := range test.want {
			want = append(want, all[i].ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: got %v, want %v", test.name, ids, want)
		}
	}
	tasks, err := l.s.WaitingTasks(ctx)
	t.ok(err)
	if len(tasks) != 1 || tasks[l.byTime] != 5 {
		t.Fatalf("waiting tasks are %v", tasks)
	}
}

func testCreateJob(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 10, 20, 30, 40)
	all := l.waiting(l.byTime)
	job := l.job(l.byTime, []aggregator.StoredReport{all[2], all[0]})
	job.AggParam, job.NextAttempt, job.Attempts, job.LastError = []byte("parameter"), time.Unix(5, 6).UTC(), 3, "none"
	reject := []aggregator.Rejection{{Sequence: all[1].Sequence, Error: dap.ReportErrorHpkeDecryptError}}
	t.ok(l.s.CreateAggregationJob(ctx, job, reject))
	t.ok(l.s.CreateAggregationJob(ctx, job, reject)) // its outcome was unknown
	other := job
	other.Reports = []uint64{all[3].Sequence}
	t.is(l.s.CreateAggregationJob(ctx, other, nil), aggregator.ErrExists)

	l.s = l.f.Reopen()
	equal(t, "waiting reports", len(l.waiting(l.byTime)), 1)
	jobs, err := l.s.AggregationJobs(ctx)
	t.ok(err)
	equal(t, "jobs", len(jobs), 1)
	sameJob(t, jobs[0], job)
	reports, err := l.s.JobReports(ctx, l.byTime, job.ID)
	t.ok(err)
	for i, want := range []aggregator.StoredReport{all[2], all[0]} {
		if reports[i].Sequence != want.Sequence || reports[i].ID != want.ID || reports[i].Time != want.Time || string(reports[i].Body) != string(want.Body) {
			t.Fatalf("report %d of the job is %v", i, reports[i])
		}
	}
	counts := l.counts(l.byTime)
	equal(t, "waiting", counts.Waiting, 1)
	equal(t, "in jobs", counts.InJobs, 2)
	equal(t, "rejected", counts.Rejected[dap.ReportErrorHpkeDecryptError], 1)
	// A rejected report is remembered.
	outcomes, err := l.s.Upload(ctx, l.byTime, []aggregator.UploadReport{upload(2, 20)})
	t.ok(err)
	equal(t, "outcome of a rejected report", outcomes[0], dap.ReportErrorReportReplayed)

	// Only rejections: there is no job.
	none := l.job(l.byTime, nil)
	t.ok(l.s.CreateAggregationJob(ctx, none, []aggregator.Rejection{{Sequence: all[3].Sequence, Error: dap.ReportErrorInvalidMessage}}))
	_, err = l.s.JobReports(ctx, l.byTime, none.ID)
	t.is(err, aggregator.ErrNotFound)
	equal(t, "waiting", l.counts(l.byTime).Waiting, 0)
	tasks, err := l.s.WaitingTasks(ctx)
	t.ok(err)
	equal(t, "waiting tasks", len(tasks), 0)
}

func sameJob(t tester, got, want aggregator.AggregationJob) {
	t.Helper()
	if !equalJobs(got, want) {
		t.Fatalf("the job is\n%+v, not\n%+v", got, want)
	}
}

func testCreateJobConflicts(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 10, 20, 30)
	all := l.waiting(l.byTime)
	first := l.job(l.byTime, all[:1])
	t.ok(l.s.CreateAggregationJob(ctx, first, nil))
	reject := func(i int) []aggregator.Rejection {
		return []aggregator.Rejection{{Sequence: all[i].Sequence, Error: dap.ReportErrorInvalidMessage}}
	}
	t.is(l.s.CreateAggregationJob(ctx, l.job(l.byTime, all[:2]), nil), aggregator.ErrConflict)
	t.is(l.s.CreateAggregationJob(ctx, l.job(l.byTime, all[1:2]), reject(0)), aggregator.ErrConflict)
	t.fails(l.s.CreateAggregationJob(ctx, l.job(l.byTime, all[1:2]), reject(1)))
	t.fails(l.s.CreateAggregationJob(ctx, l.job(l.byTime, append(all[1:2:2], all[1])), nil))
	t.fails(l.s.CreateAggregationJob(ctx, l.job(l.byTime, all[1:2]), []aggregator.Rejection{{Sequence: all[2].Sequence}}))
	t.is(l.s.CreateAggregationJob(ctx, l.job(dap.TaskID{1}, all[1:2]), nil), aggregator.ErrNotFound)
	equal(t, "waiting", l.counts(l.byTime).Waiting, 2)
	equal(t, "waiting reports", len(l.waiting(l.byTime)), 2)
}

func testCreateJobInBatches(t tester, l *leaderTest) {
	ctx := t.Context()
	// Time-interval: a closed batch only refuses uploads, a collected one has nothing that waits.
	l.upload(l.byTime, 1, 10)
	c := l.collection(timeBatch(10, 20))
	l.create(c)
	t.ok(l.s.CloseBatch(ctx, l.byTime, c.ID))
	l.aggregate(l.byTime)
	equal(t, "count", l.read(l.byTime, timeBatch(0, 100)).Count, 1)

	// Leader-selected: a reserved or closed batch takes the jobs of its collection alone.
	l.upload(l.byID, 1, 10, 11, 12, 13, 14)
	all := l.waiting(l.byID)
	t.ok(l.s.CreateAggregationJob(ctx, l.job(l.byID, all[:1]), nil))
	d := l.collection(idBatch(batchID(1)))
	l.create(d)
	job := l.job(l.byID, all[1:2])
	t.is(l.s.CreateAggregationJob(ctx, job, nil), aggregator.ErrConflict)
	job.Collection = dap.CollectionJobID{99}
	t.is(l.s.CreateAggregationJob(ctx, job, nil), aggregator.ErrConflict)
	job.Collection = d.ID
	t.ok(l.s.CreateAggregationJob(ctx, job, nil))
	t.ok(l.s.CloseBatch(ctx, l.byID, d.ID))
	t.is(l.s.CreateAggregationJob(ctx, l.job(l.byID, all[2:3]), nil), aggregator.ErrConflict)
	job = l.job(l.byID, all[2:3])
	job.Collection = d.ID
	t.ok(l.s.CreateAggregationJob(ctx, job, nil))
	// Closed for good, even when no collection has the batch any more.
	d.Failure = &dap.Error{Type: dap.ErrorTypeBatchMismatch}
	t.ok(l.s.FailCollectionJob(ctx, d))
	t.is(l.s.CreateAggregationJob(ctx, l.job(l.byID, all[3:4]), nil), aggregator.ErrConflict)
	job = l.job(l.byID, all[3:4])
	job.BatchID = batchID(2)
	t.ok(l.s.CreateAggregationJob(ctx, job, nil))
}

func testAdvanceJob(t tester, l *leaderTest) {
	ctx := t.Context()
	for _, task := range []dap.TaskID{l.byTime, l.byID} {
		l.upload(task, 1, 10, 20, 30)
		all := l.waiting(task)
		job := l.job(task, all)
		t.ok(l.s.CreateAggregationJob(ctx, job, nil))

		job.Attempts, job.LastError, job.NextAttempt = 1, "refused", time.Unix(100, 0).UTC()
		t.ok(l.s.AdvanceAggregationJob(ctx, job, nil))

		next := job
		next.Reports = []uint64{all[0].Sequence, all[2].Sequence}
		next.Step, next.States = 1, [][]byte{[]byte("state 0"), []byte("state 2")}
		next.RequestDigest, next.HelperLocation = [32]byte{7}, "https://helper.example/job"
		next.Attempts, next.LastError, next.NextAttempt = 0, "", time.Time{}
		reject := []aggregator.Rejection{{Sequence: all[1].Sequence, Error: dap.ReportErrorVdafVerifyError}}
		wrong := next
		wrong.Reports = next.Reports[:1]
		wrong.States = next.States[:1]
		t.fails(l.s.AdvanceAggregationJob(ctx, wrong, reject)) // a report would be lost
		t.fails(l.s.AdvanceAggregationJob(ctx, next, nil))
		t.ok(l.s.AdvanceAggregationJob(ctx, next, reject))
		t.ok(l.s.AdvanceAggregationJob(ctx, next, reject)) // its outcome was unknown
		t.is(l.s.AdvanceAggregationJob(ctx, job, nil), aggregator.ErrConflict)

		l.s = l.f.Reopen()
		jobs, err := l.s.AggregationJobs(ctx)
		t.ok(err)
		sameJob(t, jobs[len(jobs)-1], next)
		reports, err := l.s.JobReports(ctx, task, job.ID)
		t.ok(err)
		equal(t, "reports", len(reports), 2)
		counts := l.counts(task)
		equal(t, "in jobs", counts.InJobs, 2)
		equal(t, "rejected", counts.Rejected[dap.ReportErrorVdafVerifyError], 1)

		missing := l.job(task, all)
		t.is(l.s.AdvanceAggregationJob(ctx, missing, nil), aggregator.ErrNotFound)
	}
}

func testFinishJob(t tester, l *leaderTest) {
	ctx := t.Context()
	for _, task := range []dap.TaskID{l.byTime, l.byID} {
		l.upload(task, 1, 10, 12, 10, 13)
		all := l.waiting(task)
		job := l.job(task, all)
		job.AggParam = []byte("parameter")
		t.ok(l.s.CreateAggregationJob(ctx, job, nil))
		commits := []aggregator.Commit{
			{Sequence: all[3].Sequence, OutShare: share{value: 1000}},
			{Sequence: all[0].Sequence, OutShare: share{value: 1}},
			{Sequence: all[2].Sequence, OutShare: share{value: 100}},
		}
		reject := []aggregator.Rejection{{Sequence: all[1].Sequence, Error: dap.ReportErrorVdafVerifyError}}
		t.ok(l.s.FinishAggregationJob(ctx, task, job.ID, commits, reject, Sums{}))
		t.is(l.s.FinishAggregationJob(ctx, task, job.ID, commits, reject, Sums{}), aggregator.ErrNotFound)
		_, err := l.s.JobReports(ctx, task, job.ID)
		t.is(err, aggregator.ErrNotFound)

		l.s = l.f.Crash()
		batches := []aggregator.Batch{idBatch(batchID(1))}
		if task == l.byTime {
			batches = []aggregator.Batch{timeBatch(0, 100), timeBatch(10, 14)}
			one := l.read(task, timeBatch(10, 11))
			equal(t, "sum of a bucket", sumOf(one), 101)
			equal(t, "times of a bucket", one.Interval, *interval(10, 11))
			equal(t, "count of nothing", l.read(task, timeBatch(14, 1000)).Count, 0)
			equal(t, "count of a rejected report's bucket", l.read(task, timeBatch(12, 13)).Count, 0)
		}
		var checksum dap.Checksum
		for _, i := range []int{0, 2, 3} {
			checksum.Add(all[i].ID)
		}
		for _, batch := range batches {
			a := l.read(task, batch)
			equal(t, "sum", sumOf(a), 1101)
			equal(t, "count", a.Count, 3)
			equal(t, "checksum", a.Checksum, checksum)
			equal(t, "times", a.Interval, *interval(10, 14))
			equal(t, "parameter", string(a.AggParam), "parameter")
		}
		counts := l.counts(task)
		equal(t, "aggregated", counts.Aggregated, 3)
		equal(t, "in jobs", counts.InJobs, 0)
		equal(t, "rejected", counts.Rejected[dap.ReportErrorVdafVerifyError], 1)
		for n := range 4 {
			outcomes, err := l.s.Upload(ctx, task, []aggregator.UploadReport{upload(n+1, 50)})
			t.ok(err)
			equal(t, "outcome", outcomes[0], dap.ReportErrorReportReplayed)
		}
	}
}

func testFinishJobMistakes(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 10, 11, 12)
	all := l.waiting(l.byTime)
	job := l.job(l.byTime, all[:2])
	t.ok(l.s.CreateAggregationJob(ctx, job, nil))
	first, second, third := all[0].Sequence, all[1].Sequence, all[2].Sequence
	finish := func(commits []aggregator.Commit, rejected ...aggregator.Rejection) error {
		return l.s.FinishAggregationJob(ctx, l.byTime, job.ID, commits, rejected, Sums{})
	}
	t.fails(finish(commitAll([]uint64{first})))
	t.fails(finish(commitAll([]uint64{first, third})))
	t.fails(finish(commitAll([]uint64{first, second, third})))
	t.fails(finish(commitAll([]uint64{first, first})))
	t.fails(finish(commitAll([]uint64{first, second}), aggregator.Rejection{Sequence: second, Error: 1}))
	t.fails(finish(commitAll([]uint64{first}), aggregator.Rejection{Sequence: second}))
	t.is(finish([]aggregator.Commit{{Sequence: first}, {Sequence: second}}), errShare)
	t.is(l.s.FinishAggregationJob(ctx, l.byTime, dap.AggregationJobID{99}, nil, nil, Sums{}), aggregator.ErrNotFound)
	equal(t, "in jobs", l.counts(l.byTime).InJobs, 2)
	equal(t, "count", l.read(l.byTime, timeBatch(0, 100)).Count, 0)
	t.ok(finish(commitAll(job.Reports)))

	// A bucket has one aggregation parameter.
	l.upload(l.byTime, 4, 10)
	other := l.job(l.byTime, l.waiting(l.byTime))
	other.AggParam = []byte("another")
	t.ok(l.s.CreateAggregationJob(ctx, other, nil))
	err := l.s.FinishAggregationJob(ctx, l.byTime, other.ID, commitAll(other.Reports), nil, Sums{})
	t.is(err, aggregator.ErrConflict)
	equal(t, "in jobs", l.counts(l.byTime).InJobs, uint64(len(other.Reports)))
	equal(t, "count", l.read(l.byTime, timeBatch(0, 100)).Count, 2)
}

func testOpenBatches(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byID, 1, 10, 11, 12, 13)
	all := l.waiting(l.byID)
	for i, n := range []byte{2, 1, 2} {
		job := l.job(l.byID, all[i:i+1])
		job.BatchID = batchID(n)
		job.CreatedAt = time.Unix(int64(100-i), 0).UTC()
		t.ok(l.s.CreateAggregationJob(ctx, job, nil))
		if i == 0 {
			t.ok(l.s.FinishAggregationJob(ctx, l.byID, job.ID, commitAll(job.Reports), nil, Sums{}))
		}
	}
	open := func() []aggregator.OpenBatch {
		batches, err := l.s.OpenBatches(ctx, l.byID)
		t.ok(err)
		return batches
	}
	if got := open(); !slices.Equal(got, []aggregator.OpenBatch{
		{BatchID: batchID(2), InJobs: 1, Count: 1, CreatedAt: time.Unix(100, 0).UTC()},
		{BatchID: batchID(1), InJobs: 1, CreatedAt: time.Unix(99, 0).UTC()},
	}) {
		t.Fatalf("open batches are %+v", got)
	}
	c := l.collection(idBatch(batchID(2)))
	l.create(c)
	if got := open(); len(got) != 1 || got[0].BatchID != batchID(1) {
		t.Fatalf("open batches are %+v", got)
	}
	t.ok(l.s.CloseBatch(ctx, l.byID, c.ID))
	t.ok(l.s.DeleteCollectionJob(ctx, l.byID, c.ID))
	if got := open(); len(got) != 2 || got[0].BatchID != batchID(2) || !got[0].Closed || got[1].Closed {
		t.Fatalf("open batches are %+v", got)
	}
	for failures := range 2 {
		if got := open()[0]; got.Failures != uint32(failures) || (got.LastFailure == "") != (failures == 0) {
			t.Fatalf("after %d failures the batch is %+v", failures, got)
		}
		c := l.collection(idBatch(batchID(2)))
		l.create(c)
		c.Failure, c.EndedAt = &dap.Error{Type: dap.ErrorTypeBatchMismatch}, time.Unix(int64(200+failures), 0).UTC()
		t.ok(l.s.FailCollectionJob(ctx, c))
		t.ok(l.s.FailCollectionJob(ctx, c)) // the same failure
	}
	if got := open()[0]; got.Failures != 2 || !got.FailedAt.Equal(time.Unix(201, 0)) || got.LastFailure != (&dap.Error{Type: dap.ErrorTypeBatchMismatch}).Error() {
		t.Fatalf("after two failures the batch is %+v", got)
	}
	batches, err := l.s.OpenBatches(ctx, l.byTime)
	t.ok(err)
	equal(t, "open batches of the time-interval mode", len(batches), 0)
}
