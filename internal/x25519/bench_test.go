package x25519

import (
	"testing"

	"github.com/cloudflare/circl/dh/x25519"
)

// BenchmarkSharedSecret says what one shared secret costs, in full lanes, through
// each way that this machine has instructions for; crypto/ecdh and circl are the
// measure.
func BenchmarkSharedSecret(b *testing.B) {
	private := random(b)
	publics, secrets, ok := make([][Size]byte, 64), make([][Size]byte, 64), make([]bool, 64)
	for i := range publics {
		publics[i] = random(b)
	}
	b.Run("1 lane, crypto/ecdh", func(b *testing.B) {
		for b.Loop() {
			standard(b, private, publics[0])
		}
	})
	b.Run("1 lane, circl", func(b *testing.B) {
		for b.Loop() {
			x25519.Shared((*x25519.Key)(&secrets[0]), (*x25519.Key)(&private), (*x25519.Key)(&publics[0]))
		}
	})
	perSecret := func(b *testing.B, n int, f func()) {
		b.ReportAllocs()
		for b.Loop() {
			f()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/secret")
	}
	for _, way := range ways[1:] {
		b.Run(way.name, func(b *testing.B) {
			perSecret(b, way.lanes, func() { way.compute(alone(private), publics[:way.lanes], secrets[:way.lanes]) })
		})
	}
	b.Run("a batch of 64", func(b *testing.B) {
		perSecret(b, 64, func() { SharedSecrets(&private, publics, secrets, ok) })
	})
	b.Run("a pair, one by one", func(b *testing.B) {
		perSecret(b, 1, func() { Pairs(publics[:1], publics[:1], secrets[:1], ok[:1]) })
	})
	b.Run("the base point, one by one", func(b *testing.B) {
		perSecret(b, 1, func() { one(publics[:1], [][Size]byte{BasePoint}, secrets[:1]) })
	})
	b.Run("64 pairs", func(b *testing.B) {
		perSecret(b, 64, func() { Pairs(publics, publics, secrets, ok) })
	})
}
