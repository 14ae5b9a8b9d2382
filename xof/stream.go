package xof

import (
	"encoding/binary"
	"fmt"

	"github.com/twofold-dap/twofold/field"
)

// Stream is one instance of XofTurboShake128 (VDAF Section 6.2.1). It absorbs, and then it is read;
// writing after the first reading is a programmer's error and panics.
//
// One goroutine at a time may use a stream. It holds secrets.
// It must not be copied after its first use.
type Stream struct {
	_       noCopy
	sponge  sponge
	block   [rate]byte // the message's bytes that do not make a block yet
	n       int        // how many they are
	reading bool
	out     output
}

// noCopy makes go vet report copies of what holds it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// New returns a stream that has absorbed the seed, of at most 255 bytes, and the
// domain separation tag, of at most 65535 bytes. The binder is to be written. The error is
// a *SizeError.
func New(seed, dst []byte) (*Stream, error) {
	s := new(Stream)
	if err := s.Reset(seed, dst); err != nil {
		return nil, err
	}
	return s, nil
}

// Reset makes the stream what New returns, whatever was done with it before, and
// without allocating.
func (s *Stream) Reset(seed, dst []byte) error {
	if err := checkSizes(len(seed), len(dst)); err != nil {
		return err
	}
	s.sponge = sponge{}
	s.n = 0
	s.reading = false
	s.out.reset()
	var length [2]byte
	binary.LittleEndian.PutUint16(length[:], uint16(len(dst)))
	s.Write(length[:])
	s.Write(dst)
	length[0] = byte(len(seed))
	s.Write(length[:1])
	s.Write(seed)
	return nil
}

// start is Reset followed by a whole binder.
func (s *Stream) start(seed, dst []byte, binder [][]byte) error {
	if err := s.Reset(seed, dst); err != nil {
		return err
	}
	for _, b := range binder {
		s.Write(b)
	}
	return nil
}

// Format prints a placeholder for every verb.
func (*Stream) Format(f fmt.State, _ rune) { redact(f) }

// Write absorbs more of the binder.
func (s *Stream) Write(binder []byte) {
	if s.reading {
		panic("xof: Write after the first reading")
	}
	if s.n > 0 {
		k := copy(s.block[s.n:], binder)
		s.n += k
		binder = binder[k:]
		if s.n < rate {
			return
		}
		s.sponge.absorb(s.block[:])
	}
	s.sponge.absorb(binder)
	s.n = copy(s.block[:], binder[len(binder)/rate*rate:])
}

// WriteVec absorbs the encoding of v (VDAF Section 6.1.1) as more of the binder.
// Where v's memory is not its encoding, it encodes a few blocks at a time.
func WriteVec[E field.Elem](s *Stream, f field.Field[E], v []E) {
	if encoded := f.Memory(v); encoded != nil {
		s.Write(encoded)
		return
	}
	atOnce := bufferSize / f.EncodedSize()
	for len(v) > 0 {
		n := min(atOnce, len(v))
		s.Write(f.EncodeVec(s.out.scratch(), v[:n]))
		v = v[n:]
	}
}

// beginReading ends the message at the first reading.
func (s *Stream) beginReading() {
	if s.reading {
		return
	}
	s.reading = true
	pad(&s.block, s.n)
	s.sponge.mix(s.block[:])
}

// Read fills out with the stream's next bytes (next, VDAF Section 6.2).
func (s *Stream) Read(out []byte) {
	s.beginReading()
	out = out[s.out.take(out):]
	s.sponge.squeeze(out)
	out = out[len(out)/rate*rate:]
	if len(out) > 0 {
		s.squeeze(1)
		s.out.take(out)
	}
}

// squeeze adds blocks to what is unread.
func (s *Stream) squeeze(blocks int) {
	s.sponge.squeeze(s.out.grow(blocks))
}

// NextVec fills dst with the stream's next field elements (next_vec, VDAF
// Section 6.2). The bytes come right into dst's memory where that is possible.
func NextVec[E field.Elem](s *Stream, f field.Field[E], dst []E) {
	s.beginReading()
	for memory := f.Memory(dst); len(memory) > 0; memory = f.Memory(dst) {
		s.Read(memory)
		written, _ := f.SampleVec(dst, memory)
		dst = dst[written:]
	}
	for {
		written, used := f.SampleVec(dst, s.out.unread())
		s.out.at += used
		dst = dst[written:]
		if len(dst) == 0 {
			return
		}
		s.squeeze(blocksFor(len(dst)*f.EncodedSize() - len(s.out.unread())))
	}
}

// blocksFor returns how many blocks to squeeze next when so many bytes are
// missing.
func blocksFor(bytes int) int {
	return min(max(1, (bytes+rate-1)/rate), bufferBlocks)
}
