// Command asm generates the lane arithmetic of package x25519 in assembly.
// Run it with "go generate" in the package's directory. The same generator
// gives the same bytes.
//
// Each routine does the limb steps of its model in lanes4_generic.go or
// lanes8_generic.go, where the bounds of the limbs stand.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

//go:generate go run . -out ../lanes_amd64.s -stubs ../lanes_amd64.go -pkg x25519

func main() {
	ConstraintExpr("!purego")
	avx2()
	ifma()
	Generate()
}

// element is a field element in memory: its limbs one after the other, each a
// vector of lanes.
type element struct {
	at    Mem
	width int // of a vector in bytes
}

func (e element) limb(i int) Mem { return e.at.Offset(i * e.width) }

// argument is the field element that a parameter points to; n counts elements
// from there.
func argument(name string, n, limbs, width int) element {
	return element{Mem{Base: Load(Param(name), GP64())}.Offset(n * limbs * width), width}
}

// locals are field elements in the frame, aligned to cache lines: the frame
// itself is not.
type locals struct {
	base         Register
	limbs, width int
	used         int
}

func newLocals(n, limbs, width int) *locals {
	frame := AllocLocal(n*limbs*width + 64)
	base := GP64()
	LEAQ(frame.Offset(63), base)
	ANDQ(I32(-64), base)
	return &locals{base: base, limbs: limbs, width: width}
}

func (l *locals) element() element {
	e := element{Mem{Base: l.base}.Offset(l.used * l.limbs * l.width), l.width}
	l.used++
	return e
}

// broadcast is a constant vector of n equal lanes.
func broadcast(name string, value uint64, n int) Mem {
	m := GLOBL(name, NOPTR|RODATA)
	for i := range n {
		DATA(8*i, U64(value))
	}
	return m
}
