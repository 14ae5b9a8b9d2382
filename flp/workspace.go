package flp

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
)

// redact prints a placeholder. What an error in writing to a fmt.State means is
// for fmt to say.
func redact(f fmt.State) { _, _ = f.Write([]byte("[redacted]")) }

// Workspace is the working memory of one FLP's computations. It is made by
// [FLP.NewWorkspace]; one goroutine at a time may use it. It holds secrets.
type Workspace[E field.Elem] struct {
	scratch   Scratch[E]
	evaluator Evaluator[E]
	runs      []gadgetRun[E] // one for each gadget
	query     *Query[E]      // for FLP.Query
	output    []E            // the circuit's
	coeffs    []E            // Lagrange coefficients
	half      E              // the inverse of 2

	shares        int // the number of shares that sharesInverse belongs to
	sharesInverse E
}

// Format prints a placeholder for every verb.
func (*Workspace[E]) Format(f fmt.State, _ rune) { redact(f) }

// gadgetRun is what is known of one gadget's calls in one evaluation.
type gadgetRun[E field.Elem] struct {
	info   *gadgetInfo[E]
	order  []int // the standard's index of the wire at each position of a row
	wires  []E   // row-major, 1+calls rows: the wire seeds, then each call's inputs; not of a bitCircuit
	poly   []E   // all the evaluations of the gadget polynomial
	handed int   // rows of inputs that were handed out
	called int   // calls that were made
}

// NewWorkspace returns working memory for p's methods.
func (p *FLP[E]) NewWorkspace() *Workspace[E] {
	ws := &Workspace[E]{
		output: make([]E, p.evalOutputLen),
		coeffs: make([]E, max(p.maxPolyLen, p.maxWirePolyLen)),
		runs:   make([]gadgetRun[E], len(p.gadgets)),
		half:   p.field.Inv(p.field.FromUint64(2)),
	}
	for i := range p.gadgets {
		g := &p.gadgets[i]
		order := make([]int, g.arity)
		for j := range order {
			order[j] = g.gadget.WireIndex(j)
		}
		ws.runs[i] = gadgetRun[E]{info: g, order: order, poly: make([]E, g.polyLen)}
		if p.bits == nil {
			ws.runs[i].wires = make([]E, (1+g.calls)*g.arity)
		}
	}
	if p.bits != nil {
		ws.query = p.NewQuery()
	}
	return ws
}

// begin makes the workspace ready for one evaluation of the circuit of p on
// one of the given number of shares.
func (ws *Workspace[E]) begin(p *FLP[E], shares int) {
	for i := range ws.runs {
		ws.runs[i].handed, ws.runs[i].called = 0, 0
	}
	if ws.shares != shares {
		ws.shares, ws.sharesInverse = shares, p.field.Inv(p.field.FromUint64(uint64(shares)))
	}
}

// Scratch is a stack of temporary vectors. Its zero value is ready for use. It
// holds secrets.
type Scratch[E field.Elem] struct {
	elements []E
	used     int
	vectors  [][]E
	usedVecs int
}

// Format prints a placeholder for every verb.
func (*Scratch[E]) Format(f fmt.State, _ rune) { redact(f) }

// ScratchMark is a height of a Scratch's stack.
type ScratchMark struct{ elements, vectors int }

// Mark returns the present height of the stack.
func (s *Scratch[E]) Mark() ScratchMark { return ScratchMark{s.used, s.usedVecs} }

// Release gives back everything that was taken since the mark was made.
func (s *Scratch[E]) Release(m ScratchMark) { s.used, s.usedVecs = m.elements, m.vectors }

// Take returns a vector of n elements, which are not cleared.
func (s *Scratch[E]) Take(n int) []E {
	if s.used+n > len(s.elements) {
		// What was taken before stays where it is.
		s.elements = make([]E, max(s.used+n, 2*len(s.elements)))
	}
	v := s.elements[s.used : s.used+n : s.used+n]
	s.used += n
	return v
}

// TakeVectors returns n vectors, which are not cleared, to be set.
func (s *Scratch[E]) TakeVectors(n int) [][]E {
	if s.usedVecs+n > len(s.vectors) {
		s.vectors = make([][]E, max(s.usedVecs+n, 2*len(s.vectors)))
	}
	v := s.vectors[s.usedVecs : s.usedVecs+n : s.usedVecs+n]
	s.usedVecs += n
	return v
}
