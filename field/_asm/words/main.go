// Command words generates the arithmetic of Field128 in assembly for machines that
// have AVX2 and BMI2's multiplication and no AVX-512 with IFMA, and what there is in assembly of
// Field64. Run it with "go generate" in package field's directory. The same generator gives
// the same bytes.
//
// Addresses of elements are passed as those of their first words Lo. Elements are
// worked on one at a time, in general registers; in vector registers only where rows of many columns
// are weighted (lanes.go), four at a time, and where elements are compared with the modulus
// (range.go), two at a time. Only lengths steer jumps and addresses.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

//go:generate go run . -out ../../words128_amd64.s -stubs ../../words128_stubs_amd64.go -pkg field

const elementSize = 16

func main() {
	ConstraintExpr("!purego")
	defineMinusFold()
	defineLaneConstants()
	elementwise("mulVecBMI2", "dst[i] = a[i] * b[i]", false, mul)
	elementwise("scaleVecBMI2", "dst[i] = a[i] * b[0] / 2^128", true, mulMontgomery)
	elementwise("addVecBMI2", "dst[i] = a[i] + b[i]", false, add)
	elementwise("addConstVecBMI2", "dst[i] = a[i] + b[0]", true, add)
	elementwise("subVecBMI2", "dst[i] = a[i] - b[i]", false, sub)
	butterfliesOf("axpyVecBMI2", "a[i] = a[i] + v*b[i]", true, axpy)
	butterfliesOf("butterfliesBMI2", "a[i], b[i] = a[i] + w[i]*b[i], a[i] - w[i]*b[i]", false, butterfly)
	butterfliesOf("butterflyRowsBMI2", "a[i], b[i] = a[i] + v*b[i], a[i] - v*b[i]", true, butterfly)
	butterfliesOf("invButterflyRowsBMI2", "a[i], b[i] = a[i] + b[i], v*(a[i] - b[i])", true, invButterfly)
	combineColumns()
	weightColumns()
	weightLanes()
	weightColumns64()
	outOfRange()
	Generate()
}

// vectors are vectors of equal lengths: the addresses of their next elements, and how many there are left.
type vectors struct {
	next []Register
	left Register
}

func loadVectors(names ...string) vectors {
	v := vectors{left: Load(Param("n"), GP64())}
	for _, name := range names {
		v.next = append(v.next, pointer(name))
	}
	return v
}

func (v vectors) at(i int) element { return memory(v.next[i]) }

// loop runs body over the elements. There must be one at least.
func (v vectors) loop(label string, body func()) {
	Label(label)
	body()
	for _, p := range v.next {
		ADDQ(I8(elementSize), p)
	}
	DECQ(v.left)
	JNZ(LabelRef(label))
}

func pointer(name string) Register { return Load(Param(name), GP64()) }

// loadElement loads the element that a parameter points to.
func loadElement(name string) element { return load(memory(pointer(name))) }

// elementwise generates a routine that applies f to the elements of a and of b, or of a
// and b[0].
func elementwise(name, what string, same bool, f func(a, b element) element) {
	TEXT(name, NOSPLIT, "func(dst, a, b *uint64, n uint64)")
	Doc(name + " sets " + what + " for 0 <= i < n, n > 0.")
	Pragma("noescape")
	var v vectors
	var y element
	if same {
		v = loadVectors("dst", "a")
		y = loadElement("b")
	} else {
		v = loadVectors("dst", "a", "b")
		y = v.at(2)
	}
	v.loop(name+"next", func() { store(f(v.at(1), y), v.at(0)) })
	RET()
}

// butterfliesOf generates a routine that replaces each a[i] and b[i], with a factor w[i] or, if
// there is one for all, w[0] / 2^128.
func butterfliesOf(name, what string, same bool, f func(a, b, w element, times func(a, b element) element)) {
	TEXT(name, NOSPLIT, "func(a, b, w *uint64, n uint64)")
	var v vectors
	var factor element
	times := mul
	if same {
		Doc(name+" sets", "", "\t"+what+", with v = w[0] / 2^128", "", "for 0 <= i < n, n > 0.")
		v = loadVectors("a", "b")
		factor, times = loadElement("w"), mulMontgomery
	} else {
		Doc(name+" sets", "", "\t"+what, "", "for 0 <= i < n, n > 0.")
		v = loadVectors("a", "b", "w")
		factor = v.at(2)
	}
	Pragma("noescape")
	v.loop(name+"next", func() { f(v.at(0), v.at(1), factor, times) })
	RET()
}

func axpy(a, b, w element, times func(a, b element) element) {
	store(add(a, times(b, w)), a)
}

func butterfly(a, b, w element, times func(a, b element) element) {
	t := times(b, w)
	d := sub(a, t)
	store(add(a, t), a)
	store(d, b)
}

func invButterfly(a, b, w element, times func(a, b element) element) {
	d := sub(a, b)
	store(add(a, b), a)
	store(times(d, w), b)
}
