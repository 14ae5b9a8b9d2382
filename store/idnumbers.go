package store

import (
	"bytes"
	"slices"
	"sort"
	"sync"

	"github.com/twofold-dap/twofold/dap"
)

// idNumbers says at which number of a log an ID stands, see recentIDs. It is in memory only, and is made anew from the log
// when the database is opened.
//
// It has every ID of the log. It can have more: an ID is added before its transaction is committed, and nothing is taken out. So
// what it says is compared with the log. A transaction that is not committed makes it to be read again. The committer adds to it while others read. An ID that was deleted may have gone from
// it, or be there with a newer number: then a reader that began before that does not find the ID, which matters to none, since reports are counted by the committer.
type idNumbers struct {
	mu   sync.RWMutex
	of   map[dap.ReportID]uint64 // nil when they are in order
	list []loggedID              // by ID
}

type loggedID struct {
	id     dap.ReportID
	number uint64
}

func newIDNumbers() *idNumbers { return &idNumbers{of: make(map[dap.ReportID]uint64)} }

// add says where an ID stands.
func (n *idNumbers) add(id dap.ReportID, number uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil { // the log is the newest again: the transaction that opened another one was rolled back
		n.of = make(map[dap.ReportID]uint64, len(n.list))
		for _, e := range n.list {
			n.of[e.id] = e.number
		}
		n.list = nil
	}
	n.of[id] = number
}

// find returns the number at which an ID stands, if it is in the log.
func (n *idNumbers) find(id *dap.ReportID) (number uint64, known bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.of != nil {
		number, known = n.of[*id]
		return number, known
	}
	i, known := slices.BinarySearchFunc(n.list, id, func(e loggedID, id *dap.ReportID) int { return bytes.Compare(e.id[:], id[:]) })
	if !known {
		return 0, false
	}
	return n.list[i].number, true
}

// after returns the IDs behind one, in order; nil: all of them. The result must not be changed.
func (n *idNumbers) after(id []byte) []loggedID {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of != nil {
		n.list = make([]loggedID, 0, len(n.of))
		for id, number := range n.of {
			n.list = append(n.list, loggedID{id, number})
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
