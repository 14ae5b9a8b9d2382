package field

const (
	laneCount = 4
	// lanesLeast is from how many columns on weighting rows is faster in lanes.
	lanesLeast = 24

	// In the lanes numbers have limbs of 26 bits.
	laneLimbBits = 26
	laneLimbs    = 5
)

// laneRow is what weightLanesAVX2 is given of a row.
type laneRow struct {
	powers [laneCount]Elem128 // at*ratio^(j+1) for the first columns j
	steps  [laneLimbs]Elem128 // ratio^4 * 2^(26*(i+1))
	weight Elem128
	_      [2]Elem128
}

// weightRowsInLanes is AddWeightedRows for a number of columns that is a multiple of
// laneCount and not 0, of rows that lie stride elements apart; one row at least and weightRowsMost at most.
func weightRowsInLanes(first, second, at, ratios, weights, rows []Elem128, stride int) {
	f, n := field128{}, len(at)
	var given [weightRowsMost]laneRow
	var buffer [weightRowsMost]Elem128
	v := buffer[:n]
	copy(v, at)
	for j := range laneCount {
		f.MulVec(v, v, ratios)
		for k := range v {
			given[k].powers[j] = v[k]
		}
	}
	f.MulVec(v, ratios, ratios)
	f.MulVec(v, v, v)
	for k, step := range v {
		for i := range laneLimbs {
			step = timesLimb(step)
			given[k].steps[i] = step
		}
		given[k].weight = weights[k]
	}
	var last [weightRowsMost][laneLimbs]uint64
	weightLanesAVX2(&first[0].Lo, &second[0].Lo, &given[0].powers[0].Lo, &last[0], &rows[0].Lo,
		uint64(n), uint64(stride), uint64(len(first)/laneCount))
	for k := range at {
		at[k] = joinLimbs(&last[k])
	}
}

// timesLimb returns a * 2^26.
func timesLimb(a Elem128) Elem128 {
	const rest = 64 - laneLimbBits
	return fold128Once(a.Hi>>rest, a.Hi<<laneLimbBits|a.Lo>>rest, a.Lo<<laneLimbBits)
}

// joinLimbs returns the element with these limbs, of which the last may be greater than the others.
func joinLimbs(l *[laneLimbs]uint64) Elem128 {
	return reduceWide128(0, l[4]>>24, l[2]>>12|l[3]<<14|l[4]<<40, l[0]|l[1]<<26|l[2]<<52)
}
