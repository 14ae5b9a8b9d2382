package service

import (
	"context"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// Analyst is all that an analyst can do. A *Service is one. Every method is safe for
// concurrent use. Errors are those of errors.go, else they are internal and not for
// the analyst's eyes.
type Analyst interface {
	// Tasks returns all tasks, oldest first, with where they stand. It asks no Leader: Task.Progress is
	// what was heard last.
	Tasks(ctx context.Context) ([]Task, error)
	// Task returns a task; ErrNotFound if there is none.
	Task(ctx context.Context, id dap.TaskID) (Task, error)
	// TaskFile returns the task's file, which is public: for the operators and the clients.
	TaskFile(ctx context.Context, id dap.TaskID) ([]byte, error)
	// Plan checks a draft, as CreateTask does, and tells what the task would be; nothing is
	// kept. What is wrong with a field is a *FieldError.
	Plan(ctx context.Context, draft Draft) (Plan, error)
	// CreateTask makes a task of a draft and keeps it. It collects once it has a token (SetToken).
	CreateTask(ctx context.Context, draft Draft) (Task, error)
	// AddTask keeps a task that was made elsewhere with this Collector's key. Adding it again changes nothing.
	AddTask(ctx context.Context, file []byte) (Task, error)
	// SetToken keeps the token that the Leader's operator gave for the task. It cannot be read again.
	SetToken(ctx context.Context, id dap.TaskID, token string) error
	// SetSchedule changes when the task is collected. Collections under way go on.
	SetSchedule(ctx context.Context, id dap.TaskID, schedule Schedule) error

	// Collect asks for a batch now. It returns when the intention is on the disk, or with the reason
	// why there is nothing to collect: *NotReadyError, *OverlapError, ErrNoToken.
	Collect(ctx context.Context, id dap.TaskID, request CollectRequest) (Collection, error)
	// Collections returns the collections of a task that a filter selects, newest first.
	Collections(ctx context.Context, id dap.TaskID, filter Filter) ([]Collection, error)
	// Collection returns one; ErrNotFound if there is none.
	Collection(ctx context.Context, id dap.TaskID, number uint64) (Collection, error)
	// Results returns the results of a task that a filter selects, oldest first.
	Results(ctx context.Context, id dap.TaskID, filter Filter) ([]Result, error)
	// Progress asks the Leader how far the task is. Answers are kept for a few seconds. If the Leader cannot be asked
	// the error is a *LeaderError; Task.Progress still has what was heard before.
	Progress(ctx context.Context, id dap.TaskID) (Progress, error)
}

// Filter selects by time, and bounds how many. The zero value selects all.
type Filter struct {
	// From and To select what ends after From and begins before To; zero for no bound.
	From, To time.Time
	// Limit is how many at most, the newest of them; 0 for all.
	Limit int
}

// Contains tells whether an interval is selected.
func (f Filter) Contains(start, end time.Time) bool {
	return (f.From.IsZero() || end.After(f.From)) && (f.To.IsZero() || start.Before(f.To))
}
