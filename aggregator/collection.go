package aggregator

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// CreateCollectionJob handles an encoded CollectionJobReq (DAP Section 4.6.1). A request that stands
// already gets the job that was created with it; if that has failed, its ID alone, and polling tells why.
// The same request again gives the same job in its current state. Its errors are a
// *dap.Error, also that with which the job has failed, ErrBusy and those of the store.
func (l *Leader) CreateCollectionJob(ctx context.Context, id dap.TaskID, body []byte) (CollectionStatus, error) {
	t, err := l.task(ctx, id)
	if err != nil {
		return CollectionStatus{}, err
	}
	req, err := dap.DecodeCollectionJobReq(body)
	if err != nil {
		return CollectionStatus{}, malformed(id, err)
	}
	batch, err := checkCollection(t, &req)
	if err != nil {
		return CollectionStatus{}, err
	}
	if err := dap.CheckCollectionJobExtensions(req.Extensions, knownCollectionExtension); err != nil {
		return CollectionStatus{}, inTask(err, id)
	}
	if l.collections.len() >= l.config.MaxCollections {
		return CollectionStatus{}, ErrBusy
	}
	job, created, err := l.store.CreateCollectionJob(ctx, CollectionJob{
		ID: dap.NewCollectionJobID(), Task: id, Request: bytes.Clone(body), RequestDigest: digestOf(body),
		Batch: batch, State: CollectionPending, CreatedAt: l.now().UTC(),
	})
	if errors.Is(err, ErrBatchOverlap) {
		return CollectionStatus{}, batchOverlap(id)
	}
	if err != nil {
		return CollectionStatus{}, err
	}
	if created {
		// A batch that was collected overlaps, whatever it was aggregated with: this comes second.
		err := l.checkParameter(ctx, t, &req, batch)
		if err == nil {
			err = l.checkPrivacy(ctx, t, 0)
		}
		if err != nil {
			return CollectionStatus{}, errors.Join(err, l.store.DeleteCollectionJob(ctx, id, job.ID))
		}
		l.metrics.collections.WithLabelValues("created").Inc()
		l.log.Info("collection job created", "task", id, "job", job.ID)
	}
	if job.State == CollectionFailed {
		// The job's location and state (DAP Section 4.6.1): it can be polled, which tells the failure, and deleted.
		return CollectionStatus{ID: job.ID, RetryAfter: time.Second}, nil
	}
	l.startCollection(t, job)
	return l.collectionStatus(job)
}

// checkCollection makes the checks that need only the request and the task, in
// the order of DAP Section 4.6.1, and returns the batch, which a leader-selected query leaves open.
func checkCollection(t *preparedTask, req *dap.CollectionJobReq) (Batch, error) {
	mode := t.Config.BatchMode
	if req.Query.BatchMode != mode {
		return Batch{}, peerError(t.ID, dap.ErrorTypeInvalidMessage, "the query's batch mode is %s; the task's is %s", req.Query.BatchMode, mode)
	}
	if err := t.topology.ValidAggParam(req.AggParam, nil); err != nil {
		return Batch{}, peerError(t.ID, dap.ErrorTypeInvalidAggregationParameter, "%v", err)
	}
	batch := Batch{Mode: mode}
	var err error
	if mode == dap.BatchModeTimeInterval {
		batch.Interval, err = req.Query.BatchInterval()
	} else {
		err = req.Query.CheckLeaderSelected()
	}
	return batch, inTask(err, t.ID)
}

// checkParameter checks that what is aggregated of the batch was aggregated with
// the requested parameter.
func (l *Leader) checkParameter(ctx context.Context, t *preparedTask, req *dap.CollectionJobReq, batch Batch) error {
	if t.eager || batch.Mode != dap.BatchModeTimeInterval {
		return nil // there is but one parameter; or the Leader selects a batch that has this one
	}
	aggregate, err := l.store.ReadBatch(ctx, t.ID, batch, t.topology)
	if errors.Is(err, ErrConflict) {
		return mixedParameters(t.ID)
	}
	if err != nil {
		return err
	}
	if aggregate.Count > 0 && !bytes.Equal(aggregate.AggParam, req.AggParam) {
		return otherParameter(t.ID)
	}
	return nil
}

// PollCollectionJob returns the state of a collection job (DAP Section 4.6.1).
// A job that has failed gives the *dap.Error of its failure; an unknown or deleted one is ErrNotFound.
func (l *Leader) PollCollectionJob(ctx context.Context, id dap.TaskID, jobID dap.CollectionJobID) (CollectionStatus, error) {
	if _, err := l.task(ctx, id); err != nil {
		return CollectionStatus{}, err
	}
	job, err := l.store.CollectionJob(ctx, id, jobID)
	if err != nil {
		return CollectionStatus{}, err
	}
	return l.collectionStatus(job)
}

func (l *Leader) collectionStatus(job CollectionJob) (CollectionStatus, error) {
	switch job.State {
	case CollectionFinished:
		return CollectionStatus{ID: job.ID, Ready: true, Body: job.Response}, nil
	case CollectionFailed:
		return CollectionStatus{}, job.Failure
	}
	return CollectionStatus{ID: job.ID, RetryAfter: l.config.CollectionRetryAfter}, nil
}

// DeleteCollectionJob forgets a collection job and its answer (DAP Section
// 4.6.3). A collected batch stays collected. An unknown job is ErrNotFound.
func (l *Leader) DeleteCollectionJob(ctx context.Context, id dap.TaskID, jobID dap.CollectionJobID) error {
	t, err := l.task(ctx, id)
	if err != nil {
		return err
	}
	if _, err := l.store.CollectionJob(ctx, id, jobID); err != nil {
		return err
	}
	if err := l.collections.cancel(ctx, id, jobID); err != nil {
		return err
	}
	job, err := l.store.CollectionJob(ctx, id, jobID)
	if err == nil {
		err = l.store.DeleteCollectionJob(ctx, id, jobID)
	}
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			l.startCollection(t, job)
		}
		return err
	}
	l.schedule.end(sourceKey{task: id, collection: jobID})
	l.metrics.collections.WithLabelValues("deleted").Inc()
	l.log.Info("collection job deleted", "task", id, "job", jobID)
	if job.State == CollectionFinished && job.HelperLocation != "" {
		l.deleteShareAtHelper(t, job.HelperLocation)
	}
	return nil
}

// deleteShareAtHelper lets the Helper know that it can forget its answer (DAP
// Section 4.6.5). That it fails does no harm.
func (l *Leader) deleteShareAtHelper(t *preparedTask, location string) {
	l.collections.inBackground(func(b *background) {
		ctx, cancel := context.WithTimeout(b.work, 10*time.Second)
		defer cancel()
		if err := l.peer.DeleteAggregateShare(ctx, &t.Task, location); err != nil {
			l.log.Info("an aggregate share could not be deleted at the Helper", "task", t.ID, "error", err)
		}
	})
}
