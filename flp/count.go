package flp

import "github.com/twofold-dap/twofold/field"

// Count is the validity circuit of Prio3Count (VDAF Section 7.4.1): a
// measurement is true or false, and the aggregate result counts the true ones.
type Count[E field.Elem] struct {
	field   field.Field[E]
	gadgets []GadgetUse[E]
}

// NewCount returns the circuit over f.
func NewCount[E field.Elem](f field.Field[E]) *Count[E] {
	return &Count[E]{field: f, gadgets: []GadgetUse[E]{{Gadget: NewMul(f), Calls: 1}}}
}

func (c *Count[E]) Field() field.Field[E]   { return c.field }
func (c *Count[E]) Gadgets() []GadgetUse[E] { return c.gadgets }
func (c *Count[E]) MeasLen() int            { return 1 }
func (c *Count[E]) JointRandLen() int       { return 0 }
func (c *Count[E]) EvalOutputLen() int      { return 1 }
func (c *Count[E]) OutputLen() int          { return 1 }

// Eval implements Circuit: x*x - x.
func (c *Count[E]) Eval(ev *Evaluator[E], out, meas, _ []E) {
	row := ev.Inputs(0, 1)
	row[0], row[1] = meas[0], meas[0]
	ev.Call(0, out[:1])
	out[0] = c.field.Sub(out[0], meas[0])
}

// Truncate implements Circuit.
func (c *Count[E]) Truncate(out, meas []E) { copy(out, meas) }

// Encode sets meas, of MeasLen elements, to the encoding of a measurement.
func (c *Count[E]) Encode(meas []E, measurement bool) error {
	setBits(c.field, meas, []byte{bitOf(measurement)})
	return nil
}

// Decode returns the aggregate result of an aggregated output.
func (c *Count[E]) Decode(output []E) (uint64, error) {
	counts, err := decodeUint64s(c.field, "Count", output)
	if err != nil {
		return 0, err
	}
	return counts[0], nil
}
