package aggregator

import (
	"context"
	"errors"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fairshare"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// drive takes a job to its end, or as far as it comes before the Leader stops.
// A new job has its slot already.
func (l *Leader) drive(b *background, j *leaderJob) {
	l.driveOn(b, j)
	j.unretain()
	if j.stuck {
		l.schedule.jobStuck(j.source, -1)
	}
	l.jobs.remove(j.driven)
	if j.lost {
		l.reconcile(b)
	}
}

func (l *Leader) driveOn(b *background, j *leaderJob) {
	for {
		if j.slot == nil && !l.acquireSlot(b, j) {
			return
		}
		j.unretain()
		wait, over := l.exchange(b, j)
		if over || b.stopping.Err() != nil || j.ctx.Err() != nil {
			j.leaveSlot()
			return
		}
		if wait == 0 {
			continue
		}
		j.retain(l.retained)
		j.leaveSlot()
		if !j.sleep(b.stopping, wait) {
			return
		}
	}
}

func (j *leaderJob) leaveSlot() {
	j.slot.release()
	j.slot = nil
}

// retain keeps what is in memory while the job waits, if that is allowed.
func (j *leaderJob) retain(allowed *fairshare.Pool[dap.TaskID]) {
	if j.live == nil {
		return
	}
	size := int64(len(j.live.request)) + int64(len(j.live.states))*j.task.memory.held
	grant, ok := allowed.TryTake(j.task.ID, size)
	if !ok {
		j.live = nil
		return
	}
	j.release = grant.Release
}

func (j *leaderJob) unretain() {
	if j.release != nil {
		j.release()
		j.release = nil
	}
}

// exchange sends the job's request, or asks for its answer, and does what
// follows from the answer. It returns how long to wait before the next exchange, or that the job is over here.
func (l *Leader) exchange(b *background, j *leaderJob) (wait time.Duration, over bool) {
	if len(j.record.Reports) == 0 { // it began anew, and none of its reports could be verified any more
		if err := l.finish(b, j, &outcome{}); err != nil {
			return l.failed(b, j, err)
		}
		return 0, true
	}
	reply, err := l.ask(j.ctx, j)
	if err != nil {
		return l.failed(b, j, err)
	}
	if !reply.Ready {
		return l.deferred(b, j, reply)
	}
	j.polling = false
	if reply.Location != "" {
		j.record.HelperLocation = reply.Location
	}
	over, err = l.answered(b, j, reply.Body)
	if err != nil {
		return l.failed(b, j, err)
	}
	return 0, over
}

// ask sends the request of the job's step, the same bytes each time, or polls.
func (l *Leader) ask(ctx context.Context, j *leaderJob) (PeerReply, error) {
	if j.polling {
		return l.peer.PollAggregationJob(ctx, &j.task.Task, j.record.HelperLocation, j.record.Step)
	}
	live, err := l.liveJob(ctx, j)
	if err != nil {
		return PeerReply{}, err
	}
	if j.record.Step == 0 {
		return l.peer.CreateAggregationJob(ctx, &j.task.Task, live.request)
	}
	return l.peer.ContinueAggregationJob(ctx, &j.task.Task, j.record.HelperLocation, live.request)
}

// deferred remembers where to ask for the answer of an asynchronous Helper.
func (l *Leader) deferred(b *background, j *leaderJob, reply PeerReply) (wait time.Duration, over bool) {
	if reply.Location == "" && j.record.HelperLocation == "" {
		return l.failed(b, j, unsettled("the Helper defers the job and does not say where it is"))
	}
	j.polling = true
	if reply.Location != "" && reply.Location != j.record.HelperLocation {
		j.record.HelperLocation = reply.Location
		if err := l.withStore(b, func() error { return l.store.AdvanceAggregationJob(j.ctx, j.record, nil) }); err != nil {
			return l.failed(b, j, err)
		}
	}
	l.understood(j)
	return l.pollAfter(reply.RetryAfter), false
}

// understood ends what jobStuck began.
func (l *Leader) understood(j *leaderJob) {
	if j.stuck {
		j.stuck = false
		l.schedule.jobStuck(j.source, -1)
	}
}

// pollAfter is how long to wait for a Helper that asked for retryAfter.
func (l *Leader) pollAfter(retryAfter time.Duration) time.Duration {
	if retryAfter <= 0 {
		return l.config.PollInterval
	}
	return min(retryAfter, l.config.MaxBackoff)
}

// outcome is what an AggregationJobResp makes of a job's reports.
type outcome struct {
	commits    []Commit
	rejections []Rejection
	// What goes on to the next step.
	reports []uint64
	ids     []dap.ReportID
	states  []pingpong.State
}

// answered handles the Helper's AggregationJobResp to the job's step (DAP
// Sections 4.5.3.1 and 4.5.4.1). over tells that the job is finished.
func (l *Leader) answered(b *background, j *leaderJob, body []byte) (over bool, err error) {
	live, err := l.liveJob(j.ctx, j)
	if err != nil {
		return false, err
	}
	resp, err := dap.DecodeAggregationJobResp(body)
	if err != nil {
		return false, unsettled("the Helper's answer is malformed: %v", err)
	}
	out, err := l.evaluate(j.ctx, j, live, resp.VerifyResps)
	if err != nil {
		return false, err
	}
	l.understood(j)
	switch {
	case len(out.states) == 0:
		return true, l.finish(b, j, out)
	case len(out.commits) > 0:
		return false, unsettled("some reports of the job are finished and others are not")
	}
	return false, l.advance(b, j, out)
}

// evaluate applies the Helper's responses to the states of the job's reports.
func (l *Leader) evaluate(ctx context.Context, j *leaderJob, live *liveJob, responses []dap.VerifyResp) (*outcome, error) {
	if len(responses) != len(live.ids) {
		return nil, unsettled("the Helper answers for %d reports of %d", len(responses), len(live.ids))
	}
	var continued []int
	for i := range responses {
		r, state := &responses[i], live.states[i].Kind
		switch {
		case r.ReportID != live.ids[i]:
			return nil, unsettled("the Helper's answer has other reports, or another order, than the request")
		case r.Type == dap.VerifyRespReject:
		case r.Type == dap.VerifyRespContinue && state == pingpong.Continued:
			continued = append(continued, i)
		case r.Type == dap.VerifyRespFinish && state == pingpong.FinishedWithOutbound:
		default:
			return nil, unsettled("the Helper answers %s for a report that is %s", r.Type, state)
		}
	}
	next, err := l.continueStates(ctx, j, live, responses, continued)
	if err != nil {
		return nil, err
	}
	out := &outcome{}
	for i := range responses {
		state := live.states[i]
		if responses[i].Type == dap.VerifyRespContinue {
			state, next = next[0], next[1:]
		}
		if err := out.add(j.record.Reports[i], live.ids[i], &responses[i], state); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// continueStates consumes the Helper's messages of the reports at the given places.
func (l *Leader) continueStates(ctx context.Context, j *leaderJob, live *liveJob, responses []dap.VerifyResp, at []int) ([]pingpong.State, error) {
	states := make([]pingpong.State, len(at))
	err := l.cpu.inChunks(ctx, j.task, len(at), func(lo, hi int) {
		before := make([]pingpong.State, hi-lo)
		inbound := make([][]byte, hi-lo)
		for k := lo; k < hi; k++ {
			before[k-lo], inbound[k-lo] = live.states[at[k]], responses[at[k]].Payload
		}
		copy(states[lo:hi], j.task.topology.LeaderContinued(j.task.vdafContext, j.record.AggParam, before, inbound))
	})
	return states, err
}

// add enters a report with the Helper's response and the state that follows from it.
func (o *outcome) add(sequence uint64, id dap.ReportID, response *dap.VerifyResp, state pingpong.State) error {
	switch {
	case response.Type == dap.VerifyRespReject:
		// The standard would allow to try again what came too early; it is rejected here too.
		o.rejections = append(o.rejections, Rejection{Sequence: sequence, Error: response.Error})
	case state.Kind == pingpong.Rejected:
		o.rejections = append(o.rejections, Rejection{Sequence: sequence, Error: dap.ReportErrorVdafVerifyError})
	case response.Type == dap.VerifyRespFinish, state.Kind == pingpong.Finished:
		o.commits = append(o.commits, Commit{Sequence: sequence, OutShare: state.OutShare})
	case state.Kind == pingpong.Continued, state.Kind == pingpong.FinishedWithOutbound:
		o.reports = append(o.reports, sequence)
		o.ids = append(o.ids, id)
		o.states = append(o.states, state)
	default:
		return unsettled("a report is %s after a transition", state.Kind)
	}
	return nil
}

// finish commits the output shares, in one transaction with everything else
// that ends the job.
func (l *Leader) finish(b *background, j *leaderJob, out *outcome) error {
	err := l.withStore(b, func() error {
		return l.store.FinishAggregationJob(j.ctx, j.record.Task, j.record.ID, out.commits, out.rejections, j.task.topology)
	})
	if err != nil && !errors.Is(err, ErrNotFound) { // ErrNotFound: it was finished, though it seemed to fail
		return err
	}
	l.countRejections(out.rejections)
	l.metrics.aggregated.Add(float64(len(out.commits)))
	l.metrics.jobs.WithLabelValues("finished").Inc()
	l.metrics.jobSeconds.Observe(sinceSeconds(j.record.CreatedAt, l.now()))
	j.over = true
	l.schedule.jobEnded(j.source, j.batch, len(out.rejections))
	l.collections.signal(j.record.Task)
	// Nobody will ask for the Helper's answer again; and it may be waiting for
	// reports that only the Leader has rejected.
	b.wait.Go(func() { l.deleteAtHelper(b, j) })
	return nil
}

// advance stores what the next step needs, before its request is sent.
func (l *Leader) advance(b *background, j *leaderJob, out *outcome) error {
	if j.record.HelperLocation == "" {
		return unsettled("the Helper does not say where the job is, which must be continued")
	}
	next := j.record
	next.Step++
	next.Reports, next.Attempts, next.NextAttempt, next.LastError = out.reports, 0, time.Time{}, ""
	next.States = make([][]byte, len(out.states))
	for i, s := range out.states {
		var err error
		if next.States[i], err = j.task.topology.EncodeState(s); err != nil {
			return err
		}
	}
	request, err := continueRequest(next.Step, out.ids, out.states)
	if err != nil {
		return err
	}
	next.RequestDigest = digestOf(request)
	if err := l.withStore(b, func() error { return l.store.AdvanceAggregationJob(j.ctx, next, out.rejections) }); err != nil {
		return err
	}
	j.record, j.unsettled = next, false
	j.live = &liveJob{request: request, ids: out.ids, states: out.states}
	l.countRejections(out.rejections)
	l.schedule.jobRejected(j.source, j.batch, len(out.rejections))
	return nil
}
