package field

import (
	"fmt"
	"slices"
	"testing"
)

func TestProgression(t *testing.T) {
	forEachField(t, testProgression[Elem64], testProgression[Elem128])
}

func testProgression[E Elem](t *testing.T, f Field[E]) {
	for _, ratio := range awkward(f) {
		for _, n := range lengths {
			start := randomElem(f, testRand())
			got, want := make([]E, n), make([]E, n)
			x := start
			for i := range want {
				x = f.Mul(x, ratio)
				want[i] = x
			}
			f.Progression(got, start, ratio)
			equalVec(t, fmt.Sprintf("n=%d", n), got, want)
		}
	}
}

func TestAddWeightedRows(t *testing.T) {
	forEachField(t, testAddWeightedRows[Elem64], testAddWeightedRows[Elem128])
}

func testAddWeightedRows[E Elem](t *testing.T, f Field[E]) {
	for _, rowCount := range []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 24, 33} {
		for _, n := range []int{0, 1, 3, 7, 8, 9, 16, 31, 40} {
			vec := func(n int) []E { return mixedVec(f, n)() }
			first, second, at, ratios := vec(n), vec(n), vec(rowCount), vec(rowCount)
			weights, rows := vec(rowCount), vec(n*rowCount)
			slices.Reverse(ratios)
			slices.Reverse(second)
			wantFirst, wantSecond, wantAt := slices.Clone(first), slices.Clone(second), slices.Clone(at)
			for k := range rowCount {
				for j := range n {
					wantAt[k] = f.Mul(wantAt[k], ratios[k])
					wantFirst[j] = f.Add(wantFirst[j], f.Mul(wantAt[k], rows[k*n+j]))
					wantSecond[j] = f.Add(wantSecond[j], f.Mul(weights[k], rows[k*n+j]))
				}
			}
			kept := [][]E{slices.Clone(ratios), slices.Clone(weights), slices.Clone(rows)}
			f.AddWeightedRows(first, second, at, ratios, weights, rows)
			what := fmt.Sprintf("%d rows of %d", rowCount, n)
			equalVec(t, what+": first", first, wantFirst)
			equalVec(t, what+": second", second, wantSecond)
			equalVec(t, what+": at", at, wantAt)
			for i, v := range [][]E{ratios, weights, rows} {
				equalVec(t, what+": changed", v, kept[i])
			}
		}
	}
	v := func(n int) []E { return make([]E, n) }
	mustPanic(t, func() { f.AddWeightedRows(v(2), v(3), v(2), v(2), v(2), v(4)) })
	mustPanic(t, func() { f.AddWeightedRows(v(2), v(2), v(2), v(1), v(2), v(4)) })
	mustPanic(t, func() { f.AddWeightedRows(v(2), v(2), v(2), v(2), v(3), v(4)) })
	mustPanic(t, func() { f.AddWeightedRows(v(2), v(2), v(2), v(2), v(2), v(5)) })
}

// TestAddWeightedRowsOfPairs multiplies every pair of the elements at which carries and borrows
// go wrong: as powers and ratios, and as powers and elements.
func TestAddWeightedRowsOfPairs(t *testing.T) {
	forEachField(t, testAddWeightedRowsOfPairs[Elem64], testAddWeightedRowsOfPairs[Elem128])
}

func testAddWeightedRowsOfPairs[E Elem](t *testing.T, f Field[E]) {
	list := awkward(f)
	twice := slices.Repeat(list, 2)
	for shift := range list {
		other := twice[shift : shift+len(list)]
		for k, ratio := range other {
			// One row, of one column and of as many as there are lanes for.
			for _, n := range []int{1, lanesLeast} {
				first, second, at := make([]E, n), make([]E, n), []E{list[k]}
				rows, power := slices.Repeat([]E{ratio}, n), list[k]
				wantFirst, wantSecond := make([]E, n), make([]E, n)
				for j := range n {
					power = f.Mul(power, ratio)
					wantFirst[j], wantSecond[j] = f.Mul(power, ratio), f.Mul(list[k], ratio)
				}
				f.AddWeightedRows(first, second, at, []E{ratio}, []E{list[k]}, rows)
				equalVec(t, "first", first, wantFirst)
				equalVec(t, "second", second, wantSecond)
				equalVec(t, "at", at, []E{power})
			}
		}
	}
}

// TestAddWeightedRowsCarries sums up the largest products.
func TestAddWeightedRowsCarries(t *testing.T) {
	forEachField(t, testAddWeightedRowsCarries[Elem64], testAddWeightedRowsCarries[Elem128])
}

func testAddWeightedRowsCarries[E Elem](t *testing.T, f Field[E]) {
	for _, n := range []int{16, lanesLeast} {
		testAddWeightedRowsCarriesOf(t, f, 64, n)
	}
}

func testAddWeightedRowsCarriesOf[E Elem](t *testing.T, f Field[E], rowCount, n int) {
	minusOne := f.Neg(f.FromUint64(1))
	same := func(n int, e E) []E {
		v := make([]E, n)
		for i := range v {
			v[i] = e
		}
		return v
	}
	first, second := same(n, minusOne), same(n, minusOne)
	f.AddWeightedRows(first, second, same(rowCount, minusOne), same(rowCount, f.FromUint64(1)), same(rowCount, minusOne), same(rowCount*n, minusOne))
	want := same(n, f.FromUint64(uint64(rowCount-1)))
	equalVec(t, "first", first, want)
	equalVec(t, "second", second, want)
}

func TestOddEvaluations(t *testing.T) {
	forEachField(t, testOddEvaluations[Elem64], testOddEvaluations[Elem128])
}

func testOddEvaluations[E Elem](t *testing.T, f Field[E]) {
	for _, n := range []int{1, 2, 4, 8, 64} {
		for _, columns := range []int{0, 1, 3, 8, 9} {
			rows := mixedVec(f, n*columns)()
			want := make([]E, len(rows))
			column, doubled := make([]E, n), make([]E, 2*n)
			for j := range columns {
				for i := range n {
					column[i] = rows[i*columns+j]
				}
				f.DoubleEvaluations(doubled, column)
				for i := range n {
					want[i*columns+j] = doubled[2*i+1]
				}
			}
			f.OddEvaluations(rows, n)
			equalVec(t, fmt.Sprintf("%d rows of %d", n, columns), rows, want)
		}
	}
	mustPanic(t, func() { f.OddEvaluations(make([]E, 7), 2) })
	mustPanic(t, func() { f.OddEvaluations(make([]E, 9), 3) })
}

func TestAddIntegers(t *testing.T) {
	forEachField(t, testAddIntegers[Elem64], testAddIntegers[Elem128])
}

func testAddIntegers[E Elem](t *testing.T, f Field[E]) {
	for _, weights := range [][]uint64{
		{1}, {1, 2, 4, 8, 1}, {1<<64 - 1}, {1 << 63, 1<<63 - 1}, {1<<62 - 1, 1, 1 << 62, 1 << 63}, {0, 5}, {},
	} {
		for _, n := range []int{0, 1, 5, 40} {
			dst, rows := mixedVec(f, n)(), mixedVec(f, n*len(weights))()
			for i := range rows {
				if i%3 == 0 {
					rows[i] = f.Neg(f.FromUint64(1)) // the largest
				}
			}
			want := slices.Clone(dst)
			for i := range want {
				for l, w := range weights {
					want[i] = f.Add(want[i], f.Mul(f.FromUint64(w), rows[i*len(weights)+l]))
				}
			}
			f.AddIntegers(dst, weights, rows)
			equalVec(t, fmt.Sprintf("%d integers of %d bits", n, len(weights)), dst, want)
		}
	}
	mustPanic(t, func() { f.AddIntegers(make([]E, 2), make([]uint64, 3), make([]E, 5)) })
}
