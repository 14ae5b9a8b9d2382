package flp

import (
	"fmt"
	"slices"

	"github.com/twofold-dap/twofold/field"
)

// Gadget is a non-affine arithmetic sub-circuit (VDAF Section 7.3.2).
//
// The inputs of one call are its row of wires. A gadget may lay them out in a
// row in another order than the standard's, to suit vector operations;
// WireIndex says in which. Only prover randomness, proofs and verifier
// messages are in the standard's order.
type Gadget[E field.Elem] interface {
	// Arity is the number of input wires.
	Arity() int
	// Degree is the arithmetic degree, at least 1.
	Degree() int
	// WireIndex is the standard's index of the wire at position i of a row; over
	// all the positions it is a permutation.
	WireIndex(i int) int
	// EvalRow returns the gadget's output on one row.
	EvalRow(row []E, s *Scratch[E]) E
	// EvalVec sets dst[i] to the gadget's output on the inputs wires[0][i],
	// wires[1][i], ..., wires[Arity()-1][i], the wires in the order of a row. dst
	// does not overlap the inputs.
	EvalVec(dst []E, wires [][]E, s *Scratch[E])
}

// Mul is the multiplication gadget (VDAF Appendix A.1).
type Mul[E field.Elem] struct{ field field.Field[E] }

// NewMul returns the gadget that multiplies two inputs.
func NewMul[E field.Elem](f field.Field[E]) *Mul[E] { return &Mul[E]{field: f} }

func (g *Mul[E]) Arity() int          { return 2 }
func (g *Mul[E]) Degree() int         { return 2 }
func (g *Mul[E]) WireIndex(i int) int { return i }

// EvalRow implements Gadget.
func (g *Mul[E]) EvalRow(row []E, _ *Scratch[E]) E { return g.field.Mul(row[0], row[1]) }

// EvalVec implements Gadget.
func (g *Mul[E]) EvalVec(dst []E, wires [][]E, _ *Scratch[E]) {
	g.field.MulVec(dst, wires[0], wires[1])
}

// PolyEval is the polynomial-evaluation gadget (VDAF Appendix A.2).
type PolyEval[E field.Elem] struct {
	field field.Field[E]
	p     []E // in the monomial basis, constant term first; the last is not zero
}

// NewPolyEval returns the gadget that evaluates the polynomial with the given
// coefficients, constant term first. Leading zeros are stripped; what is left
// must be of degree 1 at least, or the error is a *ParamError.
func NewPolyEval[E field.Elem](f field.Field[E], coefficients []E) (*PolyEval[E], error) {
	var zero E
	p := slices.Clone(coefficients)
	for len(p) > 0 && p[len(p)-1] == zero {
		p = p[:len(p)-1]
	}
	if len(p) < 2 {
		return nil, paramError("PolyEval", "degree", len(p)-1, "at least 1")
	}
	return &PolyEval[E]{field: f, p: p}, nil
}

func (g *PolyEval[E]) Arity() int          { return 1 }
func (g *PolyEval[E]) Degree() int         { return len(g.p) - 1 }
func (g *PolyEval[E]) WireIndex(i int) int { return i }

// EvalRow implements Gadget.
func (g *PolyEval[E]) EvalRow(row []E, s *Scratch[E]) E {
	mark := s.Mark()
	defer s.Release(mark)
	out := s.Take(1)
	g.field.EvalPolyVec(out, g.p, row[:1])
	return out[0]
}

// EvalVec implements Gadget.
func (g *PolyEval[E]) EvalVec(dst []E, wires [][]E, _ *Scratch[E]) {
	g.field.EvalPolyVec(dst, g.p, wires[0])
}

// ParallelSum is the parallel-sum gadget (VDAF Appendix A.3): the sum of a
// subcircuit's outputs on several inputs.
//
// Its row has the first inputs of all the subcircuit's instances, then the
// second inputs of all, and so on, so that the instances are evaluated by
// operations on whole vectors.
type ParallelSum[E field.Elem] struct {
	field      field.Field[E]
	subcircuit Gadget[E]
	count      int
}

// NewParallelSum returns the gadget that adds up count outputs of subcircuit.
// A count out of range is a *ParamError.
func NewParallelSum[E field.Elem](f field.Field[E], subcircuit Gadget[E], count int) (*ParallelSum[E], error) {
	if most := MaxMeasLen / subcircuit.Arity(); count < 1 || count > most {
		return nil, paramError("ParallelSum", "count", count, fmt.Sprintf("1 to %d", most))
	}
	return &ParallelSum[E]{field: f, subcircuit: subcircuit, count: count}, nil
}

func (g *ParallelSum[E]) Arity() int  { return g.subcircuit.Arity() * g.count }
func (g *ParallelSum[E]) Degree() int { return g.subcircuit.Degree() }

// WireIndex implements Gadget.
func (g *ParallelSum[E]) WireIndex(i int) int {
	input, instance := i/g.count, i%g.count
	return instance*g.subcircuit.Arity() + g.subcircuit.WireIndex(input)
}

// EvalRow implements Gadget.
func (g *ParallelSum[E]) EvalRow(row []E, s *Scratch[E]) E {
	if _, ok := g.subcircuit.(*Mul[E]); ok {
		return g.field.InnerProduct(row[:g.count], row[g.count:2*g.count])
	}
	mark := s.Mark()
	defer s.Release(mark)
	outputs := s.Take(g.count)
	wires := s.TakeVectors(g.subcircuit.Arity())
	for j := range wires {
		wires[j] = row[j*g.count : (j+1)*g.count]
	}
	g.subcircuit.EvalVec(outputs, wires, s)
	return g.field.Sum(outputs)
}

// EvalVec implements Gadget.
func (g *ParallelSum[E]) EvalVec(dst []E, wires [][]E, s *Scratch[E]) {
	mark := s.Mark()
	defer s.Release(mark)
	output := s.Take(len(dst))
	clear(dst)
	for i := range g.count {
		g.subcircuit.EvalVec(output, g.instance(i, wires, s), s)
		g.field.AddVec(dst, dst, output)
	}
}

// instance returns the wires of the subcircuit's i-th instance.
func (g *ParallelSum[E]) instance(i int, wires [][]E, s *Scratch[E]) [][]E {
	of := s.TakeVectors(g.subcircuit.Arity())
	for j := range of {
		of[j] = wires[j*g.count+i]
	}
	return of
}
