package dap

import (
	"bytes"
	"errors"

	"github.com/twofold-dap/twofold/internal/x25519"
)

// errSealers is the error of sealers that do not belong together.
var errSealers = errors.New("dap: the sealers must be the Leader's and the Helper's, in this order, and of the same task")

// UnsealedReport is a report whose input shares are not encrypted yet.
type UnsealedReport struct {
	Metadata       ReportMetadata
	PublicShare    []byte
	Leader, Helper PlaintextInputShare
}

// SealReports encrypts the input shares of reports to the two Aggregators of their
// task (DAP Section 4.4.2.1). For keys of the suite that every Aggregator has
// (DAP Section 7) several reports at a time cost less than one by one. Its error
// is ErrHpkePublicKey, an *EncodeError, or about sealers that do not belong together.
func SealReports(leader, helper *InputShareSealer, reports []UnsealedReport) ([]Report, error) {
	if leader.role != RoleLeader || helper.role != RoleHelper || !bytes.Equal(leader.aad, helper.aad) {
		return nil, errSealers
	}
	next := encapsulations(leader.sealer, helper.sealer, len(reports))
	sealed := make([]Report, len(reports))
	var aad []byte // of one report after the other
	for i := range reports {
		r := &reports[i]
		if aad == nil {
			aad = append(make([]byte, 0, len(leader.aad)+r.Metadata.encodedLength()+4+len(r.PublicShare)), leader.aad...)
		}
		var err error
		if aad, err = appendInputShareAad(aad[:len(leader.aad)], &r.Metadata, r.PublicShare); err != nil {
			return nil, err
		}
		sealed[i] = Report{Metadata: r.Metadata, PublicShare: r.PublicShare}
		if sealed[i].LeaderEncryptedInputShare, err = leader.sealer.sealShare(next, aad, &r.Leader); err != nil {
			return nil, err
		}
		if sealed[i].HelperEncryptedInputShare, err = helper.sealer.sealShare(next, aad, &r.Helper); err != nil {
			return nil, err
		}
	}
	return sealed, nil
}

// encapsulations computes all encapsulations of some reports side by side. The
// function that it returns gives one after the other, in the order of sealing, for
// the sealers that have a key schedule.
func encapsulations(leader, helper *hpkeSealer, reports int) func() (enc, dh *[x25519.Size]byte, ok bool) {
	publics := make([][x25519.Size]byte, 0, 2*reports)
	for range reports {
		for _, s := range [2]*hpkeSealer{leader, helper} {
			if s.schedule != nil {
				publics = append(publics, s.schedule.public)
			}
		}
	}
	encs, dhs, usable := encapsulate(publics)
	done := 0
	return func() (enc, dh *[x25519.Size]byte, ok bool) {
		i := done
		done++
		return &encs[i], &dhs[i], usable[i]
	}
}

// sealShare encrypts an input share, with the next encapsulation if the suite has
// a key schedule.
func (s *hpkeSealer) sealShare(next func() (enc, dh *[x25519.Size]byte, ok bool), aad []byte, share *PlaintextInputShare) (HpkeCiphertext, error) {
	if s.schedule == nil {
		plaintext, err := share.Encode()
		if err != nil {
			return HpkeCiphertext{}, err
		}
		return s.seal(aad, plaintext)
	}
	enc, dh, ok := next()
	if !ok {
		return HpkeCiphertext{}, ErrHpkePublicKey
	}
	buffer, err := appendMessage(newSealBuffer(share.encodedLength()), share)
	if err != nil {
		return HpkeCiphertext{}, err
	}
	return s.sealInPlace(enc, dh, aad, buffer)
}
