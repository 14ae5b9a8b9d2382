package xof

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/cloudflare/circl/xof/k12"
)

// turboSHAKE128 is TurboSHAKE128(message, d, length) of RFC 9861 Section 2.2 over this
// package's sponge.
func turboSHAKE128(message []byte, d byte, length int) []byte {
	var s sponge
	s.absorb(message)
	var block [rate]byte
	n := copy(block[:], message[len(message)/rate*rate:])
	pad(&block, n)
	block[n] ^= domain ^ d
	s.mix(block[:])
	out := make([]byte, (length+rate-1)/rate*rate)
	s.squeeze(out)
	return out[:length]
}

// TestTurboSHAKE128AgainstKangarooTwelve compares with another implementation: for messages up
// to 8,192 bytes KT128 is TurboSHAKE128 with D = 7 over the message,
// the customization string and its length_encode (RFC 9861 Section 3.2).
func TestTurboSHAKE128AgainstKangarooTwelve(t *testing.T) {
	for _, length := range []int{0, 1, 7, 8, 9, 165, 166, 167, 168, 169, 335, 336, 337, 1000, 8190, 8191} {
		message := pattern(length)
		want := make([]byte, 700)
		k12.Draft10Sum(want, message, nil)
		got := turboSHAKE128(append(message, 0), 0x07, len(want)) // length_encode(0) is one zero byte
		if !bytes.Equal(got, want) {
			t.Errorf("message of %d bytes: another output", length)
		}
	}
}

// pattern is ptn(n) of RFC 9861 Section 5.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 0xFB)
	}
	return b
}

// The first of RFC 9861's test vectors for TurboSHAKE128 (Section 5).
func TestTurboSHAKE128Vector(t *testing.T) {
	const want = "1e415f1c5983aff2169217277d17bb538cd945a397ddec541f1ce41af2c1b74c"
	if got := hex.EncodeToString(turboSHAKE128(nil, 0x1F, 32)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRoundConstants(t *testing.T) {
	// The first and the last as RFC 9861 lists them.
	if roundConstants[0] != 0x000000008000808B || roundConstants[keccakRounds-1] != 0x8000000080008008 {
		t.Errorf("got %#x", roundConstants)
	}
}
