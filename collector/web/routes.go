package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/collector/wire"
	"github.com/twofold-dap/twofold/dap"
)

const (
	smallBody = 256 << 10
	fileBody  = 5 << 20 // a task file of 2 MiB as a JSON string
)

// routes are the operations of the API, as in openapi.yaml.
var routes = []route{
	{http.MethodGet, "/api/v1/openapi.yaml", "", 0, (*Handler).openAPI},
	{http.MethodGet, "/api/v1/tasks", service.ScopeRead, 0, (*Handler).tasks},
	{http.MethodPost, "/api/v1/tasks", service.ScopeAdminister, smallBody, (*Handler).createTask},
	{http.MethodPost, "/api/v1/task_files", service.ScopeAdminister, fileBody, (*Handler).addTask},
	{http.MethodPost, "/api/v1/plans", service.ScopeRead, smallBody, (*Handler).plan},
	{http.MethodGet, "/api/v1/tasks/:task", service.ScopeRead, 0, (*Handler).task},
	{http.MethodGet, "/api/v1/tasks/:task/file", service.ScopeRead, 0, (*Handler).taskFile},
	{http.MethodPut, "/api/v1/tasks/:task/token", service.ScopeAdminister, smallBody, (*Handler).setToken},
	{http.MethodPut, "/api/v1/tasks/:task/schedule", service.ScopeCollect, smallBody, (*Handler).setSchedule},
	{http.MethodGet, "/api/v1/tasks/:task/progress", service.ScopeRead, 0, (*Handler).progress},
	{http.MethodGet, "/api/v1/tasks/:task/collections", service.ScopeRead, 0, (*Handler).collections},
	{http.MethodPost, "/api/v1/tasks/:task/collections", service.ScopeCollect, smallBody, (*Handler).collect},
	{http.MethodGet, "/api/v1/tasks/:task/collections/:number", service.ScopeRead, 0, (*Handler).collection},
	{http.MethodGet, "/api/v1/tasks/:task/results", service.ScopeRead, 0, (*Handler).results},
	{http.MethodGet, "/api/v1/export", service.ScopeRead, 0, (*Handler).export},
	{http.MethodGet, "/api/v1/metrics", service.ScopeRead, 0, (*Handler).metrics},
	{http.MethodGet, "/api/v1/tokens", service.ScopeAdminister, 0, (*Handler).tokens},
	{http.MethodPost, "/api/v1/tokens", service.ScopeAdminister, smallBody, (*Handler).newToken},
	{http.MethodDelete, "/api/v1/tokens/:name", service.ScopeAdminister, 0, (*Handler).deleteToken},
}

func (h *Handler) openAPI(c *gin.Context) error {
	c.Data(http.StatusOK, "application/yaml", OpenAPI)
	return nil
}

func (h *Handler) tasks(c *gin.Context) error {
	tasks, err := h.service.Tasks(c.Request.Context())
	if err != nil {
		return err
	}
	answer := wire.Tasks{Tasks: []wire.Task{}}
	for i := range tasks {
		answer.Tasks = append(answer.Tasks, wire.NewTask(&tasks[i]))
	}
	return writeJSON(c, http.StatusOK, answer)
}

func (h *Handler) createTask(c *gin.Context) error {
	draft, err := readDraft(c)
	if err != nil {
		return err
	}
	task, err := h.service.CreateTask(c.Request.Context(), draft)
	return created(c, task, err)
}

func (h *Handler) addTask(c *gin.Context) error {
	var request wire.TaskFile
	if err := readJSON(c, &request); err != nil {
		return err
	}
	task, err := h.service.AddTask(c.Request.Context(), []byte(request.File))
	return created(c, task, err)
}

func created(c *gin.Context, task service.Task, err error) error {
	if err != nil {
		return err
	}
	c.Header("Location", "/api/v1/tasks/"+task.ID.String())
	return writeJSON(c, http.StatusCreated, wire.NewTask(&task))
}

func (h *Handler) plan(c *gin.Context) error {
	draft, err := readDraft(c)
	if err != nil {
		return err
	}
	plan, err := h.service.Plan(c.Request.Context(), draft)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, wire.NewPlan(&plan))
}

func readDraft(c *gin.Context) (service.Draft, error) {
	var draft wire.Draft
	if err := readJSON(c, &draft); err != nil {
		return service.Draft{}, err
	}
	return draft.Service()
}

func (h *Handler) task(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	return h.writeTask(c, id)
}

func (h *Handler) writeTask(c *gin.Context, id dap.TaskID) error {
	task, err := h.service.Task(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, wire.NewTask(&task))
}

func (h *Handler) taskFile(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	text, err := h.service.TaskFile(c.Request.Context(), id)
	if err != nil {
		return err
	}
	c.Header("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": id.String() + ".task"}))
	c.Data(http.StatusOK, "application/toml", text)
	return nil
}

func (h *Handler) setToken(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	var request wire.TaskToken
	if err := readJSON(c, &request); err != nil {
		return err
	}
	if err := h.service.SetToken(c.Request.Context(), id, request.Token); err != nil {
		return err
	}
	return h.writeTask(c, id)
}

func (h *Handler) setSchedule(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	var request wire.Schedule
	if err := readJSON(c, &request); err != nil {
		return err
	}
	schedule, err := request.Service()
	if err != nil {
		return err
	}
	if err := h.service.SetSchedule(c.Request.Context(), id, schedule); err != nil {
		return err
	}
	return h.writeTask(c, id)
}

func (h *Handler) progress(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	progress, err := h.service.Progress(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, wire.NewProgress(&progress))
}

func (h *Handler) collections(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	filter, err := filterOf(c)
	if err != nil {
		return err
	}
	all, err := h.service.Collections(c.Request.Context(), id, filter)
	if err != nil {
		return err
	}
	answer := wire.Collections{Collections: []wire.Collection{}}
	for i := range all {
		answer.Collections = append(answer.Collections, wire.NewCollection(&all[i]))
	}
	return writeJSON(c, http.StatusOK, answer)
}

func (h *Handler) collect(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	var request wire.CollectRequest
	if err := readJSON(c, &request); err != nil {
		return err
	}
	var wanted service.CollectRequest
	if request.Start != nil {
		wanted.Start = *request.Start
	}
	if request.End != nil {
		wanted.End = *request.End
	}
	collection, err := h.service.Collect(c.Request.Context(), id, wanted)
	if err != nil {
		return err
	}
	c.Header("Location", fmt.Sprintf("/api/v1/tasks/%s/collections/%d", id, collection.Number))
	return writeJSON(c, http.StatusAccepted, wire.NewCollection(&collection))
}

func (h *Handler) collection(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(c.Param("number"), 10, 64)
	if err != nil {
		return service.ErrNotFound
	}
	collection, err := h.service.Collection(c.Request.Context(), id, number)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, wire.NewCollection(&collection))
}

func (h *Handler) results(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	filter, err := filterOf(c)
	if err != nil {
		return err
	}
	format, err := formatOf(c)
	if err != nil {
		return err
	}
	all, err := h.service.Results(c.Request.Context(), id, filter)
	if err != nil {
		return err
	}
	answer := wire.Results{Results: []wire.Result{}}
	for i := range all {
		answer.Results = append(answer.Results, wire.NewResult(&all[i]))
	}
	if format == "json" {
		return writeJSON(c, http.StatusOK, answer)
	}
	c.Header("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": id.String() + ".csv"}))
	c.Header("Content-Type", "text/csv; charset=utf-8; header=present")
	c.Status(http.StatusOK)
	return wire.WriteCSV(c.Writer, answer.Results)
}

// formatOf is what the parameter format asks for, or else the header Accept.
func formatOf(c *gin.Context) (string, error) {
	format, given := c.GetQuery("format")
	switch {
	case format == "json", format == "csv":
		return format, nil
	case !given:
		if accept := c.GetHeader("Accept"); strings.Contains(accept, "text/csv") && !strings.Contains(accept, "application/json") {
			return "csv", nil
		}
		return "json", nil
	default:
		return "", &service.FieldError{Field: "format", Problem: fmt.Sprintf("is %q; write json or csv", format)}
	}
}

func (h *Handler) tokens(c *gin.Context) error {
	tokens, err := h.service.Tokens(c.Request.Context())
	if err != nil {
		return err
	}
	answer := wire.Tokens{Tokens: []wire.Token{}}
	for _, t := range tokens {
		answer.Tokens = append(answer.Tokens, wire.Token{Name: t.Name, Scope: string(t.Scope), CreatedAt: &t.CreatedAt})
	}
	return writeJSON(c, http.StatusOK, answer)
}

func (h *Handler) newToken(c *gin.Context) error {
	var request struct {
		Name  string `json:"name"`
		Scope string `json:"scope"`
	}
	if err := readJSON(c, &request); err != nil {
		return err
	}
	token, err := h.service.NewToken(c.Request.Context(), request.Name, service.Scope(request.Scope))
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusCreated, wire.Token{Name: request.Name, Scope: request.Scope, Token: token})
}

func (h *Handler) deleteToken(c *gin.Context) error {
	if err := h.service.DeleteToken(c.Request.Context(), c.Param("name")); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}

// taskID is the task of the path. What is no task ID is none that is known.
func taskID(c *gin.Context) (dap.TaskID, error) {
	id, err := dap.ParseTaskID(c.Param("task"))
	if err != nil {
		return id, service.ErrNotFound
	}
	return id, nil
}

// dateTime is what a time of RFC 3339 looks like. time.Parse also takes an hour of one digit and a comma.
var dateTime = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`)

// filterOf reads the parameters from, to and limit.
func filterOf(c *gin.Context) (filter service.Filter, err error) {
	for name, field := range map[string]*time.Time{"from": &filter.From, "to": &filter.To} {
		if text, given := c.GetQuery(name); given {
			if *field, err = time.Parse(time.RFC3339, text); err != nil || !dateTime.MatchString(text) {
				return filter, &service.FieldError{Field: name, Problem: "is not a time as in RFC 3339; write it like 2026-01-31T08:00:00Z"}
			}
		}
	}
	if text, given := c.GetQuery("limit"); given {
		if filter.Limit, err = strconv.Atoi(text); err != nil || filter.Limit < 1 {
			return filter, &service.FieldError{Field: "limit", Problem: "must be a whole number, 1 or more"}
		}
	}
	return filter, nil
}

// readJSON reads the one object of a request's body, strictly.
func readJSON(c *gin.Context, into any) error {
	if name, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || name != "application/json" {
		return &service.FieldError{Field: "Content-Type", Problem: "must be application/json"}
	}
	decoder := json.NewDecoder(c.Request.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = errors.New("there is more after the object")
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &service.FieldError{Field: wrong.Field, Problem: "is a JSON " + wrong.Value + ", which it cannot be"}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return &service.FieldError{Field: strings.Trim(name, `"`), Problem: "is not a field of this request"}
	}
	return &service.FieldError{Field: "body", Problem: "is not one JSON object as the API's document describes it"}
}

func writeJSON(c *gin.Context, status int, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	c.Data(status, "application/json", append(body, '\n'))
	return nil
}
