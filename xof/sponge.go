package xof

import "encoding/binary"

const (
	// stateWords is the number of words of 64 bits that a state has.
	stateWords = 25
	// rate is the number of bytes that TurboSHAKE128 absorbs or gives out for
	// each permutation (RFC 9861 Section 2.2).
	rate      = 168
	rateWords = rate / 8
	// domain is the domain separation byte D that XofTurboShake128 gives to
	// TurboSHAKE128 (VDAF Section 6.2.1).
	domain = 0x01
)

// What the routines in assembly do with the blocks.
const (
	absorbing = 0
	squeezing = 1
)

// sponge is one TurboSHAKE128, whole blocks at a time.
type sponge struct {
	state [stateWords]uint64
}

// mix adds a block of rate bytes to the state and does not permute.
func (s *sponge) mix(block []byte) {
	block = block[:rate]
	for i := range rateWords {
		s.state[i] ^= binary.LittleEndian.Uint64(block[8*i:])
	}
}

// absorb takes in blocks, none of which is the last one. It leaves out what is behind
// the last whole block.
func (s *sponge) absorb(blocks []byte) {
	n := len(blocks) / rate
	switch {
	case n == 0:
	case hasAVX512:
		sponge1AVX512(&s.state, &roundConstants, &[1]*byte{&blocks[0]}, uint64(n), absorbing)
	case hasBMI2:
		sponge1BMI2(&s.state, &roundConstants, &[1]*byte{&blocks[0]}, uint64(n), absorbing)
	default:
		s.absorbGeneric(blocks[:n*rate])
	}
}

func (s *sponge) absorbGeneric(blocks []byte) {
	for ; len(blocks) > 0; blocks = blocks[rate:] {
		s.mix(blocks)
		permute(&s.state)
	}
}

// squeeze fills blocks with the next output, after the last block has been mixed
// in. It leaves out what is behind the last whole block.
func (s *sponge) squeeze(blocks []byte) {
	n := len(blocks) / rate
	switch {
	case n == 0:
	case hasAVX512:
		sponge1AVX512(&s.state, &roundConstants, &[1]*byte{&blocks[0]}, uint64(n), squeezing)
	case hasBMI2:
		sponge1BMI2(&s.state, &roundConstants, &[1]*byte{&blocks[0]}, uint64(n), squeezing)
	default:
		s.squeezeGeneric(blocks[:n*rate])
	}
}

func (s *sponge) squeezeGeneric(blocks []byte) {
	for ; len(blocks) > 0; blocks = blocks[rate:] {
		permute(&s.state)
		for i := range rateWords {
			binary.LittleEndian.PutUint64(blocks[8*i:], s.state[i])
		}
	}
}

// pad completes a message's last block, of which the first n bytes are there, n < rate.
func pad(block *[rate]byte, n int) {
	clear(block[n:])
	block[n] = domain
	block[rate-1] ^= 0x80
}
