package dapclient

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// connection answers every request with the same bytes.
type connection struct{ raw []byte }

func (c *connection) RoundTrip(r *http.Request) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(c.raw)), r)
}

// Whatever a server answers, there is a response within the bounds or a typed error, and
// the token goes nowhere else.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: application/ppm-dap;message=upload-errors\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		"HTTP/1.1 429 Too Many\r\nRetry-After: 17\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n",
		"HTTP/1.1 307 Again\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n\r\n" +
			`{"type":"urn:ietf:params:ppm:dap:error:invalidMessage","detail":"a\u001bb"}`,
	} {
		f.Add([]byte(seed))
	}
	carried := &connection{}
	c := &Client{HTTP: &http.Client{Transport: carried, CheckRedirect: sameOrigin}, Token: []byte("token")}
	fuzzing.Run(f, fuzzing.Limit{Fixed: 1 << 20}, func(t testing.TB, raw []byte) {
		carried.raw = raw
		response, err := c.Do(t.Context(), Request{
			Method: http.MethodPost, URL: "https://example.com/x", MediaType: dap.MediaTypeUploadRequest, Body: []byte("body"), MaxAnswer: 1000,
		})
		if err == nil {
			if len(response.Body) > 1000 || response.RetryAfter < 0 || response.RetryAfter > maxRetryAfter || response.URL.Host != "example.com" {
				t.Fatalf("%q is the response %+v", raw, response)
			}
			return
		}
		_, stated := errors.AsType[*Error](err)
		_, none := errors.AsType[*NoAnswerError](err)
		_, wrong := errors.AsType[*AnswerError](err)
		if !stated && !none && !wrong || RetryAfter(err) < 0 || RetryAfter(err) > maxRetryAfter {
			t.Fatalf("%q is an error of type %T: %v", raw, err, err)
		}
	})
}
