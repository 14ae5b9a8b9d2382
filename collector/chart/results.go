package chart

import (
	"fmt"
	"time"
)

// Kind says what the values of a result are.
type Kind int

const (
	// Number is a single value: of Prio3Count and Prio3Sum.
	Number Kind = iota
	// Distribution is the buckets of one quantity, in their order: of Prio3Histogram.
	Distribution
	// Several is values of one unit beside each other: of Prio3MultihotCountVec.
	Several
	// Quantities is values that may be of different units: of Prio3SumVec.
	Quantities
)

// Results are those of a task, the oldest first.
type Results struct {
	Kind Kind
	// Title stands above the chart; empty for none.
	Title string
	// Unit is what the values count, such as "reports"; it stands at the axis. May be empty.
	Unit string
	// Labels name the values. Values beyond its end are named by their index.
	Labels  []string
	Batches []Batch
}

// Batch is the result of one batch.
type Batch struct {
	// Start and End are the times of its reports, up to but without End.
	Start, End time.Time
	Values     []float64
	// Margins are half the width of the interval around each value, 0 where there is none. Nil for none at all.
	Margins []float64
}

// middle is where a batch stands on an axis of time, in seconds since 1970.
func (b Batch) middle() float64 { return float64(b.Start.Unix()+b.End.Unix()) / 2 }

func (b Batch) value(i int) float64 {
	if i < len(b.Values) {
		return b.Values[i]
	}
	return 0
}

func (b Batch) margin(i int) float64 {
	if i < len(b.Margins) && b.Margins[i] > 0 {
		return b.Margins[i]
	}
	return 0
}

// width is the greatest number of values that a batch has.
func (r Results) width() int {
	n := 0
	for _, b := range r.Batches {
		n = max(n, len(b.Values))
	}
	return n
}

func (r Results) label(i int) string {
	if i < len(r.Labels) {
		return r.Labels[i]
	}
	return fmt.Sprint(i)
}

const (
	// maxBars is how many bars stand below each other with their labels.
	maxBars = 40
	// maxPanels is how many small multiples there are at most.
	maxPanels = 9
	// maxRows and maxCells bound a heat map. With more rows neighbours are added up, with more cells the oldest batches are left out.
	maxRows  = 120
	maxCells = 4000
)

// Newest returns the chart of the newest batch.
func (r Results) Newest() Chart {
	if len(r.Batches) == 0 {
		return empty{r}
	}
	return r.At(len(r.Batches) - 1)
}

// At returns the chart of batch i.
func (r Results) At(i int) Chart {
	r.Batches = r.Batches[i : i+1]
	switch {
	case r.width() == 0:
		return empty{r}
	case r.width() <= maxBars:
		return bars{r}
	default:
		return outline{r}
	}
}

// OverTime returns the chart of all batches, in which each stands at the middle of its interval.
func (r Results) OverTime() Chart {
	n := r.width()
	switch {
	case n == 0:
		return empty{r}
	case r.Kind == Number:
		return panels{r, []int{0}}
	case r.Kind != Distribution && n <= maxPanels:
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return panels{r, all}
	}
	if n > maxRows {
		r = r.joined((n + maxRows - 1) / maxRows)
		n = r.width()
	}
	if most := max(1, maxCells/n); len(r.Batches) > most {
		r.Batches = r.Batches[len(r.Batches)-most:]
	}
	return heat{r}
}

// joined returns the results with each run of that many neighbouring values added up, and labelled by its ends.
func (r Results) joined(run int) Results {
	n := r.width()
	var labels []string
	for i := 0; i < n; i += run {
		labels = append(labels, r.label(i)+" … "+r.label(min(i+run, n)-1))
	}
	batches := make([]Batch, len(r.Batches))
	for k, b := range r.Batches {
		batches[k] = Batch{Start: b.Start, End: b.End, Values: make([]float64, len(labels))}
		for i := range n {
			batches[k].Values[i/run] += b.value(i)
		}
	}
	r.Labels, r.Batches = labels, batches
	return r
}
