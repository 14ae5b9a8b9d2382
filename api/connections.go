package api

import (
	"container/list"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/internal/daphttp"
)

// connections bounds the connections of a server. When there are as many as may be, a new one takes the
// place of the one that has waited longest without a request, and is refused if each has one. So
// idle connections, and those that never finish a header, keep nobody out.
type connections struct {
	most, mostOfAddress int // mostOfAddress 0: any number
	// refusal is what a connection that is refused is sent; empty: nothing.
	refusal   []byte
	refusing  chan struct{} // one value for each that is being told
	mu        sync.Mutex
	open      int
	addresses map[netip.Addr]int
	waiting   *list.List // of those without a request, who has waited longest first
}

// maxRefusing is how many connections are told at the same time that they are refused. Others are just closed.
const maxRefusing = 64

// refusalTime is how long telling may take.
const refusalTime = time.Second

func newConnections(most, mostOfAddress int, plain bool, retryAfter time.Duration) *connections {
	c := &connections{
		most: most, mostOfAddress: mostOfAddress, refusing: make(chan struct{}, maxRefusing),
		addresses: make(map[netip.Addr]int), waiting: list.New(),
	}
	if plain {
		c.refusal = refusalOf(retryAfter)
	}
	return c
}

// refusalOf is a whole HTTP/1.1 answer of status 503.
func refusalOf(retryAfter time.Duration) []byte {
	document := encodeProblem(plainProblem(http.StatusServiceUnavailable, "The server has too many connections; try again later."))
	head := "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nCache-Control: no-store\r\n" +
		"Content-Type: " + daphttp.ProblemMediaType + "\r\nRetry-After: " + daphttp.FormatRetryAfter(retryAfter) + "\r\n" +
		"Content-Length: " + strconv.Itoa(len(document)) + "\r\n\r\n"
	return append([]byte(head), document...)
}

// listen returns a listener of the connections that are admitted.
func (c *connections) listen(inner net.Listener) net.Listener { return &boundedListener{inner, c} }

type boundedListener struct {
	net.Listener
	connections *connections
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if bounded := l.connections.admit(conn); bounded != nil {
			return bounded, nil
		}
		l.connections.refuse(conn)
	}
}

// boundedConn is a connection that was admitted.
type boundedConn struct {
	net.Conn
	connections *connections
	address     netip.Addr
	closing     sync.Once
	place       *list.Element // in waiting, or nil; connections.mu protects it
	gone        bool          // as well
}

// Close implements net.Conn.
func (b *boundedConn) Close() error {
	b.closing.Do(func() { b.connections.leave(b) })
	return b.Conn.Close()
}

// CloseWrite lets net/http end its half of the connection first, so that its last answer arrives.
func (b *boundedConn) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// admit counts a connection in, or returns nil.
func (c *connections) admit(conn net.Conn) *boundedConn {
	b := &boundedConn{Conn: conn, connections: c, address: addressOf(conn)}
	c.mu.Lock()
	if c.mostOfAddress > 0 && b.address.IsValid() && c.addresses[b.address] >= c.mostOfAddress {
		c.mu.Unlock()
		return nil
	}
	var victim *boundedConn
	if c.open >= c.most {
		first := c.waiting.Front()
		if first == nil {
			c.mu.Unlock()
			return nil
		}
		victim = first.Value.(*boundedConn)
		c.remove(victim) // at once, so that the next one finds another
	}
	c.open++
	if b.address.IsValid() {
		c.addresses[b.address]++
	}
	b.place = c.waiting.PushBack(b)
	c.mu.Unlock()
	if victim != nil {
		_ = victim.Conn.Close() // whoever reads it learns of it, and calls Close
	}
	return b
}

func (c *connections) leave(b *boundedConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(b)
}

// remove counts a connection out, once. The caller holds the lock.
func (c *connections) remove(b *boundedConn) {
	if b.gone {
		return
	}
	b.gone = true
	c.open--
	if b.address.IsValid() {
		if c.addresses[b.address]--; c.addresses[b.address] == 0 {
			delete(c.addresses, b.address)
		}
	}
	c.stopWaiting(b)
}

func (c *connections) stopWaiting(b *boundedConn) {
	if b.place != nil {
		c.waiting.Remove(b.place)
		b.place = nil
	}
}

// changed is the server's hook for the states of connections.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	b, ok := conn.(*boundedConn)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case b.gone:
	case state == http.StateActive:
		c.stopWaiting(b)
	case state == http.StateIdle && b.place == nil:
		b.place = c.waiting.PushBack(b)
	}
}

// refuse tells a connection that there are too many, and closes it.
func (c *connections) refuse(conn net.Conn) {
	select {
	case c.refusing <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	go func() {
		defer func() { <-c.refusing }()
		defer func() { _ = conn.Close() }()
		if len(c.refusal) == 0 {
			return
		}
		_ = conn.SetDeadline(time.Now().Add(refusalTime))
		if _, err := conn.Write(c.refusal); err != nil {
			return
		}
		// What has arrived is read, so that the answer is not lost with it.
		if half, ok := conn.(*net.TCPConn); ok && half.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, conn, 64<<10)
		}
	}()
}

// addressOf is the address at the other end, if it has one.
func addressOf(conn net.Conn) netip.Addr {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
