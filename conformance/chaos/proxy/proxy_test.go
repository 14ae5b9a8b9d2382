package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what must happen; it is long, because the machine may be busy.
const patience = time.Minute

// pair is a connection through a proxy, seen from both ends.
type pair struct {
	proxy          *Proxy
	client, server *net.TCPConn
	sleeps         chan time.Duration // what the proxy sleeps; it goes on when release is closed or has a value
	release        chan struct{}
}

// connect makes a proxy whose connections have one plan, and a connection through it.
func connect(t *testing.T, plan Plan) *pair {
	t.Helper()
	listener := listen(t)
	p := &pair{sleeps: make(chan time.Duration, 10_000), release: make(chan struct{})}
	var err error
	if p.proxy, err = Listen("127.0.0.1:0", listener.Addr().String(), func() Plan { return plan }); err != nil {
		t.Fatal(err)
	}
	p.proxy.sleep = func(ctx context.Context, d time.Duration) {
		p.sleeps <- d
		select {
		case <-p.release:
		case <-ctx.Done():
		}
	}
	t.Cleanup(func() {
		if err := p.proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	p.client = dial(t, p.proxy.Address())
	p.server = accept(t, listener)
	return p
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.(*net.TCPListener)
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return patient(t, c)
}

func accept(t *testing.T, listener *net.TCPListener) *net.TCPConn {
	t.Helper()
	if err := listener.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return patient(t, c)
}

func patient(t *testing.T, c net.Conn) *net.TCPConn {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func send(t *testing.T, c *net.TCPConn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// receive reads exactly what is wanted.
func receive(t *testing.T, c *net.TCPConn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

// ends reads to the end, which must be an orderly one, and compares.
func ends(t *testing.T, c *net.TCPConn, want string) {
	t.Helper()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != want {
		t.Fatalf("got %q and then %v, want %q and then the end", got, err, want)
	}
}

// isReset reads until the connection is reset, which must come.
func isReset(t *testing.T, c *net.TCPConn) (before string) {
	t.Helper()
	got, err := io.ReadAll(c)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %q and then %v, want a reset", got, err)
	}
	return string(got)
}

// isRefused connects to an address where connections are reset at once: so soon that
// it may be while connecting.
func isRefused(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err == nil {
		defer c.Close()
		_, err = patient(t, c).Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %v, want a reset", err)
	}
}

// happened waits until a fault is counted so often.
func (p *pair) happened(t *testing.T, fault Fault, want int64) {
	t.Helper()
	for end := time.Now().Add(patience); p.proxy.Counts().Faults[fault] != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("got %+v, want %s %d times", p.proxy.Counts(), fault, want)
		}
	}
}

func TestNoFault(t *testing.T) {
	p := connect(t, Plan{})
	text := bytes.Repeat([]byte("0123456789"), 100_000)
	var wait sync.WaitGroup
	for _, ends := range [][2]*net.TCPConn{{p.client, p.server}, {p.server, p.client}} {
		wait.Go(func() {
			if _, err := ends[0].Write(text); err != nil {
				t.Error(err)
			}
			if err := ends[0].CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() {
			if got, err := io.ReadAll(ends[1]); err != nil || !bytes.Equal(got, text) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
	wait.Wait()
	if counts := p.proxy.Counts(); counts.Connections != 1 || counts.Bytes != 2*int64(len(text)) || len(counts.Faults) != 0 {
		t.Errorf("got %+v", counts)
	}
}

func TestCut(t *testing.T) {
	for direction, name := range map[Direction]string{ToServer: "request", ToClient: "answer"} {
		t.Run(name, func(t *testing.T) {
			p := connect(t, Plan{Fault: Cut, Direction: direction, After: 5})
			from, to := p.client, p.server
			if direction == ToClient {
				from, to = to, from
			}
			send(t, from, "0123456789")
			ends(t, to, "01234")
			ends(t, from, "")
			p.happened(t, Cut, 1)
		})
	}
}

func TestReset(t *testing.T) {
	p := connect(t, Plan{Fault: Reset, Direction: ToServer, After: 5})
	send(t, p.client, "0123456789")
	if got := isReset(t, p.server); len(got) > 5 {
		t.Errorf("the server got %q", got)
	}
	isReset(t, p.client)
	p.happened(t, Reset, 1)
}

func TestResetAtOnce(t *testing.T) {
	proxy, err := Listen("127.0.0.1:0", "127.0.0.1:1", func() Plan { return Plan{Fault: Reset} })
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	isRefused(t, proxy.Address())
	(&pair{proxy: proxy}).happened(t, Reset, 1)
}

func TestHalfClose(t *testing.T) {
	t.Run("request", func(t *testing.T) {
		p := connect(t, Plan{Fault: HalfClose, Direction: ToServer, After: 5})
		send(t, p.client, "0123456789")
		ends(t, p.server, "01234")
		send(t, p.server, "answer")
		receive(t, p.client, "answer")
		send(t, p.client, "more")
		if err := p.server.Close(); err != nil {
			t.Fatal(err)
		}
		ends(t, p.client, "")
		p.happened(t, HalfClose, 1)
	})
	t.Run("answer", func(t *testing.T) {
		p := connect(t, Plan{Fault: HalfClose, Direction: ToClient, After: 5})
		send(t, p.server, "0123456789")
		ends(t, p.client, "01234")
		send(t, p.client, "request")
		receive(t, p.server, "request")
		p.happened(t, HalfClose, 1)
	})
}

func TestStall(t *testing.T) {
	p := connect(t, Plan{Fault: Stall, Direction: ToServer, After: 5, Pause: time.Hour})
	send(t, p.client, "0123456789")
	receive(t, p.server, "01234")
	if d := <-p.sleeps; d != time.Hour {
		t.Fatalf("it stalls for %s", d)
	}
	send(t, p.server, "the other direction")
	receive(t, p.client, "the other direction")
	close(p.release)
	send(t, p.client, "abc")
	receive(t, p.server, "56789abc")
	p.happened(t, Stall, 1)
}

func TestSlow(t *testing.T) {
	p := connect(t, Plan{Fault: Slow, Direction: ToClient, After: 5, Rate: 3 * slowTicks})
	text := "01234" + "abc" + "def" + "ghi" + "j"
	send(t, p.server, text)
	receive(t, p.client, "01234abc")
	for _, next := range []string{"def", "ghi", "j"} {
		if d := <-p.sleeps; d != time.Second/slowTicks {
			t.Fatalf("it sleeps for %s", d)
		}
		p.release <- struct{}{}
		receive(t, p.client, next)
	}
	p.happened(t, Slow, 1)
}

func TestFaultsThatDoNotCome(t *testing.T) {
	p := connect(t, Plan{Fault: Cut, Direction: ToServer, After: 5})
	send(t, p.client, "0123")
	receive(t, p.server, "0123")
	send(t, p.server, "an answer that is longer")
	receive(t, p.client, "an answer that is longer")
	if counts := p.proxy.Counts(); len(counts.Faults) != 0 {
		t.Errorf("got %+v", counts)
	}
}

func TestCalm(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		p := connect(t, Plan{Fault: Reset, Direction: ToServer, After: 5})
		p.proxy.Calm()
		send(t, p.client, "0123456789")
		receive(t, p.server, "0123456789")
	})
	t.Run("stalled", func(t *testing.T) {
		p := connect(t, Plan{Fault: Stall, Direction: ToServer, After: 5, Pause: time.Hour})
		send(t, p.client, "0123456789")
		<-p.sleeps
		p.proxy.Calm()
		receive(t, p.server, "0123456789")
	})
	t.Run("slow", func(t *testing.T) {
		p := connect(t, Plan{Fault: Slow, Direction: ToServer, After: 5, Rate: 1})
		send(t, p.client, "0123456789")
		<-p.sleeps
		p.proxy.Calm()
		receive(t, p.server, "0123456789")
	})
	t.Run("half closed", func(t *testing.T) {
		p := connect(t, Plan{Fault: HalfClose, Direction: ToServer, After: 5})
		send(t, p.client, "01234")
		ends(t, p.server, "01234")
		p.proxy.Calm()
		ends(t, p.client, "")
	})
	t.Run("later", func(t *testing.T) {
		p := connect(t, Plan{Fault: Reset, Direction: ToServer, After: 5})
		p.proxy.Calm()
		p.proxy.SetDown(true) // too late
		send(t, p.client, "0123456789")
		receive(t, p.server, "0123456789")
	})
}

func TestOutage(t *testing.T) {
	listener := listen(t)
	proxy, err := Listen("127.0.0.1:0", listener.Addr().String(), func() Plan { return Plan{} })
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	p := &pair{proxy: proxy}
	client := dial(t, proxy.Address())
	server := accept(t, listener)
	send(t, client, "request")
	receive(t, server, "request")

	proxy.SetDown(true)
	isReset(t, client)
	isReset(t, server)
	isRefused(t, proxy.Address())
	p.happened(t, Refuse, 1)

	proxy.SetDown(false)
	client = dial(t, proxy.Address())
	send(t, client, "request")
	receive(t, accept(t, listener), "request")
	p.happened(t, Reset, 1)
}

// TestNoServer: while the server is not there, clients see what they would see
// without a proxy.
func TestNoServer(t *testing.T) {
	const nobody = "127.0.0.1:1"
	proxy, err := Listen("127.0.0.1:0", nobody, func() Plan { return Plan{} })
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	isRefused(t, proxy.Address())
}

// TestClose: nothing is left of connections, whatever they are at.
func TestClose(t *testing.T) {
	for fault := range Fault(faults) {
		t.Run(fault.String(), func(t *testing.T) {
			p := connect(t, Plan{Fault: fault, Direction: ToServer, After: 5, Pause: time.Hour, Rate: 1})
			send(t, p.client, "0123456789")
			if fault == Stall || fault == Slow {
				<-p.sleeps
			}
			if err := p.proxy.Close(); err != nil {
				t.Error(err)
			}
			if _, err := net.DialTimeout("tcp", p.proxy.Address(), patience); err == nil {
				t.Error("it still listens")
			}
			p.proxy, _ = Listen("127.0.0.1:0", "127.0.0.1:1", func() Plan { return Plan{} }) // for the cleanup
		})
	}
}

func TestFaultNames(t *testing.T) {
	seen := map[string]bool{}
	for fault := range Fault(faults) {
		seen[fault.String()] = true
	}
	if len(seen) != faults || seen[""] || Fault(200).String() != "Fault(200)" {
		t.Errorf("got %v", seen)
	}
}
