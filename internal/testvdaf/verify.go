package testvdaf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/twofold-dap/twofold/vdaf"
)

// state is the verification state before the message of its round.
type state struct {
	vdaf.Redacted
	aggID   int
	round   int
	weight  uint16
	failure Failure
	value   uint64   // this aggregator's share of the measurement
	binding [32]byte // a hash of what both aggregators must agree on
}

// outShare is weight times this aggregator's share of the measurement.
type outShare struct {
	vdaf.Redacted
	weight uint16
	value  uint64
}

// tag is what both aggregators' verifier shares of a round must have in common.
func (s *state) tag() []byte {
	sum := sha256.Sum256(append(append([]byte("testvdaf verifier share"), s.binding[:]...), byte(s.round)))
	return sum[:tagSize]
}

// verifierShare encodes the verifier share of the state's round:
//
//	struct { uint8 aggregator_id; uint8 round; uint8 fail; opaque tag[16]; } VerifierShare;
func (s *state) verifierShare() []byte {
	fail := byte(0)
	if s.failure.at(FailSharesToMessage, s.round, s.aggID) {
		fail = 1
	}
	return append([]byte{byte(s.aggID), byte(s.round), fail}, s.tag()...)
}

// verifierMessage is the message that follows from verifier shares with tag.
func verifierMessage(tag []byte) []byte {
	sum := sha256.Sum256(append([]byte("testvdaf verifier message"), tag...))
	return sum[:tagSize]
}

// VerifyInit implements vdaf.Verifier.
func (v *VDAF) VerifyInit(verifyKey, ctx []byte, aggID int, aggParam []byte, reports []vdaf.Report) []vdaf.InitResult {
	out := make([]vdaf.InitResult, len(reports))
	for i, r := range reports {
		s, err := v.init(verifyKey, ctx, aggID, aggParam, r)
		if err != nil {
			out[i].Err = err
			continue
		}
		out[i] = vdaf.InitResult{State: s, VerifierShare: s.verifierShare()}
	}
	return out
}

func (v *VDAF) init(verifyKey, ctx []byte, aggID int, aggParam []byte, r vdaf.Report) (*state, error) {
	weight, err := v.weight(aggParam)
	switch {
	case err != nil:
		return nil, err
	case len(verifyKey) != verifyKeySize:
		return nil, &vdaf.UsageError{Argument: "verification key", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(verifyKey), verifyKeySize)}
	case aggID < 0 || aggID >= v.Shares():
		return nil, &vdaf.UsageError{Argument: "aggregator ID", Problem: fmt.Sprintf("is %d, but must be 0 or 1", aggID)}
	case len(r.Nonce) != nonceSize:
		return nil, &vdaf.UsageError{Argument: "nonce", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(r.Nonce), nonceSize)}
	case len(r.PublicShare) != publicShareSize:
		return nil, &vdaf.DecodeError{Message: "public share", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(r.PublicShare), publicShareSize)}
	case len(r.InputShare) != inputShareSize:
		return nil, &vdaf.DecodeError{Message: "input share", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(r.InputShare), inputShareSize)}
	case !bytes.Equal(r.PublicShare, publicShare(r.Nonce)):
		return nil, fmt.Errorf("testvdaf: the public share is not of this nonce: %w", vdaf.ErrProof)
	}
	failure, err := decodeFailure("input share", r.InputShare[8:])
	if err != nil {
		return nil, err
	}
	if failure.at(FailInit, 0, aggID) {
		return nil, ErrPlanned
	}
	return &state{
		aggID: aggID, weight: uint16(weight), failure: failure, value: binary.BigEndian.Uint64(r.InputShare),
		binding: bindingOf(verifyKey, ctx, aggParam, r.Nonce, r.PublicShare),
	}, nil
}

// bindingOf hashes fields, each with its length.
func bindingOf(fields ...[]byte) [32]byte {
	var b []byte
	for _, f := range fields {
		b = binary.BigEndian.AppendUint64(b, uint64(len(f)))
		b = append(b, f...)
	}
	return sha256.Sum256(b)
}

// VerifierSharesToMessage implements vdaf.Verifier.
func (v *VDAF) VerifierSharesToMessage(_, aggParam []byte, round int, shares [][][]byte) []vdaf.MessageResult {
	out := make([]vdaf.MessageResult, len(shares))
	for i, s := range shares {
		out[i].Message, out[i].Err = v.combine(aggParam, round, s)
	}
	return out
}

func (v *VDAF) combine(aggParam []byte, round int, shares [][]byte) ([]byte, error) {
	if _, err := v.weight(aggParam); err != nil {
		return nil, err
	}
	if round < 0 || round >= v.config.Rounds {
		return nil, &vdaf.UsageError{Argument: "round", Problem: fmt.Sprintf("is %d, but must be below %d", round, v.config.Rounds)}
	}
	if len(shares) != v.Shares() {
		return nil, &vdaf.UsageError{Argument: "verifier shares", Problem: fmt.Sprintf("there are %d, but must be 2", len(shares))}
	}
	for aggID, s := range shares {
		if len(s) != verifierShareSize || s[2] > 1 {
			return nil, &vdaf.DecodeError{Message: "verifier share", Problem: fmt.Sprintf("its %d bytes are none", len(s))}
		}
		if int(s[0]) != aggID || int(s[1]) != round {
			return nil, fmt.Errorf("testvdaf: verifier share of aggregator %d in round %d, expected of %d in %d: %w", s[0], s[1], aggID, round, vdaf.ErrProof)
		}
		if s[2] == 1 {
			return nil, ErrPlanned
		}
	}
	if !bytes.Equal(shares[0][3:], shares[1][3:]) {
		return nil, fmt.Errorf("testvdaf: the aggregators disagree: %w", vdaf.ErrProof)
	}
	return verifierMessage(shares[0][3:]), nil
}

// VerifyNext implements vdaf.Verifier.
func (v *VDAF) VerifyNext(_ []byte, states []vdaf.State, messages [][]byte) []vdaf.NextResult {
	out := make([]vdaf.NextResult, len(states))
	if len(messages) != len(states) {
		for i := range out {
			out[i].Err = &vdaf.UsageError{Argument: "verifier messages", Problem: fmt.Sprintf("there are %d for %d states", len(messages), len(states))}
		}
		return out
	}
	for i, s := range states {
		out[i] = v.next(s, messages[i])
	}
	return out
}

func (v *VDAF) next(opaque vdaf.State, message []byte) vdaf.NextResult {
	s, ok := opaque.(*state)
	switch {
	case !ok || s.round >= v.config.Rounds:
		return vdaf.NextResult{Err: &vdaf.UsageError{Argument: "verification state", Problem: "was made by another VDAF"}}
	case len(message) != tagSize:
		return vdaf.NextResult{Err: &vdaf.DecodeError{Message: "verifier message", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(message), tagSize)}}
	case s.failure.at(FailNext, s.round, s.aggID):
		return vdaf.NextResult{Err: ErrPlanned}
	case !bytes.Equal(message, verifierMessage(s.tag())):
		return vdaf.NextResult{Err: fmt.Errorf("testvdaf: the verifier message of round %d is another: %w", s.round, vdaf.ErrProof)}
	}
	if s.round+1 == v.config.Rounds {
		return vdaf.NextResult{OutShare: &outShare{weight: s.weight, value: uint64(s.weight) * s.value}}
	}
	next := *s
	next.round++
	return vdaf.NextResult{State: &next, VerifierShare: next.verifierShare()}
}
