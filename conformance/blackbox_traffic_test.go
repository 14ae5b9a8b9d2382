package conformance

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// traffic stands before the Helper. It writes down what the Helper is asked, and a
// test can have it answer in the Helper's place.
type traffic struct {
	mu        sync.Mutex
	requests  []seenRequest
	intercept interceptor
}

// interceptor answers a request, or breaks the connection with nil. pass asks the
// Helper, with the request's body or another one.
type interceptor func(r seenRequest, pass func(body []byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder

// seenRequest is a request as it came in.
type seenRequest struct {
	method, path, query string
	header              http.Header
	body                []byte
}

// before returns the handler that stands before next.
func (f *traffic) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		seen := seenRequest{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Clone(), body}
		f.mu.Lock()
		f.requests = append(f.requests, seen)
		intercept := f.intercept
		f.mu.Unlock()

		pass := func(body []byte) *httptest.ResponseRecorder {
			recorder := httptest.NewRecorder()
			again := r.Clone(r.Context())
			again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			next.ServeHTTP(recorder, again)
			return recorder
		}
		if intercept == nil {
			intercept = passing
		}
		answer := intercept(seen, pass)
		if answer == nil { // the connection breaks
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.Header().Del("Content-Length") // the body may have been changed
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// passing passes everything.
func passing(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	return pass(r.body)
}

// set has an interceptor answer.
func (f *traffic) set(intercept interceptor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.intercept = intercept
}

// seen returns the requests so far with that method and, in their path, that part.
func (f *traffic) seen(method, part string) (list []seenRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if r.method == method && strings.Contains(r.path, part) {
			list = append(list, r)
		}
	}
	return list
}

// is tells whether a request has that method and that resource in its path.
func (r seenRequest) is(method, resource string) bool {
	return r.method == method && strings.Contains(r.path, "/"+resource)
}

// creates tells whether a request is a POST to a creation URL.
func (r seenRequest) creates(resource string) bool {
	return r.method == http.MethodPost && strings.HasSuffix(r.path, "/"+resource)
}

// answering returns an answer in the Helper's place.
func answering(status int, contentType string, body []byte) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	if contentType != "" {
		recorder.Header().Set("Content-Type", contentType)
	}
	recorder.WriteHeader(status)
	_, _ = recorder.Write(body)
	return recorder
}

// withBody returns the answer with another body.
func withBody(answer *httptest.ResponseRecorder, body []byte) *httptest.ResponseRecorder {
	answer.Body = bytes.NewBuffer(body)
	return answer
}

// changingResp answers requests for one kind of step with the Helper's answer after
// change, which gets the VerifyResps.
func changingResp(t testing.TB, applies func(seenRequest) bool, change func([]wireVerifyResp) []wireVerifyResp) interceptor {
	return func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		answer := pass(r.body)
		if !applies(r) || answer.Code != http.StatusOK {
			return answer
		}
		var w wire
		for _, v := range change(readAggregationJobResp(t, answer.Body.Bytes())) {
			w = w.raw(v.encode())
		}
		return withBody(answer, w)
	}
}
