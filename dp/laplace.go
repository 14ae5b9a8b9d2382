package dp

import (
	"fmt"
	"io"
	"math/big"
)

// maxBits bounds the numerator and the denominator of a scale, so that a draw costs no more than it should.
// The widest that a task can ask for is below 2^200.
const maxBits = 1 << 10

// ScaleError is the error of a distribution whose scale is not positive, or has more digits than make sense.
type ScaleError struct {
	Distribution string // "discrete Laplace" or "discrete Gaussian"
	Problem      string
}

func (e *ScaleError) Error() string { return "dp: " + e.Distribution + ": " + e.Problem }

func checkScale(distribution, name string, scale *big.Rat) error {
	switch {
	case scale == nil || scale.Sign() <= 0:
		return &ScaleError{distribution, name + " must be above 0"}
	case scale.Num().BitLen() > maxBits || scale.Denom().BitLen() > maxBits:
		return &ScaleError{distribution, fmt.Sprintf("%s has a numerator or a denominator of more than %d bits", name, maxBits)}
	}
	return nil
}

// DiscreteLaplace is the distribution of the integers x with a probability proportional to exp(-|x|/scale).
// It is immutable and safe for concurrent use.
type DiscreteLaplace struct {
	t, s *big.Int // the scale t/s in lowest terms
}

// NewDiscreteLaplace returns the distribution with that scale, which must be above 0. Its error is a *ScaleError.
func NewDiscreteLaplace(scale *big.Rat) (*DiscreteLaplace, error) {
	if err := checkScale("discrete Laplace", "the scale", scale); err != nil {
		return nil, err
	}
	return &DiscreteLaplace{t: new(big.Int).Set(scale.Num()), s: new(big.Int).Set(scale.Denom())}, nil
}

// Scale returns the scale.
func (l *DiscreteLaplace) Scale() *big.Rat { return new(big.Rat).SetFrac(l.t, l.s) }

// Sample draws n independent integers, with the random bits of the reader, of which it may read more than
// it needs. Its errors are those of the reader, and ErrNotRandom.
func (l *DiscreteLaplace) Sample(random io.Reader, n int) ([]*big.Int, error) {
	return sample(random, n, &laplaceDraw{DiscreteLaplace: l})
}

// dice are the random decisions that a draw is made of.
type dice interface {
	begin()
	decisions
	below(x, n *big.Int) // sets x to a uniform integer of [0, n)
	expOne() bool
	exp(gamma *exponential) bool
	failed() error
}

func (s *source) expOne() bool                { return expOne(s) }
func (s *source) exp(gamma *exponential) bool { return gamma.decide(s) }

// A drawer draws one integer in rounds.
type drawer interface {
	// round sets x to an integer, or returns false: it takes another round.
	round(d dice, x *big.Int) bool
}

// sample draws n integers.
func sample(random io.Reader, n int, d drawer) ([]*big.Int, error) {
	s := newSource(random)
	defer s.wipe()
	values := make([]big.Int, n)
	pointers := make([]*big.Int, n)
	for i := range values {
		s.begin()
		if err := draw(s, d, &values[i]); err != nil {
			return nil, err
		}
		pointers[i] = &values[i]
	}
	return pointers, nil
}

// draw makes rounds until one gives an integer.
func draw(s dice, d drawer, x *big.Int) error {
	for {
		done := d.round(s, x)
		if err := s.failed(); err != nil {
			x.SetUint64(0)
			return err
		}
		if done {
			return nil
		}
	}
}

// laplaceDraw is the memory that draws of one goroutine use again and again.
type laplaceDraw struct {
	*DiscreteLaplace
	u, v  big.Int
	gamma exponential
}

// round is one round of Algorithm 2 of Canonne, Kamath and Steinke: |x| = floor((u + t·v)/s) for a u of [0, t)
// with a probability proportional to exp(-u/t) and a v ≥ 0 with one proportional to exp(-v). Of
// both signs of 0 one is refused, so that it does not count twice.
func (l *laplaceDraw) round(d dice, x *big.Int) bool {
	d.below(&l.u, l.t)
	l.gamma.set(&l.u, l.t)
	if !d.exp(&l.gamma) {
		return false
	}
	v := uint64(0)
	for d.expOne() {
		v++
	}
	x.Mul(l.t, l.v.SetUint64(v))
	x.Add(x, &l.u)
	x.Quo(x, l.s)
	if d.oneIn(2) {
		if x.Sign() == 0 {
			return false
		}
		x.Neg(x)
	}
	return true
}
