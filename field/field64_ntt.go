package field

var roots64 = newRoots(Elem64(1), pow64(7, genCofactor64), Elem64((modulus64+1)/2), genOrderLog264, mul64, powers64)

func (field64) NTT(dst, p []Elem64, setS bool) {
	k := log2(len(dst))
	mustNotExceed("NTT", len(p), len(dst))
	n := copy(dst, p)
	clear(dst[n:])
	if setS {
		shift := roots64.powers(k + 1)
		for i := range dst[:n] {
			dst[i] = mul64(dst[i], shift[i])
		}
	}
	bitReverse(dst, k)
	butterflies64(dst, k)
}

func (field64) InvNTT(dst, v []Elem64) {
	mustMatch("InvNTT", len(v), len(dst))
	k := log2(len(dst))
	copy(dst, v)
	bitReverse(dst, k)
	butterflies64(dst, k)
	negateIndices(dst)
	scale := roots64.inv[k]
	for i := range dst {
		dst[i] = mul64(dst[i], scale)
	}
}

// butterflies64 turns 2^k coefficients in bit-reversed order into the
// evaluations at the 2^k-th roots of unity in natural order, in place.
func butterflies64(v []Elem64, k int) {
	for i := 0; i+1 < len(v); i += 2 { // the first level, whose factor is 1
		e, o := v[i], v[i+1]
		v[i], v[i+1] = add64(e, o), sub64(e, o)
	}
	for level := 2; level <= k; level++ {
		half := 1 << (level - 1)
		w := roots64.powers(level)[:half]
		for start := 0; start < len(v); start += 2 * half {
			even, odd := v[start:start+half], v[start+half:start+2*half]
			even, odd = even[:len(w)], odd[:len(w)]
			for i := range w {
				t := mul64(odd[i], w[i])
				e := even[i]
				even[i], odd[i] = add64(e, t), sub64(e, t)
			}
		}
	}
}

// LagrangeCoefficients uses that p(x) is the sum of c_j x^j, with the coefficients
// c_j = 1/n * sum over i of p(w^i) w^(-ij). So L_i(x) is 1/n times the sum over j < n of
// y^j with y = x*w^-i, and that is 1/n times the product over s < k of 1 + y^(2^s). The
// last factor takes two values, the one before it four, and so on: each level
// doubles the number of products, by a factor and the same with its sign changed.
func (field64) LagrangeCoefficients(dst []Elem64, x Elem64) {
	k := log2(len(dst))
	var squares [maxRootLog2]Elem64 // squares[s] = x^(2^s)
	for s, y := 0, x; s < k; s++ {
		squares[s] = y
		y = mul64(y, y)
	}
	dst[0] = roots64.inv[k]
	for level := 1; level <= k; level++ {
		half := 1 << (level - 1)
		w := roots64.powers(level)
		y := squares[k-level]
		low, high := dst[:half], dst[half:2*half]
		for i := range low {
			t := mul64(low[i], mul64(y, w[2*half-i]))
			high[i] = sub64(low[i], t)
			low[i] = add64(low[i], t)
		}
	}
}

// DoubleEvaluations is OddEvaluations of one column, between the values that are given.
func (field64) DoubleEvaluations(dst, p []Elem64) {
	n := len(p)
	mustMatch("DoubleEvaluations", len(dst), 2*n)
	k := log2(n)
	odd := dst[n:]
	copy(odd, p)
	invButterflies64(odd, k)
	for i, w := range roots64.cosetFactors(k, mul64) {
		odd[i] = mul64(odd[i], w)
	}
	butterflies64(odd, k)
	interleave(dst, p)
}

// invButterflies64 turns evaluations at the 2^k-th roots of unity in natural order into
// 2^k times the coefficients, in bit-reversed order, in place.
func invButterflies64(v []Elem64, k int) {
	for level := k; level >= 2; level-- {
		half := 1 << (level - 1)
		w := roots64.powers(level)[half+1 : 2*half+1] // w[half-1-i] is the inverse of the i-th power
		for start := 0; start < len(v); start += 2 * half {
			low, high := v[start:start+half], v[start+half:start+2*half]
			low, high = low[:len(w)], high[:len(w)]
			for i := range w {
				x, y := low[i], high[i]
				low[i], high[i] = add64(x, y), mul64(sub64(x, y), w[len(w)-1-i])
			}
		}
	}
	for i := 0; i+1 < len(v); i += 2 { // the last level, whose factor is 1
		x, y := v[i], v[i+1]
		v[i], v[i+1] = add64(x, y), sub64(x, y)
	}
}

func (f field64) ExtendToPowerOf2(dst []Elem64, m int) { extendToPowerOf2(f, roots64, dst, m) }
