package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// jobRecord is an aggregator.AggregationJob. Its reports stand beside it, in
// bucketJobReports.
type jobRecord struct {
	// Ordinal numbers a task's jobs as they are made; bucketActive lists the active ones by it.
	Ordinal        uint64   `cbor:"1,keyasint"`
	AggParam       []byte   `cbor:"2,keyasint"`
	BatchID        []byte   `cbor:"3,keyasint"`
	Collection     []byte   `cbor:"4,keyasint"`
	State          uint8    `cbor:"5,keyasint"`
	Step           uint16   `cbor:"6,keyasint"`
	RequestDigest  []byte   `cbor:"7,keyasint"`
	States         [][]byte `cbor:"8,keyasint"`
	HelperLocation string   `cbor:"9,keyasint"`
	CreatedAt      int64    `cbor:"10,keyasint"`
	Attempts       uint32   `cbor:"11,keyasint"`
	NextAttempt    int64    `cbor:"12,keyasint"`
	LastError      string   `cbor:"13,keyasint"`
	// Since version 2:
	Restarts         uint32 `cbor:"14,keyasint,omitempty"`
	Reactivations    uint32 `cbor:"15,keyasint,omitempty"`
	QuarantinedAt    int64  `cbor:"16,keyasint,omitempty"`
	QuarantineReason string `cbor:"17,keyasint,omitempty"`
	NotCounted       bool   `cbor:"18,keyasint,omitempty"` // by the Helper, of a job in quarantine
}

func newJobRecord(job *aggregator.AggregationJob, ordinal uint64) *jobRecord {
	return &jobRecord{
		Ordinal: ordinal, AggParam: job.AggParam, BatchID: job.BatchID[:], Collection: job.Collection[:],
		State: uint8(job.State), Step: job.Step, RequestDigest: job.RequestDigest[:], States: job.States,
		HelperLocation: job.HelperLocation, CreatedAt: stamp(job.CreatedAt), Attempts: job.Attempts,
		NextAttempt: stamp(job.NextAttempt), LastError: job.LastError,
		Restarts: job.Restarts, Reactivations: job.Reactivations,
		QuarantinedAt: stamp(job.Quarantine.At), QuarantineReason: job.Quarantine.Reason,
		NotCounted: job.State == aggregator.JobQuarantined && !job.Quarantine.MayBeCounted,
	}
}

func (r *jobRecord) active() bool { return aggregator.JobState(r.State) == aggregator.JobActive }

// decodeJob decodes a job without its task, ID and reports.
func (b bucket) decodeJob(key, encoded []byte) (*jobRecord, aggregator.AggregationJob, error) {
	var r jobRecord
	var job aggregator.AggregationJob
	if err := decodeRecord(encoded, &r); err != nil {
		return nil, job, b.damaged(key, "%v", err)
	}
	job = aggregator.AggregationJob{
		AggParam: r.AggParam, State: aggregator.JobState(r.State), Step: r.Step, States: r.States,
		HelperLocation: r.HelperLocation, CreatedAt: unstamp(r.CreatedAt), Attempts: r.Attempts,
		NextAttempt: unstamp(r.NextAttempt), LastError: r.LastError,
		Restarts: r.Restarts, Reactivations: r.Reactivations,
	}
	if job.State == aggregator.JobQuarantined {
		job.Quarantine = aggregator.Quarantine{At: unstamp(r.QuarantinedAt), Reason: r.QuarantineReason, MayBeCounted: !r.NotCounted}
		if r.QuarantineReason == "" { // version 1 had one reason for all
			job.Quarantine.Reason = r.LastError
		}
	}
	err := firstError(
		copyExactly("aggregation job ID", job.ID[:], key),
		copyExactly("batch ID", job.BatchID[:], r.BatchID),
		copyExactly("collection job ID", job.Collection[:], r.Collection),
		copyExactly("request digest", job.RequestDigest[:], r.RequestDigest),
	)
	if err == nil && (r.Ordinal == 0 || (job.State != aggregator.JobActive && job.State != aggregator.JobQuarantined)) {
		err = fmt.Errorf("ordinal %d, state %d", r.Ordinal, r.State)
	}
	if err != nil {
		return nil, job, b.damaged(key, "%v", err)
	}
	return &r, job, nil
}

// member is a report of a job.
//
//	struct {
//	  uint64 sequence;
//	  waitingEntry report;
//	} member;
//
// A job's members are one list, in the job's order, which is stored in pieces.
type member struct {
	sequence uint64
	waitingEntry
}

const memberLength = 8 + waitingLength

func encodeMembers(members []member) []byte {
	b := make([]byte, 0, len(members)*memberLength)
	for i := range members {
		m := &members[i]
		b = binary.BigEndian.AppendUint64(b, m.sequence)
		b = binary.BigEndian.AppendUint64(b, uint64(m.time))
		b = append(b, m.id[:]...)
	}
	return b
}

func decodeMembers(b []byte) ([]member, error) {
	if len(b)%memberLength != 0 {
		return nil, fmt.Errorf("it has %d bytes, no multiple of %d", len(b), memberLength)
	}
	members := make([]member, len(b)/memberLength)
	for i := range members {
		entry := b[i*memberLength:]
		members[i].sequence = binary.BigEndian.Uint64(entry)
		var err error
		if members[i].waitingEntry, err = decodeWaiting(entry[8:memberLength]); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// members reads the reports of a job.
func (sp *space) members(job []byte) ([]member, error) {
	b := sp.sub(bucketJobReports)
	list, err := b.getPieces(job)
	if err != nil {
		return nil, err
	}
	if list == nil {
		return nil, b.damaged(job, "the job's list of reports is missing")
	}
	members, err := decodeMembers(list)
	if err != nil {
		return nil, b.damaged(job, "%v", err)
	}
	return members, nil
}

// putMembers stores the reports of a job. None of it may be there.
func (sp *space) putMembers(job []byte, members []member) error {
	b, list := sp.sub(bucketJobReports), encodeMembers(members)
	return b.putPieces(job, list, listPieces(len(list), len(job), b.pageSize()))
}

// deleteJob deletes a job's record and the list of its reports.
func (sp *space) deleteJob(id dap.AggregationJobID) error {
	return firstError(sp.sub(bucketJobs).delete(id[:]), sp.sub(bucketJobReports).deletePieces(id[:]))
}

// storedJob is a job within a transaction.
type storedJob struct {
	record  *jobRecord
	job     aggregator.AggregationJob
	members []member
}

// job reads a job with its members, or gives aggregator.ErrNotFound.
func (sp *space) job(id dap.AggregationJobID) (*storedJob, error) {
	jobs := sp.sub(bucketJobs)
	encoded := jobs.get(id[:])
	if encoded == nil {
		return nil, about(aggregator.ErrNotFound, "aggregation job %s", id)
	}
	return sp.decodeStoredJob(id[:], encoded)
}

func (sp *space) decodeStoredJob(id, encoded []byte) (*storedJob, error) {
	var s storedJob
	var err error
	if s.record, s.job, err = sp.sub(bucketJobs).decodeJob(id, encoded); err != nil {
		return nil, err
	}
	if s.members, err = sp.members(id); err != nil {
		return nil, err
	}
	s.job.Task = sp.task
	s.job.Reports = make([]uint64, len(s.members))
	for i := range s.members {
		s.job.Reports[i] = s.members[i].sequence
	}
	return &s, nil
}

// AggregationJobs implements aggregator.LeaderStore.
func (l *Leader) AggregationJobs(ctx context.Context) ([]aggregator.AggregationJob, error) {
	var all []ordered[aggregator.AggregationJob]
	err := l.view(ctx, func(t *txn) error {
		return t.eachSpace(func(sp *space) error {
			return sp.sub(bucketActive).each(func(ordinal, id []byte) error {
				s, err := sp.activeJob(ordinal, id)
				if err != nil {
					return err
				}
				// Jobs of several tasks are ordered by time, those of one by their ordinals too.
				all = append(all, ordered[aggregator.AggregationJob]{uint64(s.record.CreatedAt), s.job})
				return nil
			})
		})
	})
	if err != nil {
		return nil, err
	}
	return inOrder(all), nil
}

// activeJob reads a job that bucketActive lists.
func (sp *space) activeJob(ordinal, id []byte) (*storedJob, error) {
	active := sp.sub(bucketActive)
	if len(id) != len(dap.AggregationJobID{}) {
		return nil, active.damaged(ordinal, "it has %d bytes", len(id))
	}
	encoded := sp.sub(bucketJobs).get(id)
	if encoded == nil {
		return nil, active.damaged(ordinal, "job %s is missing", dap.AggregationJobID(id))
	}
	return sp.decodeStoredJob(id, encoded)
}

// JobReports implements aggregator.LeaderStore.
func (l *Leader) JobReports(ctx context.Context, task dap.TaskID, job dap.AggregationJobID) (reports []aggregator.StoredReport, err error) {
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		stored, err := sp.job(job)
		if err != nil {
			return err
		}
		bodies := sp.sub(bucketBodies)
		reports = make([]aggregator.StoredReport, len(stored.members))
		for i, m := range stored.members {
			if reports[i], err = bodies.report(m.sequence, m.waitingEntry); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return reports, nil
}

// sameReports tells whether the job has exactly these reports in this order.
func (s *storedJob) sameReports(sequences []uint64) bool {
	if len(sequences) != len(s.members) {
		return false
	}
	for i, m := range s.members {
		if m.sequence != sequences[i] {
			return false
		}
	}
	return true
}

// sameRecord tells whether the job's record is encoded as r would be.
func (s *storedJob) sameRecord(r *jobRecord) bool {
	return bytes.Equal(encodeRecord(s.record), encodeRecord(r))
}

// rejections maps sequence numbers to report errors.
type rejections map[uint64]dap.ReportError

func newRejections(rejected []aggregator.Rejection) (rejections, error) {
	r := make(rejections, len(rejected))
	for _, rejection := range rejected {
		if rejection.Error == 0 {
			return nil, inputError("rejection", "report %d has no report error", rejection.Sequence)
		}
		if _, twice := r[rejection.Sequence]; twice {
			return nil, inputError("rejection", "report %d is named twice", rejection.Sequence)
		}
		r[rejection.Sequence] = rejection.Error
	}
	return r, nil
}

// rejectReport ends a report that waits or is in a job; what listed it there is the caller's.
func (sp *space) rejectReport(m *member, reason dap.ReportError) error {
	ids, err := sp.reportIDs()
	if err != nil {
		return err
	}
	entry, at, err := ids.open(m)
	if err != nil {
		return err
	}
	return firstError(
		at.put(idEntry{state: idRejected, time: entry.time, error: reason}),
		sp.sub(bucketBodies).deletePieces(be64(m.sequence)),
	)
}

// changeInJobs changes the number of a leader-selected batch's reports in active jobs.
func (sp *space) changeInJobs(id dap.BatchID, change int64) error {
	if sp.mode != dap.BatchModeLeaderSelected || change == 0 {
		return nil
	}
	r, err := sp.batch(id)
	if err != nil {
		return err
	}
	if r == nil || int64(r.InJobs)+change < 0 {
		return sp.sub(bucketBatches).damaged(id[:], "it does not have the reports of its jobs")
	}
	r.InJobs = uint64(int64(r.InJobs) + change)
	return sp.putBatch(id, r)
}
