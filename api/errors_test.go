package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

// document is a problem document as a peer reads it.
type document struct {
	Type       string   `json:"type"`
	Title      string   `json:"title"`
	Status     int      `json:"status"`
	Detail     string   `json:"detail"`
	TaskID     string   `json:"taskid"`
	Extensions []uint16 `json:"unsupported_extensions"`
}

// wantProblem checks that an answer is a problem document; an empty type stands for about:blank.
func wantProblem(t *testing.T, got answer, status int, errorType dap.ErrorType) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(got.body), &d); err != nil {
		t.Fatalf("status %d: body %q is no problem document: %v", got.StatusCode, got.body, err)
	}
	urn := "about:blank"
	if errorType != "" {
		urn = "urn:ietf:params:ppm:dap:error:" + string(errorType)
	}
	if got.StatusCode != status || d.Status != status || d.Type != urn || d.Title == "" {
		t.Errorf("status %d: %+v; want status %d and type %s", got.StatusCode, d, status, urn)
	}
	wantHeaders(t, got, map[string]string{"Content-Type": "application/problem+json", "Location": "", "Cache-Control": "no-store"})
	return d
}

func TestEveryErrorOfAnEngineHasItsAnswer(t *testing.T) {
	rows := []struct {
		err        error
		status     int
		errorType  dap.ErrorType
		retryAfter bool
	}{
		{err: &dap.Error{Type: dap.ErrorTypeInvalidMessage}, status: 400, errorType: "invalidMessage"},
		{err: &dap.Error{Type: dap.ErrorTypeUnrecognizedTask}, status: 404, errorType: "unrecognizedTask"},
		{err: &dap.Error{Type: dap.ErrorTypeUnrecognizedAggregationJob}, status: 404, errorType: "unrecognizedAggregationJob"},
		{err: &dap.Error{Type: dap.ErrorTypeBatchInvalid}, status: 400, errorType: "batchInvalid"},
		{err: &dap.Error{Type: dap.ErrorTypeInvalidBatchSize}, status: 400, errorType: "invalidBatchSize"},
		{err: &dap.Error{Type: dap.ErrorTypeInvalidAggregationParameter}, status: 400, errorType: "invalidAggregationParameter"},
		{err: &dap.Error{Type: dap.ErrorTypeBatchMismatch}, status: 409, errorType: "batchMismatch"},
		{err: &dap.Error{Type: dap.ErrorTypeStepMismatch}, status: 409, errorType: "stepMismatch"},
		{err: &dap.Error{Type: dap.ErrorTypeBatchOverlap}, status: 409, errorType: "batchOverlap"},
		{err: &dap.Error{Type: dap.ErrorTypeUnsupportedExtension}, status: 400, errorType: "unsupportedExtension"},
		{err: &dap.Error{Type: dap.ErrorTypeInvalidExtension}, status: 400, errorType: "invalidExtension"},
		{err: &dap.Error{Type: dap.ErrorTypeInvalidTask}, status: 403, errorType: "invalidTask"},
		{err: &dap.Error{Type: "invented"}, status: 500},
		{err: aggregator.ErrUnauthorized, status: 401},
		{err: aggregator.ErrNotFound, status: 404},
		{err: aggregator.ErrBusy, status: 429, retryAfter: true},
		{err: fmt.Errorf("%w: %w", aggregator.ErrTooLarge, &aggregator.MemoryError{What: "x"}), status: 413},
		{err: aggregator.ErrUnavailable, status: 503, retryAfter: true},
		{err: context.Canceled, status: 503, retryAfter: true},
		{err: context.DeadlineExceeded, status: 503, retryAfter: true},
		{err: errors.New("/var/lib/secret.db: disk error"), status: 500},
	}
	for _, r := range routes {
		s := newSite(t, r.role, api.Options{})
		body, headers := r.request()
		for _, row := range rows {
			s.engine.err = fmt.Errorf("wrapped: %w", row.err)
			got := s.ask(t, r.method, r.path, body, headers...)
			d := wantProblem(t, got, row.status, row.errorType)
			if d.TaskID != testTask.String() {
				t.Errorf("%s, %v: taskid %q", r.name, row.err, d.TaskID)
			}
			if (got.Header.Get("Retry-After") == "1") != row.retryAfter {
				t.Errorf("%s, %v: Retry-After %q", r.name, row.err, got.Header.Get("Retry-After"))
			}
			if strings.Contains(got.body, "wrapped") || strings.Contains(got.body, "secret.db") {
				t.Errorf("%s, %v: the answer shows internals: %s", r.name, row.err, got.body)
			}
			if (got.Header.Get("WWW-Authenticate") != "") != (row.status == 401) {
				t.Errorf("%s, %v: WWW-Authenticate %q", r.name, row.err, got.Header.Get("WWW-Authenticate"))
			}
		}
		if !strings.Contains(s.log.String(), "/var/lib/secret.db") {
			t.Errorf("%s: an internal error is not logged", r.name)
		}
	}
}

func TestMembersOfProblemDocuments(t *testing.T) {
	s := newSite(t, dap.RoleLeader, api.Options{})
	other := dap.TaskID{9}
	s.engine.err = &dap.Error{Type: dap.ErrorTypeUnsupportedExtension, TaskID: &other, Detail: "two of them", UnsupportedExtensions: []uint16{23, 42}}
	got := s.ask(t, "POST", routes[0].path, "x", content(dap.MediaTypeUploadRequest))
	d := wantProblem(t, got, 400, dap.ErrorTypeUnsupportedExtension)
	if d.Detail != "two of them" || d.TaskID != other.String() || !slices.Equal(d.Extensions, []uint16{23, 42}) {
		t.Errorf("%+v", d)
	}
	s.engine.err = &dap.Error{Type: dap.ErrorTypeInvalidMessage, UnsupportedExtensions: []uint16{1}}
	got = s.ask(t, "POST", routes[0].path, "x", content(dap.MediaTypeUploadRequest))
	if strings.Contains(got.body, "unsupported_extensions") {
		t.Errorf("another type has the member: %s", got.body)
	}
}

func TestIdentifiersInURLs(t *testing.T) {
	leader, helper := newSite(t, dap.RoleLeader, api.Options{}), newSite(t, dap.RoleHelper, api.Options{})
	id := testTask.String()
	// Not the canonical Base64: padded, of the other alphabet, too short, too long, with bits that do not count.
	for _, bad := range []string{id + "=", id[:42] + "+", id[:42], id + "A", id[:42] + "B", "%20", "x"} {
		for _, r := range routes {
			s := leader
			if r.role == dap.RoleHelper {
				s = helper
			}
			body, headers := r.request()
			got := s.ask(t, r.method, strings.Replace(r.path, id, bad, 1), body, headers...)
			d := wantProblem(t, got, http.StatusBadRequest, dap.ErrorTypeInvalidMessage)
			if d.TaskID != "" {
				t.Errorf("%s: taskid %q", bad, d.TaskID)
			}
		}
	}
	unknown := dap.TaskID{1}.String()
	for _, r := range routes {
		if r.anyTask {
			continue
		}
		s := leader
		if r.role == dap.RoleHelper {
			s = helper
		}
		body, headers := r.request()
		got := s.ask(t, r.method, strings.Replace(r.path, id, unknown, 1), body, headers...)
		if d := wantProblem(t, got, http.StatusNotFound, dap.ErrorTypeUnrecognizedTask); d.TaskID != unknown {
			t.Errorf("taskid %q", d.TaskID)
		}
	}
	for _, c := range []struct {
		s         *site
		path      string
		errorType dap.ErrorType
	}{
		{leader, tasks(id, "collection_jobs", "x"), ""},
		{helper, tasks(id, "aggregation_jobs", "x?step=0"), dap.ErrorTypeUnrecognizedAggregationJob},
		{helper, tasks(id, "aggregate_shares", "x"), ""},
	} {
		for _, method := range []string{"GET", "DELETE"} {
			wantProblem(t, c.s.ask(t, method, c.path, "", bearer(testToken)), http.StatusNotFound, c.errorType)
		}
	}
	if calls := leader.engine.take() + helper.engine.take(); calls != "" {
		t.Errorf("calls %q", calls)
	}
}

func TestNoSuchRouteOrMethod(t *testing.T) {
	s := newSite(t, dap.RoleLeader, api.Options{BasePath: "/api"})
	id := testTask.String()
	for _, path := range []string{"/", "/hpke_config", "/api", "/api/", "/apix/hpke_config", "/api/hpke_config/", "/api//hpke_config",
		"/api" + tasks(id), "/api" + tasks(id, "reports", ""), "/api" + tasks(id, "aggregation_jobs"), "/api/HPKE_CONFIG"} {
		wantProblem(t, s.ask(t, "GET", path, ""), http.StatusNotFound, "")
	}
	for path, allow := range map[string]string{
		"/api/hpke_config":                                       "GET, HEAD",
		"/api" + tasks(id, "reports"):                            "POST",
		"/api" + tasks(id, "collection_jobs", testColl.String()): "DELETE, GET, HEAD",
	} {
		for _, method := range []string{"PUT", "PATCH", "OPTIONS", "BREW"} {
			got := s.ask(t, method, path, "")
			wantProblem(t, got, http.StatusMethodNotAllowed, "")
			allowed := strings.Split(got.Header.Get("Allow"), ", ")
			slices.Sort(allowed)
			if strings.Join(allowed, ", ") != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, allowed, allow)
			}
		}
	}
	if strings.Contains(s.log.String(), "BREW") {
		t.Error("an invented method is logged")
	}
}
