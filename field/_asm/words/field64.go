package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Field64 has the modulus 2^64 - 2^32 + 1. Epsilon, 2^32 - 1, is 2^64 modulo that; in a register
// of 32 bits it is a borrow subtracted from itself.

// borrowed64 sets r to epsilon after a borrow or a carry, and to zero after none.
func borrowed64(r GPVirtual) { SBBL(r.As32(), r.As32()) }

// reduce64 turns lo into a number that is hi*2^64 + lo modulo p, but not always below p. It
// uses hi up. The steps are those of reduceWide64, without the last.
func reduce64(lo, hi GPVirtual) {
	v := GP64()
	MOVL(hi.As32(), v.As32())
	SHRQ(U8(32), hi)
	SUBQ(hi, lo)
	borrowed64(hi)
	SUBQ(hi, lo)
	MOVQ(v, hi)
	SHLQ(U8(32), hi)
	SUBQ(v, hi)
	ADDQ(hi, lo)
	borrowed64(hi)
	ADDQ(hi, lo)
}

// sum64 is a number and less than 2^32 products added up, the lowest word first.
type sum64 [3]GPVirtual

func newSum64(w Mem) sum64 {
	s := sum64{GP64(), GP64(), GP64()}
	MOVQ(w, s[0])
	XORL(s[1].As32(), s[1].As32())
	XORL(s[2].As32(), s[2].As32())
	return s
}

// addProduct adds RDX times w.
func (s sum64) addProduct(w Op) {
	lo, hi := GP64(), GP64()
	MULXQ(w, lo, hi)
	ADDQ(lo, s[0])
	ADCQ(hi, s[1])
	ADCQ(I8(0), s[2])
}

// store stores the sum modulo p. It uses s up. 2^128 is -2^32 modulo p, and s[2]*2^32 is less than p.
func (s sum64) store(to Mem) {
	reduce64(s[0], s[1])
	epsilon, less := GP64(), GP64()
	MOVL(U32(1<<32-1), epsilon.As32())
	MOVQ(s[0], less)
	ADDQ(epsilon, less) // carries exactly if what is there is p or more
	CMOVQCS(less, s[0])
	SHLQ(U8(32), s[2])
	SUBQ(s[2], s[0])
	borrowed64(less)
	SUBQ(less, s[0])
	MOVQ(s[0], to)
}

func weightColumns64() {
	TEXT("weightColumns64BMI2", NOSPLIT, "func(first, second, at, ratios, weights, rows *uint64, n, stride, columns uint64)")
	Doc("weightColumns64BMI2 multiplies, for each j, 0 <= j < columns, each at[k] by ratios[k], and then adds", "",
		"\tto first[j] the sum of at[k] * rows[k*stride + j] and",
		"\tto second[j] the sum of weights[k] * rows[k*stride + j] for 0 <= k < n,", "",
		"columns > 0, 0 < n < 2^32. It leaves at congruent, and not always below the modulus.")
	Pragma("noescape")
	first, second, rows, stride, left := local("first"), local("second"), local("rows"), local("stride"), local("columns")
	size := local("n")
	SHLQ(U8(3), size) // bytes
	SHLQ(U8(3), stride)
	at, ratios, weights := load64(size), load64(size), load64(size)
	for _, v := range []struct {
		name string
		end  Register
	}{{"at", at}, {"ratios", ratios}, {"weights", weights}} {
		from := Load(Param(v.name), GP64())
		ADDQ(from, v.end)
	}
	Label("weight64column")
	index, row := GP64(), load64(rows)
	XORL(index.As32(), index.As32())
	SUBQ(size, index)
	s, t := newSum64(Mem{Base: load64(first)}), newSum64(Mem{Base: load64(second)})
	word := func(end Register) Mem { return Mem{Base: end, Index: index, Scale: 1} }
	Label("weight64row")
	power, high := GP64(), GP64()
	MOVQ(word(at), RDX)
	MULXQ(word(ratios), power, high)
	reduce64(power, high)
	MOVQ(power, word(at))
	MOVQ(Mem{Base: row}, RDX)
	s.addProduct(power)
	t.addProduct(word(weights))
	ADDQ(stride, row)
	ADDQ(I8(8), index)
	JNZ(LabelRef("weight64row"))
	s.store(Mem{Base: load64(first)})
	t.store(Mem{Base: load64(second)})
	ADDQ(I8(8), first)
	ADDQ(I8(8), second)
	ADDQ(I8(8), rows)
	DECQ(left)
	JNZ(LabelRef("weight64column"))
	RET()
}
