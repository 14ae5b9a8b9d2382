package storetest

import (
	"reflect"
	"slices"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

func equalJobs(a, b aggregator.AggregationJob) bool {
	return slices.Equal(a.Reports, b.Reports) && slices.EqualFunc(a.States, b.States, slices.Equal) && slices.Equal(a.AggParam, b.AggParam) &&
		a.ID == b.ID && a.Task == b.Task && a.BatchID == b.BatchID && a.Collection == b.Collection && a.State == b.State &&
		a.Step == b.Step && a.RequestDigest == b.RequestDigest && a.HelperLocation == b.HelperLocation &&
		a.CreatedAt.Equal(b.CreatedAt) && a.Attempts == b.Attempts && a.NextAttempt.Equal(b.NextAttempt) && a.LastError == b.LastError &&
		a.Restarts == b.Restarts && a.Reactivations == b.Reactivations && a.Quarantine.At.Equal(b.Quarantine.At) &&
		a.Quarantine.Reason == b.Quarantine.Reason && a.Quarantine.MayBeCounted == b.Quarantine.MayBeCounted
}

func equalCollections(a, b aggregator.CollectionJob) bool {
	return slices.Equal(a.Request, b.Request) && slices.Equal(a.Response, b.Response) && reflect.DeepEqual(a.Failure, b.Failure) &&
		a.ID == b.ID && a.Task == b.Task && a.RequestDigest == b.RequestDigest && a.Batch == b.Batch && a.State == b.State &&
		a.HelperLocation == b.HelperLocation && a.CreatedAt.Equal(b.CreatedAt) && a.Attempts == b.Attempts &&
		a.NextAttempt.Equal(b.NextAttempt) && a.LastError == b.LastError && a.Reactivated == b.Reactivated
}

// collection makes a new collection job of the task of the batch's mode.
func (l *leaderTest) collection(batch aggregator.Batch) aggregator.CollectionJob {
	l.jobs++
	task := l.byTime
	if batch.Mode == dap.BatchModeLeaderSelected {
		task = l.byID
	}
	return aggregator.CollectionJob{
		ID: dap.CollectionJobID{byte(l.jobs), byte(l.jobs >> 8)}, Task: task, Batch: batch, State: aggregator.CollectionPending,
		Request: []byte{byte(l.jobs), 1, 2, 3}, RequestDigest: [32]byte{byte(l.jobs), byte(l.jobs >> 8)}, CreatedAt: time.Unix(int64(l.jobs), 0).UTC(),
	}
}

// create stores a collection job that is new.
func (l *leaderTest) create(job aggregator.CollectionJob) {
	l.Helper()
	stored, created, err := l.s.CreateCollectionJob(l.Context(), job)
	l.ok(err)
	if !created || !equalCollections(stored, job) {
		l.Fatalf("created: %t, %+v", created, stored)
	}
}

func (l *leaderTest) load(job aggregator.CollectionJob) aggregator.CollectionJob {
	l.Helper()
	got, err := l.s.CollectionJob(l.Context(), job.Task, job.ID)
	l.ok(err)
	return got
}

// overlap expects that the batch cannot be collected.
func (l *leaderTest) overlap(batch aggregator.Batch) {
	l.Helper()
	job := l.collection(batch)
	_, _, err := l.s.CreateCollectionJob(l.Context(), job)
	l.is(err, aggregator.ErrBatchOverlap)
	_, err = l.s.CollectionJob(l.Context(), job.Task, job.ID)
	l.is(err, aggregator.ErrNotFound)
}

func testCreateCollection(t tester, l *leaderTest) {
	ctx := t.Context()
	first := l.collection(timeBatch(10, 20))
	l.create(first)
	again := first
	again.ID = dap.CollectionJobID{77}
	stored, created, err := l.s.CreateCollectionJob(ctx, again)
	t.ok(err)
	if created || !equalCollections(stored, first) {
		t.Fatal("the same request made another job")
	}
	// A pending job reserves nothing: others may wait for reports of the same buckets.
	rival := l.collection(timeBatch(15, 16))
	l.create(rival)
	t.ok(l.s.ReserveBatch(ctx, l.byTime, first.ID))
	t.ok(l.s.ReserveBatch(ctx, l.byTime, first.ID))
	t.is(l.s.ReserveBatch(ctx, l.byTime, rival.ID), aggregator.ErrBatchOverlap)
	t.is(l.s.CloseBatch(ctx, l.byTime, rival.ID), aggregator.ErrBatchOverlap)
	t.is(l.s.ReserveBatch(ctx, l.byTime, dap.CollectionJobID{99}), aggregator.ErrNotFound)
	rival.Failure = &dap.Error{Type: dap.ErrorTypeBatchOverlap}
	t.ok(l.s.FailCollectionJob(ctx, rival))
	t.is(l.s.ReserveBatch(ctx, l.byTime, rival.ID), aggregator.ErrConflict)
	for _, batch := range []aggregator.Batch{
		timeBatch(10, 20), timeBatch(0, 11), timeBatch(19, 21), timeBatch(12, 13), timeBatch(0, 100), timeBatch(10, 11), timeBatch(19, 20),
	} {
		l.overlap(batch)
	}
	second, third := l.collection(timeBatch(20, 30)), l.collection(timeBatch(0, 10))
	l.create(second)
	l.create(third)
	clash := l.collection(timeBatch(50, 60))
	clash.ID = first.ID
	_, _, err = l.s.CreateCollectionJob(ctx, clash)
	t.is(err, aggregator.ErrExists)
	for _, batch := range []aggregator.Batch{timeBatch(60, 60), {Mode: dap.BatchModeTimeInterval, Interval: dap.Interval{Start: 5, Duration: ^dap.Duration(0)}}} {
		_, _, err = l.s.CreateCollectionJob(ctx, l.collection(batch))
		t.fails(err)
	}
	wrong := l.collection(idBatch(batchID(1)))
	wrong.Task = l.byTime
	_, _, err = l.s.CreateCollectionJob(ctx, wrong)
	t.fails(err)
	wrong.Task = dap.TaskID{1}
	_, _, err = l.s.CreateCollectionJob(ctx, wrong)
	t.is(err, aggregator.ErrNotFound)

	l.s = l.f.Crash()
	jobs, err := l.s.CollectionJobs(ctx)
	t.ok(err)
	if !slices.EqualFunc(jobs, []aggregator.CollectionJob{first, second, third}, equalCollections) {
		t.Fatalf("collection jobs are %+v", jobs)
	}
	l.overlap(timeBatch(19, 31))
	// Of two that are pending the first to close has the batch.
	fourth, fifth := l.collection(timeBatch(25, 45)), l.collection(timeBatch(40, 50))
	l.create(fourth)
	l.create(fifth)
	l.upload(l.byTime, 70, 25, 95)
	t.ok(l.s.CloseBatch(ctx, l.byTime, fifth.ID))
	t.is(l.s.CloseBatch(ctx, l.byTime, fourth.ID), aggregator.ErrBatchOverlap)
	t.ok(l.s.DeleteCollectionJob(ctx, l.byTime, fifth.ID))
	t.ok(l.s.CloseBatch(ctx, l.byTime, fourth.ID))
	// A job that is made for a collection needs its reservation.
	waiting := l.waiting(l.byTime)
	aggregation := l.job(l.byTime, waiting[1:])
	aggregation.Collection = fourth.ID
	t.is(l.s.CreateAggregationJob(ctx, aggregation, nil), aggregator.ErrConflict)
}

func testCollectionLife(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 10, 15, 25)
	job := l.collection(timeBatch(10, 20))
	l.create(job)
	batch := job.Batch
	waiting, inJobs, err := l.s.PendingReports(ctx, l.byTime, batch)
	t.ok(err)
	equal(t, "waiting in the batch", waiting, 2)
	equal(t, "in jobs in the batch", inJobs, 0)
	l.aggregate(l.byTime)

	update := job
	update.HelperLocation, update.Attempts, update.LastError, update.NextAttempt = "https://helper.example/share", 2, "later", time.Unix(9, 0).UTC()
	update.Request, update.State = nil, aggregator.CollectionFinished // not to be stored
	t.ok(l.s.UpdateCollectionJob(ctx, update))
	update.Request, update.State = job.Request, aggregator.CollectionPending
	if got := l.load(job); !equalCollections(got, update) {
		t.Fatalf("the job is %+v", got)
	}
	t.ok(l.s.CloseBatch(ctx, l.byTime, job.ID))
	t.ok(l.s.CloseBatch(ctx, l.byTime, job.ID))
	equal(t, "state", l.load(job).State, aggregator.CollectionClosed)

	a := l.read(l.byTime, batch)
	job = l.load(job)
	job.Response = []byte("the answer")
	t.ok(l.s.FinishCollectionJob(ctx, job, a.Count, a.Checksum))
	t.ok(l.s.FinishCollectionJob(ctx, job, a.Count, a.Checksum))
	other := job
	other.Response = []byte("another answer")
	t.is(l.s.FinishCollectionJob(ctx, other, a.Count, a.Checksum), aggregator.ErrConflict)
	other.Response, other.Failure = nil, &dap.Error{Type: dap.ErrorTypeBatchMismatch}
	t.is(l.s.FinishCollectionJob(ctx, other, a.Count, a.Checksum), aggregator.ErrConflict)
	t.is(l.s.FailCollectionJob(ctx, other), aggregator.ErrConflict)
	t.is(l.s.UpdateCollectionJob(ctx, job), aggregator.ErrConflict)
	t.is(l.s.CloseBatch(ctx, l.byTime, job.ID), aggregator.ErrConflict)

	l.s = l.f.Crash()
	job.State = aggregator.CollectionFinished
	if got := l.load(job); !equalCollections(got, job) {
		t.Fatalf("the job is %+v", got)
	}
	jobs, err := l.s.CollectionJobs(ctx)
	t.ok(err)
	equal(t, "unfinished jobs", len(jobs), 0)
	equal(t, "collected", l.counts(l.byTime).Collected, 2)
	l.overlap(timeBatch(19, 30))
	outcomes, err := l.s.Upload(ctx, l.byTime, []aggregator.UploadReport{upload(50, 19), upload(51, 20)})
	t.ok(err)
	if !slices.Equal(outcomes, []dap.ReportError{dap.ReportErrorBatchCollected, 0}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
	t.ok(l.s.DeleteCollectionJob(ctx, l.byTime, job.ID))
	_, err = l.s.CollectionJob(ctx, l.byTime, job.ID)
	t.is(err, aggregator.ErrNotFound)
	t.is(l.s.DeleteCollectionJob(ctx, l.byTime, job.ID), aggregator.ErrNotFound)
	l.overlap(timeBatch(10, 20)) // what double collection checks need stays
	equal(t, "collected", l.counts(l.byTime).Collected, 2)
}

func testCollectionLifeBatch(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byID, 1, 10, 15)
	l.aggregate(l.byID)
	job := l.collection(idBatch(dap.BatchID{}))
	l.create(job)
	second := l.collection(idBatch(dap.BatchID{}))
	l.create(second) // it may wait, too
	t.is(l.s.CloseBatch(ctx, l.byID, job.ID), aggregator.ErrConflict)
	t.is(l.s.AssignBatch(ctx, l.byID, job.ID, batchID(9)), aggregator.ErrNotFound)
	t.is(l.s.AssignBatch(ctx, l.byID, dap.CollectionJobID{99}, batchID(1)), aggregator.ErrNotFound)
	t.fails(l.s.AssignBatch(ctx, l.byID, job.ID, dap.BatchID{}))
	t.ok(l.s.AssignBatch(ctx, l.byID, job.ID, batchID(1)))
	t.ok(l.s.AssignBatch(ctx, l.byID, job.ID, batchID(1)))
	t.is(l.s.AssignBatch(ctx, l.byID, job.ID, batchID(2)), aggregator.ErrConflict)
	t.is(l.s.AssignBatch(ctx, l.byID, second.ID, batchID(1)), aggregator.ErrBatchOverlap)
	l.overlap(idBatch(batchID(1)))
	equal(t, "batch", l.load(job).Batch.BatchID, batchID(1))
	t.ok(l.s.CloseBatch(ctx, l.byID, job.ID))
	a := l.read(l.byID, idBatch(batchID(1)))
	job = l.load(job)
	job.Response = []byte("the answer")
	t.ok(l.s.FinishCollectionJob(ctx, job, a.Count, a.Checksum))
	equal(t, "collected", l.counts(l.byID).Collected, 2)
	t.is(l.s.AssignBatch(ctx, l.byID, second.ID, batchID(1)), aggregator.ErrBatchOverlap)
	batches, err := l.s.OpenBatches(ctx, l.byID)
	t.ok(err)
	equal(t, "open batches", len(batches), 0)
	l.upload(l.byID, 3, 10)
	aggregation := l.job(l.byID, l.waiting(l.byID))
	aggregation.Collection = job.ID
	t.is(l.s.CreateAggregationJob(ctx, aggregation, nil), aggregator.ErrConflict)
	t.ok(l.s.DeleteCollectionJob(ctx, l.byID, job.ID))
	l.overlap(idBatch(batchID(1)))
	_, _, err = l.s.CreateCollectionJob(ctx, l.collection(idBatch(batchID(42))))
	t.is(err, aggregator.ErrNotFound)
}

func testFinishCollectionConflicts(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 10, 11)
	l.aggregate(l.byTime)
	job := l.collection(timeBatch(10, 20))
	l.create(job)
	a := l.read(l.byTime, job.Batch)
	job.Response = []byte("the answer")
	conflict := func(count uint64, checksum dap.Checksum) {
		t.Helper()
		t.is(l.s.FinishCollectionJob(ctx, job, count, checksum), aggregator.ErrConflict)
		equal(t, "state", l.load(job).State, aggregator.CollectionPending)
		equal(t, "collected", l.counts(l.byTime).Collected, 0)
	}
	conflict(a.Count+1, a.Checksum)
	conflict(a.Count, dap.Checksum{})
	l.upload(l.byTime, 3, 12)
	conflict(a.Count, a.Checksum) // one waits
	aggregation := l.job(l.byTime, l.waiting(l.byTime))
	t.ok(l.s.CreateAggregationJob(ctx, aggregation, nil))
	conflict(a.Count, a.Checksum) // one is in a job
	t.ok(l.s.QuarantineAggregationJob(ctx, l.byTime, aggregation.ID, why))
	t.ok(l.s.FinishCollectionJob(ctx, job, a.Count, a.Checksum)) // a job in quarantine holds nothing up

	none := l.collection(timeBatch(500, 600))
	l.create(none)
	t.fails(l.s.FinishCollectionJob(ctx, none, 0, dap.Checksum{})) // neither response nor failure
	none.Failure = &dap.Error{Type: dap.ErrorTypeInvalidBatchSize, Detail: "too few", TaskID: &l.byTime}
	t.ok(l.s.FinishCollectionJob(ctx, none, 0, dap.Checksum{}))
	t.ok(l.s.FinishCollectionJob(ctx, none, 0, dap.Checksum{}))
	none.State = aggregator.CollectionFailed
	if got := l.load(none); !equalCollections(got, none) {
		t.Fatalf("the job is %+v", got)
	}
	l.overlap(timeBatch(599, 700))

	unassigned := l.collection(idBatch(dap.BatchID{}))
	l.create(unassigned)
	unassigned.Response = []byte("the answer")
	t.is(l.s.FinishCollectionJob(ctx, unassigned, 0, dap.Checksum{}), aggregator.ErrConflict)
	unassigned.ID = dap.CollectionJobID{99}
	t.is(l.s.FinishCollectionJob(ctx, unassigned, 0, dap.Checksum{}), aggregator.ErrNotFound)
}

func testFailCollection(t tester, l *leaderTest) {
	ctx := t.Context()
	job := l.collection(timeBatch(10, 20))
	l.create(job)
	t.fails(l.s.FailCollectionJob(ctx, job))
	job.Failure = &dap.Error{Type: dap.ErrorTypeUnsupportedExtension, UnsupportedExtensions: []uint16{1, 2}}
	t.ok(l.s.FailCollectionJob(ctx, job))
	t.ok(l.s.FailCollectionJob(ctx, job))
	job.State = aggregator.CollectionFailed
	if got := l.load(job); !equalCollections(got, job) {
		t.Fatalf("the job is %+v", got)
	}
	other := job
	other.Failure = &dap.Error{Type: dap.ErrorTypeBatchInvalid}
	t.is(l.s.FailCollectionJob(ctx, other), aggregator.ErrConflict)
	t.is(l.s.CloseBatch(ctx, l.byTime, job.ID), aggregator.ErrConflict)
	stored, created, err := l.s.CreateCollectionJob(ctx, pendingAgain(job))
	t.ok(err)
	if created || !equalCollections(stored, job) {
		t.Fatal("the same request has another answer")
	}
	// The batch is neither collected nor reserved, nor closed.
	l.upload(l.byTime, 1, 15)
	second := l.collection(timeBatch(15, 25))
	l.create(second)
	t.ok(l.s.CloseBatch(ctx, l.byTime, second.ID))
	second.Failure = &dap.Error{Type: dap.ErrorTypeBatchMismatch}
	t.ok(l.s.FailCollectionJob(ctx, second))
	// Now it stays closed, but may be collected by another job.
	outcomes, err := l.s.Upload(ctx, l.byTime, []aggregator.UploadReport{upload(2, 14), upload(3, 15), upload(4, 24), upload(5, 25)})
	t.ok(err)
	const collected = dap.ReportErrorBatchCollected
	if !slices.Equal(outcomes, []dap.ReportError{0, collected, collected, 0}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
	third := l.collection(timeBatch(10, 30))
	l.create(third)
	t.ok(l.s.CloseBatch(ctx, l.byTime, third.ID))
	l.aggregate(l.byTime)
	a := l.read(l.byTime, third.Batch)
	equal(t, "count", a.Count, 3)
	third.Response = []byte("the answer")
	t.ok(l.s.FinishCollectionJob(ctx, third, a.Count, a.Checksum))
}

func testDeleteCollection(t tester, l *leaderTest) {
	ctx := t.Context()
	job := l.collection(timeBatch(10, 20))
	l.create(job)
	t.ok(l.s.DeleteCollectionJob(ctx, l.byTime, job.ID))
	t.is(l.s.UpdateCollectionJob(ctx, job), aggregator.ErrNotFound)
	t.is(l.s.CloseBatch(ctx, l.byTime, job.ID), aggregator.ErrNotFound)
	l.upload(l.byTime, 1, 15)
	again := job
	again.ID = dap.CollectionJobID{88}
	l.create(again) // the request is new again, and the batch free
	t.ok(l.s.CloseBatch(ctx, l.byTime, again.ID))
	t.ok(l.s.DeleteCollectionJob(ctx, l.byTime, again.ID))
	outcomes, err := l.s.Upload(ctx, l.byTime, []aggregator.UploadReport{upload(2, 10)})
	t.ok(err)
	equal(t, "outcome", outcomes[0], dap.ReportErrorBatchCollected) // closed for good
	jobs, err := l.s.CollectionJobs(ctx)
	t.ok(err)
	equal(t, "unfinished jobs", len(jobs), 0)
}

// testManyCollections collects many batches, some next to each other and some not, and looks at every border.
func testManyCollections(t tester, l *leaderTest) {
	ctx := t.Context()
	const n = 60
	taken := func(time dap.Time) bool { return time%10 < 4 || time%20 == 4 }
	for i := range n {
		start := dap.Time((i * 7 % n) * 10)
		job := l.collection(timeBatch(start, start+4))
		if start%20 == 0 {
			job.Batch = timeBatch(start, start+5)
		}
		l.create(job)
		job.Response = []byte("the answer")
		t.ok(l.s.FinishCollectionJob(ctx, job, 0, dap.Checksum{}))
	}
	var reports []aggregator.UploadReport
	for time := range dap.Time(n * 10) {
		reports = append(reports, upload(int(time), time))
	}
	outcomes, err := l.s.Upload(ctx, l.byTime, reports)
	t.ok(err)
	for i, outcome := range outcomes {
		if refused := outcome == dap.ReportErrorBatchCollected; refused != taken(dap.Time(i)) {
			t.Fatalf("a report of time %d is refused: %t", i, refused)
		}
	}
	// The same borders, by collections that are made and deleted again.
	for i := range dap.Time(40) {
		for length := range dap.Time(6) {
			batch := timeBatch(200+i, 201+i+length)
			want := false
			for time := 200 + i; time < 201+i+length; time++ {
				want = want || taken(time)
			}
			job := l.collection(batch)
			_, created, err := l.s.CreateCollectionJob(ctx, job)
			if want {
				t.is(err, aggregator.ErrBatchOverlap)
				continue
			}
			t.ok(err)
			equal(t, "created", created, true)
			t.ok(l.s.DeleteCollectionJob(ctx, l.byTime, job.ID))
		}
	}
}

// pendingAgain is a collection job as it was when it was made.
func pendingAgain(job aggregator.CollectionJob) aggregator.CollectionJob {
	job.State, job.Response, job.Failure = aggregator.CollectionPending, nil, nil
	return job
}

// A job whose reports were all rejected on the way ends, though its batch was
// collected in the meantime.
func testFinishEmptyJob(t tester, l *leaderTest) {
	ctx := t.Context()
	for _, task := range []dap.TaskID{l.byTime, l.byID} {
		batch := timeBatch(10, 20)
		if task == l.byID {
			batch = idBatch(batchID(1))
		}
		l.upload(task, 1, 10, 11)
		all := l.waiting(task)
		rejecting := l.job(task, all[:1])
		t.ok(l.s.CreateAggregationJob(ctx, rejecting, nil))
		l.aggregate(task)
		rejection := aggregator.Rejection{Sequence: all[0].Sequence, Error: dap.ReportErrorVdafVerifyError}
		rejecting.Reports, rejecting.Step = nil, 1
		t.ok(l.s.AdvanceAggregationJob(ctx, rejecting, []aggregator.Rejection{rejection}))
		collection := l.collection(batch)
		l.create(collection)
		a := l.read(task, batch)
		collection.Response = []byte("the answer")
		t.ok(l.s.FinishCollectionJob(ctx, collection, a.Count, a.Checksum))
		t.ok(l.s.FinishAggregationJob(ctx, task, rejecting.ID, nil, nil, Sums{}))
		equal(t, "aggregated", l.counts(task).Aggregated, 1)
		equal(t, "rejected", l.counts(task).Rejected[dap.ReportErrorVdafVerifyError], 1)
	}
}
