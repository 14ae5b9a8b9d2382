package xof

// Message is what one stream absorbs: a seed, a domain separation tag and a binder.
type Message struct{ Seed, DST, Binder []byte }

// size is the length in bytes of the string that TurboSHAKE128 absorbs (VDAF Section 6.2.1).
func (m *Message) size() int { return headSize(len(m.Seed), len(m.DST)) + len(m.Binder) }

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
	s.ended, s.reading, s.inSponge = true, false, false
	for k := range messages {
		m := &messages[k]
		message := append(appendHead(s.block[k][:0], m.Seed, m.DST), m.Binder...)
		pad(&s.block[k], len(message))
		s.out[k].reset()
	}
	return true
}
