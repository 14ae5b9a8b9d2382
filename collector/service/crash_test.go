package service_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
)

// arrivals are the reports of the hours of the scenarios below: some hours have enough for a batch of 10, some have not.
var arrivals = []uint64{12, 4, 3, 8, 25, 0, 10}

// play lets the reports arrive, and the service crash at a commit, again and again: it is started again at once, to crash at the same count of
// commits, or never if commits is large. It returns how often it has crashed.
func play(w *world, commits int, after bool) (crashes int) {
	restartAt := func(day, hour, minute int) {
		until := clock(day, hour, minute)
		for time.Now().Before(until) {
			select {
			case <-w.ctx.Done():
				crashes++
				w.restart(commits, after)
				// A service that crashes at its first commit never comes further: the next one lives long enough for one more.
				commits++
			case <-time.After(time.Until(until)):
			}
		}
		synctest.Wait()
	}
	w.restart(commits, after)
	for hour, n := range arrivals {
		restartAt(1, hour, 25)
		if n > 0 {
			w.leader.report(n)
		}
	}
	restartAt(1, len(arrivals), 20)
	w.restart(math.MaxInt, false)
	w.at(1, len(arrivals)+1, 30)
	return crashes
}

// everyCrash plays a scenario with a crash at each commit there is, before it is durable and after.
func everyCrash(t *testing.T, draft func(*service.Draft), fault func() func(string) loss, settled func(w *world)) {
	total := 0
	bubble(t, 10, draft, func(w *world) {
		if play(w, math.MaxInt, false) != 0 {
			t.Error("it crashed")
		}
		settled(w)
	})
	for commits := 0; ; commits++ {
		crashed := 0
		for _, after := range []bool{false, true} {
			bubble(t, 10, draft, func(w *world) {
				w.leader.set(func(f *fakeLeader) { f.fault = fault() })
				crashed += play(w, commits, after)
				w.check(true)
				settled(w)
			})
			if t.Failed() {
				t.Fatalf("with crashes from commit %d on, after it is durable: %v", commits, after)
			}
		}
		total += crashed
		if crashed == 0 {
			break
		}
	}
	if total < 20 {
		t.Errorf("only %d crashes", total)
	}
	t.Logf("%d crashes, at every commit", total)
}

func noFault() func(string) loss { return nil }

// intervalsComplete checks that every report is in a result, and that no result failed.
func intervalsComplete(w *world) {
	w.t.Helper()
	var sum, want uint64
	for _, n := range arrivals {
		want += n
	}
	for _, r := range w.results() {
		sum += r.ReportCount
	}
	if sum != want {
		w.t.Errorf("%d of %d reports are in the results", sum, want)
	}
	for _, c := range w.collections() {
		if c.State != service.CollectionDone {
			w.t.Errorf("collection %d is %s: %s", c.Number, c.State, c.Problem)
		}
	}
}

// batchesComplete checks that all batches of ten are in the results, and no job is left at the Leader.
func batchesComplete(w *world) {
	w.t.Helper()
	var want uint64
	for _, n := range arrivals {
		want += n
	}
	if n := uint64(len(w.results())); n != want/10 {
		w.t.Errorf("%d of %d batches", n, want/10)
	}
	if _, left := w.leader.jobCounts(); left != 0 {
		w.t.Errorf("%d jobs are left at the Leader", left)
	}
}

// A crash at each commit, before it is durable or after: nothing is asked twice, and nothing is missing.
func TestCrashAtEveryCommit(t *testing.T) {
	t.Run("hours", func(t *testing.T) { everyCrash(t, nil, noFault, intervalsComplete) })
	t.Run("batches", func(t *testing.T) {
		everyCrash(t, func(d *service.Draft) { d.LeaderSelected, d.Schedule.Every = true, service.EveryBatch }, noFault, batchesComplete)
	})
	t.Run("batches and lost answers", func(t *testing.T) {
		everyCrash(t, func(d *service.Draft) { d.LeaderSelected, d.Schedule.Every = true, service.EveryBatch },
			func() func(string) loss { return losing(rand.New(rand.NewPCG(7, 7)), 0.2) }, batchesComplete)
	})
}

// losing loses requests and answers with a probability each.
func losing(random *rand.Rand, probability float64) func(string) loss {
	return func(string) loss {
		switch p := random.Float64(); {
		case p < probability:
			return requestLost
		case p < 2*probability:
			return answerLost
		}
		return nothingLost
	}
}

// Lost requests and answers, and crashes at random, with many seeds.
func TestFaults(t *testing.T) {
	for seed := range uint64(25) {
		for name, c := range map[string]struct {
			draft   func(*service.Draft)
			settled func(*world)
		}{
			"hours":   {nil, intervalsComplete},
			"batches": {func(d *service.Draft) { d.LeaderSelected, d.Schedule.Every = true, service.EveryBatch }, batchesComplete},
		} {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				bubble(t, 10, c.draft, func(w *world) {
					commits, after := random.IntN(8), random.IntN(2) == 0
					w.leader.set(func(f *fakeLeader) { f.fault = losing(random, 0.15) }) // from here on random is the Leader's
					play(w, commits, after)
					w.leader.set(func(f *fakeLeader) { f.fault = nil })
					w.at(1, 12, 0)
					w.check(true)
					c.settled(w)
				})
			})
		}
	}
}
