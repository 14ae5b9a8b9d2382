package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// In limbs of 52 bits, with B = 2^52 and the modulus p = 2^128 - 7*2^66 + 1,
//
//	B^3 = 7*2^42*B - 2^28              modulo p,
//	B^4 = 783*2^28*B - 7*2^18          modulo p,
//	B^5 = 350336*2^12*B - 12528        modulo p.
const (
	limbBits  = 52
	topBits   = 128 - 2*limbBits // of an element's last limb
	columnNum = 5

	fold3, fold3Less = 7 << 42, 1 << 28
	fold4, fold4Less = 783 << 28, 7 << 18
	fold5, fold5Less = 350336 << 12, 12528
	// 2^128 = fold128*B - 1 modulo p.
	fold128 = 7 << (66 - limbBits)
	// p = (2^64 - modulusLess)*2^64 + 1.
	modulusLess = 28
)

// Predicates of VPCMPUQ.
const (
	isSame  = 0
	isBelow = 1
	isAbove = 6
)

// constant are words that instructions broadcast from memory.
var constant struct {
	fold3, fold3Less, fold4, fold4Less, fold5, fold5Less, fold128 Mem
	limb, top, carry, one, modulusLess, modulusHi                 Mem
}

func defineConstants() {
	c := &constant
	for _, w := range []struct {
		to    *Mem
		name  string
		value uint64
	}{
		{&c.fold3, "fold3", fold3}, {&c.fold3Less, "fold3Less", fold3Less},
		{&c.fold4, "fold4", fold4}, {&c.fold4Less, "fold4Less", fold4Less},
		{&c.fold5, "fold5", fold5}, {&c.fold5Less, "fold5Less", fold5Less},
		{&c.fold128, "fold128", fold128},
		{&c.limb, "limbMask", 1<<limbBits - 1}, {&c.top, "topMask", 1<<topBits - 1}, {&c.carry, "carryBit", 1 << topBits},
		{&c.one, "one", 1}, {&c.modulusLess, "modulusLess", modulusLess}, {&c.modulusHi, "modulusHi", 1<<64 - modulusLess},
	} {
		*w.to = GLOBL(w.name, NOPTR|RODATA)
		DATA(0, U64(w.value))
	}
}

// limbs are eight elements in limbs of 52 bits, with anything above that: the multiplication
// leaves it out.
type limbs [3]VecVirtual

func split(e octet) (l limbs) {
	high := ZMM()
	l = limbs{e.lo, ZMM(), ZMM()}
	VPSRLQ(U8(limbBits), e.lo, l[1])
	VPSLLQ(U8(64-limbBits), e.hi, high)
	VPORQ(high, l[1], l[1])
	VPSRLQ(U8(2*limbBits-64), e.hi, l[2])
	return l
}

// columns are a sum of products, column k with the weight B^k. The low halves and
// the high halves of the limbs' products may be added up in the same registers, or
// apart, so that fewer additions wait for one another.
type columns struct{ low, high [columnNum]VecVirtual }

func newColumns() *columns {
	c := new(columns)
	for k := range columnNum {
		c.low[k] = zero()
	}
	c.high = c.low
	return c
}

func newColumnsApart() *columns {
	c := newColumns()
	for k := 1; k < columnNum; k++ {
		c.high[k] = zero()
	}
	return c
}

func zero() VecVirtual {
	z := ZMM()
	VPXORQ(z, z, z)
	return z
}

// addProduct adds a * b. Of the last limbs' product, of 48 bits, there is no high half.
func (c *columns) addProduct(a, b limbs) {
	for i := range a {
		for j := range b {
			VPMADD52LUQ(a[i], b[j], c.low[i+j])
			if i+j+1 < columnNum {
				VPMADD52HUQ(a[i], b[j], c.high[i+j+1])
			}
		}
	}
}

// reduce returns the sum modulo p, of up to 256 products. It uses c up.
//
// Then column 2, the largest, is below 5*2^8*2^52 < 2^63, and column 4 below
// 2^57.
func (c *columns) reduce() octet {
	v := c.low
	for k := range v {
		if c.high[k] != v[k] {
			VPADDQ(c.high[k], v[k], v[k])
		}
	}
	Comment("carry from columns 3 and 4, and fold them and what is above")
	fifth, carry := ZMM(), ZMM()
	VPSRLQ(U8(limbBits), v[3], carry)
	VPADDQ(carry, v[4], v[4])
	VPSRLQ(U8(limbBits), v[4], fifth)
	less, lessHigh := zero(), zero() // columns 0 and 1 of what is to be subtracted: below 2^54
	VPMADD52LUQ_BCST(constant.fold3, v[3], v[1])
	VPMADD52LUQ_BCST(constant.fold3Less, v[3], less)
	VPMADD52HUQ_BCST(constant.fold3, v[3], v[2])
	VPMADD52HUQ_BCST(constant.fold3Less, v[3], lessHigh)
	VPMADD52LUQ_BCST(constant.fold4, v[4], v[1])
	VPMADD52LUQ_BCST(constant.fold4Less, v[4], less)
	VPMADD52HUQ_BCST(constant.fold4, v[4], v[2])
	VPMADD52HUQ_BCST(constant.fold4Less, v[4], lessHigh)
	VPMADD52LUQ_BCST(constant.fold5, fifth, v[1])
	VPMADD52LUQ_BCST(constant.fold5Less, fifth, less)
	VPSUBQ(less, v[0], v[0])
	VPSUBQ(lessHigh, v[1], v[1])
	t := limbs{v[0], v[1], v[2]}
	t.carry()

	Comment("fold what is above 2^128")
	// That is from -1 to 2^39. One more is folded, which adds 2^128 - p to what is
	// below 2*p: if it was p or more, the sum carries out of 128 bits and is
	// the result; if not, p is due back.
	above := ZMM()
	VPSRAQ(U8(topBits), t[2], above)
	VPANDQ_BCST(constant.top, t[2], t[2])
	VPADDQ_BCST(constant.one, above, above)
	VPMADD52LUQ_BCST(constant.fold128, above, t[1])
	VPMADD52HUQ_BCST(constant.fold128, above, t[2])
	VPSUBQ(above, t[0], t[0])
	t.carry()
	due := K()
	VPTESTNMQ_BCST(constant.carry, t[2], due)
	return addModulus(t.join(), due)
}

// carry carries the first two limbs, which may be negative.
func (l limbs) carry() {
	for i := range 2 {
		carry := ZMM()
		VPSRAQ(U8(limbBits), l[i], carry)
		VPANDQ_BCST(constant.limb, l[i], l[i])
		VPADDQ(carry, l[i+1], l[i+1])
	}
}

// join is the opposite of split, for limbs that are carried.
func (l limbs) join() octet {
	e := octet{ZMM(), ZMM()}
	high := ZMM()
	VPSLLQ(U8(limbBits), l[1], e.lo)
	VPORQ(l[0], e.lo, e.lo)
	VPSRLQ(U8(64-limbBits), l[1], e.hi)
	VPSLLQ(U8(2*limbBits-64), l[2], high)
	VPORQ(high, e.hi, e.hi)
	return e
}

// addModulus adds p, modulo 2^128, where due is set: 1 to the lower word and, with the
// carry, 2^64 - 28 to the upper one.
func addModulus(e octet, due Register) octet {
	carry := K()
	VPADDQ_BCST(constant.one, e.lo, due, e.lo)
	VPSUBQ_BCST(constant.modulusLess, e.hi, due, e.hi)
	VPTESTNMQ(e.lo, e.lo, due, carry)
	VPADDQ_BCST(constant.one, e.hi, carry, e.hi)
	return e
}

func mul(a, b octet) octet {
	c := newColumns()
	c.addProduct(split(a), split(b))
	return c.reduce()
}

// sub returns a - b modulo p, for a < p and b <= p.
func sub(a, b octet) octet {
	d := octet{ZMM(), ZMM()}
	borrow, below, borrowed := K(), K(), K()
	VPCMPUQ(U8(isBelow), b.lo, a.lo, borrow)
	VPCMPUQ(U8(isBelow), b.hi, a.hi, below)
	VPCMPUQ(U8(isSame), b.hi, a.hi, borrow, borrowed)
	KORW(below, borrowed, borrowed)
	VPSUBQ(b.lo, a.lo, d.lo)
	VPSUBQ(b.hi, a.hi, d.hi)
	VPSUBQ_BCST(constant.one, d.hi, borrow, d.hi)
	return addModulus(d, borrowed)
}

// add returns a + b modulo p as a - (p - b).
func add(a, b octet) octet {
	n := octet{ZMM(), ZMM()}
	borrow := K()
	VPBROADCASTQ(constant.one, n.lo)
	VPBROADCASTQ(constant.modulusHi, n.hi)
	VPCMPUQ(U8(isBelow), b.lo, n.lo, borrow)
	VPSUBQ(b.lo, n.lo, n.lo)
	VPSUBQ(b.hi, n.hi, n.hi)
	VPSUBQ_BCST(constant.one, n.hi, borrow, n.hi)
	return sub(a, n)
}
