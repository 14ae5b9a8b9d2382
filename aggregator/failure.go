package aggregator

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// The status codes of a PeerError that mean something of their own here (RFC
// 9110 Section 15, RFC 6585, RFC 8470).
const (
	statusBadRequest      = 400
	statusUnauthorized    = 401
	statusForbidden       = 403
	statusNotFound        = 404
	statusRequestTimeout  = 408
	statusTooEarly        = 425
	statusTooManyRequests = 429
)

// verdict is what a failed request to the Helper means.
type verdict uint8

const (
	tryAgain  verdict = iota // the network, an overload, a crash: it may pass by itself
	tryLater                 // an operator must act first, or nothing can be told: it is tried again, slowly
	giveUp                   // a definite refusal: it will fail the same way each time
	beginAnew                // of a job: the Helper has lost it, or what was done of it
)

// judge decides about an error of the Peer. A *dap.Error is what the Helper has
// stated with a status of the client's errors.
func judge(err error) verdict {
	if e, ok := errors.AsType[*dap.Error](err); ok {
		if e.Type == dap.ErrorTypeUnrecognizedTask {
			return tryLater // not approved yet
		}
		return giveUp
	}
	e, ok := errors.AsType[*PeerError](err)
	if !ok {
		return tryAgain
	}
	switch e.Status {
	case statusRequestTimeout, statusTooEarly, statusTooManyRequests:
		return tryAgain
	case statusBadRequest:
		// A Helper that finds a request bad names one of DAP's errors. This may come from the
		// HTTP server before it, to which a request has come in pieces.
		return tryAgain
	case statusUnauthorized, statusForbidden:
		return tryLater // a token or a certificate that is not set up yet
	case statusNotFound:
		return tryLater // not served yet at this URL
	}
	if e.Status >= 400 && e.Status < 500 {
		return giveUp
	}
	return tryAgain
}

// maxRestarts is how often a job begins anew because the Helper says that it is at another step.
const maxRestarts = 3

// judgeJob decides what a failed exchange means for an aggregation job. A job is given up only with
// evidence: when the Helper has refused the job's newest request, and so has not executed
// it; or it begins anew where the Helper has lost it. What proves neither is tried again for ever: that request, sent again, settles what the
// Helper has done.
func judgeJob(j *leaderJob, err error) verdict {
	if _, ok := errors.AsType[*unsettledError](err); ok {
		return tryLater
	}
	e, ok := errors.AsType[*dap.Error](err)
	if !ok {
		if e, ok := errors.AsType[*PeerError](err); ok && e.Status == statusNotFound && j.polling {
			return giveUp
		}
		return judge(err)
	}
	switch {
	case e.Type == dap.ErrorTypeUnrecognizedAggregationJob && j.record.Step > 0:
		return beginAnew
	case e.Type == dap.ErrorTypeUnrecognizedAggregationJob && !j.polling:
		return tryLater // of a request that makes the job, it says nothing
	case e.Type == dap.ErrorTypeStepMismatch && !j.polling && j.record.Step > 0 && j.record.Restarts < maxRestarts:
		return beginAnew // the Helper is at an earlier step, with nothing counted
	case e.Type == dap.ErrorTypeStepMismatch && !j.polling && j.record.Step == 0:
		return tryLater // the Helper is at a later step, and may have counted the reports
	}
	return judge(err)
}

// backoff is how long to wait after so many failed attempts: it doubles from
// MinBackoff to MaxBackoff, and is spread so that not all come back at once. A
// longer time that the Helper has asked for counts, up to MaxBackoff.
func (l *Leader) backoff(attempts uint32, err error) time.Duration {
	wait := l.config.MinBackoff << min(attempts, 20)
	if wait <= 0 || wait > l.config.MaxBackoff {
		wait = l.config.MaxBackoff
	}
	wait = wait/2 + rand.N(wait/2+1)
	if e, ok := errors.AsType[*PeerError](err); ok && e.RetryAfter > wait {
		wait = min(e.RetryAfter, l.config.MaxBackoff)
	}
	return wait
}

// failed decides what a failed exchange means for a job, and records it. It
// returns how long to wait for the next attempt, or that the job is over here.
func (l *Leader) failed(b *background, j *leaderJob, cause error) (wait time.Duration, over bool) {
	if j.ctx.Err() != nil {
		return 0, true // the Leader stops, and the job goes on with the next Run; or an operator has it
	}
	if errors.Is(cause, ErrNotFound) || errors.Is(cause, ErrConflict) {
		l.lost(j, cause)
		return 0, true
	}
	means := judgeJob(j, cause)
	if means == giveUp && j.polling {
		j.polling = false // that the Helper does not say what became of the request proves nothing of it: it is sent again
		means = tryAgain
	}
	switch means {
	case giveUp:
		l.quarantine(b, j, cause)
		return 0, true
	case beginAnew:
		return l.restart(b, j, cause)
	case tryLater:
		wait = l.slowly(j, cause)
	default:
		wait = l.backoff(j.record.Attempts, cause)
	}
	l.recordFailure(j, wait, cause)
	return wait, false
}

// slowly is the pause where an operator must act first, or the Helper's answers
// cannot be understood. Of the second, a few jobs do not keep others of the task from being made.
func (l *Leader) slowly(j *leaderJob, cause error) time.Duration {
	if _, ok := errors.AsType[*unsettledError](cause); ok && !j.stuck {
		j.stuck = true
		l.schedule.jobStuck(j.source, 1)
	}
	return max(l.config.SlowBackoff, l.backoff(j.record.Attempts, cause))
}

func (l *Leader) recordFailure(j *leaderJob, wait time.Duration, cause error) {
	l.metrics.jobRetries.Inc()
	l.log.Warn("an aggregation job will be tried again", "task", j.record.Task, "job", j.record.ID, "step", j.record.Step,
		"attempts", j.record.Attempts+1, "wait", wait, "error", cause)
	j.unsettled = true
	j.record.Attempts++
	j.record.NextAttempt, j.record.LastError = l.now().Add(wait).UTC(), cause.Error()
	if err := l.store.AdvanceAggregationJob(j.ctx, j.record, nil); err != nil && j.ctx.Err() == nil {
		l.log.Warn("a failed attempt could not be recorded", "task", j.record.Task, "job", j.record.ID, "error", err)
	}
}

// restart lets a job that the Helper has lost begin anew at step 0, with the
// reports that remain. It returns when, or that the job is over here.
func (l *Leader) restart(b *background, j *leaderJob, cause error) (wait time.Duration, over bool) {
	err := l.beginAnew(b, j, cause)
	switch {
	case err == nil:
		return l.backoff(j.record.Restarts, nil), false
	case j.ctx.Err() != nil:
		return 0, true
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict):
		l.lost(j, err)
		return 0, true
	}
	wait = l.slowly(j, err)
	l.recordFailure(j, wait, err)
	return wait, false
}

// beginAnew makes the job's first request again, and stores the job as it is then.
func (l *Leader) beginAnew(b *background, j *leaderJob, cause error) error {
	if err := l.discardAtHelper(j, cause); err != nil {
		return err
	}
	reports, err := l.store.JobReports(j.ctx, j.record.Task, j.record.ID)
	if err != nil {
		return err
	}
	opening, err := l.opening(j.task, false)
	if err != nil {
		return err
	}
	computed, err := l.computeInit(j.ctx, opening, j.record.AggParam, reports)
	if err != nil {
		return err
	}
	next := &leaderJob{record: j.record, task: j.task}
	live, rejections, err := next.assemble(reports, computed)
	if err != nil {
		return err
	}
	r := &next.record
	r.Step, r.States, r.HelperLocation, r.RequestDigest = 0, nil, "", digestOf(live.request)
	r.Restarts++
	r.Attempts, r.NextAttempt, r.LastError = r.Attempts+1, time.Time{}, cause.Error()
	if err := l.withStore(b, func() error { return l.store.RestartAggregationJob(j.ctx, *r, rejections) }); err != nil {
		return err
	}
	l.log.Warn("the Helper has lost an aggregation job; it begins anew", "task", r.Task, "job", r.ID, "reports", len(r.Reports), "error", cause)
	l.metrics.jobs.WithLabelValues("restarted").Inc()
	l.countRejections(rejections)
	l.schedule.jobRejected(j.source, j.batch, len(rejections))
	j.record, j.live, j.polling, j.unsettled = *r, live, false, false
	return nil
}

// discardAtHelper has the Helper forget a job that it has at an earlier step (DAP Section 4.5.5): the job's
// first request would be answered with the state that the job has.
func (l *Leader) discardAtHelper(j *leaderJob, cause error) error {
	if e, ok := errors.AsType[*dap.Error](cause); !ok || e.Type != dap.ErrorTypeStepMismatch {
		return nil
	}
	err := l.peer.DeleteAggregationJob(j.ctx, &j.task.Task, j.record.HelperLocation)
	if e, ok := errors.AsType[*dap.Error](err); ok && e.Type == dap.ErrorTypeUnrecognizedAggregationJob {
		return nil
	}
	return err
}

// lost ends the driving of a job whose record is not as it was known; if it is
// still in the store it is resumed from there.
func (l *Leader) lost(j *leaderJob, cause error) {
	l.log.Error("an aggregation job is not as it was known; it is read again", "task", j.record.Task, "job", j.record.ID, "error", cause)
	j.lost, j.over = true, true
	l.schedule.jobLost(j.source, j.batch)
	l.collections.signal(j.record.Task)
}

// quarantine puts a job that the Helper has refused in quarantine (DAP Section 4.5.5). Its reports stay with it
// and are counted nowhere, as at the Helper. The Helper is not told to forget the job: its request may be sent again one day.
func (l *Leader) quarantine(b *background, j *leaderJob, cause error) {
	// What the Helper states is about this request, whoever came before it. A bare
	// status may be that of something between, which knows nothing of an earlier attempt.
	_, stated := errors.AsType[*dap.Error](cause)
	why := Quarantine{At: l.now().UTC(), Reason: cause.Error(), MayBeCounted: !stated && j.unsettled}
	l.log.Error("an aggregation job is put in quarantine", "task", j.record.Task, "job", j.record.ID, "step", j.record.Step,
		"reports", len(j.record.Reports), "may be counted by the Helper", why.MayBeCounted, "error", cause)
	err := l.withStore(b, func() error {
		return l.store.QuarantineAggregationJob(j.ctx, j.record.Task, j.record.ID, why)
	})
	if err != nil {
		l.lost(j, err)
		return
	}
	j.over = true
	l.metrics.jobs.WithLabelValues("quarantined").Inc()
	l.schedule.jobEnded(j.source, j.batch, len(j.record.Reports))
	l.collections.signal(j.record.Task)
}

// deleteAtHelper lets the Helper know that it can forget a finished job. That it fails
// does no harm.
func (l *Leader) deleteAtHelper(b *background, j *leaderJob) {
	if j.record.HelperLocation == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.work, 10*time.Second)
	defer cancel()
	if err := l.peer.DeleteAggregationJob(ctx, &j.task.Task, j.record.HelperLocation); err != nil {
		l.log.Info("an aggregation job could not be deleted at the Helper", "task", j.record.Task, "job", j.record.ID, "error", err)
	}
}
