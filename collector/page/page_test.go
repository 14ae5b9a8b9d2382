package page

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/twofold-dap/twofold/collector/service"
)

// visitor is a browser without a screen: it keeps its cookie.
type visitor struct {
	t       *testing.T
	handler http.Handler
	cookie  *http.Cookie
	address string // whom requests come from; the recorder's own if empty
}

// send sends a request and reads the answer. Whatever the answer is, it has what keeps a page safe.
func (v *visitor) send(r *http.Request) *http.Response {
	v.t.Helper()
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	if v.address != "" {
		r.RemoteAddr = v.address
	}
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	answer := w.Result()
	for name, want := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := answer.Header.Get(name); got != want {
			v.t.Errorf("%s %s: %s is %q", r.Method, r.URL, name, got)
		}
	}
	if cache := answer.Header.Get("Cache-Control"); cache != "no-store" && !strings.HasPrefix(r.URL.Path, "/static/") {
		v.t.Errorf("%s %s: Cache-Control is %q", r.Method, r.URL, cache)
	}
	for _, c := range answer.Cookies() {
		v.cookie = c
		if c.MaxAge < 0 {
			v.cookie = nil
		}
	}
	return answer
}

func (v *visitor) do(method, target string) *http.Response {
	v.t.Helper()
	return v.send(httptest.NewRequest(method, target, nil))
}

// post sends a form.
func (v *visitor) post(target string, form url.Values) *http.Response {
	v.t.Helper()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.send(r)
}

// body reads an answer, which must have a status.
func body(t *testing.T, answer *http.Response, status int) string {
	t.Helper()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status {
		t.Fatalf("the status is %d and not %d; the answer is %.400s", answer.StatusCode, status, content)
	}
	return string(content)
}

// enter returns a visitor who is logged in with a token.
func enter(t *testing.T, f *fake, token string) *visitor {
	t.Helper()
	v := &visitor{t: t, handler: handler(t, f)}
	answer := v.post("/login", url.Values{"token": {token}})
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/" || v.cookie == nil {
		t.Fatalf("the login answers %d to %q", answer.StatusCode, answer.Header.Get("Location"))
	}
	return v
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf returns the session's CSRF token, from a page.
func (v *visitor) csrf() string {
	v.t.Helper()
	found := csrfField.FindStringSubmatch(body(v.t, v.do(http.MethodGet, "/"), http.StatusOK))
	if found == nil {
		v.t.Fatal("there is no CSRF token on the page")
	}
	return found[1]
}

// form is a form with the CSRF token.
func (v *visitor) form(fields ...string) url.Values {
	v.t.Helper()
	values := url.Values{"csrf": {v.csrf()}}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return values
}

// paths are all pages that a sample has.
func paths(f *fake) []string {
	all := []string{"/", "/tasks/new"}
	for _, task := range f.tasks {
		all = append(all, taskPath(task.ID))
		if task.Results > 0 {
			all = append(all, taskPath(task.ID)+"/results/1")
		}
	}
	return all
}

// TestPages reads every page as HTML: it is well formed, each ID is there once, each label and each local address leads
// somewhere, and what is hostile is text.
func TestPages(t *testing.T) {
	f := sample()
	v := enter(t, f, adminToken)
	for _, path := range append(paths(f), "/nothing") {
		status := http.StatusOK
		if path == "/nothing" {
			status = http.StatusNotFound
		}
		text := body(t, v.do(http.MethodGet, path), status)
		root, err := html.Parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		ids, wanted := map[string]int{}, map[string]string{}
		headings := 0
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "h1" {
				headings++
			}
			if n.Data == "script" && n.FirstChild != nil {
				t.Errorf("%s: there is an inline script: %s", path, n.FirstChild.Data)
			}
			for _, a := range n.Attr {
				switch {
				case a.Key == "id":
					ids[a.Val]++
				case a.Key == "for", a.Key == "aria-labelledby":
					wanted[a.Val] = a.Key
				case a.Key == "aria-describedby":
					for _, id := range strings.Fields(a.Val) {
						wanted[id] = a.Key
					}
				case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
					t.Errorf("%s: there is an inline %s=%q", path, a.Key, a.Val)
				case a.Key == "href" || a.Key == "src" || a.Key == "srcset" || a.Key == "action":
					if !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "//") {
						t.Errorf("%s: %s=%q leads elsewhere", path, a.Key, a.Val)
					}
					if n.Data != "form" && strings.HasPrefix(a.Val, "/") {
						if got := v.do(http.MethodHead, a.Val).StatusCode; got != http.StatusOK {
							t.Errorf("%s: %s=%q answers %d", path, a.Key, a.Val, got)
						}
					}
				}
			}
		}
		if headings != 1 {
			t.Errorf("%s has %d main headings", path, headings)
		}
		for id, n := range ids {
			if n > 1 {
				t.Errorf("%s: the id %s is there %d times", path, id, n)
			}
		}
		for id, by := range wanted {
			if ids[id] == 0 {
				t.Errorf("%s: %s names %s, which is not there", path, by, id)
			}
		}
	}
}

// TestNothingWithoutSession asks for every page without a session, and with one that has ended.
func TestNothingWithoutSession(t *testing.T) {
	f := sample()
	id := taskPath(f.tasks[0].ID)
	ended := enter(t, f, adminToken)
	stale := *ended.cookie
	body(t, ended.post("/logout", ended.form()), http.StatusSeeOther)
	if ended.cookie != nil {
		t.Error("the cookie stays after the logout")
	}
	revoked := enter(t, f, adminToken)
	f.revoked = true
	for name, v := range map[string]*visitor{
		"a stranger": {t: t, handler: ended.handler}, "who has logged out": {t: t, handler: ended.handler, cookie: &stale},
		"a made-up cookie": {t: t, handler: ended.handler, cookie: &http.Cookie{Name: cookieName, Value: "x"}}, "whose token was revoked": revoked,
	} {
		for _, path := range append(paths(f), "/nothing", "/static/", "/static", id+"/file", id+"/results.csv", id+"/over-time.svg", id+"/results/1/chart.svg", id+"/results/1/result.csv") {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
				answer := v.do(method, path)
				location := answer.Header.Get("Location")
				if text := body(t, answer, http.StatusSeeOther); !strings.HasPrefix(location, "/login") || strings.Contains(text, "flights") {
					t.Errorf("%s: %s %s leads to %q with %q", name, method, path, location, text)
				}
			}
		}
		for _, path := range []string{"/tasks/new", "/tasks/plan", "/tasks/add", id + "/token", id + "/schedule", id + "/collect", "/logout"} {
			if answer := v.post(path, url.Values{"csrf": {"x"}}); answer.Header.Get("Location") != "/login" {
				t.Errorf("%s: POST %s answers %d to %q", name, path, answer.StatusCode, answer.Header.Get("Location"))
			}
		}
	}
	if len(f.drafts)+len(f.asked) > 0 || f.token != "" {
		t.Error("something was done without a session")
	}
}

// TestCSRF sends each form without the session's token, with another session's, and from another site.
func TestCSRF(t *testing.T) {
	f := sample()
	v, other := enter(t, f, adminToken), enter(t, f, adminToken)
	id := taskPath(f.tasks[0].ID)
	for _, path := range []string{"/tasks/new", "/tasks/plan", "/tasks/add", id + "/token", id + "/schedule", id + "/collect", "/logout"} {
		for name, form := range map[string]url.Values{"no": {}, "an empty": {"csrf": {""}}, "another's": other.form()} {
			if answer := v.post(path, form); answer.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s with %s CSRF token answers %d", path, name, answer.StatusCode)
			}
		}
		for name, headers := range map[string][2]string{"a site": {"Sec-Fetch-Site", "cross-site"}, "an origin": {"Origin", "https://evil.example"}} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(v.form("token", "stolen").Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(headers[0], headers[1])
			if answer := v.send(r); answer.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s from %s answers %d", path, name, answer.StatusCode)
			}
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"token": {readToken}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if answer := (&visitor{t: t, handler: v.handler}).send(r); answer.StatusCode != http.StatusForbidden || len(answer.Cookies()) > 0 {
		t.Errorf("a login from another site answers %d", answer.StatusCode)
	}
	if len(f.drafts)+len(f.asked) > 0 || f.token != "" {
		t.Error("something was done without the token")
	}
	body(t, v.do(http.MethodGet, "/"), http.StatusOK) // and it is still logged in
}

// TestScopes tries what a token does not allow.
func TestScopes(t *testing.T) {
	f := sample()
	id := taskPath(f.tasks[0].ID)
	collecting := []string{id + "/collect", id + "/schedule"}
	administering := []string{"/tasks/new", "/tasks/plan", "/tasks/add", id + "/token"}
	for token, refused := range map[string][]string{readToken: append(collecting, administering...), collectToken: administering} {
		v := enter(t, f, token)
		form := v.form("every", "hour", "token", "t")
		for _, path := range refused {
			if answer := v.post(path, form); answer.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s with %s answers %d", path, token, answer.StatusCode)
			}
		}
		if answer := v.do(http.MethodGet, "/tasks/new"); answer.StatusCode != http.StatusForbidden {
			t.Errorf("GET /tasks/new with %s answers %d", token, answer.StatusCode)
		}
		text := body(t, v.do(http.MethodGet, id), http.StatusOK)
		if strings.Contains(text, id+"/collect") != (token == collectToken) || strings.Contains(text, id+"/token") {
			t.Errorf("the page for %s has the wrong forms", token)
		}
	}
	v := enter(t, f, collectToken)
	body(t, v.post(id+"/collect", v.form("which", "next")), http.StatusSeeOther)
}

func TestCookie(t *testing.T) {
	f := sample()
	for _, secure := range []bool{false, true} {
		h, err := New(f, f, Options{Secure: secure})
		if err != nil {
			t.Fatal(err)
		}
		v := &visitor{t: t, handler: h}
		c := v.post("/login", url.Values{"token": {readToken}}).Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || c.Path != "/" || c.Domain != "" || strings.HasPrefix(c.Name, "__Host-") != secure || len(c.Value) < 26 || strings.Contains(c.Value, readToken) {
			t.Errorf("the cookie is %s", c)
		}
		body(t, v.do(http.MethodGet, "/"), http.StatusOK)
		before := *v.cookie
		v.post("/login", url.Values{"token": {readToken}})
		if v.cookie.Value == before.Value {
			t.Error("a login goes on with the session before")
		}
		if answer := (&visitor{t: t, handler: h, cookie: &before}).do(http.MethodGet, "/"); answer.StatusCode != http.StatusSeeOther {
			t.Error("the session before goes on")
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	f := sample()
	clock := now
	h, err := New(f, f, Options{Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	in := func(v *visitor) bool { return v.do(http.MethodGet, "/").StatusCode == http.StatusOK }
	idle := &visitor{t: t, handler: h}
	idle.post("/login", url.Values{"token": {readToken}})
	clock = clock.Add(idleTime - time.Second)
	if !in(idle) {
		t.Error("a session ends before its time")
	}
	clock = clock.Add(idleTime)
	if in(idle) {
		t.Error("an idle session goes on")
	}
	busy := &visitor{t: t, handler: h}
	busy.post("/login", url.Values{"token": {readToken}})
	for range lifetime / time.Hour {
		if !in(busy) {
			t.Fatal("a session ends before its time")
		}
		clock = clock.Add(time.Hour)
	}
	if in(busy) {
		t.Error("a session has no end")
	}
	first := &visitor{t: t, handler: h}
	first.post("/login", url.Values{"token": {readToken}})
	clock = clock.Add(time.Second)
	for range maxSessions {
		(&visitor{t: t, handler: h}).post("/login", url.Values{"token": {readToken}})
	}
	if in(first) {
		t.Error("there is no bound to sessions")
	}
}

func TestLogin(t *testing.T) {
	f := sample()
	h := handler(t, f)
	for next, want := range map[string]string{"": "/", "/tasks/new": "/tasks/new", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "/a\r\nb": "/", "/a\x00b": "/", "/\x01/evil.example": "/", "javascript:alert(1)": "/"} {
		v := &visitor{t: t, handler: h}
		if got := v.post("/login", url.Values{"token": {readToken}, "next": {next}}).Header.Get("Location"); got != want {
			t.Errorf("next=%q leads to %q", next, got)
		}
	}
	v := &visitor{t: t, handler: h}
	if got := v.do(http.MethodGet, "/tasks/new?a=b").Header.Get("Location"); got != "/login?next=%2Ftasks%2Fnew%3Fa%3Db" {
		t.Errorf("the login is at %q", got)
	}
	for token, status := range map[string]int{"not-a-token": http.StatusUnauthorized, "": http.StatusUnprocessableEntity, strings.Repeat("x", maxToken+1): http.StatusUnprocessableEntity} {
		if text := body(t, v.post("/login", url.Values{"token": {token}}), status); token != "" && strings.Contains(text, token) || v.cookie != nil {
			t.Errorf("the token %.20q is shown again, or begins a session", token)
		}
	}
	f.checkFail = errors.New("the disk is broken")
	if text := body(t, v.post("/login", url.Values{"token": {readToken}}), http.StatusInternalServerError); strings.Contains(text, "disk") {
		t.Error("an internal error is shown")
	}
}

// TestLoginLimits tries too often: from one address, from a network of IPv6, and from everywhere.
func TestLoginLimits(t *testing.T) {
	f := sample()
	clock := now
	h, err := New(f, f, Options{Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	from := func(address, token string) *http.Response {
		return (&visitor{t: t, handler: h, address: address}).post("/login", url.Values{"token": {token}})
	}
	for range 3 * attemptsOfOne { // successes do not count
		body(t, from("192.0.2.1:1", readToken), http.StatusSeeOther)
	}
	for _, addresses := range [][2]string{{"192.0.2.1:1", "192.0.2.1:2"}, {"[2001:db8::1]:1", "[2001:db8::ffff:0:1]:7"}} {
		for range attemptsOfOne {
			body(t, from(addresses[0], "wrong"), http.StatusUnauthorized)
		}
		refused := from(addresses[1], readToken)
		if text := body(t, refused, http.StatusTooManyRequests); refused.Header.Get("Retry-After") != "600" || !strings.Contains(text, "10 minutes") {
			t.Errorf("Retry-After is %q", refused.Header.Get("Retry-After"))
		}
	}
	body(t, from("192.0.2.2:1", readToken), http.StatusSeeOther)
	clock = clock.Add(attemptsTime)
	body(t, from("192.0.2.1:1", readToken), http.StatusSeeOther)
	for i := range attemptsOfAll {
		body(t, from("198.51."+string(rune('0'+i/100%10))+"."+string(rune('0'+i/10%10))+":1", "wrong"), http.StatusUnauthorized)
	}
	body(t, from("192.0.2.99:1", readToken), http.StatusTooManyRequests)
}

// TestAnswers asks in other ways than a browser does.
func TestAnswers(t *testing.T) {
	f := sample()
	v := enter(t, f, adminToken)
	id := taskPath(f.tasks[0].ID)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{http.MethodHead, "/", 200}, {http.MethodHead, id, 200}, {http.MethodGet, "/tasks/AAAA", 404}, {http.MethodGet, "/tasks/..%2f", 404},
		{http.MethodGet, id + "/results/0", 404}, {http.MethodGet, id + "/results/x", 404}, {http.MethodGet, id + "/results/99999999999999999999", 404},
		{http.MethodGet, id + "/nothing", 404}, {http.MethodDelete, "/", 405}, {http.MethodGet, id + "/collect", 405}, {http.MethodPut, id, 405},
		{http.MethodGet, "/static/style.css", 404}, {http.MethodGet, "/tasks//new", 307},
	} {
		answer := v.do(test.method, test.path)
		if answer.StatusCode != test.status {
			t.Errorf("%s %s answers %d, want %d", test.method, test.path, answer.StatusCode, test.status)
		}
		if (answer.StatusCode == http.StatusMethodNotAllowed) != (answer.Header.Get("Allow") != "") {
			t.Errorf("%s %s: Allow is %q", test.method, test.path, answer.Header.Get("Allow"))
		}
	}
	files, err := loadStatic()
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range files.addresses {
		answer := (&visitor{t: t, handler: v.handler}).do(http.MethodGet, address)
		if text := body(t, answer, http.StatusOK); len(text) == 0 || !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s has %d bytes and Cache-Control %q", name, len(text), answer.Header.Get("Cache-Control"))
		}
	}
	large := strings.NewReader("csrf=" + strings.Repeat("x", maxFile))
	r := httptest.NewRequest(http.MethodPost, "/tasks/new", large)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	body(t, v.send(r), http.StatusRequestEntityTooLarge)
}

// TestErrors shows what goes wrong, in words, and nothing that is internal.
func TestErrors(t *testing.T) {
	f := sample()
	v := enter(t, f, adminToken)
	id := taskPath(f.tasks[0].ID)
	for _, test := range []struct {
		err    error
		status int
		says   string
	}{
		{&service.NotReadyError{Problem: "there are too few reports"}, 422, "There are too few reports."},
		{&service.OverlapError{Number: 3, Start: now, End: now.Add(time.Hour)}, 422, "Collection 3 has"},
		{&service.LeaderError{Problem: "it does not answer", Err: errors.New("secret detail")}, 502, "It does not answer."},
		{service.ErrNoToken, 422, "token for this task is missing"},
		{service.ErrBusy, 503, "Too much is asked for at once"},
		{&service.FieldError{Field: "start", Problem: "is in the future"}, 422, "Is in the future."},
		{errors.New("secret detail"), 500, "Something went wrong here"},
	} {
		f.err = test.err
		text := body(t, v.post(id+"/collect", v.form("which", "next")), test.status)
		if !strings.Contains(text, test.says) || strings.Contains(text, "secret detail") {
			t.Errorf("%v: the page does not say %q, or says too much", test.err, test.says)
		}
	}
	f.progress = &service.LeaderError{Problem: "it does not answer"}
	text := body(t, v.do(http.MethodGet, id), http.StatusOK)
	if !strings.Contains(text, "does not tell how far the task is: It does not answer.") || !strings.Contains(text, "23,000 or more") {
		t.Error("without the Leader the page does not show what is known")
	}
}

// newTask is a form that is filled in.
func newTask(v *visitor, fields ...string) url.Values {
	return v.form(append([]string{
		"name", "delays", "leader", "https://l.example/", "helper", "https://h.example/", "kind", "histogram", "edges", "0, 15; 30\n60", "length", "7", "labels", "a\nb",
		"min_batch_size", "1,000", "time_precision", "1h", "batch_mode", "time-interval", "start", "2026-12-01T08:00", "duration", "90d", "every", "day", "delay", "2m",
	}, fields...)...)
}

func TestCreate(t *testing.T) {
	f := sample()
	v := enter(t, f, adminToken)
	answer := v.post("/tasks/new", newTask(v))
	body(t, answer, http.StatusSeeOther)
	draft := f.drafts[0]
	if draft.Name != "delays" || draft.VDAF != "histogram:edges=0;15;30;60" || draft.Labels != nil || draft.MinBatchSize != 1000 || draft.TimePrecision != time.Hour || draft.LeaderSelected ||
		!draft.Start.Equal(time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)) || draft.Duration != 90*24*time.Hour || draft.Schedule.Every != service.EveryDay || *draft.Schedule.Delay != 2*time.Minute || draft.Privacy != nil {
		t.Errorf("the draft is %+v", draft)
	}
	if text := body(t, v.do(http.MethodGet, answer.Header.Get("Location")), http.StatusOK); !strings.Contains(text, "Now both operators have to approve it") || !strings.Contains(text, "Next steps") {
		t.Error("the new task's page does not say what is next")
	}
	for _, test := range []struct {
		fields []string
		vdaf   string
		labels int
	}{
		{[]string{"kind", "count"}, "count", 0}, {[]string{"kind", "sum", "max", "100"}, "sum:max=100", 0}, {[]string{"kind", "sumvec", "length", "2", "max", "9"}, "sumvec:length=2,max=9", 2},
		{[]string{"kind", "histogram", "edges", ""}, "histogram:length=7", 2}, {[]string{"kind", "multihot", "length", "2", "max_weight", "1"}, "multihot:length=2,max_weight=1", 2},
	} {
		body(t, v.post("/tasks/new", newTask(v, test.fields...)), http.StatusSeeOther)
		if got := f.drafts[len(f.drafts)-1]; got.VDAF != test.vdaf || len(got.Labels) != test.labels {
			t.Errorf("%v: the draft has %s with %q", test.fields, got.VDAF, got.Labels)
		}
	}
	private := newTask(v, "private", "yes", "mechanism", "zero-concentrated", "level", "1/2", "budget", "4", "neighbours", "remove-one", "reports_per_client", "3")
	body(t, v.post("/tasks/new", private), http.StatusSeeOther)
	want := service.PrivacyDraft{Mechanism: "zero-concentrated", Level: "1/2", Budget: "4", Neighbours: "remove-one", ReportsPerClient: 3}
	if got := f.drafts[len(f.drafts)-1].Privacy; got == nil || *got != want {
		t.Errorf("the draft has the privacy %+v", got)
	}
}

// TestCreateRefused fills forms in wrongly: each problem stands at its field, and what was typed stays.
func TestCreateRefused(t *testing.T) {
	f := sample()
	v := enter(t, f, adminToken)
	for field, fields := range map[string][]string{
		"name": {"name", ""}, "min_batch_size": {"min_batch_size", "many"}, "time_precision": {"time_precision", "long"}, "edges": {"edges", "", "length", ""}, "max": {"kind", "sum", "max", "1,length=2"},
		"kind": {"kind", "else"}, "every": {"every", "never"}, "start": {"start", "tomorrow"}, "duration": {"duration", "-1h"},
	} {
		text := body(t, v.post("/tasks/new", newTask(v, fields...)), http.StatusUnprocessableEntity)
		if !strings.Contains(text, `href="#`+field+`"`) || !strings.Contains(text, "One thing is not right yet") || !strings.Contains(text, "https://l.example/") {
			t.Errorf("%s: the page does not lead to the problem, or has lost what was typed", field)
		}
	}
	f.err = &service.FieldError{Field: "helper", Problem: "must be another server"}
	text := body(t, v.post("/tasks/new", newTask(v, "name", hostile)), http.StatusUnprocessableEntity)
	if !strings.Contains(text, `aria-invalid="true"`) || !strings.Contains(text, "Must be another server.") || strings.Contains(text, "<script>alert") {
		t.Error("the service's problem is not at its field")
	}
}

func TestPlan(t *testing.T) {
	f := sample()
	v := enter(t, f, adminToken)
	before := len(f.tasks)
	form := newTask(v, "private", "yes", "level", "1", "budget", "10")
	for path, whole := range map[string]bool{"/tasks/plan": false, "/tasks/new": true} {
		if whole {
			form.Set("preview", "yes")
		}
		text := body(t, v.post(path, form), http.StatusOK)
		for _, want := range []string{"1,234 bytes", "standard error 12.5", "± 24.5 with 95 %", "7 batches", "is small beside noise"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
		if strings.Contains(text, "<html") != whole {
			t.Errorf("%s: it is a whole page: %t", path, !whole)
		}
	}
	form.Set("edges", "")
	form.Set("length", "")
	if text := body(t, v.post("/tasks/plan", form), http.StatusOK); !strings.Contains(text, "Still missing") {
		t.Error("the plan does not say what is missing")
	}
	if len(f.tasks) != before {
		t.Error("a preview has made a task")
	}
}

func TestActions(t *testing.T) {
	f := sample()
	v := enter(t, f, adminToken)
	id := taskPath(f.tasks[0].ID)
	body(t, v.post(id+"/token", v.form("token", " the-token\n")), http.StatusSeeOther)
	if f.token != "the-token" {
		t.Errorf("the token is %q", f.token)
	}
	f.err = &service.FieldError{Field: "token", Problem: "is not one"}
	if text := body(t, v.post(id+"/token", v.form("token", "hidden-token")), http.StatusUnprocessableEntity); strings.Contains(text, "hidden-token") {
		t.Error("a token is shown again")
	}
	f.err = nil
	body(t, v.post(id+"/schedule", v.form("every", "batch", "delay", "0")), http.StatusSeeOther)
	if f.schedule.Every != service.EveryBatch || f.schedule.Delay == nil || *f.schedule.Delay != 0 {
		t.Errorf("the schedule is %+v", f.schedule)
	}
	body(t, v.post(id+"/collect", v.form("which", "next", "start", "rubbish")), http.StatusSeeOther)
	body(t, v.post(id+"/collect", v.form("which", "interval", "start", "2026-11-28T00:00", "end", "2026-11-29T00:00")), http.StatusSeeOther)
	body(t, v.post(id+"/collect", v.form("which", "interval", "start", "2026-11-28T00:00")), http.StatusUnprocessableEntity)
	day := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	if want := []service.CollectRequest{{}, {Start: day, End: day.AddDate(0, 0, 1)}}; !slices.Equal(f.asked, want) {
		t.Errorf("asked for %+v", f.asked)
	}
	// What was done is said once.
	body(t, v.post(id+"/collect", v.form("which", "next")), http.StatusSeeOther)
	if text := body(t, v.do(http.MethodGet, id+"?live"), http.StatusOK); strings.Contains(text, "The batch was asked for") {
		t.Error("it is said to the script")
	}
	for i, want := range []bool{true, false} {
		if text := body(t, v.do(http.MethodGet, id), http.StatusOK); strings.Contains(text, "The batch was asked for") != want {
			t.Errorf("look %d: it is said: %t", i, !want)
		}
	}
}

func TestAddTask(t *testing.T) {
	f := sample()
	v := enter(t, f, adminToken)
	send := func(content string) *http.Response {
		var buffer bytes.Buffer
		w := multipart.NewWriter(&buffer)
		if err := w.WriteField("csrf", v.csrf()); err != nil {
			t.Fatal(err)
		}
		part, err := w.CreateFormFile("file", "x.task")
		if err == nil {
			_, err = io.WriteString(part, content)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/tasks/add", &buffer)
		r.Header.Set("Content-Type", w.FormDataContentType())
		return v.send(r)
	}
	if got := send("a task").Header.Get("Location"); got != taskPath(f.tasks[0].ID) {
		t.Errorf("it leads to %q", got)
	}
	if text := body(t, send("something else"), http.StatusUnprocessableEntity); !strings.Contains(text, "his is no task file.") {
		t.Error("the page does not say what is wrong")
	}
	body(t, v.post("/tasks/add", v.form()), http.StatusUnprocessableEntity)
}

func TestCSV(t *testing.T) {
	f := sample()
	v := enter(t, f, readToken)
	answer := v.do(http.MethodGet, taskPath(f.tasks[0].ID)+"/results.csv")
	if got := answer.Header.Get("Content-Disposition"); got != `attachment; filename="Minutes that flights were late.csv"` {
		t.Errorf("it is kept as %s", got)
	}
	rows, err := csv.NewReader(strings.NewReader(body(t, answer, http.StatusOK))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"1", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", "2026-11-02T00:01:00Z", "2000", "-15 to below 0", "753", "12", "729.48", "776.52"}
	if len(rows) != 1+9*10 || !slices.Equal(rows[2], want) {
		t.Errorf("%d rows, of which one is %q", len(rows), rows[2])
	}
	for label, want := range map[string]string{"=1+1": "'=1+1", "@x": "'@x", "+1": "'+1", "-15 to below 0": "-15 to below 0", "-1+cmd|' /C calc'!A0": "'-1+cmd|' /C calc'!A0", "-x": "'-x", "late": "late", "": ""} {
		if got := cell(label); got != want {
			t.Errorf("%q becomes %q, want %q", label, got, want)
		}
	}
	one := v.do(http.MethodGet, taskPath(f.tasks[0].ID)+"/results/2/result.csv")
	if text := body(t, one, http.StatusOK); strings.Count(text, "\n") != 11 {
		t.Errorf("one result is %q", text)
	}
	if got := attachment(hostile+"/../../x\r\n", "csv"); strings.ContainsAny(got, "<>/\r\n") {
		t.Errorf("a hostile name is kept as %s", got)
	}
}

func TestWords(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }
	for _, test := range []struct {
		start, end time.Time
		want       string
	}{
		{at(1, 0), at(2, 0), "1 Nov 2026"}, {at(1, 0), at(4, 0), "1 Nov 2026 to 3 Nov 2026"}, {at(1, 8), at(1, 9), "1 Nov 2026, 08:00–09:00"},
		{at(1, 23), at(2, 0), "1 Nov 2026, 23:00–24:00"}, {at(1, 8), at(2, 9), "1 Nov 2026, 08:00 to 2 Nov 2026, 09:00"}, {time.Time{}, time.Time{}, "–"},
	} {
		if got := span(test.start, test.end); got != test.want {
			t.Errorf("%s/%s is %q, want %q", test.start, test.end, got, test.want)
		}
	}
	for d, want := range map[time.Duration]string{time.Hour: "1 hour", 48 * time.Hour: "2 days", 90 * time.Minute: "90 minutes", 5 * time.Second: "5s", 0: "0 seconds"} {
		if got := duration(d); got != want {
			t.Errorf("%s is %q", d, got)
		}
	}
	if got := coarse(service.Coarse{AtLeast: 23000, FewerThan: 24000}); got != "23,000 or more" {
		t.Errorf("got %q", got)
	}
	if got := plural(new(uint64(1)), "batch") + ", " + plural(2, "batch"); got != "1 batch, 2 batches" {
		t.Errorf("got %q", got)
	}
}
