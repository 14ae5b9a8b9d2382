package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/twofold-dap/twofold/internal/bars"
)

func mean(sum, count uint64) string {
	if count == 0 {
		return "0.0"
	}
	return fmt.Sprintf("%.1f", float64(sum)/float64(count))
}

func drawCount(p *printer, _ []string, result []uint64, flights uint64) {
	p.printf("    %s of %s, %s\n", p.style(bold, bars.Thousands(result[0])), bars.Thousands(flights), bars.Percent(float64(result[0]), float64(flights)))
}

func drawSum(p *printer, _ []string, result []uint64, flights uint64) {
	p.printf("    %s miles, %s a flight\n", p.style(bold, bars.Thousands(result[0])), mean(result[0], flights))
}

func drawTotals(p *printer, names []string, result []uint64, flights uint64) {
	for i, name := range names {
		p.printf("    %s %s, %s a flight\n", p.style(bold, fmt.Sprintf("%12s", bars.Thousands(result[i]))), name, mean(result[i], flights))
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
		numberWidth = max(numberWidth, len(bars.Thousands(result[i])))
	}
	const indent, percentWidth, gaps = 4, 7, 4
	barWidth := max(8, p.width-indent-nameWidth-numberWidth-percentWidth-gaps)
	for i, name := range names {
		b := bars.Bar(float64(result[i]), float64(full), barWidth)
		padding := strings.Repeat(" ", barWidth-utf8.RuneCountInString(b))
		p.printf("    %*s  %s%s %*s %*s\n", nameWidth, name, p.style(blue, b), padding,
			numberWidth, bars.Thousands(result[i]), percentWidth, bars.Percent(float64(result[i]), float64(flights)))
	}
}

func maxOf(numbers []uint64) (largest uint64) {
	for _, n := range numbers {
		largest = max(largest, n)
	}
	return largest
}
