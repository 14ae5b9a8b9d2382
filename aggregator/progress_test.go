package aggregator_test

import (
	"context"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

func (w *world) progress() aggregator.Progress {
	w.Helper()
	p, err := w.leader.Progress(context.Background(), w.id, 0)
	w.ok(err)
	return p
}

// What the Collector is told moves in steps of the minimum batch size, and one report more or less does not show.
func TestProgress(t *testing.T) {
	w := newWorld(t, settings{minBatch: 3})
	empty := w.progress()
	if empty.Ready != nil || len(empty.Buckets) != 0 || empty.Aggregated != (aggregator.Coarse{FewerThan: 3}) || len(empty.Rejected) < 9 {
		t.Errorf("of an empty task: %+v", empty)
	}
	total := 0
	add := func(n int) aggregator.Progress {
		reports, _ := w.reports(n)
		w.uploadAll(reports...)
		total += n
		if c := w.settled(); c.Aggregated != uint64(total) {
			t.Fatalf("%d reports are aggregated, not %d", c.Aggregated, total)
		}
		return w.progress()
	}
	for _, step := range []struct {
		n       int
		atLeast uint64
	}{{1, 0}, {1, 0}, {1, 3}, {1, 3}, {1, 3}, {5, 9}} {
		p := add(step.n)
		if p.Aggregated != (aggregator.Coarse{AtLeast: step.atLeast, FewerThan: step.atLeast + 3}) {
			t.Errorf("%d reports: %+v", total, p.Aggregated)
		}
		if step.atLeast == 0 {
			if p.Ready != nil || len(p.Buckets) != 0 {
				t.Errorf("%d reports, fewer than a batch, show: %+v", total, p)
			}
			continue
		}
		now := w.now()
		if p.Ready == nil || p.Ready.Interval != (dap.Interval{Start: now, Duration: 1}) {
			t.Errorf("%d reports: ready is %+v", total, p.Ready)
		}
		if len(p.Buckets) != 1 || p.Buckets[0].Time != now || p.Buckets[0].Aggregated.AtLeast != step.atLeast {
			t.Errorf("%d reports: the buckets are %+v", total, p.Buckets)
		}
	}
	w.collect(w.thisHour())
	p := w.progress()
	if p.Ready != nil || len(p.Buckets) != 0 || p.Collected.AtLeast != 9 {
		t.Errorf("when all is collected: %+v", p)
	}
	if _, err := w.leader.Progress(context.Background(), dap.TaskID{1}, 0); err == nil {
		t.Error("the progress of an unknown task was told")
	}
}

func TestProgressOfLeaderSelected(t *testing.T) {
	w := newWorld(t, settings{minBatch: 3, mode: dap.BatchModeLeaderSelected})
	reports, _ := w.reports(7)
	w.uploadAll(reports...)
	w.settled()
	w.eventually("two batches are ready", func() bool { return w.progress().ReadyBatches == 2 })
	if p := w.progress(); p.Ready != nil || p.Buckets != nil || p.Aggregated.AtLeast != 6 {
		t.Errorf("got %+v", p)
	}
}
