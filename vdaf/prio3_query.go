package vdaf

import (
	"github.com/twofold-dap/twofold/flp"
	"github.com/twofold-dap/twofold/xof"
)

// The last part of VerifyInit: the queries of the proofs in the lanes, the output
// shares and the verifier shares.

// beginQueries begins the queries of all the proofs in a lane.
func (b *initBatch[E]) beginQueries(queries []*flp.Query[E], lane int) {
	p, w := b.p, b.w
	for j, q := range queries {
		q.Begin(w.flp,
			part(w.proofs[lane], j, p.flp.ProofLen()),
			part(w.queryRands[lane], j, p.flp.QueryRandLen()),
			part(w.jointRands[lane], j, p.flp.JointRandLen()),
			p.shares)
	}
}

// addBlock gives a block of the measurement share to the queries and the output
// share, if that is not to be expanded from its seed.
func (b *initBatch[E]) addBlock(queries []*flp.Query[E], outShare []E, offset int, block []E) {
	for _, q := range queries {
		q.Add(block)
	}
	if outShare != nil && !b.measInResult {
		b.p.flp.AddTruncated(outShare, offset, block)
	}
}

// outShare is the vector of the output share of the report in a lane, or nil.
func (b *initBatch[E]) outShare(lane int) []E {
	n := b.p.flp.OutputLen()
	switch {
	case b.measInResult:
		return b.meas[lane][:n:n]
	case b.vectors == nil:
		return nil
	}
	return part(b.vectors, b.done+lane, n)
}

// queryLane queries the proofs in a lane, with a Leader's measurement share that is decoded, or a
// helper's that has been expanded into b.meas, a block at a time.
func (b *initBatch[E]) queryLane(lane int) error {
	p := b.p
	if !p.flp.InBlocks() {
		return b.queryWhole(lane)
	}
	queries, outShare := b.w.queries[0], b.outShare(lane)
	b.beginQueries(queries, lane)
	for offset := 0; offset < p.flp.MeasLen(); {
		length := min(p.blockLen(), p.flp.MeasLen()-offset)
		block, err := b.block(lane, offset, length)
		if err != nil {
			return err
		}
		b.addBlock(queries, outShare, offset, block)
		offset += length
	}
	return b.finish(queries, lane)
}

// queryWhole is queryLane where the measurement does not come in blocks.
func (b *initBatch[E]) queryWhole(lane int) error {
	p, w := b.p, b.w
	meas, err := b.block(lane, 0, p.flp.MeasLen())
	if err != nil {
		return err
	}
	for j := range p.proofs {
		if err := p.flp.Query(w.flp, part(w.verifiers, j, p.flp.VerifierLen()), meas,
			part(w.proofs[lane], j, p.flp.ProofLen()),
			part(w.queryRands[lane], j, p.flp.QueryRandLen()),
			part(w.jointRands[lane], j, p.flp.JointRandLen()),
			p.shares); err != nil {
			return err
		}
	}
	if !b.measInResult {
		p.flp.Circuit().Truncate(b.outShare(lane), meas)
	}
	b.makeResult(lane)
	return nil
}

// block returns a block of the measurement share in a lane. The Leader's is decoded.
func (b *initBatch[E]) block(lane, offset, length int) ([]E, error) {
	p, block := b.p, b.w.block
	if b.meas[lane] != nil {
		block = b.meas[lane][offset:]
	}
	block = block[:length]
	if b.aggID > 0 {
		return block, nil
	}
	encoded := b.reports[b.lanes[lane]].InputShare[offset*p.sizes.element:][:length*p.sizes.element]
	return block, p.decodeVec("input share", block, encoded)
}

// queryStreamed queries the proofs in all the lanes, with helpers' measurement shares that
// are expanded once more.
func (b *initBatch[E]) queryStreamed() {
	w := b.w
	for lane := range b.n {
		b.beginQueries(w.queries[lane], lane)
	}
	b.expandMeasurements(b.reuseBlocks, func(offset int) {
		for lane := range b.n {
			b.addBlock(w.queries[lane], b.outShare(lane), offset, b.blocks[lane])
		}
	})
	for lane := range b.n {
		if err := b.finish(w.queries[lane], lane); err != nil {
			b.results[b.lanes[lane]].Err = err
		}
	}
}

// finish ends the queries of a lane and makes the report's result.
func (b *initBatch[E]) finish(queries []*flp.Query[E], lane int) error {
	for j, q := range queries {
		if err := q.Finish(part(b.w.verifiers, j, b.p.flp.VerifierLen())); err != nil {
			return err
		}
	}
	b.makeResult(lane)
	return nil
}

// makeResult makes the result of the report in a lane, of the verifier shares in w.verifiers.
func (b *initBatch[E]) makeResult(lane int) {
	p, w, i := b.p, b.w, b.lanes[lane]
	state := b.state(lane)
	state.aggID = b.aggID
	state.outShare.vector = b.outShare(lane)
	if state.outShare.vector == nil {
		state.outShare.seed = newOutShareSeed(b.aggID, b.reports[i].InputShare[:xof.SeedSize], w.tags.of(usageMeasShare))
	}
	share := p.field.EncodeVec(part(b.verifierShares, b.done+lane, p.sizes.verifierShare)[:0], w.verifiers)
	if p.hasJointRand() {
		share = append(share, b.parts[lane][:]...)
	}
	b.results[i].State, b.results[i].VerifierShare = state, share
}
