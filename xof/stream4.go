package xof

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/twofold-dap/twofold/field"
)

// Stream4 is four instances of XofTurboShake128 side by side, its lanes, which
// absorb messages of equal lengths. Each lane's output is what a Stream of its
// own gives. Where the machine has AVX-512 or AVX2 the four together cost little
// more than one; elsewhere they are computed one after the other. Fewer than four
// messages run with any message of the right length in the lanes that are left over.
//
// The rules of Stream hold: absorb, then read; one goroutine at a time; it
// holds secrets; it must not be copied.
type Stream4 struct {
	_       noCopy
	sponge  sponge4
	block   [4][rate]byte // the messages' bytes that do not make a block yet
	n       int           // how many they are in each lane
	ended   bool          // the messages have all their bytes, and the last block is padded
	reading bool
	// inSponge says that the output's first block is still in the sponge. Of it a lane has read what
	// is before its out.at.
	inSponge bool
	permute  permutation
	out      [4]output
}

// New4 returns four streams that have absorbed their own seeds, all of one length of at most
// 255 bytes, and the domain separation tag that they share, of at most 65535
// bytes. The binders are to be written. The error is a *SizeError.
func New4(seeds [4][]byte, dst []byte) (*Stream4, error) {
	s := new(Stream4)
	if err := s.Reset(seeds, dst); err != nil {
		return nil, err
	}
	return s, nil
}

// Reset makes the streams what New4 returns, whatever was done with them before, and
// without allocating.
func (s *Stream4) Reset(seeds [4][]byte, dst []byte) error {
	size := len(seeds[0])
	if err := checkSizes(size, len(dst)); err != nil {
		return err
	}
	for k := range seeds {
		if len(seeds[k]) != size {
			return &SizeError{What: "seed", Got: len(seeds[k]), Want: fmt.Sprintf("%d, as the first lane's has", size)}
		}
	}
	s.sponge.reset(s.permute)
	s.n = 0
	s.ended, s.reading, s.inSponge = false, false, false
	for k := range s.out {
		s.out[k].reset()
	}
	if head := headSize(size, len(dst)); head < rate {
		appendHead(s.block[0][:0], seeds[0], dst)
		for k := 1; k < len(seeds); k++ {
			s.block[k] = s.block[0]
			copy(s.block[k][head-size:], seeds[k])
		}
		s.n = head
		return nil
	}
	var length [2]byte
	binary.LittleEndian.PutUint16(length[:], uint16(len(dst)))
	s.writeAll(length[:])
	s.writeAll(dst)
	length[0] = byte(size)
	s.writeAll(length[:1])
	s.Write4(seeds)
	return nil
}

// headSize is the length in bytes of what a message begins with: the seed and the domain separation
// tag with their lengths (VDAF Section 6.2.1).
func headSize(seed, dst int) int { return 2 + dst + 1 + seed }

// appendHead appends what a message begins with.
func appendHead(message, seed, dst []byte) []byte {
	message = binary.LittleEndian.AppendUint16(message, uint16(len(dst)))
	message = append(message, dst...)
	message = append(message, byte(len(seed)))
	return append(message, seed...)
}

// Format prints a placeholder for every verb.
func (*Stream4) Format(f fmt.State, _ rune) { redact(f) }

// writeAll absorbs the same bytes in every lane.
func (s *Stream4) writeAll(b []byte) { s.Write4([4][]byte{b, b, b, b}) }

// Write4 absorbs more of each lane's binder. The four must have equal lengths;
// that they have not is a programmer's error and panics.
func (s *Stream4) Write4(binders [4][]byte) {
	if s.ended {
		panic("xof: Write4 after the end of the messages")
	}
	left := len(binders[0])
	for k := range binders {
		if len(binders[k]) != left {
			panic("xof: Write4 with binders of unequal lengths")
		}
	}
	if s.n > 0 {
		taken := s.fill(binders)
		if s.n < rate {
			return
		}
		left -= taken
		binders = advance(binders, taken)
		s.sponge.absorb(s.blocks(), 1)
		s.n = 0
	}
	whole := left / rate
	s.sponge.absorb(binders, whole)
	binders = advance(binders, whole*rate)
	s.fill(binders)
}

// fill copies from the start of the binders to the end of the blocks as much as
// there is room for, and returns how many bytes that is in each lane.
func (s *Stream4) fill(binders [4][]byte) (taken int) {
	for k := range binders {
		taken = copy(s.block[k][s.n:], binders[k])
	}
	s.n += taken
	return taken
}

func (s *Stream4) blocks() [4][]byte {
	return [4][]byte{s.block[0][:], s.block[1][:], s.block[2][:], s.block[3][:]}
}

// WriteVec4 absorbs the encoding of one vector in each lane (VDAF Section 6.1.1) as more of the
// binders. The four must have equal lengths. Where a vector's memory is not its encoding, it
// encodes a few blocks at a time.
func WriteVec4[E field.Elem](s *Stream4, f field.Field[E], v [4][]E) {
	atOnce := bufferSize / f.EncodedSize()
	left := len(v[0])
	for k := range v {
		if len(v[k]) != left {
			panic("xof: WriteVec4 with vectors of unequal lengths")
		}
	}
	if memories, ok := memories(f, &v); ok {
		s.Write4(memories)
		return
	}
	for left > 0 {
		n := min(atOnce, left)
		var encoded [4][]byte
		for k := range v {
			encoded[k] = f.EncodeVec(s.out[k].scratch(), v[k][:n])
			v[k] = v[k][n:]
		}
		s.Write4(encoded)
		left -= n
	}
}

// beginReading ends the messages at the first reading, of up to the given number of bytes from a lane.
func (s *Stream4) beginReading(most int) {
	if s.reading {
		return
	}
	if !s.ended {
		for k := range s.block {
			pad(&s.block[k], s.n)
		}
	}
	s.ended, s.reading = true, true
	// A short output is read from the state, a long one is squeezed into its place.
	if s.inSponge = most <= rate; s.inSponge {
		s.sponge.absorb(s.blocks(), 1)
	} else {
		s.sponge.mix(s.blocks())
	}
}

// Read4 fills each lane's slice with the lane's next bytes (next, VDAF Section
// 6.2). The slices may have different lengths.
func (s *Stream4) Read4(out [4][]byte) {
	s.beginReading(max(len(out[0]), len(out[1]), len(out[2]), len(out[3])))
	if s.readSponge(&out) {
		return
	}
	out, _ = s.take(out)
	// A lane that wants more has nothing unread. While all four do, nothing is to be kept.
	whole := min(len(out[0]), len(out[1]), len(out[2]), len(out[3])) / rate
	s.sponge.squeeze(out, whole)
	out = advance(out, whole*rate)
	for {
		var missing int
		if out, missing = s.take(out); missing == 0 {
			return
		}
		s.squeeze(blocksFor(missing))
	}
}

// readSponge fills out from the output's first block, if that is still in the sponge and enough for all lanes. If it
// is not enough, what is unread of the block is moved to where the following blocks come.
func (s *Stream4) readSponge(out *[4][]byte) bool {
	if !s.inSponge {
		return false
	}
	for k := range out {
		if s.out[k].at+len(out[k]) > rate {
			s.leaveSponge()
			return false
		}
	}
	for k := range out {
		s.sponge.read(k, s.out[k].at, out[k])
		s.out[k].at += len(out[k])
	}
	return true
}

// leaveSponge moves the output's first block to the lanes' memory, if it is still in the sponge.
func (s *Stream4) leaveSponge() {
	if !s.inSponge {
		return
	}
	for k := range s.out {
		s.sponge.read(k, 0, s.out[k].memory()[:rate])
		s.out[k].end = rate
	}
	s.inSponge = false
}

// take fills out with what is unread, and returns what is left to be filled and
// how much that is in the lane where it is most.
func (s *Stream4) take(out [4][]byte) (left [4][]byte, missing int) {
	for k := range out {
		left[k] = out[k][s.out[k].take(out[k]):]
		missing = max(missing, len(left[k]))
	}
	return left, missing
}

// squeeze adds blocks to what is unread in each lane.
func (s *Stream4) squeeze(blocks int) {
	var room [4][]byte
	for k := range room {
		room[k] = s.out[k].grow(blocks)
	}
	s.sponge.squeeze(room, blocks)
}

// NextVec4 fills each lane's vector with the lane's next field elements (next_vec, VDAF
// Section 6.2). The vectors may have different lengths. A lane that rejects a
// candidate goes on by itself: what the others do not need yet is kept for them.
//
// Lanes that absorbed the same and have read the same may share the memory of a vector.
func NextVec4[E field.Elem](s *Stream4, f field.Field[E], dst [4][]E) {
	s.beginReading(f.EncodedSize() * max(len(dst[0]), len(dst[1]), len(dst[2]), len(dst[3])))
	if s.inSponge && nextFromSponge(s, f, &dst) {
		return
	}
	for {
		memories, ok := memories(f, &dst)
		if !ok {
			nextVec4(s, f, dst)
			return
		}
		s.Read4(memories)
		full := true
		for k, v := range dst {
			if len(v) == 0 {
				continue
			}
			if j := slices.IndexFunc(memories[:k], func(m []byte) bool { return len(m) > 0 && &m[0] == &memories[k][0] }); j >= 0 {
				dst[k] = dst[j] // which has been sampled in that memory
				continue
			}
			written, _ := f.SampleVec(v, memories[k])
			dst[k] = v[written:]
			full = full && len(dst[k]) == 0
		}
		if full {
			return
		}
	}
}

// nextFromSponge is NextVec4 of vectors for which the output's first block may be enough, while that is in the
// sponge. It tells whether it was, and if not takes from dst what has been written.
func nextFromSponge[E field.Elem](s *Stream4, f field.Field[E], dst *[4][]E) bool {
	size := f.EncodedSize()
	for k, v := range dst {
		if s.out[k].at+len(v)*size > rate {
			return false
		}
	}
	full := true
	for k, v := range dst {
		candidates := s.out[k].memory()[:len(v)*size] // which has no other use as yet
		s.sponge.read(k, s.out[k].at, candidates)
		s.out[k].at += len(candidates)
		written, _ := f.SampleVec(v, candidates)
		dst[k] = v[written:]
		full = full && written == len(v)
	}
	return full
}

// memories returns the memories of vectors that are their encodings, if they are.
func memories[E field.Elem](f field.Field[E], v *[4][]E) (m [4][]byte, ok bool) {
	for k := range v {
		if len(v[k]) == 0 {
			continue
		}
		if m[k] = f.Memory(v[k]); m[k] == nil {
			return m, false
		}
	}
	return m, true
}

// nextVec4 is NextVec4 where a vector's memory is not its encoding.
func nextVec4[E field.Elem](s *Stream4, f field.Field[E], dst [4][]E) {
	s.leaveSponge()
	for {
		full, missing := true, 0
		for k := range dst {
			written, used := f.SampleVec(dst[k], s.out[k].unread())
			s.out[k].at += used
			dst[k] = dst[k][written:]
			if len(dst[k]) > 0 {
				full = false
				missing = max(missing, len(dst[k])*f.EncodedSize()-len(s.out[k].unread()))
			}
		}
		if full {
			return
		}
		s.squeeze(blocksFor(missing))
	}
}
