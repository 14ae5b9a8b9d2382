package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/twofold-dap/twofold/dap"
)

// idLog is a log of recentIDs within a transaction. Its entries, numbered from 1 on, are in segments, so that a
// long one can be deleted a segment at a time: bucketRecent holds a bucket for each, named
//
//	struct {
//	  uint64 log;    // its ordinal
//	  uint64 after;  // the last number of the segment before, or 0
//	} segmentName;
//
// The sequence of the bucket is the last number that it has given out.
type idLog struct {
	root     bucket
	task     dap.TaskID
	ordinal  uint64
	segments []idSegment // the oldest first; one at least
	numbers  *idNumbers
}

type idSegment struct {
	after  uint64
	opened *bucket // number: report ID, idEntry; nil until it is asked for
}

// mostPerSegment is how many IDs a segment has at most: those of a hundred pages.
const mostPerSegment = 1 << 13

const segmentNameLength = 8 + 8

func segmentName(log, after uint64) []byte {
	return binary.BigEndian.AppendUint64(be64(log), after)
}

// known is what is in memory of the log; nil: it was not read yet.
func (l *idLog) known() *idNumbers {
	if l.numbers == nil {
		l.numbers = l.root.t.recent.get(l.task, l.ordinal)
	}
	return l.numbers
}

// entries opens a segment.
func (l *idLog) entries(i int) bucket {
	s := &l.segments[i]
	if s.opened == nil {
		key := segmentName(l.ordinal, s.after)
		opened := newBucket(l.root.t, l.root.b.Bucket(key), fmt.Sprintf("%s/%x", l.root.name, key)).sequential()
		s.opened = &opened
	}
	return *s.opened
}

// entriesOf opens the segment that has a number, if one has.
func (l *idLog) entriesOf(number uint64) bucket {
	i := len(l.segments) - 1
	for i > 0 && l.segments[i].after >= number {
		i--
	}
	return l.entries(i)
}

// addSegment makes a segment behind the others.
func (l *idLog) addSegment(after uint64) error {
	l.root.t.writes++
	made, err := l.root.b.CreateBucket(segmentName(l.ordinal, after))
	if err != nil {
		return err
	}
	l.segments = append(l.segments, idSegment{after: after})
	return made.SetSequence(after)
}

// last is the last number that was given out.
func (l *idLog) last() uint64 { return l.entries(len(l.segments) - 1).b.Sequence() }

// next gives out a number, of at most so many to a segment.
func (l *idLog) next(most uint64) (uint64, error) {
	newest := len(l.segments) - 1
	if last := l.last(); last-l.segments[newest].after >= most {
		if err := l.addSegment(last); err != nil {
			return 0, err
		}
		newest++
	}
	return l.entries(newest).next()
}

// dropping tells whether the log is being deleted: nothing of it counts any more.
func (l *idLog) dropping() bool { return l.segments[0].after > 0 }

// dropSegment deletes the oldest segment.
func (l *idLog) dropSegment() error {
	l.root.t.writes++
	oldest := l.segments[0].after
	l.segments = l.segments[1:]
	return l.root.b.DeleteBucket(segmentName(l.ordinal, oldest))
}

// entry reads what a log says of an ID. Another ID can have the number: the log can be of before the ID was added, or it was added in a transaction that was
// rolled back.
func (l *idLog) entry(id *dap.ReportID, number uint64) (e idEntry, at idPlace, found bool, err error) {
	at = idPlace{in: l.entriesOf(number), id: id, number: number, log: l}
	value := at.in.get(at.key())
	if !bytes.HasPrefix(value, id[:]) {
		return e, idPlace{}, false, nil
	}
	_, e, err = at.in.decodeRecent(at.key(), value)
	return e, at, err == nil, err
}

// each calls f for every entry, by number.
func (l *idLog) each(f func(at idPlace, e idEntry) error) error {
	for i := range l.segments {
		entries := l.entries(i)
		after, last := l.segments[i].after, entries.b.Sequence()
		err := entries.each(func(key, value []byte) error {
			number, err := entries.ordinalOf(key)
			if err != nil {
				return err
			}
			if number <= after || number > last || number > math.MaxUint32 {
				return entries.damaged(key, "the numbers are from %d to %d", after+1, last)
			}
			id, e, err := entries.decodeRecent(key, value)
			if err != nil {
				return err
			}
			return f(idPlace{in: entries, id: &id, number: number, log: l}, e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// first reads the first entry.
func (l *idLog) first() (e idEntry, found bool, err error) {
	for i := range l.segments {
		entries := l.entries(i)
		if key, value := entries.b.Cursor().First(); key != nil {
			_, e, err := entries.decodeRecent(key, value)
			return e, err == nil, err
		}
	}
	return e, false, nil
}

// decodeRecent decodes an entry of a log.
func (b bucket) decodeRecent(key, value []byte) (id dap.ReportID, e idEntry, err error) {
	if len(value) < len(id) {
		return id, e, b.damaged(key, "it has %d bytes", len(value))
	}
	copy(id[:], value)
	if e, err = decodeIDEntry(value[len(id):]); err != nil {
		err = b.damaged(key, "%v", err)
	}
	return id, e, err
}

// putRecent stores an entry of a log.
func (b bucket) putRecent(number uint64, id *dap.ReportID, e idEntry) error {
	return b.put(be64(number), append(slices.Clone(id[:]), e.encode()...))
}

// idPlace is where an ID stands: in a log of recent IDs, or in a generation.
type idPlace struct {
	in     bucket
	id     *dap.ReportID
	number uint64 // in a log; 0: in is a generation
	log    *idLog
}

func (p idPlace) key() []byte {
	if p.number > 0 {
		return be64(p.number)
	}
	return p.id[:]
}

// put stores what the index says of the ID. In a log it has been there before.
func (p idPlace) put(e idEntry) error {
	if p.number == 0 {
		return p.in.put(p.id[:], e.encode())
	}
	p.in.t.changes(p.log.task)
	if numbers := p.log.known(); numbers != nil {
		numbers.change(p.id, newLoggedEntry(uint32(p.number), e))
	}
	return p.in.putRecent(p.number, p.id, e)
}

func (p idPlace) delete() error {
	if p.number > 0 {
		p.in.t.changes(p.log.task)
		if numbers := p.log.known(); numbers != nil {
			numbers.remove(p.id)
		}
	}
	return p.in.delete(p.key())
}

func (p idPlace) damaged(format string, args ...any) error {
	return p.in.damaged(p.key(), format, args...)
}
