package api_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/api"
)

// TestProfiles: the operator gets every profile in the form of go tool pprof, which is compressed.
func TestProfiles(t *testing.T) {
	_, client, _, _ := newOperator(t)
	for name, seconds := range map[string]int{"profile": 1, "allocs": 0, "heap": 0, "goroutine": 0, "trace": 1} {
		var profile bytes.Buffer
		if err := client.Profile(t.Context(), name, seconds, &profile); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "trace" {
			if !bytes.HasPrefix(profile.Bytes(), []byte("go 1.")) {
				t.Errorf("a trace begins with %.20q", profile.Bytes())
			}
			continue
		}
		unpacked, err := gzip.NewReader(&profile)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if content, err := io.ReadAll(unpacked); err != nil || len(content) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(content), err)
		}
	}
	if err := client.Profile(t.Context(), "profile", 1_000_000, io.Discard); !isKind(err, api.OperatorInvalid) {
		t.Errorf("a profile of a million seconds: %v", err)
	}
	if err := client.Profile(t.Context(), "cmdline", 0, io.Discard); !isKind(err, api.OperatorNotFound) {
		t.Errorf("no profile: %v", err)
	}
}

func isKind(err error, kind api.OperatorErrorKind) bool {
	e, ok := errors.AsType[*api.OperatorError](err)
	return ok && e.Kind == kind
}

// TestProfilesAreTheOperators: what listens to everybody has none.
func TestProfilesAreTheOperators(t *testing.T) {
	options := api.Options{Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}
	for role, handler := range map[string]http.Handler{
		"leader": api.NewLeaderHandler(new(fakeLeader), options), "helper": api.NewHelperHandler(new(fakeHelper), options),
	} {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/profile", "/debug/pprof/heap", "/metrics"} {
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
			if recorder.Code != http.StatusNotFound {
				t.Errorf("%s: GET %s: %d", role, path, recorder.Code)
			}
		}
	}
}
