package service

import (
	"math/big"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// Result is the aggregate result of a batch.
type Result struct {
	Task dap.TaskID
	// Number is that of the collection.
	Number uint64
	// Start and End are the interval that was asked for; where the Leader selects, that of the reports.
	Start, End time.Time
	// FirstReport and LastReport are the smallest interval that contains the times of all reports.
	FirstReport, LastReport time.Time
	ReportCount             uint64
	CollectedAt             time.Time
	// Values are the numbers, Task.Length of them, in the order of Task.Labels.
	Values []Value
}

// Value is one number of a result.
type Value struct {
	Label string
	// Number is exact, or has noise, and may then be below zero.
	Number *big.Int
	// StandardError is that of the noise; nil if the number is exact.
	StandardError *float64
	// Low and High are the interval in which the true value lies with a probability of 95 %; nil if the number is exact.
	Low, High *float64
}

// Float returns the number for drawing.
func (v Value) Float() float64 {
	f, _ := new(big.Float).SetInt(v.Number).Float64()
	return f
}

// Exact tells whether the number has no noise.
func (v Value) Exact() bool { return v.StandardError == nil }
