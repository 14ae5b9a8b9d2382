package aggregator

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// stepCollection does what can be done for a collection job now. It returns how
// long to wait for an event before the next step, or that the job is over here.
func (l *Leader) stepCollection(b *background, run *collectionRun) (wait time.Duration, over bool) {
	err := l.settleCollection(run)
	if err == nil {
		err = l.checkFloor(run)
	}
	if err != nil {
		return l.collectionFailed(b, run, err)
	}
	if run.job.State == CollectionPending {
		wait, err = l.gatherBatch(run)
	} else {
		wait, over, err = l.collectBatch(b, run)
	}
	if err != nil {
		return l.collectionFailed(b, run, err)
	}
	return wait, over
}

// settleCollection reads a collection job again if it may not be as it is known: what was stored of it, though storing
// it seemed to fail, is what it goes on with. ErrNotFound tells that it is gone, or has its answer.
func (l *Leader) settleCollection(run *collectionRun) error {
	if !run.uncertain {
		return nil
	}
	stored, err := l.store.CollectionJob(run.ctx, run.job.Task, run.job.ID)
	if err == nil && (stored.State == CollectionFinished || stored.State == CollectionFailed) {
		err = ErrNotFound
	}
	if err != nil {
		return err
	}
	stored.Attempts = max(stored.Attempts, run.job.Attempts)
	run.job, run.uncertain = stored, false
	if run.source != nil && stored.Batch.Mode == dap.BatchModeLeaderSelected && stored.Batch.BatchID != (dap.BatchID{}) {
		l.schedule.useBatch(run.source, stored.Batch.BatchID)
	}
	return nil
}

// checkFloor fails a collection job whose batch reaches below the task's floor: it counts as collected.
func (l *Leader) checkFloor(run *collectionRun) error {
	if run.job.Batch.Mode != dap.BatchModeTimeInterval {
		return nil
	}
	floor, err := l.store.Floor(run.ctx, run.job.Task)
	if err == nil && run.job.Batch.Interval.Start < floor {
		err = batchOverlap(run.job.Task)
	}
	return err
}

// gatherBatch waits until a batch has enough reports, and closes it.
func (l *Leader) gatherBatch(run *collectionRun) (wait time.Duration, err error) {
	if err := l.checkPrivacy(run.ctx, run.task, 0); err != nil {
		return 0, err // before it takes a batch
	}
	if run.job.Batch.Mode == dap.BatchModeLeaderSelected && run.job.Batch.BatchID == (dap.BatchID{}) {
		if found, err := l.selectBatch(run); err != nil || !found {
			return collectionIdle, err
		}
	}
	aggregate, err := l.readBatch(run)
	if _, refused := errors.AsType[*dap.Error](err); refused {
		// That the batch is another's comes before what it was aggregated with.
		if err := l.store.ReserveBatch(run.ctx, run.job.Task, run.job.ID); err != nil {
			return 0, overlapOf(run.job.Task, err)
		}
	}
	if err != nil {
		return 0, err
	}
	if aggregate.Count >= run.task.Config.MinBatchSize {
		if err := l.checkPrivacy(run.ctx, run.task, aggregate.Count); err != nil {
			return 0, err
		}
		if err := l.store.CloseBatch(run.ctx, run.job.Task, run.job.ID); err != nil {
			return 0, overlapOf(run.job.Task, err)
		}
		run.job.State = CollectionClosed
		return 0, nil
	}
	if !run.task.eager {
		return collectionIdle, l.aggregateFor(run, aggregate.Count)
	}
	return collectionIdle, nil
}

// overlapOf turns the store's word for a batch that another collection job has, or that is collected,
// into the error with which the job fails.
func overlapOf(id dap.TaskID, err error) error {
	if errors.Is(err, ErrBatchOverlap) {
		return batchOverlap(id)
	}
	return err
}

// readBatch reads the batch of a collection job, and checks that it was
// aggregated with the job's parameter.
func (l *Leader) readBatch(run *collectionRun) (Aggregate, error) {
	aggregate, err := l.store.ReadBatch(run.ctx, run.job.Task, run.job.Batch, run.task.topology)
	if errors.Is(err, ErrConflict) {
		return aggregate, mixedParameters(run.job.Task)
	}
	if err == nil && aggregate.Count > 0 && !bytes.Equal(aggregate.AggParam, run.request.AggParam) {
		return aggregate, otherParameter(run.job.Task)
	}
	return aggregate, err
}

// selectBatch assigns a leader-selected collection job its batch: the oldest one that is full, without pending
// reports and, where it matters, aggregated with the job's parameter. One whose collection has failed comes after
// the others, so that it does not stand before them for ever. Where aggregation is not eager, one that is to be
// filled comes next, and a new one may have to be begun.
func (l *Leader) selectBatch(run *collectionRun) (found bool, err error) {
	full, filling, err := l.usableBatches(run)
	if err != nil {
		return false, err
	}
	for _, o := range slices.Concat(full, filling) {
		if assigned, err := l.assignBatch(run, o.BatchID); assigned || err != nil {
			return assigned, err
		}
	}
	if run.task.eager {
		return false, nil
	}
	return l.beginBatch(run)
}

// usableBatches returns the batches that a leader-selected collection job can have: the full ones in the order in which
// they are to be tried, and, unless aggregation is eager, those that it could fill.
func (l *Leader) usableBatches(run *collectionRun) (full, filling []OpenBatch, err error) {
	open, err := l.store.OpenBatches(run.ctx, run.job.Task)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range open {
		if o.InJobs > 0 || o.Count == 0 || o.rests(l.now()) {
			continue
		}
		isFull := o.Count >= run.task.Config.MinBatchSize
		if !isFull && (o.Closed || run.task.eager) {
			continue
		}
		if !run.task.eager {
			aggregate, err := l.store.ReadBatch(run.ctx, run.job.Task, Batch{Mode: run.job.Batch.Mode, BatchID: o.BatchID}, run.task.topology)
			if err != nil {
				return nil, nil, err
			}
			if !bytes.Equal(aggregate.AggParam, run.request.AggParam) {
				continue
			}
		}
		if isFull {
			full = append(full, o)
		} else {
			filling = append(filling, o)
		}
	}
	slices.SortStableFunc(full, func(a, b OpenBatch) int { return cmp.Compare(a.Failures, b.Failures) })
	return full, filling, nil
}

const (
	// batchRest is for how long a leader-selected batch whose collection has failed is not tried
	// again. It doubles with each failure, up to maxBatchRest.
	batchRest    = time.Minute
	maxBatchRest = 24 * time.Hour
)

// rests tells whether the batch is not to be tried yet, as its collection has failed a short while ago.
func (o *OpenBatch) rests(now time.Time) bool {
	if o.Failures == 0 {
		return false
	}
	rest := min(batchRest<<min(o.Failures-1, 20), maxBatchRest)
	passed := now.Sub(o.FailedAt)
	return passed >= 0 && passed < rest
}

// assignBatch assigns a batch, unless another collection has taken it in the meantime.
func (l *Leader) assignBatch(run *collectionRun, batch dap.BatchID) (assigned bool, err error) {
	err = l.store.AssignBatch(run.ctx, run.job.Task, run.job.ID, batch)
	if errors.Is(err, ErrBatchOverlap) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	run.job.Batch.BatchID = batch
	if run.source != nil {
		l.schedule.useBatch(run.source, batch)
	}
	return true, nil
}

// beginBatch makes aggregation jobs with a new batch for a collection job, which
// gets the batch as soon as the first of them is stored.
func (l *Leader) beginBatch(run *collectionRun) (found bool, err error) {
	if batch, ok := l.schedule.batchOf(run.source); ok {
		found, err := l.assignBatch(run, batch)
		if errors.Is(err, ErrNotFound) { // not stored yet, or the collection job is gone, which shows later
			return false, nil
		}
		return found, err
	}
	waiting, err := l.store.WaitingTasks(run.ctx)
	if err != nil {
		return false, err
	}
	if n := waiting[run.job.Task]; n >= run.task.Config.MinBatchSize {
		l.schedule.request(run.source, n, 0)
	}
	return false, nil
}

// aggregateFor makes aggregation jobs with the collection job's parameter, once
// enough reports are there. counted is how many its batch has already.
func (l *Leader) aggregateFor(run *collectionRun, counted uint64) error {
	if l.schedule.hasLeftovers(run.job.Task) {
		return nil
	}
	waiting, inJobs, err := l.store.PendingReports(run.ctx, run.job.Task, run.job.Batch)
	if err != nil {
		return err
	}
	if run.job.Batch.Mode == dap.BatchModeLeaderSelected {
		all, err := l.store.WaitingTasks(run.ctx)
		if err != nil {
			return err
		}
		waiting = all[run.job.Task]
	}
	if waiting > 0 && (run.job.State == CollectionClosed || counted+waiting+inJobs >= run.task.Config.MinBatchSize) {
		// What is aggregated with this job's parameter is of no use to another.
		if err := l.store.ReserveBatch(run.ctx, run.job.Task, run.job.ID); err != nil {
			return overlapOf(run.job.Task, err)
		}
		l.schedule.request(run.source, waiting, counted)
	}
	return nil
}

// collectBatch lets the pending reports of a closed batch come to their end, and
// then obtains the Helper's aggregate share (DAP Section 4.6.4).
func (l *Leader) collectBatch(b *background, run *collectionRun) (wait time.Duration, over bool, err error) {
	waiting, inJobs, err := l.store.PendingReports(run.ctx, run.job.Task, run.job.Batch)
	if err != nil {
		return 0, false, err
	}
	if waiting > 0 {
		if run.task.eager {
			l.schedule.hurry(run.task, waiting)
		} else if err := l.aggregateFor(run, 0); err != nil {
			return 0, false, err
		}
	}
	if waiting+inJobs > 0 {
		return collectionIdle, false, nil
	}
	aggregate, err := l.readBatch(run)
	if err != nil {
		return 0, false, err
	}
	if aggregate.Count < run.task.Config.MinBatchSize {
		return 0, false, batchTooSmall(run.task, aggregate.Count) // a closed batch gets no more reports
	}
	if err := l.checkPrivacy(run.ctx, run.task, aggregate.Count); err != nil {
		return 0, false, err // before the Helper pays for it
	}
	reply, err := l.askForShare(run, aggregate)
	if err != nil {
		return 0, false, err
	}
	if reply.Location != "" {
		run.job.HelperLocation = reply.Location
	}
	if !reply.Ready {
		return l.shareDeferred(run, reply)
	}
	return 0, true, l.finishCollection(b, run, aggregate, reply.Body)
}

// askForShare sends the AggregateShareReq, the same bytes each time, or polls.
func (l *Leader) askForShare(run *collectionRun, aggregate Aggregate) (PeerReply, error) {
	t := run.task
	if run.polling {
		return l.peer.PollAggregateShare(run.ctx, &t.Task, run.job.HelperLocation)
	}
	req := dap.AggregateShareReq{
		CollectionJobReq: run.request, ReportCount: aggregate.Count, Checksum: aggregate.Checksum,
		BatchSelector: dap.NewTimeIntervalBatchSelector(run.job.Batch.Interval),
	}
	if run.job.Batch.Mode == dap.BatchModeLeaderSelected {
		req.BatchSelector = dap.NewLeaderSelectedBatchSelector(run.job.Batch.BatchID)
	}
	encoded, err := req.Encode()
	if err != nil {
		return PeerReply{}, err
	}
	return l.peer.CreateAggregateShare(run.ctx, &t.Task, encoded)
}

// shareDeferred remembers where to ask for the share of an asynchronous Helper.
func (l *Leader) shareDeferred(run *collectionRun, reply PeerReply) (wait time.Duration, over bool, err error) {
	if run.job.HelperLocation == "" {
		return 0, false, peerError(run.job.Task, dap.ErrorTypeInvalidMessage, "the Helper defers the aggregate share and does not say where it is")
	}
	run.polling = true
	return l.pollAfter(reply.RetryAfter), false, l.store.UpdateCollectionJob(run.ctx, run.job)
}

// finishCollection seals the Leader's share and stores the answer, which is
// the same from then on. In a task with differential privacy the share gets its noise here: the transaction that stores the
// answer makes the batch collected and charges the ledger, and nobody can see the answer before. If it fails, or the
// Leader ends before, the noise is gone, and nothing was released with it.
func (l *Leader) finishCollection(b *background, run *collectionRun, aggregate Aggregate, body []byte) error {
	t := run.task
	share, err := dap.DecodeAggregateShare(body)
	if err != nil {
		return peerError(t.ID, dap.ErrorTypeInvalidMessage, "the Helper's aggregate share is malformed: %v", err)
	}
	noised, err := t.noised(run.ctx, aggregate.Share)
	if err != nil {
		return err
	}
	sealed, err := dap.SealAggregateShare(t.CollectorHpkeConfig, dap.RoleLeader, dap.AggregateShareAad{
		TaskID: t.ID, TaskConfiguration: t.EncodedConfig, CollectionJobReq: run.request,
	}, noised)
	if err != nil {
		return err
	}
	done := run.job
	done.Response, err = dap.CollectionJobResp{
		ReportCount: aggregate.Count, Interval: aggregate.Interval,
		LeaderEncryptedAggShare: sealed, HelperEncryptedAggShare: share.EncryptedAggregateShare,
	}.Encode()
	if err != nil {
		return err
	}
	done.State, done.EndedAt = CollectionFinished, l.now().UTC()
	err = l.withStore(b, func() error { return l.store.FinishCollectionJob(run.ctx, done, aggregate.Count, aggregate.Checksum) })
	if err != nil {
		return overlapOf(t.ID, privacyRefusal(t.ID, err))
	}
	run.job = done
	l.metrics.collections.WithLabelValues("finished").Inc()
	l.log.Info("collection job finished", "task", t.ID, "job", done.ID, "reports", aggregate.Count)
	return nil
}

// collectionFailed decides what an error means for a collection job: the job
// fails with an error that a peer may see, and everything else is tried again.
func (l *Leader) collectionFailed(b *background, run *collectionRun, cause error) (wait time.Duration, over bool) {
	if run.ctx.Err() != nil || errors.Is(cause, ErrNotFound) {
		return 0, true // the Leader stops, or the job was deleted
	}
	run.uncertain = run.uncertain || errors.Is(cause, ErrConflict) || errors.Is(cause, ErrUnavailable)
	if l.reactivateQuarantined(b, run, cause) {
		return collectionIdle, false
	}
	if e, ok := errors.AsType[*PeerError](cause); ok && run.polling && (judge(e) == giveUp || e.Status == statusNotFound) {
		run.polling = false // the Helper knows nothing of it any more; the request creates it anew
		return l.config.PollInterval, false
	}
	switch judge(cause) {
	case giveUp:
		if err := l.failCollection(b, run, cause); err == nil {
			return 0, true
		}
		wait = l.backoff(run.job.Attempts, nil)
	case tryLater:
		wait = l.config.SlowBackoff
	default:
		wait = l.backoff(run.job.Attempts, cause)
	}
	run.job.Attempts++
	run.job.NextAttempt, run.job.LastError = l.now().Add(wait).UTC(), cause.Error()
	l.log.Warn("a collection job will be tried again", "task", run.job.Task, "job", run.job.ID, "wait", wait, "error", cause)
	if err := l.store.UpdateCollectionJob(run.ctx, run.job); err != nil && run.ctx.Err() == nil {
		l.log.Warn("a failed attempt could not be recorded", "task", run.job.Task, "job", run.job.ID, "error", err)
	}
	return wait, false
}

// failCollection stores the error that the Collector gets from now on.
func (l *Leader) failCollection(b *background, run *collectionRun, cause error) error {
	failure, ok := errors.AsType[*dap.Error](cause)
	if ok {
		failure = failure.InTask(run.job.Task)
	} else {
		failure = peerError(run.job.Task, dap.ErrorTypeInvalidMessage, "the Helper refused the request for its aggregate share")
	}
	failed := run.job
	failed.State, failed.Failure, failed.EndedAt = CollectionFailed, failure, l.now().UTC()
	if err := l.withStore(b, func() error { return l.store.FailCollectionJob(run.ctx, failed) }); err != nil {
		return err
	}
	run.job = failed
	l.metrics.collections.WithLabelValues("failed").Inc()
	l.log.Error("collection job failed", "task", run.job.Task, "job", run.job.ID, "error", cause)
	return nil
}
