package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	// parting is how long the peers of a connection that was cut may take to close
	// their sides of it.
	parting = time.Second
)

// Proxy passes connections on to a server. Its methods may be called by several
// goroutines.
type Proxy struct {
	listener net.Listener
	target   string
	sleep    func(ctx context.Context, d time.Duration)

	ctx    context.Context // ends with Close
	close  context.CancelFunc
	wait   sync.WaitGroup
	bytes  atomic.Int64
	faults [faults]atomic.Int64

	mu          sync.Mutex
	plan        func() Plan
	connections map[*connection]struct{}
	accepted    int64
	calm        bool
	down        bool
}

// Listen returns a proxy that listens on an address, and passes every connection on to the
// target. plan makes the plan of each; its calls do not overlap.
func Listen(address, target string, plan func() Plan) (*Proxy, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target, plan: plan, sleep: sleep, connections: make(map[*connection]struct{})}
	p.ctx, p.close = context.WithCancel(context.Background())
	p.wait.Go(p.accept)
	return p, nil
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Address is where the proxy listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Close ends all connections, and returns when nothing of the proxy is left.
func (p *Proxy) Close() error {
	p.close()
	err := p.listener.Close()
	p.each(func(c *connection) { c.end() })
	p.wait.Wait()
	return err
}

// Calm ends all faults, for good: no more of them happen, what was stalled goes on,
// what was slow is fast again. Connections of which one direction is closed are closed.
func (p *Proxy) Calm() {
	p.mu.Lock()
	p.calm, p.down = true, false
	p.mu.Unlock()
	p.each(func(c *connection) { c.calm() })
}

// SetDown begins an outage, in which all connections are reset and new ones
// refused, or ends it.
func (p *Proxy) SetDown(down bool) {
	p.mu.Lock()
	p.down = down && !p.calm
	ending := p.down
	p.mu.Unlock()
	if ending {
		p.each(func(c *connection) { p.count(Reset); c.reset() })
	}
}

// Counts says what the proxy has done.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := Counts{Connections: p.accepted, Bytes: p.bytes.Load(), Faults: make(map[Fault]int64)}
	for fault := range p.faults {
		if n := p.faults[fault].Load(); n > 0 {
			counts.Faults[Fault(fault)] = n
		}
	}
	return counts
}

func (p *Proxy) count(fault Fault) { p.faults[fault].Add(1) }

// each calls f with every connection, without holding the lock.
func (p *Proxy) each(f func(*connection)) {
	p.mu.Lock()
	all := make([]*connection, 0, len(p.connections))
	for c := range p.connections {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// accept takes connections until the proxy is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as too many open files
			p.sleep(p.ctx, 10*time.Millisecond)
			continue
		}
		c := p.add(client.(*net.TCPConn))
		if c == nil {
			continue
		}
		p.wait.Go(func() {
			defer p.remove(c)
			c.serve()
		})
	}
}

// add makes a connection, or refuses it.
func (p *Proxy) add(client *net.TCPConn) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted++
	if p.down || p.ctx.Err() != nil {
		p.count(Refuse)
		reset(client)
		return nil
	}
	plan := Plan{}
	if !p.calm {
		plan = p.plan()
	}
	c := newConnection(p, client, plan)
	p.connections[c] = struct{}{}
	return c
}

func (p *Proxy) remove(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.connections, c)
}

// reset closes a connection with an RST segment.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // its errors say that the connection is gone already, and
	_ = c.Close()      // that is what is wanted
}
