package aggregator

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twofold-dap/twofold/dp"
)

// gate is a reader that gives random bits only while it is open.
type gate struct {
	mu   sync.Mutex
	err  error
	open chan struct{} // closed when it is open
}

func (g *gate) Read(b []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	return rand.Read(b)
}

func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

func testSource(t *testing.T, length int) (*noiseSource, *gate) {
	t.Helper()
	m, err := dp.NewMechanism(dp.Histogram(length), dp.Parameters{
		Kind: dp.PureEpsilon, Neighbours: dp.ReplaceOne, Level: big.NewRat(1, 1), Budget: big.NewRat(1, 1), ReportsPerClient: 1, ReportsPerBatch: 1, MaxBatchSize: 9,
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{open: make(chan struct{})}
	return newNoisePool(g).source(m, 16*length), g
}

func (s *noiseSource) state() (ready, bytes, waiting int) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return len(s.ready), s.pool.bytes, s.waiting
}

// What is drawn ahead is taken without waiting, and made up for; who finds none waits in pauses of fixed lengths.
func TestNoiseIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := testSource(t, 20)
		s.prepare()
		begin := time.Now()
		taken := make(chan time.Duration)
		go func() {
			noise, err := s.take(t.Context())
			if noise == nil || err != nil {
				t.Error(noise, err)
			}
			taken <- time.Since(begin)
		}()
		time.Sleep(100 * time.Millisecond)
		close(g.open) // the draw is made after 100 ms, and seen after 10 + 20 + 40 + 80
		if after := <-taken; after != 150*time.Millisecond {
			t.Errorf("noise was there after %v", after)
		}
		synctest.Wait()
		if ready, bytes, waiting := s.state(); ready != maxReadyNoise || bytes != ready*320 || waiting != 0 {
			t.Errorf("%d draws of %d bytes are ready, %d wait", ready, bytes, waiting)
		}
		begin = time.Now()
		for range 3 * maxReadyNoise {
			if noise, err := s.take(t.Context()); noise == nil || err != nil {
				t.Fatal(noise, err)
			}
			synctest.Wait()
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("%v were spent waiting", took)
		}
		s.close()
		if ready, bytes, _ := s.state(); ready != 0 || bytes != 0 {
			t.Errorf("after it is closed %d draws of %d bytes are ready", ready, bytes)
		}
		if noise, err := s.take(t.Context()); noise == nil || err != nil {
			t.Errorf("after it is closed: %v, %v", noise, err)
		}
		synctest.Wait()
		if ready, bytes, _ := s.state(); ready > 1 || bytes != ready*320 {
			t.Errorf("after that %d draws of %d bytes are ready", ready, bytes)
		}
	})
}

// A draw that fails is an error of whoever waits for it, and the next one is tried anew; one that takes for ever ends in ErrBusy, or
// with the caller's patience.
func TestNoiseThatIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := testSource(t, 20)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.take(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while the caller waits: %v", err)
		}
		begin := time.Now()
		if _, err := s.take(t.Context()); !errors.Is(err, ErrBusy) || time.Since(begin) < time.Minute || time.Since(begin) > 2*time.Minute {
			t.Errorf("a draw without end: %v after %v", err, time.Since(begin))
		}
		broken := errors.New("broken")
		g.fail(broken)
		close(g.open)
		synctest.Wait()
		if _, err := s.take(t.Context()); !errors.Is(err, broken) {
			t.Errorf("a draw that fails: %v", err)
		}
		g.fail(nil)
		if noise, err := s.take(t.Context()); noise == nil || err != nil {
			t.Errorf("after that: %v, %v", noise, err)
		}
		synctest.Wait()
	})
}

// Long vectors are not drawn before they are asked for, and take no more memory together than they may.
func TestNoiseIsBounded(t *testing.T) {
	s, g := testSource(t, 10_000)
	close(g.open)
	s.prepare()
	if ready, _, _ := s.state(); ready != 0 || s.depth != maxReadyBytes/160_000 {
		t.Errorf("%d draws are ready, of %d", ready, s.depth)
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.pool.bytes = maxNoiseMemory - s.size + 1
	if s.wanted() {
		t.Error("more is drawn than the memory holds")
	}
	if s.waiting++; !s.wanted() {
		t.Error("what is waited for is not drawn")
	}
}
