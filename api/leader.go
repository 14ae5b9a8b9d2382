package api

import (
	"context"
	"net/http"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// leaderHandlers serve a Leader's resources.
type leaderHandlers struct {
	engine   LeaderEngine
	frontend *frontend
}

// NewLeaderHandler returns the handler of a Leader's resources: HPKE
// configurations, reports and collection jobs (DAP Sections 4.4 and 4.6), and tasks' progress, which is no part of DAP.
// Every error answer is a problem document. It is safe for concurrent use.
func NewLeaderHandler(engine LeaderEngine, options Options) http.Handler {
	f := newFrontend(options)
	h := &leaderHandlers{engine, f}
	f.handle(http.MethodGet, "/hpke_config", f.hpkeConfig(engine.HpkeConfigList))
	f.handle(http.MethodPost, "/tasks/:task/reports", h.upload)
	f.handle(http.MethodPost, "/tasks/:task/collection_jobs", h.createCollectionJob)
	f.handle(http.MethodGet, "/tasks/:task/collection_jobs/:job", h.pollCollectionJob)
	f.handle(http.MethodDelete, "/tasks/:task/collection_jobs/:job", h.deleteCollectionJob)
	f.handle(http.MethodGet, "/tasks/:task/progress", h.progress)
	return f
}

// upload answers POST {leader}/tasks/{task-id}/reports (DAP Section 4.4.2).
func (h *leaderHandlers) upload(x *exchange) (response, error) {
	task, err := h.task(x)
	if err != nil {
		return response{}, err
	}
	if err := h.engine.CheckTask(x.request.Context(), task); err != nil {
		return response{}, err
	}
	x.class = h.frontend.uploads
	body, err := x.body(dap.MediaTypeUploadRequest)
	if err != nil {
		return response{}, err
	}
	ctx, cancel := context.WithTimeout(x.request.Context(), h.frontend.options.Limits.UploadTimeout)
	defer cancel()
	failed, err := h.engine.Upload(ctx, task, body)
	if err != nil || len(failed.Status) == 0 {
		return response{}, err // an empty body says that every report was accepted
	}
	encoded, err := failed.Encode()
	return response{mediaType: dap.MediaTypeUploadErrors, body: encoded}, err
}

// createCollectionJob answers POST {leader}/tasks/{task-id}/collection_jobs
// (DAP Section 4.6.1).
func (h *leaderHandlers) createCollectionJob(x *exchange) (response, error) {
	task, err := h.authorizedTask(x)
	if err != nil {
		return response{}, err
	}
	body, err := x.body(dap.MediaTypeCollectionJobReq)
	if err != nil {
		return response{}, err
	}
	status, err := h.engine.CreateCollectionJob(x.request.Context(), task, body)
	if err != nil {
		return response{}, err
	}
	r := h.collectionJob(status)
	r.location = h.frontend.location("tasks", task.String(), "collection_jobs", status.ID.String())
	return r, nil
}

// pollCollectionJob answers GET on a collection job.
func (h *leaderHandlers) pollCollectionJob(x *exchange) (response, error) {
	task, job, err := h.job(x)
	if err != nil {
		return response{}, err
	}
	status, err := h.engine.PollCollectionJob(x.request.Context(), task, job)
	if err != nil {
		return response{}, err
	}
	return h.collectionJob(status), nil
}

// deleteCollectionJob answers DELETE on a collection job (DAP Section 4.6.3).
func (h *leaderHandlers) deleteCollectionJob(x *exchange) (response, error) {
	task, job, err := h.job(x)
	if err != nil {
		return response{}, err
	}
	return response{}, h.engine.DeleteCollectionJob(x.request.Context(), task, job)
}

func (h *leaderHandlers) collectionJob(status aggregator.CollectionStatus) response {
	if !status.Ready {
		return response{retryAfter: h.frontend.retryAfter(status.RetryAfter)}
	}
	return response{mediaType: dap.MediaTypeCollectionJobResp, body: status.Body}
}

// task returns the task of the path, after its advertisement, if there is one,
// was heeded.
func (h *leaderHandlers) task(x *exchange) (dap.TaskID, error) {
	task, err := x.taskID()
	if err != nil {
		return task, err
	}
	return task, x.advertised(func(encodedConfig []byte) error {
		return h.engine.OptIn(x.request.Context(), task, encodedConfig)
	})
}

// authorizedTask is task for what only the Collector may do.
func (h *leaderHandlers) authorizedTask(x *exchange) (dap.TaskID, error) {
	task, err := h.task(x)
	if err != nil {
		return task, err
	}
	token := bearerToken(x.request.Header)
	if err := h.engine.AuthorizeCollector(x.request.Context(), task, token); err != nil {
		return task, err
	}
	if token == "" {
		return task, aggregator.ErrUnauthorized // whatever the engine says of no token
	}
	x.class = h.frontend.collectionJobs
	return task, nil
}

// job returns the task and the collection job of the path, for a request without a
// body, which has entered its class then. An ID that is none of this Leader's form is not
// the ID of a job.
func (h *leaderHandlers) job(x *exchange) (dap.TaskID, dap.CollectionJobID, error) {
	task, err := h.authorizedTask(x)
	if err != nil {
		return task, dap.CollectionJobID{}, err
	}
	if err := x.enter(); err != nil {
		return task, dap.CollectionJobID{}, err
	}
	job, err := dap.ParseCollectionJobID(x.param("job"))
	if err != nil {
		return task, job, aggregator.ErrNotFound
	}
	return task, job, nil
}
