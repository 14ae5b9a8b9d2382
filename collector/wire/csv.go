package wire

import (
	"encoding/csv"
	"io"
	"strconv"
	"time"
)

// csvHeader names the columns of WriteCSV.
var csvHeader = []string{"task", "number", "start", "end", "report_count", "label", "value", "standard_error", "low_95", "high_95"}

// WriteCSV writes results as CSV (RFC 4180) with a header: one line for each number of each result. Fields of exact numbers
// that are about noise are empty.
func WriteCSV(w io.Writer, results []Result) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	for i := range results {
		r := &results[i]
		for _, v := range r.Values {
			err := out.Write([]string{
				r.Task, strconv.FormatUint(r.Number, 10), r.Start.Format(time.RFC3339), r.End.Format(time.RFC3339),
				strconv.FormatUint(r.ReportCount, 10), cell(v.Label), v.Value.String(), number(v.StandardError), number(v.Low95), number(v.High95),
			})
			if err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func number(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'g', -1, 64)
}

// cell keeps a label from being taken for a formula by a spreadsheet.
func cell(text string) string {
	if text != "" {
		switch text[0] {
		case '=', '+', '@', '\t', '\r':
			return "'" + text
		}
	}
	return text
}
