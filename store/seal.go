package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"github.com/twofold-dap/twofold/internal/secret"
)

// KeySize is the length in bytes of the key that seals the secrets in a file.
const KeySize = 32

var errUnseal = errors.New("the sealed value does not open")

// sealer seals the secrets of records with AES-256-GCM and a random nonce of 96
// bits. What is sealed is bound to its place: the bucket, the key and the
// field of the record.
type sealer struct{ aead cipher.AEAD }

func newSealer(key secret.Bytes) (*sealer, error) {
	if len(key) != KeySize {
		return nil, inputError("key", "it has %d bytes; it must have %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead}, nil
}

// place is where a sealed value stands, as the authenticated data of its seal.
func place(bucket string, key []byte, field string) []byte {
	var b []byte
	for _, part := range [][]byte{[]byte(bucket), key, []byte(field)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

// seal returns the nonce and the sealed value; of an empty value, nil.
func (s *sealer) seal(value secret.Bytes, place []byte) []byte {
	if len(value) == 0 {
		return nil
	}
	sealed := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(value)+s.aead.Overhead())
	rand.Read(sealed)
	return s.aead.Seal(sealed, sealed, value, place)
}

// unseal is the inverse of seal.
func (s *sealer) unseal(sealed, place []byte) (secret.Bytes, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	if len(sealed) < s.aead.NonceSize()+s.aead.Overhead() {
		return nil, errUnseal
	}
	nonce, ciphertext := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	value, err := s.aead.Open(nil, nonce, ciphertext, place)
	if err != nil {
		return nil, errUnseal
	}
	return value, nil
}
