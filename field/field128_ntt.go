package field

var roots128 = newRoots(Elem128{Lo: 1}, pow128(Elem128{Lo: 7}, genCofactor128), half128, genOrderLog2128, mul128, field128{}.Powers)

func (f field128) NTT(dst, p []Elem128, setS bool) {
	k := log2(len(dst))
	mustNotExceed("NTT", len(p), len(dst))
	n := copy(dst, p)
	clear(dst[n:])
	if setS {
		f.MulVec(dst[:n], dst[:n], roots128.powers(k + 1)[:n])
	}
	bitReverse(dst, k)
	butterflies128(dst, k)
}

func (f field128) InvNTT(dst, v []Elem128) {
	mustMatch("InvNTT", len(v), len(dst))
	k := log2(len(dst))
	copy(dst, v)
	bitReverse(dst, k)
	butterflies128(dst, k)
	negateIndices(dst)
	f.ScaleVec(dst, roots128.inv[k], dst)
}

// butterflies128 turns 2^k coefficients in bit-reversed order into the
// evaluations at the 2^k-th roots of unity in natural order, in place.
func butterflies128(v []Elem128, k int) {
	for i := 0; i+1 < len(v); i += 2 { // the first level, whose factor is 1
		e, o := v[i], v[i+1]
		v[i], v[i+1] = add128(e, o), sub128(e, o)
	}
	for level := 2; level <= k; level++ {
		half := 1 << (level - 1)
		w := roots128.powers(level)[:half]
		for start := 0; start < len(v); start += 2 * half {
			even, odd := v[start:start+half], v[start+half:start+2*half]
			butterfly128(even, odd, w)
		}
	}
}

// butterfly128 sets a[i], b[i] = a[i] + w[i]*b[i], a[i] - w[i]*b[i]. The vectors have equal lengths.
func butterfly128(a, b, w []Elem128) {
	switch arithmeticFor(len(w)) {
	case inVectors:
		butterfliesIFMA(&a[0].Lo, &b[0].Lo, &w[0].Lo, uint64(len(w)))
		return
	case inWords:
		butterfliesBMI2(&a[0].Lo, &b[0].Lo, &w[0].Lo, uint64(len(w)))
		return
	}
	a, b = a[:len(w)], b[:len(w)]
	for i := range w {
		t := mul128(b[i], w[i])
		x := a[i]
		a[i], b[i] = add128(x, t), sub128(x, t)
	}
}

// timesRootsLeast is from how many elements on timesRoots128 is faster than Go.
const timesRootsLeast = 8

// LagrangeCoefficients is derived at Field64's method. This one computes L_-i(x) for each i first,
// from the roots in their natural order.
func (f field128) LagrangeCoefficients(dst []Elem128, x Elem128) {
	k := log2(len(dst))
	var squares [maxRootLog2]Elem128 // squares[s] = x^(2^s)
	squares[0] = x
	for s := 1; s < k; s++ {
		squares[s] = mul128(squares[s-1], squares[s-1])
	}
	dst[0] = roots128.inv[k]
	for level := 1; level <= k; level++ {
		half := 1 << (level - 1)
		w := roots128.powers(level)[:half]
		y := squares[k-level]
		low, high := dst[:half], dst[half:2*half]
		if half >= timesRootsLeast && arithmeticFor(half) != inGo {
			copy(high, low)
			timesRoots128(low, high, y, w)
			continue
		}
		for i := range low {
			t := mul128(low[i], y)
			if i > 0 { // w[0] is 1
				t = mul128(t, w[i])
			}
			high[i] = sub128(low[i], t)
			low[i] = add128(low[i], t)
		}
	}
	negateIndices(dst)
}

// timesRoots128 sets a[i], b[i] = a[i] + y*w[i]*b[i], a[i] - y*w[i]*b[i]. The vectors have equal
// lengths.
func timesRoots128(a, b []Elem128, y Elem128, w []Elem128) {
	var factors [32]Elem128
	for len(a) > 0 {
		n := min(len(factors), len(a))
		field128{}.ScaleVec(factors[:n], y, w[:n])
		butterfly128(a[:n], b[:n], factors[:n])
		a, b, w = a[n:], b[n:], w[n:]
	}
}

func (f field128) DoubleEvaluations(dst, p []Elem128) { doubleEvaluations(f, dst, p) }

func (f field128) ExtendToPowerOf2(dst []Elem128, m int) { extendToPowerOf2(f, roots128, dst, m) }

// half128 is (p + 1) / 2, the inverse of two.
var half128 = Elem128{Lo: (modulusLo128+1)/2 + modulusHi128&1<<63, Hi: modulusHi128 / 2}
