package simulation

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// agedLife is a short episode in which floors rise, and something is asked for below them.
func agedLife() (config, []operation) {
	c := plainConfig
	c.LeaderKeeps, c.HelperKeeps, c.KeepsAnswers = duration(5*time.Minute), duration(5*time.Minute), duration(20*time.Minute)
	minutes := func(n int) operation {
		return operation{Kind: opAdvance, For: duration(time.Duration(n) * time.Minute)}
	}
	return c, []operation{
		{Kind: opUpload, Count: 4}, minutes(3),
		{Kind: opCollect, Offset: -3, Count: 1}, minutes(1), {Kind: opPoll},
		{Kind: opUpload, Number: 4, Count: 2}, minutes(15),
		{Kind: opUpload, Number: 10, Count: 1, Offset: -18}, {Kind: opUpload, Number: 20, Count: 3}, minutes(1),
		{Kind: opCollect, Number: 1, Count: 1, Offset: -19}, minutes(1), {Kind: opPoll, Number: 1}, minutes(20), {Kind: opPoll},
	}
}

// TestAgedLife: in it reports are forgotten, and nothing is wrong.
func TestAgedLife(t *testing.T) {
	c, operations := agedLife()
	for _, async := range []bool{false, true} {
		c.Async = async
		if o := play(t, &clients{}, c, operations, hooks{}, "an aged life"); o.violation != nil {
			t.Errorf("asynchronous Helper: %t: %s", async, o.violation)
		} else if o.forgotten < 4 || o.results < 2 {
			t.Errorf("asynchronous Helper: %t: %d buckets were forgotten, there are %d results", async, o.forgotten, o.results)
		}
	}
}

// agedBatch is a short episode in which a leader-selected batch goes on that has a report below the floors. Nothing
// but the report's job, which is in quarantine, can tell the Leader that the Helper has counted it.
func agedBatch() (config, []operation) {
	c := plainConfig
	c.Rounds, c.LeaderSelected, c.MinBatch, c.JobReports = 1, true, 6, 1
	c.LeaderKeeps, c.HelperKeeps = duration(5*time.Minute), duration(5*time.Minute)
	operations := []operation{
		{Kind: opNetwork, Fault: faultLostResponse, Request: requestInit, Count: 3}, {Kind: opUpload, Count: 1},
		{Kind: opAdvance, For: duration(2 * time.Second)}, {Kind: opShelve, Side: leader},
	}
	for i := range 5 {
		operations = append(operations, operation{Kind: opAdvance, For: duration(4 * time.Minute)}, operation{Kind: opUpload, Number: 1 + i, Count: 1})
	}
	return c, append(operations, operation{Kind: opAdvance, For: duration(time.Minute)})
}

// TestAgedBatch: in the end the report is counted at both sides.
func TestAgedBatch(t *testing.T) {
	c, operations := agedBatch()
	for _, async := range []bool{false, true} {
		c.Async = async
		o := play(t, &clients{}, c, operations, hooks{}, "an aged batch")
		if o.violation != nil {
			t.Errorf("asynchronous Helper: %t: %s", async, o.violation)
		} else if o.results != 1 || o.dropped != 0 || o.rejected != 0 {
			t.Errorf("asynchronous Helper: %t: %d results, %d reports were dropped, %d rejected", async, o.results, o.dropped, o.rejected)
		}
	}
}

// begunBatch is a short episode in which a leader-selected batch is being filled whose only report is below the Helper's floor.
func begunBatch() (config, []operation) {
	c := plainConfig
	c.Rounds, c.LeaderSelected, c.MinBatch = 1, true, 2
	c.HelperKeeps = duration(5 * time.Minute)
	return c, []operation{
		{Kind: opUpload, Count: 2}, {Kind: opAdvance, For: duration(2 * time.Second)},
		{Kind: opUpload, Number: 2, Count: 1, Offset: -3}, {Kind: opAdvance, For: duration(20 * time.Minute)},
		{Kind: opUpload, Number: 3, Count: 1}, {Kind: opAdvance, For: duration(time.Minute)},
	}
}

// heldBack is a short episode in which a Leader's operator puts a job in quarantine for longer than the Helper keeps
// reports. Its batch is filled up in its place meanwhile, with a report that is older than the job's.
func heldBack() (config, []operation) {
	c := plainConfig
	c.Rounds, c.LeaderSelected, c.MinBatch = 1, true, 1
	c.HelperKeeps = duration(5 * time.Minute)
	return c, []operation{
		{Kind: opNetwork, Fault: faultLostRequest, Request: requestInit, Count: 3}, {Kind: opUpload, Count: 1},
		{Kind: opAdvance, For: duration(2 * time.Second)}, {Kind: opShelve, Side: leader},
		{Kind: opUpload, Number: 1, Count: 1, Offset: -3}, {Kind: opUpload, Number: 5, Count: 1}, {Kind: opAdvance, For: duration(20 * time.Minute)},
		{Kind: opRetry, Side: leader}, {Kind: opAdvance, For: duration(10 * time.Second)},
		{Kind: opUpload, Number: 2, Count: 3}, {Kind: opAdvance, For: duration(time.Minute)},
	}
}

// TestBatchesBelowTheFloor: a batch that is being filled is collected, however old its reports are. One that was full, and
// whose reports the Helper has forgotten, can be there again for a job that was held back, and for nothing else.
func TestBatchesBelowTheFloor(t *testing.T) {
	for name, c := range map[string]struct {
		life               func() (config, []operation)
		results, forgotten int
	}{"being filled": {begunBatch, 2, 0}, "held back": {heldBack, 4, 1}} {
		for _, async := range []bool{false, true} {
			config, operations := c.life()
			config.Async = async
			o := play(t, &clients{}, config, operations, hooks{}, name)
			if o.violation != nil {
				t.Errorf("%s, asynchronous Helper: %t: %s", name, async, o.violation)
			} else if o.results != c.results || o.forgotten != c.forgotten || o.rejected != 0 {
				t.Errorf("%s, asynchronous Helper: %t: %d results, %d buckets were forgotten, %d reports rejected", name, async, o.results, o.forgotten, o.rejected)
			}
		}
	}
}

// TestHeldBack: a bucket that was forgotten is there again without offence only if all its reports were held back.
func TestHeldBack(t *testing.T) {
	bucket := aggregator.BucketID{BatchID: dap.BatchID{1}}
	for name, c := range map[string]struct {
		held           []bool // of each report in the bucket
		timeInterval   bool
		leader, helper bool // what the checker says of each side
	}{
		"held": {[]bool{true, true}, false, false, true}, "one is not": {[]bool{true, false}, false, false, false},
		"there is none": {nil, false, false, false}, "in the time-interval mode": {[]bool{true}, true, false, false},
	} {
		w := &world{client: &client{scheme: &scheme{config: config{LeaderSelected: !c.timeInterval}}}}
		w.model = newModel(w)
		for i, held := range c.held {
			r := w.model.report(i, 0)
			r.held = held
			for side := range w.model.contents {
				w.model.contents[side].Reports = append(w.model.contents[side].Reports, store.ReportStanding{ID: r.id, State: store.ReportCounted, Bucket: bucket})
			}
		}
		check := &checker{world: w, m: w.model}
		if l, h := check.heldBack(0, bucket), check.heldBack(1, bucket); l != c.leader || h != c.helper {
			t.Errorf("%s: %t at the Leader, %t at the Helper", name, l, h)
		}
	}
}

// aged lets hooks play in an aged life.
func aged(h func() hooks) func() hooks { return living(agedLife, h) }

// living lets hooks play in a life.
func living(life func() (config, []operation), h func() hooks) func() hooks {
	return func() hooks {
		broken := h()
		broken.life = life
		return broken
	}
}

// acceptDropped accepts what the store refuses because it is below the floor.
func acceptDropped(b *brokenLeader) {
	b.upload = func(ctx context.Context, task dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error) {
		outcomes, err := b.LeaderStore.Upload(ctx, task, reports)
		for i := range outcomes {
			if outcomes[i] == dap.ReportErrorReportDropped {
				outcomes[i] = 0
			}
		}
		return outcomes, err
	}
}

// forgetJobs deletes all jobs of a Helper that are finished.
func forgetJobs(s aggregator.HelperStore) {
	ctx := context.Background()
	tasks, _ := s.Tasks(ctx)
	for i := range tasks {
		jobs, _ := s.HelperJobs(ctx, tasks[i].ID, true)
		for j := range jobs {
			if jobs[j].Finished() {
				s.DeleteHelperJob(ctx, tasks[i].ID, jobs[j].ID)
			}
		}
	}
}

// dropQuarantined ends a Leader's jobs in quarantine whose reports are below the floor, and their reports with them.
func dropQuarantined(s aggregator.LeaderStore) {
	ctx := context.Background()
	tasks, _ := s.Tasks(ctx)
	for i := range tasks {
		task := tasks[i].ID
		floor, _ := s.Floor(ctx, task)
		jobs, _ := s.UnfinishedJobs(ctx, task)
		for _, job := range jobs {
			reports, _ := s.JobReports(ctx, task, job.ID)
			above := slices.ContainsFunc(reports, func(r aggregator.StoredReport) bool { return r.Time >= floor })
			if job.State != aggregator.JobQuarantined || above {
				continue
			}
			var dropped []aggregator.Rejection
			for _, sequence := range job.Reports {
				dropped = append(dropped, aggregator.Rejection{Sequence: sequence, Error: dap.ReportErrorReportDropped})
			}
			s.ReactivateAggregationJob(ctx, task, job.ID)
			s.FinishAggregationJob(ctx, task, job.ID, nil, dropped, nil)
		}
	}
}

func floorBreakages() []breakage {
	return []breakage{
		{"a floor rises too high", invariantFloor, aged(breakLeader(func(b *brokenLeader) {
			b.age = func(task dap.TaskID, aging aggregator.Aging) error {
				_, err := b.LeaderStore.RaiseFloor(context.Background(), task, aging.Limit+1)
				return err
			}
		}))},
		{"a report below the floor is accepted", invariantBelow, aged(breakLeader(acceptDropped))},
		{"a report above the floor is refused", invariantUpload, aged(breakLeader(func(b *brokenLeader) {
			b.upload = func(_ context.Context, _ dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error) {
				outcomes := make([]dap.ReportError, len(reports))
				for i := range outcomes {
					outcomes[i] = dap.ReportErrorReportDropped
				}
				return outcomes, nil
			}
		}))},
		{"a Leader forgets the reports of a job that the Helper may have counted", invariantForgotten, living(agedBatch, breakLeader(func(b *brokenLeader) {
			b.sweep = func(*aggregator.SweepLimits) { dropQuarantined(b.LeaderStore) }
		}))},
		{"a Helper forgets what it has counted in a batch that goes on", invariantForgotten, living(agedBatch, breakHelper(func(b *brokenHelper) {
			b.sweep = func(*aggregator.SweepLimits) { forgetJobs(b.HelperStore) }
		}))},
		{"a batch below the floor is collected", invariantBelow, aged(breakLeader(func(b *brokenLeader) {
			b.create = func(ctx context.Context, job aggregator.CollectionJob) (aggregator.CollectionJob, bool, error) {
				stored, created, err := b.LeaderStore.CreateCollectionJob(ctx, job)
				if errors.Is(err, aggregator.ErrBatchOverlap) {
					return job, true, nil
				}
				return stored, created, err
			}
		}))},
	}
}
