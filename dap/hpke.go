package dap

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// HpkeConfigID identifies an HPKE configuration of one server (DAP Section 4.1).
type HpkeConfigID uint8

// HPKE algorithm identifiers (RFC 9180 Section 7).
type (
	HpkeKemID  uint16
	HpkeKdfID  uint16
	HpkeAeadID uint16
)

// The algorithms supported here. DAP Section 7 demands X25519, HKDF-SHA256 and
// AES-128-GCM. X-Wing is a hybrid of X25519 and ML-KEM-768, against adversaries
// who will have a quantum computer.
const (
	HpkeKemP256HkdfSha256   HpkeKemID = 0x0010
	HpkeKemX25519HkdfSha256 HpkeKemID = 0x0020
	HpkeKemXWing            HpkeKemID = 0x647a

	HpkeKdfHkdfSha256 HpkeKdfID = 0x0001
	HpkeKdfHkdfSha384 HpkeKdfID = 0x0002
	HpkeKdfHkdfSha512 HpkeKdfID = 0x0003

	HpkeAeadAes128Gcm        HpkeAeadID = 0x0001
	HpkeAeadAes256Gcm        HpkeAeadID = 0x0002
	HpkeAeadChaCha20Poly1305 HpkeAeadID = 0x0003
)

// String returns the algorithm's name.
func (id HpkeKemID) String() string {
	switch id {
	case HpkeKemP256HkdfSha256:
		return "DHKEM(P-256, HKDF-SHA256)"
	case HpkeKemX25519HkdfSha256:
		return "DHKEM(X25519, HKDF-SHA256)"
	case HpkeKemXWing:
		return "X-Wing"
	}
	return fmt.Sprintf("HpkeKemID(0x%04x)", uint16(id))
}

// String returns the algorithm's name.
func (id HpkeKdfID) String() string {
	switch id {
	case HpkeKdfHkdfSha256:
		return "HKDF-SHA256"
	case HpkeKdfHkdfSha384:
		return "HKDF-SHA384"
	case HpkeKdfHkdfSha512:
		return "HKDF-SHA512"
	}
	return fmt.Sprintf("HpkeKdfID(0x%04x)", uint16(id))
}

// String returns the algorithm's name.
func (id HpkeAeadID) String() string {
	switch id {
	case HpkeAeadAes128Gcm:
		return "AES-128-GCM"
	case HpkeAeadAes256Gcm:
		return "AES-256-GCM"
	case HpkeAeadChaCha20Poly1305:
		return "ChaCha20Poly1305"
	}
	return fmt.Sprintf("HpkeAeadID(0x%04x)", uint16(id))
}

// HpkeConfig is an HPKE configuration: algorithms and a public key (DAP Section
// 4.4.1). Algorithms that are not supported here decode, so that one can choose
// among those that are.
//
//	struct {
//	  HpkeConfigId id;
//	  HpkeKemId kem_id;
//	  HpkeKdfId kdf_id;
//	  HpkeAeadId aead_id;
//	  HpkePublicKey public_key;
//	} HpkeConfig;
//
//	opaque HpkePublicKey<1..2^16-1>;
type HpkeConfig struct {
	ID        HpkeConfigID
	KemID     HpkeKemID
	KdfID     HpkeKdfID
	AeadID    HpkeAeadID
	PublicKey []byte
}

func (c *HpkeConfig) encodedLength() int { return 9 + len(c.PublicKey) }

func (c *HpkeConfig) encode(b *cryptobyte.Builder) {
	b.AddUint8(uint8(c.ID))
	b.AddUint16(uint16(c.KemID))
	b.AddUint16(uint16(c.KdfID))
	b.AddUint16(uint16(c.AeadID))
	addVector16(b, c.PublicKey, 1, "HpkeConfig", "public_key")
}

func (c *HpkeConfig) decode(s *cryptobyte.String) (err error) {
	if !s.ReadUint8((*uint8)(&c.ID)) {
		return truncated("HpkeConfig", "id")
	}
	if !s.ReadUint16((*uint16)(&c.KemID)) {
		return truncated("HpkeConfig", "kem_id")
	}
	if !s.ReadUint16((*uint16)(&c.KdfID)) {
		return truncated("HpkeConfig", "kdf_id")
	}
	if !s.ReadUint16((*uint16)(&c.AeadID)) {
		return truncated("HpkeConfig", "aead_id")
	}
	c.PublicKey, err = readVector16(s, 1, "HpkeConfig", "public_key")
	return err
}

// Encode returns the encoding of the configuration.
func (c HpkeConfig) Encode() ([]byte, error) { return encodeMessage(&c, c.encodedLength()) }

// DecodeHpkeConfig decodes an HpkeConfig, which aliases b.
func DecodeHpkeConfig(b []byte) (HpkeConfig, error) {
	var c HpkeConfig
	s := cryptobyte.String(b)
	if err := c.decode(&s); err != nil {
		return HpkeConfig{}, err
	}
	if err := checkEnd(s, "HpkeConfig"); err != nil {
		return HpkeConfig{}, err
	}
	return c, nil
}

// HpkeConfigList holds an Aggregator's HPKE configurations in decreasing order
// of preference (DAP Section 4.4.1). It has at least one, and no ID twice.
//
//	HpkeConfig HpkeConfigList<10..2^16-1>;
type HpkeConfigList struct{ Configs []HpkeConfig }

const hpkeConfigListMinimum = 10 // bytes of the list without its length

func (l *HpkeConfigList) encode(b *cryptobyte.Builder) {
	length := 0
	for i := range l.Configs {
		length += l.Configs[i].encodedLength()
	}
	if !checkVector(b, length, hpkeConfigListMinimum, 1<<16-1, "HpkeConfigList", "") {
		return
	}
	if id, repeated := l.repeatedID(); repeated {
		failEncoding(b, "HpkeConfigList", "id", fmt.Sprintf("%d is the ID of two configurations; give each its own", id))
		return
	}
	b.AddUint16(uint16(length))
	for i := range l.Configs {
		l.Configs[i].encode(b)
	}
}

// repeatedID returns an ID that two configurations have, if there is one.
func (l *HpkeConfigList) repeatedID() (HpkeConfigID, bool) {
	var seen [256]bool
	for i := range l.Configs {
		id := l.Configs[i].ID
		if seen[id] {
			return id, true
		}
		seen[id] = true
	}
	return 0, false
}

// Encode returns the encoding of the list.
func (l HpkeConfigList) Encode() ([]byte, error) { return encodeMessage(&l, 0) }

// DecodeHpkeConfigList decodes an HpkeConfigList, which aliases b.
func DecodeHpkeConfigList(b []byte) (HpkeConfigList, error) {
	const message = "HpkeConfigList"
	var l HpkeConfigList
	s := cryptobyte.String(b)
	list, err := readVector16(&s, hpkeConfigListMinimum, message, "")
	if err != nil {
		return HpkeConfigList{}, err
	}
	for rest := cryptobyte.String(list); !rest.Empty(); {
		var c HpkeConfig
		if err := c.decode(&rest); err != nil {
			return HpkeConfigList{}, withinElement(err, message, "configs", len(l.Configs))
		}
		l.Configs = append(l.Configs, c)
	}
	if err := checkEnd(s, message); err != nil {
		return HpkeConfigList{}, err
	}
	if id, repeated := l.repeatedID(); repeated {
		return HpkeConfigList{}, &DecodeError{message, "id", fmt.Sprintf("%d is the ID of two configurations", id)}
	}
	return l, nil
}

// HpkeCiphertext is a message encrypted with HPKE (DAP Section 4.1).
//
//	struct {
//	  HpkeConfigId config_id;
//	  opaque enc<1..2^16-1>;
//	  opaque payload<1..2^32-1>;
//	} HpkeCiphertext;
type HpkeCiphertext struct {
	ConfigID HpkeConfigID
	Enc      []byte // encapsulated key
	Payload  []byte // ciphertext
}

func (c *HpkeCiphertext) encodedLength() int { return 1 + 2 + len(c.Enc) + 4 + len(c.Payload) }

func (c *HpkeCiphertext) encode(b *cryptobyte.Builder) {
	b.AddUint8(uint8(c.ConfigID))
	addVector16(b, c.Enc, 1, "HpkeCiphertext", "enc")
	addVector32(b, c.Payload, 1, "HpkeCiphertext", "payload")
}

func (c *HpkeCiphertext) decode(s *cryptobyte.String) (err error) {
	if !s.ReadUint8((*uint8)(&c.ConfigID)) {
		return truncated("HpkeCiphertext", "config_id")
	}
	if c.Enc, err = readVector16(s, 1, "HpkeCiphertext", "enc"); err != nil {
		return err
	}
	c.Payload, err = readVector32(s, 1, "HpkeCiphertext", "payload")
	return err
}

// Encode returns the encoding of the ciphertext.
func (c HpkeCiphertext) Encode() ([]byte, error) { return encodeMessage(&c, c.encodedLength()) }

// AppendTo appends the encoding of the ciphertext to dst.
func (c HpkeCiphertext) AppendTo(dst []byte) ([]byte, error) { return appendMessage(dst, &c) }

// DecodeHpkeCiphertext decodes an HpkeCiphertext, which aliases b.
func DecodeHpkeCiphertext(b []byte) (HpkeCiphertext, error) {
	var c HpkeCiphertext
	s := cryptobyte.String(b)
	if err := c.decode(&s); err != nil {
		return HpkeCiphertext{}, err
	}
	if err := checkEnd(s, "HpkeCiphertext"); err != nil {
		return HpkeCiphertext{}, err
	}
	return c, nil
}
