package field

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// forEachField runs the same test over both fields, and as on machines with less assembly, down to none.
func forEachField(t *testing.T, test64 func(t *testing.T, f Field[Elem64]), test128 func(t *testing.T, f Field[Elem128])) {
	t.Helper()
	t.Run("Field64", func(t *testing.T) { test64(t, Field64) })
	t.Run("Field128", func(t *testing.T) { test128(t, Field128) })
	for _, m := range lesserMachines() {
		t.Run("Field64 "+m.name, func(t *testing.T) { m.run(func() { test64(t, Field64) }) })
		t.Run("Field128 "+m.name, func(t *testing.T) { m.run(func() { test128(t, Field128) }) })
	}
}

// awkward returns the elements at which carries and borrows go wrong.
func awkward[E Elem](f Field[E]) []E {
	p := f.Modulus()
	var list []E
	for _, shift := range []uint{0, 1, 31, 32, 33, 63, 64, 65, 66, 67, 68, 69, 95, 96, 97, 126, 127, 128} {
		for d := int64(-2); d <= 2; d++ {
			x := new(big.Int).Lsh(big.NewInt(1), shift)
			list = append(list, f.FromBigInt(x.Add(x, big.NewInt(d))))
		}
	}
	half := new(big.Int).Rsh(p, 1)
	for d := int64(-2); d <= 2; d++ {
		list = append(list, f.FromBigInt(new(big.Int).Add(half, big.NewInt(d))))
	}
	// 2^64 - 28 is the upper word of Field128's modulus.
	list = append(list,
		f.FromBigInt(new(big.Int).Lsh(new(big.Int).SetUint64(modulusHi128), 64)),
		f.FromBigInt(new(big.Int).SetUint64(1<<64-1)),
		f.FromBigInt(new(big.Int).Lsh(new(big.Int).SetUint64(modulusHi128-1), 64)))
	return list
}

// testRand is a generator with a fixed seed: a failure can be repeated.
func testRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func randomElem[E Elem](f Field[E], r *rand.Rand) E {
	x := new(big.Int).SetUint64(r.Uint64())
	x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(r.Uint64()))
	return f.FromBigInt(x)
}

func randomVec[E Elem](f Field[E], r *rand.Rand, n int) []E {
	v := make([]E, n)
	for i := range v {
		v[i] = randomElem(f, r)
	}
	return v
}

// isCanonical fails the test if e is not in [0, p).
func isCanonical[E Elem](t testing.TB, f Field[E], e E) {
	t.Helper()
	if f.BigInt(e).Cmp(f.Modulus()) >= 0 {
		t.Fatalf("%s: %x is not canonical", f.Name(), e)
	}
}

// equalsBig fails the test unless got is want modulo p, in canonical form.
func equalsBig[E Elem](t *testing.T, f Field[E], operation string, got E, want *big.Int, operands ...E) {
	t.Helper()
	reduced := new(big.Int).Mod(want, f.Modulus())
	if f.BigInt(got).Cmp(reduced) != 0 {
		t.Fatalf("%s: %s%x = %x, want %x", f.Name(), operation, operands, f.BigInt(got), reduced)
	}
}

func equalVec[E Elem](t testing.TB, what string, got, want []E) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %x, want %x", what, got, want)
	}
}

// evalBig evaluates the polynomial with the coefficients p at x by the
// definition.
func evalBig[E Elem](f Field[E], p []E, x E) *big.Int {
	sum, power, point := new(big.Int), big.NewInt(1), f.BigInt(x)
	for _, c := range p {
		sum.Add(sum, new(big.Int).Mul(f.BigInt(c), power))
		power.Mul(power, point).Mod(power, f.Modulus())
	}
	return sum.Mod(sum, f.Modulus())
}
