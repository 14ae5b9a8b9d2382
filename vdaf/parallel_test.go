package vdaf_test

import (
	"bytes"
	"testing"

	"github.com/twofold-dap/twofold/vdaf"
)

// TestParallel compares with the same batch on one goroutine, a broken report
// in it.
func TestParallel(t *testing.T) {
	c := find(t, "SumVec/shares=2")
	if vdaf.Parallel(c.v, 1) != c.v || vdaf.Parallel(c.v, 0) != c.v {
		t.Error("one goroutine is wrapped")
	}
	for _, n := range []int{0, 1, 4, 5, 8, 9, 23, 24} {
		reports := c.shardBatch(t, n, 12).reports(1)
		if n > 4 {
			reports[4].InputShare = nil
		}
		want := c.v.VerifyInit(testKey, testCtx, 1, nil, reports)
		for _, goroutines := range []int{2, 3, 5, 100} {
			got := vdaf.Parallel(c.v, goroutines).VerifyInit(testKey, testCtx, 1, nil, reports)
			if len(got) != n {
				t.Fatalf("%d results for %d reports", len(got), n)
			}
			for i := range got {
				if !bytes.Equal(got[i].VerifierShare, want[i].VerifierShare) || (got[i].Err != nil) != (n > 4 && i == 4) {
					t.Errorf("%d reports on %d goroutines: result %d differs", n, goroutines, i)
				}
			}
		}
	}
}
