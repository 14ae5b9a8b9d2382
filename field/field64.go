package field

import (
	"math/big"
	"math/bits"
)

// Field64 is the prime field with the modulus 2^64 - 2^32 + 1 (VDAF Section
// 6.1.4).
var Field64 Field[Elem64] = field64{}

// field64 implements Field[Elem64]. It has no state but the tables of roots,
// which are built once and never changed.
type field64 struct{}

const (
	// epsilon64 is 2^64 modulo p. Adding it, with the carry dropped, is
	// subtracting p.
	epsilon64 = 1<<32 - 1
	// modulus64 is p = 2^32 * 4294967295 + 1.
	modulus64 = epsilon64<<32 + 1

	encodedSize64  = 8
	genOrderLog264 = 32
	// genCofactor64 is the exponent that takes the multiplicative generator,
	// 7, to the standard's generator.
	genCofactor64 = (modulus64 - 1) >> genOrderLog264
)

// reduceOnce64 returns x modulo p, for any x.
func reduceOnce64(x uint64) Elem64 {
	d, borrow := bits.Sub64(x, modulus64, 0)
	return Elem64(d - epsilon64&-borrow)
}

func add64(a, b Elem64) Elem64 {
	// a - (p - b) borrows exactly if a + b < p, and then p is due back.
	d, borrow := bits.Sub64(uint64(a), modulus64-uint64(b), 0)
	return Elem64(d - epsilon64&-borrow)
}

func sub64(a, b Elem64) Elem64 {
	d, borrow := bits.Sub64(uint64(a), uint64(b), 0)
	return Elem64(d - epsilon64&-borrow)
}

func mul64(a, b Elem64) Elem64 {
	return reduceWide64(bits.Mul64(uint64(a), uint64(b)))
}

// reduceWide64 returns hi*2^64 + lo modulo p, for any hi and lo. With
// hi = u*2^32 + v it uses 2^96 = -1 and 2^64 = 2^32 - 1 modulo p:
// lo - u + v*(2^32 - 1).
func reduceWide64(hi, lo uint64) Elem64 {
	d, borrow := bits.Sub64(lo, hi>>32, 0)
	// After a borrow d >= 2^64 - 2^32 + 1: there is no second one. After a carry
	// s < (2^32-1)^2: there is no second one.
	s, carry := bits.Add64(d-epsilon64&-borrow, (hi&epsilon64)*epsilon64, 0)
	return reduceOnce64(s + epsilon64&-carry)
}

// reduceAcc64 returns c*2^128 + hi*2^64 + lo modulo p, for c < 2^32 and any hi
// and lo: 2^128 = -2^32 modulo p, and c*2^32 < p.
func reduceAcc64(c, hi, lo uint64) Elem64 {
	return sub64(reduceWide64(hi, lo), Elem64(c<<32))
}

// squareTimes64 returns a^(2^n).
func squareTimes64(a Elem64, n int) Elem64 {
	for range n {
		a = mul64(a, a)
	}
	return a
}

func inv64(a Elem64) Elem64 {
	// p - 2 in binary is 31 ones, a zero, 32 ones. eN is a^(2^N - 1).
	e2 := mul64(squareTimes64(a, 1), a)
	e3 := mul64(squareTimes64(e2, 1), a)
	e6 := mul64(squareTimes64(e3, 3), e3)
	e12 := mul64(squareTimes64(e6, 6), e6)
	e24 := mul64(squareTimes64(e12, 12), e12)
	e30 := mul64(squareTimes64(e24, 6), e6)
	e31 := mul64(squareTimes64(e30, 1), a)
	e32 := mul64(squareTimes64(e31, 1), a)
	return mul64(squareTimes64(e31, 33), e32)
}

func pow64(a Elem64, n uint64) Elem64 {
	if n == 0 {
		return 1
	}
	r := a
	for i := bits.Len64(n) - 1; i > 0; i-- {
		r = mul64(r, r)
		if n>>(i-1)&1 == 1 {
			r = mul64(r, a)
		}
	}
	return r
}

func (field64) Name() string { return "Field64" }

func (field64) Modulus() *big.Int { return new(big.Int).SetUint64(modulus64) }

func (field64) EncodedSize() int { return encodedSize64 }

func (field64) FromUint64(x uint64) Elem64 { return reduceOnce64(x) }

func (f field64) FromBigInt(x *big.Int) Elem64 {
	return Elem64(new(big.Int).Mod(x, f.Modulus()).Uint64())
}

func (field64) BigInt(e Elem64) *big.Int { return new(big.Int).SetUint64(uint64(e)) }

func (field64) Add(a, b Elem64) Elem64        { return add64(a, b) }
func (field64) Sub(a, b Elem64) Elem64        { return sub64(a, b) }
func (field64) Neg(a Elem64) Elem64           { return sub64(0, a) }
func (field64) Mul(a, b Elem64) Elem64        { return mul64(a, b) }
func (field64) Inv(a Elem64) Elem64           { return inv64(a) }
func (field64) Pow(a Elem64, n uint64) Elem64 { return pow64(a, n) }
func (field64) Equal(a, b Elem64) int         { return int(1 ^ nonZero(uint64(a^b))) }
func (field64) Generator() Elem64             { return roots64.root(genOrderLog264) }
func (field64) GenOrderLog2() int             { return genOrderLog264 }
func (field64) NthRoot(n int) Elem64          { return roots64.root(log2(n)) }
func (field64) NthRootPowers(n int) []Elem64  { return roots64.powers(log2(n))[:n:n] }

// nonZero returns 1 if x is not 0 and 0 if it is, without a branch.
func nonZero(x uint64) uint64 { return (x | -x) >> 63 }
