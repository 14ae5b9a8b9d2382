package dapclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
)

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func do(t *testing.T, c *Client, server *httptest.Server) (Response, error) {
	t.Helper()
	if c == nil {
		c = &Client{}
	}
	if c.HTTP == nil {
		c.HTTP = NewHTTPClient()
	}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return c.Do(t.Context(), Request{
		Method: http.MethodPost, URL: server.URL + "/x", MediaType: dap.MediaTypeUploadRequest, Body: []byte("body"), MaxAnswer: 100,
	})
}

func TestRequest(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "body" || r.Header.Get("Authorization") != "Bearer t0k" || r.Header.Get("DAP-Taskprov") != ":AA==:" ||
			r.Header.Get("Content-Type") != string(dap.MediaTypeUploadRequest) {
			t.Errorf("got %q with %v", body, r.Header)
		}
		w.Header().Set("Content-Type", string(dap.MediaTypeUploadErrors))
		w.Header().Set("Retry-After", "7")
		fmt.Fprint(w, "answer")
	})
	response, err := do(t, &Client{Token: secret.Bytes("t0k"), Taskprov: ":AA==:"}, server)
	if err != nil || string(response.Body) != "answer" || response.RetryAfter != 7*time.Second {
		t.Fatalf("got %+v, %v", response, err)
	}
	if err := response.CheckMediaType(dap.MediaTypeUploadErrors); err != nil {
		t.Error(err)
	}
	if err := response.CheckMediaType(dap.MediaTypeCollectionJobResp); err == nil {
		t.Error("a wrong media type was taken")
	}
}

func TestErrorAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status    int
		mediaType string
		body      string
		want      dap.ErrorType
		temporary bool
		text      string
	}{
		"DAP problem":      {400, "application/problem+json", `{"type":"urn:ietf:params:ppm:dap:error:invalidMessage","detail":"a\u0007b"}`, dap.ErrorTypeInvalidMessage, false, "a b"},
		"other problem":    {400, "application/problem+json; charset=utf-8", `{"type":"about:blank","title":"Nope"}`, "", false, "Nope"},
		"no problem":       {503, "text/html", "<html>", "", true, "status 503"},
		"bare 400":         {400, "text/plain", "400 Bad Request", "", true, "status 400"},
		"garbage":          {429, "application/problem+json", `{`, "", true, "status 429"},
		"too long problem": {500, "application/problem+json", `{"detail":"` + strings.Repeat("x", 70<<10) + `"}`, "", true, "status 500"},
		"not found":        {404, "", "", "", false, "status 404"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", c.mediaType)
				w.Header().Set("Retry-After", "3")
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			_, err := do(t, nil, server)
			answer, ok := errors.AsType[*Error](err)
			if !ok || answer.Status != c.status || answer.RetryAfter != 3*time.Second || RetryAfter(err) != 3*time.Second {
				t.Fatalf("got %v", err)
			}
			if got, _ := dap.ErrorTypeOf(err); got != c.want {
				t.Errorf("type %q, want %q", got, c.want)
			}
			if IsTemporary(err) != c.temporary || !strings.Contains(err.Error(), c.text) {
				t.Errorf("temporary %v, text %q", IsTemporary(err), err)
			}
		})
	}
}

func TestAnswersNotToGoOnWith(t *testing.T) {
	t.Run("too long", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("x", 101)) })
		_, err := do(t, nil, server)
		if _, ok := errors.AsType[*AnswerError](err); !ok || IsTemporary(err) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "50")
			io.WriteString(w, "short")
		})
		_, err := do(t, nil, server)
		if _, ok := errors.AsType[*NoAnswerError](err); !ok || !IsTemporary(err) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("redirect elsewhere", func(t *testing.T) {
		other := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("the request came here, with %v", r.Header) })
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		})
		_, err := do(t, &Client{Token: secret.Bytes("t0k")}, server)
		if _, ok := errors.AsType[*AnswerError](err); !ok {
			t.Errorf("got %v", err)
		}
	})
	t.Run("redirect to itself", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/x" {
				http.Redirect(w, r, "/y", http.StatusTemporaryRedirect)
			}
		})
		if _, err := do(t, nil, server); err != nil {
			t.Error(err)
		}
	})
	t.Run("unknown certificate", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = nil
		server.StartTLS()
		t.Cleanup(server.Close)
		_, err := do(t, nil, server)
		if _, ok := errors.AsType[*AnswerError](err); !ok || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		// A port that was given back may be somebody else's by now; at this one nobody listens.
		_, err := do(t, nil, &httptest.Server{URL: "http://127.0.0.1:1"})
		if _, ok := errors.AsType[*NoAnswerError](err); !ok || strings.Contains(err.Error(), "/x") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("context", func(t *testing.T) {
		release := make(chan struct{})
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { <-release })
		defer close(release)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		c := &Client{HTTP: NewHTTPClient()}
		_, err := c.Do(ctx, Request{Method: http.MethodGet, URL: server.URL})
		if !errors.Is(err, context.DeadlineExceeded) || IsTemporary(err) {
			t.Errorf("got %v", err)
		}
	})
}

// TestErrorAnswerCutOff: a problem document that did not arrive whole says nothing, so that a 409
// that might have been a batchOverlap is asked for again.
func TestErrorAnswerCutOff(t *testing.T) {
	const document = `{"type":"urn:ietf:params:ppm:dap:error:batchOverlap"}`
	for _, sent := range []int{0, 1, len(document) - 1} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Content-Length", fmt.Sprint(len(document)))
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, document[:sent])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		_, err := do(t, nil, server)
		if _, ok := errors.AsType[*NoAnswerError](err); !ok || !IsTemporary(err) {
			t.Errorf("%d bytes of %d: got %v", sent, len(document), err)
		}
	}
}
