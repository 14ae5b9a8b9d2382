package page

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/collector/servicetest"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// maxRequests is how many requests the pages take before they begin anew, so that the database stays small.
const maxRequests = 300

// perRequest bounds what a request allocates: a page may have all tasks, and a task a million labels.
var perRequest = fuzzing.Limit{Fixed: 1 << 30, Multiple: 256}

// FuzzPages sends what browsers send, changed, and reads the answers as a browser would.
func FuzzPages(f *testing.F) {
	p := &fuzzedPages{world: servicetest.New(f)}
	p.begin(f)
	for route := range byte(len(fuzzedRoutes)) {
		f.Add([]byte{route, 0, 0, 0, 0, 0, 6, 1}) // the token of another session
		f.Add([]byte{route, 0, 0, 0, 0, 0, 7})    // none
		for filling := range byte(len(fillings)) {
			f.Add([]byte{route, 0, 0, 0, 0, 0, 0, 1, 0, filling}) // in the first field
		}
		for choice := range byte(6) {
			f.Add([]byte{route, 0, choice, choice, choice, choice})
			f.Add([]byte{route, choice, 0, choice, 0, choice, 1, choice, 9, 0xc1, 0, 1, 7, 3})
			f.Add([]byte{route, 0, choice, 1, choice, 1, choice, 200, 0x7e, 0, 0, 0, 0, 0, 0, 1, 2, choice})
			f.Add([]byte{route, 0, choice, 2, 0x80 | choice, 0, 0, 3, 0, 2, 1, choice, 9, 2, 150, 5, 0, choice, 40, 3, route + 1, 0, 1})
		}
	}
	fuzzing.Run(f, fuzzing.Limit{Fixed: 1 << 30}, func(t testing.TB, script []byte) {
		s := fuzzing.NewScript(script)
		for range 4 {
			if p.requests++; p.requests > maxRequests {
				p.begin(t)
			}
			if !p.send(t, s, p.request(t, s)) || s.Done() {
				return
			}
		}
	})
}

// fuzzedRoutes are the routes. The forms have their fields with values that are right.
var fuzzedRoutes = []struct {
	method, path string
	fields       []string // name, value, and so on
}{
	{http.MethodGet, "/", nil},
	{http.MethodGet, "/tasks/new", nil},
	{http.MethodGet, "/tasks/{id}", nil},
	{http.MethodGet, "/tasks/{id}/file", nil},
	{http.MethodGet, "/tasks/{id}/results.csv", nil},
	{http.MethodGet, "/tasks/{id}/over-time.svg", nil},
	{http.MethodGet, "/tasks/{id}/results/{number}", nil},
	{http.MethodGet, "/tasks/{id}/results/{number}/chart.svg", nil},
	{http.MethodGet, "/tasks/{id}/results/{number}/result.csv", nil},
	{http.MethodGet, "/login", nil},
	{http.MethodGet, "/static/app.js", nil},
	{http.MethodGet, "/nothing/../{id}", nil},
	{http.MethodPost, "/login", []string{"next", "/tasks/new", "token", "{token}"}},
	{http.MethodPost, "/logout", nil},
	{http.MethodPost, "/tasks/add", []string{"file", "{file}"}},
	{http.MethodPost, "/tasks/{id}/token", []string{"token", servicetest.LeaderToken}},
	{http.MethodPost, "/tasks/{id}/schedule", []string{"every", "day", "delay", "1m"}},
	{http.MethodPost, "/tasks/{id}/collect", []string{"which", "next", "start", "2001-02-05T00:00", "end", "2001-02-06T00:00"}},
	{http.MethodPost, "/tasks/{id}/collect", []string{"which", "interval", "start", "2001-02-05T00:00", "end", "2001-02-06T00:00"}},
	{http.MethodPost, "/tasks/plan", taskFields},
	{http.MethodPost, "/tasks/new", append([]string{"preview", "1"}, taskFields...)},
	{http.MethodPost, "/tasks/new", taskFields},
}

// taskFields are those of a new task.
var taskFields = []string{
	"name", "delays", "leader", "https://leader.example/", "helper", "https://helper.example/", "kind", "histogram", "edges", "0, 15", "length", "3", "max", "10",
	"max_weight", "2", "labels", "a\nb\nc", "min_batch_size", "100", "time_precision", "1h", "batch_mode", "time-interval", "start", "", "duration", "", "every", "hour",
	"delay", "1m", "private", "", "mechanism", "pure", "neighbours", "replace-one", "level", "1", "budget", "10", "reports_per_client", "2", "reports_per_batch", "1",
	"max_batch_size", "",
}

// fillings are what a field may be filled in with in place of its own value.
var fillings = []string{
	servicetest.Markup, "", "javascript:alert(1)", "//elsewhere.example/", "0", "18446744073709551615", "9999-12-31T23:00", "sumvec", "multihot", "count", "yes",
	"leader-selected", "zero-concentrated", "=cmd|' /C calc'!A0", "\x00\xff\u202e", "1/3",
}

// fuzzedPages are the pages over a world that begins anew now and then.
type fuzzedPages struct {
	world    *servicetest.World
	handler  http.Handler
	requests int
	sessions []fuzzedSession // of a token for each scope
	log      bytes.Buffer    // of the handler's errors
}

// fuzzedSession is one that is logged in.
type fuzzedSession struct{ cookie, csrf string }

func (p *fuzzedPages) begin(t testing.TB) {
	t.Helper()
	if p.handler != nil {
		p.world.Begin(t)
	}
	var err error
	p.handler, err = New(p.world, p.world, Options{
		Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.requests = 0
	p.enter(t)
}

// enter begins sessions.
func (p *fuzzedPages) enter(t testing.TB) {
	t.Helper()
	p.sessions = nil
	for _, scope := range []service.Scope{service.ScopeAdminister, service.ScopeCollect, service.ScopeRead} {
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"token": {p.world.Bearer[scope]}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = "[2001:db8::1]:1" // who has never failed
		answer := httptest.NewRecorder()
		p.handler.ServeHTTP(answer, r)
		cookies := answer.Result().Cookies()
		if len(cookies) != 1 {
			t.Fatalf("the login answers %d", answer.Code)
		}
		r = httptest.NewRequest(http.MethodGet, "/nothing", nil)
		r.AddCookie(cookies[0])
		answer = httptest.NewRecorder()
		p.handler.ServeHTTP(answer, r)
		found := csrfField.FindStringSubmatch(answer.Body.String())
		if found == nil {
			t.Fatalf("there is no CSRF token on %s", answer.Body)
		}
		p.sessions = append(p.sessions, fuzzedSession{cookies[0].Value, found[1]})
	}
}

// fuzzedRequest is an HTTP request as a browser would send it.
type fuzzedRequest struct {
	Method, Path, Query                  string
	Cookie, MediaType, Site, Origin, Raw string // Raw are header lines
	Body                                 []byte
	address                              string
}

func (r *fuzzedRequest) encode() []byte {
	var b bytes.Buffer
	target := r.Path
	if r.Query != "" {
		target += "?" + r.Query
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: collector.example\r\n%s", r.Method, target, r.Raw)
	for _, line := range [][2]string{{"Cookie", r.Cookie}, {"Content-Type", r.MediaType}, {"Sec-Fetch-Site", r.Site}, {"Origin", r.Origin}} {
		if line[1] != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", line[0], line[1])
		}
	}
	if r.Body != nil {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	return b.Bytes()
}

// request makes a request of a session.
func (p *fuzzedPages) request(t testing.TB, s *fuzzing.Script) *fuzzedRequest {
	t.Helper()
	route := fuzzedRoutes[s.Choose(len(fuzzedRoutes))]
	r := &fuzzedRequest{Method: route.method}
	var session fuzzedSession
	switch who := s.Choose(5); who {
	case 3: // nobody
	case 4:
		r.Cookie = cookieName + "=made-up"
	default:
		session = p.sessions[who]
		r.Cookie = cookieName + "=" + session.cookie
	}
	ids := append(slices.Clone(p.world.TaskIDs), dap.TaskID{1})
	id := ids[s.Choose(len(ids))].String()
	r.Path = strings.NewReplacer("{id}", id, "{number}", []string{"1", "2", "3", "0", "x"}[s.Choose(5)]).Replace(route.path)
	chosen := s.Byte()
	for i, parameter := range []string{"live", "dark", "narrow", "file", "next=" + url.QueryEscape(fillings[s.Choose(len(fillings))])} {
		if chosen&(1<<i) != 0 {
			r.Query += "&" + parameter
		}
	}
	if chosen&0x40 != 0 {
		r.Site = []string{"cross-site", "same-site", "same-origin", "none"}[s.Choose(4)]
	}
	if chosen&0x80 != 0 {
		r.Origin = []string{"http://elsewhere.example", "http://collector.example", "null"}[s.Choose(3)]
	}
	if route.method == http.MethodPost {
		p.fill(t, s, r, session, route.fields)
	}
	return r
}

// fill gives the request a form: of the session, or of another, or without a token against requests of other sites.
func (p *fuzzedPages) fill(t testing.TB, s *fuzzing.Script, r *fuzzedRequest, session fuzzedSession, fields []string) {
	t.Helper()
	values := url.Values{}
	switch s.Choose(8) {
	case 6:
		values.Set("csrf", p.sessions[s.Choose(len(p.sessions))].csrf)
	case 7:
	default:
		values.Set("csrf", session.csrf)
	}
	filled := s.Byte() // how many fields are filled in otherwise; 255 for all
	for i := 0; i < len(fields); i += 2 {
		value := fields[i+1]
		switch {
		case filled == 255:
			value = servicetest.Markup
		case value == "{token}":
			value = p.world.Bearer[service.ScopeRead]
		case value == "{file}":
			file, err := p.world.TaskFile(t.Context(), p.world.TaskIDs[0])
			if err != nil {
				t.Fatal(err)
			}
			value = string(file)
		}
		values.Set(fields[i], value)
	}
	for range min(filled&7, 4) {
		if len(fields) > 0 && filled != 255 {
			values.Set(fields[2*s.Choose(len(fields)/2)], fillings[s.Choose(len(fillings))])
		}
	}
	r.MediaType, r.Body = "application/x-www-form-urlencoded", []byte(values.Encode())
	if strings.HasSuffix(r.Path, "/add") {
		r.MediaType, r.Body = multipartForm(t, values)
	}
	r.address = fmt.Sprintf("192.0.2.%d:1234", s.Byte())
}

// multipartForm writes a form with its file.
func multipartForm(t testing.TB, values url.Values) (mediaType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.SetBoundary("----the-boundary"))
	must(w.WriteField("csrf", values.Get("csrf")))
	file, err := w.CreateFormFile("file", "x.task")
	must(err)
	_, err = file.Write([]byte(values.Get("file")))
	must(err)
	must(w.Close())
	return w.FormDataContentType(), b.Bytes()
}

// send changes the request's fields and then its bytes, as the script says, and has the pages answer it, if it is still one
// of HTTP. It checks the answer, and tells whether there is one.
func (p *fuzzedPages) send(t testing.TB, s *fuzzing.Script, r *fuzzedRequest) bool {
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
		parsed.RemoteAddr = r.address
		return parsed
	}
	parsed := newRequest()
	if parsed == nil {
		return false
	}
	recorder := httptest.NewRecorder()
	p.log.Reset()
	fuzzing.Bounded(t, perRequest, len(raw), func() { p.handler.ServeHTTP(recorder, parsed) })
	p.check(t, newRequest(), recorder.Result(), recorder.Body.Bytes())
	if path := parsed.URL.Path; path == "/login" || path == "/logout" {
		p.enter(t) // a session may have ended
	}
	return true
}
