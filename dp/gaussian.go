package dp

import (
	"io"
	"math/big"
)

// DiscreteGaussian is the distribution of the integers x with a probability proportional to exp(-x²/2σ²).
// It is immutable and safe for concurrent use.
type DiscreteGaussian struct {
	variance *big.Rat         // σ² = a/b, in lowest terms
	laplace  *DiscreteLaplace // with the scale t = floor(σ) + 1
	tb       *big.Int         // t·b
	den      *big.Int         // 2·a·b·t²
}

// NewDiscreteGaussian returns the distribution with that σ², which must be above 0. Its variance is at most
// σ², and as good as that unless σ is far below 1. Its error is a *ScaleError.
func NewDiscreteGaussian(sigmaSquared *big.Rat) (*DiscreteGaussian, error) {
	if err := checkScale("discrete Gaussian", "σ²", sigmaSquared); err != nil {
		return nil, err
	}
	a, b := sigmaSquared.Num(), sigmaSquared.Denom()
	t := new(big.Int).Quo(a, b) // floor(σ²), whose integer square root is floor(σ)
	t.Add(t.Sqrt(t), one)
	den := new(big.Int).Mul(a, b)
	den.Mul(den, new(big.Int).Mul(t, t))
	return &DiscreteGaussian{
		variance: new(big.Rat).Set(sigmaSquared),
		laplace:  &DiscreteLaplace{t: t, s: one},
		tb:       new(big.Int).Mul(t, b),
		den:      den.Lsh(den, 1),
	}, nil
}

// SigmaSquared returns σ².
func (g *DiscreteGaussian) SigmaSquared() *big.Rat { return new(big.Rat).Set(g.variance) }

// Sample draws n independent integers, with the random bits of the reader, of which it may read more than
// it needs. Its errors are those of the reader, and ErrNotRandom.
func (g *DiscreteGaussian) Sample(random io.Reader, n int) ([]*big.Int, error) {
	return sample(random, n, &gaussianDraw{DiscreteGaussian: g, proposal: laplaceDraw{DiscreteLaplace: g.laplace}})
}

// gaussianDraw is the memory that draws of one goroutine use again and again.
type gaussianDraw struct {
	*DiscreteGaussian
	proposal laplaceDraw
	num      big.Int
	gamma    exponential
}

// round is one round of Algorithm 3 of Canonne, Kamath and Steinke: a discrete Laplace x with the scale t,
// which is taken with the probability exp(-γ).
func (g *gaussianDraw) round(d dice, x *big.Int) bool {
	if !g.proposal.round(d, x) {
		return false
	}
	g.setGamma(x)
	return d.exp(&g.gamma)
}

// setGamma sets γ = (|x| - σ²/t)²/2σ² = (|x|·t·b - a)²/(2·a·b·t²).
func (g *gaussianDraw) setGamma(x *big.Int) {
	g.num.Abs(x)
	g.num.Mul(&g.num, g.tb)
	g.num.Sub(&g.num, g.variance.Num())
	g.num.Mul(&g.num, &g.num)
	g.gamma.set(&g.num, g.den)
}
