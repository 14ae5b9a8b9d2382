package dp

import "math/big"

// decisions are the random decisions that exponentials are made of. *source makes them; tests enumerate them.
type decisions interface {
	oneIn(k uint64) bool   // with the probability 1/k
	less(f *fraction) bool // with the probability f
}

// expFraction decides with the probability exp(-γ) for a γ of [0, 1), and expOne with the
// probability exp(-1): Algorithm 1 of Canonne, Kamath and Steinke for γ ≤ 1. It counts how many decisions
// with the probabilities γ/1, γ/2, γ/3... are true before the first that is not; the number is even with
// the probability Σ (-γ)^k/k! = exp(-γ).
//
// A decision with the probability γ/k is one with γ and one with 1/k, both true.
func expFraction(d decisions, gamma *fraction) bool {
	even := true
	for k := uint64(1); d.oneIn(k) && d.less(gamma); k++ {
		even = !even
	}
	return even
}

func expOne(d decisions) bool {
	even := true
	for k := uint64(1); d.oneIn(k); k++ {
		even = !even
	}
	return even
}

// exponential is a γ ≥ 0, rational, whose exp(-γ) is a probability.
type exponential struct {
	whole big.Int  // floor(γ)
	part  fraction // γ - floor(γ)
	rest  big.Int  // scratch
}

// set sets γ to num/den, num ≥ 0 and den > 0.
func (e *exponential) set(num, den *big.Int) {
	e.whole.QuoRem(num, den, &e.rest)
	e.part.set(&e.rest, den)
}

// decide decides with the probability exp(-γ): Algorithm 1 for any γ.
func (e *exponential) decide(d decisions) bool {
	// A whole part beyond 64 bits is as good as one of 2^64 - 1: both need more decisions that are true than maxWords allows.
	whole := ^uint64(0)
	if e.whole.IsUint64() {
		whole = e.whole.Uint64()
	}
	for ; whole > 0; whole-- {
		if !expOne(d) {
			return false
		}
	}
	return expFraction(d, &e.part)
}
