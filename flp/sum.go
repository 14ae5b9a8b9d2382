package flp

import (
	"fmt"
	"math/big"

	"github.com/twofold-dap/twofold/field"
)

// Sum is the validity circuit of Prio3Sum (VDAF Section 7.4.2): a measurement
// is an integer in [0, max_measurement], and the aggregate result is the sum.
type Sum[E field.Elem] struct {
	field   field.Field[E]
	gadgets []GadgetUse[E]
	integer rangeCheck[E]
}

// NewSum returns the circuit over f. maxMeasurement must be in [1, 2^64-1] and
// below the field's modulus.
func NewSum[E field.Elem](f field.Field[E], maxMeasurement uint64) (*Sum[E], error) {
	integer, err := newRangeCheck(f, "Sum", "max_measurement", maxMeasurement, maxInteger(f))
	if err != nil {
		return nil, err
	}
	one := f.FromUint64(1)
	// x^2 - x is zero if and only if x is zero or one.
	gadget, err := NewPolyEval(f, []E{f.FromUint64(0), f.Neg(one), one})
	if err != nil {
		return nil, err
	}
	return &Sum[E]{field: f, integer: integer, gadgets: []GadgetUse[E]{{Gadget: gadget, Calls: integer.bits}}}, nil
}

// maxInteger is the largest integer that is below 2^64 and an element of f.
func maxInteger[E field.Elem](f field.Field[E]) uint64 {
	most := new(big.Int).Sub(f.Modulus(), big.NewInt(1))
	if !most.IsUint64() {
		return 1<<64 - 1
	}
	return most.Uint64()
}

func (c *Sum[E]) Field() field.Field[E]   { return c.field }
func (c *Sum[E]) Gadgets() []GadgetUse[E] { return c.gadgets }
func (c *Sum[E]) MeasLen() int            { return c.integer.bits }
func (c *Sum[E]) JointRandLen() int       { return 0 }
func (c *Sum[E]) EvalOutputLen() int      { return c.integer.bits }
func (c *Sum[E]) OutputLen() int          { return 1 }

// Eval implements Circuit: x^2 - x for each bit.
func (c *Sum[E]) Eval(ev *Evaluator[E], out, meas, _ []E) {
	copy(ev.Inputs(0, len(meas)), meas)
	ev.Call(0, out)
}

// Truncate implements Circuit.
func (c *Sum[E]) Truncate(out, meas []E) { out[0] = c.integer.decode(c.field, meas) }

// Encode sets meas, of MeasLen elements, to the encoding of a measurement. A
// measurement above max_measurement is a *MeasurementError.
func (c *Sum[E]) Encode(meas []E, measurement uint64) error {
	bit := make([]byte, c.integer.bits)
	if c.integer.encode(bit, measurement) != 1 {
		return &MeasurementError{Circuit: "Sum", Problem: fmt.Sprintf("is above max_measurement, which is %d", c.integer.max)}
	}
	setBits(c.field, meas, bit)
	return nil
}

// Decode returns the aggregate result of an aggregated output.
func (c *Sum[E]) Decode(output []E) (uint64, error) {
	sums, err := decodeUint64s(c.field, "Sum", output)
	if err != nil {
		return 0, err
	}
	return sums[0], nil
}
