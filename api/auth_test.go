package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

func TestAuthentication(t *testing.T) {
	refused := map[string][]string{
		"missing":            nil,
		"wrong":              {bearer("wrong")},
		"empty":              {"Authorization: Bearer "},
		"scheme alone":       {"Authorization: Bearer"},
		"other scheme":       {"Authorization: Basic " + testToken},
		"two spaces":         {"Authorization: Bearer  " + testToken},
		"trailing":           {"Authorization: Bearer " + testToken + " x"},
		"outside alphabet":   {"Authorization: Bearer " + testToken + "!"},
		"only padding":       {"Authorization: Bearer =="},
		"padding inside":     {"Authorization: Bearer a=b"},
		"two headers":        {bearer(testToken), bearer(testToken)},
		"too long":           {bearer(strings.Repeat("a", 5000))},
		"in another header":  {"DAP-Auth-Token: " + testToken},
		"quoted":             {`Authorization: Bearer "` + testToken + `"`},
		"prefix of the true": {bearer(testToken[:10])},
	}
	for _, r := range routes {
		s := newSite(t, r.role, api.Options{})
		body, _ := r.request()
		for name, headers := range refused {
			if r.sends != "" {
				headers = append(headers, content(r.sends))
			}
			got := s.ask(t, r.method, r.path, body, headers...)
			calls := s.engine.take()
			if r.public {
				if got.StatusCode != http.StatusOK || calls == "" {
					t.Errorf("%s, token %s: status %d, calls %q", r.name, name, got.StatusCode, calls)
				}
				continue
			}
			wantProblem(t, got, http.StatusUnauthorized, "")
			if !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s, token %s: WWW-Authenticate %q", r.name, name, got.Header.Get("WWW-Authenticate"))
			}
			if calls != "" {
				t.Errorf("%s, token %s: calls %q", r.name, name, calls)
			}
		}
		if strings.Contains(s.log.String(), testToken) {
			t.Errorf("%s: a token is logged", r.name)
		}
	}
}

// lenientEngine authorizes everyone, as an engine with a flaw might.
type lenientEngine struct{ *fakeEngine }

func (lenientEngine) AuthorizeCollector(context.Context, dap.TaskID, string) error { return nil }
func (lenientEngine) AuthorizeLeader(context.Context, dap.TaskID, string) error    { return nil }

type lenientLeader struct{ lenientEngine }

func (lenientLeader) OptIn(context.Context, dap.TaskID, []byte) error { return nil }

type lenientHelper struct{ lenientEngine }

func (lenientHelper) OptIn(context.Context, dap.TaskID, []byte, string) error { return nil }

// No token is never enough, whatever the engine thinks of it.
func TestNoTokenIsNeverEnough(t *testing.T) {
	engine := lenientEngine{newFakeEngine()}
	options := api.Options{Logger: slog.New(slog.DiscardHandler)}
	handlers := map[dap.Role]http.Handler{
		dap.RoleLeader: api.NewLeaderHandler(lenientLeader{engine}, options),
		dap.RoleHelper: api.NewHelperHandler(lenientHelper{engine}, options),
	}
	for _, r := range routes {
		if r.public {
			continue
		}
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest(r.method, r.path, strings.NewReader("x"))
		request.Header.Set("Content-Type", string(r.sends))
		handlers[r.role].ServeHTTP(recorder, request)
		if recorder.Code != http.StatusUnauthorized || engine.take() != "" {
			t.Errorf("%s: status %d", r.name, recorder.Code)
		}
	}
}

func TestSchemeInAnyCase(t *testing.T) {
	s := newSite(t, dap.RoleHelper, api.Options{})
	got := s.ask(t, "GET", tasks(testTask.String(), "aggregate_shares", testShare.String()), "", "Authorization: bEARER "+testToken)
	if got.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", got.StatusCode, got.body)
	}
}

func TestAdvertisedTask(t *testing.T) {
	_, encoded := testConfig(t, "https://helper.example.com/")
	header, err := dap.FormatTaskprovHeader(encoded)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			s := newSite(t, r.role, api.Options{})
			body, headers := r.request()
			optIn := "OptIn(" + testTask.String() + ", " + string(encoded)
			if r.role == dap.RoleHelper {
				optIn += ", " + testToken
			}
			for _, value := range []string{header, header + ";parameter=1"} {
				got := s.ask(t, r.method, r.path, body, append(headers, dap.TaskprovHeader+": "+value)...)
				calls := s.engine.take()
				if got.StatusCode != http.StatusOK || !strings.HasPrefix(calls, optIn+") "+r.call) {
					t.Errorf("status %d, calls %q", got.StatusCode, calls)
				}
			}
			// What is not a Byte Sequence with a TaskConfiguration is ignored.
			for _, ignored := range []string{"", "7", `"text"`, ":AAAA:", "?1", ":%%%:", header + ", " + header} {
				got := s.ask(t, r.method, r.path, body, append(headers, dap.TaskprovHeader+": "+ignored)...)
				if calls := s.engine.take(); got.StatusCode != http.StatusOK || strings.Contains(calls, "OptIn") {
					t.Errorf("header %q: status %d, calls %q", ignored, got.StatusCode, calls)
				}
			}
			for _, refusal := range []dap.ErrorType{dap.ErrorTypeInvalidTask, dap.ErrorTypeUnrecognizedTask} {
				s.engine.optIn = &dap.Error{Type: refusal}
				got := s.ask(t, r.method, r.path, body, append(headers, dap.TaskprovHeader+": "+header)...)
				status := map[dap.ErrorType]int{dap.ErrorTypeInvalidTask: 403, dap.ErrorTypeUnrecognizedTask: 404}[refusal]
				wantProblem(t, got, status, refusal)
				if calls := s.engine.take(); strings.Contains(calls, r.call) {
					t.Errorf("refused with %s: calls %q", refusal, calls)
				}
			}
		})
	}
}
