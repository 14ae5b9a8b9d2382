package vdaf

import "sync"

// Parallel returns v with VerifyInit, by far the most expensive of its
// methods, spread over up to goroutines goroutines, which have ended when it
// returns. With 1 or less it returns v.
func Parallel(v Verifier, goroutines int) Verifier {
	if goroutines <= 1 {
		return v
	}
	return &parallel{Verifier: v, goroutines: goroutines}
}

type parallel struct {
	Verifier
	goroutines int
}

// VerifyInit implements Verifier. Each goroutine takes consecutive reports, a
// multiple of the number of lanes, so that no lanes are left empty but in the
// last.
func (p *parallel) VerifyInit(verifyKey, ctx []byte, aggID int, aggParam []byte, reports []Report) []InitResult {
	each := (len(reports) + p.goroutines - 1) / p.goroutines
	each = (each + laneCount - 1) / laneCount * laneCount
	if len(reports) <= each {
		return p.Verifier.VerifyInit(verifyKey, ctx, aggID, aggParam, reports)
	}
	results := make([]InitResult, len(reports))
	var wg sync.WaitGroup
	for start := 0; start < len(reports); start += each {
		end := min(start+each, len(reports))
		wg.Go(func() {
			copy(results[start:end], p.Verifier.VerifyInit(verifyKey, ctx, aggID, aggParam, reports[start:end]))
		})
	}
	wg.Wait()
	return results
}
