package page

import (
	"context"
	"errors"
	"net/http"

	"github.com/twofold-dap/twofold/collector/service"
)

// statusError is an answer that is a problem, and what a person reads of it.
type statusError struct {
	status  int
	problem string
}

func (e *statusError) Error() string { return http.StatusText(e.status) + ": " + e.problem }

// errorView is the page of a problem.
type errorView struct {
	Status  int
	Heading string
	Problem string
}

// headings are what the pages of problems say.
var headings = map[int]errorView{
	http.StatusNotFound:              {Heading: "There is no such page", Problem: "It may have been mistyped, or it may be of a task that this collector does not keep."},
	http.StatusMethodNotAllowed:      {Heading: "That is not possible here", Problem: "This page does not take such a request."},
	http.StatusForbidden:             {Heading: "Not allowed"},
	http.StatusConflict:              {Heading: "That cannot be done now"},
	http.StatusBadRequest:            {Heading: "The request could not be understood"},
	http.StatusUnprocessableEntity:   {Heading: "That cannot be done like this"},
	http.StatusRequestEntityTooLarge: {Heading: "Too large"},
	http.StatusServiceUnavailable:    {Heading: "Too much at once"},
	http.StatusBadGateway:            {Heading: "The Leader did not do it"},
	http.StatusInternalServerError:   {Heading: "Something went wrong here", Problem: "It is in the collector's log. Nothing that was stored is lost; try again."},
}

// explain turns an error into a status and words. What is not for analysts is neither.
func explain(err error) *statusError {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status
	}
	if field, ok := errors.AsType[*service.FieldError](err); ok {
		return &statusError{http.StatusUnprocessableEntity, sentence(field.Error())}
	}
	if notReady, ok := errors.AsType[*service.NotReadyError](err); ok {
		return &statusError{http.StatusConflict, sentence(notReady.Problem)}
	}
	if overlap, ok := errors.AsType[*service.OverlapError](err); ok {
		return &statusError{http.StatusConflict, sentence(overlap.Error())}
	}
	if leader, ok := errors.AsType[*service.LeaderError](err); ok {
		return &statusError{http.StatusBadGateway, sentence(leader.Problem)}
	}
	switch {
	case errors.Is(err, service.ErrNotFound):
		return &statusError{status: http.StatusNotFound}
	case errors.Is(err, service.ErrNoToken):
		return &statusError{http.StatusConflict, sentence(err.Error())}
	case errors.Is(err, service.ErrBusy):
		return &statusError{http.StatusServiceUnavailable, sentence(err.Error())}
	}
	return &statusError{status: http.StatusInternalServerError}
}

// fail shows the page of an error.
func (s *server) fail(r *request, err error) {
	answer := explain(err)
	if answer.status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		s.options.Log.Error("a page failed", "path", r.URL.Path, "status", answer.status, "error", err)
	}
	view := headings[answer.status]
	view.Status = answer.status
	if view.Heading == "" {
		view.Heading = http.StatusText(answer.status)
	}
	if answer.problem != "" {
		view.Problem = answer.problem
	}
	if err := s.show(r, answer.status, "error", view); err != nil {
		s.options.Log.Error("the page of a problem cannot be shown", "error", err)
	}
}
