// Package dapclient is how clients and collectors send requests to an
// aggregator (DAP Section 3): media types, bounded answers, typed errors.
//
// A bearer token is secret: it goes into the Authorization header and nowhere
// else. No error holds a request's or an answer's content but for the text of a
// problem document.
package dapclient

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/internal/secret"
)

const (
	// Timeout bounds one request with its answer.
	Timeout = 2 * time.Minute

	maxRedirects  = 3
	maxRetryAfter = time.Hour
)

// Client sends requests to an aggregator. It is safe for concurrent use.
type Client struct {
	// HTTP sends the requests. NewHTTPClient makes one that keeps to DAP's rules.
	HTTP *http.Client
	// Token, if not empty, is presented as a bearer token.
	Token secret.Bytes
	// Taskprov, if not empty, is the value of the DAP-Taskprov header.
	Taskprov string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Request is a request to a resource.
type Request struct {
	Method string
	URL    string // below a daphttp.Endpoint
	// MediaType is that of Body; empty if there is no body.
	MediaType dap.MediaType
	Body      []byte
	// MaxAnswer bounds the answer's body, in bytes.
	MaxAnswer int64
}

// Response is an answer of the 2xx class.
type Response struct {
	Header http.Header
	Body   []byte
	// URL is where the answer came from, after redirects.
	URL *url.URL
	// RetryAfter is how long the server asks to wait; 0 if it does not say.
	RetryAfter time.Duration
}

// NewHTTPClient returns an HTTP client that checks certificates against the
// system's roots, reuses connections, follows redirects only within the same
// origin, and has a timeout.
func NewHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	transport.ResponseHeaderTimeout = Timeout
	return &http.Client{Transport: transport, Timeout: Timeout, CheckRedirect: sameOrigin}
}

var errRedirect = errors.New("it leads to another origin, or to too many places one after the other")

func sameOrigin(request *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > maxRedirects || request.URL.Scheme != first.Scheme || request.URL.Host != first.Host {
		return errRedirect
	}
	return nil
}

// Do sends a request. Its error is an *Error, a *NoAnswerError, an *AnswerError,
// or wraps the end of ctx.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, err
	}
	if r.MediaType != "" {
		request.Header.Set("Content-Type", string(r.MediaType))
	}
	if len(c.Token) > 0 {
		request.Header.Set("Authorization", "Bearer "+string([]byte(c.Token)))
	}
	if c.Taskprov != "" {
		request.Header.Set(dap.TaskprovHeader, c.Taskprov)
	}
	server := request.URL.Host
	answer, err := c.HTTP.Do(request)
	if err != nil {
		return Response{}, noAnswer(ctx, server, err)
	}
	defer answer.Body.Close()
	retryAfter := daphttp.ParseRetryAfter(answer.Header.Get("Retry-After"), c.now(), maxRetryAfter)
	if answer.StatusCode/100 != 2 {
		return Response{}, readError(answer, server, retryAfter)
	}
	body, err := daphttp.ReadBody(answer.Body, answer.ContentLength, r.MaxAnswer, nil)
	if tooLarge, ok := errors.AsType[*daphttp.BodyTooLargeError](err); ok {
		return Response{}, &AnswerError{server, tooLarge.Error()}
	}
	if err != nil {
		return Response{}, noAnswer(ctx, server, err)
	}
	return Response{Header: answer.Header, Body: body, URL: answer.Request.URL, RetryAfter: retryAfter}, nil
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// CheckMediaType checks the Content-Type of an answer with a body. Its error is an
// *AnswerError.
func (r Response) CheckMediaType(want dap.MediaType) error {
	if err := want.Check(r.Header.Get("Content-Type")); err != nil {
		return &AnswerError{r.URL.Host, err.Error()}
	}
	return nil
}
