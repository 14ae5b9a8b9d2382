package timespan

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "90s": 90 * time.Second, "1m": time.Minute, "1h": time.Hour, "24h": 24 * time.Hour,
		"7d": 7 * 24 * time.Hour, "1h30m": 90 * time.Minute, "1d1s": 24*time.Hour + time.Second, "0h5m": 5 * time.Minute,
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0s", "5", "h", "1x", "-1h", "1.5h", "1m1h", "1h1h", " 1h", "1h ", "99999999999d", "106751d86400s", "18446744073709551616s", "1µs", "1ms"} {
		_, err := Parse(text)
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%q: %v, want an *Error", text, err)
		}
	}
}

func TestFormat(t *testing.T) {
	for want, d := range map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "1m30s": 90 * time.Second, "1h": time.Hour} {
		if got := Format(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, math.MaxInt64/int64(time.Second)).Draw(t, "seconds")) * time.Second
		if got, err := Parse(Format(d)); err != nil || got != d {
			t.Fatalf("%v is written %s and read %v, %v", d, Format(d), got, err)
		}
	})
}

func TestParseInterval(t *testing.T) {
	start, end, err := ParseInterval("2026-01-31T00:00:00Z/2026-01-31T03:00:00+01:00")
	if err != nil || end.Sub(start) != 2*time.Hour || start.Location() != time.UTC || end.Location() != time.UTC {
		t.Errorf("got %v, %v, %v", start, end, err)
	}
	for _, text := range []string{"", "2026-01-31T00:00:00Z", "2026-01-31/2026-02-01", "2026-01-31T00:00:00Z/2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z/2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z/x"} {
		_, _, err := ParseInterval(text)
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%q: %v, want an *Error", text, err)
		}
	}
}
