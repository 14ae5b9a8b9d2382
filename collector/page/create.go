package page

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/twofold-dap/twofold/collector/service"
)

// newView is the form of a new task.
type newView struct {
	Form form
	// Plan is what the task would be; nil if that was not asked for, or something is wrong.
	Plan *service.Plan
	// Leader and Helper are those of the newest task, to be suggested.
	Private bool // whether differential privacy is asked for
}

func (newView) title() string { return "New task" }

// showForm shows the form, with the choices that are right for most, and the servers of the newest task.
func (s *server) showForm(r *request) error {
	values := url.Values{
		"kind": {"histogram"}, "min_batch_size": {"100"}, "time_precision": {"1h"}, "batch_mode": {"time-interval"},
		"every": {string(service.EveryHour)}, "delay": {"1m"}, "mechanism": {"pure"}, "neighbours": {"replace-one"}, "level": {"1"}, "budget": {"10"},
	}
	tasks, err := s.analyst.Tasks(r.Context())
	if err != nil {
		return err
	}
	if len(tasks) > 0 {
		newest := tasks[len(tasks)-1]
		values.Set("leader", newest.Leader)
		values.Set("helper", newest.Helper)
	}
	return s.show(r, http.StatusOK, "new", newView{Form: form{Values: values}})
}

// createTask makes a task of the form, or only shows what it would be if that button was pressed.
func (s *server) createTask(r *request) error {
	if r.PostForm.Has("preview") {
		return s.preview(r)
	}
	view := newView{Form: form{Values: r.PostForm}}
	draft := view.Form.draft()
	if len(view.Form.Problems) == 0 {
		task, err := s.analyst.CreateTask(r.Context(), draft)
		if err == nil {
			return r.see(taskPath(task.ID), "The task "+task.Name+" was made. Now both operators have to approve it.")
		}
		if !view.Form.refused(err) {
			return err
		}
	}
	view.Private = draft.Privacy != nil
	return s.show(r, http.StatusUnprocessableEntity, "new", view)
}

// preview shows the form again, with what the task would be.
func (s *server) preview(r *request) error {
	view, err := s.plan(r)
	if err != nil {
		return err
	}
	code := http.StatusOK
	if view.Plan == nil {
		code = http.StatusUnprocessableEntity
	}
	return s.show(r, code, "new", view)
}

// planTask answers the script, as one types: what the task would be, as a part of the page.
func (s *server) planTask(r *request) error {
	view, err := s.plan(r)
	if err != nil {
		return err
	}
	return s.views.fragment(r.w, http.StatusOK, "plan", frame{Data: view})
}

// plan asks what the task of a form would be.
func (s *server) plan(r *request) (newView, error) {
	view := newView{Form: form{Values: r.PostForm}}
	draft := view.Form.draft()
	view.Private = draft.Privacy != nil
	if len(view.Form.Problems) > 0 {
		return view, nil
	}
	plan, err := s.analyst.Plan(r.Context(), draft)
	if err == nil {
		view.Plan = &plan
	} else if !view.Form.refused(err) {
		return view, err
	}
	return view, nil
}

// draft reads the form of a new task.
func (f *form) draft() service.Draft {
	draft := service.Draft{
		Name: f.text("name"), Leader: f.text("leader"), Helper: f.text("helper"), VDAF: f.vdaf(), Labels: f.labels(),
		MinBatchSize: f.whole("min_batch_size"), TimePrecision: f.span("time_precision"), LeaderSelected: f.text("batch_mode") == "leader-selected",
		Start: f.time("start"), Duration: f.span("duration"), Schedule: f.schedule(),
	}
	if f.text("private") != "" {
		draft.Privacy = &service.PrivacyDraft{
			Mechanism: f.text("mechanism"), Level: f.text("level"), Budget: f.text("budget"), Neighbours: f.text("neighbours"),
			ReportsPerClient: f.whole("reports_per_client"), ReportsPerBatch: f.whole("reports_per_batch"), MaxBatchSize: f.whole("max_batch_size"),
		}
	}
	return draft
}

// vdaf is the short form of what is measured, of the fields of its kind.
func (f *form) vdaf() string {
	kind := f.text("kind")
	var parameters []string
	add := func(name, field string) {
		value := strings.Join(strings.Fields(f.text(field)), "")
		if value == "" || strings.ContainsAny(value, ",=") && field != "edges" {
			f.wrong(field, "give a whole number")
			return
		}
		parameters = append(parameters, name+"="+value)
	}
	switch service.Kind(kind) {
	case service.KindCount:
	case service.KindSum:
		add("max", "max")
	case service.KindSumVec:
		add("length", "length")
		add("max", "max")
	case service.KindHistogram:
		if edges := splitEdges(f.text("edges")); len(edges) > 0 {
			parameters = append(parameters, "edges="+strings.Join(edges, ";"))
		} else if f.text("length") != "" {
			add("length", "length")
		} else {
			f.wrong("edges", "give the boundaries of the ranges, such as 0, 15, 30, 60")
		}
	case service.KindMultihot:
		add("length", "length")
		add("max_weight", "max_weight")
	default:
		f.wrong("kind", "choose what is measured")
	}
	if len(parameters) == 0 {
		return kind
	}
	return kind + ":" + strings.Join(parameters, ",")
}

// splitEdges takes numbers apart that are written with commas, semicolons, spaces or lines between them.
func splitEdges(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",; \t\r\n=", r) })
}

// labels reads one name a line. The ranges of a histogram with edges have their own.
func (f *form) labels() []string {
	if f.text("labels") == "" || f.Is("kind", "histogram") && len(splitEdges(f.text("edges"))) > 0 || f.Is("kind", "count") || f.Is("kind", "sum") {
		return nil
	}
	var labels []string
	for line := range strings.Lines(f.text("labels")) {
		labels = append(labels, strings.TrimSpace(line))
	}
	return labels
}
