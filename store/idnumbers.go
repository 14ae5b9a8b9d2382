package store

import (
	"bytes"
	"slices"
	"sort"
	"sync"

	"github.com/twofold-dap/twofold/dap"
)

// idNumbers says at which number of a log an ID stands, see recentIDs, and what the log says of it. It is in memory only, and is
// made anew from the log when the database is opened, and after a transaction that was not committed.
//
// The committer changes it while others read. To it, what is in here is what is in the log: entries are at random
// places of a log, and to read them where the pages are would take longer than all else that is done with them. Others see the log as it was
// at some time before, which may lack some of the IDs; so they compare what it says with the log. An ID that was deleted is
// gone from it, or there with a newer number: then a reader that began before that does not find the ID, which matters to none, since reports are counted by the committer.
type idNumbers struct {
	mu   sync.RWMutex
	of   map[dap.ReportID]loggedEntry // nil when they are in order
	list []loggedID                   // by ID
}

type loggedID struct {
	id dap.ReportID
	at loggedEntry
}

// loggedEntry is an entry of a log and its number, in little memory.
type loggedEntry struct {
	number uint32
	state  idState // 0: it was deleted
	time   dap.Time
	value  uint64
}

func newLoggedEntry(number uint32, e idEntry) loggedEntry {
	return loggedEntry{number: number, state: e.state, time: e.time, value: e.value()}
}

func (e *loggedEntry) entry() idEntry {
	return idEntry{state: e.state, time: e.time}.withValue(e.value)
}

func newIDNumbers() *idNumbers { return &idNumbers{of: make(map[dap.ReportID]loggedEntry)} }

// add says where an ID stands.
func (n *idNumbers) add(id dap.ReportID, e loggedEntry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil { // the log is the newest again: the transaction that opened another one was rolled back
		n.of = make(map[dap.ReportID]loggedEntry, len(n.list))
		for _, known := range n.list {
			if known.at.state != 0 {
				n.of[known.id] = known.at
			}
		}
		n.list = nil
	}
	n.of[id] = e
}

// change says what the log says of an ID from now on.
func (n *idNumbers) change(id *dap.ReportID, e loggedEntry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of != nil {
		n.of[*id] = e
	} else if i, known := n.place(id); known {
		n.list[i].at.state, n.list[i].at.time, n.list[i].at.value = e.state, e.time, e.value // others read the rest
	}
}

// remove says that the log has an ID no more.
func (n *idNumbers) remove(id *dap.ReportID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of != nil {
		delete(n.of, *id)
	} else if i, known := n.place(id); known {
		n.list[i].at.state = 0
	}
}

// place finds an ID in the list.
func (n *idNumbers) place(id *dap.ReportID) (i int, known bool) {
	return slices.BinarySearchFunc(n.list, id, func(e loggedID, id *dap.ReportID) int { return bytes.Compare(e.id[:], id[:]) })
}

// find returns the number at which an ID stands, if it is in the log.
func (n *idNumbers) find(id *dap.ReportID) (number uint64, known bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.of != nil {
		at, known := n.of[*id]
		return uint64(at.number), known
	}
	i, known := n.place(id)
	if !known || n.list[i].at.state == 0 {
		return 0, false
	}
	return uint64(n.list[i].at.number), true
}

// after returns the IDs behind one, in order; nil: all of them. The result must not be changed, and what it says of an ID besides
// the number is for the committer.
func (n *idNumbers) after(id []byte) []loggedID {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of != nil {
		n.list = make([]loggedID, 0, len(n.of))
		for id, at := range n.of {
			n.list = append(n.list, loggedID{id, at})
		}
		slices.SortFunc(n.list, func(a, b loggedID) int { return bytes.Compare(a.id[:], b.id[:]) })
		n.of = nil
	}
	if id == nil {
		return n.list
	}
	first := sort.Search(len(n.list), func(i int) bool { return bytes.Compare(n.list[i].id[:], id) > 0 })
	return n.list[first:]
}

// recentMemory has the idNumbers of all logs of a store. A nil one has none.
type recentMemory struct {
	ids   uint64 // how many IDs all logs together may have, about
	least uint64 // how many IDs a log may have in any case

	mu    sync.Mutex
	tasks map[dap.TaskID]map[uint64]*idNumbers // by the log's ordinal
}

func newRecentMemory(o *Options) *recentMemory {
	size := o.FilterBytes
	if size < 0 {
		size = defaultFilter
	}
	return &recentMemory{ids: uint64(size / bytesPerID), least: uint64(o.LeastRecentIDs), tasks: make(map[dap.TaskID]map[uint64]*idNumbers)}
}

func (m *recentMemory) get(task dap.TaskID, ordinal uint64) *idNumbers {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tasks[task][ordinal]
}

func (m *recentMemory) put(task dap.TaskID, ordinal uint64, n *idNumbers) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tasks[task] == nil {
		m.tasks[task] = make(map[uint64]*idNumbers)
	}
	m.tasks[task][ordinal] = n
}

// forgetBefore lets go of the logs that were deleted. A reader that still sees one looks into the log itself.
func (m *recentMemory) forgetBefore(task dap.TaskID, oldest uint64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for ordinal := range m.tasks[task] {
		if ordinal < oldest {
			delete(m.tasks[task], ordinal)
		}
	}
}

// forget lets go of a task's logs.
func (m *recentMemory) forget(task dap.TaskID) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tasks, task)
}

// share is how many IDs a log of a task may have: each task has two logs.
func (m *recentMemory) share() uint64 {
	if m == nil {
		return mostRecent
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ids / 2 / uint64(max(1, len(m.tasks)))
}

// leastPerLog is how many IDs a log may have in any case.
func (m *recentMemory) leastPerLog() uint64 {
	if m == nil || m.least == 0 {
		return leastRecent
	}
	return m.least
}

// mostPerSegment is how many IDs a segment of a log has at most.
func (m *recentMemory) mostPerSegment() uint64 {
	if m == nil || m.least == 0 {
		return mostPerSegment
	}
	return m.least
}

// loadRecent reads the logs of all tasks, while nobody else uses the store. A log that cannot be read is read again when it is needed, which
// tells what is wrong with it.
func (s *store) loadRecent() {
	_ = s.view(s.fillContext, func(t *txn) error {
		return t.eachSpace(func(sp *space) error {
			r, err := sp.recentIDs()
			for i := 0; err == nil && i < len(r.logs); i++ {
				log := &r.logs[i]
				if log.dropping() {
					continue
				}
				if _, err = r.numbers(log); err == nil {
					s.recent.put(sp.task, log.ordinal, log.numbers)
				}
			}
			return nil
		})
	})
}
