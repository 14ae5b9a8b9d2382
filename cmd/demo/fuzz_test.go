package main

import (
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// A flight that is read is within the tasks' ranges.
func FuzzParseFlight(f *testing.F) {
	f.Add("-5", "1000", "23")
	f.Add(" 7 ", "-1", "24")
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, delay, distance, hour string) {
		got, problem := parseFlight(delay, distance, hour)
		if problem == "" && (got.delay < -maxDelay || got.delay > maxDelay || got.distance < 0 || got.distance > maxDistance || got.hour < 0 || got.hour > 23) {
			t.Fatalf("%q, %q, %q is %+v", delay, distance, hour, got)
		}
	})
}
