package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// mustsRow is one row of docs/musts.md.
type mustsRow struct {
	line     int
	document string // DAP, Taskprov or VDAF
	section  string
	quote    string // of the standard; … stands for what is left out
	role     string
	tests    []mustsTest
	remark   string // why there is no test, or what there is to know
}

// mustsTest names a test: package.TestName or package.TestName/subtest.
type mustsTest struct {
	pkg      string // directory below the module's root
	name     string
	subtests []string // one a level, as go test prints them
}

func (r mustsRow) String() string {
	return fmt.Sprintf("line %d (%s Section %s)", r.line, r.document, r.section)
}

func (m mustsTest) String() string {
	return strings.Join(append([]string{m.pkg + "." + m.name}, m.subtests...), "/")
}

// mustsHeader is the head of every table in docs/musts.md.
var mustsHeader = []string{"Section", "Requirement", "Role", "Test", "Remark"}

// mustsRoles are those of the standards, and who else a requirement may be
// addressed to.
var mustsRoles = []string{
	"Client", "Leader", "Helper", "Collector", "Aggregators", "Participants", "HTTP client", "HTTP server",
	"Implementation", "Deployment", "Authors",
}

var (
	mustsSection = regexp.MustCompile(`^(DAP|Taskprov|VDAF) ([1-9A-Z][0-9]*(?:\.[1-9][0-9]*)*)$`)
	mustsTestRef = regexp.MustCompile("^`([a-z0-9][a-z0-9/]*)\\.((?:Test|Fuzz|Example)[A-Za-z0-9_]*)((?:/[^`]+)?)`$")
)

// parseMusts returns the rows of all tables, and what is wrong with them.
func parseMusts(text string) (rows []mustsRow, problems []string) {
	complain := func(line int, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("line %d: %s", line, fmt.Sprintf(format, args...)))
	}
	inTable := false // after a table's head
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			inTable = false
			continue
		}
		cells, ok := mustsCells(line)
		if !ok {
			complain(i+1, "the row does not end with |")
			continue
		}
		switch {
		case !inTable && slices.Equal(cells, mustsHeader):
			inTable = true
		case !inTable:
			complain(i+1, "a table must begin with the head %q", mustsHeader)
		case isTableRule(cells):
		case len(cells) != len(mustsHeader):
			complain(i+1, "the row has %d cells; it must have %d", len(cells), len(mustsHeader))
		default:
			row, err := parseMustsRow(i+1, cells)
			if err != nil {
				complain(i+1, "%v", err)
				continue
			}
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		problems = append(problems, "there is no row in any table")
	}
	return rows, problems
}

// mustsCells splits a line of a table.
func mustsCells(line string) ([]string, bool) {
	inner, ok := strings.CutSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|")
	cells := strings.Split(inner, "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells, ok
}

func isTableRule(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return strings.Trim(c, ":-") != "" || c == "" })
}

func parseMustsRow(line int, cells []string) (mustsRow, error) {
	row := mustsRow{line: line, quote: cells[1], role: cells[2], remark: cells[4]}
	section := mustsSection.FindStringSubmatch(cells[0])
	if section == nil {
		return row, fmt.Errorf("the section %q is not one such as DAP 4.4.2", cells[0])
	}
	row.document, row.section = section[1], section[2]
	if row.quote == "" {
		return row, fmt.Errorf("the row quotes nothing")
	}
	if !slices.Contains(mustsRoles, row.role) {
		return row, fmt.Errorf("the role %q is none of %q", row.role, mustsRoles)
	}
	if cells[3] != "" {
		for _, ref := range strings.SplitAfter(cells[3], "`, ") {
			m := mustsTestRef.FindStringSubmatch(strings.TrimSuffix(ref, ", "))
			if m == nil {
				return row, fmt.Errorf("%s is not a test such as `dap.TestIdentifiers` or `dap.TestIdentifiers/TaskID`", ref)
			}
			test := mustsTest{pkg: m[1], name: m[2]}
			if m[3] != "" {
				test.subtests = strings.Split(m[3][1:], "/")
			}
			row.tests = append(row.tests, test)
		}
	}
	if len(row.tests) == 0 && row.remark == "" {
		return row, fmt.Errorf("the row has neither a test nor a reason")
	}
	return row, nil
}
