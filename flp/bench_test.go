package flp

import (
	"testing"

	"github.com/twofold-dap/twofold/field"
)

// BenchmarkFLP proves, queries and decides at real sizes, in time for each
// field element of the measurement.
func BenchmarkFLP(b *testing.B) {
	f := field.Field128
	histogram := must(NewHistogram(f, 100, OptimalChunkLength(100)))
	large := must(NewHistogram(f, 10_000, OptimalChunkLength(10_000)))
	sumVec := must(NewSumVec(f, 1_000, 65_535, OptimalChunkLength(16_000)))
	sum := must(NewSum(field.Field64, 1<<20))
	b.Run("Sum/max=2^20", func(b *testing.B) { benchmark(b, Circuit[field.Elem64](sum), encoded(sum, sum.Encode, 12_345)) })
	b.Run("Histogram/length=100", func(b *testing.B) {
		benchmark(b, Circuit[field.Elem128](histogram), encoded(histogram, histogram.Encode, 42))
	})
	b.Run("Histogram/length=10000", func(b *testing.B) {
		benchmark(b, Circuit[field.Elem128](large), encoded(large, large.Encode, 42))
	})
	b.Run("SumVec/length=1000,max=65535", func(b *testing.B) {
		benchmark(b, Circuit[field.Elem128](sumVec), encoded(sumVec, sumVec.Encode, make([]uint64, 1000)))
	})
}

func benchmark[E field.Elem](b *testing.B, c Circuit[E], meas []E) {
	p := must(New(c))
	ws, s := p.NewWorkspace(), newSource(c.Field(), 1)
	proveRand, queryRand, jointRand := s.vec(p.ProveRandLen()), s.vec(p.QueryRandLen()), s.vec(p.JointRandLen())
	proof, verifier := make([]E, p.ProofLen()), make([]E, p.VerifierLen())
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(meas)), "ns/element")
		})
	}
	run("prove", func() { p.Prove(ws, proof, meas, proveRand, jointRand) })
	run("query", func() {
		if err := p.Query(ws, verifier, meas, proof, queryRand, jointRand, 1); err != nil {
			b.Fatal(err)
		}
	})
	run("decide", func() {
		if !p.Decide(ws, verifier) {
			b.Fatal("rejected")
		}
	})
}
