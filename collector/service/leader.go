package service

import (
	"context"
	"errors"
	"time"
)

// Leader is what the service needs of a task's Leader. NewLeader makes one that asks over HTTP.
type Leader interface {
	// Create asks for a batch: of this interval, or, if it is zero, the next that the Leader selects. The same
	// again gives the same collection job. Its error is a *RefusedError if the Leader will never give it, else
	// it may be tried again.
	Create(ctx context.Context, span Span) (Answer, error)
	// Poll asks where the job stands that Create has given for this interval. ErrJobGone: the Leader knows nothing of it.
	Poll(ctx context.Context, jobURL string, span Span) (Answer, error)
	// Delete lets the Leader forget the job and its answer. One that it does not know is no error.
	Delete(ctx context.Context, jobURL string) error
	// Progress asks how far the task is; its Buckets are those from a time on. A Leader that does not tell gives
	// Progress.Unsupported.
	Progress(ctx context.Context, from time.Time) (Progress, error)
}

// Answer is where a collection job stands.
type Answer struct {
	JobURL string
	// Outcome is nil until the batch is ready.
	Outcome *Outcome
	// RetryAfter is when to ask again; zero if the Leader does not say.
	RetryAfter time.Duration
}

// Outcome is what a collection job has given.
type Outcome struct {
	ReportCount             uint64
	FirstReport, LastReport time.Time
	// Values come without labels.
	Values []Value
}

// ErrJobGone: the Leader does not know the collection job. Asking anew with the same query makes another.
var ErrJobGone = errors.New("the Leader does not know the collection job any more")

// RefusedError says that a collection will never have a result.
type RefusedError struct {
	Reason  Reason
	Problem string // for people
	// JobURL tells that the Leader has a failed job at it, to be deleted.
	JobURL string
}

func (e *RefusedError) Error() string { return e.Problem }

// Dial makes the Leader of a task that has a token.
type Dial func(task StoredTask) (Leader, error)
