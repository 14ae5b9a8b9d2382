package flp

import "github.com/twofold-dap/twofold/field"

// bitCircuit is a circuit that consists of a bitCheck, whose result is its first output,
// and of further outputs that are affine in the measurement. Its gadget's
// inputs do not depend on any output, so that the measurement may come a block
// at a time, and in no more memory than for a few rows of wires.
type bitCircuit[E field.Elem] interface {
	Circuit[E]
	bits() *bitCheck[E]
	// addConstants adds to out what the further outputs consist of whatever the
	// measurement is, for a share.
	addConstants(out []E, sharesInverse E)
	// addOutputs adds to out what a block of the measurement, or of a share of it,
	// that begins at offset contributes to the further outputs.
	addOutputs(out []E, offset int, block []E)
	// addTruncated adds to out what such a block contributes to the aggregatable
	// output.
	addTruncated(out []E, offset int, block []E)
}

// bitCircuitOf returns c if it is one of this package's bit circuits, and
// otherwise nil. A type that embeds one of them and changes it is none.
func bitCircuitOf[E field.Elem](c Circuit[E]) bitCircuit[E] {
	switch c := c.(type) {
	case *SumVec[E]:
		return c
	case *Histogram[E]:
		return c
	case *MultihotCountVec[E]:
		return c
	}
	return nil
}

// outputIsStart tells whether the aggregatable output of c is known to be the start of the measurement.
func outputIsStart[E field.Elem](c Circuit[E]) bool {
	switch c := c.(type) {
	case *SumVec[E]:
		return c.integer.bits == 1
	case *Count[E], *Histogram[E], *MultihotCountVec[E]:
		return true
	}
	return false
}

func (c *bitCheck[E]) bits() *bitCheck[E] { return c }

// addConstants implements bitCircuit: SumVec has no further outputs.
func (c *SumVec[E]) addConstants([]E, E) {}

// addOutputs implements bitCircuit.
func (c *SumVec[E]) addOutputs([]E, int, []E) {}

// addTruncated implements bitCircuit. An integer's bits may be in two blocks.
func (c *SumVec[E]) addTruncated(out []E, offset int, block []E) {
	f, n := c.field, c.integer.bits
	if n == 1 {
		out = out[offset : offset+len(block)]
		f.AddVec(out, out, block)
		return
	}
	for len(block) > 0 {
		i, l := offset/n, offset%n
		whole, part := 1, min(n-l, len(block))
		if part == n {
			whole = len(block) / n
		}
		f.AddIntegers(out[i:i+whole], c.integer.integers[l:l+part], block[:whole*part])
		offset += whole * part
		block = block[whole*part:]
	}
}

// addConstants implements bitCircuit: one is taken from the number of true buckets.
func (c *Histogram[E]) addConstants(out []E, sharesInverse E) {
	out[0] = c.field.Sub(out[0], sharesInverse)
}

// addOutputs implements bitCircuit.
func (c *Histogram[E]) addOutputs(out []E, _ int, block []E) {
	out[0] = c.field.Add(out[0], c.field.Sum(block))
}

// addTruncated implements bitCircuit.
func (c *Histogram[E]) addTruncated(out []E, offset int, block []E) {
	out = out[offset : offset+len(block)]
	c.field.AddVec(out, out, block)
}

// addConstants implements bitCircuit.
func (c *MultihotCountVec[E]) addConstants([]E, E) {}

// split returns the parts of a block that are of the vector, and of the
// weight, where that begins at the returned bit.
func (c *MultihotCountVec[E]) split(offset int, block []E) (vector, weight []E, bit int) {
	n := min(max(c.length-offset, 0), len(block))
	return block[:n], block[n:], max(offset-c.length, 0)
}

// addOutputs implements bitCircuit: the vector's weight less the reported one.
func (c *MultihotCountVec[E]) addOutputs(out []E, offset int, block []E) {
	f := c.field
	vector, weight, bit := c.split(offset, block)
	out[0] = f.Add(out[0], f.Sum(vector))
	out[0] = f.Sub(out[0], f.InnerProduct(c.weight.weights[bit:bit+len(weight)], weight))
}

// addTruncated implements bitCircuit.
func (c *MultihotCountVec[E]) addTruncated(out []E, offset int, block []E) {
	vector, _, _ := c.split(offset, block)
	if len(vector) > 0 {
		out = out[offset : offset+len(vector)]
		c.field.AddVec(out, out, vector)
	}
}
