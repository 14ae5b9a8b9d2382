package daphttp_test

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

func TestParseEndpoint(t *testing.T) {
	accepted := []struct{ text, path, resource string }{
		{"https://example.com", "", "https://example.com/hpke_config"},
		{"https://example.com/", "", "https://example.com/hpke_config"},
		{"https://example.com/api/dap", "/api/dap", "https://example.com/api/dap/hpke_config"},
		{"https://example.com/api/dap/", "/api/dap", "https://example.com/api/dap/hpke_config"},
		{"https://example.com:8443/a%2Fb", "/a%2Fb", "https://example.com:8443/a%2Fb/hpke_config"},
		{"http://localhost:8080", "", "http://localhost:8080/hpke_config"},
		{"http://127.0.0.1:8080/x", "/x", "http://127.0.0.1:8080/x/hpke_config"},
		{"http://[::1]:8080", "", "http://[::1]:8080/hpke_config"},
	}
	for _, c := range accepted {
		e, err := daphttp.ParseEndpoint(c.text, false)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if e.Path() != c.path || e.URL("hpke_config") != c.resource {
			t.Errorf("%s: path %q, resource %q", c.text, e.Path(), e.URL("hpke_config"))
		}
	}
	refused := []string{
		"", "example.com", "/api", "ftp://example.com", "https://", "https:///x", "https://a b", "https://exämple.com",
		"https://u:p@example.com", "https://example.com?x=1", "https://example.com?", "https://example.com#", "https://example.com/../x",
		"https://example.com/%2e%2e/x", "https://example.com//", "https://example.com/a//b", "http://example.com", "http://192.0.2.1", "http://localhost.example.com",
		"https://example.com/" + strings.Repeat("x", 3000),
	}
	for _, text := range refused {
		_, err := daphttp.ParseEndpoint(text, false)
		if _, ok := errors.AsType[*daphttp.EndpointError](err); !ok {
			t.Errorf("%q: error %v, want an *EndpointError", text, err)
		}
		if strings.Contains(text, "u:p@") && strings.Contains(err.Error(), "u:p") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	if _, err := daphttp.ParseEndpoint("http://example.com", true); err != nil {
		t.Errorf("plain http where it is allowed: %v", err)
	}
}

func TestResolveLocation(t *testing.T) {
	endpoint, err := daphttp.ParseEndpoint("https://Example.com/helper", false)
	if err != nil {
		t.Fatal(err)
	}
	request, _ := url.Parse(endpoint.URL("tasks", "T", "aggregation_jobs"))
	accepted := map[string]string{
		"/helper/tasks/T/aggregation_jobs/J?step=0":                 "https://Example.com/helper/tasks/T/aggregation_jobs/J?step=0",
		"aggregation_jobs/J":                                        "https://Example.com/helper/tasks/T/aggregation_jobs/J",
		"https://example.com:443/helper/tasks/T/aggregation_jobs/J": "https://example.com:443/helper/tasks/T/aggregation_jobs/J",
		"../../x#fragment":                                          "https://Example.com/helper/x",
	}
	for location, want := range accepted {
		got, err := endpoint.Resolve(request, location)
		if err != nil || got.String() != want {
			t.Errorf("%q: %v, %v; want %q", location, got, err, want)
		}
	}
	refused := []string{
		"", "https://evil.example/helper/tasks/T/aggregation_jobs/J", "//evil.example/helper/x", "http://example.com/helper/x",
		"https://example.com:8443/helper/x", "/elsewhere", "/helper", "/helperx/y", "../../../elsewhere", "/helper/%2e%2e/elsewhere",
		"https://u:p@example.com/helper/x", "mailto:someone@example.com", "%zz", "/helper/x?a b", "/helper/ä", "/helper/x\n", "/helper/" + strings.Repeat("x", 3000),
	}
	for _, location := range refused {
		got, err := endpoint.Resolve(request, location)
		if _, ok := errors.AsType[*daphttp.LocationError](err); !ok {
			t.Errorf("%q: %v, %v; want a *LocationError", location, got, err)
		}
	}
}

func FuzzResolveLocation(f *testing.F) {
	for _, seed := range []string{"/helper/x", "//evil", "../..", "https://example.com/helper/../x", "?step=1", "/helper/%2e%2e/"} {
		f.Add(seed)
	}
	endpoint, err := daphttp.ParseEndpoint("https://example.com/helper", false)
	if err != nil {
		f.Fatal(err)
	}
	request, _ := url.Parse(endpoint.URL("tasks", "T", "aggregation_jobs"))
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, location string) {
		got, err := endpoint.Resolve(request, location)
		if err != nil {
			return
		}
		again, err := url.Parse(got.String())
		if err != nil {
			t.Fatalf("%q resolves to %q, which is not a URL", location, got)
		}
		if again.Scheme != "https" || !strings.EqualFold(again.Hostname(), "example.com") || (again.Port() != "" && again.Port() != "443") ||
			!strings.HasPrefix(again.Path, "/helper/") || again.User != nil {
			t.Fatalf("%q resolves to %q", location, got)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"99999":                         time.Hour,
		"99999999999999999999999999":    time.Hour,
		"-1":                            0,
		"1.5":                           0,
		"soon":                          0,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
		"Mon, 01 Mar 2027 12:00:00 GMT": time.Hour,
	} {
		if got := daphttp.ParseRetryAfter(value, now, time.Hour); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", time.Second: "1", 1500 * time.Millisecond: "2", time.Minute: "60", -time.Hour: "1"} {
		if got := daphttp.FormatRetryAfter(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestReadBody(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000) // 1.6 MB: several growths
	for _, declared := range []int64{-1, int64(len(content))} {
		var reserved int64
		got, err := daphttp.ReadBody(iotest.HalfReader(bytes.NewReader(content)), declared, 2_000_000, func(grow int64) error { reserved += grow; return nil })
		if err != nil || !bytes.Equal(got, content) {
			t.Fatalf("declared %d: %d bytes, %v", declared, len(got), err)
		}
		if reserved != int64(cap(got)) {
			t.Errorf("declared %d: reserved %d bytes, buffer has %d", declared, reserved, cap(got))
		}
	}
	if got, err := daphttp.ReadBody(strings.NewReader(""), 0, 10, nil); err != nil || len(got) != 0 {
		t.Errorf("empty body: %q, %v", got, err)
	}
	if got, err := daphttp.ReadBody(strings.NewReader("0123456789"), -1, 10, nil); err != nil || string(got) != "0123456789" {
		t.Errorf("body of exactly the limit: %q, %v", got, err)
	}
	_, err := daphttp.ReadBody(strings.NewReader("0123456789x"), -1, 10, nil)
	if e, ok := errors.AsType[*daphttp.BodyTooLargeError](err); !ok || e.Limit != 10 {
		t.Errorf("longer than the limit: %v", err)
	}
	_, err = daphttp.ReadBody(iotest.ErrReader(errors.New("must not be read")), 11, 10, nil)
	if _, ok := errors.AsType[*daphttp.BodyTooLargeError](err); !ok {
		t.Errorf("declared longer than the limit: %v", err)
	}
	refusal := errors.New("no memory")
	if _, err := daphttp.ReadBody(bytes.NewReader(content), -1, 2_000_000, func(int64) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("refused growth: %v", err)
	}
	if _, err := daphttp.ReadBody(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(content))), -1, 2_000_000, nil); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("failing reader: %v", err)
	}
	if _, err := daphttp.ReadBody(iotest.ErrReader(io.ErrUnexpectedEOF), 5, 10, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut body: %v", err)
	}
}

// A great declared length alone must not make ReadBody allocate as much.
func TestReadBodyAllocatesForWhatArrives(t *testing.T) {
	var reserved int64
	_, err := daphttp.ReadBody(strings.NewReader("short"), 1<<40, 1<<41, func(grow int64) error { reserved += grow; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if reserved > 1<<20 {
		t.Errorf("%d bytes were allocated for a body of 5", reserved)
	}
}

func TestDecodeProblem(t *testing.T) {
	id := dap.TaskID{1, 2, 3}
	body := `{"type":"urn:ietf:params:ppm:dap:error:unsupportedExtension","title":"T","status":400,"detail":"a\u0000b\nc","taskid":"` + id.String() + `","unsupported_extensions":[23,42],"other":{}}`
	p, ok := daphttp.DecodeProblem("application/problem+json; charset=utf-8", []byte(body))
	if !ok {
		t.Fatal("not decoded")
	}
	e, ok := p.DAPError()
	if !ok || e.Type != dap.ErrorTypeUnsupportedExtension || e.TaskID == nil || *e.TaskID != id || e.Detail != "a b c" ||
		len(e.UnsupportedExtensions) != 2 || e.UnsupportedExtensions[1] != 42 {
		t.Errorf("%+v", e)
	}
	for _, c := range []struct{ contentType, body string }{
		{"text/html", "{}"}, {"", "{}"}, {"application/problem+json", "{"}, {"application/problem+json", `{"type":7}`},
		{"application/problem+json", `{"unsupported_extensions":[65536]}`},
		{"application/problem+json", `{"detail":"` + strings.Repeat("x", daphttp.MaxProblemBytes) + `"}`},
	} {
		if _, ok := daphttp.DecodeProblem(c.contentType, []byte(c.body)); ok {
			t.Errorf("%s %.40s: decoded", c.contentType, c.body)
		}
	}
	for _, other := range []string{"about:blank", "", "urn:ietf:params:ppm:dap:error:nonsense", "https://example.com/errors/x"} {
		if e, ok := (daphttp.Problem{Type: other}).DAPError(); ok {
			t.Errorf("%q: %v", other, e)
		}
	}
}

func FuzzDecodeProblem(f *testing.F) {
	f.Add([]byte(`{"type":"urn:ietf:params:ppm:dap:error:invalidMessage","detail":"x","taskid":"AA"}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`{"detail":"\u202e"}`))
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, body []byte) {
		p, ok := daphttp.DecodeProblem(daphttp.ProblemMediaType, body)
		if !ok {
			return
		}
		if len(p.Detail) > 520 || strings.ContainsAny(p.Detail, "\n\r\x1b\u202e") {
			t.Fatalf("detail %q", p.Detail)
		}
		if e, ok := p.DAPError(); ok && !e.Type.IsKnown() {
			t.Fatalf("unknown type %q", e.Type)
		}
	})
}
