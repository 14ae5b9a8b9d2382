// Package chart draws aggregate results: the newest batch of a task, and how its results went over time.
//
//	results := chart.Results{Kind: chart.Distribution, Labels: labels, Batches: batches}
//	err := chart.Write(w, chart.SVG, results.Newest(), chart.Look{})
//
// What a chart shows depends on the kind of the results. A distribution is bars with their labels, a number is a line
// with a band, several numbers are small multiples, and more than a page has room for are a heat map. Whiskers and
// bands are as wide as the caller says, in the unit of the values; without differential privacy there are none.
//
// Charts are drawn by gonum.org/v1/plot. The SVG has no script, no style sheet and no inline style, so that a page with a strict
// Content-Security-Policy can hold it, and its text is text. A chart is never the only place where a number stands: what shows one
// puts a table beside it.
package chart
