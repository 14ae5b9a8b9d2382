package flp

import "github.com/twofold-dap/twofold/field"

// bitQuery is a query of a bitCircuit in progress. With the wire polynomials in the
// Lagrange basis, and L_k(t) the coefficients of their evaluation at the test
// point t, the wire checks for place j of the chunks are
//
//	seed*L_0(t) + sum over chunks k of L_k(t) * r_k^j * x_kj    and
//	seed*L_0(t) + sum over chunks k of L_k(t) * (x_kj - 1/shares),
//
// sums to which each element of the measurement is added once, when it comes.
type bitQuery[E field.Elem] struct {
	first, second []E // the wire checks' sums, one for each place of a chunk
	sums          []E // both, one after the other
	weights       []E // L_k(t) for each chunk
	at            []E // L_k(t) * r_k^j, with j the last place that has come
	ratios        []E // r_k, the joint randomness
	outputs       []E // the circuit's outputs
	gadgetCheck   E
	isTestPoint   bool // the wire polynomials encode the measurement at the test point
	offset        int  // how much of the measurement has come
}

func newBitQuery[E field.Elem](p *FLP[E]) bitQuery[E] {
	c := p.bits.bits()
	elements := make([]E, 2*c.chunkLength+2*c.calls+p.evalOutputLen)
	take := func(n int) []E {
		v := elements[:n:n]
		elements = elements[n:]
		return v
	}
	sums := elements[:2*c.chunkLength]
	return bitQuery[E]{
		first: take(c.chunkLength), second: take(c.chunkLength), sums: sums,
		weights: take(c.calls), at: take(c.calls), outputs: take(p.evalOutputLen),
	}
}

// begin starts the sums from the share of the proof, and makes the gadget check.
func (q *bitQuery[E]) begin(p *FLP[E], ws *Workspace[E], proof []E, t E, jointRand []E) {
	f, g := p.field, &p.gadgets[0]
	coeffs := q.checkGadget(p, ws, proof[g.arity:], t)
	p.bits.addConstants(q.outputs[1:], ws.sharesInverse)
	copy(q.weights, coeffs[1:])
	copy(q.at, coeffs[1:])
	q.ratios = jointRand
	q.offset = 0
	for j := range q.first {
		q.first[j], q.second[j] = proof[2*j], proof[2*j+1]
	}
	f.ScaleVec(q.sums, coeffs[0], q.sums)
	f.AddConstVec(q.second, q.second, f.Neg(f.Mul(ws.sharesInverse, f.Sum(q.weights))))
}

// checkGadget makes the gadget check and the circuit's first output, and clears the others. It returns
// the coefficients of evaluating a wire polynomial at t.
//
// The gadget polynomial is given at twice as many points as a wire polynomial: with n points of that,
// at its points and at those times w, the 2n-th root of unity. So its value at t is
//
//	(1 + t^n)/2 * sum of L_k(t)*even[k]  +  (1 - t^n)/2 * sum of L_k(t/w)*odd[k].
func (q *bitQuery[E]) checkGadget(p *FLP[E], ws *Workspace[E], proof []E, t E) (coeffs []E) {
	f, g := p.field, &p.gadgets[0]
	n := g.wirePolyLen
	poly := ws.runs[0].poly
	copy(poly, proof)
	f.ExtendToPowerOf2(poly, g.gadgetPolyLen)
	mark := ws.scratch.Mark()
	defer ws.scratch.Release(mark)
	even, odd := ws.scratch.Take(n), ws.scratch.Take(n)
	for k := range even {
		even[k], odd[k] = poly[2*k], poly[2*k+1]
	}

	coeffs = ws.coeffs[:n]
	f.LagrangeCoefficients(coeffs, f.Mul(t, f.NthRootPowers(2 * n)[2*n-1]))
	atOdd := f.InnerProduct(coeffs, odd)
	f.LagrangeCoefficients(coeffs, t)
	atEven := f.InnerProduct(coeffs, even)
	power := f.Pow(t, uint64(n))
	q.isTestPoint = f.Equal(power, f.FromUint64(1)) == 1
	sum := f.Add(f.Add(atEven, atOdd), f.Mul(power, f.Sub(atEven, atOdd)))
	q.gadgetCheck = f.Mul(sum, ws.half)

	// The outputs of the gadget's calls are its polynomial's values at the wire polynomials' points.
	clear(q.outputs)
	q.outputs[0] = f.Sum(even[1 : 1+g.calls])
	return coeffs
}

// add takes the next block of the measurement.
func (q *bitQuery[E]) add(p *FLP[E], block []E) {
	p.bits.addOutputs(q.outputs[1:], q.offset, block)
	n := len(q.first)
	for len(block) > 0 {
		k, j := q.offset/n, q.offset%n
		rows, columns := 1, min(n-j, len(block))
		if columns == n {
			rows = len(block) / n
		}
		p.field.AddWeightedRows(q.first[j:j+columns], q.second[j:j+columns],
			q.at[k:k+rows], q.ratios[k:k+rows], q.weights[k:k+rows], block[:rows*columns])
		q.offset += rows * columns
		block = block[rows*columns:]
	}
}

// finish sets verifier to the verifier message's share, but for its first
// element.
func (q *bitQuery[E]) finish(verifier []E) {
	for j := range q.first {
		verifier[1+2*j], verifier[2+2*j] = q.first[j], q.second[j]
	}
	verifier[1+2*len(q.first)] = q.gadgetCheck
}
