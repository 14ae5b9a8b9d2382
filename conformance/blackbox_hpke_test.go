package conformance

import (
	"crypto/rand"
	"testing"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
)

// Roles, as they stand in the info strings of HPKE.
const (
	roleCollector = 0
	roleClient    = 1
	roleLeader    = 2
	roleHelper    = 3
)

// inputShareInfo is the info string of DAP Section 4.4.2.1.
func inputShareInfo(server byte) []byte {
	return append([]byte("dap-18 input share"), roleClient, server)
}

// aggregateShareInfo is the info string of DAP Section 4.6.7.
func aggregateShareInfo(server byte) []byte {
	return append([]byte("dap-18 aggregate share"), server, roleCollector)
}

// wireSeal is SealBase to an HPKE configuration.
func wireSeal(t testing.TB, config wireHpkeConfig, info, aad, plaintext []byte) wireCiphertext {
	t.Helper()
	suite := hpke.NewSuite(hpke.KEM(config.kem), hpke.KDF(config.kdf), hpke.AEAD(config.aead))
	key, err := hpke.KEM(config.kem).Scheme().UnmarshalBinaryPublicKey(config.publicKey)
	must(t, err)
	sender, err := suite.NewSender(key, info)
	must(t, err)
	enc, sealer, err := sender.Setup(rand.Reader)
	must(t, err)
	payload, err := sealer.Seal(plaintext, aad)
	must(t, err)
	return wireCiphertext{config.id, enc, payload}
}

// wireKeypair is an HPKE configuration with its private key.
type wireKeypair struct {
	wireHpkeConfig
	private kem.PrivateKey
}

// newWireKeypair makes a keypair of the mandatory cipher suite (DAP Section 7).
func newWireKeypair(t testing.TB, id byte) wireKeypair {
	t.Helper()
	public, private, err := hpke.KEM_X25519_HKDF_SHA256.Scheme().GenerateKeyPair()
	must(t, err)
	encoded, err := public.MarshalBinary()
	must(t, err)
	return wireKeypair{wireHpkeConfig{id, 0x0020, 0x0001, 0x0001, encoded}, private}
}

// open is OpenBase.
func (k wireKeypair) open(t testing.TB, info, aad []byte, c wireCiphertext) []byte {
	t.Helper()
	if c.configID != k.id {
		t.Fatalf("the ciphertext is for HPKE configuration %d, not %d", c.configID, k.id)
	}
	suite := hpke.NewSuite(hpke.KEM(k.kem), hpke.KDF(k.kdf), hpke.AEAD(k.aead))
	receiver, err := suite.NewReceiver(k.private, info)
	must(t, err)
	opener, err := receiver.Setup(c.enc)
	must(t, err)
	plaintext, err := opener.Open(c.payload, aad)
	must(t, err)
	return plaintext
}
