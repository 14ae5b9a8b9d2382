package api

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"

	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

var (
	tokenForm  = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)
	headerForm = regexp.MustCompile(`^(?i:bearer) `)
)

// What is taken for a token is one, and nothing was added to it or left out.
func FuzzBearerToken(f *testing.F) {
	for _, seed := range []string{"Bearer abc", "bearer a==", "Basic abc", "Bearer", "Bearer  x", "Bearer =", "Bearer a b"} {
		f.Add(seed)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, value string) {
		token := bearerToken(http.Header{"Authorization": {value}})
		isToken := headerForm.MatchString(value) && tokenForm.MatchString(value[7:]) && len(value) <= 7+maxTokenBytes
		if isToken && token != value[7:] || !isToken && token != "" {
			t.Errorf("%q: token %q", value, token)
		}
	})
}

func FuzzStep(f *testing.F) {
	for _, seed := range []string{"step=0", "step=65535", "step=65536", "step=1&step=2", "a=b&step=3", "step=%31", "step=-1", ";"} {
		f.Add(seed)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, query string) {
		step, err := stepOf(query)
		if again, againErr := stepOf("step=" + strconv.Itoa(int(step))); err == nil && (againErr != nil || again != step) {
			t.Errorf("%q: step %d, which is not one", query, step)
		}
	})
}

// A location that a handler makes leads a Leader to the very same resource.
func FuzzLocationRoundTrip(f *testing.F) {
	f.Add("api/dap", "x")
	f.Add("%C3%A4/", "-_")
	f.Add("", "..")
	f.Add("/", "? ")
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, base, segment string) {
		endpoint, err := daphttp.ParseEndpoint("https://example.com/"+base, false)
		if err != nil {
			return
		}
		frontend := newFrontend(Options{BasePath: endpoint.Path()})
		creation := endpoint.URL("tasks", "T", "jobs")
		resource, err := resolve(endpoint, creation, frontend.location("tasks", "T", "jobs", "J")+"?step=1")
		if err != nil {
			t.Fatalf("base path %q: %v", base, err)
		}
		r := httptest.NewRequest("GET", resource, nil)
		if rest, ok := below(frontend.basePath, r.URL.Path); !ok || rest != "/tasks/T/jobs/J" {
			t.Errorf("base path %q: %s leads to %q", base, resource, rest)
		}
		// Whatever else a Helper says stays at the endpoint.
		if resource, err := resolve(endpoint, creation, segment); err == nil {
			r := httptest.NewRequest("GET", resource, nil)
			if _, ok := below(frontend.basePath, r.URL.Path); !ok || r.URL.Hostname() != "example.com" {
				t.Errorf("base path %q: %q leads to %s", base, segment, resource)
			}
		}
	})
}
