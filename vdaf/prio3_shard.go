package vdaf

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/xof"
)

// shard encodes a measurement with the circuit's Encode and shards it.
func shard[E field.Elem, M any](p *Prio3[E], encode func([]E, M) error, ctx []byte, measurement M, nonce, rand []byte) ([]byte, [][]byte, error) {
	w := p.workspaces.Get().(*prio3Workspace[E])
	defer p.workspaces.Put(w)
	reserveVec(&w.encoded, p.flp.MeasLen())
	if err := encode(w.encoded, measurement); err != nil {
		return nil, nil, namedError(p.name, err)
	}
	return p.shardIn(w, ctx, w.encoded, nonce, rand)
}

// ShardEncoded shards a measurement that is encoded already (VDAF Section
// 7.2.1); its arguments are those of VDAF's Shard, and meas has the circuit's
// MEAS_LEN elements. It does not check that meas is a valid encoding: if it is
// none, aggregators reject the report.
func (p *Prio3[E]) ShardEncoded(ctx []byte, meas []E, nonce, rand []byte) (publicShare []byte, inputShares [][]byte, err error) {
	w := p.workspaces.Get().(*prio3Workspace[E])
	defer p.workspaces.Put(w)
	return p.shardIn(w, ctx, meas, nonce, rand)
}

// shardIn is ShardEncoded in a workspace.
func (p *Prio3[E]) shardIn(w *prio3Workspace[E], ctx []byte, meas []E, nonce, rand []byte) (publicShare []byte, inputShares [][]byte, err error) {
	if err := p.checkContext(ctx); err != nil {
		return nil, nil, err
	}
	if err := checkArgument("nonce", nonce, p.NonceSize()); err != nil {
		return nil, nil, err
	}
	if err := checkArgument("rand", rand, p.RandSize()); err != nil {
		return nil, nil, err
	}
	if len(meas) != p.flp.MeasLen() {
		return nil, nil, &MeasurementError{VDAF: p.name, Problem: fmt.Sprintf("has %d field elements, but must have %d", len(meas), p.flp.MeasLen())}
	}
	w.reserveSharding(p, min(p.shares-1, laneCount))
	w.tags.set(p.id, ctx)
	s := sharding[E]{p: p, w: w, meas: meas, rand: rand, nonces: *sameLanes(nonce)}
	s.allocate()
	s.expanded = p.shares == 2 && p.expandTogether(w, 1, s.shareSeed(1), s.proveSeed())
	for first := 1; first < p.shares; first += laneCount {
		s.shareMeasurement(first, min(laneCount, p.shares-first))
	}
	s.prove()
	for first := 1; first < p.shares; first += laneCount {
		s.shareProofs(first, min(laneCount, p.shares-first))
	}
	return s.publicShare, s.finish(), nil
}

// sharding is the state of ShardEncoded.
type sharding[E field.Elem] struct {
	p    *Prio3[E]
	w    *prio3Workspace[E]
	meas []E
	rand []byte

	nonces      [laneCount][]byte // the same in each lane
	publicShare []byte
	inputShares [][]byte // the Leader's is encoded as far as it is known
	expanded    bool     // the seeds are expanded already, for the one helper
}

// allocate makes room for the shares, all in one piece of memory.
func (s *sharding[E]) allocate() {
	p := s.p
	helpers := (p.shares - 1) * p.sizes.helperShare
	memory := make([]byte, p.sizes.publicShare+p.sizes.leaderShare+helpers)
	take := func(n int) []byte {
		taken := memory[:n:n]
		memory = memory[n:]
		return taken
	}
	s.publicShare = take(p.sizes.publicShare)
	s.inputShares = make([][]byte, p.shares)
	s.inputShares[0] = take(p.sizes.leaderShare)
	copy(memory, s.rand[:helpers]) // a helper's input share is its seeds, as they are in the randomness
	for j := 1; j < p.shares; j++ {
		s.inputShares[j] = take(p.sizes.helperShare)
	}
}

// The seeds that the randomness of sharding consists of: first each helper's share and, with
// joint randomness, its blind; then the Leader's blind, and the prover's seed.

func (s *sharding[E]) shareSeed(aggID int) []byte { return s.inputShares[aggID][:xof.SeedSize] }

func (s *sharding[E]) blind(aggID int) []byte {
	if aggID == 0 {
		return s.rand[(s.p.shares-1)*s.p.sizes.helperShare:][:s.p.sizes.seed]
	}
	return s.inputShares[aggID][xof.SeedSize:]
}

func (s *sharding[E]) proveSeed() []byte { return s.rand[len(s.rand)-xof.SeedSize:] }

// helpers returns the aggregator IDs of the n helpers from first, which sit in the
// first lanes, and their seeds.
func (s *sharding[E]) helpers(first, n int) (aggIDs [laneCount]int, seeds [laneCount][]byte) {
	for k := range n {
		aggIDs[k], seeds[k] = first+k, s.shareSeed(first+k)
	}
	return aggIDs, seeds
}

// shareMeasurement subtracts the measurement shares of the n helpers from first, a block at a time, and
// derives their joint randomness parts. With the last it derives the Leader's: in a
// lane that is free, or else by itself.
func (s *sharding[E]) shareMeasurement(first, n int) {
	p, w := s.p, s.w
	aggIDs, seeds := s.helpers(first, n)
	if !s.expanded {
		p.startMeasShares(w, n, &aggIDs, &seeds)
	}
	last, lanes := first+n == p.shares, n
	if last && n < laneCount {
		aggIDs[n] = 0
		lanes++
	}
	if p.hasJointRand() {
		s.startParts(lanes, &aggIDs)
	}
	for offset := 0; offset < len(s.meas); {
		length := min(p.blockLen(), len(s.meas)-offset)
		blocks := lanesFrom(&w.blocks, n, 0, length)
		if !s.expanded {
			readVec(&w.stream, p.field, &blocks)
		}
		leader := s.subtract(first == 1, offset, blocks[:n])
		if p.hasJointRand() {
			if lanes > n {
				blocks[n] = leader
			}
			absorbVec(&w.parts, p.field, &blocks)
		}
		offset += length
	}
	if !p.hasJointRand() {
		return
	}
	s.readParts(lanes, &aggIDs)
	if last && lanes == n {
		var leader [laneCount]int
		s.startParts(1, &leader)
		w.parts.absorb(&[laneCount][]byte{s.inputShares[0][:p.sizes.meas]})
		s.readParts(1, &leader)
	}
}

// subtract subtracts the blocks of helpers' measurement shares at offset from the measurement,
// if they are the first helpers', or from what others have left of it in the
// Leader's input share. It leaves the difference there, and returns it.
func (s *sharding[E]) subtract(first bool, offset int, blocks [][]E) []E {
	p, f := s.p, s.p.field
	leader := s.w.block[:len(blocks[0])]
	encoded := s.inputShares[0][offset*p.sizes.element:][:len(leader)*p.sizes.element]
	if first {
		copy(leader, s.meas[offset:])
	} else if err := f.DecodeVec(leader, encoded); err != nil {
		panic(err) // it was encoded here
	}
	for _, block := range blocks {
		f.SubVec(leader, leader, block)
	}
	f.EncodeVec(encoded[:0], leader)
	return leader
}

// startParts starts the streams of the joint randomness parts of the aggregators in n
// lanes.
func (s *sharding[E]) startParts(n int, aggIDs *[laneCount]int) {
	var blinds [laneCount][]byte
	for k := range n {
		blinds[k] = s.blind(aggIDs[k])
	}
	s.p.startJointRandParts(s.w, n, aggIDs, &blinds, &s.nonces)
}

// readParts puts the joint randomness parts into the public share.
func (s *sharding[E]) readParts(n int, aggIDs *[laneCount]int) {
	s.w.parts.readSeeds(&s.w.seeds)
	for k := range n {
		copy(s.publicShare[aggIDs[k]*xof.SeedSize:], s.w.seeds[k][:])
	}
}

// prove makes all the proofs.
func (s *sharding[E]) prove() {
	p, w := s.p, s.w
	if p.hasJointRand() {
		p.jointRandSeeds(w, 1, sameLanes(s.publicShare))
		p.expandJointRands(w, 1)
	}
	if !s.expanded {
		p.expandProveRands(w, s.proveSeed())
	}
	for i := range p.proofs {
		p.flp.Prove(w.flp,
			part(w.proof, i, p.flp.ProofLen()), s.meas,
			part(w.proveRands, i, p.flp.ProveRandLen()),
			part(w.jointRands[0], i, p.flp.JointRandLen()))
	}
}

// shareProofs subtracts the shares of the proofs of the n helpers from first.
func (s *sharding[E]) shareProofs(first, n int) {
	aggIDs, seeds := s.helpers(first, n)
	if !s.expanded {
		s.p.helperProofsShares(s.w, n, &aggIDs, &seeds)
	}
	for k := range n {
		s.p.field.SubVec(s.w.proof, s.w.proof, s.w.proofs[k])
	}
}

// finish completes the input shares (VDAF Section 7.2.7.2) and returns them.
func (s *sharding[E]) finish() [][]byte {
	p := s.p
	leader := p.field.EncodeVec(s.inputShares[0][:p.sizes.meas], s.w.proof)
	copy(leader[len(leader):cap(leader)], s.blind(0))
	return s.inputShares
}

// part returns the i-th of consecutive parts of v that have length n.
func part[E any](v []E, i, n int) []E { return v[i*n : (i+1)*n : (i+1)*n] }
