package dp

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/field"
)

// valid returns parameters that every function takes.
func valid(kind Kind) Parameters {
	return Parameters{
		Kind: kind, Neighbours: ReplaceOne, Level: big.NewRat(1, 1), Budget: big.NewRat(30, 1),
		ReportsPerClient: 30, ReportsPerBatch: 1, MaxBatchSize: 1_000_000,
	}
}

func mustMechanism(t testing.TB, f Function, p Parameters) *Mechanism {
	t.Helper()
	m, err := NewMechanism(f, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The scale is Δ₁/ε, and σ² is Δ₂²/2ρ.
func TestMechanismScale(t *testing.T) {
	for name, test := range map[string]struct {
		function   Function
		neighbours Neighbours
		kind       Kind
		level      *big.Rat
		want       string
	}{
		"count, pure":                {Count(), ReplaceOne, PureEpsilon, big.NewRat(1, 3), "3"},
		"sum, pure":                  {Sum(100), ReplaceOne, PureEpsilon, big.NewRat(1, 2), "200"},
		"sum, concentrated":          {Sum(100), RemoveOne, ZeroConcentrated, big.NewRat(1, 2), "10000"},
		"sumvec, concentrated":       {SumVec(7, 10), ReplaceOne, ZeroConcentrated, big.NewRat(1, 10), "3500"},
		"histogram, pure":            {Histogram(20), ReplaceOne, PureEpsilon, big.NewRat(1, 1), "2"},
		"histogram, pure, removing":  {Histogram(20), RemoveOne, PureEpsilon, big.NewRat(1, 1), "1"},
		"histogram, concentrated":    {Histogram(20), ReplaceOne, ZeroConcentrated, big.NewRat(1, 4), "4"},
		"multihot, concentrated":     {MultihotCountVec(10, 3), ReplaceOne, ZeroConcentrated, big.NewRat(1, 4), "12"},
		"multihot of nearly all":     {MultihotCountVec(5, 4), ReplaceOne, PureEpsilon, big.NewRat(1, 1), "5"},
		"multihot, removing":         {MultihotCountVec(5, 4), RemoveOne, PureEpsilon, big.NewRat(1, 1), "4"},
		"the level may be any ratio": {Count(), ReplaceOne, PureEpsilon, big.NewRat(7, 1000), "1000/7"},
	} {
		p := valid(test.kind)
		p.Neighbours, p.Level = test.neighbours, test.level
		if got := mustMechanism(t, test.function, p).Scale().RatString(); got != test.want {
			t.Errorf("%s: scale %s; want %s", name, got, test.want)
		}
	}
}

func TestUnsoundParameters(t *testing.T) {
	for name, test := range map[string]struct {
		function Function
		change   func(*Parameters)
		want     string
	}{
		"no mechanism":             {Count(), func(p *Parameters) { p.Kind = 0 }, "mechanism"},
		"unknown mechanism":        {Count(), func(p *Parameters) { p.Kind = 3 }, "mechanism"},
		"unknown relation":         {Count(), func(p *Parameters) { p.Neighbours = 3 }, "neighbouring relation"},
		"no level":                 {Count(), func(p *Parameters) { p.Level = nil }, "level"},
		"level 0":                  {Count(), func(p *Parameters) { p.Level = new(big.Rat) }, "level"},
		"level below 0":            {Count(), func(p *Parameters) { p.Level = big.NewRat(-1, 2) }, "level"},
		"no budget":                {Count(), func(p *Parameters) { p.Budget = nil }, "budget"},
		"budget below one batch":   {Count(), func(p *Parameters) { p.Budget = big.NewRat(99, 100) }, "budget"},
		"several in one batch":     {Count(), func(p *Parameters) { p.ReportsPerBatch = 6 }, "budget"}, // 36ρ
		"no report":                {Count(), func(p *Parameters) { p.ReportsPerClient = 0 }, "reports per client"},
		"none in a batch":          {Count(), func(p *Parameters) { p.ReportsPerBatch = 0 }, "reports per client"},
		"more in a batch than all": {Count(), func(p *Parameters) { p.ReportsPerBatch = 31 }, "reports per client and batch"},
		"no batch size":            {Count(), func(p *Parameters) { p.MaxBatchSize = 0 }, "maximum batch size"},
		"sum of large numbers":     {Sum(1 << 50), func(p *Parameters) { p.MaxBatchSize = 1 << 13 }, "maximum batch size"},
		"noise beyond the field":   {Sum(1 << 60), func(p *Parameters) { p.Level = big.NewRat(1, 10000) }, "level"},
		"sensitivity 0":            {Sum(0), func(*Parameters) {}, "aggregation function"},
		"no elements":              {Histogram(0), func(*Parameters) {}, "aggregation function"},
		"no function":              {Function{}, func(*Parameters) {}, "aggregation function"},
	} {
		p := valid(ZeroConcentrated)
		test.change(&p)
		m, err := NewMechanism(test.function, p)
		problem, ok := errors.AsType[*ParameterError](err)
		if m != nil || !ok || problem.Parameter != test.want {
			t.Errorf("%s: %v, %v; want a *ParameterError about the %s", name, m, err, test.want)
		}
	}
}

// The noise that comes out of a share is what the distribution gives for the same random bits, modulo p:
// a negative x is p - |x|.
func TestNoiseIsAddedModuloTheField(t *testing.T) {
	for name, f := range map[string]Function{"Field64": Sum(1000), "Field128": Histogram(500)} {
		for _, kind := range []Kind{PureEpsilon, ZeroConcentrated} {
			p := valid(kind)
			p.Level = big.NewRat(1, 10)
			m := mustMechanism(t, f, p)
			want, err := m.draw(testReader(5), f.Length())
			if err != nil {
				t.Fatal(err)
			}
			noise, err := m.Draw(testReader(5))
			if err != nil {
				t.Fatal(err)
			}
			share := bytes.Repeat([]byte{7}, f.encodeSize*f.length) // every element is below p
			before := bytes.Clone(share)
			noised, err := noise.AddTo(share)
			if err != nil || len(noised) != len(share) || !bytes.Equal(share, before) {
				t.Fatalf("%s, %s: %d bytes, %v", name, kind, len(noised), err)
			}
			for i, x := range want {
				sum := littleEndian(share[i*f.encodeSize : (i+1)*f.encodeSize])
				sum.Mod(sum.Add(sum, x), f.modulus)
				if got := littleEndian(noised[i*f.encodeSize : (i+1)*f.encodeSize]); got.Cmp(sum) != 0 {
					t.Fatalf("%s, %s: element %d is %v; want %v", name, kind, i, got, sum)
				}
			}
		}
	}
}

func littleEndian(b []byte) *big.Int {
	reversed := make([]byte, len(b))
	for i := range b {
		reversed[len(b)-1-i] = b[i]
	}
	return new(big.Int).SetBytes(reversed)
}

func TestNoiseIsUsedOnce(t *testing.T) {
	m := mustMechanism(t, Count(), valid(PureEpsilon))
	noise, err := m.Draw(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(noise), fmt.Sprintf("%+v %x %d", noise, noise, noise), slog.AnyValue(noise).Resolve().String()} {
		if !strings.Contains(text, "redacted") || strings.ContainsAny(text, "[&") {
			t.Errorf("noise is printed as %s", text)
		}
	}
	if _, err := noise.AddTo(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if noised, err := noise.AddTo(make([]byte, 8)); err != ErrNoiseUsed || noised != nil {
		t.Errorf("added again: %x, %v", noised, err)
	}
	for name, share := range map[string][]byte{"too short": make([]byte, 7), "too long": make([]byte, 16), "empty": nil} {
		noise, _ := m.Draw(rand.Reader)
		_, err := noise.AddTo(share)
		if _, ok := errors.AsType[*field.LengthError](err); !ok {
			t.Errorf("a share that is %s: %v", name, err)
		}
	}
	noise, _ = m.Draw(rand.Reader)
	_, err = noise.AddTo(bytes.Repeat([]byte{0xff}, 8))
	if _, ok := errors.AsType[*field.RangeError](err); !ok {
		t.Errorf("a share that is no field element: %v", err)
	}
	if noise, err := m.Draw(failing{errors.New("no entropy")}); err == nil || noise != nil {
		t.Errorf("noise without random bits: %v, %v", noise, err)
	}
}

// The noise of both Aggregators stays within the bound, which is not absurdly wide, and the bound itself is
// exact: one report more may wrap around.
func TestWrapBound(t *testing.T) {
	for _, kind := range []Kind{PureEpsilon, ZeroConcentrated} {
		for name, test := range map[string]struct {
			function Function
			each     uint64
		}{"sum": {Sum(1 << 20), 1 << 20}, "histogram": {Histogram(64), 1}, "sumvec": {SumVec(3, 1<<30), 1 << 30}} {
			p := valid(kind)
			m := mustMechanism(t, test.function, p)
			bound := m.WrapBound()
			half := new(big.Int).Rsh(test.function.modulus, 1)
			worst := func(reports uint64) *big.Int {
				sum := new(big.Int).Mul(bigUint(reports), bigUint(test.each))
				return sum.Add(sum, bound.Noise)
			}
			if worst(bound.MaxBatchSize).Cmp(half) > 0 {
				t.Errorf("%s, %s: %d reports may wrap around", kind, name, bound.MaxBatchSize)
			}
			if bound.MaxBatchSize != math.MaxUint64 && worst(bound.MaxBatchSize+1).Cmp(half) <= 0 {
				t.Errorf("%s, %s: %d reports cannot wrap around yet", kind, name, bound.MaxBatchSize+1)
			}
			if bound.MaxBatchSize == math.MaxUint64 {
				continue
			}
			p.MaxBatchSize = bound.MaxBatchSize
			mustMechanism(t, test.function, p)
			p.MaxBatchSize++
			if _, err := NewMechanism(test.function, p); err == nil {
				t.Errorf("%s, %s: %d reports are taken", kind, name, p.MaxBatchSize)
			}
		}
		// 2·s·ln(4/2^-40) = 59·s for one Laplace element; 2σ·sqrt(ln(2/2^-40)) = 10.7σ for a Gaussian.
		m := mustMechanism(t, Sum(1000), valid(kind))
		scale, _ := m.Scale().Float64()
		want := 2 * scale * math.Log(4/0x1p-40)
		if kind == ZeroConcentrated {
			want = 2 * math.Sqrt(scale*math.Log(2/0x1p-40))
		}
		got, _ := new(big.Float).SetInt(m.WrapBound().Noise).Float64()
		if got < want || got > 1.1*want {
			t.Errorf("%s: the noise stays within %g; want a little above %g", kind, got, want)
		}
		for range 2000 {
			a, err := m.draw(rand.Reader, 2)
			if err != nil {
				t.Fatal(err)
			}
			if sum := a[0].Add(a[0], a[1]); sum.CmpAbs(m.WrapBound().Noise) > 0 {
				t.Errorf("%s: noise %v is beyond %v", kind, sum, m.WrapBound().Noise)
			}
		}
	}
}
