package field

const (
	// productsMost is how many products a routine for BMI2 adds up without reducing.
	productsMost = 4096
	// evalAtOnce is at how many points a polynomial is evaluated at once.
	evalAtOnce = 64
)

// Routines that multiply by the same element over and over divide the products by
// 2^128, which is faster than reducing them, and take that element times 2^128.
var (
	// r128 is 2^128 modulo p, X^2 = 28*X - 1.
	r128 = Elem128{Lo: 1<<64 - 1, Hi: fold128 - 1}
	// rr128 is 2^256 modulo p, X^4 = fold4128*X - fold3128.
	rr128 = Elem128{Lo: 1<<64 - fold3128, Hi: fold4128 - 1}
)

func timesR128(a Elem128) Elem128 { return mul128(a, r128) }

func scaleInWords(dst []Elem128, s Elem128, a []Elem128) {
	s = timesR128(s)
	scaleVecBMI2(&dst[0].Lo, &a[0].Lo, &s.Lo, uint64(len(dst)))
}

func axpyInWords(dst []Elem128, s Elem128, a []Elem128) {
	s = timesR128(s)
	axpyVecBMI2(&dst[0].Lo, &a[0].Lo, &s.Lo, uint64(len(dst)))
}

func butterflyRowsInWords(a, b []Elem128, w Elem128) {
	w = timesR128(w)
	butterflyRowsBMI2(&a[0].Lo, &b[0].Lo, &w.Lo, uint64(len(a)))
}

func invButterflyRowsInWords(a, b []Elem128, w Elem128) {
	w = timesR128(w)
	invButterflyRowsBMI2(&a[0].Lo, &b[0].Lo, &w.Lo, uint64(len(a)))
}

func innerProductInWords(a, b []Elem128) (sum Elem128) {
	for len(a) > 0 {
		n := min(productsMost, len(a))
		combineColumnsBMI2(&sum.Lo, &a[0].Lo, &b[0].Lo, uint64(n), 1, 1)
		a, b = a[n:], b[n:]
	}
	return sum
}

// combineRowsInWords is CombineRows for len(dst) > 0.
func combineRowsInWords(dst, coeffs, rows []Elem128) {
	clear(dst)
	for len(coeffs) > 0 {
		n := min(combineRowsAtOnce, len(coeffs))
		combineColumnsBMI2(&dst[0].Lo, &coeffs[0].Lo, &rows[0].Lo, uint64(n), uint64(len(dst)), uint64(len(dst)))
		coeffs, rows = coeffs[n:], rows[n*len(dst):]
	}
}

// addWeightedRowsInWords is AddWeightedRows for at least one column and for one row at least and
// weightRowsMost at most.
func addWeightedRowsInWords(first, second, at, ratios, weights, rows []Elem128) {
	stride, columns := len(first), len(first)
	if columns >= lanesLeast {
		columns %= laneCount
	}
	if columns > 0 {
		var factors [weightRowsMost]Elem128
		scaleVecBMI2(&factors[0].Lo, &ratios[0].Lo, &rr128.Lo, uint64(len(ratios)))
		weightColumnsBMI2(&first[0].Lo, &second[0].Lo, &at[0].Lo, &factors[0].Lo, &weights[0].Lo, &rows[0].Lo,
			uint64(len(at)), uint64(stride), uint64(columns))
	}
	if columns < stride {
		weightRowsInLanes(first[columns:], second[columns:], at, ratios, weights, rows[columns:], stride)
	}
}

// evalPolyInWords is EvalPolyVec for a polynomial that has coefficients.
func evalPolyInWords(dst, p, a []Elem128) {
	var values [evalAtOnce]Elem128
	for len(dst) > 0 {
		n := min(len(values), len(dst))
		y := values[:n]
		for i := range y {
			y[i] = p[len(p)-1]
		}
		for k := len(p) - 2; k >= 0; k-- {
			field128{}.MulVec(y, y, a[:n])
			field128{}.AddConstVec(y, y, p[k])
		}
		copy(dst, y)
		dst, a = dst[n:], a[n:]
	}
}
