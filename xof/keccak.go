package xof

import "math/bits"

// keccakRounds is the number of rounds of the permutation of TurboSHAKE128
// (RFC 9861 Section 2.2).
const keccakRounds = 12

// roundConstants are those of the last 12 of the 24 rounds of Keccak-f[1600].
var roundConstants = deriveRoundConstants()

// deriveRoundConstants runs the linear feedback shift register of FIPS 202,
// Algorithm 5: bit 2^j - 1 of the constant of round i is output 7*i + j.
func deriveRoundConstants() (constants [keccakRounds]uint64) {
	register := uint(1)
	for round := -keccakRounds; round < keccakRounds; round++ {
		var constant uint64
		for j := range 7 {
			constant |= uint64(register&1) << (1<<j - 1)
			register <<= 1
			register ^= register >> 8 * 0x171
		}
		if round >= 0 {
			constants[round] = constant
		}
	}
	return constants
}

// permute applies Keccak-p[1600, 12] to the state, whose lane (x, y) is at the
// index x + 5*y.
func permute(a *[stateWords]uint64) {
	var e [stateWords]uint64
	for i := 0; i < keccakRounds; i += 2 {
		keccakRound(&e, a, roundConstants[i])
		keccakRound(a, &e, roundConstants[i+1])
	}
}

// keccakRound sets e to one round's result on a (FIPS 202, Section 3.2). The
// columns' parities c and their effect d are the step theta; each group of
// five rotations gathers one row of the result of rho and pi, and the five
// lines after it are chi.
func keccakRound(e, a *[stateWords]uint64, constant uint64) {
	c0 := a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20]
	c1 := a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21]
	c2 := a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22]
	c3 := a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23]
	c4 := a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24]
	d0 := c4 ^ bits.RotateLeft64(c1, 1)
	d1 := c0 ^ bits.RotateLeft64(c2, 1)
	d2 := c1 ^ bits.RotateLeft64(c3, 1)
	d3 := c2 ^ bits.RotateLeft64(c4, 1)
	d4 := c3 ^ bits.RotateLeft64(c0, 1)

	b0 := a[0] ^ d0
	b1 := bits.RotateLeft64(a[6]^d1, 44)
	b2 := bits.RotateLeft64(a[12]^d2, 43)
	b3 := bits.RotateLeft64(a[18]^d3, 21)
	b4 := bits.RotateLeft64(a[24]^d4, 14)
	e[0] = b0 ^ b2&^b1 ^ constant
	e[1] = b1 ^ b3&^b2
	e[2] = b2 ^ b4&^b3
	e[3] = b3 ^ b0&^b4
	e[4] = b4 ^ b1&^b0

	b0 = bits.RotateLeft64(a[3]^d3, 28)
	b1 = bits.RotateLeft64(a[9]^d4, 20)
	b2 = bits.RotateLeft64(a[10]^d0, 3)
	b3 = bits.RotateLeft64(a[16]^d1, 45)
	b4 = bits.RotateLeft64(a[22]^d2, 61)
	e[5] = b0 ^ b2&^b1
	e[6] = b1 ^ b3&^b2
	e[7] = b2 ^ b4&^b3
	e[8] = b3 ^ b0&^b4
	e[9] = b4 ^ b1&^b0

	b0 = bits.RotateLeft64(a[1]^d1, 1)
	b1 = bits.RotateLeft64(a[7]^d2, 6)
	b2 = bits.RotateLeft64(a[13]^d3, 25)
	b3 = bits.RotateLeft64(a[19]^d4, 8)
	b4 = bits.RotateLeft64(a[20]^d0, 18)
	e[10] = b0 ^ b2&^b1
	e[11] = b1 ^ b3&^b2
	e[12] = b2 ^ b4&^b3
	e[13] = b3 ^ b0&^b4
	e[14] = b4 ^ b1&^b0

	b0 = bits.RotateLeft64(a[4]^d4, 27)
	b1 = bits.RotateLeft64(a[5]^d0, 36)
	b2 = bits.RotateLeft64(a[11]^d1, 10)
	b3 = bits.RotateLeft64(a[17]^d2, 15)
	b4 = bits.RotateLeft64(a[23]^d3, 56)
	e[15] = b0 ^ b2&^b1
	e[16] = b1 ^ b3&^b2
	e[17] = b2 ^ b4&^b3
	e[18] = b3 ^ b0&^b4
	e[19] = b4 ^ b1&^b0

	b0 = bits.RotateLeft64(a[2]^d2, 62)
	b1 = bits.RotateLeft64(a[8]^d3, 55)
	b2 = bits.RotateLeft64(a[14]^d4, 39)
	b3 = bits.RotateLeft64(a[15]^d0, 41)
	b4 = bits.RotateLeft64(a[21]^d1, 2)
	e[20] = b0 ^ b2&^b1
	e[21] = b1 ^ b3&^b2
	e[22] = b2 ^ b4&^b3
	e[23] = b3 ^ b0&^b4
	e[24] = b4 ^ b1&^b0
}
