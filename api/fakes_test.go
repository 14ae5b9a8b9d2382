package api_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

var (
	testTask  = dap.TaskID{0xf0, 0x16, 0x34, 1}
	testJob   = dap.AggregationJobID{0x95, 0xce, 0xda, 2}
	testColl  = dap.CollectionJobID{0x95, 0xce, 0xda, 3}
	testShare = dap.AggregateShareID{0x95, 0xce, 0xda, 4}
)

const testToken = "correct-horse.battery~staple"

// callLog remembers the calls of a fake engine, as "Name(arguments)".
type callLog struct {
	mu    sync.Mutex
	calls []string
}

func (l *callLog) add(name string, arguments ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, name+"("+strings.Join(arguments, ", ")+")")
}

func (l *callLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := strings.Join(l.calls, " ")
	l.calls = nil
	return taken
}

// fakeEngine is a Leader and a Helper that answer what they are told to.
type fakeEngine struct {
	callLog
	configs dap.HpkeConfigList
	err     error // of every call but those of authorization
	optIn   error
	other   dap.TaskID // known for uploads beside testTask, unless it is zero

	failed      dap.UploadErrors
	collection  aggregator.CollectionStatus
	aggregation aggregator.AggregationStatus
	share       aggregator.AggregateShareStatus
	// during, if not nil, runs in every call that takes a body.
	during func(ctx context.Context, body []byte)
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{
		configs:     dap.HpkeConfigList{Configs: []dap.HpkeConfig{{ID: 7, KemID: 0x20, KdfID: 1, AeadID: 1, PublicKey: bytes.Repeat([]byte{9}, 32)}}},
		collection:  aggregator.CollectionStatus{ID: testColl, Ready: true, Body: []byte("collection-body")},
		aggregation: aggregator.AggregationStatus{ID: testJob, Ready: true, Body: []byte("aggregation-body")},
		share:       aggregator.AggregateShareStatus{ID: testShare, Ready: true, Body: []byte("share-body")},
	}
}

func (e *fakeEngine) body(ctx context.Context, body []byte) string {
	if e.during != nil {
		e.during(ctx, body)
	}
	return string(body)
}

func (e *fakeEngine) authorize(task dap.TaskID, token string) error {
	if task != testTask {
		return &dap.Error{Type: dap.ErrorTypeUnrecognizedTask, TaskID: &task}
	}
	if token != testToken {
		return aggregator.ErrUnauthorized
	}
	return nil
}

func (e *fakeEngine) HpkeConfigList(context.Context) (dap.HpkeConfigList, error) {
	return e.configs, e.err
}
func (e *fakeEngine) AuthorizeCollector(_ context.Context, task dap.TaskID, token string) error {
	return e.authorize(task, token)
}
func (e *fakeEngine) AuthorizeLeader(_ context.Context, task dap.TaskID, token string) error {
	return e.authorize(task, token)
}
func (e *fakeEngine) CheckTask(_ context.Context, task dap.TaskID) error {
	if task != testTask && (task == dap.TaskID{} || task != e.other) {
		return &dap.Error{Type: dap.ErrorTypeUnrecognizedTask, TaskID: &task}
	}
	return nil
}
func (e *fakeEngine) Upload(ctx context.Context, task dap.TaskID, body []byte) (dap.UploadErrors, error) {
	e.add("Upload", task.String(), e.body(ctx, body))
	return e.failed, e.err
}
func (e *fakeEngine) CreateCollectionJob(ctx context.Context, task dap.TaskID, body []byte) (aggregator.CollectionStatus, error) {
	e.add("CreateCollectionJob", task.String(), e.body(ctx, body))
	return e.collection, e.err
}
func (e *fakeEngine) PollCollectionJob(_ context.Context, task dap.TaskID, job dap.CollectionJobID) (aggregator.CollectionStatus, error) {
	e.add("PollCollectionJob", task.String(), job.String())
	return e.collection, e.err
}
func (e *fakeEngine) Progress(_ context.Context, task dap.TaskID, from dap.Time) (aggregator.Progress, error) {
	e.add("Progress", task.String(), strconv.FormatUint(uint64(from), 10))
	return aggregator.Progress{
		MinBatchSize: 10, Aggregated: aggregator.Coarse{AtLeast: 20, FewerThan: 30},
		Ready:   &aggregator.ReadyInterval{Interval: dap.Interval{Start: 5, Duration: 2}, FreeFrom: 3},
		Buckets: []aggregator.BucketProgress{{Time: 6, Aggregated: aggregator.Coarse{AtLeast: 10, FewerThan: 20}}},
	}, e.err
}

func (e *fakeEngine) DeleteCollectionJob(_ context.Context, task dap.TaskID, job dap.CollectionJobID) error {
	e.add("DeleteCollectionJob", task.String(), job.String())
	return e.err
}
func (e *fakeEngine) CreateAggregationJob(ctx context.Context, task dap.TaskID, body []byte) (aggregator.AggregationStatus, error) {
	e.add("CreateAggregationJob", task.String(), e.body(ctx, body))
	return e.aggregation, e.err
}
func (e *fakeEngine) ContinueAggregationJob(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, body []byte) (aggregator.AggregationStatus, error) {
	e.add("ContinueAggregationJob", task.String(), job.String(), e.body(ctx, body))
	return e.aggregation, e.err
}
func (e *fakeEngine) PollAggregationJob(_ context.Context, task dap.TaskID, job dap.AggregationJobID, step uint16) (aggregator.AggregationStatus, error) {
	e.add("PollAggregationJob", task.String(), job.String(), string(rune('0'+step)))
	return e.aggregation, e.err
}
func (e *fakeEngine) DeleteAggregationJob(_ context.Context, task dap.TaskID, job dap.AggregationJobID) error {
	e.add("DeleteAggregationJob", task.String(), job.String())
	return e.err
}
func (e *fakeEngine) CreateAggregateShare(ctx context.Context, task dap.TaskID, body []byte) (aggregator.AggregateShareStatus, error) {
	e.add("CreateAggregateShare", task.String(), e.body(ctx, body))
	return e.share, e.err
}
func (e *fakeEngine) PollAggregateShare(_ context.Context, task dap.TaskID, share dap.AggregateShareID) (aggregator.AggregateShareStatus, error) {
	e.add("PollAggregateShare", task.String(), share.String())
	return e.share, e.err
}
func (e *fakeEngine) DeleteAggregateShare(_ context.Context, task dap.TaskID, share dap.AggregateShareID) error {
	e.add("DeleteAggregateShare", task.String(), share.String())
	return e.err
}

// fakeLeader and fakeHelper differ in what OptIn takes.
type fakeLeader struct{ *fakeEngine }

func (l fakeLeader) OptIn(_ context.Context, task dap.TaskID, encoded []byte) error {
	l.add("OptIn", task.String(), string(encoded))
	return l.optIn
}

type fakeHelper struct{ *fakeEngine }

func (h fakeHelper) OptIn(_ context.Context, task dap.TaskID, encoded []byte, token string) error {
	h.add("OptIn", task.String(), string(encoded), token)
	return h.optIn
}

var (
	_ api.LeaderEngine = fakeLeader{}
	_ api.HelperEngine = fakeHelper{}
)

// site is a Leader or a Helper on loopback.
type site struct {
	*httptest.Server
	engine *fakeEngine
	log    *safeBuffer
}

func newSite(t *testing.T, role dap.Role, options api.Options) *site {
	t.Helper()
	s := &site{engine: newFakeEngine(), log: new(safeBuffer)}
	options.Logger = slog.New(slog.NewJSONHandler(s.log, nil))
	var handler http.Handler
	if role == dap.RoleLeader {
		handler = api.NewLeaderHandler(fakeLeader{s.engine}, options)
	} else {
		handler = api.NewHelperHandler(fakeHelper{s.engine}, options)
	}
	s.Server = httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

// safeBuffer is a buffer that handlers and tests share.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// ask sends a request; headers are "Name: value".
func (s *site) ask(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	// A redirect would be an answer of its own.
	client := *s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return send(t, &client, r)
}

type answer struct {
	*http.Response
	body string
}

func send(t *testing.T, client *http.Client, r *http.Request) answer {
	t.Helper()
	response, err := client.Do(r)
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

func bearer(token string) string      { return "Authorization: Bearer " + token }
func content(m dap.MediaType) string  { return "Content-Type: " + string(m) }
func tasks(segments ...string) string { return "/tasks/" + strings.Join(segments, "/") }

// testConfig is a task configuration that decodes.
func testConfig(t testing.TB, helper string) (dap.TaskConfiguration, []byte) {
	t.Helper()
	config := dap.TaskConfiguration{
		TaskInfo:                 []byte("a task"),
		LeaderAggregatorEndpoint: "https://leader.example.com/",
		HelperAggregatorEndpoint: helper,
		TimePrecision:            3600,
		MinBatchSize:             100,
		BatchMode:                dap.BatchModeTimeInterval,
		VdafType:                 dap.VdafTypePrio3Count,
	}
	encoded, err := config.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return config, encoded
}

// The engines are what the handlers serve.
var (
	_ api.LeaderEngine = (*aggregator.Leader)(nil)
	_ api.HelperEngine = (*aggregator.Helper)(nil)
)
