package aggregator

import (
	"errors"
	"fmt"

	"github.com/twofold-dap/twofold/dap"
)

// ErrUnauthorized: the token is missing or wrong.
var ErrUnauthorized = errors.New("not authorized")

// ErrTooLarge: the request is valid, but takes more memory than this aggregator has.
var ErrTooLarge = errors.New("the request takes more memory than there is here")

// ConfigError reports a configuration of an engine that cannot work.
type ConfigError struct {
	Field   string
	Problem string
}

func (e *ConfigError) Error() string { return "aggregator: " + e.Field + ": " + e.Problem }

// TaskError reports a task that cannot be added: which field of it, and what is
// wrong with it. Err is the cause, if there is one.
type TaskError struct {
	Field   string
	Problem string
	Err     error
}

func (e *TaskError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("task: %s: %s: %v", e.Field, e.Problem, e.Err)
	}
	return fmt.Sprintf("task: %s: %s", e.Field, e.Problem)
}

// Unwrap returns the cause.
func (e *TaskError) Unwrap() error { return e.Err }

// peerError makes an error that a peer may see.
func peerError(id dap.TaskID, t dap.ErrorType, format string, args ...any) *dap.Error {
	return &dap.Error{Type: t, TaskID: &id, Detail: fmt.Sprintf(format, args...)}
}

// inTask names the task in an error that a peer may see; other errors are
// returned as they are.
func inTask(err error, id dap.TaskID) error {
	if e, ok := errors.AsType[*dap.Error](err); ok {
		return e.InTask(id)
	}
	return err
}

// malformed is the error of a message that does not decode. Errors of package
// dap say which field, and nothing secret.
func malformed(id dap.TaskID, err error) error {
	return peerError(id, dap.ErrorTypeInvalidMessage, "%v", err)
}
