package field

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// operations128 are the operations that run in assembly on some machines: each
// returns all that it has written.
var operations128 = map[string]func(a, b []Elem128) []Elem128{
	"AddVec":       elementwise128(Field128.AddVec),
	"SubVec":       elementwise128(Field128.SubVec),
	"MulVec":       elementwise128(Field128.MulVec),
	"ScaleVec":     elementwise128(func(dst, a, b []Elem128) { Field128.ScaleVec(dst, b[0], a) }),
	"AddConstVec":  elementwise128(func(dst, a, b []Elem128) { Field128.AddConstVec(dst, a, b[0]) }),
	"AxpyVec":      elementwise128(func(dst, a, b []Elem128) { Field128.AxpyVec(dst, b[0], a) }),
	"EvalPolyVec":  elementwise128(func(dst, a, b []Elem128) { Field128.EvalPolyVec(dst, b[:min(4, len(b))], a) }),
	"Powers":       elementwise128(func(dst, _, b []Elem128) { Field128.Powers(dst, b[0]) }),
	"InnerProduct": func(a, b []Elem128) []Elem128 { return []Elem128{Field128.InnerProduct(a, b)} },
	"NTT":          elementwise128(transform128),
	"CombineRows":  combineRows128,
	"Progression":  elementwise128(func(dst, a, b []Elem128) { Field128.Progression(dst, a[0], b[0]) }),
	"OddEvaluations": elementwise128(func(dst, a, _ []Elem128) {
		copy(dst, a)
		n := 1 << (len(a) % 3)
		Field128.OddEvaluations(dst[:len(a)/n*n], n)
	}),
	"AddWeightedRows": addWeightedRows128InOne,
	"LagrangeCoefficients": elementwise128(func(dst, a, _ []Elem128) {
		Field128.LagrangeCoefficients(dst[:1<<(bits.Len(uint(len(dst)))-1)], a[0])
	}),
	"DecodeVec": elementwise128(func(dst, a, _ []Elem128) {
		if err := Field128.DecodeVec(dst, Field128.EncodeVec(nil, a)); err != nil {
			panic(err)
		}
	}),
}

// elementwise128 puts the destination between elements that must stay as they are.
func elementwise128(f func(dst, a, b []Elem128)) func(a, b []Elem128) []Elem128 {
	return func(a, b []Elem128) []Elem128 {
		margin := Elem128{Lo: 7, Hi: 9}
		all := slices.Repeat([]Elem128{margin}, len(a)+2*vectorLength)
		f(all[vectorLength:vectorLength+len(a)], a, b)
		return all
	}
}

func transform128(dst, a, b []Elem128) {
	n := 1
	for 2*n <= len(a) {
		n *= 2
	}
	Field128.NTT(dst[:n], a[:n], b[0].Lo&1 == 1)
	Field128.InvNTT(dst[:n], dst[:n])
}

// combineRows128 takes as many columns as b[0] says, and the coefficients from b.
func combineRows128(a, b []Elem128) []Elem128 {
	columns := 1 + int(b[0].Lo%uint64(min(len(a), 40)))
	rows := len(a) / columns
	return elementwise128(func(dst, _, _ []Elem128) {
		Field128.CombineRows(dst[:columns], b[:rows], a[:rows*columns])
	})(a, b)
}

// addWeightedRows128InOne takes as many columns as b[0] says, and all weights from b.
func addWeightedRows128InOne(a, b []Elem128) []Elem128 {
	columns := 1 + int(b[0].Lo%uint64(min(len(a), 40)))
	rows := len(a) / columns
	sums, at := elementwise128(func(dst, a, _ []Elem128) { copy(dst, a) })(a, nil), slices.Clone(b[len(b)-rows:])
	first, second := sums[vectorLength:][:columns], slices.Clone(b[:columns])
	Field128.AddWeightedRows(first, second, at, b[:rows], b[len(b)-rows:], a[:rows*columns])
	return slices.Concat(sums, second, at)
}

// withoutAssembly runs f as on a machine that has no use for the assembly.
func withoutAssembly(f func()) { machine{}.run(f) }

// onEachMachine runs f as on this machine, and as on each that has less.
func onEachMachine(f func(on string)) {
	f("on this machine")
	for _, m := range lesserMachines() {
		m.run(func() { f(m.name) })
	}
}

// compareWithGo compares what the operations give on each machine with what they give in
// Go, and checks that it is canonical and that the operands are left alone.
func compareWithGo(t testing.TB, a, b []Elem128) {
	if len(a) == 0 {
		return
	}
	keptA, keptB := slices.Clone(a), slices.Clone(b)
	for name, operation := range operations128 {
		var want []Elem128
		withoutAssembly(func() { want = operation(a, b) })
		onEachMachine(func(on string) {
			got := operation(a, b)
			equalVec(t, name+" "+on, got, want)
			for _, e := range got {
				isCanonical(t, Field128, e)
			}
			equalVec(t, name+" changed a "+on, a, keptA)
			equalVec(t, name+" changed b "+on, b, keptB)
		})
	}
}

func TestVectorsAgainstGo(t *testing.T) {
	list := awkward(Field128)
	elem := rapid.OneOf(rapid.SampledFrom(list), rapid.Custom(func(r *rapid.T) Elem128 {
		e := Elem128{Lo: rapid.Uint64().Draw(r, "lo"), Hi: rapid.Uint64().Draw(r, "hi")}
		return add128(Elem128{Lo: e.Lo}, mul128(Elem128{Lo: e.Hi}, Elem128{Hi: 1}))
	}))
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 90).Draw(r, "n")
		a := rapid.SliceOfN(elem, n, n).Draw(r, "a")
		b := rapid.SliceOfN(elem, n, n).Draw(r, "b")
		from := rapid.IntRange(0, n-1).Draw(r, "from") // vectors begin at any address
		compareWithGo(t, a[from:], b[from:])
	})
}

func TestEveryLengthAgainstGo(t *testing.T) {
	for n := 1; n <= 70; n++ {
		next := mixedVec(Field128, n)
		compareWithGo(t, next(), next())
	}
}

// TestPairsAgainstGo has every pair of the elements at which carries and borrows go wrong.
func TestPairsAgainstGo(t *testing.T) {
	list := append(awkward(Field128),
		Elem128{Lo: 1<<64 - 1, Hi: modulusHi128 - 1}, Elem128{Hi: modulusHi128 - 1}, r128, rr128)
	twice := slices.Repeat(list, 2)
	for shift := range list {
		compareWithGo(t, list, twice[shift:shift+len(list)])
	}
}

// TestLongSumsAgainstGo adds up so many of the largest products that sums without a
// reduction are as large as they can be.
func TestLongSumsAgainstGo(t *testing.T) {
	largest := Field128.Neg(Elem128{Lo: 1})
	limbs := Elem128{Lo: 1<<64 - 1, Hi: modulusHi128 - 1} // the lower limbs as large as they can be
	for _, e := range []Elem128{largest, limbs} {
		for _, n := range []int{
			innerProductMost - 1, innerProductMost, innerProductMost + 1, 3 * innerProductMost,
			productsMost - 1, productsMost, productsMost + 1, 2*productsMost + 5,
		} {
			compareWithGo(t, slices.Repeat([]Elem128{e}, n), slices.Repeat([]Elem128{e}, n))
		}
		for _, columns := range []int{8, 11, 16, lanesLeast, lanesLeast + 3} {
			for _, rows := range []int{combineRowsMost, combineRowsMost + 1, 3*combineRowsMost + 5} {
				t.Run(fmt.Sprintf("%dx%d", rows, columns), func(t *testing.T) {
					coeffs, matrix := slices.Repeat([]Elem128{e}, rows), slices.Repeat([]Elem128{e}, rows*columns)
					combined := func() []Elem128 {
						dst := make([]Elem128, columns)
						Field128.CombineRows(dst, coeffs, matrix)
						return dst
					}
					sums := func() []Elem128 {
						first, second, at := make([]Elem128, columns), make([]Elem128, columns), slices.Clone(coeffs)
						Field128.AddWeightedRows(first, second, at, coeffs, coeffs, matrix)
						return slices.Concat(first, second, at)
					}
					var want, wantSums []Elem128
					withoutAssembly(func() { want, wantSums = combined(), sums() })
					onEachMachine(func(on string) {
						equalVec(t, "CombineRows "+on, combined(), want)
						equalVec(t, "AddWeightedRows "+on, sums(), wantSums)
					})
				})
			}
		}
	}
}

func TestOutOfRangeIsFoundEverywhere(t *testing.T) {
	for n := 1; n < 40; n++ {
		for at := range n {
			for _, x := range outOfRange(Field128) {
				encoded := make([]byte, n*encodedSize128)
				copy(encoded[at*encodedSize128:], littleEndian(x, encodedSize128))
				if allBelow128(encoded) {
					t.Fatalf("element %d of %d is %x, and was not found", at, n, x)
				}
				// The largest element that is in range.
				e := encoded[at*encodedSize128:]
				binary.LittleEndian.PutUint64(e, 0)
				binary.LittleEndian.PutUint64(e[8:], modulusHi128)
				if !allBelow128(encoded) {
					t.Fatalf("element %d of %d is in range, and was refused", at, n)
				}
			}
		}
	}
}

func FuzzVectors128(f *testing.F) {
	var seed []byte
	for _, e := range awkward(Field128) {
		seed = Field128.EncodeVec(seed, []Elem128{e})
	}
	f.Add(seed)
	f.Add(seed[:17*encodedSize128])
	// All is computed as on several machines.
	fuzzing.Run(f, fuzzing.Limit{Multiple: 1 << 10}, func(t testing.TB, b []byte) {
		v := make([]Elem128, len(b)/encodedSize128)
		written, _ := Field128.SampleVec(v, b)
		half := written / 2
		compareWithGo(t, v[:half], v[half:2*half])
	})
}
