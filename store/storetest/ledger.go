package storetest

import (
	"errors"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
)

// comparePrivacy compares what a model's task has spent.
func comparePrivacy(t tester, s aggregator.Store, task dap.TaskID, private bool, batches int) {
	t.Helper()
	ledger, err := s.PrivacyLedger(t.Context(), task)
	t.ok(err)
	if !private {
		batches = 0
	}
	equal(t, "charged batches", ledger.Batches, uint64(batches))
	equal(t, "assumed batches", ledger.Assumed, 0)
}

// tooLarge and spent expect why a batch cannot be collected.
func (t tester) tooLarge(err error, reports uint64) {
	t.Helper()
	t.is(err, aggregator.ErrPrivacy)
	problem, ok := errors.AsType[*dp.BatchSizeError](err)
	if !ok || problem.Reports != reports || problem.Max != PrivateBatchSize {
		t.Fatalf("got %v", err)
	}
}

func (t tester) spent(err error) {
	t.Helper()
	t.is(err, aggregator.ErrPrivacy)
	problem, ok := errors.AsType[*dp.BudgetError](err)
	if !ok || problem.Batches != PrivateBatches || problem.Spent.Cmp(problem.Budget) != 0 {
		t.Fatalf("got %v", err)
	}
}

// testLeaderLedger: what makes a batch collected charges for it, once, whatever fails; and where that cannot be, nothing happens.
func testLeaderLedger(t tester, l *leaderTest) {
	ctx := t.Context()
	task := NewPrivateTask(dap.RoleLeader, "private", dap.BatchModeTimeInterval)
	t.ok(l.s.PutTask(ctx, task))
	l.byTime = task.ID
	charged := func(batches int) {
		t.Helper()
		comparePrivacy(t, l.s, task.ID, true, batches)
	}
	// Seven reports in the first batch, one in each of the others.
	l.upload(task.ID, 1, 10, 10, 10, 11, 11, 11, 11, 20, 30, 40)
	l.aggregate(task.ID)
	finish := func(job aggregator.CollectionJob) error {
		a := l.read(task.ID, job.Batch)
		job.Response = []byte("the noised answer")
		return l.s.FinishCollectionJob(ctx, job, a.Count, a.Checksum)
	}
	whole := l.collection(timeBatch(10, 12))
	l.create(whole)
	t.tooLarge(finish(whole), 7)
	equal(t, "state", l.load(whole).State, aggregator.CollectionPending)
	equal(t, "collected", l.counts(task.ID).Collected, 0)
	charged(0)
	t.ok(l.s.DeleteCollectionJob(ctx, task.ID, whole.ID))
	part := l.collection(timeBatch(10, 11))
	l.create(part)
	l.f.Fail(FailBefore)
	t.is(finish(part), aggregator.ErrUnavailable)
	l.f.Fail(NoFault)
	l.s = l.f.Crash()
	charged(0)
	l.f.Fail(FailAfter)
	t.is(finish(part), aggregator.ErrUnavailable)
	l.f.Fail(NoFault)
	t.ok(finish(part)) // the same answer
	l.s = l.f.Crash()
	t.ok(finish(part))
	charged(1)
	other := l.load(part)
	other.Response = []byte("with other noise")
	t.is(l.s.FinishCollectionJob(ctx, other, 3, l.read(task.ID, part.Batch).Checksum), aggregator.ErrConflict)
	equal(t, "answer", string(l.load(part).Response), "the noised answer")
	// A failure with which a batch counts as collected costs as much.
	failed := l.collection(timeBatch(20, 21))
	l.create(failed)
	failed.Failure = &dap.Error{Type: dap.ErrorTypeBatchMismatch}
	t.ok(l.s.FinishCollectionJob(ctx, failed, 1, l.read(task.ID, failed.Batch).Checksum))
	charged(2)
	// Another failure costs nothing, and the budget is spent.
	last := l.collection(timeBatch(30, 31))
	l.create(last)
	t.ok(l.s.CloseBatch(ctx, task.ID, last.ID))
	t.spent(finish(last))
	equal(t, "state", l.load(last).State, aggregator.CollectionClosed)
	last.Failure = &dap.Error{Type: dap.ErrorTypeBatchInvalid}
	t.ok(l.s.FailCollectionJob(ctx, last))
	// What is deleted stays paid for.
	t.ok(l.s.DeleteCollectionJob(ctx, task.ID, part.ID))
	charged(2)
	l.overlap(timeBatch(10, 12))
	l.s = l.f.Crash()
	charged(2)
	again := l.collection(timeBatch(40, 41))
	l.create(again)
	t.spent(finish(again))
	_, err := l.s.PrivacyLedger(ctx, dap.TaskID{1})
	t.is(err, aggregator.ErrNotFound)
}

// testHelperLedger is testLeaderLedger for aggregate shares.
func testHelperLedger(t tester, h *helperTest) {
	ctx := t.Context()
	task := NewPrivateTask(dap.RoleHelper, "private", dap.BatchModeLeaderSelected)
	t.ok(h.s.PutTask(ctx, task))
	charged := func(batches int) {
		t.Helper()
		comparePrivacy(t, h.s, task.ID, true, batches)
	}
	n := 0
	for batch, reports := range map[byte]int{1: 7, 2: 6, 3: 1, 4: 1} {
		var all []helperReport
		for range reports {
			n++
			all = append(all, helperReport{n, 10, 1, 0})
		}
		step := h.step(task.ID, batch, all...)
		step.Job.BatchID = batchID(batch)
		h.commit(step)
	}
	put := func(id byte) error {
		_, err := h.s.PutAggregateShare(ctx, h.share(task.ID, idBatch(batchID(id)), id))
		return err
	}
	t.tooLarge(put(1), 7)
	collected, err := h.s.Collected(ctx, task.ID, idBatch(batchID(1)))
	t.ok(err)
	equal(t, "collected", collected, false)
	charged(0)
	h.f.Fail(FailBefore)
	t.is(put(2), aggregator.ErrUnavailable)
	h.f.Fail(NoFault)
	h.s = h.f.Crash()
	charged(0)
	h.f.Fail(FailAfter)
	t.is(put(2), aggregator.ErrUnavailable)
	h.f.Fail(NoFault)
	fresh := h.share(task.ID, idBatch(batchID(2)), 2)
	fresh.Response, fresh.CreatedAt = []byte("with other noise"), time.Unix(999, 0)
	stored, err := h.s.PutAggregateShare(ctx, fresh)
	t.ok(err)
	if string(stored.Response) != string([]byte{2, 1, 2}) {
		t.Fatalf("the answer has changed to %q", stored.Response)
	}
	h.s = h.f.Crash()
	charged(1)
	t.is(put(1), aggregator.ErrPrivacy)
	t.ok(put(3))
	charged(2)
	t.spent(put(4))
	t.ok(h.s.DeleteAggregateShare(ctx, task.ID, dap.AggregateShareID{2}))
	_, err = h.s.PutAggregateShare(ctx, fresh)
	t.is(err, aggregator.ErrBatchOverlap) // nothing is released twice
	h.s = h.f.Crash()
	charged(2)
	t.spent(put(4))
	_, err = h.s.PrivacyLedger(ctx, dap.TaskID{1})
	t.is(err, aggregator.ErrNotFound)
}
