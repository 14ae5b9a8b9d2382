package dp

import (
	"fmt"
	"math"
	"math/big"
	"testing"
)

// summed returns the standard deviation of the sum of two numbers with that weight, and the least w that the sum
// exceeds with a probability of at most 5%, term by term. width is some standard deviations of one.
func summed(weight func(x float64) float64, width int) (deviation float64, margin int) {
	one, total := make([]float64, 2*width+1), 0.0
	for i := range one {
		one[i] = weight(float64(i - width))
		total += one[i]
	}
	sum, variance := make([]float64, 4*width+1), 0.0
	for i, a := range one {
		for j, b := range one {
			sum[i+j] += a * b / (total * total)
		}
	}
	for i, p := range sum {
		variance += p * float64((i-2*width)*(i-2*width))
	}
	within := sum[2*width]
	for within < 0.95 {
		margin++
		within += sum[2*width+margin] + sum[2*width-margin]
	}
	return math.Sqrt(variance), margin
}

func TestUncertaintyIsExact(t *testing.T) {
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*b }
	for _, scale := range []float64{0.05, 0.3, 0.5, 1, 2, 3.7, 10, 20, 50} {
		got := laplaceUncertainty(scale)
		deviation, margin := summed(func(x float64) float64 { return math.Exp(-math.Abs(x) / scale) }, int(40*scale)+5)
		if !near(got.StandardError, deviation) || got.Margin95.Cmp(big.NewInt(int64(margin))) != 0 {
			t.Errorf("Laplace, scale %g: %g and %s; want %g and %d", scale, got.StandardError, got.Margin95, deviation, margin)
		}
	}
	for _, sigma := range []float64{0.05, 0.3, 0.5, 1, 2, 3.7, 8, 8.1, 10, 30, 100} {
		got := gaussianUncertainty(sigma)
		deviation, margin := summed(func(x float64) float64 { return math.Exp(-x * x / (2 * sigma * sigma)) }, int(12*sigma)+5)
		if !near(got.StandardError, deviation) || got.Margin95.Cmp(big.NewInt(int64(margin))) != 0 {
			t.Errorf("Gaussian, σ = %g: %g and %s; want %g and %d", sigma, got.StandardError, got.Margin95, deviation, margin)
		}
	}
}

// Of a great scale the sum of two Laplace numbers is as good as continuous: the margin m has (1 + m/2s)·exp(-m/s) = 5%.
func TestUncertaintyOfGreatNoise(t *testing.T) {
	for _, exponent := range []int{20, 53, 60, 100, 190} {
		scale := math.Ldexp(1, exponent)
		got := laplaceUncertainty(scale)
		if want := 2 * scale; math.Abs(got.StandardError-want) > want*1e-6 {
			t.Errorf("Laplace, scale 2^%d: the standard error is %g", exponent, got.StandardError)
		}
		margin, _ := new(big.Float).SetInt(got.Margin95).Float64()
		if tail := (1 + margin/(2*scale)) * math.Exp(-margin/scale); math.Abs(tail-0.05) > 1e-5 {
			t.Errorf("Laplace, scale 2^%d: beyond %g with %g", exponent, margin, tail)
		}
		got = gaussianUncertainty(scale)
		margin, _ = new(big.Float).SetInt(got.Margin95).Float64()
		if want := 1.959963984540054 * math.Sqrt2 * scale; math.Abs(margin-want) > 1e-5*want {
			t.Errorf("Gaussian, σ = 2^%d: the margin is %g; want %g", exponent, margin, want)
		}
	}
}

// 20,000 pairs of draws of each mechanism are beyond the margin as seldom as it says, and have the variance that it says.
// The first is compared within Hoeffding's bound, the second with its own standard error; both fail by chance with a
// probability below 2^-40.
func TestUncertaintyOfDraws(t *testing.T) {
	const pairs = 20_000
	for i, p := range []Parameters{
		{Kind: PureEpsilon, Neighbours: ReplaceOne, Level: big.NewRat(1, 1)},
		{Kind: PureEpsilon, Neighbours: RemoveOne, Level: big.NewRat(1, 100)},
		{Kind: ZeroConcentrated, Neighbours: ReplaceOne, Level: big.NewRat(1, 2)},
		{Kind: ZeroConcentrated, Neighbours: RemoveOne, Level: big.NewRat(1, 10_000)},
	} {
		t.Run(fmt.Sprint(p.Kind, p.Level), func(t *testing.T) {
			p.Budget, p.ReportsPerClient, p.ReportsPerBatch, p.MaxBatchSize = p.Level, 1, 1, 1000
			m, err := NewMechanism(Histogram(pairs), p)
			if err != nil {
				t.Fatal(err)
			}
			random := testReader(byte(60 + i))
			var shares [2][]byte
			for j := range shares {
				noise, err := m.Draw(random)
				if err != nil {
					t.Fatal(err)
				}
				if shares[j], err = noise.AddTo(make([]byte, 16*pairs)); err != nil {
					t.Fatal(err)
				}
			}
			values, err := m.Function().Unshard(shares[0], shares[1])
			if err != nil {
				t.Fatal(err)
			}
			u := m.Uncertainty()
			outside, squares := 0, 0.0
			for _, v := range values {
				if v.CmpAbs(u.Margin95) > 0 {
					outside++
				}
				x, _ := new(big.Float).SetInt(v).Float64()
				squares += x * x
			}
			if limit := 0.05*pairs + math.Sqrt(pairs*-math.Log(falseAlarm)/2); float64(outside) > limit {
				t.Errorf("%d of %d are beyond ±%s", outside, pairs, u.Margin95)
			}
			// The kurtosis of the sum is at most 4.5 + 1/2, so that the variance of the mean square is at most 4·σ⁴/n; 8 of its
			// standard errors are as good as never exceeded.
			variance := u.StandardError * u.StandardError
			if mean := squares / pairs; math.Abs(mean-variance) > 8*2*variance/math.Sqrt(pairs) {
				t.Errorf("the mean square is %g; want %g", mean, variance)
			}
		})
	}
}

func TestUnshardIsCentred(t *testing.T) {
	for name, f := range map[string]Function{"Field64": Sum(10), "Field128": Histogram(1)} {
		half := new(big.Int).Rsh(f.modulus, 1)
		for _, want := range []*big.Int{new(big.Int), big.NewInt(1), big.NewInt(-1), half, new(big.Int).Neg(half), big.NewInt(-123456)} {
			a := big.NewInt(987654321)
			values, err := f.Unshard(f.noiseOf([]*big.Int{a}), f.noiseOf([]*big.Int{new(big.Int).Sub(want, a)}))
			if err != nil || len(values) != 1 || values[0].Cmp(want) != 0 {
				t.Errorf("%s: got %v, %v; want %s", name, values, err, want)
			}
		}
		good := make([]byte, f.encodeSize)
		for _, bad := range [][]byte{nil, make([]byte, f.encodeSize-1), make([]byte, f.encodeSize+1)} {
			_, first := f.Unshard(bad, good)
			_, second := f.Unshard(good, bad)
			if first == nil || second == nil {
				t.Errorf("%s: a share of %d bytes was taken", name, len(bad))
			}
		}
	}
}
