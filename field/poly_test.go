package field

import (
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
)

func TestNTTAgainstEvaluation(t *testing.T) {
	forEachField(t, testNTT[Elem64], testNTT[Elem128])
}

func testNTT[E Elem](t *testing.T, f Field[E]) {
	r := testRand()
	for n := 1; n <= 128; n *= 2 {
		for _, length := range []int{0, 1, n / 2, n - 1, n} {
			p := randomVec(f, r, length)
			kept := slices.Clone(p)
			for _, setS := range []bool{false, true} {
				got := randomVec(f, r, n) // stale contents must not matter
				f.NTT(got, p, setS)
				equalVec(t, "NTT changed its source", p, kept)
				s := f.FromUint64(1)
				if setS {
					s = f.NthRoot(2 * n)
				}
				for i, y := range got {
					x := f.Mul(s, f.NthRootPowers(n)[i])
					equalsBig(t, f, fmt.Sprintf("NTT n=%d i=%d setS=%t", n, i, setS), y, evalBig(f, p, x))
				}
				inPlace := make([]E, n)
				copy(inPlace, p)
				f.NTT(inPlace, inPlace[:length], setS)
				equalVec(t, "NTT in place", inPlace, got)
			}
		}
	}
	for n := 1; n <= 4096; n *= 4 {
		p := randomVec(f, r, n)
		v := make([]E, n)
		f.NTT(v, p, false)
		back := make([]E, n)
		f.InvNTT(back, v)
		equalVec(t, "InvNTT of NTT", back, p)
		f.InvNTT(v, v)
		equalVec(t, "InvNTT in place", v, p)
	}
	mustPanic(t, func() { f.NTT(make([]E, 3), nil, false) })
	mustPanic(t, func() { f.NTT(make([]E, 4), make([]E, 5), false) })
	mustPanic(t, func() { f.InvNTT(make([]E, 4), make([]E, 8)) })
}

func TestLagrangeCoefficients(t *testing.T) {
	forEachField(t, testLagrange[Elem64], testLagrange[Elem128])
}

func testLagrange[E Elem](t *testing.T, f Field[E]) {
	r := testRand()
	for n := 1; n <= 64; n *= 2 {
		p := randomVec(f, r, n)
		v := make([]E, n)
		f.NTT(v, p, false)
		points := slices.Concat(randomVec(f, r, 3), f.NthRootPowers(n), f.NthRootPowers(2*n), []E{f.FromUint64(0)})
		for _, x := range points {
			coefficients := randomVec(f, r, n)
			f.LagrangeCoefficients(coefficients, x)
			equalVec(t, "the definition", coefficients, naiveLagrange(f, n, x))
			equalsBig(t, f, "p(x)", f.InnerProduct(coefficients, v), evalBig(f, p, x), x)
		}
	}
}

// naiveLagrange returns the Lagrange polynomials at x by their definition.
func naiveLagrange[E Elem](f Field[E], n int, x E) []E {
	nodes := f.NthRootPowers(n)
	out := make([]E, n)
	for i := range out {
		num, den := f.FromUint64(1), f.FromUint64(1)
		for j := range nodes {
			if j != i {
				num = f.Mul(num, f.Sub(x, nodes[j]))
				den = f.Mul(den, f.Sub(nodes[i], nodes[j]))
			}
		}
		out[i] = f.Mul(num, f.Inv(den))
	}
	return out
}

func TestDoubleEvaluations(t *testing.T) {
	forEachField(t, testDouble[Elem64], testDouble[Elem128])
}

func testDouble[E Elem](t *testing.T, f Field[E]) {
	r := testRand()
	for n := 1; n <= 1024; n *= 2 {
		p := randomVec(f, r, n)
		v, want := make([]E, n), make([]E, 2*n)
		f.NTT(v, p, false)
		f.NTT(want, p, false)
		kept := slices.Clone(v)
		got := randomVec(f, r, 2*n)
		f.DoubleEvaluations(got, v)
		equalVec(t, "DoubleEvaluations", got, want)
		equalVec(t, "DoubleEvaluations changed its source", v, kept)
	}
	mustPanic(t, func() { f.DoubleEvaluations(make([]E, 8), make([]E, 2)) })
	mustPanic(t, func() { f.DoubleEvaluations(make([]E, 6), make([]E, 3)) })
}

func TestExtendToPowerOf2(t *testing.T) {
	forEachField(t, testExtend[Elem64], testExtend[Elem128])
}

func testExtend[E Elem](t *testing.T, f Field[E]) {
	r := testRand()
	for n := 1; n <= 16; n *= 2 {
		for m := 0; m <= n; m++ {
			v := randomVec(f, r, n)
			want := slices.Clone(v[:m])
			f.ExtendToPowerOf2(v, m)
			equalVec(t, fmt.Sprintf("n=%d m=%d", n, m), v, extendByTheStandard(f, want, n))
		}
	}
	for _, size := range []struct{ n, m int }{{256, 255}, {1024, 1023}, {1024, 766}, {1024, 513}, {256, 190}} {
		p := randomVec(f, r, size.m)
		want := make([]E, size.n)
		f.NTT(want, p, false)
		got := randomVec(f, r, size.n)
		copy(got[:size.m], want)
		f.ExtendToPowerOf2(got, size.m)
		equalVec(t, fmt.Sprintf("n=%d m=%d", size.n, size.m), got, want)
	}
	mustPanic(t, func() { f.ExtendToPowerOf2(make([]E, 4), 5) })
	mustPanic(t, func() { f.ExtendToPowerOf2(make([]E, 4), -1) })
	mustPanic(t, func() { f.ExtendToPowerOf2(make([]E, 6), 5) })
}

// extendByTheStandard is extend_values_to_power_of_2 of VDAF Section 6.1.3.2,
// step by step, in big integers.
func extendByTheStandard[E Elem](f Field[E], p []E, n int) []E {
	modulus := f.Modulus()
	mod := func(x *big.Int) *big.Int { return x.Mod(x, modulus) }
	x := make([]*big.Int, n)
	for i, e := range f.NthRootPowers(n) {
		x[i] = f.BigInt(e)
	}
	values := make([]*big.Int, len(p), n)
	for i := range p {
		values[i] = f.BigInt(p[i])
	}
	productOfDifferences := func(i, count int) *big.Int {
		product := big.NewInt(1)
		for j := range count {
			if j != i {
				mod(product.Mul(product, new(big.Int).Sub(x[i], x[j])))
			}
		}
		return product
	}
	w := make([]*big.Int, n)
	for i := range p {
		w[i] = productOfDifferences(i, len(p))
	}
	for k := len(p); k < n; k++ {
		for i := range k {
			mod(w[i].Mul(w[i], new(big.Int).Sub(x[i], x[k])))
		}
		num, den := new(big.Int), big.NewInt(1)
		for i, v := range values {
			num.Mul(num, w[i])
			mod(num.Add(num, new(big.Int).Mul(den, v)))
			mod(den.Mul(den, w[i]))
		}
		w[k] = productOfDifferences(k, k)
		y := new(big.Int).Mul(w[k], num)
		y.Mul(y, new(big.Int).ModInverse(den, modulus))
		values = append(values, mod(y.Neg(y)))
	}
	out := make([]E, n)
	for i := range out {
		out[i] = f.FromBigInt(values[i])
	}
	return out
}

// TestTablesAreSharedSafely builds tables from many goroutines at once; run it with -race.
func TestTablesAreSharedSafely(t *testing.T) {
	forEachField(t, testConcurrent[Elem64], testConcurrent[Elem128])
}

func testConcurrent[E Elem](t *testing.T, f Field[E]) {
	const n = 1 << 13 // no other test has built its tables
	var group sync.WaitGroup
	results := make([][]E, 8)
	for i := range results {
		group.Go(func() {
			v := make([]E, n)
			f.Powers(v[:n-2], f.FromUint64(3))
			f.ExtendToPowerOf2(v, n-2)
			f.DoubleEvaluations(make([]E, 2*n), v)
			results[i] = v
		})
	}
	group.Wait()
	for _, v := range results {
		equalVec(t, "a goroutine's result", v, results[0])
	}
}

// TestSizesBeyondTheTables computes what is not kept.
func TestSizesBeyondTheTables(t *testing.T) {
	const n = 1 << (maxCachedLog2 + 1)
	powers := Field64.NthRootPowers(n)
	w := Field64.NthRoot(n)
	if len(powers) != n || powers[0] != 1 || powers[1] != w || Field64.Mul(powers[n-1], w) != 1 {
		t.Error("wrong powers")
	}
	p := []Elem64{5, 7}
	v := make([]Elem64, n)
	Field64.NTT(v, p, true)
	for _, i := range []int{0, 1, n / 2, n - 1} {
		x := Field64.Mul(Field64.NthRoot(2*n), powers[i])
		equalsBig(t, Field64, "NTT", v[i], evalBig(Field64, p, x), x)
	}
	Field64.LagrangeCoefficients(v, powers[n-1])
	if v[n-1] != 1 || v[0] != 0 {
		t.Error("wrong coefficients")
	}
}
