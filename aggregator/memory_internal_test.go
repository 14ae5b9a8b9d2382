package aggregator

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fairshare"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// sumVec is the topology over vectors of so many numbers below 1,024.
func sumVec(t *testing.T, length int) *pingpong.Topology {
	t.Helper()
	v, err := vdaf.NewPrio3SumVec(2, length, 1023, vdaf.OptimalChunkLength(10*length))
	if err != nil {
		t.Fatal(err)
	}
	topology, err := pingpong.New(v)
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

// What is verified as one batch works within the limit, if that is possible at all.
func TestChunkFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := footprint{
			share: rapid.Int64Range(0, 1<<24).Draw(t, "share"), workspace: rapid.Int64Range(0, 1<<24).Draw(t, "workspace"),
			lane: rapid.Int64Range(0, 1<<24).Draw(t, "lane"),
		}
		n, limit := rapid.IntRange(1, maxChunk).Draw(t, "n"), rapid.Int64Range(0, 1<<28).Draw(t, "limit")
		chunk := f.chunk(n, limit)
		switch {
		case chunk < 1 || chunk > n:
			t.Fatalf("%d of %d", chunk, n)
		case chunk > 1 && f.working(chunk) > limit:
			t.Fatalf("%d reports work in %d bytes of %d", chunk, f.working(chunk), limit)
		case chunk > 1 && chunk < n && chunk%lanes != 0:
			t.Fatalf("%d of %d leave lanes empty", chunk, n)
		case chunk < n && f.working(n) <= limit:
			t.Fatalf("%d, though all %d fit", chunk, n)
		}
	})
}

// The estimates are about what enormous reports take: a share of 16 bytes for each of the million field
// elements, and an output share of as many for each of the 100,000 numbers.
func TestFootprint(t *testing.T) {
	f := footprintOf(sumVec(t, 100_000).Verifier())
	if f.share < 16_000_000 || f.share > 17_000_000 || f.body < f.share || f.body > f.share+5000 {
		t.Errorf("a share of %d bytes, a report of %d", f.share, f.body)
	}
	// The measurement is not among what verification works in.
	if f.workspace < 100_000 || f.lane < 100_000 || f.working(1) > f.share+2_000_000 || f.working(64) > 64*f.share+4_000_000 {
		t.Errorf("verification works in %d bytes, and %d for each lane", f.workspace, f.lane)
	}
	if f.held < 1_600_000 || f.held > 2_000_000 {
		t.Errorf("a report in a job holds %d bytes", f.held)
	}
	if n := f.jobReports(1000); int64(n)*f.held > maxHeldByJob || int64(n+1)*f.held < maxHeldByJob {
		t.Errorf("a job has %d reports", n)
	}
	if (footprint{}).jobReports(1000) != 1000 || (footprint{held: 1 << 40}).jobReports(1000) != 1 {
		t.Error("a job has too many reports, or none")
	}
}

func TestCheckMemory(t *testing.T) {
	topology := sumVec(t, 100_000)
	enough := func() *engine {
		e := &engine{cpu: newProcessors(2, 100<<20), jobMemory: 100 << 20, maxReport: 100 << 20}
		return e
	}
	if err := enough().checkMemory(topology); err != nil {
		t.Errorf("with enough: %v", err)
	}
	for name, change := range map[string]func(*engine){
		"verification": func(e *engine) { e.cpu = newProcessors(2, 10<<20) },
		"jobs":         func(e *engine) { e.jobMemory = 10 << 20 },
		"report":       func(e *engine) { e.maxReport = 10 << 20 },
	} {
		e := enough()
		change(e)
		err := e.checkMemory(topology)
		problem, ok := errors.AsType[*MemoryError](err)
		if _, isTask := errors.AsType[*TaskError](err); !ok || !isTask || problem.Needs <= problem.Limit {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A Helper takes the memory for a job's reports, refuses what does not fit now, and says of what never
// fits that it is too large.
func TestHelperHoldsReports(t *testing.T) {
	h := &Helper{slots: fairshare.New[dap.TaskID](10, nil)}
	h.bytes = fairshare.New[dap.TaskID](10_000, nil)
	task := &preparedTask{memory: footprint{held: 1000}}
	p, err := h.begin(task.ID, make([]byte, 500))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.hold(p, task, 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("more than all: %v", err)
	}
	if _, ok := errors.AsType[*MemoryError](h.hold(p, task, 10)); !ok {
		t.Error("the error does not say how much it is")
	}
	if err := h.hold(p, task, 9); err != nil {
		t.Errorf("all that there is: %v", err)
	}
	if _, err := h.begin(dap.TaskID{1}, make([]byte, 1000)); !errors.Is(err, ErrBusy) {
		t.Errorf("another: %v", err)
	}
	p.end()
	if h.bytes.Used() != 0 || h.slots.Used() != 0 {
		t.Errorf("%d bytes and %d places are left", h.bytes.Used(), h.slots.Used())
	}
}

// A source without memory for its job does not keep another from its turn.
func TestSchedulerPassesWhoHasNoMemory(t *testing.T) {
	s := newScheduler(&LeaderConfig{MaxJobReports: 10, MaxJobBytes: 100, MaxJobsInFlight: 2, Linger: time.Hour})
	first, second := taskFor(1, 1), taskFor(2, 1)
	full := first.ID
	s.admits = func(src *source, reports int) bool {
		if reports != 10 {
			t.Errorf("asked for %d reports", reports)
		}
		return src.key.task != full
	}
	for _, task := range []*preparedTask{first, second} {
		s.uploaded(task, 15, 15)
	}
	for range 3 {
		if src, _ := s.pick(); src == nil || src.key.task != second.ID {
			t.Fatal("the second task has no turn")
		}
	}
	full = dap.TaskID{}
	if src, _ := s.pick(); src == nil || src.key.task != first.ID {
		t.Error("the first task has no turn when there is memory again")
	}
}

// Tasks share what an asynchronous Helper defers, and are served in turn.
func TestAsyncQueueIsFair(t *testing.T) {
	q := asyncQueue{wake: make(chan struct{}, 1)}
	job := func(task, n byte) helperJobKey { return helperJobKey{dap.TaskID{task}, dap.AggregationJobID{n}} }
	added := byte(0)
	for ; !q.add(job(1, added), 9); added++ {
	}
	if added != 6 {
		t.Errorf("one task has %d of 9", added)
	}
	for n := range byte(2) {
		if q.add(job(2, n), 9) {
			t.Fatal("another task finds no room")
		}
	}
	if q.add(job(3, 0), 9) {
		t.Fatal("a third task finds no room")
	}
	if !q.add(job(4, 0), 9) {
		t.Error("ten of nine")
	}
	var order []byte
	for {
		key, ok := q.next()
		if !ok {
			break
		}
		order = append(order, key.task[0])
		q.done(key, false)
	}
	if got, want := string(order), "\x01\x02\x03\x01\x02\x01\x01\x01\x01"; got != want {
		t.Errorf("served %v, want %v", order, []byte(want))
	}
	if q.len() != 0 || len(q.tasks) != 0 {
		t.Errorf("%d jobs and %d tasks are left", q.len(), len(q.tasks))
	}
}

func TestOptInLimit(t *testing.T) {
	o := optInLimit{perHour: 12}
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	allowed := func() (n int) {
		for o.allow(now) {
			n++
		}
		return n
	}
	if n := allowed(); n != 2 {
		t.Errorf("%d at once, want those of ten minutes", n)
	}
	now = now.Add(4 * time.Minute)
	if n := allowed(); n != 0 {
		t.Errorf("%d after four minutes", n)
	}
	now = now.Add(2 * time.Minute)
	if n := allowed(); n != 1 {
		t.Errorf("%d after six minutes", n)
	}
	now = now.Add(-time.Hour) // the clock is set back
	if n := allowed(); n != 0 {
		t.Errorf("%d when the clock goes back", n)
	}
	now = now.Add(48 * time.Hour)
	if n := allowed(); n != 2 {
		t.Errorf("%d after two days", n)
	}
	if !o.tell(now) || o.tell(now.Add(time.Minute)) || !o.tell(now.Add(time.Hour)) {
		t.Error("the operator is told more or less than once an hour")
	}
}
