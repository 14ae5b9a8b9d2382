package api

import (
	"net"
	"net/http"
	"testing"
	"time"
)

// pipe is one end of a connection in memory.
func pipe(t *testing.T) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near
}

// closed tells whether a connection was closed.
func closed(b *boundedConn) bool { return b.Conn.SetDeadline(time.Time{}) != nil }

// Who has waited longest without a request makes place first, and who has one never does.
func TestConnectionsThatWaitMakePlace(t *testing.T) {
	c := newConnections(3, 0, true, time.Second)
	var open []*boundedConn
	for range 3 {
		open = append(open, c.admit(pipe(t)))
	}
	a, b, busy := open[0], open[1], open[2]
	for _, conn := range open {
		c.changed(conn, http.StateActive)
	}
	if c.admit(pipe(t)) != nil {
		t.Fatal("a fourth, though each has a request")
	}
	c.changed(b, http.StateIdle)
	c.changed(a, http.StateIdle)
	c.changed(a, http.StateIdle) // again
	if c.admit(pipe(t)) == nil || !closed(b) || closed(a) {
		t.Error("the one that has waited longest is not the one that is closed")
	}
	c.changed(b, http.StateClosed)
	_ = b.Close()
	if c.admit(pipe(t)) == nil || !closed(a) || closed(busy) {
		t.Error("the second one to make place is another")
	}
	_ = a.Close()
	_ = busy.Close()
	_ = busy.Close()
	if c.open != 2 || c.waiting.Len() != 2 {
		t.Errorf("%d are open, %d wait; want 2", c.open, c.waiting.Len())
	}
}
