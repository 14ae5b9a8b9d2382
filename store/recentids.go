package store

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/twofold-dap/twofold/dap"
)

// recentIDs are the newest of a task's report IDs, in the order in which they came. IDs are random: in the generations nearly
// each of them changes a page that no other one changes. So they are written one behind the other into a log first,
// and sorted into the generations when they are many, which then changes a page once for many of them.
//
// New IDs go into the newest log. When it is long another one is opened behind it, and each ID that is added from then on moves
// two of the older log into their generations, in the order of the IDs: keyMerged is the last that was moved. What was moved stays in the log,
// and does not count there, until all of it was moved; then the log is deleted, a segment at a time. So there are never more than two logs.
//
// bucketRecent holds the logs' segments, see idLog, and keyMerged. Where an ID stands in its log is known to idNumbers, in memory.
type recentIDs struct {
	sp     *space
	root   bucket
	logs   []idLog // the oldest first
	merged []byte  // keyMerged, of the first of two logs; nil: nothing of it was moved
}

// keyMerged is the key beside the logs.
const keyMerged = "merged"

// How many IDs a log takes, see limit.
const (
	mostRecent   = 1 << 18 // in any case
	leastRecent  = 512     // in any case
	recentPart   = 8       // one in so many of the task's IDs
	bytesPerID   = 128     // of memory for an ID of a log, at most
	mergedPerNew = 2
	dropsPerMove = 8 // IDs that are deleted with their segment while one is moved
)

// recentIDs opens the logs.
func (sp *space) recentIDs() (*recentIDs, error) {
	r := &recentIDs{sp: sp, root: sp.sub(bucketRecent)}
	err := r.root.b.ForEachBucket(func(key []byte) error {
		if len(key) != segmentNameLength {
			return r.root.damaged(key, "its name has %d bytes, not %d", len(key), segmentNameLength)
		}
		r.add(binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:]))
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.merged = bytes.Clone(r.root.get([]byte(keyMerged)))
	for i := range r.logs {
		if r.logs[i].dropping() && (i > 0 || len(r.logs) < 2) {
			return nil, r.root.damaged(be64(r.logs[i].ordinal), "the first segment of the newest log is missing")
		}
	}
	if len(r.logs) > 2 || r.merged != nil && (len(r.logs) < 2 || len(r.merged) != len(dap.ReportID{})) {
		return nil, r.root.damaged([]byte(keyMerged), "it has %d bytes, beside %d logs", len(r.merged), len(r.logs))
	}
	if sp.t.tx.Writable() && len(r.logs) > 0 {
		sp.t.recent.forgetBefore(sp.task, r.logs[0].ordinal)
	}
	return r, nil
}

// add appends an existing segment to the list.
func (r *recentIDs) add(ordinal, after uint64) {
	if n := len(r.logs); n == 0 || r.logs[n-1].ordinal != ordinal {
		r.logs = append(r.logs, idLog{root: r.root, task: r.sp.task, ordinal: ordinal})
	}
	log := &r.logs[len(r.logs)-1]
	log.segments = append(log.segments, idSegment{after: after})
}

// open makes a new log.
func (r *recentIDs) open() error {
	ordinal, err := r.root.next()
	if err != nil {
		return err
	}
	log := idLog{root: r.root, task: r.sp.task, ordinal: ordinal, numbers: newIDNumbers()}
	if err := log.addSegment(0); err != nil {
		return err
	}
	r.logs = append(r.logs, log)
	r.sp.t.recent.put(r.sp.task, ordinal, log.numbers)
	return nil
}

// numbers says where the IDs of a log stand. In a transaction that reads it may not know of all of them but by a look at the log itself.
func (r *recentIDs) numbers(log *idLog) (*idNumbers, error) {
	if known := log.known(); known != nil {
		return known, nil
	}
	numbers := newIDNumbers()
	err := log.each(func(at idPlace, e idEntry) error {
		numbers.add(*at.id, newLoggedEntry(uint32(at.number), e))
		return nil
	})
	if err != nil {
		return nil, err
	}
	log.numbers = numbers
	if t := r.sp.t; t.tx.Writable() {
		t.recent.put(r.sp.task, log.ordinal, numbers) // nothing of the log is newer
	}
	return numbers, nil
}

// find looks an ID up in the logs.
func (r *recentIDs) find(id *dap.ReportID) (e idEntry, at idPlace, found bool, err error) {
	for i := len(r.logs) - 1; i >= 0; i-- {
		log := &r.logs[i]
		if r.isMerged(i, id[:]) {
			continue
		}
		numbers, err := r.numbers(log)
		if err != nil {
			return e, at, false, err
		}
		number, known := numbers.find(id)
		if !known {
			continue
		}
		if e, at, found, err = log.entry(id, number); found || err != nil {
			return e, at, found, err
		}
	}
	return e, at, false, nil
}

// isMerged tells whether an ID of a log would stand in its generation by now.
func (r *recentIDs) isMerged(log int, id []byte) bool {
	return log == 0 && (r.dropping() || r.merged != nil && bytes.Compare(id, r.merged) <= 0)
}

// append adds an ID that is not there.
func (r *recentIDs) append(id *dap.ReportID, e idEntry) error {
	if len(r.logs) == 0 {
		if err := r.open(); err != nil {
			return err
		}
	}
	log := &r.logs[len(r.logs)-1]
	numbers, err := r.numbers(log)
	if err != nil {
		return err
	}
	number, err := log.next(r.sp.t.recent.mostPerSegment())
	if err != nil {
		return err
	}
	if number > math.MaxUint32 {
		return log.root.damaged(be64(log.ordinal), "it has %d entries", number)
	}
	numbers.add(*id, newLoggedEntry(uint32(number), e))
	r.sp.t.changes(r.sp.task)
	return log.entriesOf(number).putRecent(number, id, e)
}

// each calls f for every ID that stands in a log, and not in its generation.
func (r *recentIDs) each(f func(at idPlace, e idEntry) error) error {
	for i := range r.logs {
		err := r.logs[i].each(func(at idPlace, e idEntry) error {
			if r.isMerged(i, at.id[:]) {
				return nil
			}
			return f(at, e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// limit is how long the newest log may become before another one is opened. The longer it is, the more of its IDs share a page of a
// generation; but each takes memory.
func (r *recentIDs) limit() (uint64, error) {
	ids, err := r.sp.countIDs()
	if err != nil {
		return 0, err
	}
	least := r.sp.t.recent.leastPerLog()
	return max(least, min(ids/recentPart, mostRecent, r.sp.t.recent.share())), nil
}

// settle is called after so many IDs were added. It opens another log if the newest is long, and else moves IDs
// of the older one into their generations, or deletes segments of it: twice as many as were added, so that it is done with before the newest is long.
func (r *recentIDs) settle(added uint64) error {
	switch {
	case added == 0:
	case len(r.logs) == 1:
		limit, err := r.limit()
		if err != nil || r.logs[0].last() < limit {
			return err
		}
		return r.open()
	}
	for left := mergedPerNew * added; left > 0 && len(r.logs) == 2; {
		done := uint64(1)
		if r.dropping() {
			done = max(r.sp.t.recent.mostPerSegment()/dropsPerMove, 1)
		}
		moved, err := r.merge(left)
		if err != nil {
			return err
		}
		left -= min(left, max(moved, done))
	}
	return nil
}

// merge moves the next IDs of the older one of two logs into their generations, at most so many. When all of them have been
// moved it deletes a segment of the log each time.
func (r *recentIDs) merge(most uint64) (moved uint64, err error) {
	log := &r.logs[0]
	if log.dropping() {
		return 0, r.drop()
	}
	numbers, err := r.numbers(log)
	if err != nil {
		return 0, err
	}
	index, err := r.sp.reportIDs()
	if err != nil {
		return 0, err
	}
	left := numbers.after(r.merged)
	part := left[:min(uint64(len(left)), most)]
	for i := range part {
		if part[i].at.state == 0 {
			continue
		}
		e := part[i].at.entry()
		generation, err := index.generationOf(e.time)
		if err != nil {
			return moved, err
		}
		if err := generation.put(part[i].id[:], e.encode()); err != nil {
			return moved, err
		}
		moved++
	}
	if len(part) == len(left) {
		return moved, r.drop()
	}
	r.merged = slices.Clone(part[len(part)-1].id[:])
	return moved, r.root.put([]byte(keyMerged), r.merged)
}

// drop deletes a segment of the older log, all of which was moved.
func (r *recentIDs) drop() error {
	if err := r.logs[0].dropSegment(); err != nil || len(r.logs[0].segments) > 0 {
		return err
	}
	r.logs, r.merged = r.logs[1:], nil
	return r.root.delete([]byte(keyMerged))
}

// flush moves IDs into their generations whether the logs are long or not, at most so many.
func (r *recentIDs) flush(most uint64) (moved uint64, err error) {
	for moved < most && (!r.empty() || r.dropping()) {
		if len(r.logs) == 1 {
			if err := r.open(); err != nil {
				return moved, err
			}
		}
		n, err := r.merge(most - moved)
		if moved += n; err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// dropping tells whether a log is being deleted.
func (r *recentIDs) dropping() bool { return len(r.logs) > 0 && r.logs[0].dropping() }

// empty tells whether no log has an entry that counts.
func (r *recentIDs) empty() bool {
	return !slices.ContainsFunc(r.logs, func(l idLog) bool {
		_, found, err := l.first()
		return (found || err != nil) && !l.dropping()
	})
}

// areBelow tells whether the ID that came first is below the floor; ended: whether there is any.
func (r *recentIDs) areBelow(floor dap.Time, ended bool) (bool, error) {
	for i := range r.logs {
		if e, found, err := r.logs[i].first(); found || err != nil {
			return found && (ended || e.time < floor), err
		}
	}
	return false, nil
}

// addRecent is the step from version 5 to version 6: all IDs stand in generations.
func addRecent(_ *store, sp *space, _ []byte) ([]byte, error) {
	sp.t.writes++
	_, err := sp.root.b.CreateBucketIfNotExists([]byte(bucketRecent))
	return nil, err
}
