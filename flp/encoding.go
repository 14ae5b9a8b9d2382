package flp

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/twofold-dap/twofold/field"
)

// setBits sets dst[i] to the field element bit[i], each of which is 0 or 1. The
// bits are secret.
func setBits[E field.Elem](f field.Field[E], dst []E, bit []byte) {
	dst = dst[:len(bit)]
	for i, b := range bit {
		dst[i] = f.FromUint64(uint64(b))
	}
}

// rangeCheck encodes integers in [0, max] as bits whose weighted sum they are,
// such that no other integers can be encoded (VDAF Section 7.4.2).
type rangeCheck[E field.Elem] struct {
	max      uint64
	bits     int
	weights  []E      // of each bit
	integers []uint64 // the same as integers
}

// newRangeCheck returns the encoding for a maximum that must be in [1, limit].
func newRangeCheck[E field.Elem](f field.Field[E], circuit, parameter string, most, limit uint64) (rangeCheck[E], error) {
	if most < 1 || most > limit {
		return rangeCheck[E]{}, paramError(circuit, parameter, most, fmt.Sprintf("1 to %d", limit))
	}
	c := rangeCheck[E]{max: most, bits: bits.Len64(most)}
	for l := range c.bits - 1 {
		c.integers = append(c.integers, 1<<l)
	}
	c.integers = append(c.integers, c.lastWeight())
	for _, w := range c.integers {
		c.weights = append(c.weights, f.FromUint64(w))
	}
	return c, nil
}

func (c *rangeCheck[E]) restAllOnes() uint64 { return 1<<(c.bits-1) - 1 }
func (c *rangeCheck[E]) lastWeight() uint64  { return c.max - c.restAllOnes() }

// encode sets bit to the c.bits bits of value, and returns 1 if value is at most
// c.max and 0 otherwise (encode_range_checked_int of VDAF Section 7.4.2). It
// does not branch on value.
func (c *rangeCheck[E]) encode(bit []byte, value uint64) (ok int) {
	_, tooLarge := bits.Sub64(c.max, value, 0)
	_, last := bits.Sub64(c.restAllOnes(), value, 0) // 1 if value > restAllOnes
	rest := value - (-last & c.lastWeight())
	for l := range c.bits - 1 {
		bit[l] = byte(rest>>l) & 1
	}
	bit[c.bits-1] = byte(last)
	return int(1 - tooLarge)
}

// decode returns the integer, or the share of it, that the c.bits elements of
// encoded stand for (decode_range_checked_int of VDAF Section 7.4.2).
func (c *rangeCheck[E]) decode(f field.Field[E], encoded []E) E {
	return f.InnerProduct(c.weights, encoded)
}

// bitOf returns 1 for true and 0 for false. The compiler makes it without a
// branch.
func bitOf(b bool) byte {
	var x byte
	if b {
		x = 1
	}
	return x
}

// setOneHot sets bit[i] to 1 for i == index and to 0 for all others, in a time
// that depends on len(bit) only.
func setOneHot(bit []byte, index int) {
	for i := range bit {
		bit[i] = byte(subtle.ConstantTimeEq(int32(i), int32(index)))
	}
}

// decodeUint64s converts an aggregated output to integers. An element of 2^64
// or more is an *OutputError.
func decodeUint64s[E field.Elem](f field.Field[E], circuit string, output []E) ([]uint64, error) {
	size := f.EncodedSize()
	encoded := f.EncodeVec(make([]byte, 0, size*len(output)), output)
	out := make([]uint64, len(output))
	for i := range out {
		element := encoded[i*size : (i+1)*size]
		out[i] = binary.LittleEndian.Uint64(element)
		for _, b := range element[8:] {
			if b != 0 {
				return nil, &OutputError{Circuit: circuit, Problem: fmt.Sprintf("element %d is above %d", i, uint64(1<<64-1))}
			}
		}
	}
	return out, nil
}
