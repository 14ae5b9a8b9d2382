package flp

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
)

// bitCheck is the part that SumVec, Histogram and MultihotCountVec have in
// common: it checks that each element of a vector is zero or one, with a
// ParallelSum of Muls over chunks of the vector (VDAF Section 7.4.3).
//
// Its wires: the call for chunk i has for its element x in place j, from 1, the
// inputs r^j * x and x - 1, with r the i-th element of the joint randomness.
type bitCheck[E field.Elem] struct {
	field       field.Field[E]
	gadgets     []GadgetUse[E]
	chunkLength int
	calls       int
}

// newBitCheck returns the check of length elements in chunks of chunkLength,
// which may be longer than the vector.
func newBitCheck[E field.Elem](f field.Field[E], circuit string, length, chunkLength int) (bitCheck[E], error) {
	if chunkLength < 1 || chunkLength > MaxMeasLen/2 {
		return bitCheck[E]{}, paramError(circuit, "chunk_length", chunkLength, fmt.Sprintf("1 to %d", MaxMeasLen/2))
	}
	gadget, err := NewParallelSum(f, Gadget[E](NewMul(f)), chunkLength)
	if err != nil {
		return bitCheck[E]{}, err
	}
	c := bitCheck[E]{field: f, chunkLength: chunkLength, calls: (length + chunkLength - 1) / chunkLength}
	c.gadgets = []GadgetUse[E]{{Gadget: gadget, Calls: c.calls}}
	return c, nil
}

// eval makes all the calls and returns the sum of their outputs: a share of
// zero if each element is zero or one.
func (c *bitCheck[E]) eval(ev *Evaluator[E], vector, jointRand []E) E {
	f, n := c.field, c.chunkLength
	minusOne := f.Neg(ev.SharesInverse())
	rows := ev.Inputs(0, c.calls)
	for i := range c.calls {
		chunk := vector[i*n : min((i+1)*n, len(vector))]
		first, second := rows[2*i*n:(2*i+1)*n], rows[(2*i+1)*n:(2*i+2)*n]

		// The last chunk is padded with zeros.
		powers := first[:len(chunk)]
		f.Powers(powers, jointRand[i])
		f.MulVec(powers, powers, chunk)
		clear(first[len(chunk):])

		f.AddConstVec(second[:len(chunk)], chunk, minusOne)
		for j := len(chunk); j < n; j++ {
			second[j] = minusOne
		}
	}

	mark := ev.Scratch().Mark()
	defer ev.Scratch().Release(mark)
	outputs := ev.Scratch().Take(c.calls)
	ev.Call(0, outputs)
	return f.Sum(outputs)
}

// OptimalChunkLength returns the chunk length for which the proof of a SumVec,
// Histogram or MultihotCountVec circuit with an encoded measurement of measLen
// elements is the shortest, and with it the whole report (VDAF Section 7.4.3.1).
// Among equals it is the smallest. measLen must be in [1, MaxMeasLen], or
// OptimalChunkLength panics.
//
// A histogram's measLen is its length, that of a SumVec length * bits, that of
// a MultihotCountVec length + bits of max_weight.
func OptimalChunkLength(measLen int) int {
	if measLen < 1 || measLen > MaxMeasLen {
		panic(fmt.Sprintf("flp: no circuit has a measurement of length %d", measLen))
	}
	best, bestLen := 0, int64(0)
	for p := 2; ; p *= 2 {
		// The shortest chunks with which wire polynomials of length p suffice.
		chunkLength := (measLen + p - 2) / (p - 1)
		length := 2*int64(chunkLength) + GadgetPolyLen(2, int64(WirePolyLen((measLen+chunkLength-1)/chunkLength)))
		if best == 0 || length <= bestLen {
			best, bestLen = chunkLength, length
		}
		if chunkLength == 1 {
			return best
		}
	}
}
