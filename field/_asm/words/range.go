package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// outOfRange compares two elements at a time with the modulus -fold*X + 1, modulo X^2. There is only
// a comparison of signed words: with the highest bit of each word flipped the order is that of unsigned ones.
func outOfRange() {
	const highest = -1 << 63
	words := func(name string, lo, hi int64) Mem {
		m := GLOBL(name, RODATA|NOPTR)
		for i, w := range []int64{lo, hi, lo, hi} {
			DATA(8*i, I64(w))
		}
		return m
	}
	flip := words("rangeFlip", highest, highest)
	most := words("rangeMost", highest, -fold^highest)

	TEXT("outOfRangeAVX2", NOSPLIT, "func(encoded *byte, pairs uint64) uint64")
	Doc("outOfRangeAVX2 returns 0 if each of twice pairs > 0 encoded elements is below the modulus, and", "another number if not.")
	Pragma("noescape")
	next, left := pointer("encoded"), Load(Param("pairs"), GP64())
	flips, limit, outside := loadVector(flip), loadVector(most), YMM()
	VPXOR(outside, outside, outside)
	Label("outofrangenext")
	v, above, equal, aboveLower := YMM(), YMM(), YMM(), YMM()
	VPXOR(Mem{Base: next}, flips, v)
	VPCMPGTQ(limit, v, above)
	VPCMPEQQ(limit, v, equal)
	// An element is out of range if its upper word is above the limit, or equal to it and the lower word above zero.
	VPUNPCKLQDQ(above, above, aboveLower)
	VPAND(aboveLower, equal, equal)
	VPOR(equal, above, above)
	VPOR(above, outside, outside)
	ADDQ(U8(vectorSize), next)
	DECQ(left)
	JNZ(LabelRef("outofrangenext"))
	VPUNPCKHQDQ(outside, outside, outside) // the upper words alone
	found := GP32()
	VPMOVMSKB(outside, found)
	VZEROUPPER()
	Store(found.As64(), ReturnIndex(0))
	RET()
}
