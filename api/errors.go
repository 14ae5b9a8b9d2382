package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// This file is the one table from errors to HTTP statuses and problem
// documents (DAP Section 3.6, RFC 9457). What is not in it is an internal
// error, of which the peer learns nothing but that.

// aboutBlank is the type of a problem that says no more than its HTTP status.
const aboutBlank = "about:blank"

// dapErrors has the HTTP status and the title of each error type of DAP and Taskprov.
var dapErrors = map[dap.ErrorType]struct {
	status int
	title  string
}{
	dap.ErrorTypeInvalidMessage:              {http.StatusBadRequest, "The message could not be parsed or was otherwise invalid."},
	dap.ErrorTypeUnrecognizedTask:            {http.StatusNotFound, "The task ID is not known here."},
	dap.ErrorTypeUnrecognizedAggregationJob:  {http.StatusNotFound, "The aggregation job ID is not known here."},
	dap.ErrorTypeBatchInvalid:                {http.StatusBadRequest, "The query or batch selector does not name a batch that can be collected."},
	dap.ErrorTypeInvalidBatchSize:            {http.StatusBadRequest, "There are an invalid number of reports in the batch."},
	dap.ErrorTypeInvalidAggregationParameter: {http.StatusBadRequest, "The aggregation parameter is invalid."},
	dap.ErrorTypeBatchMismatch:               {http.StatusConflict, "The Aggregators disagree on the reports that the batch holds."},
	dap.ErrorTypeStepMismatch:                {http.StatusConflict, "The Aggregators disagree on the aggregation job's current step."},
	dap.ErrorTypeBatchOverlap:                {http.StatusConflict, "Reports of the batch were collected before, in another batch."},
	dap.ErrorTypeUnsupportedExtension:        {http.StatusBadRequest, "An extensions list includes an unknown extension."},
	dap.ErrorTypeInvalidExtension:            {http.StatusBadRequest, "An extensions list is out of order or has an invalid extension."},
	dap.ErrorTypeInvalidTask:                 {http.StatusForbidden, "This Aggregator has opted out of the task."},
}

// otherErrors has the HTTP status and the detail of each error without a DAP
// type. The first that matches counts.
var otherErrors = []struct {
	is     error
	status int
	detail string
	retry  bool // with Retry-After
}{
	{aggregator.ErrUnauthorized, http.StatusUnauthorized, "The request has no bearer token, or one that is not valid for this task.", false},
	{aggregator.ErrNotFound, http.StatusNotFound, "There is no such resource, or it was deleted.", false},
	{aggregator.ErrBusy, http.StatusTooManyRequests, "The server has too much to do at the moment; try again later.", true},
	{aggregator.ErrTooLarge, http.StatusRequestEntityTooLarge, "The request takes more memory than this server has for it; send fewer reports in an aggregation job.", false},
	{errTooManyRequests, http.StatusServiceUnavailable, "The server has too many requests of this kind at the moment; try again later.", true},
	{aggregator.ErrUnavailable, http.StatusServiceUnavailable, "The server cannot store anything at the moment; try again later.", true},
	{context.Canceled, http.StatusServiceUnavailable, "The request was given up before it was done; try again.", true},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "The request took too long; try again.", true},
	{errStalledBody, http.StatusRequestTimeout, "The request's body did not arrive in time.", false},
	{errCutBody, http.StatusRequestTimeout, "The request's body ended early; send it again.", false},
	{errBrokenBody, http.StatusBadRequest, "The request's body was badly framed.", false},
	{errEncodedBody, http.StatusUnsupportedMediaType, "The request's body has a Content-Encoding; send it as it is.", false},
	{errNoRoute, http.StatusNotFound, "There is no such resource.", false},
	{errNoMethod, http.StatusMethodNotAllowed, "The resource does not support this method.", false},
}

// Errors of the HTTP layer itself.
var (
	errTooManyRequests = errors.New("too many requests or bytes of this kind at once")
	errStalledBody     = errors.New("the request's body stalled")
	errCutBody         = errors.New("the request's body ended early")
	errBrokenBody      = errors.New("the request's body is broken")
	errEncodedBody     = errors.New("the request's body has a content encoding")
	errNoRoute         = errors.New("no such route")
	errNoMethod        = errors.New("no such method")
)

// answer is how an error is told to the peer.
type answer struct {
	problem    daphttp.Problem
	retryAfter bool
	internal   bool // the cause is for the log alone
}

// answerTo looks an error up in the table.
func answerTo(err error) answer {
	if e, ok := errors.AsType[*dap.Error](err); ok {
		if row, ok := dapErrors[e.Type]; ok {
			return answer{problem: dapProblem(e, row.status, row.title)}
		}
	}
	if e, ok := errors.AsType[*dap.MediaTypeError](err); ok {
		return answer{problem: plainProblem(http.StatusUnsupportedMediaType, "The request's Content-Type must be "+string(e.Want)+".")}
	}
	if e, ok := errors.AsType[*daphttp.BodyTooLargeError](err); ok {
		return answer{problem: plainProblem(http.StatusRequestEntityTooLarge, "The request's "+e.Error()+".")}
	}
	for _, row := range otherErrors {
		if errors.Is(err, row.is) {
			return answer{problem: plainProblem(row.status, row.detail), retryAfter: row.retry}
		}
	}
	return answer{problem: plainProblem(http.StatusInternalServerError, ""), internal: true}
}

func dapProblem(e *dap.Error, status int, title string) daphttp.Problem {
	p := daphttp.Problem{Type: e.Type.URN(), Title: title, Status: status, Detail: e.Detail}
	if e.TaskID != nil {
		p.TaskID = e.TaskID.String()
	}
	if e.Type == dap.ErrorTypeUnsupportedExtension {
		p.UnsupportedExtensions = e.UnsupportedExtensions
	}
	return p
}

func plainProblem(status int, detail string) daphttp.Problem {
	return daphttp.Problem{Type: aboutBlank, Title: http.StatusText(status), Status: status, Detail: detail}
}

// bodyError names the failure to read a request's body.
func bodyError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &daphttp.BodyTooLargeError{Limit: tooLarge.Limit}
	}
	if _, ok := errors.AsType[*daphttp.BodyTooLargeError](err); ok || errors.Is(err, errTooManyRequests) {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errStalledBody
	}
	if _, ok := errors.AsType[*net.OpError](err); ok || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutBody // maybe by the network: it is no mistake of the sender
	}
	// Whatever else net/http reports of a body: its chunks are malformed.
	return errBrokenBody
}
