package dp

import (
	"fmt"
	"math"
	"math/big"
)

// EpsilonOf returns an ε for which ρ-zero-concentrated differential privacy is (ε, δ)-differential privacy: the
// infimum over α > 1 of
//
//	α·ρ + ln(1/(α·δ))/(α-1) + ln(1-1/α),
//
// as found numerically (Canonne, Kamath and Steinke), and rounded up: every α
// gives an ε that holds. ρ must be 0 or above and δ between 0 and 1; other values are a *ParameterError.
func EpsilonOf(rho *big.Rat, delta float64) (float64, error) {
	if rho == nil || rho.Sign() < 0 {
		return 0, &ParameterError{"ρ", "is below 0"}
	}
	if !(delta > 0 && delta < 1) {
		return 0, &ParameterError{"δ", fmt.Sprintf("is %g; it must be between 0 and 1", delta)}
	}
	if rho.Sign() == 0 {
		return 0, nil
	}
	r, _ := rho.Float64()
	r = math.Nextafter(r, math.Inf(1)) // Float64 rounds to the nearest
	if math.IsInf(r, 1) {
		return r, nil
	}
	// α - 1 lies between 2^-300 and 2^300 for whatever makes sense. The function falls and then rises: a
	// narrower grid around the least of each grid finds the minimum.
	const points = 64
	best, at, width := math.Inf(1), 0.0, 300.0
	for range 12 {
		low, step := at-width, 2*width/points
		for i := range points + 1 {
			x := low + float64(i)*step
			if e := epsilonAt(r, delta, math.Exp2(x)); e < best {
				best, at = e, x
			}
		}
		width = step
	}
	return max(best, 0), nil
}

// epsilonAt returns an upper bound of the ε for α = 1 + a.
func epsilonAt(rho, delta, a float64) float64 {
	first := (1 + a) * rho
	second := -(math.Log1p(a) + math.Log(delta)) / a
	third := -math.Log1p(1 / a) // ln(1 - 1/α) = ln(a/(1+a))
	// Each term is right but for a few units in the last place of itself, or of the two logarithms in the second.
	size := math.Abs(first) + (math.Log1p(a)-math.Log(delta))/a + math.Abs(third)
	return first + second + third + size*0x1p-48
}
