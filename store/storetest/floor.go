package storetest

import (
	"slices"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// sweepAll sweeps in small parts until nothing is left, with a Check after each.
func sweepAll[S aggregator.Store](t tester, s S, task dap.TaskID, limits aggregator.SweepLimits) (total aggregator.Swept) {
	t.Helper()
	limits.Records = 3
	for range 1000 {
		swept, err := s.Sweep(t.Context(), task, limits)
		t.ok(err)
		clean(t, s)
		total.IDs += swept.IDs
		total.Buckets += swept.Buckets
		total.Jobs += swept.Jobs
		total.Answers += swept.Answers
		total.Reports += swept.Reports
		total.Uncollected += swept.Uncollected
		if !swept.More {
			return total
		}
	}
	t.Fatal("there is always more to sweep")
	return total
}

// testFloor raises the floor and ages it; that is the same for both roles.
func testFloor[S aggregator.Store](t tester, f Fixture[S], role dap.Role) {
	ctx := t.Context()
	task := NewTask(role, "by time", dap.BatchModeTimeInterval)
	t.ok(f.Store.PutTask(ctx, task))
	for _, raise := range []struct{ to, want dap.Time }{{0, 0}, {10, 10}, {7, 10}, {10, 10}, {11, 11}} {
		floor, err := f.Store.RaiseFloor(ctx, task.ID, raise.to)
		t.ok(err)
		equal(t, "raised floor", floor, raise.want)
		floor, err = f.Store.Floor(ctx, task.ID)
		t.ok(err)
		equal(t, "floor", floor, raise.want)
	}
	s := f.Crash()
	floor, err := s.Floor(ctx, task.ID)
	t.ok(err)
	equal(t, "floor after a crash", floor, 11)
	_, err = s.RaiseFloor(ctx, dap.TaskID{1}, 3)
	t.is(err, aggregator.ErrNotFound)
	_, err = s.AgeFloor(ctx, task.ID, aggregator.Aging{Now: time.Unix(1, 0)})
	t.fails(err)
	// A task without reports has nothing that ages.
	floor, err = s.AgeFloor(ctx, task.ID, aggregator.Aging{Now: time.Unix(1e9, 0), Period: time.Hour, Limit: 1e6})
	t.ok(err)
	equal(t, "floor of an empty task", floor, 11)
	floor, err = s.AgeFloor(ctx, task.ID, aggregator.Aging{Now: time.Unix(1e9, 0), Period: time.Hour, Limit: 50, Ended: true})
	t.ok(err)
	equal(t, "floor of a task that has ended", floor, 50)
	swept, err := s.Sweep(ctx, task.ID, aggregator.SweepLimits{AnswersBefore: time.Unix(1e9, 0), Ended: true})
	t.ok(err)
	equal(t, "swept", swept, aggregator.Swept{})
	clean(t, s)
}

// testLeaderFloor tests that a Leader refuses below the floor, and forgets.
func testLeaderFloor(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byTime, 1, 5, 6, 15)
	l.aggregate(l.byTime) // to be collected
	l.upload(l.byTime, 4, 7, 16)
	l.aggregate(l.byTime) // not collected
	collection := l.collection(timeBatch(5, 7))
	l.create(collection)
	a := l.read(l.byTime, collection.Batch)
	collection.Response, collection.EndedAt = []byte("the answer"), time.Unix(500, 0).UTC()
	t.ok(l.s.FinishCollectionJob(ctx, collection, a.Count, a.Checksum))
	l.upload(l.byTime, 6, 8, 8, 17, 8)
	waiting := l.waiting(l.byTime)
	active := l.job(l.byTime, waiting[:1])
	t.ok(l.s.CreateAggregationJob(ctx, active, nil))
	straddling := l.collection(timeBatch(9, 12))
	l.create(straddling)
	t.ok(l.s.CloseBatch(ctx, l.byTime, straddling.ID))

	_, err := l.s.RaiseFloor(ctx, l.byTime, 10)
	t.ok(err)
	clean(t, l.s)
	outcomes, err := l.s.Upload(ctx, l.byTime, []aggregator.UploadReport{upload(1, 9), upload(50, 9), upload(51, 12), upload(3, 12)})
	t.ok(err)
	if !slices.Equal(outcomes, []dap.ReportError{dap.ReportErrorReportDropped, dap.ReportErrorReportDropped, 0, dap.ReportErrorReportReplayed}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
	l.overlap(timeBatch(9, 20))
	l.overlap(timeBatch(2, 3))
	l.overlap(timeBatch(5, 7))
	straddling.Response = []byte("the answer")
	t.is(l.s.FinishCollectionJob(ctx, straddling, 0, dap.Checksum{}), aggregator.ErrBatchOverlap)
	straddling.Response, straddling.Failure = nil, &dap.Error{Type: dap.ErrorTypeBatchOverlap}
	t.ok(l.s.FailCollectionJob(ctx, straddling))
	t.is(l.s.CreateAggregationJob(ctx, l.job(l.byTime, waiting[1:2]), nil), aggregator.ErrConflict)
	ended := aggregator.SweepLimits{Ended: true}
	equal(t, "swept", sweepAll(t, l.s, l.byTime, ended), aggregator.Swept{IDs: 3, Buckets: 3, Reports: 2, Uncollected: 1})
	l.s = l.f.Crash()

	counts := l.counts(l.byTime)
	equal(t, "waiting", counts.Waiting, 2)
	equal(t, "in jobs", counts.InJobs, 1)
	equal(t, "aggregated", counts.Aggregated, 5)
	equal(t, "collected", counts.Collected, 2)
	equal(t, "expired", counts.Expired, 1)
	equal(t, "dropped", counts.Rejected[dap.ReportErrorReportDropped], 2)
	// What the active job has of before the floor is dropped when the job ends.
	t.ok(l.s.FinishAggregationJob(ctx, l.byTime, active.ID, commitAll(active.Reports), nil, Sums{}))
	equal(t, "swept", sweepAll(t, l.s, l.byTime, ended), aggregator.Swept{IDs: 1})
	counts = l.counts(l.byTime)
	equal(t, "dropped", counts.Rejected[dap.ReportErrorReportDropped], 3)
	equal(t, "aggregated", counts.Aggregated, 5)
	equal(t, "count below the floor", l.read(l.byTime, timeBatch(0, 10)).Count, 0)
	// What lies above goes on.
	l.aggregate(l.byTime)
	equal(t, "count", l.read(l.byTime, timeBatch(10, 20)).Count, 4)
	l.create(l.collection(timeBatch(10, 20)))
	// An ID that was forgotten is a new one; its report would be refused for its time.
	l.upload(l.byTime, 1, 18)

	// Answers have an age of their own.
	equal(t, "swept", sweepAll(t, l.s, l.byTime, aggregator.SweepLimits{AnswersBefore: time.Unix(500, 0)}).Answers, 1)
	l.load(collection)
	equal(t, "swept", sweepAll(t, l.s, l.byTime, aggregator.SweepLimits{AnswersBefore: time.Unix(500, 1)}).Answers, 1)
	_, err = l.s.CollectionJob(ctx, l.byTime, collection.ID)
	t.is(err, aggregator.ErrNotFound)
	l.overlap(collection.Batch)
}

func testLeaderFloorBatch(t tester, l *leaderTest) {
	ctx := t.Context()
	l.upload(l.byID, 1, 5, 6)
	l.aggregate(l.byID)
	// A second batch has reports below the floor and above it.
	l.upload(l.byID, 3, 7, 12)
	mixed := l.job(l.byID, l.waiting(l.byID))
	mixed.BatchID = batchID(2)
	t.ok(l.s.CreateAggregationJob(ctx, mixed, nil))
	l.upload(l.byID, 5, 8)
	given := l.job(l.byID, l.waiting(l.byID))
	given.BatchID = batchID(3)
	t.ok(l.s.CreateAggregationJob(ctx, given, nil))
	_, err := l.s.RaiseFloor(ctx, l.byID, 10)
	t.ok(err)
	t.ok(l.s.FinishAggregationJob(ctx, l.byID, mixed.ID, commitAll(mixed.Reports), nil, Sums{}))
	equal(t, "mixed batch", l.read(l.byID, idBatch(batchID(2))).Count, 2)
	equal(t, "swept", sweepAll(t, l.s, l.byID, aggregator.SweepLimits{Ended: true}), aggregator.Swept{IDs: 3, Buckets: 1, Uncollected: 2})
	equal(t, "mixed batch", l.read(l.byID, idBatch(batchID(2))).Count, 2)
	open, err := l.s.OpenBatches(ctx, l.byID)
	t.ok(err)
	equal(t, "open batches", len(open), 2) // the one that is full, and the one whose report is in a job
	collection := l.collection(idBatch(batchID(2)))
	l.create(collection)
	a := l.read(l.byID, collection.Batch)
	collection.Response = []byte("the answer")
	t.ok(l.s.FinishCollectionJob(ctx, collection, a.Count, a.Checksum))
	clean(t, l.s)
	_, err = l.s.RaiseFloor(ctx, l.byID, 13)
	t.ok(err)
	equal(t, "swept", sweepAll(t, l.s, l.byID, aggregator.SweepLimits{Ended: true}), aggregator.Swept{IDs: 1, Buckets: 1})
	counts := l.counts(l.byID)
	equal(t, "expired", counts.Expired, 2)
	equal(t, "collected", counts.Collected, 2)
	if got := l.load(collection); got.State != aggregator.CollectionFinished {
		t.Fatal("the answer is gone")
	}
}

// testAgeFloor lets a Leader's floor rise with what was the newest time.
func testAgeFloor(t tester, l *leaderTest) {
	ctx := t.Context()
	at := time.Unix(1_000_000_000, 0)
	age := func(after time.Duration, limit, want dap.Time) {
		t.Helper()
		floor, err := l.s.AgeFloor(ctx, l.byTime, aggregator.Aging{Now: at.Add(after), Period: 16 * time.Hour, Limit: limit})
		t.ok(err)
		equal(t, "floor after "+after.String(), floor, want)
	}
	l.upload(l.byTime, 1, 20)
	age(0, 1e6, 0) // 20 is noted
	l.upload(l.byTime, 2, 30)
	age(59*time.Minute, 1e6, 0) // too early for another note
	age(2*time.Hour, 1e6, 0)    // 30 is noted
	l.upload(l.byTime, 3, 3)    // an older one changes nothing
	age(16*time.Hour-1, 1e6, 0)
	age(16*time.Hour, 15, 15)
	l.s = l.f.Crash()
	age(17*time.Hour, 1e6, 20)
	collection := l.collection(timeBatch(25, 28))
	l.create(collection)
	age(18*time.Hour-1, 1e6, 20)
	t.ok(l.s.CloseBatch(ctx, l.byTime, collection.ID))
	age(18*time.Hour, 1e6, 25) // what is being collected stays
	age(100*time.Hour, 1e6, 25)
	collection.Failure = &dap.Error{Type: dap.ErrorTypeBatchMismatch}
	t.ok(l.s.FailCollectionJob(ctx, collection))
	age(100*time.Hour, 1e6, 30)
	age(1000*time.Hour, 1e6, 30) // nothing is newer
}

// testManyGenerations sweeps report IDs of many weeks.
func testManyGenerations(t tester, l *leaderTest) {
	ctx := t.Context()
	const week = 168 // hours
	for i := range 40 {
		l.upload(l.byTime, i+1, dap.Time(i*week+3))
	}
	l.aggregate(l.byTime)
	for floor := dap.Time(0); floor <= 39*week; floor += 5 * week {
		_, err := l.s.RaiseFloor(ctx, l.byTime, floor)
		t.ok(err)
		sweepAll(t, l.s, l.byTime, aggregator.SweepLimits{})
		want := uint64(floor / week)
		equal(t, "expired", l.counts(l.byTime).Expired, want)
	}
	// Replays above the floor are still known, new reports are taken.
	outcomes, err := l.s.Upload(ctx, l.byTime, []aggregator.UploadReport{upload(39, 39*week), upload(100, 41*week)})
	t.ok(err)
	if !slices.Equal(outcomes, []dap.ReportError{dap.ReportErrorReportReplayed, 0}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
}

func testHelperFloor(t tester, h *helperTest) {
	ctx := t.Context()
	collected := h.step(h.byTime, 1, helperReport{n: 1, time: 5, value: 1}, helperReport{n: 2, time: 15, value: 1})
	h.commit(collected)
	h.commit(h.step(h.byTime, 2, helperReport{n: 3, time: 6, value: 1}))
	share := aggregator.AggregateShareRecord{ID: dap.AggregateShareID{1}, Task: h.byTime, Batch: timeBatch(5, 6), Response: []byte("the answer"), CreatedAt: time.Unix(500, 0).UTC()}
	a := h.read(h.byTime, share.Batch)
	share.Count, share.Checksum = a.Count, a.Checksum
	_, err := h.s.PutAggregateShare(ctx, share)
	t.ok(err)
	pending := aggregator.HelperJob{
		ID: dap.AggregationJobID{9}, Task: h.byTime, RequestDigest: [32]byte{9}, Pending: true, Request: []byte("a request"), CreatedAt: time.Unix(9, 0), Newest: 8,
	}
	_, _, err = h.s.CreateHelperJob(ctx, pending)
	t.ok(err)
	pending.ID, pending.Newest = dap.AggregationJobID{10}, 18
	_, _, err = h.s.CreateHelperJob(ctx, pending)
	t.ok(err)
	_, err = h.s.RaiseFloor(ctx, h.byTime, 10)
	t.ok(err)
	clean(t, h.s)

	outcomes, _ := h.commit(h.step(h.byTime, 3, helperReport{n: 1, time: 9, value: 1}, helperReport{n: 4, time: 9, value: 1}, helperReport{n: 2, time: 10, value: 1}, helperReport{n: 5, time: 10, value: 1}))
	if !slices.Equal(outcomes, []dap.ReportError{dap.ReportErrorReportDropped, dap.ReportErrorReportDropped, dap.ReportErrorReportReplayed, 0}) {
		t.Fatalf("outcomes are %v", outcomes)
	}
	is, err := h.s.Collected(ctx, h.byTime, timeBatch(9, 20))
	t.ok(err)
	equal(t, "collected", is, true)
	late := share
	late.ID, late.Batch = dap.AggregateShareID{2}, timeBatch(6, 7)
	_, err = h.s.PutAggregateShare(ctx, late)
	t.is(err, aggregator.ErrBatchOverlap)
	ended := aggregator.SweepLimits{Ended: true}
	equal(t, "swept", sweepAll(t, h.s, h.byTime, ended), aggregator.Swept{IDs: 2, Buckets: 2, Jobs: 2, Uncollected: 1})
	h.s = h.f.Crash()
	for id, want := range map[byte]error{1: nil, 2: aggregator.ErrNotFound, 3: nil, 9: aggregator.ErrNotFound, 10: nil} {
		_, err := h.s.HelperJob(ctx, h.byTime, dap.AggregationJobID{id})
		t.is(err, want)
	}
	counts := h.counts(h.byTime)
	equal(t, "aggregated", counts.Aggregated, 4)
	equal(t, "collected", counts.Collected, 1)
	equal(t, "expired", counts.Expired, 1)
	// The answer stays as long as answers do.
	got, err := h.s.PutAggregateShare(ctx, share)
	t.ok(err)
	equal(t, "answer", string(got.Response), "the answer")
	equal(t, "swept", sweepAll(t, h.s, h.byTime, aggregator.SweepLimits{AnswersBefore: time.Unix(501, 0)}), aggregator.Swept{Answers: 1})
	_, err = h.s.PutAggregateShare(ctx, share)
	t.is(err, aggregator.ErrBatchOverlap)
	equal(t, "count", h.read(h.byTime, timeBatch(10, 20)).Count, 2)
}

// testHelperFloorBatch: what the Leader may need of a leader-selected batch goes neither before it has deleted the
// batch's jobs nor before the batch is collected.
func testHelperFloorBatch(t tester, h *helperTest) {
	ctx := t.Context()
	h.commit(h.step(h.byID, 1, helperReport{n: 1, time: 5, value: 1}))
	other := h.step(h.byID, 2, helperReport{n: 2, time: 6, value: 1}, helperReport{n: 3, time: 12, value: 1})
	other.Job.BatchID = batchID(2)
	h.commit(other)
	empty := h.step(h.byID, 3, helperReport{n: 4, time: 6, error: dap.ReportErrorVdafVerifyError})
	empty.Job.Newest = 6
	h.commit(empty)
	again := h.step(h.byID, 5, helperReport{n: 6, time: 7, value: 1}, helperReport{n: 7, time: 7, value: 1})
	again.Job.BatchID = batchID(3)
	h.commit(again)
	_, err := h.s.RaiseFloor(ctx, h.byID, 10)
	t.ok(err)
	equal(t, "swept", sweepAll(t, h.s, h.byID, aggregator.SweepLimits{}), aggregator.Swept{IDs: 0, Jobs: 1}) // the empty one
	h.s = h.f.Crash()
	equal(t, "count", h.read(h.byID, idBatch(batchID(1))).Count, 1)
	_, job := h.commit(again)
	equal(t, "counted", job.Counted, 2)

	t.ok(h.s.DeleteHelperJob(ctx, h.byID, again.Job.ID))
	equal(t, "swept", sweepAll(t, h.s, h.byID, aggregator.SweepLimits{}), aggregator.Swept{Buckets: 1, Jobs: 1, Uncollected: 2})
	h.collect(h.byID, idBatch(batchID(1)), 1)
	equal(t, "swept", sweepAll(t, h.s, h.byID, aggregator.SweepLimits{}), aggregator.Swept{Buckets: 1, Jobs: 1})
	_, err = h.s.HelperJob(ctx, h.byID, dap.AggregationJobID{1})
	t.is(err, aggregator.ErrNotFound)

	_, err = h.s.RaiseFloor(ctx, h.byID, 13)
	t.ok(err)
	equal(t, "swept", sweepAll(t, h.s, h.byID, aggregator.SweepLimits{}), aggregator.Swept{})
	equal(t, "count", h.read(h.byID, idBatch(batchID(2))).Count, 2)
	// The ID of a collected batch is no other's, as long as the answer is kept.
	for _, want := range []dap.ReportError{dap.ReportErrorBatchCollected, 0} {
		outcomes, job := h.commit(h.step(h.byID, 4+byte(want), helperReport{n: 2, time: 12, value: 1}, helperReport{n: 9, time: 13, value: 1}))
		if !slices.Equal(outcomes, []dap.ReportError{dap.ReportErrorReportDropped, want}) {
			t.Fatalf("outcomes are %v", outcomes)
		}
		t.ok(h.s.DeleteHelperJob(ctx, h.byID, job.ID))
		if want != 0 {
			equal(t, "swept", sweepAll(t, h.s, h.byID, aggregator.SweepLimits{AnswersBefore: time.Unix(1e9, 0)}).Answers, 1)
			sweepAll(t, h.s, h.byID, aggregator.SweepLimits{})
		}
	}
	equal(t, "swept", sweepAll(t, h.s, h.byID, aggregator.SweepLimits{Ended: true}), aggregator.Swept{IDs: 5, Buckets: 1, Jobs: 1, Uncollected: 2})
	equal(t, "count", h.read(h.byID, idBatch(batchID(1))).Count, 1)
}

// testQuarantineFloorBatch: a job in quarantine stays below the floor while its leader-selected batch may be collected.
func testQuarantineFloorBatch(t tester, l *leaderTest) {
	ctx := t.Context()
	kept := l.quarantined(l.byID, 1, 5)
	inTime := l.quarantined(l.byTime, 3, 5)
	for _, task := range []dap.TaskID{l.byID, l.byTime} {
		_, err := l.s.RaiseFloor(ctx, task, 10)
		t.ok(err)
		sweepAll(t, l.s, task, aggregator.SweepLimits{})
	}
	l.s = l.f.Crash()
	_, err := l.s.AggregationJob(ctx, l.byTime, inTime.ID)
	t.is(err, aggregator.ErrNotFound)
	active, err := l.s.ReactivateAggregationJob(ctx, l.byID, kept.ID)
	t.ok(err)
	equal(t, "active", active, true)
	t.ok(l.s.FinishAggregationJob(ctx, l.byID, kept.ID, commitAll(kept.Reports), nil, Sums{}))
	equal(t, "count", l.read(l.byID, idBatch(kept.BatchID)).Count, 1)
	late := l.quarantined(l.byID, 4, 11)
	l.collect(idBatch(kept.BatchID))
	_, err = l.s.RaiseFloor(ctx, l.byID, 12)
	t.ok(err)
	sweepAll(t, l.s, l.byID, aggregator.SweepLimits{})
	_, err = l.s.AggregationJob(ctx, l.byID, late.ID)
	t.is(err, aggregator.ErrNotFound)
}

// testQuarantineFloorEnded: of a task that has ended, a job in quarantine stays while its leader-selected batch does: until no
// other job of it is active, and no collection has reserved it.
func testQuarantineFloorEnded(t tester, l *leaderTest) {
	ctx := t.Context()
	sweep := func(want aggregator.Swept) {
		t.Helper()
		equal(t, "swept", sweepAll(t, l.s, l.byID, aggregator.SweepLimits{Ended: true}), want)
	}
	l.quarantined(l.byID, 1, 5)
	l.upload(l.byID, 2, 6)
	other := l.job(l.byID, l.waiting(l.byID))
	t.ok(l.s.CreateAggregationJob(ctx, other, nil))
	_, err := l.s.RaiseFloor(ctx, l.byID, 10)
	t.ok(err)
	sweep(aggregator.Swept{})
	t.ok(l.s.FinishAggregationJob(ctx, l.byID, other.ID, commitAll(other.Reports), nil, Sums{}))
	collection := l.collection(idBatch(other.BatchID))
	l.create(collection)
	t.ok(l.s.ReserveBatch(ctx, l.byID, collection.ID))
	sweep(aggregator.Swept{IDs: 1})
	equal(t, "quarantined", l.counts(l.byID).Quarantined, 1)
	t.ok(l.s.DeleteCollectionJob(ctx, l.byID, collection.ID))
	sweep(aggregator.Swept{Buckets: 1, Jobs: 1, Reports: 1, Uncollected: 1})
	equal(t, "quarantined", l.counts(l.byID).Quarantined, 0)
}
