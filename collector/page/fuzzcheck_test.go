package page

import (
	"bytes"
	"encoding/csv"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/twofold-dap/twofold/collector/servicetest"
)

// allowedStatus are those that a page may answer with. There is no 500 among them.
var allowedStatus = []int{
	http.StatusOK, http.StatusPartialContent, http.StatusMovedPermanently, http.StatusSeeOther, http.StatusNotModified, http.StatusTemporaryRedirect,
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusConflict,
	http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusRequestedRangeNotSatisfiable, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
}

// check checks an answer.
func (p *fuzzedPages) check(t testing.TB, r *http.Request, answer *http.Response, body []byte) {
	t.Helper()
	failed := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %s, %d: "+format, append([]any{r.Method, r.URL, answer.StatusCode}, args...)...)
	}
	if !slices.Contains(allowedStatus, answer.StatusCode) || p.log.Len() > 0 {
		failed("the log has %q", p.log.String())
	}
	if got := answer.Header.Values("Content-Security-Policy"); len(got) != 1 || got[0] != policy {
		failed("the policy is %q", got)
	}
	if answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		failed("a browser may guess the type")
	}
	if location := answer.Header.Get("Location"); location != "" && !local(location) {
		failed("it leads to %q", location)
	}
	p.checkSecrets(failed, r, body)
	p.checkOrigin(failed, r, answer)
	mediaType, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch disposition, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Disposition")); {
	case mediaType == "text/html":
		checkMarkup(failed, body, true)
	case mediaType == "image/svg+xml":
		checkMarkup(failed, body, false)
	case mediaType == "text/csv" && answer.StatusCode == http.StatusOK && r.Method == http.MethodGet:
		checkCSV(failed, body)
		fallthrough
	case mediaType == "text/csv", mediaType == "application/octet-stream":
		if disposition != "attachment" {
			failed("the file is %q, not an attachment", disposition)
		}
	case mediaType != "" && mediaType != "text/css" && mediaType != "text/javascript" && mediaType != "text/plain" && mediaType != "multipart/byteranges":
		failed("the type is %q", mediaType)
	case mediaType == "" && len(body) > 0:
		failed("there is no type for %q", body)
	}
}

// checkSecrets sees that no token is shown. A request to log in has one, which after a change may be what it wants to see next.
func (p *fuzzedPages) checkSecrets(failed func(string, ...any), r *http.Request, body []byte) {
	if bytes.Contains(body, []byte(servicetest.LeaderToken)) {
		failed("the answer has the Leader's token")
	}
	for _, token := range p.world.Bearer {
		if r.URL.Path != "/login" && bytes.Contains(body, []byte(token)) {
			failed("the answer has an analyst's token")
		}
	}
}

// checkOrigin sees that a form is taken only of the session that it was made for, and from no other site.
func (p *fuzzedPages) checkOrigin(failed func(string, ...any), r *http.Request, answer *http.Response) {
	if r.Method != http.MethodPost || answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusTemporaryRedirect {
		return // the last is to a cleaner path, where the form is looked at
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		failed("a form from %s is taken", site)
	}
	if r.URL.Path == "/login" || answer.StatusCode >= 400 && answer.StatusCode != http.StatusUnprocessableEntity || strings.HasPrefix(answer.Header.Get("Location"), "/login") && r.URL.Path != "/logout" {
		return
	}
	if r.URL.Path == "/logout" && len(answer.Cookies()) == 0 {
		return // nobody was logged in
	}
	if err := r.ParseForm(); err == nil {
		_ = r.ParseMultipartForm(maxForm) // of which there may be none
	}
	for _, session := range p.sessions {
		for _, cookie := range r.CookiesNamed(cookieName) {
			if cookie.Value == session.cookie && r.PostFormValue("csrf") == session.csrf {
				return
			}
		}
	}
	failed("a form is taken with the cookies %v and the token %q", r.Cookies(), r.PostFormValue("csrf"))
}

// checkMarkup reads an answer as a browser would: what was sent is text there. A page leads nowhere else, and has nothing inline.
func checkMarkup(failed func(string, ...any), body []byte, page bool) {
	if bytes.Contains(body, []byte("<img src=x")) {
		failed("what was sent is there as it is")
	}
	root, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		failed("%v", err)
		return
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" && (n.FirstChild != nil || !page) {
			failed("there is a script in it")
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on") || page && a.Key == "style":
				failed("there is an inline %s=%q", a.Key, a.Val)
			case a.Key == "href" || a.Key == "src" || a.Key == "srcset" || a.Key == "action":
				if !strings.HasPrefix(a.Val, "#") && !local(a.Val) {
					failed("%s=%q leads elsewhere", a.Key, a.Val)
				}
			}
		}
	}
}

// local tells whether an address is one of this site, whatever browsers make of it: they take a backslash for a slash, and leave
// control characters out.
func local(address string) bool {
	address = strings.ReplaceAll(address, `\`, "/")
	return strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && !strings.ContainsFunc(address, unicode.IsControl)
}

// checkCSV sees that it is CSV, and no label a formula for a spreadsheet.
func checkCSV(failed func(string, ...any), body []byte) {
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) == 0 || len(rows[0]) != 10 {
		failed("the CSV is %q: %v", body, err)
	}
	for _, row := range rows {
		if label := row[5]; label != "" && strings.ContainsRune("=+@\t\r", rune(label[0])) {
			failed("the label %q is a formula", label)
		}
	}
}
