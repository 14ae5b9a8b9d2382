package vdaf_test

import (
	"testing"

	"github.com/twofold-dap/twofold/vdaf"
)

// TestAllocationsOfABatch verifies a small batch and a large one: reports do not allocate by
// themselves.
func TestAllocationsOfABatch(t *testing.T) {
	const length = 500
	v, err := vdaf.NewPrio3SumVec(2, length, 5, vdaf.OptimalChunkLength(3*length))
	check(t, err)
	for aggID := range 2 {
		batch := func(n int) float64 {
			reports := make([]vdaf.Report, n)
			for i := range reports {
				reports[i] = vdaf.Report{Nonce: fill(16, i), PublicShare: fill(64, i), InputShare: make([]byte, v.InputShareSize(aggID))}
			}
			return testing.AllocsPerRun(10, func() {
				for _, r := range v.VerifyInit(testKey, testCtx, aggID, nil, reports) {
					check(t, r.Err)
				}
			})
		}
		// Whether a workspace is found again is chance: that makes some dozen allocations more or less.
		if small, large := batch(8), batch(136); large > small+64 {
			t.Errorf("aggregator %d: %v allocations for 8 reports, and %v for 136", aggID, small, large)
		}
	}
}
