package simulation

import (
	"context"
	"errors"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// leaderOperator is what a Leader's operator can do with aggregation jobs.
type leaderOperator interface {
	UnfinishedJobs(context.Context, dap.TaskID) ([]aggregator.AggregationJob, error)
	RetryJob(context.Context, dap.AggregationJobID) (active bool, err error)
	QuarantineJob(ctx context.Context, id dap.AggregationJobID, reason string) (aggregator.AggregationJob, error)
}

// helperOperator is what a Helper's operator can do with them.
type helperOperator interface {
	Jobs(ctx context.Context, task dap.TaskID, finished bool) ([]aggregator.HelperJob, error)
	RetryJob(context.Context, dap.AggregationJobID) error
	QuarantineJob(ctx context.Context, id dap.AggregationJobID, reason string) (aggregator.HelperJob, error)
}

// operate does what an operator does with one of the unfinished jobs.
func (w *world) operate(o operation) {
	var err error
	if o.Side == leader {
		err = w.operateLeader(o)
	} else {
		err = w.operateHelper(o)
	}
	switch {
	case err == nil, errors.Is(err, aggregator.ErrUnavailable), errors.Is(err, aggregator.ErrConflict), errors.Is(err, aggregator.ErrNotFound):
	default:
		w.violated(invariantRuns, "the operator's %q fails: %v", o.Kind, err)
	}
}

func (w *world) operateLeader(o operation) error {
	l, ok := any(w.leader.engine()).(leaderOperator)
	if !ok {
		return nil
	}
	ctx := context.Background()
	jobs, err := l.UnfinishedJobs(ctx, w.id)
	if err != nil || len(jobs) == 0 {
		return err
	}
	id := jobs[o.Number%len(jobs)].ID
	if o.Kind == opRetry {
		_, err = l.RetryJob(ctx, id)
		return err
	}
	w.model.mu.Lock()
	w.model.shelved[id] = true
	w.model.mu.Unlock()
	_, err = l.QuarantineJob(ctx, id, "simulated")
	return err
}

func (w *world) operateHelper(o operation) error {
	h, ok := any(w.helper.engine()).(helperOperator)
	if !ok {
		return nil
	}
	ctx := context.Background()
	jobs, err := h.Jobs(ctx, w.id, false)
	if err != nil || len(jobs) == 0 {
		return err
	}
	job := &jobs[o.Number%len(jobs)]
	if o.Kind == opRetry {
		w.releasing(job)
		return h.RetryJob(ctx, job.ID)
	}
	w.holding(job.ID)
	_, err = h.QuarantineJob(ctx, job.ID, "simulated")
	return err
}

// holding notes that a job at the Helper may be in quarantine.
func (w *world) holding(id dap.AggregationJobID) {
	w.network.mu.Lock()
	reports := w.network.jobs[jobsAt+id.String()].reports
	w.network.mu.Unlock()
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	for _, id := range reports {
		if r := w.model.byID[id]; r != nil {
			r.held = true
		}
	}
}

// releasing notes that a job at the Helper will be in quarantine no more.
func (w *world) releasing(job *aggregator.HelperJob) {
	if !job.Quarantined() {
		return
	}
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	w.model.releasedAny = w.model.releasedAny || len(job.Reports) == 0
	for i := range job.Reports {
		w.model.released[job.Reports[i].ID] = true
	}
}

// retryAll ends every quarantine, the Helper's first.
func (w *world) retryAll() {
	ctx := context.Background()
	if h, ok := any(w.helper.engine()).(helperOperator); ok {
		jobs, _ := h.Jobs(ctx, w.id, false)
		for i := range jobs {
			w.releasing(&jobs[i])
			_ = h.RetryJob(ctx, jobs[i].ID) // what remains shows as a report without an end
		}
	}
	if l, ok := any(w.leader.engine()).(leaderOperator); ok {
		jobs, _ := l.UnfinishedJobs(ctx, w.id)
		for i := range jobs {
			if jobs[i].State != aggregator.JobActive {
				_, _ = l.RetryJob(ctx, jobs[i].ID)
			}
		}
	}
}
