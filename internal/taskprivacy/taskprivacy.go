// Package taskprivacy makes of a task configuration (DAP Section 4.2) the differential privacy that it asks for in its
// extension differential_privacy: the parameters, and the mechanism for the task's VDAF. docs/privacy.md says what
// they mean.
package taskprivacy

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
)

// Error says why a task's differential privacy is unsound: which parameter, what is wrong with it, and what to do.
type Error struct{ Problem string }

func (e *Error) Error() string { return "differential_privacy: " + e.Problem }

// Parameters returns the parameters of a task, and false if its results have no noise. They decode, but may be unsound:
// Mechanism finds out. Its error is a *dap.DecodeError.
func Parameters(config dap.TaskConfiguration) (p dp.Parameters, ok bool, err error) {
	c, ok, err := config.Privacy()
	if err != nil || !ok {
		return dp.Parameters{}, false, err
	}
	return dp.Parameters{
		Kind: kinds[c.Mechanism], Neighbours: neighbours[c.Neighbours], Level: rational(c.Level), Budget: rational(c.Budget),
		ReportsPerClient: c.ReportsPerClient, ReportsPerBatch: c.ReportsPerBatch, MaxBatchSize: c.MaxBatchSize,
	}, true, nil
}

var (
	kinds = map[dap.PrivacyMechanism]dp.Kind{
		dap.PrivacyMechanismDiscreteLaplace: dp.PureEpsilon, dap.PrivacyMechanismDiscreteGaussian: dp.ZeroConcentrated,
	}
	neighbours = map[dap.PrivacyNeighbours]dp.Neighbours{
		dap.PrivacyNeighboursReplaceOne: dp.ReplaceOne, dap.PrivacyNeighboursRemoveOne: dp.RemoveOne,
	}
)

func rational(r dap.Rational) *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(r.Numerator), new(big.Int).SetUint64(r.Denominator))
}

// Mechanism returns the mechanism of a task, or nil if its results have no noise. Its error is an *Error: the
// parameters are unsound, do not decode, or there is no noise for the task's VDAF.
func Mechanism(config dap.TaskConfiguration) (*dp.Mechanism, error) {
	p, ok, err := Parameters(config)
	if err != nil {
		return nil, &Error{"does not decode: " + err.Error()}
	}
	if !ok {
		return nil, nil
	}
	vdaf, err := config.Vdaf()
	if err != nil {
		return nil, &Error{"the VDAF cannot be used: " + err.Error()}
	}
	return MechanismOf(vdaf, p, config.MinBatchSize)
}

// MechanismOf returns the mechanism for a VDAF with these parameters, in a task with that minimum batch size. Its error is an *Error.
func MechanismOf(vdaf dap.VdafConfiguration, p dp.Parameters, minBatchSize uint64) (*dp.Mechanism, error) {
	function, ok := Function(vdaf)
	if !ok {
		return nil, &Error{fmt.Sprintf("there is no noise for %s; use Prio3Count, Prio3Sum, Prio3SumVec, Prio3Histogram or Prio3MultihotCountVec, or leave the extension out", vdaf.VdafType())}
	}
	mechanism, err := dp.NewMechanism(function, p)
	if problem, ok := errors.AsType[*dp.ParameterError](err); ok {
		return nil, &Error{"the " + problem.Parameter + " " + problem.Problem}
	}
	if err != nil {
		return nil, &Error{err.Error()}
	}
	if p.MaxBatchSize < minBatchSize {
		return nil, &Error{fmt.Sprintf("the maximum batch size is %d, below the task's minimum of %d, so that no batch could be collected; raise it, or lower the minimum", p.MaxBatchSize, minBatchSize)}
	}
	return mechanism, nil
}

// Function returns the aggregation function of a VDAF, and false if none is known.
func Function(vdaf dap.VdafConfiguration) (dp.Function, bool) {
	switch c := vdaf.(type) {
	case dap.Prio3CountConfig:
		return dp.Count(), true
	case dap.Prio3SumConfig:
		return dp.Sum(c.MaxMeasurement), true
	case dap.Prio3SumVecConfig:
		return dp.SumVec(int(c.Length), c.MaxMeasurement), true
	case dap.Prio3HistogramConfig:
		return dp.Histogram(int(c.Length)), true
	case dap.Prio3MultihotCountVecConfig:
		return dp.MultihotCountVec(int(c.Length), c.MaxWeight), true
	}
	return dp.Function{}, false
}

// Extension returns the task extension with these parameters. Its error is an *Error: a rational of them does not fit into
// 64 bits over 64 bits, or a choice is none.
func Extension(p dp.Parameters) (dap.TaskExtension, error) {
	level, err := encodable("level", p.Level)
	if err != nil {
		return dap.TaskExtension{}, err
	}
	budget, err := encodable("budget", p.Budget)
	if err != nil {
		return dap.TaskExtension{}, err
	}
	c := dap.PrivacyConfig{
		Level: level, Budget: budget, ReportsPerClient: p.ReportsPerClient, ReportsPerBatch: p.ReportsPerBatch, MaxBatchSize: p.MaxBatchSize,
	}
	for encoded, kind := range kinds {
		if kind == p.Kind {
			c.Mechanism = encoded
		}
	}
	for encoded, n := range neighbours {
		if n == p.Neighbours {
			c.Neighbours = encoded
		}
	}
	extension, err := dap.NewPrivacyExtension(c)
	if err != nil {
		return dap.TaskExtension{}, &Error{err.Error()}
	}
	return extension, nil
}

func encodable(name string, r *big.Rat) (dap.Rational, error) {
	if r == nil || r.Sign() <= 0 {
		return dap.Rational{}, &Error{"the " + name + " is not above 0"}
	}
	if !r.Num().IsUint64() || !r.Denom().IsUint64() {
		return dap.Rational{}, &Error{fmt.Sprintf("the %s %s has too many digits; use a fraction of numbers below 2^64", name, r.RatString())}
	}
	return dap.Rational{Numerator: r.Num().Uint64(), Denominator: r.Denom().Uint64()}, nil
}
