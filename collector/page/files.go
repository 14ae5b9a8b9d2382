package page

import (
	"bytes"
	"encoding/csv"
	"mime"
	"strconv"
	"strings"
	"unicode"

	"github.com/twofold-dap/twofold/collector/service"
)

// downloadFile sends the task's file.
func (s *server) downloadFile(r *request) error {
	task, err := s.task(r)
	if err != nil {
		return err
	}
	file, err := s.analyst.TaskFile(r.Context(), task.ID)
	if err != nil {
		return err
	}
	return r.send("application/octet-stream", attachment(task.Name, "task"), file)
}

// downloadCSV sends all results.
func (s *server) downloadCSV(r *request) error {
	task, err := s.task(r)
	if err != nil {
		return err
	}
	results, err := s.analyst.Results(r.Context(), task.ID, service.Filter{})
	if err != nil {
		return err
	}
	return r.sendCSV(task.Name, results)
}

// downloadResult sends one result.
func (s *server) downloadResult(r *request) error {
	task, collection, err := s.collection(r)
	if err != nil {
		return err
	}
	return r.sendCSV(task.Name+" "+strconv.FormatUint(collection.Number, 10), []service.Result{*collection.Result})
}

// sendCSV sends results as CSV, a row for each number.
func (r *request) sendCSV(name string, results []service.Result) error {
	var buffer bytes.Buffer
	w := csv.NewWriter(&buffer)
	rows := [][]string{{"collection", "start", "end", "collected_at", "reports", "label", "value", "standard_error", "low_95", "high_95"}}
	for _, result := range results {
		for _, v := range result.Values {
			rows = append(rows, []string{
				strconv.FormatUint(result.Number, 10), iso(result.Start), iso(result.End), iso(result.CollectedAt),
				strconv.FormatUint(result.ReportCount, 10), cell(v.Label), v.Number.String(), optional(v.StandardError), optional(v.Low), optional(v.High),
			})
		}
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return r.send("text/csv; charset=utf-8", attachment(name, "csv"), buffer.Bytes())
}

func optional(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', 6, 64)
}

// cell keeps a spreadsheet from taking a label for a formula. A label that begins with a number below zero is none.
func cell(label string) string {
	if label == "" || !strings.ContainsRune("=+-@\t\r", rune(label[0])) {
		return label
	}
	if label[0] == '-' && len(label) > 1 && label[1] >= '0' && label[1] <= '9' && !strings.ContainsAny(label, "()!|=") {
		return label
	}
	return "'" + label
}

// attachment makes a browser keep an answer as a file, named by what it is of.
func attachment(name, extension string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" .-_", r) {
			return r
		}
		return '-'
	}, name)
	if name = strings.Trim(name, " ."); name == "" {
		name = "twofold"
	}
	if runes := []rune(name); len(runes) > 80 {
		name = string(runes[:80])
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": name + "." + extension})
}
