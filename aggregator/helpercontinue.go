package aggregator

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// ContinueAggregationJob handles an encoded AggregationJobContinueReq (DAP
// Section 4.5.4.2). The same request of the current step again gives the same
// answer (DAP Section 4.5.4.4). Its errors are a *dap.Error, ErrBusy and those of the store.
func (h *Helper) ContinueAggregationJob(ctx context.Context, id dap.TaskID, jobID dap.AggregationJobID, body []byte) (AggregationStatus, error) {
	t, err := h.task(ctx, id)
	if err != nil {
		return AggregationStatus{}, err
	}
	progress, err := h.begin(id, body)
	if err != nil {
		return AggregationStatus{}, err
	}
	defer progress.end()
	unlock, err := h.jobs.lock(ctx, helperJobKey{id, jobID})
	if err != nil {
		return AggregationStatus{}, err
	}
	defer unlock()

	job, err := h.helperJob(ctx, id, jobID)
	if err != nil {
		return AggregationStatus{}, err
	}
	if err := refusal(job); err != nil {
		return AggregationStatus{}, err
	}
	digest := sha256.Sum256(body)
	req, err := decodeContinue(t, job, digest, body)
	if err != nil {
		return AggregationStatus{}, err
	}
	if req == nil { // the current step's request again
		return h.statusOf(job), nil
	}
	reports, err := matchContinue(t, job, req)
	if err != nil {
		return AggregationStatus{}, err
	}
	if err := h.hold(progress, t, len(reports)); err != nil {
		return AggregationStatus{}, err
	}
	if h.config.Async {
		return h.deferStep(ctx, job, req.Step, digest, body)
	}
	job.Step, job.RequestDigest = req.Step, digest
	return h.computeContinue(context.WithoutCancel(ctx), t, job, req, reports)
}

// decodeContinue decodes an AggregationJobContinueReq, and checks it against
// the job's step. A nil request is the one of the current step, come again.
func decodeContinue(t *preparedTask, job HelperJob, digest [32]byte, body []byte) (*dap.AggregationJobContinueReq, error) {
	req, err := dap.DecodeAggregationJobContinueReq(body)
	if err != nil {
		return nil, malformed(t.ID, err)
	}
	if req.Step == 0 {
		return nil, peerError(t.ID, dap.ErrorTypeInvalidMessage, "an aggregation job is not continued to step 0")
	}
	if len(req.VerifyContinues) == 0 {
		return nil, peerError(t.ID, dap.ErrorTypeInvalidMessage, "the continuation has no reports")
	}
	seen := make(map[dap.ReportID]struct{}, len(req.VerifyContinues))
	for i := range req.VerifyContinues {
		seen[req.VerifyContinues[i].ReportID] = struct{}{}
	}
	if len(seen) != len(req.VerifyContinues) {
		return nil, peerError(t.ID, dap.ErrorTypeInvalidMessage, "the report IDs of the continuation are not distinct")
	}
	switch {
	case req.Step == job.Step && digest == job.RequestDigest:
		return nil, nil
	case req.Step == job.Step:
		return nil, peerError(t.ID, dap.ErrorTypeStepMismatch, "the request of step %d is not the one that came before", req.Step)
	case job.Step == math.MaxUint16 || req.Step != job.Step+1 || job.Pending:
		return nil, peerError(t.ID, dap.ErrorTypeStepMismatch, "the aggregation job is at step %d, and cannot go to step %d", job.Step, req.Step)
	}
	return &req, nil
}

// matchContinue finds the stored report of each VerifyContinue, which must come
// in the order of the previous request. Reports that are missing were rejected by the Leader.
func matchContinue(t *preparedTask, job HelperJob, req *dap.AggregationJobContinueReq) ([]*HelperReport, error) {
	reports := make([]*HelperReport, len(req.VerifyContinues))
	next := 0
	for i := range req.VerifyContinues {
		for next < len(job.Reports) && job.Reports[next].ID != req.VerifyContinues[i].ReportID {
			next++
		}
		if next == len(job.Reports) {
			return nil, peerError(t.ID, dap.ErrorTypeInvalidMessage, "report %d of the continuation is not being verified, or is out of order", i)
		}
		reports[i] = &job.Reports[next]
		next++
	}
	return reports, nil
}

// computeContinue takes the reports of a job one step further, and commits the step.
func (h *Helper) computeContinue(ctx context.Context, t *preparedTask, job HelperJob, req *dap.AggregationJobContinueReq, reports []*HelperReport) (AggregationStatus, error) {
	started := h.now()
	ids := make([]dap.ReportID, len(reports))
	for i, r := range reports {
		ids[i] = r.ID
	}
	states := make([]pingpong.State, len(reports))
	failed := make([]error, len(reports))
	err := h.cpu.inChunks(ctx, t, len(reports), func(lo, hi int) {
		before := make([]pingpong.State, hi-lo)
		inbound := make([][]byte, hi-lo)
		for i := lo; i < hi; i++ {
			before[i-lo], failed[i] = t.topology.DecodeState(false, job.AggParam, reports[i].State)
			inbound[i-lo] = req.VerifyContinues[i].Payload
		}
		copy(states[lo:hi], t.topology.HelperContinued(t.vdafContext, job.AggParam, before, inbound))
	})
	if err != nil {
		return AggregationStatus{}, err
	}
	for i, err := range failed {
		if err != nil { // our own record, so not the Leader's fault
			return AggregationStatus{}, fmt.Errorf("stored state of report %s: %w", ids[i], err)
		}
	}
	times := func(i int) dap.Time { return reports[i].Time }
	return h.commitStep(ctx, &computedStep{
		task: t, job: job, kind: "continue", started: started, ids: ids, times: times, states: states,
		rejections: make([]dap.ReportError, len(reports)),
	})
}
