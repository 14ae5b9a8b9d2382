package operator

import (
	"fmt"
	"strings"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

// postQuantumSuite is offered first if the operator asks for it.
var postQuantumSuite = aggregator.HpkeSuite{KemID: dap.HpkeKemXWing, KdfID: dap.HpkeKdfHkdfSha256, AeadID: dap.HpkeAeadAes128Gcm}

var (
	kemNames = map[dap.HpkeKemID]string{
		dap.HpkeKemX25519HkdfSha256: "x25519", dap.HpkeKemP256HkdfSha256: "p256", dap.HpkeKemXWing: "xwing",
	}
	kdfNames = map[dap.HpkeKdfID]string{
		dap.HpkeKdfHkdfSha256: "sha256", dap.HpkeKdfHkdfSha384: "sha384", dap.HpkeKdfHkdfSha512: "sha512",
	}
	aeadNames = map[dap.HpkeAeadID]string{
		dap.HpkeAeadAes128Gcm: "aes128gcm", dap.HpkeAeadAes256Gcm: "aes256gcm", dap.HpkeAeadChaCha20Poly1305: "chacha20poly1305",
	}
)

// suiteName is a suite as operators write it: "x25519-sha256-aes128gcm".
func suiteName(kem dap.HpkeKemID, kdf dap.HpkeKdfID, aead dap.HpkeAeadID) string {
	return nameOf(kemNames, kem) + "-" + nameOf(kdfNames, kdf) + "-" + nameOf(aeadNames, aead)
}

func nameOf[ID ~uint16](names map[ID]string, id ID) string {
	if name, ok := names[id]; ok {
		return name
	}
	return fmt.Sprintf("0x%04x", uint16(id))
}

// parseSuite is the inverse of suiteName.
func parseSuite(text string) (aggregator.HpkeSuite, error) {
	parts := strings.Split(text, "-")
	if len(parts) == 3 {
		kem, kemOK := idOf(kemNames, parts[0])
		kdf, kdfOK := idOf(kdfNames, parts[1])
		aead, aeadOK := idOf(aeadNames, parts[2])
		if kemOK && kdfOK && aeadOK {
			return aggregator.HpkeSuite{KemID: kem, KdfID: kdf, AeadID: aead}, nil
		}
	}
	return aggregator.HpkeSuite{}, &api.OperatorError{Kind: api.OperatorInvalid, Detail: fmt.Sprintf(
		"%q is not an HPKE suite; write KEM-KDF-AEAD with x25519, p256 or xwing, sha256, sha384 or sha512, and aes128gcm, aes256gcm or chacha20poly1305, such as x25519-sha256-aes128gcm", text)}
}

func idOf[ID ~uint16](names map[ID]string, name string) (ID, bool) {
	for id, n := range names {
		if n == name {
			return id, true
		}
	}
	return 0, false
}
