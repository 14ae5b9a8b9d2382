package api

import (
	"context"
	"net/http"
	"time"
)

// JobsRequest asks for aggregation jobs.
type JobsRequest struct {
	// Task is the ID of the only task whose jobs are wanted; empty for all.
	Task string `json:"task,omitempty"`
	// Finished asks a Helper also for the jobs whose answers it keeps for the Leader.
	Finished bool `json:"finished,omitempty"`
}

// JobRequest names an aggregation job by its ID at this aggregator.
type JobRequest struct {
	ID string `json:"id"`
}

// OperatorJob is an aggregation job.
type OperatorJob struct {
	ID   string `json:"id"`
	Task string `json:"task"`
	// State is "active" or "quarantined" at a Leader, "pending" (a step is to be computed), "waiting" (for the
	// Leader's next request), "finished" or "quarantined" at a Helper; "gone" after a command that has ended it.
	State     string     `json:"state"`
	Step      uint16     `json:"step"`
	Reports   uint64     `json:"reports"`
	CreatedAt time.Time  `json:"created_at"`
	Attempts  uint32     `json:"attempts"`
	LastError string     `json:"last_error,omitempty"`
	Next      *time.Time `json:"next_attempt,omitempty"`
	Restarts  uint32     `json:"restarts,omitempty"`
	// Location is the Helper's URL of the job, at a Leader.
	Location string `json:"helper_location,omitempty"`
	// Reason and QuarantinedAt are those of a quarantine. MayBeCounted tells that the other aggregator may
	// have counted the job's reports; of an active job of a Leader it is true.
	Reason        string     `json:"reason,omitempty"`
	QuarantinedAt *time.Time `json:"quarantined_at,omitempty"`
	MayBeCounted  bool       `json:"may_be_counted"`
	// Counted is how many reports of the job a Helper has counted.
	Counted uint64           `json:"counted"`
	Buckets []OperatorBucket `json:"buckets,omitempty"`
}

// OperatorBucket is how many reports of a job are of a batch bucket.
type OperatorBucket struct {
	// Start is the bucket's beginning, in the time-interval mode; else Batch is the batch ID.
	Start   *time.Time `json:"start,omitempty"`
	Batch   string     `json:"batch,omitempty"`
	Reports uint64     `json:"reports"`
}

// Jobs implements OperatorService.
func (c *OperatorClient) Jobs(ctx context.Context, request JobsRequest) (result []OperatorJob, err error) {
	err = c.do(ctx, http.MethodPost, "/jobs/list", request, &result)
	return result, err
}

// Job implements OperatorService.
func (c *OperatorClient) Job(ctx context.Context, request JobRequest) (result OperatorJob, err error) {
	err = c.do(ctx, http.MethodPost, "/jobs/show", request, &result)
	return result, err
}

// RetryJob implements OperatorService.
func (c *OperatorClient) RetryJob(ctx context.Context, request JobRequest) (result OperatorJob, err error) {
	err = c.do(ctx, http.MethodPost, "/jobs/retry", request, &result)
	return result, err
}

// QuarantineJob implements OperatorService.
func (c *OperatorClient) QuarantineJob(ctx context.Context, request JobRequest) (result OperatorJob, err error) {
	err = c.do(ctx, http.MethodPost, "/jobs/quarantine", request, &result)
	return result, err
}
