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
