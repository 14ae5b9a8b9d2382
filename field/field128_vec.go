package field

import "math/bits"

func (field128) AddVec(dst, a, b []Elem128) {
	mustMatch("AddVec", len(a), len(dst))
	mustMatch("AddVec", len(b), len(dst))
	switch arithmeticFor(len(dst)) {
	case inVectors:
		addVecAVX512(&dst[0].Lo, &a[0].Lo, &b[0].Lo, uint64(len(dst)))
		return
	case inWords:
		addVecBMI2(&dst[0].Lo, &a[0].Lo, &b[0].Lo, uint64(len(dst)))
		return
	}
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = add128(a[i], b[i])
	}
}

func (field128) SubVec(dst, a, b []Elem128) {
	mustMatch("SubVec", len(a), len(dst))
	mustMatch("SubVec", len(b), len(dst))
	switch arithmeticFor(len(dst)) {
	case inVectors:
		subVecAVX512(&dst[0].Lo, &a[0].Lo, &b[0].Lo, uint64(len(dst)))
		return
	case inWords:
		subVecBMI2(&dst[0].Lo, &a[0].Lo, &b[0].Lo, uint64(len(dst)))
		return
	}
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = sub128(a[i], b[i])
	}
}

func (field128) MulVec(dst, a, b []Elem128) {
	mustMatch("MulVec", len(a), len(dst))
	mustMatch("MulVec", len(b), len(dst))
	switch arithmeticFor(len(dst)) {
	case inVectors:
		mulVecIFMA(&dst[0].Lo, &a[0].Lo, &b[0].Lo, uint64(len(dst)))
		return
	case inWords:
		mulVecBMI2(&dst[0].Lo, &a[0].Lo, &b[0].Lo, uint64(len(dst)))
		return
	}
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = mul128(a[i], b[i])
	}
}

func (field128) ScaleVec(dst []Elem128, s Elem128, a []Elem128) {
	mustMatch("ScaleVec", len(a), len(dst))
	switch arithmeticFor(len(dst)) {
	case inVectors:
		scaleVecIFMA(&dst[0].Lo, &a[0].Lo, &s.Lo, uint64(len(dst)))
		return
	case inWords:
		scaleInWords(dst, s, a)
		return
	}
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = mul128(s, a[i])
	}
}

func (field128) AddConstVec(dst, a []Elem128, c Elem128) {
	mustMatch("AddConstVec", len(a), len(dst))
	switch arithmeticFor(len(dst)) {
	case inVectors:
		addConstVecAVX512(&dst[0].Lo, &a[0].Lo, &c.Lo, uint64(len(dst)))
		return
	case inWords:
		addConstVecBMI2(&dst[0].Lo, &a[0].Lo, &c.Lo, uint64(len(dst)))
		return
	}
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = add128(a[i], c)
	}
}

func (field128) AxpyVec(dst []Elem128, s Elem128, a []Elem128) {
	mustMatch("AxpyVec", len(a), len(dst))
	switch arithmeticFor(len(dst)) {
	case inVectors:
		axpyInVectors(dst, s, a)
		return
	case inWords:
		axpyInWords(dst, s, a)
		return
	}
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = add128(dst[i], mul128(s, a[i]))
	}
}

func (field128) Sum(a []Elem128) Elem128 {
	var r0, r1, r2, c uint64
	for i := range a {
		r0, c = bits.Add64(r0, a[i].Lo, 0)
		r1, c = bits.Add64(r1, a[i].Hi, c)
		r2 += c
	}
	return reduceWide128(0, r2, r1, r0)
}

func (field128) InnerProduct(a, b []Elem128) Elem128 {
	mustMatch("InnerProduct", len(b), len(a))
	if len(a) < reduceOnceLeast {
		var sum Elem128
		for i := range a {
			sum = add128(sum, mul128(a[i], b[i]))
		}
		return sum
	}
	switch arithmeticFor(len(a)) {
	case inVectors:
		if len(a) >= innerProductLeast {
			return innerProductInVectors(a, b)
		}
	case inWords:
		return innerProductInWords(a, b)
	}
	var acc wide128
	acc.addProducts(a, b)
	return acc.reduce()
}

// reduceOnceLeast is from how many products on it is faster to reduce their sum alone.
const reduceOnceLeast = 4

// wide128 is an unreduced sum of products,
// w[4]*X^4 + w[3]*X^3 + w[2]*X^2 + w[1]*X + w[0].
type wide128 [5]uint64

// addProducts adds the sum of a[i]*b[i]; len(b) >= len(a).
func (w *wide128) addProducts(a, b []Elem128) {
	b = b[:len(a)]
	r0, r1, r2, r3, r4 := w[0], w[1], w[2], w[3], w[4]
	var c uint64
	for i := range a {
		h0, l0 := bits.Mul64(a[i].Lo, b[i].Lo)
		h3, l3 := bits.Mul64(a[i].Hi, b[i].Hi)
		r0, c = bits.Add64(r0, l0, 0)
		r1, c = bits.Add64(r1, h0, c)
		r2, c = bits.Add64(r2, l3, c)
		r3, c = bits.Add64(r3, h3, c)
		r4, _ = bits.Add64(r4, 0, c)
		h1, l1 := bits.Mul64(a[i].Lo, b[i].Hi)
		r1, c = bits.Add64(r1, l1, 0)
		r2, c = bits.Add64(r2, h1, c)
		r3, c = bits.Add64(r3, 0, c)
		r4, _ = bits.Add64(r4, 0, c)
		h2, l2 := bits.Mul64(a[i].Hi, b[i].Lo)
		r1, c = bits.Add64(r1, l2, 0)
		r2, c = bits.Add64(r2, h2, c)
		r3, c = bits.Add64(r3, 0, c)
		r4, _ = bits.Add64(r4, 0, c)
	}
	*w = wide128{r0, r1, r2, r3, r4}
}

// addStrided adds the sum over k of coeffs[k]*rows[k*stride].
func (w *wide128) addStrided(coeffs, rows []Elem128, stride int) {
	r0, r1, r2, r3, r4 := w[0], w[1], w[2], w[3], w[4]
	var c uint64
	at := 0
	for k := range coeffs {
		x := rows[at]
		h0, l0 := bits.Mul64(coeffs[k].Lo, x.Lo)
		h3, l3 := bits.Mul64(coeffs[k].Hi, x.Hi)
		r0, c = bits.Add64(r0, l0, 0)
		r1, c = bits.Add64(r1, h0, c)
		r2, c = bits.Add64(r2, l3, c)
		r3, c = bits.Add64(r3, h3, c)
		r4, _ = bits.Add64(r4, 0, c)
		h1, l1 := bits.Mul64(coeffs[k].Lo, x.Hi)
		r1, c = bits.Add64(r1, l1, 0)
		r2, c = bits.Add64(r2, h1, c)
		r3, c = bits.Add64(r3, 0, c)
		r4, _ = bits.Add64(r4, 0, c)
		h2, l2 := bits.Mul64(coeffs[k].Hi, x.Lo)
		r1, c = bits.Add64(r1, l2, 0)
		r2, c = bits.Add64(r2, h2, c)
		r3, c = bits.Add64(r3, 0, c)
		r4, _ = bits.Add64(r4, 0, c)
		at += stride
	}
	*w = wide128{r0, r1, r2, r3, r4}
}

func (w *wide128) reduce() Elem128 { return reduceAcc128(w[4], w[3], w[2], w[1], w[0]) }

func (f field128) Powers(dst []Elem128, x Elem128) {
	f.Progression(dst, Elem128{Lo: 1}, x)
}

const (
	// combineColumns is how many columns CombineRows sums up at once: the
	// accumulators of so many stay in the first-level cache.
	combineColumns = 128
	// combineRowsAtOnce is how many rows pass through registers between two
	// visits to an accumulator.
	combineRowsAtOnce = 16
)

func (field128) CombineRows(dst, coeffs, rows []Elem128) {
	mustMatch("CombineRows", len(rows), len(coeffs)*len(dst))
	switch arithmeticFor(len(dst)) {
	case inVectors:
		combineRowsInVectors(dst, coeffs, rows)
		return
	case inWords:
		combineRowsInWords(dst, coeffs, rows)
		return
	}
	var acc [combineColumns]wide128
	for start := 0; start < len(dst); start += combineColumns {
		block := dst[start:min(start+combineColumns, len(dst))]
		clear(acc[:len(block)])
		for k := 0; k < len(coeffs); k += combineRowsAtOnce {
			group := coeffs[k:min(k+combineRowsAtOnce, len(coeffs))]
			from := rows[k*len(dst)+start:]
			for j := range block {
				acc[j].addStrided(group, from[j:], len(dst))
			}
		}
		for j := range block {
			block[j] = acc[j].reduce()
		}
	}
}

func (field128) EvalPolyVec(dst []Elem128, p []Elem128, a []Elem128) {
	mustMatch("EvalPolyVec", len(a), len(dst))
	if len(p) == 0 {
		clear(dst)
		return
	}
	if arithmeticFor(len(dst)) == inWords {
		evalPolyInWords(dst, p, a)
		return
	}
	a = a[:len(dst)]
	degree := len(p) - 1
	for i, x := range a {
		y := p[degree]
		for k := degree - 1; k >= 0; k-- {
			y = add128(mul128(y, x), p[k])
		}
		dst[i] = y
	}
}
