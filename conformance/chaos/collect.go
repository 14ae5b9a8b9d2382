package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twofold-dap/twofold/collector"
	"github.com/twofold-dap/twofold/dap"
)

// finishedJob is a collection job with its result.
type finishedJob struct {
	job    collector.Job
	query  dap.Query
	answer answer
	// deleted tells that it was asked to be deleted, so that it may be gone.
	deleted bool
}

// errCutOff ends a Collector's request that is cut off on purpose.
var errCutOff = errors.New("the Collector was cut off")

// collectAll collects batch after batch, until the clients have ended and every
// report that was accepted is counted.
func (t *task) collectAll(ctx context.Context) error {
	for {
		ended := isClosed(t.uploaded) // before due: what is accepted later is due then
		if ended && t.ledger.due(t.isOpen) == 0 {
			return nil
		}
		query, ok, err := t.nextQuery(ctx, ended)
		if err != nil {
			return err
		}
		if !ok {
			wait := time.NewTimer(between(t.random, 100*time.Millisecond, time.Second))
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-t.uploaded:
			case <-wait.C:
			}
			wait.Stop()
			continue
		}
		if err := t.collect(ctx, query); err != nil {
			return err
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// isOpen tells whether reports of a time may still be counted.
func (t *task) isOpen(at dap.Time) bool { return !t.collected[at] }

// collect collects the batch of a query, and does with the job what Collectors do.
func (t *task) collect(ctx context.Context, query dap.Query) error {
	job, result, err := t.ask(ctx, query)
	if err != nil {
		return err
	}
	if seen := t.seen(job); seen != nil {
		if err := same(seen.answer, result); err != nil {
			return err
		}
		t.askedAgain.Add(1)
		return t.remove(ctx, seen) // the next batch comes only when this is gone
	}
	if err := t.checkResult(query, result); err != nil {
		return err
	}
	t.collections.Add(1)
	t.counted.Add(int64(result.reportCount))
	t.jobs = append(t.jobs, finishedJob{job: job, query: query, answer: result})
	return t.afterwards(ctx)
}

func (t *task) seen(job collector.Job) *finishedJob {
	i := slices.IndexFunc(t.jobs, func(f finishedJob) bool { return f.job.URL == job.URL })
	if i < 0 {
		return nil
	}
	return &t.jobs[i]
}

// checkResult enters a result into the ledger.
func (t *task) checkResult(query dap.Query, result answer) error {
	if result.reportCount < t.file.Config.MinBatchSize {
		return fmt.Errorf("a batch of %d reports was released", result.reportCount)
	}
	if !t.leaderSelected() {
		interval, err := query.BatchInterval()
		if err != nil {
			return err
		}
		end, err := interval.End()
		if err != nil {
			return err
		}
		first, last := interval.Start.At(t.file.Config.TimePrecision), end.At(t.file.Config.TimePrecision)
		if result.start.Before(first) || result.end.After(last) {
			return fmt.Errorf("the result is of %s to %s, and the query of %s to %s", result.start, result.end, first, last)
		}
	}
	return t.ledger.count(result.reportCount, result.numbers)
}

func same(a, b answer) error {
	if a.reportCount != b.reportCount || !a.start.Equal(b.start) || !a.end.Equal(b.end) || !slices.Equal(a.numbers, b.numbers) {
		return fmt.Errorf("the same collection job gave %d reports of %s to %s, and then %d reports of %s to %s, or other numbers",
			a.reportCount, a.start, a.end, b.reportCount, b.start, b.end)
	}
	return nil
}

// afterwards asks for results again, asks what must be refused, and deletes jobs.
func (t *task) afterwards(ctx context.Context) error {
	last := &t.jobs[len(t.jobs)-1]
	if t.leaderSelected() {
		return t.remove(ctx, last)
	}
	if t.random.IntN(3) == 0 {
		if err := t.askAgain(ctx, &t.jobs[t.random.IntN(len(t.jobs))]); err != nil {
			return err
		}
	}
	if t.random.IntN(5) == 0 {
		if err := t.askOverlapping(ctx, last); err != nil {
			return err
		}
	}
	if t.random.IntN(4) == 0 {
		return t.remove(ctx, last)
	}
	return nil
}

// ask creates the collection job of a query, or finds it, and waits for its result.
// Now and then it loses patience, forgets the job's URL, and begins again.
func (t *task) ask(ctx context.Context, query dap.Query) (collector.Job, answer, error) {
	for {
		attempt, cancel := context.WithCancelCause(ctx)
		if t.random.IntN(3) == 0 {
			impatient := time.AfterFunc(between(t.random, 0, 1500*time.Millisecond), func() { cancel(errCutOff) })
			defer impatient.Stop()
		}
		job, result, err := t.askOnce(attempt, query)
		cancel(nil)
		if !errors.Is(err, errCutOff) {
			return job, result, err
		}
		t.tally.abandoned.Add(1)
	}
}

// askOnce creates or finds the job, and polls it until there is a result.
func (t *task) askOnce(ctx context.Context, query dap.Query) (job collector.Job, result answer, err error) {
	for {
		if job.URL == "" {
			job, result, err = t.asker.create(ctx, query)
		} else {
			result, err = t.asker.poll(ctx, job)
		}
		if err == nil && result.ready {
			return job, result, nil
		}
		if err := t.patiently(ctx, "collecting", err, result.retryAfter); err != nil {
			return job, result, err
		}
		if err := t.fillBatch(ctx); err != nil {
			return job, result, err
		}
	}
}

// patiently waits after a request that has failed, or has to be made again. An
// error that does not pass by itself is returned.
func (t *task) patiently(ctx context.Context, doing string, err error, wait time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		t.lostAsks.Add(1)
		if !isTransient(err) {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	return pause(ctx, min(max(wait, between(t.random, 100*time.Millisecond, 700*time.Millisecond)), time.Second))
}

// askAgain polls a job that has a result, or sends its query again: it must give the same.
func (t *task) askAgain(ctx context.Context, f *finishedJob) error {
	if f.deleted {
		return nil
	}
	t.askedAgain.Add(1)
	for {
		result, err := t.asker.poll(ctx, f.job)
		if err == nil && !result.ready {
			return errors.New("a collection job that has given its result is said not to be ready")
		}
		if err == nil {
			return same(f.answer, result)
		}
		if err := t.patiently(ctx, "asking again for a result", err, 0); err != nil {
			return err
		}
	}
}

// askOverlapping asks for a collected interval together with the time before it, which
// must be refused as batchOverlap (DAP Section 4.6.5).
func (t *task) askOverlapping(ctx context.Context, f *finishedJob) error {
	interval, err := f.query.BatchInterval()
	if err != nil {
		return err
	}
	longer := dap.Interval{Start: interval.Start - 1, Duration: interval.Duration + 1}
	job, result := collector.Job{}, answer{}
	for {
		if job.URL == "" {
			job, result, err = t.asker.create(ctx, dap.NewTimeIntervalQuery(longer))
		} else {
			result, err = t.asker.poll(ctx, job)
		}
		if refusal, ok := dap.ErrorTypeOf(err); ok && refusal == dap.ErrorTypeBatchOverlap {
			t.overlaps.Add(1)
			return nil
		}
		if err == nil && result.ready {
			return fmt.Errorf("a query that overlaps a collected batch gave a result, of %d reports", result.reportCount)
		}
		if err := t.patiently(ctx, "asking for an overlapping batch", err, result.retryAfter); err != nil {
			return err
		}
	}
}

// remove deletes a job. One time in four it does not mind whether that succeeds.
func (t *task) remove(ctx context.Context, f *finishedJob) error {
	f.deleted = true
	t.deletions.Add(1)
	patient := t.random.IntN(4) != 0
	for {
		err := t.asker.remove(ctx, f.job)
		if err == nil {
			return nil
		}
		if err := t.patiently(ctx, "deleting a collection job", err, 0); err != nil {
			return err
		}
		if !patient {
			return nil
		}
	}
}
