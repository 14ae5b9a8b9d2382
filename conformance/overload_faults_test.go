package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// overloadFaults are the clients that mean harm.
type overloadFaults struct {
	outcomes overloadOutcomes
}

// address is where the Leader listens.
func (o *overload) address() string {
	u, err := url.Parse(o.system.Leader.URL)
	if err != nil {
		panic(err) // it has served requests
	}
	return u.Host
}

// openIdle opens connections that send nothing.
func (o *overload) openIdle(n int) {
	o.Helper()
	for range n {
		conn, err := net.Dial("tcp", o.address())
		must(o.T, err)
		o.Cleanup(func() { _ = conn.Close() })
	}
}

// head writes the head of an upload.
func (f *overloadFaults) head(conn net.Conn, path, length string) error {
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: leader\r\nContent-Type: %s\r\n%s\r\n\r\n", path, dap.MediaTypeUploadRequest, length)
	return err
}

// slow sends a long body byte by byte, again and again.
func (f *overloadFaults) slow(ctx context.Context, o *overload, path string) {
	for ctx.Err() == nil {
		f.connection(ctx, o, func(conn net.Conn) {
			if f.head(conn, path, "Content-Length: 1000000") != nil {
				return
			}
			for {
				select {
				case <-ctx.Done():
					return
				case <-time.After(100 * time.Millisecond):
				}
				if _, err := conn.Write([]byte{0}); err != nil {
					return
				}
			}
		})
	}
}

// lie sends a body that is shorter than it says, longer than anything, or without end.
func (f *overloadFaults) lie(ctx context.Context, o *overload, path string, i int) {
	junk := make([]byte, 256<<10)
	for ; ctx.Err() == nil; i++ {
		f.connection(ctx, o, func(conn net.Conn) {
			switch i % 3 {
			case 0:
				if f.head(conn, path, "Content-Length: 30000000") == nil {
					_, _ = conn.Write(junk)
					if half, ok := conn.(*net.TCPConn); ok {
						_ = half.CloseWrite()
					}
				}
			case 1:
				_ = f.head(conn, path, "Content-Length: 900000000000")
			default:
				if f.head(conn, path, "Transfer-Encoding: chunked") != nil {
					return
				}
				for {
					if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(junk), junk); err != nil {
						return
					}
				}
			}
		})
	}
}

// connection lets send write on a connection of its own, and counts what the server answers. The server
// may answer at any time.
func (f *overloadFaults) connection(ctx context.Context, o *overload, send func(net.Conn)) {
	conn, err := net.Dial("tcp", o.address())
	if err != nil {
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	began := time.Now()
	_ = conn.SetDeadline(began.Add(overloadPatience))
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			f.outcomes.add(0, time.Since(began), "", nil) // the answer may be lost with what was not read
			return
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
		_ = response.Body.Close()
		f.outcomes.add(response.StatusCode, time.Since(began), response.Header.Get("Retry-After"), nil)
	}()
	send(conn)
	<-answered
}

func (f *overloadFaults) check(t *testing.T) {
	t.Helper()
	if f.outcomes.unhelpful > 0 {
		t.Errorf("faults: %d refusals without Retry-After", f.outcomes.unhelpful)
	}
	if n := f.outcomes.statuses[http.StatusOK]; n > 0 {
		t.Errorf("faults: %d bodies that were never sent were accepted", n)
	}
}
