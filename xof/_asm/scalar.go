package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// oneInMemory is a single state with the instructions of BMI1 and BMI2. A round reads one
// copy of the state and writes another.
type oneInMemory struct {
	effect, row [5]GPVirtual
	temp        GPVirtual
	block       GPVirtual // where the next block is
	state, copy Mem
}

func (s *oneInMemory) routine() {
	declare("sponge1BMI2", NOSPLIT, 1)
	s.copy = AllocLocal(8 * stateWords)
	left := AllocLocal(8) // blocks
	state, squeeze, block := Load(Param("state"), GP64()), GP64(), GP64()
	s.state, s.block = Mem{Base: state}, block.(GPVirtual)
	MOVQ(Mem{Base: Load(Param("blocks"), GP64())}, block)
	n := Load(Param("n"), GP64())
	MOVQ(n, left)
	for x := range 5 {
		s.effect[x], s.row[x] = GP64().(GPVirtual), GP64().(GPVirtual)
	}
	s.temp = GP64().(GPVirtual)

	Label("again1")
	Load(Param("squeeze"), squeeze)
	TESTQ(squeeze, squeeze)
	JNZ(LabelRef("mixed1"))
	s.mix()
	Label("mixed1")
	s.permute()
	Load(Param("squeeze"), squeeze)
	TESTQ(squeeze, squeeze)
	JZ(LabelRef("squeezed1"))
	s.extract()
	Label("squeezed1")
	ADDQ(U32(rate), block)
	DECQ(left)
	JNZ(LabelRef("again1"))
	RET()
}

// permute is Keccak-p[1600, 12].
func (s *oneInMemory) permute() {
	constant := Load(Param("constants"), GP64())
	left := AllocLocal(8) // pairs of rounds
	MOVQ(U32(rounds/2), left)
	Label("rounds1")
	s.round(s.state, s.copy, Mem{Base: constant})
	s.round(s.copy, s.state, Mem{Base: constant, Disp: 8})
	ADDQ(U8(16), constant)
	DECQ(left)
	JNZ(LabelRef("rounds1"))
}

// round is one round (FIPS 202, Section 3.2), row after row of its result.
func (s *oneInMemory) round(a, e Mem, constant Mem) {
	Comment("theta")
	for x, parity := range s.row {
		MOVQ(a.Offset(8*x), parity)
		for y := 1; y < 5; y++ {
			XORQ(a.Offset(8*(x+5*y)), parity)
		}
	}
	for x, effect := range s.effect {
		RORXQ(U8(63), s.row[(x+1)%5], effect)
		XORQ(s.row[(x+4)%5], effect)
	}
	for y := range 5 {
		Comment(fmt.Sprintf("row %d", y))
		for x, b := range s.row {
			i := source(x, y)
			MOVQ(a.Offset(8*i), b)
			XORQ(s.effect[i%5], b)
			if r := rotations()[i]; r > 0 {
				ROLQ(U8(r), b)
			}
		}
		for x, b := range s.row { // chi
			ANDNQ(s.row[(x+2)%5], s.row[(x+1)%5], s.temp)
			XORQ(b, s.temp)
			if x == 0 && y == 0 { // iota
				XORQ(constant, s.temp)
			}
			MOVQ(s.temp, e.Offset(8*(x+5*y)))
		}
	}
}

// mix adds a block to the state.
func (s *oneInMemory) mix() {
	Comment("mix")
	for i := range rateWords {
		MOVQ(Mem{Base: s.block, Disp: 8 * i}, s.temp)
		XORQ(s.temp, s.state.Offset(8*i))
	}
}

// extract writes a block.
func (s *oneInMemory) extract() {
	Comment("extract")
	for i := range rateWords {
		MOVQ(s.state.Offset(8*i), s.temp)
		MOVQ(s.temp, Mem{Base: s.block, Disp: 8 * i})
	}
}
