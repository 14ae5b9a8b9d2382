package chart

import (
	"math"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
)

// numbers marks an axis of numbers at round places, with thousands apart.
type numbers struct{}

func (numbers) Ticks(least, most float64) (ticks []plot.Tick) {
	for _, t := range (plot.DefaultTicks{}).Ticks(least, most) {
		if !t.IsMinor() {
			ticks = append(ticks, plot.Tick{Value: t.Value, Label: short(t.Value)})
		}
	}
	return ticks
}

// short writes a number for an axis: 12,000 or 1.5 M.
func short(x float64) string {
	for _, unit := range []struct {
		least float64
		name  string
	}{{1e15, " P"}, {1e12, " T"}, {1e9, " G"}, {1e6, " M"}} {
		if math.Abs(x) >= unit.least {
			return minus(strconv.FormatFloat(x/unit.least, 'f', -1, 32)) + unit.name
		}
	}
	return FormatNumber(x)
}

// FormatNumber writes a number with its thousands apart by commas and a true minus sign. It rounds to what can be read: whole
// numbers from a thousand on, and three digits below.
func FormatNumber(x float64) string {
	decimals := 0
	if a := math.Abs(x); a != math.Trunc(a) && a < 1000 {
		decimals = max(0, 2-int(math.Floor(math.Log10(max(a, 1e-6)))))
	}
	text := strconv.FormatFloat(x, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	sign, text := cutSign(text)
	whole, fraction, hasFraction := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if hasFraction {
		whole += "." + fraction
	}
	if sign && strings.Trim(whole, "0.,") != "" {
		return "−" + whole
	}
	return whole
}

func cutSign(text string) (negative bool, rest string) {
	rest, negative = strings.CutPrefix(text, "-")
	return negative, rest
}

func minus(text string) string { return strings.Replace(text, "-", "−", 1) }

// times marks an axis of time, in seconds since 1970, in UTC, in at most that many places.
type times struct{ most int }

// steps are what times may be apart. Longer ones are months.
var steps = []time.Duration{
	time.Second, 10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour,
}

func (t times) Ticks(least, most float64) []plot.Tick {
	first, last := time.Unix(int64(math.Ceil(least)), 0).UTC(), time.Unix(int64(math.Floor(most)), 0).UTC()
	for _, step := range steps {
		if last.Sub(first)/step < time.Duration(t.most) {
			return t.every(first, last, step)
		}
	}
	for _, months := range []int{1, 2, 3, 6, 12, 24, 60, 120, 600, 1200} {
		if ticks := everyMonths(first, last, months); len(ticks) <= t.most {
			return ticks
		}
	}
	return []plot.Tick{{Value: least, Label: first.Format("2006")}, {Value: most, Label: last.Format("2006")}}
}

func (times) every(first, last time.Time, step time.Duration) (ticks []plot.Tick) {
	layout := "2 Jan"
	if step < time.Minute {
		layout = "15:04:05"
	} else if step < 24*time.Hour {
		layout = "15:04\n2 Jan"
	}
	at := first.Truncate(step)
	if at.Before(first) {
		at = at.Add(step)
	}
	for ; !at.After(last); at = at.Add(step) {
		ticks = append(ticks, plot.Tick{Value: float64(at.Unix()), Label: at.Format(layout)})
	}
	if len(ticks) == 0 {
		ticks = append(ticks, plot.Tick{Value: float64(first.Unix()), Label: first.Format("15:04:05\n2 Jan")})
	}
	return ticks
}

func everyMonths(first, last time.Time, months int) (ticks []plot.Tick) {
	year := first.Year()
	if months > 12 {
		year -= year % (months / 12)
	}
	for at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); !at.After(last); at = at.AddDate(0, months, 0) {
		if !at.Before(first) {
			ticks = append(ticks, plot.Tick{Value: float64(at.Unix()), Label: at.Format("Jan 2006")})
		}
	}
	return ticks
}
