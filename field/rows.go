package field

// rowKernels are the operations on rows of a matrix that OddEvaluations is made of.
type rowKernels[E Elem] struct {
	// scale sets a[i] = w * a[i].
	scale func(a []E, w E)
	// butterfly sets (a[i], b[i]) = (a[i] + w*b[i], a[i] - w*b[i]).
	butterfly func(a, b []E, w E)
	// invButterfly sets (a[i], b[i]) = (a[i] + b[i], w*(a[i] - b[i])).
	invButterfly func(a, b []E, w E)
}

// oddEvaluations implements Field.OddEvaluations: from evaluations in natural
// order to coefficients in bit-reversed order, to evaluations in natural order
// again, so that nothing has to be permuted, with the coset's factors between the two.
func oddEvaluations[E Elem](table *roots[E], kernels rowKernels[E], mul func(a, b E) E, rows []E, n int) {
	k := log2(n)
	columns := len(rows) / n
	mustMatch("OddEvaluations", len(rows), n*columns)
	row := func(i int) []E { return rows[i*columns : (i+1)*columns] }
	for level := k; level >= 1; level-- {
		half := 1 << (level - 1)
		w := table.powers(level)
		for start := 0; start < n; start += 2 * half {
			for i := range half {
				kernels.invButterfly(row(start+i), row(start+i+half), w[2*half-i])
			}
		}
	}
	for i, w := range table.cosetFactors(k, mul) {
		kernels.scale(row(i), w)
	}
	for level := 1; level <= k; level++ {
		half := 1 << (level - 1)
		w := table.powers(level)
		for start := 0; start < n; start += 2 * half {
			for i := range half {
				kernels.butterfly(row(start+i), row(start+i+half), w[i])
			}
		}
	}
}

// mustBeRows panics unless the lengths are those of AddWeightedRows, and
// returns the number of columns.
func mustBeRows(operation string, first, second, at, ratios, weights, rows int) int {
	mustMatch(operation, second, first)
	mustMatch(operation, ratios, at)
	mustMatch(operation, weights, at)
	mustMatch(operation, rows, at*first)
	return first
}
