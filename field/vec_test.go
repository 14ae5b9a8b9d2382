package field

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// lengths are those at which blocks and unrolled loops begin and end.
var lengths = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 127, 128, 129, 300}

// mixedVec is random elements with awkward ones in between.
func mixedVec[E Elem](f Field[E], n int) func() []E {
	r := testRand()
	list := awkward(f)
	return func() []E {
		v := randomVec(f, r, n)
		for i := range v {
			if r.IntN(2) == 0 {
				v[i] = list[r.IntN(len(list))]
			}
		}
		return v
	}
}

func TestElementwise(t *testing.T) {
	forEachField(t, testElementwise[Elem64], testElementwise[Elem128])
}

func testElementwise[E Elem](t *testing.T, f Field[E]) {
	operations := map[string]struct {
		vec func(dst, a, b []E)
		one func(a, b, s E) E // s is b[0]
	}{
		"AddVec":      {f.AddVec, func(a, b, _ E) E { return f.Add(a, b) }},
		"SubVec":      {f.SubVec, func(a, b, _ E) E { return f.Sub(a, b) }},
		"MulVec":      {f.MulVec, func(a, b, _ E) E { return f.Mul(a, b) }},
		"ScaleVec":    {func(dst, a, b []E) { f.ScaleVec(dst, first(b), a) }, func(a, _, s E) E { return f.Mul(s, a) }},
		"AddConstVec": {func(dst, a, b []E) { f.AddConstVec(dst, a, first(b)) }, func(a, _, s E) E { return f.Add(a, s) }},
		"AxpyVec": {func(dst, a, b []E) {
			copy(dst, b)
			f.AxpyVec(dst, first(b), a)
		}, func(a, b, s E) E { return f.Add(b, f.Mul(s, a)) }},
		"EvalPolyVec": {func(dst, a, b []E) { f.EvalPolyVec(dst, b[:min(3, len(b))], a) }, nil},
	}
	for name, operation := range operations {
		for _, n := range lengths {
			next := mixedVec(f, n)
			a, b := next(), next()
			keptA, keptB := slices.Clone(a), slices.Clone(b)
			want := make([]E, n)
			for i := range want {
				if operation.one == nil {
					want[i] = f.FromBigInt(evalBig(f, b[:min(3, n)], a[i]))
				} else {
					want[i] = operation.one(a[i], b[i], first(b))
				}
			}
			dst := next()
			operation.vec(dst, a, b)
			equalVec(t, fmt.Sprintf("%s n=%d", name, n), dst, want)
			equalVec(t, name+" changed a", a, keptA)
			equalVec(t, name+" changed b", b, keptB)
			operation.vec(a, a, b)
			equalVec(t, fmt.Sprintf("%s n=%d, dst is a", name, n), a, wantIfAliased(name, f, want, keptA, keptB))
		}
		mustPanic(t, func() { operation.vec(make([]E, 3), make([]E, 4), make([]E, 3)) })
	}
	// dst is the second source, or both.
	for name, vec := range map[string]func(dst, a, b []E){"AddVec": f.AddVec, "SubVec": f.SubVec, "MulVec": f.MulVec} {
		next := mixedVec(f, 33)
		a, b := next(), next()
		want, square := make([]E, 33), make([]E, 33)
		vec(want, a, b)
		vec(square, a, slices.Clone(a))
		vec(b, a, b)
		equalVec(t, name+", dst is b", b, want)
		vec(a, a, a)
		equalVec(t, name+", all one", a, square)
		mustPanic(t, func() { vec(make([]E, 3), make([]E, 3), make([]E, 4)) })
	}
}

// wantIfAliased is want, but for AxpyVec, of which the test above makes
// b the destination first: with dst = a that sets a to b.
func wantIfAliased[E Elem](name string, f Field[E], want, a, b []E) []E {
	if name != "AxpyVec" {
		return want
	}
	out := make([]E, len(a))
	for i := range out {
		out[i] = f.Add(b[i], f.Mul(first(b), b[i]))
	}
	return out
}

func first[E Elem](v []E) (e E) {
	if len(v) > 0 {
		e = v[0]
	}
	return e
}

func TestSums(t *testing.T) {
	forEachField(t, testSums[Elem64], testSums[Elem128])
}

func testSums[E Elem](t *testing.T, f Field[E]) {
	largest := f.Neg(f.FromUint64(1))
	for _, n := range append(lengths, 16000) {
		next := mixedVec(f, n)
		a, b := next(), next()
		if n == 16000 {
			for i := range a {
				a[i], b[i] = largest, largest // the sum carries the farthest
			}
		}
		sum, product := new(big.Int), new(big.Int)
		for i := range a {
			sum.Add(sum, f.BigInt(a[i]))
			product.Add(product, new(big.Int).Mul(f.BigInt(a[i]), f.BigInt(b[i])))
		}
		equalsBig(t, f, fmt.Sprintf("Sum n=%d", n), f.Sum(a), sum)
		equalsBig(t, f, fmt.Sprintf("InnerProduct n=%d", n), f.InnerProduct(a, b), product)

		x := first(b)
		powers := next()
		f.Powers(powers, x)
		want := f.BigInt(x)
		for i := range powers {
			equalsBig(t, f, fmt.Sprintf("Powers[%d]", i), powers[i], want, x)
			want.Mul(want, f.BigInt(x)).Mod(want, f.Modulus())
		}
	}
	mustPanic(t, func() { f.InnerProduct(make([]E, 2), make([]E, 3)) })
}

func TestEvalPolyVecOfAnyDegree(t *testing.T) {
	forEachField(t, testEvalPoly[Elem64], testEvalPoly[Elem128])
}

func testEvalPoly[E Elem](t *testing.T, f Field[E]) {
	a := mixedVec(f, 20)()
	for degree := -1; degree <= 6; degree++ {
		p := mixedVec(f, degree+1)()
		got := make([]E, len(a))
		f.EvalPolyVec(got, p, a)
		for i := range got {
			equalsBig(t, f, fmt.Sprintf("degree %d", degree), got[i], evalBig(f, p, a[i]), a[i])
		}
	}
}

func TestCombineRows(t *testing.T) {
	forEachField(t, testCombineRows[Elem64], testCombineRows[Elem128])
}

func testCombineRows[E Elem](t *testing.T, f Field[E]) {
	for _, rows := range []int{0, 1, 2, 7, 8, 9, 17, 128} {
		for _, columns := range []int{0, 1, 2, 3, 127, 128, 129, 260} {
			coeffs, matrix := mixedVec(f, rows)(), mixedVec(f, rows*columns)()
			want := make([]E, columns)
			for k, s := range coeffs {
				f.AxpyVec(want, s, matrix[k*columns:(k+1)*columns])
			}
			got := mixedVec(f, columns)()
			f.CombineRows(got, coeffs, matrix)
			equalVec(t, fmt.Sprintf("CombineRows %dx%d", rows, columns), got, want)
		}
	}
	// Every carry there is.
	largest := make([]E, 300)
	f.AddConstVec(largest, largest, f.Neg(f.FromUint64(1)))
	got := make([]E, 1)
	f.CombineRows(got, largest, largest)
	equalsBig(t, f, "CombineRows", got[0], big.NewInt(300))

	mustPanic(t, func() { f.CombineRows(make([]E, 2), make([]E, 3), make([]E, 5)) })
}

func TestCodec(t *testing.T) {
	forEachField(t, testCodec[Elem64], testCodec[Elem128])
}

func testCodec[E Elem](t *testing.T, f Field[E]) {
	size := f.EncodedSize()
	v := slices.Concat(awkward(f), randomVec(f, testRand(), 100))
	encoded := f.EncodeVec([]byte("head"), v)
	if string(encoded[:4]) != "head" || len(encoded) != 4+len(v)*size {
		t.Fatalf("EncodeVec wrote %d bytes", len(encoded))
	}
	encoded = encoded[4:]
	for i, e := range v {
		if !slices.Equal(encoded[i*size:(i+1)*size], littleEndian(f.BigInt(e), size)) {
			t.Fatalf("EncodeVec of %x is %x", e, encoded[i*size:(i+1)*size])
		}
	}
	back := make([]E, len(v))
	if err := f.DecodeVec(back, encoded); err != nil {
		t.Fatal(err)
	}
	equalVec(t, "DecodeVec", back, v)
	if err := f.DecodeVec(nil, nil); err != nil {
		t.Error(err)
	}
	sampled := make([]E, len(v)+1)
	written, used := f.SampleVec(sampled, append(encoded, 1, 2, 3))
	if written != len(v) || used != len(encoded) {
		t.Errorf("SampleVec: %d, %d", written, used)
	}
	equalVec(t, "SampleVec", sampled[:len(v)], v)

	for _, length := range []int{0, 1, size - 1, size, 2*size - 1, 2*size + 1, 3 * size} {
		var bad *LengthError
		if err := f.DecodeVec(make([]E, 2), make([]byte, length)); !asError(err, &bad) || bad.Got != length || bad.Want != 2*size {
			t.Errorf("%d bytes for two elements: error %v", length, err)
		}
	}
	for _, x := range outOfRange(f) {
		candidate := littleEndian(x, size)
		for at := range 3 {
			b := slices.Concat(encoded[:at*size], candidate, encoded[at*size:2*size])
			dst := make([]E, 3)
			var bad *RangeError
			if err := f.DecodeVec(dst, b); !asError(err, &bad) || bad.Index != at {
				t.Errorf("%x at %d: error %v", x, at, err)
			}
			equalVec(t, "after a refused decoding", dst, make([]E, 3))
			written, used := f.SampleVec(dst, b)
			if written != 2 || used != len(b) {
				t.Errorf("SampleVec of %x: %d, %d", x, written, used)
			}
			equalVec(t, "SampleVec around a rejection", dst[:2], v[:2])
			// It stops where dst is full.
			if written, used := f.SampleVec(dst[:1], b); written != 1 || used > len(b)-size {
				t.Errorf("SampleVec into one element: %d, %d", written, used)
			}
		}
	}
}

// outOfRange returns integers that fit an element's encoding and are not below the modulus.
func outOfRange[E Elem](f Field[E]) []*big.Int {
	p := f.Modulus()
	limit := new(big.Int).Lsh(big.NewInt(1), uint(8*f.EncodedSize()))
	list := []*big.Int{new(big.Int).Sub(limit, big.NewInt(1)), new(big.Int).Sub(limit, big.NewInt(2))}
	for _, d := range []int64{0, 1, 2, 1 << 31} {
		list = append(list, new(big.Int).Add(p, big.NewInt(d)))
	}
	if f.EncodedSize() == 16 {
		list = append(list, new(big.Int).Add(p, new(big.Int).Lsh(big.NewInt(1), 64)))
	}
	return list
}

func littleEndian(x *big.Int, size int) []byte {
	b := x.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}

func TestFieldAxioms(t *testing.T) {
	forEachField(t, testAxioms[Elem64], testAxioms[Elem128])
}

func testAxioms[E Elem](t *testing.T, f Field[E]) {
	list := awkward(f)
	elem := rapid.OneOf(
		rapid.SampledFrom(list),
		rapid.Custom(func(r *rapid.T) E {
			hi, lo := rapid.Uint64().Draw(r, "hi"), rapid.Uint64().Draw(r, "lo")
			x := new(big.Int).SetUint64(hi)
			return f.FromBigInt(x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(lo)))
		}))
	rapid.Check(t, func(r *rapid.T) {
		a, b, c := elem.Draw(r, "a"), elem.Draw(r, "b"), elem.Draw(r, "c")
		equal := func(what string, x, y E) {
			if x != y || f.Equal(x, y) != 1 {
				r.Fatalf("%s: %x is not %x", what, x, y)
			}
		}
		equal("distributive law", f.Mul(a, f.Add(b, c)), f.Add(f.Mul(a, b), f.Mul(a, c)))
		equal("associative law", f.Mul(a, f.Mul(b, c)), f.Mul(f.Mul(a, b), c))
		equal("subtraction", f.Add(f.Sub(a, b), b), a)
		equal("negation", f.Add(a, f.Neg(a)), f.FromUint64(0))
		equal("inverse", f.Mul(a, f.Mul(a, f.Inv(a))), a)
	})
}
