package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// route is a request that succeeds and what comes of it.
type route struct {
	name         string
	role         dap.Role
	method, path string
	sends        dap.MediaType
	call         string // of the engine, without the body
	mediaType    dap.MediaType
	body         string
	location     string // of a created resource, below the base path
	public       bool   // needs no token
	anyTask      bool   // the engine, and not authorization, would reject an unknown task
}

var routes = []route{
	{name: "upload", role: dap.RoleLeader, method: "POST", path: tasks(testTask.String(), "reports"), sends: dap.MediaTypeUploadRequest,
		call: "Upload(" + testTask.String(), public: true, anyTask: true},
	{name: "create collection job", role: dap.RoleLeader, method: "POST", path: tasks(testTask.String(), "collection_jobs"), sends: dap.MediaTypeCollectionJobReq,
		call: "CreateCollectionJob(" + testTask.String(), mediaType: dap.MediaTypeCollectionJobResp, body: "collection-body",
		location: tasks(testTask.String(), "collection_jobs", testColl.String())},
	{name: "poll collection job", role: dap.RoleLeader, method: "GET", path: tasks(testTask.String(), "collection_jobs", testColl.String()),
		call: "PollCollectionJob(" + testTask.String() + ", " + testColl.String(), mediaType: dap.MediaTypeCollectionJobResp, body: "collection-body"},
	{name: "delete collection job", role: dap.RoleLeader, method: "DELETE", path: tasks(testTask.String(), "collection_jobs", testColl.String()),
		call: "DeleteCollectionJob(" + testTask.String() + ", " + testColl.String()},
	{name: "create aggregation job", role: dap.RoleHelper, method: "POST", path: tasks(testTask.String(), "aggregation_jobs"), sends: dap.MediaTypeAggregationJobInitReq,
		call: "CreateAggregationJob(" + testTask.String(), mediaType: dap.MediaTypeAggregationJobResp, body: "aggregation-body",
		location: tasks(testTask.String(), "aggregation_jobs", testJob.String())},
	{name: "continue aggregation job", role: dap.RoleHelper, method: "POST", path: tasks(testTask.String(), "aggregation_jobs", testJob.String()), sends: dap.MediaTypeAggregationJobContinueReq,
		call: "ContinueAggregationJob(" + testTask.String() + ", " + testJob.String(), mediaType: dap.MediaTypeAggregationJobResp, body: "aggregation-body"},
	{name: "poll aggregation job", role: dap.RoleHelper, method: "GET", path: tasks(testTask.String(), "aggregation_jobs", testJob.String()+"?step=3"),
		call: "PollAggregationJob(" + testTask.String() + ", " + testJob.String() + ", 3", mediaType: dap.MediaTypeAggregationJobResp, body: "aggregation-body"},
	{name: "delete aggregation job", role: dap.RoleHelper, method: "DELETE", path: tasks(testTask.String(), "aggregation_jobs", testJob.String()),
		call: "DeleteAggregationJob(" + testTask.String() + ", " + testJob.String()},
	{name: "create aggregate share", role: dap.RoleHelper, method: "POST", path: tasks(testTask.String(), "aggregate_shares"), sends: dap.MediaTypeAggregateShareReq,
		call: "CreateAggregateShare(" + testTask.String(), mediaType: dap.MediaTypeAggregateShare, body: "share-body",
		location: tasks(testTask.String(), "aggregate_shares", testShare.String())},
	{name: "poll aggregate share", role: dap.RoleHelper, method: "GET", path: tasks(testTask.String(), "aggregate_shares", testShare.String()),
		call: "PollAggregateShare(" + testTask.String() + ", " + testShare.String(), mediaType: dap.MediaTypeAggregateShare, body: "share-body"},
	{name: "delete aggregate share", role: dap.RoleHelper, method: "DELETE", path: tasks(testTask.String(), "aggregate_shares", testShare.String()),
		call: "DeleteAggregateShare(" + testTask.String() + ", " + testShare.String()},
	{name: "progress", role: dap.RoleLeader, method: "GET", path: tasks(testTask.String(), "progress?from=4"),
		call: "Progress(" + testTask.String() + ", 4", mediaType: daphttp.ProgressMediaType,
		body: `{"min_batch_size":10,"waiting":{"at_least":0,"fewer_than":0},"aggregated":{"at_least":20,"fewer_than":30},"collected":{"at_least":0,"fewer_than":0},` +
			`"next":{"start":5,"end":7,"free_from":3},"buckets":[{"time":6,"waiting":{"at_least":0,"fewer_than":0},"aggregated":{"at_least":10,"fewer_than":20}}]}`},
}

// request returns the route's body and headers.
func (r route) request() (body string, headers []string) {
	if !r.public {
		headers = append(headers, bearer(testToken))
	}
	if r.sends != "" {
		body = "request-body"
		headers = append(headers, content(r.sends))
	}
	return body, headers
}

func TestRoutes(t *testing.T) {
	const base = "/api/dap"
	for _, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			s := newSite(t, r.role, api.Options{BasePath: base + "/"})
			body, headers := r.request()
			got := s.ask(t, r.method, base+r.path, body, headers...)
			if got.StatusCode != http.StatusOK || got.body != r.body {
				t.Fatalf("status %d, body %q", got.StatusCode, got.body)
			}
			wantCall := r.call
			if r.sends != "" {
				wantCall += ", request-body"
			}
			if calls := s.engine.take(); calls != wantCall+")" {
				t.Errorf("calls %q, want %q", calls, wantCall+")")
			}
			wantHeaders(t, got, map[string]string{"Content-Type": string(r.mediaType), "Location": prefixed(base, r.location), "Retry-After": "", "Cache-Control": "no-store"})
		})
	}
}

func prefixed(base, path string) string {
	if path == "" {
		return ""
	}
	return base + path
}

func wantHeaders(t *testing.T, got answer, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
}

func TestNotReady(t *testing.T) {
	for _, r := range routes {
		if r.mediaType == "" || r.mediaType == daphttp.ProgressMediaType { // progress is computed at once
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			s := newSite(t, r.role, api.Options{})
			s.engine.collection = aggregator.CollectionStatus{ID: testColl, RetryAfter: 90 * time.Second}
			s.engine.aggregation = aggregator.AggregationStatus{ID: testJob, Step: 2, RetryAfter: 1500 * time.Millisecond}
			s.engine.share = aggregator.AggregateShareStatus{ID: testShare}
			location, retryAfter := r.location, "1"
			switch {
			case strings.Contains(r.path, "aggregation_jobs"):
				location, retryAfter = tasks(testTask.String(), "aggregation_jobs", testJob.String())+"?step=2", "2"
			case strings.Contains(r.path, "collection_jobs"):
				retryAfter = "90"
			}
			body, headers := r.request()
			got := s.ask(t, r.method, r.path, body, headers...)
			if got.StatusCode != http.StatusOK || got.body != "" || got.ContentLength != 0 {
				t.Fatalf("status %d, body %q, length %d", got.StatusCode, got.body, got.ContentLength)
			}
			wantHeaders(t, got, map[string]string{"Content-Type": "", "Location": location, "Retry-After": retryAfter})
		})
	}
}

func TestUploadErrorsAreListed(t *testing.T) {
	s := newSite(t, dap.RoleLeader, api.Options{})
	s.engine.failed.Status = []dap.ReportUploadStatus{{ID: dap.ReportID{1}, Error: dap.ReportErrorReportReplayed}}
	want, err := s.engine.failed.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got := s.ask(t, "POST", routes[0].path, "x", content(dap.MediaTypeUploadRequest))
	if got.StatusCode != http.StatusOK || got.body != string(want) {
		t.Errorf("status %d, body %x", got.StatusCode, got.body)
	}
	wantHeaders(t, got, map[string]string{"Content-Type": string(dap.MediaTypeUploadErrors)})
}

func TestHpkeConfig(t *testing.T) {
	for _, role := range []dap.Role{dap.RoleLeader, dap.RoleHelper} {
		s := newSite(t, role, api.Options{HpkeConfigMaxAge: time.Hour})
		want, err := s.engine.configs.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got := s.ask(t, "GET", "/hpke_config", "")
		if got.StatusCode != http.StatusOK || got.body != string(want) {
			t.Errorf("status %d, body %x", got.StatusCode, got.body)
		}
		headers := map[string]string{"Content-Type": string(dap.MediaTypeHpkeConfigList), "Cache-Control": "public, max-age=3600"}
		wantHeaders(t, got, headers)
		head := s.ask(t, "HEAD", "/hpke_config", "")
		if head.StatusCode != http.StatusOK || head.body != "" {
			t.Errorf("HEAD: status %d, body %x", head.StatusCode, head.body)
		}
		wantHeaders(t, head, headers)
	}
}

func TestDefaultHpkeConfigMaxAgeIsADay(t *testing.T) {
	got := newSite(t, dap.RoleLeader, api.Options{}).ask(t, "GET", "/hpke_config", "")
	wantHeaders(t, got, map[string]string{"Cache-Control": "public, max-age=86400"})
}

func TestBasePath(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://example.com": "", "https://example.com/": "", "https://example.com/api/dap/": "/api/dap", "http://example.com/%C3%A4": "/%C3%A4",
	} {
		if got, err := api.BasePath(endpoint); err != nil || got != want {
			t.Errorf("%s: %q, %v", endpoint, got, err)
		}
	}
	if _, err := api.BasePath("not a url"); err == nil {
		t.Error("no error for what is not a URL")
	}
}

// A base path with characters that URLs escape and that routers give a meaning.
func TestOddBasePath(t *testing.T) {
	const base = "/%C3%A4/:x/*y"
	s := newSite(t, dap.RoleHelper, api.Options{BasePath: base})
	r := routes[4]
	body, headers := r.request()
	got := s.ask(t, r.method, base+r.path, body, headers...)
	if got.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", got.StatusCode, got.body)
	}
	wantHeaders(t, got, map[string]string{"Location": base + r.location})
}

func TestStepMustBeNamed(t *testing.T) {
	s := newSite(t, dap.RoleHelper, api.Options{})
	for _, query := range []string{"", "?", "?step=", "?step=-1", "?step=65536", "?step=1&step=1", "?step=+1", "?step=1;x", "?step=%zz", "?other=1"} {
		got := s.ask(t, "GET", tasks(testTask.String(), "aggregation_jobs", testJob.String())+query, "", bearer(testToken))
		wantProblem(t, got, http.StatusBadRequest, dap.ErrorTypeInvalidMessage)
	}
	if calls := s.engine.take(); calls != "" {
		t.Errorf("calls %q", calls)
	}
}
