package service

import (
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// Kind is what a task measures.
type Kind string

// The kinds of measurements, as in the short form of a VDAF.
const (
	KindCount     Kind = "count"     // how many said yes
	KindSum       Kind = "sum"       // a sum
	KindSumVec    Kind = "sumvec"    // several sums
	KindHistogram Kind = "histogram" // how many in each bucket
	KindMultihot  Kind = "multihot"  // how many set each flag
)

// Task is a task that the service keeps, and where it stands.
type Task struct {
	ID   dap.TaskID
	Name string
	// VDAF is the short form, such as "histogram:edges=0;15;60,chunk=2".
	VDAF string
	Kind Kind
	// Length is how many numbers a result has, and Labels their names: one each, never nil.
	Length int
	Labels []string
	// Edges are a histogram's bucket boundaries; nil for one over indices and for other kinds.
	Edges          []float64
	Leader, Helper string // URLs
	TimePrecision  time.Duration
	// LeaderSelected tells that the Leader selects the batches; else they are intervals of time.
	LeaderSelected bool
	MinBatchSize   uint64
	// Start and End are when the task takes reports; zero for always.
	Start, End time.Time
	AddedAt    time.Time
	// HasToken tells whether the Leader's token is known. Without it nothing is collected.
	HasToken bool
	Schedule Schedule
	// Privacy is what differential privacy costs; nil for a task whose results are exact.
	Privacy *Privacy
	// Progress is what the Leader has told last; nil if it has told nothing yet.
	Progress *Progress
	Next     Next
	// Active are the collections under way, oldest first.
	Active []Collection
	// Results is how many results there are, Latest the newest; nil if there is none.
	Results int
	Latest  *Result
	// Problem is why the task does not go on by itself, in words; empty if it does.
	Problem string
}

// Next is when the next batch can be ready.
type Next struct {
	// Waiting says what for.
	Waiting Waiting
	// At is the earliest time at which the schedule asks for it; zero if it is not known.
	At time.Time
	// Start and End are the interval that it would have by now; zero if it is not known, and where the Leader selects.
	Start, End time.Time
}

// Waiting is what the next batch waits for.
type Waiting string

// What a batch waits for.
const (
	WaitingForReports Waiting = "reports" // there are too few
	WaitingForTime    Waiting = "time"    // the interval is not over
	WaitingForAnalyst Waiting = "analyst" // the schedule is by hand
	WaitingForToken   Waiting = "token"   // SetToken was not called
	WaitingForLeader  Waiting = "leader"  // it is asked for, or the Leader does not answer
	WaitingForNothing Waiting = "nothing" // the task is over, or its privacy budget is spent
)

// Draft is what an analyst decides about a new task.
type Draft struct {
	Name           string
	Leader, Helper string // URLs
	// VDAF is the short form, such as "histogram:edges=0;15;60".
	VDAF          string
	Labels        []string // nil, or one for each number of the result
	MinBatchSize  uint64
	TimePrecision time.Duration
	// LeaderSelected lets the Leader select the batches.
	LeaderSelected bool
	Start          time.Time     // from when the task takes reports; zero for always
	Duration       time.Duration // and for how long
	Schedule       Schedule
	// Privacy asks for differential privacy; nil for exact results.
	Privacy *PrivacyDraft
}

// PrivacyDraft is what an analyst decides about differential privacy. Numbers are decimals or fractions, "0.5" or
// "1/2": they are kept exactly.
type PrivacyDraft struct {
	// Mechanism is "pure" (ε) or "zero-concentrated" (ρ); pure if empty.
	Mechanism string
	// Level is the ε or ρ that a report may lose in a batch, Budget what a client may lose in all.
	Level, Budget string
	// Neighbours is "replace-one" or "remove-one"; replace-one if empty.
	Neighbours string
	// ReportsPerClient and ReportsPerBatch are how many reports a client has at most; 1 if zero.
	ReportsPerClient, ReportsPerBatch uint64
	// MaxBatchSize is how many reports a batch has at most; a large number that suits is chosen if zero.
	MaxBatchSize uint64
}

// Plan is what a task would be.
type Plan struct {
	// Task is the task without an ID.
	Task Task
	// ReportBytes is how large an encoded report would be.
	ReportBytes int
	// StandardError is that of each number of a result, from the noise alone; nil if results are exact.
	StandardError *float64
	// HalfWidth95 is half the width of the interval in which a number's true value lies with 95 %; nil if results are exact.
	HalfWidth95 *float64
	// Batches is how many batches the privacy budget is enough for; nil if results are exact or there is no end to them.
	Batches *uint64
	// Warnings are what the analyst should think about, in words.
	Warnings []string
}

// Privacy is what differential privacy promises for a task, and what of it is spent.
type Privacy struct {
	// Mechanism is "pure" or "zero-concentrated", Symbol "ε" or "ρ".
	Mechanism, Symbol string
	// Neighbours is "replace-one" or "remove-one".
	Neighbours string
	// Level is what one batch may tell about one report.
	Level float64
	// Budget is what all results may tell about one client; Spent what those collected tell at most, Left the rest.
	Budget, Spent, Left float64
	// Batches is how many were collected; BatchesLeft how many more can be, nil if there is no end to them.
	Batches     uint64
	BatchesLeft *uint64
}
