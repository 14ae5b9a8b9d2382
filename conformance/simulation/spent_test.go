package simulation

import (
	"context"
	"slices"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/store"
)

// A Helper keeps the aggregate shares that it has given for a while only. A batch whose share it has given and forgotten,
// while the Leader has not heard of it, is spent: it is collected at the Helper and can never be collected
// at the Leader. Every collection of it fails with batchOverlap, and its reports have come to their end.

// noteSpent notes since when, at the earliest, the batch buckets that the Helper has collected can be spent.
func (c *checker) noteSpent() {
	for id := range c.m.frozen[1] {
		if _, known := c.m.since[id]; !known {
			c.m.since[id] = c.m.checkedAt
		}
	}
	c.m.checkedAt = c.helper.clock()
}

// shareGone tells whether the Helper may have forgotten an answer that it has given at since, or later.
func (m *model) shareGone(since time.Time) bool {
	age := m.clocks[1].Sub(since)
	if m.skewed {
		age += clockSlack
	}
	return m.w.KeepsAnswers > 0 && age >= time.Duration(m.w.KeepsAnswers)
}

// spent tells whether a batch bucket may be spent.
func (m *model) spent(id aggregator.BucketID) bool {
	since, known := m.since[id]
	return known && m.shareGone(since) && !m.collectedBy(0, id)
}

// collectedBy tells whether a side has collected a batch bucket.
func (m *model) collectedBy(side int, id aggregator.BucketID) bool {
	return slices.ContainsFunc(m.contents[side].Collected, func(b aggregator.Batch) bool { return in(b, id) })
}

// hasSpent tells whether a collection may fail because a batch bucket that it uses may be spent. The model is locked.
func (w *world) hasSpent(j *collectionJob) bool {
	if w.KeepsAnswers == 0 {
		return false
	}
	w.noteClocks()
	contents, err := w.helper.store().Contents(context.Background(), w.id)
	if err != nil {
		contents = w.model.contents[1] // the disk fails
	}
	return slices.ContainsFunc(contents.Buckets, func(b store.BucketStanding) bool {
		since, known := w.model.since[b.ID]
		if !known {
			since = w.model.checkedAt // it was collected since
		}
		return w.model.shareGone(since) && (w.LeaderSelected || j.interval.Contains(b.ID.Time)) && !w.model.collectedBy(0, b.ID) &&
			slices.ContainsFunc(contents.Collected, func(batch aggregator.Batch) bool { return in(batch, b.ID) })
	})
}
