package simulation

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// tally is what the reports of one batch bucket add up to.
type tally struct {
	count    uint64
	checksum dap.Checksum
	sum      uint64
}

// checker compares both stores with the model once.
type checker struct {
	*world
	m       *model
	inJobs  map[uint64]int // how often a sequence number waits or is in a job
	pending map[uint64]*aggregator.AggregationJob
	tallies [2]map[aggregator.BucketID]*tally
	// ahead are the buckets in which the Helper has counted reports that the
	// Leader still has in a job.
	ahead map[aggregator.BucketID]bool
	// before are the floors at the last check.
	before [2]dap.Time
	// unplaced are reports whose batch was forgotten before it was seen.
	unplaced int
	// given is how many aggregate shares the Helper has given.
	given int
	// vanished are reports of a task that has ended whose end was forgotten before it was seen.
	vanished uint64
}

// check reads both stores and compares them with the model. deep runs the stores' own check
// too. A store that does not answer while its disk fails is checked later: then it tells false.
func (w *world) check(deep bool) (checked bool) {
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	ctx := context.Background()
	given := w.network.given()
	for i, s := range []stored{w.leader.store(), w.helper.store()} {
		contents, err := s.Contents(ctx, w.id)
		if errors.Is(err, aggregator.ErrUnavailable) {
			return false
		}
		if err != nil {
			w.violated(invariantRuns, "the %s's store cannot be read: %v", [...]side{leader, helper}[i], err)
			return true
		}
		w.model.contents[i] = contents
		if deep {
			w.deepCheck(ctx, [...]side{leader, helper}[i], s)
		}
	}
	c := &checker{world: w, m: w.model, given: given, ahead: make(map[aggregator.BucketID]bool)}
	c.floors()
	c.pendingReports()
	c.leaderReports()
	c.helperReports()
	c.buckets(0)
	c.buckets(1)
	c.sums()
	c.collected()
	c.ledgers()
	c.noteSpent()
	c.results()
	c.refusals()
	return true
}

// deepCheck lets a store check itself.
func (w *world) deepCheck(ctx context.Context, s side, stored stored) {
	violations, err := stored.Check(ctx)
	if err != nil && !errors.Is(err, aggregator.ErrUnavailable) {
		w.violated(invariantRuns, "the %s's store cannot be checked: %v", s, err)
	}
	for _, v := range violations {
		w.violated(invariantCheck, "the %s's store breaks %q: %s", s, v.Invariant, v.Detail)
	}
}

// pendingReports looks where the Leader's reports wait.
func (c *checker) pendingReports() {
	contents := &c.m.contents[0]
	c.inJobs = make(map[uint64]int, len(contents.Waiting))
	c.pending = make(map[uint64]*aggregator.AggregationJob)
	for _, sequence := range contents.Waiting {
		c.inJobs[sequence]++
	}
	for i := range contents.Jobs {
		for _, sequence := range contents.Jobs[i].Reports {
			c.inJobs[sequence]++
			c.pending[sequence] = &contents.Jobs[i]
		}
	}
}

// leaderReports checks that each accepted report is in one state, and in none that it cannot be in.
func (c *checker) leaderReports() {
	contents := &c.m.contents[0]
	c.tallies[0] = make(map[aggregator.BucketID]*tally)
	for _, r := range c.m.reports {
		r.present = false
	}
	for i := range contents.Reports {
		standing := &contents.Reports[i]
		r := c.m.byID[standing.ID]
		if standing.Time < c.m.restored[0] {
			c.givenUp(r, standing)
			continue
		}
		if r == nil || !c.known(r, standing) {
			c.violated(invariantUnknown, "the Leader has report %s of time %d, which was not accepted", standing.ID, standing.Time)
			continue
		}
		if r.gone {
			c.violated(invariantForgotten, "report %d was forgotten, and is there again", r.number)
		}
		r.present = true
		c.leaderReport(r, standing)
	}
	for _, r := range c.m.reports {
		if r.accepted != nil && !r.present {
			c.missing(r)
		}
	}
}

// known tells whether the standing can be that of the report: whose upload was
// confirmed, or might have been.
func (c *checker) known(r *report, standing *store.ReportStanding) bool {
	if r.accepted == nil || r.accepted.at != standing.Time && r.forgettable(c.m.floor[0]) {
		if v := r.version(standing.Time); v != nil && v.maybe {
			r.accept(v)
		}
	}
	return r.accepted != nil && r.accepted.at == standing.Time
}

func (c *checker) leaderReport(r *report, standing *store.ReportStanding) {
	if r.ended {
		if forgotten := *standing; c.LeaderSelected && standing.Time < c.m.floor[0] && standing.Bucket == (aggregator.BucketID{}) {
			forgotten.Bucket = r.seen.Bucket // its batch may be forgotten
			standing = &forgotten
		}
	}
	if r.ended && *standing != r.seen {
		c.violated(invariantFinal, "report %d was %+v and is %+v", r.number, r.seen, *standing)
	}
	switch standing.State {
	case store.ReportOpen:
		if n := c.inJobs[standing.Sequence]; n != 1 {
			c.violated(invariantOneState, "report %d is open, and is in %d places", r.number, n)
		}
		delete(c.inJobs, standing.Sequence)
		if job := c.pending[standing.Sequence]; job != nil {
			r.shelved = r.shelved || job.State != aggregator.JobActive
			r.held = r.held || r.shelved || c.m.shelved[job.ID]
		}
	case store.ReportCounted:
		if !r.accepted.plan.honest() && c.expected(r.accepted.plan) != nil {
			c.violated(invariantCheat, "report %d was counted though it cheats: %+v", r.number, r.accepted.plan)
		}
		c.tally(0, r.accepted, standing)
	case store.ReportRejected:
		if !r.ended {
			c.rejected(r, standing)
		}
	}
	if standing.State != store.ReportOpen {
		r.seen, r.ended = *standing, true
	}
}

// rejected checks the reason of a rejection.
func (c *checker) rejected(r *report, standing *store.ReportStanding) {
	reasons := c.expected(r.accepted.plan)
	if slices.Contains(reasons, standing.Error) {
		return
	}
	if standing.Error == dap.ReportErrorReportTooEarly && c.m.skewed {
		return // the Helper's clock is behind
	}
	if standing.Error == dap.ReportErrorBatchCollected && r.shelved {
		return // its job was in quarantine while its batch was collected
	}
	if standing.Error == dap.ReportErrorReportDropped && c.m.below(standing.Time) {
		return
	}
	if standing.Error == dap.ReportErrorReportReplayed && (len(r.earlier) > 0 || standing.Time < c.m.floor[1]) {
		return // the Leader has forgotten the report with this ID, and the Helper has not; or the Helper has forgotten its job
	}
	c.violated(invariantReason, "report %d (%+v) was rejected with %s", r.number, r.accepted.plan, standing.Error)
}

// tally adds a counted report to its bucket.
func (c *checker) tally(side int, v *version, standing *store.ReportStanding) {
	if c.LeaderSelected && standing.Bucket == (aggregator.BucketID{}) {
		if standing.Time >= c.m.floor[side] {
			c.violated(invariantForgotten, "side %d: report %s of time %d is counted in a batch that is gone; the floor is %d", side, standing.ID, standing.Time, c.m.floor[side])
		}
		c.unplaced++
		return
	}
	c.m.last[side][standing.Bucket] = max(c.m.last[side][standing.Bucket], standing.Time)
	t := c.tallies[side][standing.Bucket]
	if t == nil {
		t = &tally{}
		c.tallies[side][standing.Bucket] = t
	}
	t.count++
	t.checksum.Add(standing.ID)
	t.sum += v.value()
}

// helperReports checks what the Helper has counted against the Leader.
func (c *checker) helperReports() {
	c.tallies[1] = make(map[aggregator.BucketID]*tally)
	for _, r := range c.m.reports {
		r.atHelper = false
	}
	contents := &c.m.contents[1]
	for i := range contents.Reports {
		standing := &contents.Reports[i]
		r := c.m.byID[standing.ID]
		v := c.takenByHelper(r, standing)
		if v == nil {
			c.violated(invariantUnknown, "the Helper has report %s of time %d, which was not accepted", standing.ID, standing.Time)
			continue
		}
		if standing.State != store.ReportCounted || standing.Time < c.m.restored[1] {
			continue
		}
		c.tally(1, v, standing)
		if v != r.accepted {
			continue
		}
		if !r.wasAtHelper && standing.Time < c.before[1] {
			c.violated(invariantBelow, "report %d of time %d was counted at the Helper, whose floor was %d", r.number, standing.Time, c.before[1])
		}
		r.atHelper, r.wasAtHelper = true, true
		forgotten := c.LeaderSelected && (r.seen.Bucket == aggregator.BucketID{} || standing.Bucket == aggregator.BucketID{})
		switch {
		case r.ended && r.seen.State == store.ReportCounted && (r.seen.Bucket == standing.Bucket || forgotten):
		case (r.ended || r.gone) && c.m.below(standing.Time):
			unseen := c.Buckets > 0 && r.gone && !r.ended // it may be counted, and its ID gone with those of a task that has ended
			if c.LeaderSelected && !unseen && !(r.ended && r.seen.State == store.ReportCounted) && c.collectible(standing.Bucket) {
				c.violated(invariantForgotten, "report %d is counted at the Helper, in a batch that goes on, and the Leader has let go of it", r.number)
			}
		case r.ended:
			c.violated(invariantAgree, "report %d is counted at the Helper, and at the Leader it is %+v", r.number, r.seen)
		default:
			c.ahead[standing.Bucket] = true
		}
	}
	for i := range c.m.contents[0].Reports {
		standing := &c.m.contents[0].Reports[i]
		r := c.m.byID[standing.ID]
		if r == nil || r.accepted == nil {
			continue
		}
		switch {
		case standing.State == store.ReportCounted && !r.atHelper && standing.Time < c.m.floor[1] && (r.wasAtHelper || c.Buckets > 0): // forgotten
		case standing.State == store.ReportCounted && standing.Time < max(c.m.restored[0], c.m.restored[1]): // lost
		case standing.State == store.ReportCounted && !r.atHelper:
			c.violated(invariantAgree, "report %d is counted at the Leader, and not at the Helper", r.number)
		case standing.State == store.ReportOpen && r.atHelper && !c.mayBeAhead(r, c.pending[standing.Sequence]):
			c.violated(invariantAgree, "report %d is counted at the Helper, and no active job at the Leader has it", r.number)
		}
	}
}

// mayBeAhead tells whether the Helper may have counted a report of a Leader's job: of one that
// will be driven to its end, or that the operator has stopped in between; or of one in quarantine because the Helper has
// refused its request, as its own job was in quarantine, and has been released since. A copy of that request may have
// come late, and was executed: nothing in it tells a copy from the request that the Leader sends when its operator retries
// the job. The report is with a job in quarantine all the same, and the batch's collection asks for it again.
func (c *checker) mayBeAhead(r *report, job *aggregator.AggregationJob) bool {
	return job != nil && (job.State == aggregator.JobActive || c.m.shelved[job.ID] || c.m.releasedAny || c.m.released[r.id])
}

// buckets compares a side's batch buckets with the reports that it has counted.
func (c *checker) buckets(side int) {
	contents := &c.m.contents[side]
	for i := range contents.Buckets {
		b := &contents.Buckets[i]
		t := c.tallies[side][b.ID]
		if t == nil {
			t = &tally{}
		}
		if side == 0 && c.LeaderSelected && t.count < b.Count && b.Count <= t.count+c.vanished {
			continue // some of its reports may be among those
		}
		if t.count != b.Count || t.checksum != b.Checksum {
			c.violated(invariantBucket, "side %d: bucket %v has %d reports, %d were counted, or they are others", side, b.ID, b.Count, t.count)
		}
	}
	c.bucketsKept(side)
}

// sums adds both sides' aggregate shares of the buckets that no job is adding to.
func (c *checker) sums() {
	for i := range c.m.contents[0].Buckets {
		l := &c.m.contents[0].Buckets[i]
		if c.ahead[l.ID] || c.m.gone[1][l.ID] || !c.LeaderSelected && c.m.below(l.ID.Time) {
			continue
		}
		at := slices.IndexFunc(c.m.contents[1].Buckets, func(b store.BucketStanding) bool { return b.ID == l.ID })
		if at < 0 && c.LeaderSelected && c.m.last[0][l.ID] < c.m.floor[1] {
			c.m.gone[1][l.ID] = true // the Helper has forgotten it before it was seen
			continue
		}
		if at < 0 {
			c.violated(invariantAgree, "bucket %v is the Leader's alone", l.ID)
			continue
		}
		h := &c.m.contents[1].Buckets[at]
		if l.Count != h.Count || l.Checksum != h.Checksum || !bytes.Equal(l.AggParam, h.AggParam) {
			if c.lostPart(l.ID) {
				c.m.gone[1][l.ID] = true
				continue
			}
			c.violated(invariantAgree, "bucket %v has %d reports at the Leader and %d at the Helper, or others", l.ID, l.Count, h.Count)
			continue
		}
		sum, err := c.unshard(l.AggParam, l.Share, h.Share, l.Count)
		if t := c.tallies[0][l.ID]; err != nil || t != nil && t.count == l.Count && sum != t.sum*c.weightOf(l.AggParam) {
			c.violated(invariantBucket, "bucket %v adds up to %d (%v), its reports to %d", l.ID, sum, err, t.sum*c.weightOf(l.AggParam))
		}
	}
}

// in tells whether a bucket belongs to a batch.
func in(batch aggregator.Batch, id aggregator.BucketID) bool {
	if batch.Mode == dap.BatchModeLeaderSelected {
		return batch.BatchID == id.BatchID
	}
	return batch.Interval.Contains(id.Time)
}

// collected checks that the buckets of collected batches stay as they were.
func (c *checker) collected() {
	for side := range c.m.contents {
		contents := &c.m.contents[side]
		for i := range contents.Buckets {
			b := contents.Buckets[i]
			was, frozen := c.m.frozen[side][b.ID]
			if frozen && (was.Count != b.Count || was.Checksum != b.Checksum || !bytes.Equal(was.Share, b.Share)) {
				c.violated(invariantCollected, "side %d: bucket %v had %d reports when it was collected, and has %d", side, b.ID, was.Count, b.Count)
			}
			if !frozen && slices.ContainsFunc(contents.Collected, func(batch aggregator.Batch) bool { return in(batch, b.ID) }) {
				c.m.frozen[side][b.ID] = b
				if t := c.tallies[0][b.ID]; side == 0 && t != nil {
					c.m.worth[b.ID] = t
				}
			}
		}
		for id := range c.m.frozen[side] {
			if c.m.gone[side][id] {
				continue
			}
			if !slices.ContainsFunc(contents.Buckets, func(b store.BucketStanding) bool { return b.ID == id }) {
				c.violated(invariantCollected, "side %d: bucket %v was collected, and is gone", side, id)
			}
			if !slices.ContainsFunc(contents.Collected, func(batch aggregator.Batch) bool { return in(batch, id) }) {
				c.violated(invariantCollected, "side %d: bucket %v was collected, and is not any more", side, id)
			}
		}
	}
	for id := range c.m.frozen[0] {
		if _, frozen := c.m.frozen[1][id]; !frozen && !c.m.gone[1][id] && !c.unseenAtHelper(id) {
			c.violated(invariantCollected, "bucket %v is collected at the Leader, and not at the Helper", id)
		}
	}
	c.m.closed = c.m.contents[0].Closed
}

// results compares new results with the reports of their batches.
func (c *checker) results() {
	c.m.unworth = c.m.unworth || uint64(c.unplaced)+c.vanished > 0
	for _, j := range c.m.results {
		c.result(j)
	}
	c.m.results = nil
}

func (c *checker) result(j *collectionJob) {
	var count, sum uint64
	var buckets []aggregator.BucketID
	tallies := c.tallies[0]
	if j.restored {
		tallies = c.m.worth // it was collected before
	}
	for id, t := range tallies {
		if c.LeaderSelected {
			if !j.compared && c.m.claimed[id] == nil && t.count == j.count && c.explained(j, t.sum) {
				buckets, count, sum, j.compared = append(buckets, id), t.count, t.sum, true
			}
		} else if j.interval.Contains(id.Time) {
			buckets, count, sum = append(buckets, id), count+t.count, sum+t.sum
		}
	}
	if count != j.count || !c.explained(j, sum) {
		if c.LeaderSelected && len(buckets) == 0 && (uint64(c.unplaced)+c.vanished > 0 || j.restored && c.m.unworth) {
			return // the batch, or reports of it, were forgotten before they were seen
		}
		if j.perhapsRestored && !j.restored {
			j.restored = true
			c.result(j)
			return
		}
		if c.claimUnseen(j, count, sum*uint64(max(1, j.param))) {
			return
		}
		if c.private() && count == j.count {
			c.violated(invariantNoise, "a collection of %v has the sum %d with noise, its batch has %d, and no noise was drawn that is the difference", j.interval, int64(j.sum), sum)
			return
		}
		c.violated(invariantResult, "a collection of %v has %d reports and the sum %d; its batch has %d with %d", j.interval, j.count, j.sum, count, sum)
		return
	}
	if j.count < uint64(c.MinBatch) {
		c.violated(invariantResult, "a collection has %d reports, fewer than %d", j.count, c.MinBatch)
	}
	c.useNoise(j, sum)
	for _, id := range buckets {
		if c.m.claimed[id] != nil {
			c.violated(invariantOnce, "bucket %v was collected twice", id)
		}
		c.m.claimed[id] = j
		if _, frozen := c.m.frozen[0][id]; !frozen && !c.m.gone[0][id] {
			c.violated(invariantCollected, "bucket %v was given out, and may still change", id)
		}
	}
}

// refusals checks that uploads were refused only for batches that are closed.
func (c *checker) refusals() {
	for _, t := range c.m.refused {
		if t >= c.m.floor[0] && !slices.ContainsFunc(c.m.closed, func(i dap.Interval) bool { return i.Contains(t) }) {
			c.violated(invariantUpload, "a report of time %d was refused with batch_collected, and its batch is not closed", t)
		}
	}
	c.m.refused = nil
}
