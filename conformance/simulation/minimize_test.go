package simulation

import (
	"testing"
	"time"
)

// minimizeTime is how long the search for a smaller list may really take.
const minimizeTime = 90 * time.Second

// minimize drops operations from a list that breaks an invariant, as long as the
// list still breaks it: halves first, then smaller parts (delta debugging). It tells how many lists it has tried.
func minimize(t *testing.T, k *clients, c config, operations []operation, v violation) (small []operation, runs int) {
	begun := time.Now()
	fails := func(list []operation) bool {
		for range replayRuns {
			runs++
			if o := play(t, k, c, list, hooks{}, "a smaller list"); o.violation != nil && o.violation.invariant == v.invariant {
				return true
			}
			if time.Since(begun) > minimizeTime {
				break
			}
		}
		return false
	}
	small = operations
	for part := (len(small) + 1) / 2; part >= 1 && time.Since(begun) < minimizeTime; {
		smaller := false
		for at := 0; at < len(small) && time.Since(begun) < minimizeTime; {
			list := append(append([]operation(nil), small[:at]...), small[min(at+part, len(small)):]...)
			if fails(list) {
				small, smaller = list, true
			} else {
				at += part
			}
		}
		if !smaller || part > 1 {
			if part == 1 {
				break
			}
			part = (part + 1) / 2
		}
	}
	return small, runs
}
