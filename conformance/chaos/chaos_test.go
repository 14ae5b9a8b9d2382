package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/internal/processes"
)

// programs are built once, for all tests.
var programs *processes.Programs

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "twofold-chaos-test-")
		if err == nil {
			defer os.RemoveAll(dir)
			programs, err = processes.Build(context.Background(), dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// TestChaos is a short run. How long it takes is not what decides about it: it goes on
// until enough was done.
func TestChaos(t *testing.T) {
	o := options{duration: 5 * time.Second, least: 1, seed: 1, tasks: 4, programs: programs, progress: time.Second, dir: t.TempDir(), out: testLog{t}}
	if raceDetector {
		o.duration, o.tasks = 2*time.Second, 2
	}
	r := newRun(o)
	if err := r.execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	faults := int64(0)
	for _, p := range r.proxies() {
		for _, n := range p.Counts().Faults {
			faults += n
		}
	}
	for name, n := range map[string]int64{
		"network faults": faults, "collections": r.collections.Load(), "reports in them": r.counted.Load(), "kills": r.killed(),
		"stops": r.stops[0].Load() + r.stops[1].Load(), "tasks done": r.tasksDone.Load(),
	} {
		if n == 0 {
			t.Errorf("%s: none", name)
		}
	}
	if r.counted.Load() < r.tally.accepted.Load()/2 {
		t.Errorf("%d reports were accepted, and %d counted", r.tally.accepted.Load(), r.counted.Load())
	}
	isEmpty(t, o.dir)
}

// TestInterrupted: whoever ends a run has nothing to clean up.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := options{duration: time.Hour, seed: 2, tasks: 2, programs: programs, progress: 10 * time.Millisecond, dir: t.TempDir(), out: testLog{t}}
	r := newRun(o)
	done := make(chan error, 1)
	go func() { done <- r.execute(ctx) }()
	for r.tally.accepted.Load() == 0 {
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	isEmpty(t, o.dir)
}

func isEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// testLog shows lines in a test's log.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

func TestFinish(t *testing.T) {
	broken := errors.New("something is wrong")
	for name, c := range map[string]struct {
		err  error
		kept bool
	}{"done": {nil, false}, "interrupted": {context.Canceled, false}, "wrong": {broken, true}} {
		dir := filepath.Join(t.TempDir(), "run")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		err := finish(dir, 4711, c.err)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: got %v", name, err)
		}
		if _, statErr := os.Stat(dir); (statErr == nil) != c.kept {
			t.Errorf("%s: %v", name, statErr)
		}
		if c.kept && (!strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "4711")) {
			t.Errorf("%s: %v says neither where it is nor how to repeat it", name, err)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for name, args := range map[string][]string{
		"an argument": {"5"}, "no time": {"--minutes", "0"}, "too long": {"--minutes", "100000"}, "no tasks": {"--tasks", "0"}, "an unknown flag": {"--hours", "1"},
	} {
		c := command(io.Discard, io.Discard)
		c.SetArgs(args)
		if got := exitStatus(io.Discard, c.ExecuteContext(t.Context())); got != exitUsage {
			t.Errorf("%s: exit status %d", name, got)
		}
	}
	if got := exitStatus(io.Discard, context.Canceled); got != exitFailed {
		t.Errorf("interrupted: exit status %d", got)
	}
}
