package service

import (
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// CollectRequest is what an analyst asks to collect. The zero value is the next batch: all time that is over and
// not collected yet, or the next batch that the Leader selects.
type CollectRequest struct {
	// Start and End, if not zero, are the interval to collect: whole time buckets of a time-interval task. If there are too
	// few reports the Leader waits for more.
	Start, End time.Time
}

// CollectionState is where a collection stands.
type CollectionState string

// The states of a collection.
const (
	CollectionIntended CollectionState = "intended" // stored here; the Leader may have been asked
	CollectionAsked    CollectionState = "asked"    // the Leader has a collection job for it
	CollectionStored   CollectionState = "stored"   // the result is here; the Leader still has the job
	CollectionDone     CollectionState = "done"     // the result is here, and nothing is left to do
	CollectionFailed   CollectionState = "failed"   // there is no result; Reason says why
)

// Ended tells whether nothing happens to the collection any more, but for telling the Leader.
func (s CollectionState) Ended() bool { return s == CollectionDone || s == CollectionFailed }

// Open tells whether something is left to do for the collection.
func (c *Collection) Open() bool {
	return c.State != CollectionDone && (c.State != CollectionFailed || !c.Told)
}

// Holds tells whether the collection's interval may be collected by it, or was: no other may have it.
func (c *Collection) Holds() bool { return c.State != CollectionFailed }

// HasResult tells whether its result is here.
func (s CollectionState) HasResult() bool { return s == CollectionStored || s == CollectionDone }

// Reason is why a collection has failed.
type Reason string

// Why a collection has failed.
const (
	// ReasonOverlap: the interval, or a part of it, was collected by another request, such as by hand.
	ReasonOverlap Reason = "overlap"
	// ReasonTooSmall: the Leader refused the batch because it has too few reports. The schedule joins it with the next.
	ReasonTooSmall Reason = "too-small"
	// ReasonBudget: the task's privacy budget is spent.
	ReasonBudget Reason = "budget"
	// ReasonRefused: the Leader refused it for another reason, which Problem tells.
	ReasonRefused Reason = "refused"
	// ReasonUnreadable: the answer came and cannot be read, with this key for instance. The Leader keeps it.
	ReasonUnreadable Reason = "unreadable"
)

// Collection is one batch that was asked for, or will be.
type Collection struct {
	Task dap.TaskID
	// Number counts the task's collections from 1.
	Number uint64
	// Start and End are the interval that is asked for; zero where the Leader selects.
	Start, End time.Time
	// ByHand tells that an analyst asked, and not the schedule.
	ByHand bool
	State  CollectionState
	// Reason and Problem are why it has failed; Problem is for people.
	Reason  Reason
	Problem string
	// CreatedAt is when it was intended, EndedAt when its result was stored or it failed.
	CreatedAt, EndedAt time.Time
	// Attempts counts the failures in a row, LastError is the last of them and NextAttempt when to try again.
	Attempts    int
	LastError   string
	NextAttempt time.Time
	// JobURL is the collection job at the Leader, once it is known. Told tells, of one that has failed, that
	// the Leader has no job for it any more.
	JobURL string
	Told   bool
	// Result is nil until it is here.
	Result *Result
}
