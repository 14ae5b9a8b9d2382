package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

func TestPanicsAreAnsweredAndLoggedWithoutContents(t *testing.T) {
	const secret = "a-share-of-somebody"
	for name, value := range map[string]any{"string": secret, "error": errors.New(secret), "runtime error": nil} {
		for _, r := range withBody() {
			s := newSite(t, r.role, api.Options{})
			s.engine.during = func(context.Context, []byte) {
				if value == nil {
					_ = []byte(secret)[len(secret)+len(t.Name())]
				}
				panic(value)
			}
			_, headers := r.request()
			got := s.ask(t, r.method, r.path, secret, headers...)
			wantProblem(t, got, http.StatusInternalServerError, "")
			log := s.log.String()
			if strings.Contains(got.body, secret) || strings.Contains(log, secret) {
				t.Errorf("%s, %s: the request's contents are shown: %s", r.name, name, log)
			}
			if !strings.Contains(log, "panic while serving") || !strings.Contains(log, "fakes_test.go") {
				t.Errorf("%s, %s: the log does not say where: %s", r.name, name, log)
			}
			s.engine.during = nil
			if got := s.ask(t, r.method, r.path, "x", headers...); got.StatusCode != http.StatusOK {
				t.Errorf("%s, %s: the next request: status %d", r.name, name, got.StatusCode)
			}
		}
	}
}

func TestRequestLog(t *testing.T) {
	for _, r := range routes {
		s := newSite(t, r.role, api.Options{})
		body, headers := r.request()
		s.ask(t, r.method, r.path, body, headers...)
		s.Close() // the line is written after the answer
		var line struct {
			Msg, Method, Route string
			Status             int
			Duration           int64
			BytesIn            int `json:"bytes_in"`
			BytesOut           int `json:"bytes_out"`
		}
		if err := json.Unmarshal([]byte(s.log.String()), &line); err != nil {
			t.Fatalf("%s: %v: %s", r.name, err, s.log)
		}
		if line.Msg != "request" || line.Method != r.method || !strings.HasPrefix(line.Route, "/tasks/:task/") || line.Status != 200 ||
			line.Duration <= 0 || line.BytesIn != len(body) || line.BytesOut != len(r.body) {
			t.Errorf("%s: %s", r.name, s.log)
		}
		for _, private := range []string{testTask.String(), testToken, "request-body", "-body", "127.0.0.1", testJob.String(), testColl.String(), testShare.String()} {
			if strings.Contains(s.log.String(), private) {
				t.Errorf("%s: the log holds %q: %s", r.name, private, s.log)
			}
		}
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	leader := newSite(t, dap.RoleLeader, api.Options{Metrics: registry})
	helper := newSite(t, dap.RoleHelper, api.Options{Metrics: registry}) // shares them
	leader.ask(t, "GET", "/hpke_config", "")
	helper.ask(t, "GET", "/hpke_config", "")
	leader.ask(t, "GET", "/nowhere", "")
	leader.ask(t, "POST", routes[0].path, "x")
	leader.Close()
	helper.Close()
	recorder := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	shown := recorder.Body.String()
	for _, want := range []string{
		`twofold_http_requests_total{method="GET",route="(no route)",status="404"} 1`,
		`twofold_http_requests_total{method="GET",route="/hpke_config",status="200"} 2`,
		`twofold_http_requests_total{method="POST",route="/tasks/:task/reports",status="415"} 1`,
		`twofold_http_request_duration_seconds_count{method="GET",route="/hpke_config"} 2`,
	} {
		if !strings.Contains(shown, want+"\n") {
			t.Errorf("no %s in\n%s", want, shown)
		}
	}
}
