package collector

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/dapclient"
)

// Job is a collection job at the Leader (DAP Section 4.6.1).
type Job struct {
	// URL is where the Leader keeps the job. It can be stored, and used after a
	// restart.
	URL string
	// Request is what the job was created with.
	Request dap.CollectionJobReq
}

// Result is the aggregate result of a batch.
type Result[R any] struct {
	// ReportCount is the number of reports in the batch.
	ReportCount uint64
	// Start and End are the smallest interval that contains the times of all
	// reports of the batch, up to but without End.
	Start, End time.Time
	// Value is the aggregate result. If Noise is not nil it is what R can hold of Noise.Values: 0 for
	// negative numbers.
	Value R
	// Noise is nil unless the task has differential privacy. Its Values are then the result.
	Noise *Noise
	// Job is the collection job, for Delete.
	Job Job
}

// State is where a collection job stands.
type State[R any] struct {
	// Result is nil until the batch is ready.
	Result *Result[R]
	// RetryAfter is how long the Leader asks to wait before asking again; zero if it
	// does not say.
	RetryAfter time.Duration
}

// Create creates a collection job, or finds the one that was created with the
// same query before (DAP Section 3.2).
func (c *Collector[R]) Create(ctx context.Context, query dap.Query) (Job, State[R], error) {
	job, response, err := c.create(ctx, query)
	if err != nil {
		return Job{}, State[R]{}, err
	}
	state, err := c.state(job, response)
	return job, state, err
}

// Find is Create without a look at the result: it tells whether it is ready.
func (c *Collector[R]) Find(ctx context.Context, query dap.Query) (job Job, ready bool, err error) {
	job, response, err := c.create(ctx, query)
	return job, len(response.Body) > 0, err
}

func (c *Collector[R]) create(ctx context.Context, query dap.Query) (Job, dapclient.Response, error) {
	if err := query.Check(c.task.Configuration.BatchMode); err != nil {
		return Job{}, dapclient.Response{}, err
	}
	job := Job{Request: dap.CollectionJobReq{Query: query, AggParam: c.options.AggParam}}
	body, err := job.Request.Encode()
	if err != nil {
		return Job{}, dapclient.Response{}, err
	}
	response, err := c.http.Do(ctx, dapclient.Request{
		Method: http.MethodPost, URL: c.leader.URL("tasks", c.task.ID.String(), "collection_jobs"),
		MediaType: dap.MediaTypeCollectionJobReq, Body: body, MaxAnswer: c.maxAnswer(),
	})
	if err != nil {
		return Job{}, dapclient.Response{}, err
	}
	location, err := c.leader.Resolve(response.URL, response.Header.Get("Location"))
	if err != nil {
		return Job{}, dapclient.Response{}, &AnswerError{Server: response.URL.Host, Problem: err.Error()}
	}
	job.URL = location.String()
	return job, response, nil
}

// Poll asks where a job stands.
func (c *Collector[R]) Poll(ctx context.Context, job Job) (State[R], error) {
	if err := c.checkURL(job); err != nil {
		return State[R]{}, err
	}
	response, err := c.http.Do(ctx, dapclient.Request{Method: http.MethodGet, URL: job.URL, MaxAnswer: c.maxAnswer()})
	if err != nil {
		return State[R]{}, err
	}
	return c.state(job, response)
}

// Delete makes the Leader forget a job and its answer (DAP Section 4.6.3). The
// batch stays collected. A job that the Leader does not know is no error.
func (c *Collector[R]) Delete(ctx context.Context, job Job) error {
	if err := c.checkURL(job); err != nil {
		return err
	}
	_, err := c.http.Do(ctx, dapclient.Request{Method: http.MethodDelete, URL: job.URL, MaxAnswer: 1 << 10})
	if answer, ok := asHTTPError(err); ok && (answer.Status == http.StatusNotFound || answer.Status == http.StatusGone) && answer.Problem == nil {
		return nil
	}
	return err
}

// checkURL keeps the token from being sent anywhere but to the Leader.
func (c *Collector[R]) checkURL(job Job) error {
	u, err := url.Parse(job.URL)
	if err == nil && u.IsAbs() {
		_, err = c.leader.Resolve(u, job.URL)
	}
	if err != nil || !u.IsAbs() {
		return fmt.Errorf("collector: %q is not a collection job of the task's Leader", job.URL)
	}
	return nil
}

// Collect creates a collection job, or finds it, waits until the batch is ready,
// and returns its aggregate result. It waits as long as ctx lasts: its end is an
// error that wraps ctx's, and a later Collect with the same query goes on with
// the same job. A job that has failed is deleted, so that a later Collect asks anew.
func (c *Collector[R]) Collect(ctx context.Context, query dap.Query) (Result[R], error) {
	var job Job
	for attempt := 1; ; attempt++ {
		var state State[R]
		var err error
		if job.URL == "" {
			job, state, err = c.Create(ctx, query)
		} else {
			state, err = c.Poll(ctx, job)
		}
		if err != nil && !dapclient.IsTemporary(err) {
			if answer, ok := asHTTPError(err); ok && answer.Problem != nil && job.URL != "" {
				if deleteErr := c.Delete(ctx, job); deleteErr != nil {
					err = fmt.Errorf("%w (the failed collection job could not be deleted: %w)", err, deleteErr)
				}
			}
			return Result[R]{}, err
		}
		if state.Result != nil {
			return *state.Result, nil
		}
		wait := max(state.RetryAfter, dapclient.RetryAfter(err))
		if wait == 0 {
			wait = c.backoff(attempt)
		}
		if c.options.Waiting != nil {
			c.options.Waiting(wait, err)
		}
		if endErr := sleep(ctx, wait); endErr != nil {
			if err != nil {
				return Result[R]{}, fmt.Errorf("%w (before that: %w)", endErr, err)
			}
			return Result[R]{}, fmt.Errorf("the batch is not ready yet: %w", endErr)
		}
	}
}

// backoff is how long to wait if the Leader does not say: it grows from a
// second up to 30.
func backoff(attempt int) time.Duration {
	wait := min(time.Duration(attempt)*time.Second, 30*time.Second)
	return wait/2 + rand.N(wait/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
