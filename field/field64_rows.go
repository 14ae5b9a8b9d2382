package field

import "math/bits"

var rowKernels64 = rowKernels[Elem64]{scale: scaleRow64, butterfly: butterflyRows64, invButterfly: invButterflyRows64}

func (field64) OddEvaluations(rows []Elem64, n int) {
	oddEvaluations(roots64, rowKernels64, mul64, rows, n)
}

func scaleRow64(a []Elem64, w Elem64) {
	for i := range a {
		a[i] = mul64(a[i], w)
	}
}

func butterflyRows64(a, b []Elem64, w Elem64) {
	b = b[:len(a)]
	for i := range a {
		x, y := a[i], mul64(b[i], w)
		a[i], b[i] = add64(x, y), sub64(x, y)
	}
}

func invButterflyRows64(a, b []Elem64, w Elem64) {
	b = b[:len(a)]
	for i := range a {
		x, y := a[i], b[i]
		a[i], b[i] = add64(x, y), mul64(sub64(x, y), w)
	}
}

func (field64) Progression(dst []Elem64, start, ratio Elem64) {
	x := start
	for i := range min(4, len(dst)) {
		x = mul64(x, ratio)
		dst[i] = x
	}
	if len(dst) <= 4 {
		return
	}
	square := mul64(ratio, ratio)
	step := mul64(square, square)
	for i := 4; i < len(dst); i++ {
		dst[i] = mul64(dst[i-4], step)
	}
}

func (field64) AddWeightedRows(first, second, at, ratios, weights, rows []Elem64) {
	n := mustBeRows("AddWeightedRows", len(first), len(second), len(at), len(ratios), len(weights), len(rows))
	add := addWeightedRows64
	if hasAVX2 && n > 0 {
		add = addWeightedRows64InWords
	}
	for k := 0; k < len(at); k += combineRowsAtOnce {
		end := min(k+combineRowsAtOnce, len(at))
		add(first, second, at[k:end], ratios[k:end], weights[k:end], rows[k*n:end*n])
	}
}

// addWeightedRows64 is AddWeightedRows for as many rows as pass through registers
// between two visits to a sum.
func addWeightedRows64(first, second, at, ratios, weights, rows []Elem64) {
	ratios, weights = ratios[:len(at)], weights[:len(at)]
	for j := range first {
		var lo1, hi1, top1, lo2, hi2, top2, c uint64
		from := j
		for k := range at {
			x := uint64(rows[from])
			from += len(first)
			power := mul64(at[k], ratios[k])
			at[k] = power
			h, l := bits.Mul64(uint64(power), x)
			lo1, c = bits.Add64(lo1, l, 0)
			hi1, c = bits.Add64(hi1, h, c)
			top1 += c
			h, l = bits.Mul64(uint64(weights[k]), x)
			lo2, c = bits.Add64(lo2, l, 0)
			hi2, c = bits.Add64(hi2, h, c)
			top2 += c
		}
		first[j] = add64(first[j], reduceAcc64(top1, hi1, lo1))
		second[j] = add64(second[j], reduceAcc64(top2, hi2, lo2))
	}
}

// addWeightedRows64InWords is addWeightedRows64 for at least one column and one row.
func addWeightedRows64InWords(first, second, at, ratios, weights, rows []Elem64) {
	word := func(v []Elem64) *uint64 { return (*uint64)(&v[0]) }
	weightColumns64BMI2(word(first), word(second), word(at), word(ratios), word(weights), word(rows),
		uint64(len(at)), uint64(len(first)), uint64(len(first)))
	for k, x := range at {
		at[k] = reduceOnce64(uint64(x))
	}
}

func (field64) AddIntegers(dst []Elem64, weights []uint64, rows []Elem64) {
	n := len(weights)
	mustMatch("AddIntegers", len(rows), n*len(dst))
	for i := range dst {
		row := rows[i*n : (i+1)*n][:len(weights)]
		var lo, hi, c uint64
		for l, w := range weights {
			h, m := bits.Mul64(uint64(row[l]), w)
			lo, c = bits.Add64(lo, m, 0)
			hi, _ = bits.Add64(hi, h, c)
		}
		dst[i] = add64(dst[i], reduceWide64(hi, lo))
	}
}
