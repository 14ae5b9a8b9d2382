package vdaf_test

import (
	"runtime"
	"testing"

	"github.com/twofold-dap/twofold/flp"
	"github.com/twofold-dap/twofold/vdaf"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLargestInstances makes instances with the largest parameters that are
// taken: a task configuration alone, or a report that is refused by its
// lengths, must not cost the memory of a verification.
func TestLargestInstances(t *testing.T) {
	const most = 1 << 20 // bytes
	for name, make := range map[string]func() (vdaf.Verifier, error){
		"Sum": func() (vdaf.Verifier, error) { return vdaf.NewPrio3Sum(2, 1<<64-1<<32) },
		"SumVec": func() (vdaf.Verifier, error) {
			return vdaf.NewPrio3SumVec(2, flp.MaxMeasLen/64, 1<<64-1, vdaf.OptimalChunkLength(flp.MaxMeasLen))
		},
		"Histogram": func() (vdaf.Verifier, error) {
			return vdaf.NewPrio3Histogram(2, flp.MaxMeasLen, vdaf.OptimalChunkLength(flp.MaxMeasLen))
		},
		"Histogram in small chunks":     func() (vdaf.Verifier, error) { return vdaf.NewPrio3Histogram(2, flp.MaxMeasLen, 5) },
		"Histogram in one chunk":        func() (vdaf.Verifier, error) { return vdaf.NewPrio3Histogram(2, 1<<20, 1<<20) },
		"Histogram in too large chunks": func() (vdaf.Verifier, error) { return vdaf.NewPrio3Histogram(2, 1, flp.MaxMeasLen/2-2) },
		"MultihotCountVec": func() (vdaf.Verifier, error) {
			return vdaf.NewPrio3MultihotCountVec(2, flp.MaxMeasLen-64, flp.MaxMeasLen-64, 2048)
		},
	} {
		var v vdaf.Verifier
		if n := allocated(func() {
			var err error
			v, err = make()
			check(t, err)
		}); n > most {
			t.Errorf("%s: making the instance allocates %d bytes", name, n)
		}
		for aggID := range 2 {
			var results []vdaf.InitResult
			if n := allocated(func() {
				results = v.VerifyInit(testKey, testCtx, aggID, nil, []vdaf.Report{{Nonce: fill(16, 1), InputShare: fill(65, 2)}})
			}); n > most {
				t.Errorf("%s: aggregator %d refuses a report and allocates %d bytes", name, aggID, n)
			}
			if results[0].Err == nil {
				t.Errorf("%s: aggregator %d takes a report of any length", name, aggID)
			}
		}
	}
}

// TestTooLargeInstances refuses what a verification would take too much memory for.
func TestTooLargeInstances(t *testing.T) {
	drop := func(_ any, err error) error { return err }
	for i, err := range []error{
		drop(vdaf.NewPrio3Histogram(2, flp.MaxMeasLen, 1)),
		drop(vdaf.NewPrio3Histogram(2, 1, flp.MaxMeasLen/2)),
		drop(vdaf.NewPrio3Histogram(2, flp.MaxMeasLen+1, 2048)),
		drop(vdaf.NewPrio3SumVec(2, flp.MaxMeasLen/64, 1<<64-1, 1)),
		drop(vdaf.NewPrio3SumVecField64Multiproof(2, 1<<16, 1<<64-1, 2048, 255)),
	} {
		if !isParamError(err) {
			t.Errorf("%d: error %v", i, err)
		}
	}
}

// TestMemoryOfABatch compares the memory of batches that leave lanes empty
// with that of a full one: an empty lane takes none.
func TestMemoryOfABatch(t *testing.T) {
	const length = 20_000
	var of [5]uint64
	for n := 1; n < len(of); n++ {
		v, err := vdaf.NewPrio3Histogram(2, length, vdaf.OptimalChunkLength(length))
		check(t, err)
		report := vdaf.Report{Nonce: fill(16, 1), PublicShare: fill(64, 2), InputShare: fill(64, 3)}
		reports := []vdaf.Report{report, report, report, report}[:n]
		of[n] = allocated(func() {
			for _, r := range v.VerifyInit(testKey, testCtx, 1, nil, reports) {
				check(t, r.Err)
			}
		})
	}
	for n := 1; n < 4; n++ {
		if of[n] > of[4] {
			t.Errorf("a batch of %d allocates %d bytes, one of 4 allocates %d", n, of[n], of[4])
		}
	}
}

// TestMemoryOfALargeMeasurement verifies a SumVec of 1,000,000 bits, whose
// encoded measurement has 16 MB. The Helper's share of it is never in memory, nor is
// its output share before aggregation; the Leader has its output share beside the report.
func TestMemoryOfALargeMeasurement(t *testing.T) {
	const length = 1_000_000
	v, err := vdaf.NewPrio3SumVec(2, length, 1, vdaf.OptimalChunkLength(length))
	check(t, err)
	proofShare := v.InputShareSize(0) - 16*length
	verify := func(aggID, batch int) uint64 {
		var reports []vdaf.Report
		for i := range batch {
			reports = append(reports, vdaf.Report{Nonce: fill(16, i), PublicShare: fill(64, i), InputShare: make([]byte, v.InputShareSize(aggID))})
		}
		return allocated(func() {
			for _, r := range v.VerifyInit(testKey, testCtx, aggID, nil, reports) {
				check(t, r.Err)
			}
		})
	}
	// The field's tables, which are shared by all instances, are not measured.
	small, err := vdaf.NewPrio3Histogram(2, 1023, 1)
	check(t, err)
	_, _, err = small.Shard(testCtx, 0, fill(16, 1), fill(small.RandSize(), 2))
	check(t, err)
	one := verify(1, 1)
	two := verify(1, 2)
	leader := verify(0, 1)
	t.Logf("a proof share has %d bytes; the Helper allocates %d for a report and %d for two; the Leader %d for a report of %d",
		proofShare, one, two, leader, v.InputShareSize(0))
	if most := uint64(12 * proofShare); one > most {
		t.Errorf("the Helper allocates %d bytes for a report, more than %d", one, most)
	}
	if most := uint64(20 * proofShare); two > most {
		t.Errorf("the Helper allocates %d bytes for two reports, more than %d", two, most)
	}
	if estimate := uint64(v.WorkspaceSize(1)); one < estimate/2 || one > estimate*3/2 {
		t.Errorf("the Helper allocates %d bytes for a report, and WorkspaceSize is %d", one, estimate)
	}
	if most := uint64(v.InputShareSize(0) * 11 / 10); leader > most {
		t.Errorf("the Leader allocates %d bytes for a report, more than %d", leader, most)
	}
}

// TestMemoryOfSharding shards a SumVec of 100,000 bits: beside the measurement as
// integers, in bits, and encoded there is the report, once, and little more.
func TestMemoryOfSharding(t *testing.T) {
	const length = 100_000
	v, err := vdaf.NewPrio3SumVec(2, length, 1, vdaf.OptimalChunkLength(length))
	check(t, err)
	n := allocated(func() {
		_, _, err := v.Shard(testCtx, make([]uint64, length), fill(16, 1), fill(v.RandSize(), 2))
		check(t, err)
	})
	if most := uint64((8+1+16)*length + v.InputShareSize(0)*2); n > most {
		t.Errorf("sharding allocates %d bytes, more than %d", n, most)
	}
}
