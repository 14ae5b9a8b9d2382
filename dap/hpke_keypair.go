package dap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
)

// Errors of HPKE. None of them says anything about keys or plaintexts.
var (
	// ErrHpkeUnsupported is the error of an HPKE configuration with an algorithm
	// that is not supported here.
	ErrHpkeUnsupported = errors.New("dap: the HPKE algorithms are not supported")
	// ErrHpkePublicKey is the error of a public key that its algorithm does not allow.
	ErrHpkePublicKey = errors.New("dap: the HPKE public key is not valid")
	// ErrHpkePrivateKey is the error of a private key that is not one of its
	// algorithm or does not belong to the public key.
	ErrHpkePrivateKey = errors.New("dap: the HPKE private key is not valid or does not belong to the public key")
	// ErrHpkeUnknownConfigID is the error of a ciphertext that was encrypted to an
	// HPKE configuration that is not here.
	ErrHpkeUnknownConfigID = errors.New("dap: the HPKE configuration ID of the ciphertext is not known")
	// ErrHpkeDecrypt is the error of a ciphertext that does not open.
	ErrHpkeDecrypt = errors.New("dap: the HPKE ciphertext does not open")
	// ErrNoSupportedHpkeConfig is the error of a list without an HPKE
	// configuration that can be used here.
	ErrNoSupportedHpkeConfig = errors.New("dap: no HPKE configuration in the list is supported")
)

// Supported tells whether the KEM, the KDF and the AEAD are supported here. It
// says nothing about the public key.
func (c HpkeConfig) Supported() bool {
	_, err := c.suite()
	return err == nil
}

// suite returns circl's suite, or ErrHpkeUnsupported.
func (c *HpkeConfig) suite() (hpke.Suite, error) {
	switch c.KemID {
	case HpkeKemX25519HkdfSha256, HpkeKemP256HkdfSha256, HpkeKemXWing:
	default:
		return hpke.Suite{}, fmt.Errorf("%w: %s", ErrHpkeUnsupported, c.KemID)
	}
	switch c.KdfID {
	case HpkeKdfHkdfSha256, HpkeKdfHkdfSha384, HpkeKdfHkdfSha512:
	default:
		return hpke.Suite{}, fmt.Errorf("%w: %s", ErrHpkeUnsupported, c.KdfID)
	}
	switch c.AeadID {
	case HpkeAeadAes128Gcm, HpkeAeadAes256Gcm, HpkeAeadChaCha20Poly1305:
	default:
		return hpke.Suite{}, fmt.Errorf("%w: %s", ErrHpkeUnsupported, c.AeadID)
	}
	return hpke.NewSuite(hpke.KEM(c.KemID), hpke.KDF(c.KdfID), hpke.AEAD(c.AeadID)), nil
}

// recipient returns the suite and the parsed public key.
func (c *HpkeConfig) recipient() (hpke.Suite, kem.PublicKey, error) {
	suite, err := c.suite()
	if err != nil {
		return hpke.Suite{}, nil, err
	}
	publicKey, err := hpke.KEM(c.KemID).Scheme().UnmarshalBinaryPublicKey(c.PublicKey)
	if err != nil {
		return hpke.Suite{}, nil, ErrHpkePublicKey
	}
	return suite, publicKey, nil
}

// Validate checks that one can encrypt to the configuration: its algorithms are
// supported (else ErrHpkeUnsupported) and its public key works (else
// ErrHpkePublicKey). It encapsulates once to find out.
func (c HpkeConfig) Validate() error {
	_, publicKey, err := c.recipient()
	if err != nil {
		return err
	}
	// A point of small order parses, but nothing can be encapsulated to it.
	if _, _, err := hpke.KEM(c.KemID).Scheme().Encapsulate(publicKey); err != nil {
		return ErrHpkePublicKey
	}
	return nil
}

// Choose returns the first configuration that passes Validate: the one that the
// Aggregator prefers among those that can be used here (DAP Section 4.4.1). Its
// error is ErrNoSupportedHpkeConfig.
func (l HpkeConfigList) Choose() (HpkeConfig, error) {
	for _, c := range l.Configs {
		if c.Validate() == nil {
			return c, nil
		}
	}
	return HpkeConfig{}, ErrNoSupportedHpkeConfig
}

// HpkeKeypair is an HPKE configuration with its private key. It redacts itself
// when printed, and many goroutines may use it. The zero value has no key.
type HpkeKeypair struct {
	Config  HpkeConfig
	private secret[kem.PrivateKey]
}

// GenerateHpkeKeypair returns a new keypair. Its error is ErrHpkeUnsupported.
func GenerateHpkeKeypair(id HpkeConfigID, kemID HpkeKemID, kdfID HpkeKdfID, aeadID HpkeAeadID) (HpkeKeypair, error) {
	config := HpkeConfig{ID: id, KemID: kemID, KdfID: kdfID, AeadID: aeadID}
	if _, err := config.suite(); err != nil {
		return HpkeKeypair{}, err
	}
	publicKey, private, err := hpke.KEM(kemID).Scheme().GenerateKeyPair()
	if err != nil {
		return HpkeKeypair{}, fmt.Errorf("dap: generate an HPKE keypair: %w", err)
	}
	if config.PublicKey, err = publicKey.MarshalBinary(); err != nil {
		return HpkeKeypair{}, fmt.Errorf("dap: encode an HPKE public key: %w", err)
	}
	return newHpkeKeypair(config, private), nil
}

// ParseHpkeKeypair returns the keypair of a configuration and the bytes that
// MarshalPrivate gave. Its error is ErrHpkeUnsupported or ErrHpkePrivateKey.
func ParseHpkeKeypair(config HpkeConfig, private []byte) (HpkeKeypair, error) {
	if _, err := config.suite(); err != nil {
		return HpkeKeypair{}, err
	}
	key, err := hpke.KEM(config.KemID).Scheme().UnmarshalBinaryPrivateKey(private)
	if err != nil {
		return HpkeKeypair{}, ErrHpkePrivateKey
	}
	publicKey, err := key.Public().MarshalBinary()
	if err != nil || !bytes.Equal(publicKey, config.PublicKey) {
		return HpkeKeypair{}, ErrHpkePrivateKey
	}
	config.PublicKey = publicKey // a copy
	return newHpkeKeypair(config, key), nil
}

// newHpkeKeypair makes the private key safe for concurrent use: circl computes
// the public key of an X25519 key when it is first asked for, and keeps it.
func newHpkeKeypair(config HpkeConfig, private kem.PrivateKey) HpkeKeypair {
	private.Public()
	return HpkeKeypair{Config: config, private: hide(private)}
}

// MarshalPrivate returns the secret bytes of the private key, in the form of its
// KEM (RFC 9180 Section 7.1.2). Its error is ErrHpkePrivateKey, for a keypair
// without a key.
func (k HpkeKeypair) MarshalPrivate() ([]byte, error) {
	if k.private == nil {
		return nil, ErrHpkePrivateKey
	}
	return k.private().MarshalBinary()
}

// Format prints the configuration without the private key, whatever the verb.
func (k HpkeKeypair) Format(f fmt.State, _ rune) { io.WriteString(f, k.redacted()) }

// LogValue logs the configuration without the private key.
func (k HpkeKeypair) LogValue() slog.Value { return slog.StringValue(k.redacted()) }

func (k HpkeKeypair) redacted() string {
	return fmt.Sprintf("HpkeKeypair{%d, %s, %s, %s, redacted}", k.Config.ID, k.Config.KemID, k.Config.KdfID, k.Config.AeadID)
}
