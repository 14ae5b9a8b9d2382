package field

import "math/bits"

var rowKernels128 = rowKernels[Elem128]{scale: scaleRow128, butterfly: butterflyRows128, invButterfly: invButterflyRows128}

func (field128) OddEvaluations(rows []Elem128, n int) {
	oddEvaluations(roots128, rowKernels128, mul128, rows, n)
}

func scaleRow128(a []Elem128, w Elem128) { field128{}.ScaleVec(a, w, a) }

func butterflyRows128(a, b []Elem128, w Elem128) {
	b = b[:len(a)]
	switch arithmeticFor(len(a)) {
	case inVectors:
		butterflyRowsIFMA(&a[0].Lo, &b[0].Lo, &w.Lo, uint64(len(a)))
		return
	case inWords:
		butterflyRowsInWords(a, b, w)
		return
	}
	for i := range a {
		x, y := a[i], mul128(b[i], w)
		a[i], b[i] = add128(x, y), sub128(x, y)
	}
}

func invButterflyRows128(a, b []Elem128, w Elem128) {
	b = b[:len(a)]
	switch arithmeticFor(len(a)) {
	case inVectors:
		invButterflyRowsIFMA(&a[0].Lo, &b[0].Lo, &w.Lo, uint64(len(a)))
		return
	case inWords:
		invButterflyRowsInWords(a, b, w)
		return
	}
	for i := range a {
		x, y := a[i], b[i]
		a[i], b[i] = add128(x, y), mul128(sub128(x, y), w)
	}
}

func (f field128) Progression(dst []Elem128, start, ratio Elem128) {
	if len(dst) < vectorLength || arithmeticFor(len(dst)) == inGo {
		progression128(dst, start, ratio)
		return
	}
	progression128(dst[:vectorLength], start, ratio)
	step := squareTimes128(ratio, 3) // ratio^n
	for n := vectorLength; n < len(dst); {
		// What follows n elements is ratio^n times these.
		next := dst[n:min(2*n, len(dst))]
		f.ScaleVec(next, step, dst[:len(next)])
		n += len(next)
		step = mul128(step, step)
	}
}

// progression128 is Progression, as four independent chains of products.
func progression128(dst []Elem128, start, ratio Elem128) {
	x := start
	for i := range min(4, len(dst)) {
		x = mul128(x, ratio)
		dst[i] = x
	}
	if len(dst) <= 4 {
		return
	}
	step := squareTimes128(ratio, 2)
	for i := 4; i < len(dst); i++ {
		dst[i] = mul128(dst[i-4], step)
	}
}

func (field128) AddWeightedRows(first, second, at, ratios, weights, rows []Elem128) {
	n := mustBeRows("AddWeightedRows", len(first), len(second), len(at), len(ratios), len(weights), len(rows))
	add, atOnce := addWeightedRows128, combineRowsAtOnce
	switch {
	case arithmeticFor(n) == inVectors:
		add, atOnce = addWeightedRowsInVectors, weightRowsMost
	case arithmeticFor(wordsLeast) == inWords && n > 0: // faster for any number of columns
		add, atOnce = addWeightedRowsInWords, weightRowsMost
	}
	for k := 0; k < len(at); k += atOnce {
		end := min(k+atOnce, len(at))
		add(first, second, at[k:end], ratios[k:end], weights[k:end], rows[k*n:end*n])
	}
}

// addWeightedRows128 is AddWeightedRows for as many rows as pass through registers
// between two visits to a sum.
func addWeightedRows128(first, second, at, ratios, weights, rows []Elem128) {
	ratios = ratios[:len(at)]
	for j := range first {
		for k := range at {
			at[k] = mul128(at[k], ratios[k])
		}
		var u, v wide128
		u.addStrided(at, rows[j:], len(first))
		v.addStrided(weights, rows[j:], len(first))
		first[j] = add128(first[j], u.reduce())
		second[j] = add128(second[j], v.reduce())
	}
}

func (field128) AddIntegers(dst []Elem128, weights []uint64, rows []Elem128) {
	n := len(weights)
	mustMatch("AddIntegers", len(rows), n*len(dst))
	for i := range dst {
		row := rows[i*n : (i+1)*n][:len(weights)]
		var r0, r1, r2, c uint64
		for l, w := range weights {
			h0, l0 := bits.Mul64(row[l].Lo, w)
			h1, l1 := bits.Mul64(row[l].Hi, w)
			l1, c = bits.Add64(l1, h0, 0)
			h1 += c
			r0, c = bits.Add64(r0, l0, 0)
			r1, c = bits.Add64(r1, l1, c)
			r2, _ = bits.Add64(r2, h1, c)
		}
		dst[i] = add128(dst[i], reduceWide128(0, r2, r1, r0))
	}
}
