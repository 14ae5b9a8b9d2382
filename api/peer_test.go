package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// script is a Helper that answers as the test says, and remembers the request.
type script struct {
	*httptest.Server
	mu       sync.Mutex // requests that were given up may still be arriving
	respond  func(w http.ResponseWriter, r *http.Request)
	requests int
	last     *http.Request
	body     string
}

func newScript(t *testing.T) *script {
	s := new(script)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests++
		s.last, s.body = r, string(body)
		s.mu.Unlock()
		s.respond(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// peerTask is a task whose Helper is at the URL.
func peerTask(t *testing.T, helper string, taskprov bool) *aggregator.Task {
	t.Helper()
	config, encoded := testConfig(t, helper)
	return &aggregator.Task{ID: testTask, Role: dap.RoleLeader, Config: config, EncodedConfig: encoded, HelperToken: []byte(testToken), Taskprov: taskprov}
}

func newPeer(t *testing.T, options api.PeerOptions) *api.Peer {
	p := api.NewPeer(options)
	t.Cleanup(p.Close)
	return p
}

// peerCall is one of the Peer's methods, and the request that it must send.
type peerCall struct {
	name         string
	do           func(ctx context.Context, p *api.Peer, task *aggregator.Task, location string) (aggregator.PeerReply, error)
	method, path string // below the endpoint, or the resource's own
	query        string
	sends        dap.MediaType
	expects      dap.MediaType
	creates      bool
}

const sentBody = "request-body"

var peerCalls = []peerCall{
	{name: "CreateAggregationJob", method: "POST", path: tasks(testTask.String(), "aggregation_jobs"), sends: dap.MediaTypeAggregationJobInitReq, expects: dap.MediaTypeAggregationJobResp, creates: true,
		do: func(ctx context.Context, p *api.Peer, task *aggregator.Task, _ string) (aggregator.PeerReply, error) {
			return p.CreateAggregationJob(ctx, task, []byte(sentBody))
		}},
	{name: "ContinueAggregationJob", method: "POST", sends: dap.MediaTypeAggregationJobContinueReq, expects: dap.MediaTypeAggregationJobResp,
		do: func(ctx context.Context, p *api.Peer, task *aggregator.Task, location string) (aggregator.PeerReply, error) {
			return p.ContinueAggregationJob(ctx, task, location, []byte(sentBody))
		}},
	{name: "PollAggregationJob", method: "GET", query: "step=3", expects: dap.MediaTypeAggregationJobResp,
		do: func(ctx context.Context, p *api.Peer, task *aggregator.Task, location string) (aggregator.PeerReply, error) {
			return p.PollAggregationJob(ctx, task, location, 3)
		}},
	{name: "DeleteAggregationJob", method: "DELETE",
		do: func(ctx context.Context, p *api.Peer, task *aggregator.Task, location string) (aggregator.PeerReply, error) {
			return aggregator.PeerReply{}, p.DeleteAggregationJob(ctx, task, location)
		}},
	{name: "CreateAggregateShare", method: "POST", path: tasks(testTask.String(), "aggregate_shares"), sends: dap.MediaTypeAggregateShareReq, expects: dap.MediaTypeAggregateShare, creates: true,
		do: func(ctx context.Context, p *api.Peer, task *aggregator.Task, _ string) (aggregator.PeerReply, error) {
			return p.CreateAggregateShare(ctx, task, []byte(sentBody))
		}},
	{name: "PollAggregateShare", method: "GET", expects: dap.MediaTypeAggregateShare,
		do: func(ctx context.Context, p *api.Peer, task *aggregator.Task, location string) (aggregator.PeerReply, error) {
			return p.PollAggregateShare(ctx, task, location)
		}},
	{name: "DeleteAggregateShare", method: "DELETE",
		do: func(ctx context.Context, p *api.Peer, task *aggregator.Task, location string) (aggregator.PeerReply, error) {
			return aggregator.PeerReply{}, p.DeleteAggregateShare(ctx, task, location)
		}},
}

func TestPeerRequests(t *testing.T) {
	for _, endpointPath := range []string{"", "/", "/api/dap", "/api/dap/", "/a%2Fb"} {
		for _, taskprov := range []bool{false, true} {
			for _, c := range peerCalls {
				s, p := newScript(t), newPeer(t, api.PeerOptions{})
				task := peerTask(t, s.URL+endpointPath, taskprov)
				resource := strings.TrimSuffix(s.URL+endpointPath, "/") + "/tasks/x/resources/y?of=it"
				s.respond = func(w http.ResponseWriter, _ *http.Request) {
					if c.creates {
						w.Header().Set("Location", strings.TrimPrefix(resource, s.URL)+"&step=0")
					}
					if c.expects != "" {
						w.Header().Set("Content-Type", string(c.expects))
						_, _ = io.WriteString(w, "answer")
					}
				}
				reply, err := c.do(t.Context(), p, task, resource)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				if c.expects != "" && (!reply.Ready || string(reply.Body) != "answer" || reply.Location != resource) {
					t.Errorf("%s: %+v", c.name, reply)
				}
				wantURL := strings.TrimSuffix(endpointPath, "/") + c.path
				if !c.creates {
					wantURL = strings.TrimPrefix(resource, s.URL)
					if c.query != "" {
						wantURL += "&" + c.query
					}
				}
				wantBody := ""
				if c.sends != "" {
					wantBody = sentBody
				}
				if s.last.Method != c.method || s.last.RequestURI != wantURL || s.body != wantBody {
					t.Errorf("%s: %s %s with %q, want %s %s with %q", c.name, s.last.Method, s.last.RequestURI, s.body, c.method, wantURL, wantBody)
				}
				advertisement := ""
				if taskprov {
					advertisement, _ = dap.FormatTaskprovHeader(task.EncodedConfig)
				}
				for name, want := range map[string]string{"Content-Type": string(c.sends), "Authorization": "Bearer " + testToken, dap.TaskprovHeader: advertisement, "Idempotency-Key": "", "Accept-Encoding": ""} {
					if got := s.last.Header.Get(name); got != want {
						t.Errorf("%s: %s: %q, want %q", c.name, name, got, want)
					}
				}
			}
		}
	}
}

func TestPeerNotReady(t *testing.T) {
	for _, c := range peerCalls {
		if c.expects == "" {
			continue
		}
		s, p := newScript(t), newPeer(t, api.PeerOptions{MaxRetryAfter: time.Minute})
		resource := s.URL + "/tasks/x/resources/y"
		for value, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "300": time.Minute, "soon": 0, time.Now().Add(30 * time.Minute).UTC().Format(http.TimeFormat): time.Minute} {
			for _, status := range []int{200, 201, 202, 204} {
				s.respond = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Location", "/tasks/x/resources/y?step=1")
					w.Header().Set("Retry-After", value)
					w.WriteHeader(status)
				}
				reply, err := c.do(t.Context(), p, peerTask(t, s.URL, false), resource)
				if err != nil || reply.Ready || len(reply.Body) != 0 || reply.RetryAfter != want || reply.Location != resource {
					t.Errorf("%s, Retry-After %q: %+v, %v; want %v", c.name, value, reply, err, want)
				}
			}
		}
	}
}

func TestPeerLocation(t *testing.T) {
	for _, c := range peerCalls {
		s, p := newScript(t), newPeer(t, api.PeerOptions{})
		task := peerTask(t, s.URL+"/helper", false)
		resource := s.URL + "/helper/tasks/x/resources/y"
		location := ""
		s.respond = func(w http.ResponseWriter, _ *http.Request) {
			if location != "" {
				w.Header().Set("Location", location)
			}
			w.Header().Set("Content-Type", string(c.expects))
			_, _ = io.WriteString(w, "answer")
		}
		for _, foreign := range []string{"https://evil.example/helper/x", "//evil.example/helper/x", "/elsewhere/x", s.URL + "/elsewhere", "/helper/../x", "http://127.0.0.1:1/helper/x"} {
			location = foreign
			reply, err := c.do(t.Context(), p, task, resource)
			_, refused := errors.AsType[*api.ResponseError](err)
			if refused != c.creates || c.expects != "" && !c.creates && reply.Location != resource {
				t.Errorf("%s, Location %q: %+v, %v", c.name, foreign, reply, err)
			}
			// A stored location that is elsewhere gets no request at all.
			if !c.creates {
				before := s.requests
				_, err = c.do(t.Context(), p, task, foreign)
				if _, ok := errors.AsType[*daphttp.LocationError](err); !ok || s.requests != before {
					t.Errorf("%s at %q: %v, %d requests", c.name, foreign, err, s.requests-before)
				}
			}
		}
		if !c.creates {
			continue
		}
		for _, own := range []string{"/helper/tasks/x/resources/y", resource, "resources/../resources/y?step=0"} {
			location = own
			if reply, err := c.do(t.Context(), p, task, ""); err != nil || !strings.HasSuffix(reply.Location, "/resources/y") {
				t.Errorf("%s, Location %q: %+v, %v", c.name, own, reply, err)
			}
		}
		location = ""
		if reply, err := c.do(t.Context(), p, task, ""); err != nil || !reply.Ready || reply.Location != "" {
			t.Errorf("%s, ready without a Location: %+v, %v", c.name, reply, err)
		}
		s.respond = func(http.ResponseWriter, *http.Request) {}
		if _, err := c.do(t.Context(), p, task, ""); err == nil {
			t.Errorf("%s, not ready and without a Location: no error", c.name)
		}
	}
}

func TestPeerErrorAnswers(t *testing.T) {
	const problemJSON = "application/problem+json"
	rows := []struct {
		name              string
		status            int
		mediaType, body   string
		retryAfter        string
		wantType          dap.ErrorType
		wantDetail        string
		wantRetryAfter    time.Duration
		wantUnsupported   int
		detailMustNotHave string
	}{
		{name: "DAP type", status: 400, mediaType: problemJSON, body: `{"type":"urn:ietf:params:ppm:dap:error:batchMismatch","detail":"counts differ"}`, wantType: dap.ErrorTypeBatchMismatch, wantDetail: "counts differ"},
		{name: "extensions", status: 400, mediaType: problemJSON + "; charset=utf-8", body: `{"type":"urn:ietf:params:ppm:dap:error:unsupportedExtension","unsupported_extensions":[23,42]}`, wantType: dap.ErrorTypeUnsupportedExtension, wantUnsupported: 2},
		{name: "Taskprov type", status: 403, mediaType: problemJSON, body: `{"type":"urn:ietf:params:ppm:dap:error:invalidTask","taskid":"garbage"}`, wantType: dap.ErrorTypeInvalidTask},
		{name: "DAP type of a server's error", status: 500, mediaType: problemJSON, body: `{"type":"urn:ietf:params:ppm:dap:error:invalidMessage","detail":"later"}`, wantDetail: "HTTP status 500: later"},
		{name: "DAP type, too busy", status: 429, mediaType: problemJSON, body: `{"type":"urn:ietf:params:ppm:dap:error:batchMismatch"}`, retryAfter: "3", wantDetail: "HTTP status 429", wantRetryAfter: 3 * time.Second},
		{name: "about:blank", status: 401, mediaType: problemJSON, body: `{"type":"about:blank","title":"Unauthorized"}`, wantDetail: "HTTP status 401: Unauthorized"},
		{name: "busy", status: 429, retryAfter: "17", wantDetail: "HTTP status 429", wantRetryAfter: 17 * time.Second},
		{name: "unavailable", status: 503, mediaType: problemJSON, body: `{"detail":"later"}`, retryAfter: "2", wantDetail: "HTTP status 503: later", wantRetryAfter: 2 * time.Second},
		{name: "invented DAP type", status: 400, mediaType: problemJSON, body: `{"type":"urn:ietf:params:ppm:dap:error:nonsense"}`, wantDetail: "HTTP status 400"},
		{name: "HTML", status: 502, mediaType: "text/html", body: "<html>", wantDetail: "HTTP status 502", detailMustNotHave: "html"},
		{name: "garbage", status: 400, mediaType: problemJSON, body: `{"type":`, wantDetail: "HTTP status 400"},
		{name: "other types", status: 400, mediaType: problemJSON, body: `{"type":1,"detail":[]}`, wantDetail: "HTTP status 400"},
		{name: "DAP type in another media type", status: 400, mediaType: "application/json", body: `{"type":"urn:ietf:params:ppm:dap:error:batchMismatch"}`, wantDetail: "HTTP status 400"},
		{name: "endless", status: 400, mediaType: problemJSON, body: `{"type":"urn:ietf:params:ppm:dap:error:batchMismatch","detail":"` + strings.Repeat("x", 1<<20) + `"}`, wantDetail: "HTTP status 400"},
		{name: "control characters", status: 400, mediaType: problemJSON, body: `{"detail":"a\u001b[31mb\nc"}`, wantDetail: "HTTP status 400", detailMustNotHave: "\x1b"},
		{name: "empty", status: 500, wantDetail: "HTTP status 500"},
	}
	for _, c := range peerCalls {
		s, p := newScript(t), newPeer(t, api.PeerOptions{})
		task := peerTask(t, s.URL, false)
		for _, row := range rows {
			s.respond = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", row.mediaType)
				w.Header().Set("Retry-After", row.retryAfter)
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			}
			_, err := c.do(t.Context(), p, task, s.URL+"/tasks/x/resources/y")
			if row.wantType != "" {
				e, ok := errors.AsType[*dap.Error](err)
				if !ok || e.Type != row.wantType || e.Detail != row.wantDetail || e.TaskID == nil || *e.TaskID != testTask || len(e.UnsupportedExtensions) != row.wantUnsupported {
					t.Errorf("%s, %s: %v", c.name, row.name, err)
				}
				continue
			}
			e, ok := errors.AsType[*aggregator.PeerError](err)
			if !ok || e.Status != row.status || !strings.HasPrefix(e.Detail, row.wantDetail) || e.RetryAfter != row.wantRetryAfter ||
				row.detailMustNotHave != "" && strings.Contains(e.Detail, row.detailMustNotHave) {
				t.Errorf("%s, %s: %#v", c.name, row.name, err)
			}
		}
	}
}

func TestPeerDoesNotFollowRedirects(t *testing.T) {
	elsewhere := newScript(t)
	elsewhere.respond = func(http.ResponseWriter, *http.Request) {}
	for _, c := range peerCalls {
		s, p := newScript(t), newPeer(t, api.PeerOptions{})
		for _, status := range []int{301, 302, 303, 307, 308} {
			s.requests = 0
			s.respond = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) }
			_, err := c.do(t.Context(), p, peerTask(t, s.URL, false), s.URL+"/tasks/x/resources/y")
			if e, ok := errors.AsType[*aggregator.PeerError](err); !ok || e.Status != status || !strings.Contains(e.Detail, "endpoint") || s.requests != 1 {
				t.Errorf("%s, %d: %v, %d requests", c.name, status, err, s.requests)
			}
		}
	}
	if elsewhere.requests != 0 {
		t.Errorf("%d requests went elsewhere", elsewhere.requests)
	}
}

func TestPeerAnswersThatCannotBeUsed(t *testing.T) {
	for _, c := range peerCalls {
		if c.expects == "" {
			continue
		}
		s, p := newScript(t), newPeer(t, api.PeerOptions{MaxResponseBytes: 1000})
		task := peerTask(t, s.URL, false)
		for name, respond := range map[string]func(w http.ResponseWriter){
			"no media type":    func(w http.ResponseWriter) { w.Header()["Content-Type"] = nil },
			"other media type": func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/plain") },
			"other message":    func(w http.ResponseWriter) { w.Header().Set("Content-Type", string(dap.MediaTypeUploadErrors)) },
			"too long":         func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("x", 1001)) },
			"too long, chunked": func(w http.ResponseWriter) {
				_, _ = io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			},
			"declared too long": func(w http.ResponseWriter) { w.Header().Set("Content-Length", "1000000000000") },
		} {
			s.respond = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/tasks/x/resources/y")
				w.Header().Set("Content-Type", string(c.expects))
				respond(w)
				_, _ = io.WriteString(w, "x")
			}
			_, err := c.do(t.Context(), p, task, s.URL+"/tasks/x/resources/y")
			if _, ok := errors.AsType[*api.ResponseError](err); !ok {
				t.Errorf("%s, %s: %v", c.name, name, err)
			}
		}
		// An answer that breaks off leaves open what the Helper did.
		s.respond = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(c.expects))
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "only this")
		}
		_, err := c.do(t.Context(), p, task, s.URL+"/tasks/x/resources/y")
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s, breaks off: %v", c.name, err)
		}
	}
}

// Errors that say nothing of what the Helper did are neither kind of stated error.
func TestPeerFailures(t *testing.T) {
	const gone = "http://127.0.0.1:1" // nobody listens there, while a port that was given back may be somebody else's
	silent := newScript(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	silent.respond = func(http.ResponseWriter, *http.Request) { <-release }
	for _, c := range peerCalls {
		for _, url := range []string{gone, silent.URL} {
			p := newPeer(t, api.PeerOptions{RequestTimeout: 30 * time.Millisecond})
			_, err := c.do(t.Context(), p, peerTask(t, url, false), url+"/tasks/x/resources/y")
			_, isDAP := errors.AsType[*dap.Error](err)
			_, isPeer := errors.AsType[*aggregator.PeerError](err)
			if err == nil || isDAP || isPeer || strings.Contains(err.Error(), testToken) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.do(ctx, newPeer(t, api.PeerOptions{}), peerTask(t, silent.URL, false), silent.URL+"/tasks/x/resources/y")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s, given up: %v", c.name, err)
		}
	}
}

func TestPeerRefusesPlainHTTPToOthers(t *testing.T) {
	for _, c := range peerCalls {
		_, err := c.do(t.Context(), newPeer(t, api.PeerOptions{}), peerTask(t, "http://helper.example.com/", false), "http://helper.example.com/tasks/x")
		if e, ok := errors.AsType[*daphttp.EndpointError](err); !ok || !strings.Contains(e.Problem, "https") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestPeerReusesConnections(t *testing.T) {
	s, p := newScript(t), newPeer(t, api.PeerOptions{})
	connections := make(map[string]bool)
	s.respond = func(_ http.ResponseWriter, r *http.Request) { connections[r.RemoteAddr] = true }
	const requests = 20
	for range requests {
		if err := p.DeleteAggregationJob(t.Context(), peerTask(t, s.URL, false), s.URL+"/tasks/x"); err != nil {
			t.Fatal(err)
		}
	}
	// On a busy machine net/http may give one up for which it would have to wait.
	if n := len(connections); n > requests/2 {
		t.Errorf("%d requests over %d connections", requests, n)
	}
}

// A Helper that closes a connection while it is idle loses no request: all of
// DAP's may be sent twice.
func TestPeerSendsAgainOnAFreshConnection(t *testing.T) {
	for _, c := range peerCalls {
		s, p := newScript(t), newPeer(t, api.PeerOptions{})
		var mu sync.Mutex // each connection has a goroutine
		connection := map[string]int{}
		closed := 0
		s.respond = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			connection[r.RemoteAddr]++
			second := connection[r.RemoteAddr] == 2
			if second {
				closed++
			}
			mu.Unlock()
			if second {
				panic(http.ErrAbortHandler) // closes it without an answer
			}
			w.Header().Set("Location", "/tasks/x/resources/y")
		}
		// The second call uses the connection again, or, on a busy machine, a later one.
		calls, again := 0, false
		for ; !again && calls < 50; calls++ {
			if _, err := c.do(t.Context(), p, peerTask(t, s.URL, false), s.URL+"/tasks/x/resources/y"); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			mu.Lock()
			again = closed > 0
			mu.Unlock()
		}
		mu.Lock()
		connections := len(connection)
		mu.Unlock()
		s.mu.Lock()
		requests, body := s.requests, s.body
		s.mu.Unlock()
		if !again || requests != calls+1 || connections != calls {
			t.Errorf("%s: %d calls were %d requests over %d connections", c.name, calls, requests, connections)
		}
		if c.sends != "" && body != sentBody {
			t.Errorf("%s: sent %q again", c.name, body)
		}
	}
}

// The Peer and the Helper's handler, with TLS between them, understand each other.
func TestPeerAndHelperHandler(t *testing.T) {
	for _, ready := range []bool{true, false} {
		engine := newFakeEngine()
		engine.aggregation.Ready, engine.aggregation.Step, engine.aggregation.RetryAfter = ready, 1, 3*time.Second
		engine.share.Ready, engine.share.RetryAfter = ready, 3*time.Second
		certificateFile, keyFile, pool := writeCertificate(t, t.TempDir())
		server, _ := serve(t, api.NewHelperHandler(fakeHelper{engine}, api.Options{BasePath: "/helper", Logger: slog.New(slog.DiscardHandler)}), api.ServerOptions{CertificateFile: certificateFile, KeyFile: keyFile})
		p := newPeer(t, api.PeerOptions{RootCAs: pool})
		task := peerTask(t, fmt.Sprintf("https://%s/helper/", server.Addr()), true)
		locations := map[string]string{}
		for _, c := range peerCalls {
			kind := c.name[strings.Index(c.name, "Aggreg"):]
			reply, err := c.do(t.Context(), p, task, locations[kind])
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if c.creates {
				locations[kind] = reply.Location
			}
			if c.expects != "" && (reply.Ready != ready || (len(reply.Body) > 0) != ready || reply.RetryAfter != map[bool]time.Duration{true: 0, false: 3 * time.Second}[ready]) {
				t.Errorf("%s: %+v", c.name, reply)
			}
			calls := engine.take()
			if !strings.HasPrefix(calls, "OptIn("+testTask.String()+", "+string(task.EncodedConfig)+", "+testToken+") "+c.name+"("+testTask.String()) {
				t.Errorf("%s: calls %q", c.name, calls)
			}
			engine.err = &dap.Error{Type: dap.ErrorTypeStepMismatch, Detail: "step 7"}
			_, err = c.do(t.Context(), p, task, locations[kind])
			if e, ok := errors.AsType[*dap.Error](err); !ok || e.Type != dap.ErrorTypeStepMismatch || e.Detail != "step 7" {
				t.Errorf("%s: %v", c.name, err)
			}
			engine.err = nil
			engine.take()
		}
		p.Close()
	}
}

// Without the certificate's root the Peer sends nothing.
func TestPeerChecksCertificates(t *testing.T) {
	engine := newFakeEngine()
	certificateFile, keyFile, _ := writeCertificate(t, t.TempDir())
	server, _ := serve(t, api.NewHelperHandler(fakeHelper{engine}, api.Options{Logger: slog.New(slog.DiscardHandler)}), api.ServerOptions{CertificateFile: certificateFile, KeyFile: keyFile})
	_, err := newPeer(t, api.PeerOptions{}).CreateAggregationJob(t.Context(), peerTask(t, fmt.Sprintf("https://%s", server.Addr()), false), []byte("x"))
	if err == nil || engine.take() != "" {
		t.Errorf("error %v", err)
	}
}
