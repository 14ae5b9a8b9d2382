package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// call is one request to the Helper.
type call struct {
	method string
	url    string
	query  url.Values
	body   []byte
	sends  dap.MediaType // of body
	// expects is the media type of a body in the answer; empty if none is of interest.
	expects dap.MediaType
}

// result is a successful answer. location is as the header had it.
type result struct {
	reply    aggregator.PeerReply
	location string
}

// do sends a request and reads the answer.
func (p *Peer) do(ctx context.Context, task *aggregator.Task, c call) (result, error) {
	request, err := newRequest(ctx, task, c)
	if err != nil {
		return result{}, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return result{}, fmt.Errorf("asking the Helper: %w", err)
	}
	defer func() {
		// What little is left is read, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
		_ = response.Body.Close()
	}()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return result{}, p.errorAnswer(task, response)
	}
	return p.success(response, c.expects)
}

// newRequest makes a request with the Leader's token and, for a task of
// Taskprov, its advertisement (Taskprov Section 3.7: in every request).
func newRequest(ctx context.Context, task *aggregator.Task, c call) (*http.Request, error) {
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	request, err := http.NewRequestWithContext(ctx, c.method, c.url, body)
	if err != nil {
		return nil, fmt.Errorf("request to the Helper: %w", err)
	}
	header := request.Header
	setHeader(header, "Content-Type", string(c.sends))
	setHeader(header, "Accept", string(c.expects))
	if len(task.HelperToken) > 0 {
		header.Set("Authorization", "Bearer "+string(task.HelperToken))
	}
	if task.Taskprov {
		advertisement, err := dap.FormatTaskprovHeader(task.EncodedConfig)
		if err != nil {
			return nil, fmt.Errorf("advertising the task: %w", err)
		}
		header.Set(dap.TaskprovHeader, advertisement)
	}
	// Every request of DAP may be sent twice (DAP Sections 3.2 and 4.5.4.4). The empty
	// key says so to net/http, which sends again what met a connection that was
	// just being closed; it does not go out.
	header["Idempotency-Key"] = []string{}
	return request, nil
}

// success reads a 2xx answer: one without a body says that the resource is not
// ready (DAP Section 3.1).
func (p *Peer) success(response *http.Response, expects dap.MediaType) (result, error) {
	r := result{location: response.Header.Get("Location")}
	if expects == "" {
		return r, nil
	}
	body, err := daphttp.ReadBody(response.Body, response.ContentLength, p.options.MaxResponseBytes, nil)
	if err != nil {
		if tooLarge, ok := errors.AsType[*daphttp.BodyTooLargeError](err); ok {
			return result{}, &ResponseError{tooLarge.Error()}
		}
		return result{}, fmt.Errorf("reading the Helper's answer: %w", err)
	}
	if len(body) == 0 {
		r.reply.RetryAfter = p.retryAfter(response)
		return r, nil
	}
	if err := expects.Check(response.Header.Get("Content-Type")); err != nil {
		return result{}, &ResponseError{err.Error()}
	}
	r.reply.Ready, r.reply.Body = true, body
	return r, nil
}

// definite tells whether an error status says that the request is at fault, and will be the next time.
func definite(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status <= 499
}

// errorAnswer reads any other answer. A problem document of DAP's types becomes
// a *dap.Error if the status, too, says that the Helper has refused the request; everything else becomes an *aggregator.PeerError.
func (p *Peer) errorAnswer(task *aggregator.Task, response *http.Response) error {
	peerError := &aggregator.PeerError{Status: response.StatusCode, RetryAfter: p.retryAfter(response)}
	if response.StatusCode >= 300 && response.StatusCode <= 399 {
		peerError.Detail = fmt.Sprintf("HTTP status %d: it redirects to another URL, which is not followed; the endpoint in the task must be the final URL", response.StatusCode)
		return peerError
	}
	var problem daphttp.Problem
	// An answer that is too long or breaks off is an error answer all the same.
	body, err := daphttp.ReadBody(response.Body, response.ContentLength, daphttp.MaxProblemBytes, nil)
	if err == nil {
		if decoded, ok := daphttp.DecodeProblem(response.Header.Get("Content-Type"), body); ok {
			problem = decoded
		}
	}
	if e, ok := problem.DAPError(); ok && definite(response.StatusCode) {
		return e.InTask(task.ID)
	}
	peerError.Detail = problem.Text(response.StatusCode)
	return peerError
}

func (p *Peer) retryAfter(response *http.Response) time.Duration {
	return daphttp.ParseRetryAfter(response.Header.Get("Retry-After"), p.now(), p.options.MaxRetryAfter)
}
