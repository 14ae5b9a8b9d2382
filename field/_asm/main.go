// Command asm generates the vector arithmetic of Field128 in assembly, for
// machines with AVX-512 and its multiplication of 52 bits (IFMA). Run it with "go
// generate" in package field's directory. The same generator gives the same bytes.
//
// Addresses of elements are passed as those of their first words Lo.
//
// Eight elements lie in two ZMM registers, one with their words Lo and one with their
// words Hi. Only lengths steer jumps and addresses. What the values of elements steer are
// the masks of masked instructions, which take the same time whatever the mask is.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

//go:generate go run . -out ../vec128_amd64.s -stubs ../vec128_stubs_amd64.go -pkg field

const (
	atOnce      = 8 // elements
	elementSize = 16
	vectorSize  = 64
)

func main() {
	ConstraintExpr("!purego")
	defineConstants()
	elementwise("mulVecIFMA", "dst[i] = a[i] * b[i]", false, mul)
	elementwise("scaleVecIFMA", "dst[i] = a[i] * b[0]", true, mul)
	elementwise("addVecAVX512", "dst[i] = a[i] + b[i]", false, add)
	elementwise("addConstVecAVX512", "dst[i] = a[i] + b[0]", true, add)
	elementwise("subVecAVX512", "dst[i] = a[i] - b[i]", false, sub)
	butterfliesOf("butterfliesIFMA", "a[i], b[i] = a[i] + w[i]*b[i], a[i] - w[i]*b[i]", false, butterfly)
	butterfliesOf("butterflyRowsIFMA", "a[i], b[i] = a[i] + w[0]*b[i], a[i] - w[0]*b[i]", true, butterfly)
	butterfliesOf("invButterflyRowsIFMA", "a[i], b[i] = a[i] + b[i], w[0]*(a[i] - b[i])", true, invButterfly)
	innerProduct()
	combineColumns()
	weightColumns()
	outOfRange()
	Generate()
}

// octet is eight elements.
type octet struct{ lo, hi VecVirtual }

// masks say which words of the two vectors that eight elements take in memory are there.
type masks struct{ first, second Register }

// loadOctet loads elements that lie one behind the other in memory. Words that are not there are zero.
func loadOctet(m Mem, k masks) octet {
	first, second := ZMM(), ZMM()
	VMOVDQU64_Z(m, k.first, first)
	VMOVDQU64_Z(m.Offset(vectorSize), k.second, second)
	e := octet{ZMM(), ZMM()}
	// The elements' order in the registers is not that in memory. storeOctet undoes it.
	VPUNPCKLQDQ(second, first, e.lo)
	VPUNPCKHQDQ(second, first, e.hi)
	return e
}

// loadSame loads one element into all places.
func loadSame(m Mem) octet {
	e := octet{ZMM(), ZMM()}
	VPBROADCASTQ(m, e.lo)
	VPBROADCASTQ(m.Offset(8), e.hi)
	return e
}

// loadSameLimbs loads the limbs of one element into all places.
func loadSameLimbs(m Mem) (l limbs) {
	for i := range l {
		l[i] = ZMM()
		VPBROADCASTQ(m.Offset(8*i), l[i])
	}
	return l
}

func storeOctet(e octet, m Mem, k masks) {
	first, second := ZMM(), ZMM()
	VPUNPCKLQDQ(e.hi, e.lo, first)
	VPUNPCKHQDQ(e.hi, e.lo, second)
	VMOVDQU64(first, k.first, m)
	VMOVDQU64(second, k.second, m.Offset(vectorSize))
}

// masker makes the masks of what is there of the next eight elements.
type masker struct{ ones, limit Register }

func newMasker() masker {
	m := masker{GP64(), GP64()}
	MOVQ(I32(-1), m.ones)
	MOVQ(U32(2*atOnce), m.limit)
	return m
}

// masks returns the masks for so many words.
func (m masker) masks(words Register) masks {
	k := masks{K(), K()}
	there := GP64()
	MOVQ(m.limit, there)
	CMPQ(words, m.limit)
	CMOVQLT(words, there)
	BZHIQ(there, m.ones, there)
	KMOVW(there.As32(), k.first)
	SHRQ(U8(8), there)
	KMOVW(there.As32(), k.second)
	return k
}

// loop runs body over n > 0 elements, eight at a time, with the masks of what is
// there, and then moves the pointers on.
func loop(label string, n Register, pointers []Register, body func(k masks)) {
	m := newMasker()
	ADDQ(n, n) // words from here on
	Label(label)
	body(m.masks(n))
	for _, p := range pointers {
		SUBQ(I8(-atOnce*elementSize), p) // 128 does not fit in a signed byte, -128 does
	}
	SUBQ(m.limit, n)
	JGT(LabelRef(label))
}

// elementwise generates a routine that applies f to the elements of a and of b, or of a
// and b[0].
func elementwise(name, what string, same bool, f func(a, b octet) octet) {
	TEXT(name, NOSPLIT, "func(dst, a, b *uint64, n uint64)")
	Doc(name + " sets " + what + " for 0 <= i < n, n > 0.")
	Pragma("noescape")
	dst, a, b := Load(Param("dst"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64())
	n := Load(Param("n"), GP64())
	pointers := []Register{dst, a}
	var y octet
	if same {
		y = loadSame(Mem{Base: b})
	} else {
		pointers = append(pointers, b)
	}
	loop(name+"next", n, pointers, func(k masks) {
		x, y := loadOctet(Mem{Base: a}, k), y
		if !same {
			y = loadOctet(Mem{Base: b}, k)
		}
		storeOctet(f(x, y), Mem{Base: dst}, k)
	})
	VZEROUPPER()
	RET()
}

// butterfliesOf generates a routine that replaces each a[i] and b[i], with a factor w[i] or, if
// there is one for all, w[0].
func butterfliesOf(name, what string, same bool, f func(a, b, w octet) (octet, octet)) {
	TEXT(name, NOSPLIT, "func(a, b, w *uint64, n uint64)")
	Doc(name+" sets", "", "\t"+what, "", "for 0 <= i < n, n > 0.")
	Pragma("noescape")
	a, b, w := Load(Param("a"), GP64()), Load(Param("b"), GP64()), Load(Param("w"), GP64())
	n := Load(Param("n"), GP64())
	pointers := []Register{a, b}
	var factor octet
	if same {
		factor = loadSame(Mem{Base: w})
	} else {
		pointers = append(pointers, w)
	}
	loop(name+"next", n, pointers, func(k masks) {
		factor := factor
		if !same {
			factor = loadOctet(Mem{Base: w}, k)
		}
		x, y := f(loadOctet(Mem{Base: a}, k), loadOctet(Mem{Base: b}, k), factor)
		storeOctet(x, Mem{Base: a}, k)
		storeOctet(y, Mem{Base: b}, k)
	})
	VZEROUPPER()
	RET()
}

func butterfly(a, b, w octet) (octet, octet) {
	t := mul(b, w)
	return add(a, t), sub(a, t)
}

func invButterfly(a, b, w octet) (octet, octet) {
	return add(a, b), mul(sub(a, b), w)
}

func innerProduct() {
	TEXT("innerProductIFMA", NOSPLIT, "func(sums, a, b *uint64, n uint64)")
	Doc("innerProductIFMA sets sums to eight elements whose sum is that of a[i] * b[i]",
		"for 0 <= i < n, 0 < n <= 2048.")
	Pragma("noescape")
	sums, a, b := Load(Param("sums"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64())
	n := Load(Param("n"), GP64())
	c := newColumnsApart()
	loop("innerproductnext", n, []Register{a, b}, func(k masks) {
		x, y := loadOctet(Mem{Base: a}, k), loadOctet(Mem{Base: b}, k)
		c.addProduct(split(x), split(y))
	})
	storeOctet(c.reduce(), Mem{Base: sums}, allMasks())
	VZEROUPPER()
	RET()
}

func allMasks() masks {
	ones, k := GP32(), K()
	MOVL(U32(0xFF), ones)
	KMOVW(ones, k)
	return masks{k, k}
}

func combineColumns() {
	TEXT("combineColumnsIFMA", NOSPLIT, "func(dst *uint64, coeffs *[3]uint64, rows *uint64, n, stride uint64)")
	Doc("combineColumnsIFMA sets dst[j] to the sum of coeffs[k] * rows[k*stride + j] for",
		"0 <= k < n, 0 < n <= 256, where coeffs are coefficients in limbs of 52 bits.")
	Pragma("noescape")
	dst, coeffs, row := Load(Param("dst"), GP64()), Load(Param("coeffs"), GP64()), Load(Param("rows"), GP64())
	n, stride := Load(Param("n"), GP64()), Load(Param("stride"), GP64())
	SHLQ(U8(4), stride) // bytes
	all := allMasks()
	c := newColumnsApart()
	Label("combinenext")
	c.addProduct(split(loadOctet(Mem{Base: row}, all)), loadSameLimbs(Mem{Base: coeffs}))
	ADDQ(U8(8*len(limbs{})), coeffs)
	ADDQ(stride, row)
	DECQ(n)
	JNZ(LabelRef("combinenext"))
	storeOctet(c.reduce(), Mem{Base: dst}, all)
	VZEROUPPER()
	RET()
}

func weightColumns() {
	TEXT("weightColumnsIFMA", NOSPLIT,
		"func(sums, powers *uint64, steps, weights *[3]uint64, rows *uint64, n, stride, columns uint64)")
	Doc("weightColumnsIFMA sets, for 0 <= j < columns <= 8 and 0 < n <= 256,", "",
		"\tsums[j] to the sum of powers[8*k + j] * rows[k*stride + j] and",
		"\tsums[8 + j] to the sum of weights[k] * rows[k*stride + j] for 0 <= k < n,", "",
		"and then multiplies powers[8*k + j] by steps[k] for 0 <= j < 8. Steps and weights are",
		"in limbs of 52 bits.")
	Pragma("noescape")
	power, step, weight := Load(Param("powers"), GP64()), Load(Param("steps"), GP64()), Load(Param("weights"), GP64())
	row, n := Load(Param("rows"), GP64()), Load(Param("n"), GP64())
	stride, words := Load(Param("stride"), GP64()), Load(Param("columns"), GP64())
	SHLQ(U8(4), stride) // bytes
	ADDQ(words, words)
	there, all := newMasker().masks(words), allMasks()
	first, second := newColumns(), newColumns()
	Label("weightnext")
	x := split(loadOctet(Mem{Base: row}, there))
	p := split(loadOctet(Mem{Base: power}, all))
	first.addProduct(x, p)
	second.addProduct(x, loadSameLimbs(Mem{Base: weight}))
	next := newColumns()
	next.addProduct(p, loadSameLimbs(Mem{Base: step}))
	storeOctet(next.reduce(), Mem{Base: power}, all)
	SUBQ(I8(-atOnce*elementSize), power)
	ADDQ(U8(8*len(limbs{})), step)
	ADDQ(U8(8*len(limbs{})), weight)
	ADDQ(stride, row)
	DECQ(n)
	JNZ(LabelRef("weightnext"))
	sums := Mem{Base: Load(Param("sums"), GP64())}
	storeOctet(first.reduce(), sums, all)
	storeOctet(second.reduce(), sums.Offset(atOnce*elementSize), all)
	VZEROUPPER()
	RET()
}

func outOfRange() {
	TEXT("outOfRangeAVX512", NOSPLIT, "func(encoded *byte, n uint64) uint64")
	Doc("outOfRangeAVX512 returns 0 if each of n > 0 encoded elements is below the modulus, and",
		"another number if not.")
	Pragma("noescape")
	at, n := Load(Param("encoded"), GP64()), Load(Param("n"), GP64())
	outside := K()
	KXORW(outside, outside, outside)
	loop("outofrangenext", n, []Register{at}, func(k masks) {
		e := loadOctet(Mem{Base: at}, k)
		above, same := K(), K()
		VPCMPUQ_BCST(U8(isAbove), constant.modulusHi, e.hi, above)
		VPCMPUQ_BCST(U8(isSame), constant.modulusHi, e.hi, same)
		VPTESTMQ(e.lo, e.lo, same, same)
		KORW(above, same, above)
		KORW(above, outside, outside)
	})
	result := GP32()
	KMOVW(outside, result)
	full := GP64()
	MOVL(result, full.As32())
	Store(full, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
