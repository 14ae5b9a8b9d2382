package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/twofold-dap/twofold/collector/resultstore"
	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/collector/web"
	"github.com/twofold-dap/twofold/collector/wire"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
)

// document loads and validates the OpenAPI document.
func document(t testing.TB) *openapi3.T {
	t.Helper()
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(web.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(loader.Context); err != nil {
		t.Fatal(err)
	}
	return doc
}

var parameter = regexp.MustCompile(`:([a-z]+)`)

// Every route is in the document, and every operation of the document is a route.
func TestDocumentHasTheRoutes(t *testing.T) {
	var registered, documented []string
	for _, r := range web.Routes() {
		registered = append(registered, r[0]+" "+parameter.ReplaceAllString(r[1], "{$1}"))
	}
	for path, item := range document(t).Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(registered)
	slices.Sort(documented)
	if !slices.Equal(registered, documented) {
		t.Errorf("the routes are\n%s\nthe document has\n%s", strings.Join(registered, "\n"), strings.Join(documented, "\n"))
	}
}

// readyLeader has one batch of twelve reports ready, whatever it is asked.
type readyLeader struct{ start time.Time }

func (l readyLeader) Create(_ context.Context, span service.Span) (service.Answer, error) {
	return service.Answer{JobURL: "https://leader.example/job", Outcome: &service.Outcome{
		ReportCount: 12, FirstReport: span.Start, LastReport: span.End,
		Values: []service.Value{{Number: big.NewInt(3)}, {Number: big.NewInt(4)}, {Number: big.NewInt(5)}},
	}}, nil
}

func (l readyLeader) Poll(ctx context.Context, _ string, span service.Span) (service.Answer, error) {
	return l.Create(ctx, span)
}

func (readyLeader) Delete(context.Context, string) error { return nil }

func (l readyLeader) Progress(context.Context, time.Time) (service.Progress, error) {
	ten := service.Coarse{AtLeast: 10, FewerThan: 20}
	return service.Progress{
		At: time.Now().UTC(), Waiting: service.Coarse{FewerThan: 10}, Aggregated: ten, Collected: service.Coarse{FewerThan: 10},
		Rejected: map[string]service.Coarse{"report_replayed": {FewerThan: 10}}, Ready: true, NextStart: l.start, NextEnd: l.start.Add(time.Hour),
		Buckets: []service.BucketProgress{{Start: l.start, End: l.start.Add(time.Hour), Waiting: service.Coarse{FewerThan: 10}, Aggregated: ten}},
	}, nil
}

// site is a running service with its handler, and a checker of what is asked and answered.
type site struct {
	t       *testing.T
	service *service.Service
	server  *httptest.Server
	router  routers.Router
	tokens  map[service.Scope]string
	// succeeded counts the operations that were answered with 2xx.
	succeeded map[string]int
}

func newSite(t *testing.T) *site {
	t.Helper()
	store, err := resultstore.Open(filepath.Join(t.TempDir(), "collector.db"), make(secret.Bytes, 32), resultstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	keypair, err := dap.GenerateHpkeKeypair(5, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	s := service.New(store, service.Options{HpkeConfig: keypair.Config, Logger: quiet, Dial: func(service.StoredTask) (service.Leader, error) {
		return readyLeader{time.Now().UTC().Truncate(time.Hour).Add(-2 * time.Hour)}, nil
	}})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	server := httptest.NewServer(web.New(s, web.Options{Logger: quiet}))
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	router, err := gorillamux.NewRouter(document(t))
	if err != nil {
		t.Fatal(err)
	}
	w := &site{t: t, service: s, server: server, router: router, tokens: map[service.Scope]string{}, succeeded: map[string]int{}}
	for _, scope := range []service.Scope{service.ScopeRead, service.ScopeCollect, service.ScopeAdminister} {
		if w.tokens[scope], err = s.NewToken(t.Context(), "test-"+string(scope), scope); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// request is what to send.
type request struct {
	method, path string
	token        string
	body         any // nil for none, a string as it is, else as JSON
	header       map[string]string
}

// ask sends a request and checks that the answer is one of the document's; of requests that succeed, that they are, too.
func (w *site) ask(r request) (status int, body []byte) {
	w.t.Helper()
	var text []byte
	switch b := r.body.(type) {
	case nil:
	case string:
		text = []byte(b)
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			w.t.Fatal(err)
		}
	}
	newRequest := func() *http.Request {
		req, err := http.NewRequestWithContext(w.t.Context(), r.method, w.server.URL+r.path, bytes.NewReader(text))
		if err != nil {
			w.t.Fatal(err)
		}
		if r.body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		if r.token != "" {
			req.Header.Set("Authorization", "Bearer "+r.token)
		}
		for name, value := range r.header {
			req.Header.Set(name, value)
		}
		return req
	}
	answer, err := w.server.Client().Do(newRequest())
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		w.t.Fatal(err)
	}
	if found := checkDocumented(w.t, w.router, newRequest, false, answer.StatusCode, answer.Header, body); found != nil && answer.StatusCode/100 == 2 {
		w.succeeded[found.Operation.OperationID]++
	}
	return answer.StatusCode, body
}

// checkDocumented checks that an answer is one of the document's, and that a request that succeeds is as documented. It returns the
// route of the document, nil if there is none. With anyBody the request's body is not looked at.
func checkDocumented(t testing.TB, router routers.Router, newRequest func() *http.Request, anyBody bool, status int, header http.Header, body []byte) *routers.Route {
	t.Helper()
	r := newRequest()
	found, parameters, err := router.FindRoute(r)
	if err != nil {
		if status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s is not in the document, and is answered with %d", r.Method, r.URL, status)
		}
		return nil
	}
	input := &openapi3filter.RequestValidationInput{
		Request: newRequest(), PathParams: parameters, Route: found,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, ExcludeRequestBody: anyBody},
	}
	if status/100 == 2 {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			t.Errorf("%s %s succeeds, but is not as documented: %v", r.Method, r.URL, err)
		}
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	})
	if err != nil {
		t.Errorf("%s %s: the answer %d is not as documented: %v\n%.2000s", r.Method, r.URL, status, err, body)
	}
	return found
}

// want is ask for a status, and decodes the answer.
func want[T any](w *site, status int, r request) (answer T) {
	w.t.Helper()
	got, body := w.ask(r)
	if got != status {
		w.t.Fatalf("%s %s: %d, want %d: %s", r.method, r.path, got, status, body)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		w.t.Fatalf("%s %s: %v: %s", r.method, r.path, err, body)
	}
	return answer
}

func newDraft(name string) wire.Draft {
	return wire.Draft{
		Name: name, Leader: "https://leader.example/", Helper: "https://helper.example/", VDAF: "histogram:edges=0;15", MinBatchSize: 10,
		TimePrecisionSeconds: 3600, Schedule: &wire.Schedule{Every: "hand"},
	}
}

// Every operation of the document is used, succeeds, and its requests and answers are as documented.
func TestEveryOperation(t *testing.T) {
	w := newSite(t)
	read, collect, admin := w.tokens[service.ScopeRead], w.tokens[service.ScopeCollect], w.tokens[service.ScopeAdminister]
	if status, body := w.ask(request{method: "GET", path: "/api/v1/openapi.yaml"}); status != http.StatusOK || !bytes.Equal(body, web.OpenAPI) {
		t.Errorf("the document is answered with %d, and %d bytes", status, len(body))
	}
	if plan := want[wire.Plan](w, 200, request{"POST", "/api/v1/plans", read, newDraft("planned"), nil}); plan.ReportBytes < 100 || plan.Task.ID != "" || len(plan.Warnings) == 0 {
		t.Errorf("the plan is %+v", plan)
	}
	task := want[wire.Task](w, 201, request{"POST", "/api/v1/tasks", admin, newDraft("delays"), nil})
	base := "/api/v1/tasks/" + task.ID
	status, file := w.ask(request{method: "GET", path: base + "/file", token: read})
	if status != http.StatusOK || !strings.Contains(string(file), task.ID) {
		t.Errorf("the file: %d, %s", status, file)
	}
	if again := want[wire.Task](w, 201, request{"POST", "/api/v1/task_files", admin, wire.TaskFile{File: string(file)}, nil}); again.ID != task.ID {
		t.Errorf("the task's file made another task: %+v", again)
	}
	if task = want[wire.Task](w, 200, request{"PUT", base + "/token", admin, wire.TaskToken{Token: "t0k"}, nil}); !task.HasToken {
		t.Error("the token was not kept")
	}
	ninety := int64(90)
	if task = want[wire.Task](w, 200, request{"PUT", base + "/schedule", collect, wire.Schedule{Every: "hand", DelaySeconds: &ninety}, nil}); *task.Schedule.DelaySeconds != 90 {
		t.Errorf("the schedule is %+v", task.Schedule)
	}
	if p := want[wire.Progress](w, 200, request{"GET", base + "/progress", read, nil, nil}); !p.Ready || p.Aggregated.AtLeast != 10 {
		t.Errorf("the progress is %+v", p)
	}
	c := want[wire.Collection](w, 202, request{"POST", base + "/collections", collect, wire.CollectRequest{}, nil})
	deadline := time.Now().Add(time.Minute)
	for c.State != "done" {
		if time.Now().After(deadline) {
			t.Fatalf("the collection is %+v", c)
		}
		time.Sleep(10 * time.Millisecond)
		c = want[wire.Collection](w, 200, request{"GET", fmt.Sprintf("%s/collections/%d", base, c.Number), read, nil, nil})
	}
	if c.Result.ReportCount != 12 || c.Result.Values[1].Label != "0 to below 15" || c.Result.Values[1].Value.Int64() != 4 {
		t.Errorf("the result is %+v", c.Result)
	}
	if all := want[wire.Collections](w, 200, request{"GET", base + "/collections?limit=3", read, nil, nil}); len(all.Collections) != 1 {
		t.Errorf("the collections are %+v", all)
	}
	if all := want[wire.Results](w, 200, request{"GET", base + "/results?from=2020-01-01T00:00:00Z", read, nil, nil}); len(all.Results) != 1 {
		t.Errorf("the results are %+v", all)
	}
	if all := want[wire.Results](w, 200, request{"GET", base + "/results?to=2020-01-01T00:00:00Z", read, nil, nil}); len(all.Results) != 0 {
		t.Errorf("the results before 2020 are %+v", all)
	}
	for _, r := range []request{
		{"GET", base + "/results?format=csv", read, nil, nil}, {"GET", base + "/results", read, nil, map[string]string{"Accept": "text/csv"}},
	} {
		if status, body := w.ask(r); status != 200 || strings.Count(string(body), "\n") != 4 || !strings.Contains(string(body), ",12,0 to below 15,4,,,\n") {
			t.Errorf("as CSV: %d, %s", status, body)
		}
	}
	if list := want[wire.Tasks](w, 200, request{"GET", "/api/v1/tasks", read, nil, nil}); len(list.Tasks) != 1 || list.Tasks[0].Results != 1 {
		t.Errorf("the tasks are %+v", list)
	}
	if task = want[wire.Task](w, 200, request{"GET", base, read, nil, nil}); task.Latest == nil || task.Progress == nil {
		t.Errorf("the task is %+v", task)
	}
	if status, body := w.ask(request{method: "GET", path: "/api/v1/export", token: read}); status != 200 || strings.Count(string(body), "\n") != 2 || strings.Contains(string(body), "t0k") {
		t.Errorf("the export: %d, %s", status, body)
	}
	if status, body := w.ask(request{method: "GET", path: "/api/v1/metrics", token: read}); status != 200 || !strings.Contains(string(body), `twofold_result_value{index="1",label="0 to below 15",name="delays",task="`+task.ID+`"} 4`) {
		t.Errorf("the metrics: %d, %s", status, body)
	}
	made := want[wire.Token](w, 201, request{"POST", "/api/v1/tokens", admin, map[string]string{"name": "ann", "scope": "read"}, nil})
	want[wire.Tasks](w, 200, request{"GET", "/api/v1/tasks", made.Token, nil, nil})
	if tokens := want[wire.Tokens](w, 200, request{"GET", "/api/v1/tokens", admin, nil, nil}); len(tokens.Tokens) != 4 || tokens.Tokens[0].Token != "" {
		t.Errorf("the tokens are %+v", tokens)
	}
	if status, body := w.ask(request{method: "DELETE", path: "/api/v1/tokens/ann", token: admin}); status != 204 {
		t.Errorf("deleting a token: %d, %s", status, body)
	}
	if status, _ := w.ask(request{method: "GET", path: "/api/v1/tasks", token: made.Token}); status != 401 {
		t.Errorf("a revoked token: %d", status)
	}
	for path, item := range document(t).Paths.Map() {
		for method, operation := range item.Operations() {
			if w.succeeded[operation.OperationID] == 0 {
				t.Errorf("%s %s was not exercised", method, path)
			}
		}
	}
	t.Logf("%d operations exercised", len(w.succeeded))
}

// scopes are what the routes need, written down a second time.
var scopes = map[string]service.Scope{
	"POST /api/v1/tasks": service.ScopeAdminister, "POST /api/v1/task_files": service.ScopeAdminister, "PUT /api/v1/tasks/:task/token": service.ScopeAdminister,
	"GET /api/v1/tokens": service.ScopeAdminister, "POST /api/v1/tokens": service.ScopeAdminister, "DELETE /api/v1/tokens/:name": service.ScopeAdminister,
	"PUT /api/v1/tasks/:task/schedule": service.ScopeCollect, "POST /api/v1/tasks/:task/collections": service.ScopeCollect,
}

// No route but that of the document answers without a token, or with one of a lesser scope.
func TestScopes(t *testing.T) {
	w := newSite(t)
	for _, r := range web.Routes() {
		path := strings.NewReplacer(":task", dap.NewTaskID().String(), ":number", "1", ":name", "nobody").Replace(r[1])
		ask := func(token string) int {
			req := request{method: r[0], path: path, token: token}
			if r[0] == "POST" || r[0] == "PUT" {
				req.body = map[string]string{}
			}
			status, _ := w.ask(req)
			return status
		}
		if strings.HasSuffix(path, "/openapi.yaml") {
			continue
		}
		for _, token := range []string{"", "twofold-analyst-wrong", w.tokens[service.ScopeRead] + "x"} {
			if status := ask(token); status != http.StatusUnauthorized {
				t.Errorf("%v with the token %q: %d", r, token, status)
			}
		}
		needed, ok := scopes[r[0]+" "+r[1]]
		if !ok {
			needed = service.ScopeRead
		}
		for scope, token := range w.tokens {
			status := ask(token)
			if refused := status == http.StatusForbidden || status == http.StatusUnauthorized; refused == scope.Allows(needed) {
				t.Errorf("%v with the scope %s: %d", r, scope, status)
			}
		}
	}
}

func TestProblems(t *testing.T) {
	w := newSite(t)
	admin := w.tokens[service.ScopeAdminister]
	task := want[wire.Task](w, 201, request{"POST", "/api/v1/tasks", admin, newDraft("delays"), nil})
	base := "/api/v1/tasks/" + task.ID
	changed := func(change func(*wire.Draft)) wire.Draft {
		d := newDraft("other")
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		r      request
		status int
		kind   string
		field  string
	}{
		"no such task":        {request{"GET", "/api/v1/tasks/" + dap.NewTaskID().String(), admin, nil, nil}, 404, "about:blank", ""},
		"no task ID":          {request{"GET", "/api/v1/tasks/x", admin, nil, nil}, 404, "about:blank", ""},
		"no such collection":  {request{"GET", base + "/collections/7", admin, nil, nil}, 404, "about:blank", ""},
		"no number":           {request{"GET", base + "/collections/x", admin, nil, nil}, 404, "about:blank", ""},
		"no such token":       {request{"DELETE", "/api/v1/tokens/x", admin, nil, nil}, 404, "about:blank", ""},
		"no task token":       {request{"POST", base + "/collections", admin, map[string]any{}, nil}, 409, "no-task-token", ""},
		"no JSON":             {request{"POST", "/api/v1/plans", admin, "{", nil}, 422, "invalid-field", "body"},
		"two objects":         {request{"POST", "/api/v1/plans", admin, "{}{}", nil}, 422, "invalid-field", "body"},
		"unknown field":       {request{"POST", "/api/v1/plans", admin, map[string]any{"colour": 1}, nil}, 422, "invalid-field", "colour"},
		"wrong type":          {request{"POST", "/api/v1/plans", admin, map[string]any{"min_batch_size": "x"}, nil}, 422, "invalid-field", "min_batch_size"},
		"no media type":       {request{"POST", "/api/v1/plans", admin, "{}", map[string]string{"Content-Type": "text/plain"}}, 422, "invalid-field", "Content-Type"},
		"bad vdaf":            {request{"POST", "/api/v1/tasks", admin, changed(func(d *wire.Draft) { d.VDAF = "mean" }), nil}, 422, "invalid-field", "vdaf"},
		"bad batch mode":      {request{"POST", "/api/v1/tasks", admin, changed(func(d *wire.Draft) { d.BatchMode = "x" }), nil}, 422, "invalid-field", "batch_mode"},
		"bad schedule":        {request{"POST", "/api/v1/tasks", admin, changed(func(d *wire.Draft) { d.Schedule.Every = "year" }), nil}, 422, "invalid-field", "schedule.every"},
		"no schedule":         {request{"PUT", base + "/schedule", admin, map[string]any{}, nil}, 422, "invalid-field", "schedule.every"},
		"no minimum":          {request{"POST", "/api/v1/tasks", admin, changed(func(d *wire.Draft) { d.MinBatchSize = 0 }), nil}, 422, "invalid-field", "min_batch_size"},
		"negative precision":  {request{"POST", "/api/v1/tasks", admin, changed(func(d *wire.Draft) { d.TimePrecisionSeconds = -1 }), nil}, 422, "invalid-field", "time_precision_seconds"},
		"bad time":            {request{"GET", base + "/results?from=yesterday", admin, nil, nil}, 422, "invalid-field", "from"},
		"bad limit":           {request{"GET", base + "/results?limit=0", admin, nil, nil}, 422, "invalid-field", "limit"},
		"bad format":          {request{"GET", base + "/results?format=pdf", admin, nil, nil}, 422, "invalid-field", "format"},
		"short hour":          {request{"GET", base + "/collections?to=2001-02-03T0:00:00Z", admin, nil, nil}, 422, "invalid-field", "to"},
		"empty time":          {request{"GET", base + "/collections?to=", admin, nil, nil}, 422, "invalid-field", "to"},
		"empty limit":         {request{"GET", base + "/collections?limit=", admin, nil, nil}, 422, "invalid-field", "limit"},
		"empty format":        {request{"GET", base + "/results?format=", admin, nil, nil}, 422, "invalid-field", "format"},
		"bad scope":           {request{"POST", "/api/v1/tokens", admin, map[string]string{"name": "a", "scope": "root"}, nil}, 422, "invalid-field", "scope"},
		"bad name":            {request{"POST", "/api/v1/tokens", admin, map[string]string{"name": "a b", "scope": "read"}, nil}, 422, "invalid-field", "name"},
		"name twice":          {request{"POST", "/api/v1/tokens", admin, map[string]string{"name": "test-read", "scope": "read"}, nil}, 409, "exists", ""},
		"no file":             {request{"POST", "/api/v1/task_files", admin, wire.TaskFile{File: "x"}, nil}, 422, "invalid-field", "file"},
		"bad Leader's token":  {request{"PUT", base + "/token", admin, wire.TaskToken{Token: "a b"}, nil}, 422, "invalid-field", "token"},
		"too long":            {request{"POST", "/api/v1/plans", admin, wire.Draft{Name: strings.Repeat("x", 1<<19)}, nil}, 413, "about:blank", ""},
		"no route":            {request{"GET", "/api/v1/nothing", admin, nil, nil}, 404, "about:blank", ""},
		"no method":           {request{"PATCH", "/api/v1/tasks", admin, nil, nil}, 405, "about:blank", ""},
		"half of an interval": {request{"POST", base + "/collections", admin, map[string]any{"start": "2026-01-31T00:00:00Z"}, nil}, 409, "no-task-token", ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := w.ask(c.r)
			var p web.Problem
			if err := json.Unmarshal(body, &p); err != nil || status != c.status || p.Status != c.status || !strings.HasSuffix(p.Type, c.kind) || p.Field != c.field {
				t.Errorf("%d, %s", status, body)
			}
		})
	}
}

// TestMain has the checker read the text formats that it does not know.
func TestMain(m *testing.M) {
	text := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
		b, err := io.ReadAll(body)
		return string(b), err
	}
	openapi3filter.RegisterBodyDecoder("application/toml", text)
	openapi3filter.RegisterBodyDecoder("application/jsonl", text)
	os.Exit(m.Run())
}
