package simulation

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// The invariants.
const (
	invariantOneState    = "an accepted report is in exactly one state"
	invariantNotLost     = "an accepted report is never lost"
	invariantUnknown     = "nothing is stored that was not accepted"
	invariantFinal       = "what is counted or rejected stays so"
	invariantReason      = "a report is rejected for its own fault alone"
	invariantCheat       = "a cheating report is never counted"
	invariantBucket      = "a batch bucket is the sum of its reports"
	invariantAgree       = "both sides count the same reports"
	invariantCollected   = "a collected bucket never changes"
	invariantOnce        = "a bucket is collected once"
	invariantResult      = "a result is the exact sum of its reports"
	invariantSameAnswer  = "the same request gets the same answer"
	invariantUpload      = "an upload is answered rightly"
	invariantCollection  = "a collection fails for its own fault alone"
	invariantCheck       = "the store's own check finds nothing"
	invariantReportEnds  = "every report comes to its end"
	invariantCollectEnds = "every collection comes to its end"
	invariantFloor       = "a floor only rises, and no higher than age demands"
	invariantForgotten   = "what is not below the floor is not forgotten"
	invariantBelow       = "nothing below the floor is accepted, counted or collected"
	invariantNoise       = "a result has noise of both sides that no other has"
	invariantLedger      = "each collected batch is charged once, and nothing else"
	invariantBudget      = "the privacy budget is kept, and what fails for it is beyond it"
	invariantRuns        = "the parties run"
)

// invariants are all of them.
var invariants = []string{
	invariantOneState, invariantNotLost, invariantUnknown, invariantFinal, invariantReason, invariantCheat,
	invariantBucket, invariantAgree, invariantCollected, invariantOnce, invariantResult, invariantSameAnswer,
	invariantUpload, invariantCollection, invariantCheck, invariantReportEnds, invariantCollectEnds,
	invariantFloor, invariantForgotten, invariantBelow, invariantNoise, invariantLedger, invariantBudget, invariantRuns,
}

// violation is a broken invariant.
type violation struct {
	invariant string
	detail    string
}

func (v violation) String() string { return fmt.Sprintf("%q is violated: %s", v.invariant, v.detail) }

// violated notes a violation. It may be called at any time.
func (w *world) violated(invariant, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, violation{invariant, fmt.Sprintf(format, args...)})
}

// firstViolation returns the violation that was found first.
func (w *world) firstViolation() (violation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.found) == 0 {
		return violation{}, false
	}
	return w.found[0], true
}

// model is what must be true, by what the clients and the Collector were told alone.
type model struct {
	w  *world
	mu sync.Mutex

	reports map[int]*report
	places  map[dap.Time]int // how many reports have their origin at a time
	byID    map[dap.ReportID]*report
	skewed  bool                          // the clocks have disagreed
	shelved map[dap.AggregationJobID]bool // the Leader's jobs that its operator has put in quarantine
	// The reports whose job at the Helper was in quarantine and was released, by its operator; releasedAny: also others,
	// of a job of which the Helper has forgotten what they were.
	released    map[dap.ReportID]bool
	releasedAny bool

	jobs    map[string]*collectionJob // by request
	all     []*collectionJob          // deleted ones too
	results []*collectionJob          // with a result that is not compared yet
	refused []dap.Time                // times for which an upload was refused with batch_collected

	// What was seen at the last check.
	contents [2]store.Contents
	closed   []dap.Interval
	frozen   [2]map[aggregator.BucketID]store.BucketStanding
	claimed  map[aggregator.BucketID]*collectionJob
	worth    map[aggregator.BucketID]*tally // of the Leader's collected buckets
	unworth  bool                           // some of them were collected with reports that were forgotten before they were seen

	// What is known of the floors; see floor_test.go.
	floor  [2]dap.Time
	clocks [2]time.Time                        // the latest time that each clock has shown
	last   [2]map[aggregator.BucketID]dap.Time // the newest report time in each bucket
	gone   [2]map[aggregator.BucketID]bool     // buckets that are forgotten

	// What is known of the Helper's answers; see spent_test.go.
	since     map[aggregator.BucketID]time.Time // when a bucket was collected at the Helper, or before
	checkedAt time.Time                         // by the Helper's clock, when the stores were last compared with the model
	// restored are the floors to which restored copies were raised: what was below them may be counted or not.
	restored [2]dap.Time

	// What is known of the ledgers; see privacy_test.go.
	charged    [2][]aggregator.Batch
	overBudget []*dap.Error // with which collections failed because the budget is spent; not compared yet
	overAll    int          // how many failed so
}

// report is a report ID that clients have used.
type report struct {
	number   int
	origin   origin
	id       dap.ReportID
	versions []*version
	accepted *version   // the one that the Leader has accepted
	earlier  []*version // those that it has accepted before, and forgotten
	sending  int        // uploads under way

	seen     store.ReportStanding // at the Leader, when it was counted or rejected
	ended    bool
	atHelper bool // the Helper has counted it
	shelved  bool // it was in a job in quarantine
	held     bool // its job was in quarantine at either side, if only in between two checks
	gone     bool // the Leader has forgotten it
	present  bool // the Leader knows it, at this check
	// wasAtHelper: the Helper had counted it at an earlier check.
	wasAtHelper bool
}

// version is a variant of a report that was made.
type version struct {
	variant
	report  *report
	encoded []byte
	maybe   bool // it is not known whether it was accepted
}

func newModel(w *world) *model {
	m := &model{
		w: w, reports: make(map[int]*report), places: make(map[dap.Time]int), byID: make(map[dap.ReportID]*report),
		shelved: make(map[dap.AggregationJobID]bool), released: make(map[dap.ReportID]bool),
		jobs: make(map[string]*collectionJob), claimed: make(map[aggregator.BucketID]*collectionJob), worth: make(map[aggregator.BucketID]*tally),
	}
	m.since, m.checkedAt = make(map[aggregator.BucketID]time.Time), time.Now()
	for i := range m.frozen {
		m.last[i], m.gone[i] = make(map[aggregator.BucketID]dap.Time), make(map[aggregator.BucketID]bool)
		m.frozen[i] = make(map[aggregator.BucketID]store.BucketStanding)
	}
	return m
}

// report returns the report of that number, which has its first time t if it is new. The caller holds the lock.
func (m *model) report(number int, t dap.Time) *report {
	r := m.reports[number]
	if r == nil {
		r = &report{number: number, origin: origin{t, m.places[t]}}
		r.id = r.origin.id()
		m.places[t]++
		m.reports[number] = r
		m.byID[r.id] = r
	}
	return r
}

// version returns the version of the report with that time, or nil.
func (r *report) version(t dap.Time) *version {
	for _, v := range r.versions {
		if v.at == t {
			return v
		}
	}
	return nil
}

// maybe tells whether the report may have been accepted, for all that is known.
func (r *report) maybe() bool {
	return slices.ContainsFunc(r.versions, func(v *version) bool { return v.maybe })
}

// collectionJob is a collection job as the Collector sees it.
type collectionJob struct {
	number    int
	request   []byte
	interval  dap.Interval
	param     int
	id        dap.CollectionJobID
	known     bool // the Leader has told the ID
	deleted   bool // or it may be, if uncertain
	uncertain bool
	deleting  bool      // its deletion is under way
	tried     bool      // it was requested
	since     time.Time // by the Leader's clock, when it was last known to have no answer
	answer    []byte
	failure   *dap.Error
	// The result of the answer.
	count    uint64
	sum      uint64 // in two's complement where there is noise
	covers   dap.Interval
	compared bool
	// restored: the Leader was restored from a copy since, and may or may not know it; before is the answer that it had.
	restored bool
	// perhapsRestored: it may be one whose ID was never heard before the Leader was restored.
	perhapsRestored bool
	before          []byte
}

func (j *collectionJob) over() bool { return j.answer != nil || j.failure != nil || j.deleted }

// overlapped tells whether another collection job than j was ever made that has a
// bucket in common with it. The caller holds the lock.
func (m *model) overlapped(j *collectionJob) bool {
	return slices.ContainsFunc(m.all, func(other *collectionJob) bool {
		return other != j && (m.w.LeaderSelected || other.interval.Overlaps(j.interval))
	})
}
