package aggregator

import (
	"context"
	"errors"

	"github.com/twofold-dap/twofold/dap"
)

// refusal is the error that answers every request of a job in quarantine: nothing of it
// has been executed since, nor will be.
func refusal(job HelperJob) error {
	if !job.Quarantined() {
		return nil
	}
	return peerError(job.Task, dap.ErrorTypeInvalidMessage, "the Helper's operator has put this aggregation job in quarantine; nothing of it is counted")
}

// deletedJob answers the first request of a job that was finished and then deleted, come late: what
// was counted of it then is counted, and what was rejected stays so, though it might pass now.
func (h *Helper) deletedJob(job HelperJob, ids []dap.ReportID) (AggregationStatus, error) {
	resp := dap.AggregationJobResp{VerifyResps: make([]dap.VerifyResp, len(ids))}
	for i, id := range ids {
		resp.VerifyResps[i] = dap.VerifyResp{ReportID: id, Type: dap.VerifyRespReject, Error: dap.ReportErrorReportReplayed}
	}
	body, err := resp.Encode()
	return AggregationStatus{ID: job.ID, Ready: true, Body: body}, err
}

// Jobs returns a task's aggregation jobs in the order in which they were made, for the operator: those that are not
// finished; with finished, also those whose answers are kept for the Leader. An unknown task is ErrNotFound.
func (h *Helper) Jobs(ctx context.Context, task dap.TaskID, finished bool) ([]HelperJob, error) {
	return h.store.HelperJobs(ctx, task, finished)
}

// AggregationJob finds a job of any task. An unknown one is ErrNotFound.
func (h *Helper) AggregationJob(ctx context.Context, id dap.AggregationJobID) (HelperJob, error) {
	tasks, err := h.store.Tasks(ctx)
	if err != nil {
		return HelperJob{}, err
	}
	for i := range tasks {
		job, err := h.store.HelperJob(ctx, tasks[i].ID, id)
		if !errors.Is(err, ErrNotFound) {
			return job, err
		}
	}
	return HelperJob{}, ErrNotFound
}

// QuarantineJob puts a job that has counted nothing in quarantine: every request for it is refused, which lets
// the Leader put its own job in quarantine, too. A job that has counted
// reports, or is finished, is ErrConflict, and returned; an unknown one ErrNotFound.
func (h *Helper) QuarantineJob(ctx context.Context, id dap.AggregationJobID, reason string) (HelperJob, error) {
	return h.changeJob(ctx, id, func(job HelperJob) error {
		return h.store.QuarantineHelperJob(ctx, job.Task, id, Quarantine{At: h.now().UTC(), Reason: reason})
	})
}

// RetryJob ends a job's quarantine, so that the Leader's next request for it is executed, or a copy of an earlier one that
// comes late. What that counts, the Leader counts when it tries its own job again, which it does at the latest when the
// batch is collected, since the two sides' counts differ. RetryJob also lets a step that
// waits to be computed be computed now. An unknown job is ErrNotFound.
func (h *Helper) RetryJob(ctx context.Context, id dap.AggregationJobID) error {
	job, err := h.changeJob(ctx, id, func(job HelperJob) error {
		return h.store.ReleaseHelperJob(ctx, job.Task, id)
	})
	if err == nil && job.Pending {
		h.async.add(helperJobKey{job.Task, id}, 0)
	}
	return err
}

// changeJob runs f on a job while no request for it is worked on. It returns the job
// as it is afterwards, or, if it is gone, as it was.
func (h *Helper) changeJob(ctx context.Context, id dap.AggregationJobID, f func(HelperJob) error) (HelperJob, error) {
	job, err := h.AggregationJob(ctx, id)
	if err != nil {
		return HelperJob{}, err
	}
	unlock, err := h.jobs.lock(ctx, helperJobKey{job.Task, id})
	if err != nil {
		return HelperJob{}, err
	}
	defer unlock()
	failure := f(job)
	changed, err := h.store.HelperJob(ctx, job.Task, id)
	if errors.Is(err, ErrNotFound) {
		return job, failure
	}
	return changed, errors.Join(failure, err)
}
