package flp

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
)

// MultihotCountVec is the validity circuit of Prio3MultihotCountVec (VDAF
// Section 7.4.5): a measurement is a vector of Booleans of which at most
// max_weight are true, and the aggregate result counts for each place of the
// vector the measurements that are true there.
type MultihotCountVec[E field.Elem] struct {
	bitCheck[E]
	length int
	weight rangeCheck[E]
}

// NewMultihotCountVec returns the circuit over f for vectors of the given
// length. maxWeight must be in [1, length], and length plus the bits of
// maxWeight at most MaxMeasLen; a short proof needs the chunkLength that
// OptimalChunkLength finds.
func NewMultihotCountVec[E field.Elem](f field.Field[E], length, maxWeight, chunkLength int) (*MultihotCountVec[E], error) {
	if length < 1 || length > MaxMeasLen-64 {
		return nil, paramError("MultihotCountVec", "length", length, fmt.Sprintf("1 to %d", MaxMeasLen-64))
	}
	if maxWeight < 1 || maxWeight > length {
		return nil, paramError("MultihotCountVec", "max_weight", maxWeight, fmt.Sprintf("1 to the length, %d", length))
	}
	weight, err := newRangeCheck(f, "MultihotCountVec", "max_weight", uint64(maxWeight), maxInteger(f))
	if err != nil {
		return nil, err
	}
	check, err := newBitCheck(f, "MultihotCountVec", length+weight.bits, chunkLength)
	if err != nil {
		return nil, err
	}
	return &MultihotCountVec[E]{bitCheck: check, length: length, weight: weight}, nil
}

func (c *MultihotCountVec[E]) Field() field.Field[E]   { return c.field }
func (c *MultihotCountVec[E]) Gadgets() []GadgetUse[E] { return c.gadgets }
func (c *MultihotCountVec[E]) MeasLen() int            { return c.length + c.weight.bits }
func (c *MultihotCountVec[E]) JointRandLen() int       { return c.calls }
func (c *MultihotCountVec[E]) EvalOutputLen() int      { return 2 }
func (c *MultihotCountVec[E]) OutputLen() int          { return c.length }

// Eval implements Circuit: each element is zero or one, and the sum of the
// vector is the weight that is reported after it, which is at most max_weight.
func (c *MultihotCountVec[E]) Eval(ev *Evaluator[E], out, meas, jointRand []E) {
	out[0] = c.eval(ev, meas, jointRand)
	weight := c.field.Sum(meas[:c.length])
	out[1] = c.field.Sub(weight, c.weight.decode(c.field, meas[c.length:]))
}

// Truncate implements Circuit.
func (c *MultihotCountVec[E]) Truncate(out, meas []E) { copy(out, meas[:c.length]) }

// Encode sets meas, of MeasLen elements, to the encoding of a measurement. A
// measurement of another length, or with more than max_weight true elements, is
// a *MeasurementError.
func (c *MultihotCountVec[E]) Encode(meas []E, measurement []bool) error {
	if len(measurement) != c.length {
		return &MeasurementError{Circuit: "MultihotCountVec", Problem: fmt.Sprintf("has %d elements, but must have %d", len(measurement), c.length)}
	}
	bit := make([]byte, len(meas))
	weight := uint64(0)
	for i, b := range measurement {
		bit[i] = bitOf(b)
		weight += uint64(bit[i])
	}
	if c.weight.encode(bit[c.length:], weight) != 1 {
		return &MeasurementError{Circuit: "MultihotCountVec", Problem: fmt.Sprintf("has more true elements than max_weight, which is %d", c.weight.max)}
	}
	setBits(c.field, meas, bit)
	return nil
}

// Decode returns the aggregate result of an aggregated output.
func (c *MultihotCountVec[E]) Decode(output []E) ([]uint64, error) {
	return decodeUint64s(c.field, "MultihotCountVec", output)
}
