package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// With AVX-512 one state, or four side by side, lie with a word of each in a vector register,
// and all 25 words stay in registers from the first block to the last.

// The registers of a routine: the state's words, and what is free.
const (
	firstTemp = 0
	temps     = 7
	firstWord = temps
)

// sponge is what a routine works on.
type sponge struct {
	lanes int
	width Spec // of a vector register

	word   [stateWords]VecPhysical // word i of every lane
	temp   [temps]VecPhysical
	blocks []Register // where the lanes' next blocks are
}

func (s *sponge) register(i int) VecPhysical { return Vector.Lookup(Index(i), s.width).(VecPhysical) }

// routine generates the absorbing and the squeezing of whole blocks.
func (s *sponge) routine() {
	name := fmt.Sprintf("sponge%dAVX512", s.lanes)
	declare(name, NOSPLIT, s.lanes)
	for i := range s.word {
		s.word[i] = s.register(firstWord + i)
	}
	for i := range s.temp {
		s.temp[i] = s.register(firstTemp + i)
	}
	addresses := Mem{Base: Load(Param("blocks"), GP64())}
	for k := range s.lanes {
		p := GP64()
		MOVQ(addresses.Offset(8*k), p)
		s.blocks = append(s.blocks, p)
	}
	state, constants := Load(Param("state"), GP64()), Mem{Base: Load(Param("constants"), GP64())}
	n, squeeze := Load(Param("n"), GP64()), Load(Param("squeeze"), GP64())
	for i := range s.word {
		s.loadWord(s.stateWord(state, i), s.word[i])
	}

	again, mixed, squeezed := name+"again", name+"mixed", name+"squeezed"
	Label(again)
	TESTQ(squeeze, squeeze)
	JNZ(LabelRef(mixed))
	s.mix()
	Label(mixed)
	s.permute(constants)
	TESTQ(squeeze, squeeze)
	JZ(LabelRef(squeezed))
	s.extract()
	Label(squeezed)
	for _, p := range s.blocks {
		ADDQ(U8(rate/2), p) // 168 does not fit in a signed byte
		ADDQ(U8(rate/2), p)
	}
	DECQ(n)
	JNZ(LabelRef(again))

	for i := range s.word {
		s.storeWord(s.word[i], s.stateWord(state, i))
	}
	VZEROUPPER()
	RET()
}

func (s *sponge) stateWord(state Register, i int) Mem {
	return Mem{Base: state, Disp: i * 8 * s.lanes}
}

func (s *sponge) loadWord(m Mem, r VecPhysical) {
	if s.lanes == 1 {
		VMOVQ(m, r)
		return
	}
	VMOVDQU64(m, r)
}

func (s *sponge) storeWord(r VecPhysical, m Mem) {
	if s.lanes == 1 {
		VMOVLPD(r, m)
		return
	}
	VMOVDQU64(r, m)
}

// at is word i of lane k's block.
func (s *sponge) at(k, i int) Mem { return Mem{Base: s.blocks[k], Disp: 8 * i} }

// mix adds a block of each lane to the state.
func (s *sponge) mix() {
	Comment("mix")
	if s.lanes == 1 {
		for i := range rateWords - 1 {
			// The register's upper half is of no account.
			VPXORQ(s.at(0, i), s.word[i], s.word[i])
		}
		VMOVQ(s.at(0, rateWords-1), s.temp[0])
		VPXORQ(s.temp[0], s.word[rateWords-1], s.word[rateWords-1])
		return
	}
	// Two words of each lane: those of lane k and k+1 change places so that
	// each register has one word of all lanes.
	for i := 0; i < rateWords-1; i += 2 {
		even, odd, mixed := s.temp[(i/2)%2*3], s.temp[(i/2)%2*3+1], s.temp[(i/2)%2*3+2]
		s.gather(even, 0, i)
		s.gather(odd, 1, i)
		VPUNPCKLQDQ(odd, even, mixed)
		VPXORQ(mixed, s.word[i], s.word[i])
		VPUNPCKHQDQ(odd, even, mixed)
		VPXORQ(mixed, s.word[i+1], s.word[i+1])
	}
	last, pair := s.temp[0], s.temp[1].AsX()
	for k := 0; k < s.lanes; k += 2 {
		VMOVQ(s.at(k, rateWords-1), pair)
		VMOVHPD(s.at(k+1, rateWords-1), pair, pair)
		if k == 0 {
			VMOVDQA64(pair, last.AsX())
		} else {
			VINSERTI64X2(U8(k/2), pair, last, last)
		}
	}
	VPXORQ(last, s.word[rateWords-1], s.word[rateWords-1])
}

// gather loads words i and i+1 of every other lane, from the given one on.
func (s *sponge) gather(to VecPhysical, lane, i int) {
	VMOVDQU64(s.at(lane, i), to.AsX())
	for k := lane + 2; k < s.lanes; k += 2 {
		VINSERTI64X2(U8(k/2), s.at(k, i), to, to)
	}
}

// extract writes a block of each lane.
func (s *sponge) extract() {
	Comment("extract")
	for i := 0; i < rateWords-1; i += 2 {
		even, odd := s.temp[(i/2)%2*3], s.temp[(i/2)%2*3+1]
		VPUNPCKLQDQ(s.word[i+1], s.word[i], even)
		s.scatter(even, 0, i)
		if s.lanes > 1 {
			VPUNPCKHQDQ(s.word[i+1], s.word[i], odd)
			s.scatter(odd, 1, i)
		}
	}
	last := s.word[rateWords-1]
	if s.lanes == 1 {
		VMOVLPD(last, s.at(0, rateWords-1))
		return
	}
	for k := 0; k < s.lanes; k += 2 {
		pair := last.AsX()
		if k > 0 {
			pair = s.temp[0].AsX()
			VEXTRACTI64X2(U8(k/2), last, pair)
		}
		VMOVLPD(pair, s.at(k, rateWords-1))
		VMOVHPD(pair, s.at(k+1, rateWords-1))
	}
}

// scatter stores words i and i+1 of every other lane, from the given one on.
func (s *sponge) scatter(from VecPhysical, lane, i int) {
	VMOVDQU64(from.AsX(), s.at(lane, i))
	for k := lane + 2; k < s.lanes; k += 2 {
		VEXTRACTI64X2(U8(k/2), from, s.at(k, i))
	}
}

// permute is Keccak-p[1600, 12]. A round leaves the words in other registers than it has
// found them in: at the end they go back.
func (s *sponge) permute(constants Mem) {
	before := s.word
	for i := range rounds {
		Comment(fmt.Sprintf("round %d", i))
		s.round(constants.Offset(8 * i))
	}
	Comment("back to where the words were")
	s.moveTo(before)
}

// The tables of VPTERNLOGQ: bit 4*x + 2*y + z is the function's value.
const (
	xor3 = U8(0b1001_0110) // x ^ y ^ z
	chi  = U8(0b1101_0010) // x ^ (^y & z)
)

// round is one round (FIPS 202, Section 3.2). Lane (x, y) of the standard is
// word x + 5*y.
func (s *sponge) round(constant Mem) {
	a, c, t := &s.word, s.temp[:5], s.temp[5]
	for x := range 5 { // theta: the columns' parities
		VMOVDQA64(a[x], c[x])
		VPTERNLOGQ(xor3, a[x+5], a[x+10], c[x])
		VPTERNLOGQ(xor3, a[x+15], a[x+20], c[x])
	}
	for x := range 5 {
		VPROLQ(U8(1), c[(x+1)%5], t)
		for y := range 5 {
			VPTERNLOGQ(xor3, t, c[(x+4)%5], a[x+5*y])
		}
	}
	var b [stateWords]VecPhysical // rho and pi
	for i, r := range rotations() {
		if r > 0 {
			VPROLQ(U8(r), a[i], a[i])
		}
		x, y := i%5, i/5
		b[y+5*((2*x+3*y)%5)] = a[i]
	}
	for y := 0; y < stateWords; y += 5 { // chi
		row := b[y : y+5]
		b0, b1 := s.temp[y%2*2], s.temp[y%2*2+1]
		VMOVDQA64(row[0], b0)
		VMOVDQA64(row[1], b1)
		VPTERNLOGQ(chi, row[2], row[1], row[0])
		VPTERNLOGQ(chi, row[3], row[2], row[1])
		VPTERNLOGQ(chi, row[4], row[3], row[2])
		VPTERNLOGQ(chi, b0, row[4], row[3])
		VPTERNLOGQ(chi, b1, b0, row[4])
	}
	VPXORQ_BCST(constant, b[0], b[0]) // iota
	s.word = b
}

// moveTo moves each word into the register that target has for it, one
// cycle of registers after the other.
func (s *sponge) moveTo(target [stateWords]VecPhysical) {
	holds := map[VecPhysical]int{}
	for i, r := range s.word {
		holds[r] = i
	}
	var done [stateWords]bool
	for start := range target {
		if done[start] || s.word[start] == target[start] {
			continue
		}
		// The first register's word waits in a temporary one, and each
		// register that becomes free takes what belongs into it.
		VMOVDQA64(target[start], s.temp[0])
		waiting := holds[target[start]]
		for i := start; ; {
			done[i] = true
			if i == waiting {
				VMOVDQA64(s.temp[0], target[i])
				break
			}
			VMOVDQA64(s.word[i], target[i])
			i = s.next(target, i)
		}
	}
	s.word = target
}

// next is the word whose target is the register that word i has been in.
func (s *sponge) next(target [stateWords]VecPhysical, i int) int {
	for j, r := range target {
		if r == s.word[i] {
			return j
		}
	}
	panic("the registers are not the same")
}
