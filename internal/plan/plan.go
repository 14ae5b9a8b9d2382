// Package plan says what a task will cost and give before there is one: how long a report is, what verifying it
// takes, how much noise differential privacy adds and what is left of the answer.
package plan

import (
	"fmt"
	"math"
	"math/big"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

// Error says what is wrong with what was asked.
type Error struct{ Problem string }

func (e *Error) Error() string { return "plan: " + e.Problem }

// Answer is what to expect of a result with noise.
type Answer struct {
	Mechanism *dp.Mechanism
	dp.Uncertainty
	// Mean is what one report adds to one number of the result, on average, and Typical what the number is then.
	Mean, Typical float64
	// RelativeError is the standard error as a part of Typical.
	RelativeError float64
	// MostlyNoise is the batch size below which the standard error is greater than a typical number.
	MostlyNoise uint64
	// EpsilonOfBudget is the ε that the budget is, with the δ Delta, if it is of ρ; both are 0 otherwise.
	Delta, EpsilonOfBudget float64
}

// Delta is the δ with which ρ is shown.
const Delta = 1e-9

// Expect returns what to expect of a batch of that many reports. mean is what one report adds to one number on average;
// 0 stands for DefaultMean. Its error is an *Error or a *taskprivacy.Error.
func Expect(vdaf dap.VdafConfiguration, p dp.Parameters, reports uint64, mean float64) (Answer, error) {
	mechanism, err := taskprivacy.MechanismOf(vdaf, p, 1)
	if err != nil {
		return Answer{}, err
	}
	if err := p.CheckBatchSize(reports); err != nil {
		return Answer{}, &Error{fmt.Sprintf("%d reports are more than the maximum of a batch, %d", reports, p.MaxBatchSize)}
	}
	if mean == 0 {
		mean = DefaultMean(vdaf)
	}
	most, _ := new(big.Float).SetInt(mechanism.Function().PerReport()).Float64()
	if !(mean > 0 && mean <= most) {
		return Answer{}, &Error{fmt.Sprintf("a report adds %g to a number on average; it must be above 0 and at most %g", mean, most)}
	}
	a := Answer{Mechanism: mechanism, Uncertainty: mechanism.Uncertainty(), Mean: mean, Typical: mean * float64(reports)}
	a.RelativeError = a.StandardError / a.Typical
	a.MostlyNoise = toUint64(math.Ceil(a.StandardError / mean))
	if p.Kind == dp.ZeroConcentrated {
		a.Delta = Delta
		if a.EpsilonOfBudget, err = dp.EpsilonOf(p.Budget, Delta); err != nil {
			return Answer{}, err
		}
	}
	return a, nil
}

func toUint64(x float64) uint64 {
	if x >= 1<<63 {
		return 1 << 63
	}
	return uint64(x)
}

// DefaultMean is what a report adds to a number of the result if the measurements are spread evenly: half of the most that it can
// add, for a histogram its share of the buckets, and for a multihot vector half of the weight, spread over the places.
func DefaultMean(vdaf dap.VdafConfiguration) float64 {
	switch c := vdaf.(type) {
	case dap.Prio3SumConfig:
		return float64(c.MaxMeasurement) / 2
	case dap.Prio3SumVecConfig:
		return float64(c.MaxMeasurement) / 2
	case dap.Prio3HistogramConfig:
		return 1 / float64(c.Length)
	case dap.Prio3MultihotCountVecConfig:
		return float64(min(c.MaxWeight, uint64(c.Length))) / 2 / float64(c.Length)
	}
	return 0.5
}
