package x25519

import (
	"fmt"
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// Whatever the keys are, every way to compute the secrets agrees with the standard library.
func FuzzSharedSecrets(f *testing.F) {
	f.Add([]byte("a private key of thirty-two byte"), []byte("a public key that has 32 bytes, and another one of the same size"))
	for _, public := range awkwardPublics(f) {
		f.Add([]byte{1, 2, 3}, append(public[:], public[:]...))
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, privateBytes, publicBytes []byte) {
		var private [Size]byte
		copy(private[:], privateBytes)
		// Eight keys and one more are enough for every way; they come again where bytes are missing.
		publics := make([][Size]byte, 9)
		for i := range publics {
			if at := i * Size; at < len(publicBytes) {
				copy(publics[i][:], publicBytes[at:])
			} else {
				publics[i] = publics[0]
				publics[i][i] ^= byte(i)
			}
		}
		secrets, ok := make([][Size]byte, len(publics)), make([]bool, len(publics))
		SharedSecrets(&private, publics, secrets, ok)
		for i := range publics {
			check(t, fmt.Sprint(i), private, publics[i], secrets[i], ok[i])
		}
		privates := make([][Size]byte, len(publics))
		for i := range privates {
			privates[i] = private
			privates[i][i] += byte(i)
		}
		Pairs(privates, publics, secrets, ok)
		for i := range publics {
			check(t, fmt.Sprint("pair ", i), privates[i], publics[i], secrets[i], ok[i])
		}
	})
}
