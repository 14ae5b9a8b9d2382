package simulation

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// randomPeriod draws how long something is kept: short enough that an episode sees it go, or not.
func randomPeriod(r *rand.Rand) duration {
	periods := []time.Duration{0, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 45 * time.Minute, 3 * time.Hour}
	return duration(periods[r.IntN(len(periods))])
}

// keepsOf is how long a side keeps reports; 0: for ever.
func (w *world) keepsOf(side int) time.Duration {
	return time.Duration([...]duration{w.LeaderKeeps, w.HelperKeeps}[side])
}

// noteClocks notes the latest times that the clocks have shown. The model is locked.
func (w *world) noteClocks() {
	for i, now := range []time.Time{w.leader.clock(), w.helper.clock()} {
		if now.After(w.model.clocks[i]) {
			w.model.clocks[i] = now
		}
	}
}

// floors checks that the floors have risen as they may. Before the check, c.m.floor is what they were.
func (c *checker) floors() {
	c.noteClocks()
	c.before = c.m.floor
	for i := range c.m.floor {
		floor := c.m.contents[i].Floor
		switch keeps := c.keepsOf(i); {
		case floor < c.m.floor[i]:
			c.violated(invariantFloor, "side %d: the floor was %d and is %d", i, c.m.floor[i], floor)
		case floor > c.m.floor[i] && (keeps == 0 || floor > c.timeOf(c.m.clocks[i].Add(-keeps))):
			c.violated(invariantFloor, "side %d: the floor is %d, its clock at most %s, and reports are kept for %s", i, floor, c.m.clocks[i], keeps)
		}
		c.m.floor[i] = max(c.m.floor[i], floor)
	}
}

// below tells whether a time is below either side's floor.
func (m *model) below(t dap.Time) bool { return t < max(m.floor[0], m.floor[1]) }

// floorsNow are the floors at this moment. A side that cannot say so now has one that is as high as it may be.
func (w *world) floorsNow() (floors [2]dap.Time) {
	w.noteClocks()
	for i, s := range []stored{w.leader.store(), w.helper.store()} {
		floor, err := s.Floor(context.Background(), w.id)
		if err != nil && w.keepsOf(i) > 0 {
			floor = w.timeOf(w.model.clocks[i].Add(-w.keepsOf(i)))
		}
		floors[i] = max(floor, w.model.floor[i])
	}
	return floors
}

// clockSlack is by how much the clocks of an episode may go back.
const clockSlack = 400 * time.Second

// answerGone tells whether what the Leader has answered to a collection job may be too old to be kept. The
// model is locked.
func (w *world) answerGone(j *collectionJob) bool {
	if w.KeepsAnswers == 0 {
		return false
	}
	w.noteClocks()
	age := w.model.clocks[0].Sub(j.since)
	if w.model.skewed {
		age += clockSlack
	}
	return age >= time.Duration(w.KeepsAnswers)
}

// missing checks a report that was accepted and that the Leader does not know.
func (c *checker) missing(r *report) {
	if r.accepted.at >= c.m.floor[0] {
		c.violated(invariantNotLost, "report %d (%s) was accepted, and the Leader does not know it", r.number, r.id)
		return
	}
	r.gone = true
	if end, err := c.interval.End(); !r.ended && r.accepted.at >= c.m.restored[0] && c.Buckets > 0 && err == nil && c.m.floor[0] >= end {
		c.vanished++
	}
	if r.ended && r.seen.State == store.ReportCounted {
		c.tally(0, r.accepted, &r.seen)
	}
}

// collectible tells whether the Leader has a bucket that it may yet collect.
func (c *checker) collectible(id aggregator.BucketID) bool {
	contents := &c.m.contents[0]
	return slices.ContainsFunc(contents.Buckets, func(b store.BucketStanding) bool { return b.ID == id }) &&
		!slices.ContainsFunc(contents.Collected, func(b aggregator.Batch) bool { return in(b, id) })
}

// bucketsKept checks that only buckets whose reports are all below the floor are forgotten.
func (c *checker) bucketsKept(side int) {
	present := make(map[aggregator.BucketID]bool, len(c.m.contents[side].Buckets))
	for i := range c.m.contents[side].Buckets {
		id := c.m.contents[side].Buckets[i].ID
		present[id] = true
		if c.m.gone[side][id] && !c.lost(side) && !c.heldBack(side, id) {
			c.violated(invariantForgotten, "side %d: bucket %v was forgotten, and is there again", side, id)
		}
	}
	for id := range present {
		if _, known := c.m.last[side][id]; !known {
			c.m.last[side][id] = 0 // all its reports were forgotten before they were seen
		}
	}
	for id, last := range c.m.last[side] {
		if present[id] || c.m.gone[side][id] {
			continue
		}
		if last >= c.m.floor[side] {
			c.violated(invariantForgotten, "side %d: bucket %v has reports up to time %d, the floor is %d, and it is gone", side, id, last, c.m.floor[side])
			continue
		}
		c.m.gone[side][id] = true
	}
}

// excused tells whether a collection may fail because a side has forgotten what it needs. The model is locked.
func (w *world) excused(j *collectionJob, failure *dap.Error) bool {
	overlap := failure.Type == dap.ErrorTypeBatchOverlap
	if overlap && w.answerGone(j) {
		return true // the Leader has collected it, and nobody was told
	}
	floors := w.floorsNow()
	if !w.LeaderSelected {
		return overlap && j.interval.Start < max(floors[0], floors[1])
	}
	switch failure.Type {
	case dap.ErrorTypeBatchOverlap, dap.ErrorTypeBatchMismatch, dap.ErrorTypeInvalidBatchSize:
		return floors[1] > 0 // what the Helper has forgotten of the batch, or all of it
	}
	return false
}

// accept makes a version the accepted one. If the Leader has had the report and forgotten it, it is a new one.
func (r *report) accept(v *version) {
	if r.accepted != nil {
		r.earlier = append(r.earlier, r.accepted)
		r.ended, r.gone, r.shelved, r.held, r.wasAtHelper = false, false, false, false, false
	}
	r.accepted = v
}

// forgettable tells whether the Leader may have forgotten the report, so that its ID is a new one.
func (r *report) forgettable(floor dap.Time) bool {
	return r.gone || r.accepted != nil && !r.ended && r.accepted.at < floor
}

// taken is the version with that time that was accepted once, or nil.
func (r *report) taken(t dap.Time) *version {
	if r.accepted != nil && r.accepted.at == t {
		return r.accepted
	}
	for _, v := range r.earlier {
		if v.at == t {
			return v
		}
	}
	return nil
}
