package vdaf

import (
	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
	"github.com/twofold-dap/twofold/xof"
)

// prio3Limits say what is held in memory.
type prio3Limits struct {
	// meas is the largest length of a measurement, in bytes, up to which a helper's share of it
	// is expanded once and held while it is verified. A larger one is expanded twice, a block at a time.
	meas int
	// outShare is the length in bytes above which a helper keeps the seed of an output share
	// instead, if its measurement share is not held.
	outShare int
}

// defaultLimits have each of four measurement shares fit a last-level cache.
var defaultLimits = prio3Limits{meas: 2 << 20, outShare: 1 << 20}

// prio3Workspace is the working memory for verifying four reports side by
// side, or for sharding one. It holds secrets. One goroutine at a time uses
// it.
type prio3Workspace[E field.Elem] struct {
	flp     *flp.Workspace[E]
	queries [laneCount][]*flp.Query[E] // of a lane's proofs
	tags    prio3Tags
	stream  laneStreams
	parts   laneStreams // for joint randomness parts, while stream expands what they bind

	meas   [laneCount][]E // measurement shares that are held, unless in the results
	blocks [laneCount][]E // blocks of measurement shares that are not
	block  []E            // a block of the Leader's

	proofs, jointRands, queryRands [laneCount][]E
	verifiers                      []E // of all proofs
	share                          []E // of the verifiers, when they are added up

	// Of sharding.
	encoded    []E // the measurement
	proof      []E // of all proofs
	proveRands []E

	seeds   [laneCount][xof.SeedSize]byte
	binders [laneCount][]byte // room for them; what they are is not kept here
}

func newPrio3Workspace[E field.Elem](p *Prio3[E]) *prio3Workspace[E] {
	w := &prio3Workspace[E]{
		flp:       p.flp.NewWorkspace(),
		verifiers: make([]E, p.flp.VerifierLen()*p.proofs),
		share:     make([]E, p.flp.VerifierLen()*p.proofs),
	}
	for k := range laneCount {
		w.jointRands[k] = make([]E, p.flp.JointRandLen()*p.proofs)
		w.queryRands[k] = make([]E, p.flp.QueryRandLen()*p.proofs)
		w.binders[k] = make([]byte, 0, max(64, p.sizes.publicShare))
	}
	return w
}

// blockLen is how many elements of a measurement are worked on at a time.
func (p *Prio3[E]) blockLen() int { return p.flp.BlockLen() }

// held tells whether helpers' measurement shares are kept while they are verified.
func (p *Prio3[E]) held() bool { return !p.flp.InBlocks() || p.sizes.meas <= p.limits.meas }

// measInResult tells whether an aggregator's measurement shares are held in the memory of its results,
// whose output shares are the start of them.
func (p *Prio3[E]) measInResult(aggID int) bool {
	return p.flp.OutputIsStart() && (aggID == 0 || p.held())
}

// WorkspaceSize is about how many bytes of memory VerifyInit works in for a batch of n reports,
// beside the reports and the results. It lets a caller estimate what a batch takes.
func (p *Prio3[E]) WorkspaceSize(n int) int {
	proofs := p.flp.ProofLen() * p.proofs
	// Both aggregators' blocks, a share of the proofs, what is derived for them, and the queries.
	lane := p.blockLen() + 2*proofs + (p.flp.JointRandLen()+p.flp.QueryRandLen()+2*p.flp.VerifierLen())*p.proofs
	if p.held() && !p.measInResult(1) {
		lane += p.flp.MeasLen()
	}
	// The gadget polynomials and their coefficients, and a measurement's wires.
	fixed := p.blockLen() + 4*proofs
	if !p.flp.InBlocks() {
		fixed += 3 * p.flp.MeasLen()
	}
	return p.sizes.element * (fixed + min(n, laneCount)*lane)
}

// reserve makes the first n lanes ready for verification as an aggregator. That
// is the bulk of the memory: a batch of one takes a quarter of a full one's.
func (w *prio3Workspace[E]) reserve(p *Prio3[E], n, aggID int) {
	w.reserveProofs(p, n)
	streamed := aggID > 0 && !p.held()
	for k := range n {
		// Where lanes are worked on one after the other they share the first one's queries.
		if p.flp.InBlocks() && (k == 0 || streamed) {
			for len(w.queries[k]) < p.proofs {
				w.queries[k] = append(w.queries[k], p.flp.NewQuery())
			}
		}
		switch {
		case aggID == 0, p.measInResult(aggID):
		case streamed:
			reserveVec(&w.blocks[k], p.blockLen())
		default:
			reserveVec(&w.meas[k], p.flp.MeasLen())
		}
	}
	if aggID == 0 && !p.measInResult(aggID) {
		reserveVec(&w.block, p.blockLen())
	}
}

// reserveProofs makes the first n lanes ready for shares of proofs.
func (w *prio3Workspace[E]) reserveProofs(p *Prio3[E], n int) {
	for k := range n {
		reserveVec(&w.proofs[k], p.flp.ProofLen()*p.proofs)
	}
}

// reserveSharding makes the workspace ready for sharding, with n helpers at a
// time.
func (w *prio3Workspace[E]) reserveSharding(p *Prio3[E], n int) {
	w.reserveProofs(p, n)
	for k := range n {
		reserveVec(&w.blocks[k], p.blockLen())
	}
	reserveVec(&w.block, p.blockLen())
	reserveVec(&w.proof, p.flp.ProofLen()*p.proofs)
	reserveVec(&w.proveRands, p.flp.ProveRandLen()*p.proofs)
}

// reserveVec makes a vector that is not there yet.
func reserveVec[E field.Elem](v *[]E, n int) {
	if *v == nil {
		*v = make([]E, n)
	}
}

// seedLanes returns the seeds that were read last.
func (w *prio3Workspace[E]) seedLanes() *[laneCount][]byte {
	return &[laneCount][]byte{w.seeds[0][:], w.seeds[1][:], w.seeds[2][:], w.seeds[3][:]}
}
