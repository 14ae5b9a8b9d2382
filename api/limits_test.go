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

// withBody are the routes that take one.
func withBody() (taking []route) {
	for _, r := range routes {
		if r.sends != "" {
			taking = append(taking, r)
		}
	}
	return taking
}

func TestMediaTypeOfRequests(t *testing.T) {
	for _, r := range withBody() {
		s := newSite(t, r.role, api.Options{})
		_, headers := r.request()
		headers = headers[:len(headers)-1] // without the Content-Type
		for _, other := range []string{"", "application/octet-stream", "application/ppm-dap", "application/ppm-dap;message=hpke-config-list",
			"application/ppm-dap;message", string(r.sends) + "x", string(r.sends) + ";message=upload-errors", "text/plain;" + strings.SplitN(string(r.sends), ";", 2)[1]} {
			got := s.ask(t, r.method, r.path, "x", append(headers, "Content-Type: "+other)...)
			d := wantProblem(t, got, http.StatusUnsupportedMediaType, "")
			if !strings.Contains(d.Detail, string(r.sends)) || got.Header.Get("Accept-Post") != string(r.sends) {
				t.Errorf("%s: detail %q, Accept-Post %q", r.name, d.Detail, got.Header.Get("Accept-Post"))
			}
		}
		got := s.ask(t, r.method, r.path, "x", append(headers, content(r.sends), content(r.sends))...)
		wantProblem(t, got, http.StatusUnsupportedMediaType, "")
		got = s.ask(t, r.method, r.path, "x", append(headers, content(r.sends), "Content-Encoding: gzip")...)
		wantProblem(t, got, http.StatusUnsupportedMediaType, "")
		if calls := s.engine.take(); calls != "" {
			t.Errorf("%s: calls %q", r.name, calls)
		}
		for _, same := range []string{strings.ToUpper("application/ppm-dap") + strings.TrimPrefix(string(r.sends), "application/ppm-dap"), string(r.sends) + ";version=18"} {
			if got := s.ask(t, r.method, r.path, "x", append(headers, "Content-Type: "+same)...); got.StatusCode != http.StatusOK {
				t.Errorf("%s: %s: status %d", r.name, same, got.StatusCode)
			}
		}
	}
}

func TestBodyOverTheLimit(t *testing.T) {
	limits := api.Limits{UploadBytes: 1000, AggregationJobBytes: 1000, CollectionJobBytes: 1000}
	for _, r := range withBody() {
		s := newSite(t, r.role, api.Options{Limits: limits})
		_, headers := r.request()
		for _, chunked := range []bool{false, true} {
			for length, status := range map[int]int{1000: http.StatusOK, 1001: http.StatusRequestEntityTooLarge, 300_000: http.StatusRequestEntityTooLarge} {
				var body io.Reader = strings.NewReader(strings.Repeat("x", length))
				if chunked {
					body = io.MultiReader(body) // hides the length
				}
				request, err := http.NewRequestWithContext(t.Context(), r.method, s.URL+r.path, body)
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range headers {
					name, value, _ := strings.Cut(h, ": ")
					request.Header.Add(name, value)
				}
				got := send(t, s.Client(), request)
				calls := s.engine.take()
				if got.StatusCode != status || (calls != "") != (status == http.StatusOK) {
					t.Errorf("%s, %d bytes, chunked %t: status %d, calls %.60q", r.name, length, chunked, got.StatusCode, calls)
				}
				if status != http.StatusOK {
					if d := wantProblem(t, got, status, ""); !strings.Contains(d.Detail, "1000") {
						t.Errorf("detail %q does not name the limit", d.Detail)
					}
				}
			}
		}
	}
}

// raw sends bytes over a connection of its own, ends the sending half, and reads the answer.
func raw(t *testing.T, s *site, request string, end bool) answer {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if end {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
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

// head is the head of a request, as a client writes it.
func (r route) head(more ...string) string {
	_, headers := r.request()
	return r.method + " " + r.path + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(headers, more...), "\r\n") + "\r\n\r\n"
}

func TestBrokenBodies(t *testing.T) {
	for _, r := range withBody() {
		s := newSite(t, r.role, api.Options{})
		for name, c := range map[string]struct {
			request string
			status  int
		}{
			// The network may have cut these off: they are to be sent again.
			"shorter than Content-Length": {r.head("Content-Length: 100") + "only this", http.StatusRequestTimeout},
			"ends within a chunk":         {r.head("Transfer-Encoding: chunked") + "64\r\nonly this", http.StatusRequestTimeout},
			"ends without a last chunk":   {r.head("Transfer-Encoding: chunked") + "4\r\nonly\r\n", http.StatusRequestTimeout},
			"malformed chunk":             {r.head("Transfer-Encoding: chunked") + "zz\r\nonly\r\n0\r\n\r\n", http.StatusBadRequest},
		} {
			got := raw(t, s, c.request, true)
			wantProblem(t, got, c.status, "")
			if calls := s.engine.take(); calls != "" {
				t.Errorf("%s, %s: calls %q", r.name, name, calls)
			}
		}
		// What follows a body of the declared length is not part of it.
		got := raw(t, s, r.head("Content-Length: 4")+"onlyGARBAGE", true)
		if calls := s.engine.take(); got.StatusCode != http.StatusOK || !strings.HasSuffix(calls, ", only)") {
			t.Errorf("%s: longer than Content-Length: status %d, calls %q", r.name, got.StatusCode, calls)
		}
		// net/http itself refuses requests whose length is in doubt.
		for _, headers := range [][]string{{"Content-Length: 4", "Content-Length: 5"}, {"Content-Length: -1"}, {"Content-Length: x"}} {
			got := raw(t, s, r.head(headers...)+"only", true)
			if calls := s.engine.take(); got.StatusCode != http.StatusBadRequest || calls != "" {
				t.Errorf("%s, %q: status %d, calls %q", r.name, headers, got.StatusCode, calls)
			}
		}
	}
}

func TestSlowBody(t *testing.T) {
	for _, r := range withBody() {
		s := newSite(t, r.role, api.Options{Limits: api.Limits{BodyTimeout: 50 * time.Millisecond}})
		got := raw(t, s, r.head("Content-Length: 100")+"only this", false)
		wantProblem(t, got, http.StatusRequestTimeout, "")
		if calls := s.engine.take(); calls != "" {
			t.Errorf("%s: calls %q", r.name, calls)
		}
	}
}

// inTime calls f with a time limit, with ever longer ones as long as it says that the limit has hit what it
// must not: on a busy machine a short one may. What fails with each of them is an error.
func inTime(t *testing.T, what string, f func(limit time.Duration) bool) {
	t.Helper()
	for limit := 20 * time.Millisecond; limit < time.Minute; limit *= 2 {
		if f(limit) {
			return
		}
	}
	t.Errorf("%s: cut off by every limit", what)
}

// An engine may take longer than a body may: its time is not the client's.
func TestSlowEngine(t *testing.T) {
	for _, r := range withBody() {
		inTime(t, r.name, func(limit time.Duration) bool {
			s := newSite(t, r.role, api.Options{Limits: api.Limits{BodyTimeout: limit}})
			ended := make(chan error, 2)
			s.engine.during = func(ctx context.Context, _ []byte) {
				time.Sleep(2 * limit)
				ended <- ctx.Err()
			}
			body, headers := r.request()
			for range 2 { // the second on the same connection
				got := s.ask(t, r.method, r.path, body, headers...)
				if got.StatusCode == http.StatusRequestTimeout && len(ended) == 0 {
					return false // the body itself came late
				}
				if err := <-ended; got.StatusCode != http.StatusOK || err != nil {
					t.Errorf("%s: status %d, the engine's context: %v", r.name, got.StatusCode, err)
				}
			}
			return true
		})
	}
}

// The time for one answer is not left over for the next one on the connection.
func TestAnswerAfterAnIdleTime(t *testing.T) {
	inTime(t, "the second answer", func(limit time.Duration) bool {
		s := newSite(t, dap.RoleLeader, api.Options{Limits: api.Limits{WriteTimeout: limit}})
		conn, reader := dial(t, s.Listener.Addr().String())
		for range 2 {
			time.Sleep(2 * limit)
			_, _ = io.WriteString(conn, routes[0].head("Content-Length: 4", "Expect: 100-continue"))
			if line, err := reader.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
				return false
			}
			_, _ = reader.ReadString('\n')
			_, _ = io.WriteString(conn, "body")
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				return false
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("status %d", response.StatusCode)
			}
		}
		return true
	})
}

// Who does not read an answer does not hold the server.
func TestAnswerThatIsNotRead(t *testing.T) {
	s := newSite(t, dap.RoleLeader, api.Options{Limits: api.Limits{WriteTimeout: 20 * time.Millisecond}})
	s.engine.collection.Body = make([]byte, 64<<20) // more than the connection's buffers hold
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, routes[2].head())
	for deadline := time.Now().Add(patience); !strings.Contains(s.log.String(), "bytes_out"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the request goes on")
		}
	}
}

func TestTooManyRequests(t *testing.T) {
	limits := api.Limits{Uploads: 1, AggregationJobs: 1, CollectionJobs: 1, RetryAfter: 5 * time.Second}
	for _, r := range withBody() {
		s := newSite(t, r.role, api.Options{Limits: limits})
		entered, leave := make(chan struct{}), make(chan struct{})
		s.engine.during = func(context.Context, []byte) { entered <- struct{}{}; <-leave }
		body, headers := r.request()
		var first sync.WaitGroup
		first.Go(func() {
			if got := s.ask(t, r.method, r.path, body, headers...); got.StatusCode != http.StatusOK {
				t.Errorf("%s: the first: status %d", r.name, got.StatusCode)
			}
		})
		select {
		case <-entered:
		case <-time.After(patience):
			t.Fatalf("%s: the first request did not reach the engine", r.name)
		}
		got := s.ask(t, r.method, r.path, body, headers...)
		wantProblem(t, got, http.StatusServiceUnavailable, "")
		wantHeaders(t, got, map[string]string{"Retry-After": "5"})
		leave <- struct{}{}
		first.Wait()
		s.engine.during = nil
		if got := s.ask(t, r.method, r.path, body, headers...); got.StatusCode != http.StatusOK {
			t.Errorf("%s: after the first: status %d", r.name, got.StatusCode)
		}
	}
}

func TestTooManyBytesInFlight(t *testing.T) {
	limits := api.Limits{UploadBytesInFlight: 10_000, AggregationJobBytesInFlight: 10_000}
	for _, r := range []route{routes[0], routes[4]} {
		s := newSite(t, r.role, api.Options{Limits: limits})
		entered, leave := make(chan struct{}), make(chan struct{})
		s.engine.during = func(context.Context, []byte) { entered <- struct{}{}; <-leave }
		_, headers := r.request()
		body := strings.Repeat("x", 6000)
		var first sync.WaitGroup
		first.Go(func() {
			if got := s.ask(t, r.method, r.path, body, headers...); got.StatusCode != http.StatusOK {
				t.Errorf("%s: the first: status %d", r.name, got.StatusCode)
			}
		})
		select {
		case <-entered:
		case <-time.After(patience):
			t.Fatalf("%s: the first request did not reach the engine", r.name)
		}
		wantProblem(t, s.ask(t, r.method, r.path, body, headers...), http.StatusServiceUnavailable, "")
		leave <- struct{}{}
		first.Wait()
		s.engine.during = nil
		for range 3 { // nothing is kept of what was taken or refused
			if got := s.ask(t, r.method, r.path, body, headers...); got.StatusCode != http.StatusOK {
				t.Errorf("%s: after the first: status %d", r.name, got.StatusCode)
			}
		}
	}
}

// A request that is refused for its token takes no place, however slow its body.
func TestUnauthorizedRequestsTakeNoPlace(t *testing.T) {
	s := newSite(t, dap.RoleHelper, api.Options{Limits: api.Limits{AggregationJobs: 1}})
	r := routes[4]
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", r.path)
	body, headers := r.request()
	if got := s.ask(t, r.method, r.path, body, headers...); got.StatusCode != http.StatusOK {
		t.Errorf("status %d", got.StatusCode)
	}
}
