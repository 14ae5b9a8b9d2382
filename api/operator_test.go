package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

// fakeOperator answers with values in which no field is zero, and keeps what
// it was asked.
type fakeOperator struct {
	err    error
	panics bool
	// breaksOff: a backup fails half way.
	breaksOff bool
	asked     any
}

var operatorTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var (
	operatorPeer   = api.OperatorPeer{Name: "helper", URL: "https://helper.example.com/", CreatedAt: operatorTime, OptIn: true}
	operatorKey    = api.OperatorHpkeKey{ID: 7, Suite: "x25519-sha256-aes128gcm", Preference: 1, CreatedAt: operatorTime, RetiredAt: &operatorTime}
	operatorStatus = api.OperatorStatus{
		Role: "leader", URL: "https://leader.example.com/", Listening: "127.0.0.1:1", StartedAt: &operatorTime,
		Tasks: []api.OperatorTask{{ID: testTask, Name: "delays", Vdaf: "count", BatchMode: "time-interval", MinBatchSize: 100, TimePrecision: 3600,
			LeaderURL: "https://leader.example.com/", HelperURL: "https://helper.example.com/", Taskprov: true, AddedAt: operatorTime,
			Counts: api.OperatorCounts{Waiting: 1, InJobs: 2, Quarantined: 3, Aggregated: 4, Collected: 5, Rejected: map[string]uint64{"vdaf_verify_error": 6}}}},
		HpkeKeys: []api.OperatorHpkeKey{operatorKey}, Peers: []api.OperatorPeer{operatorPeer},
		Storage: api.OperatorStorage{State: "full", Since: &operatorTime, Problem: "no space", Remedy: "make some"},
	}
	operatorTask   = api.AddTaskResult{TaskID: testTask, Name: "delays", Existed: true, CollectorToken: testToken}
	operatorInvite = api.InviteResult{Peer: operatorPeer, Invitation: "an-invitation"}
	operatorOptIn  = api.OptInResult{Peer: operatorPeer, CollectorToken: testToken}
	operatorFound  = []api.OperatorViolation{{Invariant: "a report is counted once", Detail: "one is counted twice"}}
)

func answered[T any](f *fakeOperator, asked any, result T) (T, error) {
	if f.panics {
		panic("with a secret")
	}
	f.asked = asked
	if f.err != nil {
		return *new(T), f.err
	}
	return result, nil
}

func (f *fakeOperator) Status(context.Context) (api.OperatorStatus, error) {
	return answered(f, nil, operatorStatus)
}
func (f *fakeOperator) Check(context.Context) ([]api.OperatorViolation, error) {
	return answered(f, nil, operatorFound)
}
func (f *fakeOperator) Peers(context.Context) ([]api.OperatorPeer, error) {
	return answered(f, nil, []api.OperatorPeer{operatorPeer})
}
func (f *fakeOperator) AddTask(_ context.Context, r api.AddTaskRequest) (api.AddTaskResult, error) {
	return answered(f, r, operatorTask)
}
func (f *fakeOperator) RotateHpkeKey(_ context.Context, r api.RotateHpkeKeyRequest) (api.OperatorHpkeKey, error) {
	return answered(f, r, operatorKey)
}
func (f *fakeOperator) Invite(_ context.Context, r api.InviteRequest) (api.InviteResult, error) {
	return answered(f, r, operatorInvite)
}
func (f *fakeOperator) Pair(_ context.Context, r api.PairRequest) (api.OperatorPeer, error) {
	return answered(f, r, operatorPeer)
}

func (f *fakeOperator) OptIn(_ context.Context, r api.OptInRequest) (api.OptInResult, error) {
	return answered(f, r, operatorOptIn)
}

var operatorJob = api.OperatorJob{
	ID: "an-id", Task: "a-task", State: "quarantined", Step: 2, Reports: 3, CreatedAt: time.Unix(1, 0).UTC(), Attempts: 4, LastError: "refused",
	Reason: "refused for good", MayBeCounted: true, Buckets: []api.OperatorBucket{{Batch: "a-batch", Reports: 3}},
}

func (f *fakeOperator) Jobs(_ context.Context, r api.JobsRequest) ([]api.OperatorJob, error) {
	return answered(f, r, []api.OperatorJob{operatorJob})
}
func (f *fakeOperator) Job(_ context.Context, r api.JobRequest) (api.OperatorJob, error) {
	return answered(f, r, operatorJob)
}
func (f *fakeOperator) RetryJob(_ context.Context, r api.JobRequest) (api.OperatorJob, error) {
	return answered(f, r, operatorJob)
}
func (f *fakeOperator) QuarantineJob(_ context.Context, r api.JobRequest) (api.OperatorJob, error) {
	return answered(f, r, operatorJob)
}

// operatorBackup is what a backup holds.
var operatorBackup = bytes.Repeat([]byte("0123456789abcdef"), 20_000)

var (
	batchesLeft     = uint64(7)
	operatorPrivacy = api.OperatorPrivacy{
		Task: dap.TaskID{1}, Name: "n", Mechanism: "discrete-gaussian", Neighbours: "replace-one", Noise: "noise", StandardError: 1.5,
		Level: "1/3", ReportsPerClient: 1, ReportsPerBatch: 2, MaxBatchSize: 3, Batches: 4, AssumedBatches: 5, BatchesLeft: &batchesLeft,
		Budget: "2", Spent: "1", Left: "1", Delta: 1e-9, EpsilonSpent: 2.5, EpsilonBudget: 3.5,
	}
)

func (f *fakeOperator) Privacy(_ context.Context, r api.PrivacyRequest) (api.OperatorPrivacy, error) {
	return answered(f, r, operatorPrivacy)
}
func (f *fakeOperator) Backup(_ context.Context, begin func(int64) (io.Writer, error)) error {
	content, err := answered(f, nil, operatorBackup)
	if err != nil {
		return err
	}
	w, err := begin(int64(len(content)))
	if err != nil {
		return err
	}
	if f.breaksOff {
		content = content[:len(content)/2]
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if f.breaksOff {
		return errors.New("the disk failed")
	}
	return nil
}

func backup(s api.OperatorService, ctx context.Context) (any, error) {
	var content bytes.Buffer
	err := s.Backup(ctx, func(size int64) (io.Writer, error) {
		if size != int64(len(operatorBackup)) {
			return nil, fmt.Errorf("its size is %d", size)
		}
		return &content, nil
	})
	return content.Bytes(), err
}

// TestBackupIsWhole: what is broken off, at either end, is an error.
func TestBackupIsWhole(t *testing.T) {
	service, client, log, _ := newOperator(t)
	service.breaksOff = true
	if _, err := backup(client, t.Context()); err == nil || !strings.Contains(err.Error(), "broke the backup off") {
		t.Errorf("half a backup: %v", err)
	}
	if !strings.Contains(log.String(), "a backup was not finished") {
		t.Errorf("the log says %s", log)
	}
	service.breaksOff = false
	full := errors.New("this disk is full")
	if err := client.Backup(t.Context(), func(int64) (io.Writer, error) { return nil, full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if content, err := backup(client, t.Context()); err != nil || !bytes.Equal(content.([]byte), operatorBackup) {
		t.Errorf("afterwards: %v", err)
	}
}

// operatorCalls are the methods with what they are asked and what they answer.
var operatorCalls = []struct {
	name      string
	asked     any
	want      any
	do        func(s api.OperatorService, ctx context.Context) (any, error)
	method    string
	path      string
	forbidden string // in logs
}{
	{name: "Status", want: operatorStatus, do: func(s api.OperatorService, ctx context.Context) (any, error) { return s.Status(ctx) }, method: "GET", path: "/status"},
	{name: "Check", want: operatorFound, do: func(s api.OperatorService, ctx context.Context) (any, error) { return s.Check(ctx) }, method: "GET", path: "/check"},
	{name: "Peers", want: []api.OperatorPeer{operatorPeer}, do: func(s api.OperatorService, ctx context.Context) (any, error) { return s.Peers(ctx) }, method: "GET", path: "/peers"},
	{name: "Jobs", want: []api.OperatorJob{operatorJob}, asked: api.JobsRequest{Task: "a-task", Finished: true}, method: "POST", path: "/jobs/list",
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.Jobs(ctx, api.JobsRequest{Task: "a-task", Finished: true})
		}},
	{name: "Job", want: operatorJob, asked: api.JobRequest{ID: "an-id"}, method: "POST", path: "/jobs/show",
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.Job(ctx, api.JobRequest{ID: "an-id"})
		}},
	{name: "RetryJob", want: operatorJob, asked: api.JobRequest{ID: "an-id"}, method: "POST", path: "/jobs/retry",
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.RetryJob(ctx, api.JobRequest{ID: "an-id"})
		}},
	{name: "QuarantineJob", want: operatorJob, asked: api.JobRequest{ID: "an-id"}, method: "POST", path: "/jobs/quarantine",
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.QuarantineJob(ctx, api.JobRequest{ID: "an-id"})
		}},
	{name: "Backup", want: operatorBackup, do: backup, method: "GET", path: "/backup"},
	{name: "AddTask", want: operatorTask, method: "POST", path: "/tasks", forbidden: "0123abcd",
		asked: api.AddTaskRequest{File: []byte("the\x00file"), Peer: "helper", Token: "a-0123abcd", VerifyKey: "b-0123abcd", VerifyKeyID: 3, PeerToken: "c-0123abcd"},
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.AddTask(ctx, api.AddTaskRequest{File: []byte("the\x00file"), Peer: "helper", Token: "a-0123abcd", VerifyKey: "b-0123abcd", VerifyKeyID: 3, PeerToken: "c-0123abcd"})
		}},
	{name: "RotateHpkeKey", want: operatorKey, asked: api.RotateHpkeKeyRequest{Suite: "x-wing"}, method: "POST", path: "/hpke_keys",
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.RotateHpkeKey(ctx, api.RotateHpkeKeyRequest{Suite: "x-wing"})
		}},
	{name: "Invite", want: operatorInvite, asked: api.InviteRequest{Name: "l", Leader: "https://leader.example.com/"}, method: "POST", path: "/invitations", forbidden: "an-invitation",
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.Invite(ctx, api.InviteRequest{Name: "l", Leader: "https://leader.example.com/"})
		}},
	{name: "Pair", want: operatorPeer, asked: api.PairRequest{Invitation: "0123abcd", Name: "h"}, method: "POST", path: "/peers", forbidden: "0123abcd",
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.Pair(ctx, api.PairRequest{Invitation: "0123abcd", Name: "h"})
		}},
	{name: "Privacy", want: operatorPrivacy, method: "POST", path: "/privacy", asked: api.PrivacyRequest{Task: "n", Delta: 0.5},
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.Privacy(ctx, api.PrivacyRequest{Task: "n", Delta: 0.5})
		}},
	{name: "OptIn", want: operatorOptIn, method: "POST", path: "/opt_ins", forbidden: "0123abcd",
		asked: api.OptInRequest{Peer: "h", CollectorHpkeConfig: []byte{0, 255}, MinBatchSize: 100, Token: "0123abcd"},
		do: func(s api.OperatorService, ctx context.Context) (any, error) {
			return s.OptIn(ctx, api.OptInRequest{Peer: "h", CollectorHpkeConfig: []byte{0, 255}, MinBatchSize: 100, Token: "0123abcd"})
		}},
}

// newOperator serves the operator's interface at a socket.
func newOperator(t *testing.T) (service *fakeOperator, client *api.OperatorClient, log *safeBuffer, stop func() error) {
	t.Helper()
	service, log = new(fakeOperator), new(safeBuffer)
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "a_metric"}, func() float64 { return 7 }))
	socket := filepath.Join(t.TempDir(), "operator.sock")
	listener, err := api.ListenOperator(socket)
	if err != nil {
		t.Fatal(err)
	}
	handler := api.NewOperatorHandler(service, api.OperatorOptions{Gatherer: registry, Logger: slog.New(slog.NewJSONHandler(log, nil))})
	_, stop = serve(t, handler, api.ServerOptions{Listener: listener})
	client = api.NewOperatorClient(socket)
	t.Cleanup(client.Close)
	return service, client, log, stop
}

func TestOperatorRoundTrips(t *testing.T) {
	service, client, log, _ := newOperator(t)
	for _, c := range operatorCalls {
		got, err := c.do(client, t.Context())
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, %v", c.name, got, err)
		}
		if !reflect.DeepEqual(service.asked, c.asked) {
			t.Errorf("%s: was asked %#v", c.name, service.asked)
		}
		if c.forbidden != "" && strings.Contains(log.String(), c.forbidden) {
			t.Errorf("%s: a secret is logged: %s", c.name, log)
		}
	}
	if err := client.Health(t.Context()); err != nil {
		t.Errorf("health: %v", err)
	}
	if shown, err := client.Metrics(t.Context()); err != nil || !strings.Contains(string(shown), "a_metric 7") {
		t.Errorf("metrics: %s, %v", shown, err)
	}
}

func TestOperatorErrors(t *testing.T) {
	service, client, _, _ := newOperator(t)
	for _, c := range operatorCalls {
		for _, row := range []struct {
			err  error
			kind api.OperatorErrorKind
		}{
			{&api.OperatorError{Kind: api.OperatorInvalid, Detail: "bad file"}, api.OperatorInvalid},
			{&api.OperatorError{Kind: api.OperatorNotFound, Detail: "no such peer"}, api.OperatorNotFound},
			{&api.OperatorError{Kind: api.OperatorExists, Detail: "another one"}, api.OperatorExists},
			{&api.OperatorError{Kind: api.OperatorUnavailable, Detail: "later"}, api.OperatorUnavailable},
			{&api.OperatorError{Kind: "invented", Detail: "x"}, api.OperatorInternal},
			{&aggregator.TaskError{Field: "vdaf_type", Problem: "unknown"}, api.OperatorInvalid},
			{fmt.Errorf("task: %w", aggregator.ErrExists), api.OperatorExists},
			{fmt.Errorf("task: %w", aggregator.ErrNotFound), api.OperatorNotFound},
			{aggregator.ErrBusy, api.OperatorUnavailable},
			{aggregator.ErrUnavailable, api.OperatorUnavailable},
			{errors.New("disk on fire"), api.OperatorInternal},
		} {
			service.err = row.err
			_, err := c.do(client, t.Context())
			e, ok := errors.AsType[*api.OperatorError](err)
			if !ok || e.Kind != row.kind || e.Detail != row.err.Error() {
				t.Errorf("%s, %v: %v", c.name, row.err, err)
			}
		}
		service.panics = true
		_, err := c.do(client, t.Context())
		if e, ok := errors.AsType[*api.OperatorError](err); !ok || e.Kind != api.OperatorInternal || strings.Contains(e.Detail, "secret") {
			t.Errorf("%s, panic: %v", c.name, err)
		}
		service.panics, service.err = false, nil
	}
}

func TestOperatorRequestsAreStrict(t *testing.T) {
	service := new(fakeOperator)
	handler := api.NewOperatorHandler(service, api.OperatorOptions{Logger: slog.New(slog.DiscardHandler)})
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(method, path, strings.NewReader(body)))
		return recorder
	}
	for _, c := range operatorCalls {
		if c.method != "POST" {
			continue
		}
		for _, body := range []string{"", "{", "[]", `{"unknown":1}`, "{}{}", "{} x", `"secret-value"`, strings.Repeat(" ", 5<<20) + "{}"} {
			got := ask(c.method, c.path, body)
			if got.Code != http.StatusBadRequest || got.Header().Get("Content-Type") != "application/problem+json" || strings.Contains(got.Body.String(), "secret-value") {
				t.Errorf("%s %.20q: %d %s", c.path, body, got.Code, got.Body)
			}
		}
		if got := ask("PUT", c.path, "{}"); got.Code != http.StatusNotFound || !json.Valid(got.Body.Bytes()) {
			t.Errorf("PUT %s: %d %s", c.path, got.Code, got.Body)
		}
	}
	if service.asked != nil {
		t.Errorf("asked %v", service.asked)
	}
	for _, path := range []string{"/", "/nowhere", "/metrics", "/status/"} { // without a gatherer there are no metrics
		if got := ask("GET", path, ""); got.Code != http.StatusNotFound || !json.Valid(got.Body.Bytes()) {
			t.Errorf("GET %s: %d %s", path, got.Code, got.Body)
		}
	}
}

func TestOperatorClientWithoutServer(t *testing.T) {
	directory := t.TempDir()
	_, running, _, stop := newOperator(t)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// A socket that nobody listens at any more, as after a crash.
	stale := filepath.Join(directory, "stale.sock")
	t.Chdir(directory) // the path may be too long for the system
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Base(stale), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close()
	for name, client := range map[string]*api.OperatorClient{
		"never there": api.NewOperatorClient(filepath.Join(directory, "none.sock")), "left behind": api.NewOperatorClient(stale), "stopped": running,
	} {
		for _, c := range operatorCalls {
			if _, err := c.do(client, t.Context()); !errors.Is(err, api.ErrNoServer) {
				t.Errorf("%s, %s: %v", name, c.name, err)
			}
		}
		if err := client.Health(t.Context()); !errors.Is(err, api.ErrNoServer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOperatorClientAndStrangeServers(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s.sock")
	listener, err := api.ListenOperator(socket)
	if err != nil {
		t.Fatal(err)
	}
	status, body := 200, ""
	serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }), api.ServerOptions{Listener: listener})
	client := api.NewOperatorClient(socket)
	defer client.Close()
	for _, row := range []struct {
		status int
		body   string
	}{{200, ""}, {200, "<html>"}, {500, ""}, {404, `{"kind":"invented"}`}, {404, "x"}} {
		status, body = row.status, row.body
		if _, err := client.Status(t.Context()); err == nil || errors.Is(err, api.ErrNoServer) {
			t.Errorf("%+v: %v", row, err)
		}
	}
}

func TestOperatorSocket(t *testing.T) {
	directory := t.TempDir()
	socket := filepath.Join(directory, "operator.sock")
	// What a crashed server left is replaced.
	t.Chdir(directory)
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Base(socket), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close()

	listener, err := api.ListenOperator(socket)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(socket)
	if err != nil || info.Mode() != os.ModeSocket|0o600 || listener.Addr().String() != socket {
		t.Errorf("mode %v, %v, address %s", info.Mode(), err, listener.Addr())
	}
	if _, err := api.ListenOperator(socket); !errors.Is(err, api.ErrOperatorRunning) {
		t.Errorf("a second listener: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	_ = listener.Close() // again removes no other's socket
	if entries, err := os.ReadDir(directory); err != nil || len(entries) != 0 {
		t.Errorf("left in the directory: %v, %v", entries, err)
	}

	file := filepath.Join(directory, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ListenOperator(file); err == nil {
		t.Error("a file was replaced")
	}
	if content, _ := os.ReadFile(file); string(content) != "precious" {
		t.Errorf("the file holds %q", content)
	}
	for _, path := range []string{filepath.Join(directory, "none", "s.sock"), filepath.Join(directory, strings.Repeat("x", 110))} {
		_, err := api.ListenOperator(path)
		if _, ok := errors.AsType[*api.ListenError](err); !ok {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// The system's limit for the path of a socket is none for a directory's.
func TestOperatorSocketInALongPath(t *testing.T) {
	directory := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(directory, "operator.sock")
	client := api.NewOperatorClient(socket)
	defer client.Close()
	listener, err := api.ListenOperator(socket)
	if runtime.GOOS != "linux" {
		if _, ok := errors.AsType[*api.ListenError](err); !ok || !strings.Contains(err.Error(), "shorter path") {
			t.Errorf("got %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if err := client.Health(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := api.ListenOperator(socket); !errors.Is(err, api.ErrOperatorRunning) {
		t.Errorf("a second listener: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	<-served
	if err := client.Health(t.Context()); !errors.Is(err, api.ErrNoServer) {
		t.Errorf("without a server: %v", err)
	}
	if entries, err := os.ReadDir(directory); err != nil || len(entries) != 0 {
		t.Errorf("left in the directory: %v, %v", entries, err)
	}
}

func TestOperatorSecretsAreNotPrinted(t *testing.T) {
	holder := api.AddTaskResult{TaskID: dap.TaskID{1}, CollectorToken: "hunter2"}
	var log safeBuffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", holder.CollectorToken)
	printed := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed += fmt.Sprintf(verb, holder.CollectorToken) + fmt.Sprintf(verb, holder) + fmt.Sprintf(verb, &holder)
	}
	printed += holder.CollectorToken.String() + holder.CollectorToken.GoString()
	if strings.Contains(printed, "hunter2") || strings.Contains(printed, "68756e7465") {
		t.Errorf("printed %s", printed)
	}
	if encoded, err := json.Marshal(holder); err != nil || !strings.Contains(string(encoded), `"hunter2"`) {
		t.Errorf("JSON %s, %v", encoded, err)
	}
}
