package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

// patience bounds waiting for what must happen.
const patience = 3 * time.Minute

// dial opens a connection that is closed when the test ends.
func dial(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn, bufio.NewReader(conn)
}

// read reads one answer.
func read(t *testing.T, reader *bufio.Reader) answer {
	t.Helper()
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(body)}
}

// blocked lets requests wait in the engine. entered receives one value for each.
func (s *site) blocked(t *testing.T) (entered chan struct{}, leave func()) {
	entered, left := make(chan struct{}, 100), make(chan struct{})
	s.engine.during = func(context.Context, []byte) { entered <- struct{}{}; <-left }
	leave = sync.OnceFunc(func() { close(left) })
	t.Cleanup(leave)
	return entered, leave
}

func wait(t *testing.T, what string, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
	}
}

// A body that does not arrive holds no place among the requests that are worked on.
func TestSlowSendersHoldNoPlace(t *testing.T) {
	for _, r := range withBody() {
		s := newSite(t, r.role, api.Options{Limits: api.Limits{Uploads: 1, AggregationJobs: 1, CollectionJobs: 1}})
		for range 5 {
			conn, reader := dial(t, s.Listener.Addr().String())
			_, _ = io.WriteString(conn, r.head("Content-Length: 10", "Expect: 100-continue"))
			// The server asks for the body: it is about to read it.
			if line, err := reader.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
				t.Fatalf("%s: %q, %v", r.name, line, err)
			}
		}
		body, headers := r.request()
		if got := s.ask(t, r.method, r.path, body, headers...); got.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d beside slow senders", r.name, got.StatusCode)
		}
	}
}

// What is declared too long, or does not fit now, is refused before it is read.
func TestRefusedBeforeTheBody(t *testing.T) {
	for _, r := range []route{routes[0], routes[1], routes[4], routes[8]} {
		limits := api.Limits{UploadBytes: 8000, AggregationJobBytes: 8000, CollectionJobBytes: 8000,
			UploadBytesInFlight: 10_000, AggregationJobBytesInFlight: 10_000, CollectionJobBytesInFlight: 10_000}
		s := newSite(t, r.role, api.Options{Limits: limits})
		ask := func(length int) answer {
			conn, reader := dial(t, s.Listener.Addr().String())
			_, _ = io.WriteString(conn, r.head(fmt.Sprintf("Content-Length: %d", length)))
			return read(t, reader)
		}
		wantProblem(t, ask(8001), http.StatusRequestEntityTooLarge, "")
		wantProblem(t, ask(1<<40), http.StatusRequestEntityTooLarge, "")

		entered, leave := s.blocked(t)
		_, headers := r.request()
		var first sync.WaitGroup
		first.Go(func() { s.ask(t, r.method, r.path, strings.Repeat("x", 6000), headers...) })
		wait(t, "the first request", entered)
		got := ask(6000)
		wantProblem(t, got, http.StatusServiceUnavailable, "")
		wantHeaders(t, got, map[string]string{"Retry-After": "1"})
		leave()
		first.Wait()
	}
}

// A body without a declared length is cut off where it does not fit.
func TestChunkedBodyIsCutOff(t *testing.T) {
	s := newSite(t, dap.RoleLeader, api.Options{Limits: api.Limits{UploadBytes: 100_000, UploadBytesInFlight: 110_000}})
	r := routes[0]
	entered, leave := s.blocked(t)
	_, headers := r.request()
	var first sync.WaitGroup
	first.Go(func() { s.ask(t, r.method, r.path, strings.Repeat("x", 90_000), headers...) })
	wait(t, "the first request", entered)
	conn, reader := dial(t, s.Listener.Addr().String())
	_, _ = io.WriteString(conn, r.head("Transfer-Encoding: chunked")+"1e000\r\n"+strings.Repeat("x", 0x1e000)+"\r\n")
	got := read(t, reader)
	wantProblem(t, got, http.StatusServiceUnavailable, "")
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	leave()
	first.Wait()
}

// One task's uploads leave room for another's: places and bytes.
func TestTasksShare(t *testing.T) {
	other := dap.TaskID{0xf0, 0x16, 0x34, 2}
	for name, limits := range map[string]api.Limits{
		"places": {Uploads: 6},
		"bytes":  {UploadBytes: 10_000, UploadBytesInFlight: 60_000},
	} {
		s := newSite(t, dap.RoleLeader, api.Options{Limits: limits})
		s.engine.other = other
		entered, leave := s.blocked(t)
		body := strings.Repeat("x", 9999)
		var requests sync.WaitGroup
		upload := func(task dap.TaskID) chan int {
			status := make(chan int, 1)
			requests.Go(func() {
				status <- s.ask(t, "POST", tasks(task.String(), "reports"), body, content(dap.MediaTypeUploadRequest)).StatusCode
			})
			return status
		}
		admitted := func(task dap.TaskID) bool {
			status := upload(task)
			select {
			case <-entered:
				return true
			case got := <-status:
				if got != http.StatusServiceUnavailable {
					t.Errorf("%s: status %d", name, got)
				}
			case <-time.After(patience):
				t.Fatalf("%s: neither answered nor worked on", name)
			}
			return false
		}
		n := 0
		for admitted(testTask) {
			n++
		}
		if n < 3 || n > 5 {
			t.Errorf("%s: one task has %d of 6", name, n)
		}
		if !admitted(other) {
			t.Errorf("%s: another task finds no room", name)
		}
		leave()
		requests.Wait()
	}
}

// The upload for a task that is not known is refused before its body is read, so that invented
// tasks get no share.
func TestUnknownTaskBeforeTheBody(t *testing.T) {
	s := newSite(t, dap.RoleLeader, api.Options{})
	conn, reader := dial(t, s.Listener.Addr().String())
	unknown := dap.TaskID{1}
	_, _ = io.WriteString(conn, strings.Replace(routes[0].head("Content-Length: 1000"), testTask.String(), unknown.String(), 1))
	wantProblem(t, read(t, reader), http.StatusNotFound, dap.ErrorTypeUnrecognizedTask)
}

func TestTooManyRequestsOfAllKinds(t *testing.T) {
	s := newSite(t, dap.RoleLeader, api.Options{Limits: api.Limits{Requests: 1}})
	entered, leave := s.blocked(t)
	body, headers := routes[0].request()
	var first sync.WaitGroup
	first.Go(func() { s.ask(t, "POST", routes[0].path, body, headers...) })
	wait(t, "the first request", entered)
	got := s.ask(t, "GET", "/hpke_config", "")
	wantProblem(t, got, http.StatusServiceUnavailable, "")
	wantHeaders(t, got, map[string]string{"Retry-After": "1"})
	leave()
	first.Wait()
	if got := s.ask(t, "GET", "/hpke_config", ""); got.StatusCode != http.StatusOK {
		t.Errorf("afterwards: status %d", got.StatusCode)
	}
}

// An upload that cannot be stored is answered all the same.
func TestUploadTimeout(t *testing.T) {
	s := newSite(t, dap.RoleLeader, api.Options{Limits: api.Limits{UploadTimeout: time.Millisecond}})
	s.engine.during = func(ctx context.Context, _ []byte) { <-ctx.Done() }
	s.engine.err = context.DeadlineExceeded
	body, headers := routes[0].request()
	got := s.ask(t, "POST", routes[0].path, body, headers...)
	wantProblem(t, got, http.StatusServiceUnavailable, "")
	wantHeaders(t, got, map[string]string{"Retry-After": "1"})
}

// A connection without a request, or without a whole header, makes place for a new one.
func TestConnectionsMakePlace(t *testing.T) {
	server, _ := serve(t, http.HandlerFunc(hello), api.ServerOptions{MaxConnections: 2})
	address := server.Addr().String()
	ask := func(conn net.Conn, reader *bufio.Reader) {
		t.Helper()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := read(t, reader); got.StatusCode != http.StatusOK {
			t.Fatalf("status %d", got.StatusCode)
		}
	}
	_, silentReader := dial(t, address)
	half, halfReader := dial(t, address)
	_, _ = io.WriteString(half, "GET / HTTP/1.1\r\nHost: x\r\n")
	// Each new one takes the place of the one that has waited longest.
	for _, oldest := range []*bufio.Reader{silentReader, halfReader} {
		conn, reader := dial(t, address)
		ask(conn, reader)
		if _, err := oldest.ReadByte(); err == nil {
			t.Error("a connection that has waited is still answered")
		}
	}
}

// When each connection has a request, a new one is told to come again.
func TestTooManyConnections(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	server, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-left
		hello(w, r)
	}), api.ServerOptions{MaxConnections: 2})
	leave := sync.OnceFunc(func() { close(left) })
	t.Cleanup(leave)
	var busy []*bufio.Reader
	for range 2 {
		conn, reader := dial(t, server.Addr().String())
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		wait(t, "the request", entered)
		busy = append(busy, reader)
	}
	_, reader := dial(t, server.Addr().String())
	got := read(t, reader)
	wantProblem(t, got, http.StatusServiceUnavailable, "")
	wantHeaders(t, got, map[string]string{"Retry-After": "1", "Connection": ""}) // net/http takes it out
	leave()
	for _, reader := range busy {
		if got := read(t, reader); got.StatusCode != http.StatusOK {
			t.Errorf("status %d", got.StatusCode)
		}
	}
}

func TestConnectionsOfOneAddress(t *testing.T) {
	server, _ := serve(t, http.HandlerFunc(hello), api.ServerOptions{MaxConnectionsPerAddress: 1})
	first, firstReader := dial(t, server.Addr().String())
	_, _ = io.WriteString(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := read(t, firstReader); got.StatusCode != http.StatusOK {
		t.Fatalf("status %d", got.StatusCode)
	}
	_, reader := dial(t, server.Addr().String())
	wantProblem(t, read(t, reader), http.StatusServiceUnavailable, "")
	// From another address.
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}
	conn, err := (&net.Dialer{LocalAddr: local}).Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := read(t, bufio.NewReader(conn)); got.StatusCode != http.StatusOK {
		t.Errorf("another address: status %d", got.StatusCode)
	}
}
