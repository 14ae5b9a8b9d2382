package dp

import (
	"math"
	"math/big"
)

// Uncertainty is how far the noise of two honest Aggregators together takes a number of the result from the true
// one. It is the same for each number of a result. It is for people, and computed with floating point.
type Uncertainty struct {
	// StandardError is the standard deviation of the noise. Its mean is 0.
	StandardError float64
	// Margin95 is the least integer that the noise exceeds, on one side or the other, with a probability of
	// at most 5%.
	Margin95 *big.Int
}

// Uncertainty returns the uncertainty of each number of a result.
func (m *Mechanism) Uncertainty() Uncertainty {
	scale, _ := m.scale.Float64()
	if m.parameters.Kind == PureEpsilon {
		return laplaceUncertainty(scale)
	}
	return gaussianUncertainty(math.Sqrt(scale))
}

// Interval95 returns the 95% interval around a number of the result.
func (u Uncertainty) Interval95(value *big.Int) (low, high *big.Int) {
	return new(big.Int).Sub(value, u.Margin95), new(big.Int).Add(value, u.Margin95)
}

// laplaceUncertainty is that of the sum of two discrete Laplace numbers with the scale s. With q = exp(-1/s)
// each has the variance 2q/(1-q)², and their sum z the probability c²·q^|z|·(|z| + a), with c = (1-q)/(1+q) and
// a = (1+q²)/(1-q²). So it is beyond ±w with the probability
//
//	2c²·q^m·(m/(1-q) + q/(1-q)² + a/(1-q)), m = w + 1.
func laplaceUncertainty(s float64) Uncertainty {
	q := math.Exp(-1 / s)
	p := -math.Expm1(-1 / s) // 1 - q
	a, c := (1+q*q)/(p*(1+q)), p/(1+q)
	beyond := func(w float64) float64 {
		m := w + 1
		return 2 * c * c * math.Exp(-m/s) * (m/p + q/(p*p) + a/p)
	}
	return Uncertainty{StandardError: 2 * math.Sqrt(q) / p, Margin95: leastMargin(beyond)}
}

// smallSigma is the σ up to which the sum of two discrete Gaussian numbers is computed term by term. Above it
// the sum is as good as normal: the difference is of the order of exp(-π²σ²).
const smallSigma = 8

// gaussianUncertainty is that of the sum of two discrete Gaussian numbers with σ.
func gaussianUncertainty(sigma float64) Uncertainty {
	if sigma > smallSigma {
		// A normal number with the variance 2σ², rounded.
		beyond := func(w float64) float64 { return math.Erfc((w + 0.5) / (2 * sigma)) }
		return Uncertainty{StandardError: sigma * math.Sqrt2, Margin95: leastMargin(beyond)}
	}
	const most = 40 * smallSigma // exp(-800) is 0 for every purpose
	one, total, variance := make([]float64, 2*most+1), 0.0, 0.0
	for i := range one {
		x := float64(i - most)
		one[i] = math.Exp(-x * x / (2 * sigma * sigma))
		total += one[i]
		variance += one[i] * x * x
	}
	within := make([]float64, 2*most+1) // within[w] is the probability of |z| ≤ w, for the sum z of two
	for i, a := range one {
		for j, b := range one {
			if z := max(i+j-2*most, 2*most-i-j); z < len(within) {
				within[z] += a * b / (total * total)
			}
		}
	}
	for w := 1; w < len(within); w++ {
		within[w] += within[w-1]
	}
	beyond := func(w float64) float64 { return 1 - within[min(int(w), len(within)-1)] }
	return Uncertainty{StandardError: math.Sqrt(2 * variance / total), Margin95: leastMargin(beyond)}
}

// leastMargin returns the least integer w ≥ 0 for which beyond(w), which falls, is at most 5%. From 2^53 on it is one
// of the numbers that a float64 can be.
func leastMargin(beyond func(w float64) float64) *big.Int {
	const tail = 0.05
	low, high := -1.0, 1.0 // it is above low, and not above high
	for beyond(high) > tail {
		low, high = high, 2*high
	}
	for {
		middle := math.Floor(low + (high-low)/2)
		if middle <= low || middle >= high {
			margin, _ := new(big.Float).SetFloat64(high).Int(nil)
			return margin
		}
		if beyond(middle) > tail {
			low = middle
		} else {
			high = middle
		}
	}
}
