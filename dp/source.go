package dp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/bits"
)

// ErrNotRandom is the error of a draw that needed more random bits than one in 2^500 draws does: the
// reader does not give random bits.
var ErrNotRandom = errors.New("dp: the random source is not random: a draw has used more of it than is possible")

// maxWords is how many random words of 64 bits one draw may use. Each round of a draw takes about eight,
// and is the last one with a probability above 1/12, so that the probability of needing so many is
// below 2^-500.
const maxWords = 1 << 16

// readAhead is how many bytes are read from the reader at once.
const readAhead = 4096

// source turns the bytes of a reader into exact random decisions. It is for one goroutine.
type source struct {
	reader io.Reader
	buffer [readAhead]byte
	rest   []byte // of buffer
	words  int    // that the draw may still use
	err    error  // the first; from then on every decision is false
}

func newSource(random io.Reader) *source { return &source{reader: random} }

// begin begins a new draw.
func (s *source) begin() { s.words = maxWords }

// wipe clears the random bits that were read.
func (s *source) wipe() {
	clear(s.buffer[:])
	s.rest = nil
}

// word returns 64 random bits, or 0 when there is an error.
func (s *source) word() uint64 {
	if s.words == 0 && s.err == nil {
		s.err = ErrNotRandom
	}
	if s.err != nil {
		return 0
	}
	s.words--
	if len(s.rest) == 0 {
		if _, err := io.ReadFull(s.reader, s.buffer[:]); err != nil {
			s.err = fmt.Errorf("dp: reading random bits: %w", err)
			return 0
		}
		s.rest = s.buffer[:]
	}
	w := binary.LittleEndian.Uint64(s.rest)
	s.rest = s.rest[8:]
	return w
}

// failed returns the first error.
func (s *source) failed() error { return s.err }

// oneIn decides with the probability 1/k, k ≥ 1. It compares the binary expansion of a random real number
// of [0, 1) with that of 1/k, as far as they are the same.
func (s *source) oneIn(k uint64) bool {
	if k == 1 {
		return true
	}
	for rest := uint64(1); rest != 0 && s.err == nil; {
		var digit uint64
		digit, rest = bits.Div64(rest, 0, k)
		if w := s.word(); w != digit {
			return w < digit && s.err == nil
		}
	}
	return false
}

// less decides with the probability f.
func (s *source) less(f *fraction) bool {
	w := s.word()
	if w != f.digit {
		return w < f.digit && s.err == nil
	}
	var digit big.Int
	rest := new(big.Int).Set(&f.rest)
	for rest.Sign() != 0 && s.err == nil {
		digit.QuoRem(rest.Lsh(rest, 64), &f.den, rest)
		if w := s.word(); w != digit.Uint64() {
			return w < digit.Uint64() && s.err == nil
		}
	}
	return false
}

// below sets x to a uniform integer of [0, n), n ≥ 1, by rejection. With an error it is 0.
func (s *source) below(x, n *big.Int) {
	var limbs [8]big.Word
	length := x.Sub(n, one).BitLen()
	for {
		raw := limbs[:0]
		for at := 0; at < length; at += 64 {
			w := s.word()
			if length-at < 64 {
				w &= 1<<(length-at) - 1
			}
			raw = appendLimbs(raw, w)
		}
		if s.err != nil {
			x.SetUint64(0)
			return
		}
		if setLimbs(x, raw); x.Cmp(n) < 0 {
			return
		}
	}
}

// appendLimbs appends the limbs of a word of 64 bits, the lowest first.
func appendLimbs(limbs []big.Word, w uint64) []big.Word {
	if bits.UintSize == 32 {
		return append(limbs, big.Word(w), big.Word(w>>32))
	}
	return append(limbs, big.Word(w))
}

// setLimbs sets x to the number with these limbs, in memory of x's own.
func setLimbs(x *big.Int, limbs []big.Word) {
	own := append(x.Bits()[:0], limbs...)
	x.SetBits(own)
}

var one = big.NewInt(1)

// fraction is a rational probability num/den of [0, 1), with the first 64 binary digits of its expansion.
type fraction struct {
	den   big.Int
	digit uint64  // floor(2^64·num/den)
	rest  big.Int // 2^64·num - digit·den
	quo   big.Int // scratch
}

// set sets the fraction to num/den, 0 ≤ num < den.
func (f *fraction) set(num, den *big.Int) {
	f.den.Set(den)
	f.rest.Lsh(num, 64)
	f.quo.QuoRem(&f.rest, den, &f.rest)
	f.digit = f.quo.Uint64()
}
