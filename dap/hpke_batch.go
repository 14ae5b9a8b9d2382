package dap

import (
	"fmt"

	"github.com/cloudflare/circl/kem"

	"github.com/twofold-dap/twofold/internal/x25519"
)

// batchOpener decrypts many ciphertexts under one X25519 key and one info
// string: OpenBase of RFC 9180 Section 6.1 with the suite that DAP Section 7
// demands. The shared secrets are computed side by side. Many goroutines may use
// it.
type batchOpener struct {
	private  [x25519.Size]byte
	schedule keySchedule
}

func newBatchOpener(config *HpkeConfig, private kem.PrivateKey, info []byte) (*batchOpener, error) {
	privateBytes, err := private.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("dap: encode an HPKE private key: %w", err)
	}
	publicBytes, err := private.Public().MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("dap: encode an HPKE public key: %w", err)
	}
	if len(privateBytes) != x25519.Size || len(publicBytes) != x25519.Size {
		return nil, ErrHpkePrivateKey
	}
	return &batchOpener{
		private:  [x25519.Size]byte(privateBytes),
		schedule: newKeySchedule(config, [x25519.Size]byte(publicBytes), info),
	}, nil
}

// sharedSecrets is the part of DHKEM's Decap (RFC 9180 Section 4.1) that costs:
// the Diffie-Hellman values of encapsulated keys, and which of them may be used.
func (o *batchOpener) sharedSecrets(encs [][x25519.Size]byte) (dhs [][x25519.Size]byte, ok []bool) {
	dhs, ok = make([][x25519.Size]byte, len(encs)), make([]bool, len(encs))
	x25519.SharedSecrets(&o.private, encs, dhs, ok)
	return dhs, ok
}

// open decrypts one ciphertext, given its encapsulated key's Diffie-Hellman value,
// and appends the plaintext to dst. Its error is ErrHpkeDecrypt.
func (o *batchOpener) open(dst []byte, enc, dh *[x25519.Size]byte, aad, payload []byte) ([]byte, error) {
	gcm, nonce, err := o.schedule.aead(enc, dh)
	if err != nil {
		return nil, ErrHpkeDecrypt
	}
	plaintext, err := gcm.Open(dst, nonce[:], payload, aad)
	if err != nil {
		return nil, ErrHpkeDecrypt
	}
	return plaintext, nil
}
