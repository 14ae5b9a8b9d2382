package main

import (
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
)

var (
	uploaded  = client.Outcome{Status: client.StatusUploaded}
	replayed  = client.Outcome{Status: client.StatusRejected, Reason: dap.ReportErrorReportReplayed}
	collected = client.Outcome{Status: client.StatusRejected, Reason: dap.ReportErrorBatchCollected}
)

// sent returns a ledger with a report that was sent, with the answers; an answer
// without a status is none.
func sent(t *testing.T, k kind, index int, e entry, answers ...client.Outcome) *ledger {
	t.Helper()
	l := newLedger(k)
	l.add(index, e)
	for _, answer := range answers {
		send(t, l, index, answer)
	}
	return l
}

func send(t *testing.T, l *ledger, index int, answer client.Outcome) {
	t.Helper()
	l.begin([]int{index})
	if answer.Status == client.StatusUnknown {
		l.lost([]int{index})
	} else if _, err := l.answered([]int{index}, []client.Outcome{answer}); err != nil {
		t.Fatal(err)
	}
}

// TestVerdict: what the Leader has said, how often results count the report, and
// whether that may be.
func TestVerdict(t *testing.T) {
	none := client.Outcome{}
	for name, c := range map[string]struct {
		entry   entry
		answers []client.Outcome
		counted uint64
		wrong   string // empty: nothing
	}{
		"accepted, counted":                  {entry{}, []client.Outcome{uploaded}, 1, ""},
		"accepted, lost":                     {entry{}, []client.Outcome{uploaded}, 0, "is counted 0 times"},
		"accepted, twice":                    {entry{}, []client.Outcome{uploaded}, 2, "counted 2 times"},
		"accepted and sent again":            {entry{}, []client.Outcome{uploaded, replayed}, 1, ""},
		"accepted, refused later":            {entry{}, []client.Outcome{uploaded, collected}, 1, ""},
		"accepted, refused later, lost":      {entry{}, []client.Outcome{uploaded, collected}, 0, "is counted 0 times"},
		"no answer, then replayed":           {entry{}, []client.Outcome{none, replayed}, 1, ""},
		"no answer, then replayed, and lost": {entry{}, []client.Outcome{none, replayed}, 0, "is counted 0 times"},
		"no answer, counted":                 {entry{}, []client.Outcome{none}, 1, ""},
		"no answer, not counted":             {entry{}, []client.Outcome{none}, 0, ""},
		"no answer, twice":                   {entry{}, []client.Outcome{none, none}, 2, "counted 2 times"},
		"no answer, then refused":            {entry{}, []client.Outcome{none, collected}, 1, ""},
		"refused":                            {entry{}, []client.Outcome{collected}, 0, ""},
		"refused, counted":                   {entry{}, []client.Outcome{collected}, 1, "was refused (batch_collected)"},
		"spoiled":                            {entry{spoiled: true}, []client.Outcome{uploaded}, 0, ""},
		"spoiled, counted":                   {entry{spoiled: true}, []client.Outcome{uploaded}, 1, "was spoiled"},
		"spare":                              {entry{spare: true}, []client.Outcome{uploaded}, 0, ""},
		"spare, twice":                       {entry{spare: true}, []client.Outcome{uploaded}, 2, "counted 2 times"},
		"never sent, counted":                {entry{}, nil, 1, "was refused"},
	} {
		t.Run(name, func(t *testing.T) {
			const index = 3
			l := sent(t, histogram(5), index, c.entry, c.answers...)
			var text string
			for range c.counted { // in batches of their own
				numbers := make([]uint64, 5)
				numbers[index] = 1
				if err := l.count(1, numbers); err != nil {
					text += err.Error()
				}
			}
			if err := l.verdict(); err != nil {
				text += err.Error()
			}
			if c.wrong == "" && text != "" || !strings.Contains(text, c.wrong) {
				t.Errorf("got %q, want %q", text, c.wrong)
			}
		})
	}
}

func TestReplayedAtFirst(t *testing.T) {
	l := newLedger(histogram(5))
	l.add(1, entry{})
	l.begin([]int{1})
	if _, err := l.answered([]int{1}, []client.Outcome{replayed}); err == nil {
		t.Error("a report was refused as replayed that was never sent before")
	}
}

func TestCountsThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		kind    kind
		reports uint64
		numbers []uint64
	}{
		"more reports than numbers":  {histogram(3), 2, []uint64{1, 0, 0}},
		"a report that is not there": {histogram(3), 1, []uint64{0, 1, 0}},
		"too short":                  {histogram(3), 1, []uint64{1, 0}},
		"multihot":                   {multihot(3), 1, []uint64{1, 0, 0, 2}},
		"a sum that is too great":    {sum(), 1, []uint64{1 << 57}},
		"a sum of two":               {sum(), 1, []uint64{5}},
		"count":                      {count(), 1, []uint64{2}},
		"a count of too many":        {count(), 2, []uint64{2}},
	} {
		l := sent(t, c.kind, 0, entry{}, uploaded)
		if err := l.count(c.reports, c.numbers); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestCountLosesOne: where results do not tell reports apart, their number does.
func TestCountLosesOne(t *testing.T) {
	l := sent(t, count(), 0, entry{}, uploaded)
	l.add(1, entry{})
	send(t, l, 1, uploaded)
	if err := l.count(1, []uint64{1}); err != nil {
		t.Fatal(err)
	}
	if err := l.verdict(); err == nil {
		t.Error("one of two reports is lost")
	}
	if err := l.count(1, []uint64{1}); err != nil {
		t.Fatal(err)
	}
	if err := l.verdict(); err != nil {
		t.Error(err)
	}
}

func TestDue(t *testing.T) {
	l := sent(t, histogram(5), 0, entry{time: 7}, uploaded)
	for i, e := range []entry{{time: 8}, {time: 7, spoiled: true}, {time: 7, spare: true}} {
		l.add(1+i, e)
		send(t, l, 1+i, uploaded)
	}
	l.add(4, entry{time: 7})
	send(t, l, 4, client.Outcome{})
	seven := func(at dap.Time) bool { return at == 7 }
	if got := l.due(seven); got != 1 {
		t.Errorf("got %d", got)
	}
	if err := l.count(1, []uint64{1, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if got := l.due(seven); got != 0 || l.unanswered() != 1 {
		t.Errorf("got %d, and %d unanswered", got, l.unanswered())
	}
}

// TestKinds: the results of all measurements together tell each of them.
func TestKinds(t *testing.T) {
	for _, k := range []kind{histogram(7), sumVec(7), multihot(7), sum()} {
		var result []uint64
		for i := range k.capacity {
			var numbers []uint64
			switch m := k.measure(i).(type) {
			case int:
				numbers = make([]uint64, k.capacity)
				numbers[m] = 1
			case uint64:
				numbers = []uint64{m}
			case []uint64:
				numbers = m
			case []bool:
				numbers = make([]uint64, len(m))
				for j, set := range m {
					if set {
						numbers[j] = 1
					}
				}
			}
			counts, err := k.read(numbers)
			if err != nil {
				t.Fatalf("%s: %v", k.vdaf, err)
			}
			for j, n := range counts {
				if (n == 1) != (i == j) {
					t.Errorf("%s: report %d gives %d for %d", k.vdaf, i, n, j)
				}
			}
			if result == nil {
				result = make([]uint64, len(numbers))
			}
			for j, n := range numbers {
				result[j] += n
			}
		}
		counts, err := k.read(result)
		if err != nil {
			t.Fatalf("%s: %v", k.vdaf, err)
		}
		for i, n := range counts {
			if n != 1 {
				t.Errorf("%s: report %d of all is counted %d times", k.vdaf, i, n)
			}
		}
	}
}
