package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/processes"
)

// inspect looks at both servers when all tasks have come to their end: nothing waits
// any more, they agree on the numbers, and their databases are whole, while they run
// and after they have ended. Their logs tell of nothing that must not be.
func (r *run) inspect(ctx context.Context) error {
	if err := r.waitIdle(ctx); err != nil {
		return err
	}
	r.usage.sample(r.system)
	if err := r.usage.final(ctx, r.system); err != nil {
		return err
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	if err := r.system.Check(ctx); err != nil {
		return fmt.Errorf("the running servers find: %w", err)
	}
	if err := errors.Join(r.system.Leader.Kill(), r.system.Helper.Kill()); err != nil {
		return err
	}
	if err := r.system.Check(ctx); err != nil {
		return fmt.Errorf("the databases as they were left: %w", err)
	}
	return r.readLogs()
}

// waitIdle waits until no report waits or is in an aggregation job.
func (r *run) waitIdle(ctx context.Context) error {
	last, since := uint64(0), time.Now()
	for {
		status, err := r.system.Leader.Status(ctx)
		if err != nil {
			return err
		}
		left := uint64(0)
		for _, t := range status.Tasks {
			left += t.Counts.Waiting + t.Counts.InJobs
		}
		if left == 0 {
			return nil
		}
		if left != last {
			last, since = left, time.Now()
		}
		if time.Since(since) > stuck {
			return fmt.Errorf("%d reports have been waiting or in aggregation jobs for %s", left, stuck)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// compare compares what the Leader, the Helper and the Collectors have counted.
func (r *run) compare(ctx context.Context) error {
	leader, err := countsOf(ctx, r.system.Leader)
	if err != nil {
		return err
	}
	helper, err := countsOf(ctx, r.system.Helper)
	if err != nil {
		return err
	}
	var errs []error
	collected := uint64(0)
	for id, l := range leader {
		h := helper[id]
		collected += l.Collected
		if l.Aggregated != h.Aggregated || l.Collected != h.Collected {
			errs = append(errs, fmt.Errorf("task %s: the Leader has aggregated %d reports and collected %d, the Helper %d and %d", id, l.Aggregated, l.Collected, h.Aggregated, h.Collected))
		}
	}
	if collected != uint64(r.counted.Load()) {
		errs = append(errs, fmt.Errorf("the Leader has %d reports collected, and the Collectors %d", collected, r.counted.Load()))
	}
	most := r.tally.tasks.Load()
	least := most - r.missed.Load()
	if n := int64(min(len(leader), len(helper))); n < least || int64(max(len(leader), len(helper))) > most {
		errs = append(errs, fmt.Errorf("the Leader has %d tasks, the Helper %d, and there were %d, of which %d were over too early", len(leader), len(helper), most, most-least))
	}
	return errors.Join(errs...)
}

func countsOf(ctx context.Context, server *processes.Server) (map[dap.TaskID]api.OperatorCounts, error) {
	status, err := server.Status(ctx)
	if err != nil {
		return nil, err
	}
	counts := make(map[dap.TaskID]api.OperatorCounts, len(status.Tasks))
	for _, t := range status.Tasks {
		counts[t.ID] = t.Counts
	}
	return counts, nil
}
