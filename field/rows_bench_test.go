package field

import "testing"

func BenchmarkAddWeightedRows(b *testing.B) {
	b.Run("Field64", func(b *testing.B) { benchAddWeightedRows(b, Field64) })
	b.Run("Field128", func(b *testing.B) { benchAddWeightedRows(b, Field128) })
}

// benchAddWeightedRows has the size of a SumVec's check, 1,000 x 16 bits.
func benchAddWeightedRows[E Elem](b *testing.B, f Field[E]) {
	const rowCount, n = 127, 126
	vec := func(n int) []E { return randomVec(f, testRand(), n) }
	first, second, at, ratios, weights, rows := vec(n), vec(n), vec(rowCount), vec(rowCount), vec(rowCount), vec(rowCount*n)
	for b.Loop() {
		f.AddWeightedRows(first, second, at, ratios, weights, rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rowCount*n), "ns/element")
}

func BenchmarkOddEvaluations(b *testing.B) {
	b.Run("Field64", func(b *testing.B) { benchOddEvaluations(b, Field64) })
	b.Run("Field128", func(b *testing.B) { benchOddEvaluations(b, Field128) })
}

func benchOddEvaluations[E Elem](b *testing.B, f Field[E]) {
	const n, columns = 128, 32
	rows := randomVec(f, testRand(), n*columns)
	for b.Loop() {
		f.OddEvaluations(rows, n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*columns), "ns/element")
}
