package simulation

import (
	"fmt"
	"testing"
	"time"
)

// restoredLife is a short episode in which a side is restored from a copy that knows the reports, and not that they
// were collected.
func restoredLife(s side, leaderSelected bool) func() (config, []operation) {
	minutes := func(n int) operation {
		return operation{Kind: opAdvance, For: duration(time.Duration(n) * time.Minute)}
	}
	return func() (config, []operation) {
		c := plainConfig
		c.LeaderSelected = leaderSelected
		return c, []operation{
			{Kind: opUpload, Count: 3}, minutes(1), {Kind: opCopy, Side: s},
			{Kind: opCollect, Offset: -1, Count: 1}, minutes(1), {Kind: opPoll}, {Kind: opUpload, Number: 3, Count: 3}, minutes(1),
			{Kind: opRestore, Side: s},
			{Kind: opAgain, Count: 6}, {Kind: opCollect, Offset: -3, Count: 1}, {Kind: opCollect, Number: 1, Offset: -1, Count: 1}, minutes(10),
			{Kind: opAgain, Count: 6}, {Kind: opPoll, Number: 1}, {Kind: opUpload, Number: 20, Count: 3}, minutes(1),
			{Kind: opCollect, Number: 2, Offset: -1, Count: 1}, minutes(1), {Kind: opPoll, Number: 2},
		}
	}
}

// TestRestoredLife: whichever side is restored, what is released is released once, and what comes afterwards is exact.
func TestRestoredLife(t *testing.T) {
	for _, s := range []side{leader, helper} {
		for _, leaderSelected := range []bool{false, true} {
			c, operations := restoredLife(s, leaderSelected)()
			name := fmt.Sprintf("the %s is restored, leader-selected: %t", s, leaderSelected)
			o := play(t, &clients{}, c, operations, hooks{}, name)
			if o.violation != nil {
				t.Errorf("%s: %s", name, o.violation)
			} else if o.results < 2 || o.accepted != 9 {
				t.Errorf("%s: %d results, %d reports were accepted", name, o.results, o.accepted)
			}
		}
	}
}

// TestLateContinuation: a Helper that was restored, and has swept a job of several rounds, makes it anew at the Leader's
// request, before a continuation of the job that it had comes, late. The report is below its floor, and is rejected for that
// alone. It depends on the order of goroutines, which comes first.
func TestLateContinuation(t *testing.T) {
	c := config{Rounds: 4, LeaderSelected: true, Async: true, MinBatch: 1, JobReports: 1, JobsAtATime: 1, Pending: 16}
	operations := []operation{
		{Kind: opCopy, Side: helper}, {Kind: opRestore, Side: helper},
		{Kind: opNetwork, Fault: faultLateRequest, Count: 1, Skip: 2, For: duration(2500 * time.Millisecond)},
		{Kind: opUpload, Count: 1}, {Kind: opCrash, Side: leader}, {Kind: opRestart, Side: helper},
	}
	for range 3 * replayRuns {
		o := play(t, &clients{}, c, operations, hooks{}, "a late continuation")
		if o.violation != nil {
			t.Fatal(o.violation)
		}
		if o.accepted < 1 || o.dropped < 1 {
			t.Errorf("%d reports were accepted, %d dropped", o.accepted, o.dropped)
		}
	}
}

func restoreBreakages() []breakage {
	tooLow := func() hooks {
		return hooks{until: func(until time.Time) time.Time { return until.Add(-restoreLeeway - 10*time.Minute) }}
	}
	return []breakage{
		{"a restored Leader goes on with the times that it has lost", invariantFloor, living(restoredLife(leader, false), tooLow)},
		{"a restored Helper goes on with the times that it has lost", invariantFloor, living(restoredLife(helper, true), tooLow)},
		{"a restored Leader accepts again what it may have counted", invariantBelow, living(restoredLife(leader, false), breakLeader(acceptDropped))},
	}
}
