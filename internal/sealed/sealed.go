// Package sealed seals the secrets in a database: with AES-256-GCM and a random nonce of 96 bits. What is
// sealed is bound to its place: the bucket, the key and the field of the record.
//
// Keys and values are secret: no error holds them.
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"github.com/twofold-dap/twofold/internal/secret"
)

// KeySize is the length in bytes of a key.
const KeySize = 32

// Errors.
var (
	// ErrOpen: a value was sealed with another key, or for another place, or is damaged.
	ErrOpen = errors.New("the sealed value does not open")
	// ErrKeySize: a key has not KeySize bytes.
	ErrKeySize = errors.New("the key has not 32 bytes")
)

// Sealer seals with one key. It is safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

// New returns a Sealer with a key of KeySize bytes.
func New(key secret.Bytes) (*Sealer, error) {
	if len(key) != KeySize {
		return nil, ErrKeySize
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead}, nil
}

// Place is where a sealed value stands, as the authenticated data of its seal.
func Place(bucket string, key []byte, field string) []byte {
	var b []byte
	for _, part := range [][]byte{[]byte(bucket), key, []byte(field)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

// Seal returns the nonce and the sealed value; of an empty value, nil.
func (s *Sealer) Seal(value secret.Bytes, place []byte) []byte {
	if len(value) == 0 {
		return nil
	}
	sealed := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(value)+s.aead.Overhead())
	rand.Read(sealed)
	return s.aead.Seal(sealed, sealed, value, place)
}

// Unseal is the inverse of Seal. Its error is ErrOpen.
func (s *Sealer) Unseal(sealed, place []byte) (secret.Bytes, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	if len(sealed) < s.aead.NonceSize()+s.aead.Overhead() {
		return nil, ErrOpen
	}
	nonce, ciphertext := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	value, err := s.aead.Open(nil, nonce, ciphertext, place)
	if err != nil {
		return nil, ErrOpen
	}
	return value, nil
}
