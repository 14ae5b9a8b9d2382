package flp

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
)

// SumVec is the validity circuit of Prio3SumVec (VDAF Section 7.4.3): a
// measurement is a vector of integers in [0, max_measurement], and the aggregate
// result is the vector of their sums.
type SumVec[E field.Elem] struct {
	bitCheck[E]
	length  int
	integer rangeCheck[E]
}

// NewSumVec returns the circuit over f for vectors of the given length. length
// times the bits of maxMeasurement must be at most MaxMeasLen; a short proof
// needs the chunkLength that OptimalChunkLength finds.
func NewSumVec[E field.Elem](f field.Field[E], length int, maxMeasurement uint64, chunkLength int) (*SumVec[E], error) {
	integer, err := newRangeCheck(f, "SumVec", "max_measurement", maxMeasurement, maxInteger(f))
	if err != nil {
		return nil, err
	}
	if most := MaxMeasLen / integer.bits; length < 1 || length > most {
		return nil, paramError("SumVec", "length", length, fmt.Sprintf("1 to %d for integers of %d bits", most, integer.bits))
	}
	check, err := newBitCheck(f, "SumVec", length*integer.bits, chunkLength)
	if err != nil {
		return nil, err
	}
	return &SumVec[E]{bitCheck: check, length: length, integer: integer}, nil
}

func (c *SumVec[E]) Field() field.Field[E]   { return c.field }
func (c *SumVec[E]) Gadgets() []GadgetUse[E] { return c.gadgets }
func (c *SumVec[E]) MeasLen() int            { return c.length * c.integer.bits }
func (c *SumVec[E]) JointRandLen() int       { return c.calls }
func (c *SumVec[E]) EvalOutputLen() int      { return 1 }
func (c *SumVec[E]) OutputLen() int          { return c.length }

// Eval implements Circuit: each element is zero or one.
func (c *SumVec[E]) Eval(ev *Evaluator[E], out, meas, jointRand []E) {
	out[0] = c.eval(ev, meas, jointRand)
}

// Truncate implements Circuit.
func (c *SumVec[E]) Truncate(out, meas []E) {
	clear(out)
	c.addTruncated(out, 0, meas)
}

// Encode sets meas, of MeasLen elements, to the encoding of a measurement. A
// measurement of another length, or with an element above max_measurement, is a
// *MeasurementError.
func (c *SumVec[E]) Encode(meas []E, measurement []uint64) error {
	if len(measurement) != c.length {
		return &MeasurementError{Circuit: "SumVec", Problem: fmt.Sprintf("has %d elements, but must have %d", len(measurement), c.length)}
	}
	n := c.integer.bits
	bit := make([]byte, len(meas))
	for i, value := range measurement {
		if c.integer.encode(bit[i*n:(i+1)*n], value) != 1 {
			return &MeasurementError{Circuit: "SumVec", Problem: fmt.Sprintf("element %d is above max_measurement, which is %d", i, c.integer.max)}
		}
	}
	setBits(c.field, meas, bit)
	return nil
}

// Decode returns the aggregate result of an aggregated output.
func (c *SumVec[E]) Decode(output []E) ([]uint64, error) {
	return decodeUint64s(c.field, "SumVec", output)
}
