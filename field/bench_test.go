package field

import (
	"fmt"
	"testing"
)

func benchBoth(b *testing.B, bench64 func(b *testing.B, f Field[Elem64]), bench128 func(b *testing.B, f Field[Elem128])) {
	b.Run("Field64", func(b *testing.B) { bench64(b, Field64) })
	b.Run("Field128", func(b *testing.B) { bench128(b, Field128) })
}

func reportElements(b *testing.B, elements int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(elements), "ns/element")
}

const benchLength = 16000

func BenchmarkVectors(b *testing.B) { benchBoth(b, benchVectors[Elem64], benchVectors[Elem128]) }

func benchVectors[E Elem](b *testing.B, f Field[E]) {
	r := testRand()
	x, y, dst := randomVec(f, r, benchLength), randomVec(f, r, benchLength), make([]E, benchLength)
	p := randomVec(f, r, 3)
	encoded := f.EncodeVec(nil, x)
	var sink E
	for _, operation := range []struct {
		name string
		do   func()
	}{
		{"AddVec", func() { f.AddVec(dst, x, y) }},
		{"SubVec", func() { f.SubVec(dst, x, y) }},
		{"MulVec", func() { f.MulVec(dst, x, y) }},
		{"ScaleVec", func() { f.ScaleVec(dst, x[0], y) }},
		{"AddConstVec", func() { f.AddConstVec(dst, y, x[0]) }},
		{"AxpyVec", func() { f.AxpyVec(dst, x[0], y) }},
		{"Sum", func() { sink = f.Sum(x) }},
		{"InnerProduct", func() { sink = f.InnerProduct(x, y) }},
		{"Powers", func() { f.Powers(dst, x[0]) }},
		{"EvalPolyVec", func() { f.EvalPolyVec(dst, p, x) }},
		{"EncodeVec", func() { encoded = f.EncodeVec(encoded[:0], x) }},
		{"DecodeVec", func() {
			if err := f.DecodeVec(dst, encoded); err != nil {
				b.Fatal(err)
			}
		}},
		{"SampleVec", func() { f.SampleVec(dst, encoded) }},
	} {
		b.Run(operation.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				operation.do()
			}
			reportElements(b, benchLength)
		})
	}
	_ = sink
}

func BenchmarkCombineRows(b *testing.B) {
	benchBoth(b, benchCombineRows[Elem64], benchCombineRows[Elem128])
}

func benchCombineRows[E Elem](b *testing.B, f Field[E]) {
	for _, size := range [][2]int{{128, 128}, {127, 252}, {16, 14}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			r := testRand()
			coeffs, rows := randomVec(f, r, size[0]), randomVec(f, r, size[0]*size[1])
			dst := make([]E, size[1])
			b.ReportAllocs()
			for b.Loop() {
				f.CombineRows(dst, coeffs, rows)
			}
			reportElements(b, len(rows))
		})
	}
}

func BenchmarkPolynomials(b *testing.B) {
	benchBoth(b, benchPolynomials[Elem64], benchPolynomials[Elem128])
}

func benchPolynomials[E Elem](b *testing.B, f Field[E]) {
	for n := 256; n <= 4096; n *= 4 {
		r := testRand()
		v, dst, twice := randomVec(f, r, n), make([]E, n), make([]E, 2*n)
		for _, operation := range []struct {
			name string
			do   func()
		}{
			{"NTT", func() { f.NTT(dst, v, false) }},
			{"InvNTT", func() { f.InvNTT(dst, v) }},
			{"DoubleEvaluations", func() { f.DoubleEvaluations(twice, v) }},
			{"LagrangeCoefficients", func() { f.LagrangeCoefficients(dst, v[0]) }},
			{"ExtendToPowerOf2-1", func() { f.ExtendToPowerOf2(dst, n-1) }},
			{"ExtendToPowerOf2-quarter", func() { f.ExtendToPowerOf2(dst, n-n/4) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", operation.name, n), func(b *testing.B) {
				operation.do() // builds the tables
				b.ReportAllocs()
				for b.Loop() {
					operation.do()
				}
				reportElements(b, n)
			})
		}
	}
}

func BenchmarkInv(b *testing.B) { benchBoth(b, benchInv[Elem64], benchInv[Elem128]) }

func benchInv[E Elem](b *testing.B, f Field[E]) {
	x := randomElem(f, testRand())
	for b.Loop() {
		x = f.Inv(x)
	}
}
