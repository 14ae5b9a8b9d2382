package x25519

import (
	"encoding/binary"
	"math/bits"
)

// words is an integer below 2^256, its least significant word first.
type words [4]uint64

// decodeUCoordinate is decodeUCoordinate of RFC 7748 Section 5: little-endian,
// the most significant bit masked. The integer need not be below p.
func decodeUCoordinate(u *[Size]byte) (w words) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(u[8*i:])
	}
	w[3] &= 1<<63 - 1
	return w
}

// encodeUCoordinate is encodeUCoordinate of RFC 7748 Section 5: w mod p.
func (w words) encodeUCoordinate(u *[Size]byte) {
	for i, word := range w.reduced() {
		binary.LittleEndian.PutUint64(u[8*i:], word)
	}
}

// reduced returns w mod p, for w as limbs give it.
func (w words) reduced() words {
	// 2^255 = 19. Where the top bit is set, the rest is small: limbs give no
	// more than 2^255 * (1 + 2^-9).
	top := w[3] >> 63
	w[3] &= 1<<63 - 1
	w = w.plus(words{19 * top})
	// Now w < 2^255, and w >= p if and only if w + 19 >= 2^255.
	w = w.plus(words{19 * (w.plus(words{19})[3] >> 63)})
	w[3] &= 1<<63 - 1
	return w
}

// isZero returns 1 if w is 0 modulo p, and 0 if not, in constant time.
func (w words) isZero() uint64 {
	r := w.reduced()
	all := r[0] | r[1] | r[2] | r[3]
	return 1 ^ (all|-all)>>63
}

// plus returns w + v, which is below 2^256.
func (w words) plus(v words) (sum words) {
	var carry uint64
	for i := range w {
		sum[i], carry = bits.Add64(w[i], v[i], carry)
	}
	return sum
}

// limb returns the size bits of w from the given one upward.
func (w words) limb(from, size int) uint64 {
	v := w[from/64] >> (from % 64)
	if next := from/64 + 1; next < len(w) {
		v |= w[next] << (64 - from%64) // for from%64 = 0, Go shifts everything out
	}
	return v & (1<<size - 1)
}

// shifted returns limb * 2^from, which is below 2^256.
func shifted(limb uint64, from int) (w words) {
	w[from/64] = limb << (from % 64)
	if next := from/64 + 1; next < len(w) {
		w[next] = limb >> (64 - from%64)
	}
	return w
}
