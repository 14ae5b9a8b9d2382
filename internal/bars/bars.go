// Package bars draws numbers as bars of characters, for a terminal.
package bars

import (
	"fmt"
	"strconv"
	"strings"
)

// Thousands writes a number with a comma before each group of three digits.
func Thousands(n uint64) string { return group(strconv.FormatUint(n, 10)) }

// Group is Thousands for the digits of a number, which may have a minus before them.
func Group(digits string) string {
	if rest, negative := strings.CutPrefix(digits, "-"); negative {
		return "-" + group(rest)
	}
	return group(digits)
}

func group(digits string) string {
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// Percent writes which part of a whole n is.
func Percent(n, whole float64) string {
	if whole == 0 {
		return "0.0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*n/whole)
}

// Bar returns a bar that is n/full of width long, to an eighth of a character. What is above zero shows; what is not has no bar.
func Bar(n, full float64, width int) string {
	if n <= 0 || full <= 0 {
		return ""
	}
	eighths := int(n/full*float64(8*width) + 0.5)
	eighths = min(max(eighths, 1), 8*width)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}
