package api

import (
	"errors"
	"net/http"

	"github.com/twofold-dap/twofold/aggregator"
)

// OperatorErrorKind says what an operator can do about an error. Its value is
// the "kind" member of the problem document.
type OperatorErrorKind string

const (
	// OperatorInvalid: the request is at fault; repeating it does not help.
	OperatorInvalid OperatorErrorKind = "invalid"
	// OperatorNotFound: what the request names does not exist.
	OperatorNotFound OperatorErrorKind = "not-found"
	// OperatorExists: what the request adds exists already, with other content.
	OperatorExists OperatorErrorKind = "exists"
	// OperatorUnavailable: not at the moment; try again later.
	OperatorUnavailable OperatorErrorKind = "unavailable"
	// OperatorInternal: the aggregator failed.
	OperatorInternal OperatorErrorKind = "internal"
)

// OperatorError is an error of an OperatorService, which comes out of an
// OperatorClient as it went into the handler. Detail names the problem and the
// remedy, for a person. It is shown to the operator alone.
type OperatorError struct {
	Kind   OperatorErrorKind
	Detail string
}

func (e *OperatorError) Error() string { return e.Detail }

// operatorStatuses has the HTTP status of each kind.
var operatorStatuses = map[OperatorErrorKind]int{
	OperatorInvalid:     http.StatusBadRequest,
	OperatorNotFound:    http.StatusNotFound,
	OperatorExists:      http.StatusConflict,
	OperatorUnavailable: http.StatusServiceUnavailable,
	OperatorInternal:    http.StatusInternalServerError,
}

// operatorError returns err as an *OperatorError. The operator may see every
// error's text: errors hold no secrets, and what is internal is the operator's own.
func operatorError(err error) *OperatorError {
	if e, ok := errors.AsType[*OperatorError](err); ok {
		if _, known := operatorStatuses[e.Kind]; known {
			return e
		}
		return &OperatorError{OperatorInternal, e.Detail}
	}
	kind := OperatorInternal
	if _, ok := errors.AsType[*aggregator.TaskError](err); ok {
		kind = OperatorInvalid
	}
	for _, row := range []struct {
		is   error
		kind OperatorErrorKind
	}{
		{aggregator.ErrNotFound, OperatorNotFound},
		{aggregator.ErrExists, OperatorExists},
		{aggregator.ErrBusy, OperatorUnavailable},
		{aggregator.ErrUnavailable, OperatorUnavailable},
	} {
		if errors.Is(err, row.is) {
			kind = row.kind
		}
	}
	return &OperatorError{kind, err.Error()}
}
