package aggregator

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/dp"
)

// The time that a draw of noise takes depends on the noise. So noise is drawn in the background, before it is asked for
// where it can be, and whoever finds none ready waits for pauses whose lengths are fixed beforehand. What
// can be measured is how many such pauses it took.

const (
	// maxReadyNoise is how many draws a task has ready at most, and maxReadyBytes how large they are together.
	maxReadyNoise, maxReadyBytes = 16, 1 << 20
	// maxNoiseMemory is how large those of all tasks are together.
	maxNoiseMemory = 64 << 20
	// maxEarlyNoise is the size of a draw up to which it is made when the task is first used, and not only when a batch
	// is collected.
	maxEarlyNoise = 64 << 10
	// maxDraws is how many are made at the same time.
	maxDraws = 2
	// noisePause is the first pause; each next one is twice as long. After maxNoisePauses, about a minute and a half in all, it is
	// ErrBusy.
	noisePause     = 10 * time.Millisecond
	maxNoisePauses = 13
)

// noisePool is what the sources of noise of one engine share.
type noisePool struct {
	random io.Reader
	slots  chan struct{} // of the draws that are being made

	mu    sync.Mutex
	bytes int // of the draws that are ready
}

func newNoisePool(random io.Reader) *noisePool {
	return &noisePool{random: random, slots: make(chan struct{}, maxDraws)}
}

// noiseSource has the noise of one task's aggregate shares ready. Many goroutines may use it.
type noiseSource struct {
	pool      *noisePool
	mechanism *dp.Mechanism
	size      int // of a draw, in bytes
	depth     int // how many are made ready

	// The pool's lock protects the rest.
	ready   []*dp.Noise
	waiting int   // who has found none ready
	drawing bool  // a goroutine draws
	err     error // of the last draw, until it is told to somebody
}

// source returns the source of a task's noise, whose aggregate shares have that many bytes.
func (p *noisePool) source(mechanism *dp.Mechanism, shareSize int) *noiseSource {
	return &noiseSource{
		pool: p, mechanism: mechanism, size: shareSize,
		depth: min(max(maxReadyBytes/max(shareSize, 1), 1), maxReadyNoise),
	}
}

// prepare makes small draws ready.
func (s *noiseSource) prepare() {
	if s.size > maxEarlyNoise {
		return
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.begin()
}

// close gives up what is ready. Who waits gets noise nevertheless.
func (s *noiseSource) close() {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.pool.bytes -= len(s.ready) * s.size
	s.ready, s.depth = nil, 0
}

// take returns noise that nobody else gets. Its errors are those of the draw, ErrBusy if it takes too long, and the
// context's.
func (s *noiseSource) take(ctx context.Context) (*dp.Noise, error) {
	noise, err := s.poll(0)
	if noise != nil || err != nil {
		return noise, err
	}
	defer s.leave()
	pause := noisePause
	for range maxNoisePauses {
		if !sleep(ctx, pause) {
			return nil, context.Cause(ctx)
		}
		if noise, err := s.poll(1); noise != nil || err != nil {
			return noise, err
		}
		pause *= 2
	}
	return nil, ErrBusy
}

// poll takes what is ready. Who comes for the first time, and finds nothing, waits from then on.
func (s *noiseSource) poll(already int) (*dp.Noise, error) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	defer s.begin()
	if len(s.ready) > 0 {
		noise := s.ready[0]
		s.ready = slices.Delete(s.ready, 0, 1)
		s.pool.bytes -= s.size
		return noise, nil
	}
	if err := s.err; err != nil && already > 0 {
		s.err = nil
		return nil, err
	}
	s.waiting += 1 - already
	return nil, nil
}

func (s *noiseSource) leave() {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.waiting--
}

// begin lets a goroutine draw, if more is wanted. The pool is locked.
func (s *noiseSource) begin() {
	if s.drawing || !s.wanted() {
		return
	}
	s.drawing, s.err = true, nil
	go s.draw()
}

// wanted tells whether another draw is to be made. The pool is locked.
func (s *noiseSource) wanted() bool {
	return len(s.ready) < s.waiting || len(s.ready) < s.depth && s.pool.bytes+s.size <= maxNoiseMemory
}

// draw makes draws until enough are ready, or one fails.
func (s *noiseSource) draw() {
	for more := true; more; {
		s.pool.slots <- struct{}{}
		noise, err := s.mechanism.Draw(s.pool.random)
		<-s.pool.slots
		more = s.drawn(noise, err)
	}
}

// drawn keeps a draw, and tells whether to make another.
func (s *noiseSource) drawn(noise *dp.Noise, err error) (more bool) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.err = err; err == nil {
		s.ready = append(s.ready, noise)
		s.pool.bytes += s.size
	}
	s.drawing = err == nil && s.wanted()
	return s.drawing
}
