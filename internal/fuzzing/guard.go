package fuzzing

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"
)

// allocatedAbout returns how many bytes f allocates, by the figure that the runtime
// keeps without stopping anything. Small objects count once the span of memory that they
// are in is full: what is missing or too much is some hundred KiB at most.
func allocatedAbout(f func()) uint64 {
	var sample [1]metrics.Sample
	sample[0].Name = "/gc/heap/allocs:bytes"
	metrics.Read(sample[:])
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample[:])
	return sample[0].Value.Uint64() - before
}

// allocated returns exactly how many bytes the process allocates while f runs.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Bounded runs f once, for a target that cannot be run twice on an input: an error says
// that it allocates more than the limit for an input of that length. Other goroutines' allocations
// count as well, so the limit must leave room for them.
func Bounded(t testing.TB, limit Limit, length int, f func()) {
	t.Helper()
	allowed := limit.withDefaults().of(length)
	if about := allocatedAbout(f); about > allowed {
		t.Errorf("an input of %d bytes makes it allocate about %d bytes; %d are allowed", length, about, allowed)
	}
}

// patience is how long one input may take; machines may be slow and busy.
const patience = 2 * time.Minute

// guard ends the process when one input takes too long.
type guard struct{ since atomic.Int64 } // when the input began; 0 between inputs

func newGuard() *guard { return new(guard) }

func (g *guard) begin() { g.since.Store(time.Now().UnixNano()) }
func (g *guard) end()   { g.since.Store(0) }

// start watches until the result is called.
func (g *guard) start() (stop func()) {
	ticker, done := time.NewTicker(patience/8), make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if since := g.since.Load(); since != 0 && time.Since(time.Unix(0, since)) > patience {
					debug.SetTraceback("all")
					panic("fuzzing: an input takes longer than " + patience.String())
				}
			}
		}
	}()
	return func() { ticker.Stop(); close(done) }
}
