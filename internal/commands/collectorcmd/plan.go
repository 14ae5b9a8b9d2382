package collectorcmd

import (
	"fmt"
	"io"
	"math"
	"math/big"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/plan"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// planFlags are the flags of plan as they were typed.
type planFlags struct {
	vdaf    string
	reports uint64
	mean    float64
	privacy privacyFlags
}

func (c *commands) plan() *cobra.Command {
	var f planFlags
	command := &cobra.Command{
		Use:   "plan --vdaf VDAF --reports N [--epsilon E | --rho R]",
		Short: "Say what a task would cost and give",
		Long: `Says, before there is a task, how long its reports would be, what verifying them
would take, as measured now on this machine, and, with --epsilon or --rho, how
much noise a result of N reports would have. VDAF is as for collector task new.

` + privacyHelp + `

A typical number of the result is taken to be half of the greatest possible one,
and in a histogram what each bucket gets if all get the same; --mean says what
else a report adds to a number on average.`,
		Example: "  collector plan --vdaf histogram:length=20 --reports 10000 --epsilon 1",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.RequireFlags(command, "vdaf", "reports"); err != nil {
				return err
			}
			object, err := f.plan(command)
			if err != nil {
				return err
			}
			return c.print(command, object, func() error { return printPlan(command.OutOrStdout(), &object) })
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.vdaf, "vdaf", "", "what is measured, see collector task new")
	flags.Uint64Var(&f.reports, "reports", 0, "the number of reports in a result")
	flags.Float64Var(&f.mean, "mean", 0, "what one report adds to one number of the result on average")
	f.privacy.add(command)
	return command
}

// planJSON is the object of plan. Times are in nanoseconds.
type planJSON struct {
	VDAF    string `json:"vdaf"`
	Reports uint64 `json:"reports"`
	// ReportBytes is the length of a report, ForwardedBytes of what the leader sends the helper of it.
	ReportBytes    int `json:"report_bytes"`
	ForwardedBytes int `json:"forwarded_bytes"`
	// LeaderNanoseconds and HelperNanoseconds are what opening and verifying a report takes one processor of this machine.
	LeaderNanoseconds int64 `json:"leader_nanoseconds"`
	HelperNanoseconds int64 `json:"helper_nanoseconds"`
	// Answer is there with noise.
	Answer *answerJSON `json:"answer,omitempty"`

	sample int
}

// answerJSON is what to expect of a result with noise.
type answerJSON struct {
	Privacy       *privacyJSON `json:"differential_privacy"`
	Noise         string       `json:"noise"`
	StandardError float64      `json:"standard_error"`
	// Margin95 is half of the length of each number's 95% interval.
	Margin95 *big.Int `json:"margin95"`
	// TypicalNumber is what a number of the result is if a report adds Mean to it; RelativeError is StandardError as a part of it.
	Mean          float64 `json:"mean"`
	TypicalNumber float64 `json:"typical_number"`
	RelativeError float64 `json:"relative_error"`
	// MostlyNoiseBelow is the number of reports below which the standard error is greater than a typical number.
	MostlyNoiseBelow uint64 `json:"mostly_noise_below"`
	// Batches is how many the budget suffices for; absent if any number.
	Batches *uint64 `json:"batches,omitempty"`
	// EpsilonOfBudget is the budget as ε for the δ Delta, with --rho.
	Delta           float64 `json:"delta,omitempty"`
	EpsilonOfBudget float64 `json:"epsilon_of_budget,omitempty"`
}

func (f *planFlags) plan(command *cobra.Command) (planJSON, error) {
	spec, err := vdafspec.Parse(f.vdaf)
	if err != nil {
		return planJSON{}, cli.Usagef("--vdaf: %v", err)
	}
	if f.reports == 0 || f.reports > mostReports {
		return planJSON{}, cli.Usagef("--reports: must be 1 or more, and at most %d", uint64(mostReports))
	}
	if f.mean < 0 || math.IsNaN(f.mean) || f.mean != 0 && !f.privacy.private() {
		return planJSON{}, cli.Usagef("--mean: must be above 0, and goes with --epsilon or --rho")
	}
	p, err := f.privacy.parameters(command, spec, 1)
	if err != nil {
		return planJSON{}, err
	}
	object := planJSON{VDAF: spec.String(), Reports: f.reports}
	if p != nil {
		answer, err := plan.Expect(spec.Config, *p, f.reports, f.mean)
		if err != nil {
			return planJSON{}, cli.Usagef("%v", err)
		}
		object.Answer = newAnswerJSON(&answer)
	}
	cost, err := plan.Measure(spec)
	if err != nil {
		return planJSON{}, err
	}
	object.ReportBytes, object.ForwardedBytes, object.sample = cost.Report, cost.Forwarded, cost.Sample
	object.LeaderNanoseconds, object.HelperNanoseconds = cost.Leader.Nanoseconds(), cost.Helper.Nanoseconds()
	return object, nil
}

func newAnswerJSON(a *plan.Answer) *answerJSON {
	p := a.Mechanism.Parameters()
	object := &answerJSON{
		Privacy: newPrivacyJSON(p), Noise: a.Mechanism.Describe(), StandardError: a.StandardError, Margin95: a.Margin95,
		Mean: a.Mean, TypicalNumber: a.Typical, RelativeError: a.RelativeError, MostlyNoiseBelow: a.MostlyNoise,
		Delta: a.Delta, EpsilonOfBudget: a.EpsilonOfBudget,
	}
	if batches, unlimited := p.Affordable(); !unlimited {
		object.Batches = &batches
	}
	return object
}

func printPlan(w io.Writer, p *planJSON) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "vdaf\t%s\n", p.VDAF)
	total := func(each float64) float64 { return each * float64(p.Reports) }
	fmt.Fprintf(table, "a report\t%d bytes; the leader forwards %d of it\n", p.ReportBytes, p.ForwardedBytes)
	fmt.Fprintf(table, "%d reports\t%s uploaded, %s forwarded\n", p.Reports, bytesText(total(float64(p.ReportBytes))), bytesText(total(float64(p.ForwardedBytes))))
	fmt.Fprintf(table, "verification\t%s of a processor like this one for a report at the leader, %s at the helper (%d measured)\n",
		time.Duration(p.LeaderNanoseconds).Round(time.Microsecond), time.Duration(p.HelperNanoseconds).Round(time.Microsecond), p.sample)
	fmt.Fprintf(table, "\t%.3g s and %.3g s for all\n", total(float64(p.LeaderNanoseconds))/1e9, total(float64(p.HelperNanoseconds))/1e9)
	if a := p.Answer; a != nil {
		printAnswer(table, p, a)
	} else {
		fmt.Fprintln(table, "noise\tnone: results are exact, and tell what they tell; see --epsilon")
	}
	return table.Flush()
}

func printAnswer(w io.Writer, p *planJSON, a *answerJSON) {
	fmt.Fprintf(w, "noise\teach aggregator adds %s\n", a.Noise)
	fmt.Fprintf(w, "standard error\t%.4g for each number; 95%% of them are within ±%s\n", a.StandardError, a.Margin95)
	fmt.Fprintf(w, "relative error\t%.3g%% of a typical number, %.4g of %d reports\n", 100*a.RelativeError, a.TypicalNumber, p.Reports)
	fmt.Fprintf(w, "mostly noise\tbelow %d reports\n", a.MostlyNoiseBelow)
	symbol := dp.PureEpsilon.Symbol()
	if a.Privacy.Rho != nil {
		symbol = dp.ZeroConcentrated.Symbol()
	}
	batches := "any number of batches"
	if a.Batches != nil {
		batches = fmt.Sprintf("%d batches", *a.Batches)
	}
	fmt.Fprintf(w, "budget\t%s = %g for each client, which suffices for %s\n", symbol, a.Privacy.Budget, batches)
	if a.Delta > 0 {
		fmt.Fprintf(w, "\tε = %.4g with δ = %g\n", a.EpsilonOfBudget, a.Delta)
	}
	fmt.Fprintf(w, "largest batch\t%d reports\n", a.Privacy.MaxBatchSize)
}

// bytesText is a number of bytes for people.
func bytesText(n float64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	for len(units) > 1 && n >= 1000 {
		n, units = n/1000, units[1:]
	}
	return fmt.Sprintf("%.3g %s", n, units[0])
}
