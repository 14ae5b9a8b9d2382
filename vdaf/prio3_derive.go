package vdaf

import (
	"bytes"

	"github.com/twofold-dap/twofold/xof"
)

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
	first := xof.FormatDST(classVDAF, algorithm, 1)
	if t.each == len(first)+len(ctx) && bytes.Equal(t.bytes[:len(first)], first[:]) && bytes.Equal(t.bytes[len(first):t.each], ctx) {
		return // they are
	}
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
	binders := w.binders
	for k := range n {
		binders[k] = append(binders[k][:0], byte(aggIDs[k]))
	}
	w.stream.start(n, seeds, w.tags.of(usageMeasShare), &binders)
}

// helperProofsShares expands n helpers' seeds into w.proofs
// (helper_proofs_share).
func (p *Prio3[E]) helperProofsShares(w *prio3Workspace[E], n int, aggIDs *[laneCount]int, seeds *[laneCount][]byte) {
	binders := w.binders
	for k := range n {
		binders[k] = append(binders[k][:0], byte(p.proofs), byte(aggIDs[k]))
	}
	w.stream.start(n, seeds, w.tags.of(usageProofShare), &binders)
	readVec(&w.stream, p.field, &w.proofs)
}

// startJointRandParts starts the streams in w.parts that derive the joint randomness parts of n
// shares of measurements (joint_rand_part). They are to absorb the encoded
// shares, and then give the parts.
func (p *Prio3[E]) startJointRandParts(w *prio3Workspace[E], n int, aggIDs *[laneCount]int, blinds, nonces *[laneCount][]byte) {
	binders := w.binders
	for k := range n {
		binders[k] = append(append(binders[k][:0], byte(aggIDs[k])), nonces[k]...)
	}
	w.parts.start(n, blinds, w.tags.of(usageJointRandPart), &binders)
}

// jointRandSeeds derives into w.seeds the joint randomness seeds of n lists of
// parts (joint_rand_seed).
func (p *Prio3[E]) jointRandSeeds(w *prio3Workspace[E], n int, parts *[laneCount][]byte) {
	w.stream.start(n, sameLanes(zeroSeed[:]), w.tags.of(usageJointRandSeed), parts)
	w.stream.readSeeds(&w.seeds)
}

var zeroSeed [xof.SeedSize]byte

// expandJointRands expands the n seeds in w.seeds into w.jointRands
// (joint_rands).
func (p *Prio3[E]) expandJointRands(w *prio3Workspace[E], n int) {
	binders := w.binders
	for k := range n {
		binders[k] = append(binders[k][:0], byte(p.proofs))
	}
	w.stream.start(n, w.seedLanes(), w.tags.of(usageJointRandomness), &binders)
	readVec(&w.stream, p.field, &w.jointRands)
}

// expandQueryRands derives w.queryRands for n nonces (query_rands).
func (p *Prio3[E]) expandQueryRands(w *prio3Workspace[E], n int, verifyKey []byte, nonces *[laneCount][]byte) {
	binders := w.binders
	for k := range n {
		binders[k] = append(append(binders[k][:0], byte(p.proofs)), nonces[k]...)
	}
	w.stream.start(n, sameLanes(verifyKey), w.tags.of(usageQueryRandomness), &binders)
	readVec(&w.stream, p.field, &w.queryRands)
}

// expandProveRands derives w.proveRands, the prover randomness of all proofs
// (prove_rands).
func (p *Prio3[E]) expandProveRands(w *prio3Workspace[E], seed []byte) {
	binders := w.binders
	binders[0] = append(binders[0][:0], byte(p.proofs))
	w.stream.start(1, sameLanes(seed), w.tags.of(usageProveRandomness), &binders)
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
	if !w.stream.startShort(3, &[laneCount]xof.Message{
		{Seed: shareSeed, DST: w.tags.of(usageMeasShare), Binder: []byte{byte(helper)}},
		{Seed: proveSeed, DST: w.tags.of(usageProveRandomness), Binder: []byte{byte(p.proofs)}},
		{Seed: shareSeed, DST: w.tags.of(usageProofShare), Binder: []byte{byte(p.proofs), byte(helper)}},
	}) {
		return false
	}
	readVec(&w.stream, p.field, &[laneCount][]E{w.blocks[0][:p.flp.MeasLen()], w.proveRands, w.proofs[0]})
	return true
}
