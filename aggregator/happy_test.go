package aggregator_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/testvdaf"
)

func TestTimeInterval(t *testing.T) {
	w := newWorld(t, settings{})
	first, sum1 := w.reports(5)
	w.uploadAll(first...)
	w.clock.advance(time.Hour)
	second, sum2 := w.reports(4)
	w.uploadAll(second...)

	got := w.collect(w.query(&dap.Interval{Start: w.now() - 5, Duration: 8}, nil))
	w.wantResult(got, 9, sum1+sum2)
	if want := (dap.Interval{Start: w.now() - 1, Duration: 2}); got.interval != want {
		t.Errorf("the interval is %s, want %s", got.interval, want)
	}
	w.eventually("finished jobs are deleted at the Helper", func() bool { return w.peer.count("delete") == w.peer.count("init") })
	counts := w.counts()
	if counts.Aggregated != 9 || counts.Collected != 9 || len(counts.Rejected) != 0 {
		t.Errorf("counts: %+v", counts)
	}
}

func TestLeaderSelected(t *testing.T) {
	w := newWorld(t, settings{mode: dap.BatchModeLeaderSelected, minBatch: 4})
	total := uint64(0)
	for range 10 { // 10 uploads of 2 reports: 5 batches of 4
		reports, sum := w.reports(2)
		w.uploadAll(reports...)
		total += sum
	}
	request := w.query(nil, nil)
	collected := uint64(0)
	for range 5 {
		status, err := w.leader.CreateCollectionJob(context.Background(), w.id, request)
		w.ok(err)
		got := w.await(request, status.ID)
		if got.count != 4 {
			t.Errorf("a batch of %d reports", got.count)
		}
		collected += got.sum
		w.ok(w.leader.DeleteCollectionJob(context.Background(), w.id, status.ID))
	}
	if collected != total {
		t.Errorf("the batches' sum is %d, want %d", collected, total)
	}
}

func TestRoundsAndHelpers(t *testing.T) {
	for rounds := 1; rounds <= testvdaf.MaxRounds; rounds++ {
		for _, async := range []bool{false, true} {
			for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
				t.Run(fmt.Sprintf("rounds=%d/async=%t/%s", rounds, async, mode), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: rounds}, async: async, mode: mode, minBatch: 7})
					reports, sum := w.reports(7)
					w.uploadAll(reports...)
					request := w.thisHour()
					if mode == dap.BatchModeLeaderSelected {
						request = w.query(nil, nil)
					}
					w.wantResult(w.collect(request), 7, sum)
				})
			}
		}
	}
}

func TestAggregationParameter(t *testing.T) {
	for _, rounds := range []int{1, 2, 3} {
		for _, async := range []bool{false, true} {
			for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
				t.Run(fmt.Sprintf("rounds=%d/async=%t/%s", rounds, async, mode), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: rounds, AggParam: true}, async: async, mode: mode, minBatch: 5})
					interval := &dap.Interval{Start: w.now(), Duration: 1}
					if mode == dap.BatchModeLeaderSelected {
						interval = nil
					}
					request := w.query(interval, aggParam(10))
					reports, sum := w.reports(3)
					w.uploadAll(reports...)
					status, err := w.leader.CreateCollectionJob(context.Background(), w.id, request)
					w.ok(err)
					if w.counts().Aggregated != 0 || status.Ready {
						t.Error("too few reports, but aggregated or ready")
					}
					more, sum2 := w.reports(2)
					w.uploadAll(more...)
					w.wantResult(w.await(request, status.ID), 5, 10*(sum+sum2))
				})
			}
		}
	}
}
