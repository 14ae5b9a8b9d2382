package store

import (
	"context"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// AdvanceAggregationJob implements aggregator.LeaderStore. The same call again is no error.
func (l *Leader) AdvanceAggregationJob(ctx context.Context, job aggregator.AggregationJob, rejected []aggregator.Rejection) error {
	reasons, err := newRejections(rejected)
	if err != nil {
		return err
	}
	if job.State != aggregator.JobActive {
		return inputError("aggregation job", "only an active job advances, not one in state %d", job.State)
	}
	if len(job.States) != 0 && len(job.States) != len(job.Reports) {
		return inputError("aggregation job", "it has %d states for %d reports", len(job.States), len(job.Reports))
	}
	size := len(job.Reports)*memberLength + len(rejected)*128
	for _, state := range job.States {
		size += len(state)
	}
	return l.update(ctx, size, func(t *txn) error {
		sp, err := t.space(job.Task)
		if err != nil {
			return err
		}
		stored, err := sp.job(job.ID)
		if err != nil {
			return err
		}
		return sp.advanceJob(stored, &job, reasons)
	})
}

func (sp *space) advanceJob(stored *storedJob, job *aggregator.AggregationJob, reasons rejections) error {
	record := newJobRecord(job, stored.record.Ordinal)
	if stored.sameReports(job.Reports) && stored.sameRecord(record) {
		return nil // done already; or nothing to do
	}
	if !stored.record.active() || stored.record.Step > job.Step || stored.record.Restarts != job.Restarts {
		return about(aggregator.ErrConflict, "aggregation job %s", job.ID)
	}
	kept, refused, err := stored.remaining(job, reasons)
	if err != nil {
		return err
	}
	return sp.putAdvanced(record, job, kept, refused, reasons)
}

// remaining parts a job's reports into those that remain, which must be job.Reports, and those that are rejected.
func (s *storedJob) remaining(job *aggregator.AggregationJob, reasons rejections) (kept, refused []member, err error) {
	if job.BatchID != s.job.BatchID {
		return nil, nil, inputError("aggregation job", "its batch cannot change")
	}
	kept, refused = s.split(reasons)
	if len(refused) != len(reasons) {
		return nil, nil, about(aggregator.ErrConflict, "a rejected report is not in aggregation job %s", job.ID)
	}
	if len(kept) != len(job.Reports) {
		return nil, nil, inputError("aggregation job", "it has %d reports, but %d remain", len(job.Reports), len(kept))
	}
	for i := range kept {
		if kept[i].sequence != job.Reports[i] {
			return nil, nil, inputError("aggregation job", "its reports are not those that remain")
		}
	}
	return kept, refused, nil
}

// split parts a job's reports into those that remain and those that are rejected.
func (s *storedJob) split(reasons rejections) (kept, refused []member) {
	for _, m := range s.members {
		if _, ok := reasons[m.sequence]; ok {
			refused = append(refused, m)
		} else {
			kept = append(kept, m)
		}
	}
	return kept, refused
}

func (sp *space) putAdvanced(record *jobRecord, job *aggregator.AggregationJob, kept, refused []member, reasons rejections) error {
	id := job.ID
	if err := sp.sub(bucketJobs).put(id[:], encodeRecord(record)); err != nil {
		return err
	}
	if len(refused) == 0 {
		return nil
	}
	if err := firstError(sp.sub(bucketJobReports).deletePieces(id[:]), sp.putMembers(id[:], kept)); err != nil {
		return err
	}
	times := make(timeDeltas)
	for i := range refused {
		times.add(refused[i].time, 0, -1)
		if err := sp.rejectReport(&refused[i], reasons[refused[i].sequence]); err != nil {
			return err
		}
	}
	if err := firstError(sp.applyTimes(times), sp.changeInJobs(job.BatchID, -int64(len(refused)))); err != nil {
		return err
	}
	return sp.changeLeaderCounters(func(c *leaderCounters) {
		c.InJobs -= uint64(len(refused))
		for i := range refused {
			c.reject(reasons[refused[i].sequence], 1)
		}
	})
}

// FinishAggregationJob implements aggregator.LeaderStore.
func (l *Leader) FinishAggregationJob(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, commits []aggregator.Commit, rejected []aggregator.Rejection, agg aggregator.Aggregator) error {
	reasons, err := newRejections(rejected)
	if err != nil {
		return err
	}
	f := finish{id: job, commits: make(map[uint64]*aggregator.Commit, len(commits)), reasons: reasons, agg: agg}
	for i := range commits {
		sequence := commits[i].Sequence
		if _, both := reasons[sequence]; both || f.commits[sequence] != nil {
			return inputError("commits", "report %d is named twice", sequence)
		}
		f.commits[sequence] = &commits[i]
	}
	// The sums are the costly part, and a job's reports do not change
	// unless by its own driver: they are added up before the transaction.
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		stored, err := sp.job(job)
		if err != nil {
			return err
		}
		return f.gather(sp, stored)
	})
	if err != nil {
		return err
	}
	for _, a := range f.additions {
		if err := a.sum(f.aggParam, agg); err != nil {
			return err
		}
	}
	return l.update(ctx, (len(commits)+len(rejected))*128, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		stored, err := sp.job(job)
		if err != nil {
			return err
		}
		return f.commit(sp, stored)
	})
}

// finish is one FinishAggregationJob.
type finish struct {
	id        dap.AggregationJobID
	commits   map[uint64]*aggregator.Commit
	reasons   rejections
	agg       aggregator.Aggregator
	aggParam  []byte
	members   []member
	additions map[aggregator.BucketID]*addition
}

// gather sorts the output shares into their buckets.
func (f *finish) gather(sp *space, stored *storedJob) error {
	if !stored.record.active() {
		return about(aggregator.ErrConflict, "aggregation job %s is in quarantine", f.id)
	}
	if len(stored.members) != len(f.commits)+len(f.reasons) {
		return inputError("commits", "%d commits and %d rejections for a job of %d reports", len(f.commits), len(f.reasons), len(stored.members))
	}
	floor, err := sp.floor()
	if err != nil {
		return err
	}
	f.aggParam, f.members = stored.job.AggParam, stored.members
	f.additions = make(map[aggregator.BucketID]*addition)
	for i := range stored.members {
		m := &stored.members[i]
		commit := f.commits[m.sequence]
		if commit == nil {
			if _, refused := f.reasons[m.sequence]; !refused {
				return inputError("commits", "report %d of the job is neither committed nor rejected", m.sequence)
			}
			continue
		}
		if sp.mode == dap.BatchModeTimeInterval && m.time < floor {
			// Its bucket counts as collected. A leader-selected batch goes on with it.
			delete(f.commits, m.sequence)
			f.reasons[m.sequence] = dap.ReportErrorReportDropped
			continue
		}
		if stored.job.Reactivations > 0 {
			// While the job was in quarantine its batch may have been collected without it.
			if late, err := sp.bucketCollected(m.time, stored.job.BatchID); err != nil {
				return err
			} else if late {
				delete(f.commits, m.sequence)
				f.reasons[m.sequence] = dap.ReportErrorBatchCollected
				continue
			}
		}
		id := sp.bucketID(m.time, stored.job.BatchID)
		a := f.additions[id]
		if a == nil {
			a = &addition{id: id}
			f.additions[id] = a
		}
		a.add(&m.id, m.time, commit.OutShare)
	}
	return nil
}

// commit ends the job, unless it has changed since gather.
func (f *finish) commit(sp *space, stored *storedJob) error {
	if !stored.record.active() {
		return about(aggregator.ErrConflict, "aggregation job %s is in quarantine", f.id)
	}
	if len(stored.members) != len(f.members) {
		return about(aggregator.ErrConflict, "aggregation job %s", f.id)
	}
	for i := range f.members {
		if f.members[i] != stored.members[i] {
			return about(aggregator.ErrConflict, "aggregation job %s", f.id)
		}
	}
	ordinal, err := f.checkBuckets(sp, stored)
	if err != nil {
		return err
	}
	for _, a := range f.additions {
		if err := sp.addToBucket(a, f.aggParam, f.agg); err != nil {
			return err
		}
	}
	if err := f.endReports(sp, ordinal); err != nil {
		return err
	}
	return firstError(
		sp.changeInJobs(stored.job.BatchID, -int64(len(f.members))),
		sp.deleteJob(f.id),
		sp.sub(bucketActive).delete(be64(stored.record.Ordinal)),
		sp.changeLeaderCounters(f.count),
	)
}

// checkBuckets makes sure that no bucket of the job is collected, which a pending
// report should have prevented. ordinal is that of the leader-selected batch, else 0.
func (f *finish) checkBuckets(sp *space, stored *storedJob) (ordinal uint64, err error) {
	if len(f.additions) == 0 {
		return 0, nil // nothing of a job that only rejects can reach a bucket
	}
	if sp.mode == dap.BatchModeLeaderSelected {
		r, err := sp.batch(stored.job.BatchID)
		if err != nil {
			return 0, err
		}
		if r == nil || r.Hold == holdCollected {
			return 0, sp.sub(bucketBatches).damaged(stored.job.BatchID[:], "the batch of a job is missing or collected")
		}
		return r.Ordinal, nil
	}
	floor, err := sp.floor()
	if err != nil {
		return 0, err
	}
	for id := range f.additions {
		collected, err := sp.collectedAt(id.Time)
		if err != nil {
			return 0, err
		}
		if id.Time < floor {
			return 0, about(aggregator.ErrConflict, "batch bucket %d is below the floor", uint64(id.Time))
		}
		if collected {
			return 0, about(aggregator.ErrConflict, "batch bucket %d is collected", uint64(id.Time))
		}
	}
	return 0, nil
}

// endReports remembers the job's report IDs and lets the bodies go.
func (f *finish) endReports(sp *space, ordinal uint64) error {
	ids, err := sp.reportIDs()
	if err != nil {
		return err
	}
	bodies := sp.sub(bucketBodies).sequential()
	times := make(timeDeltas)
	for i := range f.members {
		m := &f.members[i]
		times.add(m.time, 0, -1)
		if reason, refused := f.reasons[m.sequence]; refused {
			if err := sp.rejectReport(m, reason); err != nil {
				return err
			}
			continue
		}
		key := be64(m.sequence)
		pending, err := bodies.takePieces(key)
		if err == nil && !pending {
			err = bodies.damaged(key, "the body of a report in job %s is missing: it may be counted already", f.id)
		}
		if err == nil && !sp.leavesOpen() {
			err = ids.count(m, ordinal)
		}
		if err != nil {
			return err
		}
	}
	return sp.applyTimes(times)
}

func (f *finish) count(c *leaderCounters) {
	c.InJobs -= uint64(len(f.members))
	c.Aggregated += uint64(len(f.commits))
	for _, reason := range f.reasons {
		c.reject(reason, 1)
	}
}
