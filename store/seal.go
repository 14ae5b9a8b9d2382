package store

import (
	"github.com/twofold-dap/twofold/internal/sealed"
	"github.com/twofold-dap/twofold/internal/secret"
)

// KeySize is the length in bytes of the key that seals the secrets in a file.
const KeySize = sealed.KeySize

// sealer seals the secrets of records; see package sealed.
type sealer struct{ inner *sealed.Sealer }

func newSealer(key secret.Bytes) (*sealer, error) {
	inner, err := sealed.New(key)
	if err != nil {
		return nil, inputError("key", "it has %d bytes; it must have %d", len(key), KeySize)
	}
	return &sealer{inner}, nil
}

// place is where a sealed value stands, as the authenticated data of its seal.
func place(bucket string, key []byte, field string) []byte { return sealed.Place(bucket, key, field) }

// seal returns the nonce and the sealed value; of an empty value, nil.
func (s *sealer) seal(value secret.Bytes, place []byte) []byte { return s.inner.Seal(value, place) }

// unseal is the inverse of seal.
func (s *sealer) unseal(value, place []byte) (secret.Bytes, error) {
	return s.inner.Unseal(value, place)
}
