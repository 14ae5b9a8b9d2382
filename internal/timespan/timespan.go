// Package timespan reads and writes the durations and intervals of the command
// line and of task files: "90s", "1h30m", "7d", and "START/END" with times as in
// RFC 3339.
package timespan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Error says what is wrong with a duration, a time or an interval.
type Error struct {
	Value   string
	Problem string // what is wrong, and what to write instead
}

func (e *Error) Error() string { return fmt.Sprintf("%q: %s", e.Value, e.Problem) }

var units = []struct {
	letter  byte
	seconds uint64
}{{'d', 24 * 3600}, {'h', 3600}, {'m', 60}, {'s', 1}}

const durationHelp = "write whole numbers with the units d, h, m, s, from the largest down, such as 7d, 24h, 1h30m or 90s"

// Parse reads a duration of at least one second. A duration is a sequence of
// whole numbers with units, the largest unit first and none twice.
func Parse(text string) (time.Duration, error) {
	rest, next, total := text, 0, uint64(0)
	for rest != "" {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if digits <= 0 {
			return 0, &Error{text, "is not a duration; " + durationHelp}
		}
		for next < len(units) && units[next].letter != rest[digits] {
			next++
		}
		if next == len(units) {
			return 0, &Error{text, "is not a duration; " + durationHelp}
		}
		n, err := strconv.ParseUint(rest[:digits], 10, 64)
		if err != nil || n > math.MaxInt64/uint64(time.Second)/units[next].seconds {
			return 0, &Error{text, "is too long; at most 292 years are possible"}
		}
		total += n * units[next].seconds
		if total > math.MaxInt64/uint64(time.Second) {
			return 0, &Error{text, "is too long; at most 292 years are possible"}
		}
		rest, next = rest[digits+1:], next+1
	}
	if total == 0 {
		return 0, &Error{text, "must be at least one second; " + durationHelp}
	}
	return time.Duration(total) * time.Second, nil
}

// Format is the inverse of Parse for a whole number of seconds, at least one. A
// multiple of one unit up to hours is written in that unit: 24h, and not 1d.
func Format(d time.Duration) string {
	seconds := uint64(d / time.Second)
	if seconds%3600 == 0 && seconds < 7*24*3600 {
		return fmt.Sprintf("%dh", seconds/3600)
	}
	var b strings.Builder
	for _, unit := range units {
		if n := seconds / unit.seconds; n > 0 {
			fmt.Fprintf(&b, "%d%c", n, unit.letter)
			seconds %= unit.seconds
		}
	}
	return b.String()
}

// ParseTime reads a time as in RFC 3339, "2026-01-31T08:00:00Z".
func ParseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, &Error{text, "is not a time as in RFC 3339; write it like 2026-01-31T08:00:00Z"}
	}
	return t.UTC(), nil
}

// ParseInterval reads "START/END", two times as in RFC 3339 with the end after
// the start.
func ParseInterval(text string) (start, end time.Time, err error) {
	first, second, ok := strings.Cut(text, "/")
	if !ok {
		return time.Time{}, time.Time{}, &Error{text, "is not an interval; write START/END, such as 2026-01-31T00:00:00Z/2026-02-01T00:00:00Z"}
	}
	if start, err = ParseTime(first); err != nil {
		return time.Time{}, time.Time{}, err
	}
	if end, err = ParseTime(second); err != nil {
		return time.Time{}, time.Time{}, err
	}
	if !end.After(start) {
		return time.Time{}, time.Time{}, &Error{text, "its end is not after its start"}
	}
	return start, end, nil
}
