package flp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/field"
)

// source is a deterministic source of field elements.
type source[E field.Elem] struct {
	field field.Field[E]
	rand  *rand.Rand
}

func newSource[E field.Elem](f field.Field[E], seed uint64) *source[E] {
	return &source[E]{f, rand.New(rand.NewPCG(seed, 1))}
}

func (s *source[E]) vec(n int) []E {
	v := make([]E, n)
	for i := range v {
		// Not uniform, and good enough to hit a bad value with negligible probability.
		v[i] = s.field.Add(s.field.Mul(s.field.FromUint64(s.rand.Uint64()), s.field.FromUint64(s.rand.Uint64())), s.field.FromUint64(s.rand.Uint64()))
	}
	return v
}

// share splits v into additive shares.
func (s *source[E]) share(v []E, shares int) [][]E {
	out := [][]E{slices.Clone(v)}
	for range shares - 1 {
		r := s.vec(len(v))
		s.field.SubVec(out[0], out[0], r)
		out = append(out, r)
	}
	return out
}

// run is run_flp of VDAF Section 7.1 with a proof that tamper may change.
func run[E field.Elem](p *FLP[E], ws *Workspace[E], meas []E, shares int, s *source[E], tamper func(meas, proof []E)) (bool, error) {
	jointRand, proveRand, queryRand := s.vec(p.JointRandLen()), s.vec(p.ProveRandLen()), s.vec(p.QueryRandLen())
	proof := make([]E, p.ProofLen())
	p.Prove(ws, proof, meas, proveRand, jointRand)
	meas = slices.Clone(meas)
	if tamper != nil {
		tamper(meas, proof)
	}
	measShares, proofShares := s.share(meas, shares), s.share(proof, shares)
	verifier, share := make([]E, p.VerifierLen()), make([]E, p.VerifierLen())
	for j := range shares {
		if err := p.Query(ws, share, measShares[j], proofShares[j], queryRand, jointRand, shares); err != nil {
			return false, err
		}
		p.field.AddVec(verifier, verifier, share)
	}
	return p.Decide(ws, verifier), nil
}

func TestFLP(t *testing.T) {
	t.Run("Field64", func(t *testing.T) { testFLP(t, field.Field64) })
	t.Run("Field128", func(t *testing.T) { testFLP(t, field.Field128) })
}

func testFLP[E field.Elem](t *testing.T, f field.Field[E]) {
	for _, sample := range samples(f) {
		t.Run(sample.name, func(t *testing.T) {
			p, err := New(sample.circuit)
			if err != nil {
				t.Fatal(err)
			}
			ws := p.NewWorkspace()
			t.Run("accepts", rapid.MakeCheck(func(t *rapid.T) {
				shares := rapid.IntRange(1, 5).Draw(t, "shares")
				s := newSource(f, rapid.Uint64().Draw(t, "seed"))
				if ok, err := run(p, ws, sample.valid, shares, s, nil); !ok || err != nil {
					t.Fatalf("rejected a valid measurement: %v", err)
				}
			}))
			t.Run("rejects", rapid.MakeCheck(func(t *rapid.T) {
				shares := rapid.IntRange(1, 5).Draw(t, "shares")
				s := newSource(f, rapid.Uint64().Draw(t, "seed"))
				meas := rapid.SampledFrom(sample.invalid).Draw(t, "measurement")
				if ok, err := run(p, ws, meas, shares, s, nil); ok || err != nil {
					t.Fatalf("accepted %v: %v", meas, err)
				}
			}))
			t.Run("rejects a changed proof", rapid.MakeCheck(func(t *rapid.T) {
				s := newSource(f, rapid.Uint64().Draw(t, "seed"))
				at := rapid.IntRange(0, p.ProofLen()-1).Draw(t, "at")
				ok, err := run(p, ws, sample.valid, 2, s, func(_, proof []E) { proof[at] = f.Add(proof[at], f.FromUint64(1)) })
				if ok || err != nil {
					t.Fatalf("accepted with element %d of the proof changed: %v", at, err)
				}
			}))
			t.Run("rejects a changed measurement", rapid.MakeCheck(func(t *rapid.T) {
				s := newSource(f, rapid.Uint64().Draw(t, "seed"))
				at := rapid.IntRange(0, p.MeasLen()-1).Draw(t, "at")
				ok, err := run(p, ws, sample.valid, 2, s, func(meas, _ []E) { meas[at] = f.Add(meas[at], f.FromUint64(11)) })
				if ok || err != nil {
					t.Fatalf("accepted with element %d of the measurement changed: %v", at, err)
				}
			}))
		})
	}
}

// TestDecideChangedVerifier changes each element of an accepted verifier
// message.
func TestDecideChangedVerifier(t *testing.T) {
	f := field.Field128
	for _, sample := range samples(f) {
		p := must(New(sample.circuit))
		ws, s := p.NewWorkspace(), newSource(f, 7)
		jointRand := s.vec(p.JointRandLen())
		proof, verifier := make([]field.Elem128, p.ProofLen()), make([]field.Elem128, p.VerifierLen())
		p.Prove(ws, proof, sample.valid, s.vec(p.ProveRandLen()), jointRand)
		if err := p.Query(ws, verifier, sample.valid, proof, s.vec(p.QueryRandLen()), jointRand, 1); err != nil {
			t.Fatal(err)
		}
		if !p.Decide(ws, verifier) {
			t.Fatalf("%s: rejected", sample.name)
		}
		for i := range verifier {
			changed := slices.Clone(verifier)
			changed[i] = f.Add(changed[i], f.FromUint64(1))
			if p.Decide(ws, changed) {
				t.Errorf("%s: accepted with element %d of the verifier changed", sample.name, i)
			}
		}
	}
}

// TestLengths compares the lengths with the standard's formulas, worked out by
// hand.
func TestLengths(t *testing.T) {
	type lengths struct{ meas, output, jointRand, proveRand, queryRand, proof, verifier int }
	f := field.Field128
	for name, want := range map[string]lengths{
		// Mul once: p = 2, proof 2 + 2*1 + 1.
		"Count": {1, 1, 0, 2, 1, 5, 4},
		// 11 bits, PolyEval 11 times: p = 16, proof 1 + 2*15 + 1; 11 outputs are reduced.
		"Sum":            {11, 1, 0, 1, 12, 32, 3},
		"Sum of one bit": {1, 1, 0, 1, 1, 4, 3},
		// 35 elements in chunks of 6: 6 calls, p = 8, proof 12 + 2*7 + 1.
		"SumVec": {35, 5, 6, 12, 1, 27, 14},
		// 11 elements in chunks of 3: 4 calls, p = 8, proof 6 + 15; 2 outputs.
		"Histogram": {11, 11, 4, 6, 3, 21, 8},
		// 9 + 3 elements in a chunk of 20: p = 2, proof 40 + 3; 2 outputs.
		"MultihotCountVec": {12, 9, 1, 40, 3, 43, 42},
		// Degree 3, 6 calls: p = 8, proof 1 + 3*7 + 1; 6 outputs.
		"range three": {6, 6, 0, 1, 7, 23, 3},
		// 5 calls each: p = 8, proof 1 + 15 + 1 + 22.
		"two gadgets": {10, 10, 1, 2, 2, 39, 5},
	} {
		t.Run(name, func(t *testing.T) {
			all := samples(f)
			i := slices.IndexFunc(all, func(s sample[field.Elem128]) bool { return s.name == name })
			p := must(New(all[i].circuit))
			got := lengths{p.MeasLen(), p.OutputLen(), p.JointRandLen(), p.ProveRandLen(), p.QueryRandLen(), p.ProofLen(), p.VerifierLen()}
			if got != want {
				t.Errorf("lengths %+v, want %+v", got, want)
			}
		})
	}
}

// TestTestPoint queries at points that would leak the measurement.
func TestTestPoint(t *testing.T) {
	f := field.Field64
	for _, sample := range samples(f) {
		p := must(New(sample.circuit))
		ws, s := p.NewWorkspace(), newSource(f, 3)
		proof := s.vec(p.ProofLen())
		for i := range p.gadgets {
			n := p.gadgets[i].wirePolyLen
			for _, t0 := range f.NthRootPowers(n) {
				queryRand := s.vec(p.QueryRandLen())
				queryRand[len(queryRand)-len(p.gadgets)+i] = t0
				err := p.Query(ws, make([]field.Elem64, p.VerifierLen()), sample.valid, proof, queryRand, s.vec(p.JointRandLen()), 2)
				if !errors.Is(err, ErrTestPoint) {
					t.Errorf("%s: gadget %d at a root of unity: error %v", sample.name, i, err)
				}
			}
			// An odd root of unity of twice the order is no point of the wire polynomials.
			queryRand := s.vec(p.QueryRandLen())
			queryRand[len(queryRand)-len(p.gadgets)+i] = f.NthRoot(2 * n)
			if err := p.Query(ws, make([]field.Elem64, p.VerifierLen()), sample.valid, proof, queryRand, s.vec(p.JointRandLen()), 2); err != nil {
				t.Errorf("%s: gadget %d: %v", sample.name, i, err)
			}
		}
	}
}

// TestWorkspaceReuse checks that nothing of one report is left in a workspace
// for the next: the results are those of a fresh workspace.
func TestWorkspaceReuse(t *testing.T) {
	f := field.Field128
	for _, sample := range samples(f) {
		p := must(New(sample.circuit))
		used, s := p.NewWorkspace(), newSource(f, 5)
		for range 3 {
			if _, err := run(p, used, sample.invalid[0], 3, s, nil); err != nil {
				t.Fatal(err)
			}
			proveRand, queryRand, jointRand := s.vec(p.ProveRandLen()), s.vec(p.QueryRandLen()), s.vec(p.JointRandLen())
			var proofs, verifiers [2][]field.Elem128
			for i, ws := range []*Workspace[field.Elem128]{used, p.NewWorkspace()} {
				proofs[i], verifiers[i] = make([]field.Elem128, p.ProofLen()), make([]field.Elem128, p.VerifierLen())
				p.Prove(ws, proofs[i], sample.valid, proveRand, jointRand)
				if err := p.Query(ws, verifiers[i], sample.valid, proofs[i], queryRand, jointRand, 2); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(proofs[0], proofs[1]) || !slices.Equal(verifiers[0], verifiers[1]) {
				t.Fatalf("%s: a used workspace gives another result", sample.name)
			}
		}
	}
}

// TestConcurrentUse shares FLPs between goroutines, for the race detector.
func TestConcurrentUse(t *testing.T) {
	f := field.Field128
	for _, sample := range samples(f) {
		p := must(New(sample.circuit))
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				ws, s := p.NewWorkspace(), newSource(f, uint64(i))
				for range 5 {
					if ok, err := run(p, ws, sample.valid, 2, s, nil); !ok || err != nil {
						t.Errorf("%s: rejected: %v", sample.name, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestWorkspacesAreNotPrinted prints all that holds what a computation works on.
func TestWorkspacesAreNotPrinted(t *testing.T) {
	f := field.Field64
	p := must(New(Circuit[field.Elem64](NewCount(f))))
	ws := p.NewWorkspace()
	for _, x := range []any{ws, &ws.evaluator, &ws.scratch} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, x); got != "[redacted]" {
				t.Errorf("%s prints a %T as %s", verb, x, got)
			}
		}
	}
}

func TestWrongLengthsPanic(t *testing.T) {
	f := field.Field64
	p := must(New(Circuit[field.Elem64](NewCount(f))))
	ws := p.NewWorkspace()
	v := func(n int) []field.Elem64 { return make([]field.Elem64, n) }
	for name, call := range map[string]func(){
		"proof":              func() { p.Prove(ws, v(4), v(1), v(2), nil) },
		"meas":               func() { p.Prove(ws, v(5), v(2), v(2), nil) },
		"prove_rand":         func() { p.Prove(ws, v(5), v(1), v(3), nil) },
		"joint_rand":         func() { p.Prove(ws, v(5), v(1), v(2), v(1)) },
		"verifier":           func() { _ = p.Query(ws, v(3), v(1), v(5), v(1), nil, 2) },
		"query_rand":         func() { _ = p.Query(ws, v(4), v(1), v(5), v(2), nil, 2) },
		"verifier to decide": func() { p.Decide(ws, v(5)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			call()
		})
	}
}

// TestMiscountingCircuitPanics has circuits that do not make the calls that
// they declare.
func TestMiscountingCircuitPanics(t *testing.T) {
	f := field.Field64
	for name, eval := range map[string]func(ev *Evaluator[field.Elem64]){
		"too few":        func(ev *Evaluator[field.Elem64]) { ev.Call(0, ev.Inputs(0, 1)[:1:1]) },
		"too many":       func(ev *Evaluator[field.Elem64]) { ev.Inputs(0, 3) },
		"without inputs": func(ev *Evaluator[field.Elem64]) { ev.Call(0, make([]field.Elem64, 2)) },
	} {
		t.Run(name, func(t *testing.T) {
			p := must(New(Circuit[field.Elem64](&testCircuit[field.Elem64]{
				field: f, gadgets: []GadgetUse[field.Elem64]{{mustPolyEval(f, 0, 0, 1), 2}},
				measLen: 1, evalOutputLen: 1, outputLen: 1,
				eval: func(ev *Evaluator[field.Elem64], _, _, _ []field.Elem64) { eval(ev) },
			})))
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			p.Prove(p.NewWorkspace(), make([]field.Elem64, p.ProofLen()), make([]field.Elem64, 1), make([]field.Elem64, 1), nil)
		})
	}
}

func TestParamErrors(t *testing.T) {
	f, big := field.Field64, field.Field128
	circuit := func(change func(*testCircuit[field.Elem64])) error {
		c := &testCircuit[field.Elem64]{
			field: f, gadgets: []GadgetUse[field.Elem64]{{NewMul(f), 1}}, measLen: 1, evalOutputLen: 1, outputLen: 1,
		}
		change(c)
		_, err := New(Circuit[field.Elem64](c))
		return err
	}
	drop := func(_ any, err error) error { return err }
	for i, test := range []struct {
		err       error
		parameter string
	}{
		{circuit(func(c *testCircuit[field.Elem64]) { c.measLen = 0 }), "MEAS_LEN"},
		{circuit(func(c *testCircuit[field.Elem64]) { c.measLen = MaxMeasLen + 1 }), "MEAS_LEN"},
		{circuit(func(c *testCircuit[field.Elem64]) { c.jointRandLen = -1 }), "JOINT_RAND_LEN"},
		{circuit(func(c *testCircuit[field.Elem64]) { c.evalOutputLen = 0 }), "EVAL_OUTPUT_LEN"},
		{circuit(func(c *testCircuit[field.Elem64]) { c.outputLen = 0 }), "OUTPUT_LEN"},
		{circuit(func(c *testCircuit[field.Elem64]) { c.gadgets[0].Calls = 0 }), "GADGET_CALLS"},
		{circuit(func(c *testCircuit[field.Elem64]) { c.gadgets[0].Calls = MaxMeasLen + 1 }), "GADGET_CALLS"},
		{circuit(func(c *testCircuit[field.Elem64]) {
			c.gadgets[0] = GadgetUse[field.Elem64]{mustParallelSum(f, Gadget[field.Elem64](NewMul(f)), 1<<12), 1 << 18}
		}), "ARITY * (1 + GADGET_CALLS)"},
		{drop(NewPolyEval(f, ints(f, 5, 0, 0))), "degree"},
		{drop(NewPolyEval(f, nil)), "degree"},
		{drop(NewParallelSum(f, Gadget[field.Elem64](NewMul(f)), 0)), "count"},
		{drop(NewSum(f, 0)), "max_measurement"},
		{drop(NewSum(f, 1<<64-1)), "max_measurement"},
		{drop(NewSum(f, 1<<64-1<<32+1)), "max_measurement"},
		{drop(NewSumVec(big, 0, 1, 1)), "length"},
		{drop(NewSumVec(big, MaxMeasLen/64+1, 1<<64-1, 1)), "length"},
		{drop(NewSumVec(big, 10, 0, 1)), "max_measurement"},
		{drop(NewSumVec(big, 10, 1, 0)), "chunk_length"},
		{drop(NewHistogram(big, 0, 1)), "length"},
		{drop(NewHistogram(big, MaxMeasLen+1, 1)), "length"},
		{drop(NewHistogram(big, 10, -1)), "chunk_length"},
		{drop(NewMultihotCountVec(big, 0, 1, 1)), "length"},
		{drop(NewMultihotCountVec(big, 10, 0, 1)), "max_weight"},
		{drop(NewMultihotCountVec(big, 10, 11, 1)), "max_weight"},
		{drop(NewMultihotCountVec(big, 10, 2, MaxMeasLen)), "chunk_length"},
	} {
		var param *ParamError
		if !errors.As(test.err, &param) || param.Parameter != test.parameter {
			t.Errorf("%d: error %v, want one of %s", i, test.err, test.parameter)
		}
	}
	for i, err := range []error{
		drop(NewSum(f, 1<<64-1<<32)), drop(NewSum(big, 1<<64-1)),
		drop(NewMultihotCountVec(big, 10, 10, 1)), drop(NewHistogram(big, 1, 1000)),
	} {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func ExampleOptimalChunkLength() {
	fmt.Println(OptimalChunkLength(16_000))
	// Output: 126
}
