package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/collector/wire"
)

// Problem is a problem document (RFC 9457). Its type is "about:blank", or one of the API's, which its OpenAPI document names.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Field is which field of the request is wrong.
	Field string `json:"field,omitempty"`
	// Collection is the collection that is in the way.
	Collection uint64 `json:"collection,omitempty"`
	// RetryAt is when it may be worth to try again.
	RetryAt *time.Time `json:"retry_at,omitempty"`

	retryAfter time.Duration
}

// The types of problems.
const (
	typeBlank    = "about:blank"
	typePrefix   = "urn:twofold:collector:"
	typeField    = typePrefix + "invalid-field"
	typeNotReady = typePrefix + "not-ready"
	typeOverlap  = typePrefix + "overlap"
	typeNoToken  = typePrefix + "no-task-token"
	typeLeader   = typePrefix + "leader"
	typeScope    = typePrefix + "scope"
	typeExists   = typePrefix + "exists"
)

// Errors of the HTTP layer itself.
var (
	errNoRoute  = errors.New("no such route")
	errNoMethod = errors.New("no such method")
	errBusy     = errors.New("too many requests at once")
	errPanic    = errors.New("panic, logged before")
)

// scopeError says that a token does not allow what was asked for.
type scopeError struct{ needed service.Scope }

func (e *scopeError) Error() string {
	return "the token does not allow this; it needs the scope " + string(e.needed)
}

// plainProblems has the errors without members of their own. The first that matches counts.
var plainProblems = []struct {
	is     error
	status int
	kind   string
	detail string
	retry  time.Duration
}{
	{service.ErrUnauthorized, http.StatusUnauthorized, typeBlank, "The request has no bearer token, or one that is not known.", 0},
	{service.ErrNotFound, http.StatusNotFound, typeBlank, "There is no such task, collection or token.", 0},
	{service.ErrNoToken, http.StatusConflict, typeNoToken, "The Leader's token for this task is missing. Its operator has it from leader task add.", 0},
	{service.ErrExists, http.StatusConflict, typeExists, "There is one of that name already.", 0},
	{service.ErrBusy, http.StatusServiceUnavailable, typeBlank, "Too much is asked for at once; try again later.", time.Second},
	{errBusy, http.StatusServiceUnavailable, typeBlank, "Too many requests are worked on at once; try again later.", time.Second},
	{errNoRoute, http.StatusNotFound, typeBlank, "There is no such resource.", 0},
	{errNoMethod, http.StatusMethodNotAllowed, typeBlank, "The resource does not support this method.", 0},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, typeBlank, "The request took too long; try again.", time.Second},
	{context.Canceled, http.StatusServiceUnavailable, typeBlank, "The request was given up before it was done; try again.", time.Second},
}

// problemOf is the one table from errors to problem documents. What is not in it is an internal error, of which the analyst learns nothing but
// that; problemOf returns status 500 then.
func problemOf(err error) Problem {
	if e, ok := errors.AsType[*service.FieldError](err); ok {
		return Problem{Type: typeField, Title: "A field of the request is wrong.", Status: http.StatusUnprocessableEntity, Detail: e.Error(), Field: e.Field}
	}
	if e, ok := errors.AsType[*service.NotReadyError](err); ok {
		p := Problem{Type: typeNotReady, Title: "There is no batch to collect yet.", Status: http.StatusConflict, Detail: e.Problem}
		if !e.At.IsZero() {
			at := wire.Written(e.At)
			p.RetryAt = &at
		}
		return p
	}
	if e, ok := errors.AsType[*service.OverlapError](err); ok {
		return Problem{Type: typeOverlap, Title: "The time overlaps that of another collection.", Status: http.StatusConflict, Detail: e.Error(), Collection: e.Number}
	}
	if e, ok := errors.AsType[*service.LeaderError](err); ok {
		return Problem{Type: typeLeader, Title: "The Leader cannot be asked, or refuses.", Status: http.StatusBadGateway, Detail: e.Problem, retryAfter: e.RetryAfter}
	}
	if e, ok := errors.AsType[*scopeError](err); ok {
		return Problem{Type: typeScope, Title: "The token does not allow this.", Status: http.StatusForbidden, Detail: e.Error()}
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Problem{Type: typeBlank, Title: http.StatusText(http.StatusRequestEntityTooLarge), Status: http.StatusRequestEntityTooLarge, Detail: "The request's body has more than " + strconv.FormatInt(e.Limit, 10) + " bytes."}
	}
	for _, row := range plainProblems {
		if errors.Is(err, row.is) {
			return Problem{Type: row.kind, Title: http.StatusText(row.status), Status: row.status, Detail: row.detail, retryAfter: row.retry}
		}
	}
	return Problem{Type: typeBlank, Title: http.StatusText(http.StatusInternalServerError), Status: http.StatusInternalServerError}
}

// fail answers with an error.
func (h *Handler) fail(c *gin.Context, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError && !errors.Is(err, errPanic) {
		h.options.Logger.Error("a request could not be answered", "error", err)
	}
	if c.Writer.Written() {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	writeProblem(c.Writer, p)
}

func writeProblem(w http.ResponseWriter, p Problem) {
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer")
	}
	if p.retryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(int64((p.retryAfter+time.Second-1)/time.Second), 10))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the connection may be gone
}
