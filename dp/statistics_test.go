package dp

import (
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// Every statistic here is compared with a limit that it would exceed with a probability of at most 2^-40 if the
// sampler was right. The random bits are those of a generator with a fixed seed, so that a test that passes once
// passes always.
const falseAlarm = 0x1p-40

// testReader is a reader of the same random bits each time.
func testReader(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

func mustLaplace(t testing.TB, scale *big.Rat) *DiscreteLaplace {
	t.Helper()
	l, err := NewDiscreteLaplace(scale)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustGaussian(t testing.TB, sigmaSquared *big.Rat) *DiscreteGaussian {
	t.Helper()
	g, err := NewDiscreteGaussian(sigmaSquared)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// chiSquareLimit is what a chi-square statistic exceeds with a probability of at most falseAlarm: k + 2√(kx) + 2x with
// exp(-x) = falseAlarm (Laurent and Massart, 2000, Lemma 1).
func chiSquareLimit(degrees int) float64 {
	x, k := -math.Log(falseAlarm), float64(degrees)
	return k + 2*math.Sqrt(k*x) + 2*x
}

// kolmogorovLimit is what the greatest distance of two distribution functions, one of them of n samples, exceeds with a
// probability of at most falseAlarm, whatever the distribution: 2·exp(-2nd²) (Dvoretzky, Kiefer, Wolfowitz; Massart).
func kolmogorovLimit(n int) float64 {
	return math.Sqrt(math.Log(2/falseAlarm) / (2 * float64(n)))
}

// distribution is a sampler with the probabilities that it should have, but for a factor.
type distribution struct {
	name   string
	sample func(io.Reader, int) ([]*big.Int, error)
	weight func(x float64) float64
	scale  float64 // about the standard deviation
}

func distributions(t testing.TB) []distribution {
	var all []distribution
	for _, scale := range []*big.Rat{big.NewRat(1, 3), big.NewRat(1, 1), big.NewRat(20, 1), big.NewRat(1234, 7), big.NewRat(10007, 1)} {
		s, _ := scale.Float64()
		all = append(all,
			distribution{"Laplace/" + scale.RatString(), mustLaplace(t, scale).Sample, func(x float64) float64 { return math.Exp(-math.Abs(x) / s) }, s},
			distribution{"Gaussian/" + scale.RatString(), mustGaussian(t, new(big.Rat).Mul(scale, scale)).Sample, func(x float64) float64 { return math.Exp(-x * x / (2 * s * s)) }, s})
	}
	return all
}

// A million samples and more in all.
func TestSamplersDistribution(t *testing.T) {
	const n = 110_000
	for i, d := range distributions(t) {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			values, err := d.sample(testReader(byte(i)), n)
			if err != nil {
				t.Fatal(err)
			}
			counts := map[int64]int{}
			for _, x := range values {
				counts[x.Int64()]++
			}
			compare(t, d, counts, n)
		})
	}
}

// compare makes both tests. Integers from -reach to reach are looked at one by one; beyond it a sample has
// a probability below 2^-80.
func compare(t *testing.T, d distribution, counts map[int64]int, n int) {
	reach := int64(60*d.scale) + 60
	total := 0.0
	for x := -reach; x <= reach; x++ {
		total += d.weight(float64(x))
	}
	beyond := n
	statistic, degrees := 0.0, -1
	expected, got := 0.0, 0           // of the cell that is being filled
	cumulated, seen := 0.0, 0         // of the distribution functions
	farthest := 0.0                   // between them
	restExpected, restGot := 0.0, 0   // of the last cell
	close := func(e float64, g int) { // a cell
		statistic += (float64(g) - e) * (float64(g) - e) / e
		degrees++
	}
	for x := -reach; x <= reach; x++ {
		p, c := d.weight(float64(x))/total, counts[x]
		beyond -= c
		cumulated, seen = cumulated+p, seen+c
		farthest = max(farthest, math.Abs(cumulated-float64(seen)/float64(n)))
		expected, got = expected+p*float64(n), got+c
		if expected >= 100 {
			if restExpected > 0 {
				close(restExpected, restGot)
			}
			restExpected, restGot = expected, got
			expected, got = 0, 0
		}
	}
	close(restExpected+expected, restGot+got) // what is left is too little for a cell of its own
	if beyond != 0 {
		t.Errorf("%d samples are beyond ±%d", beyond, reach)
	}
	if limit := chiSquareLimit(degrees); statistic > limit {
		t.Errorf("chi-square %.1f with %d degrees of freedom; at most %.1f", statistic, degrees, limit)
	} else {
		t.Logf("chi-square %.1f with %d degrees of freedom; at most %.1f", statistic, degrees, limit)
	}
	if limit := kolmogorovLimit(n); farthest > limit {
		t.Errorf("Kolmogorov–Smirnov distance %.5f; at most %.5f", farthest, limit)
	} else {
		t.Logf("Kolmogorov–Smirnov distance %.5f; at most %.5f", farthest, limit)
	}
}

// The tests above find a distribution that is a little wrong: the scale by 8 in 100, or the value 0 twice as
// probable, as it is when both of its signs count.
func TestStatisticsFindWrongDistributions(t *testing.T) {
	const n = 110_000
	values, err := mustLaplace(t, big.NewRat(20, 1)).Sample(testReader(99), n)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[int64]int{}
	for _, x := range values {
		counts[x.Int64()]++
	}
	weight := func(x float64) float64 { return math.Exp(-math.Abs(x) / 20) }
	for name, wrong := range map[string]func(x float64) float64{
		"scale":     func(x float64) float64 { return math.Exp(-math.Abs(x) / 21.6) },
		"two zeros": func(x float64) float64 { return weight(x) * map[bool]float64{true: 2, false: 1}[x == 0] },
	} {
		total, statistic := 0.0, 0.0
		for x := -1200.0; x <= 1200; x++ {
			total += wrong(x)
		}
		degrees := -1
		for x := -60; x <= 60; x++ {
			e := wrong(float64(x)) / total * n
			statistic += math.Pow(float64(counts[int64(x)])-e, 2) / e
			degrees++
		}
		if limit := chiSquareLimit(degrees); statistic <= limit {
			t.Errorf("%s: chi-square %.1f is not above %.1f", name, statistic, limit)
		}
	}
}

// The scales beyond 64 bits have the right size and sign: the mean is 0 and the mean absolute value that of
// the distribution, within 7.5 standard errors (a probability below 2^-40).
func TestLargeScales(t *testing.T) {
	const n = 8_000
	for _, shift := range []uint{62, 64, 90, 150} {
		scale := new(big.Rat).SetInt(new(big.Int).Lsh(one, shift))
		for name, d := range map[string]struct {
			sample   func(io.Reader, int) ([]*big.Int, error)
			abs, std float64 // the mean absolute value and the standard deviation, in scales
		}{
			"Laplace":  {mustLaplace(t, scale).Sample, 1, math.Sqrt2},
			"Gaussian": {mustGaussian(t, new(big.Rat).Mul(scale, scale)).Sample, math.Sqrt(2 / math.Pi), 1},
		} {
			values, err := d.sample(testReader(byte(shift)), n)
			if err != nil {
				t.Fatal(err)
			}
			sum, absolute := 0.0, 0.0
			for _, x := range values {
				f, _ := new(big.Rat).Quo(new(big.Rat).SetInt(x), scale).Float64()
				sum, absolute = sum+f, absolute+math.Abs(f)
			}
			limit := 7.5 * d.std / math.Sqrt(n)
			if math.Abs(sum/n) > limit || math.Abs(absolute/n-d.abs) > limit {
				t.Errorf("%s with the scale 2^%d: mean %.4f and mean absolute value %.4f scales; want 0 and %.4f ± %.4f", name, shift, sum/n, absolute/n, d.abs, limit)
			}
		}
	}
}

func TestScalesOutOfRange(t *testing.T) {
	huge := new(big.Rat).SetInt(new(big.Int).Lsh(one, maxBits))
	for name, scale := range map[string]*big.Rat{"none": nil, "0": new(big.Rat), "below 0": big.NewRat(-1, 2), "too large": huge, "too small": new(big.Rat).Inv(huge)} {
		if l, err := NewDiscreteLaplace(scale); !isScaleError(err) || l != nil {
			t.Errorf("discrete Laplace with the scale %s: %v, %v", name, l, err)
		}
		if g, err := NewDiscreteGaussian(scale); !isScaleError(err) || g != nil {
			t.Errorf("discrete Gaussian with the σ² %s: %v, %v", name, g, err)
		}
	}
}

func isScaleError(err error) bool { return fmt.Sprintf("%T", err) == "*dp.ScaleError" }
