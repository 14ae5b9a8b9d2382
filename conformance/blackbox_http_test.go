package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// wireRequest is one HTTP request.
type wireRequest struct {
	method  string
	url     string
	message string // the media type's message parameter; empty: no Content-Type
	token   string
	body    []byte
	header  http.Header // besides
}

// wireResponse is its answer.
type wireResponse struct {
	t       testing.TB
	request wireRequest
	status  int
	header  http.Header
	body    []byte
}

// send makes a request. It follows no redirects.
func (s *wireSystem) send(r wireRequest) wireResponse {
	s.t.Helper()
	request, err := http.NewRequest(r.method, r.url, bytes.NewReader(r.body))
	must(s.t, err)
	maps.Copy(request.Header, r.header)
	if r.message != "" {
		request.Header.Set("Content-Type", "application/ppm-dap;message="+r.message)
	}
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := wireHTTP.Do(request)
	must(s.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(s.t, err)
	return wireResponse{s.t, r, response.StatusCode, response.Header, body}
}

// wireHTTP is the HTTP client of the tests.
var wireHTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// wantOK fails the test unless the answer is a success.
func (r wireResponse) wantOK() {
	r.t.Helper()
	if r.status/100 != 2 {
		r.t.Fatalf("%s %s: status %d: %s", r.request.method, r.request.url, r.status, r.body)
	}
}

// wantEmpty fails the test unless the answer is a success without a body.
func (r wireResponse) wantEmpty() {
	r.t.Helper()
	r.wantOK()
	if len(r.body) != 0 || r.header.Get("Content-Type") != "" {
		r.t.Fatalf("%s %s: a body of %d bytes, Content-Type %q; want none", r.request.method, r.request.url, len(r.body), r.header.Get("Content-Type"))
	}
}

// wantReady fails the test unless the answer is a success with a message of
// that kind.
func (r wireResponse) wantReady(message string) {
	r.t.Helper()
	r.wantOK()
	if want, got := "application/ppm-dap;message="+message, r.header.Get("Content-Type"); got != want {
		r.t.Fatalf("%s %s: Content-Type %q; want %q", r.request.method, r.request.url, got, want)
	}
}

// wireProblem is a problem document (RFC 9457) with the members of DAP.
type wireProblem struct {
	Type                  string   `json:"type"`
	Title                 string   `json:"title"`
	Status                int      `json:"status"`
	Detail                string   `json:"detail"`
	TaskID                string   `json:"taskid"`
	UnsupportedExtensions []uint16 `json:"unsupported_extensions"`
}

// registeredErrors are the error types of DAP Section 3.6 and Taskprov Section 2.
var registeredErrors = []string{
	"invalidMessage", "unrecognizedTask", "unrecognizedAggregationJob", "batchInvalid", "invalidBatchSize",
	"invalidAggregationParameter", "batchMismatch", "stepMismatch", "batchOverlap", "unsupportedExtension",
	"invalidExtension", "invalidTask",
}

// problem reads the answer as a problem document with a client error.
func (r wireResponse) problem() wireProblem {
	r.t.Helper()
	if r.status/100 != 4 {
		r.t.Fatalf("%s %s: status %d; want a client error: %s", r.request.method, r.request.url, r.status, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		r.t.Fatalf("%s %s: Content-Type %q of status %d", r.request.method, r.request.url, got, r.status)
	}
	var problem wireProblem
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&problem); err != nil {
		r.t.Fatalf("%s %s: %v in %s", r.request.method, r.request.url, err, r.body)
	}
	if name, ok := strings.CutPrefix(problem.Type, "urn:ietf:params:ppm:dap:error:"); ok && !slices.Contains(registeredErrors, name) {
		r.t.Errorf("%s %s: the error type %q is not registered", r.request.method, r.request.url, problem.Type)
	}
	if problem.Status != r.status {
		r.t.Errorf("%s %s: status %d with a problem document of status %d", r.request.method, r.request.url, r.status, problem.Status)
	}
	return problem
}

// wantProblem fails the test unless the answer is a client error of that DAP
// type, with the task ID of the URL.
func (r wireResponse) wantProblem(errorType string) wireProblem {
	r.t.Helper()
	problem := r.problem()
	if want := "urn:ietf:params:ppm:dap:error:" + errorType; problem.Type != want {
		r.t.Fatalf("%s %s: problem %+v; want %s", r.request.method, r.request.url, problem, want)
	}
	if want := taskIDIn(r.request.url); want != "" && problem.TaskID != want {
		r.t.Errorf("%s %s: taskid %q; want %q", r.request.method, r.request.url, problem.TaskID, want)
	}
	return problem
}

// wantStatus fails the test unless the answer is a problem document of that status and of no DAP type.
func (r wireResponse) wantStatus(status int) {
	r.t.Helper()
	problem := r.problem()
	if r.status != status || problem.Type != "about:blank" {
		r.t.Fatalf("%s %s: status %d, problem %+v; want %d of about:blank", r.request.method, r.request.url, r.status, problem, status)
	}
}

// taskIDIn returns the task ID in a URL if it is one.
func taskIDIn(text string) string {
	_, rest, _ := strings.Cut(text, "/tasks/")
	id, _, _ := strings.Cut(rest, "/")
	if decoded, err := base64.RawURLEncoding.Strict().DecodeString(id); err != nil || len(decoded) != 32 {
		return ""
	}
	return id
}

// location returns the absolute URL of the answer's Location header.
func (r wireResponse) location() string {
	r.t.Helper()
	values := r.header.Values("Location")
	if len(values) != 1 {
		r.t.Fatalf("%s %s: Location headers %q; want one", r.request.method, r.request.url, values)
	}
	base, err := url.Parse(r.request.url)
	must(r.t, err)
	location, err := base.Parse(values[0])
	must(r.t, err)
	return location.String()
}

// The requests of the protocol. Each presents what it needs.

func (task *wireTask) upload(body []byte) wireResponse {
	task.t().Helper()
	return task.system.send(wireRequest{method: "POST", url: task.leaderPath("reports"), message: "upload-req", body: body, header: task.header})
}

// mustUpload uploads reports that the Leader must accept.
func (task *wireTask) mustUpload(reports ...wireReport) {
	task.t().Helper()
	task.upload(wireUpload(reports...)).wantEmpty()
}

// mustRefuse uploads reports, each of which the Leader must refuse with that error.
func (task *wireTask) mustRefuse(reportError byte, reports ...wireReport) {
	task.t().Helper()
	response := task.upload(wireUpload(reports...))
	response.wantReady("upload-errors")
	want := make([]wireUploadError, len(reports))
	for i, r := range reports {
		want[i] = wireUploadError{r.id, reportError}
	}
	if got := readUploadErrors(task.t(), response.body); !slices.Equal(got, want) {
		task.t().Fatalf("upload errors %v; want %v", got, want)
	}
}

func (task *wireTask) createAggregationJob(body []byte) wireResponse {
	task.t().Helper()
	return task.system.send(wireRequest{method: "POST", url: task.helperPath("aggregation_jobs"), message: "aggregation-job-init-req", token: leaderToken, body: body, header: task.header})
}

func (task *wireTask) continueAggregationJob(location string, body []byte) wireResponse {
	task.t().Helper()
	return task.system.send(wireRequest{method: "POST", url: location, message: "aggregation-job-continue-req", token: leaderToken, body: body, header: task.header})
}

func (task *wireTask) createAggregateShare(body []byte) wireResponse {
	task.t().Helper()
	return task.system.send(wireRequest{method: "POST", url: task.helperPath("aggregate_shares"), message: "aggregate-share-req", token: leaderToken, body: body, header: task.header})
}

func (task *wireTask) createCollectionJob(body []byte) wireResponse {
	task.t().Helper()
	return task.system.send(wireRequest{method: "POST", url: task.leaderPath("collection_jobs"), message: "collection-job-req", token: collectorToken, body: body, header: task.header})
}

// get and remove act on a resource of the aggregator that has given its location.
func (task *wireTask) get(location string) wireResponse {
	task.t().Helper()
	return task.system.send(wireRequest{method: "GET", url: location, token: task.tokenFor(location), header: task.header})
}

func (task *wireTask) remove(location string) wireResponse {
	task.t().Helper()
	return task.system.send(wireRequest{method: "DELETE", url: location, token: task.tokenFor(location), header: task.header})
}

func (task *wireTask) tokenFor(location string) string {
	if strings.HasPrefix(location, task.system.leaderURL) {
		return collectorToken
	}
	return leaderToken
}

// poll asks for a resource until it is ready or has failed.
func (task *wireTask) poll(location string) wireResponse {
	task.t().Helper()
	var response wireResponse
	eventually(task.t(), "ready: "+location, func() bool {
		response = task.get(location)
		return response.status/100 != 2 || len(response.body) > 0
	})
	return response
}

// collect collects a batch and returns the answer.
func (task *wireTask) collect(collectionReq []byte) wireCollection {
	task.t().Helper()
	created := task.createCollectionJob(collectionReq)
	created.wantOK()
	response := task.poll(created.location())
	response.wantReady("collection-job-resp")
	return readCollectionJobResp(task.t(), response.body)
}

// wantCollected collects a batch, which must hold exactly these reports.
func (task *wireTask) wantCollected(query []byte, reports ...wireReport) wireCollection {
	task.t().Helper()
	request := task.collectionReq(query)
	c := task.collect(request)
	if got := task.result(c, request, nil); c.count != uint64(len(reports)) || len(got) != 1 || got[0] != sumOf(reports...) {
		task.t().Fatalf("%d reports with the result %v; want %d with %d", c.count, got, len(reports), sumOf(reports...))
	}
	return c
}
