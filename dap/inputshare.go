package dap

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/twofold-dap/twofold/internal/x25519"
)

// inputShareAadPrefix is the part of an InputShareAad that is the same for all
// reports of a task: the task ID and the encoded task configuration.
type inputShareAadPrefix []byte

func newInputShareAadPrefix(id TaskID, encodedConfiguration []byte) (inputShareAadPrefix, error) {
	if err := checkEncodedTaskConfiguration("InputShareAad", encodedConfiguration); err != nil {
		return nil, err
	}
	prefix := make([]byte, 0, len(id)+len(encodedConfiguration))
	return append(append(prefix, id[:]...), encodedConfiguration...), nil
}

// encode returns the encoded InputShareAad of one report.
func (p inputShareAadPrefix) encode(metadata *ReportMetadata, publicShare []byte) ([]byte, error) {
	buffer := make([]byte, 0, len(p)+metadata.encodedLength()+4+len(publicShare))
	return appendInputShareAad(append(buffer, p...), metadata, publicShare)
}

// appendInputShareAad appends what an InputShareAad has behind its prefix.
func appendInputShareAad(dst []byte, metadata *ReportMetadata, publicShare []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(dst)
	metadata.encode(b)
	addVector32(b, publicShare, 0, "InputShareAad", "public_share")
	return b.Bytes()
}

// InputShareSealer encrypts the input shares of one task to one Aggregator (DAP
// Section 4.4.2.1). Many goroutines may use it.
type InputShareSealer struct {
	role   Role
	aad    inputShareAadPrefix
	sealer *hpkeSealer
}

// NewInputShareSealer prepares the encryption to the Aggregator of that role and
// HPKE configuration, in the task with that ID and encoded TaskConfiguration.
// Its error is ErrHpkeUnsupported, ErrHpkePublicKey, ErrNotAggregator or an
// *EncodeError.
func NewInputShareSealer(config HpkeConfig, role Role, id TaskID, encodedConfiguration []byte) (*InputShareSealer, error) {
	info, err := inputShareInfo(role)
	if err != nil {
		return nil, err
	}
	aad, err := newInputShareAadPrefix(id, encodedConfiguration)
	if err != nil {
		return nil, err
	}
	sealer, err := newHpkeSealer(&config, info)
	if err != nil {
		return nil, err
	}
	return &InputShareSealer{role, aad, sealer}, nil
}

// Seal encrypts the Aggregator's input share of the report with that metadata
// and public share. SealReports does it for both Aggregators and for many reports.
func (s *InputShareSealer) Seal(metadata ReportMetadata, publicShare []byte, share PlaintextInputShare) (HpkeCiphertext, error) {
	aad, err := s.aad.encode(&metadata, publicShare)
	if err != nil {
		return HpkeCiphertext{}, err
	}
	plaintext, err := share.Encode()
	if err != nil {
		return HpkeCiphertext{}, err
	}
	return s.sealer.seal(aad, plaintext)
}

// InputShareOpener decrypts the input shares of one task at one Aggregator (DAP
// Section 4.5.3.3). Many goroutines may use it.
type InputShareOpener struct {
	aad     inputShareAadPrefix
	openers map[HpkeConfigID]*hpkeOpener
}

// NewInputShareOpener prepares the decryption at the Aggregator of that role
// with any of its keypairs, no two of which may have the same ID, in the task
// with that ID and encoded TaskConfiguration. Its error is ErrHpkeUnsupported,
// ErrHpkePrivateKey, ErrNotAggregator, an *EncodeError, or about a repeated ID.
func NewInputShareOpener(keypairs []HpkeKeypair, role Role, id TaskID, encodedConfiguration []byte) (*InputShareOpener, error) {
	info, err := inputShareInfo(role)
	if err != nil {
		return nil, err
	}
	aad, err := newInputShareAadPrefix(id, encodedConfiguration)
	if err != nil {
		return nil, err
	}
	openers := make(map[HpkeConfigID]*hpkeOpener, len(keypairs))
	for i := range keypairs {
		configID := keypairs[i].Config.ID
		if _, repeated := openers[configID]; repeated {
			return nil, fmt.Errorf("dap: two HPKE keypairs have the ID %d; give each its own", configID)
		}
		if openers[configID], err = newHpkeOpener(&keypairs[i], info); err != nil {
			return nil, err
		}
	}
	return &InputShareOpener{aad, openers}, nil
}

// Open decrypts the input share of the report with that metadata and public
// share. The result does not alias the ciphertext. Its error is
// ErrHpkeUnknownConfigID if the ciphertext names none of the keypairs,
// ErrHpkeDecrypt if it does not open, and a *DecodeError if what it holds is not
// a PlaintextInputShare. ReportErrorOf says what the peer is told.
func (o *InputShareOpener) Open(metadata ReportMetadata, publicShare []byte, ciphertext HpkeCiphertext) (PlaintextInputShare, error) {
	opener, ok := o.openers[ciphertext.ConfigID]
	if !ok {
		return PlaintextInputShare{}, ErrHpkeUnknownConfigID
	}
	aad, err := o.aad.encode(&metadata, publicShare)
	if err != nil {
		return PlaintextInputShare{}, err
	}
	plaintext, err := opener.open(aad, &ciphertext)
	if err != nil {
		return PlaintextInputShare{}, err
	}
	return DecodePlaintextInputShare(plaintext)
}

// OpenBatch does for each report share what Open does for one, and its results and
// errors are those: shares[i] and errs[i] are of reports[i]. For keys of the suite
// that every Aggregator has (DAP Section 7) it costs a fraction; others are
// opened one by one.
func (o *InputShareOpener) OpenBatch(reports []ReportShare) (shares []PlaintextInputShare, errs []error) {
	shares, errs = make([]PlaintextInputShare, len(reports)), make([]error, len(reports))
	batch := make([]int, 0, len(reports)) // indices of what is left for a batchOpener
	for i := range reports {
		r := &reports[i]
		if opener := o.openers[r.EncryptedInputShare.ConfigID]; opener != nil && opener.batch != nil {
			batch = append(batch, i)
			continue
		}
		shares[i], errs[i] = o.Open(r.Metadata, r.PublicShare, r.EncryptedInputShare)
	}
	for len(batch) > 0 {
		// One key at a time: those of the first, and then the rest.
		id := reports[batch[0]].EncryptedInputShare.ConfigID
		var rest []int
		same := batch[:0]
		for _, i := range batch {
			if reports[i].EncryptedInputShare.ConfigID == id {
				same = append(same, i)
			} else {
				rest = append(rest, i)
			}
		}
		o.openSameKey(o.openers[id].batch(), reports, same, shares, errs)
		batch = rest
	}
	return shares, errs
}

// openSameKey opens the report shares with these indices.
func (o *InputShareOpener) openSameKey(opener *batchOpener, reports []ReportShare, indices []int, shares []PlaintextInputShare, errs []error) {
	encs := make([][x25519.Size]byte, len(indices))
	plaintextLength := 0
	for k, i := range indices {
		c := &reports[i].EncryptedInputShare
		if len(c.Enc) == x25519.Size {
			encs[k] = [x25519.Size]byte(c.Enc)
		} // else it stays zero, which has no usable secret: it does not open
		plaintextLength += max(len(c.Payload)-gcmTagSize, 0)
	}
	dhs, ok := opener.sharedSecrets(encs)

	plaintexts := make([]byte, plaintextLength) // one behind the other
	aad := append(make([]byte, 0, 2*len(o.aad)+512), o.aad...)
	for k, i := range indices {
		r := &reports[i]
		encoded, err := appendInputShareAad(aad[:len(o.aad)], &r.Metadata, r.PublicShare)
		if err != nil {
			errs[i] = err
			continue
		}
		aad = encoded // which has grown, perhaps
		payload := r.EncryptedInputShare.Payload
		n := len(payload) - gcmTagSize
		if !ok[k] || n < 0 {
			errs[i] = ErrHpkeDecrypt
			continue
		}
		var plaintext []byte
		plaintext, plaintexts = plaintexts[:0:n], plaintexts[n:]
		if plaintext, errs[i] = opener.open(plaintext, &encs[k], &dhs[k], aad, payload); errs[i] == nil {
			shares[i], errs[i] = DecodePlaintextInputShare(plaintext)
		}
	}
}

// ReportErrorOf returns the report error with which a report is rejected whose
// input share failed to open with err: hpke_decrypt_error for an unknown
// configuration ID as for a ciphertext that does not open (DAP Section 4.5.3.3),
// and invalid_message if it does not decode. It is 0 for nil.
func ReportErrorOf(err error) ReportError {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrHpkeUnknownConfigID), errors.Is(err, ErrHpkeDecrypt):
		return ReportErrorHpkeDecryptError
	}
	return ReportErrorInvalidMessage
}
