package pingpong

import (
	"encoding/binary"
	"fmt"
	"math"
)

// stateVersion is the first byte of an encoded state, changed whenever the
// encoding does.
const stateVersion = 1

// EncodeState encodes a state so that it can be stored and come back with
// DecodeState. Only Continued and FinishedWithOutbound can be stored; each
// keeps its outbound message. The encoding is secret. It is this module's own:
//
//	struct {
//	  uint8 version;                  /* 1 */
//	  uint8 kind;                     /* Continued or FinishedWithOutbound */
//	  uint32 round;                   /* 0 unless Continued */
//	  opaque outbound<0..2^32-1>;
//	  opaque body<0..2^32-1>;         /* verification state or output share */
//	} StoredState;
func (t *Topology) EncodeState(s State) ([]byte, error) {
	var body []byte
	var err error
	switch s.Kind {
	case Continued:
		if s.verify == nil {
			return nil, &StateError{Problem: "Continued without a verification state"}
		}
		if s.Round < 0 || s.Round >= t.rounds {
			return nil, &StateError{Problem: fmt.Sprintf("round %d of a VDAF of %d rounds", s.Round, t.rounds)}
		}
		body, err = t.v.AppendState(nil, s.verify)
	case FinishedWithOutbound:
		if s.OutShare == nil {
			return nil, &StateError{Problem: "FinishedWithOutbound without an output share"}
		}
		body, err = t.v.AppendOutShare(nil, s.OutShare)
	default:
		return nil, &StateError{Problem: fmt.Sprintf("%s cannot be stored", s.Kind)}
	}
	if err != nil {
		return nil, err
	}
	if uint64(len(s.Outbound)) > math.MaxUint32 || uint64(len(body)) > math.MaxUint32 {
		return nil, &StateError{Problem: "longer than 4294967295 bytes"}
	}
	dst := make([]byte, 0, 14+len(s.Outbound)+len(body))
	dst = append(dst, stateVersion, byte(s.Kind))
	round := 0
	if s.Kind == Continued {
		round = s.Round
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(round))
	dst = appendOpaque32(dst, s.Outbound)
	return appendOpaque32(dst, body), nil
}

// DecodeState decodes what EncodeState wrote, for the Leader or the Helper. It
// is strict: an unknown version or kind, a round that the VDAF does not have or
// in which the aggregator does not wait, an outbound message that is malformed or
// does not belong to the state, a truncated field or a trailing byte is an error.
func (t *Topology) DecodeState(leader bool, aggParam []byte, b []byte) (State, error) {
	if len(b) < 6 {
		return State{}, &StateError{Problem: "truncated"}
	}
	if b[0] != stateVersion {
		return State{}, &StateError{Problem: fmt.Sprintf("stored in version %d, this program knows version %d", b[0], stateVersion)}
	}
	kind, round := Kind(b[1]), binary.BigEndian.Uint32(b[2:])
	outbound, rest, ok := readOpaque32(b[6:])
	if !ok {
		return State{}, &StateError{Problem: "truncated outbound message"}
	}
	body, rest, ok := readOpaque32(rest)
	if !ok {
		return State{}, &StateError{Problem: "truncated body"}
	}
	if len(rest) > 0 {
		return State{}, &StateError{Problem: fmt.Sprintf("%d bytes after its end", len(rest))}
	}
	message, err := DecodeMessage(outbound)
	if err != nil {
		return State{}, err
	}
	if want := outboundType(kind, round); message.Type != want {
		return State{}, &StateError{Problem: fmt.Sprintf("%s with the outbound message %s, not %s", kind, message.Type, want)}
	}
	s := State{Kind: kind, Outbound: append([]byte(nil), outbound...)}
	if err := t.decodeBody(&s, leader, aggParam, round, body); err != nil {
		return State{}, err
	}
	return s, nil
}

// outboundType is the type of the message that an aggregator sent when it
// reached a stored state.
func outboundType(kind Kind, round uint32) MessageType {
	switch {
	case kind == FinishedWithOutbound:
		return Finish
	case round == 0:
		return Initialize
	}
	return Continue
}

// decodeBody completes a state of a stored kind from its stored body.
func (t *Topology) decodeBody(s *State, leader bool, aggParam []byte, round uint32, body []byte) (err error) {
	switch s.Kind {
	case Continued:
		if round >= uint32(t.rounds) {
			return &StateError{Problem: fmt.Sprintf("round %d of a VDAF of %d rounds", round, t.rounds)}
		}
		// The Leader waits in the rounds 0, 2, 4, the Helper in 1, 3, 5.
		if int(round%2) != aggID(leader) {
			return &StateError{Problem: fmt.Sprintf("Continued in round %d, in which the other aggregator waits", round)}
		}
		s.Round = int(round)
		s.verify, err = t.v.DecodeState(aggID(leader), aggParam, s.Round, body)
	case FinishedWithOutbound:
		if round != 0 {
			return &StateError{Problem: fmt.Sprintf("FinishedWithOutbound in round %d", round)}
		}
		s.OutShare, err = t.v.DecodeOutShare(aggParam, body)
	default:
		return &StateError{Problem: fmt.Sprintf("%s cannot be stored", s.Kind)}
	}
	return err
}

func aggID(leader bool) int {
	if leader {
		return leaderID
	}
	return helperID
}
