package dp

import (
	"math"
	"math/big"
	"math/bits"
)

// WrapTail is the binary logarithm of the greatest probability with which a result is so far off that it wraps around
// the field, though its batch is not larger than WrapBound allows: 2^-40 for all elements of the result together.
const WrapTail = -40

// WrapBound is how large a result with the noise of both Aggregators can be. A Collector takes what is
// above (p-1)/2 for negative, so that every element of the result must stay within -(p-1)/2 and (p-1)/2.
type WrapBound struct {
	// Noise is what the sum of the two Aggregators' noise for an element stays within, whatever its sign, for all
	// elements at once, but for a probability of 2^WrapTail.
	Noise *big.Int
	// MaxBatchSize is the greatest number of reports for which no element wraps around: 0 if the noise alone
	// may do that, and at most 2^64 - 1.
	MaxBatchSize uint64
}

// wrapBound computes the bound in integers. Every rounding makes it safer.
func wrapBound(m *Mechanism) WrapBound {
	half := new(big.Int).Rsh(m.function.modulus, 1) // (p-1)/2, as p is odd
	noise := m.noiseBound()
	room := new(big.Int).Sub(half, noise)
	bound := WrapBound{Noise: noise}
	if room.Sign() <= 0 {
		return bound
	}
	room.Quo(room, m.function.perReport)
	bound.MaxBatchSize = math.MaxUint64
	if room.IsUint64() {
		bound.MaxBatchSize = room.Uint64()
	}
	return bound
}

// noiseBound returns what the sum of two independent noises stays within in each of d elements, but for a
// probability of β = 2^WrapTail.
//
// For the discrete Laplace with the scale s, P(|x| ≥ y) ≤ 2·exp(-y/s). Each of the 2d noises stays within
// y = s·ln(4d/β) but for a probability of β altogether, and the sum of two within 2y.
//
// The sum of two discrete Gaussians is subgaussian with 2σ², as each is with σ² (Canonne, Kamath and Steinke):
// P(|x₁ + x₂| ≥ y) ≤ 2·exp(-y²/4σ²), and y² = 4σ²·ln(2d/β) does for all d.
func (m *Mechanism) noiseBound() *big.Int {
	d := uint64(m.function.length)
	if m.parameters.Kind == PureEpsilon {
		y := new(big.Rat).Mul(m.scale, logOver(4*d))
		return ceil(y.Mul(y, big.NewRat(2, 1)))
	}
	y := new(big.Rat).Mul(m.scale, logOver(2*d))
	squared := ceil(y.Mul(y, big.NewRat(4, 1)))
	return squared.Add(squared.Sqrt(squared), one) // Sqrt rounds down
}

// logOver returns an upper bound of ln(n/β) = ln(2)·(log2(n) - WrapTail): 7/10 is above ln(2).
func logOver(n uint64) *big.Rat {
	return big.NewRat(7*int64(bits.Len64(n)-WrapTail), 10)
}

// ceil returns the least integer that is not below x ≥ 0.
func ceil(x *big.Rat) *big.Int {
	up := new(big.Int).Add(x.Num(), x.Denom())
	return up.Quo(up.Sub(up, one), x.Denom())
}
