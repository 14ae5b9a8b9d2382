package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/twofold-dap/twofold/dap"
)

// reportIDs is the index of the report IDs that a task has seen: those that came last, see recentIDs, and the others. These are cut
// into generations by the reports' times, so that writes stay local and old IDs can be dropped by whole
// buckets: bucketIDs holds one bucket for each generation, named by the time at which it starts.
//
// A generation is about a week wide, and wider the more there are: every
// generation is asked about every ID, and a client that makes up the times of its
// reports must not be able to make them many. A generation is opened only behind the
// newest one; a report from before belongs to the newest that starts no later than it, or to the first.
type reportIDs struct {
	root        bucket
	recent      *recentIDs
	task        *dap.TaskID
	filter      *idFilter // nil: there is none
	width       uint64
	generations []generation // by start
}

type generation struct {
	start  uint64
	opened *bucket // report ID: idEntry; nil until it is asked for
}

// generationSeconds is the width of a task's first generations.
const generationSeconds = 7 * 24 * 60 * 60

// generationsPerWidth is how many generations are opened before their width doubles.
const generationsPerWidth = 16

func generationWidth(precision dap.TimePrecision) uint64 {
	if precision == 0 || precision >= generationSeconds {
		return 1
	}
	return (generationSeconds + uint64(precision) - 1) / uint64(precision)
}

// idState is what has become of a report.
type idState uint8

const (
	idOpen     idState = 1 // it waits, or is in an aggregation job; or it is counted, see space.standing
	idCounted  idState = 2 // it is in a batch bucket
	idRejected idState = 3
)

// idEntry is what the index says of a report ID.
//
//	struct {
//	  uint8 state;
//	  uint64 time;
//	  select (state) {
//	    case open: uint64 sequence;
//	    case counted: uint64 ordinal;     // of the leader-selected batch, else 0
//	    case rejected: uint8 error;
//	  };
//	} idEntry;
type idEntry struct {
	state    idState
	time     dap.Time
	sequence uint64
	ordinal  uint64
	error    dap.ReportError
}

const (
	idEntryLength    = 1 + 8 + 8
	idRejectedLength = 1 + 8 + 1
)

func (e idEntry) encode() []byte {
	b := make([]byte, 0, idEntryLength)
	b = append(b, byte(e.state))
	b = binary.BigEndian.AppendUint64(b, uint64(e.time))
	if e.state == idRejected {
		return append(b, byte(e.value()))
	}
	return binary.BigEndian.AppendUint64(b, e.value())
}

// value is the part of the entry that depends on its state.
func (e idEntry) value() uint64 {
	switch e.state {
	case idOpen:
		return e.sequence
	case idCounted:
		return e.ordinal
	default:
		return uint64(e.error)
	}
}

// withValue sets the part of the entry that depends on its state.
func (e idEntry) withValue(v uint64) idEntry {
	switch e.state {
	case idOpen:
		e.sequence = v
	case idCounted:
		e.ordinal = v
	default:
		e.error = dap.ReportError(v)
	}
	return e
}

func decodeIDEntry(b []byte) (e idEntry, err error) {
	if len(b) < idRejectedLength {
		return e, fmt.Errorf("it has %d bytes", len(b))
	}
	e.state = idState(b[0])
	e.time = dap.Time(binary.BigEndian.Uint64(b[1:]))
	rest := b[9:]
	switch {
	case (e.state == idOpen || e.state == idCounted) && len(b) == idEntryLength:
		return e.withValue(binary.BigEndian.Uint64(rest)), nil
	case e.state == idRejected && len(b) == idRejectedLength:
		return e.withValue(uint64(rest[0])), nil
	}
	return idEntry{}, fmt.Errorf("state %d with %d bytes", e.state, len(b))
}

// reportIDs opens the index.
func (sp *space) reportIDs() (*reportIDs, error) {
	if sp.ids != nil {
		return sp.ids, nil
	}
	recent, err := sp.recentIDs()
	if err != nil {
		return nil, err
	}
	ids := &reportIDs{root: sp.sub(bucketIDs), recent: recent, task: &sp.task, filter: sp.t.filter, width: sp.width}
	err = ids.root.b.ForEachBucket(func(key []byte) error {
		if len(key) != 8 {
			return ids.root.damaged(key, "its name has %d bytes, not 8", len(key))
		}
		ids.add(binary.BigEndian.Uint64(key))
		return nil
	})
	if err != nil {
		return nil, err
	}
	sp.ids = ids
	return ids, nil
}

// add appends an existing generation to the list.
func (x *reportIDs) add(start uint64) {
	x.generations = append(x.generations, generation{start: start})
}

// bucket opens a generation.
func (x *reportIDs) bucket(i int) bucket {
	g := &x.generations[i]
	if g.opened == nil {
		key := be64(g.start)
		opened := newBucket(x.root.t, x.root.b.Bucket(key), fmt.Sprintf("%s/%x", x.root.name, key))
		g.opened = &opened
	}
	return *g.opened
}

// has tells whether an ID is there, whatever its time.
func (x *reportIDs) has(id *dap.ReportID) (bool, error) {
	if x.filter != nil && !x.filter.mayHave(x.task, id[:]) {
		return false, nil
	}
	_, _, found, err := x.find(id)
	return found, err
}

// find looks an ID up, whatever its time.
func (x *reportIDs) find(id *dap.ReportID) (entry idEntry, at idPlace, found bool, err error) {
	entry, at, found, err = x.recent.find(id)
	for i := len(x.generations) - 1; i >= 0 && !found && err == nil; i-- {
		at = idPlace{in: x.bucket(i), id: id}
		entry, found, err = at.in.idEntry(id)
	}
	return entry, at, found, err
}

// idEntry looks an ID up in one generation.
func (b bucket) idEntry(id *dap.ReportID) (entry idEntry, found bool, err error) {
	encoded := b.get(id[:])
	if encoded == nil {
		return idEntry{}, false, nil
	}
	if entry, err = decodeIDEntry(encoded); err != nil {
		return idEntry{}, true, b.damaged(id[:], "%v", err)
	}
	return entry, true, nil
}

// insert adds an ID that is not there. After some of them recentIDs.settle is to be called.
func (x *reportIDs) insert(id *dap.ReportID, entry idEntry) error {
	if x.filter != nil {
		x.filter.add(x.task, id[:])
	}
	return x.recent.append(id, entry)
}

// standing is what an entry says beside the bodies. A Leader's entry of a time-interval task stays as it is when the
// report is counted, since it has the time already, which is the bucket: IDs are random, and every one
// that changes costs a page. A report that waits or is in a job has a body, and one that is counted has none.
func (sp *space) standing(e idEntry) idEntry {
	if e.state == idOpen && sp.leavesOpen() && !sp.sub(bucketBodies).hasPieces(be64(e.sequence)) {
		return e.counted()
	}
	return e
}

// leavesOpen tells whether the entries of reports that are counted stay open.
func (sp *space) leavesOpen() bool {
	return sp.t.role == dap.RoleLeader && sp.mode == dap.BatchModeTimeInterval
}

// counted is the entry of a counted time-interval report.
func (e idEntry) counted() idEntry { return idEntry{state: idCounted, time: e.time} }

// open returns the entry of a report that waits or is in a job, and where it stands.
func (x *reportIDs) open(m *member) (idEntry, idPlace, error) {
	entry, at, found, err := x.recent.find(&m.id)
	if n := len(x.generations); n > 0 && !found && err == nil { // it is in the generation of its time, but for some whose width was another then
		at = idPlace{in: x.bucket(x.generationBefore(m.time)), id: &m.id}
		entry, found, err = at.in.idEntry(&m.id)
	}
	if !found && err == nil {
		entry, at, found, err = x.find(&m.id)
	}
	switch {
	case err != nil:
		return idEntry{}, idPlace{}, err
	case !found:
		return idEntry{}, idPlace{}, x.root.damaged(m.id[:], "there is no entry for report %d", m.sequence)
	case entry.state != idOpen || entry.sequence != m.sequence:
		return idEntry{}, idPlace{}, at.damaged("it is not open as report %d", m.sequence)
	}
	return entry, at, nil
}

// count makes the entry of a report that waits or is in a job one of a report that is counted, in the leader-selected
// batch of that ordinal.
func (x *reportIDs) count(m *member, ordinal uint64) error {
	entry, at, err := x.open(m)
	if err != nil {
		return err
	}
	return at.put(idEntry{state: idCounted, time: entry.time, ordinal: ordinal})
}

// generationBefore returns the newest generation that starts no later than a time, or the first.
func (x *reportIDs) generationBefore(t dap.Time) int {
	i, exact := slices.BinarySearchFunc(x.generations, uint64(t), func(g generation, t uint64) int { return cmp.Compare(g.start, t) })
	if !exact && i > 0 {
		i--
	}
	return i
}

// generationOf returns the generation of a time, and opens it if there is none yet.
func (x *reportIDs) generationOf(t dap.Time) (bucket, error) {
	n := len(x.generations)
	if n > 0 {
		newest := x.generations[n-1].start
		shift := min(n/generationsPerWidth, bits.LeadingZeros64(x.width))
		if uint64(t) < newest || uint64(t)-newest < x.width<<shift {
			return x.bucket(x.generationBefore(t)), nil
		}
	}
	start := uint64(t) - uint64(t)%x.width
	x.root.t.writes++
	if _, err := x.root.b.CreateBucket(be64(start)); err != nil {
		return bucket{}, err
	}
	x.add(start)
	return x.bucket(n), nil
}

// each calls f for every ID.
func (x *reportIDs) each(f func(at idPlace, e idEntry) error) error {
	for i := range x.generations {
		ids := x.bucket(i)
		err := ids.each(func(key, value []byte) error {
			var id dap.ReportID
			if err := copyExactly("report ID", id[:], key); err != nil {
				return ids.damaged(key, "%v", err)
			}
			e, err := decodeIDEntry(value)
			if err != nil {
				return ids.damaged(key, "%v", err)
			}
			return f(idPlace{in: ids, id: &id}, e)
		})
		if err != nil {
			return err
		}
	}
	return x.recent.each(f)
}
