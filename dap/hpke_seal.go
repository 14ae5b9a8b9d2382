package dap

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"

	"github.com/twofold-dap/twofold/internal/x25519"
)

// ErrNotAggregator is the error of a role that is neither Leader nor Helper,
// where only these make sense.
var ErrNotAggregator = errors.New("dap: the role is neither leader nor helper")

// inputShareInfo returns the HPKE info string of input shares for that
// Aggregator: `"dap-18 input share" || 0x01 || server_role` (DAP Section 4.4.2.1).
func inputShareInfo(role Role) ([]byte, error) {
	if !role.IsAggregator() {
		return nil, ErrNotAggregator
	}
	return append([]byte(protocolVersion+" input share"), byte(RoleClient), byte(role)), nil
}

// aggregateShareInfo returns the HPKE info string of aggregate shares of that
// Aggregator: `"dap-18 aggregate share" || server_role || 0x00` (DAP Section 4.6.7).
func aggregateShareInfo(role Role) ([]byte, error) {
	if !role.IsAggregator() {
		return nil, ErrNotAggregator
	}
	return append([]byte(protocolVersion+" aggregate share"), byte(role), byte(RoleCollector)), nil
}

// hpkeSealer encrypts to one HPKE configuration with one info string. Many
// goroutines may use it.
type hpkeSealer struct {
	configID  HpkeConfigID
	suite     hpke.Suite
	publicKey kem.PublicKey
	info      []byte
	// schedule is nil where the suite is another than that of a keySchedule.
	schedule *keySchedule
}

func newHpkeSealer(config *HpkeConfig, info []byte) (*hpkeSealer, error) {
	suite, publicKey, err := config.recipient()
	if err != nil {
		return nil, err
	}
	s := &hpkeSealer{configID: config.ID, suite: suite, publicKey: publicKey, info: info}
	if config.hasKeySchedule() {
		if len(config.PublicKey) != x25519.Size {
			return nil, ErrHpkePublicKey
		}
		schedule := newKeySchedule(config, [x25519.Size]byte(config.PublicKey), info)
		s.schedule = &schedule
	}
	return s, nil
}

// seal is SealBase of RFC 9180 Section 6.1.
func (s *hpkeSealer) seal(aad, plaintext []byte) (HpkeCiphertext, error) {
	if s.schedule != nil {
		encs, dhs, ok := encapsulate([][x25519.Size]byte{s.schedule.public})
		if !ok[0] {
			return HpkeCiphertext{}, ErrHpkePublicKey
		}
		return s.sealInPlace(&encs[0], &dhs[0], aad, append(newSealBuffer(len(plaintext)), plaintext...))
	}
	sender, err := s.suite.NewSender(s.publicKey, s.info)
	if err != nil {
		return HpkeCiphertext{}, fmt.Errorf("dap: set up HPKE: %w", err)
	}
	enc, context, err := sender.Setup(nil)
	if err != nil {
		return HpkeCiphertext{}, ErrHpkePublicKey
	}
	payload, err := context.Seal(plaintext, aad)
	if err != nil {
		return HpkeCiphertext{}, fmt.Errorf("dap: encrypt with HPKE: %w", err)
	}
	return HpkeCiphertext{ConfigID: s.configID, Enc: enc, Payload: payload}, nil
}

// encapsulate is DHKEM's Encap (RFC 9180 Section 4.1) to several X25519 keys, as
// far as the Diffie-Hellman values, and which of these may be used. The
// ephemeral keys are drawn from crypto/rand.
func encapsulate(publics [][x25519.Size]byte) (encs, dhs [][x25519.Size]byte, ok []bool) {
	privates := make([][x25519.Size]byte, len(publics))
	for i := range privates {
		rand.Read(privates[i][:])
	}
	defer clear(privates)
	return encapsulateWith(privates, publics)
}

// encapsulateWith is encapsulate with those ephemeral private keys.
func encapsulateWith(privates, publics [][x25519.Size]byte) (encs, dhs [][x25519.Size]byte, ok []bool) {
	n := len(publics)
	scalars, points, products := make([][x25519.Size]byte, 2*n), make([][x25519.Size]byte, 2*n), make([][x25519.Size]byte, 2*n)
	defer clear(scalars)
	for i := range n {
		scalars[2*i], points[2*i] = privates[i], x25519.BasePoint
		scalars[2*i+1], points[2*i+1] = privates[i], publics[i]
	}
	usable := make([]bool, 2*n)
	x25519.Pairs(scalars, points, products, usable)
	encs, dhs, ok = make([][x25519.Size]byte, n), make([][x25519.Size]byte, n), make([]bool, n)
	for i := range n {
		encs[i], dhs[i], ok[i] = products[2*i], products[2*i+1], usable[2*i+1]
	}
	return encs, dhs, ok
}

// newSealBuffer returns room for an encapsulated key, behind which a plaintext of
// n bytes is to be appended, and can be encrypted where it is.
func newSealBuffer(n int) []byte { return make([]byte, x25519.Size, x25519.Size+n+gcmTagSize) }

// sealInPlace encrypts the plaintext in a buffer of newSealBuffer, given an
// encapsulation to the sealer's key. The result lies in the buffer.
func (s *hpkeSealer) sealInPlace(enc, dh *[x25519.Size]byte, aad, buffer []byte) (HpkeCiphertext, error) {
	gcm, nonce, err := s.schedule.aead(enc, dh)
	if err != nil {
		return HpkeCiphertext{}, fmt.Errorf("dap: encrypt with HPKE: %w", err)
	}
	copy(buffer, enc[:])
	payload := gcm.Seal(buffer[x25519.Size:x25519.Size], nonce[:], buffer[x25519.Size:], aad)
	return HpkeCiphertext{ConfigID: s.configID, Enc: buffer[:x25519.Size:x25519.Size], Payload: payload}, nil
}

// hpkeOpener decrypts with one keypair and one info string.
type hpkeOpener struct {
	receiver secret[hpke.Receiver] // gives a copy for each ciphertext, because Setup changes it
	batch    secret[*batchOpener]  // nil where ciphertexts are opened one by one
}

func newHpkeOpener(keypair *HpkeKeypair, info []byte) (*hpkeOpener, error) {
	if keypair.private == nil {
		return nil, ErrHpkePrivateKey
	}
	suite, err := keypair.Config.suite()
	if err != nil {
		return nil, err
	}
	receiver, err := suite.NewReceiver(keypair.private(), info)
	if err != nil {
		return nil, fmt.Errorf("dap: set up HPKE: %w", err)
	}
	opener := &hpkeOpener{receiver: hide(*receiver)}
	if keypair.Config.hasKeySchedule() {
		batch, err := newBatchOpener(&keypair.Config, keypair.private(), info)
		if err != nil {
			return nil, err
		}
		opener.batch = hide(batch)
	}
	return opener, nil
}

// open is OpenBase of RFC 9180 Section 6.1. Its error is ErrHpkeDecrypt,
// whatever the reason.
func (o *hpkeOpener) open(aad []byte, c *HpkeCiphertext) ([]byte, error) {
	receiver := o.receiver()
	context, err := receiver.Setup(c.Enc)
	if err != nil {
		return nil, ErrHpkeDecrypt
	}
	plaintext, err := context.Open(c.Payload, aad)
	if err != nil {
		return nil, ErrHpkeDecrypt
	}
	return plaintext, nil
}

// SealInputShare encrypts an input share to the Aggregator of that role and HPKE
// configuration (DAP Section 4.4.2.1). InputShareSealer does it for many.
func SealInputShare(config HpkeConfig, role Role, aad InputShareAad, share PlaintextInputShare) (HpkeCiphertext, error) {
	sealer, err := NewInputShareSealer(config, role, aad.TaskID, aad.TaskConfiguration)
	if err != nil {
		return HpkeCiphertext{}, err
	}
	return sealer.Seal(aad.Metadata, aad.PublicShare, share)
}

// OpenInputShare decrypts an input share of the Aggregator of that role (DAP
// Section 4.5.3.3). InputShareOpener does it for many, and has the errors.
func OpenInputShare(keypair HpkeKeypair, role Role, aad InputShareAad, ciphertext HpkeCiphertext) (PlaintextInputShare, error) {
	opener, err := NewInputShareOpener([]HpkeKeypair{keypair}, role, aad.TaskID, aad.TaskConfiguration)
	if err != nil {
		return PlaintextInputShare{}, err
	}
	return opener.Open(aad.Metadata, aad.PublicShare, ciphertext)
}

// SealAggregateShare encrypts the aggregate share of the Aggregator of that role
// to the Collector's HPKE configuration (DAP Section 4.6.7).
func SealAggregateShare(config HpkeConfig, role Role, aad AggregateShareAad, aggregateShare []byte) (HpkeCiphertext, error) {
	info, err := aggregateShareInfo(role)
	if err != nil {
		return HpkeCiphertext{}, err
	}
	encodedAad, err := aad.Encode()
	if err != nil {
		return HpkeCiphertext{}, err
	}
	sealer, err := newHpkeSealer(&config, info)
	if err != nil {
		return HpkeCiphertext{}, err
	}
	return sealer.seal(encodedAad, aggregateShare)
}

// OpenAggregateShare decrypts the aggregate share that the Aggregator of that
// role encrypted to the Collector's keypair (DAP Section 4.6.7). Its error is
// ErrHpkeUnknownConfigID if it was encrypted to another configuration and
// ErrHpkeDecrypt if it does not open.
func OpenAggregateShare(keypair HpkeKeypair, role Role, aad AggregateShareAad, ciphertext HpkeCiphertext) ([]byte, error) {
	info, err := aggregateShareInfo(role)
	if err != nil {
		return nil, err
	}
	encodedAad, err := aad.Encode()
	if err != nil {
		return nil, err
	}
	opener, err := newHpkeOpener(&keypair, info)
	if err != nil {
		return nil, err
	}
	if ciphertext.ConfigID != keypair.Config.ID {
		return nil, ErrHpkeUnknownConfigID
	}
	return opener.open(encodedAad, &ciphertext)
}
