package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/twofold-dap/twofold/collector/chart"
	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/internal/timespan"
)

// count writes a number of things, with its thousands apart.
func count(n any) string {
	switch n := n.(type) {
	case int:
		return chart.FormatNumber(float64(n))
	case *uint64:
		return count(*n)
	case uint64:
		text := strconv.FormatUint(n, 10)
		for i := len(text) - 3; i > 0; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	}
	return fmt.Sprint(n)
}

// plural writes a number of things by their name.
func plural(n any, thing string) string {
	if pointer, ok := n.(*uint64); ok {
		n = *pointer
	}
	if fmt.Sprint(n) == "1" {
		return "1 " + thing
	}
	if strings.HasSuffix(thing, "ch") {
		thing += "e"
	}
	return count(n) + " " + thing + "s"
}

// coarse writes a number that is only known in steps.
func coarse(c service.Coarse) string {
	if c.AtLeast == 0 {
		if c.FewerThan == 0 {
			return "none"
		}
		return "fewer than " + count(c.FewerThan)
	}
	return count(c.AtLeast) + " or more"
}

// share writes how much a part is of a whole, in percent.
func share(part, whole float64) string {
	if whole <= 0 {
		return "–"
	}
	return strings.Replace(strconv.FormatFloat(100*part/whole, 'f', 1, 64), "-", "−", 1) + " %"
}

// when writes a time.
func when(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2 Jan 2006, 15:04")
}

// span writes an interval, without what both of its ends have in common.
func span(start, end time.Time) string {
	start, end = start.UTC(), end.UTC()
	midnight := start.Truncate(24*time.Hour).Equal(start) && end.Truncate(24*time.Hour).Equal(end)
	last := end
	if midnight && end.After(start) {
		last = end.Add(-time.Second) // through the day before
	}
	sameDay := start.Format("20060102") == last.Format("20060102")
	switch {
	case start.IsZero() && end.IsZero():
		return "–"
	case midnight && sameDay:
		return start.Format("2 Jan 2006")
	case midnight:
		return start.Format("2 Jan 2006") + " to " + last.Format("2 Jan 2006")
	case sameDay || end.Equal(start.Truncate(24*time.Hour).Add(24*time.Hour)):
		clock := end.Format("15:04")
		if !sameDay {
			clock = "24:00"
		}
		return start.Format("2 Jan 2006, 15:04") + "–" + clock
	}
	return start.Format("2 Jan 2006, 15:04") + " to " + end.Format("2 Jan 2006, 15:04")
}

// duration writes a length of time in the largest unit that it is a multiple of.
func duration(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= unit.length && d%unit.length == 0 {
			return plural(int(d/unit.length), unit.name)
		}
	}
	if d < time.Second {
		return "0 seconds"
	}
	return timespan.Format(d)
}

// sentence begins a problem with a capital and ends it with a full stop.
func sentence(problem string) string {
	first, size := utf8.DecodeRuneInString(problem)
	if size == 0 {
		return ""
	}
	problem = string(unicode.ToUpper(first)) + problem[size:]
	if strings.HasSuffix(problem, ".") || strings.HasSuffix(problem, "?") {
		return problem
	}
	return problem + "."
}

// kindWords say what a task measures.
func kindWords(k service.Kind) string {
	switch k {
	case service.KindCount:
		return "How many said yes"
	case service.KindSum:
		return "A sum"
	case service.KindSumVec:
		return "Several sums"
	case service.KindHistogram:
		return "How many in each range"
	case service.KindMultihot:
		return "How many set each flag"
	}
	return string(k)
}

// reasons are DAP's report errors (DAP Section 4.5.1) in words.
var reasons = map[string]string{
	"batch_collected": "came after their batch was collected", "report_replayed": "were counted before",
	"report_dropped": "were dropped by the Helper", "hpke_unknown_config_id": "were encrypted to a key that is no longer used",
	"hpke_decrypt_error": "could not be decrypted", "vdaf_verify_error": "had a proof that does not hold",
	"task_expired": "came after the task's end", "invalid_message": "could not be read",
	"report_too_early": "have a time in the future", "task_not_started": "came before the task's begin",
	"outdated_config": "were made for an older configuration",
}

// reasonWords say why reports were rejected.
func reasonWords(name string) string {
	if words, ok := reasons[strings.ReplaceAll(strings.ToLower(name), "-", "_")]; ok {
		return words
	}
	return name
}
