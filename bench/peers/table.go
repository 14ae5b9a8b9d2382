package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// table holds what was measured.
type table struct {
	Machine            machine       `json:"machine"`
	Peers              []description `json:"peers"`
	Without            string        `json:"without,omitempty"` // what is missing, and why
	Rounds             int           `json:"rounds"`
	NanosecondsPerStep int64         `json:"nanoseconds_per_step"`
	Workloads          []row         `json:"workloads"`
}

// row is one workload.
type row struct {
	Name        string    `json:"name"`
	ChunkLength int       `json:"chunk_length,omitempty"`
	Reports     int       `json:"reports"` // in the batch
	Steps       []summary `json:"steps"`
}

// summary is one step of one workload: for each column the median CPU time a
// report, and for each other implementation how many times as long as Twofold
// it takes, as the median of the rounds' ratios.
type summary struct {
	Step        string             `json:"step"`
	Nanoseconds map[string]float64 `json:"nanoseconds_per_report"`
	Ratios      map[string]float64 `json:"ratio"`
}

// The steps of an aggregator together.
const (
	stepLeader step = "leader"
	stepHelper step = "helper"
)

// shown are the steps of the table in its order, and their names there.
var shown = []struct {
	step  step
	title string
	parts []step
}{
	{stepShard, "shard", []step{stepShard}},
	{stepLeaderInit, "Leader: verify-init", []step{stepLeaderInit}},
	{stepLeaderRest, "Leader: the rest", []step{stepLeaderRest}},
	{stepLeader, "Leader: verification", []step{stepLeaderInit, stepLeaderRest}},
	{stepHelperInit, "Helper: verify-init", []step{stepHelperInit}},
	{stepHelperRest, "Helper: the rest", []step{stepHelperRest}},
	{stepHelper, "Helper: verification", []step{stepHelperInit, stepHelperRest}},
	{stepAggregate, "aggregate", []step{stepAggregate}},
}

// samples are nanoseconds a report, by step and column, a sample a round.
type samples map[step]map[string][]float64

func (s samples) add(at step, column string, ns float64) {
	if s[at] == nil {
		s[at] = map[string][]float64{}
	}
	s[at][column] = append(s[at][column], ns)
}

// sum adds up a column's steps, round by round; nothing if one was not measured.
func (s samples) sum(parts []step, column string) []float64 {
	total := slices.Clone(s[parts[0]][column])
	for _, part := range parts[1:] {
		more := s[part][column]
		if len(more) != len(total) {
			return nil
		}
		for i := range total {
			total[i] += more[i]
		}
	}
	return total
}

func (s samples) summarize(columns []string) []summary {
	var all []summary
	for _, line := range shown {
		own := s.sum(line.parts, nameTwofold)
		one := summary{Step: string(line.step), Nanoseconds: map[string]float64{}, Ratios: map[string]float64{}}
		for _, column := range columns {
			theirs := s.sum(line.parts, column)
			if len(theirs) == 0 {
				continue
			}
			one.Nanoseconds[column] = median(theirs)
			if column == nameTwofold || column == nameSingle || len(theirs) != len(own) {
				continue
			}
			ratios := make([]float64, len(own))
			for i := range own {
				ratios[i] = theirs[i] / own[i]
			}
			one.Ratios[column] = median(ratios)
		}
		all = append(all, one)
	}
	return all
}

// median sorts a copy of values, of which there must be one at least.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func (t *table) writeJSON(w io.Writer) error { return json.NewEncoder(w).Encode(t) }

// columns are the names of the columns with times, and others those with ratios.
func (t *table) columns() (columns, others []string) {
	for _, p := range t.Peers {
		columns = append(columns, p.Name)
		if p.Name == nameTwofold {
			columns = append(columns, nameSingle)
		} else {
			others = append(others, p.Name)
		}
	}
	return columns, others
}

// grid is the table as text, a line a step, the first line its head.
func (t *table) grid(steps func(step) bool) [][]string {
	columns, others := t.columns()
	head := append([]string{"VDAF", "step"}, columns...)
	for _, name := range others {
		head = append(head, name+" / Twofold")
	}
	lines := [][]string{head}
	for _, r := range t.Workloads {
		name := r.Name
		for _, s := range r.Steps {
			if !steps(step(s.Step)) {
				continue
			}
			line := []string{name, title(s.Step)}
			for _, column := range columns {
				line = append(line, microseconds(s.Nanoseconds, column))
			}
			for _, other := range others {
				line = append(line, ratio(s.Ratios, other))
			}
			lines = append(lines, line)
			name = ""
		}
	}
	return lines
}

func title(s string) string {
	for _, line := range shown {
		if string(line.step) == s {
			return line.title
		}
	}
	return s
}

// missing stands where there is no figure.
const missing = "–"

// microseconds writes a time in µs with three digits.
func microseconds(of map[string]float64, column string) string {
	ns, ok := of[column]
	if !ok {
		return missing
	}
	return digits(ns / 1e3)
}

func ratio(of map[string]float64, column string) string {
	x, ok := of[column]
	if !ok {
		return missing
	}
	return digits(x) + "×"
}

// digits writes x with three significant digits, and a comma between thousands.
func digits(x float64) string {
	switch {
	case x >= 100:
		return thousands(int(math.Round(x)))
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	case x >= 1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}

func rounds(n int) string {
	if n == 1 {
		return "1 round"
	}
	return fmt.Sprintf("%d rounds", n)
}

// writeText prints the whole table with aligned columns.
func (t *table) writeText(w io.Writer) error {
	lines := t.grid(func(step) bool { return true })
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nµs of CPU time a report, medians of %s; %s\n", rounds(t.Rounds), t.Machine.oneLine())
	for _, d := range t.Peers {
		fmt.Fprintf(&b, "%s: %s, %s (wire version %d)\n", d.Name, d.Version, d.Draft, d.WireVersion)
	}
	if t.Without != "" {
		fmt.Fprintln(&b, t.Without)
	}
	fmt.Fprintln(&b)
	for _, line := range lines {
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i < 2 {
				b.WriteString(cell + pad + "  ")
			} else {
				b.WriteString(pad + cell + "  ")
			}
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
