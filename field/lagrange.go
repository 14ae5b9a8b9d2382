package field

// bitReverse permutes v, of length 2^k, so that the element at index i goes to
// the index that is i with its k bits in reverse order.
func bitReverse[E Elem](v []E, k int) {
	for i := range v {
		if j := reversed(i, k); i < j {
			v[i], v[j] = v[j], v[i]
		}
	}
}

// negateIndices moves the element at each index i to -i modulo len(v).
func negateIndices[E Elem](v []E) {
	for i, j := 1, len(v)-1; i < j; i, j = i+1, j-1 {
		v[i], v[j] = v[j], v[i]
	}
}

// doubleEvaluations implements Field.DoubleEvaluations: the even results are
// p's values themselves, the odd ones are the coset's.
func doubleEvaluations[E Elem](f Field[E], dst, p []E) {
	n := len(p)
	mustMatch("DoubleEvaluations", len(dst), 2*n)
	odd := dst[n:]
	f.InvNTT(odd, p)
	f.NTT(odd, odd, true)
	interleave(dst, p)
}

// interleave moves the second half of dst to the odd places, and puts the even ones between.
func interleave[E Elem](dst, even []E) {
	odd := dst[len(even):]
	for i, e := range even {
		dst[2*i] = e
		dst[2*i+1] = odd[i] // 2*i+1 < n+i while i < n-1, and they are the same at the end
	}
}

// extension is what ExtendToPowerOf2 precomputes for one n.
//
// Let w be the n-th root of unity, x_i = w^i, r = n - m, and let R be the
// product of (x - x_k) over the r missing nodes m <= k < n. The Lagrange
// polynomials over the first m nodes, with their node polynomial written as
// (x^n - 1)/R, give for a missing node
//
//	p(x_k) = -1/(x_k R'(x_k)) * sum over i < m of p(x_i) x_i R(x_i) / (x_i - x_k).
//
// As x_i - x_k = w^k (w^(i-k) - 1), that sum is a cyclic correlation with the
// sequence 1/(w^d - 1), which three transforms compute. With
// H(j) the product of (1 - w^d) over 1 <= d <= j, both factors are
// quotients of H:
//
//	R(x_i)  = w^(ir) H(n-1-i) / H(m-1-i)                    for i < m,
//	R'(x_k) = w^(k(r-1)) H(n-1-k) H(n-1) / H(n-1-(k-m))     for k >= m,
//
// and H(n-1) = n. All of this depends on public lengths alone.
type extension[E Elem] struct {
	products    []E // products[i] = H(n-1-i)
	invProducts []E // their inverses
	kernel      []E // the transform of 1/(w^-d - 1), with 0 at d = 0
}

func newExtension[E Elem](f Field[E], n int) *extension[E] {
	w := f.NthRootPowers(n)
	x := &extension[E]{products: make([]E, n), invProducts: make([]E, n), kernel: make([]E, n)}
	one := f.FromUint64(1)
	h := one
	for j := range n {
		if j > 0 {
			h = f.Mul(h, f.Sub(one, w[j]))
		}
		x.products[n-1-j] = h
	}
	inverse := f.Inv(h) // of H(j), from j = n-1 down
	for j := n - 1; j >= 0; j-- {
		x.invProducts[n-1-j] = inverse
		if j > 0 {
			// 1/(w^j - 1) = -H(j-1)/H(j)
			x.kernel[n-j] = f.Neg(f.Mul(inverse, x.products[n-j]))
			inverse = f.Mul(inverse, f.Sub(one, w[j]))
		}
	}
	f.NTT(x.kernel, x.kernel, false)
	return x
}

// extendToPowerOf2 implements Field.ExtendToPowerOf2.
func extendToPowerOf2[E Elem](f Field[E], table *roots[E], dst []E, m int) {
	n := len(dst)
	k := log2(n)
	mustNotExceed("ExtendToPowerOf2", m, n)
	switch n - m {
	case 0:
	case 1:
		// The coefficient of degree n-1 is zero, and n times it is the sum of
		// x_i p(x_i). At the missing node 1/x is w.
		dst[m] = f.Neg(f.InnerProduct(table.powers(k)[1:n], dst[:m]))
	default:
		compute := func() *extension[E] { return newExtension(f, n) }
		if k > maxCachedLog2 {
			compute().extend(f, dst, m)
		} else {
			table.extendTable[k].get(compute).extend(f, dst, m)
		}
	}
}

func (x *extension[E]) extend(f Field[E], dst []E, m int) {
	n := len(dst)
	r := n - m
	roots := f.NthRootPowers(n)
	phases := make([]E, n) // w^(i(r+1)) for i < m, and its inverse from there on
	for i, at := 0, 0; i < n; i++ {
		if i < m {
			phases[i] = roots[at]
		} else {
			phases[i] = roots[(n-at)&(n-1)]
		}
		at = (at + r + 1) & (n - 1)
	}

	v := make([]E, n)
	known := v[:m]
	f.MulVec(known, dst[:m], phases[:m])
	f.MulVec(known, known, x.products[:m])
	f.MulVec(known, known, x.invProducts[r:])
	f.NTT(v, v, false)
	f.MulVec(v, v, x.kernel)
	f.InvNTT(v, v)

	missing := dst[m:]
	f.MulVec(missing, v[m:], phases[m:])
	f.MulVec(missing, missing, x.invProducts[m:])
	f.MulVec(missing, missing, x.products[:r])
	// -1/H(n-1) = -1/n
	f.ScaleVec(missing, f.Neg(x.invProducts[0]), missing)
}
