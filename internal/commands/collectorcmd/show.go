package collectorcmd

import (
	"bytes"
	"math/big"
	"os"
	"path/filepath"
	"strings"

	"github.com/twofold-dap/twofold/collector/chart"
	"github.com/twofold-dap/twofold/collector/wire"
	"github.com/twofold-dap/twofold/dap"
)

// show shows a result as the flags say, and draws it if they do.
func (run *collection) show(r resultJSON) error {
	out := run.command.OutOrStdout()
	err := run.print(run.command, r, func() error {
		if run.flags.csv {
			return wire.WriteCSV(out, []wire.Result{run.wireResult(r)})
		}
		if err := printResult(out, r); err != nil {
			return err
		}
		return printChart(out, r)
	})
	if err != nil || run.flags.plot == "" {
		return err
	}
	return run.draw(r)
}

// wireResult is a result as the API has it; it is of no collection of the service.
func (run *collection) wireResult(r resultJSON) wire.Result {
	result := wire.Result{Task: run.file.ID.String(), Start: r.Interval.Start, End: r.Interval.End, ReportCount: r.ReportCount}
	numbers, intervals := numbersOf(r.Result), intervalsOf(r.Interval95)
	labels := labelsOf(r, len(numbers))
	for i, n := range numbers {
		v := wire.Value{Label: labels[i], Value: n}
		if i < len(intervals) {
			standardError, low, high := r.StandardError, floatOf(intervals[i][0]), floatOf(intervals[i][1])
			v.StandardError, v.Low95, v.High95 = &standardError, &low, &high
		}
		result.Values = append(result.Values, v)
	}
	return result
}

func intervalsOf(intervals any) [][2]*big.Int {
	switch v := intervals.(type) {
	case [2]*big.Int:
		return [][2]*big.Int{v}
	case [][2]*big.Int:
		return v
	}
	return nil
}

func floatOf(n *big.Int) float64 {
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// plotFormat is the format that a file's name asks for; empty if none.
func plotFormat(path string) chart.Format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".svg":
		return chart.SVG
	case ".png":
		return chart.PNG
	}
	return ""
}

// draw draws a result into the file of --plot.
func (run *collection) draw(r resultJSON) error {
	numbers, intervals := numbersOf(r.Result), intervalsOf(r.Interval95)
	results := chart.Results{Title: run.file.Name, Unit: "reports", Labels: labelsOf(r, len(numbers))}
	switch run.file.Spec.Config.(type) {
	case dap.Prio3HistogramConfig:
		results.Kind = chart.Distribution
	case dap.Prio3MultihotCountVecConfig:
		results.Kind = chart.Several
	case dap.Prio3SumVecConfig:
		results.Kind, results.Unit = chart.Quantities, "sum"
	case dap.Prio3SumConfig:
		results.Unit = "sum"
	}
	batch := chart.Batch{Start: r.Interval.Start, End: r.Interval.End}
	for i, n := range numbers {
		batch.Values = append(batch.Values, floatOf(n))
		if i < len(intervals) {
			batch.Margins = append(batch.Margins, (floatOf(intervals[i][1])-floatOf(intervals[i][0]))/2)
		}
	}
	results.Batches = []chart.Batch{batch}
	var drawn bytes.Buffer
	if err := chart.Write(&drawn, plotFormat(run.flags.plot), results.Newest(), chart.Look{}); err != nil {
		return err
	}
	return os.WriteFile(run.flags.plot, drawn.Bytes(), 0o644)
}
