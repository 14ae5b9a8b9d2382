package service

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotFound: there is no such task or collection.
	ErrNotFound = errors.New("there is no such task or collection")
	// ErrNoToken: the Leader's token for the task is not known yet.
	ErrNoToken = errors.New("the Leader's token for this task is missing: its operator has it from leader task add")
	// ErrBusy: too much is asked for at once; try again later.
	ErrBusy = errors.New("too much is asked for at once; try again later")
)

// FieldError says what is wrong with a field of what an analyst gave.
type FieldError struct {
	Field   string // such as "min_batch_size"; as in the JSON of the API
	Problem string // what is wrong, and what to give instead
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// NotReadyError says that there is no batch to collect yet.
type NotReadyError struct {
	Problem string
	// At is when it may be worth to try again; zero if it is not known.
	At time.Time
}

func (e *NotReadyError) Error() string { return e.Problem }

// OverlapError says that an interval overlaps one that was asked for before.
type OverlapError struct {
	// Number is the collection that has it.
	Number     uint64
	Start, End time.Time
}

func (e *OverlapError) Error() string {
	return fmt.Sprintf("collection %d has %s to %s already; each time is collected once", e.Number, e.Start.Format(time.RFC3339), e.End.Format(time.RFC3339))
}

// LeaderError says that the Leader could not be asked, or refused.
type LeaderError struct {
	Problem string // for people; nothing secret
	// RetryAfter is when it asks to try again; zero if it does not say.
	RetryAfter time.Duration
	Err        error
}

func (e *LeaderError) Error() string { return "the Leader: " + e.Problem }

// Unwrap returns Err.
func (e *LeaderError) Unwrap() error { return e.Err }
