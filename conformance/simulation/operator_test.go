package simulation

import (
	"context"
	"errors"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// The operator's commands leader jobs and helper jobs rest on these methods of the engines.

// leaderOperator is what a Leader's operator can do with aggregation jobs.
type leaderOperator interface {
	UnfinishedJobs(context.Context, dap.TaskID) ([]aggregator.AggregationJob, error)
	AggregationJob(context.Context, dap.AggregationJobID) (aggregator.AggregationJob, []aggregator.JobBucket, error)
	RetryJob(context.Context, dap.AggregationJobID) (active bool, err error)
	QuarantineJob(ctx context.Context, id dap.AggregationJobID, reason string) (aggregator.AggregationJob, error)
}

// helperOperator is what a Helper's operator can do with them.
type helperOperator interface {
	Jobs(ctx context.Context, task dap.TaskID, finished bool) ([]aggregator.HelperJob, error)
	AggregationJob(context.Context, dap.AggregationJobID) (aggregator.HelperJob, error)
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
	for i := range jobs {
		w.listed(leader, jobs[i].CreatedAt, jobs[i].Attempts, jobs[i].LastError, jobs[i].State == aggregator.JobQuarantined, jobs[i].Quarantine)
	}
	before := &jobs[o.Number%len(jobs)]
	id := before.ID
	if o.Kind == opRetry {
		_, err = l.RetryJob(ctx, id)
		return err
	}
	if err := w.shown(l, id); err != nil {
		return err
	}
	w.model.mu.Lock()
	w.model.shelved[id] = true
	w.model.mu.Unlock()
	job, err := l.QuarantineJob(ctx, id, "simulated")
	if err == nil && job.State != aggregator.JobQuarantined && job.Reactivations == before.Reactivations {
		w.violated(invariantRuns, "the Leader's job %s was put in quarantine, and is in state %d", id, job.State)
	}
	return err
}

// listed checks what the operator's list says of a job: its age, its attempts with the last error, and why it is in quarantine.
func (w *world) listed(s side, created time.Time, attempts uint32, problem string, quarantined bool, why aggregator.Quarantine) {
	switch {
	case created.Before(w.start.Add(-clockSlack)) || created.After(time.Now().Add(clockSlack)):
		w.violated(invariantRuns, "a job of the %s is listed as made at %s", s, created)
	case attempts > 0 && problem == "":
		w.violated(invariantRuns, "a job of the %s is listed with %d attempts and no error", s, attempts)
	case quarantined != (why.Reason != "") || quarantined == why.At.IsZero():
		w.violated(invariantRuns, "a job of the %s is listed in quarantine: %t, because of %q at %s", s, quarantined, why.Reason, why.At)
	}
}

// shown checks what an operator sees before a job of the Leader is put in quarantine: each report of it would be left out
// of one batch bucket.
func (w *world) shown(l leaderOperator, id dap.AggregationJobID) error {
	job, buckets, err := l.AggregationJob(context.Background(), id)
	if err != nil {
		return err
	}
	var lost uint64
	for _, b := range buckets {
		lost += b.Reports
		if w.LeaderSelected != (b.ID.BatchID != dap.BatchID{}) {
			w.violated(invariantRuns, "job %s is shown with reports in bucket %v", id, b.ID)
		}
	}
	if lost > uint64(len(job.Reports)) { // fewer, if a step ends between the two looks that this takes
		w.violated(invariantRuns, "job %s has %d reports, and is shown with %d", id, len(job.Reports), lost)
	}
	return nil
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
	for i := range jobs {
		j := &jobs[i]
		w.listed(helper, j.CreatedAt, j.Attempts, j.LastError, j.Quarantined(), j.Quarantine)
	}
	job := &jobs[o.Number%len(jobs)]
	if o.Kind == opRetry {
		w.releasing(job)
		return h.RetryJob(ctx, job.ID)
	}
	if _, err := h.AggregationJob(ctx, job.ID); err != nil {
		return err
	}
	w.holding(job.ID)
	after, err := h.QuarantineJob(ctx, job.ID, "simulated")
	if err == nil && after.Counted > 0 {
		w.violated(invariantRuns, "the Helper's job %s was put in quarantine, and has counted %d reports", job.ID, after.Counted)
	}
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
