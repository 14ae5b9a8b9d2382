package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Eight lanes: five limbs of 51 bits, each in a 64-bit lane of a ZMM register.
const (
	limbs8 = 5
	width8 = 64
)

// constants8 are vectors that stay in registers while a routine runs.
type constants8 struct{ mask, nineteen VecVirtual }

// words8 are constants that are read from memory.
var words8 struct{ mask, nineteen, a24, twoPFirst, twoP Mem }

func ifma() {
	words8.mask = broadcast("mask51", 1<<51-1, 1)
	words8.nineteen = broadcast("nineteen8", 19, 1)
	words8.a24 = broadcast("a24x8", 121665, 1)
	words8.twoPFirst = broadcast("twoP8first", 1<<52-38, 1)
	words8.twoP = broadcast("twoP8", 1<<52-2, 1)

	TEXT("mulIFMA", NOSPLIT, "func(out, a, b *[5][8]uint64)")
	Doc("mulIFMA is mul8Generic.")
	a, b, out := argument("a", 0, limbs8, width8), argument("b", 0, limbs8, width8), argument("out", 0, limbs8, width8)
	k := loadConstants8()
	store8(out, k.mul(a, b))
	VZEROUPPER()
	RET()

	TEXT("squareIFMA", NOSPLIT, "func(out, a *[5][8]uint64, n uint64)")
	Doc("squareIFMA is square8Generic.")
	a, out = argument("a", 0, limbs8, width8), argument("out", 0, limbs8, width8)
	n := Load(Param("n"), GP64())
	k = loadConstants8()
	v := load8(a)
	Label("square8again")
	squared := k.square(v)
	for i := range limbs8 {
		VMOVDQA64(squared[i], v[i])
	}
	DECQ(n)
	JNZ(LabelRef("square8again"))
	store8(out, v)
	VZEROUPPER()
	RET()

	TEXT("ladderStepIFMA", 0, "func(l *[5][5][8]uint64, swap uint64)")
	Doc("ladderStepIFMA is ladderStep8Generic.")
	ladderStep8()
	VZEROUPPER()
	RET()
}

// vector8 is a field element in registers.
type vector8 [limbs8]VecVirtual

func load8(e element) (v vector8) {
	for i := range limbs8 {
		v[i] = ZMM()
		VMOVDQU64(e.limb(i), v[i])
	}
	return v
}

func store8(e element, v vector8) {
	for i := range limbs8 {
		VMOVDQU64(v[i], e.limb(i))
	}
}

func loadConstants8() *constants8 {
	load := func(m Mem) VecVirtual {
		v := ZMM()
		VPBROADCASTQ(m, v)
		return v
	}
	return &constants8{mask: load(words8.mask), nineteen: load(words8.nineteen)}
}

func (k *constants8) zeros(n int) []VecVirtual {
	zeros := make([]VecVirtual, n)
	for i := range zeros {
		zeros[i] = ZMM()
		VPXORQ(k.mask, k.mask, zeros[i])
	}
	return zeros
}

// columns are the ten limbs of a product. While high halves are added, column k
// takes those that weigh two of its units, so that they end with being doubled.
type columns []VecVirtual

// low and high add the halves of x * y, where x and y are limbs i and j.
func (c columns) low(i, j int, x, y VecVirtual)  { VPMADD52LUQ(x, y, c[i+j]) }
func (c columns) high(i, j int, x, y VecVirtual) { VPMADD52HUQ(x, y, c[i+j+1]) }

func (c columns) double() {
	for _, v := range c {
		VPADDQ(v, v, v)
	}
}

// mul returns a * b.
func (k *constants8) mul(a, b element) vector8 {
	f, g := load8(a), load8(b)
	c := columns(k.zeros(2 * limbs8))
	Comment("the high halves")
	for i := range limbs8 {
		for j := range limbs8 {
			c.high(i, j, f[i], g[j])
		}
	}
	c[1:].double()
	Comment("the low halves")
	for i := range limbs8 {
		for j := range limbs8 {
			c.low(i, j, f[i], g[j])
		}
	}
	return k.carry(k.fold(c))
}

// square returns a * a: the products of different limbs count twice.
func (k *constants8) square(a vector8) vector8 {
	c := columns(k.zeros(2 * limbs8))
	different := func(add func(i, j int, x, y VecVirtual)) {
		for i := range limbs8 {
			for j := i + 1; j < limbs8; j++ {
				add(i, j, a[i], a[j])
			}
		}
	}
	equal := func(add func(i, j int, x, y VecVirtual)) {
		for i := range limbs8 {
			add(i, i, a[i], a[i])
		}
	}
	Comment("the high halves")
	different(c.high)
	c[2 : 2*limbs8-1].double()
	equal(c.high)
	Comment("the low halves")
	different(c.low)
	c[1:].double()
	equal(c.low)
	return k.carry(k.fold(c))
}

// fold adds 19 times the columns from 2^255 up to those from 2^0 up.
func (k *constants8) fold(c columns) (h vector8) {
	Comment("fold")
	for i := range limbs8 {
		VPMULLQ(k.nineteen, c[limbs8+i], c[limbs8+i])
		VPADDQ(c[limbs8+i], c[i], c[i])
		h[i] = c[i]
	}
	return h
}

// carry carries each limb of h once, all at the same time.
func (k *constants8) carry(h vector8) vector8 {
	var c vector8
	for i := range limbs8 {
		c[i] = ZMM()
		VPSRLQ(U8(51), h[i], c[i])
		VPANDQ(k.mask, h[i], h[i])
	}
	VPMADD52LUQ(k.nineteen, c[limbs8-1], h[0])
	for i := 1; i < limbs8; i++ {
		VPADDQ(c[i-1], h[i], h[i])
	}
	return h
}

// add returns a + b, and sub a - b + 2p, both carried.
func (k *constants8) add(a, b vector8) (h vector8) {
	for i := range limbs8 {
		h[i] = ZMM()
		VPADDQ(a[i], b[i], h[i])
	}
	return k.carry(h)
}

func (k *constants8) sub(a, b vector8) (h vector8) {
	for i := range limbs8 {
		h[i] = ZMM()
		twoP := words8.twoP
		if i == 0 {
			twoP = words8.twoPFirst
		}
		VPADDQ_BCST(twoP, a[i], h[i])
		VPSUBQ(b[i], h[i], h[i])
	}
	return k.carry(h)
}

// timesA24Plus returns a + 121665 * e.
func (k *constants8) timesA24Plus(a, e vector8) vector8 {
	a24 := ZMM()
	VPBROADCASTQ(words8.a24, a24)
	high := k.zeros(limbs8)
	for i := range limbs8 {
		VPMADD52LUQ(a24, e[i], a[i])
		VPMADD52HUQ(a24, e[i], high[i])
	}
	for i := range limbs8 {
		VPADDQ(high[i], high[i], high[i])
	}
	VPMADD52LUQ(k.nineteen, high[limbs8-1], a[0])
	for i := 1; i < limbs8; i++ {
		VPADDQ(high[i-1], a[i], a[i])
	}
	return k.carry(a)
}

// select8 sets first = f(x2, z2) and second = f(x3, z3), and out to second where
// swap is set and to first where it is not.
func (k *constants8) select8(out element, swap Register, f func(a, b vector8) vector8, first, second, x2, z2, x3, z3 element) {
	v := f(load8(x2), load8(z2))
	store8(first, v)
	w := f(load8(x3), load8(z3))
	store8(second, w)
	for i := range limbs8 {
		VPBLENDMQ(w[i], v[i], swap, w[i])
	}
	store8(out, w)
}

func ladderStep8() {
	l := Mem{Base: Load(Param("l"), GP64())}
	state := func(n int) element { return element{l.Offset(n * limbs8 * width8), width8} }
	x1, x2, z2, x3, z3 := state(0), state(1), state(2), state(3), state(4)
	temp := newLocals(9, limbs8, width8)
	a, b, c, d := temp.element(), temp.element(), temp.element(), temp.element()
	p, q, e, aa, bb := temp.element(), temp.element(), temp.element(), temp.element(), temp.element()

	swap := K()
	KMOVW(Load(Param("swap"), GP64()).(GPVirtual).As32(), swap) // the low eight bits count
	k := loadConstants8()

	Comment("A = x2 + z2, C = x3 + z3; and P of these, which is doubled")
	k.select8(p, swap, k.add, a, c, x2, z2, x3, z3)
	Comment("B = x2 - z2, D = x3 - z3; and Q of these, which is doubled")
	k.select8(q, swap, k.sub, b, d, x2, z2, x3, z3)
	Comment("AA = P^2")
	store8(aa, k.square(load8(p)))
	Comment("BB = Q^2")
	store8(bb, k.square(load8(q)))
	Comment("DA = D * A")
	store8(a, k.mul(d, a))
	Comment("CB = C * B")
	store8(b, k.mul(c, b))
	Comment("E = AA - BB")
	store8(e, k.sub(load8(aa), load8(bb)))
	Comment("x2 = AA * BB")
	store8(x2, k.mul(aa, bb))
	Comment("x3 = (DA + CB)^2")
	store8(x3, k.square(k.add(load8(a), load8(b))))
	Comment("AA + a24 * E")
	store8(aa, k.timesA24Plus(load8(aa), load8(e)))
	Comment("(DA - CB)^2")
	store8(d, k.square(k.sub(load8(a), load8(b))))
	Comment("z2 = E * (AA + a24 * E)")
	store8(z2, k.mul(aa, e))
	Comment("z3 = x1 * (DA - CB)^2")
	store8(z3, k.mul(d, x1))
}
