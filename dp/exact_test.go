package dp

import (
	"math/big"
	"sync"
	"testing"
)

// The precision of the exact tests: probabilities are numbers of precision bits, a path of random decisions that is
// less probable than negligible is not followed, and the tests allow an error of tolerance.
const precision = 192

var (
	negligible = new(big.Float).SetMantExp(big.NewFloat(1), -110)
	tolerance  = new(big.Float).SetMantExp(big.NewFloat(1), -90)
)

func real(x *big.Rat) *big.Float { return new(big.Float).SetPrec(precision).SetRat(x) }

// exponentials holds what expMinus has computed.
var exponentials sync.Map // by the rational's text

// expMinus returns exp(-x) for a rational x ≥ 0, which is not to be changed.
func expMinus(x *big.Rat) *big.Float {
	key := x.RatString()
	if known, ok := exponentials.Load(key); ok {
		return known.(*big.Float)
	}
	known, _ := exponentials.LoadOrStore(key, powerSeries(x))
	return known.(*big.Float)
}

// powerSeries computes exp(-x) from its power series.
func powerSeries(x *big.Rat) *big.Float {
	// exp(-x) = exp(-x/2^k)^(2^k), with x/2^k at most 1.
	k := 0
	for scaled := new(big.Rat).Set(x); scaled.Cmp(big.NewRat(1, 1)) > 0; k++ {
		scaled.Quo(scaled, big.NewRat(2, 1))
	}
	v := real(x)
	v.SetMantExp(v, -k)
	sum, term := newReal(1), newReal(1)
	for i := int64(1); i < 60; i++ {
		term.Mul(term, v)
		term.Quo(term, newReal(-i))
		sum.Add(sum, term)
	}
	for range k {
		sum.Mul(sum, sum)
	}
	return sum
}

func newReal(x int64) *big.Float { return new(big.Float).SetPrec(precision).SetInt64(x) }

func near(a, b *big.Float) bool {
	d := new(big.Float).Sub(a, b)
	return d.Abs(d).Cmp(tolerance) <= 0
}

// enumerator goes through all paths of random decisions, each with its exact probability. A path is a list of
// choices; what it does not say yet is its first choice, and next finds the path after it.
type enumerator struct {
	path []choice
	at   int
	p    *big.Float // of the path so far
}

type choice struct{ taken, of int }

// each runs f on every path, with the path's probability once f is done.
func (e *enumerator) each(f func()) {
	for {
		e.at, e.p = 0, newReal(1)
		f()
		for len(e.path) > 0 && e.path[len(e.path)-1].taken+1 == e.path[len(e.path)-1].of {
			e.path = e.path[:len(e.path)-1]
		}
		if len(e.path) == 0 {
			return
		}
		e.path[len(e.path)-1].taken++
	}
}

// choose takes the path's next choice out of n.
func (e *enumerator) choose(n int) int {
	if e.at == len(e.path) {
		e.path = append(e.path, choice{0, n})
	}
	e.at++
	return e.path[e.at-1].taken
}

// decide makes a decision that is true with the probability p.
func (e *enumerator) decide(p *big.Float) bool {
	if e.p.Cmp(negligible) < 0 {
		e.p.SetInt64(0) // the path is given up: all of them together are worth less than the tolerance
		return false
	}
	yes := e.choose(2) == 1
	if !yes {
		p = new(big.Float).Sub(newReal(1), p)
	}
	e.p.Mul(e.p, p)
	return yes
}

func (e *enumerator) begin()        {}
func (e *enumerator) failed() error { return nil }
func (e *enumerator) oneIn(k uint64) bool {
	if k == 1 {
		return true
	}
	return e.decide(real(new(big.Rat).SetFrac(one, new(big.Int).SetUint64(k))))
}
func (e *enumerator) less(f *fraction) bool { return e.decide(real(valueOf(f))) }
func (e *enumerator) below(x, n *big.Int) {
	x.SetInt64(int64(e.choose(int(n.Int64()))))
	e.p.Quo(e.p, new(big.Float).SetInt(n))
}
func (e *enumerator) expOne() bool { return e.decide(expMinus(big.NewRat(1, 1))) }
func (e *enumerator) exp(gamma *exponential) bool {
	return e.decide(expMinus(gammaOf(gamma)))
}

// valueOf returns num/den of a fraction: (2^64·num)/(2^64·den), and 2^64·num = digit·den + rest.
func valueOf(f *fraction) *big.Rat {
	num := new(big.Int).SetUint64(f.digit)
	num.Mul(num, &f.den).Add(num, &f.rest)
	return new(big.Rat).SetFrac(num, new(big.Int).Lsh(&f.den, 64))
}

func gammaOf(e *exponential) *big.Rat {
	g := valueOf(&e.part)
	return g.Add(g, new(big.Rat).SetInt(&e.whole))
}

// The probability of a decision is exp(-γ): that of all paths is added up.
func TestExponentialIsExact(t *testing.T) {
	for _, gamma := range []string{"0", "1/1000000", "1/3", "1/2", "999/1000", "1", "3/2", "7/3"} {
		x, _ := new(big.Rat).SetString(gamma)
		var e exponential
		e.set(x.Num(), x.Denom())
		if gammaOf(&e).Cmp(x) != 0 {
			t.Fatalf("γ = %s became %s", gamma, gammaOf(&e).RatString())
		}
		paths, yes, all := enumerator{}, newReal(0), newReal(0)
		paths.each(func() {
			if e.decide(&paths) {
				yes.Add(yes, paths.p)
			}
			all.Add(all, paths.p)
		})
		if !near(yes, expMinus(x)) || !near(all, newReal(1)) {
			t.Errorf("exp(-%s) is decided with the probability %.30g of %.30g; want %.30g", gamma, yes, all, expMinus(x))
		}
	}
}

// expOne is the same as an exponential of γ = 1.
func TestExpOneIsExact(t *testing.T) {
	paths, yes := enumerator{}, newReal(0)
	paths.each(func() {
		if expOne(&paths) {
			yes.Add(yes, paths.p)
		}
	})
	if want := expMinus(big.NewRat(1, 1)); !near(yes, want) {
		t.Errorf("exp(-1) is decided with the probability %.30g; want %.30g", yes, want)
	}
}

// roundProbabilities adds up the probabilities with which a round gives each integer, and that it gives one.
func roundProbabilities(d drawer) (of map[int64]*big.Float, total *big.Float) {
	paths := enumerator{}
	of, total = map[int64]*big.Float{}, newReal(0)
	x := new(big.Int)
	paths.each(func() {
		if !d.round(&paths, x) {
			return
		}
		if of[x.Int64()] == nil {
			of[x.Int64()] = newReal(0)
		}
		of[x.Int64()].Add(of[x.Int64()], paths.p)
		total.Add(total, paths.p)
	})
	return of, total
}

// Every integer has the probability (1-q)/(1+q)·q^|x| with q = exp(-s/t).
func TestLaplaceIsExact(t *testing.T) {
	for _, scale := range []string{"1", "1/2", "2", "5/3", "1/7", "13/4"} {
		x, _ := new(big.Rat).SetString(scale)
		of, total := roundProbabilities(&laplaceDraw{DiscreteLaplace: mustLaplace(t, x)})
		q := expMinus(new(big.Rat).Inv(x))
		ratio := new(big.Float).Quo(new(big.Float).Sub(newReal(1), q), new(big.Float).Add(newReal(1), q))
		for value := int64(-20); value <= 20; value++ {
			want := new(big.Float).Mul(ratio, expMinus(new(big.Rat).Quo(big.NewRat(max(value, -value), 1), x)))
			got := newReal(0)
			if of[value] != nil {
				got.Quo(of[value], total)
			}
			if !near(got, want) {
				t.Errorf("scale %s: %d has the probability %.30g; want %.30g", scale, value, got, want)
			}
		}
	}
}

// Every integer has the probability exp(-x²/2σ²)/Σ exp(-y²/2σ²).
func TestGaussianIsExact(t *testing.T) {
	for _, variance := range []string{"1", "1/4", "2", "9/4", "1/50", "100/7"} {
		s, _ := new(big.Rat).SetString(variance)
		g := mustGaussian(t, s)
		of, total := roundProbabilities(&gaussianDraw{DiscreteGaussian: g, proposal: laplaceDraw{DiscreteLaplace: g.laplace}})
		weight := func(x int64) *big.Float {
			return expMinus(new(big.Rat).Quo(big.NewRat(x*x, 2), s))
		}
		sum := newReal(0)
		for x := int64(-120); x <= 120; x++ { // exp(-120²·7/200) is below the tolerance
			sum.Add(sum, weight(x))
		}
		for x := int64(-20); x <= 20; x++ {
			got, want := newReal(0), new(big.Float).Quo(weight(x), sum)
			if of[x] != nil {
				got.Quo(of[x], total)
			}
			if !near(got, want) {
				t.Errorf("σ² = %s: %d has the probability %.30g; want %.30g", variance, x, got, want)
			}
		}
	}
}
