package service

import "time"

// Every is how often a task is collected.
type Every string

// How often a task is collected.
const (
	EveryHour  Every = "hour"  // intervals that end on the hour, UTC
	EveryDay   Every = "day"   // intervals that end at midnight, UTC
	EveryBatch Every = "batch" // as soon as a batch is ready
	ByHand     Every = "hand"  // only when the analyst asks
)

// DefaultDelay is the Delay of a schedule that names none.
const DefaultDelay = time.Minute

// Schedule is when a task is collected. The zero value is ByHand with DefaultDelay.
// Where the Leader selects the batches, each hour and each day mean that all batches that are ready are asked for at that time.
type Schedule struct {
	Every Every
	// Delay is how long to wait for late reports after an interval is over: once it is collected they are refused.
	// Nil is DefaultDelay.
	Delay *time.Duration
}
