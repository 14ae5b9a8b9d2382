package dp

import (
	"fmt"
	"math/big"
)

// Kind is how loss of privacy is measured, and with it which noise is added.
type Kind uint8

const (
	// PureEpsilon: pure ε-differential privacy, with discrete Laplace noise.
	PureEpsilon Kind = 1
	// ZeroConcentrated: ρ-zero-concentrated differential privacy, with discrete Gaussian noise.
	ZeroConcentrated Kind = 2
)

// String returns "pure" or "zero-concentrated".
func (k Kind) String() string {
	switch k {
	case PureEpsilon:
		return "pure"
	case ZeroConcentrated:
		return "zero-concentrated"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Symbol returns the letter of the loss: "ε" or "ρ".
func (k Kind) Symbol() string {
	if k == ZeroConcentrated {
		return "ρ"
	}
	return "ε"
}

// Parameters say how private the results of a task are. The rationals are never changed.
type Parameters struct {
	Kind       Kind
	Neighbours Neighbours
	// Level is what the result of one batch may tell about one report in it: ε or ρ, above 0.
	Level *big.Rat
	// Budget is what all results of the task together may tell about one client: ε or ρ. At least what
	// one batch costs.
	Budget *big.Rat
	// ReportsPerClient is how many reports one client may have in the task, and ReportsPerBatch how many of
	// those in one batch: at least 1, and ReportsPerBatch not above ReportsPerClient. They are what the
	// task's clients keep to: nobody can see from a report whose it is.
	ReportsPerClient, ReportsPerBatch uint64
	// MaxBatchSize is how many reports a batch may have: so few that the result with the noise of both
	// Aggregators does not wrap around the field.
	MaxBatchSize uint64
}

// ParameterError says which parameter is unsound.
type ParameterError struct {
	Parameter string
	Problem   string
}

func (e *ParameterError) Error() string { return "dp: " + e.Parameter + " " + e.Problem }

// check checks what does not depend on the aggregation function.
func (p *Parameters) check() error {
	switch {
	case p.Kind != PureEpsilon && p.Kind != ZeroConcentrated:
		return &ParameterError{"mechanism", fmt.Sprintf("is %d; it must be 1 (pure, discrete Laplace) or 2 (zero-concentrated, discrete Gaussian)", uint8(p.Kind))}
	case p.Neighbours != ReplaceOne && p.Neighbours != RemoveOne:
		return &ParameterError{"neighbouring relation", fmt.Sprintf("is %d; it must be 1 (replace one) or 2 (remove one)", uint8(p.Neighbours))}
	case p.Level == nil || p.Level.Sign() <= 0:
		return &ParameterError{"level", fmt.Sprintf("is not above 0; a result needs some %s", p.Kind.Symbol())}
	case p.Budget == nil || p.Budget.Sign() <= 0:
		return &ParameterError{"budget", fmt.Sprintf("is not above 0; it must be at least the %s of one batch", p.Kind.Symbol())}
	case p.ReportsPerBatch == 0 || p.ReportsPerClient == 0:
		return &ParameterError{"reports per client", "are 0; a client has at least one"}
	case p.ReportsPerBatch > p.ReportsPerClient:
		return &ParameterError{"reports per client and batch", fmt.Sprintf("are %d, and %d in the whole task; they cannot be more", p.ReportsPerBatch, p.ReportsPerClient)}
	case p.MaxBatchSize == 0:
		return &ParameterError{"maximum batch size", "is 0; a batch needs reports"}
	}
	if first := p.ClientLoss(1); first.Cmp(p.Budget) > 0 {
		return &ParameterError{"budget", fmt.Sprintf("is %s = %s, but the first batch costs a client %s; raise it, or lower the level", p.Kind.Symbol(), p.Budget.RatString(), first.RatString())}
	}
	return nil
}
