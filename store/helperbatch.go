package store

import (
	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// A Helper's leader-selected batch lives for as long as the Leader may collect it, however old its reports are; and
// so long the Leader may ask again for the answer to a job that has counted reports in it. Without that
// answer the two sides would differ in a batch that goes on. So neither a batch goes before the Leader has deleted its jobs,
// which it does with those that it has finished, nor such a job before its batch is collected.

// enterBatch counts a job with its leader-selected batch, once it has counted reports there.
func (sp *space) enterBatch(job *aggregator.HelperJob, record *helperJobRecord) error {
	if sp.mode != dap.BatchModeLeaderSelected || job.Counted == 0 || record.Batch != 0 {
		return nil
	}
	r, err := sp.batch(job.BatchID)
	if err != nil || r == nil {
		return err
	}
	record.Batch = r.Ordinal
	r.Jobs++
	return sp.putBatch(job.BatchID, r)
}

// leaveBatch ends what enterBatch began. The record is not stored.
func (sp *space) leaveBatch(job *aggregator.HelperJob, record *helperJobRecord) error {
	ordinal := record.Batch
	if ordinal == 0 {
		return nil
	}
	record.Batch = 0
	r, err := sp.batch(job.BatchID)
	if err != nil || r == nil || r.Ordinal != ordinal {
		return err // the batch is gone
	}
	if r.Jobs == 0 {
		return sp.sub(bucketBatches).damaged(job.BatchID[:], "it has no aggregation jobs, and one of them ends")
	}
	r.Jobs--
	return sp.putBatch(job.BatchID, r)
}

// answerNeeded tells whether the Leader may need the answer of a Helper's job that counted reports in a batch that is
// not collected yet.
func (sp *space) answerNeeded(stored *storedHelperJob) (bool, error) {
	if stored.record.Batch == 0 {
		return false, nil
	}
	r, err := sp.batch(stored.job.BatchID)
	return r != nil && r.Ordinal == stored.record.Batch && r.Hold != holdCollected, err
}
