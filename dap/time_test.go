package dap

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The examples of DAP Section 4.1.1.1.
func TestTimesOfTheStandard(t *testing.T) {
	const precision TimePrecision = 10
	start := time.Date(2009, 2, 13, 23, 31, 30, 0, time.UTC)
	end := time.Date(2009, 2, 13, 23, 33, 20, 0, time.UTC)
	if got, err := precision.TimeOf(start); got != 123456789 || err != nil {
		t.Errorf("TimeOf: %d, %v; want 123456789", got, err)
	}
	if got := Time(123456789).At(precision); !got.Equal(start) {
		t.Errorf("At: %s; want %s", got, start)
	}
	interval, err := precision.IntervalOf(start, end)
	if want := (Interval{123456789, 11}); interval != want || err != nil {
		t.Fatalf("IntervalOf: %v, %v; want %v", interval, err, want)
	}
	last, err := interval.End()
	if err != nil || !last.At(precision).Equal(end) {
		t.Errorf("End: %s, %v; want %s", last.At(precision), err, end)
	}
	if d, err := interval.Duration.In(precision); d != 110*time.Second || err != nil {
		t.Errorf("Duration.In: %s, %v; want 110s", d, err)
	}
}

// The example of DAP Section 5.1.3.
func TestBatchBucketOfTheStandard(t *testing.T) {
	reported, err := TimePrecision(1000).TimeOf(time.Unix(1729629081, 0))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := reported.BatchBucket(), (Interval{1729629, 1}); got != want {
		t.Errorf("batch bucket %v; want %v", got, want)
	}
}

func wantTimeError(t testing.TB, err error) {
	t.Helper()
	if _, ok := errors.AsType[*TimeError](err); !ok || !errors.Is(err, ErrInvalidTime) {
		t.Errorf("error %v; want a *TimeError", err)
	}
}

func TestTimeErrors(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, call := range map[string]func() error{
		"time with precision 0":     func() error { _, err := TimePrecision(0).TimeOf(now); return err },
		"time before the Epoch":     func() error { _, err := TimePrecision(1).TimeOf(time.Unix(0, -1)); return err },
		"duration with precision 0": func() error { _, err := TimePrecision(0).DurationOf(time.Second); return err },
		"negative duration":         func() error { _, err := TimePrecision(1).DurationOf(-time.Second); return err },
		"fraction of a second":      func() error { _, err := TimePrecision(1).DurationOf(1500 * time.Millisecond); return err },
		"fraction of a precision":   func() error { _, err := TimePrecision(60).DurationOf(90 * time.Second); return err },
		"interval backwards":        func() error { _, err := TimePrecision(1).IntervalOf(now, now.Add(-time.Second)); return err },
		"interval start in between": func() error { _, err := TimePrecision(7).IntervalOf(now, now.Add(7*time.Second)); return err },
		"interval end in between":   func() error { _, err := TimePrecision(10).IntervalOf(now, now.Add(15*time.Second)); return err },
		"interval start fraction":   func() error { _, err := TimePrecision(10).IntervalOf(now.Add(1), now.Add(10)); return err },
		"duration too long":         func() error { _, err := Duration(math.MaxUint64).In(1); return err },
		"duration far too long":     func() error { _, err := Duration(math.MaxUint64).In(math.MaxUint64); return err },
		"end too late":              func() error { _, err := (Interval{math.MaxUint64, 1}).End(); return err },
		"interval without duration": func() error { return Interval{5, 0}.CheckWellFormed() },
		"interval without end":      func() error { return Interval{2, math.MaxUint64 - 1}.CheckWellFormed() },
		"merge without end":         func() error { _, err := Interval{}.Merge(Interval{2, math.MaxUint64}); return err },
		"merge of one without end":  func() error { _, err := (Interval{2, math.MaxUint64}).Merge(Interval{}); return err },
		"smallest of the last time": func() error { _, err := SmallestInterval(3, math.MaxUint64); return err },
	} {
		t.Run(name, func(t *testing.T) { wantTimeError(t, call()) })
	}
}

func TestTimeAtSaturates(t *testing.T) {
	latest := Time(math.MaxUint64).At(1)
	if got := Time(math.MaxUint64).At(math.MaxUint64); got != latest {
		t.Errorf("At: %v; want %v", got, latest)
	}
	if !latest.After(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the latest time is %v, before the year 9999", latest)
	}
	if got := Time(latestSecond).At(1); got != latest {
		t.Errorf("At: %v; want %v", got, latest)
	}
}

func TestTimeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		precision := TimePrecision(rapid.Uint64Range(1, 1e6).Draw(t, "precision"))
		at := time.Unix(rapid.Int64Range(0, 1e11).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		got, err := precision.TimeOf(at)
		if err != nil {
			t.Fatal(err)
		}
		start, next := got.At(precision), (got + 1).At(precision)
		if at.Before(start) || !at.Before(next) {
			t.Fatalf("%s is not in [%s, %s)", at, start, next)
		}
		d, err := Duration(got % 1000).In(precision)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := precision.DurationOf(d); back != Duration(got%1000) || err != nil {
			t.Fatalf("DurationOf(%s): %d, %v", d, back, err)
		}
	})
}

// drawSmallInterval draws intervals that often touch, so that membership can be
// decided by going over all times.
func drawSmallInterval(t *rapid.T) Interval {
	return Interval{Time(rapid.Uint64Range(0, 12).Draw(t, "start")), Duration(rapid.Uint64Range(0, 6).Draw(t, "duration"))}
}

func TestIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSmallInterval(t), drawSmallInterval(t)
		overlap, contained := false, true
		var members []Time
		for at := Time(0); at < 20; at++ {
			inA := uint64(at) >= uint64(a.Start) && uint64(at) < uint64(a.Start)+uint64(a.Duration)
			inB := uint64(at) >= uint64(b.Start) && uint64(at) < uint64(b.Start)+uint64(b.Duration)
			if a.Contains(at) != inA {
				t.Fatalf("%v.Contains(%d) is %v", a, at, !inA)
			}
			if a.IsAfter(at) != (at < a.Start) || a.IsBefore(at) != (!inA && at >= a.Start) {
				t.Fatalf("%v, time %d: IsAfter %v, IsBefore %v", a, at, a.IsAfter(at), a.IsBefore(at))
			}
			overlap = overlap || inA && inB
			contained = contained && (!inB || inA)
			if inA || inB {
				members = append(members, at)
			}
		}
		if a.Overlaps(b) != overlap || b.Overlaps(a) != overlap {
			t.Fatalf("%v.Overlaps(%v) is %v", a, b, a.Overlaps(b))
		}
		if b.Duration > 0 && a.ContainsInterval(b) != contained {
			t.Fatalf("%v.ContainsInterval(%v) is %v", a, b, !contained)
		}
		merged, err := a.Merge(b)
		if err != nil {
			t.Fatal(err)
		}
		smallest, err := SmallestInterval(members...)
		if err != nil || len(members) > 0 && smallest != merged {
			t.Fatalf("%v.Merge(%v) is %v; SmallestInterval %v, %v", a, b, merged, smallest, err)
		}
		if len(members) > 0 && (merged.Start != members[0] || uint64(merged.Start)+uint64(merged.Duration)-1 != uint64(members[len(members)-1])) {
			t.Fatalf("%v.Merge(%v) is %v; want from %d to %d", a, b, merged, members[0], members[len(members)-1])
		}
	})
}

func TestIntervalsAtTheEndOfTime(t *testing.T) {
	endless := Interval{10, math.MaxUint64} // not well formed
	if !endless.Contains(math.MaxUint64) || endless.Contains(9) || !endless.Overlaps(Interval{math.MaxUint64, 1}) {
		t.Error("an interval without an end does not contain the last time")
	}
	if endless.ContainsInterval(Interval{11, 1}) || (Interval{0, math.MaxUint64}).ContainsInterval(endless) {
		t.Error("an interval that is not well formed contains or is contained")
	}
	if got := endless.String(); got != "[10, +18446744073709551615)" {
		t.Errorf("String: %s", got)
	}
	whole := Interval{0, math.MaxUint64}
	if err := whole.CheckWellFormed(); err != nil || whole.Contains(math.MaxUint64) {
		t.Errorf("%v: %v", whole, err)
	}
	if got, err := SmallestInterval(); got != (Interval{}) || err != nil {
		t.Errorf("SmallestInterval of nothing: %v, %v", got, err)
	}
}
