package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// outcome is what became of one question.
type outcome struct {
	question *question
	names    []string // of the result's numbers
	flights  uint64   // uploaded honestly
	// reportCount and result are what the Collector has obtained.
	reportCount uint64
	result      []uint64
	plain       []uint64
	// atUpload and atVerification count the cheating reports that were rejected, by
	// the reason.
	atUpload, atVerification map[string]uint64
}

// rejected is the number of cheating reports that were rejected.
func (o *outcome) rejected() (n uint64) {
	for _, counts := range []map[string]uint64{o.atUpload, o.atVerification} {
		for _, count := range counts {
			n += count
		}
	}
	return n
}

// caught tells whether the cheating reports were all rejected for the reason
// that they should be, and no others were.
func (o *outcome) caught() bool {
	counts := o.atVerification
	if o.question.cheat.atUpload {
		counts = o.atUpload
	}
	return o.rejected() == cheats && counts[o.question.cheat.reason.String()] == cheats
}

// exact tells whether the aggregate result is that of the plain computation.
func (o *outcome) exact() bool {
	return o.reportCount == o.flights && slices.Equal(o.result, o.plain)
}

// drawable tells whether the result has as many numbers as it should, each with
// its name.
func (o *outcome) drawable() bool {
	n := len(o.plain)
	return len(o.result) == n && (n == 1 || len(o.names) == n)
}

// jsonReport is the one object of --json.
type jsonReport struct {
	Tasks   []jsonTask `json:"tasks"`
	Seconds float64    `json:"seconds"`
}

// jsonTask is one task's numbers: uploaded counts all reports that were sent, those of
// the cheating client among them, and so is rejected and report_count together.
type jsonTask struct {
	Name        string `json:"name"`
	VDAF        string `json:"vdaf"`
	Uploaded    uint64 `json:"uploaded"`
	Rejected    uint64 `json:"rejected"`
	ReportCount uint64 `json:"report_count"`
	Match       bool   `json:"match"`
}

func writeJSON(w io.Writer, outcomes []outcome, took time.Duration) error {
	report := jsonReport{Seconds: math.Round(took.Seconds()*10) / 10}
	for i := range outcomes {
		o := &outcomes[i]
		report.Tasks = append(report.Tasks, jsonTask{
			Name: o.question.name, VDAF: o.question.vdaf,
			Uploaded: o.flights + cheats, Rejected: o.rejected(), ReportCount: o.reportCount,
			Match: o.exact() && o.caught(),
		})
	}
	return json.NewEncoder(w).Encode(report)
}

// show draws the results, and says of each whether it is right.
func show(p *printer, outcomes []outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		p.printf("\n%s  %s\n", p.style(bold, o.question.title), p.style(dim, o.question.vdaf))
		if o.drawable() {
			o.question.draw(p, o.names, o.result, o.reportCount)
		}
		if o.exact() {
			p.printf("    %s %s\n", p.style(green, "✓"), p.style(dim, "exactly as computed from the data itself"))
		} else {
			p.printf("    %s the data itself say %v of %d flights; collected were %v of %d\n",
				p.style(red, "✗"), o.plain, o.flights, o.result, o.reportCount)
		}
	}
	p.printf("\n%s\n", p.style(bold, "What the cheating client sent among them"))
	for i := range outcomes {
		showCheat(p, &outcomes[i])
	}
}

func showCheat(p *printer, o *outcome) {
	mark := p.style(green, "✓")
	if !o.caught() {
		mark = p.style(red, "✗")
	}
	p.printf("    %s %-9s %s\n", mark, o.question.name, o.question.cheat.what)
	if o.rejected() == 0 {
		p.printf("                %s\n", p.style(red, fmt.Sprintf("none of %d were rejected", cheats)))
	}
	for _, at := range []struct {
		when   string
		counts map[string]uint64
	}{{"by the Leader at upload", o.atUpload}, {"by both aggregators' verification", o.atVerification}} {
		for reason, n := range at.counts {
			p.printf("                %s\n", p.style(dim, fmt.Sprintf("%d of %d rejected %s: %s", n, cheats, at.when, reason)))
		}
	}
}

// allMatch tells whether all is as it should be.
func allMatch(outcomes []outcome) bool {
	for i := range outcomes {
		if !outcomes[i].exact() || !outcomes[i].caught() {
			return false
		}
	}
	return true
}

// countReason adds a rejected report.
func countReason(counts map[string]uint64, reason dap.ReportError) { counts[reason.String()]++ }
