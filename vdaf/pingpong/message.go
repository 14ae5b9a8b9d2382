package pingpong

import (
	"encoding/binary"
	"fmt"
	"math"
)

// MessageType says what a [Message] carries (VDAF Section 5.7.1).
type MessageType uint8

const (
	Initialize MessageType = 0 // the Leader's first: a verifier share
	Continue   MessageType = 1 // a verifier message and the next round's verifier share
	Finish     MessageType = 2 // the last: a verifier message
)

// String returns the standard's name of the type.
func (t MessageType) String() string {
	switch t {
	case Initialize:
		return "initialize"
	case Continue:
		return "continue"
	case Finish:
		return "finish"
	}
	return fmt.Sprintf("unknown(%d)", uint8(t))
}

// Message is a message of the ping-pong topology (VDAF Section 5.7.1):
//
//	struct {
//	  MessageType type;
//	  select (Message.type) {
//	    case initialize:
//	      opaque verifier_share<0..4294967295>;
//	    case continue:
//	      opaque verifier_message<0..4294967295>;
//	      opaque verifier_share<0..4294967295>;
//	    case finish:
//	      opaque verifier_message<0..4294967295>;
//	  };
//	} Message;
type Message struct {
	Type            MessageType
	VerifierMessage []byte // of Continue and Finish
	VerifierShare   []byte // of Initialize and Continue
}

// MessageError reports an inbound message that is malformed, or that is not
// the one that the protocol expects in the state that it arrived in.
type MessageError struct {
	Problem string
}

func (e *MessageError) Error() string { return "ping-pong message: " + e.Problem }

// Size is the length in bytes of the encoded message.
func (m Message) Size() int {
	n := 1
	if m.Type != Initialize {
		n += 4 + len(m.VerifierMessage)
	}
	if m.Type != Finish {
		n += 4 + len(m.VerifierShare)
	}
	return n
}

// Append appends the encoded message to dst. It fails if the type is unknown,
// if a field is set that the type does not have, or if one is over 2^32-1
// bytes.
func (m Message) Append(dst []byte) ([]byte, error) {
	switch {
	case m.Type > Finish:
		return nil, &MessageError{Problem: fmt.Sprintf("type %s", m.Type)}
	case m.Type == Initialize && len(m.VerifierMessage) > 0:
		return nil, &MessageError{Problem: "initialize carries no verifier message"}
	case m.Type == Finish && len(m.VerifierShare) > 0:
		return nil, &MessageError{Problem: "finish carries no verifier share"}
	case uint64(len(m.VerifierMessage)) > math.MaxUint32 || uint64(len(m.VerifierShare)) > math.MaxUint32:
		return nil, &MessageError{Problem: "a field is longer than 4294967295 bytes"}
	}
	dst = append(dst, byte(m.Type))
	if m.Type != Initialize {
		dst = appendOpaque32(dst, m.VerifierMessage)
	}
	if m.Type != Finish {
		dst = appendOpaque32(dst, m.VerifierShare)
	}
	return dst, nil
}

// DecodeMessage decodes a message strictly: an unknown type, a truncated field
// or a trailing byte is a *MessageError. The fields of the result lie in b.
func DecodeMessage(b []byte) (Message, error) {
	if len(b) == 0 {
		return Message{}, &MessageError{Problem: "empty"}
	}
	m := Message{Type: MessageType(b[0])}
	if m.Type > Finish {
		return Message{}, &MessageError{Problem: fmt.Sprintf("type %s", m.Type)}
	}
	rest, ok := b[1:], true
	if m.Type != Initialize {
		if m.VerifierMessage, rest, ok = readOpaque32(rest); !ok {
			return Message{}, &MessageError{Problem: "truncated verifier_message"}
		}
	}
	if m.Type != Finish {
		if m.VerifierShare, rest, ok = readOpaque32(rest); !ok {
			return Message{}, &MessageError{Problem: "truncated verifier_share"}
		}
	}
	if len(rest) > 0 {
		return Message{}, &MessageError{Problem: fmt.Sprintf("%d bytes after its end", len(rest))}
	}
	return m, nil
}

// appendOpaque32 appends opaque b<0..2^32-1> to dst.
func appendOpaque32(dst, b []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b)))
	return append(dst, b...)
}

// readOpaque32 reads opaque<0..2^32-1> from the front of b, and tells whether b
// holds all of it.
func readOpaque32(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n : 4+n], b[4+n:], true
}
