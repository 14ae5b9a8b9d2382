package flp

import (
	"math/bits"
	"slices"
	"testing"

	"github.com/twofold-dap/twofold/field"
)

// The proof system once more, as plainly as the standard's text has it: wires
// one vector each in the standard's order, gadgets evaluated at one point at a
// time, polynomials by interpolation in quadratic time.

// referenceGadget evaluates a gadget on inputs in the standard's order.
func referenceGadget[E field.Elem](f field.Field[E], g Gadget[E], in []E) E {
	switch g := g.(type) {
	case *Mul[E]:
		return f.Mul(in[0], in[1])
	case *PolyEval[E]:
		var y E
		for i := len(g.p) - 1; i >= 0; i-- {
			y = f.Add(f.Mul(y, in[0]), g.p[i])
		}
		return y
	case *ParallelSum[E]:
		var sum E
		n := g.subcircuit.Arity()
		for i := range g.count {
			sum = f.Add(sum, referenceGadget(f, g.subcircuit, in[i*n:(i+1)*n]))
		}
		return sum
	}
	panic("no such gadget")
}

// referenceInterpolate evaluates at x the polynomial of degree below len(values)
// that has values[i] at the i-th power of the n-th root of unity.
func referenceInterpolate[E field.Elem](f field.Field[E], values []E, n int, x E) E {
	nodes := f.NthRootPowers(n)
	var sum E
	for i, v := range values {
		numerator, denominator := f.FromUint64(1), f.FromUint64(1)
		for j := range values {
			if i != j {
				numerator = f.Mul(numerator, f.Sub(x, nodes[j]))
				denominator = f.Mul(denominator, f.Sub(nodes[i], nodes[j]))
			}
		}
		sum = f.Add(sum, f.Mul(v, f.Mul(numerator, f.Inv(denominator))))
	}
	return sum
}

// referenceWires returns the wires of a gadget in the standard's order as the
// circuit left them in the workspace, wires[j][k].
func referenceWires[E field.Elem](r *gadgetRun[E]) [][]E {
	wires := make([][]E, r.info.arity)
	for i := range r.info.arity {
		wire := make([]E, 1<<bits.Len(uint(r.info.calls)))
		for k := range 1 + r.info.calls {
			wire[k] = r.wires[k*r.info.arity+i]
		}
		wires[r.info.gadget.WireIndex(i)] = wire
	}
	return wires
}

// at returns the k-th element of each wire.
func at[E field.Elem](wires [][]E, k int) []E {
	var out []E
	for _, w := range wires {
		out = append(out, w[k])
	}
	return out
}

// TestProveIsTheStandards compares each part of a proof with the plain
// computation.
func TestProveIsTheStandards(t *testing.T) {
	f := field.Field128
	for _, sample := range samples(f) {
		p := must(New(Circuit[field.Elem128](whole[field.Elem128]{sample.circuit})))
		ws, s := p.NewWorkspace(), newSource(f, 9)
		proveRand, proof := s.vec(p.ProveRandLen()), make([]field.Elem128, p.ProofLen())
		p.Prove(ws, proof, sample.valid, proveRand, s.vec(p.JointRandLen()))

		for i := range ws.runs {
			r := &ws.runs[i]
			wires, arity := referenceWires(r), r.info.gadget.Arity()
			if !slices.Equal(at(wires, 0), proveRand[:arity]) || !slices.Equal(proof[:arity], proveRand[:arity]) {
				t.Fatalf("%s: gadget %d: the wire seeds are not the prover randomness in its order", sample.name, i)
			}
			proveRand, proof = proveRand[arity:], proof[arity:]

			p := len(wires[0])
			length := r.info.gadget.Degree()*(p-1) + 1
			n := 1 << bits.Len(uint(length-1))
			for k := range length {
				var in []field.Elem128
				for _, w := range wires {
					in = append(in, referenceInterpolate(f, w, p, f.NthRootPowers(n)[k]))
				}
				if want := referenceGadget(f, r.info.gadget, in); proof[k] != want {
					t.Fatalf("%s: gadget %d: element %d of the gadget polynomial differs", sample.name, i, k)
				}
			}
			proof = proof[length:]
		}
		if len(proof) != 0 {
			t.Fatalf("%s: %d elements too many in the proof", sample.name, len(proof))
		}
	}
}

// TestQueryIsTheStandards compares each part of a verifier message, from a
// proof of random elements, with the plain computation.
func TestQueryIsTheStandards(t *testing.T) {
	f := field.Field64
	for _, sample := range samples(f) {
		p := must(New(Circuit[field.Elem64](whole[field.Elem64]{sample.circuit})))
		ws, s := p.NewWorkspace(), newSource(f, 9)
		meas, proof := s.vec(p.MeasLen()), s.vec(p.ProofLen())
		queryRand, verifier := s.vec(p.QueryRandLen()), make([]field.Elem64, p.VerifierLen())
		if err := p.Query(ws, verifier, meas, proof, queryRand, s.vec(p.JointRandLen()), 3); err != nil {
			t.Fatal(err)
		}

		want := ws.output[0]
		if len(ws.output) > 1 {
			want = f.FromUint64(0)
			for i, out := range ws.output {
				want = f.Add(want, f.Mul(queryRand[i], out))
			}
			queryRand = queryRand[len(ws.output):]
		}
		if verifier[0] != want {
			t.Fatalf("%s: the reduced output differs", sample.name)
		}
		verifier = verifier[1:]
		for i := range ws.runs {
			r, x := &ws.runs[i], queryRand[i]
			wires, arity := referenceWires(r), r.info.gadget.Arity()
			if !slices.Equal(at(wires, 0), proof[:arity]) {
				t.Fatalf("%s: gadget %d: the wire seeds are not the proof's", sample.name, i)
			}
			p := len(wires[0])
			for j, w := range wires {
				if verifier[j] != referenceInterpolate(f, w, p, x) {
					t.Fatalf("%s: gadget %d: wire check %d differs", sample.name, i, j)
				}
			}
			length := r.info.gadget.Degree()*(p-1) + 1
			n := 1 << bits.Len(uint(length-1))
			poly := proof[arity : arity+length]
			if verifier[arity] != referenceInterpolate(f, poly, n, x) {
				t.Fatalf("%s: gadget %d: the gadget check differs", sample.name, i)
			}
			verifier, proof = verifier[arity+1:], proof[arity+length:]
		}
	}
}

// TestGadgetOrder checks that WireIndex is a permutation and that EvalRow and
// EvalVec compute the standard's gadget on rows that it orders.
func TestGadgetOrder(t *testing.T) {
	f := field.Field64
	s := newSource(f, 2)
	cube := mustPolyEval(f, 1, 2, 3, 4)
	mul := Gadget[field.Elem64](NewMul(f))
	for i, g := range []Gadget[field.Elem64]{
		mul, cube, mustParallelSum(f, mul, 1), mustParallelSum(f, mul, 5), mustParallelSum(f, cube, 4),
		mustParallelSum(f, mustParallelSum(f, mul, 3), 2), mustParallelSum(f, mustParallelSum(f, mustParallelSum(f, mul, 2), 3), 4),
	} {
		const columns = 3
		var scratch Scratch[field.Elem64]
		wires, standard := make([][]field.Elem64, g.Arity()), make([][]field.Elem64, g.Arity())
		for j := range wires {
			wires[j] = s.vec(columns)
			if standard[g.WireIndex(j)] != nil {
				t.Fatalf("gadget %d: two wires have the index %d", i, g.WireIndex(j))
			}
			standard[g.WireIndex(j)] = wires[j]
		}
		got := make([]field.Elem64, columns)
		g.EvalVec(got, wires, &scratch)
		for k := range columns {
			want := referenceGadget(f, g, at(standard, k))
			if got[k] != want {
				t.Errorf("gadget %d: EvalVec differs", i)
			}
			if g.EvalRow(at(wires, k), &scratch) != want {
				t.Errorf("gadget %d: EvalRow differs", i)
			}
		}
		if scratch.Mark() != (ScratchMark{}) {
			t.Errorf("gadget %d keeps scratch memory", i)
		}
	}
}
