package storetest

import (
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

func testBucketCounts(t tester, l *leaderTest) {
	ctx := t.Context()
	counts := func(from dap.Time, least uint64, most int) (got []aggregator.BucketCounts) {
		t.Helper()
		got, err := l.s.BucketCounts(ctx, l.byTime, from, least, most)
		t.ok(err)
		return got
	}
	if got := counts(0, 1, 10); len(got) != 0 {
		t.Fatalf("of an empty task: %v", got)
	}
	l.upload(l.byTime, 1, 10, 10, 10, 12, 20, 20, 30)
	l.aggregate(l.byTime)
	l.upload(l.byTime, 21, 10, 11, 11, 30, 30)
	all := []aggregator.BucketCounts{{Time: 10, Pending: 1, Counted: 3}, {Time: 11, Pending: 2}, {Time: 12, Counted: 1}, {Time: 20, Counted: 2}, {Time: 30, Pending: 2, Counted: 1}}
	check := func(what string, got, want []aggregator.BucketCounts) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
	check("all", counts(0, 1, 10), all)
	check("from the middle", counts(11, 1, 10), all[1:])
	check("with two or more", counts(0, 2, 10), []aggregator.BucketCounts{all[0], all[1], all[3], all[4]})
	check("two of them", counts(11, 1, 2), all[1:3])
	l.collect(timeBatch(12, 21))
	check("without the collected", counts(0, 1, 10), []aggregator.BucketCounts{all[0], all[1], all[4]})
	check("from within the collected", counts(15, 1, 10), all[4:])
	_, err := l.s.RaiseFloor(ctx, l.byTime, 11)
	t.ok(err)
	check("above the floor", counts(0, 1, 10), []aggregator.BucketCounts{all[1], all[4]})
	if got, err := l.s.BucketCounts(ctx, l.byID, 0, 1, 10); err != nil || got != nil {
		t.Fatalf("of a leader-selected task: %v, %v", got, err)
	}
	_, err = l.s.BucketCounts(ctx, dap.TaskID{99}, 0, 1, 10)
	t.is(err, aggregator.ErrNotFound)
}

func testReadyInterval(t tester, l *leaderTest) {
	ctx := t.Context()
	ready := func(what string, least uint64, first, end, from, until dap.Time) {
		t.Helper()
		got, err := l.s.ReadyInterval(ctx, l.byTime, least)
		t.ok(err)
		want := aggregator.ReadyInterval{Interval: dap.Interval{Start: first, Duration: dap.Duration(end - first)}, FreeFrom: from, FreeUntil: until}
		switch {
		case end == 0 && got != nil:
			t.Fatalf("%s: %+v, want none", what, *got)
		case end != 0 && (got == nil || *got != want):
			t.Fatalf("%s: %+v, want %+v", what, got, want)
		}
	}
	ready("of an empty task", 3, 0, 0, 0, 0)
	l.upload(l.byTime, 1, 10, 12)
	l.aggregate(l.byTime)
	l.upload(l.byTime, 11, 13, 13, 13)
	ready("only what is counted counts", 3, 0, 0, 0, 0)
	l.aggregate(l.byTime)
	ready("three", 3, 10, 14, 0, 0)
	// What comes later does not change what was told, not after a crash either.
	l.upload(l.byTime, 21, 9, 10, 11)
	l.aggregate(l.byTime)
	ready("the same again", 3, 10, 14, 0, 0)
	l.s = l.f.Crash()
	ready("the same after a crash", 3, 10, 14, 0, 0)

	l.upload(l.byTime, 31, 20, 21, 22, 30, 31, 32)
	l.aggregate(l.byTime)
	l.collect(timeBatch(21, 31))
	ready("with a bound", 3, 10, 14, 0, 21)
	l.collect(timeBatch(10, 15))
	// 9 and 20 are alone in their gaps, 31 and 32 are too few.
	ready("gaps are not joined", 3, 0, 0, 0, 0)
	l.upload(l.byTime, 41, 32)
	l.aggregate(l.byTime)
	ready("behind all gaps", 3, 31, 33, 31, 0)
	reserved := l.collection(timeBatch(32, 40))
	l.create(reserved)
	t.ok(l.s.ReserveBatch(ctx, l.byTime, reserved.ID))
	ready("reserved", 3, 0, 0, 0, 0)
	t.ok(l.s.DeleteCollectionJob(ctx, l.byTime, reserved.ID))
	ready("not any more", 3, 31, 33, 31, 0)
	_, err := l.s.RaiseFloor(ctx, l.byTime, 32)
	t.ok(err)
	ready("below the floor", 3, 0, 0, 0, 0)
	ready("two above the floor", 2, 32, 33, 32, 0)
	if got, err := l.s.ReadyInterval(ctx, l.byID, 1); err != nil || got != nil {
		t.Fatalf("of a leader-selected task: %v, %v", got, err)
	}
	_, err = l.s.ReadyInterval(ctx, dap.TaskID{99}, 1)
	t.is(err, aggregator.ErrNotFound)
}
