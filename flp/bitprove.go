package flp

import "github.com/twofold-dap/twofold/field"

// proveColumns bounds the elements of each of the two matrices of wires that a
// proof is made of at a time, so that they stay in a second-level cache.
const proveColumns = 1 << 12

// proveBits is Prove for a bitCircuit. Its gadget polynomial is the sum over the
// places of a chunk of the products of two wire polynomials; a few places at a
// time, their wires make a matrix with a column for each, and a row for each
// evaluation.
func (p *FLP[E]) proveBits(ws *Workspace[E], proof, meas, proveRand, jointRand []E) {
	f, g, c := p.field, &p.gadgets[0], p.bits.bits()
	copy(proof, proveRand)
	poly := ws.runs[0].poly
	clear(poly)

	s := &ws.scratch
	mark := s.Mark()
	defer s.Release(mark)
	width := min(c.chunkLength, max(8, min(64, proveColumns/g.wirePolyLen)))
	powers := s.Take(c.calls)
	for k := range powers {
		powers[k] = f.FromUint64(1)
	}
	matrices := s.Take(2 * width * g.wirePolyLen)
	for j := 0; j < c.chunkLength; j += width {
		columns := min(width, c.chunkLength-j)
		size := columns * g.wirePolyLen
		first, second := matrices[:size], matrices[size:2*size]
		for i := range columns {
			first[i], second[i] = proveRand[2*(j+i)], proveRand[2*(j+i)+1]
		}
		c.wires(first, second, columns, j, meas, powers, jointRand)
		// At even powers of the root of unity the evaluations are the wires themselves.
		addRowProducts(f, poly, 2, first[:(1+c.calls)*columns], second, columns)
		f.OddEvaluations(first, g.wirePolyLen)
		f.OddEvaluations(second, g.wirePolyLen)
		addRowProducts(f, poly[1:], 2, first, second, columns)
	}
	copy(proof[g.arity:], poly[:g.gadgetPolyLen])
}

// wires fills the rows after the first with the inputs of the calls for the places of
// a chunk from j on, and the rest with zeros. powers[k] is the j-th power of the
// k-th element of the joint randomness, and becomes that of the place after the last.
func (c *bitCheck[E]) wires(first, second []E, columns, j int, meas, powers, jointRand []E) {
	f := c.field
	minusOne := f.Neg(f.FromUint64(1))
	for k := range c.calls {
		first, second := first[(1+k)*columns:][:columns], second[(1+k)*columns:][:columns]
		start := k*c.chunkLength + j
		x := meas[min(start, len(meas)):min(start+columns, len(meas))]
		f.Progression(first, powers[k], jointRand[k])
		powers[k] = first[columns-1]
		f.MulVec(first[:len(x)], first[:len(x)], x)
		f.AddConstVec(second[:len(x)], x, minusOne)
		// The last chunk is padded with zeros.
		for i := len(x); i < columns; i++ {
			var zero E
			first[i], second[i] = zero, minusOne
		}
	}
	clear(first[(1+c.calls)*columns:])
	clear(second[(1+c.calls)*columns:])
}

// addRowProducts adds to every step-th element of dst the inner product of a row of
// a with the same row of b.
func addRowProducts[E field.Elem](f field.Field[E], dst []E, step int, a, b []E, columns int) {
	for i := 0; i*columns < len(a); i++ {
		row := f.InnerProduct(a[i*columns:(i+1)*columns], b[i*columns:(i+1)*columns])
		dst[i*step] = f.Add(dst[i*step], row)
	}
}
