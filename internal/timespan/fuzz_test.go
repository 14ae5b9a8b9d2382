package timespan

import (
	"errors"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// A duration that is read is whole seconds, at least one, and comes back as it is written.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"7d", "24h", "1h30m", "90s", "0s", "1m1h", "106752d", "292y", "18446744073709551616s", "1d1d", "-1s", "1"} {
		f.Add(seed)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		d, err := Parse(text)
		if err != nil {
			wantError(t, text, err)
			return
		}
		if again, err := Parse(Format(d)); d < time.Second || d%time.Second != 0 || err != nil || again != d {
			t.Fatalf("%q is %v, which is written %q and read %v, %v", text, d, Format(d), again, err)
		}
	})
}

// An interval that is read ends after it begins.
func FuzzParseInterval(f *testing.F) {
	for _, seed := range []string{
		"2026-01-31T00:00:00Z/2026-02-01T00:00:00Z", "2026-01-31T00:00:00+23:59/2026-02-01T00:00:00.5Z", "/", "2026-02-01T00:00:00Z/2026-01-01T00:00:00Z",
		"0000-01-01T00:00:00Z/9999-12-31T23:59:60Z",
	} {
		f.Add(seed)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		start, end, err := ParseInterval(text)
		if err != nil {
			wantError(t, text, err)
			return
		}
		if !end.After(start) {
			t.Fatalf("%q is from %v to %v", text, start, end)
		}
		again, _, err := ParseInterval(start.Format(time.RFC3339Nano) + "/" + end.Format(time.RFC3339Nano))
		if err != nil && start.Year() >= 0 && end.Year() <= 9999 || err == nil && !again.Equal(start) {
			t.Fatalf("%q is from %v, which is read as %v, %v", text, start, again, err)
		}
	})
}

func wantError(t testing.TB, text string, err error) {
	t.Helper()
	if _, ok := errors.AsType[*Error](err); !ok {
		t.Fatalf("%q: an error of type %T", text, err)
	}
}
