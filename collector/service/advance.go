package service

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// minPoll and maxPoll bound how often a Leader is asked for a batch.
	minPoll, maxPoll = time.Second, 30 * time.Second
	// maxBackoff is how long to wait after failures, at most.
	maxBackoff = 15 * time.Minute
)

// advance takes a collection as far as it can go now. It returns after how long to go on, or that
// nothing is left to do. Its error is the store's: what it could not keep is done again.
func (r *run) advance(c Collection) (wait time.Duration, ended bool, err error) {
	for {
		if wait := c.NextAttempt.Sub(r.now); wait > 0 {
			return wait, false, nil
		}
		leader, err := r.leaderOf(r.known, &r.task)
		if errors.Is(err, ErrNoToken) {
			return maxSleep, false, nil
		}
		if err != nil {
			return r.failedAttempt(&c, err)
		}
		if err := r.enter(r.ctx); err != nil {
			return 0, false, err
		}
		before := c
		switch c.State {
		case CollectionIntended, CollectionAsked:
			wait, err = r.ask(leader, &c)
		case CollectionStored, CollectionFailed:
			err = r.tell(leader, &c)
		}
		r.leave()
		if store, ok := errors.AsType[*storeError](err); ok {
			return 0, false, store.err
		}
		if err != nil {
			return r.failedAttempt(&c, err)
		}
		if !c.Open() {
			return 0, true, nil
		}
		if c.State == before.State && wait > 0 {
			return wait, false, nil
		}
	}
}

// storeError is an error of the store, as opposed to the Leader's.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }

func stored(err error) error {
	if err == nil {
		return nil
	}
	return &storeError{err}
}

// ask asks the Leader for the batch, or where its job stands, and stores what it says.
func (r *run) ask(leader Leader, c *Collection) (wait time.Duration, err error) {
	span := Span{c.Start, c.End}
	var answer Answer
	if c.JobURL == "" {
		answer, err = leader.Create(r.ctx, span)
	} else if answer, err = leader.Poll(r.ctx, c.JobURL, span); errors.Is(err, ErrJobGone) {
		answer, err = leader.Create(r.ctx, span)
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return 0, r.refused(c, refused)
	}
	if err != nil {
		return 0, err
	}
	if answer.JobURL != "" && answer.JobURL != c.JobURL {
		if err := r.store.Asked(r.ctx, c.Task, c.Number, answer.JobURL); err != nil {
			return 0, stored(err)
		}
		c.State, c.JobURL = CollectionAsked, answer.JobURL
	}
	if c.Attempts > 0 {
		if err := r.store.Attempted(r.ctx, c.Task, c.Number, 0, "", time.Time{}); err != nil {
			return 0, stored(err)
		}
		c.Attempts, c.LastError, c.NextAttempt = 0, "", time.Time{}
	}
	if answer.Outcome == nil {
		return r.pollAfter(c, answer.RetryAfter), nil
	}
	return 0, r.finish(c, answer.Outcome)
}

// pollAfter is when to poll again: when the Leader says, else the later the longer it takes.
func (r *run) pollAfter(c *Collection, asked time.Duration) time.Duration {
	if asked > 0 {
		return min(max(asked, minPoll), maxBackoff)
	}
	return min(max(r.now.Sub(c.CreatedAt)/10, minPoll), maxPoll)
}

// finish stores a result.
func (r *run) finish(c *Collection, outcome *Outcome) error {
	result := Result{
		Task: c.Task, Number: c.Number, Start: c.Start, End: c.End,
		FirstReport: outcome.FirstReport, LastReport: outcome.LastReport, ReportCount: outcome.ReportCount,
		CollectedAt: time.Now().UTC(), Values: label(outcome.Values, labelsOf(&r.known.file)),
	}
	if c.Start.IsZero() {
		result.Start, result.End = outcome.FirstReport, outcome.LastReport
	}
	err := r.store.Finish(r.ctx, c.Task, c.Number, result)
	if errors.Is(err, ErrSameJob) {
		// The batch of this job is here: the Leader was not told, or did not hear it.
		return r.refused(c, &RefusedError{Reason: ReasonOverlap, Problem: "its result is that of another collection", JobURL: c.JobURL})
	}
	if err != nil {
		return stored(err)
	}
	c.State, c.Result = CollectionStored, &result
	r.options.Logger.Info("collected", "task", c.Task, "collection", c.Number, "interval", Span{result.Start, result.End}.String(), "reports", result.ReportCount)
	return nil
}

// refused ends a collection that will never have a result.
func (r *run) refused(c *Collection, refused *RefusedError) error {
	reason, err := r.reasonOf(refused)
	if err != nil {
		return stored(err)
	}
	jobURL := refused.JobURL
	if jobURL == "" {
		jobURL = c.JobURL
	}
	if jobURL != c.JobURL { // so that the failed job can be deleted after a crash
		if err := r.store.Asked(r.ctx, c.Task, c.Number, jobURL); err != nil {
			return stored(err)
		}
	}
	at := time.Now().UTC()
	told := jobURL == "" || refused.Reason == ReasonUnreadable // whose answer is to be kept
	if err := r.store.Fail(r.ctx, c.Task, c.Number, reason, refused.Problem, at, told); err != nil {
		return stored(err)
	}
	c.State, c.JobURL, c.Reason, c.Problem, c.EndedAt, c.Told = CollectionFailed, jobURL, reason, refused.Problem, at, told
	c.NextAttempt = time.Time{}
	r.options.Logger.Warn("a collection has failed", "task", c.Task, "collection", c.Number, "interval", Span{c.Start, c.End}.String(), "reason", string(c.Reason), "problem", c.Problem)
	return nil
}

// reasonOf is the reason of a refusal. That the privacy budget is spent has no error type of its own in DAP: it is
// what a refusal is about when, by the results that are here, no batch more can be collected.
func (r *run) reasonOf(refused *RefusedError) (Reason, error) {
	if refused.Reason != ReasonRefused {
		return refused.Reason, nil
	}
	summary, err := r.store.Summary(r.ctx, r.task.ID)
	if err != nil {
		return "", err
	}
	privacy, err := privacyOf(r.known.file.Config, uint64(summary.Results))
	if err == nil && privacy != nil && privacy.BatchesLeft != nil && *privacy.BatchesLeft == 0 {
		return ReasonBudget, nil
	}
	return ReasonRefused, err
}

// tell lets the Leader forget the job of a collection that has ended. That of an interval which has a result stays: asking for
// it again would give the same result, should this directory have to be restored from a copy. A batch that the Leader selects has no name; the
// next one comes only when the job of this one is gone.
func (r *run) tell(leader Leader, c *Collection) error {
	if c.JobURL != "" && (c.State == CollectionFailed || r.leaderSelected()) {
		if err := leader.Delete(r.ctx, c.JobURL); err != nil {
			return err
		}
	}
	if err := r.store.Conclude(r.ctx, c.Task, c.Number); err != nil {
		return stored(err)
	}
	if c.State == CollectionStored {
		c.State = CollectionDone
	}
	c.Told = true
	return nil
}

// failedAttempt notes a failure, and when to try again. If it cannot be noted, trying again comes all the same.
func (r *run) failedAttempt(c *Collection, cause error) (wait time.Duration, ended bool, err error) {
	if r.ctx.Err() != nil {
		return 0, false, r.ctx.Err()
	}
	wait = max(backoff(c.Attempts), min(retryAfter(cause), maxBackoff))
	next := r.now.Add(wait).UTC()
	r.options.Logger.Warn("a collection will be tried again", "task", c.Task, "collection", c.Number, "wait", wait, "error", cause)
	return wait, false, r.store.Attempted(r.ctx, c.Task, c.Number, c.Attempts+1, cause.Error(), next)
}

// backoff is how long to wait after so many failures before.
func backoff(attempts int) time.Duration {
	wait := min(time.Second<<min(attempts, 20), maxBackoff)
	return wait/2 + rand.N(wait/2)
}

// retryAfter is how long the Leader has asked to wait; 0 if it has not.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*LeaderError](err); ok {
		return e.RetryAfter
	}
	return 0
}
