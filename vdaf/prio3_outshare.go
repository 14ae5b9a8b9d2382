package vdaf

import (
	"bytes"

	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/xof"
)

// prio3OutShare is an output share: a vector or, of a helper and where that vector would be
// large, the seed that the helper's measurement share, and so the vector, is expanded from.
type prio3OutShare[E field.Elem] struct {
	Redacted
	vector []E
	seed   *outShareSeed // if vector is nil
}

// outShareSeed is what a helper's measurement share is expanded from. It is immutable.
type outShareSeed struct {
	Redacted
	aggID int
	seed  xof.Seed
	tag   []byte // the domain separation tag
}

// seedsForOutShares tells whether an aggregator keeps seeds instead of output shares.
func (p *Prio3[E]) seedsForOutShares(aggID int) bool {
	return aggID > 0 && !p.held() && p.sizes.outShare > p.limits.outShare
}

func newOutShareSeed(aggID int, seed, tag []byte) *outShareSeed {
	return &outShareSeed{aggID: aggID, seed: xof.Seed(seed), tag: bytes.Clone(tag)}
}

// addOutShares adds output shares to sum. Those that are seeds are expanded side by
// side, a block at a time.
func (p *Prio3[E]) addOutShares(sum []E, shares []*prio3OutShare[E]) {
	var waiting []*outShareSeed
	for _, s := range shares {
		if s.seed == nil {
			p.field.AddVec(sum, sum, s.vector)
			continue
		}
		// Lanes have the domain separation tag in common.
		if len(waiting) == laneCount || len(waiting) > 0 && !bytes.Equal(waiting[0].tag, s.seed.tag) {
			p.expandOutShares(sum, waiting)
			waiting = waiting[:0]
		}
		waiting = append(waiting, s.seed)
	}
	if len(waiting) > 0 {
		p.expandOutShares(sum, waiting)
	}
}

// expandOutShares adds to sum the output shares that up to four seeds with the same tag
// expand into.
func (p *Prio3[E]) expandOutShares(sum []E, seeds []*outShareSeed) {
	w := p.workspaces.Get().(*prio3Workspace[E])
	defer p.workspaces.Put(w)
	n := len(seeds)
	binders := w.binders
	var shareSeeds [laneCount][]byte
	for k, s := range seeds {
		reserveVec(&w.blocks[k], p.blockLen())
		binders[k] = append(binders[k][:0], byte(s.aggID))
		shareSeeds[k] = s.seed[:]
	}
	w.stream.start(n, &shareSeeds, seeds[0].tag, &binders)
	for offset := 0; offset < p.flp.MeasLen(); {
		length := min(p.blockLen(), p.flp.MeasLen()-offset)
		blocks := lanesFrom(&w.blocks, n, 0, length)
		readVec(&w.stream, p.field, &blocks)
		for k := range n {
			p.flp.AddTruncated(sum, offset, blocks[k])
		}
		offset += length
	}
}

// encode appends the encoding of the output share's vector.
func (s *prio3OutShare[E]) encode(p *Prio3[E], dst []byte) []byte {
	vector := s.vector
	if s.seed != nil {
		vector = make([]E, p.flp.OutputLen())
		p.addOutShares(vector, []*prio3OutShare[E]{s})
	}
	return p.field.EncodeVec(dst, vector)
}

// isOf tells whether the output share is one of p's.
func (s *prio3OutShare[E]) isOf(p *Prio3[E]) bool {
	if s.seed != nil {
		return p.seedsForOutShares(s.seed.aggID) && p.isMeasShareTag(s.seed.tag)
	}
	return len(s.vector) == p.flp.OutputLen()
}

// isMeasShareTag tells whether a domain separation tag is that of p's measurement
// shares in some application context.
func (p *Prio3[E]) isMeasShareTag(tag []byte) bool {
	prefix := xof.FormatDST(classVDAF, p.id, usageMeasShare)
	return bytes.HasPrefix(tag, prefix[:]) && len(tag) <= xof.MaxDSTSize
}
