package vdaf

import "github.com/twofold-dap/twofold/xof"

// The auxiliary functions of VDAF Section 7.2.6, over up to four lanes of a
// workspace. Each lane is one report of a batch, or one aggregator's share of
// one report.

// prio3Tags are the domain separation tags of one application context, one after
// the other.
type prio3Tags struct {
	bytes []byte
	each  int // the length of one
}

// usages is how many usages there are; they count from 1.
const usages = int(usageJointRandPart)

// set makes the tags those of the application context ctx (domain_separation_tag of VDAF
// Section 5).
func (t *prio3Tags) set(algorithm uint32, ctx []byte) {
	t.bytes, t.each = t.bytes[:0], xof.DSTPrefixSize+len(ctx)
	for usage := range usages {
		prefix := xof.FormatDST(classVDAF, algorithm, uint16(usage+1))
		t.bytes = append(append(t.bytes, prefix[:]...), ctx...)
	}
}

// of returns the tag of a usage.
func (t *prio3Tags) of(usage uint16) []byte { return part(t.bytes, int(usage)-1, t.each) }

// startMeasShares starts the streams that n helpers' seeds expand into measurement
// shares with (helper_meas_share).
func (p *Prio3[E]) startMeasShares(w *prio3Workspace[E], n int, aggIDs *[laneCount]int, seeds *[laneCount][]byte) {
	for k := range n {
		w.binders[k] = append(w.binders[k][:0], byte(aggIDs[k]))
	}
	w.stream.start(n, seeds, w.tags.of(usageMeasShare), &w.binders)
}

// helperProofsShares expands n helpers' seeds into w.proofs
// (helper_proofs_share).
func (p *Prio3[E]) helperProofsShares(w *prio3Workspace[E], n int, aggIDs *[laneCount]int, seeds *[laneCount][]byte) {
	for k := range n {
		w.binders[k] = append(w.binders[k][:0], byte(p.proofs), byte(aggIDs[k]))
	}
	w.stream.start(n, seeds, w.tags.of(usageProofShare), &w.binders)
	readVec(&w.stream, p.field, &w.proofs)
}

// startJointRandParts starts the streams in w.parts that derive the joint randomness parts of n
// shares of measurements (joint_rand_part). They are to absorb the encoded
// shares, and then give the parts.
func (p *Prio3[E]) startJointRandParts(w *prio3Workspace[E], n int, aggIDs *[laneCount]int, blinds, nonces *[laneCount][]byte) {
	for k := range n {
		w.binders[k] = append(append(w.binders[k][:0], byte(aggIDs[k])), nonces[k]...)
	}
	w.parts.start(n, blinds, w.tags.of(usageJointRandPart), &w.binders)
}

// jointRandSeeds derives into w.seeds the joint randomness seeds of n lists of
// parts (joint_rand_seed), which w.binders holds.
func (p *Prio3[E]) jointRandSeeds(w *prio3Workspace[E], n int) {
	w.stream.start(n, sameLanes(zeroSeed[:]), w.tags.of(usageJointRandSeed), &w.binders)
	w.stream.readSeeds(&w.seeds)
}

var zeroSeed [xof.SeedSize]byte

// expandJointRands expands the n seeds in w.seeds into w.jointRands
// (joint_rands).
func (p *Prio3[E]) expandJointRands(w *prio3Workspace[E], n int) {
	for k := range n {
		w.binders[k] = append(w.binders[k][:0], byte(p.proofs))
	}
	w.stream.start(n, w.seedLanes(), w.tags.of(usageJointRandomness), &w.binders)
	readVec(&w.stream, p.field, &w.jointRands)
}

// expandQueryRands derives w.queryRands for n nonces (query_rands).
func (p *Prio3[E]) expandQueryRands(w *prio3Workspace[E], n int, verifyKey []byte, nonces *[laneCount][]byte) {
	for k := range n {
		w.binders[k] = append(append(w.binders[k][:0], byte(p.proofs)), nonces[k]...)
	}
	w.stream.start(n, sameLanes(verifyKey), w.tags.of(usageQueryRandomness), &w.binders)
	readVec(&w.stream, p.field, &w.queryRands)
}

// expandProveRands derives w.proveRands, the prover randomness of all proofs
// (prove_rands).
func (p *Prio3[E]) expandProveRands(w *prio3Workspace[E], seed []byte) {
	w.binders[0] = append(w.binders[0][:0], byte(p.proofs))
	w.stream.start(1, sameLanes(seed), w.tags.of(usageProveRandomness), &w.binders)
	readVec(&w.stream, p.field, &[laneCount][]E{w.proveRands})
}

// togetherMost is up to how many bytes what a client expands from its seeds is expanded side by
// side. Where one of them is much longer than the others it is faster by itself.
const togetherMost = 2 << 10

// expandTogether expands what a client needs from its seeds for one helper, if that is little: the helper's measurement share into
// w.blocks[0], the prover randomness into w.proveRands, and the helper's share of the proofs into w.proofs[0]. It
// tells whether it did.
func (p *Prio3[E]) expandTogether(w *prio3Workspace[E], helper int, shareSeed, proveSeed []byte) bool {
	if p.sizes.meas > togetherMost || p.flp.MeasLen() > p.blockLen() || p.flp.ProofLen()*p.proofs*p.sizes.element > togetherMost {
		return false
	}
	w.binders[0] = append(w.binders[0][:0], byte(helper))
	w.binders[1] = append(w.binders[1][:0], byte(p.proofs))
	w.binders[2] = append(w.binders[2][:0], byte(p.proofs), byte(helper))
	if !w.stream.startShort(3, &[laneCount]xof.Message{
		{Seed: shareSeed, DST: w.tags.of(usageMeasShare), Binder: w.binders[0]},
		{Seed: proveSeed, DST: w.tags.of(usageProveRandomness), Binder: w.binders[1]},
		{Seed: shareSeed, DST: w.tags.of(usageProofShare), Binder: w.binders[2]},
	}) {
		return false
	}
	readVec(&w.stream, p.field, &[laneCount][]E{w.blocks[0][:p.flp.MeasLen()], w.proveRands, w.proofs[0]})
	return true
}
