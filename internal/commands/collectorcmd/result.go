package collectorcmd

import (
	"fmt"
	"io"
	"math/big"
	"text/tabwriter"
	"time"

	"github.com/twofold-dap/twofold/collector"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

type intervalJSON struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// resultJSON is the object of collect. Result is a number, or an array of numbers; with noise they may be negative.
type resultJSON struct {
	ReportCount uint64       `json:"report_count"`
	Interval    intervalJSON `json:"interval"`
	Result      any          `json:"result"`
	Labels      []string     `json:"labels,omitempty"`

	// The rest is there if the task has differential privacy.

	Noise *noiseJSON `json:"noise,omitempty"`
	// StandardError is that of each number; Interval95 is an array of two numbers for each.
	StandardError float64 `json:"standard_error,omitempty"`
	Interval95    any     `json:"interval95,omitempty"`
}

// noiseJSON says what each of the two aggregators has added to each number.
type noiseJSON struct {
	Mechanism string   `json:"mechanism"`
	Epsilon   *float64 `json:"epsilon,omitempty"`
	Rho       *float64 `json:"rho,omitempty"`
	// Neighbours is "replace-one" or "remove-one".
	Neighbours string `json:"neighbours"`
	// Scale is that of the discrete Laplace distribution, SigmaSquared that of the discrete Gaussian.
	Scale        *float64 `json:"scale,omitempty"`
	SigmaSquared *float64 `json:"sigma_squared,omitempty"`
	Description  string   `json:"description"`
}

// newResult makes the object of a result.
func newResult[R uint64 | []uint64](r *collector.Result[R], labels []string) resultJSON {
	object := resultJSON{ReportCount: r.ReportCount, Interval: intervalJSON{r.Start, r.End}, Result: r.Value, Labels: labels}
	n := r.Noise
	if n == nil {
		return object
	}
	object.Noise, object.StandardError = newNoiseJSON(n), n.StandardError
	intervals := make([][2]*big.Int, len(n.Values))
	for i := range intervals {
		intervals[i][0], intervals[i][1] = n.Interval(i)
	}
	object.Result, object.Interval95 = n.Values, intervals
	if _, single := any(r.Value).(uint64); single {
		object.Result, object.Interval95 = n.Values[0], intervals[0]
	}
	return object
}

func newNoiseJSON(n *collector.Noise) *noiseJSON {
	level, scale := float(n.Parameters.Level), float(n.Scale)
	j := &noiseJSON{Mechanism: taskprivacy.MechanismName(n.Parameters.Kind), Neighbours: taskprivacy.NeighboursName(n.Parameters.Neighbours), Description: n.Description}
	if n.Parameters.Kind == dp.PureEpsilon {
		j.Epsilon, j.Scale = &level, &scale
	} else {
		j.Rho, j.SigmaSquared = &level, &scale
	}
	return j
}

// printResult prints a result as a table, with the interval beside each number that has noise.
func printResult(w io.Writer, r resultJSON) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "reports\t%d\n", r.ReportCount)
	fmt.Fprintf(table, "times\t%s to %s\n", r.Interval.Start.Format(time.RFC3339), r.Interval.End.Format(time.RFC3339))
	label := func(i int) string {
		if r.Labels != nil {
			return r.Labels[i]
		}
		return fmt.Sprint(i)
	}
	noisy := func(label string, value *big.Int, interval [2]*big.Int) {
		fmt.Fprintf(table, "%s\t%s\t95%%: %s to %s\n", label, value, interval[0], interval[1])
	}
	switch numbers := r.Result.(type) {
	case *big.Int:
		noisy("result", numbers, r.Interval95.([2]*big.Int))
	case []*big.Int:
		for i, n := range numbers {
			noisy(label(i), n, r.Interval95.([][2]*big.Int)[i])
		}
	case []uint64:
		for i, n := range numbers {
			fmt.Fprintf(table, "%s\t%d\n", label(i), n)
		}
	default:
		fmt.Fprintf(table, "result\t%d\n", numbers)
	}
	if err := table.Flush(); err != nil || r.Noise == nil {
		return err
	}
	_, err := fmt.Fprintf(w, "Each aggregator has added %s.\nThe standard error of each number is %.4g. The intervals are for two honest aggregators.\n", r.Noise.Description, r.StandardError)
	return err
}
