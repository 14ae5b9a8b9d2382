package aggregator

import (
	"context"

	"github.com/twofold-dap/twofold/dap"
)

// Progress is what a Leader tells its Collector of a task before anything is collected. It is an addition to DAP
// (docs/divergences.md). The Collector could have most of it by collecting; it must not learn more
// from this than from that, and nothing about one report. So:
//
//   - every number is rounded down to a multiple of the minimum batch size, each by itself;
//   - time buckets are listed only where such a number is not zero, and their numbers stand for fixed spans of time: no
//     interval can be chosen, so that intervals that differ by one bucket cannot be compared;
//   - the one interval that is told, and does not follow the buckets, has enough reports, and stays the same until it is collected.
//
// docs/threat-model.md has the reasons.
type Progress struct {
	MinBatchSize uint64
	// Waiting are accepted and not yet verified, Aggregated are in batch buckets, and Collected those of them in collected batches.
	Waiting, Aggregated, Collected Coarse
	// Rejected has every report error.
	Rejected map[dap.ReportError]Coarse
	// Ready is the first interval of a time-interval task that is ready; nil if there is none.
	Ready *ReadyInterval
	// ReadyBatches is how many batches of a leader-selected task are ready.
	ReadyBatches uint64
	// Buckets are those of a time-interval task that are not collected and have enough reports of one kind, in the order of time.
	Buckets []BucketProgress
	// More tells that there are more from MoreFrom on.
	More     bool
	MoreFrom dap.Time
}

// Coarse is a number in steps of the minimum batch size: at least AtLeast, fewer than FewerThan.
type Coarse struct{ AtLeast, FewerThan uint64 }

// coarse rounds n.
func coarse(n, step uint64) Coarse {
	low := n - n%step
	high := low + step
	if high < low { // beyond 2^64
		high = ^uint64(0)
	}
	return Coarse{low, high}
}

// BucketProgress is how far a batch bucket of a time is.
type BucketProgress struct {
	Time                dap.Time
	Waiting, Aggregated Coarse
}

// ReadyInterval is an interval in which enough reports are counted, and nothing is collected. From FreeFrom up to FreeUntil (0: for
// ever) nothing is collected, nor reserved, nor below the floor.
type ReadyInterval struct {
	Interval            dap.Interval
	FreeFrom, FreeUntil dap.Time
}

// BucketCounts are the exact numbers of a batch bucket.
type BucketCounts struct {
	Time dap.Time
	// Pending wait or are in active jobs; Counted are in the bucket.
	Pending, Counted uint64
}

// MaxProgressBuckets is how many buckets one Progress has at most.
const MaxProgressBuckets = 1000

// Progress returns how far a task is, with the buckets from a time on. It is for the task's Collector alone.
func (l *Leader) Progress(ctx context.Context, id dap.TaskID, from dap.Time) (Progress, error) {
	t, err := l.task(ctx, id)
	if err != nil {
		return Progress{}, err
	}
	counts, err := l.store.Counts(ctx, id)
	if err != nil {
		return Progress{}, err
	}
	step := max(t.Config.MinBatchSize, 1)
	p := Progress{
		MinBatchSize: step, Waiting: coarse(counts.Waiting+counts.InJobs, step),
		Aggregated: coarse(counts.Aggregated, step), Collected: coarse(counts.Collected, step), Rejected: make(map[dap.ReportError]Coarse),
	}
	for e := dap.ReportError(1); e.IsKnown(); e++ { // all of them: a name that is missing would tell something
		p.Rejected[e] = coarse(counts.Rejected[e], step)
	}
	if t.Config.BatchMode == dap.BatchModeLeaderSelected {
		p.ReadyBatches, err = l.readyBatches(ctx, t)
		return p, err
	}
	if p.Ready, err = l.store.ReadyInterval(ctx, id, step); err != nil {
		return Progress{}, err
	}
	buckets, err := l.store.BucketCounts(ctx, id, from, step, MaxProgressBuckets+1)
	if err != nil {
		return Progress{}, err
	}
	if len(buckets) > MaxProgressBuckets {
		p.More, p.MoreFrom, buckets = true, buckets[MaxProgressBuckets].Time, buckets[:MaxProgressBuckets]
	}
	for _, b := range buckets {
		p.Buckets = append(p.Buckets, BucketProgress{b.Time, coarse(b.Pending, step), coarse(b.Counted, step)})
	}
	return p, nil
}

// readyBatches counts the batches that a collection job could have now.
func (l *Leader) readyBatches(ctx context.Context, t *preparedTask) (n uint64, err error) {
	open, err := l.store.OpenBatches(ctx, t.ID)
	for i := range open {
		if open[i].Count >= t.Config.MinBatchSize && open[i].InJobs == 0 {
			n++
		}
	}
	return n, err
}
