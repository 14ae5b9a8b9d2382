package field

import (
	"math/big"
	"math/bits"
)

// Field128 is the prime field with the modulus 2^128 - 7*2^66 + 1 (VDAF
// Section 6.1.4).
var Field128 Field[Elem128] = field128{}

// field128 implements Field[Elem128]. It has no state but the tables of roots,
// which are built once and never changed.
type field128 struct{}

// In this field arithmetic is that of polynomials in X = 2^64, with one word
// for a coefficient, modulo X^2 - fold128*X + 1 = p.
const (
	// fold128 is 7*2^66 / 2^64: X^2 = 28*X - 1 modulo p.
	fold128 = 28
	// X^3 = 28*X^2 - X = fold3128*X - 28.
	fold3128 = fold128*fold128 - 1
	// X^4 = fold3128*X^2 - 28*X = fold4128*X - fold3128.
	fold4128 = fold3128*fold128 - fold128
	// The modulus, 2^66 * 4611686018427387897 + 1, is modulusHi128*2^64 + modulusLo128.
	modulusHi128 = 1<<64 - fold128
	modulusLo128 = 1

	encodedSize128  = 16
	genOrderLog2128 = 66
	// genCofactor128 is the exponent that takes the multiplicative generator,
	// 7, to the standard's generator: (p - 1) / 2^66.
	genCofactor128 = modulusHi128 >> (genOrderLog2128 - 64)
)

func add128(a, b Elem128) Elem128 {
	// a - (p - b) borrows exactly if a + b < p, and then p is due back.
	lo, c := bits.Sub64(modulusLo128, b.Lo, 0)
	hi := modulusHi128 - b.Hi - c
	lo, c = bits.Sub64(a.Lo, lo, 0)
	hi, c = bits.Sub64(a.Hi, hi, c)
	return addModulusIf128(c, hi, lo)
}

func sub128(a, b Elem128) Elem128 {
	lo, c := bits.Sub64(a.Lo, b.Lo, 0)
	hi, c := bits.Sub64(a.Hi, b.Hi, c)
	return addModulusIf128(c, hi, lo)
}

// addModulusIf128 returns hi*X + lo, plus p if bit is 1, modulo 2^128.
func addModulusIf128(bit, hi, lo uint64) Elem128 {
	lo, c := bits.Add64(lo, bit*modulusLo128, 0)
	return Elem128{Lo: lo, Hi: hi + modulusHi128&-bit + c}
}

func mul128(a, b Elem128) Elem128 {
	h0, r0 := bits.Mul64(a.Lo, b.Lo)
	h1, l1 := bits.Mul64(a.Lo, b.Hi)
	h2, l2 := bits.Mul64(a.Hi, b.Lo)
	h3, l3 := bits.Mul64(a.Hi, b.Hi)
	r1, c := bits.Add64(h0, l1, 0)
	r2, c := bits.Add64(l3, h1, c)
	r3, _ := bits.Add64(h3, 0, c)
	r1, c = bits.Add64(r1, l2, 0)
	r2, c = bits.Add64(r2, h2, c)
	r3, _ = bits.Add64(r3, 0, c)

	// From here on this is reduceWide128, which the compiler would not inline.
	u1, u0 := bits.Mul64(r2, fold128)
	v1, v0 := bits.Mul64(r3, fold3128)
	w1, w0 := bits.Mul64(r3, fold128)
	r1, c = bits.Add64(r1, u0, 0)
	s2, _ := bits.Add64(u1, v1, c)
	r1, c = bits.Add64(r1, v0, 0)
	s2, _ = bits.Add64(s2, 0, c)
	r0, c = bits.Sub64(r0, w0, 0)
	w1, _ = bits.Add64(w1, 0, c)
	r0, c = bits.Sub64(r0, r2, 0)
	w1, _ = bits.Add64(w1, 0, c)
	r1, c = bits.Sub64(r1, w1, 0)
	s2, _ = bits.Sub64(s2, 0, c)
	return fold128Once(s2, r1, r0)
}

// reduceWide128 returns r3*X^3 + r2*X^2 + r1*X + r0 modulo p, for any words.
//
// The first fold leaves (r1 + 28*r2 + 783*r3)*X + r0 - r2 - 28*r3, which is not
// negative. With the constant term's borrows taken from the other coefficient that is
// s2*X^2 + s1*X + s0, and s2 < 2^10.
func reduceWide128(r3, r2, r1, r0 uint64) Elem128 {
	u1, u0 := bits.Mul64(r2, fold128)
	v1, v0 := bits.Mul64(r3, fold3128)
	w1, w0 := bits.Mul64(r3, fold128)
	r1, c := bits.Add64(r1, u0, 0)
	s2, _ := bits.Add64(u1, v1, c)
	r1, c = bits.Add64(r1, v0, 0)
	s2, _ = bits.Add64(s2, 0, c)
	r0, c = bits.Sub64(r0, w0, 0)
	w1, _ = bits.Add64(w1, 0, c)
	r0, c = bits.Sub64(r0, r2, 0)
	w1, _ = bits.Add64(w1, 0, c)
	r1, c = bits.Sub64(r1, w1, 0)
	s2, _ = bits.Sub64(s2, 0, c)
	return fold128Once(s2, r1, r0)
}

// fold128Once returns s2*X^2 + s1*X + s0 modulo p, for s2 < 2^32 and any other words.
//
// Folding s2 would leave less than 2*p. Folding s2 + 1 instead adds 2^128 - p
// to that: if it was p or more, the sum carries out of 128 bits and is the result; if not, p is due
// back.
func fold128Once(s2, s1, s0 uint64) Elem128 {
	m := s2 + 1
	lo, b := bits.Sub64(s0, m, 0)
	hi, c := bits.Add64(s1, m*fold128-b, 0)
	return addModulusIf128(1-c, hi, lo)
}

// reduceAcc128 returns r4*X^4 + r3*X^3 + r2*X^2 + r1*X + r0 modulo p, for
// r4 < 2^48 and any other words.
func reduceAcc128(r4, r3, r2, r1, r0 uint64) Elem128 {
	e := reduceWide128(r3, r2, r1, r0)
	return sub128(add128(e, Elem128{Hi: r4 * fold4128}), Elem128{Lo: r4 * fold3128})
}

// squareTimes128 returns a^(2^n).
func squareTimes128(a Elem128, n int) Elem128 {
	for range n {
		a = mul128(a, a)
	}
	return a
}

func inv128(a Elem128) Elem128 {
	// p - 2 in binary is 59 ones, three zeros, 66 ones. eN is a^(2^N - 1).
	e2 := mul128(squareTimes128(a, 1), a)
	e3 := mul128(squareTimes128(e2, 1), a)
	e4 := mul128(squareTimes128(e3, 1), a)
	e7 := mul128(squareTimes128(e4, 3), e3)
	e14 := mul128(squareTimes128(e7, 7), e7)
	e28 := mul128(squareTimes128(e14, 14), e14)
	e56 := mul128(squareTimes128(e28, 28), e28)
	e59 := mul128(squareTimes128(e56, 3), e3)
	e66 := mul128(squareTimes128(e59, 7), e7)
	return mul128(squareTimes128(e59, 3+66), e66)
}

func pow128(a Elem128, n uint64) Elem128 {
	if n == 0 {
		return Elem128{Lo: 1}
	}
	r := a
	for i := bits.Len64(n) - 1; i > 0; i-- {
		r = mul128(r, r)
		if n>>(i-1)&1 == 1 {
			r = mul128(r, a)
		}
	}
	return r
}

func (field128) Name() string { return "Field128" }

func (field128) Modulus() *big.Int {
	m := new(big.Int).SetUint64(modulusHi128)
	return m.Lsh(m, 64).Add(m, big.NewInt(modulusLo128))
}

func (field128) EncodedSize() int { return encodedSize128 }

func (field128) FromUint64(x uint64) Elem128 { return Elem128{Lo: x} }

func (f field128) FromBigInt(x *big.Int) Elem128 {
	m := new(big.Int).Mod(x, f.Modulus())
	hi := new(big.Int).Rsh(m, 64)
	lo := m.Sub(m, new(big.Int).Lsh(hi, 64))
	return Elem128{Lo: lo.Uint64(), Hi: hi.Uint64()}
}

func (field128) BigInt(e Elem128) *big.Int {
	x := new(big.Int).SetUint64(e.Hi)
	return x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(e.Lo))
}

func (field128) Add(a, b Elem128) Elem128        { return add128(a, b) }
func (field128) Sub(a, b Elem128) Elem128        { return sub128(a, b) }
func (field128) Neg(a Elem128) Elem128           { return sub128(Elem128{}, a) }
func (field128) Mul(a, b Elem128) Elem128        { return mul128(a, b) }
func (field128) Inv(a Elem128) Elem128           { return inv128(a) }
func (field128) Pow(a Elem128, n uint64) Elem128 { return pow128(a, n) }
func (field128) Equal(a, b Elem128) int {
	return int(1 ^ nonZero((a.Lo^b.Lo)|(a.Hi^b.Hi)))
}
func (field128) Generator() Elem128            { return roots128.generator }
func (field128) GenOrderLog2() int             { return genOrderLog2128 }
func (field128) NthRoot(n int) Elem128         { return roots128.root(log2(n)) }
func (field128) NthRootPowers(n int) []Elem128 { return roots128.powers(log2(n))[:n:n] }
