package vdaf_test

import (
	"fmt"
	"testing"

	"github.com/twofold-dap/twofold/vdaf"
)

// benchBatch is how many reports a benchmark's batch has.
const benchBatch = 64

// benchCase is an instance with its length in field elements and a measurement.
type benchCase struct {
	name     string
	elements int
	v        vdaf.Verifier
	shard    func(nonce, rand []byte) ([]byte, [][]byte, error)
	randSize int
}

func benchOf[M, R any](name string, elements int, v vdaf.VDAF[M, R], measurement M) benchCase {
	return benchCase{name: name, elements: elements, v: v, randSize: v.RandSize(),
		shard: func(nonce, rand []byte) ([]byte, [][]byte, error) {
			return v.Shard([]byte("bench"), measurement, nonce, rand)
		}}
}

func benchCases(b *testing.B) []benchCase {
	count, err := vdaf.NewPrio3Count(2)
	check(b, err)
	sum, err := vdaf.NewPrio3Sum(2, 1<<20)
	check(b, err)
	small, err := vdaf.NewPrio3Histogram(2, 10, vdaf.OptimalChunkLength(10))
	check(b, err)
	histogram, err := vdaf.NewPrio3Histogram(2, 100, vdaf.OptimalChunkLength(100))
	check(b, err)
	medium, err := vdaf.NewPrio3Histogram(2, 1_000, vdaf.OptimalChunkLength(1_000))
	check(b, err)
	large, err := vdaf.NewPrio3Histogram(2, 10_000, vdaf.OptimalChunkLength(10_000))
	check(b, err)
	sumVec, err := vdaf.NewPrio3SumVec(2, 1_000, 65_535, vdaf.OptimalChunkLength(16_000))
	check(b, err)
	multihot, err := vdaf.NewPrio3MultihotCountVec(2, 100, 10, vdaf.OptimalChunkLength(104))
	check(b, err)
	longMultihot, err := vdaf.NewPrio3MultihotCountVec(2, 1_000, 50, vdaf.OptimalChunkLength(1_006))
	check(b, err)
	multiproof, err := vdaf.NewPrio3SumVecField64Multiproof(2, 1_000, 65_535, vdaf.OptimalChunkLength(16_000), 3)
	check(b, err)

	vector := make([]uint64, 1_000)
	for i := range vector {
		vector[i] = uint64(i * 65)
	}
	flags, longFlags := make([]bool, 100), make([]bool, 1_000)
	flags[3], flags[70] = true, true
	longFlags[3], longFlags[700] = true, true
	return []benchCase{
		benchOf("Count", 1, count, true),
		benchOf("Sum/max=2^20", 21, sum, 123_456),
		benchOf("Histogram/length=10", 10, small, 4),
		benchOf("Histogram/length=100", 100, histogram, 42),
		benchOf("Histogram/length=1000", 1_000, medium, 420),
		benchOf("Histogram/length=10000", 10_000, large, 4_242),
		benchOf("SumVec/length=1000,max=65535", 16_000, sumVec, vector),
		benchOf("MultihotCountVec/length=100,max_weight=10", 104, multihot, flags),
		benchOf("MultihotCountVec/length=1000,max_weight=50", 1_006, longMultihot, longFlags),
		benchOf("SumVecField64Multiproof/length=1000,max=65535,proofs=3", 16_000, multiproof, vector),
	}
}

// reports shards a batch and returns it as each of the two aggregators has it.
func (c *benchCase) reports(b *testing.B) (of [2][]vdaf.Report) {
	for i := range benchBatch {
		nonce := fill(c.v.NonceSize(), i)
		publicShare, inputShares, err := c.shard(nonce, fill(c.randSize, 1000+i))
		check(b, err)
		for j := range of {
			of[j] = append(of[j], vdaf.Report{Nonce: nonce, PublicShare: publicShare, InputShare: inputShares[j]})
		}
	}
	return of
}

// perElement reports a benchmark's time in a report's field elements.
func (c *benchCase) perElement(b *testing.B, reports int) {
	perReport := float64(b.Elapsed().Nanoseconds()) / float64(b.N*reports)
	b.ReportMetric(perReport/float64(c.elements), "ns/element")
	b.ReportMetric(perReport/1e3, "µs/report")
}

func BenchmarkShard(b *testing.B) {
	for _, c := range benchCases(b) {
		b.Run(c.name, func(b *testing.B) {
			nonce, rand := fill(c.v.NonceSize(), 1), fill(c.randSize, 2)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := c.shard(nonce, rand); err != nil {
					b.Fatal(err)
				}
			}
			c.perElement(b, 1)
		})
	}
}

func BenchmarkVerifyInit(b *testing.B) {
	for _, c := range benchCases(b) {
		reports := c.reports(b)
		for aggID, role := range []string{"leader", "helper"} {
			b.Run(fmt.Sprintf("%s/%s", c.name, role), func(b *testing.B) {
				key := fill(c.v.VerifyKeySize(), 3)
				b.ReportAllocs()
				for b.Loop() {
					for _, r := range c.v.VerifyInit(key, []byte("bench"), aggID, nil, reports[aggID]) {
						if r.Err != nil {
							b.Fatal(r.Err)
						}
					}
				}
				c.perElement(b, benchBatch)
			})
		}
	}
}

// BenchmarkFinish is what is left after VerifyInit: VerifierSharesToMessage and
// VerifyNext.
func BenchmarkFinish(b *testing.B) {
	for _, c := range benchCases(b) {
		b.Run(c.name, func(b *testing.B) {
			reports := c.reports(b)
			key, ctx := fill(c.v.VerifyKeySize(), 3), []byte("bench")
			leader := c.v.VerifyInit(key, ctx, 0, nil, reports[0])
			helper := c.v.VerifyInit(key, ctx, 1, nil, reports[1])
			states := make([]vdaf.State, benchBatch)
			shares := make([][][]byte, benchBatch)
			for i := range benchBatch {
				check(b, leader[i].Err)
				check(b, helper[i].Err)
				states[i] = leader[i].State
				shares[i] = [][]byte{leader[i].VerifierShare, helper[i].VerifierShare}
			}
			messages := make([][]byte, benchBatch)
			b.ReportAllocs()
			for b.Loop() {
				for i, r := range c.v.VerifierSharesToMessage(ctx, nil, 0, shares) {
					if r.Err != nil {
						b.Fatal(r.Err)
					}
					messages[i] = r.Message
				}
				for _, r := range c.v.VerifyNext(ctx, states, messages) {
					if r.Err != nil {
						b.Fatal(r.Err)
					}
				}
			}
			c.perElement(b, benchBatch)
		})
	}
}

// fill returns n bytes that depend on n and seed only.
func fill(n, seed int) []byte {
	b := make([]byte, n)
	x := uint64(seed)*0x9E3779B97F4A7C15 + uint64(n)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x >> 32)
	}
	return b
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
