package main

import (
	"fmt"
	"os"
	"strings"
)

// The table stands between these lines of the document.
const (
	markerBegin = "<!-- bench/peers: begin -->"
	markerEnd   = "<!-- bench/peers: end -->"
)

// writeDocument replaces what stands between the markers in a file.
func writeDocument(path string, t *table) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(content), markerBegin+"\n")
	_, after, ended := strings.Cut(rest, markerEnd)
	if !begun || !ended {
		return fmt.Errorf("%s has not the lines %s and %s, between which the table goes", path, markerBegin, markerEnd)
	}
	return os.WriteFile(path, []byte(before+markerBegin+"\n"+t.markdown()+markerEnd+after), 0o644)
}

// markdown is the machine, the peers, what matters in short, and everything.
func (t *table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s. Medians of %s of %d ms of CPU time each.\n\n", t.Machine.oneLine(), rounds(t.Rounds), t.NanosecondsPerStep/1e6)
	writeMarkdown(&b, 0, t.peersGrid())
	if t.Without != "" {
		fmt.Fprintf(&b, "\n%s\n", t.Without)
	}
	b.WriteString("\nHow many times as long as Twofold the others take:\n\n")
	writeMarkdown(&b, 1, t.ratioGrid())
	b.WriteString("\nMicroseconds of CPU time a report:\n\n")
	writeMarkdown(&b, 2, t.grid(func(step) bool { return true }))
	b.WriteString("\n")
	return b.String()
}

func (t *table) peersGrid() [][]string {
	lines := [][]string{{"implementation", "version", "written from", "wire version"}}
	for _, d := range t.Peers {
		lines = append(lines, []string{d.Name, d.Version, d.Draft, fmt.Sprint(d.WireVersion)})
	}
	return lines
}

// ratioGrid has a line for each workload and the steps that matter as columns.
func (t *table) ratioGrid() [][]string {
	_, others := t.columns()
	lines := [][]string{{"VDAF"}}
	for _, other := range others {
		for _, name := range []string{"shard", "Leader", "Helper", "aggregate"} {
			lines[0] = append(lines[0], other+", "+name)
		}
	}
	for _, r := range t.Workloads {
		line := []string{r.Name}
		for _, other := range others {
			for _, wanted := range []step{stepShard, stepLeader, stepHelper, stepAggregate} {
				cell := missing
				for _, s := range r.Steps {
					if step(s.Step) == wanted {
						cell = ratio(s.Ratios, other)
					}
				}
				line = append(line, cell)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// writeMarkdown writes a table; the columns from number right on are aligned to
// the right.
func writeMarkdown(b *strings.Builder, left int, lines [][]string) {
	for i, line := range lines {
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if i > 0 {
			continue
		}
		for column := range line {
			if left > 0 && column >= left {
				b.WriteString("|---:")
			} else {
				b.WriteString("|---")
			}
		}
		b.WriteString("|\n")
	}
}
