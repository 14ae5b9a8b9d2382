package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Four lanes: ten limbs, of 26 bits where the index is even and of 25 where it
// is odd, each in a 64-bit lane of a YMM register.
const (
	limbs4 = 10
	width4 = 32
)

// constants4 are vectors that are read from memory.
var constants4 struct {
	mask     [2]Mem // of 26 and of 25 bits
	nineteen Mem
	a24      Mem
	twoP     [limbs4]Mem
	lane     Mem // bit k alone in lane k
}

func avx2() {
	constants4.mask = [2]Mem{broadcast("mask26", 1<<26-1, 4), broadcast("mask25", 1<<25-1, 4)}
	constants4.nineteen = broadcast("nineteen4", 19, 4)
	constants4.a24 = broadcast("a24x4", 121665, 4)
	constants4.lane = GLOBL("lane4", NOPTR|RODATA)
	for k := range 4 {
		DATA(8*k, U64(1<<k))
	}
	first := broadcast("twoP4first", 1<<27-38, 4)
	even := broadcast("twoP4even", 1<<27-2, 4)
	odd := broadcast("twoP4odd", 1<<26-2, 4)
	constants4.twoP = [limbs4]Mem{first, odd, even, odd, even, odd, even, odd, even, odd}

	TEXT("mulRegistersAVX2", NOSPLIT, "func()")
	Doc("mulRegistersAVX2 is mul4Generic for the assembly alone: its arguments are in registers.")
	mul4(inRegister(outRegister), inRegister(aRegister), inRegister(bRegister), inRegister(scratchRegister))
	RET()

	TEXT("squareRegistersAVX2", NOSPLIT, "func()")
	Doc("squareRegistersAVX2 is square4Generic for the assembly alone, for n = 1: its arguments are in registers.")
	square4(inRegister(outRegister), inRegister(aRegister), inRegister(scratchRegister))
	RET()

	TEXT("mulAVX2", 0, "func(out, a, b *[10][4]uint64)")
	Doc("mulAVX2 is mul4Generic.")
	a, b, out := argument("a", 0, limbs4, width4), argument("b", 0, limbs4, width4), argument("out", 0, limbs4, width4)
	callMul4(out, a, b, newLocals(1, limbs4, width4).element())
	VZEROUPPER()
	RET()

	TEXT("squareAVX2", 0, "func(out, a *[10][4]uint64, n uint64)")
	Doc("squareAVX2 is square4Generic.")
	a, out = argument("a", 0, limbs4, width4), argument("out", 0, limbs4, width4)
	n := Load(Param("n"), GP64())
	scratch := newLocals(1, limbs4, width4).element()
	callSquare4(out, a, scratch)
	JMP(LabelRef("square4next"))
	Label("square4again")
	callSquare4(out, out, scratch)
	Label("square4next")
	DECQ(n)
	JNZ(LabelRef("square4again"))
	VZEROUPPER()
	RET()

	TEXT("ladderStepAVX2", 0, "func(l *[5][10][4]uint64, swap uint64)")
	Doc("ladderStepAVX2 is ladderStep4Generic.")
	ladderStep4()
	VZEROUPPER()
	RET()
}

// The registers in which mulRegistersAVX2 and squareRegistersAVX2 find their arguments. They change no other
// register for general use.
var outRegister, aRegister, bRegister, scratchRegister = RDI, RSI, RDX, RCX

// inRegister is the field element that a register points to.
func inRegister(r Register) element { return element{Mem{Base: r}, width4} }

// callMul4 is mul4 by a call, and callSquare4 square4. Nine copies of them in a ladder step fill what the processor has for
// decoded instructions, which it shares with whatever else runs on the same core.
func callMul4(out, a, b, nineteenB element) {
	LEAQ(out.at, outRegister)
	LEAQ(a.at, aRegister)
	LEAQ(b.at, bRegister)
	LEAQ(nineteenB.at, scratchRegister)
	CALL(LabelRef("·mulRegistersAVX2(SB)"))
}

func callSquare4(out, a, nineteenA element) {
	LEAQ(out.at, outRegister)
	LEAQ(a.at, aRegister)
	LEAQ(nineteenA.at, scratchRegister)
	CALL(LabelRef("·squareRegistersAVX2(SB)"))
}

// mul4 sets out = a * b. It uses up nineteenB.
func mul4(out, a, b, nineteenB element) {
	times19(nineteenB, b, 1)
	var h [limbs4]VecVirtual
	for i := range limbs4 {
		Comment(fmt.Sprintf("row %d", i))
		f := YMM()
		VMOVDQU(a.limb(i), f)
		twice := f
		if i%2 == 1 {
			twice = YMM()
			VPADDQ(f, f, twice)
		}
		for j := range limbs4 {
			g := b
			if i+j >= limbs4 {
				g = nineteenB
			}
			factor := f
			if j%2 == 1 {
				factor = twice // odd limbs weigh half a bit too much: 2^25.5 rounded up, twice
			}
			accumulate4(&h, (i+j)%limbs4, g.limb(j), factor, i == 0)
		}
	}
	carry4(out, &h)
}

// square4 sets out = a * a. It uses up nineteenA.
func square4(out, a, nineteenA element) {
	times19(nineteenA, a, 5)
	var h [limbs4]VecVirtual
	var begun [limbs4]bool
	for i := range limbs4 {
		Comment(fmt.Sprintf("row %d", i))
		f, twice := YMM(), YMM()
		VMOVDQU(a.limb(i), f)
		VPADDQ(f, f, twice)
		fourTimes := twice
		if i%2 == 1 {
			fourTimes = YMM()
			VPADDQ(twice, twice, fourTimes)
		}
		for j := i; j < limbs4; j++ {
			g := a
			if i+j >= limbs4 {
				g = nineteenA
			}
			factor := twice
			switch {
			case i == j && i%2 == 0:
				factor = f
			case i != j && i%2 == 1 && j%2 == 1:
				factor = fourTimes
			}
			k := (i + j) % limbs4
			accumulate4(&h, k, g.limb(j), factor, !begun[k])
			begun[k] = true
		}
	}
	carry4(out, &h)
}

// times19 sets out's limbs from the first on to 19 times a's.
func times19(out, a element, first int) {
	nineteen := YMM()
	VMOVDQU(constants4.nineteen, nineteen)
	for j := first; j < limbs4; j++ {
		t := YMM()
		VPMULUDQ(a.limb(j), nineteen, t)
		VMOVDQU(t, out.limb(j))
	}
}

// accumulate4 adds g * factor to h[k], or sets h[k] to it.
func accumulate4(h *[limbs4]VecVirtual, k int, g Mem, factor VecVirtual, first bool) {
	if first {
		h[k] = YMM()
		VPMULUDQ(g, factor, h[k])
		return
	}
	product := YMM()
	VPMULUDQ(g, factor, product)
	VPADDQ(product, h[k], h[k])
}

// carry4 carries h, and stores it.
func carry4(out element, h *[limbs4]VecVirtual) {
	Comment("carry")
	mask := [2]VecVirtual{YMM(), YMM()}
	VMOVDQU(constants4.mask[0], mask[0])
	VMOVDQU(constants4.mask[1], mask[1])
	for _, i := range []int{0, 5, 1, 6, 2, 7, 3, 8, 4, 9, 5, 0} {
		c := YMM()
		VPSRLQ(U8(26-i%2), h[i], c)
		VPAND(mask[i%2], h[i], h[i])
		if i < limbs4-1 {
			VPADDQ(c, h[i+1], h[i+1])
			continue
		}
		// 19 = 1 + 2 + 16; c may have more than 32 bits.
		VPADDQ(c, h[0], h[0])
		VPADDQ(c, c, c)
		VPADDQ(c, h[0], h[0])
		VPSLLQ(U8(3), c, c)
		VPADDQ(c, h[0], h[0])
	}
	for i := range limbs4 {
		VMOVDQU(h[i], out.limb(i))
	}
}

// add4 sets out = a + b, and sub4 out = a - b + 2p.
func add4(out, a, b element) {
	for i := range limbs4 {
		t := YMM()
		VMOVDQU(a.limb(i), t)
		VPADDQ(b.limb(i), t, t)
		VMOVDQU(t, out.limb(i))
	}
}

func sub4(out, a, b element) {
	for i := range limbs4 {
		t := YMM()
		VMOVDQU(a.limb(i), t)
		VPADDQ(constants4.twoP[i], t, t)
		VPSUBQ(b.limb(i), t, t)
		VMOVDQU(t, out.limb(i))
	}
}

// sums4 sets sum = x + z and difference = x - z + 2p, and returns them too.
func sums4(sum, difference, x, z element, i int) (s, d VecVirtual) {
	s, d = YMM(), YMM()
	t := YMM()
	VMOVDQU(x.limb(i), t)
	VMOVDQU(z.limb(i), d)
	VPADDQ(d, t, s)
	VPADDQ(constants4.twoP[i], t, t)
	VPSUBQ(d, t, d)
	VMOVDQU(s, sum.limb(i))
	VMOVDQU(d, difference.limb(i))
	return s, d
}

func ladderStep4() {
	l := Mem{Base: Load(Param("l"), GP64())}
	state := func(n int) element { return element{l.Offset(n * limbs4 * width4), width4} }
	x1, x2, z2, x3, z3 := state(0), state(1), state(2), state(3), state(4)
	temp := newLocals(10, limbs4, width4)
	a, b, c, d := temp.element(), temp.element(), temp.element(), temp.element()
	p, q, e, s := temp.element(), temp.element(), temp.element(), temp.element()
	aa, scratch := temp.element(), temp.element()

	swapParam, err := Param("swap").Resolve()
	if err != nil {
		panic(err)
	}
	swap := YMM()
	VPBROADCASTQ(swapParam.Addr, swap)
	lane := YMM()
	VMOVDQU(constants4.lane, lane)
	VPAND(lane, swap, swap)
	VPCMPEQQ(lane, swap, swap) // all ones where the lane's bit is set
	Comment("A, B, C, D; and of these P, Q, which are doubled")
	for i := range limbs4 {
		av, bv := sums4(a, b, x2, z2, i)
		cv, dv := sums4(c, d, x3, z3, i)
		VPBLENDVB(swap, cv, av, cv)
		VPBLENDVB(swap, dv, bv, dv)
		VMOVDQU(cv, p.limb(i))
		VMOVDQU(dv, q.limb(i))
	}
	Comment("AA = P^2")
	callSquare4(aa, p, scratch)
	Comment("BB = Q^2")
	callSquare4(q, q, scratch)
	Comment("DA = D * A")
	callMul4(a, d, a, scratch)
	Comment("CB = C * B")
	callMul4(b, c, b, scratch)
	Comment("E = AA - BB")
	sub4(e, aa, q)
	Comment("x2 = AA * BB")
	callMul4(x2, aa, q, scratch)
	Comment("x3 = (DA + CB)^2")
	add4(s, a, b)
	callSquare4(x3, s, scratch)
	Comment("AA + a24 * E")
	var h [limbs4]VecVirtual
	a24 := YMM()
	VMOVDQU(constants4.a24, a24)
	for i := range limbs4 {
		h[i] = YMM()
		VPMULUDQ(e.limb(i), a24, h[i])
		VPADDQ(aa.limb(i), h[i], h[i])
	}
	carry4(aa, &h)
	Comment("(DA - CB)^2")
	sub4(s, a, b)
	callSquare4(s, s, scratch)
	Comment("z2 = E * (AA + a24 * E)")
	callMul4(z2, aa, e, scratch)
	Comment("z3 = x1 * (DA - CB)^2")
	callMul4(z3, s, x1, scratch)
}
