package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store/storetest"
)

// numberedID is a report ID for each number.
func numberedID(n int) (id dap.ReportID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// numbered are reports with the IDs of numbers, in order: a transaction takes long to put many into one page otherwise.
func numbered(at dap.Time, numbers ...int) []aggregator.UploadReport {
	reports := make([]aggregator.UploadReport, len(numbers))
	for i, n := range numbers {
		reports[i] = aggregator.UploadReport{ID: numberedID(n), Time: at, Body: []byte("a report")}
	}
	slices.SortFunc(reports, func(a, b aggregator.UploadReport) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return reports
}

// TestIDFilter: what was put in is there, for its task alone, and hardly anything else; with too little memory for it
// much else, but nothing is lost.
func TestIDFilter(t *testing.T) {
	const n = 50_000
	for _, c := range []struct{ bytes, least, most int }{
		{1 << 30, 0, n / 20},
		{n * 6 / 8, n / 100, n / 2}, // 6 bits for each
		{1, n, n},                   // one block: it says "perhaps" to everything
	} {
		f, task, other := newIDFilter(n, c.bytes), dap.TaskID{1}, dap.TaskID{2}
		for i := range n {
			id := numberedID(i)
			if i == n/2 && !f.mayHave(&task, id[:]) {
				t.Fatal("a filter that is not complete knows what is new")
			}
			f.add(&task, id[:])
		}
		f.complete.Store(true)
		wrong, otherWrong := 0, 0
		for i := range n {
			id, fresh := numberedID(i), numberedID(n+i)
			if !f.mayHave(&task, id[:]) {
				t.Fatalf("%d bytes: ID %d is lost", c.bytes, i)
			}
			if f.mayHave(&task, fresh[:]) {
				wrong++
			}
			if f.mayHave(&other, id[:]) {
				otherWrong++
			}
		}
		for _, got := range []int{wrong, otherWrong} {
			if got < c.least || got > c.most {
				t.Errorf("%d bytes: %d of %d IDs are new, but must be looked up", c.bytes, got, n)
			}
		}
		if f.worn() {
			t.Error("a filter for so many IDs is worn by them")
		}
		f.added.Add(n + leastFilterIDs)
		if !f.worn() {
			t.Error("a filter with twice as many IDs as it was made for is not worn")
		}
	}
}

// TestFilterIsExact fills a filter step by step while reports are uploaded, replayed, taken back and deleted: a Leader
// with the filter answers as a plain set does, whatever the order of all that.
func TestFilterIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newFilterHistory(t)
		defer h.close()
		for range rapid.IntRange(1, 25).Draw(t, "operations") {
			switch rapid.IntRange(0, 9).Draw(t, "operation") {
			case 0, 1, 2, 3:
				h.upload(rapid.IntRange(0, 1).Draw(t, "task"), rapid.SliceOfN(rapid.IntRange(0, 60), 1, 8).Draw(t, "IDs"), false)
			case 4:
				h.upload(rapid.IntRange(0, 1).Draw(t, "task"), rapid.SliceOfN(rapid.IntRange(0, 60), 1, 8).Draw(t, "IDs"), true)
			case 5:
				h.forget(rapid.IntRange(0, 1).Draw(t, "task"), rapid.IntRange(1, 5).Draw(t, "records"))
			case 6:
				h.restart()
			default:
				h.fill(rapid.IntRange(1, 7).Draw(t, "IDs"))
			}
		}
		for !h.filter.complete.Load() {
			h.fill(100)
		}
		h.upload(0, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, false)
		h.upload(1, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, false)
		if violations, err := h.leader.Check(h.Context()); err != nil || len(violations) > 0 {
			h.Fatal(violations, err)
		}
	})
}

// filterHistory is a Leader whose filter is filled by hand, beside a plain set.
type filterHistory struct {
	*rapid.T
	dir    string
	leader *Leader
	tasks  [2]dap.TaskID
	times  [2]dap.Time // of the next upload: each goes into a later generation now and then
	known  [2]map[int]dap.Time
	failed error // what the next commit fails with

	filter *idFilter
	at     idPosition
}

func newFilterHistory(t *rapid.T) *filterHistory {
	h := &filterHistory{T: t}
	options := Options{Create: true, FilterBytes: -1, CommitHook: func(stage CommitStage) error {
		if stage == BeforeCommit {
			return h.failed
		}
		return nil
	}}
	var err error
	if h.dir, err = os.MkdirTemp("", "filter"); err != nil {
		t.Fatal(err)
	}
	if h.leader, err = OpenLeader(filepath.Join(h.dir, "leader.db"), checkKey, WithoutSync(options)); err != nil {
		t.Fatal(err)
	}
	for i := range h.tasks {
		task := storetest.NewTask(dap.RoleLeader, fmt.Sprint("task ", i), dap.BatchModeTimeInterval)
		if err := h.leader.PutTask(t.Context(), task); err != nil {
			t.Fatal(err)
		}
		h.tasks[i], h.times[i], h.known[i] = task.ID, 100_000, make(map[int]dap.Time)
	}
	h.restart()
	return h
}

func (h *filterHistory) close() {
	if err := errors.Join(h.leader.Close(), os.RemoveAll(h.dir)); err != nil {
		h.Fatal(err)
	}
}

// restart begins with a new filter, as an open does.
func (h *filterHistory) restart() {
	h.filter, h.at = newIDFilter(10, 1<<10), idPosition{}
	h.leader.filter.Store(h.filter)
}

func (h *filterHistory) fill(ids int) {
	if h.filter.complete.Load() {
		return
	}
	if err := h.leader.view(h.Context(), func(t *txn) error { return h.at.fill(t, h.filter, ids) }); err != nil {
		h.Fatal(err)
	}
	h.filter.complete.Store(h.at.end)
}

// upload uploads reports; fails: the transaction is undone.
func (h *filterHistory) upload(task int, numbers []int, fails bool) {
	reports := numbered(h.times[task], numbers...)
	if fails {
		h.failed = errors.New("the commit fails")
	}
	outcomes, err := h.leader.Upload(h.Context(), h.tasks[task], reports)
	h.failed = nil
	if fails {
		replays := !slices.ContainsFunc(numbers, func(n int) bool { _, known := h.known[task][n]; return !known })
		if !replays && !errors.Is(err, aggregator.ErrUnavailable) {
			h.Fatal("the upload was not undone:", err)
		}
		return
	}
	if err != nil {
		h.Fatal(err)
	}
	slices.SortFunc(numbers, func(a, b int) int {
		x, y := numberedID(a), numberedID(b)
		return bytes.Compare(x[:], y[:])
	})
	for i, n := range numbers {
		want := dap.ReportError(0)
		if _, known := h.known[task][n]; known {
			want = dap.ReportErrorReportReplayed
		}
		if outcomes[i] != want {
			h.Fatalf("report %d: %v, and not %v", n, outcomes[i], want)
		}
		if want == 0 {
			h.known[task][n] = h.times[task]
		}
	}
	h.times[task] += 100
}

// forget raises the floor over all reports, and deletes some of them.
func (h *filterHistory) forget(task, records int) {
	floor := h.times[task]
	if _, err := h.leader.RaiseFloor(h.Context(), h.tasks[task], floor); err != nil {
		h.Fatal(err)
	}
	for more := true; more; {
		swept, err := h.leader.Sweep(h.Context(), h.tasks[task], aggregator.SweepLimits{Records: records, Ended: true})
		if err != nil {
			h.Fatal(err)
		}
		more = swept.More
		h.fill(1)
	}
	h.known[task] = make(map[int]dap.Time)
}

// TestFilterFills: a store that is opened has the IDs of all tasks in its filter after a while; a worn one is replaced.
func TestFilterFills(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leader.db")
	l, tasks := filterLeader(t, path, Options{Create: true})
	const many, few = fillChunk + 10, 100
	numbers := make([]int, many)
	for i := range numbers {
		numbers[i] = i
	}
	expectOutcomes(t, l, tasks[0], numbered(1000, numbers...), 0)
	expectOutcomes(t, l, tasks[1], numbered(2000, numbers[:few]...), 0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, _ = filterLeader(t, path, Options{})
	for range 2 {
		AwaitFilter(t, l)
		f := l.filter.Load()
		if f.found != many+few {
			t.Fatalf("%d IDs were found, there are %d", f.found, many+few)
		}
		for i := range tasks {
			expectOutcomes(t, l, tasks[i], numbered(5000, numbers[:100]...), dap.ReportErrorReportReplayed)
		}
		if violations, err := l.Check(t.Context()); err != nil || len(violations) > 0 {
			t.Fatal(violations, err)
		}
		f.added.Store(f.limit + 1)
		expectOutcomes(t, l, tasks[0], numbered(5000, 0), dap.ReportErrorReportReplayed) // the committer sees it
		if _, err := l.Start(t.Context()); err != nil {                                  // when it has ended what was before
			t.Fatal(err)
		}
		if l.filter.Load() == f {
			t.Fatal("a worn filter is still there")
		}
	}
}

// TestNewFilterUnderLoad replaces the filter again and again while reports come and are asked for.
func TestNewFilterUnderLoad(t *testing.T) {
	l, tasks := filterLeader(t, filepath.Join(t.TempDir(), "leader.db"), Options{Create: true})
	const rounds, each = 60, 20
	var group sync.WaitGroup
	for i, task := range tasks {
		group.Go(func() {
			for round := range rounds {
				numbers := make([]int, each)
				for j := range numbers {
					numbers[j] = round*each + j
				}
				reports := numbered(dap.Time(1000+200*round), numbers...)
				for _, want := range []dap.ReportError{0, dap.ReportErrorReportReplayed} {
					outcomes, err := l.Upload(t.Context(), task, reports)
					if err != nil || slices.ContainsFunc(outcomes, func(e dap.ReportError) bool { return e != want }) {
						t.Error(outcomes, err)
						return
					}
				}
				if f := l.filter.Load(); round%5 == i {
					f.added.Store(f.limit + 1)
				}
			}
		})
	}
	group.Wait()
	AwaitFilter(t, l)
	for _, task := range tasks {
		for round := range rounds {
			expectOutcomes(t, l, task, numbered(50_000, round*each, round*each+each-1), dap.ReportErrorReportReplayed)
		}
	}
	if violations, err := l.Check(t.Context()); err != nil || len(violations) > 0 {
		t.Fatal(violations, err)
	}
}

// TestCheckFilter: Check finds an ID that the filter does not have.
func TestCheckFilter(t *testing.T) {
	l, tasks := filterLeader(t, filepath.Join(t.TempDir(), "leader.db"), Options{Create: true})
	expectOutcomes(t, l, tasks[0], numbered(1000, 1, 2, 3), 0)
	f := newIDFilter(10, 1<<20)
	f.complete.Store(true)
	l.filter.Store(f)
	violations, err := l.Check(t.Context())
	if err != nil || len(violations) != 3 || violations[0].Invariant != ruleFilter {
		t.Errorf("%v, %v", violations, err)
	}
}

// filterLeader opens a Leader's store with two tasks.
func filterLeader(t *testing.T, path string, options Options) (l *Leader, tasks [2]dap.TaskID) {
	t.Helper()
	l, err := OpenLeader(path, checkKey, WithoutSync(options))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for i := range tasks {
		task := storetest.NewTask(dap.RoleLeader, fmt.Sprint("task ", i), dap.BatchModeTimeInterval)
		if options.Create {
			if err := l.PutTask(t.Context(), task); err != nil {
				t.Fatal(err)
			}
		}
		tasks[i] = task.ID
	}
	return l, tasks
}

// expectOutcomes uploads reports that all have the same outcome.
func expectOutcomes(t *testing.T, l *Leader, task dap.TaskID, reports []aggregator.UploadReport, want dap.ReportError) {
	t.Helper()
	outcomes, err := l.Upload(t.Context(), task, reports)
	if err != nil || slices.ContainsFunc(outcomes, func(e dap.ReportError) bool { return e != want }) {
		t.Fatalf("%v, %v; all should be %v", outcomes[:min(len(outcomes), 10)], err, want)
	}
}
