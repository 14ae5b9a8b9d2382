package api

import (
	"context"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// LeaderEngine is what NewLeaderHandler serves. *aggregator.Leader is one.
//
// Errors are turned into answers by the table in errors.go. Bodies are handed
// over: each request has its own, and nothing else uses it afterwards.
type LeaderEngine interface {
	// HpkeConfigList returns the configurations to offer (DAP Section 4.4.1).
	HpkeConfigList(ctx context.Context) (dap.HpkeConfigList, error)
	// AuthorizeCollector returns nil if token is the Collector's token for the
	// task, else aggregator.ErrUnauthorized or an error of type unrecognizedTask.
	AuthorizeCollector(ctx context.Context, task dap.TaskID, token string) error
	// OptIn is called before anything else is done with a request that advertises
	// a task in its DAP-Taskprov header (Taskprov Section 3.7).
	OptIn(ctx context.Context, task dap.TaskID, encodedConfig []byte) error

	// CheckTask returns nil if the task is known, else an error of type
	// unrecognizedTask. It comes before the body of an upload is read.
	CheckTask(ctx context.Context, task dap.TaskID) error
	// Upload handles an UploadRequest (DAP Section 4.4.2). The answer holds the reports that failed.
	Upload(ctx context.Context, task dap.TaskID, body []byte) (dap.UploadErrors, error)
	// CreateCollectionJob handles a CollectionJobReq (DAP Section 4.6.1).
	CreateCollectionJob(ctx context.Context, task dap.TaskID, body []byte) (aggregator.CollectionStatus, error)
	PollCollectionJob(ctx context.Context, task dap.TaskID, job dap.CollectionJobID) (aggregator.CollectionStatus, error)
	DeleteCollectionJob(ctx context.Context, task dap.TaskID, job dap.CollectionJobID) error
	// Progress tells the Collector how far the task is (docs/divergences.md), with its buckets from a time on.
	Progress(ctx context.Context, task dap.TaskID, from dap.Time) (aggregator.Progress, error)
}

// HelperEngine is what NewHelperHandler serves. *aggregator.Helper is one.
type HelperEngine interface {
	// HpkeConfigList returns the configurations to offer (DAP Section 4.4.1).
	HpkeConfigList(ctx context.Context) (dap.HpkeConfigList, error)
	// AuthorizeLeader returns nil if token is the Leader's token for the task,
	// else aggregator.ErrUnauthorized or an error of type unrecognizedTask.
	AuthorizeLeader(ctx context.Context, task dap.TaskID, token string) error
	// OptIn is called before anything else is done with a request that advertises
	// a task in its DAP-Taskprov header (Taskprov Section 3.8). token is what
	// the request presents, empty if it presents none.
	OptIn(ctx context.Context, task dap.TaskID, encodedConfig []byte, token string) error

	// CreateAggregationJob handles an AggregationJobInitReq (DAP Section 4.5.3).
	CreateAggregationJob(ctx context.Context, task dap.TaskID, body []byte) (aggregator.AggregationStatus, error)
	// ContinueAggregationJob handles an AggregationJobContinueReq (DAP Section 4.5.4).
	ContinueAggregationJob(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, body []byte) (aggregator.AggregationStatus, error)
	PollAggregationJob(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, step uint16) (aggregator.AggregationStatus, error)
	DeleteAggregationJob(ctx context.Context, task dap.TaskID, job dap.AggregationJobID) error

	// CreateAggregateShare handles an AggregateShareReq (DAP Section 4.6.4).
	CreateAggregateShare(ctx context.Context, task dap.TaskID, body []byte) (aggregator.AggregateShareStatus, error)
	PollAggregateShare(ctx context.Context, task dap.TaskID, share dap.AggregateShareID) (aggregator.AggregateShareStatus, error)
	DeleteAggregateShare(ctx context.Context, task dap.TaskID, share dap.AggregateShareID) error
}
