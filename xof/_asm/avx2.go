package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// fourInMemory is four states side by side for AVX2: a word of each of them is a vector, and
// the vectors lie in the routine's frame, since there are more of them than registers. A round reads
// one copy of the state and writes another. The parities of the columns, which the next
// round begins with, are added up while the words pass.
type fourInMemory struct {
	parity, effect, row [5]VecPhysical
	temp                VecPhysical
	even, odd           Mem // the state before the rounds of even and of odd numbers
	blocks              [4]Register
}

const vectorSize = 32

// rotateBytes are the shuffles of bytes that rotate by whole bytes.
var rotateBytes = map[int]Mem{}

func (s *fourInMemory) routine() {
	for _, r := range []int{8, 56} {
		rotateBytes[r] = byteRotation(fmt.Sprintf("rotate%d", r), r)
	}
	declare("sponge4AVX2", 0, 4) // the frame is too large for NOSPLIT
	s.takeRegisters()
	frame := AllocLocal(2*stateWords*vectorSize + vectorSize)
	aligned := GP64()
	LEAQ(frame.Offset(vectorSize-1), aligned)
	ANDQ(I8(-vectorSize), aligned)
	s.even = Mem{Base: aligned}
	s.odd = Mem{Base: aligned, Disp: stateWords * vectorSize}
	addresses := Mem{Base: Load(Param("blocks"), GP64())}
	for k := range s.blocks {
		s.blocks[k] = GP64()
		MOVQ(addresses.Offset(8*k), s.blocks[k])
	}
	n, squeeze := Load(Param("n"), GP64()), Load(Param("squeeze"), GP64())
	state := Load(Param("state"), GP64())
	for i := range stateWords {
		s.move(Mem{Base: state, Disp: i * vectorSize}, word(s.even, i))
	}

	Label("again")
	TESTQ(squeeze, squeeze)
	JNZ(LabelRef("mixed"))
	s.mix()
	Label("mixed")
	s.permute()
	TESTQ(squeeze, squeeze)
	JZ(LabelRef("squeezed"))
	s.extract()
	Label("squeezed")
	for _, p := range s.blocks {
		ADDQ(U32(rate), p)
	}
	DECQ(n)
	JNZ(LabelRef("again"))

	for i := range stateWords {
		s.move(word(s.even, i), Mem{Base: state, Disp: i * vectorSize})
	}
	VZEROUPPER()
	RET()
}

// byteRotation defines the shuffle that rotates each word to the left by r bits.
func byteRotation(name string, r int) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range vectorSize {
		DATA(i, U8(i/8*8+(i+8-r/8)%8))
	}
	return m
}

func (s *fourInMemory) takeRegisters() {
	next := 0
	take := func() VecPhysical {
		next++
		return Vector.Lookup(Index(next-1), S256).(VecPhysical)
	}
	for x := range 5 {
		s.parity[x], s.effect[x], s.row[x] = take(), take(), take()
	}
	s.temp = take()
}

func word(state Mem, i int) Mem { return state.Offset(i * vectorSize) }

func (s *fourInMemory) move(from, to Mem) {
	VMOVDQU(from, s.temp)
	VMOVDQU(s.temp, to)
}

// permute is Keccak-p[1600, 12].
func (s *fourInMemory) permute() {
	for x := range 5 {
		VMOVDQA(word(s.even, x), s.parity[x])
		for y := 1; y < 5; y++ {
			VPXOR(word(s.even, x+5*y), s.parity[x], s.parity[x])
		}
	}
	constant, left := Load(Param("constants"), GP64()), GP64()
	MOVQ(U32(rounds/2), left)
	Label("rounds")
	s.round(s.even, s.odd, Mem{Base: constant})
	s.round(s.odd, s.even, Mem{Base: constant, Disp: 8})
	ADDQ(U8(16), constant)
	DECQ(left)
	JNZ(LabelRef("rounds"))
}

// round is one round (FIPS 202, Section 3.2), row after row of its result. It takes the
// parities of the columns of a and leaves those of e.
func (s *fourInMemory) round(a, e Mem, constant Mem) {
	Comment("theta")
	for x := range 5 {
		VPADDQ(s.parity[(x+1)%5], s.parity[(x+1)%5], s.temp)
		VPSRLQ(U8(63), s.parity[(x+1)%5], s.effect[x])
		VPXOR(s.temp, s.parity[(x+4)%5], s.temp)
		VPXOR(s.temp, s.effect[x], s.effect[x])
	}
	for y := range 5 {
		Comment(fmt.Sprintf("row %d", y))
		for x := range 5 {
			i := source(x, y)
			VPXOR(word(a, i), s.effect[i%5], s.row[x])
			s.rotate(s.row[x], rotations()[i])
		}
		for x := range 5 {
			s.chi(x, y, e, constant)
		}
	}
}

// chi writes the word of column x and row y, and adds it to its column's parity.
func (s *fourInMemory) chi(x, y int, e, constant Mem) {
	to := s.temp
	if y == 0 {
		to = s.parity[x]
	}
	VPANDN(s.row[(x+2)%5], s.row[(x+1)%5], to)
	VPXOR(s.row[x], to, to)
	if x == 0 && y == 0 { // iota
		VPBROADCASTQ(constant, s.temp)
		VPXOR(s.temp, to, to)
	}
	VMOVDQA(to, word(e, x+5*y))
	if y > 0 {
		VPXOR(to, s.parity[x], s.parity[x])
	}
}

func (s *fourInMemory) rotate(v VecPhysical, r int) {
	shuffle, wholeBytes := rotateBytes[r]
	switch {
	case r == 0:
	case wholeBytes:
		VPSHUFB(shuffle, v, v)
	default:
		VPSLLQ(U8(r), v, s.temp)
		VPSRLQ(U8(64-r), v, v)
		VPOR(s.temp, v, v)
	}
}

// at is word i of lane k's block.
func (s *fourInMemory) at(k, i int) Mem { return Mem{Base: s.blocks[k], Disp: 8 * i} }

// mix adds a block of each lane to the state, four words at a time: what
// were four words of each lane become one word of all lanes in each register.
func (s *fourInMemory) mix() {
	Comment("mix")
	lane, half := s.row[:4], s.effect[:4]
	for i := 0; i < rateWords-1; i += 4 {
		for k := range lane {
			VMOVDQU(s.at(k, i), lane[k])
		}
		s.exchangeHalves(lane, half)
		for j := range 4 {
			s.interleave(j, half[j/2*2], half[j/2*2+1], s.temp)
			VPXOR(word(s.even, i+j), s.temp, s.temp)
			VMOVDQA(s.temp, word(s.even, i+j))
		}
	}
	low, high := s.row[0].AsX(), s.row[1].AsX()
	for k, pair := range []Register{low, high} {
		VMOVQ(s.at(2*k, rateWords-1), pair)
		VMOVHPD(s.at(2*k+1, rateWords-1), pair, pair)
	}
	VINSERTI128(U8(1), high, s.row[0], s.temp)
	VPXOR(word(s.even, rateWords-1), s.temp, s.temp)
	VMOVDQA(s.temp, word(s.even, rateWords-1))
}

// exchangeHalves turns words 0 to 3 of lanes 0 to 3 into words 0 and 1 of lanes 0 and 2,
// the same of lanes 1 and 3, and so with words 2 and 3.
func (s *fourInMemory) exchangeHalves(lane, half []VecPhysical) {
	const lower, upper = 0x20, 0x31
	VPERM2I128(U8(lower), lane[2], lane[0], half[0])
	VPERM2I128(U8(lower), lane[3], lane[1], half[1])
	VPERM2I128(U8(upper), lane[2], lane[0], half[2])
	VPERM2I128(U8(upper), lane[3], lane[1], half[3])
}

// interleave takes the words of even places from two registers, or, if j is odd, the others.
func (s *fourInMemory) interleave(j int, even, odd, to VecPhysical) {
	if j%2 == 0 {
		VPUNPCKLQDQ(odd, even, to)
	} else {
		VPUNPCKHQDQ(odd, even, to)
	}
}

// extract writes a block of each lane: mix the other way round.
func (s *fourInMemory) extract() {
	Comment("extract")
	words, half, lane := s.row[:4], s.effect[:4], s.parity[:4]
	for i := 0; i < rateWords-1; i += 4 {
		for j := range words {
			VMOVDQA(word(s.even, i+j), words[j])
		}
		for k := range 4 { // words 0 and 1 of lanes 0 and 2, of lanes 1 and 3, words 2 and 3 of these
			s.interleave(k, words[k/2*2], words[k/2*2+1], half[k])
		}
		s.exchangeHalves(half, lane)
		for k, from := range lane {
			VMOVDQU(from, s.at(k, i))
		}
	}
	low, high := s.row[0], s.row[1].AsX()
	VMOVDQA(word(s.even, rateWords-1), low)
	VEXTRACTI128(U8(1), low, high)
	for k, pair := range []Register{low.AsX(), high} {
		VMOVLPD(pair, s.at(2*k, rateWords-1))
		VMOVHPD(pair, s.at(2*k+1, rateWords-1))
	}
}
