package field

import (
	"fmt"
	"math/bits"
	"sync"
)

const (
	// maxRootLog2 is the binary logarithm of the largest order of a root of
	// unity that this package hands out.
	maxRootLog2 = 32
	// maxCachedLog2 bounds the memory that tables take: sizes beyond 2^20 are
	// computed anew at each use.
	maxCachedLog2 = 20
)

// roots holds what a field precomputes for each power of two: the roots of
// unity, and tables that are built at their first use. It is safe for
// concurrent use.
type roots[E Elem] struct {
	generator E
	// nth[k] is the principal 2^k-th root of unity.
	nth [maxRootLog2 + 1]E
	// inv[k] is the inverse of 2^k.
	inv [maxRootLog2 + 1]E

	fillPowers func(dst []E, x E)
	one        E

	powersTable [maxCachedLog2 + 1]lazy[[]E]
	extendTable [maxCachedLog2 + 1]lazy[*extension[E]]
	cosetTable  [maxCachedLog2 + 1]lazy[[]E]
}

// lazy is a value that is computed when it is first asked for.
type lazy[T any] struct {
	once  sync.Once
	value T
}

func (l *lazy[T]) get(compute func() T) T {
	l.once.Do(func() { l.value = compute() })
	return l.value
}

// newRoots derives the tables of a field from its generator, of order
// 2^orderLog2, and from the inverse of two.
func newRoots[E Elem](one, generator, half E, orderLog2 int,
	mul func(a, b E) E, fillPowers func(dst []E, x E)) *roots[E] {
	r := &roots[E]{generator: generator, one: one, fillPowers: fillPowers}
	w := generator
	for k := orderLog2; k >= 0; k-- {
		if k <= maxRootLog2 {
			r.nth[k] = w
		}
		w = mul(w, w)
	}
	r.inv[0] = one
	for k := 1; k <= maxRootLog2; k++ {
		r.inv[k] = mul(r.inv[k-1], half)
	}
	return r
}

// root returns the principal 2^k-th root of unity.
func (r *roots[E]) root(k int) E { return r.nth[k] }

// powers returns w^0 to w^n, both included, for the principal n-th root of
// unity w and n = 2^k. Reading it backwards gives the powers of w's inverse.
func (r *roots[E]) powers(k int) []E {
	compute := func() []E {
		v := make([]E, 1<<k+1)
		v[0] = r.one
		r.fillPowers(v[1:], r.nth[k])
		return v
	}
	if k > maxCachedLog2 {
		return compute()
	}
	return r.powersTable[k].get(compute)
}

// cosetFactors returns what the coefficients of a polynomial, in bit-reversed order and n = 2^k times as large
// as they are, are multiplied by, so that its evaluations at the n-th roots of unity become those at the
// odd powers of the 2n-th root s: s^j/n for the coefficient of degree j.
func (r *roots[E]) cosetFactors(k int, mul func(a, b E) E) []E {
	compute := func() []E {
		v := make([]E, 1<<k)
		shift := r.powers(k + 1)
		for i := range v {
			v[i] = mul(shift[reversed(i, k)], r.inv[k])
		}
		return v
	}
	if k > maxCachedLog2 {
		return compute()
	}
	return r.cosetTable[k].get(compute)
}

// reversed returns the k lowest bits of i in reverse order.
func reversed(i, k int) int { return int(bits.Reverse64(uint64(i)) >> (64 - k)) }

// log2 returns the binary logarithm of n, the order of a root of unity. It
// panics if n is not a power of two or if there is no such root.
func log2(n int) int {
	if n <= 0 || n&(n-1) != 0 {
		panic(fmt.Sprintf("field: %d is not a power of two", n))
	}
	k := bits.TrailingZeros64(uint64(n))
	if k > maxRootLog2 {
		panic(fmt.Sprintf("field: 2^%d is beyond the largest root of unity, 2^%d", k, maxRootLog2))
	}
	return k
}

// mustMatch panics if two lengths that must be equal are not.
func mustMatch(operation string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("field: %s: a length is %d and should be %d", operation, got, want))
	}
}

// mustNotExceed panics if a length is negative or larger than it may be.
func mustNotExceed(operation string, got, limit int) {
	if got < 0 || got > limit {
		panic(fmt.Sprintf("field: %s: a length is %d and should be from 0 to %d", operation, got, limit))
	}
}
