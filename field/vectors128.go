package field

const (
	// innerProductLeast is from how many elements on an inner product is faster in vectors.
	innerProductLeast = 28
	// innerProductMost and combineRowsMost are how many elements, and how many rows, a
	// routine adds up without reducing.
	innerProductMost = 2048
	combineRowsMost  = 256
	// weightRowsMost is how many rows of AddWeightedRows are worked on at once: what is
	// kept for each of them stays in the first-level cache.
	weightRowsMost = 32
)

func axpyInVectors(dst []Elem128, s Elem128, a []Elem128) {
	var products [64]Elem128
	for len(dst) > 0 {
		n := min(len(products), len(dst))
		field128{}.ScaleVec(products[:n], s, a[:n])
		field128{}.AddVec(dst[:n], dst[:n], products[:n])
		dst, a = dst[n:], a[n:]
	}
}

func innerProductInVectors(a, b []Elem128) (sum Elem128) {
	for len(a) > 0 {
		n := min(innerProductMost, len(a))
		var sums [vectorLength]Elem128
		innerProductIFMA(&sums[0].Lo, &a[0].Lo, &b[0].Lo, uint64(n))
		sum = add128(sum, field128{}.Sum(sums[:]))
		a, b = a[n:], b[n:]
	}
	return sum
}

// combineRowsInVectors is CombineRows for len(dst) >= vectorLength.
func combineRowsInVectors(dst, coeffs, rows []Elem128) {
	clear(dst)
	var limbs [combineRowsMost][3]uint64
	for len(coeffs) > 0 {
		n := min(combineRowsMost, len(coeffs))
		for k, c := range coeffs[:n] {
			limbs[k] = limbs52(c)
		}
		for j := 0; j < len(dst); j += vectorLength {
			at := min(j, len(dst)-vectorLength) // the last columns may have been there before
			var sums [vectorLength]Elem128
			combineColumnsIFMA(&sums[0].Lo, &limbs[0], &rows[at].Lo, uint64(n), uint64(len(dst)))
			field128{}.AddVec(dst[j:at+vectorLength], dst[j:at+vectorLength], sums[j-at:])
		}
		coeffs, rows = coeffs[n:], rows[n*len(dst):]
	}
}

// addWeightedRowsInVectors is AddWeightedRows for at least vectorLength columns and for at most
// weightRowsMost rows.
func addWeightedRowsInVectors(first, second, at, ratios, weights, rows []Elem128) {
	f, n, width := field128{}, len(at), len(first)
	var powers [weightRowsMost][vectorLength]Elem128 // at*ratios^(j+1) for the next columns j
	var steps, weightLimbs [weightRowsMost][3]uint64
	var power [weightRowsMost]Elem128
	for j := range vectorLength {
		f.MulVec(at, at, ratios)
		for k, x := range at {
			powers[k][j] = x
		}
	}
	copy(power[:], ratios)
	for range 3 {
		f.MulVec(power[:n], power[:n], power[:n]) // ratios^vectorLength in the end
	}
	for k := range n {
		steps[k], weightLimbs[k] = limbs52(power[k]), limbs52(weights[k])
	}
	for j := 0; j < width; j += vectorLength {
		columns := min(vectorLength, width-j)
		for k := range at {
			at[k] = powers[k][columns-1]
		}
		var sums [2 * vectorLength]Elem128
		weightColumnsIFMA(&sums[0].Lo, &powers[0][0].Lo, &steps[0], &weightLimbs[0],
			&rows[j].Lo, uint64(n), uint64(width), uint64(columns))
		f.AddVec(first[j:j+columns], first[j:j+columns], sums[:columns])
		f.AddVec(second[j:j+columns], second[j:j+columns], sums[vectorLength:][:columns])
	}
}

// limbs52 returns limbs of 52 bits, with anything above that.
func limbs52(e Elem128) [3]uint64 {
	return [3]uint64{e.Lo, e.Lo>>52 | e.Hi<<12, e.Hi >> 40}
}
