package field

// limbsNum26 is how many limbs of 26 bits an element has.
const limbsNum26 = 5

// limbs26 returns the limbs of e.
func limbs26(e Elem128) [limbsNum26]uint64 {
	const mask = 1<<26 - 1
	return [limbsNum26]uint64{
		e.Lo & mask, e.Lo >> 26 & mask, (e.Lo>>52 | e.Hi<<12) & mask, e.Hi >> 14 & mask, e.Hi >> 40,
	}
}

const (
	laneCount = 4
	// lanesLeast is from how many columns on weighting rows is faster in lanes.
	lanesLeast = 16
)

// columnLanes says in which lane a column lies.
var columnLanes = [laneCount]int{0, 2, 1, 3}

// laneRow is what weightLanesAVX2 keeps for a row.
type laneRow struct {
	power  [limbsNum26][laneCount]uint64  // at*ratio^(j+1) for the next columns j
	_      [limbsNum26][laneCount]uint64  // the row's elements in these columns
	step   [limbsNum26][limbsNum26]uint64 // ratio^4 * 2^(26*(i+1))
	weight [limbsNum26]uint64
}

// weightRowsInLanes is AddWeightedRows for a number of columns that is a multiple of
// laneCount and not 0, of rows that lie stride elements apart; one row at least and combineRowsAtOnce at most.
func weightRowsInLanes(first, second, at, ratios, weights, rows []Elem128, stride int) {
	f, n := field128{}, len(at)
	var records [combineRowsAtOnce]laneRow
	var buffer [combineRowsAtOnce]Elem128
	v := buffer[:n]
	copy(v, at)
	for _, lane := range columnLanes {
		f.MulVec(v, v, ratios)
		for k, x := range v {
			for i, l := range limbs26(x) {
				records[k].power[i][lane] = l
			}
		}
	}
	f.MulVec(v, ratios, ratios)
	f.MulVec(v, v, v)
	for i := range limbsNum26 {
		f.ScaleVec(v, Elem128{Lo: 1 << 26}, v)
		for k, x := range v {
			records[k].step[i] = limbs26(x)
		}
	}
	for k, x := range weights {
		records[k].weight = limbs26(x)
	}
	weightLanesAVX2(&first[0].Lo, &second[0].Lo, &records[0].power[0][0], &rows[0].Lo,
		uint64(n), uint64(stride), uint64(len(first)/laneCount))
	for k := range at {
		at[k] = records[k].last()
	}
}

// last returns the power at the last column.
func (r *laneRow) last() Elem128 {
	var l [limbsNum26]uint64
	for i := range l {
		l[i] = r.power[i][columnLanes[laneCount-1]]
	}
	return reduceWide128(0, l[4]>>24, l[2]>>12|l[3]<<14|l[4]<<40, l[0]|l[1]<<26|l[2]<<52)
}
