package web_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/collector/servicetest"
	"github.com/twofold-dap/twofold/collector/web"
	"github.com/twofold-dap/twofold/collector/wire"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// maxRequests is how many requests a world takes before it begins anew, so that its database stays small.
const maxRequests = 300

// perRequest bounds what a request allocates: an answer may have all tasks, and a task a million labels.
var perRequest = fuzzing.Limit{Fixed: 1 << 30, Multiple: 256}

// longAnswer is how long an answer is, in bytes, after which the world begins anew, lest the next ones be as long.
const longAnswer = 1 << 20

// FuzzAnalystsAPI sends the API what analysts send, changed.
func FuzzAnalystsAPI(f *testing.F) {
	router, err := gorillamux.NewRouter(document(f))
	if err != nil {
		f.Fatal(err)
	}
	api := &fuzzedAPI{world: servicetest.New(f), router: router}
	api.begin(f)
	for route := range byte(len(web.Routes())) {
		for choice := range byte(5) {
			f.Add([]byte{route, 0, choice, choice, choice, choice})
			f.Add([]byte{route, choice, 0, choice, 0, choice, 2, choice, 9, 0xc1, 0, 1, 7, 3})
			f.Add([]byte{route, 0, choice, 0, choice, 1, choice, 200, 0x7e, 0, 0, 0, 0, 0, 0, 1, 2, choice})
			f.Add([]byte{route, 0, choice, choice, 1, 0, 0, 0, 0, 0, 1, 3, 9, 2, 150, 5, 0, choice, 40, 3, route + 1, 0, 1})
		}
	}
	fuzzing.Run(f, fuzzing.Limit{Fixed: 1 << 30}, func(t testing.TB, script []byte) {
		s := fuzzing.NewScript(script)
		for range 4 {
			if api.requests++; api.requests > maxRequests {
				api.begin(t)
			}
			if !api.send(t, s, api.request(t, s)) || s.Done() {
				return
			}
		}
	})
}

// fuzzedAPI is the API over a world that begins anew now and then.
type fuzzedAPI struct {
	world    *servicetest.World
	router   routers.Router // of the document
	handler  http.Handler
	requests int
	log      bytes.Buffer // of the handler's errors
}

func (a *fuzzedAPI) begin(t testing.TB) {
	t.Helper()
	if a.handler != nil {
		a.world.Begin(t)
	}
	a.requests = 0
	a.handler = web.New(a.world, web.Options{Logger: slog.New(slog.NewTextHandler(&a.log, &slog.HandlerOptions{Level: slog.LevelError}))})
}

// fuzzedRequest is an HTTP request as an analyst would send it.
type fuzzedRequest struct {
	Method, Path, Query           string
	Token, MediaType, Accept, Raw string // Raw are header lines
	Body                          []byte
}

func (r *fuzzedRequest) encode() []byte {
	var b bytes.Buffer
	target := r.Path
	if r.Query != "" {
		target += "?" + r.Query
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: collector.example\r\n%s", r.Method, target, r.Raw)
	for name, value := range map[string]string{"Authorization": r.Token, "Content-Type": r.MediaType, "Accept": r.Accept} {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	if r.Body != nil {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	return b.Bytes()
}

// request makes a request to a route.
func (a *fuzzedAPI) request(t testing.TB, s *fuzzing.Script) *fuzzedRequest {
	t.Helper()
	all := web.Routes()
	route := all[s.Choose(len(all))]
	scopes := []service.Scope{service.ScopeAdminister, service.ScopeCollect, service.ScopeRead}
	r := &fuzzedRequest{Method: route[0]}
	switch i := s.Choose(5); i {
	case 3:
		r.Token = "Bearer twofold-analyst-wrong"
	case 4:
	default:
		r.Token = "Bearer " + a.world.Bearer[scopes[i]]
	}
	tasks := append(slices.Clone(a.world.TaskIDs), dap.TaskID{1})
	name := []string{"made", "nobody", "test-read", "test-collect", servicetest.Markup}[s.Choose(5)]
	r.Path = strings.NewReplacer(
		":task", tasks[s.Choose(len(tasks))].String(), ":number", strconv.Itoa(1+s.Choose(4)), ":name", url.PathEscape(name),
	).Replace(route[1])
	if r.Method == http.MethodGet {
		r.Query = query(s)
		r.Accept = []string{"", "text/csv", "application/json", "*/*"}[s.Choose(4)]
	}
	if body := a.body(t, s, route[0]+" "+route[1]); body != nil {
		var err error
		r.MediaType = "application/json"
		if r.Body, err = json.Marshal(body); err != nil {
			r.Body = nil // what has been edited need not be a time of JSON
		}
	}
	return r
}

// moments are times, usual ones first.
var moments = []string{
	"2001-02-03T00:00:00Z", "2001-02-04T00:00:00Z", "2001-02-05T01:00:00+01:00", "2001-02-06T00:00:00Z", "2001-02-03T00:30:00Z", "1970-01-01T00:00:00Z",
	"1969-12-31T23:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:00:00Z", "9999-12-31T23:00:00-14:00", "2262-04-12T00:00:00Z", "0000-01-01T00:00:00+14:00",
}

// query is one with some of the parameters.
func query(s *fuzzing.Script) string {
	values := url.Values{}
	chosen := s.Byte()
	for i, name := range []string{"from", "to"} {
		if chosen&(1<<i) != 0 {
			values.Set(name, moments[s.Choose(len(moments))])
		}
	}
	if chosen&4 != 0 {
		values.Set("limit", strconv.Itoa(1+s.Choose(3)))
	}
	if chosen&8 != 0 {
		values.Set("format", []string{"csv", "json", "pdf", ""}[s.Choose(4)])
	}
	return values.Encode()
}

// body is the object that a route takes, changed in its fields; nil if it takes none.
func (a *fuzzedAPI) body(t testing.TB, s *fuzzing.Script, route string) any {
	t.Helper()
	switch route {
	case "POST /api/v1/tasks", "POST /api/v1/plans":
		draft := newFuzzedDraft(s)
		s.Edit(&draft)
		return draft
	case "POST /api/v1/task_files":
		file, err := a.world.TaskFile(t.Context(), a.world.TaskIDs[s.Choose(len(a.world.TaskIDs))])
		if err != nil {
			t.Fatal(err)
		}
		body := wire.TaskFile{File: string(file)}
		s.Edit(&body)
		return body
	case "PUT /api/v1/tasks/:task/token":
		body := wire.TaskToken{Token: servicetest.LeaderToken}
		s.Edit(&body)
		return body
	case "PUT /api/v1/tasks/:task/schedule":
		body := newSchedule(s)
		s.Edit(body)
		return body
	case "POST /api/v1/tasks/:task/collections":
		return map[string]*time.Time{"start": moment(s), "end": moment(s)}
	case "POST /api/v1/tokens":
		body := struct {
			Name  string `json:"name"`
			Scope string `json:"scope"`
		}{"made", []string{"read", "collect", "administer", "root"}[s.Choose(4)]}
		s.Edit(&body)
		return body
	}
	return nil
}

// moment is one of the moments.
func moment(s *fuzzing.Script) *time.Time {
	t, err := time.Parse(time.RFC3339, moments[s.Choose(len(moments))])
	if err != nil {
		panic(err)
	}
	return &t
}

func newSchedule(s *fuzzing.Script) *wire.Schedule {
	return &wire.Schedule{Every: []string{"hand", "hour", "day", "batch"}[s.Choose(4)], DelaySeconds: new(int64(60 * s.Choose(3)))}
}

// newFuzzedDraft is a draft that is right, but for what may not go together.
func newFuzzedDraft(s *fuzzing.Script) wire.Draft {
	draft := newDraft("delays")
	draft.VDAF = []string{"histogram:edges=0;15", "count", "sum:max=100", "sumvec:length=3,max=5", "multihot:length=3,max_weight=2", "histogram:length=3"}[s.Choose(6)]
	chosen := s.Byte()
	if chosen&1 != 0 {
		draft.BatchMode = wire.BatchModeLeaderSelected
	}
	if chosen&2 != 0 {
		draft.Privacy = &wire.PrivacyDraft{Level: "0.5", Budget: "10", Mechanism: []string{"pure", "zero-concentrated"}[s.Choose(2)], ReportsPerClient: 1, MaxBatchSize: []uint64{1000, 0}[s.Choose(2)]}
	}
	if chosen&4 != 0 {
		draft.Start, draft.DurationSeconds = moment(s), []int64{3600, 86400, 1 << 33, 3600 << 40}[s.Choose(4)]
	}
	if chosen&8 != 0 {
		draft.Labels = []string{servicetest.Markup, "b", "c"}
	}
	if chosen&16 != 0 {
		draft.Schedule = newSchedule(s)
	}
	return draft
}

// send changes the request's fields and then its bytes, as the script says, and has the API answer it, if it is still one
// of HTTP. It checks the answer, and tells whether there is one.
func (a *fuzzedAPI) send(t testing.TB, s *fuzzing.Script, r *fuzzedRequest) bool {
	t.Helper()
	s.Edit(r)
	raw := r.encode()
	for range s.Byte() & 3 {
		raw = s.EditBytes(raw)
	}
	newRequest := func() *http.Request {
		parsed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return nil
		}
		parsed.RemoteAddr = "192.0.2.1:1234"
		return parsed
	}
	parsed := newRequest()
	if parsed == nil {
		return false
	}
	recorder := httptest.NewRecorder()
	a.log.Reset()
	fuzzing.Bounded(t, perRequest, len(raw), func() { a.handler.ServeHTTP(recorder, parsed) })
	a.check(t, newRequest, recorder)
	return true
}

// check checks an answer.
func (a *fuzzedAPI) check(t testing.TB, newRequest func() *http.Request, answer *httptest.ResponseRecorder) {
	t.Helper()
	r, body, header := newRequest(), answer.Body.Bytes(), answer.Result().Header
	if answer.Code == http.StatusInternalServerError || a.log.Len() > 0 {
		t.Errorf("%s %s: the answer is %d, and the log has %q", r.Method, r.URL, answer.Code, a.log.String())
	}
	if header.Get("Content-Security-Policy") == "" || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: the header is %v", r.Method, r.URL, header)
	}
	if answer.Code >= 400 {
		checkProblem(t, answer.Code, header, body)
	} else if bytes.Contains(body, []byte(servicetest.LeaderToken)) {
		t.Errorf("%s %s: the answer has the Leader's token", r.Method, r.URL)
	}
	documented := func() *http.Request {
		r := newRequest()
		r.URL = &url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery} // as the router takes it
		r.Body = http.NoBody                                         // which may be shorter than was said
		return r
	}
	// An empty text and a 0 count as left out, and names of members may have capitals: what is taken is more than the document has.
	found := checkDocumented(t, a.router, documented, true, answer.Code, header, body)
	if found == nil || answer.Code >= 300 || found.Operation.OperationID == "openAPI" {
		return
	}
	route := r.Method + " " + strings.NewReplacer("{", ":", "}", "").Replace(found.Path)
	if _, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); !a.allowed(token, route) {
		t.Errorf("%s succeeds with the token %.40q", route, token)
	}
	if route == "DELETE /api/v1/tokens/:name" || len(body) > longAnswer {
		a.begin(t) // the tokens are those of the history, and there are few tasks
	}
}

// allowed tells whether a token of the history may do what a route does. One that was made since is not known here.
func (a *fuzzedAPI) allowed(token, route string) bool {
	needed, ok := scopes[route]
	if !ok {
		needed = service.ScopeRead
	}
	for scope, known := range a.world.Bearer {
		if token == known {
			return scope.Allows(needed)
		}
	}
	return false
}

// checkProblem checks that an answer is a problem document (RFC 9457), and the only thing in it.
func checkProblem(t testing.TB, status int, header http.Header, body []byte) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var p web.Problem
	err := decoder.Decode(&p)
	if _, more := decoder.Token(); err != nil || more != io.EOF || p.Status != status || p.Type == "" || p.Title == "" {
		t.Errorf("the answer %d is %q, which is no problem document: %v", status, body, err)
	}
	if header.Get("Content-Type") != "application/problem+json" || (status == http.StatusUnauthorized) != (header.Get("WWW-Authenticate") != "") {
		t.Errorf("the answer %d has the header %v", status, header)
	}
}
