package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

// byHand is the reason of a quarantine that an operator has ordered.
const byHand = "put in quarantine by the operator"

// jobService is what an operator does with a role's aggregation jobs.
type jobService interface {
	list(ctx context.Context, task *aggregator.Task, finished bool) ([]api.OperatorJob, error)
	show(ctx context.Context, id dap.AggregationJobID) (api.OperatorJob, error)
	retry(ctx context.Context, id dap.AggregationJobID) error
	quarantine(ctx context.Context, id dap.AggregationJobID) error
}

// Jobs implements api.OperatorService.
func (s *service) Jobs(ctx context.Context, request api.JobsRequest) ([]api.OperatorJob, error) {
	tasks, err := s.local.engine.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	jobs := []api.OperatorJob{}
	found := request.Task == ""
	for i := range tasks {
		if request.Task != "" && tasks[i].ID.String() != request.Task {
			continue
		}
		found = true
		of, err := s.local.jobs.list(ctx, &tasks[i], request.Finished)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, of...)
	}
	if !found {
		return nil, &api.OperatorError{Kind: api.OperatorNotFound, Detail: fmt.Sprintf("there is no task %s here", request.Task)}
	}
	return jobs, nil
}

// Job implements api.OperatorService.
func (s *service) Job(ctx context.Context, request api.JobRequest) (api.OperatorJob, error) {
	return s.withJob(ctx, request, func(dap.AggregationJobID) error { return nil })
}

// RetryJob implements api.OperatorService.
func (s *service) RetryJob(ctx context.Context, request api.JobRequest) (api.OperatorJob, error) {
	return s.withJob(ctx, request, func(id dap.AggregationJobID) error { return s.local.jobs.retry(ctx, id) })
}

// QuarantineJob implements api.OperatorService.
func (s *service) QuarantineJob(ctx context.Context, request api.JobRequest) (api.OperatorJob, error) {
	return s.withJob(ctx, request, func(id dap.AggregationJobID) error { return s.local.jobs.quarantine(ctx, id) })
}

// withJob runs f on a job and describes what it is then.
func (s *service) withJob(ctx context.Context, request api.JobRequest, f func(dap.AggregationJobID) error) (api.OperatorJob, error) {
	id, err := dap.ParseAggregationJobID(request.ID)
	if err != nil {
		return api.OperatorJob{}, invalid("%q is not the ID of an aggregation job; the command jobs lists them", request.ID)
	}
	before, err := s.local.jobs.show(ctx, id)
	if errors.Is(err, aggregator.ErrNotFound) {
		return api.OperatorJob{}, &api.OperatorError{Kind: api.OperatorNotFound, Detail: fmt.Sprintf("there is no unfinished aggregation job %s", request.ID)}
	}
	if err != nil {
		return api.OperatorJob{}, err
	}
	if err := f(id); err != nil && !errors.Is(err, aggregator.ErrNotFound) {
		return api.OperatorJob{}, err
	}
	after, err := s.local.jobs.show(ctx, id)
	if errors.Is(err, aggregator.ErrNotFound) {
		before.State = "gone"
		return before, nil
	}
	return after, err
}

// at is a time that may be none.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// leaderJobs is the jobService of a Leader.
type leaderJobs struct{ leader *aggregator.Leader }

func (l leaderJobs) list(ctx context.Context, task *aggregator.Task, _ bool) ([]api.OperatorJob, error) {
	jobs, err := l.leader.UnfinishedJobs(ctx, task.ID)
	result := make([]api.OperatorJob, len(jobs))
	for i := range jobs {
		result[i] = leaderJob(&jobs[i])
	}
	return result, err
}

func leaderJob(job *aggregator.AggregationJob) api.OperatorJob {
	o := api.OperatorJob{
		ID: job.ID.String(), Task: job.Task.String(), State: "active", Step: job.Step, Reports: uint64(len(job.Reports)),
		CreatedAt: job.CreatedAt, Attempts: job.Attempts, LastError: job.LastError, Next: at(job.NextAttempt),
		Restarts: job.Restarts, Location: job.HelperLocation, MayBeCounted: true,
	}
	if job.State == aggregator.JobQuarantined {
		o.State, o.Next = "quarantined", nil
		o.Reason, o.QuarantinedAt, o.MayBeCounted = job.Quarantine.Reason, at(job.Quarantine.At), job.Quarantine.MayBeCounted
	}
	return o
}

func (l leaderJobs) show(ctx context.Context, id dap.AggregationJobID) (api.OperatorJob, error) {
	job, buckets, err := l.leader.AggregationJob(ctx, id)
	if err != nil {
		return api.OperatorJob{}, err
	}
	precision, err := l.precision(ctx, job.Task)
	if err != nil {
		return api.OperatorJob{}, err
	}
	o := leaderJob(&job)
	for _, b := range buckets {
		bucket := api.OperatorBucket{Reports: b.Reports}
		if b.ID.BatchID != (dap.BatchID{}) {
			bucket.Batch = b.ID.BatchID.String()
		} else {
			bucket.Start = at(time.Unix(int64(b.ID.Time)*int64(precision), 0).UTC())
		}
		o.Buckets = append(o.Buckets, bucket)
	}
	return o, nil
}

func (l leaderJobs) precision(ctx context.Context, id dap.TaskID) (dap.TimePrecision, error) {
	tasks, err := l.leader.Tasks(ctx)
	for i := range tasks {
		if tasks[i].ID == id {
			return tasks[i].Config.TimePrecision, nil
		}
	}
	return 1, err
}

func (l leaderJobs) retry(ctx context.Context, id dap.AggregationJobID) error {
	_, err := l.leader.RetryJob(ctx, id)
	return err
}

func (l leaderJobs) quarantine(ctx context.Context, id dap.AggregationJobID) error {
	_, err := l.leader.QuarantineJob(ctx, id, byHand)
	return err
}

// helperJobs is the jobService of a Helper.
type helperJobs struct{ helper *aggregator.Helper }

func (h helperJobs) list(ctx context.Context, task *aggregator.Task, finished bool) ([]api.OperatorJob, error) {
	jobs, err := h.helper.Jobs(ctx, task.ID, finished)
	result := make([]api.OperatorJob, len(jobs))
	for i := range jobs {
		result[i] = helperJob(&jobs[i])
	}
	return result, err
}

func helperJob(job *aggregator.HelperJob) api.OperatorJob {
	o := api.OperatorJob{
		ID: job.ID.String(), Task: job.Task.String(), State: "waiting", Step: job.Step, Reports: uint64(len(job.Reports)),
		CreatedAt: job.CreatedAt, Attempts: job.Attempts, LastError: job.LastError, Counted: job.Counted,
	}
	switch {
	case job.Quarantined():
		o.State, o.Reason, o.QuarantinedAt = "quarantined", job.Quarantine.Reason, at(job.Quarantine.At)
	case job.Pending:
		o.State = "pending"
	case job.Finished():
		o.State = "finished"
	}
	return o
}

func (h helperJobs) show(ctx context.Context, id dap.AggregationJobID) (api.OperatorJob, error) {
	job, err := h.helper.AggregationJob(ctx, id)
	if err != nil {
		return api.OperatorJob{}, err
	}
	return helperJob(&job), nil
}

func (h helperJobs) retry(ctx context.Context, id dap.AggregationJobID) error {
	return h.helper.RetryJob(ctx, id)
}

func (h helperJobs) quarantine(ctx context.Context, id dap.AggregationJobID) error {
	job, err := h.helper.QuarantineJob(ctx, id, byHand)
	if errors.Is(err, aggregator.ErrConflict) {
		return invalid("aggregation job %s has been committed: it has counted %d reports, and cannot be put in quarantine", id, job.Counted)
	}
	return err
}
