package field

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
	"testing"
)

func TestModulusAndGenerator(t *testing.T) {
	// The parameters of VDAF Section 6.1.4, in the form that it gives them.
	parameters := func(shift uint, cofactor int64) (modulus, generator *big.Int) {
		modulus = new(big.Int).Lsh(big.NewInt(cofactor), shift)
		modulus.Add(modulus, big.NewInt(1))
		generator = new(big.Int).Exp(big.NewInt(7), big.NewInt(cofactor), modulus)
		return modulus, generator
	}
	p64, g64 := parameters(32, 4294967295)
	p128, g128 := parameters(66, 4611686018427387897)
	forEachField(t,
		func(t *testing.T, f Field[Elem64]) { testParameters(t, f, p64, g64, 32, 8) },
		func(t *testing.T, f Field[Elem128]) { testParameters(t, f, p128, g128, 66, 16) })
}

func testParameters[E Elem](t *testing.T, f Field[E], modulus, generator *big.Int, orderLog2, size int) {
	if f.Modulus().Cmp(modulus) != 0 || !modulus.ProbablyPrime(32) {
		t.Errorf("modulus %v, want the prime %v", f.Modulus(), modulus)
	}
	if f.BigInt(f.Generator()).Cmp(generator) != 0 {
		t.Errorf("generator %v, want %v", f.BigInt(f.Generator()), generator)
	}
	if f.GenOrderLog2() != orderLog2 || f.EncodedSize() != size {
		t.Errorf("order 2^%d, size %d; want 2^%d, %d", f.GenOrderLog2(), f.EncodedSize(), orderLog2, size)
	}
	minusOne := new(big.Int).Exp(generator, new(big.Int).Lsh(big.NewInt(1), uint(orderLog2-1)), modulus)
	if minusOne.Add(minusOne, big.NewInt(1)).Cmp(modulus) != 0 {
		t.Errorf("the generator's order is not 2^%d", orderLog2)
	}
	m := f.Modulus()
	m.SetInt64(0)
	if f.Modulus().Sign() == 0 {
		t.Error("Modulus hands out shared memory")
	}
	for k := 0; k <= maxRootLog2 && k < bits.UintSize-1; k++ {
		exponent := new(big.Int).Lsh(big.NewInt(1), uint(orderLog2-k))
		want := new(big.Int).Exp(generator, exponent, modulus)
		if got := f.BigInt(f.NthRoot(1 << k)); got.Cmp(want) != 0 {
			t.Errorf("NthRoot(2^%d) = %v, want %v", k, got, want)
		}
	}
	for _, n := range []int{1, 2, 4, 64, 1024} {
		w := f.BigInt(f.NthRoot(n))
		for i, got := range f.NthRootPowers(n) {
			equalsBig(t, f, "NthRootPowers", got, new(big.Int).Exp(w, big.NewInt(int64(i)), modulus))
		}
		if len(f.NthRootPowers(n)) != n {
			t.Errorf("NthRootPowers(%d) has the length %d", n, len(f.NthRootPowers(n)))
		}
	}
}

func TestElementsAgainstOracle(t *testing.T) {
	forEachField(t, testElements[Elem64], testElements[Elem128])
}

func testElements[E Elem](t *testing.T, f Field[E]) {
	list := slices.Concat(awkward(f), randomVec(f, testRand(), 40))
	for _, a := range list {
		x := f.BigInt(a)
		isCanonical(t, f, a)
		equalsBig(t, f, "Neg", f.Neg(a), new(big.Int).Neg(x), a)
		inverse := new(big.Int).ModInverse(x, f.Modulus())
		if inverse == nil {
			inverse = new(big.Int) // the inverse of zero is zero
		}
		equalsBig(t, f, "Inv", f.Inv(a), inverse, a)
		for _, n := range []uint64{0, 1, 2, 3, 1 << 32, 1<<64 - 1} {
			equalsBig(t, f, "Pow", f.Pow(a, n), new(big.Int).Exp(x, new(big.Int).SetUint64(n), f.Modulus()), a)
		}
		equalsBig(t, f, "FromUint64", f.FromUint64(x.Uint64()), new(big.Int).SetUint64(x.Uint64()), a)
		equalsBig(t, f, "FromBigInt", f.FromBigInt(new(big.Int).Sub(x, f.Modulus())), x, a)
		for _, b := range list {
			y := f.BigInt(b)
			equalsBig(t, f, "Add", f.Add(a, b), new(big.Int).Add(x, y), a, b)
			equalsBig(t, f, "Sub", f.Sub(a, b), new(big.Int).Sub(x, y), a, b)
			equalsBig(t, f, "Mul", f.Mul(a, b), new(big.Int).Mul(x, y), a, b)
			want := 0
			if x.Cmp(y) == 0 {
				want = 1
			}
			if got := f.Equal(a, b); got != want {
				t.Fatalf("Equal(%x, %x) = %d", a, b, got)
			}
		}
	}
}

func TestReductionOfAnyWords(t *testing.T) {
	words := []uint64{0, 1, 2, 27, 28, 29, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1 << 63, modulus64 - 1, modulus64,
		modulusHi128 - 1, modulusHi128, modulusHi128 + 1, 1<<64 - 2, 1<<64 - 1}
	r := testRand()
	for range 4 {
		words = append(words, r.Uint64())
	}
	value := func(words ...uint64) *big.Int {
		x := new(big.Int)
		for _, w := range words {
			x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(w))
		}
		return x
	}
	for _, hi := range words {
		for _, lo := range words {
			equalsBig(t, Field64, "reduceWide64", reduceWide64(hi, lo), value(hi, lo))
			for _, top := range []uint64{0, 1, 5, 1<<32 - 1} {
				equalsBig(t, Field64, "reduceAcc64", reduceAcc64(top, hi, lo), value(top, hi, lo))
			}
			for _, r1 := range words {
				for _, r0 := range words {
					equalsBig(t, Field128, "reduceWide128", reduceWide128(hi, lo, r1, r0), value(hi, lo, r1, r0))
					top := (r0 ^ r1) >> 16
					equalsBig(t, Field128, "reduceAcc128", reduceAcc128(top, hi, lo, r1, r0), value(top, hi, lo, r1, r0))
				}
			}
		}
	}
}

func TestRootsOutOfRange(t *testing.T) {
	sizes := []int{-1, 0, 3, 6, math.MaxInt, math.MinInt}
	if bits.UintSize > 32 {
		sizes = append(sizes, math.MaxInt>>1+1) // a power of two, and too large a one
	}
	for _, n := range sizes {
		mustPanic(t, func() { Field64.NthRoot(n) })
		mustPanic(t, func() { Field128.NthRoot(n) })
	}
}

func mustPanic(t *testing.T, do func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("did not panic")
		}
	}()
	do()
}
