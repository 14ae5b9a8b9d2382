package aggregator

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestInChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, workers := rapid.IntRange(0, 2000).Draw(t, "n"), rapid.IntRange(1, 9).Draw(t, "workers")
		p := newProcessors(workers, 1<<20)
		task := &preparedTask{memory: footprint{share: rapid.Int64Range(0, 1<<16).Draw(t, "share")}}
		var running, most atomic.Int64
		times := make([]atomic.Int32, n)
		err := p.inChunks(context.Background(), task, n, func(lo, hi int) {
			if r := running.Add(1); r > most.Load() {
				most.Store(r)
			}
			if lo >= hi || hi-lo > maxChunk || task.memory.working(hi-lo) > p.share() && hi-lo > 1 {
				t.Errorf("chunk from %d to %d", lo, hi)
			}
			for i := lo; i < hi; i++ {
				times[i].Add(1)
			}
			running.Add(-1)
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range times {
			if c := times[i].Load(); c != 1 {
				t.Fatalf("item %d was visited %d times", i, c)
			}
		}
		if most.Load() > int64(workers) {
			t.Fatalf("%d chunks at the same time with %d workers", most.Load(), workers)
		}
	})
}

func TestInChunksStops(t *testing.T) {
	p := newProcessors(2, 1<<20)
	ctx, cancel := context.WithCancel(context.Background())
	var chunks atomic.Int64
	err := p.inChunks(ctx, &preparedTask{}, 100*maxChunk, func(int, int) { chunks.Add(1); cancel() })
	if !errors.Is(err, context.Canceled) || chunks.Load() > 10 {
		t.Errorf("%d chunks, %v", chunks.Load(), err)
	}
	if used := p.memory.Used(); used != 0 {
		t.Errorf("%d bytes are lost", used)
	}
}

func TestKeyedLocks(t *testing.T) {
	var l keyedLocks[int]
	var inside [3]atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			unlock, err := l.lock(context.Background(), i%3)
			if err != nil {
				t.Error(err)
				return
			}
			if inside[i%3].Add(1) != 1 {
				t.Error("two hold the same lock")
			}
			time.Sleep(time.Microsecond)
			inside[i%3].Add(-1)
			unlock()
		})
	}
	wg.Wait()
	unlock, err := l.lock(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.lock(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a lock that is held: %v", err)
	}
	unlock()
	if len(l.locks) != 0 {
		t.Errorf("%d locks are left", len(l.locks))
	}
}
