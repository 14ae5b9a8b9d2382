package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/internal/processes"
)

const (
	// crashReports is the number of reports of each task, and of its histogram's
	// buckets: each report has a bucket of its own, so that one that is lost or
	// counted twice shows, and which one it was.
	crashReports = 720
	// crashKills is how often each server is killed, at least.
	crashKills = 4
	// crashBatch is the size of the leader-selected batches.
	crashBatch = 240
	// crashPatience bounds how long anything may take that must come to an end. It is long, because the
	// machine may be busy.
	crashPatience = 10 * time.Minute
)

// TestKilledServers kills a real Leader and a real Helper with SIGKILL at random
// moments while clients upload, aggregation jobs run, and the Collector waits.
// Afterwards exactly the reports that were accepted are counted, each once, and
// neither database breaks an invariant.
//
// CRASH_SEED=N repeats the moments of a run, as far as the machine does.
func TestKilledServers(t *testing.T) {
	c := &crash{t: t, seed: crashSeed(t)}
	t.Logf("CRASH_SEED=%d", c.seed)
	c.start()
	interval := c.newTask("interval", false)
	selected := c.newTask("selected", true)

	var uploads sync.WaitGroup
	for _, task := range []*crashTask{interval, selected} {
		uploads.Go(task.uploadAll)
	}
	uploaded := make(chan struct{})
	go func() { uploads.Wait(); close(uploaded) }()
	c.killUntil(uploaded)
	if t.Failed() {
		return
	}

	c.checkInterval(interval)
	c.checkSelected(selected)
	c.checkStores()
}

// crashSeed returns the seed of CRASH_SEED, or a random one.
func crashSeed(t *testing.T) uint64 {
	text, given := os.LookupEnv("CRASH_SEED")
	if !given {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("CRASH_SEED=%q is not a seed: %v", text, err)
	}
	return seed
}

// crash is one run.
type crash struct {
	t      *testing.T
	seed   uint64
	system *processes.System
}

// random returns the random numbers for one purpose.
func (c *crash) random(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(c.seed, purpose)) }

func (c *crash) start() {
	c.t.Helper()
	dir := c.t.TempDir()
	bin := filepath.Join(dir, "bin")
	must(c.t, os.Mkdir(bin, 0o700))
	programs, err := processes.Build(c.t.Context(), bin)
	must(c.t, err)
	c.system, err = processes.NewSystem(c.t.Context(), programs, dir)
	must(c.t, err)
	c.t.Cleanup(func() {
		if err := c.system.Close(); err != nil {
			c.t.Error(err)
		}
		if c.t.Failed() {
			c.t.Logf("the Leader's log ends with:\n%s\nthe Helper's with:\n%s", c.system.Leader.Log(), c.system.Helper.Log())
		}
	})
}

// killUntil kills and restarts the servers, each several times and until done is
// closed.
func (c *crash) killUntil(done <-chan struct{}) {
	random := c.random(0)
	kills := map[*processes.Server]int{}
	finished := func() bool {
		select {
		case <-done:
			return kills[c.system.Leader] >= crashKills && kills[c.system.Helper] >= crashKills
		default:
			return false
		}
	}
	// The pauses become longer, so that on a machine on which the servers hardly start within the first ones
	// the uploads come to an end all the same.
	for start, pause := time.Now(), 900*time.Millisecond; !finished() && !c.t.Failed(); pause += pause / 16 {
		if time.Since(start) > crashPatience {
			c.t.Errorf("after %s the uploads have not come to an end", time.Since(start))
			return
		}
		sleepUpTo(random, pause)
		victims := [][]*processes.Server{{c.system.Leader}, {c.system.Helper}, {c.system.Leader, c.system.Helper}}[random.IntN(3)]
		for _, victim := range victims {
			kills[victim]++
		}
		c.killAndRestart(random, victims...)
	}
	c.t.Logf("killed the Leader %d times, the Helper %d times", kills[c.system.Leader], kills[c.system.Helper])
}

func (c *crash) killAndRestart(random *rand.Rand, victims ...*processes.Server) {
	for _, victim := range victims {
		if err := victim.Kill(); err != nil {
			c.t.Error(err)
		}
	}
	sleepUpTo(random, 300*time.Millisecond)
	for _, victim := range victims {
		if random.IntN(4) == 0 {
			c.killWhileStarting(random, victim)
		}
		if err := victim.Start(c.t.Context()); err != nil {
			c.t.Error(err)
		}
	}
}

// killWhileStarting starts a server and kills it before it has taken up its work
// again, or soon after.
func (c *crash) killWhileStarting(random *rand.Rand, victim *processes.Server) {
	if err := victim.Launch(); err != nil {
		c.t.Error(err)
		return
	}
	sleepUpTo(random, 80*time.Millisecond)
	if err := victim.Kill(); err != nil {
		c.t.Error(err)
	}
}

func sleepUpTo(random *rand.Rand, most time.Duration) {
	time.Sleep(time.Duration(random.Int64N(int64(most))))
}

// checkInterval collects the time-interval task, during which the servers are
// killed once more, and asks again for the same.
func (c *crash) checkInterval(task *crashTask) {
	ctx, cancel := context.WithTimeout(c.t.Context(), crashPatience)
	defer cancel()
	var killing sync.WaitGroup
	killing.Go(func() {
		random := c.random(1)
		sleepUpTo(random, 500*time.Millisecond)
		c.killAndRestart(random, c.system.Leader, c.system.Helper)
	})
	which := []string{"--interval", task.interval, "--timeout", crashPatience.String()}
	first, err := c.system.Collect(ctx, task.task, which...)
	killing.Wait()
	if err != nil {
		c.t.Fatalf("collecting: %v", err)
	}
	task.check(first.Result, first.ReportCount)
	again, err := c.system.Collect(ctx, task.task, which...)
	if err != nil || again.ReportCount != first.ReportCount || fmt.Sprint(again.Result) != fmt.Sprint(first.Result) {
		c.t.Errorf("collected again: %d reports, not %d (%v)", again.ReportCount, first.ReportCount, err)
	}
}

// checkSelected collects batch after batch of the leader-selected task: together
// they hold every report once.
func (c *crash) checkSelected(task *crashTask) {
	total, count := make(processes.Numbers, crashReports), uint64(0)
	for range crashReports / crashBatch {
		batch, err := c.system.Collect(c.t.Context(), task.task, "--next", "--timeout", crashPatience.String())
		if err != nil {
			c.t.Fatalf("collecting the next batch after %d reports: %v", count, err)
		}
		count += batch.ReportCount
		for i, n := range batch.Result {
			total[i] += n
		}
	}
	task.check(total, count)
}

// checkStores has both operators check their databases: with the servers
// running, and without.
func (c *crash) checkStores() {
	if err := c.system.Check(c.t.Context()); err != nil {
		c.t.Errorf("the servers find: %v", err)
	}
	for _, server := range []*processes.Server{c.system.Leader, c.system.Helper} {
		if err := server.Kill(); err != nil {
			c.t.Error(err)
		}
	}
	if err := c.system.Check(c.t.Context()); err != nil {
		c.t.Errorf("the databases as they were left: %v", err)
	}
}

// retry calls f until it succeeds, the test is over, or patience ends.
func (c *crash) retry(f func() error) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), crashPatience)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
