package api

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// helperHandlers serve a Helper's resources.
type helperHandlers struct {
	engine   HelperEngine
	frontend *frontend
}

// NewHelperHandler returns the handler of a Helper's resources: HPKE
// configurations, aggregation jobs and aggregate shares (DAP Sections 4.4.1,
// 4.5 and 4.6.4). Every error answer is a problem document. It is safe for
// concurrent use.
func NewHelperHandler(engine HelperEngine, options Options) http.Handler {
	f := newFrontend(options)
	h := &helperHandlers{engine, f}
	f.handle(http.MethodGet, "/hpke_config", f.hpkeConfig(engine.HpkeConfigList))
	f.handle(http.MethodPost, "/tasks/:task/aggregation_jobs", h.createAggregationJob)
	f.handle(http.MethodPost, "/tasks/:task/aggregation_jobs/:job", h.continueAggregationJob)
	f.handle(http.MethodGet, "/tasks/:task/aggregation_jobs/:job", h.pollAggregationJob)
	f.handle(http.MethodDelete, "/tasks/:task/aggregation_jobs/:job", h.deleteAggregationJob)
	f.handle(http.MethodPost, "/tasks/:task/aggregate_shares", h.createAggregateShare)
	f.handle(http.MethodGet, "/tasks/:task/aggregate_shares/:share", h.pollAggregateShare)
	f.handle(http.MethodDelete, "/tasks/:task/aggregate_shares/:share", h.deleteAggregateShare)
	return f
}

// createAggregationJob answers POST {helper}/tasks/{task-id}/aggregation_jobs
// (DAP Section 4.5.3.2).
func (h *helperHandlers) createAggregationJob(x *exchange) (response, error) {
	task, err := h.task(x, h.frontend.aggregationJobs)
	if err != nil {
		return response{}, err
	}
	body, err := x.body(dap.MediaTypeAggregationJobInitReq)
	if err != nil {
		return response{}, err
	}
	status, err := h.engine.CreateAggregationJob(x.request.Context(), task, body)
	if err != nil {
		return response{}, err
	}
	r := h.aggregationJob(task, status)
	if r.location == "" { // a new job's location is always told
		r.location = h.jobLocation(task, status.ID)
	}
	return r, nil
}

// continueAggregationJob answers POST on an aggregation job (DAP Section 4.5.4.2).
func (h *helperHandlers) continueAggregationJob(x *exchange) (response, error) {
	task, job, err := h.anyJob(x)
	if err != nil {
		return response{}, err
	}
	body, err := x.body(dap.MediaTypeAggregationJobContinueReq)
	if err != nil {
		return response{}, err
	}
	status, err := h.engine.ContinueAggregationJob(x.request.Context(), task, job, body)
	if err != nil {
		return response{}, err
	}
	return h.aggregationJob(task, status), nil
}

// pollAggregationJob answers GET on an aggregation job. The query must name
// the step (DAP Sections 4.5.3.2 and 4.5.4.2).
func (h *helperHandlers) pollAggregationJob(x *exchange) (response, error) {
	task, job, err := h.job(x)
	if err != nil {
		return response{}, err
	}
	step, err := stepOf(x.request.URL.RawQuery)
	if err != nil {
		return response{}, err
	}
	status, err := h.engine.PollAggregationJob(x.request.Context(), task, job, step)
	if err != nil {
		return response{}, err
	}
	return h.aggregationJob(task, status), nil
}

// deleteAggregationJob answers DELETE on an aggregation job (DAP Section 4.5.5).
func (h *helperHandlers) deleteAggregationJob(x *exchange) (response, error) {
	task, job, err := h.job(x)
	if err != nil {
		return response{}, err
	}
	return response{}, h.engine.DeleteAggregationJob(x.request.Context(), task, job)
}

// createAggregateShare answers POST {helper}/tasks/{task-id}/aggregate_shares
// (DAP Section 4.6.4).
func (h *helperHandlers) createAggregateShare(x *exchange) (response, error) {
	task, err := h.task(x, h.frontend.collectionJobs)
	if err != nil {
		return response{}, err
	}
	body, err := x.body(dap.MediaTypeAggregateShareReq)
	if err != nil {
		return response{}, err
	}
	status, err := h.engine.CreateAggregateShare(x.request.Context(), task, body)
	if err != nil {
		return response{}, err
	}
	r := h.aggregateShare(status)
	r.location = h.frontend.location("tasks", task.String(), "aggregate_shares", status.ID.String())
	return r, nil
}

// pollAggregateShare answers GET on an aggregate share.
func (h *helperHandlers) pollAggregateShare(x *exchange) (response, error) {
	task, share, err := h.share(x)
	if err != nil {
		return response{}, err
	}
	status, err := h.engine.PollAggregateShare(x.request.Context(), task, share)
	if err != nil {
		return response{}, err
	}
	return h.aggregateShare(status), nil
}

// deleteAggregateShare answers DELETE on an aggregate share (DAP Section 4.6.5).
func (h *helperHandlers) deleteAggregateShare(x *exchange) (response, error) {
	task, share, err := h.share(x)
	if err != nil {
		return response{}, err
	}
	return response{}, h.engine.DeleteAggregateShare(x.request.Context(), task, share)
}

// aggregationJob returns the answer about a job: the response of its step, or
// where and when to ask for it.
func (h *helperHandlers) aggregationJob(task dap.TaskID, status aggregator.AggregationStatus) response {
	if !status.Ready {
		return response{
			location:   h.jobLocation(task, status.ID) + "?step=" + strconv.Itoa(int(status.Step)),
			retryAfter: h.frontend.retryAfter(status.RetryAfter),
		}
	}
	return response{mediaType: dap.MediaTypeAggregationJobResp, body: status.Body}
}

func (h *helperHandlers) aggregateShare(status aggregator.AggregateShareStatus) response {
	if !status.Ready {
		return response{retryAfter: h.frontend.retryAfter(status.RetryAfter)}
	}
	return response{mediaType: dap.MediaTypeAggregateShare, body: status.Body}
}

func (h *helperHandlers) jobLocation(task dap.TaskID, job dap.AggregationJobID) string {
	return h.frontend.location("tasks", task.String(), "aggregation_jobs", job.String())
}

// task returns the task of the path, after its advertisement, if there is one,
// was heeded and the Leader's token was checked. The request is of the class.
func (h *helperHandlers) task(x *exchange, c *class) (dap.TaskID, error) {
	task, err := x.taskID()
	if err != nil {
		return task, err
	}
	token := bearerToken(x.request.Header)
	err = x.advertised(func(encodedConfig []byte) error {
		return h.engine.OptIn(x.request.Context(), task, encodedConfig, token)
	})
	if err != nil {
		return task, err
	}
	if err := h.engine.AuthorizeLeader(x.request.Context(), task, token); err != nil {
		return task, err
	}
	if token == "" {
		return task, aggregator.ErrUnauthorized // whatever the engine says of no token
	}
	x.class = c
	return task, nil
}

// job is anyJob for a request without a body, which has entered its class then.
func (h *helperHandlers) job(x *exchange) (dap.TaskID, dap.AggregationJobID, error) {
	task, job, err := h.anyJob(x)
	if err != nil {
		return task, job, err
	}
	return task, job, x.enter()
}

// anyJob returns the task and the aggregation job of the path. An ID that is not
// of this Helper's form is not the ID of a job.
func (h *helperHandlers) anyJob(x *exchange) (dap.TaskID, dap.AggregationJobID, error) {
	task, err := h.task(x, h.frontend.aggregationJobs)
	if err != nil {
		return task, dap.AggregationJobID{}, err
	}
	job, err := dap.ParseAggregationJobID(x.param("job"))
	if err != nil {
		return task, job, &dap.Error{Type: dap.ErrorTypeUnrecognizedAggregationJob, TaskID: &task}
	}
	return task, job, nil
}

// share returns the task and the aggregate share of the path, for a request without a body, which
// has entered its class then.
func (h *helperHandlers) share(x *exchange) (dap.TaskID, dap.AggregateShareID, error) {
	task, err := h.task(x, h.frontend.collectionJobs)
	if err != nil {
		return task, dap.AggregateShareID{}, err
	}
	if err := x.enter(); err != nil {
		return task, dap.AggregateShareID{}, err
	}
	share, err := dap.ParseAggregateShareID(x.param("share"))
	if err != nil {
		return task, share, aggregator.ErrNotFound
	}
	return task, share, nil
}

// stepOf returns the step that a query names.
func stepOf(rawQuery string) (uint16, error) {
	invalid := func(problem string) (uint16, error) {
		return 0, &dap.Error{Type: dap.ErrorTypeInvalidMessage, Detail: "the URL's query parameter step: " + problem}
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return invalid("the query is malformed")
	}
	steps := query["step"]
	if len(steps) != 1 {
		return invalid(strconv.Itoa(len(steps)) + " of them; there must be one")
	}
	step, err := strconv.ParseUint(steps[0], 10, 16)
	if err != nil {
		return invalid("not a number from 0 to 65535")
	}
	return uint16(step), nil
}
