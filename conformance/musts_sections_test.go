package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sectionReference is a mention of sections of a standard, such as "DAP Sections
// 3.2 and 4.5" or "VDAF Section 7.2.1"; it may be broken over lines of a comment.
var (
	sectionReference = regexp.MustCompile(`\b(DAP|Taskprov|VDAF)(?:\s|//|#)+(?:Sections?|Appendix|Appendices)(?:\s|//|#)+([1-9A-Z][0-9.]*(?:(?:\s|//|#)*(?:,? and|,? to|,? or|,)(?:\s|//|#)+[1-9A-Z]?[0-9][0-9.]*)*)`)
	sectionItself    = regexp.MustCompile(`[1-9A-Z][0-9]*(?:\.[1-9][0-9]*)*`)
)

// TestSectionReferences looks up every section that a comment or a document
// mentions. It needs the standards' texts, as TestMusts says.
func TestSectionReferences(t *testing.T) {
	root := moduleRoot(t)
	dir, ok := standardsDirectory(root)
	if !ok {
		t.Log("DAP_SPECS is not set: no section was looked up")
		return
	}
	known := make(map[string][]string)
	for _, s := range standards {
		text, err := os.ReadFile(filepath.Join(dir, s.file))
		must(t, err)
		sections, err := parseStandard(string(text))
		must(t, err)
		for _, section := range sections {
			known[s.document] = append(known[s.document], section.number)
		}
	}
	references := 0
	must(t, fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := path.Base(name); name != "." && (base == "testdata" || strings.HasPrefix(base, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" && path.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		for _, reference := range sectionReferences(string(text)) {
			references++
			if !slices.Contains(known[reference[0]], reference[1]) {
				t.Errorf("%s: %s has no Section %s", name, reference[0], reference[1])
			}
		}
		return nil
	}))
	if references == 0 {
		t.Error("no section is mentioned anywhere")
	}
	t.Logf("%d sections were looked up", references)
}

// sectionReferences returns the documents and sections that a text mentions.
func sectionReferences(text string) (found [][2]string) {
	for _, m := range sectionReference.FindAllStringSubmatch(text, -1) {
		for _, section := range sectionItself.FindAllString(m[2], -1) {
			found = append(found, [2]string{m[1], section})
		}
	}
	return found
}

func TestSectionReferencesAreFound(t *testing.T) {
	text := "// A (DAP Section 4.5.1). B, VDAF Sections 7.2.1, 7.3 and\n// 9. C: DAP Appendix B.4; Taskprov\n\t// Section 3.2; VDAF Section 5.\n# DAP Sections 4.4\n# to 4.6"
	want := "[[DAP 4.5.1] [VDAF 7.2.1] [VDAF 7.3] [VDAF 9] [DAP B.4] [Taskprov 3.2] [VDAF 5] [DAP 4.4] [DAP 4.6]]"
	if got := fmt.Sprint(sectionReferences(text)); got != want {
		t.Errorf("%s; want %s", got, want)
	}
}
