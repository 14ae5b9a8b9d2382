package flp

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/field"
)

// whole hides what kind of circuit another one is: its proofs are made and queried as those
// of any circuit, with all the wires in memory.
type whole[E field.Elem] struct{ Circuit[E] }

// bitCircuits are of sizes at which rows, blocks and matrices begin and end.
func bitCircuits[E field.Elem](f field.Field[E]) map[string]Circuit[E] {
	return map[string]Circuit[E]{
		"SumVec of bits":           must(NewSumVec(f, 37, 1, 5)),
		"SumVec in many chunks":    must(NewSumVec(f, 100, 5, 7)),
		"SumVec in one chunk":      must(NewSumVec(f, 9, 1000, 90)),
		"SumVec in a long chunk":   must(NewSumVec(f, 4, 3, 77)),
		"Histogram of one":         must(NewHistogram(f, 1, 1)),
		"Histogram":                must(NewHistogram(f, 300, 18)),
		"Histogram in wide chunks": must(NewHistogram(f, 400, 130)),
		"Histogram in chunks of 1": must(NewHistogram(f, 17, 1)),
		"MultihotCountVec":         must(NewMultihotCountVec(f, 60, 33, 8)),
		"MultihotCountVec, padded": must(NewMultihotCountVec(f, 5, 5, 20)),
	}
}

func TestBitCircuits(t *testing.T) {
	t.Run("Field64", func(t *testing.T) { testBitCircuits(t, field.Field64) })
	t.Run("Field128", func(t *testing.T) { testBitCircuits(t, field.Field128) })
}

// testBitCircuits compares proofs, verifier shares and truncated outputs of any
// field elements with those that are computed with all the wires in memory.
func testBitCircuits[E field.Elem](t *testing.T, f field.Field[E]) {
	for name, c := range bitCircuits(f) {
		p, plain := must(New(c)), must(New(Circuit[E](whole[E]{c})))
		if !p.InBlocks() || plain.InBlocks() {
			t.Fatalf("%s: InBlocks is %v and %v", name, p.InBlocks(), plain.InBlocks())
		}
		ws, plainWS, query := p.NewWorkspace(), plain.NewWorkspace(), p.NewQuery()
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			s := newSource(f, rapid.Uint64().Draw(t, "seed"))
			meas, jointRand := s.vec(p.MeasLen()), s.vec(p.JointRandLen())
			proof, want := s.vec(p.ProofLen()), s.vec(p.ProofLen())
			proveRand := s.vec(p.ProveRandLen())
			p.Prove(ws, proof, meas, proveRand, jointRand)
			plain.Prove(plainWS, want, meas, proveRand, jointRand)
			if !slices.Equal(proof, want) {
				t.Fatal("the proof differs")
			}

			proof, queryRand, shares := s.vec(p.ProofLen()), s.vec(p.QueryRandLen()), rapid.IntRange(1, 5).Draw(t, "shares")
			verifier, wantVerifier := s.vec(p.VerifierLen()), s.vec(p.VerifierLen())
			if err := plain.Query(plainWS, wantVerifier, meas, proof, queryRand, jointRand, shares); err != nil {
				t.Fatal(err)
			}
			out, wantOut := make([]E, p.OutputLen()), make([]E, p.OutputLen())
			c.Truncate(wantOut, meas)
			query.Begin(ws, proof, queryRand, jointRand, shares)
			for offset := 0; offset < len(meas); {
				n := rapid.OneOf(rapid.Just(p.BlockLen()), rapid.IntRange(0, len(meas))).Draw(t, "block")
				block := meas[offset:min(offset+n, len(meas))]
				query.Add(block)
				p.AddTruncated(out, offset, block)
				offset += len(block)
			}
			if err := query.Finish(verifier); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(verifier, wantVerifier) {
				t.Fatal("the verifier share differs in blocks")
			}
			if !slices.Equal(out, wantOut) {
				t.Fatal("the truncated output differs in blocks")
			}
			clear(verifier)
			if err := p.Query(ws, verifier, meas, proof, queryRand, jointRand, shares); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(verifier, wantVerifier) {
				t.Fatal("the verifier share differs at once")
			}
		}))
	}
}

// TestCountForm compares proofs and verifier shares in closed form, of any field elements, with those
// that are computed with all the wires in memory.
func TestCountForm(t *testing.T) {
	t.Run("Field64", func(t *testing.T) { testCountForm(t, field.Field64) })
	t.Run("Field128", func(t *testing.T) { testCountForm(t, field.Field128) })
}

func testCountForm[E field.Elem](t *testing.T, f field.Field[E]) {
	c := Circuit[E](NewCount(f))
	p, plain := must(New(c)), must(New(Circuit[E](whole[E]{c})))
	if p.count == nil || plain.count != nil {
		t.Fatal("the closed form is not for Count alone")
	}
	ws, plainWS := p.NewWorkspace(), plain.NewWorkspace()
	rapid.Check(t, func(t *rapid.T) {
		s := newSource(f, rapid.Uint64().Draw(t, "seed"))
		meas, proof, queryRand := s.vec(1), s.vec(p.ProofLen()), s.vec(1)
		made, wantMade, proveRand := s.vec(p.ProofLen()), s.vec(p.ProofLen()), s.vec(p.ProveRandLen())
		p.Prove(ws, made, meas, proveRand, nil)
		plain.Prove(plainWS, wantMade, meas, proveRand, nil)
		if !slices.Equal(made, wantMade) {
			t.Fatal("the proof differs")
		}
		got, want := s.vec(p.VerifierLen()), s.vec(p.VerifierLen())
		if err := p.Query(ws, got, meas, proof, queryRand, nil, 2); err != nil {
			t.Fatal(err)
		}
		if err := plain.Query(plainWS, want, meas, proof, queryRand, nil, 2); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatal("the verifier share differs")
		}
	})
}

// TestQueryInPieces adds the measurement share of any circuit in pieces.
func TestQueryInPieces(t *testing.T) {
	f := field.Field64
	for _, sample := range samples(f) {
		p := must(New(sample.circuit))
		ws, s, query := p.NewWorkspace(), newSource(f, 21), p.NewQuery()
		for range 2 {
			meas, proof, queryRand, jointRand := s.vec(p.MeasLen()), s.vec(p.ProofLen()), s.vec(p.QueryRandLen()), s.vec(p.JointRandLen())
			want, got := s.vec(p.VerifierLen()), s.vec(p.VerifierLen())
			if err := p.Query(ws, want, meas, proof, queryRand, jointRand, 2); err != nil {
				t.Fatal(err)
			}
			query.Begin(ws, proof, queryRand, jointRand, 2)
			for i := range meas {
				query.Add(meas[i : i+1])
			}
			if err := query.Finish(got); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: the verifier share differs", sample.name)
			}
		}
	}
}

// TestQueryMisuse adds too much and too little, and queries at a root of unity.
func TestQueryMisuse(t *testing.T) {
	f := field.Field64
	for _, c := range []Circuit[field.Elem64]{must(NewSumVec(f, 5, 3, 4)), NewCount(f)} {
		p := must(New(c))
		ws, s := p.NewWorkspace(), newSource(f, 4)
		verifier := s.vec(p.VerifierLen())
		begun := func() *Query[field.Elem64] {
			q := p.NewQuery()
			queryRand := s.vec(p.QueryRandLen())
			queryRand[len(queryRand)-1] = f.NthRoot(2)
			q.Begin(ws, s.vec(p.ProofLen()), queryRand, s.vec(p.JointRandLen()), 2)
			return q
		}
		q := begun()
		q.Add(s.vec(p.MeasLen()))
		if err := q.Finish(verifier); !errors.Is(err, ErrTestPoint) {
			t.Errorf("%T: error %v", c, err)
		}
		if got := fmt.Sprintf("%v %+v %#v", q, q, q); got != "[redacted] [redacted] [redacted]" {
			t.Errorf("a query prints as %s", got)
		}
		for name, misuse := range map[string]func(){
			"too much":         func() { q := begun(); q.Add(s.vec(p.MeasLen() + 1)); _ = q.Finish(verifier) },
			"too little":       func() { q := begun(); q.Add(s.vec(p.MeasLen() - 1)); _ = q.Finish(verifier) },
			"another verifier": func() { q := begun(); q.Add(s.vec(p.MeasLen())); _ = q.Finish(verifier[1:]) },
			"another output":   func() { p.AddTruncated(s.vec(p.OutputLen()+1), 0, s.vec(p.MeasLen())) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%T: %s does not panic", c, name)
					}
				}()
				misuse()
			}()
		}
	}
}
