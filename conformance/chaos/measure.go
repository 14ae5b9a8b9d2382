package main

import (
	"fmt"
)

// kind is a VDAF, with measurements that tell which report they belong to.
type kind struct {
	vdaf string // as `collector task new` takes it
	// capacity is how many reports of a task can be told apart. Their indices are
	// below it.
	capacity int
	// measure is the measurement of the report with an index: a bool, uint64, int,
	// []uint64 or []bool.
	measure func(index int) any
	// read reads an aggregate result: how often each report is counted. Nil if the
	// result tells only how many reports there are.
	read func(numbers []uint64) ([]uint64, error)
}

// kinds are the VDAFs of the tasks.
var kinds = []func() kind{
	func() kind { return histogram(600) },
	func() kind { return histogram(240) },
	func() kind { return sumVec(120) },
	func() kind { return multihot(200) },
	func() kind { return sum() },
	func() kind { return count() },
}

// histogram gives each report a bucket of its own.
func histogram(length int) kind {
	return kind{
		vdaf: fmt.Sprintf("histogram:length=%d", length), capacity: length,
		measure: func(index int) any { return index },
		read:    ofLength(length),
	}
}

func ofLength(length int) func([]uint64) ([]uint64, error) {
	return func(numbers []uint64) ([]uint64, error) {
		if len(numbers) != length {
			return nil, fmt.Errorf("the result has %d numbers, not %d", len(numbers), length)
		}
		return numbers, nil
	}
}

// sumVec gives each report a vector with a single 1.
func sumVec(length int) kind {
	return kind{
		vdaf: fmt.Sprintf("sumvec:length=%d,max=1", length), capacity: length,
		measure: func(index int) any {
			vector := make([]uint64, length)
			vector[index] = 1
			return vector
		},
		read: ofLength(length),
	}
}

// multihot gives each report an entry of its own, and one that all have.
func multihot(length int) kind {
	return kind{
		vdaf: fmt.Sprintf("multihot:length=%d,max_weight=2", length+1), capacity: length,
		measure: func(index int) any {
			entries := make([]bool, length+1)
			entries[index], entries[length] = true, true
			return entries
		},
		read: func(numbers []uint64) ([]uint64, error) {
			numbers, err := ofLength(length + 1)(numbers)
			if err != nil {
				return nil, err
			}
			total := uint64(0)
			for _, n := range numbers[:length] {
				total += n
			}
			if total != numbers[length] {
				return nil, fmt.Errorf("%d reports have an entry of their own, and %d that of all", total, numbers[length])
			}
			return numbers[:length], nil
		},
	}
}

// sum gives each report a power of four, so that two bits of the sum tell how
// often it is counted, up to three times. More of them would not fit into Field64.
func sum() kind {
	const reports = 28
	return kind{
		vdaf: fmt.Sprintf("sum:max=%d", uint64(1)<<(2*(reports-1))), capacity: reports,
		measure: func(index int) any { return uint64(1) << (2 * index) },
		read: func(numbers []uint64) ([]uint64, error) {
			numbers, err := ofLength(1)(numbers)
			if err != nil {
				return nil, err
			}
			counts := make([]uint64, reports)
			for i := range counts {
				counts[i] = numbers[0] >> (2 * i) & 3
			}
			if numbers[0]>>(2*reports) != 0 {
				return nil, fmt.Errorf("the sum %d is greater than that of all reports", numbers[0])
			}
			return counts, nil
		},
	}
}

// count does not tell reports apart: every report says yes.
func count() kind {
	return kind{vdaf: "count", capacity: 400, measure: func(int) any { return true }}
}
