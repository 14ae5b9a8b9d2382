package flp

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
)

// Evaluator is what a circuit's Eval calls gadgets through. It records the
// inputs of each call, as the "shims" of VDAF Appendix A.4 do, and yields its
// output: from the gadget itself when proving, from the gadget polynomial of
// the proof when querying.
type Evaluator[E field.Elem] struct {
	ws      *Workspace[E]
	proving bool
}

// Format prints a placeholder for every verb.
func (*Evaluator[E]) Format(f fmt.State, _ rune) { redact(f) }

// SharesInverse is 1/num_shares, by which constants that are added to a share
// are to be multiplied.
func (ev *Evaluator[E]) SharesInverse() E { return ev.ws.sharesInverse }

// Scratch is a stack of temporary vectors for the circuit's use.
func (ev *Evaluator[E]) Scratch() *Scratch[E] { return &ev.ws.scratch }

// Inputs returns the rows of wires of the next n calls to a gadget of the
// circuit, row-major. The circuit must set every element of them (they are not
// cleared), in the order of the gadget's rows, before it makes the calls.
func (ev *Evaluator[E]) Inputs(gadget, n int) []E {
	r := &ev.ws.runs[gadget]
	if n < 0 || r.handed+n > r.info.calls {
		panic(fmt.Sprintf("flp: the circuit calls gadget %d more than %d times", gadget, r.info.calls))
	}
	first := 1 + r.handed
	r.handed += n
	return r.wires[first*r.info.arity : (first+n)*r.info.arity]
}

// Call makes the next len(out) calls to a gadget, on inputs that were set, and
// sets out to their outputs.
func (ev *Evaluator[E]) Call(gadget int, out []E) {
	r := &ev.ws.runs[gadget]
	if r.called+len(out) > r.handed {
		panic(fmt.Sprintf("flp: the circuit calls gadget %d without inputs", gadget))
	}
	first := 1 + r.called
	r.called += len(out)
	if ev.proving && r.info.arity == 1 {
		mark := ev.ws.scratch.Mark()
		wires := ev.ws.scratch.TakeVectors(1)
		wires[0] = r.wires[first : first+len(out)]
		r.info.gadget.EvalVec(out, wires, &ev.ws.scratch)
		ev.ws.scratch.Release(mark)
		return
	}
	if ev.proving {
		for i := range out {
			row := r.wires[(first+i)*r.info.arity : (first+i+1)*r.info.arity]
			out[i] = r.info.gadget.EvalRow(row, &ev.ws.scratch)
		}
		return
	}
	step := r.info.polyLen / r.info.wirePolyLen
	for i := range out {
		out[i] = r.poly[(first+i)*step]
	}
}

// evaluate runs the circuit of p and returns its output.
func (p *FLP[E]) evaluate(ws *Workspace[E], meas, jointRand []E, proving bool) []E {
	ws.evaluator = Evaluator[E]{ws: ws, proving: proving}
	p.circuit.Eval(&ws.evaluator, ws.output, meas, jointRand)
	for i := range ws.runs {
		if r := &ws.runs[i]; r.called != r.info.calls {
			panic(fmt.Sprintf("flp: the circuit calls gadget %d %d times, but declares %d", i, r.called, r.info.calls))
		}
	}
	return ws.output
}

// setSeeds sets a gadget's row of wire seeds, which are given in the
// standard's order.
func (r *gadgetRun[E]) setSeeds(seeds []E) {
	for i, index := range r.order {
		r.wires[i] = seeds[index]
	}
}

// mustLen panics unless a vector has the length that the proof system gives it:
// another one is a programmer's error.
func mustLen[E any](name string, v []E, want int) { mustHave(name, len(v), want) }

func mustHave(name string, length, want int) {
	if length != want {
		panic(fmt.Sprintf("flp: %s has length %d, want %d", name, length, want))
	}
}
