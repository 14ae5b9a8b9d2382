package vdaf_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// FuzzInstances changes one message of any kind of any instance: none panics, none but
// the right length decodes, and what is stored encodes to the same bytes.
func FuzzInstances(f *testing.F) {
	var all []instance
	var decoders []messages
	for _, c := range instances(f) {
		if c.v.Shares() == 2 {
			all, decoders = append(all, c), append(decoders, messagesOf(f, &c))
		}
	}
	if len(all) < 5 {
		f.Fatalf("there are %d instances of two aggregators", len(all))
	}
	names := make([]string, 0, len(decoders[0]))
	for name := range decoders[0] {
		names = append(names, name)
	}
	slices.Sort(names)
	for i := range byte(len(all)) {
		for n := range byte(len(names)) {
			f.Add(i, n, []byte{1, 5, 0, 9})
			f.Add(i, n, []byte{2, 0, 2, 1, 6, 0xff, 3})
		}
	}
	fuzzing.Run(f, fuzzing.Limit{Fixed: 8 << 20}, func(t testing.TB, i, n byte, script []byte) {
		s := fuzzing.NewScript(script)
		c, name := all[int(i)%len(all)], names[int(n)%len(names)]
		message := decoders[int(i)%len(all)][name]
		input := bytes.Clone(message.encoded)
		for range s.Byte() & 3 {
			input = s.EditBytes(input)
		}
		if err := message.decode(input); err == nil && len(input) != len(message.encoded) {
			t.Fatalf("%s: %s of %d bytes decodes", c.name, name, len(input))
		}
		// What a Collector gets: whatever the shares add up to, there is a result or an error.
		_ = c.compare([][]byte{input, decoders[int(i)%len(all)]["aggregate share"].encoded}, []uint64{uint64(n)})
		if state, err := c.v.DecodeState(0, nil, 0, input); err == nil {
			if again, err := c.v.AppendState(nil, state); err != nil || !bytes.Equal(again, input) {
				t.Fatalf("%s: state %x encodes to %x, %v", c.name, input, again, err)
			}
		}
		if share, err := c.v.DecodeOutShare(nil, input); err == nil {
			if again, err := c.v.AppendOutShare(nil, share); err != nil || !bytes.Equal(again, input) {
				t.Fatalf("%s: output share %x encodes to %x, %v", c.name, input, again, err)
			}
		}
	})
}
