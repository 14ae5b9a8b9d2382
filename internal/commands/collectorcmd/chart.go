package collectorcmd

import (
	"fmt"
	"io"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/twofold-dap/twofold/internal/bars"
)

// chartWidth is the width of a chart, in characters, for its bars alone.
const chartWidth = 40

// printChart draws a bar for each number of a result that has several, with its share of all reports. A number below zero,
// which noise can make, has no bar.
func printChart(w io.Writer, r resultJSON) error {
	numbers := numbersOf(r.Result)
	if len(numbers) < 2 {
		return nil
	}
	largest, nameWidth, numberWidth := 0.0, 0, 0
	labels, texts, values := labelsOf(r, len(numbers)), make([]string, len(numbers)), make([]float64, len(numbers))
	for i, n := range numbers {
		values[i] = floatOf(n)
		texts[i] = bars.Group(n.String())
		largest = max(largest, values[i])
		nameWidth, numberWidth = max(nameWidth, utf8.RuneCountInString(labels[i])), max(numberWidth, len(texts[i]))
	}
	var b strings.Builder
	b.WriteByte('\n')
	for i := range numbers {
		bar := bars.Bar(values[i], largest, chartWidth)
		fmt.Fprintf(&b, "%*s  %s%s %*s %8s\n", nameWidth, labels[i], bar, strings.Repeat(" ", chartWidth-utf8.RuneCountInString(bar)),
			numberWidth, texts[i], bars.Percent(values[i], float64(r.ReportCount)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// labelsOf names each of n numbers of a result.
func labelsOf(r resultJSON, n int) []string {
	if r.Labels != nil {
		return r.Labels
	}
	if n == 1 {
		return []string{"result"}
	}
	labels := make([]string, n)
	for i := range labels {
		labels[i] = fmt.Sprint(i)
	}
	return labels
}

// numbersOf returns the numbers of a result.
func numbersOf(result any) (numbers []*big.Int) {
	switch v := result.(type) {
	case uint64:
		return []*big.Int{new(big.Int).SetUint64(v)}
	case []uint64:
		for _, n := range v {
			numbers = append(numbers, new(big.Int).SetUint64(n))
		}
	case *big.Int:
		return []*big.Int{v}
	case []*big.Int:
		return v
	}
	return numbers
}
