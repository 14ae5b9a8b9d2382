// Package x25519 computes X25519 (RFC 7748 Section 5) many times at once: of many
// public keys under one private key, as a server does that opens a batch of HPKE
// ciphertexts, and of pairs of keys, as a client does that seals them.
//
// The Montgomery ladders of several pairs go side by side in the lanes of
// vector registers: eight with AVX-512 IFMA, four with AVX2. What is left over,
// and everything on other machines and with the build tag purego, goes through
// circl, one after the other.
//
// The lanes' arithmetic is in assembly, which _asm generates. Its models in Go,
// limb step by limb step, are lanes4_generic.go and lanes8_generic.go: the bounds
// of all limbs stand there, and the tests hold the two against each other.
//
// # Secrets
//
// Private keys and shared secrets are secret, and so is everything between them. They steer no branch and no memory index: the ladder's bits
// select by masks. How many public keys there are, and which of them give the
// zero secret, is public.
package x25519

import (
	"fmt"

	"github.com/cloudflare/circl/dh/x25519"
)

// Size is the length of private keys, public keys and shared secrets in bytes.
const Size = 32

// BasePoint is the u-coordinate of the base point (RFC 7748 Section 4.1): of it
// and a private key, X25519 makes the public key.
var BasePoint = [Size]byte{9}

// SharedSecrets sets secrets[i] to X25519(private, publics[i]) for every i, and
// ok[i] to whether it may be used: the public key of a point of small order
// gives a secret of zeros, which must be refused (RFC 7748 Section 6.1, RFC 9180
// Section 7.1.4). Every private key and every public key is allowed, also where
// the most significant bit of the public key is set, which counts for nothing.
//
// The three slices have the same length; else SharedSecrets panics. They do not
// overlap. Many goroutines may call it at the same time.
func SharedSecrets(private *[Size]byte, publics, secrets [][Size]byte, ok []bool) {
	scalars := [1][Size]byte{*private}
	compute(scalars[:], publics, secrets, ok)
}

// Pairs is SharedSecrets with a private key for each public key: it sets
// secrets[i] to X25519(privates[i], publics[i]). Where the public key is BasePoint,
// the secret is the private key's own public key. The four slices have the same
// length; else Pairs panics.
func Pairs(privates, publics, secrets [][Size]byte, ok []bool) {
	if len(privates) != len(publics) {
		panic(fmt.Sprintf("x25519: %d private keys for %d public keys", len(privates), len(publics)))
	}
	compute(privates, publics, secrets, ok)
}

// compute takes one scalar for all public keys, or one for each.
func compute(scalars, publics, secrets [][Size]byte, ok []bool) {
	if len(secrets) != len(publics) || len(ok) != len(publics) {
		panic(fmt.Sprintf("x25519: %d public keys, %d secrets, %d results; want as many of each", len(publics), len(secrets), len(ok)))
	}
	for done := 0; done < len(publics); {
		n, way := fastest(len(publics) - done)
		way(part(scalars, done, done+n), publics[done:done+n], secrets[done:done+n])
		done += n
	}
	for i := range secrets {
		ok[i] = !allZero(&secrets[i])
	}
}

// part returns the scalars of some public keys: one for all, or one for each.
func part(scalars [][Size]byte, from, to int) [][Size]byte {
	if len(scalars) == 1 {
		return scalars
	}
	return scalars[from:to]
}

// one computes a single shared secret, through circl, which clamps the scalar.
// The public key, which is public, says whether it is the base point.
func one(scalars, publics, secrets [][Size]byte) {
	secret, scalar := (*x25519.Key)(&secrets[0]), (*x25519.Key)(&scalars[0])
	if publics[0] == BasePoint {
		x25519.KeyGen(secret, scalar) // which has a table for it
		return
	}
	x25519.Shared(secret, scalar, (*x25519.Key)(&publics[0])) // its result tells what allZero tells
}

// allZero tells whether a secret is zero, in constant time (RFC 7748 Section 6.1).
func allZero(secret *[Size]byte) bool {
	var bits byte
	for _, b := range secret {
		bits |= b
	}
	return bits == 0
}

// scalarBits returns bit i of the clamped scalars (RFC 7748 Section 5), that of scalar k
// as bit k. Of one scalar, which all lanes share, it returns bits for all lanes. The
// index is public.
func scalarBits(scalars [][Size]byte, i int) (all uint64) {
	switch {
	case i < 3:
		return 0
	case i == 254:
		return 1<<maxLanes - 1
	case len(scalars) == 1:
		return -bit(&scalars[0], i) & (1<<maxLanes - 1)
	}
	for lane := range scalars {
		all |= bit(&scalars[lane], i) << lane
	}
	return all
}

const maxLanes = 8

func bit(scalar *[Size]byte, i int) uint64 { return uint64(scalar[i/8]>>(i%8)) & 1 }
