package xof

import (
	"encoding/binary"

	"github.com/cloudflare/circl/simd/keccakf1600"
)

// permutation says how the four states of a sponge4 are permuted.
type permutation uint8

const (
	fastest     permutation = iota // what is fastest on this machine
	inRegisters                    // interleaved, by the routine for AVX-512; only where there is one
	interleaved                    // interleaved, a permutation at a time, whatever the machine
	oneByOne                       // one state after the other, whatever the machine
)

func (p permutation) onThisMachine() permutation {
	switch {
	case p != fastest:
		return p
	case hasAVX512:
		return inRegisters
	case hasFourWay():
		return interleaved
	}
	return oneByOne
}

// sponge4 is four instances of TurboSHAKE128 side by side, whole blocks at a time. The
// zero value is ready for reset, and it must not be copied after that.
type sponge4 struct {
	permutation permutation
	// words is where the four states are, interleaved: word i of lane k is
	// words[4*i+k]. It is nil where the states are permuted one by one, in single.
	words  []uint64
	x4     keccakf1600.StateX4
	single [4]sponge
}

// reset makes all four states those of an empty message.
func (s *sponge4) reset(p permutation) {
	s.permutation = p.onThisMachine()
	if s.permutation == oneByOne {
		s.words = nil
		s.single = [4]sponge{}
		return
	}
	const turbo = true // 12 rounds
	s.words = s.x4.Initialize(turbo)
	clear(s.words)
}

// mix adds one block to each lane and does not permute.
func (s *sponge4) mix(blocks [4][]byte) {
	if s.words == nil {
		for k := range s.single {
			s.single[k].mix(blocks[k])
		}
		return
	}
	b0, b1, b2, b3 := blocks[0][:rate], blocks[1][:rate], blocks[2][:rate], blocks[3][:rate]
	words := s.words[:4*rateWords]
	for i := 0; i < rate; i += 8 {
		w := words[i/2 : i/2+4 : i/2+4]
		w[0] ^= binary.LittleEndian.Uint64(b0[i:])
		w[1] ^= binary.LittleEndian.Uint64(b1[i:])
		w[2] ^= binary.LittleEndian.Uint64(b2[i:])
		w[3] ^= binary.LittleEndian.Uint64(b3[i:])
	}
}

// absorb takes in n blocks for each lane, none of which is the last one.
func (s *sponge4) absorb(blocks [4][]byte, n int) {
	if n == 0 {
		return
	}
	switch s.permutation {
	case inRegisters:
		s.inRegisters(&blocks, n, absorbing)
	case oneByOne:
		for k := range s.single {
			s.single[k].absorb(blocks[k][:n*rate])
		}
	default:
		for range n {
			s.mix(blocks)
			s.x4.Permute()
			blocks = advance(blocks, rate)
		}
	}
}

// squeeze fills n blocks of each lane with its next output, after the last
// block has been mixed in.
func (s *sponge4) squeeze(blocks [4][]byte, n int) {
	if n == 0 {
		return
	}
	switch s.permutation {
	case inRegisters:
		s.inRegisters(&blocks, n, squeezing)
	case oneByOne:
		for k := range s.single {
			s.single[k].squeeze(blocks[k][:n*rate])
		}
	default:
		for range n {
			s.x4.Permute()
			s.extract(&blocks)
			blocks = advance(blocks, rate)
		}
	}
}

func (s *sponge4) inRegisters(blocks *[4][]byte, n int, what uint64) {
	var addresses [4]*byte
	for k := range addresses {
		addresses[k] = &blocks[k][:n*rate][0]
	}
	sponge4AVX512((*[100]uint64)(s.words), &roundConstants, &addresses, uint64(n), what)
}

// extract writes one block of each lane.
func (s *sponge4) extract(blocks *[4][]byte) {
	b0, b1, b2, b3 := blocks[0][:rate], blocks[1][:rate], blocks[2][:rate], blocks[3][:rate]
	words := s.words[:4*rateWords]
	for i := 0; i < rate; i += 8 {
		w := words[i/2 : i/2+4 : i/2+4]
		binary.LittleEndian.PutUint64(b0[i:], w[0])
		binary.LittleEndian.PutUint64(b1[i:], w[1])
		binary.LittleEndian.PutUint64(b2[i:], w[2])
		binary.LittleEndian.PutUint64(b3[i:], w[3])
	}
}

// advance returns the blocks without the first n bytes of each lane.
func advance(blocks [4][]byte, n int) [4][]byte {
	for k := range blocks {
		blocks[k] = blocks[k][n:]
	}
	return blocks
}
