package conformance

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// The check of docs/musts.md against things that are wrong: each must be noticed.

const mustsHead = "| Section | Requirement | Role | Test | Remark |\n|---|---|---|---|---|\n"

func TestMustsNoticesRows(t *testing.T) {
	good := mustsHead + "| DAP 4.2 | It MUST. | Leader | `a.TestX`, `a/b.TestY/with,_a comma` | |\n| VDAF B.1 | so | Authors | | reason |\n"
	rows, problems := parseMusts("text\n\n" + good + "\n" + mustsHead)
	if len(rows) != 2 || len(problems) != 0 || len(rows[0].tests) != 2 || rows[0].tests[1].subtests[0] != "with,_a comma" {
		t.Errorf("good rows: %+v, %q", rows, problems)
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":            {"", "there is no row"},
		"a head alone":       {mustsHead, "there is no row"},
		"no test, no reason": {mustsHead + "| DAP 4.2 | It MUST. | Leader | | |", "line 3: the row has neither a test nor a reason"},
		"too few cells":      {mustsHead + "| DAP 4.2 | It MUST. | Leader | `a.TestX` |", "line 3: the row has 4 cells"},
		"too many cells":     {mustsHead + "| DAP 4.2 | It MUST. | Leader | `a.TestX` | | |", "line 3: the row has 6 cells"},
		"no end":             {mustsHead + "| DAP 4.2 | It MUST. | Leader | `a.TestX` | x", "line 3: the row does not end"},
		"another head":       {"| Section | Requirement |\n|---|---|\n", "line 1: a table must begin"},
		"no section":         {mustsHead + "| 4.2 | It MUST. | Leader | `a.TestX` | |", "line 3: the section"},
		"an odd section":     {mustsHead + "| DAP 4.02 | It MUST. | Leader | `a.TestX` | |", "line 3: the section"},
		"no quote":           {mustsHead + "| DAP 4.2 | | Leader | `a.TestX` | |", "line 3: the row quotes nothing"},
		"no role":            {mustsHead + "| DAP 4.2 | It MUST. | Nobody | `a.TestX` | |", "line 3: the role"},
		"a test in prose":    {mustsHead + "| DAP 4.2 | It MUST. | Leader | see a.TestX | |", "line 3: see a.TestX is not a test"},
		"no package":         {mustsHead + "| DAP 4.2 | It MUST. | Leader | `TestX` | |", "line 3: `TestX` is not a test"},
	} {
		if _, problems := parseMusts(c.text); !slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, c.want) }) {
			t.Errorf("%s: the problems are %q, not %q", name, problems, c.want)
		}
	}
}

func TestMustsNoticesTests(t *testing.T) {
	sources, err := readTestSources(fstest.MapFS{
		"a/a_test.go": {Data: []byte(`package a
			func TestX(t *testing.T) { t.Run("one way", f); for _, c := range cases { t.Run(c.name, f) } }
			var cases = []struct{ name string }{{"a case"}}
			func (s suite) TestMethod(t *testing.T) {}`)},
		"a/skip_test.go":         {Data: []byte("package a\nfunc TestSkips(t *testing.T) { t.Skip() }")},
		"a/plain_test.go":        {Data: []byte(`package a; func TestPlain(t *testing.T) { t.Log("text") }`)},
		"a/testdata/x_test.go":   {Data: []byte("not Go")},
		"a/notatest.go":          {Data: []byte("package a\nfunc TestNot() {}")},
		".hidden/hidden_test.go": {Data: []byte("not Go")},
	})
	must(t, err)
	for ref, want := range map[string]string{
		"`a.TestX`":                 "",
		"`a.TestX/one_way`":         "",
		"`a.TestX/a_case`":          "",
		"`a.TestX/another`":         "there is no subtest",
		"`a.TestX/one_way/another`": "there is no subtest",
		"`a.TestPlain/text`":        "has no subtests",
		"`a.TestSkips`":             "may skip itself",
		"`a.TestY`":                 "there is no such test",
		"`a.TestMethod`":            "there is no such test",
		"`a.TestNot`":               "there is no such test",
		"`b.TestX`":                 "has no tests",
	} {
		rows, problems := parseMusts(mustsHead + "| DAP 4.2 | It MUST. | Leader | " + ref + " | |")
		if len(problems) != 0 {
			t.Fatalf("%s: %q", ref, problems)
		}
		if got := checkTest(sources, rows[0].tests[0]); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q; want %q", ref, got, want)
		}
	}
}

const sampleStandard = `---
title: x MUST
--- middle

# First

This MUST
be. (See {{x}}.)

~~~
It MUST NOT count.
~~~

## Second {#second}

* One MUST.
* If so, it MUST.

1. If so, it MUST.

   And SHALL.

# Third

--- back

# Appendix

It is REQUIRED.
`

func TestMustsNoticesQuotes(t *testing.T) {
	sections, err := parseStandard(sampleStandard)
	must(t, err)
	const rows = mustsHead + `| DAP 1 | This MUST be. | Leader | | x |
| DAP 1.1 | One MUST. If so, it MUST. | Leader | | x |
| DAP 1.1 | One MUST. … If so, it MUST. … If so, it MUST. | Leader | | x |
| DAP 1.1 | And SHALL. | Leader | | x |
| DAP A | It is REQUIRED. | Leader | | x |
`
	everything := func(string) bool { return true }
	compare := func(text string, covered func(string) bool) (int, []string) {
		rows, problems := parseMusts(text)
		if len(problems) != 0 {
			t.Fatal(problems)
		}
		return compareWithStandard("DAP", sections, rows, requirementWords, covered)
	}
	if n, problems := compare(rows, everything); n != 6 || len(problems) != 0 {
		t.Errorf("good rows: %d keywords, %q", n, problems)
	}
	for name, c := range map[string]struct{ text, want string }{
		"a missing row":          {strings.Replace(rows, "| DAP 1.1 | And SHALL. | Leader | | x |\n", "", 1), "DAP Section 1.1 (Second): no row quotes"},
		"a sentence of another":  {strings.Replace(rows, "And SHALL", "Or SHALL", 1), "line 6 (DAP Section 1.1): \"Or SHALL.\" occurs 0 times"},
		"a quote of two places":  {rows + "| DAP 1.1 | If so, it MUST. | Leader | | x |", "line 8 (DAP Section 1.1): \"If so, it MUST.\" occurs 2 times"},
		"pieces in other order":  {rows + "| DAP 1.1 | And SHALL. … One MUST. | Leader | | x |", "line 8 (DAP Section 1.1): \"One MUST.\" is not there"},
		"an empty piece":         {rows + "| DAP 1 | This … | Leader | | x |", "line 8 (DAP Section 1): the quote has an empty piece"},
		"another section":        {strings.Replace(rows, "DAP A", "DAP 2", 1), "line 7 (DAP Section 2): \"It is REQUIRED.\" occurs 0 times"},
		"a section there is not": {strings.Replace(rows, "DAP A", "DAP 9", 1), "line 7 (DAP Section 9): the standard has no such section"},
		"code":                   {rows + "| DAP 1 | It MUST NOT count. | Leader | | x |", "line 8 (DAP Section 1): \"It MUST NOT count.\" occurs 0 times"},
	} {
		if _, problems := compare(c.text, everything); !slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, c.want) }) {
			t.Errorf("%s: the problems are %q, not %q", name, problems, c.want)
		}
	}
	first := func(section string) bool { return section == "1" }
	if n, problems := compare(mustsHead+"| DAP 1 | This MUST be. | Leader | | x |", first); n != 1 || len(problems) != 0 {
		t.Errorf("one section: %d keywords, %q", n, problems)
	}
	if n, _ := compareWithStandard("DAP", sections, nil, regexp.MustCompile("nowhere"), everything); n != 0 {
		t.Errorf("%d keywords where there are none", n)
	}
	for name, text := range map[string]string{"no begin": "# A\n", "code without an end": "\n--- middle\n# A\n~~~\n"} {
		if _, err := parseStandard(text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
