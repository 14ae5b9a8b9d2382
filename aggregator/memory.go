package aggregator

import (
	"fmt"

	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// footprint is how much memory the reports of a task take, in bytes, estimated from
// the lengths of the VDAF's messages. Zero fields are not known, and count as nothing.
type footprint struct {
	// share is the length of the Leader's input share, the longer one.
	share int64
	// workspace is what verification works in whatever the number of reports, and lane what each
	// of the reports takes of it that are verified side by side.
	workspace, lane int64
	// body is the length of a report.
	body int64
	// held is what a report takes in an aggregation job while the other aggregator
	// is at work: its state with its output share, and its part of the messages.
	held int64
}

// sizedVerifier is a VDAF that knows the lengths of its messages.
type sizedVerifier interface {
	PublicShareSize() int
	InputShareSize(aggID int) int
	OutShareSize() int
	VerifierShareSize() int
	WorkspaceSize(n int) int
}

const (
	// reportOverhead is what a report has beside its shares: its metadata and two
	// ciphertexts' headers and tags, X-Wing's too.
	reportOverhead = 2500
	// heldOverhead is what a report in a job takes beside its state and messages: IDs, slices, tables.
	heldOverhead = 1 << 10
	// messageCopies is how often a verifier share is in memory: it is in the state, in the
	// message to the peer while that grows, and in the peer's answer.
	messageCopies = 4
)

func footprintOf(v vdaf.Verifier) footprint {
	sized, ok := v.(sizedVerifier)
	if !ok {
		return footprint{}
	}
	share := int64(sized.InputShareSize(0))
	workspace := int64(sized.WorkspaceSize(0))
	return footprint{
		share: share, workspace: workspace, lane: int64(sized.WorkspaceSize(1)) - workspace,
		body: share + int64(sized.InputShareSize(1)+sized.PublicShareSize()) + reportOverhead,
		held: int64(sized.OutShareSize()) + messageCopies*int64(sized.VerifierShareSize()) + heldOverhead,
	}
}

// working is what verifying n reports as one batch takes: their opened shares, and a
// workspace.
func (f footprint) working(n int) int64 {
	return f.share*int64(n) + f.workspace + f.lane*int64(min(n, lanes))
}

// chunk returns how many reports, at most n, are verified as one batch, so that a batch
// works in at most limit bytes if that is possible. More than one is a multiple of lanes or all n.
func (f footprint) chunk(n int, limit int64) int {
	for n > lanes && f.working(n) > limit {
		n = max(lanes, n/2/lanes*lanes)
	}
	if f.working(n) > limit {
		return 1
	}
	return n
}

// job is what an aggregation job of n reports takes, whose bodies have at most maxBytes
// bytes together, or are one.
func (f footprint) job(n, maxBytes int) int64 {
	bodies := int64(maxBytes)
	if f.body > 0 {
		bodies = max(min(bodies, int64(n)*f.body), f.body)
	}
	return bodies + int64(n)*f.held
}

// maxHeldByJob bounds what the reports of one of the Leader's jobs hold, at both aggregators, in
// bytes. It does not follow from this aggregator's memory: the Helper's may be less.
const maxHeldByJob = 32 << 20

// jobReports returns how many reports, at most n, a Leader puts into a job.
func (f footprint) jobReports(n int) int {
	if f.held == 0 {
		return n
	}
	return max(1, min(n, int(maxHeldByJob/f.held)))
}

// MemoryError says that a report of a task, or an aggregation job, takes more
// memory than there is: the limit that it exceeds is to be raised.
type MemoryError struct {
	What string
	// Needs and Limit are in bytes.
	Needs, Limit int64
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s takes about %d MB of memory, and this aggregator has %d MB for it", e.What, mega(e.Needs), e.Limit/1e6)
}

// mega rounds up to millions.
func mega(n int64) int64 { return (n + 1e6 - 1) / 1e6 }

// checkMemory checks that one report of a task can be worked on within the limits.
// Its error is a *TaskError over a *MemoryError.
func (e *engine) checkMemory(topology *pingpong.Topology) error {
	f := footprintOf(topology.Verifier())
	for _, need := range []MemoryError{
		{"verifying one report", f.working(1), e.cpu.memory.Limit()},
		{"an aggregation job of one report", f.job(1, int(f.body)), e.jobMemory},
		{"one report", f.body, e.maxReport},
	} {
		if need.Needs > need.Limit {
			return &TaskError{Field: "vdaf", Problem: "its reports are too large", Err: &need}
		}
	}
	return nil
}
