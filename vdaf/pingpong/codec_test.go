package pingpong_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/internal/testvdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

func TestMessageEncoding(t *testing.T) {
	for _, test := range []struct {
		message pingpong.Message
		encoded []byte
	}{
		{pingpong.Message{Type: pingpong.Initialize, VerifierShare: []byte("ab")}, []byte{0, 0, 0, 0, 2, 'a', 'b'}},
		{pingpong.Message{Type: pingpong.Continue, VerifierMessage: []byte("c"), VerifierShare: []byte("de")}, []byte{1, 0, 0, 0, 1, 'c', 0, 0, 0, 2, 'd', 'e'}},
		{pingpong.Message{Type: pingpong.Finish, VerifierMessage: []byte{}}, []byte{2, 0, 0, 0, 0}},
	} {
		got, err := test.message.Append(nil)
		check(t, err)
		if !bytes.Equal(got, test.encoded) || test.message.Size() != len(got) {
			t.Errorf("%s: %x, %d bytes", test.message.Type, got, test.message.Size())
		}
	}
}

func drawMessage(t *rapid.T) pingpong.Message {
	m := pingpong.Message{Type: pingpong.MessageType(rapid.IntRange(0, 2).Draw(t, "type"))}
	if m.Type != pingpong.Initialize {
		m.VerifierMessage = rapid.SliceOf(rapid.Byte()).Draw(t, "message")
	}
	if m.Type != pingpong.Finish {
		m.VerifierShare = rapid.SliceOf(rapid.Byte()).Draw(t, "share")
	}
	return m
}

// TestMessageRoundTrip encodes and decodes; strict prefixes and longer messages
// do not decode.
func TestMessageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		encoded, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pingpong.DecodeMessage(encoded)
		if err != nil || got.Type != m.Type || !bytes.Equal(got.VerifierMessage, m.VerifierMessage) || !bytes.Equal(got.VerifierShare, m.VerifierShare) {
			t.Fatalf("decoded %v, %v", got, err)
		}
		var e *pingpong.MessageError
		for n := range encoded {
			if _, err := pingpong.DecodeMessage(encoded[:n]); !errors.As(err, &e) {
				t.Fatalf("the first %d bytes: error %v", n, err)
			}
		}
		if _, err := pingpong.DecodeMessage(append(encoded, rapid.Byte().Draw(t, "more"))); !errors.As(err, &e) {
			t.Fatalf("with a byte more: error %v", err)
		}
		for kind := 3; kind < 256; kind++ {
			encoded[0] = byte(kind)
			if _, err := pingpong.DecodeMessage(encoded); !errors.As(err, &e) {
				t.Fatalf("type %d: error %v", kind, err)
			}
		}
	})
}

func TestMessagesThatCannotBe(t *testing.T) {
	for i, m := range []pingpong.Message{
		{Type: 3}, {Type: pingpong.Initialize, VerifierMessage: []byte{1}}, {Type: pingpong.Finish, VerifierShare: []byte{1}},
	} {
		if _, err := m.Append(nil); err == nil {
			t.Errorf("%d encodes", i)
		}
	}
}

// TestStoredStateIsStrict decodes each strict prefix of stored states, longer
// ones, and those of the other aggregator, another parameter and another VDAF.
func TestStoredStateIsStrict(t *testing.T) {
	for _, rounds := range []int{1, 3} {
		e := newExchange(t, rounds)
		leader, helper := e.init(5)
		for isLeader, s := range map[bool]pingpong.State{true: leader[0], false: helper[0]} {
			encoded, err := e.topo.EncodeState(s)
			check(t, err)
			if _, err := e.topo.DecodeState(isLeader, e.param, encoded); err != nil {
				t.Fatal(err)
			}
			for n := range encoded {
				if _, err := e.topo.DecodeState(isLeader, e.param, encoded[:n]); err == nil {
					t.Errorf("the first %d bytes of %v decode", n, s)
				}
			}
			for what, wrong := range map[string][]byte{
				"a byte more":      append(bytes.Clone(encoded), 0),
				"another version":  set(encoded, 0, 9),
				"another kind":     set(encoded, 1, byte(pingpong.Finished)),
				"no kind":          set(encoded, 1, 0),
				"another round":    set(encoded, 5, 4),
				"a large round":    set(encoded, 2, 0xff),
				"a broken message": set(encoded, 10, 3),
				"another message":  set(encoded, 10, otherType(encoded[10])),
				"the peer's round": set(encoded, 5, encoded[5]^1),
			} {
				if got, err := e.topo.DecodeState(isLeader, e.param, wrong); err == nil {
					t.Errorf("%v with %s decodes to %v", s, what, got)
				}
			}
			if _, err := e.topo.DecodeState(isLeader, testvdaf.EncodeAggParam(9), encoded); err == nil {
				t.Errorf("%v decodes with another aggregation parameter", s)
			}
			if s.Kind == pingpong.Continued {
				if _, err := e.topo.DecodeState(!isLeader, e.param, encoded); err == nil {
					t.Errorf("%v decodes at the other aggregator", s)
				}
			}
		}
	}
}

// otherType returns a message type other than t: initialize and finish, which
// have the same layout, for each other.
func otherType(t byte) byte {
	if t == byte(pingpong.Initialize) {
		return byte(pingpong.Finish)
	}
	return byte(pingpong.Initialize)
}

// set returns a copy of b with one byte changed.
func set(b []byte, at int, to byte) []byte {
	b = bytes.Clone(b)
	b[at] = to
	return b
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 'a', 'b'})
	f.Add([]byte{1, 0, 0, 0, 1, 'c', 0, 0, 0, 2, 'd', 'e'})
	f.Add([]byte{2, 0, 0, 0, 0})
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, b []byte) {
		m, err := pingpong.DecodeMessage(b)
		if err != nil {
			return
		}
		if again, err := m.Append(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x decodes and encodes to %x, %v", b, again, err)
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	e := newExchange(f, 3)
	leader, helper := e.init(5)
	finished := newExchange(f, 1)
	_, last := finished.init(5)
	for _, s := range []pingpong.State{leader[0], helper[0]} {
		encoded, err := e.topo.EncodeState(s)
		check(f, err)
		f.Add(true, encoded)
		f.Add(false, encoded)
	}
	encoded, err := finished.topo.EncodeState(last[0])
	check(f, err)
	f.Add(false, encoded)
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, leader bool, b []byte) {
		s, err := e.topo.DecodeState(leader, e.param, b)
		if err != nil {
			return
		}
		if again, err := e.topo.EncodeState(s); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x decodes and encodes to %x, %v", b, again, err)
		}
	})
}
