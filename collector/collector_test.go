package collector

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/vdaf"
)

var start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// fakeLeader keeps collection jobs, which are ready after some polls.
type fakeLeader struct {
	t       testing.TB
	server  *httptest.Server
	keypair dap.HpkeKeypair
	task    Task
	token   string

	mu       sync.Mutex
	polls    int // until a job is ready
	jobs     map[string][]byte
	requests int
	// tamper, if not nil, changes the answer.
	tamper    func(*dap.CollectionJobResp)
	intercept func(n int, w http.ResponseWriter, r *http.Request) bool
	location  string // in place of the right one
}

func newFake(t testing.TB, mode dap.BatchMode) *fakeLeader {
	t.Helper()
	keypair, err := dap.GenerateHpkeKeypair(5, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeLeader{t: t, keypair: keypair, token: "t0k", jobs: map[string][]byte{}}
	f.server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.server.Close)
	config := dap.Prio3SumConfig{MaxMeasurement: 100}
	encoded, err := config.Encode()
	if err != nil {
		t.Fatal(err)
	}
	f.task = Task{Taskprov: true, Configuration: dap.TaskConfiguration{
		TaskInfo: []byte("test"), LeaderAggregatorEndpoint: f.server.URL + "/dap/", HelperAggregatorEndpoint: f.server.URL,
		TimePrecision: 3600, MinBatchSize: 10, BatchMode: mode, VdafType: config.VdafType(), VdafConfiguration: encoded,
	}}
	configuration, err := f.task.Configuration.Encode()
	if err != nil {
		t.Fatal(err)
	}
	f.task.ID = dap.TaskprovTaskID(configuration)
	return f
}

func (f *fakeLeader) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if f.intercept != nil && f.intercept(f.requests-1, w, r) {
		return
	}
	header, err := dap.ParseTaskprovHeader(r.Header.Values(dap.TaskprovHeader))
	if err != nil || header.TaskID != f.task.ID {
		f.t.Errorf("the task advertised is %+v, %v", header, err)
	}
	if r.Header.Get("Authorization") != "Bearer "+f.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	jobs := "/dap/tasks/" + f.task.ID.String() + "/collection_jobs"
	switch {
	case r.Method == http.MethodPost && r.URL.Path == jobs:
		body, _ := io.ReadAll(r.Body)
		path := fmt.Sprintf("%s/%d", jobs, len(f.jobs))
		for p, request := range f.jobs {
			if bytes.Equal(request, body) {
				path = p
			}
		}
		f.jobs[path] = body
		w.Header().Set("Location", path)
		if f.location != "" {
			w.Header().Set("Location", f.location)
		}
		f.answer(w, path)
	case f.jobs[r.URL.Path] == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		f.answer(w, r.URL.Path)
	case r.Method == http.MethodDelete:
		delete(f.jobs, r.URL.Path)
	}
}

func (f *fakeLeader) answer(w http.ResponseWriter, path string) {
	if f.polls > 0 {
		f.polls--
		w.Header().Set("Retry-After", "0")
		return
	}
	request, err := dap.DecodeCollectionJobReq(f.jobs[path])
	if err != nil {
		f.t.Error(err)
	}
	configuration, err := f.task.Configuration.Encode()
	if err != nil {
		f.t.Error(err)
	}
	aad := dap.AggregateShareAad{TaskID: f.task.ID, TaskConfiguration: configuration, CollectionJobReq: request}
	at, err := f.task.Configuration.TimePrecision.TimeOf(start)
	if err != nil {
		f.t.Error(err)
	}
	response := dap.CollectionJobResp{ReportCount: 12, Interval: dap.Interval{Start: at, Duration: 2}}
	for role, share := range map[dap.Role]*dap.HpkeCiphertext{dap.RoleLeader: &response.LeaderEncryptedAggShare, dap.RoleHelper: &response.HelperEncryptedAggShare} {
		// The Leader's share of the sum is 20, the Helper's 30.
		if *share, err = dap.SealAggregateShare(f.keypair.Config, role, aad, binary.LittleEndian.AppendUint64(nil, uint64(role)*10)); err != nil {
			f.t.Error(err)
		}
	}
	if f.tamper != nil {
		f.tamper(&response)
	}
	encoded, err := response.Encode()
	if err != nil {
		f.t.Error(err)
	}
	w.Header().Set("Content-Type", string(dap.MediaTypeCollectionJobResp))
	w.Write(encoded)
}

// standing is how many jobs there are. A request that was given up may still be arriving.
func (f *fakeLeader) standing() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.jobs)
}

func (f *fakeLeader) collector(t *testing.T, options Options) *Collector[uint64] {
	t.Helper()
	c, err := New[uint64](f.task, f.keypair, f.token, options)
	if err != nil {
		t.Fatal(err)
	}
	c.backoff = func(int) time.Duration { return time.Millisecond }
	t.Cleanup(c.options.HTTP.CloseIdleConnections)
	return c
}

func query(t *testing.T, c *Collector[uint64], hours int) dap.Query {
	t.Helper()
	q, err := c.IntervalQuery(start, start.Add(time.Duration(hours)*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestCollect(t *testing.T) {
	f := newFake(t, dap.BatchModeTimeInterval)
	f.polls = 3
	waits := 0
	c := f.collector(t, Options{Waiting: func(time.Duration, error) { waits++ }})
	for range 2 { // the same answer again
		got, err := c.Collect(t.Context(), query(t, c, 3))
		if err != nil {
			t.Fatal(err)
		}
		if got.Value != 50 || got.ReportCount != 12 || !got.Start.Equal(start) || !got.End.Equal(start.Add(2*time.Hour)) {
			t.Errorf("got %+v", got)
		}
		if len(f.jobs) != 1 || waits != 3 {
			t.Errorf("%d jobs, %d waits", len(f.jobs), waits)
		}
	}
}

func TestNextBatch(t *testing.T) {
	f := newFake(t, dap.BatchModeLeaderSelected)
	c := f.collector(t, Options{})
	got, err := c.Collect(t.Context(), c.NextQuery())
	if err != nil || got.Value != 50 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for range 2 { // deleting twice is no error
		if err := c.Delete(t.Context(), got.Job); err != nil {
			t.Error(err)
		}
	}
	if len(f.jobs) != 0 {
		t.Error("the job is still there")
	}
	if _, err := c.Collect(t.Context(), dap.NewTimeIntervalQuery(dap.Interval{Start: 1, Duration: 1})); err == nil {
		t.Error("a query of another batch mode was sent")
	}
}

func TestTemporaryErrors(t *testing.T) {
	f := newFake(t, dap.BatchModeTimeInterval)
	f.polls = 1
	f.intercept = func(n int, w http.ResponseWriter, _ *http.Request) bool {
		switch n {
		case 0, 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 1:
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	}
	var reasons int
	c := f.collector(t, Options{Waiting: func(_ time.Duration, reason error) {
		if reason != nil {
			reasons++
		}
	}})
	got, err := c.Collect(t.Context(), query(t, c, 3))
	if err != nil || got.Value != 50 || len(f.jobs) != 1 || reasons != 3 {
		t.Errorf("got %+v, %v; %d jobs, %d errors", got, err, len(f.jobs), reasons)
	}
}

// A job that has failed would answer the same for ever: it is deleted, and asking again makes another.
func TestFailedJobIsDeleted(t *testing.T) {
	f := newFake(t, dap.BatchModeTimeInterval)
	f.polls = 1
	failing := true
	f.intercept = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if failing && r.Method == http.MethodGet {
			failing = false
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"type":"urn:ietf:params:ppm:dap:error:batchMismatch"}`)
			return true
		}
		return false
	}
	c := f.collector(t, Options{})
	_, err := c.Collect(t.Context(), query(t, c, 3))
	if errorType, _ := dap.ErrorTypeOf(err); errorType != dap.ErrorTypeBatchMismatch || len(f.jobs) != 0 {
		t.Fatalf("got %v, and %d jobs stand", err, len(f.jobs))
	}
	if got, err := c.Collect(t.Context(), query(t, c, 3)); err != nil || got.Value != 50 {
		t.Errorf("asked again: %+v, %v", got, err)
	}
}

func TestTimeout(t *testing.T) {
	f := newFake(t, dap.BatchModeTimeInterval)
	f.polls = 1 << 30
	c := f.collector(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := c.Collect(ctx, query(t, c, 3)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	f.mu.Lock()
	f.polls = 0
	f.mu.Unlock()
	if got, err := c.Collect(t.Context(), query(t, c, 3)); err != nil || got.Value != 50 || f.standing() != 1 {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

func TestPermanentErrors(t *testing.T) {
	f := newFake(t, dap.BatchModeTimeInterval)
	f.intercept = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"type":"urn:ietf:params:ppm:dap:error:batchOverlap"}`)
		return true
	}
	c := f.collector(t, Options{})
	_, err := c.Collect(t.Context(), query(t, c, 3))
	if got, _ := dap.ErrorTypeOf(err); got != dap.ErrorTypeBatchOverlap || f.requests != 1 {
		t.Errorf("got %v after %d requests", err, f.requests)
	}
	f.intercept, f.token = nil, "another"
	_, err = c.Collect(t.Context(), query(t, c, 3))
	if answer, ok := errors.AsType[*HTTPError](err); !ok || answer.Status != http.StatusUnauthorized {
		t.Errorf("wrong token: %v", err)
	}
}

func TestTamperedAnswers(t *testing.T) {
	for name, tamper := range map[string]func(*dap.CollectionJobResp){
		"leader's share":      func(r *dap.CollectionJobResp) { r.LeaderEncryptedAggShare.Payload[3] ^= 1 },
		"helper's share":      func(r *dap.CollectionJobResp) { r.HelperEncryptedAggShare.Payload[3] ^= 1 },
		"shares exchanged":    func(r *dap.CollectionJobResp) { r.HelperEncryptedAggShare = r.LeaderEncryptedAggShare },
		"another key":         func(r *dap.CollectionJobResp) { r.LeaderEncryptedAggShare.ConfigID++ },
		"outside the query":   func(r *dap.CollectionJobResp) { r.Interval.Start -= 1 },
		"longer than asked":   func(r *dap.CollectionJobResp) { r.Interval.Duration += 2 },
		"malformed interval":  func(r *dap.CollectionJobResp) { r.Interval = dap.Interval{Start: 1 << 63, Duration: 1 << 63} },
		"too long an answer":  func(r *dap.CollectionJobResp) { r.LeaderEncryptedAggShare.Payload = make([]byte, 1<<20) },
		"share of a bad size": func(r *dap.CollectionJobResp) { r.LeaderEncryptedAggShare.Payload = make([]byte, 9) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, dap.BatchModeTimeInterval)
			f.tamper = tamper
			c := f.collector(t, Options{})
			got, err := c.Collect(t.Context(), query(t, c, 3))
			_, isShare := errors.AsType[*ShareError](err)
			_, isAnswer := errors.AsType[*AnswerError](err)
			if !isShare && !isAnswer || got.Value != 0 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestLocation(t *testing.T) {
	for _, location := range []string{"https://evil.example/dap/tasks/x/collection_jobs/1", "/other/1", "/dap/../x", "://", strings.Repeat("x", 5000)} {
		f := newFake(t, dap.BatchModeTimeInterval)
		f.polls, f.location = 1, location
		c := f.collector(t, Options{})
		_, err := c.Collect(t.Context(), query(t, c, 3))
		if _, ok := errors.AsType[*AnswerError](err); !ok || f.requests != 1 {
			t.Errorf("%q: got %v after %d requests", location, err, f.requests)
		}
		if _, err := c.Poll(t.Context(), Job{URL: "https://evil.example/dap/tasks/"}); err == nil || f.requests != 1 {
			t.Errorf("polled elsewhere: %v", err)
		}
	}
}

func TestNewErrors(t *testing.T) {
	f := newFake(t, dap.BatchModeTimeInterval)
	if _, err := New[[]uint64](f.task, f.keypair, "x", Options{}); !isTaskError(err) {
		t.Errorf("wrong type of result: %v", err)
	}
	altered := f.task
	altered.Configuration.MinBatchSize = 1
	if _, err := New[uint64](altered, f.keypair, "x", Options{}); !isTaskError(err) {
		t.Errorf("an ID of another configuration: %v", err)
	}
	for _, token := range []string{"", "a b", "a\n", "ä"} {
		_, err := New[uint64](f.task, f.keypair, token, Options{})
		if _, ok := errors.AsType[*TokenError](err); !ok || token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("token %q: %v", token, err)
		}
	}
	altered = f.task
	altered.Taskprov = false
	altered.Configuration.LeaderAggregatorEndpoint = "http://leader.example/"
	_, err := New[uint64](altered, f.keypair, "x", Options{})
	if _, ok := errors.AsType[*daphttp.EndpointError](err); !ok {
		t.Errorf("plain http: %v", err)
	}
	count, err := vdaf.NewPrio3Count(2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewWithVDAF(f.task, Unsharder[uint64](count), f.keypair, "x", Options{}); !isTaskError(err) {
		t.Errorf("another VDAF: %v", err)
	}
	if _, err := New[uint64](f.task, f.keypair, "x", Options{AggParam: []byte{1}}); err == nil {
		t.Error("an aggregation parameter for Prio3 was taken")
	}
	c := f.collector(t, Options{})
	for _, end := range []time.Time{start, start.Add(-time.Hour), start.Add(time.Minute)} {
		if _, err := c.IntervalQuery(start, end); !errors.Is(err, dap.ErrInvalidTime) {
			t.Errorf("until %v: %v", end, err)
		}
	}
}

func isTaskError(err error) bool { _, ok := errors.AsType[*TaskError](err); return ok }

func Example() {
	// A task, its Collector's keypair and token, as they come from files.
	f := newFake(new(testing.B), dap.BatchModeTimeInterval)
	defer f.server.Close()

	c, err := New[uint64](f.task, f.keypair, "t0k", Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	query, err := c.IntervalQuery(start, start.Add(24*time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := c.Collect(context.Background(), query)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sum:", result.Value, "of", result.ReportCount, "reports")
	// Output: sum: 50 of 12 reports
}
