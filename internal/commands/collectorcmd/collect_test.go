package collectorcmd

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/taskfile"
)

func TestIntervals(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 34, 56, 0, time.UTC)
	for _, c := range []struct {
		flags      collectFlags
		start, end string
		stillOn    bool
	}{
		{collectFlags{last: "24h"}, "2026-01-30T12:00:00Z", "2026-01-31T12:00:00Z", false},
		{collectFlags{last: "1h"}, "2026-01-31T11:00:00Z", "2026-01-31T12:00:00Z", false},
		{collectFlags{last: "1h", throughNow: true}, "2026-01-31T11:00:00Z", "2026-01-31T13:00:00Z", true},
		{collectFlags{last: "7d"}, "2026-01-24T12:00:00Z", "2026-01-31T12:00:00Z", false},
		{collectFlags{interval: "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"}, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", false},
		{collectFlags{interval: "2026-01-31T00:00:00+01:00/2026-02-01T00:00:00+01:00"}, "2026-01-30T23:00:00Z", "2026-01-31T23:00:00Z", true},
	} {
		var stderr bytes.Buffer
		command := &cobra.Command{}
		command.SetErr(&stderr)
		run := &collection{command: command, flags: &c.flags}
		run.file = taskfile.File{Config: dap.TaskConfiguration{TimePrecision: 3600, BatchMode: dap.BatchModeTimeInterval}}
		query, err := run.query(now)
		if err != nil {
			t.Errorf("%+v: %v", c.flags, err)
			continue
		}
		interval, err := query.BatchInterval()
		if err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(stderr.String(), "Collecting "+c.start+"/"+c.end+"\n") || c.stillOn != strings.Contains(stderr.String(), "still going on") {
			t.Errorf("%+v: %s, said %q", c.flags, interval, &stderr)
		}
		if start := interval.Start.At(3600).Format(time.RFC3339); start != c.start {
			t.Errorf("%+v: starts at %s", c.flags, start)
		}
	}
	for _, flags := range []collectFlags{{last: "90m"}, {last: "x"}, {last: "292y"}, {last: "100000d"}, {interval: "x"}, {interval: "2026-01-01T00:00:00Z/2026-01-01T00:30:00Z"}} {
		run := &collection{command: &cobra.Command{}, flags: &flags}
		run.file = taskfile.File{Config: dap.TaskConfiguration{TimePrecision: 3600, BatchMode: dap.BatchModeTimeInterval}}
		_, err := run.query(now)
		if _, ok := errors.AsType[*cli.UsageError](err); !ok {
			t.Errorf("%+v: got %v", flags, err)
		}
	}
}

func TestWaitingOnNoTerminal(t *testing.T) {
	var b bytes.Buffer
	w := newWaiting(&b)
	w.say(time.Second, nil)
	w.say(time.Second, nil)
	w.say(time.Second, errors.New("no\nanswer"))
	w.say(time.Second, errors.New("no\nanswer"))
	w.say(time.Second, nil)
	w.end()
	if got := b.String(); got != "Waiting until the batch is ready\nTrying again: no; answer\nWaiting until the batch is ready\n" {
		t.Errorf("got %q", got)
	}
}
