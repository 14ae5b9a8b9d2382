package collector

import (
	"fmt"
	"math/big"

	"github.com/twofold-dap/twofold/dp"
)

// Noise says what the numbers of a result are, in a task with differential privacy (docs/privacy.md): the sum over the
// batch, with the noise that each of the two Aggregators has added.
type Noise struct {
	// Parameters say how private the result is, and Scale how much noise each Aggregator adds to each
	// number: the scale of a discrete Laplace distribution (dp.PureEpsilon), or the σ² of a discrete Gaussian
	// (dp.ZeroConcentrated).
	Parameters dp.Parameters
	Scale      *big.Rat
	// Description says the same in one line.
	Description string
	// Values are the numbers of the result: one for Prio3Count and Prio3Sum, else one for each place. Noise can make
	// them negative, or greater than the batch could be. The mean of the noise is 0, so that sums of
	// such numbers over many batches are right on average.
	Values []*big.Int
	// Uncertainty has the standard error of each number, and the margin of its 95% interval: what two honest
	// Aggregators have added. One that is not honest can have added anything.
	dp.Uncertainty
}

// Interval returns the 95% interval around number i of the result: it holds the true number in 95 of 100 results.
func (n *Noise) Interval(i int) (low, high *big.Int) { return n.Interval95(n.Values[i]) }

// newNoise decodes the aggregate shares of a result with noise.
func newNoise(m *dp.Mechanism, leader, helper []byte) (*Noise, error) {
	values, err := m.Function().Unshard(leader, helper)
	if err != nil {
		return nil, err
	}
	return &Noise{
		Parameters: m.Parameters(), Scale: m.Scale(), Description: m.Describe(), Values: values, Uncertainty: m.Uncertainty(),
	}, nil
}

// clampInto sets value, a *uint64 or a *[]uint64, to the numbers, of which the negative ones become 0 and those beyond
// 64 bits 2^64 - 1. It returns false for any other type.
func (n *Noise) clampInto(value any) bool {
	switch v := value.(type) {
	case *uint64:
		*v = clamp(n.Values[0])
	case *[]uint64:
		*v = make([]uint64, len(n.Values))
		for i, x := range n.Values {
			(*v)[i] = clamp(x)
		}
	default:
		return false
	}
	return true
}

func clamp(x *big.Int) uint64 {
	switch {
	case x.Sign() < 0:
		return 0
	case !x.IsUint64():
		return 1<<64 - 1
	}
	return x.Uint64()
}

// checkNoisyType refuses a type of results that cannot hold results with noise.
func checkNoisyType[R any]() error {
	var result R
	switch any(result).(type) {
	case uint64, []uint64:
		return nil
	}
	return &TaskError{fmt.Sprintf("its results have noise, and cannot be of type %T; use uint64 or []uint64", result)}
}
