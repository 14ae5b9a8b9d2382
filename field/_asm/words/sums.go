package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// sums is an element and less than 2^20 products added up: main + cross*X. Apart, fewer additions
// wait for one another.
type sums struct {
	main  [5]Register
	cross [3]Register
}

func newSums(e element) (s sums) {
	s.main = [5]Register{load64(e.lo), load64(e.hi), zero(), zero(), zero()}
	s.cross = [3]Register{zero(), zero(), zero()}
	return s
}

// addProduct adds a * b.
func (s sums) addProduct(a, b element) {
	MOVQ(a.lo, RDX)
	l1, h1 := times(b.hi)
	l0, h0 := times(b.lo)
	s.addCross(l1, h1)
	MOVQ(a.hi, RDX)
	l3, h3 := times(b.hi)
	ADDQ(l0, s.main[0])
	ADCQ(h0, s.main[1])
	ADCQ(l3, s.main[2])
	ADCQ(h3, s.main[3])
	ADCQ(I8(0), s.main[4])
	l2, h2 := times(b.lo)
	s.addCross(l2, h2)
}

func (s sums) addCross(lo, hi Register) {
	ADDQ(lo, s.cross[0])
	ADCQ(hi, s.cross[1])
	ADCQ(I8(0), s.cross[2])
}

// reduce returns the sum modulo p. It uses s up.
func (s sums) reduce() element {
	ADDQ(s.cross[0], s.main[1])
	ADCQ(s.cross[1], s.main[2])
	ADCQ(s.cross[2], s.main[3])
	ADCQ(I8(0), s.main[4])
	return wide(s.main[:4]).reduce(s.main[4])
}

// columns are the columns of a matrix, one after the other. There are not registers for all of
// this: it lies in the frame.
type columns struct {
	row    Mem // the next column's element in the first row
	stride Mem // from row to row, in bytes
	size   Mem // of a vector with an element for each row, in bytes
	end    Mem // of the coefficients
	left   Mem // columns
}

// loadColumns takes the matrix from the parameters rows, n, stride and columns.
func loadColumns() columns {
	c := columns{row: local("rows"), size: local("n"), stride: local("stride"), left: local("columns"), end: AllocLocal(8)}
	SHLQ(U8(4), c.size) // bytes
	SHLQ(U8(4), c.stride)
	return c
}

// local copies a parameter to the frame.
func local(name string) Mem {
	m := AllocLocal(8)
	MOVQ(Load(Param(name), GP64()), m)
	return m
}

func (c columns) loop(label string, body func()) {
	Label(label)
	body()
	ADDQ(I8(elementSize), c.row)
	DECQ(c.left)
	JNZ(LabelRef(label))
}

// add adds the sum of coefficients times a column to an element, whose address it moves on.
func (c columns) add(label string, to, coeffs Mem) {
	row, coeff, end := load64(c.row), load64(coeffs), load64(coeffs)
	ADDQ(c.size, end)
	MOVQ(end, c.end)
	s := newSums(memory(load64(to)))
	Label(label)
	s.addProduct(memory(coeff), memory(row))
	ADDQ(c.stride, row)
	ADDQ(I8(elementSize), coeff)
	CMPQ(coeff, c.end)
	JNE(LabelRef(label))
	store(s.reduce(), memory(load64(to)))
	ADDQ(I8(elementSize), to)
}

func combineColumns() {
	TEXT("combineColumnsBMI2", NOSPLIT, "func(dst, coeffs, rows *uint64, n, stride, columns uint64)")
	Doc("combineColumnsBMI2 adds to dst[j] the sum of coeffs[k] * rows[k*stride + j] for",
		"0 <= k < n, for 0 <= j < columns, columns > 0, 0 < n <= 4096.")
	Pragma("noescape")
	dst, coeffs, c := local("dst"), local("coeffs"), loadColumns()
	c.loop("combinenext", func() { c.add("combinerow", dst, coeffs) })
	RET()
}

func weightColumns() {
	TEXT("weightColumnsBMI2", NOSPLIT, "func(first, second, at, ratios, weights, rows *uint64, n, stride, columns uint64)")
	Doc("weightColumnsBMI2 multiplies, for each j, 0 <= j < columns, each at[k] by ratios[k] / 2^128, and then adds", "",
		"\tto first[j] the sum of at[k] * rows[k*stride + j] and",
		"\tto second[j] the sum of weights[k] * rows[k*stride + j] for 0 <= k < n,", "",
		"columns > 0, 0 < n <= 4096.")
	Pragma("noescape")
	first, second, at, weights := local("first"), local("second"), local("at"), local("weights")
	ratios, c := local("ratios"), loadColumns()
	c.loop("weightnext", func() {
		v := vectors{next: []Register{load64(at), load64(ratios)}, left: load64(c.size)}
		SHRQ(U8(4), v.left)
		v.loop("weightpower", func() { store(mulMontgomery(v.at(0), v.at(1)), v.at(0)) })
		c.add("weightfirst", first, at)
		c.add("weightsecond", second, weights)
	})
	RET()
}
