package dp

import (
	"errors"
	"math"
	"math/big"
	"testing"
)

// The minimum, computed with 50 decimal digits by another program.
func TestEpsilonKnownValues(t *testing.T) {
	for _, test := range []struct {
		rho         string
		delta, want float64
	}{
		{"2.56", 1e-10, 17.15830871210474597},
		{"2.56", 1e-5, 12.481335142016815664},
		{"2.63", 1e-6, 13.792327690123114073},
		{"0.07", 1e-10, 2.3872751767179739721},
		{"0.5", 1e-10, 6.8393294131208484963},
		{"0.5", 1e-6, 5.2215344445301690442},
		{"0.1", 1e-5, 1.9142388320035977985},
		{"1", 1e-10, 10.034343581347629888},
		{"1", 1e-5, 7.0771966958063397586},
		{"0.001", 1e-6, 0.18289537719007623123},
		{"0.000263", 1e-10, 0.13195783919242851022},
		{"1000", 1e-6, 1231.8793230918424235},
		{"1000", 1e-5, 1211.3105302701181742},
	} {
		rho, _ := new(big.Rat).SetString(test.rho)
		got, err := EpsilonOf(rho, test.delta)
		if err != nil || got < test.want || got > test.want*(1+1e-9) {
			t.Errorf("ρ = %s, δ = %g: ε = %.17g, %v; want %.17g or a little more", test.rho, test.delta, got, err, test.want)
		}
	}
}

// gaussianDelta is the δ of the continuous Gaussian mechanism with the sensitivity 1 for an ε (Balle and Wang,
// 2018, Theorem 8), which is 1/2σ²-zero-concentrated.
func gaussianDelta(sigma, epsilon float64) float64 {
	upper := func(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 } // P(X > x)
	return upper(epsilon*sigma-1/(2*sigma)) - math.Exp(epsilon)*upper(epsilon*sigma+1/(2*sigma))
}

// The ε holds for the Gaussian mechanism, is never worse than that of the simple conversion ρ + 2√(ρ·ln(1/δ)), and grows with ρ and 1/δ.
func TestEpsilonHolds(t *testing.T) {
	for _, delta := range []float64{1e-12, 1e-9, 1e-6, 1e-3, 0.1} {
		before := 0.0
		for _, sigma := range []float64{300, 50, 10, 3, 1, 0.5, 0.2} {
			rho := 1 / (2 * sigma * sigma)
			exact := new(big.Rat).SetFloat64(rho)
			epsilon, err := EpsilonOf(exact, delta)
			if err != nil {
				t.Fatal(err)
			}
			if got := gaussianDelta(sigma, epsilon); got > delta {
				t.Errorf("σ = %g, δ = %g: ε = %g gives δ = %g", sigma, delta, epsilon, got)
			}
			if simple := rho + 2*math.Sqrt(rho*math.Log(1/delta)); epsilon > simple {
				t.Errorf("σ = %g, δ = %g: ε = %g is above %g", sigma, delta, epsilon, simple)
			}
			if epsilon < before {
				t.Errorf("σ = %g, δ = %g: ε = %g falls", sigma, delta, epsilon)
			}
			before = epsilon
		}
	}
}

func TestEpsilonOutOfRange(t *testing.T) {
	for name, test := range map[string]struct {
		rho   *big.Rat
		delta float64
	}{"no ρ": {nil, 0.1}, "ρ below 0": {big.NewRat(-1, 9), 0.1}, "δ = 0": {big.NewRat(1, 1), 0}, "δ = 1": {big.NewRat(1, 1), 1}, "no δ": {big.NewRat(1, 1), math.NaN()}} {
		_, err := EpsilonOf(test.rho, test.delta)
		if _, ok := errors.AsType[*ParameterError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, err := EpsilonOf(new(big.Rat), 1e-9); err != nil || e != 0 {
		t.Errorf("ρ = 0: %g, %v", e, err)
	}
	if e, err := EpsilonOf(new(big.Rat).SetInt(new(big.Int).Lsh(one, 1100)), 1e-9); err != nil || !math.IsInf(e, 1) {
		t.Errorf("ρ = 2^1100: %g, %v", e, err)
	}
	if e, err := EpsilonOf(big.NewRat(1, 1<<62), 0.5); err != nil || e < 0 || e > 1e-6 {
		t.Errorf("ρ = 2^-62, δ = 1/2: %g, %v", e, err)
	}
}
