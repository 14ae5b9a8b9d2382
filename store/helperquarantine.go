package store

import (
	"context"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// markDeleted keeps of a finished job that it was there: its first request must not make it again, which
// could count a report now that was rejected then.
func (sp *space) markDeleted(stored *storedHelperJob) error {
	r := *stored.record
	r.Deleted, r.AggParam, r.Response, r.LastError = true, nil, nil, ""
	if err := sp.leaveBatch(&stored.job, &r); err != nil {
		return err
	}
	id := stored.job.ID
	return sp.sub(bucketJobs).put(id[:], encodeRecord(&r))
}

// changeHelperJob runs f on a job in a write transaction, and stores the job that it returns, if it is not nil.
func (h *Helper) changeHelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, size int, f func(*space, *storedHelperJob) (*aggregator.HelperJob, error)) error {
	return h.update(ctx, size, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		stored, err := sp.needHelperJob(id)
		if err != nil {
			return err
		}
		changed, err := f(sp, stored)
		if err != nil || changed == nil {
			return err
		}
		return sp.putHelperJob(changed, stored, 0)
	})
}

// RecordHelperAttempt implements aggregator.HelperStore.
func (h *Helper) RecordHelperAttempt(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, step uint16, problem string) error {
	return h.changeHelperJob(ctx, task, id, 0, func(_ *space, stored *storedHelperJob) (*aggregator.HelperJob, error) {
		if !stored.job.Pending || stored.job.Step != step {
			return nil, nil
		}
		job := stored.job
		job.Attempts++
		job.LastError = problem
		return &job, nil
	})
}

// HelperJobs implements aggregator.HelperStore.
func (h *Helper) HelperJobs(ctx context.Context, task dap.TaskID, finished bool) ([]aggregator.HelperJob, error) {
	var all []ordered[aggregator.HelperJob]
	err := h.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		return sp.sub(bucketJobs).each(func(id, encoded []byte) error {
			stored, err := sp.decodeHelperJob(id, encoded)
			if err != nil {
				return err
			}
			job := &stored.job
			if stored.record.Deleted || job.Finished() && !finished {
				return nil
			}
			job.Request, job.Response = nil, nil
			for i := range job.Reports {
				job.Reports[i].State = nil
			}
			all = append(all, ordered[aggregator.HelperJob]{stored.record.Ordinal, *job})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return inOrder(all), nil
}

// QuarantineHelperJob implements aggregator.HelperStore.
func (h *Helper) QuarantineHelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, why aggregator.Quarantine) error {
	if why.Reason == "" || why.At.IsZero() {
		return inputError("quarantine", "it has no reason or no time")
	}
	return h.changeHelperJob(ctx, task, id, 0, func(_ *space, stored *storedHelperJob) (*aggregator.HelperJob, error) {
		if stored.job.Quarantined() {
			return nil, nil
		}
		if stored.job.Finished() || stored.job.Counted > 0 {
			return nil, about(aggregator.ErrConflict, "aggregation job %s has counted %d reports, and is finished: %t", id, stored.job.Counted, stored.job.Finished())
		}
		job := stored.job
		job.Quarantine = aggregator.Quarantine{At: why.At, Reason: why.Reason}
		if job.Pending && job.Step > 0 {
			// Where it was before the request. The request's answer is what the Leader has, or asks for no more.
			job.Step--
			job.RequestDigest = [32]byte{}
		}
		job.Pending, job.Request, job.Attempts = false, nil, 0
		return &job, nil
	})
}

// ReleaseHelperJob implements aggregator.HelperStore.
func (h *Helper) ReleaseHelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) error {
	return h.changeHelperJob(ctx, task, id, 0, func(sp *space, stored *storedHelperJob) (*aggregator.HelperJob, error) {
		if !stored.job.Quarantined() {
			return nil, nil
		}
		if len(stored.job.Reports) == 0 { // its first request was not computed
			return nil, sp.deleteHelperJob(stored)
		}
		job := stored.job
		job.Quarantine, job.LastError = aggregator.Quarantine{}, ""
		return &job, nil
	})
}
