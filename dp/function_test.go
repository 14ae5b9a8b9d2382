package dp

import (
	"errors"
	"math/big"
	"testing"
)

// vectors returns all vectors of that length with elements of 0 to most that keep is true for.
func vectors(length, most int, keep func([]int) bool) [][]int {
	all := [][]int{nil}
	for range length {
		var longer [][]int
		for _, v := range all {
			for x := range most + 1 {
				longer = append(longer, append(append([]int(nil), v...), x))
			}
		}
		all = longer
	}
	var kept [][]int
	for _, v := range all {
		if keep == nil || keep(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

func weight(v []int) (sum int) {
	for _, x := range v {
		sum += x
	}
	return sum
}

// farthest returns the greatest Δ₁ and Δ₂² between two of the vectors.
func farthest(from, to [][]int) (l1, l2Squared int) {
	for _, a := range from {
		for _, b := range to {
			first, second := 0, 0
			for i := range a {
				d := a[i] - b[i]
				first, second = first+max(d, -d), second+d*d
			}
			l1, l2Squared = max(l1, first), max(l2Squared, second)
		}
	}
	return l1, l2Squared
}

// The sensitivities are what all pairs of measurements give, and what all measurements and the zero vector.
func TestSensitivities(t *testing.T) {
	oneHot := func(v []int) bool { return weight(v) == 1 }
	atMost := func(w int) func([]int) bool { return func(v []int) bool { return weight(v) <= w } }
	for name, test := range map[string]struct {
		function     Function
		measurements [][]int
	}{
		"count":                   {Count(), vectors(1, 1, nil)},
		"sum":                     {Sum(9), vectors(1, 9, nil)},
		"sumvec":                  {SumVec(3, 4), vectors(3, 4, nil)},
		"histogram":               {Histogram(5), vectors(5, 1, oneHot)},
		"histogram of two":        {Histogram(2), vectors(2, 1, oneHot)},
		"multihot":                {MultihotCountVec(7, 2), vectors(7, 1, atMost(2))},
		"multihot of half":        {MultihotCountVec(6, 3), vectors(6, 1, atMost(3))},
		"multihot of more":        {MultihotCountVec(5, 4), vectors(5, 1, atMost(4))},
		"multihot of everything":  {MultihotCountVec(4, 4), vectors(4, 1, nil)},
		"multihot of an odd half": {MultihotCountVec(5, 3), vectors(5, 1, atMost(3))},
	} {
		for relation, others := range map[Neighbours][][]int{
			ReplaceOne: test.measurements,
			RemoveOne:  {make([]int, test.function.Length())},
		} {
			wantL1, wantL2Squared := farthest(test.measurements, others)
			l1, l2Squared, err := test.function.Sensitivity(relation)
			if err != nil || l1.Cmp(big.NewInt(int64(wantL1))) != 0 || l2Squared.Cmp(big.NewInt(int64(wantL2Squared))) != 0 {
				t.Errorf("%s, %s: Δ₁ = %v, Δ₂² = %v, %v; want %d and %d", name, relation, l1, l2Squared, err, wantL1, wantL2Squared)
			}
		}
	}
	for _, relation := range []Neighbours{0, 3} {
		_, _, err := Count().Sensitivity(relation)
		if _, ok := errors.AsType[*ParameterError](err); !ok {
			t.Errorf("%s: %v", relation, err)
		}
	}
}

// Large parameters do not overflow.
func TestLargeSensitivities(t *testing.T) {
	l1, l2Squared, err := SumVec(1<<20, 1<<64-1).Sensitivity(ReplaceOne)
	m := new(big.Int).SetUint64(1<<64 - 1)
	want := new(big.Int).Lsh(m, 20)
	if err != nil || l1.Cmp(want) != 0 || l2Squared.Cmp(new(big.Int).Mul(want, m)) != 0 {
		t.Errorf("Δ₁ = %v, Δ₂² = %v, %v", l1, l2Squared, err)
	}
}
