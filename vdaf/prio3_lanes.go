package vdaf

import (
	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/xof"
)

// laneCount is how many XOF streams run side by side, and so how many reports
// are verified at a time.
const laneCount = 4

// laneStreams is XOF streams side by side: one, or up to four. It holds secrets.
type laneStreams struct {
	n    int // how many lanes are in use
	one  xof.Stream
	four xof.Stream4
}

// start starts n streams from their seeds, a common domain separation tag, and the first
// part of their binders. One lane runs alone; with more, what is left over of the four does
// what the first one does.
func (s *laneStreams) start(n int, seeds *[laneCount][]byte, dst []byte, binders *[laneCount][]byte) {
	var err error
	s.n = n
	if n == 1 {
		if err = s.one.Reset(seeds[0], dst); err == nil {
			s.one.Write(binders[0])
		}
	} else if err = s.four.Reset(fillLanes(n, seeds), dst); err == nil {
		s.four.Write4(fillLanes(n, binders))
	}
	if err != nil {
		panic(err) // the lengths of seeds and contexts have been checked
	}
}

// startShort starts n > 1 streams of short messages, whose domain separation tags may differ, and tells whether
// they are short enough.
func (s *laneStreams) startShort(n int, messages *[laneCount]xof.Message) bool {
	s.n = n
	filled := *messages
	for k := n; k < laneCount; k++ {
		filled[k] = filled[0]
	}
	return s.four.ResetShort(&filled)
}

// absorb continues the binders with bytes.
func (s *laneStreams) absorb(b *[laneCount][]byte) {
	if s.n == 1 {
		s.one.Write(b[0])
		return
	}
	s.four.Write4(fillLanes(s.n, b))
}

// absorbVec continues the binders with the encodings of vectors.
func absorbVec[E field.Elem](s *laneStreams, f field.Field[E], v *[laneCount][]E) {
	if s.n == 1 {
		xof.WriteVec(&s.one, f, v[0])
		return
	}
	xof.WriteVec4(&s.four, f, fillLanes(s.n, v))
}

// readVec fills a vector in each lane. What is left over of the
// four writes the first one's vector once more: the same elements, so that
// nothing piles up in the stream unread.
func readVec[E field.Elem](s *laneStreams, f field.Field[E], out *[laneCount][]E) {
	if s.n == 1 {
		xof.NextVec(&s.one, f, out[0])
		return
	}
	xof.NextVec4(&s.four, f, fillLanes(s.n, out))
}

// readSeeds reads a seed in each lane.
func (s *laneStreams) readSeeds(seeds *[laneCount][xof.SeedSize]byte) {
	if s.n == 1 {
		s.one.Read(seeds[0][:])
		return
	}
	var out [laneCount][]byte
	for k := range s.n {
		out[k] = seeds[k][:]
	}
	s.four.Read4(out)
}

// fillLanes makes the lanes from n onward equal to the first.
func fillLanes[T any](n int, lanes *[laneCount][]T) [laneCount][]T {
	filled := *lanes
	for k := n; k < laneCount; k++ {
		filled[k] = filled[0]
	}
	return filled
}

// lanesFrom returns the n elements from start of each lane's vector.
func lanesFrom[T any](lanes *[laneCount][]T, lanesInUse, start, n int) (parts [laneCount][]T) {
	for k := range lanesInUse {
		parts[k] = lanes[k][start : start+n]
	}
	return parts
}

// sameLanes is one byte string in every lane.
func sameLanes(b []byte) *[laneCount][]byte { return &[laneCount][]byte{b, b, b, b} }
