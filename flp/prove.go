package flp

import "github.com/twofold-dap/twofold/field"

// Prove sets proof to a proof that the encoded measurement meas is valid (VDAF
// Section 7.3.3), from fresh prover randomness and the joint randomness. The
// lengths are ProofLen, MeasLen, ProveRandLen and JointRandLen; others panic.
// A proof for an invalid measurement can be made, and will not be accepted.
func (p *FLP[E]) Prove(ws *Workspace[E], proof, meas, proveRand, jointRand []E) {
	mustLen("proof", proof, p.proofLen)
	mustLen("meas", meas, p.measLen)
	mustLen("prove_rand", proveRand, p.proveRandLen)
	mustLen("joint_rand", jointRand, p.jointRandLen)

	if p.bits != nil {
		p.proveBits(ws, proof, meas, proveRand, jointRand)
		return
	}
	if p.count != nil {
		p.count.prove(proof, meas[0], proveRand)
		return
	}
	ws.begin(p, 1)
	for i := range ws.runs {
		r := &ws.runs[i]
		r.setSeeds(proveRand[:r.info.arity])
		proveRand = proveRand[r.info.arity:]
	}
	p.evaluate(ws, meas, jointRand, true)

	for i := range ws.runs {
		r := &ws.runs[i]
		for j, index := range r.order {
			proof[index] = r.wires[j]
		}
		proof = proof[r.info.arity:]
		poly := ws.polynomial(p.field, r)
		proof = proof[copy(proof, poly[:r.info.gadgetPolyLen]):]
	}
}

// polynomial returns all the evaluations of a gadget's polynomial: the gadget
// on the wire polynomials (eval_poly of VDAF Appendix A).
func (ws *Workspace[E]) polynomial(f field.Field[E], r *gadgetRun[E]) []E {
	ws.composition(f, r.poly, r.info.gadget, func(dst []E, wire int) { r.wirePoly(f, &ws.scratch, dst, wire) })
	return r.poly
}

// composition sets dst to the evaluations of gadget g on polynomials, the wire-th
// of which is evaluated by wire at as many points as it is given. The instances
// of a parallel sum are worked off one after the other, so that only one's
// polynomials are in memory.
func (ws *Workspace[E]) composition(f field.Field[E], dst []E, g Gadget[E], wire func(dst []E, wire int)) {
	s := &ws.scratch
	mark := s.Mark()
	defer s.Release(mark)
	if sum, ok := g.(*ParallelSum[E]); ok {
		output := s.Take(len(dst))
		clear(dst)
		for i := range sum.count {
			ws.composition(f, output, sum.subcircuit, func(dst []E, input int) { wire(dst, input*sum.count+i) })
			f.AddVec(dst, dst, output)
		}
		return
	}
	wires := s.TakeVectors(g.Arity())
	for j := range wires {
		wires[j] = s.Take(len(dst))
		wire(wires[j], j)
	}
	g.EvalVec(dst, wires, s)
}

// wirePoly sets dst to the evaluations of a wire polynomial at the first
// len(dst) powers of the root of unity of that order; len(dst) is a power of two
// and at least the wire polynomial's length p.
func (r *gadgetRun[E]) wirePoly(f field.Field[E], s *Scratch[E], dst []E, wire int) {
	p := r.info.wirePolyLen
	if len(dst) == p {
		r.wireValues(dst, wire)
		return
	}
	mark := s.Mark()
	defer s.Release(mark)
	values := s.Take(p)
	r.wireValues(values, wire)
	if len(dst) == 2*p {
		f.DoubleEvaluations(dst, values)
		return
	}
	f.InvNTT(values, values)
	f.NTT(dst, values, false)
}

// wireValues sets dst to the p evaluations that define a wire polynomial: its
// seed, the calls' inputs, and zeros.
func (r *gadgetRun[E]) wireValues(dst []E, wire int) {
	rows := 1 + r.info.calls
	for k := range rows {
		dst[k] = r.wires[k*r.info.arity+wire]
	}
	clear(dst[rows:])
}
