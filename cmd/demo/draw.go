package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// thousands writes a number with a comma before each group of three digits.
func thousands(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// percent writes which part of a whole n is.
func percent(n, whole uint64) string {
	if whole == 0 {
		return "0.0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(whole))
}

func mean(sum, count uint64) string {
	if count == 0 {
		return "0.0"
	}
	return fmt.Sprintf("%.1f", float64(sum)/float64(count))
}

func drawCount(p *printer, _ []string, result []uint64, flights uint64) {
	p.printf("    %s of %s, %s\n", p.style(bold, thousands(result[0])), thousands(flights), percent(result[0], flights))
}

func drawSum(p *printer, _ []string, result []uint64, flights uint64) {
	p.printf("    %s miles, %s a flight\n", p.style(bold, thousands(result[0])), mean(result[0], flights))
}

func drawTotals(p *printer, names []string, result []uint64, flights uint64) {
	for i, name := range names {
		p.printf("    %s %s, %s a flight\n", p.style(bold, fmt.Sprintf("%12s", thousands(result[i]))), name, mean(result[i], flights))
	}
}

// drawHistogram draws bars that fill the width with the largest bucket.
func drawHistogram(p *printer, names []string, result []uint64, flights uint64) {
	drawBars(p, names, result, maxOf(result), flights)
}

// drawShares draws bars that fill the width with all flights.
func drawShares(p *printer, names []string, result []uint64, flights uint64) {
	drawBars(p, names, result, flights, flights)
}

// drawBars draws one bar for each number, of which full fills the width.
func drawBars(p *printer, names []string, result []uint64, full, flights uint64) {
	nameWidth, numberWidth := 0, 0
	for i, name := range names {
		nameWidth = max(nameWidth, utf8.RuneCountInString(name))
		numberWidth = max(numberWidth, len(thousands(result[i])))
	}
	const indent, percentWidth, gaps = 4, 7, 4
	barWidth := max(8, p.width-indent-nameWidth-numberWidth-percentWidth-gaps)
	for i, name := range names {
		b := bar(result[i], full, barWidth)
		padding := strings.Repeat(" ", barWidth-utf8.RuneCountInString(b))
		p.printf("    %*s  %s%s %*s %*s\n", nameWidth, name, p.style(blue, b), padding,
			numberWidth, thousands(result[i]), percentWidth, percent(result[i], flights))
	}
}

// bar returns n/full of width, to an eighth of a character. What is not zero shows.
func bar(n, full uint64, width int) string {
	if n == 0 || full == 0 {
		return ""
	}
	eighths := int(float64(n)/float64(full)*float64(8*width) + 0.5)
	eighths = min(max(eighths, 1), 8*width)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

func maxOf(numbers []uint64) (largest uint64) {
	for _, n := range numbers {
		largest = max(largest, n)
	}
	return largest
}
