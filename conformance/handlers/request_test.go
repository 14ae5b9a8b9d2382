package handlers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// perRequest bounds what a request allocates. An answer may be longer than its
// request, a report is decrypted and verified, and a transaction copies pages of the
// database, of which a few belong to every request.
var perRequest = fuzzing.Limit{Fixed: 4 << 20, Multiple: 128}

// request is an HTTP request as a peer would send it.
type request struct {
	Method, Path, Query string
	MediaType           dap.MediaType
	Token               string
	Advertised          []byte // the task configuration in the DAP-Taskprov header
	Body                []byte

	kind string // the resource's, in its path
	task *task
}

// encode returns the request in the form of HTTP/1.1.
func (r *request) encode() []byte {
	var b bytes.Buffer
	target := r.Path
	if r.Query != "" {
		target += "?" + r.Query
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: example\r\n", r.Method, target)
	if r.Token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", r.Token)
	}
	if r.Advertised != nil {
		if value, err := dap.FormatTaskprovHeader(r.Advertised); err == nil {
			fmt.Fprintf(&b, "%s: %s\r\n", dap.TaskprovHeader, value)
		}
	}
	if r.MediaType != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", r.MediaType)
	}
	if r.Body != nil {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	return b.Bytes()
}

// send changes the request's fields and then its bytes, as the script says, and has
// the handler answer it, if it is still one of HTTP. It returns the answer of a
// handler, or nil.
func send(t testing.TB, s *fuzzing.Script, handler http.Handler, r *request) *httptest.ResponseRecorder {
	t.Helper()
	s.Edit(r)
	raw := r.encode()
	for range s.Byte() & 3 {
		raw = s.EditBytes(raw)
	}
	parsed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return nil
	}
	parsed.RemoteAddr = "192.0.2.1:1234"
	recorder := httptest.NewRecorder()
	fuzzing.Bounded(t, perRequest, len(raw), func() { handler.ServeHTTP(recorder, parsed) })
	checkAnswer(t, parsed, recorder)
	return recorder
}

// checkAnswer sees that an answer is one that DAP allows: a success whose body decodes,
// or a problem document (DAP Sections 3.2 and 3.3).
func checkAnswer(t testing.TB, r *http.Request, answer *httptest.ResponseRecorder) {
	t.Helper()
	contentType, body := answer.Header().Get("Content-Type"), answer.Body.Bytes()
	switch {
	case answer.Code >= 400 && answer.Code <= 499:
		if contentType != daphttp.ProblemMediaType {
			t.Errorf("status %d with the media type %q", answer.Code, contentType)
		} else if r.Method != http.MethodHead && !json.Valid(body) {
			t.Errorf("status %d with a body that is no JSON: %q", answer.Code, body)
		}
	case answer.Code != http.StatusOK:
		t.Errorf("%s %s: status %d: %s", r.Method, r.URL.Path, answer.Code, body)
	case len(body) == 0:
	default:
		checkBody(t, dap.MediaType(contentType), body)
	}
}

// checkBody decodes the body of a success.
func checkBody(t testing.TB, mediaType dap.MediaType, body []byte) {
	t.Helper()
	decoders := map[dap.MediaType]func() error{
		dap.MediaTypeHpkeConfigList:     func() error { _, err := dap.DecodeHpkeConfigList(body); return err },
		dap.MediaTypeUploadErrors:       func() error { _, err := dap.DecodeUploadErrors(body); return err },
		dap.MediaTypeAggregationJobResp: func() error { _, err := dap.DecodeAggregationJobResp(body); return err },
		dap.MediaTypeAggregateShare:     func() error { _, err := dap.DecodeAggregateShare(body); return err },
		dap.MediaTypeCollectionJobResp:  func() error { _, err := dap.DecodeCollectionJobResp(body); return err },
	}
	decode, known := decoders[mediaType]
	if !known {
		t.Errorf("a success with the media type %q", mediaType)
	} else if err := decode(); err != nil {
		t.Errorf("a success of type %s that does not decode: %v", mediaType, err)
	}
}

// side is one of the two aggregators, as its peers see it.
type side struct {
	handler http.Handler
	base    string // of its tasks' paths
	// made are the paths of the resources that were made, by kind.
	made map[string][]string
}

// resource returns the path of a resource of a kind: one that was made, or else one
// below the task's path that does not exist.
func (d *side) resource(s *fuzzing.Script, task string, kind string) string {
	if list := d.made[kind]; len(list) > 0 {
		return list[len(list)-1-s.Choose(min(len(list), 8))]
	}
	return task + kind + "/" + dap.NewAggregationJobID().String()
}

// play sends the requests of a script.
func (w *world) play(t testing.TB, s *fuzzing.Script, to *side, next func(testing.TB, *fuzzing.Script) *request) {
	for range 6 {
		if w.requests++; w.requests > maxRequests {
			w.close(t)
			w.begin(t)
		}
		r := next(t, s)
		if r == nil {
			return
		}
		answer := send(t, s, to.handler, r)
		if answer == nil {
			return
		}
		if location := answer.Header().Get("Location"); location != "" {
			path, _, _ := strings.Cut(location, "?")
			if !strings.HasPrefix(path, to.base) {
				t.Errorf("the location %q is not below %q", location, to.base)
			}
			to.made[r.kind] = append(to.made[r.kind], path)
		}
		if s.Done() {
			return
		}
	}
}
