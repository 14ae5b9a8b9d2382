package dap

import (
	"errors"
	"strings"
)

// ErrorType is a token of the standard for an error that a peer is told about
// (DAP Section 3.6, Taskprov Section 2).
type ErrorType string

// The error types.
const (
	ErrorTypeInvalidMessage              ErrorType = "invalidMessage"
	ErrorTypeUnrecognizedTask            ErrorType = "unrecognizedTask"
	ErrorTypeUnrecognizedAggregationJob  ErrorType = "unrecognizedAggregationJob"
	ErrorTypeBatchInvalid                ErrorType = "batchInvalid"
	ErrorTypeInvalidBatchSize            ErrorType = "invalidBatchSize"
	ErrorTypeInvalidAggregationParameter ErrorType = "invalidAggregationParameter"
	ErrorTypeBatchMismatch               ErrorType = "batchMismatch"
	ErrorTypeStepMismatch                ErrorType = "stepMismatch"
	ErrorTypeBatchOverlap                ErrorType = "batchOverlap"
	ErrorTypeUnsupportedExtension        ErrorType = "unsupportedExtension"
	ErrorTypeInvalidExtension            ErrorType = "invalidExtension"
	ErrorTypeInvalidTask                 ErrorType = "invalidTask" // Taskprov
)

// errorURNPrefix is the errors sub-namespace of the DAP URN namespace.
const errorURNPrefix = "urn:ietf:params:ppm:dap:error:"

// URN returns the "type" member of the error's problem document, such as
// "urn:ietf:params:ppm:dap:error:invalidMessage".
func (t ErrorType) URN() string { return errorURNPrefix + string(t) }

// IsKnown tells whether the standards define the error type.
func (t ErrorType) IsKnown() bool {
	switch t {
	case ErrorTypeInvalidMessage, ErrorTypeUnrecognizedTask, ErrorTypeUnrecognizedAggregationJob,
		ErrorTypeBatchInvalid, ErrorTypeInvalidBatchSize, ErrorTypeInvalidAggregationParameter,
		ErrorTypeBatchMismatch, ErrorTypeStepMismatch, ErrorTypeBatchOverlap,
		ErrorTypeUnsupportedExtension, ErrorTypeInvalidExtension, ErrorTypeInvalidTask:
		return true
	}
	return false
}

// ParseErrorURN is the inverse of URN. It tells with false that urn is not the
// URN of an error type that the standards define.
func ParseErrorURN(urn string) (ErrorType, bool) {
	token, found := strings.CutPrefix(urn, errorURNPrefix)
	if t := ErrorType(token); found && t.IsKnown() {
		return t, true
	}
	return "", false
}

// Error is an error that a peer may see: its type, the task if it is known,
// and a detail for people, in which nothing internal and nothing secret may
// stand.
type Error struct {
	Type   ErrorType
	TaskID *TaskID // nil if not known
	Detail string  // may be empty
	// UnsupportedExtensions are the code points of the extensions that were not
	// recognized; only for ErrorTypeUnsupportedExtension (DAP Section 4.4.2.2).
	UnsupportedExtensions []uint16
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("dap: ")
	b.WriteString(string(e.Type))
	if e.TaskID != nil {
		b.WriteString(" (task ")
		b.WriteString(e.TaskID.String())
		b.WriteString(")")
	}
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	return b.String()
}

// InTask returns a copy of the error that names the task.
func (e *Error) InTask(id TaskID) *Error {
	copied := *e
	copied.TaskID = &id
	return &copied
}

// ErrorTypeOf returns the type of the *Error in err's tree, and false if there
// is none.
func ErrorTypeOf(err error) (ErrorType, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Type, true
	}
	return "", false
}
