package aggregator

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fairshare"
)

// Chunks of a batch are multiples of this: VDAFs verify four reports side by side.
const lanes = 4

// maxChunk bounds a chunk, so that the processors end at about the same time.
const maxChunk = 64

// processors shares the machine's processors, and the memory that verification works
// in, among everything that one engine computes. Tasks that want them get them in turn, a
// chunk at a time.
type processors struct {
	n      int
	memory *fairshare.Pool[dap.TaskID] // bytes
}

func newProcessors(n int, memory int64) *processors {
	return &processors{n: n, memory: fairshare.NewTurns[dap.TaskID](memory)}
}

// share is what each processor may use, so that all can work at the same time.
func (p *processors) share() int64 { return p.memory.Limit() / int64(p.n) }

// inChunks calls f(lo, hi) for consecutive chunks that cover the n reports of a task, several at
// the same time, and returns when all have returned. When ctx ends no more
// chunks begin, and its error is returned.
func (p *processors) inChunks(ctx context.Context, t *preparedTask, n int, f func(lo, hi int)) error {
	if n == 0 {
		return ctx.Err()
	}
	size := t.memory.chunk(chunkSize(n, p.n), p.share())
	needs := max(t.memory.working(size), p.share())
	chunks := (n + size - 1) / size
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(p.n, chunks) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= chunks {
					return
				}
				place, err := p.memory.Take(ctx, t.ID, needs)
				if err != nil {
					return
				}
				f(i*size, min(n, (i+1)*size))
				place.Release()
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// chunkSize cuts n reports into about two chunks a worker, in multiples of lanes.
func chunkSize(n, workers int) int {
	size := (n + 2*workers - 1) / (2 * workers)
	size = (size + lanes - 1) / lanes * lanes
	return min(size, maxChunk)
}

// keyedLocks is a lock for each key, so that what concerns the same resource
// happens one after the other.
type keyedLocks[K comparable] struct {
	mu    sync.Mutex
	locks map[K]*keyedLock
}

type keyedLock struct {
	held  chan struct{} // holds one value while the lock is held
	users int           // holders and waiters
}

// lock waits for the lock of key, or for ctx.
func (l *keyedLocks[K]) lock(ctx context.Context, key K) (unlock func(), err error) {
	l.mu.Lock()
	if l.locks == nil {
		l.locks = make(map[K]*keyedLock)
	}
	k := l.locks[key]
	if k == nil {
		k = &keyedLock{held: make(chan struct{}, 1)}
		l.locks[key] = k
	}
	k.users++
	l.mu.Unlock()

	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.locks, key)
		}
	}
	select {
	case k.held <- struct{}{}:
		return func() { <-k.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
