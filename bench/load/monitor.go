package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/processes"
)

// sampleEvery is how often memory is looked at, and whether all is committed.
const sampleEvery = 50 * time.Millisecond

// monitor watches what a process takes of the machine.
type monitor struct {
	name string
	pid  int

	mu            sync.Mutex
	first, last   processes.Usage
	peakAnonymous int64
	err           error
}

func newMonitor(name string, pid int) (*monitor, error) {
	m := &monitor{name: name, pid: pid}
	var err error
	m.first, err = processes.ReadUsage(pid)
	m.last = m.first
	return m, err
}

// run samples until ctx ends.
func (m *monitor) run(ctx context.Context) {
	for {
		m.sample()
		select {
		case <-ctx.Done():
			return
		case <-time.After(sampleEvery):
		}
	}
}

func (m *monitor) sample() {
	usage, err := processes.ReadUsage(m.pid)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.err = fmt.Errorf("watching the %s: %w", m.name, err)
		return
	}
	m.last = usage
	m.peakAnonymous = max(m.peakAnonymous, usage.Anonymous)
}

// cpu is the CPU time since the beginning.
func (m *monitor) cpu() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last.CPU - m.first.CPU
}

// watch runs monitors until the function it returns is called.
func watch(ctx context.Context, monitors ...*monitor) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, m := range monitors {
		running.Go(func() { m.run(ctx) })
	}
	return func() error {
		cancel()
		running.Wait()
		for _, m := range monitors {
			m.sample()
			if m.err != nil {
				return m.err
			}
		}
		return nil
	}
}

// ourselves is the load generator's own monitor.
func ourselves() (*monitor, error) { return newMonitor("load", os.Getpid()) }

// aggregated asks both aggregators how many reports of a task they have committed. None may have been rejected.
func aggregated(ctx context.Context, s *processes.System, task dap.TaskID) (leader, helper uint64, err error) {
	l, err := s.Leader.Counts(ctx, task)
	if err != nil {
		return 0, 0, err
	}
	for reason, count := range l.Rejected {
		return 0, 0, fmt.Errorf("%d reports were rejected: %s", count, reason)
	}
	h, err := s.Helper.Counts(ctx, task)
	return l.Aggregated, h.Aggregated, err
}

// waitCommitted waits until both aggregators have committed n reports of a task.
func waitCommitted(ctx context.Context, s *processes.System, task dap.TaskID, n uint64, progress func(leader, helper uint64)) error {
	for {
		leader, helper, err := aggregated(ctx, s, task)
		if err != nil || leader == n && helper == n {
			return err
		}
		progress(leader, helper)
		select {
		case <-time.After(sampleEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
