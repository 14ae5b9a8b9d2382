package xof

import "encoding/binary"

// Message is what one stream absorbs: a seed, a domain separation tag and a binder.
type Message struct{ Seed, DST, Binder []byte }

// size is the length in bytes of the string that TurboSHAKE128 absorbs (VDAF Section 6.2.1).
func (m *Message) size() int { return 2 + len(m.DST) + 1 + len(m.Seed) + len(m.Binder) }

// ResetShort makes each lane the stream of a message of its own, whatever was done with the lanes before,
// and without allocating; the messages' lengths may differ. They must be short: with the lengths of
// the tag and of the seed, which take three bytes, each must be shorter than a block of 168 bytes. If one is
// not, ResetShort returns false and the streams are of no use until they are reset. Else they
// are ready to be read; writing to them panics.
func (s *Stream4) ResetShort(messages *[4]Message) (short bool) {
	for k := range messages {
		if messages[k].size() >= rate || len(messages[k].Seed) > MaxSeedSize {
			return false
		}
	}
	s.sponge.reset(s.permute)
	s.reading = true
	for k := range messages {
		m, block := &messages[k], s.block[k][:0]
		block = binary.LittleEndian.AppendUint16(block, uint16(len(m.DST)))
		block = append(block, m.DST...)
		block = append(block, byte(len(m.Seed)))
		block = append(block, m.Seed...)
		block = append(block, m.Binder...)
		pad(&s.block[k], len(block))
		s.out[k].reset()
	}
	s.sponge.mix(s.blocks())
	return true
}
