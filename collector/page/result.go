package page

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/twofold-dap/twofold/collector/chart"
	"github.com/twofold-dap/twofold/collector/service"
)

// resultView is a result with its chart and its table.
type resultView struct {
	service.Result
	Task    service.Task
	Picture picture
	Rows    []valueRow
	// Single is the value of a result of one number; nil for others.
	Single *valueRow
	Noisy  bool
	// Shares tells that the values are parts of the number of reports.
	Shares bool
}

func (v resultView) title() string { return v.Task.Name + ", " + span(v.Start, v.End) }

// valueRow is one number of a result, in words.
type valueRow struct {
	Label, Number, Share    string
	StandardError, Interval string // empty if the number is exact
}

// resultRow is a result in the list of a task's results.
type resultRow struct {
	service.Result
	Headline string
}

func rowOf(task service.Task, result service.Result) resultRow {
	return resultRow{result, headline(task, &result)}
}

func viewOf(task service.Task, result service.Result) resultView {
	v := resultView{Result: result, Task: task}
	v.Shares = task.Kind == service.KindHistogram || task.Kind == service.KindMultihot || task.Kind == service.KindCount
	for _, value := range result.Values {
		row := valueRow{Label: named(value.Label), Number: signed(value)}
		if v.Shares {
			row.Share = share(value.Float(), float64(result.ReportCount))
		}
		if !value.Exact() {
			v.Noisy = true
			row.StandardError = chart.FormatNumber(*value.StandardError)
			if value.Low != nil && value.High != nil {
				row.Interval = interval(*value.Low, *value.High)
			}
		}
		v.Rows = append(v.Rows, row)
	}
	if len(v.Rows) == 1 && (task.Kind == service.KindCount || task.Kind == service.KindSum) {
		v.Single = &v.Rows[0]
	}
	v.Picture = pictureOf(resultPath(task, result)+"/chart.svg", gist(result), chartResults(task, []service.Result{result}).Newest())
	return v
}

// signed writes a value exactly, however large, with a true minus sign.
func signed(v service.Value) string {
	text, sign := v.Number.String(), ""
	if text[0] == '-' {
		text, sign = text[1:], "−"
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// interval writes an interval, in whole numbers if it is wide.
func interval(low, high float64) string {
	if high-low >= 10 {
		low, high = math.Round(low), math.Round(high)
	}
	return chart.FormatNumber(low) + " to " + chart.FormatNumber(high)
}

// named is a label, or what stands for one that is empty.
func named(label string) string {
	if strings.TrimSpace(label) == "" {
		return "(no name)"
	}
	return label
}

// greatest is the index of the greatest value, -1 if there is none.
func greatest(values []service.Value) int {
	at := -1
	for i, v := range values {
		if at < 0 || v.Number.Cmp(values[at].Number) > 0 {
			at = i
		}
	}
	return at
}

// headline is a result in a few words; empty for none.
func headline(task service.Task, result *service.Result) string {
	if result == nil || len(result.Values) == 0 {
		return ""
	}
	at := greatest(result.Values)
	switch task.Kind {
	case service.KindCount:
		return signed(result.Values[0]) + " (" + share(result.Values[0].Float(), float64(result.ReportCount)) + ")"
	case service.KindSum:
		return signed(result.Values[0])
	}
	return "most: " + named(result.Values[at].Label) + ", " + signed(result.Values[at])
}

// gist is what a chart of a result shows, for those who do not see it.
func gist(result service.Result) string {
	if len(result.Values) == 0 {
		return "Chart without values."
	}
	at := greatest(result.Values)
	return "Bar chart of " + plural(len(result.Values), "value") + " from " + plural(result.ReportCount, "report") +
		". The greatest is " + named(result.Values[at].Label) + " with " + signed(result.Values[at]) + ". The table has all of them."
}

// resultPath is where a result's page is.
func resultPath(task service.Task, result service.Result) string {
	return taskPath(task.ID) + "/results/" + strconv.FormatUint(result.Number, 10)
}

func (s *server) showResult(r *request) error {
	task, collection, err := s.collection(r)
	if err != nil {
		return err
	}
	return s.show(r, http.StatusOK, "result", viewOf(task, *collection.Result))
}
