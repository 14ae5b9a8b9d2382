package service

import (
	"time"
)

// Coarse is a number of reports as the Leader tells it: in steps of the minimum batch size, so that no answer and no two
// answers tell of one person's report.
type Coarse struct {
	// AtLeast is the number rounded down to a multiple of the minimum batch size; 0 means that there are
	// fewer than FewerThan, which is the next multiple.
	AtLeast, FewerThan uint64
}

// Enough tells whether there are at least as many as a batch needs.
func (c Coarse) Enough() bool { return c.AtLeast > 0 }

// Progress is how far a task is, as its Leader tells.
type Progress struct {
	// At is when the Leader told it.
	At time.Time
	// Unsupported tells that the Leader does not tell its progress; the rest is then empty.
	Unsupported bool
	// Waiting are uploaded and not verified yet; Aggregated verified; Collected those of Aggregated in batches that were collected.
	Waiting, Aggregated, Collected Coarse
	// Rejected are reports that count nowhere, by the name of DAP's report error.
	Rejected map[string]Coarse
	// Ready tells whether a batch is ready to be collected.
	Ready bool
	// NextStart and NextEnd are, of a time-interval task, the first interval that has enough reports and is not collected, if
	// Ready: the smallest end there is.
	NextStart, NextEnd time.Time
	// FreeFrom and FreeUntil bound the time around it that is not collected; zero where there is no bound.
	FreeFrom, FreeUntil time.Time
	// ReadyBatches is how many batches are ready, where the Leader selects.
	ReadyBatches uint64
	// Buckets are the newest time buckets that have reports and are not collected, oldest first; nil where the Leader selects.
	Buckets []BucketProgress
}

// BucketProgress is how far one time bucket is.
type BucketProgress struct {
	Start, End          time.Time
	Waiting, Aggregated Coarse
}
