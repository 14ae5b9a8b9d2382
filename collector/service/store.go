package service

import (
	"context"
	"errors"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
)

// Errors that a Store returns, beside ErrNotFound and *OverlapError.
var (
	// ErrExists: something else stands under that name.
	ErrExists = errors.New("exists already")
	// ErrState: the collection is not in a state from which that can be done. Nothing was changed.
	ErrState = errors.New("the collection is in another state")
	// ErrSameJob: the collection job has given its result to another collection.
	ErrSameJob = errors.New("the collection job has given its result before")
)

// StoredTask is a task as a Store keeps it.
type StoredTask struct {
	ID   dap.TaskID
	File []byte
	// Token is the Leader's for this Collector, empty if it is not known.
	Token    secret.Bytes
	Schedule Schedule
	AddedAt  time.Time
}

// StoredToken is an analyst's token as a Store keeps it.
type StoredToken struct {
	Name  string
	Scope Scope
	// Digest is the SHA-256 of the token, which is random and has 256 bits.
	Digest    [32]byte
	CreatedAt time.Time
}

// Summary is what there is of a task's collections.
type Summary struct {
	Results int
	Latest  *Result // nil if there is none
	// Last is the newest collection of the schedule, or one by hand that has failed with ReasonBudget; nil if there is none among
	// the newest 64 collections.
	Last *Collection
	// FailedInARow is how many collections of the schedule have failed in a row until now, but for those that were too small.
	FailedInARow int
}

// Store is the durable state that a Service needs. Every method is one transaction: it happens
// wholly or not at all, and what it wrote is on the disk when it returns nil. All are safe for concurrent use. Where
// there is no such task or collection the error is ErrNotFound.
type Store interface {
	// PutTask keeps a task. One with the same ID stays as it is, and added is false.
	PutTask(ctx context.Context, task StoredTask) (added bool, err error)
	Task(ctx context.Context, id dap.TaskID) (StoredTask, error)
	// Tasks returns all tasks in the order in which they were added.
	Tasks(ctx context.Context) ([]StoredTask, error)
	SetToken(ctx context.Context, id dap.TaskID, token secret.Bytes) error
	SetSchedule(ctx context.Context, id dap.TaskID, schedule Schedule) error

	// Intend stores a new collection with the task's next number, in the state CollectionIntended. If its
	// interval overlaps that of a collection that holds it (Collection.Holds), or where the Leader selects, if another
	// collection is open (Collection.Open), the error is an *OverlapError.
	Intend(ctx context.Context, c Collection) (Collection, error)
	// Asked stores that the Leader has a collection job at this URL; it may be another than before. ErrState unless
	// the collection is intended or asked.
	Asked(ctx context.Context, id dap.TaskID, number uint64, jobURL string) error
	// Attempted stores that an attempt has failed, and when to try again. ErrState if nothing is left to do.
	Attempted(ctx context.Context, id dap.TaskID, number uint64, attempts int, problem string, next time.Time) error
	// Finish stores the result of a collection that was asked for; it is CollectionStored then. The same again changes nothing. If
	// another collection of the task has a result of the same job URL, nothing is stored: ErrSameJob.
	Finish(ctx context.Context, id dap.TaskID, number uint64, result Result) error
	// Fail ends a collection that has no result, and frees its interval. Told says that the Leader has no job for it.
	Fail(ctx context.Context, id dap.TaskID, number uint64, reason Reason, problem string, at time.Time, told bool) error
	// Conclude stores that nothing is left to do: CollectionStored becomes CollectionDone, and a failed one is Told.
	Conclude(ctx context.Context, id dap.TaskID, number uint64) error

	Collection(ctx context.Context, id dap.TaskID, number uint64) (Collection, error)
	// Collections returns those that a filter selects, newest first.
	Collections(ctx context.Context, id dap.TaskID, filter Filter) ([]Collection, error)
	// OpenCollections returns those of which something is left to do, oldest first.
	OpenCollections(ctx context.Context, id dap.TaskID) ([]Collection, error)
	// Taken returns the intervals that collections of the task hold, by their start; none where the Leader selects.
	Taken(ctx context.Context, id dap.TaskID) ([]Span, error)
	Summary(ctx context.Context, id dap.TaskID) (Summary, error)

	// PutAnalystToken keeps a token. ErrExists if there is one of that name.
	PutAnalystToken(ctx context.Context, token StoredToken) error
	AnalystTokens(ctx context.Context) ([]StoredToken, error)
	DeleteAnalystToken(ctx context.Context, name string) error
}

// Span is an interval of time from Start up to but without End.
type Span struct{ Start, End time.Time }

// Overlaps tells whether the two have time in common.
func (s Span) Overlaps(other Span) bool {
	return s.Start.Before(other.End) && other.Start.Before(s.End)
}
