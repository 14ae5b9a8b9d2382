package store

import (
	"bytes"
	"container/heap"
	"encoding/binary"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// spaceChecker checks what both roles keep of a task.
type spaceChecker struct {
	*checker
	sp *space
	// tallies are what the report IDs say of the batch buckets: by time, or by the
	// ordinal of the leader-selected batch.
	tallies map[uint64]*tally
	// batches are the leader-selected batches by ordinal.
	batches map[uint64]dap.BatchID

	aggregated, collected uint64 // reports in batch buckets, and in collected batches

	floor dap.Time
}

// forgotten tells whether what is known of a batch may be gone.
func (c *spaceChecker) forgotten(batch aggregator.Batch) (bool, error) {
	if c.sp.mode == dap.BatchModeTimeInterval {
		return batch.Interval.Start < c.floor, nil
	}
	r, err := c.sp.batch(batch.BatchID)
	gone := r == nil || r.Hold == holdCollected && c.sp.sub(bucketBuckets).get(batch.BatchID[:]) == nil
	return c.floor > 0 && gone, err
}

// tally is a batch bucket as the report IDs have it.
type tally struct {
	count       uint64
	checksum    dap.Checksum
	first, last dap.Time
	found       bool // there is a record of the bucket
}

func (t *tally) add(id dap.ReportID, time dap.Time) {
	if t.count == 0 {
		t.first, t.last = time, time
	}
	t.count++
	t.checksum.Add(id)
	t.first, t.last = min(t.first, time), max(t.last, time)
}

// reportIDs visits every report ID once, across the generations and the logs, in the order of the IDs.
func (c *spaceChecker) reportIDs(visit func(id dap.ReportID, e idEntry) error) error {
	ids, err := c.sp.reportIDs()
	if err != nil {
		return err
	}
	var merged idCursors
	for i := range ids.generations {
		if cursor := newIDCursor(ids.bucket(i)); cursor.id != nil {
			merged = append(merged, cursor)
		}
	}
	for i := range ids.recent.logs {
		cursor, err := newLogCursor(ids.recent, i)
		if err := c.damaged(err); err != nil {
			return err
		}
		if cursor != nil && cursor.id != nil {
			merged = append(merged, cursor)
		}
	}
	heap.Init(&merged)
	var last []byte
	for len(merged) > 0 {
		if err := c.step(c.sp.t); err != nil {
			return err
		}
		cursor := merged[0]
		if err := c.damaged(c.reportID(cursor, last, visit)); err != nil {
			return err
		}
		last = cursor.id
		if cursor.next(); cursor.id == nil {
			heap.Pop(&merged)
		} else {
			heap.Fix(&merged, 0)
		}
	}
	return nil
}

func (c *spaceChecker) reportID(cursor *idCursor, last []byte, visit func(dap.ReportID, idEntry) error) error {
	var id dap.ReportID
	if err := copyExactly("report ID", id[:], cursor.id); err != nil {
		return cursor.ids.damaged(cursor.id, "%v", err)
	}
	if bytes.Equal(cursor.id, last) {
		c.report(ruleOnce, "task %s: report %s is there twice", c.sp.task, id)
	}
	if c.filter != nil && !c.filter.mayHave(&c.sp.task, cursor.id) {
		c.report(ruleFilter, "task %s: report %s would be counted again until the server is started anew", c.sp.task, id)
	}
	e, err := decodeIDEntry(cursor.entry)
	if err != nil {
		return cursor.ids.damaged(cursor.id, "%v", err)
	}
	if e.state == idCounted {
		c.tally(id, e)
	}
	return visit(id, e)
}

// tally adds a counted report to its bucket.
func (c *spaceChecker) tally(id dap.ReportID, e idEntry) {
	if e.time < c.floor {
		return // its batch bucket may be gone, or is about to go
	}
	bucket := uint64(e.time)
	if c.sp.mode == dap.BatchModeLeaderSelected {
		bucket = e.ordinal
		if _, ok := c.batches[bucket]; !ok {
			c.report(ruleBucket, "task %s: report %s is counted in a batch that does not exist", c.sp.task, id)
		}
	} else if e.ordinal != 0 {
		c.report(ruleBucket, "task %s: report %s is counted in a leader-selected batch", c.sp.task, id)
	}
	t := c.tallies[bucket]
	if t == nil {
		t = new(tally)
		c.tallies[bucket] = t
	}
	t.add(id, e.time)
}

// buckets compares the batch buckets with the tallies. It comes after reportIDs.
func (c *spaceChecker) buckets() error {
	ordinals := make(map[dap.BatchID]uint64, len(c.batches))
	for ordinal, id := range c.batches {
		ordinals[id] = ordinal
	}
	b := c.sp.sub(bucketBuckets)
	err := c.each(b, func(key, value []byte) error {
		batch := aggregator.Batch{Mode: c.sp.mode}
		var place uint64
		if c.sp.mode == dap.BatchModeTimeInterval {
			t, err := b.timeOf(key)
			if err != nil {
				return err
			}
			place, batch.Interval = uint64(t), t.BatchBucket()
		} else {
			if err := copyExactly("batch ID", batch.BatchID[:], key); err != nil {
				return b.damaged(key, "%v", err)
			}
			place = ordinals[batch.BatchID]
		}
		record, err := b.decodeBatchBucket(key, value)
		if err != nil {
			return err
		}
		c.bucket(key, &record, c.tallies[place])
		held, _, err := c.sp.storedHold(batch)
		if held == holdCollected {
			c.collected += record.Count
		}
		return err
	})
	if err != nil {
		return err
	}
	for place, t := range c.tallies {
		if !t.found {
			c.report(ruleBucket, "task %s: there is no batch bucket %d, but %d reports are counted in it", c.sp.task, place, t.count)
		}
	}
	return nil
}

func (c *spaceChecker) bucket(key []byte, record *bucketRecord, t *tally) {
	c.aggregated += record.Count
	if t == nil {
		t = new(tally)
	}
	t.found = true
	if dap.Time(record.First) < c.floor {
		if t.count > record.Count {
			c.report(ruleBucket, "task %s: batch bucket %x counts %d reports, %d IDs above the floor are counted into it", c.sp.task, key, record.Count, t.count)
		}
		return // the IDs of some of its reports may be gone
	}
	if record.Count != t.count {
		c.report(ruleBucket, "task %s: batch bucket %x counts %d reports, %d IDs are counted into it", c.sp.task, key, record.Count, t.count)
	}
	if dap.Checksum(record.Checksum) != t.checksum {
		c.report(ruleBucket, "task %s: the checksum of batch bucket %x is not that of the IDs counted into it", c.sp.task, key)
	}
	if t.count > 0 && (dap.Time(record.First) != t.first || dap.Time(record.Last) != t.last) {
		c.report(ruleBucket, "task %s: batch bucket %x has times %d to %d, its reports %d to %d", c.sp.task, key, record.First, record.Last, uint64(t.first), uint64(t.last))
	}
}

// eachBatch decodes the leader-selected batches, and fills in batches.
func (c *spaceChecker) eachBatch(visit func(dap.BatchID, *batchRecord) error) error {
	b := c.sp.sub(bucketBatches)
	return c.each(b, func(key, value []byte) error {
		r, err := b.decodeBatch(key, value)
		if err != nil {
			return err
		}
		id := dap.BatchID(key)
		if other, twice := c.batches[r.Ordinal]; twice {
			c.report(ruleBatch, "task %s: batches %s and %s have one ordinal", c.sp.task, other, id)
		}
		if c.sp.mode != dap.BatchModeLeaderSelected {
			c.report(ruleBatch, "task %s: batch %s in a task of another batch mode", c.sp.task, id)
		}
		c.batches[r.Ordinal] = id
		return visit(id, r)
	})
}

// takenIntervals decodes the reserved and collected intervals.
func (c *spaceChecker) takenIntervals(visit func(takenEntry) error) error {
	b := c.sp.sub(bucketTaken)
	var last takenEntry
	return c.each(b, func(key, value []byte) error {
		e, err := decodeTaken(b, key, value)
		if err != nil {
			return err
		}
		if e.start < last.end {
			c.report(ruleOverlap, "task %s: the batches %s and %s overlap", c.sp.task, last.interval(), e.interval())
		}
		last = e
		return visit(e)
	})
}

// number compares a counter.
func (c *spaceChecker) number(what string, got, want uint64) {
	if got != want {
		c.report(ruleCounters, "task %s: the counter of %s reports is %d, there are %d", c.sp.task, what, got, want)
	}
}

// idCursor walks the IDs of one generation, or of one log, in order.
type idCursor struct {
	ids       bucket       // a generation, or a segment of a log
	cursor    *bolt.Cursor // of a generation
	log       *idLog
	left      []loggedID // of the log
	id, entry []byte     // id is nil at the end
}

func newIDCursor(ids bucket) *idCursor {
	c := &idCursor{ids: ids, cursor: ids.b.Cursor()}
	c.id, c.entry = c.cursor.First()
	return c
}

func newLogCursor(r *recentIDs, log int) (*idCursor, error) {
	c := &idCursor{log: &r.logs[log]}
	if c.log.dropping() {
		return c, nil
	}
	numbers, err := r.numbers(c.log)
	if err != nil {
		return nil, err
	}
	if c.left = numbers.after(nil); log == 0 {
		c.left = numbers.after(r.merged)
	}
	c.next()
	return c, nil
}

func (c *idCursor) next() {
	if c.cursor != nil {
		c.id, c.entry = c.cursor.Next()
		return
	}
	c.id = nil
	for len(c.left) > 0 && c.id == nil {
		next := &c.left[0]
		c.left = c.left[1:]
		number := uint64(next.at.number)
		c.ids = c.log.entriesOf(number)
		if value := c.ids.get(be64(number)); bytes.HasPrefix(value, next.id[:]) { // else it was deleted, or is newer
			c.id, c.entry = next.id[:], value[len(next.id):]
		}
	}
}

// idCursors is a heap by ID.
type idCursors []*idCursor

func (h idCursors) Len() int           { return len(h) }
func (h idCursors) Less(i, j int) bool { return bytes.Compare(h[i].id, h[j].id) < 0 }
func (h idCursors) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *idCursors) Push(x any)        { *h = append(*h, x.(*idCursor)) }
func (h *idCursors) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// sequenceSet is a set of sequence numbers that takes little more than a bit for each
// if they lie close together.
type sequenceSet map[uint64]*[64]uint64

const sequencesPerPage = 64 * 64

// add tells whether the sequence number was new.
func (s sequenceSet) add(sequence uint64) bool {
	page := s[sequence/sequencesPerPage]
	if page == nil {
		page = new([64]uint64)
		s[sequence/sequencesPerPage] = page
	}
	word, bit := sequence%sequencesPerPage/64, uint64(1)<<(sequence%64)
	if page[word]&bit != 0 {
		return false
	}
	page[word] |= bit
	return true
}

func (s sequenceSet) has(sequence uint64) bool {
	page := s[sequence/sequencesPerPage]
	return page != nil && page[sequence%sequencesPerPage/64]&(1<<(sequence%64)) != 0
}

// uint64At reads a key of eight bytes; ok is false for any other.
func uint64At(key []byte) (n uint64, ok bool) {
	if len(key) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key), true
}
