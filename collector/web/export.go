package web

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/collector/wire"
)

// exportLine is one line of an export: one of its members is there.
type exportLine struct {
	Task       *wire.Task       `json:"task,omitempty"`
	File       string           `json:"file,omitempty"` // with Task
	Collection *wire.Collection `json:"collection,omitempty"`
}

// export writes everything but secrets as JSON lines: each task with its file, and then its collections, oldest first, with their results.
func (h *Handler) export(c *gin.Context) error {
	ctx := c.Request.Context()
	tasks, err := h.service.Tasks(ctx)
	if err != nil {
		return err
	}
	c.Header("Content-Type", "application/jsonl")
	encoder := json.NewEncoder(c.Writer)
	encoder.SetEscapeHTML(false)
	for i := range tasks {
		file, err := h.service.TaskFile(ctx, tasks[i].ID)
		if err != nil {
			return err
		}
		task := wire.NewTask(&tasks[i])
		if err := encoder.Encode(exportLine{Task: &task, File: string(file)}); err != nil {
			return err
		}
		all, err := h.service.Collections(ctx, tasks[i].ID, service.Filter{})
		if err != nil {
			return err
		}
		for j := len(all) - 1; j >= 0; j-- {
			collection := wire.NewCollection(&all[j])
			if err := encoder.Encode(exportLine{Collection: &collection}); err != nil {
				return err
			}
		}
	}
	if !c.Writer.Written() { // no tasks
		c.Status(http.StatusOK)
		c.Writer.WriteHeaderNow()
	}
	return nil
}

// metrics writes the newest result of each task, and where the task stands, in Prometheus' text form.
func (h *Handler) metrics(c *gin.Context) error {
	tasks, err := h.service.Tasks(c.Request.Context())
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(taskMetrics(tasks)); err != nil {
		return err
	}
	families, err := registry.Gather()
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&b, family); err != nil {
			return err
		}
	}
	c.Header("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	c.Status(http.StatusOK)
	_, err = io.WriteString(c.Writer, b.String())
	return err
}

// taskMetrics is a prometheus.Collector of tasks.
type taskMetrics []service.Task

var (
	taskLabels  = []string{"task", "name"}
	valueLabels = []string{"task", "name", "index", "label"} // labels need not be unique

	descValue    = prometheus.NewDesc("twofold_result_value", "A number of the newest result.", valueLabels, nil)
	descError    = prometheus.NewDesc("twofold_result_standard_error", "The standard error of a number of the newest result, if it has noise.", valueLabels, nil)
	descReports  = prometheus.NewDesc("twofold_result_reports", "How many reports the newest result is of.", taskLabels, nil)
	descStart    = prometheus.NewDesc("twofold_result_start_timestamp_seconds", "When the time of the newest result begins.", taskLabels, nil)
	descEnd      = prometheus.NewDesc("twofold_result_end_timestamp_seconds", "When the time of the newest result ends.", taskLabels, nil)
	descResults  = prometheus.NewDesc("twofold_results", "How many results there are.", taskLabels, nil)
	descActive   = prometheus.NewDesc("twofold_collections_active", "How many collections are under way.", taskLabels, nil)
	descProblem  = prometheus.NewDesc("twofold_task_problem", "1 if the task does not go on by itself.", taskLabels, nil)
	descSpent    = prometheus.NewDesc("twofold_privacy_spent", "How much of the privacy budget is spent.", taskLabels, nil)
	descBudget   = prometheus.NewDesc("twofold_privacy_budget", "The privacy budget.", taskLabels, nil)
	descriptions = []*prometheus.Desc{descValue, descError, descReports, descStart, descEnd, descResults, descActive, descProblem, descSpent, descBudget}
)

// Describe implements prometheus.Collector.
func (taskMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (tasks taskMetrics) Collect(out chan<- prometheus.Metric) {
	for i := range tasks {
		t := &tasks[i]
		id := t.ID.String()
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{id, t.Name}, labels...)...)
		}
		gauge(descResults, float64(t.Results))
		gauge(descActive, float64(len(t.Active)))
		problem := 0.0
		if t.Problem != "" {
			problem = 1
		}
		gauge(descProblem, problem)
		if t.Privacy != nil {
			gauge(descSpent, t.Privacy.Spent)
			gauge(descBudget, t.Privacy.Budget)
		}
		if r := t.Latest; r != nil {
			gauge(descReports, float64(r.ReportCount))
			gauge(descStart, float64(r.Start.Unix()))
			gauge(descEnd, float64(r.End.Unix()))
			for i, v := range r.Values {
				index := strconv.Itoa(i)
				gauge(descValue, v.Float(), index, v.Label)
				if v.StandardError != nil {
					gauge(descError, *v.StandardError, index, v.Label)
				}
			}
		}
	}
}
