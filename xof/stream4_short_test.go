package xof

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestShortMessages compares four short messages of unequal lengths with streams of their own, and
// finds out that a message is too long.
func TestShortMessages(t *testing.T) {
	everyWay(t, func(t *testing.T, how permutation) {
		four := &Stream4{permute: how}
		rapid.Check(t, func(r *rapid.T) {
			var messages [4]Message
			short := true
			for k := range messages {
				m := &messages[k]
				m.Seed = rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(r, "seed")
				m.DST = rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(r, "dst")
				m.Binder = rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(r, "binder")
				short = short && 3+len(m.Seed)+len(m.DST)+len(m.Binder) < rate
			}
			if got := four.ResetShort(&messages); got != short {
				r.Fatalf("got %t, want %t", got, short)
			}
			if !short {
				return
			}
			var got [4][]byte
			for k := range got {
				got[k] = make([]byte, rapid.IntRange(0, 3*rate).Draw(r, "length"))
			}
			four.Read4(got)
			for k, m := range messages {
				one, err := New(m.Seed, m.DST)
				if err != nil {
					r.Fatal(err)
				}
				one.Write(m.Binder)
				want := make([]byte, len(got[k]))
				one.Read(want)
				if !bytes.Equal(got[k], want) {
					r.Fatalf("lane %d: another output", k)
				}
			}
		})
	})
}

// TestShortMessageLimits tries messages of 167 and of 168 bytes, and one whose seed is too long for its length's byte.
func TestShortMessageLimits(t *testing.T) {
	for _, c := range []struct {
		seed, dst, binder int
		short             bool
	}{{32, 8, 124, true}, {32, 8, 125, false}, {164, 0, 0, true}, {165, 0, 0, false}, {256, 0, 0, false}, {0, 0, 0, true}} {
		m := Message{Seed: make([]byte, c.seed), DST: make([]byte, c.dst), Binder: make([]byte, c.binder)}
		if got := new(Stream4).ResetShort(&[4]Message{m, m, m, m}); got != c.short {
			t.Errorf("%+v: got %t", c, got)
		}
	}
}
