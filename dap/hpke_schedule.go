package dap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"

	"github.com/twofold-dap/twofold/internal/x25519"
)

// keySchedule derives the AEAD's keys of many ciphertexts that are encrypted to
// one X25519 key with one info string, given their Diffie-Hellman values, in base
// mode with the suite that DAP Section 7 demands: DHKEM(X25519, HKDF-SHA256),
// HKDF-SHA256 and AES-128-GCM. What is the same for all of them is computed once.
// Many goroutines may use it.
type keySchedule struct {
	public    [x25519.Size]byte // pkRm
	kemSuite  []byte            // suite_id of RFC 9180 Section 4.1
	hpkeSuite []byte            // suite_id of RFC 9180 Section 5.1
	context   []byte            // key_schedule_context of RFC 9180 Section 5.1
}

// hpkeModeBase is mode_base (RFC 9180 Section 5).
const hpkeModeBase = 0x00

// hasKeySchedule tells whether the configuration is of a keySchedule's suite.
func (c *HpkeConfig) hasKeySchedule() bool {
	return c.KemID == HpkeKemX25519HkdfSha256 && c.KdfID == HpkeKdfHkdfSha256 && c.AeadID == HpkeAeadAes128Gcm
}

func newKeySchedule(config *HpkeConfig, public [x25519.Size]byte, info []byte) keySchedule {
	k := keySchedule{public: public}
	k.kemSuite = binary.BigEndian.AppendUint16([]byte("KEM"), uint16(config.KemID))
	k.hpkeSuite = binary.BigEndian.AppendUint16([]byte("HPKE"), uint16(config.KemID))
	k.hpkeSuite = binary.BigEndian.AppendUint16(k.hpkeSuite, uint16(config.KdfID))
	k.hpkeSuite = binary.BigEndian.AppendUint16(k.hpkeSuite, uint16(config.AeadID))
	pskIDHash := labeledExtract(k.hpkeSuite, nil, "psk_id_hash", nil)
	infoHash := labeledExtract(k.hpkeSuite, nil, "info_hash", info)
	k.context = append(append([]byte{hpkeModeBase}, pskIDHash[:]...), infoHash[:]...)
	return k
}

// aead returns the AEAD and the nonce of one ciphertext's only message, given its
// encapsulated key and the Diffie-Hellman value.
func (k *keySchedule) aead(enc, dh *[x25519.Size]byte) (gcm cipher.AEAD, nonce [gcmNonceSize]byte, err error) {
	// ExtractAndExpand of RFC 9180 Section 4.1.
	eaePrk := labeledExtract(k.kemSuite, nil, "eae_prk", dh[:])
	var kemContext [2 * x25519.Size]byte
	copy(kemContext[:], enc[:])
	copy(kemContext[x25519.Size:], k.public[:])
	sharedSecret := labeledExpand(k.kemSuite, &eaePrk, "shared_secret", kemContext[:], sha256.Size)

	// KeySchedule of RFC 9180 Section 5.1; nothing is exported.
	secret := labeledExtract(k.hpkeSuite, sharedSecret[:], "secret", nil)
	key := labeledExpand(k.hpkeSuite, &secret, "key", k.context, aes128KeySize)
	baseNonce := labeledExpand(k.hpkeSuite, &secret, "base_nonce", k.context, gcmNonceSize)

	block, err := aes.NewCipher(key[:aes128KeySize])
	if err != nil {
		return nil, nonce, err
	}
	gcm, err = cipher.NewGCM(block)
	// The sequence number is 0, so the nonce is base_nonce (RFC 9180 Section 5.2).
	return gcm, [gcmNonceSize]byte(baseNonce[:gcmNonceSize]), err
}

// Sizes of AES-128-GCM in bytes (RFC 9180 Section 7.3).
const (
	aes128KeySize = 16
	gcmNonceSize  = 12
	gcmTagSize    = 16
)

// hpkeVersion begins every label (RFC 9180 Section 4).
const hpkeVersion = "HPKE-v1"

// labeledInput is the size of buffers for what labeledExtract and labeledExpand
// hash, which so stay on the stack. Only an info string may be longer.
const labeledInput = 192

// labeledExtract is LabeledExtract of RFC 9180 Section 4, with HKDF-SHA256.
func labeledExtract(suiteID, salt []byte, label string, ikm []byte) [sha256.Size]byte {
	buffer := make([]byte, sha256.BlockSize, labeledInput)
	buffer = append(append(append(append(buffer, hpkeVersion...), suiteID...), label...), ikm...)
	return hmacSha256(salt, buffer)
}

// labeledExpand is LabeledExpand of RFC 9180 Section 4, with HKDF-SHA256, of
// length <= 32. The result's first length bytes count.
func labeledExpand(suiteID []byte, prk *[sha256.Size]byte, label string, info []byte, length uint16) [sha256.Size]byte {
	buffer := make([]byte, sha256.BlockSize, labeledInput)
	buffer = binary.BigEndian.AppendUint16(buffer, length)
	buffer = append(append(append(append(buffer, hpkeVersion...), suiteID...), label...), info...)
	buffer = append(buffer, 1) // HKDF's only block (RFC 5869 Section 2.3)
	return hmacSha256(prk[:], buffer)
}

// hmacSha256 is HMAC-SHA256 (RFC 2104 Section 2) with a key of up to 64 bytes. The
// message is in the buffer behind its first 64 bytes, which are used up. Other
// than crypto/hmac, which holds a key for many messages, it allocates nothing.
func hmacSha256(key, buffer []byte) [sha256.Size]byte {
	for i := range sha256.BlockSize {
		buffer[i] = 0x36
	}
	var outer [sha256.BlockSize + sha256.Size]byte
	for i := range sha256.BlockSize {
		outer[i] = 0x5c
	}
	for i, k := range key {
		buffer[i] ^= k
		outer[i] ^= k
	}
	inner := sha256.Sum256(buffer)
	copy(outer[sha256.BlockSize:], inner[:])
	return sha256.Sum256(outer[:])
}
