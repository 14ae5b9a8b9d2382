package collectorcmd

import (
	"fmt"
	"math"
	"math/big"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// privacyFlags are the flags that say how private results are, as they were typed.
type privacyFlags struct {
	epsilon, rho, neighbours, budget                string
	reportsPerClient, reportsPerBatch, maxBatchSize uint64
}

const privacyHelp = `With --epsilon or --rho each aggregator adds noise to every result, so that it is
about as probable whatever one report says: by a factor of e to the EPSILON
(pure differential privacy), or within RHO (zero-concentrated), which has less
noise for results of many numbers. The smaller, the more private and the
noisier; collector plan tells what to expect.`

// mostReports is the greatest number that a task file can hold.
const mostReports = math.MaxInt64

// add adds the flags.
func (f *privacyFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.epsilon, "epsilon", "", "what a result may tell about one report, such as 1, 0.5 or 1/3")
	flags.StringVar(&f.rho, "rho", "", "the same as rho of zero-concentrated differential privacy")
	flags.StringVar(&f.neighbours, "neighbours", taskprivacy.ReplaceOneName, "what may differ: "+taskprivacy.ReplaceOneName+" (what a report says) or "+taskprivacy.RemoveOneName+" (whether it adds anything)")
	flags.StringVar(&f.budget, "budget", "", "what all results may tell about one client; as much as its reports can cost if left out")
	flags.Uint64Var(&f.reportsPerClient, "reports-per-client", 1, "how many reports one client sends at most")
	flags.Uint64Var(&f.reportsPerBatch, "reports-per-batch", 0, "how many of them for one batch at most; all if left out")
	flags.Uint64Var(&f.maxBatchSize, "max-batch-size", 0, "the greatest number of reports in a result; as many as the numbers can hold if left out")
}

// private tells whether there is to be noise.
func (f *privacyFlags) private() bool { return f.epsilon != "" || f.rho != "" }

// parameters parses the flags; nil without noise. What is wrong with one is a *cli.UsageError.
func (f *privacyFlags) parameters(command *cobra.Command, spec vdafspec.Spec, minBatchSize uint64) (*dp.Parameters, error) {
	if !f.private() {
		for _, name := range []string{"neighbours", "budget", "reports-per-client", "reports-per-batch", "max-batch-size"} {
			if command.Flags().Changed(name) {
				return nil, cli.Usagef("--%s goes with --epsilon or --rho", name)
			}
		}
		return nil, nil
	}
	p, err := f.level()
	if err != nil {
		return nil, err
	}
	if p.Neighbours, err = taskprivacy.ParseNeighbours(f.neighbours); err != nil {
		return nil, cli.Usagef("--neighbours: %v", err)
	}
	p.ReportsPerClient, p.ReportsPerBatch = f.reportsPerClient, f.reportsPerBatch
	if p.ReportsPerBatch == 0 {
		p.ReportsPerBatch = p.ReportsPerClient
	}
	if p.ReportsPerBatch == 0 || p.ReportsPerBatch > p.ReportsPerClient {
		return nil, cli.Usagef("--reports-per-client must be at least 1, and --reports-per-batch no more than that")
	}
	if max(p.ReportsPerClient, f.maxBatchSize) > mostReports {
		return nil, cli.Usagef("--reports-per-client and --max-batch-size must be at most %d", uint64(mostReports))
	}
	p.Budget = p.ClientLoss(math.MaxUint64)
	if f.budget != "" {
		if p.Budget, err = taskprivacy.ParseRational(f.budget); err != nil {
			return nil, cli.Usagef("--budget: %v", err)
		}
	}
	return f.withBatchSize(p, spec, minBatchSize)
}

// level parses the measure and the level.
func (f *privacyFlags) level() (p dp.Parameters, err error) {
	switch {
	case f.epsilon != "" && f.rho != "":
		return p, cli.Usagef("give one of --epsilon and --rho")
	case f.epsilon != "":
		p.Kind = dp.PureEpsilon
		if p.Level, err = taskprivacy.ParseRational(f.epsilon); err != nil {
			return p, cli.Usagef("--epsilon: %v", err)
		}
	default:
		p.Kind = dp.ZeroConcentrated
		if p.Level, err = taskprivacy.ParseRational(f.rho); err != nil {
			return p, cli.Usagef("--rho: %v", err)
		}
	}
	return p, nil
}

// withBatchSize sets the maximum batch size, and checks that everything is sound.
func (f *privacyFlags) withBatchSize(p dp.Parameters, spec vdafspec.Spec, minBatchSize uint64) (*dp.Parameters, error) {
	p.MaxBatchSize = f.maxBatchSize
	if p.MaxBatchSize == 0 {
		p.MaxBatchSize = max(minBatchSize, 1)
		mechanism, err := taskprivacy.MechanismOf(spec.Config, p, minBatchSize)
		if err != nil {
			return nil, cli.Usagef("%v", err)
		}
		p.MaxBatchSize = min(mechanism.WrapBound().MaxBatchSize, mostReports)
	}
	if _, err := taskprivacy.MechanismOf(spec.Config, p, minBatchSize); err != nil {
		return nil, cli.Usagef("%v", err)
	}
	return &p, nil
}

// privacyJSON is how private a task's results are.
type privacyJSON struct {
	// Mechanism is "discrete-laplace", with Epsilon, or "discrete-gaussian", with Rho.
	Mechanism        string   `json:"mechanism"`
	Epsilon          *float64 `json:"epsilon,omitempty"`
	Rho              *float64 `json:"rho,omitempty"`
	Neighbours       string   `json:"neighbours"`
	Budget           float64  `json:"budget"`
	ReportsPerClient uint64   `json:"reports_per_client"`
	ReportsPerBatch  uint64   `json:"reports_per_batch"`
	MaxBatchSize     uint64   `json:"max_batch_size"`
}

func newPrivacyJSON(p dp.Parameters) *privacyJSON {
	level := float(p.Level)
	j := &privacyJSON{
		Mechanism: taskprivacy.MechanismName(p.Kind), Neighbours: taskprivacy.NeighboursName(p.Neighbours), Budget: float(p.Budget),
		ReportsPerClient: p.ReportsPerClient, ReportsPerBatch: p.ReportsPerBatch, MaxBatchSize: p.MaxBatchSize,
	}
	if p.Kind == dp.PureEpsilon {
		j.Epsilon = &level
	} else {
		j.Rho = &level
	}
	return j
}

func float(r *big.Rat) float64 {
	f, _ := r.Float64()
	return f
}

// describePrivacy says in one line what a task promises.
func describePrivacy(p dp.Parameters) string {
	symbol := p.Kind.Symbol()
	return fmt.Sprintf("%s = %s for each report (%s), %s for each client of up to %d reports",
		symbol, dp.Decimal(p.Level), p.Neighbours, dp.Decimal(p.Budget), p.ReportsPerClient)
}
