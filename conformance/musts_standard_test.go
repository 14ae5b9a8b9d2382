package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// standardSection is the running text of one section of a standard.
type standardSection struct {
	number, title string
	text          string // white space is single spaces; no code
}

var (
	headingLine = regexp.MustCompile(`^(#+) +(.*?)(?: *\{.*\})?$`)
	itemMarker  = regexp.MustCompile(`^\s*(?:[*-]|[0-9]+\.|:)\s+`)
	whiteSpace  = regexp.MustCompile(`\s+`)

	requirementWords    = regexp.MustCompile(`\bMUST\b|\bSHALL\b|\bREQUIRED\b`)
	recommendationWords = regexp.MustCompile(`\bMUST\b|\bSHALL\b|\bREQUIRED\b|\bSHOULD\b|\bRECOMMENDED\b`)
)

// parseStandard returns the sections of an Internet-Draft in kramdown. They are
// numbered as they are when it is printed: appendices have letters.
func parseStandard(text string) ([]standardSection, error) {
	_, text, ok := strings.Cut(text, "\n--- middle\n")
	if !ok {
		return nil, fmt.Errorf("the text has no line %q", "--- middle")
	}
	var sections []standardSection
	var numbers []int
	var lines []string
	appendix, code := false, false
	flush := func() {
		if n := len(sections); n > 0 {
			sections[n-1].text = strings.TrimSpace(whiteSpace.ReplaceAllString(strings.Join(lines, " "), " "))
		}
		lines = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "~~~") {
			code = !code
			continue
		}
		if code {
			continue
		}
		if line == "--- back" {
			appendix, numbers = true, nil
			continue
		}
		heading := headingLine.FindStringSubmatch(line)
		if heading == nil {
			lines = append(lines, itemMarker.ReplaceAllString(line, ""))
			continue
		}
		flush()
		depth := len(heading[1])
		for len(numbers) < depth {
			numbers = append(numbers, 0)
		}
		numbers = numbers[:depth]
		numbers[depth-1]++
		sections = append(sections, standardSection{number: sectionNumber(numbers, appendix), title: heading[2]})
	}
	flush()
	if code {
		return nil, fmt.Errorf("a block of code does not end")
	}
	return sections, nil
}

func sectionNumber(numbers []int, appendix bool) string {
	parts := make([]string, len(numbers))
	for i, n := range numbers {
		parts[i] = strconv.Itoa(n)
	}
	if appendix {
		parts[0] = string(rune('A' + numbers[0] - 1))
	}
	return strings.Join(parts, ".")
}

// findQuote returns the places of a quote's pieces in a text, each as its begin
// and end. The first piece must occur once, the others after one another.
func findQuote(text, quote string) ([][2]int, error) {
	var places [][2]int
	at := 0
	for i, piece := range strings.Split(quote, "…") {
		piece = strings.TrimSpace(whiteSpace.ReplaceAllString(piece, " "))
		if piece == "" {
			return nil, fmt.Errorf("the quote has an empty piece")
		}
		if n := strings.Count(text, piece); i == 0 && n != 1 {
			return nil, fmt.Errorf("%q occurs %d times; quote so much that it occurs once", piece, n)
		}
		found := strings.Index(text[at:], piece)
		if found < 0 {
			return nil, fmt.Errorf("%q is not there, or not after what precedes it", piece)
		}
		places = append(places, [2]int{at + found, at + found + len(piece)})
		at += found + len(piece)
	}
	return places, nil
}

// compareWithStandard finds every row's quote, and every keyword of the covered
// sections that no row quotes. It returns the number of keywords too.
func compareWithStandard(document string, sections []standardSection, rows []mustsRow, words *regexp.Regexp, covered func(section string) bool) (keywords int, problems []string) {
	quoted := make(map[string][][2]int)
	for _, row := range rows {
		if row.document != document {
			continue
		}
		i := slices.IndexFunc(sections, func(s standardSection) bool { return s.number == row.section })
		if i < 0 {
			problems = append(problems, fmt.Sprintf("%v: the standard has no such section", row))
			continue
		}
		places, err := findQuote(sections[i].text, row.quote)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%v: %v", row, err))
			continue
		}
		quoted[row.section] = append(quoted[row.section], places...)
	}
	for _, section := range sections {
		if !covered(section.number) {
			continue
		}
		for _, place := range words.FindAllStringIndex(section.text, -1) {
			keywords++
			if !slices.ContainsFunc(quoted[section.number], func(q [2]int) bool { return q[0] <= place[0] && place[1] <= q[1] }) {
				problems = append(problems, fmt.Sprintf("%s Section %s (%s): no row quotes %q", document, section.number, section.title, around(section.text, place)))
			}
		}
	}
	return keywords, problems
}

// around returns a place of a text with what stands around it.
func around(text string, place []int) string {
	return text[max(0, place[0]-80):min(len(text), place[1]+80)]
}
