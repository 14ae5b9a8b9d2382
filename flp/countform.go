package flp

import "github.com/twofold-dap/twofold/field"

// countForm is the proof and the query of [Count] in closed form. The wire polynomials are given at 1
// and -1, as a_0 and a_1, so that their value at t is
//
//	a_0*L_0(t) + a_1*L_1(t)  with  L_0(t) = (1 + t)/2,  L_1(t) = (1 - t)/2.
//
// With w the fourth root of unity, the gadget polynomial, their product, is of degree 2 and given at 1, w and -1
// as p_0, p_1 and p_2. As L_0 + L_1 = 1 and w^2 = -1, its value at t is
//
//	p_0*L_0 + p_2*L_1 + (2*p_1 - p_0 - p_2 + w*(p_2 - p_0))*L_0*L_1.
//
// The product L_0*L_1 = (1 - t^2)/4 is zero exactly if t is one of the points of the wire polynomials.
type countForm[E field.Elem] struct {
	field   field.Field[E]
	half, w E
}

// newCountForm returns the closed form for a Count, and nil for any other circuit. A type
// that embeds Count and changes it is none.
func newCountForm[E field.Elem](c Circuit[E]) *countForm[E] {
	count, ok := c.(*Count[E])
	if !ok {
		return nil
	}
	f := count.field
	return &countForm[E]{field: f, half: f.Inv(f.FromUint64(2)), w: f.NthRoot(4)}
}

// prove is FLP.Prove; the lengths have been checked.
func (q *countForm[E]) prove(proof []E, x E, seeds []E) {
	f := q.field
	// Twice the value at w of the wire polynomial with this seed.
	atW := func(seed E) E { return f.Add(f.Add(seed, x), f.Mul(q.w, f.Sub(seed, x))) }
	copy(proof, seeds)
	proof[2] = f.Mul(seeds[0], seeds[1])
	proof[3] = f.Mul(f.Mul(q.half, atW(seeds[0])), f.Mul(q.half, atW(seeds[1])))
	proof[4] = f.Mul(x, x)
}

// query is FLP.Query; the lengths have been checked.
func (q *countForm[E]) query(ws *Workspace[E], verifier []E, x E, proof []E, t E) error {
	f := q.field
	t = f.Mul(t, q.half)
	coeffs, values := ws.coeffs[:3], ws.runs[0].poly[:3]
	coeffs[0], coeffs[1] = f.Add(q.half, t), f.Sub(q.half, t)
	coeffs[2] = f.Mul(coeffs[0], coeffs[1])
	var zero E
	if f.Equal(coeffs[2], zero) == 1 {
		return ErrTestPoint
	}
	p0, p1, p2 := proof[2], proof[3], proof[4]
	verifier[0] = f.Sub(p2, x)
	values[1] = x
	for wire := range 2 {
		values[0] = proof[wire]
		verifier[1+wire] = f.InnerProduct(coeffs[:2], values[:2])
	}
	values[0], values[1] = p0, p2
	values[2] = f.Add(f.Mul(q.w, f.Sub(p2, p0)), f.Add(f.Sub(p1, p0), f.Sub(p1, p2)))
	verifier[3] = f.InnerProduct(coeffs, values)
	return nil
}
