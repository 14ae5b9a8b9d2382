package main

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twofold-dap/twofold/conformance/chaos/proxy"
)

// tally counts what was done.
type tally struct {
	tasks, tasksDone              atomic.Int64
	missed                        atomic.Int64 // tasks that were over before both operators could approve them
	reports, accepted             atomic.Int64 // made, and accepted by the Leader
	refused, spoiled, unanswered  atomic.Int64
	requests, lostRequests        atomic.Int64 // uploads sent, and those without a definite answer
	duplicates, retries           atomic.Int64 // requests sent twice at once, or again
	counted                       atomic.Int64 // reports in results
	collections, fillers          atomic.Int64
	askedAgain, abandoned         atomic.Int64 // a result asked for again; a Collector cut off
	overlaps, deletions, lostAsks atomic.Int64

	kills, startKills, stops, restarts, outages, rotations, checks, modes [2]atomic.Int64 // of the Leader, the Helper
}

// proxies are those of a run, with a name each.
type namedProxy struct {
	name string
	*proxy.Proxy
}

// line is a line on what was done so far.
func (t *tally) line(elapsed time.Duration, proxies []namedProxy) string {
	faults := int64(0)
	for _, p := range proxies {
		for _, n := range p.Counts().Faults {
			faults += n
		}
	}
	return fmt.Sprintf("%7s  tasks %d (%d done)  accepted %d  counted %d  collections %d  kills %d  stops %d  network faults %d",
		elapsed.Round(time.Second), t.tasks.Load(), t.tasksDone.Load(), t.accepted.Load(), t.counted.Load(),
		t.collections.Load(), t.killed(), t.stops[0].Load()+t.stops[1].Load(), faults)
}

// killed is how many processes were killed.
func (t *tally) killed() int64 {
	return t.kills[0].Load() + t.kills[1].Load() + t.startKills[0].Load() + t.startKills[1].Load()
}

// write writes the summary.
func (t *tally) write(w io.Writer, proxies []namedProxy) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("tasks", "%d, all brought to their end: %d; over before they were approved: %d", t.tasks.Load(), t.tasksDone.Load(), t.missed.Load())
	row("reports", "%d made, %d accepted for certain, %d refused, %d spoiled, %d without an answer", t.reports.Load(), t.accepted.Load(), t.refused.Load(), t.spoiled.Load(), t.unanswered.Load())
	row("uploads", "%d requests: %d got no answer, %d were sent again, %d twice at once", t.requests.Load(), t.lostRequests.Load(), t.retries.Load(), t.duplicates.Load())
	row("collections", "%d with %d reports; %d requests got no answer, %d Collectors were cut off and asked again, %d results were asked for again, %d overlapping queries were refused, %d jobs were deleted; %d reports to fill batches",
		t.collections.Load(), t.counted.Load(), t.lostAsks.Load(), t.abandoned.Load(), t.askedAgain.Load(), t.overlaps.Load(), t.deletions.Load(), t.fillers.Load())
	for i, role := range []string{"Leader", "Helper"} {
		row(role, "killed %d times, and %d times while it started; stopped and continued %d times; restarted in order %d times; %d outages, %d new HPKE keys, %d checks while running",
			t.kills[i].Load(), t.startKills[i].Load(), t.stops[i].Load(), t.restarts[i].Load(), t.outages[i].Load(), t.rotations[i].Load(), t.checks[i].Load())
	}
	row("", "the Helper changed between synchronous and asynchronous %d times", t.modes[1].Load())
	for _, p := range proxies {
		row("network", "%s", describe(p))
	}
}

// describe says what happened to the connections of a proxy.
func describe(p namedProxy) string {
	counts := p.Counts()
	var parts []string
	for _, fault := range []proxy.Fault{proxy.Cut, proxy.Reset, proxy.HalfClose, proxy.Stall, proxy.Slow, proxy.Refuse} {
		parts = append(parts, fmt.Sprintf("%s %d", fault, counts.Faults[fault]))
	}
	return fmt.Sprintf("%s: %d connections, %.1f MiB; %s", p.name, counts.Connections, float64(counts.Bytes)/(1<<20), strings.Join(parts, ", "))
}
