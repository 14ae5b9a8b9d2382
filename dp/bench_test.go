package dp

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"testing"
)

const benchmarkBuckets = 10_000

// The noise for a vector of 10,000 elements.
func BenchmarkSample(b *testing.B) {
	for _, scale := range []*big.Rat{big.NewRat(1, 2), big.NewRat(20, 1), big.NewRat(1000003, 7), new(big.Rat).SetInt(new(big.Int).Lsh(one, 80))} {
		laplace, err := NewDiscreteLaplace(scale)
		if err != nil {
			b.Fatal(err)
		}
		gaussian, err := NewDiscreteGaussian(new(big.Rat).Mul(scale, scale))
		if err != nil {
			b.Fatal(err)
		}
		name, _ := scale.Float64()
		b.Run(fmt.Sprintf("Laplace/scale=%.4g", name), func(b *testing.B) {
			for b.Loop() {
				if _, err := laplace.Sample(rand.Reader, benchmarkBuckets); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchmarkBuckets, "ns/value")
		})
		b.Run(fmt.Sprintf("Gaussian/sigma=%.4g", name), func(b *testing.B) {
			for b.Loop() {
				if _, err := gaussian.Sample(rand.Reader, benchmarkBuckets); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchmarkBuckets, "ns/value")
		})
	}
}
