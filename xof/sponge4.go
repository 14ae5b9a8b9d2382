package xof

import "encoding/binary"

// permutation says how the four states of a sponge4 are permuted.
type permutation uint8

const (
	fastest  permutation = iota // what is fastest on this machine
	avx512                      // interleaved, all in registers; only where there is AVX-512
	avx2                        // interleaved; only where there is AVX2
	oneByOne                    // one state after the other, whatever the machine
)

func (p permutation) onThisMachine() permutation {
	switch {
	case p != fastest:
		return p
	case hasAVX512:
		return avx512
	case hasAVX2:
		return avx2
	}
	return oneByOne
}

// sponge4 is four instances of TurboSHAKE128 side by side, whole blocks at a time. The
// zero value is ready for reset.
type sponge4 struct {
	permutation permutation
	// words are the four states, interleaved: word i of lane k is words[4*i+k]. Where
	// the states are permuted one by one they are in single instead.
	words  [4 * stateWords]uint64
	single [4]sponge
}

// reset makes all four states those of an empty message.
func (s *sponge4) reset(p permutation) {
	s.permutation = p.onThisMachine()
	if s.permutation == oneByOne {
		s.single = [4]sponge{}
		return
	}
	clear(s.words[:])
}

// mix adds one block to each lane and does not permute.
func (s *sponge4) mix(blocks [4][]byte) {
	if s.permutation == oneByOne {
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

// absorb takes in n blocks for each lane. If the last one is the message's last, the state begins with the
// first block of output then.
func (s *sponge4) absorb(blocks [4][]byte, n int) {
	switch {
	case n == 0:
	case s.permutation == oneByOne:
		for k := range s.single {
			s.single[k].absorb(blocks[k][:n*rate])
		}
	default:
		s.interleaved(&blocks, n, absorbing)
	}
}

// squeeze fills n blocks of each lane with its next output: the first ones, if the message's
// last block has been mixed in, or what follows the first one, if that has been absorbed.
func (s *sponge4) squeeze(blocks [4][]byte, n int) {
	switch {
	case n == 0:
	case s.permutation == oneByOne:
		for k := range s.single {
			s.single[k].squeeze(blocks[k][:n*rate])
		}
	default:
		s.interleaved(&blocks, n, squeezing)
	}
}

// read copies bytes of a lane's state, those from at on, to out.
func (s *sponge4) read(lane, at int, out []byte) {
	words, step := s.words[lane:], 4
	if s.permutation == oneByOne {
		words, step = s.single[lane].state[:], 1
	}
	if at%8 == 0 {
		i := at / 8 * step
		for ; len(out) >= 8; out = out[8:] {
			binary.LittleEndian.PutUint64(out, words[i])
			i += step
			at += 8
		}
	}
	for i := range out {
		out[i] = byte(words[(at+i)/8*step] >> (8 * ((at + i) % 8)))
	}
}

func (s *sponge4) interleaved(blocks *[4][]byte, n int, what uint64) {
	var addresses [4]*byte
	for k := range addresses {
		addresses[k] = &blocks[k][:n*rate][0]
	}
	if s.permutation == avx512 {
		sponge4AVX512(&s.words, &roundConstants, &addresses, uint64(n), what)
	} else {
		sponge4AVX2(&s.words, &roundConstants, &addresses, uint64(n), what)
	}
}

// advance returns the blocks without the first n bytes of each lane.
func advance(blocks [4][]byte, n int) [4][]byte {
	for k := range blocks {
		blocks[k] = blocks[k][n:]
	}
	return blocks
}
