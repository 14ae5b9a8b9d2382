// Package fairshare divides something that is scarce, such as memory or places, between
// keys, such as tasks: nobody gets so much of it that others get nothing.
package fairshare

import (
	"context"
	"slices"
	"sync"
)

// Pool is a quantity that is taken in parts and given back. Its methods may be
// called by several goroutines.
//
// What is taken never exceeds the limit, with one exception: when nothing is
// taken, one grant may be of any size, so that nothing waits for ever. Whoever has
// waited is served before whoever comes: the keys in turn, each in the order of its
// requests.
type Pool[K comparable] struct {
	limit    int64
	shares   bool
	released func()

	mu      sync.Mutex
	used    int64
	holders map[K]*holder[K]
	ring    []*holder[K] // those that wait; the first is next
}

// holder is a key that has taken something, or waits for it.
type holder[K comparable] struct {
	key    K
	used   int64
	grants int
	queue  []*waiter[K]
}

type waiter[K comparable] struct {
	grant *Grant[K]
	ready chan struct{} // closed when it is granted
}

// New returns a pool in which no key can take everything: beyond its first grant a
// key may have at most twice of what is still free, so that one key alone gets two
// thirds of the pool, two get two fifths each, and whoever comes with nothing finds room.
// released, if not nil, is called whenever something was given back.
func New[K comparable](limit int64, released func()) *Pool[K] {
	return &Pool[K]{limit: limit, shares: true, released: released, holders: make(map[K]*holder[K])}
}

// NewTurns returns a pool that one key may have whole while no other key wants anything.
// It is for what is soon given back: waiting keys get it in turn.
func NewTurns[K comparable](limit int64) *Pool[K] {
	return &Pool[K]{limit: limit, holders: make(map[K]*holder[K])}
}

// Grant is what was taken of a pool. It belongs to one goroutine at a time.
type Grant[K comparable] struct {
	pool   *Pool[K]
	holder *holder[K]
	size   int64
}

// Limit is how much there is.
func (p *Pool[K]) Limit() int64 { return p.limit }

// Used is how much is taken.
func (p *Pool[K]) Used() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

// TryTake takes n for a key, or tells that this is not possible now.
func (p *Pool[K]) TryTake(key K, n int64) (*Grant[K], bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.holder(key)
	if !p.open(h, n) {
		p.forget(h)
		return nil, false
	}
	return p.grant(h, n), true
}

// Would tells whether TryTake would succeed now.
func (p *Pool[K]) Would(key K, n int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.holder(key)
	defer p.forget(h)
	return p.open(h, n)
}

// Take takes n for a key, and waits for it until ctx ends.
func (p *Pool[K]) Take(ctx context.Context, key K, n int64) (*Grant[K], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	h := p.holder(key)
	if p.open(h, n) {
		defer p.mu.Unlock()
		return p.grant(h, n), nil
	}
	w := &waiter[K]{&Grant[K]{p, h, n}, make(chan struct{})}
	if len(h.queue) == 0 {
		p.ring = append(p.ring, h)
	}
	h.queue = append(h.queue, w)
	p.mu.Unlock()

	select {
	case <-w.ready:
		return w.grant, nil
	case <-ctx.Done():
	}
	if !p.giveUp(w) { // it was granted in this moment
		w.grant.Release()
	}
	return nil, ctx.Err()
}

// giveUp takes a waiter out of its queue, if it is still there.
func (p *Pool[K]) giveUp(w *waiter[K]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := w.grant.holder
	i := slices.Index(h.queue, w)
	if i < 0 {
		return false
	}
	h.queue = slices.Delete(h.queue, i, i+1)
	if len(h.queue) == 0 {
		p.ring = slices.DeleteFunc(p.ring, func(other *holder[K]) bool { return other == h })
	}
	p.forget(h)
	p.serve() // it may have stood before others
	return true
}

// Grow takes n more for the same grant, or tells that this is not possible now.
func (g *Grant[K]) Grow(n int64) bool {
	p := g.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	// A key's only grant is not held back by its share: it alone can give something back.
	fair := !p.shares || g.holder.grants == 1 || p.fair(g.holder, n)
	if !p.room(n) && p.used != g.size || !fair {
		return false
	}
	p.take(g.holder, n)
	g.size += n
	return true
}

// Size is how much the grant has taken.
func (g *Grant[K]) Size() int64 { return g.size }

// Release gives everything back. A released grant holds nothing, and releasing it again
// changes nothing.
func (g *Grant[K]) Release() {
	p := g.pool
	p.mu.Lock()
	h := g.holder
	if h == nil {
		p.mu.Unlock()
		return
	}
	p.used -= g.size
	h.used -= g.size
	h.grants--
	g.holder, g.size = nil, 0
	p.forget(h)
	p.serve()
	p.mu.Unlock()
	if p.released != nil {
		p.released()
	}
}

// open tells whether a key may take n at once: there is room, it is within its share,
// and nobody stands before it.
func (p *Pool[K]) open(h *holder[K], n int64) bool {
	if len(h.queue) > 0 || !p.admits(h, n) {
		return false
	}
	for _, other := range p.ring {
		if p.entitled(other, other.queue[0].grant.size) {
			return false // it waits for nothing but room
		}
	}
	return true
}

func (p *Pool[K]) admits(h *holder[K], n int64) bool {
	return p.room(n) && p.entitled(h, n)
}

// room tells whether n fits.
func (p *Pool[K]) room(n int64) bool { return p.used == 0 || p.used+n <= p.limit }

// entitled tells whether n is within a key's share.
func (p *Pool[K]) entitled(h *holder[K], n int64) bool {
	return !p.shares || h.grants == 0 || p.fair(h, n)
}

func (p *Pool[K]) fair(h *holder[K], n int64) bool {
	return h.used+n <= 2*(p.limit-p.used)
}

// serve grants what waits, as far as there is room.
func (p *Pool[K]) serve() {
	for {
		i := slices.IndexFunc(p.ring, func(h *holder[K]) bool { return p.entitled(h, h.queue[0].grant.size) })
		if i < 0 {
			return
		}
		h := p.ring[i]
		w := h.queue[0]
		if !p.room(w.grant.size) {
			return // nobody passes it, so that there will be room
		}
		h.queue = h.queue[1:]
		p.ring = slices.Delete(p.ring, i, i+1)
		if len(h.queue) > 0 {
			p.ring = append(p.ring, h)
		}
		p.take(h, w.grant.size)
		h.grants++
		close(w.ready)
	}
}

func (p *Pool[K]) grant(h *holder[K], n int64) *Grant[K] {
	p.take(h, n)
	h.grants++
	return &Grant[K]{p, h, n}
}

func (p *Pool[K]) take(h *holder[K], n int64) {
	p.used += n
	h.used += n
}

func (p *Pool[K]) holder(key K) *holder[K] {
	h := p.holders[key]
	if h == nil {
		h = &holder[K]{key: key}
		p.holders[key] = h
	}
	return h
}

// forget drops a key that holds nothing and waits for nothing.
func (p *Pool[K]) forget(h *holder[K]) {
	if h.grants == 0 && len(h.queue) == 0 {
		delete(p.holders, h.key)
	}
}
