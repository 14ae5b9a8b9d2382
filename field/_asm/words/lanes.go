package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// In the lanes of vector registers numbers have limbs of 26 bits, with B = 2^26 and the modulus
// p = 2^24*B^4 - 7*2^14*B^2 + 1.
const (
	lanes      = 4
	limbBits   = 26
	limbNum    = 5
	columnNum  = 2*limbNum - 1
	vectorSize = 8 * lanes

	middle, middleBits = 7, 14
	topBits            = 24
)

const (
	rowsMost = 32 // of the matrix at once

	// The places in a row's record, of four elements' limbs each: those of its powers, of
	// its elements, and of its factors.
	powerAt    = 0
	rowAt      = powerAt + limbsSize
	factorsAt  = rowAt + limbsSize
	recordSize = factorsAt + 2*limbsSize
	limbsSize  = limbNum * vectorSize

	// What there is of a row to begin with, laneRow in lanes128.go: four powers, the multiples of the step
	// and the weight as factors 0 to 4 and 5, and room for two more.
	weightFactor = limbNum
	givenSize    = (lanes + 2*lanes) * elementSize
)

// columnOf are the columns that lie in the lanes, as unpacking two vectors leaves them. It is its own inverse.
var columnOf = [lanes]int{0, 2, 1, 3}

// factorLimb is the place of a factor's limb in a record.
func factorLimb(row Register, factor, limb int) Mem {
	at := factorsAt + factor/lanes*limbsSize + limb*vectorSize + 8*columnOf[factor%lanes]
	return Mem{Base: row, Disp: at}
}

// laneConstant are vectors of the same word.
var laneConstant struct{ mask, middle, one, third, fourth Mem }

func defineLaneConstants() {
	c := &laneConstant
	for _, w := range []struct {
		to    *Mem
		name  string
		value uint64
	}{
		{&c.mask, "laneMask", 1<<limbBits - 1},
		{&c.middle, "laneMiddle", middle << middleBits},
		{&c.one, "laneOne", 1},
		{&c.third, "laneThird", 1<<limbBits - middle<<middleBits},
		{&c.fourth, "laneFourth", 1<<(limbBits+topBits) - 1},
	} {
		*w.to = GLOBL(w.name, NOPTR|RODATA)
		for i := range lanes {
			DATA(8*i, U64(w.value))
		}
	}
}

func vectorAt(base Register, at, i int) Mem { return Mem{Base: base, Disp: at + i*vectorSize} }

func loadVector(m Mem) VecVirtual {
	v := YMM()
	VMOVDQU(m, v)
	return v
}

// broadcast loads one word into all lanes.
func broadcast(m Mem) VecVirtual {
	v := YMM()
	VPBROADCASTQ(m, v)
	return v
}

func shiftRight(v VecVirtual, n int) VecVirtual {
	r := YMM()
	VPSRLQ(U8(n), v, r)
	return r
}

// orShifted sets in a the bits of v, shifted left.
func orShifted(a, v VecVirtual, n int) {
	t := YMM()
	VPSLLQ(U8(n), v, t)
	VPOR(t, a, a)
}

func maskLimb(v VecVirtual) { VPAND(laneConstant.mask, v, v) }

// carry adds to b what is above a limb in a.
func carry(a, b VecVirtual) {
	VPADDQ(shiftRight(a, limbBits), b, b)
	maskLimb(a)
}

// split stores the limbs of four elements.
func split(from, to Mem) {
	first, second := loadVector(from), loadVector(from.Offset(vectorSize))
	lo, hi := YMM(), YMM()
	VPUNPCKLQDQ(second, first, lo)
	VPUNPCKHQDQ(second, first, hi)
	limbs := [limbNum]VecVirtual{YMM(), shiftRight(lo, 26), shiftRight(lo, 52), shiftRight(hi, 14), shiftRight(hi, 40)}
	VPAND(laneConstant.mask, lo, limbs[0])
	orShifted(limbs[2], hi, 12)
	for _, l := range limbs[1:4] {
		maskLimb(l)
	}
	for i, l := range limbs {
		VMOVDQU(l, to.Offset(i*vectorSize))
	}
}

// laneSums are sums of products in the making, column k with the weight B^k. Of 32 products with a
// number whose last limb is below 2^30 and the others below 2^26, each column is below 2^62.
type laneSums [columnNum]VecVirtual

func newLaneSums() (s laneSums) {
	for k := range s {
		s[k] = YMM()
		VPXOR(s[k], s[k], s[k])
	}
	return s
}

// addProduct adds the product of a number's limbs with the row's.
func (s laneSums) addProduct(a [limbNum]VecVirtual, row Register) {
	for i := range limbNum {
		x := loadVector(vectorAt(row, rowAt, i))
		for j := range a {
			t := YMM()
			VPMULUDQ(x, a[j], t)
			VPADDQ(t, s[i+j], s[i+j])
		}
	}
}

// storeWords stores the sums as five words each.
func (s laneSums) storeWords(to Mem) {
	for k := range columnNum - 1 {
		carry(s[k], s[k+1])
	}
	top := shiftRight(s[8], limbBits)
	maskLimb(s[8])
	store := func(i int, w VecVirtual) { VMOVDQU(w, to.Offset(i*vectorSize)) }
	w := s[0]
	orShifted(w, s[1], 26)
	orShifted(w, s[2], 52)
	store(0, w)
	w = shiftRight(s[2], 12)
	orShifted(w, s[3], 14)
	orShifted(w, s[4], 40)
	store(1, w)
	w = shiftRight(s[4], 24)
	orShifted(w, s[5], 2)
	orShifted(w, s[6], 28)
	orShifted(w, s[7], 54)
	store(2, w)
	w = shiftRight(s[7], 10)
	orShifted(w, s[8], 16)
	orShifted(w, top, 42)
	store(3, w)
	store(4, shiftRight(top, 22))
}

// stepPower multiplies the powers in a row's record by the step.
//
// The powers' limbs are below 2^26, but for the last, which is below 2^30. With the step's multiples
// step*B^(i+1) modulo p, the sum over i of power[i]*step*B^(i+1) has five columns c and is
// less than 2^31*p. If m is the lowest limb of that, then c - m*p + B*p is a
// multiple of B and not negative, and divided by B it is
//
//	(c4 + 2^24*(B - m) - 1)*B^3 + (c3 + B - 7*2^14)*B^2 + (c2 + 7*2^14*m)*B + c1 + 1
//
// and c0's carry: less than 2^134.
func stepPower(row Register) {
	var c [limbNum]VecVirtual
	for i := range limbNum {
		p := loadVector(vectorAt(row, powerAt, i))
		for j := range limbNum {
			t := broadcast(factorLimb(row, i, j))
			VPMULUDQ(t, p, t)
			if i == 0 {
				c[j] = t
			} else {
				VPADDQ(t, c[j], c[j])
			}
		}
	}
	carry(c[0], c[1])
	m := c[0]
	VPADDQ(laneConstant.one, c[1], c[1])
	VPADDQ(laneConstant.third, c[3], c[3])
	VPADDQ(laneConstant.fourth, c[4], c[4])
	t := YMM()
	VPMULUDQ(laneConstant.middle, m, t)
	VPADDQ(t, c[2], c[2])
	VPSLLQ(U8(topBits), m, m)
	VPSUBQ(m, c[4], c[4])
	for k := 1; k < limbNum-1; k++ {
		carry(c[k], c[k+1])
	}
	top := shiftRight(c[4], limbBits)
	maskLimb(c[4])
	for i, v := range []VecVirtual{c[1], c[2], c[3], c[4], top} {
		VMOVDQU(v, vectorAt(row, powerAt, i))
	}
}

// records are n rows' records, one after the other, in the frame, and aligned.
type records struct{ first, end Mem }

func newRecords() records {
	r := records{AllocLocal(8), AllocLocal(8)}
	frame := AllocLocal(rowsMost*recordSize + vectorSize)
	at, size := GP64(), Load(Param("n"), GP64())
	LEAQ(frame.Offset(vectorSize-1), at)
	ANDQ(I32(-vectorSize), at)
	MOVQ(at, r.first)
	IMUL3Q(I32(recordSize), size, size)
	ADDQ(at, size)
	MOVQ(size, r.end)
	return r
}

func (r records) loop(label string, body func(row Register)) {
	row := load64(r.first)
	Label(label)
	body(row)
	ADDQ(I32(recordSize), row)
	CMPQ(row, r.end)
	JNE(LabelRef(label))
}

// addSums reduces sums of five words and adds them to four elements, whose address it moves on.
func addSums(sums, to Mem) {
	for lane, column := range columnOf {
		e := elementAt(Mem{Base: load64(to), Disp: column * elementSize})
		w := [5]Register{load64(e.lo), load64(e.hi), GP64(), GP64(), GP64()}
		for i, r := range w {
			from := sums.Offset(i*vectorSize + 8*lane)
			switch i {
			case 0:
				ADDQ(from, r)
			case 1:
				ADCQ(from, r)
			default:
				MOVQ(from, r)
				ADCQ(I8(0), r)
			}
		}
		store(wide(w[:4]).reduce(w[4]), elementAt(Mem{Base: load64(to), Disp: column * elementSize}))
	}
	ADDQ(I8(lanes*elementSize), to)
}

func weightLanes() {
	TEXT("weightLanesAVX2", 0, "func(first, second, given *uint64, last *[5]uint64, rows *uint64, n, stride, groups uint64)")
	Doc("weightLanesAVX2 adds, for 0 <= j < 4*groups, groups > 0, 0 < n <= 32,", "",
		"\tto first[j] the sum of row k's power at column j times rows[k*stride + j] and",
		"\tto second[j] the sum of row k's weight times rows[k*stride + j] for 0 <= k < n,", "",
		"with what is given of each row. It sets last[k] to the power at the last column, in limbs of 26",
		"bits, of which the last may be greater.")
	Pragma("noescape")
	sums := AllocLocal(5 * vectorSize)
	first, second, rows, stride, left := local("first"), local("second"), local("rows"), local("stride"), local("groups")
	SHLQ(U8(4), stride) // bytes
	r := newRecords()
	given := pointer("given")
	r.loop("lanesgiven", func(row Register) {
		for i, at := range []int{powerAt, factorsAt, factorsAt + limbsSize} {
			split(Mem{Base: given, Disp: i * lanes * elementSize}, Mem{Base: row, Disp: at})
		}
		ADDQ(I32(givenSize), given)
	})

	Label("lanesgroup")
	from := load64(rows)
	r.loop("lanessplit", func(row Register) {
		split(Mem{Base: from}, Mem{Base: row, Disp: rowAt})
		ADDQ(stride, from)
	})
	ADDQ(I8(lanes*elementSize), rows)

	s := newLaneSums()
	r.loop("lanesfirst", func(row Register) {
		var power [limbNum]VecVirtual
		for i := range power {
			power[i] = loadVector(vectorAt(row, powerAt, i))
		}
		s.addProduct(power, row)
	})
	s.storeWords(sums)
	addSums(sums, first)

	s = newLaneSums()
	r.loop("lanessecond", func(row Register) {
		var weight [limbNum]VecVirtual
		for i := range weight {
			weight[i] = broadcast(factorLimb(row, weightFactor, i))
		}
		s.addProduct(weight, row)
	})
	s.storeWords(sums)
	addSums(sums, second)

	DECQ(left)
	JZ(LabelRef("lanesdone"))
	r.loop("lanesstep", stepPower)
	JMP(LabelRef("lanesgroup"))
	Label("lanesdone")
	last := pointer("last")
	r.loop("laneslast", func(row Register) {
		for i := range limbNum {
			w := load64(vectorAt(row, powerAt, i).Offset(8 * columnOf[lanes-1]))
			MOVQ(w, Mem{Base: last, Disp: 8 * i})
		}
		ADDQ(I8(8*limbNum), last)
	})
	VZEROUPPER()
	RET()
}
