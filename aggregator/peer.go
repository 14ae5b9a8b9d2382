package aggregator

import (
	"context"
	"time"
)

// Peer is the Helper as a Leader sees it (DAP Sections 4.5 and 4.6.4). The
// requests go out exactly as given. That the Helper has refused the request is a *dap.Error (of package dap), if it
// names one of DAP's types with a status of the 400s that holds for the next time too; any other error status is a
// *PeerError; anything else (a timeout, a refused connection) means that
// it is not known whether the Helper has acted.
type Peer interface {
	CreateAggregationJob(ctx context.Context, task *Task, initReq []byte) (PeerReply, error)
	ContinueAggregationJob(ctx context.Context, task *Task, location string, continueReq []byte) (PeerReply, error)
	PollAggregationJob(ctx context.Context, task *Task, location string, step uint16) (PeerReply, error)
	DeleteAggregationJob(ctx context.Context, task *Task, location string) error

	CreateAggregateShare(ctx context.Context, task *Task, req []byte) (PeerReply, error)
	PollAggregateShare(ctx context.Context, task *Task, location string) (PeerReply, error)
	DeleteAggregateShare(ctx context.Context, task *Task, location string) error
}

// PeerReply is a Helper's answer. Body is nil while the resource is not ready;
// then RetryAfter says when to ask again (zero: the Helper said nothing).
type PeerReply struct {
	// Location is the resource's absolute URL, checked to be at the Helper's endpoint. Empty if the answer had none.
	Location   string
	Ready      bool
	Body       []byte
	RetryAfter time.Duration
}

// PeerError is an HTTP error status from the Helper: without a problem type of DAP's, or one that
// says to try again (408, 425, 429 and the 500s).
type PeerError struct {
	Status     int
	Detail     string
	RetryAfter time.Duration
}

func (e *PeerError) Error() string { return "the Helper answered with an error: " + e.Detail }
