package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// standards are the documents of docs/musts.md, the words of which every occurrence
// must be there, and in which sections: VDAF's Section 8 is about Poplar1, which is not
// implemented.
var standards = []struct {
	document, file string
	words          *regexp.Regexp
	covered        func(section string) bool
}{
	{"DAP", "draft-ietf-ppm-dap-18.md", recommendationWords, func(string) bool { return true }},
	{"Taskprov", "draft-ietf-ppm-dap-taskprov-04.md", recommendationWords, func(string) bool { return true }},
	{"VDAF", "draft-irtf-cfrg-vdaf-20.md", requirementWords, func(section string) bool {
		return section != "8" && !strings.HasPrefix(section, "8.")
	}},
}

// TestMusts checks that every row of docs/musts.md names tests that exist, or
// gives a reason. With DAP_SPECS, the directory of the standards' texts,
// relative to the module's root, it also checks that every row quotes them, and that
// no MUST of theirs is missing.
func TestMusts(t *testing.T) {
	root := moduleRoot(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "musts.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, problems := parseMusts(string(text))
	sources, err := readTestSources(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, row := range rows {
		for _, test := range row.tests {
			if problem := checkTest(sources, test); problem != "" {
				problems = append(problems, row.String()+": "+problem)
			}
		}
		if len(row.tests) > 0 {
			tested++
		}
	}
	t.Logf("%d rows, %d with tests, %d with a reason alone", len(rows), tested, len(rows)-tested)
	for _, problem := range problems {
		t.Errorf("docs/musts.md: %s", problem)
	}
	compareMusts(t, root, rows)
}

// compareMusts compares the rows with the standards.
func compareMusts(t *testing.T, root string, rows []mustsRow) {
	dir, ok := standardsDirectory(root)
	if !ok {
		t.Log("DAP_SPECS is not set: the table was not compared with the standards")
		return
	}
	for _, s := range standards {
		text, err := os.ReadFile(filepath.Join(dir, s.file))
		if err != nil {
			t.Errorf("DAP_SPECS: %v", err)
			continue
		}
		sections, err := parseStandard(string(text))
		if err != nil {
			t.Errorf("%s: %v", s.file, err)
			continue
		}
		keywords, problems := compareWithStandard(s.document, sections, rows, s.words, s.covered)
		for _, problem := range problems {
			t.Errorf("docs/musts.md: %s", problem)
		}
		if keywords == 0 {
			t.Errorf("%s: no MUST in it; it cannot be the standard", s.file)
		}
		t.Logf("%s: each of %d occurrences of a keyword was looked up: %s", s.file, keywords, s.words)
	}
}

// standardsDirectory returns the directory of the standards' texts, if it is given.
func standardsDirectory(root string) (dir string, ok bool) {
	dir, ok = os.LookupEnv("DAP_SPECS")
	if ok && !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	return dir, ok
}
