package measure

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// Every way to read measurements takes any text, and its errors say where the
// problem is and do not repeat it.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"delay,when\n1,2026-01-31T08:00:00Z\n", "\ufeffdelay,when\r\n\"7\",1769846400\r\n", "delay,when\n1;2;3,0\n", "delay,when\n-3.5e1,1\n",
		"delay,when\ntrue,1\nfalse,2\n", "delay,when\n\"1\"\"\",1\n", "1\n2\n3\n", "1;0;true\n",
	} {
		for kind := range uint8(5) {
			f.Add(seed, "delay", "when", kind)
		}
		f.Add(seed, "delay", "", uint8(7))
	}
	edges, err := vdafspec.Parse("histogram:edges=0;10;20")
	if err != nil {
		f.Fatal(err)
	}
	indices, err := vdafspec.Parse("histogram:length=4")
	if err != nil {
		f.Fatal(err)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text, column, timeColumn string, kind uint8) {
		source := fromCSV(text, timeColumn, column)
		if kind&8 != 0 {
			source = fromCSV(text, timeColumn, column, "when")
		}
		switch kind >> 4 & 3 {
		case 1:
			source = Source{Rows: Lines(strings.NewReader(text)), Now: now}
		case 2:
			source = Source{Rows: Value(text), Now: now}
		}
		switch kind & 7 {
		case 0:
			readAny(t, source, ParseFlag, nil)
		case 1:
			readAny(t, source, ParseNumber, nil)
		case 2:
			readAny(t, source, ParseNumbers, nil)
		case 3:
			readAny(t, source, ParseFlags, nil)
		case 4:
			readAny(t, source, BucketParser(indices), func(bucket int) bool { return bucket >= 0 })
		default:
			readAny(t, source, BucketParser(edges), func(bucket int) bool { return bucket >= 0 && bucket < 4 })
		}
	})
}

func readAny[M any](t testing.TB, source Source, parse Parser[M], right func(M) bool) {
	measurements, err := Read(source, parse, func(m client.Measurement[M]) error {
		if right != nil && !right(m.Value) {
			t.Fatalf("a measurement %v", m.Value)
		}
		if m.Time.Before(time.Unix(0, 0)) && source.TimeColumn == "" {
			t.Fatalf("a time %v", m.Time)
		}
		return nil
	})
	if err == nil {
		if len(measurements) == 0 {
			t.Fatal("nothing was read, and there is no error")
		}
		return
	}
	_, isInput := errors.AsType[*InputError](err)
	_, isRow := errors.AsType[*RowError](err)
	if !isInput && !isRow {
		t.Fatalf("error of type %T", err)
	}
}
