package store

import (
	"context"
	"fmt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// helperJobRecord is an aggregator.HelperJob.
type helperJobRecord struct {
	// Ordinal numbers a task's jobs; bucketPending lists by it those that are to be computed.
	Ordinal       uint64               `cbor:"1,keyasint"`
	AggParam      []byte               `cbor:"2,keyasint"`
	BatchID       []byte               `cbor:"3,keyasint"`
	Step          uint16               `cbor:"4,keyasint"`
	RequestDigest []byte               `cbor:"5,keyasint"`
	Pending       bool                 `cbor:"6,keyasint"`
	Request       []byte               `cbor:"7,keyasint"`
	Response      []byte               `cbor:"8,keyasint"`
	Reports       []helperReportRecord `cbor:"9,keyasint"`
	CreatedAt     int64                `cbor:"10,keyasint"`
	// Last is the newest time of the job's reports; bucketJobTimes lists the jobs by it.
	Last uint64 `cbor:"11,keyasint,omitempty"`
	// Since version 2:
	Counted          uint64 `cbor:"12,keyasint,omitempty"`
	Attempts         uint32 `cbor:"13,keyasint,omitempty"`
	LastError        string `cbor:"14,keyasint,omitempty"`
	QuarantinedAt    int64  `cbor:"15,keyasint,omitempty"`
	QuarantineReason string `cbor:"16,keyasint,omitempty"`
	// Deleted: the job was finished, and nothing but its ID is known any more.
	Deleted bool `cbor:"17,keyasint,omitempty"`
	// Batch is the ordinal of the leader-selected batch that the job is one of the Jobs of; 0: of none.
	Batch uint64 `cbor:"18,keyasint,omitempty"`
}

// helperReportRecord is an aggregator.HelperReport.
type helperReportRecord struct {
	_     struct{} `cbor:",toarray"`
	ID    []byte
	Time  uint64
	State []byte
}

func newHelperJobRecord(job *aggregator.HelperJob, ordinal uint64) *helperJobRecord {
	r := &helperJobRecord{
		Ordinal: ordinal, AggParam: job.AggParam, BatchID: job.BatchID[:], Step: job.Step, RequestDigest: job.RequestDigest[:],
		Pending: job.Pending, Request: job.Request, Response: job.Response, CreatedAt: stamp(job.CreatedAt),
		Reports: make([]helperReportRecord, len(job.Reports)),
		Counted: job.Counted, Attempts: job.Attempts, LastError: job.LastError,
		QuarantinedAt: stamp(job.Quarantine.At), QuarantineReason: job.Quarantine.Reason,
	}
	for i := range job.Reports {
		report := &job.Reports[i]
		r.Reports[i] = helperReportRecord{ID: report.ID[:], Time: uint64(report.Time), State: report.State}
	}
	return r
}

// storedHelperJob is a Helper's job within a transaction.
type storedHelperJob struct {
	record *helperJobRecord
	job    aggregator.HelperJob
}

func (sp *space) decodeHelperJob(key, encoded []byte) (*storedHelperJob, error) {
	b := sp.sub(bucketJobs)
	var r helperJobRecord
	if err := decodeRecord(encoded, &r); err != nil {
		return nil, b.damaged(key, "%v", err)
	}
	job := aggregator.HelperJob{
		Task: sp.task, AggParam: r.AggParam, Step: r.Step, Pending: r.Pending,
		Request: r.Request, Response: r.Response, CreatedAt: unstamp(r.CreatedAt),
		Newest: dap.Time(r.Last), Counted: r.Counted, Attempts: r.Attempts, LastError: r.LastError,
		Quarantine: aggregator.Quarantine{At: unstamp(r.QuarantinedAt), Reason: r.QuarantineReason},
	}
	err := firstError(
		copyExactly("aggregation job ID", job.ID[:], key),
		copyExactly("batch ID", job.BatchID[:], r.BatchID),
		copyExactly("request digest", job.RequestDigest[:], r.RequestDigest),
	)
	if len(r.Reports) > 0 {
		job.Reports = make([]aggregator.HelperReport, len(r.Reports))
	}
	for i := range r.Reports {
		report := &r.Reports[i]
		job.Reports[i] = aggregator.HelperReport{Time: dap.Time(report.Time), State: report.State}
		err = firstError(err, copyExactly("report ID", job.Reports[i].ID[:], report.ID))
	}
	if err == nil && (r.Ordinal == 0 || r.Pending == (r.Request == nil)) {
		err = fmt.Errorf("ordinal %d, pending %t, a request of %d bytes", r.Ordinal, r.Pending, len(r.Request))
	}
	if err != nil {
		return nil, b.damaged(key, "%v", err)
	}
	return &storedHelperJob{&r, job}, nil
}

// helperJob reads a job; nil if there is none. One that was finished and then deleted is aggregator.ErrNotFound.
func (sp *space) helperJob(id dap.AggregationJobID) (*storedHelperJob, error) {
	encoded := sp.sub(bucketJobs).get(id[:])
	if encoded == nil {
		return nil, nil
	}
	stored, err := sp.decodeHelperJob(id[:], encoded)
	if err == nil && stored.record.Deleted {
		return nil, about(aggregator.ErrNotFound, "aggregation job %s was deleted", id)
	}
	return stored, err
}

// needHelperJob is helperJob with aggregator.ErrNotFound.
func (sp *space) needHelperJob(id dap.AggregationJobID) (*storedHelperJob, error) {
	stored, err := sp.helperJob(id)
	if err == nil && stored == nil {
		err = about(aggregator.ErrNotFound, "aggregation job %s", id)
	}
	return stored, err
}

// listHelperJob lists a job by the time of its newest report.
func (sp *space) listHelperJob(id dap.AggregationJobID, last uint64) error {
	return sp.sub(bucketJobTimes).put(append(be64(last), id[:]...), []byte{})
}

func (sp *space) unlistHelperJob(id dap.AggregationJobID, last uint64) error {
	return sp.sub(bucketJobTimes).delete(append(be64(last), id[:]...))
}

// putHelperJob stores a job under its ordinal, which a new one gets, and lists it
// among the pending ones or not, and by the time of its newest report: last if that is newer
// than those it had and those it still verifies.
func (sp *space) putHelperJob(job *aggregator.HelperJob, stored *storedHelperJob, last dap.Time) error {
	jobs, pending := sp.sub(bucketJobs), sp.sub(bucketPending)
	var ordinal uint64
	var err error
	if stored != nil {
		ordinal = stored.record.Ordinal
	} else if ordinal, err = jobs.next(); err != nil {
		return err
	}
	id := job.ID
	record := newHelperJobRecord(job, ordinal)
	last = max(last, job.Newest)
	for i := range job.Reports {
		last = max(last, job.Reports[i].Time)
	}
	record.Last = uint64(last)
	if stored != nil {
		record.Last, record.Batch = max(record.Last, stored.record.Last), stored.record.Batch
	}
	if err := sp.enterBatch(job, record); err != nil {
		return err
	}
	if err := jobs.put(id[:], encodeRecord(record)); err != nil {
		return err
	}
	if stored == nil || stored.record.Last != record.Last {
		if stored != nil {
			if err := sp.unlistHelperJob(id, stored.record.Last); err != nil {
				return err
			}
		}
		if err := sp.listHelperJob(id, record.Last); err != nil {
			return err
		}
	}
	switch wasPending := stored != nil && stored.record.Pending; {
	case job.Pending && !wasPending:
		return pending.put(be64(ordinal), id[:])
	case !job.Pending && wasPending:
		return pending.delete(be64(ordinal))
	}
	return nil
}

// CreateHelperJob implements aggregator.HelperStore.
func (h *Helper) CreateHelperJob(ctx context.Context, job aggregator.HelperJob) (stored aggregator.HelperJob, created bool, err error) {
	if !job.Pending || len(job.Request) == 0 || job.Response != nil || job.Step != 0 {
		return stored, false, inputError("aggregation job", "a new job must be pending at step 0, with its request")
	}
	err = h.update(ctx, len(job.Request), func(t *txn) error {
		stored, created = job, true
		sp, err := t.space(job.Task)
		if err != nil {
			return err
		}
		existing, err := sp.helperJob(job.ID)
		if err != nil {
			return err
		}
		if existing != nil {
			stored, created = existing.job, false
			return nil
		}
		return sp.putHelperJob(&job, nil, 0)
	})
	if err != nil {
		return aggregator.HelperJob{}, false, err
	}
	return stored, created, nil
}

// HelperJob implements aggregator.HelperStore.
func (h *Helper) HelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) (job aggregator.HelperJob, err error) {
	err = h.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		stored, err := sp.needHelperJob(id)
		if err == nil {
			job = stored.job
		}
		return err
	})
	return job, err
}

// PendingHelperJobs implements aggregator.HelperStore.
func (h *Helper) PendingHelperJobs(ctx context.Context) ([]aggregator.HelperJob, error) {
	var all []ordered[aggregator.HelperJob]
	err := h.view(ctx, func(t *txn) error {
		return t.eachSpace(func(sp *space) error {
			pending := sp.sub(bucketPending)
			return pending.each(func(ordinal, id []byte) error {
				encoded := sp.sub(bucketJobs).get(id)
				if encoded == nil {
					return pending.damaged(ordinal, "its aggregation job is missing")
				}
				stored, err := sp.decodeHelperJob(id, encoded)
				if err != nil {
					return err
				}
				all = append(all, ordered[aggregator.HelperJob]{uint64(stored.record.CreatedAt), stored.job})
				return nil
			})
		})
	})
	if err != nil {
		return nil, err
	}
	return inOrder(all), nil
}

// SetHelperRequest implements aggregator.HelperStore. The same request again is no error.
func (h *Helper) SetHelperRequest(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, step uint16, digest [32]byte, request []byte) error {
	if step == 0 || len(request) == 0 {
		return inputError("aggregation job", "a request of %d bytes for step %d", len(request), step)
	}
	return h.update(ctx, len(request), func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		stored, err := sp.needHelperJob(id)
		if err != nil {
			return err
		}
		if stored.job.Step == step && stored.job.Pending && stored.job.RequestDigest == digest {
			return nil
		}
		if stored.job.Pending || stored.job.Step != step-1 || stored.job.Quarantined() {
			return about(aggregator.ErrConflict, "aggregation job %s is not ready at step %d", id, step-1)
		}
		job := stored.job
		job.Step, job.RequestDigest = step, digest
		job.Pending, job.Request, job.Response = true, request, nil
		job.Attempts, job.LastError = 0, ""
		return sp.putHelperJob(&job, stored, 0)
	})
}

// DeleteHelperJob implements aggregator.HelperStore.
func (h *Helper) DeleteHelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) error {
	return h.update(ctx, 0, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		stored, err := sp.needHelperJob(id)
		if err != nil {
			return err
		}
		if stored.job.Finished() {
			return sp.markDeleted(stored)
		}
		return sp.deleteHelperJob(stored)
	})
}

func (sp *space) deleteHelperJob(stored *storedHelperJob) error {
	id := stored.job.ID
	if stored.job.Pending {
		if err := sp.sub(bucketPending).delete(be64(stored.record.Ordinal)); err != nil {
			return err
		}
	}
	return firstError(
		sp.leaveBatch(&stored.job, stored.record),
		sp.unlistHelperJob(id, stored.record.Last),
		sp.sub(bucketJobs).delete(id[:]),
	)
}
