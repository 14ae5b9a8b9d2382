package flp

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
)

// Query is a query (VDAF Section 7.3.4) of one share of a measurement and of a
// proof in progress: [Query.Begin], the share of the measurement in as many
// calls to [Query.Add] as the caller likes, [Query.Finish]. Where
// [FLP.InBlocks] says so, what has been added need not be kept, and a query takes memory for about
// two proofs; otherwise it keeps a copy of the measurement share.
//
// It is made by [FLP.NewQuery]; one goroutine at a time may use it. It holds secrets.
type Query[E field.Elem] struct {
	p         *FLP[E]
	queryRand []E
	bits      bitQuery[E] // if InBlocks

	// Otherwise all that Query is given.
	ws                     *Workspace[E]
	meas, proof, jointRand []E
	shares                 int
}

// Format prints a placeholder for every verb.
func (*Query[E]) Format(f fmt.State, _ rune) { redact(f) }

// NewQuery returns a query that is to begin.
func (p *FLP[E]) NewQuery() *Query[E] {
	q := &Query[E]{p: p}
	if p.bits != nil {
		q.bits = newBitQuery(p)
	}
	return q
}

// InBlocks tells whether a query can forget what was added of the measurement.
func (p *FLP[E]) InBlocks() bool { return p.bits != nil }

// BlockLen is how many elements of the measurement are best added to a query at
// a time, MeasLen at most. Other numbers are as right and slower.
func (p *FLP[E]) BlockLen() int {
	if p.bits == nil {
		return p.measLen
	}
	const least, most = 1 << 10, 1 << 13
	chunk := p.bits.bits().chunkLength
	rows := max(16, least/chunk/16*16)
	if rows*chunk > most {
		rows = max(1, most/chunk)
	}
	return min(rows*chunk, most, p.measLen)
}

// Query sets verifier to the share of the verifier message that follows from a
// share of an encoded measurement and a share of its proof (VDAF Section 7.3.4);
// shares is how many there are, 1 if the measurement is not shared. The lengths
// are VerifierLen, MeasLen, ProofLen, QueryRandLen and JointRandLen; others
// panic. The only error is ErrTestPoint.
func (p *FLP[E]) Query(ws *Workspace[E], verifier, meas, proof, queryRand, jointRand []E, shares int) error {
	mustLen("verifier", verifier, p.verifierLen)
	mustLen("meas", meas, p.measLen)
	if p.bits == nil {
		return p.queryWhole(ws, verifier, meas, proof, queryRand, jointRand, shares)
	}
	q := ws.query
	q.Begin(ws, proof, queryRand, jointRand, shares)
	q.Add(meas)
	return q.Finish(verifier)
}

// Begin starts the query. The lengths are ProofLen, QueryRandLen and
// JointRandLen; others panic. queryRand, jointRand and, unless InBlocks, proof
// and the workspace must not change until Finish.
func (q *Query[E]) Begin(ws *Workspace[E], proof, queryRand, jointRand []E, shares int) {
	mustLen("proof", proof, q.p.proofLen)
	mustLen("query_rand", queryRand, q.p.queryRandLen)
	mustLen("joint_rand", jointRand, q.p.jointRandLen)
	q.queryRand = queryRand
	if q.p.bits == nil {
		q.ws, q.meas, q.proof, q.jointRand, q.shares = ws, q.meas[:0], proof, jointRand, shares
		return
	}
	ws.begin(q.p, shares)
	q.bits.begin(q.p, ws, proof, queryRand[q.p.queryRandLen-1], jointRand)
}

// Add takes the next elements of the measurement share. Those of all the calls
// must be MeasLen together; more panic.
func (q *Query[E]) Add(block []E) {
	if q.p.bits == nil {
		q.meas = append(q.meas, block...)
		return
	}
	if length := q.bits.offset + len(block); length > q.p.measLen {
		mustHave("meas", length, q.p.measLen)
	}
	q.bits.add(q.p, block)
}

// Finish sets verifier, of VerifierLen elements, to the share of the verifier
// message. Another length, and a measurement share of which elements are missing, panic.
// The only error is ErrTestPoint.
func (q *Query[E]) Finish(verifier []E) error {
	mustLen("verifier", verifier, q.p.verifierLen)
	if q.p.bits == nil {
		mustLen("meas", q.meas, q.p.measLen)
		return q.p.queryWhole(q.ws, verifier, q.meas, q.proof, q.queryRand, q.jointRand, q.shares)
	}
	mustHave("meas", q.bits.offset, q.p.measLen)
	if q.bits.isTestPoint {
		return ErrTestPoint
	}
	q.p.reduceOutputs(verifier, q.bits.outputs, q.queryRand)
	q.bits.finish(verifier)
	return nil
}

// queryWhole is Query for a circuit whose measurement does not come in blocks.
func (p *FLP[E]) queryWhole(ws *Workspace[E], verifier, meas, proof, queryRand, jointRand []E, shares int) error {
	mustLen("proof", proof, p.proofLen)
	mustLen("query_rand", queryRand, p.queryRandLen)
	mustLen("joint_rand", jointRand, p.jointRandLen)
	if p.count != nil {
		return p.count.query(ws, verifier, meas[0], proof, queryRand[0])
	}
	ws.begin(p, shares)
	for i := range ws.runs {
		r := &ws.runs[i]
		r.setSeeds(proof[:r.info.arity])
		proof = proof[r.info.arity:]
		copy(r.poly, proof[:r.info.gadgetPolyLen])
		p.field.ExtendToPowerOf2(r.poly, r.info.gadgetPolyLen)
		proof = proof[r.info.gadgetPolyLen:]
	}
	points := p.reduceOutputs(verifier, p.evaluate(ws, meas, jointRand, false), queryRand)
	verifier = verifier[1:]
	for i := range ws.runs {
		r := &ws.runs[i]
		if p.isTestPoint(r.info, points[i]) {
			return ErrTestPoint
		}
		p.gadgetTest(ws, r, verifier[:r.info.arity+1], points[i])
		verifier = verifier[r.info.arity+1:]
	}
	return nil
}

// reduceOutputs sets verifier[0] to the circuit's output, reduced to one element
// if it has more, and returns what is left of the query randomness: the gadgets'
// test points.
func (p *FLP[E]) reduceOutputs(verifier, outputs, queryRand []E) []E {
	if p.evalOutputLen == 1 {
		verifier[0] = outputs[0]
		return queryRand
	}
	verifier[0] = p.field.InnerProduct(queryRand[:p.evalOutputLen], outputs)
	return queryRand[p.evalOutputLen:]
}

// isTestPoint tells whether a gadget's wire polynomials encode the measurement
// at t.
func (p *FLP[E]) isTestPoint(g *gadgetInfo[E], t E) bool {
	f := p.field
	return f.Equal(f.Pow(t, uint64(g.wirePolyLen)), f.FromUint64(1)) == 1
}

// gadgetTest sets dst to a gadget's wire checks, the wire polynomials evaluated
// at t, followed by its gadget check, the gadget polynomial evaluated at t.
func (p *FLP[E]) gadgetTest(ws *Workspace[E], r *gadgetRun[E], dst []E, t E) {
	mark := ws.scratch.Mark()
	defer ws.scratch.Release(mark)
	checks := ws.scratch.Take(r.info.arity)

	// Of the p evaluations of a wire polynomial those after the last call are zero.
	coeffs := ws.coeffs[:r.info.wirePolyLen]
	p.field.LagrangeCoefficients(coeffs, t)
	p.field.CombineRows(checks, coeffs[:1+r.info.calls], r.wires)
	for i, index := range r.order {
		dst[index] = checks[i]
	}

	coeffs = ws.coeffs[:r.info.polyLen]
	p.field.LagrangeCoefficients(coeffs, t)
	dst[r.info.arity] = p.field.InnerProduct(coeffs, r.poly)
}
