package store

import (
	"bytes"
	"context"
	"errors"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// errEnough ends a search that has found as much as it may.
var errEnough = errors.New("enough")

// defaultSweep is how many records a Sweep deletes if it is not told, about.
const defaultSweep = 2000

// Sweep implements aggregator.Store. It looks for what can go in a read transaction, and deletes
// it in a write transaction that looks again.
func (s *store) Sweep(ctx context.Context, task dap.TaskID, limits aggregator.SweepLimits) (swept aggregator.Swept, err error) {
	if limits.Records <= 0 {
		limits.Records = defaultSweep
	}
	var found sweep
	err = s.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		found, err = s.findSweep(sp, limits)
		return err
	})
	if err != nil || !found.any {
		return swept, err
	}
	err = s.update(ctx, limits.Records*64, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		w := found
		w.sp, w.left = sp, limits.Records
		if err := w.run(); err != nil {
			return err
		}
		swept = w.swept
		swept.More = w.left <= 0
		return nil
	})
	if err != nil {
		return aggregator.Swept{}, err
	}
	return swept, nil
}

// sweep is one Sweep: what its first look has found, and then what its transaction does.
type sweep struct {
	limits   aggregator.SweepLimits
	minBatch uint64
	any      bool // there is something to be done
	batches  []dap.BatchID
	answers  [][]byte // IDs of collection jobs (Leader) or of aggregate shares (Helper)

	sp    *space
	floor dap.Time
	left  int // records that may yet be deleted
	swept aggregator.Swept
	// forgotten is added to the counters.
	aggregated, collected, waiting, unquarantined uint64
	rejected                                      map[uint8]uint64
}

// run deletes. Below the floor, each part by itself leaves a state that is as good as the one before.
func (w *sweep) run() (err error) {
	w.rejected = make(map[uint8]uint64)
	if w.floor, err = w.sp.floor(); err != nil {
		return err
	}
	parts := []func() error{w.buckets, w.intervals, w.selectedBatches, w.ids, w.helperJobs, w.shares}
	if w.sp.t.role == dap.RoleLeader {
		// A job in quarantine goes after its leader-selected batch.
		parts = []func() error{w.waitingReports, w.buckets, w.intervals, w.selectedBatches, w.quarantined, w.ids, w.collections}
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
		if w.left <= 0 {
			break
		}
	}
	return w.count()
}

// count enters what is forgotten into the counters.
func (w *sweep) count() error {
	forget := func(r *retained) {
		r.ForgottenAggregated += w.aggregated
		r.ForgottenCollected += w.collected
		for e, n := range w.rejected {
			if r.ForgottenRejected == nil {
				r.ForgottenRejected = make(map[uint8]uint64)
			}
			r.ForgottenRejected[e] += n
		}
	}
	if w.aggregated+w.waiting == 0 && len(w.rejected) == 0 {
		return nil
	}
	if w.sp.t.role == dap.RoleHelper {
		return w.sp.changeHelperCounters(func(c *helperCounters) { forget(&c.retained) })
	}
	return w.sp.changeLeaderCounters(func(c *leaderCounters) {
		forget(&c.retained)
		c.Waiting -= w.waiting
		c.Quarantined -= w.unquarantined
		if w.swept.Reports > 0 {
			c.reject(dap.ReportErrorReportDropped, w.swept.Reports)
		}
	})
}

// dropped counts a pending report that ends as report_dropped, and is forgotten at once.
func (w *sweep) dropped() {
	w.swept.Reports++
	w.rejected[uint8(dap.ReportErrorReportDropped)]++
	w.left--
}

// waitingReports rejects the reports that wait below the floor.
func (w *sweep) waitingReports() error {
	if w.floor == 0 {
		return nil
	}
	pending, err := w.sp.pendingIn(dap.Interval{Duration: dap.Duration(w.floor)})
	if err != nil || pending.waiting == 0 {
		return err
	}
	waiting := w.sp.sub(bucketWaiting)
	var found []member
	err = waiting.each(func(key, value []byte) error {
		sequence, err := waiting.ordinalOf(key)
		if err != nil {
			return err
		}
		entry, err := decodeWaiting(value)
		if err != nil {
			return waiting.damaged(key, "%v", err)
		}
		if entry.time < w.floor {
			found = append(found, member{sequence, entry})
		}
		if uint64(len(found)) == pending.waiting || len(found) >= w.left {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	times := make(timeDeltas)
	for i := range found {
		times.add(found[i].time, -1, 0)
		if err := firstError(waiting.delete(be64(found[i].sequence)), w.drop(&found[i])); err != nil {
			return err
		}
		w.waiting++
	}
	return w.sp.applyTimes(times)
}

// quarantined deletes the aggregation jobs that are not active and whose reports are all below the floor. A job of
// a leader-selected batch stays while the batch may be collected: if the Helper has counted the job's reports there,
// only the job can settle it. So it is when the task has ended, too: a batch that a collection has reserved, or that waits
// for another job, outlives the end.
func (w *sweep) quarantined() error {
	if w.floor == 0 || !w.sp.hasInactive() {
		return nil
	}
	jobs := w.sp.sub(bucketJobs)
	var past []*storedJob
	err := jobs.each(func(id, encoded []byte) error {
		stored, err := w.sp.decodeStoredJob(id, encoded)
		if err != nil || stored.record.active() {
			return err
		}
		for i := range stored.members {
			if stored.members[i].time >= w.floor {
				return nil
			}
		}
		needed, err := w.sp.mayBeSettled(stored)
		if !needed {
			past = append(past, stored)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, stored := range past {
		if w.left <= 0 {
			return nil
		}
		for i := range stored.members {
			if err := w.drop(&stored.members[i]); err != nil {
				return err
			}
			w.unquarantined++
		}
		if err := w.sp.deleteJob(stored.job.ID); err != nil {
			return err
		}
		w.swept.Jobs++
		w.left--
	}
	return nil
}

// mayBeSettled tells whether the reports of a job in quarantine are of a leader-selected batch that is not collected.
func (sp *space) mayBeSettled(stored *storedJob) (bool, error) {
	if sp.mode != dap.BatchModeLeaderSelected {
		return false, nil
	}
	r, err := sp.batch(stored.job.BatchID)
	return r != nil && r.Hold != holdCollected, err
}

// drop deletes an open report's body and ID.
func (w *sweep) drop(m *member) error {
	ids, err := w.sp.reportIDs()
	if err != nil {
		return err
	}
	_, at, err := ids.open(m)
	if err != nil {
		return err
	}
	w.dropped()
	return firstError(at.delete(), w.sp.sub(bucketBodies).deletePieces(be64(m.sequence)))
}

// buckets deletes the batch buckets below the floor.
func (w *sweep) buckets() error {
	if w.sp.mode != dap.BatchModeTimeInterval {
		return nil
	}
	buckets := w.sp.sub(bucketBuckets)
	return w.below(buckets, func(key, encoded []byte) error {
		r, err := buckets.decodeBatchBucket(key, encoded)
		if err != nil {
			return err
		}
		t, err := buckets.timeOf(key)
		if err != nil {
			return err
		}
		collected, err := w.sp.collectedAt(t)
		w.forgetBucket(&r, collected)
		return err
	})
}

// forgetBucket counts a batch bucket that goes.
func (w *sweep) forgetBucket(r *bucketRecord, collected bool) {
	w.swept.Buckets++
	w.aggregated += r.Count
	if collected {
		w.collected += r.Count
	} else {
		w.swept.Uncollected += r.Count
	}
}

// below deletes the entries of a bucket whose keys begin with a time below the floor.
func (w *sweep) below(b bucket, f func(key, value []byte) error) error {
	cursor := b.b.Cursor()
	for key, value := cursor.First(); key != nil && w.left > 0; key, value = cursor.First() {
		if len(key) < 8 {
			return b.damaged(key, "its key has %d bytes", len(key))
		}
		if bytes.Compare(key[:8], be64(uint64(w.floor))) >= 0 {
			return nil
		}
		if err := f(key, value); err != nil {
			return err
		}
		if err := b.delete(bytes.Clone(key)); err != nil {
			return err
		}
		w.left--
	}
	return nil
}

// intervals deletes the collected and the closed intervals that end at the floor or below it.
func (w *sweep) intervals() error {
	if w.sp.mode != dap.BatchModeTimeInterval {
		return nil
	}
	names := []string{bucketTaken}
	if w.sp.t.role == dap.RoleLeader {
		names = append(names, bucketClosed)
	}
	for _, name := range names {
		b := w.sp.sub(name)
		for w.left > 0 {
			key, value := b.b.Cursor().First()
			if key == nil || len(value) < 8 || bytes.Compare(value[:8], be64(uint64(w.floor))) > 0 {
				break
			}
			if name == bucketTaken {
				e, err := decodeTaken(b, key, value)
				if err != nil {
					return err
				}
				if e.hold == holdReserved {
					break // its collection job will see that the batch is below the floor
				}
			}
			if err := b.delete(bytes.Clone(key)); err != nil {
				return err
			}
			w.left--
		}
	}
	return nil
}

// selectedBatches deletes leader-selected batches that were found to be past.
func (w *sweep) selectedBatches() error {
	for _, id := range w.batches {
		if w.left <= 0 {
			return nil
		}
		r, bucket, past, err := w.sp.pastBatch(id, w.floor, w.minBatch, w.limits.Ended)
		if err != nil {
			return err
		}
		if !past {
			continue
		}
		w.left--
		if bucket != nil {
			w.forgetBucket(bucket, r.Hold == holdCollected)
			if err := w.sp.sub(bucketBuckets).delete(id[:]); err != nil {
				return err
			}
		}
		if w.sp.answered(r) {
			continue
		}
		if w.sp.t.role == dap.RoleLeader && r.Hold == 0 {
			if err := w.sp.sub(bucketOpen).delete(be64(r.Ordinal)); err != nil {
				return err
			}
		}
		if err := w.sp.sub(bucketBatches).delete(id[:]); err != nil {
			return err
		}
	}
	return nil
}

// pastBatch tells whether a leader-selected batch can go: all its reports are below the floor, none is pending, and it
// takes no more: it is collected, closed or full. A batch that is being filled stays, as long as its task goes on. Of a
// Helper's batch whose aggregate share is kept all but the record goes: no other batch has its ID meanwhile.
func (sp *space) pastBatch(id dap.BatchID, floor dap.Time, minBatch uint64, ended bool) (r *batchRecord, counted *bucketRecord, past bool, err error) {
	if r, err = sp.batch(id); err != nil || r == nil || r.Hold == holdReserved || r.InJobs > 0 {
		return r, nil, false, err
	}
	if r.Jobs > 0 && r.Hold != holdCollected && !ended {
		return r, nil, false, nil // the Leader may not know yet what is in it
	}
	buckets := sp.sub(bucketBuckets)
	encoded := buckets.get(id[:])
	if encoded == nil {
		return r, nil, (ended || r.Hold == holdCollected) && !sp.answered(r), nil
	}
	b, err := buckets.decodeBatchBucket(id[:], encoded)
	if err != nil {
		return r, nil, false, err
	}
	over := r.Hold == holdCollected || r.Closed || b.Count >= minBatch || ended
	return r, &b, over && dap.Time(b.Last) < floor, nil
}

// answered tells whether the aggregate share of a Helper's leader-selected batch is kept.
func (sp *space) answered(r *batchRecord) bool {
	return sp.t.role == dap.RoleHelper && r.Hold == holdCollected && sp.sub(bucketShares).get(r.Owner) != nil
}

// ids deletes report IDs below the floor, generation by generation. IDs of reports that are pending stay.
func (w *sweep) ids() error {
	ids, err := w.sp.reportIDs()
	if err != nil {
		return err
	}
	if err := w.recentIDs(ids.recent); err != nil || w.left <= 0 {
		return err
	}
	for i := range ids.generations {
		if !ids.isPast(i, w.floor, w.limits.Ended) {
			return nil
		}
		empty, err := w.generation(ids.bucket(i))
		if err != nil {
			return err
		}
		if w.left <= 0 {
			return nil
		}
		if empty {
			w.sp.t.writes++
			if err := ids.root.b.DeleteBucket(be64(ids.generations[i].start)); err != nil {
				return err
			}
			w.sp.ids = nil // it lists the generations
		}
	}
	return nil
}

// recentIDs moves the IDs that came last into their generations if there are such below the floor. Whatever is above it stays in these.
func (w *sweep) recentIDs(r *recentIDs) error {
	below, err := r.areBelow(w.floor, w.limits.Ended)
	if err != nil || !below {
		return err
	}
	moved, err := r.flush(uint64(w.left))
	w.left -= int(moved)
	return err
}

// isPast tells whether a generation holds, but for few, only IDs below the floor: the next one starts no
// later. The newest has no next one; it is looked at when it must be past by far.
func (x *reportIDs) isPast(i int, floor dap.Time, ended bool) bool {
	if i+1 < len(x.generations) {
		return uint64(floor) >= x.generations[i+1].start
	}
	start := x.generations[i].start
	return ended || uint64(floor) > start && uint64(floor)-start >= 4*x.width
}

// generation deletes the IDs of a generation that are below the floor. empty: none is left.
func (w *sweep) generation(ids bucket) (empty bool, err error) {
	var keys [][]byte
	empty = true
	cursor := ids.b.Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		if len(keys) >= w.left {
			empty = false
			break
		}
		e, err := decodeIDEntry(value)
		if err != nil {
			return false, ids.damaged(key, "%v", err)
		}
		if e.time >= w.floor || w.sp.standing(e).state == idOpen {
			empty = false
			continue
		}
		if e.state == idRejected {
			w.rejected[uint8(e.error)]++
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		if err := ids.delete(bytes.Clone(key)); err != nil {
			return false, err
		}
	}
	w.left -= len(keys)
	w.swept.IDs += uint64(len(keys))
	return empty, nil
}
