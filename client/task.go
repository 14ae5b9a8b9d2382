package client

import (
	"fmt"
	"io"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

// Task is what a client knows of a task (DAP Section 4.2).
type Task struct {
	ID            dap.TaskID
	Configuration dap.TaskConfiguration
	// Taskprov says that the client advertises the configuration to the Leader
	// (Taskprov Section 3.2). The ID is then derived from the configuration.
	Taskprov bool
}

// ReadTask reads a task file. A file that was altered is an error, as is one
// that is not a task file.
func ReadTask(r io.Reader) (Task, error) {
	text, err := io.ReadAll(io.LimitReader(r, taskfile.MaxSize+1))
	if err != nil {
		return Task{}, fmt.Errorf("read the task file: %w", err)
	}
	file, err := taskfile.Decode(text)
	if err != nil {
		return Task{}, err
	}
	return Task{ID: file.ID, Configuration: file.Config, Taskprov: file.Taskprov}, nil
}

// NewTaskprovTask returns the task with that configuration and the ID that
// Taskprov derives from it (Taskprov Section 3.3).
func NewTaskprovTask(configuration dap.TaskConfiguration) (Task, error) {
	encoded, err := configuration.Encode()
	if err != nil {
		return Task{}, err
	}
	return Task{ID: dap.TaskprovTaskID(encoded), Configuration: configuration, Taskprov: true}, nil
}

// TaskError says why no client can be made for a task.
type TaskError struct{ Problem string }

func (e *TaskError) Error() string { return "client: task: " + e.Problem }

// encode checks the task and returns its encoded configuration.
func (t *Task) encode() ([]byte, error) {
	if err := t.Configuration.Validate(); err != nil {
		return nil, err
	}
	if _, err := taskprivacy.Mechanism(t.Configuration); err != nil {
		return nil, &TaskError{err.Error()}
	}
	encoded, err := t.Configuration.Encode()
	if err != nil {
		return nil, err
	}
	if t.Taskprov && t.ID != dap.TaskprovTaskID(encoded) {
		return nil, &TaskError{"its ID does not belong to its configuration; with Taskprov it must be the one of NewTaskprovTask"}
	}
	return encoded, nil
}
