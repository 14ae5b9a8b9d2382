// Package field implements the NTT-friendly prime fields of VDAF Section 6.1:
// Field64, with the modulus 2^64 - 2^32 + 1, and Field128, with the modulus
// 2^128 - 7*2^66 + 1.
//
// Elements, vectors and polynomials in the Lagrange basis live here; there is
// no hashing and no input or output in this package.
//
// # Secrets
//
// Field elements are shares of measurements and of proofs. No operation's
// running time or memory access pattern depends on an element's value, with
// the one exception that the standard makes public by construction: rejection
// sampling (SampleVec) and strict decoding (DecodeVec) reveal which candidates
// were out of range. Lengths are public.
package field

import "math/big"

// Elem64 is an element of Field64 in canonical form, an integer in [0, p).
// The zero value is the field's zero.
type Elem64 uint64

// Elem128 is an element of Field128 in canonical form: the integer
// Hi*2^64 + Lo in [0, p). The zero value is the field's zero.
type Elem128 struct{ Lo, Hi uint64 }

// Elem is the set of element types that generic code works on.
type Elem interface{ Elem64 | Elem128 }

// Field is one field's arithmetic on whole vectors, so that generic code (the
// proofs, Prio3) makes one dynamic call a vector and not one an element.
// The methods on single elements are for set-up and for the few elements of a
// report that are not in a vector; do not call them in a loop over a vector.
//
// Wherever two vectors must have equal lengths, a mismatch is a programmer's
// error and panics. A destination may be the same slice as a source unless a
// method says otherwise; it must not overlap one partially.
//
// Values of this type are immutable and safe for concurrent use.
type Field[E Elem] interface {
	// Name is the standard's name, "Field64" or "Field128".
	Name() string
	// Modulus returns a fresh copy of the prime.
	Modulus() *big.Int
	// EncodedSize is the length in bytes of an encoded element, 8 or 16.
	EncodedSize() int

	// FromUint64 returns x modulo p.
	FromUint64(x uint64) E
	// FromBigInt returns x modulo p, for any sign of x. Not constant time.
	FromBigInt(x *big.Int) E
	// BigInt returns the integer in [0, p) that e stands for. Not constant time.
	BigInt(e E) *big.Int

	Add(a, b E) E
	Sub(a, b E) E
	Neg(a E) E
	Mul(a, b E) E
	// Inv returns the inverse of a; the inverse of zero is zero.
	Inv(a E) E
	// Pow returns a^n for a public exponent n.
	Pow(a E, n uint64) E
	// Equal returns 1 if a equals b and 0 otherwise, in constant time.
	Equal(a, b E) int

	// AddVec sets dst[i] = a[i] + b[i].
	AddVec(dst, a, b []E)
	// SubVec sets dst[i] = a[i] - b[i].
	SubVec(dst, a, b []E)
	// MulVec sets dst[i] = a[i] * b[i].
	MulVec(dst, a, b []E)
	// ScaleVec sets dst[i] = s * a[i].
	ScaleVec(dst []E, s E, a []E)
	// AddConstVec sets dst[i] = a[i] + c.
	AddConstVec(dst, a []E, c E)
	// AxpyVec sets dst[i] += s * a[i].
	AxpyVec(dst []E, s E, a []E)
	// Sum returns the sum of a's elements.
	Sum(a []E) E
	// InnerProduct returns the sum of a[i]*b[i]. Of more than a few products it reduces the sum alone.
	InnerProduct(a, b []E) E
	// Powers sets dst[i] = x^(i+1).
	Powers(dst []E, x E)
	// CombineRows sets dst[j] to the sum over k of coeffs[k]*rows[k*len(dst)+j]:
	// the product of a row vector with a row-major matrix, with one reduction
	// for each column. len(rows) must be len(coeffs)*len(dst). dst must not
	// overlap coeffs or rows.
	CombineRows(dst, coeffs, rows []E)
	// Progression sets dst[i] = start * ratio^(i+1).
	Progression(dst []E, start, ratio E)
	// AddWeightedRows adds up the columns of a row-major matrix with two kinds of
	// weights. With n = len(first) = len(second) it adds, over the rows k,
	//
	//	at[k] * ratios[k]^(j+1) * rows[k*n+j]  to first[j],
	//	weights[k] * rows[k*n+j]               to second[j],
	//
	// and then multiplies each at[k] by ratios[k]^n, which makes it ready for the n-th
	// column and those that follow. at, ratios and weights have one element for each row;
	// len(rows) must be n times as much. No two of the slices may overlap.
	AddWeightedRows(first, second, at, ratios, weights, rows []E)
	// EvalPolyVec sets dst[i] = p(a[i]), for the polynomial p in the monomial
	// basis (constant term first). dst must not overlap p.
	EvalPolyVec(dst []E, p []E, a []E)

	// EncodeVec appends the little-endian encoding of v to dst (VDAF Section 6.1.1).
	EncodeVec(dst []byte, v []E) []byte
	// DecodeVec decodes len(dst) elements from b. It fails if b has another
	// length than len(dst)*EncodedSize() (*LengthError) or if an element is not
	// below p (*RangeError); then dst is all zeros or unchanged.
	DecodeVec(dst []E, b []byte) error
	// SampleVec fills dst by rejection sampling from the bytes of src (the
	// loop body of next_vec, VDAF Section 6.2): it returns how many elements it
	// has written, and how many bytes it has used (a multiple of EncodedSize).
	// It stops when dst is full or when src has less than one element left.
	// src may be dst's Memory.
	SampleVec(dst []E, src []byte) (written, used int)
	// Memory returns the memory of v if it is v's encoding (EncodeVec) on this
	// machine, and nil if it is not or if v is empty. Whoever writes to it must run
	// SampleVec over it before v is used for anything else.
	Memory(v []E) []byte

	// Generator returns gen(), and GenOrderLog2 the binary logarithm of the
	// order of the subgroup that it generates (VDAF Section 6.1.2): 32 or 66.
	Generator() E
	GenOrderLog2() int
	// NthRoot returns the principal n-th root of unity; n must be a power of two
	// and at most 2^32, and panics otherwise, as do all methods that take n.
	NthRoot(n int) E
	// NthRootPowers returns the first n powers of NthRoot(n), from the zeroth.
	// The slice is shared (precomputed): callers must not change it. Tables are
	// kept for n up to 2^20, and computed at each call beyond that.
	NthRootPowers(n int) []E
	// NTT evaluates the polynomial with the coefficients p, zero-padded to
	// len(dst) = n, at the n-th roots of unity w^i, or, if setS, at s*w^i with
	// s = NthRoot(2n) (VDAF Section 6.1.2). len(p) <= n. Natural order in and out.
	NTT(dst, p []E, setS bool)
	// InvNTT is the inverse of NTT with setS false; len(dst) = len(v) = n.
	InvNTT(dst, v []E)

	// LagrangeCoefficients sets dst[i] = L_i(x) for the Lagrange basis over the
	// first n = len(dst) powers of the n-th root of unity, so that
	// p(x) = InnerProduct(dst, p) for each polynomial p that is given by its n
	// evaluations (poly_eval_batched of VDAF Section 6.1.3.2). It is correct for
	// every x, a root of unity included, without branching on x.
	LagrangeCoefficients(dst []E, x E)
	// DoubleEvaluations sets dst to the 2n evaluations of the polynomial that
	// is given by the n evaluations p (double_evaluations); len(dst) = 2*len(p)
	// and n is a power of two. dst must not overlap p.
	DoubleEvaluations(dst, p []E)
	// AddIntegers adds to dst[i] the sum over l of weights[l]*rows[i*n+l], with n = len(weights):
	// integers, in bits of these weights. The weights add up to less than 2^64.
	// len(rows) must be n*len(dst). dst must not overlap rows.
	AddIntegers(dst []E, weights []uint64, rows []E)
	// OddEvaluations replaces each column of a row-major matrix of n rows, the
	// evaluations of a polynomial of degree below n at the n-th roots of unity w^i, by its
	// evaluations at s*w^i with s = NthRoot(2n): by those of DoubleEvaluations at odd
	// indices. len(rows) must be a multiple of n, a power of two.
	OddEvaluations(rows []E, n int)
	// ExtendToPowerOf2 fills dst[m:] with the further evaluations of the
	// polynomial of degree below m whose evaluations at the first m powers of
	// the n-th root of unity are dst[:m], n = len(dst) a power of two
	// (extend_values_to_power_of_2). The case n-m = 1 costs one inner product, the
	// others two transforms.
	ExtendToPowerOf2(dst []E, m int)
}
