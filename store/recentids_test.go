package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store/storetest"
)

// TestRecentIDs adds, changes and deletes report IDs in transactions that are committed or rolled back, with logs of a few IDs, and moves them
// into their generations at any time. A map has the same IDs after each transaction; so has a reader that began earlier, while
// what is in memory goes on, or is lost.
func TestRecentIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newRecentHistory(t)
		defer h.close()
		for range rapid.IntRange(1, 40).Draw(t, "transactions") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				h.read()
			case 1:
				h.endReader()
			case 2:
				h.restart()
			default:
				h.transaction(rapid.IntRange(0, 3).Draw(t, "end") > 0)
			}
		}
		h.endReader()
		h.matches(h.known)
	})
}

// recentHistory is an index beside a map.
type recentHistory struct {
	*rapid.T
	dir   string
	store *Leader
	task  dap.TaskID
	known map[dap.ReportID]idEntry

	reader  *bolt.Tx // one that has begun earlier; nil: none
	seen    map[dap.ReportID]idEntry
	deleted map[dap.ReportID]bool // since then: the reader may not find it any more
}

func newRecentHistory(t *rapid.T) *recentHistory {
	h := &recentHistory{T: t, known: make(map[dap.ReportID]idEntry)}
	var err error
	if h.dir, err = os.MkdirTemp("", "recent"); err != nil {
		t.Fatal(err)
	}
	if h.store, err = OpenLeader(filepath.Join(h.dir, "leader.db"), checkKey, WithoutSync(Options{Create: true, FilterBytes: -1})); err != nil {
		t.Fatal(err)
	}
	task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	h.task = task.ID
	if err := h.store.PutTask(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *recentHistory) close() {
	h.endReader()
	if err := errors.Join(h.store.Close(), os.RemoveAll(h.dir)); err != nil {
		h.Error(err)
	}
}

// restart forgets what is in memory, and reads the logs again.
func (h *recentHistory) restart() {
	h.store.recent = newRecentMemory(&h.store.options)
	if rapid.Bool().Draw(h.T, "load") {
		h.store.loadRecent()
	}
}

// read begins a reader, which sees what is known now.
func (h *recentHistory) read() {
	h.endReader()
	var err error
	if h.reader, err = h.store.db.Begin(false); err != nil {
		h.Fatal(err)
	}
	h.seen, h.deleted = clone(h.known), make(map[dap.ReportID]bool)
}

// endReader ends the reader, which has still seen the same.
func (h *recentHistory) endReader() {
	if h.reader == nil {
		return
	}
	h.compare(h.store.newTxn(h.reader), h.seen, h.deleted)
	if err := h.reader.Rollback(); err != nil {
		h.Fatal(err)
	}
	h.reader = nil
}

// transaction does some of everything.
func (h *recentHistory) transaction(commit bool) {
	after := clone(h.known)
	inTxn(h, &h.store.store, commit, func(tx *txn) {
		for range rapid.IntRange(1, 6).Draw(h.T, "changes") {
			ids := h.index(tx)
			switch rapid.IntRange(0, 5).Draw(h.T, "change") {
			case 0:
				if _, err := ids.recent.flush(rapid.Uint64Range(1, 10).Draw(h.T, "most")); err != nil {
					h.Fatal(err)
				}
			case 1:
				h.change(ids, after)
			default:
				h.insert(ids, after)
			}
		}
		h.compare(tx, after, nil)
	})
	if commit {
		h.known = after
	}
	h.matches(h.known)
}

func (h *recentHistory) insert(ids *reportIDs, known map[dap.ReportID]idEntry) {
	added := uint64(0)
	for _, n := range rapid.SliceOfN(rapid.IntRange(0, 80), 1, 8).Draw(h.T, "IDs") {
		id := numberedID(n)
		found, err := ids.has(&id)
		if err != nil {
			h.Fatal(err)
		}
		if _, want := known[id]; found != want {
			h.Fatalf("ID %d is there: %t, and should be: %t", n, found, want)
		}
		if found {
			continue
		}
		known[id] = idEntry{state: idOpen, time: dap.Time(rapid.IntRange(0, 1000).Draw(h.T, "time")), sequence: uint64(n + 1)}
		if err := ids.insert(&id, known[id]); err != nil {
			h.Fatal(err)
		}
		added++
	}
	if err := ids.recent.settle(added); err != nil {
		h.Fatal(err)
	}
}

// change changes or deletes an ID.
func (h *recentHistory) change(ids *reportIDs, known map[dap.ReportID]idEntry) {
	id := numberedID(rapid.IntRange(0, 80).Draw(h.T, "ID"))
	want, there := known[id]
	m := member{want.sequence, waitingEntry{want.time, id}}
	if !there || want.state != idOpen {
		if _, _, err := ids.open(&m); err == nil {
			h.Fatal("an ID that is not there, or not open, is open")
		}
		return
	}
	e, at, err := ids.open(&m)
	if err != nil || e != want {
		h.Fatal(e, err)
	}
	if rapid.Bool().Draw(h.T, "delete") {
		delete(known, id)
		if h.reader != nil {
			h.deleted[id] = true
		}
		err = at.delete()
	} else {
		known[id] = idEntry{state: idRejected, time: want.time, error: dap.ReportErrorReportDropped}
		err = at.put(known[id])
	}
	if err != nil {
		h.Fatal(err)
	}
}

func (h *recentHistory) index(tx *txn) *reportIDs {
	sp, err := tx.space(h.task)
	if err != nil {
		h.Fatal(err)
	}
	ids, err := sp.reportIDs()
	if err != nil {
		h.Fatal(err)
	}
	return ids
}

// matches looks at what is committed.
func (h *recentHistory) matches(want map[dap.ReportID]idEntry) {
	err := h.store.view(h.Context(), func(tx *txn) error { h.compare(tx, want, nil); return nil })
	if err != nil {
		h.Fatal(err)
	}
}

// compare looks every ID up, but for those that may not be found, and lists all.
func (h *recentHistory) compare(tx *txn, want map[dap.ReportID]idEntry, mayMiss map[dap.ReportID]bool) {
	h.Helper()
	ids := h.index(tx)
	for n := range 81 {
		id := numberedID(n)
		e, _, found, err := ids.find(&id)
		known, there := want[id]
		if mayMiss[id] && !found && err == nil {
			continue
		}
		if err != nil || found != there || e != known {
			h.Fatalf("ID %d: %+v, %t, %v; and should be %+v, %t", n, e, found, err, known, there)
		}
	}
	listed := make(map[dap.ReportID]bool)
	err := ids.each(func(at idPlace, e idEntry) error {
		if listed[*at.id] || want[*at.id] != e {
			h.Fatalf("ID %s is listed as %+v, before: %t; and should be %+v", at.id, e, listed[*at.id], want[*at.id])
		}
		listed[*at.id] = true
		return nil
	})
	if err != nil || len(listed) != len(want) {
		h.Fatalf("%d of %d IDs are listed: %v", len(listed), len(want), err)
	}
	if len(ids.recent.logs) > 2 {
		h.Fatalf("there are %d logs", len(ids.recent.logs))
	}
	if mayMiss == nil {
		h.walkLogs(ids)
	}
}

// walkLogs compares what check sees of the logs with what is in them.
func (h *recentHistory) walkLogs(ids *reportIDs) {
	want := make(map[dap.ReportID]string)
	if err := ids.recent.each(func(at idPlace, e idEntry) error { want[*at.id] = string(e.encode()); return nil }); err != nil {
		h.Fatal(err)
	}
	for i := range ids.recent.logs {
		cursor, err := newLogCursor(ids.recent, i)
		if err != nil {
			h.Fatal(err)
		}
		for ; cursor.id != nil; cursor.next() {
			id := dap.ReportID(cursor.id)
			if want[id] != string(cursor.entry) {
				h.Fatalf("check sees %x of ID %s in a log, which has %x", cursor.entry, id, want[id])
			}
			delete(want, id)
		}
	}
	if len(want) > 0 {
		h.Fatalf("check does not see %d IDs of the logs", len(want))
	}
}

func clone(m map[dap.ReportID]idEntry) map[dap.ReportID]idEntry {
	c := make(map[dap.ReportID]idEntry, len(m))
	for id, e := range m {
		c[id] = e
	}
	return c
}

// TestLogsStayShort adds IDs in transactions small and large, with logs of many segments.
func TestLogsStayShort(t *testing.T) {
	for _, batch := range []int{7, 300, 5000} {
		l, task := newTaskLeader(t, Options{NoSync: true, LeastRecentIDs: 50})
		for added := batch; added <= 12*max(batch, 500); added += batch {
			reports := make([]aggregator.UploadReport, batch)
			for i := range reports {
				reports[i] = aggregator.UploadReport{ID: numberedID(added + i), Body: []byte("body")}
			}
			if _, err := l.Upload(t.Context(), task.ID, reports); err != nil {
				t.Fatal(err)
			}
			err := l.view(t.Context(), func(tx *txn) error {
				sp, err := tx.space(task.ID)
				if err != nil {
					return err
				}
				r, err := sp.recentIDs()
				for i := range r.logs {
					if entries := r.logs[i].last(); entries > uint64(max(50, added/recentPart)+3*batch) {
						t.Fatalf("with %d IDs, %d at a time, log %d of %d has %d", added, batch, i, len(r.logs), entries)
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestNewIDsSharePages: uploads with random IDs into a task with many do not each change a page of the index.
func TestNewIDsSharePages(t *testing.T) {
	l, task := newTaskLeader(t, Options{NoSync: true})
	next := 0
	upload := func(n int) {
		numbers := make([]int, n)
		for i := range numbers {
			numbers[i], next = next, next+1
		}
		outcomes, err := l.Upload(t.Context(), task.ID, numbered(1000, numbers...))
		if err != nil || slices.ContainsFunc(outcomes, func(e dap.ReportError) bool { return e != 0 }) {
			t.Fatal(err, "or a report was refused")
		}
	}
	for range 10 {
		upload(10_000)
	}
	const requests, perRequest = 200, 100
	before := PagesWritten(l)
	for range requests {
		upload(perRequest)
	}
	written := float64(PagesWritten(l)-before) / (requests * perRequest)
	t.Logf("%.2f pages a report", written)
	if written > 0.7 {
		t.Errorf("%.2f pages were written for each report", written)
	}
	if violations, err := l.Check(t.Context()); err != nil || len(violations) > 0 {
		t.Error(violations, err)
	}
}
