package flp

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
)

// Histogram is the validity circuit of Prio3Histogram (VDAF Section 7.4.4): a
// measurement is the index of a bucket, and the aggregate result is the number
// of measurements in each bucket.
type Histogram[E field.Elem] struct {
	bitCheck[E]
	length int
}

// NewHistogram returns the circuit over f for length buckets, at most
// MaxMeasLen; a short proof needs the chunkLength that OptimalChunkLength finds.
func NewHistogram[E field.Elem](f field.Field[E], length, chunkLength int) (*Histogram[E], error) {
	if length < 1 || length > MaxMeasLen {
		return nil, paramError("Histogram", "length", length, fmt.Sprintf("1 to %d", MaxMeasLen))
	}
	check, err := newBitCheck(f, "Histogram", length, chunkLength)
	if err != nil {
		return nil, err
	}
	return &Histogram[E]{bitCheck: check, length: length}, nil
}

func (c *Histogram[E]) Field() field.Field[E]   { return c.field }
func (c *Histogram[E]) Gadgets() []GadgetUse[E] { return c.gadgets }
func (c *Histogram[E]) MeasLen() int            { return c.length }
func (c *Histogram[E]) JointRandLen() int       { return c.calls }
func (c *Histogram[E]) EvalOutputLen() int      { return 2 }
func (c *Histogram[E]) OutputLen() int          { return c.length }

// Eval implements Circuit: each bucket is zero or one, and their sum is one.
func (c *Histogram[E]) Eval(ev *Evaluator[E], out, meas, jointRand []E) {
	out[0] = c.eval(ev, meas, jointRand)
	out[1] = c.field.Sub(c.field.Sum(meas), ev.SharesInverse())
}

// Truncate implements Circuit.
func (c *Histogram[E]) Truncate(out, meas []E) { copy(out, meas) }

// Encode sets meas, of MeasLen elements, to the encoding of a measurement. One
// outside of [0, length) is a *MeasurementError.
func (c *Histogram[E]) Encode(meas []E, measurement int) error {
	if measurement < 0 || measurement >= c.length {
		return &MeasurementError{Circuit: "Histogram", Problem: fmt.Sprintf("is not a bucket's index, 0 to %d", c.length-1)}
	}
	bit := make([]byte, c.length)
	setOneHot(bit, measurement)
	setBits(c.field, meas, bit)
	return nil
}

// Decode returns the aggregate result of an aggregated output.
func (c *Histogram[E]) Decode(output []E) ([]uint64, error) {
	return decodeUint64s(c.field, "Histogram", output)
}
