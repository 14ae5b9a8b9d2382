package main

import (
	"fmt"
	"strings"
)

// question is what a task is to find out, and how the same is computed from the
// data in plain sight.
type question struct {
	name  string // of the task
	title string
	vdaf  string
	// columns are what clients upload of each flight.
	columns []column
	// names are those of the result's numbers; nil if the task itself labels them.
	names []string
	// plain computes the aggregate result as it should be.
	plain func([]flight) []uint64
	// draw shows a result.
	draw  func(p *printer, names []string, result []uint64, flights uint64)
	cheat cheat
}

// column is one number that clients take from a flight.
type column struct {
	name  string
	value func(flight) int
}

// lateAfter is how many minutes a flight may be late and count as punctual.
const lateAfter = 15

// delayEdges bound the buckets of the histogram of delays, in minutes.
var delayEdges = []int{-15, 0, 15, 30, 45, 60, 90, 120, 180}

// maxFlags is how many flags of one flight can be set: it is not both early
// and late.
const maxFlags = 4

func questions() []question {
	return []question{
		{
			name: "late", title: fmt.Sprintf("Flights that were late by more than %d minutes", lateAfter),
			vdaf:    "count",
			columns: []column{{"late", isLate}},
			plain:   func(flights []flight) []uint64 { return []uint64{countIf(flights, isLate)} },
			draw:    drawCount, cheat: replay,
		},
		{
			name: "distance", title: "Miles that they flew",
			vdaf:    fmt.Sprintf("sum:max=%d", maxDistance),
			columns: []column{{"distance_miles", miles}},
			plain:   func(flights []flight) []uint64 { return []uint64{addUp(flights, miles)} },
			draw:    drawSum, cheat: outOfRange,
		},
		{
			name: "delays", title: "Minutes that they were late",
			vdaf:    "histogram:edges=" + joinNumbers(delayEdges),
			columns: []column{{"delay_minutes", func(f flight) int { return f.delay }}},
			plain:   plainHistogram,
			draw:    drawHistogram, cheat: twoBuckets,
		},
		{
			name: "totals", title: "Minutes and miles of all of them",
			vdaf:    fmt.Sprintf("sumvec:length=3,max=%d", maxDistance),
			columns: []column{{"minutes_late", minutesLate}, {"minutes_early", minutesEarly}, {"distance_miles", miles}},
			names:   []string{"minutes late", "minutes early", "miles"},
			plain: func(flights []flight) []uint64 {
				return []uint64{addUp(flights, minutesLate), addUp(flights, minutesEarly), addUp(flights, miles)}
			},
			draw: drawTotals, cheat: tamperedShare,
		},
		{
			name: "kinds", title: "What kind of flights they were",
			vdaf:    fmt.Sprintf("multihot:length=5,max_weight=%d", maxFlags),
			columns: []column{{"early", isEarly}, {"late", isLate}, {"very_late", isVeryLate}, {"far", isFar}, {"evening", isEvening}},
			names:   []string{"early", "late by more than 15 minutes", "late by more than an hour", "1,000 miles or more", "in the evening"},
			plain: func(flights []flight) []uint64 {
				return []uint64{countIf(flights, isEarly), countIf(flights, isLate), countIf(flights, isVeryLate), countIf(flights, isFar), countIf(flights, isEvening)}
			},
			draw: drawShares, cheat: everyFlag,
		},
	}
}

func miles(f flight) int        { return f.distance }
func minutesLate(f flight) int  { return max(f.delay, 0) }
func minutesEarly(f flight) int { return max(-f.delay, 0) }
func isEarly(f flight) int      { return flag(f.delay < 0) }
func isLate(f flight) int       { return flag(f.delay > lateAfter) }
func isVeryLate(f flight) int   { return flag(f.delay > 60) }
func isFar(f flight) int        { return flag(f.distance >= 1000) }
func isEvening(f flight) int    { return flag(f.hour >= 18) }

func flag(set bool) int {
	if set {
		return 1
	}
	return 0
}

// countIf is the plain computation of a count.
func countIf(flights []flight, is func(flight) int) (n uint64) {
	for _, f := range flights {
		if is(f) == 1 {
			n++
		}
	}
	return n
}

// addUp is the plain computation of a sum.
func addUp(flights []flight, value func(flight) int) (sum uint64) {
	for _, f := range flights {
		sum += uint64(value(f))
	}
	return sum
}

// plainHistogram is the plain computation of the histogram of delays.
func plainHistogram(flights []flight) []uint64 {
	buckets := make([]uint64, len(delayEdges)+1)
	for _, f := range flights {
		bucket := 0
		for bucket < len(delayEdges) && f.delay >= delayEdges[bucket] {
			bucket++
		}
		buckets[bucket]++
	}
	return buckets
}

func joinNumbers(numbers []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ";"), "[]")
}
