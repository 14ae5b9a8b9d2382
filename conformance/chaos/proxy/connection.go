package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	chunk = 16 << 10
	// slowTicks is how many times a second a slow direction takes bytes.
	slowTicks = 20
)

// connection is a client's connection and the one to the server that belongs to it.
type connection struct {
	proxy  *Proxy
	plan   Plan
	client *net.TCPConn

	faulty context.Context // ends when no fault must happen any more, or is to end
	stop   context.CancelFunc

	mu     sync.Mutex
	server *net.TCPConn
	ended  bool // closed, or to be closed as soon as there is something to close
	half   bool // a direction is closed, by a fault
	parted bool // cut: what still comes is thrown away
}

func newConnection(p *Proxy, client *net.TCPConn, plan Plan) *connection {
	c := &connection{proxy: p, plan: plan, client: client}
	c.faulty, c.stop = context.WithCancel(p.ctx)
	return c
}

// serve connects to the server and passes bytes until both directions have ended.
func (c *connection) serve() {
	defer c.stop()
	if c.plan.Fault == Reset && c.plan.After == 0 {
		c.proxy.count(Reset)
		c.reset()
		return
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	server, err := dialer.DialContext(c.proxy.ctx, "tcp", c.proxy.target)
	if err != nil {
		c.reset() // as the server's machine would
		return
	}
	if !c.connected(server.(*net.TCPConn)) {
		return
	}
	var other sync.WaitGroup
	other.Go(func() { c.pass(ToClient, c.server, c.client) })
	c.pass(ToServer, c.client, c.server)
	other.Wait()
	c.end()
}

// connected notes the connection to the server, unless all is over.
func (c *connection) connected(server *net.TCPConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		reset(server)
		return false
	}
	c.server = server
	return true
}

// end closes both connections.
func (c *connection) end() { c.closeWith(func(t *net.TCPConn) { _ = t.Close() }) }

// reset resets both connections.
func (c *connection) reset() { c.closeWith(reset) }

func (c *connection) closeWith(f func(*net.TCPConn)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	f(c.client)
	if c.server != nil {
		f(c.server)
	}
}

// cut ends both directions in order. What the peers have not read by then, or send
// after it, is thrown away: unread bytes would make the system reset the connection.
func (c *connection) cut() {
	c.mu.Lock()
	c.parted = true
	c.mu.Unlock()
	until := time.Now().Add(parting)
	for _, t := range []*net.TCPConn{c.client, c.server} {
		_ = t.CloseWrite()
		_ = t.SetReadDeadline(until)
	}
}

func (c *connection) isParted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parted
}

// calm ends the faults of this connection.
func (c *connection) calm() {
	c.mu.Lock()
	half := c.half
	c.mu.Unlock()
	c.stop()
	if half {
		c.end()
	}
}

// pass passes the bytes of one direction, until they end or the plan says so.
func (c *connection) pass(direction Direction, from, to *net.TCPConn) {
	left := int64(-1) // until the fault; negative: there is none
	if c.plan.Fault != None && c.plan.Direction == direction {
		left = c.plan.After
	}
	buffer := make([]byte, chunk)
	for slow := false; ; {
		if left == 0 {
			left = -1
			if c.faulty.Err() == nil {
				over := c.happen(to)
				if over {
					discard(from, buffer)
					return
				}
				slow = c.plan.Fault == Slow
			}
		}
		slow = slow && c.faulty.Err() == nil
		n, err := from.Read(buffer[:c.next(left, slow)])
		if n > 0 && !c.isParted() {
			if _, err := to.Write(buffer[:n]); err != nil {
				c.reset() // the bytes are lost, which their sender must learn
				return
			}
			c.proxy.bytes.Add(int64(n))
		}
		if left > 0 {
			left -= int64(n)
		}
		if err != nil {
			c.finish(to, err)
			return
		}
		if slow {
			c.proxy.sleep(c.faulty, time.Second/slowTicks)
		}
	}
}

// next is how many bytes to read at most.
func (c *connection) next(left int64, slow bool) int64 {
	most := int64(chunk)
	if slow {
		most = int64(max(1, c.plan.Rate/slowTicks))
	}
	if left > 0 {
		most = min(most, left)
	}
	return most
}

// happen makes the fault happen to the direction towards a side. It tells whether
// this is the end of the direction, and what still comes is to be thrown away.
func (c *connection) happen(to *net.TCPConn) (over bool) {
	c.proxy.count(c.plan.Fault)
	switch c.plan.Fault {
	case Cut:
		c.cut()
		return true
	case Reset:
		c.reset()
		return true
	case HalfClose:
		c.mu.Lock()
		c.half = true
		c.mu.Unlock()
		_ = to.CloseWrite()
		return true
	case Stall:
		c.proxy.sleep(c.faulty, c.plan.Pause)
	}
	return false
}

// finish passes on how a direction has ended.
func (c *connection) finish(to *net.TCPConn, err error) {
	switch {
	case errors.Is(err, io.EOF):
		_ = to.CloseWrite()
	case c.isParted():
		c.end()
	default:
		c.reset()
	}
}

// discard reads until there is nothing more.
func discard(from *net.TCPConn, buffer []byte) {
	for {
		if _, err := from.Read(buffer); err != nil {
			return
		}
	}
}
