package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// nextQuery chooses what to collect next, if it can be collected. Once the clients
// have ended it fills up an interval with too few reports.
func (t *task) nextQuery(ctx context.Context, ended bool) (query dap.Query, ok bool, err error) {
	least := int(t.file.Config.MinBatchSize)
	if t.leaderSelected() {
		return dap.NewLeaderSelectedQuery(), ended || t.ledger.due(t.isOpen) > 2*least, nil
	}
	interval, ok := t.nextInterval(ended)
	if !ok {
		return query, false, nil
	}
	end, err := interval.End()
	if err != nil {
		return query, false, err
	}
	within := func(at dap.Time) bool { return at >= interval.Start && at < end }
	if missing := least - t.ledger.due(within); missing > 0 {
		if !ended {
			return query, false, nil
		}
		if err := t.fill(ctx, missing, interval.Start.At(t.file.Config.TimePrecision)); err != nil {
			return query, false, err
		}
	}
	for at := interval.Start; at < end; at++ {
		t.collected[at] = true
	}
	return dap.NewTimeIntervalQuery(interval), true, nil
}

// nextInterval chooses an interval that is not collected, mostly the oldest, and now
// and then with the time that is still going on. Once the clients have ended it is the
// longest that holds the oldest report that is due.
func (t *task) nextInterval(ended bool) (dap.Interval, bool) {
	first, now := t.bucket(t.start), t.bucket(time.Now())
	last := min(t.bucket(t.stop), now) + 1 // without it
	if !ended && t.random.IntN(6) != 0 {   // reports are late by up to three buckets
		last = min(last, now-dap.Time(t.random.IntN(4)))
	}
	for first < last && (t.collected[first] || ended && !t.isDue(first)) {
		first++
	}
	if !ended && t.random.IntN(4) == 0 { // leave a gap for later
		first += dap.Time(t.random.IntN(3))
	}
	end := first
	for end < last && !t.collected[end] && (ended || end < first+dap.Time(1+t.random.IntN(8))) {
		end++
	}
	return dap.Interval{Start: first, Duration: dap.Duration(end - first)}, first < end
}

// isDue tells whether reports of a time bucket are due.
func (t *task) isDue(at dap.Time) bool {
	return t.ledger.due(func(other dap.Time) bool { return other == at }) > 0
}

// bucket is the time bucket of a time.
func (t *task) bucket(at time.Time) dap.Time {
	return dap.Time(at.Unix() / int64(t.file.Config.TimePrecision))
}

// fill uploads more reports, with a time, until the Leader has accepted so many.
func (t *task) fill(ctx context.Context, n int, at time.Time) error {
	for range n {
		index := t.reserved
		if index >= t.kind.capacity {
			return fmt.Errorf("there are no measurements left to fill batches, and %d accepted reports are not counted", t.ledger.due(t.isOpen))
		}
		t.reserved++
		if err := t.fillOne(ctx, index, at); err != nil {
			return err
		}
		t.fillers.Add(1)
	}
	return nil
}

// fillBatch uploads reports to fill a leader-selected batch, if the clients have ended
// and no batch can fill without: every report is aggregated or rejected, and
// those that wait for a batch to fill are too few.
func (t *task) fillBatch(ctx context.Context) error {
	least := t.file.Config.MinBatchSize
	if !t.leaderSelected() || !isClosed(t.uploaded) || t.reserved+int(least) > t.kind.capacity {
		return nil
	}
	counts, err := t.system.Leader.Counts(ctx, t.file.ID)
	if err != nil { // it is killed, or stopped
		return nil
	}
	if counts.Waiting+counts.InJobs > 0 || counts.Aggregated-counts.Collected >= 4*least {
		return nil
	}
	return t.fill(ctx, int(least), time.Now())
}

// fillOne uploads a report until it is answered.
func (t *task) fillOne(ctx context.Context, index int, at time.Time) error {
	for {
		report, err := t.reporter.prepare(ctx, index, at)
		if err == nil {
			t.ledger.add(index, entry{time: report.Metadata.Time, spare: t.leaderSelected()})
			t.reports.Add(1)
			request := upload{[]int{index}, []dap.Report{report}}
			for !t.send(ctx, request) {
				if err := t.patiently(ctx, "uploading", nil, 0); err != nil {
					return err
				}
			}
			return nil
		}
		if err := t.patiently(ctx, "fetching the HPKE configurations", err, 0); err != nil {
			return err
		}
	}
}
