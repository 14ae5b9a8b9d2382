package aggregator

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/dap"
)

// Retention says how long an aggregator keeps what it has (DAP Section 6.4.1). What is needed to recognize a replay or
// a second collection goes only together with the reports that it would be needed for: below a
// task's floor every report is refused.
type Retention struct {
	// Reports is how long reports, their IDs and their batch buckets are kept, also if they were not
	// collected: after that time a task's floor rises to what was its newest report time
	// then. Of a task that has ended everything goes so long after its end. 0 keeps them for ever.
	Reports time.Duration
	// Answers is how long the answers to Collectors, and at a Helper those to the
	// Leader's requests for aggregate shares, are kept unless they are deleted before. 0 keeps them for ever.
	Answers time.Duration
	// Interval is how often it is looked after, an hour by default.
	Interval time.Duration
}

// Aging is what a Store's AgeFloor goes by.
type Aging struct {
	Now time.Time
	// Period is how long reports are kept.
	Period time.Duration
	// Limit is the highest floor that is allowed.
	Limit dap.Time
	// Ended tells that the task ended a period ago: the floor rises to Limit.
	Ended bool
}

// SweepLimits bound a Store's Sweep.
type SweepLimits struct {
	// Records is how many records are deleted at most, about; 0 is the store's choice.
	Records int
	// AnswersBefore, if not zero, lets answers go that were given before.
	AnswersBefore time.Time
	// Ended tells that the task takes no reports any more: batches that were never filled go as well.
	Ended bool
}

// Swept is what a Sweep has deleted.
type Swept struct {
	// IDs are report IDs, Buckets batch buckets, Jobs aggregation jobs, Answers collection jobs or aggregate shares.
	IDs, Buckets, Jobs, Answers uint64
	// Reports are the accepted reports that were still pending, Uncollected those in batch buckets
	// that were never collected.
	Reports, Uncollected uint64
	// More tells that there may be more to delete.
	More bool
}

func (s *Swept) add(other Swept) {
	s.IDs += other.IDs
	s.Buckets += other.Buckets
	s.Jobs += other.Jobs
	s.Answers += other.Answers
	s.Reports += other.Reports
	s.Uncollected += other.Uncollected
}

// retainer looks after the retention of one engine's tasks.
type retainer struct {
	engine    *engine
	retention Retention
	// swept, if not nil, is told when something of a task was deleted.
	swept   func(dap.TaskID)
	deleted *prometheus.CounterVec // by kind
}

func newRetainer(e *engine, c *Config) (*retainer, error) {
	r := &retainer{
		engine: e, retention: c.Retention,
		deleted: counters("retention_deleted_total", "Records that were deleted by age, by kind.", "kind"),
	}
	return r, register(c.Metrics, r.deleted)
}

// run looks after the retention at once, and then regularly, until stopping ends.
func (r *retainer) run(stopping, work context.Context) {
	for {
		if err := r.pass(stopping, work); err != nil && stopping.Err() == nil {
			r.engine.log.Warn("what is too old could not be deleted; it is tried again", "error", err)
		}
		if !sleep(stopping, r.retention.Interval) {
			return
		}
	}
}

// pass does for all tasks what is due.
func (r *retainer) pass(stopping, work context.Context) error {
	tasks, err := r.engine.store.Tasks(work)
	if err != nil {
		return err
	}
	var errs []error
	for i := range tasks {
		if stopping.Err() != nil {
			return nil
		}
		errs = append(errs, r.task(stopping, work, &tasks[i]))
	}
	return errors.Join(errs...)
}

// task raises the floor of a task, and deletes what is below it.
func (r *retainer) task(stopping, work context.Context, task *Task) error {
	ended, err := r.raise(work, task)
	if err != nil {
		return err
	}
	limits := SweepLimits{Ended: ended}
	if r.retention.Answers > 0 {
		limits.AnswersBefore = r.engine.now().Add(-r.retention.Answers)
	}
	var total Swept
	for more := true; more && stopping.Err() == nil; {
		swept, err := r.engine.store.Sweep(work, task.ID, limits)
		if errors.Is(err, ErrBusy) {
			if !sleep(stopping, 100*time.Millisecond) {
				break
			}
			continue
		}
		if err != nil {
			r.tell(task, total)
			return err
		}
		total.add(swept)
		more = swept.More
	}
	r.tell(task, total)
	return nil
}

// raise raises a task's floor as far as its age demands. ended: nothing of the task is to be kept.
func (r *retainer) raise(ctx context.Context, task *Task) (ended bool, err error) {
	if r.retention.Reports <= 0 {
		return false, nil
	}
	now := r.engine.now()
	limit, err := task.Config.TimePrecision.TimeOf(now.Add(-r.retention.Reports))
	if err != nil {
		return false, nil // a clock near the Epoch
	}
	aging := Aging{Now: now, Period: r.retention.Reports, Limit: limit}
	interval, hasInterval := task.Config.TaskInterval()
	if end, err := interval.End(); hasInterval && err == nil && end <= limit {
		aging.Limit, aging.Ended = end, true
	}
	floor, err := r.engine.store.AgeFloor(ctx, task.ID, aging)
	return aging.Ended && floor >= aging.Limit, err
}

// tell logs and counts what was deleted.
func (r *retainer) tell(task *Task, swept Swept) {
	if swept == (Swept{}) {
		return
	}
	for kind, n := range map[string]uint64{
		"report_id": swept.IDs, "batch_bucket": swept.Buckets, "aggregation_job": swept.Jobs, "answer": swept.Answers,
		"pending_report": swept.Reports, "uncollected_report": swept.Uncollected,
	} {
		r.deleted.WithLabelValues(kind).Add(float64(n))
	}
	log := r.engine.log.Info
	if swept.Reports+swept.Uncollected > 0 {
		log = r.engine.log.Warn
	}
	log("what is older than it is kept was deleted", "task", task.ID, "report_ids", swept.IDs, "batch_buckets", swept.Buckets,
		"aggregation_jobs", swept.Jobs, "answers", swept.Answers, "pending_reports", swept.Reports, "uncollected_reports", swept.Uncollected)
	if r.swept != nil {
		r.swept(task.ID)
	}
}
