package flp

import (
	"github.com/twofold-dap/twofold/field"
)

// testCircuit is a circuit that is put together of functions.
type testCircuit[E field.Elem] struct {
	field                                           field.Field[E]
	gadgets                                         []GadgetUse[E]
	measLen, jointRandLen, evalOutputLen, outputLen int
	eval                                            func(ev *Evaluator[E], out, meas, jointRand []E)
}

func (c *testCircuit[E]) Field() field.Field[E]   { return c.field }
func (c *testCircuit[E]) Gadgets() []GadgetUse[E] { return c.gadgets }
func (c *testCircuit[E]) MeasLen() int            { return c.measLen }
func (c *testCircuit[E]) JointRandLen() int       { return c.jointRandLen }
func (c *testCircuit[E]) EvalOutputLen() int      { return c.evalOutputLen }
func (c *testCircuit[E]) OutputLen() int          { return c.outputLen }
func (c *testCircuit[E]) Truncate(out, meas []E)  { copy(out, meas) }
func (c *testCircuit[E]) Eval(ev *Evaluator[E], out, meas, jointRand []E) {
	c.eval(ev, out, meas, jointRand)
}

func ints[E field.Elem](f field.Field[E], values ...int64) []E {
	out := make([]E, len(values))
	for i, v := range values {
		out[i] = f.FromUint64(uint64(max(v, -v)))
		if v < 0 {
			out[i] = f.Neg(out[i])
		}
	}
	return out
}

func mustPolyEval[E field.Elem](f field.Field[E], coefficients ...int64) Gadget[E] {
	g, err := NewPolyEval(f, ints(f, coefficients...))
	if err != nil {
		panic(err)
	}
	return g
}

func mustParallelSum[E field.Elem](f field.Field[E], sub Gadget[E], count int) Gadget[E] {
	g, err := NewParallelSum(f, sub, count)
	if err != nil {
		panic(err)
	}
	return g
}

// rangeThree checks that each of n elements is 0, 1 or 2, with the gadget
// x^3 - 3x^2 + 2x, one output an element.
func rangeThree[E field.Elem](f field.Field[E], n int) Circuit[E] {
	return &testCircuit[E]{
		field: f, gadgets: []GadgetUse[E]{{mustPolyEval(f, 0, 2, -3, 1), n}},
		measLen: n, evalOutputLen: n, outputLen: n,
		eval: func(ev *Evaluator[E], out, meas, _ []E) {
			copy(ev.Inputs(0, n), meas)
			ev.Call(0, out)
		},
	}
}

// twoGadgets is the example of VDAF Section 7.3.1.1: the first half of 2n
// elements is in [0, 2), the second in [0, 3), in a random linear combination.
// Its gadgets are called in turns, one call at a time.
func twoGadgets[E field.Elem](f field.Field[E], n int) Circuit[E] {
	return &testCircuit[E]{
		field: f, gadgets: []GadgetUse[E]{{mustPolyEval(f, 0, -1, 1), n}, {mustPolyEval(f, 0, 2, -3, 1), n}},
		measLen: 2 * n, jointRandLen: 1, evalOutputLen: 1, outputLen: 2 * n,
		eval: func(ev *Evaluator[E], out, meas, jointRand []E) {
			powers := make([]E, 2*n)
			f.Powers(powers, jointRand[0])
			checks := make([]E, 2*n)
			for i := range n {
				ev.Inputs(0, 1)[0] = meas[i]
				ev.Call(0, checks[i:i+1])
				ev.Inputs(1, 1)[0] = meas[n+i]
				ev.Call(1, checks[n+i:n+i+1])
			}
			out[0] = f.InnerProduct(powers, checks)
		},
	}
}

// cubes checks with a ParallelSum of PolyEvals that the sum of the cubes of
// each of several chunks' elements is 36 times the number of shares' share of
// one: with 1, 2, 3 in each chunk it is.
func cubes[E field.Elem](f field.Field[E], chunks int) Circuit[E] {
	return &testCircuit[E]{
		field: f, gadgets: []GadgetUse[E]{{mustParallelSum(f, mustPolyEval(f, 0, 0, 0, 1), 3), chunks}},
		measLen: 3 * chunks, evalOutputLen: chunks, outputLen: 3 * chunks,
		eval: func(ev *Evaluator[E], out, meas, _ []E) {
			copy(ev.Inputs(0, chunks), meas)
			ev.Call(0, out)
			f.AddConstVec(out, out, f.Neg(f.Mul(f.FromUint64(36), ev.SharesInverse())))
		},
	}
}

// chain checks that x[i+1] = x[i]^2 and that x[n-1]^2 = 1, each gadget call
// with the output of the call before as its input; the measurement is x[0]. All
// the calls go to a ParallelSum of ParallelSums of Muls, the unused wires of
// which carry constants.
func chain[E field.Elem](f field.Field[E], n int) Circuit[E] {
	nested := mustParallelSum(f, mustParallelSum(f, Gadget[E](NewMul(f)), 3), 2)
	return &testCircuit[E]{
		field: f, gadgets: []GadgetUse[E]{{nested, n}},
		measLen: 1, evalOutputLen: 1, outputLen: 1,
		eval: func(ev *Evaluator[E], out, meas, _ []E) {
			x := meas[0]
			for range n {
				row := ev.Inputs(0, 1)
				clear(row)
				for i := range row {
					// The fifth multiplication's inputs; the second's are 2/shares and 0.
					switch nested.WireIndex(i) {
					case 8, 9:
						row[i] = x
					case 2:
						row[i] = f.Mul(f.FromUint64(2), ev.SharesInverse())
					}
				}
				var y [1]E
				ev.Call(0, y[:])
				x = y[0]
			}
			out[0] = f.Sub(x, ev.SharesInverse())
		},
	}
}

// affineGadget has a gadget of degree 1.
func affineGadget[E field.Elem](f field.Field[E], n int) Circuit[E] {
	return &testCircuit[E]{
		field: f, gadgets: []GadgetUse[E]{{mustPolyEval(f, -7, 1), n}},
		measLen: n, evalOutputLen: n, outputLen: n,
		eval: func(ev *Evaluator[E], out, meas, _ []E) {
			copy(ev.Inputs(0, n), meas)
			ev.Call(0, out)
		},
	}
}

// degreeFive has a gadget of degree 5, which is zero at 0 to 4.
func degreeFive[E field.Elem](f field.Field[E], n int) Circuit[E] {
	return &testCircuit[E]{
		field: f, gadgets: []GadgetUse[E]{{mustPolyEval(f, 0, 24, -50, 35, -10, 1), n}},
		measLen: n, evalOutputLen: n, outputLen: n,
		eval: func(ev *Evaluator[E], out, meas, _ []E) {
			copy(ev.Inputs(0, n), meas)
			ev.Call(0, out)
		},
	}
}

// sample is a circuit with a measurement that it accepts and changes that it
// must reject.
type sample[E field.Elem] struct {
	name    string
	circuit Circuit[E]
	valid   []E
	invalid [][]E
}

func encoded[E field.Elem, M any](c Circuit[E], encode func([]E, M) error, measurement M) []E {
	meas := make([]E, c.MeasLen())
	if err := encode(meas, measurement); err != nil {
		panic(err)
	}
	return meas
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func samples[E field.Elem](f field.Field[E]) []sample[E] {
	count := NewCount(f)
	sum := must(NewSum(f, 1337))
	one := must(NewSum(f, 1))
	sumVec := must(NewSumVec(f, 5, 100, 6))
	histogram := must(NewHistogram(f, 11, 3))
	multihot := must(NewMultihotCountVec(f, 9, 4, 20))
	return []sample[E]{
		{"Count", count, encoded(count, count.Encode, true), [][]E{ints(f, 2), ints(f, -1)}},
		{"Sum", sum, encoded(sum, sum.Encode, 1336), [][]E{
			ints(f, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0), ints(f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1)}},
		{"Sum of one bit", one, encoded(one, one.Encode, 1), [][]E{ints(f, 2)}},
		{"SumVec", sumVec, encoded(sumVec, sumVec.Encode, []uint64{0, 1, 50, 99, 100}), [][]E{
			append(make([]E, 34), ints(f, 3)...), append(ints(f, -1), make([]E, 34)...)}},
		{"Histogram", histogram, encoded(histogram, histogram.Encode, 10), [][]E{
			ints(f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
			ints(f, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1),
			ints(f, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, -1)}},
		{"MultihotCountVec", multihot, encoded(multihot, multihot.Encode, []bool{true, 3: true, 8: true}), [][]E{
			ints(f, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0),
			ints(f, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)}},
		{"range three", rangeThree(f, 6), ints(f, 0, 1, 2, 2, 1, 0), [][]E{ints(f, 0, 1, 2, 3, 1, 0)}},
		{"two gadgets", twoGadgets(f, 5), ints(f, 0, 1, 1, 0, 1, 2, 0, 1, 2, 2), [][]E{
			ints(f, 0, 1, 1, 0, 2, 2, 0, 1, 2, 2), ints(f, 0, 1, 1, 0, 1, 2, 0, 1, 2, 3)}},
		{"cubes", cubes(f, 4), ints(f, 1, 2, 3, 3, 2, 1, 2, 1, 3, 1, 3, 2), [][]E{ints(f, 1, 2, 3, 3, 2, 1, 2, 2, 3, 1, 3, 2)}},
		{"chain", chain(f, 5), []E{f.NthRoot(32)}, [][]E{{f.NthRoot(64)}}},
		{"affine gadget", affineGadget(f, 3), ints(f, 7, 7, 7), [][]E{ints(f, 7, 7, 8)}},
		{"degree five", degreeFive(f, 7), ints(f, 0, 1, 2, 3, 4, 3, 2), [][]E{ints(f, 5, 1, 2, 3, 4, 3, 2)}},
	}
}
