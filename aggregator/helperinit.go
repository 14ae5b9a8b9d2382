package aggregator

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// CreateAggregationJob handles an encoded AggregationJobInitReq (DAP Section
// 4.5.3.2). The same request again, also while it is computed, gives the same
// job in its current state. Its errors are a *dap.Error, ErrBusy and those of the store.
func (h *Helper) CreateAggregationJob(ctx context.Context, id dap.TaskID, body []byte) (AggregationStatus, error) {
	t, err := h.task(ctx, id)
	if err != nil {
		return AggregationStatus{}, err
	}
	progress, err := h.begin(id, body)
	if err != nil {
		return AggregationStatus{}, err
	}
	defer progress.end()

	jobID := dap.AggregationJobID(contentID("aggregation job", id, body))
	unlock, err := h.jobs.lock(ctx, helperJobKey{id, jobID})
	if err != nil {
		return AggregationStatus{}, err
	}
	defer unlock()
	job, err := h.store.HelperJob(ctx, id, jobID)
	if err == nil {
		return h.statusOf(job), refusal(job)
	}
	if !errors.Is(err, ErrNotFound) {
		return AggregationStatus{}, err
	}

	init, err := h.decodeInit(t, body)
	if err != nil {
		return AggregationStatus{}, err
	}
	if err := h.hold(progress, t, len(init.VerifyInits)); err != nil {
		return AggregationStatus{}, err
	}
	job = HelperJob{
		ID: jobID, Task: id, AggParam: init.AggParam, BatchID: init.batchID,
		RequestDigest: sha256.Sum256(body), CreatedAt: h.now().UTC(), Newest: init.newest(),
	}
	if h.config.Async {
		job.Pending, job.Request = true, body
		return h.deferJob(ctx, job, init)
	}
	// The Leader may give up waiting; what it asks for again is then there.
	return h.computeInit(context.WithoutCancel(ctx), t, job, init)
}

// initRequest is an AggregationJobInitReq that has passed the checks of the job as a whole.
type initRequest struct {
	dap.AggregationJobInitReq
	batchID dap.BatchID // leader-selected
}

// ids are the report IDs of the request.
func (r *initRequest) ids() []dap.ReportID {
	ids := make([]dap.ReportID, len(r.VerifyInits))
	for i := range r.VerifyInits {
		ids[i] = r.VerifyInits[i].ReportShare.Metadata.ReportID
	}
	return ids
}

// newest is the newest time of the reports of the request.
func (r *initRequest) newest() (newest dap.Time) {
	for i := range r.VerifyInits {
		newest = max(newest, r.VerifyInits[i].ReportShare.Metadata.Time)
	}
	return newest
}

// decodeInit decodes an AggregationJobInitReq and makes the checks that fail
// the job, in the order of DAP Section 4.5.3.2.
func (h *Helper) decodeInit(t *preparedTask, body []byte) (*initRequest, error) {
	req, err := dap.DecodeAggregationJobInitReq(body)
	if err != nil {
		return nil, malformed(t.ID, err)
	}
	if len(req.VerifyInits) == 0 {
		return nil, peerError(t.ID, dap.ErrorTypeInvalidMessage, "the aggregation job has no reports")
	}
	leaderSelected := t.Config.BatchMode == dap.BatchModeLeaderSelected
	// An extension of another batch mode is none that this task supports.
	known := func(e dap.AggregationJobExtensionType) bool {
		return leaderSelected && e == dap.AggregationJobExtensionLeaderSelectedBatchID
	}
	if err := dap.CheckAggregationJobExtensions(req.Extensions, known); err != nil {
		return nil, inTask(err, t.ID)
	}
	init := &initRequest{AggregationJobInitReq: req}
	if leaderSelected {
		if init.batchID, err = dap.LeaderSelectedBatchID(req.Extensions); err != nil {
			return nil, inTask(err, t.ID)
		}
	}
	if err := t.topology.ValidAggParam(req.AggParam, nil); err != nil {
		return nil, peerError(t.ID, dap.ErrorTypeInvalidAggregationParameter, "%v", err)
	}
	if req.VerificationKeyID != t.VerifyKeyID {
		return nil, peerError(t.ID, dap.ErrorTypeInvalidMessage, "verification_key_id is %d; the key of this task is %d", req.VerificationKeyID, t.VerifyKeyID)
	}
	seen := make(map[dap.ReportID]struct{}, len(req.VerifyInits))
	for i := range req.VerifyInits {
		seen[req.VerifyInits[i].ReportShare.Metadata.ReportID] = struct{}{}
	}
	if len(seen) != len(req.VerifyInits) {
		return nil, peerError(t.ID, dap.ErrorTypeInvalidMessage, "the report IDs of the aggregation job are not distinct")
	}
	return init, nil
}

// computeInit verifies the reports of a new job, and commits the step.
func (h *Helper) computeInit(ctx context.Context, t *preparedTask, job HelperJob, init *initRequest) (AggregationStatus, error) {
	started := h.now()
	opening, err := h.opening(t, true)
	if err != nil {
		return AggregationStatus{}, err
	}
	ids := init.ids()
	times := func(i int) dap.Time { return init.VerifyInits[i].ReportShare.Metadata.Time }
	rejections, err := h.refused(ctx, t.ID, ids, times)
	if err != nil {
		return AggregationStatus{}, err
	}

	states := make([]pingpong.State, len(ids))
	err = h.cpu.inChunks(ctx, t, len(ids), func(lo, hi int) {
		h.initChunk(opening, init, lo, hi, states, rejections)
	})
	if err != nil {
		return AggregationStatus{}, err
	}
	return h.commitStep(ctx, &computedStep{
		task: t, job: job, kind: "init", started: started, ids: ids, times: times, states: states, rejections: rejections,
	})
}

// refused are the rejections of those reports that will not be counted, whatever comes of verifying them: replays, and
// reports below the task's floor (DAP Section 4.5.4.3 lets a Helper check it before it commits). A Helper that has
// lost a job, because it was restored from a copy or has swept it, has a floor above the job's reports. Made
// anew the job ends with this answer, and a late continuation of the one that was lost finds nothing to continue.
func (h *Helper) refused(ctx context.Context, id dap.TaskID, ids []dap.ReportID, times func(int) dap.Time) ([]dap.ReportError, error) {
	replayed, err := h.store.Replayed(ctx, id, ids)
	if err != nil {
		return nil, err
	}
	floor, err := h.store.Floor(ctx, id)
	if err != nil {
		return nil, err
	}
	rejections := make([]dap.ReportError, len(ids))
	for i := range ids {
		switch {
		case replayed[i]:
			rejections[i] = dap.ReportErrorReportReplayed
		case times(i) < floor:
			rejections[i] = dap.ReportErrorReportDropped
		}
	}
	return rejections, nil
}

// initChunk opens and verifies the reports from lo to hi that are not rejected
// yet, as one batch.
func (h *Helper) initChunk(opening *inputShareOpening, init *initRequest, lo, hi int, states []pingpong.State, rejections []dap.ReportError) {
	shares := newShareBatch(hi - lo)
	for i := lo; i < hi; i++ {
		if rejections[i] == 0 {
			shares.add(i, init.VerifyInits[i].ReportShare)
		}
	}
	reports := make([]pingpong.Report, 0, hi-lo)
	at := make([]int, 0, hi-lo)
	opening.open(shares, func(i int, payload []byte, rejection dap.ReportError) {
		if rejections[i] = rejection; rejection != 0 {
			return
		}
		v := &init.VerifyInits[i]
		share := &v.ReportShare
		reports = append(reports, pingpong.Report{
			Nonce: share.Metadata.ReportID[:], PublicShare: share.PublicShare, InputShare: payload, Inbound: v.Payload,
		})
		at = append(at, i)
	})
	t := opening.task
	for k, s := range t.topology.HelperInit(t.VerifyKey, t.vdafContext, init.AggParam, reports) {
		states[at[k]] = s
	}
}

// computedStep is a step of a job after verification. The report at i has the
// ID ids[i] and the time times(i), and is rejected if rejections[i] or states[i] says so.
type computedStep struct {
	task       *preparedTask
	job        HelperJob
	kind       string // for the metrics
	started    time.Time
	ids        []dap.ReportID
	times      func(int) dap.Time
	states     []pingpong.State
	rejections []dap.ReportError
}

// commitStep makes the responses of a step, and commits it.
func (h *Helper) commitStep(ctx context.Context, c *computedStep) (AggregationStatus, error) {
	step := HelperStep{Job: c.job, Responses: make([]dap.VerifyResp, len(c.ids))}
	step.Job.Pending, step.Job.Request, step.Job.Response, step.Job.Reports = false, nil, nil, nil
	for i, s := range c.states {
		response := &step.Responses[i]
		response.ReportID = c.ids[i]
		switch {
		case c.rejections[i] != 0:
			response.Type, response.Error = dap.VerifyRespReject, c.rejections[i]
		case s.Kind == pingpong.Rejected:
			response.Type, response.Error = dap.VerifyRespReject, verificationError(s.Err)
		case s.Kind == pingpong.Continued:
			stored, err := c.task.topology.EncodeState(s)
			if err != nil {
				return AggregationStatus{}, err
			}
			step.Job.Reports = append(step.Job.Reports, HelperReport{ID: c.ids[i], Time: c.times(i), State: stored})
			response.Type, response.Payload = dap.VerifyRespContinue, s.Outbound
		case s.Kind == pingpong.FinishedWithOutbound, s.Kind == pingpong.Finished:
			response.Type, response.Payload = dap.VerifyRespFinish, nil
			if s.Kind == pingpong.FinishedWithOutbound {
				response.Type, response.Payload = dap.VerifyRespContinue, s.Outbound
			}
			step.Commits = append(step.Commits, HelperCommit{Index: i, ID: c.ids[i], Time: c.times(i), OutShare: s.OutShare})
		default:
			return AggregationStatus{}, &pingpong.StateError{Problem: s.Kind.String() + " after a transition"}
		}
	}
	stored, err := h.store.CommitHelperStep(ctx, step, c.task.topology)
	if errors.Is(err, ErrNotFound) && c.job.Step == 0 {
		return h.deletedJob(c.job, c.ids)
	}
	if errors.Is(err, ErrNotFound) {
		return AggregationStatus{}, unrecognizedJob(c.task.ID)
	}
	if err != nil {
		return AggregationStatus{}, err
	}
	h.countStep(c, step, stored)
	return h.statusOf(stored), nil
}

// countStep counts what a step did, by the answer that was stored.
func (h *Helper) countStep(c *computedStep, step HelperStep, stored HelperJob) {
	h.metrics.steps.WithLabelValues(c.kind).Inc()
	h.metrics.stepSeconds.Observe(sinceSeconds(c.started, h.now()))
	resp, err := dap.DecodeAggregationJobResp(stored.Response)
	if err != nil || len(resp.VerifyResps) != len(step.Responses) {
		return // a later step's answer: this one was counted when it was committed
	}
	h.metrics.countResponses(step, resp.VerifyResps)
}
