package store

import (
	"context"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// CreateAggregationJob implements aggregator.LeaderStore. A job that stands
// already with the same reports is no error, so that a call whose outcome is
// unknown can be made again.
func (l *Leader) CreateAggregationJob(ctx context.Context, job aggregator.AggregationJob, rejected []aggregator.Rejection) error {
	refused, err := newRejections(rejected)
	if err != nil {
		return err
	}
	if err := checkNewJob(&job, refused); err != nil {
		return err
	}
	size := (len(job.Reports) + len(rejected)) * 128
	return l.update(ctx, size, func(t *txn) error {
		sp, err := t.space(job.Task)
		if err != nil {
			return err
		}
		if done, err := sp.createdAlready(&job); done || err != nil {
			return err
		}
		open := rejected
		if len(job.Reports) == 0 {
			if open, err = sp.notEnded(rejected); err != nil {
				return err
			}
		}
		chosen, refusedMembers, err := sp.waitingMembers(job.Reports, open)
		if err != nil {
			return err
		}
		if err := sp.checkBatchTakesJob(&job, chosen); err != nil {
			return err
		}
		return sp.createJob(&job, chosen, refusedMembers, refused)
	})
}

func checkNewJob(job *aggregator.AggregationJob, refused rejections) error {
	if job.State != aggregator.JobActive {
		return inputError("aggregation job", "a new job's state must be active")
	}
	if job.Step == 0 && len(job.States) != 0 || job.Step != 0 && len(job.States) != len(job.Reports) {
		return inputError("aggregation job", "it has %d states for %d reports at step %d", len(job.States), len(job.Reports), job.Step)
	}
	seen := make(map[uint64]bool, len(job.Reports))
	for _, sequence := range job.Reports {
		if _, both := refused[sequence]; both || seen[sequence] {
			return inputError("aggregation job", "report %d is named twice", sequence)
		}
		seen[sequence] = true
	}
	return nil
}

// createdAlready tells whether the job stands with the same reports. Another
// job under the ID is aggregator.ErrExists.
func (sp *space) createdAlready(job *aggregator.AggregationJob) (bool, error) {
	encoded := sp.sub(bucketJobs).get(job.ID[:])
	if encoded == nil {
		return false, nil
	}
	stored, err := sp.decodeStoredJob(job.ID[:], encoded)
	if err != nil {
		return false, err
	}
	if !stored.sameReports(job.Reports) || !stored.sameRecord(newJobRecord(job, stored.record.Ordinal)) {
		return false, about(aggregator.ErrExists, "aggregation job %s", job.ID)
	}
	return true, nil
}

// notEnded leaves out the rejections of reports that have ended. A job of rejections alone leaves no
// record that it was there: the same call again finds its reports gone.
func (sp *space) notEnded(rejected []aggregator.Rejection) ([]aggregator.Rejection, error) {
	bodies := sp.sub(bucketBodies)
	var pending []aggregator.Rejection
	for _, r := range rejected {
		if bodies.hasPieces(be64(r.Sequence)) {
			pending = append(pending, r)
		} else if r.Sequence == 0 || r.Sequence > bodies.b.Sequence() {
			return nil, about(aggregator.ErrConflict, "report %d was never accepted", r.Sequence)
		}
	}
	return pending, nil
}

// waitingMembers reads the reports that a new job is made of and those that are
// rejected. If one of them waits no longer: aggregator.ErrConflict.
func (sp *space) waitingMembers(sequences []uint64, rejected []aggregator.Rejection) (chosen, refused []member, err error) {
	waiting := sp.sub(bucketWaiting)
	read := func(sequence uint64) (member, error) {
		key := be64(sequence)
		value := waiting.get(key)
		if value == nil {
			return member{}, about(aggregator.ErrConflict, "report %d does not wait", sequence)
		}
		entry, err := decodeWaiting(value)
		if err != nil {
			return member{}, waiting.damaged(key, "%v", err)
		}
		return member{sequence, entry}, nil
	}
	chosen = make([]member, len(sequences))
	for i, sequence := range sequences {
		if chosen[i], err = read(sequence); err != nil {
			return nil, nil, err
		}
	}
	refused = make([]member, len(rejected))
	for i := range rejected {
		if refused[i], err = read(rejected[i].Sequence); err != nil {
			return nil, nil, err
		}
	}
	return chosen, refused, nil
}

// checkBatchTakesJob gives aggregator.ErrConflict if a report's batch takes no
// more reports into jobs.
func (sp *space) checkBatchTakesJob(job *aggregator.AggregationJob, chosen []member) error {
	if len(chosen) == 0 {
		return nil
	}
	floor, err := sp.floor()
	if err != nil {
		return err
	}
	for i := range chosen {
		if chosen[i].time < floor {
			return about(aggregator.ErrConflict, "report %d is below the floor", chosen[i].sequence)
		}
	}
	if sp.mode == dap.BatchModeLeaderSelected {
		r, err := sp.batch(job.BatchID)
		if err != nil || r == nil {
			return err
		}
		ownCollection := job.Collection != dap.CollectionJobID{} && r.Hold == holdReserved && r.heldBy(job.Collection)
		if (r.Hold != 0 || r.Closed) && !ownCollection {
			return about(aggregator.ErrConflict, "batch %s takes no more reports", job.BatchID)
		}
		return nil
	}
	checked := make(map[dap.Time]bool)
	for i := range chosen {
		t := chosen[i].time
		if checked[t] {
			continue
		}
		checked[t] = true
		held, owner, err := sp.holdOf(aggregator.Batch{Mode: sp.mode, Interval: t.BatchBucket()})
		if err != nil {
			return err
		}
		if held == holdCollected {
			return about(aggregator.ErrConflict, "the batch bucket of report %d is collected", chosen[i].sequence)
		}
		if (job.Collection != dap.CollectionJobID{}) && (held != holdReserved || owner != job.Collection) {
			return about(aggregator.ErrConflict, "collection job %s has not reserved the batch bucket of report %d", job.Collection, chosen[i].sequence)
		}
	}
	return nil
}

// createJob writes what CreateAggregationJob has decided on.
func (sp *space) createJob(job *aggregator.AggregationJob, chosen, refused []member, reasons rejections) error {
	waiting := sp.sub(bucketWaiting).sequential()
	times := make(timeDeltas)
	for i := range chosen {
		times.add(chosen[i].time, -1, 1)
		if err := waiting.delete(be64(chosen[i].sequence)); err != nil {
			return err
		}
	}
	sp.sub(bucketBodies).sequential()
	for i := range refused {
		times.add(refused[i].time, -1, 0)
		err := firstError(
			waiting.delete(be64(refused[i].sequence)),
			sp.rejectReport(&refused[i], reasons[refused[i].sequence]),
		)
		if err != nil {
			return err
		}
	}
	if err := sp.applyTimes(times); err != nil {
		return err
	}
	if len(chosen) > 0 {
		if err := sp.putNewJob(job, chosen); err != nil {
			return err
		}
	}
	if len(chosen)+len(refused) == 0 {
		return nil
	}
	return sp.changeLeaderCounters(func(c *leaderCounters) {
		c.Waiting -= uint64(len(chosen) + len(refused))
		c.InJobs += uint64(len(chosen))
		for i := range refused {
			c.reject(reasons[refused[i].sequence], 1)
		}
	})
}

func (sp *space) putNewJob(job *aggregator.AggregationJob, chosen []member) error {
	if err := sp.joinBatch(job, len(chosen)); err != nil {
		return err
	}
	jobs := sp.sub(bucketJobs)
	ordinal, err := jobs.next()
	if err != nil {
		return err
	}
	id := job.ID // keys and values must not change until the transaction has ended
	return firstError(
		jobs.put(id[:], encodeRecord(newJobRecord(job, ordinal))),
		sp.putMembers(id[:], chosen),
		sp.sub(bucketActive).sequential().put(be64(ordinal), id[:]),
	)
}

// joinBatch counts a new job's reports into its leader-selected batch, and makes the
// batch if it is new.
func (sp *space) joinBatch(job *aggregator.AggregationJob, n int) error {
	if sp.mode != dap.BatchModeLeaderSelected {
		return nil
	}
	r, err := sp.batch(job.BatchID)
	if err != nil {
		return err
	}
	if r == nil {
		if r, err = sp.newBatch(stamp(job.CreatedAt)); err != nil {
			return err
		}
		if err := sp.listOpen(job.BatchID, r); err != nil {
			return err
		}
	}
	r.InJobs += uint64(n)
	return sp.putBatch(job.BatchID, r)
}
