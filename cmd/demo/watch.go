package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/internal/bars"
)

// watch shows in a terminal how many of a task's reports the Leader has taken,
// until the function it returns is called.
func (d *demo) watch(ctx context.Context, r *running, s *step) (stop func()) {
	if !d.p.live {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			if counts, err := d.system.Leader.Counts(ctx, r.clientTask.ID); err == nil {
				taken := counts.Waiting + counts.InJobs + counts.Aggregated
				s.progress("%s of %s", bars.Thousands(min(taken, uint64(len(r.flights)))), bars.Thousands(uint64(len(r.flights))))
			}
			select {
			case <-time.After(glance):
			case <-ctx.Done():
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}

// vdafName is a VDAF's name without its parameters.
func vdafName(spec string) string {
	name, _, _ := strings.Cut(spec, ":")
	return name
}
