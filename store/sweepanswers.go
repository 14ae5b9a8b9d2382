package store

import (
	"bytes"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// helperJobs deletes a Helper's aggregation jobs whose reports are all below the floor, but for those whose answers
// the Leader may need.
func (w *sweep) helperJobs() error {
	past, err := w.sp.pastHelperJobs(w.floor, w.left, w.limits.Ended)
	if err != nil {
		return err
	}
	for _, key := range past {
		stored, err := w.sp.listedHelperJob(key)
		if err != nil {
			return err
		}
		if err := w.sp.deleteHelperJob(stored); err != nil {
			return err
		}
		w.swept.Jobs++
		w.left--
	}
	return nil
}

// pastHelperJobs finds at most limit of a Helper's aggregation jobs that can go, by their keys in bucketJobTimes.
// ended: nothing is needed any more.
func (sp *space) pastHelperJobs(floor dap.Time, limit int, ended bool) (past [][]byte, err error) {
	err = sp.sub(bucketJobTimes).between(be64(0), be64(uint64(floor)), func(key, _ []byte) (bool, error) {
		stored, err := sp.listedHelperJob(key)
		if err != nil {
			return false, err
		}
		needed, err := sp.answerNeeded(stored)
		if ended || !needed {
			past = append(past, bytes.Clone(key))
		}
		return len(past) < limit, err
	})
	return past, err
}

// listedHelperJob reads the job that an entry of bucketJobTimes lists.
func (sp *space) listedHelperJob(key []byte) (*storedHelperJob, error) {
	times := sp.sub(bucketJobTimes)
	if len(key) != 8+len(dap.AggregationJobID{}) {
		return nil, times.damaged(key, "it has %d bytes", len(key))
	}
	encoded := sp.sub(bucketJobs).get(key[8:])
	if encoded == nil {
		return nil, times.damaged(key, "its job is missing")
	}
	return sp.decodeHelperJob(key[8:], encoded)
}

// collections deletes a Leader's answers to Collectors that are too old.
func (w *sweep) collections() error {
	for _, id := range w.answers {
		encoded := w.sp.sub(bucketCollections).get(id)
		if w.left <= 0 || encoded == nil {
			continue
		}
		c, err := w.sp.decodeCollection(id, encoded)
		if err != nil {
			return err
		}
		if !c.isOld(w.limits.AnswersBefore) {
			continue
		}
		err = firstError(
			w.sp.sub(bucketCollections).delete(id),
			w.sp.sub(bucketRequests).delete(bytes.Clone(c.record.RequestDigest)),
		)
		if err != nil {
			return err
		}
		w.swept.Answers++
		w.left--
	}
	return nil
}

// isOld tells whether the job has had its answer since before t.
func (c *storedCollection) isOld(t time.Time) bool {
	return !c.record.unfinished() && max(c.record.CreatedAt, c.record.EndedAt) < stamp(t)
}

// shares deletes a Helper's answers that are too old.
func (w *sweep) shares() error {
	b := w.sp.sub(bucketShares)
	for _, id := range w.answers {
		if w.left <= 0 || b.get(id) == nil {
			continue
		}
		if err := b.delete(id); err != nil {
			return err
		}
		w.swept.Answers++
		w.left--
	}
	return nil
}
