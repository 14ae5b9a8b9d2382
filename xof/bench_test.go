package xof

import (
	"testing"

	"github.com/twofold-dap/twofold/field"
)

const benchBytes = 256 << 10

func BenchmarkAbsorb256KiB(b *testing.B) {
	data := pattern(benchBytes)
	b.Run("one", func(b *testing.B) {
		b.SetBytes(benchBytes)
		s := benchOne(b)
		for b.Loop() {
			resetOne(b, s)
			s.Write(data)
		}
	})
	b.Run("four", func(b *testing.B) {
		b.SetBytes(4 * benchBytes)
		s := benchFour(b)
		for b.Loop() {
			resetFour(b, s)
			s.Write4([4][]byte{data, data, data, data})
		}
	})
}

func BenchmarkSqueeze256KiB(b *testing.B) {
	b.Run("one", func(b *testing.B) {
		b.SetBytes(benchBytes)
		s, out := benchOne(b), make([]byte, benchBytes)
		for b.Loop() {
			s.Read(out)
		}
	})
	b.Run("four", func(b *testing.B) {
		b.SetBytes(4 * benchBytes)
		s := benchFour(b)
		var out [4][]byte
		for k := range out {
			out[k] = make([]byte, benchBytes)
		}
		for b.Loop() {
			s.Read4(out)
		}
	})
}

const benchElements = 16000

func BenchmarkNextVec(b *testing.B) {
	b.Run("Field64", func(b *testing.B) { benchNextVec(b, field.Field64) })
	b.Run("Field128", func(b *testing.B) { benchNextVec(b, field.Field128) })
}

func benchNextVec[E field.Elem](b *testing.B, f field.Field[E]) {
	size := int64(benchElements * f.EncodedSize())
	b.Run("one", func(b *testing.B) {
		b.SetBytes(size)
		s, out := benchOne(b), make([]E, benchElements)
		for b.Loop() {
			NextVec(s, f, out)
		}
		reportElements(b, benchElements)
	})
	b.Run("four", func(b *testing.B) {
		b.SetBytes(4 * size)
		s := benchFour(b)
		var out [4][]E
		for k := range out {
			out[k] = make([]E, benchElements)
		}
		for b.Loop() {
			NextVec4(s, f, out)
		}
		reportElements(b, 4*benchElements)
	})
}

func BenchmarkWriteVec(b *testing.B) {
	f := field.Field128
	vec := make([]field.Elem128, benchElements)
	f.Powers(vec, field.Elem128{Lo: 3})
	b.Run("one", func(b *testing.B) {
		b.SetBytes(int64(benchElements * f.EncodedSize()))
		s := benchOne(b)
		for b.Loop() {
			WriteVec(s, f, vec)
		}
		reportElements(b, benchElements)
	})
	b.Run("four", func(b *testing.B) {
		b.SetBytes(int64(4 * benchElements * f.EncodedSize()))
		s := benchFour(b)
		for b.Loop() {
			WriteVec4(s, f, [4][]field.Elem128{vec, vec, vec, vec})
		}
		reportElements(b, 4*benchElements)
	})
}

// BenchmarkDeriveSeed is the many short streams of a report.
func BenchmarkDeriveSeed(b *testing.B) {
	seed, dst, binder := pattern(32), pattern(30), pattern(49)
	for b.Loop() {
		if _, err := DeriveSeed(seed, dst, binder); err != nil {
			b.Fatal(err)
		}
	}
}

func reportElements(b *testing.B, elements int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(elements), "ns/element")
}

func benchOne(b *testing.B) *Stream {
	s := new(Stream)
	resetOne(b, s)
	return s
}

func benchFour(b *testing.B) *Stream4 {
	s := new(Stream4)
	resetFour(b, s)
	return s
}

var benchSeed, benchDST = pattern(SeedSize), pattern(30)

func resetOne(b *testing.B, s *Stream) {
	if err := s.Reset(benchSeed, benchDST); err != nil {
		b.Fatal(err)
	}
}

func resetFour(b *testing.B, s *Stream4) {
	if err := s.Reset([4][]byte{benchSeed, benchSeed, benchSeed, benchSeed}, benchDST); err != nil {
		b.Fatal(err)
	}
}
