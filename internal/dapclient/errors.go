package dapclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// Error is an answer with an error status. It unwraps to the *dap.Error of its
// problem document, if that has one of DAP's types.
type Error struct {
	// Server is the host that answered.
	Server string
	// Status is the HTTP status code.
	Status int
	// Problem is the error of the problem document; nil if there was none or it
	// has none of DAP's types.
	Problem *dap.Error
	// Text is what the problem document says for people; maybe empty.
	Text string
	// RetryAfter is how long to wait before trying again; zero if the server did
	// not say.
	RetryAfter time.Duration

	documented bool // there was a problem document
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Server + " answered: ")
	if e.Problem != nil {
		fmt.Fprintf(&b, "%s (status %d)", e.Problem.Type, e.Status)
	} else {
		fmt.Fprintf(&b, "status %d", e.Status)
	}
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	return b.String()
}

// Unwrap returns Problem.
func (e *Error) Unwrap() error {
	if e.Problem == nil {
		return nil
	}
	return e.Problem
}

// Temporary tells whether the same request may succeed later. An aggregator that
// finds a request bad says so in a problem document; a bare 400 comes from what stands before it,
// to which the request may have come in pieces.
func (e *Error) Temporary() bool {
	if e.Status == http.StatusBadRequest && !e.documented {
		return true
	}
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout || e.Status >= 500
}

// NoAnswerError says that a request got no complete answer, so that it is not
// known whether the server has acted on it.
type NoAnswerError struct {
	Server string
	Err    error
}

func (e *NoAnswerError) Error() string {
	return fmt.Sprintf("no answer from %s: %s", e.Server, reason(e.Err))
}

// Unwrap returns Err.
func (e *NoAnswerError) Unwrap() error { return e.Err }

// reason is what went wrong, without the URL.
func reason(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err.Error()
	}
	return err.Error()
}

// AnswerError says that an answer is not one to go on with: it is against the
// standard, or the server is not proven to be the one it should be.
type AnswerError struct {
	Server  string
	Problem string
}

func (e *AnswerError) Error() string { return fmt.Sprintf("the answer of %s: %s", e.Server, e.Problem) }

// IsTemporary tells whether the same request may succeed later: there was no
// answer, or a temporary *Error.
func IsTemporary(err error) bool {
	if answer, ok := errors.AsType[*Error](err); ok {
		return answer.Temporary()
	}
	_, ok := errors.AsType[*NoAnswerError](err)
	return ok
}

// RetryAfter is how long a server has asked to wait before trying again, with an
// error status; zero if it did not.
func RetryAfter(err error) time.Duration {
	if answer, ok := errors.AsType[*Error](err); ok {
		return answer.RetryAfter
	}
	return 0
}

// readError makes an *Error of an answer, whatever its body says. If the body was cut off, what it would
// have said is not known, and neither is what the status is about: that is a *NoAnswerError.
func readError(answer *http.Response, server string, retryAfter time.Duration) error {
	e := &Error{Server: server, Status: answer.StatusCode, RetryAfter: retryAfter}
	body, err := daphttp.ReadBody(answer.Body, answer.ContentLength, daphttp.MaxProblemBytes, nil)
	if _, tooLarge := errors.AsType[*daphttp.BodyTooLargeError](err); err != nil && !tooLarge {
		return &NoAnswerError{Server: server, Err: err}
	}
	if err != nil {
		return e
	}
	problem, ok := daphttp.DecodeProblem(answer.Header.Get("Content-Type"), body)
	if !ok {
		return e
	}
	e.documented = true
	e.Problem, _ = problem.DAPError()
	if e.Text = problem.Detail; e.Text == "" {
		e.Text = problem.Title
	}
	return e
}

// noAnswer gives precedence to the end of the caller's context.
func noAnswer(ctx context.Context, server string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("while waiting for %s: %w", server, context.Cause(ctx))
	}
	switch {
	case errors.Is(err, errRedirect):
		return &AnswerError{server, "it is a redirection that is not followed: " + errRedirect.Error()}
	case isCertificateError(err):
		return &AnswerError{server, "its TLS certificate cannot be verified: " + reason(err)}
	}
	return &NoAnswerError{Server: server, Err: err}
}

func isCertificateError(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}
