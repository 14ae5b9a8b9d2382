package field

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// LengthError is the error of decoding a byte string that does not have the
// length of the vector's encoding.
type LengthError struct {
	Field string // the field's name
	Got   int    // bytes
	Want  int    // bytes
}

func (e *LengthError) Error() string {
	return fmt.Sprintf("field: a vector of %s takes %d bytes encoded, not %d", e.Field, e.Want, e.Got)
}

// RangeError is the error of decoding an element that is not below the
// modulus. It does not say what the element was.
type RangeError struct {
	Field string // the field's name
	Index int    // the first such element's index in the vector
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("field: element %d of the vector is not below the modulus of %s", e.Index, e.Field)
}

func (field64) EncodeVec(dst []byte, v []Elem64) []byte {
	if memoryIsEncoding {
		return append(dst, memory(v)...)
	}
	at := len(dst)
	dst = slices.Grow(dst, len(v)*encodedSize64)[:at+len(v)*encodedSize64]
	out := dst[at:]
	for _, x := range v {
		binary.LittleEndian.PutUint64(out, uint64(x))
		out = out[encodedSize64:]
	}
	return dst
}

// allBelow64 says whether all encoded elements are canonical, that is below p.
func allBelow64(encoded []byte) bool {
	below := uint64(1)
	for ; len(encoded) >= encodedSize64; encoded = encoded[encodedSize64:] {
		_, borrow := bits.Sub64(binary.LittleEndian.Uint64(encoded), modulus64, 0)
		below &= borrow
	}
	return below == 1
}

func (f field64) DecodeVec(dst []Elem64, b []byte) error {
	if len(b) != len(dst)*encodedSize64 {
		return &LengthError{Field: f.Name(), Got: len(b), Want: len(dst) * encodedSize64}
	}
	if memoryIsEncoding && allBelow64(b) {
		copy(memory(dst), b)
		return nil
	}
	below := uint64(1)
	for i := range dst {
		x := binary.LittleEndian.Uint64(b[i*encodedSize64:])
		_, borrow := bits.Sub64(x, modulus64, 0)
		below &= borrow
		dst[i] = Elem64(x)
	}
	if below == 1 {
		return nil
	}
	err := &RangeError{Field: f.Name()}
	err.Index = slices.IndexFunc(dst, func(x Elem64) bool { return x >= modulus64 })
	clear(dst)
	return err
}

func (field64) Memory(v []Elem64) []byte   { return memory(v) }
func (field128) Memory(v []Elem128) []byte { return memory(v) }

func (field64) SampleVec(dst []Elem64, src []byte) (written, used int) {
	n := min(len(dst), len(src)/encodedSize64)
	if whole := src[:n*encodedSize64]; memoryIsEncoding && allBelow64(whole) {
		copy(memory(dst[:n]), whole)
		return n, len(whole)
	}
	for written < len(dst) && len(src)-used >= encodedSize64 {
		x := binary.LittleEndian.Uint64(src[used:])
		_, below := bits.Sub64(x, modulus64, 0)
		dst[written] = Elem64(x)
		written += int(below)
		used += encodedSize64
	}
	return written, used
}

func (field128) EncodeVec(dst []byte, v []Elem128) []byte {
	if memoryIsEncoding {
		return append(dst, memory(v)...)
	}
	at := len(dst)
	dst = slices.Grow(dst, len(v)*encodedSize128)[:at+len(v)*encodedSize128]
	out := dst[at:]
	for i := range v {
		binary.LittleEndian.PutUint64(out, v[i].Lo)
		binary.LittleEndian.PutUint64(out[8:], v[i].Hi)
		out = out[encodedSize128:]
	}
	return dst
}

// below128 returns 1 if x is canonical, that is below p, and 0 otherwise.
func below128(x Elem128) uint64 {
	_, borrow := bits.Sub64(x.Lo, modulusLo128, 0)
	_, borrow = bits.Sub64(x.Hi, modulusHi128, borrow)
	return borrow
}

// allBelow128 says whether all encoded elements are canonical.
func allBelow128(encoded []byte) bool {
	switch n := len(encoded) / encodedSize128; arithmeticFor(n) {
	case inVectors:
		return outOfRangeAVX512(&encoded[0], uint64(n)) == 0
	case inWords:
		pairs := n / 2
		if outOfRangeAVX2(&encoded[0], uint64(pairs)) != 0 {
			return false
		}
		encoded = encoded[2*pairs*encodedSize128:]
	}
	below := uint64(1)
	for ; len(encoded) >= encodedSize128; encoded = encoded[encodedSize128:] {
		below &= below128(Elem128{Lo: binary.LittleEndian.Uint64(encoded), Hi: binary.LittleEndian.Uint64(encoded[8:])})
	}
	return below == 1
}

func (f field128) DecodeVec(dst []Elem128, b []byte) error {
	if len(b) != len(dst)*encodedSize128 {
		return &LengthError{Field: f.Name(), Got: len(b), Want: len(dst) * encodedSize128}
	}
	if memoryIsEncoding && allBelow128(b) {
		copy(memory(dst), b)
		return nil
	}
	below := uint64(1)
	for i := range dst {
		e := b[i*encodedSize128 : i*encodedSize128+encodedSize128]
		x := Elem128{Lo: binary.LittleEndian.Uint64(e), Hi: binary.LittleEndian.Uint64(e[8:])}
		below &= below128(x)
		dst[i] = x
	}
	if below == 1 {
		return nil
	}
	err := &RangeError{Field: f.Name()}
	err.Index = slices.IndexFunc(dst, func(x Elem128) bool { return below128(x) == 0 })
	clear(dst)
	return err
}

func (field128) SampleVec(dst []Elem128, src []byte) (written, used int) {
	n := min(len(dst), len(src)/encodedSize128)
	if whole := src[:n*encodedSize128]; memoryIsEncoding && allBelow128(whole) {
		copy(memory(dst[:n]), whole)
		return n, len(whole)
	}
	for written < len(dst) && len(src)-used >= encodedSize128 {
		e := src[used : used+encodedSize128]
		x := Elem128{Lo: binary.LittleEndian.Uint64(e), Hi: binary.LittleEndian.Uint64(e[8:])}
		dst[written] = x
		written += int(below128(x))
		used += encodedSize128
	}
	return written, used
}
