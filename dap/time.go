package dap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// Times (DAP Section 4.1.1).
type (
	// TimePrecision is a number of seconds: the unit of a task's times and durations.
	TimePrecision uint64
	// Time is a number of time precisions since the Epoch, 1970-01-01 00:00:00 UTC.
	Time uint64
	// Duration is a number of time precisions.
	Duration uint64
)

// ErrInvalidTime is the error behind every *TimeError.
var ErrInvalidTime = errors.New("dap: invalid time")

// TimeError says what is wrong with a time, a duration or an interval. It
// wraps ErrInvalidTime.
type TimeError struct {
	Field   string // such as "time_precision" or "interval"
	Problem string
}

func (e *TimeError) Error() string { return fmt.Sprintf("dap: %s: %s", e.Field, e.Problem) }

// Unwrap returns ErrInvalidTime.
func (e *TimeError) Unwrap() error { return ErrInvalidTime }

// latestSecond is the last second since the Epoch that a time.Time can hold.
const latestSecond = math.MaxInt64 - 62135596800

func (p TimePrecision) check() error {
	if p == 0 {
		return &TimeError{"time_precision", "0 seconds; it must be at least 1"}
	}
	return nil
}

// TimeOf returns the DAP time of t: the seconds since the Epoch divided by the
// precision, rounded down. It is an error if t is before the Epoch or the
// precision is 0.
func (p TimePrecision) TimeOf(t time.Time) (Time, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	seconds := t.Unix()
	if seconds < 0 {
		return 0, &TimeError{"time", "before 1970-01-01 00:00:00 UTC"}
	}
	return Time(uint64(seconds) / uint64(p)), nil
}

// DurationOf returns the DAP duration of d. It is an error if d is negative or
// no multiple of the precision, or the precision is 0.
func (p TimePrecision) DurationOf(d time.Duration) (Duration, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	if d < 0 {
		return 0, &TimeError{"duration", fmt.Sprintf("%s is negative", d)}
	}
	seconds := uint64(d / time.Second)
	if d%time.Second != 0 || seconds%uint64(p) != 0 {
		return 0, &TimeError{"duration", fmt.Sprintf("%s is not a multiple of the time precision, %d seconds", d, uint64(p))}
	}
	return Duration(seconds / uint64(p)), nil
}

// IntervalOf returns the interval from start up to but without end. It is an
// error if one of them is before the Epoch or no multiple of the precision
// after it, if end is before start, or if the precision is 0.
func (p TimePrecision) IntervalOf(start, end time.Time) (Interval, error) {
	first, err := p.timeExactly("start", start)
	if err != nil {
		return Interval{}, err
	}
	last, err := p.timeExactly("end", end)
	if err != nil {
		return Interval{}, err
	}
	if last < first {
		return Interval{}, &TimeError{"interval", "its end is before its start"}
	}
	return Interval{Start: first, Duration: Duration(last - first)}, nil
}

// timeExactly is TimeOf for a time that must need no rounding.
func (p TimePrecision) timeExactly(field string, t time.Time) (Time, error) {
	result, err := p.TimeOf(t)
	if err != nil {
		return 0, err
	}
	if t.Nanosecond() != 0 || uint64(t.Unix())%uint64(p) != 0 {
		return 0, &TimeError{field, fmt.Sprintf("%s is not a multiple of the time precision, %d seconds, after the Epoch", t.UTC().Format(time.RFC3339Nano), uint64(p))}
	}
	return result, nil
}

// At returns the start of the time precision that t counts, in UTC. A time
// later than a time.Time can hold becomes the last second that it can.
func (t Time) At(p TimePrecision) time.Time {
	high, seconds := bits.Mul64(uint64(t), uint64(p))
	if high != 0 || seconds > latestSecond {
		seconds = latestSecond
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// BatchBucket returns the batch bucket identifier of a report with this time
// in the time-interval batch mode: the interval of one time precision that
// contains it (DAP Section 5.1.3).
func (t Time) BatchBucket() Interval { return Interval{Start: t, Duration: 1} }

// In returns the duration as a time.Duration. It is an error if that cannot
// hold it (292 years).
func (d Duration) In(p TimePrecision) (time.Duration, error) {
	high, seconds := bits.Mul64(uint64(d), uint64(p))
	if high != 0 || seconds > math.MaxInt64/uint64(time.Second) {
		return 0, &TimeError{"duration", fmt.Sprintf("%d times %d seconds is longer than 292 years", uint64(d), uint64(p))}
	}
	return time.Duration(seconds) * time.Second, nil
}

// Interval is half-open: Start is in it, Start+Duration is not (DAP Section
// 4.1.1). Any two numbers make an Interval; End and CheckWellFormed tell
// whether its end is a time.
//
//	struct {
//	  Time start;
//	  Duration duration;
//	} Interval;
type Interval struct {
	Start    Time
	Duration Duration
}

const intervalLength = 16 // bytes of an encoded Interval

// appendTo appends the encoding of the interval, which always has one.
func (i *Interval) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(i.Start))
	return binary.BigEndian.AppendUint64(dst, uint64(i.Duration))
}

func (i *Interval) encode(b *cryptobyte.Builder) {
	b.AddUint64(uint64(i.Start))
	b.AddUint64(uint64(i.Duration))
}

func (i *Interval) decode(s *cryptobyte.String) error {
	if !s.ReadUint64((*uint64)(&i.Start)) {
		return truncated("Interval", "start")
	}
	if !s.ReadUint64((*uint64)(&i.Duration)) {
		return truncated("Interval", "duration")
	}
	return nil
}

// Encode returns the 16 bytes of the interval.
func (i Interval) Encode() ([]byte, error) { return encodeMessage(&i, intervalLength) }

// DecodeInterval decodes an Interval, well formed or not.
func DecodeInterval(b []byte) (Interval, error) {
	var i Interval
	s := cryptobyte.String(b)
	if err := i.decode(&s); err != nil {
		return Interval{}, err
	}
	if err := checkEnd(s, "Interval"); err != nil {
		return Interval{}, err
	}
	return i, nil
}

// End returns the first time after the interval, or a *TimeError if that is
// later than the last Time.
func (i Interval) End() (Time, error) {
	end, carry := bits.Add64(uint64(i.Start), uint64(i.Duration), 0)
	if carry != 0 {
		return 0, &TimeError{"interval", fmt.Sprintf("start %d plus duration %d is more than 2^64-1", uint64(i.Start), uint64(i.Duration))}
	}
	return Time(end), nil
}

// CheckWellFormed returns a *TimeError if the interval's end is not a Time or
// its duration is 0.
func (i Interval) CheckWellFormed() error {
	if i.Duration == 0 {
		return &TimeError{"interval", "its duration is 0; it must be at least 1 time precision"}
	}
	_, err := i.End()
	return err
}

// String returns "[start, end)" in time precisions.
func (i Interval) String() string {
	end, err := i.End()
	if err != nil {
		return fmt.Sprintf("[%d, +%d)", uint64(i.Start), uint64(i.Duration))
	}
	return fmt.Sprintf("[%d, %d)", uint64(i.Start), uint64(end))
}

// Contains tells whether t falls within the interval.
func (i Interval) Contains(t Time) bool {
	return t >= i.Start && uint64(t-i.Start) < uint64(i.Duration)
}

// IsAfter tells whether the interval is after t, that is whether t is before
// the interval.
func (i Interval) IsAfter(t Time) bool { return t < i.Start }

// IsBefore tells whether the interval is before t, that is whether t is after
// the interval: at its end or later.
func (i Interval) IsBefore(t Time) bool {
	return t >= i.Start && uint64(t-i.Start) >= uint64(i.Duration)
}

// ContainsInterval tells whether other starts and ends within the interval:
// its start is not before this one's start and its end is not after this
// one's. An interval that is not well formed neither contains nor is contained.
func (i Interval) ContainsInterval(other Interval) bool {
	end, err := i.End()
	if err != nil {
		return false
	}
	otherEnd, err := other.End()
	if err != nil {
		return false
	}
	return other.Start >= i.Start && otherEnd <= end
}

// Overlaps tells whether some time falls within both intervals.
func (i Interval) Overlaps(other Interval) bool {
	if i.Duration == 0 || other.Duration == 0 {
		return false
	}
	if i.Start <= other.Start {
		return i.Contains(other.Start)
	}
	return other.Contains(i.Start)
}

// Merge returns the smallest interval that contains both. An interval of
// duration 0 contains nothing and adds nothing, so that the zero Interval is
// where to begin. It is an error if one of them is not well formed.
func (i Interval) Merge(other Interval) (Interval, error) {
	end, err := i.End()
	if err != nil {
		return Interval{}, err
	}
	otherEnd, err := other.End()
	if err != nil {
		return Interval{}, err
	}
	switch {
	case other.Duration == 0:
		return i, nil
	case i.Duration == 0:
		return other, nil
	}
	start := min(i.Start, other.Start)
	return Interval{Start: start, Duration: Duration(max(end, otherEnd) - start)}, nil
}

// SmallestInterval returns the smallest interval that contains all the times,
// and the zero Interval if there are none (DAP Section 4.6.1). It is an error
// if one of them is the last Time, which no interval contains.
func SmallestInterval(times ...Time) (Interval, error) {
	var result Interval
	for _, t := range times {
		var err error
		if result, err = result.Merge(t.BatchBucket()); err != nil {
			return Interval{}, err
		}
	}
	return result, nil
}
