package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// With X = 2^64 the modulus is p = X^2 - fold*X + 1, so that X^2 = fold*X - 1 modulo p.
const fold = 28

// word is a register or a word in memory.
type word = Op

// element is hi*X + lo.
type element struct{ lo, hi word }

// memory is the element at an address.
func memory(base Register) element { return elementAt(Mem{Base: base}) }

func elementAt(m Mem) element { return element{m, m.Offset(8)} }

// load returns the element in registers of its own, that may be changed.
func load(e element) element { return element{load64(e.lo), load64(e.hi)} }

func load64(w word) Register {
	r := GP64()
	MOVQ(w, r)
	return r
}

func zero() Register {
	r := GP64()
	XORL(r.As32(), r.As32())
	return r
}

func store(e element, to element) {
	MOVQ(e.lo, to.lo)
	MOVQ(e.hi, to.hi)
}

// times multiplies RDX by w.
func times(w word) (lo, hi Register) {
	lo, hi = GP64(), GP64()
	MULXQ(w, lo, hi)
	return lo, hi
}

// wide is a number of four words, the lowest first.
type wide [4]Register

func product(a, b element) (r wide) {
	MOVQ(a.lo, RDX)
	r[0], r[1] = times(b.lo)
	l1, r2 := times(b.hi)
	MOVQ(a.hi, RDX)
	l2, h2 := times(b.lo)
	l3, r3 := times(b.hi)
	ADDQ(l1, r[1])
	ADCQ(h2, r2)
	ADCQ(I8(0), r3)
	ADDQ(l2, r[1])
	ADCQ(l3, r2)
	ADCQ(I8(0), r3)
	r[2], r[3] = r2, r3
	return r
}

// reduce returns r modulo p, plus top*X^4, for top < 2^20 or nil. It uses r up.
//
// Folding r3*X^3 = fold*r3*X^2 - r3*X leaves k*X^3 with k <= fold, and a new r2. With
// that folded too and with the constant term's borrow taken from the coefficient of X, that
// is k*X^3 + s2*X^2 + r1*X + r0. Now
//
//	k*X^3   = (fold^2 - 1)*k*X - fold*k                          modulo p,
//	top*X^4 = (fold^3 - 2*fold)*top*X - (fold^2 - 1)*top         modulo p,
//
// so that with m = s2 + fold*k + (fold^2 - 1)*top, what is left is
// (r1 + fold*m - k - fold*top)*X + r0 - m. It is less than 2*p, and not negative: the coefficient of X
// is r1 + fold*r2 + (fold^2 - 1)*r3 - k, of the words before the folding, less a borrow that only comes
// if r2 or r3 is not zero, and more for top.
//
// With m + 1 in m's place it is greater by 2^128 - p: if it was p or more, the sum
// carries out of 128 bits and is the result; if not, p is due back.
func (r wide) reduce(top Register) element {
	r0, r1, r2, r3 := r[0], r[1], r[2], r[3]
	MOVQ(U32(fold), RDX)
	u, k := times(r3)
	ADDQ(u, r2)
	ADCQ(I8(0), k)
	v, m := times(r2)
	SUBQ(r2, r0)
	SBBQ(r3, r1)
	SBBQ(I8(0), m)
	ADDQ(v, r1)
	ADCQ(I8(0), m)
	LEAQ(Mem{Base: k, Index: k, Scale: 2}, r2)
	LEAQ(Mem{Base: r2, Index: k, Scale: 4}, r2)
	LEAQ(Mem{Base: m, Index: r2, Scale: 4, Disp: 1}, m)
	if top != nil {
		IMUL3Q(I32(fold*fold-1), top, r2)
		ADDQ(r2, m)
		IMUL3Q(I8(fold), top, top)
		ADDQ(top, k)
	}
	MOVQ(m, r2)
	SHLQ(U8(5), r2)
	LEAQ(Mem{Base: k, Index: m, Scale: 4}, k)
	SUBQ(r2, k) // now what is to be subtracted from r1
	return subtract(element{r0, r1}, element{m, k})
}

// reduceMontgomery returns r / X^2 modulo p, for r < p^2. It uses r up.
//
// As p = 1 modulo X, subtracting r0*p clears the lowest word; and then the same for the
// word above it. What is added on the way is less than 2^128 in all, for r < p^2 and p^2 is
// below X^4 - fold*X^3 - X^3; and what is subtracted is less than p.
func (r wide) reduceMontgomery() element {
	r0, r1, r2, r3 := r[0], r[1], r[2], r[3]
	MOVQ(U32(fold), RDX)
	l, h := times(r0)
	ADDQ(l, r1)
	ADCQ(h, r2)
	ADCQ(I8(0), r3)
	l, h = times(r1)
	ADDQ(l, r2)
	ADCQ(h, r3)
	return subtract(element{r2, r3}, element{r0, r1})
}

// subtract returns a - b modulo 2^128, plus p if that borrows. It uses a up.
func subtract(a, b element) element {
	less := zero()
	SUBQ(b.lo, a.lo)
	SBBQ(b.hi, a.hi)
	CMOVQCS(minusFold, less)
	ADCQ(I8(0), a.lo)
	ADCQ(less, a.hi)
	return a
}

// minusFold is -fold in memory. Adding p, modulo 2^128, is adding 1 to the lower word and, with
// the carry, -fold to the upper one.
var minusFold Mem

func defineMinusFold() {
	minusFold = GLOBL("minusFold", NOPTR|RODATA)
	DATA(0, I64(-fold))
}

func mul(a, b element) element { return product(a, b).reduce(nil) }

// mulMontgomery returns a*b / 2^128.
func mulMontgomery(a, b element) element { return product(a, b).reduceMontgomery() }

// sub returns a - b modulo p.
func sub(a, b element) element { return subtract(load(a), b) }

// add returns a + b modulo p as a - (p - b).
func add(a, b element) element {
	n := element{GP64(), GP64()}
	MOVQ(I32(1), n.lo)
	MOVQ(I32(-fold), n.hi)
	SUBQ(b.lo, n.lo)
	SBBQ(b.hi, n.hi)
	return subtract(load(a), n)
}
