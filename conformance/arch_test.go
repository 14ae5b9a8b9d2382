package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// modulePath begins the import paths of this module.
const modulePath = "github.com/twofold-dap/twofold/"

// archRow is one row of the architecture. Lists are separated by spaces; "*"
// stands for every package.
type archRow struct {
	name     string // import path below the module's
	imports  string // rows that it may import
	tests    string // rows that its tests may import besides, and besides what those in imports reach
	testOnly bool   // only tests may import it
}

// archDependency says who may import packages from outside.
type archDependency struct {
	path     string // import path of the package, or of one above it
	users    string // rows
	testOnly bool   // only their tests may, and rows that only tests may import
}

// archBan keeps packages away from rows.
type archBan struct {
	rows       string
	packages   string // import paths of the packages, or of packages above them
	transitive bool
}

// goPackage is a package as `go list -json` describes it.
type goPackage struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
	Error        *struct{ Err string }
}

// TestArchitecture compares the imports of every package of the module, and of its
// tests, with the table. It does so for two processors, since the files that are
// compiled differ.
func TestArchitecture(t *testing.T) {
	for _, goarch := range []string{"amd64", "arm64"} {
		packages, err := listPackages(moduleRoot(t), goarch)
		if err != nil {
			t.Fatal(err)
		}
		a := newArch(architecture, dependencies, bans, packages)
		for _, problem := range a.problems() {
			t.Errorf("%s: %s", goarch, problem)
		}
	}
}

// listPackages lists the module's packages and all that they depend on.
func listPackages(root, goarch string) (map[string]goPackage, error) {
	command := exec.Command("go", "list", "-deps", "-e",
		"-json=ImportPath,Standard,Imports,TestImports,XTestImports,Error", "./...")
	command.Dir = root
	command.Env = append(os.Environ(), "GOARCH="+goarch, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	packages := map[string]goPackage{}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		packages[p.ImportPath] = p
	}
}

// arch is the table together with the packages that it is compared with.
type arch struct {
	rows         []archRow
	dependencies []archDependency
	bans         []archBan
	packages     map[string]goPackage
}

func newArch(rows []archRow, dependencies []archDependency, bans []archBan, packages map[string]goPackage) *arch {
	return &arch{rows, dependencies, bans, packages}
}

// problems returns all that does not fit, sorted.
func (a *arch) problems() (problems []string) {
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	a.checkTable(report)
	for path, p := range a.packages {
		name, ours := strings.CutPrefix(path, modulePath)
		if !ours {
			continue
		}
		row := a.row(name)
		switch {
		case p.Error != nil:
			report("%s cannot be loaded: %s", name, p.Error.Err)
		case row == nil:
			report("%s is in no row: add one to the table in conformance/arch_table_test.go", name)
		default:
			a.checkImports(row, p, report)
			a.checkTests(row, p, report)
			a.checkBans(row, p, report)
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// checkTable checks that each name in the table means something.
func (a *arch) checkTable(report func(string, ...any)) {
	known := func(where, list string) {
		for _, name := range strings.Fields(list) {
			if name != "*" && a.row(name) == nil {
				report("%s names %s, which is in no row", where, name)
			}
		}
	}
	for i, row := range a.rows {
		if _, ok := a.packages[modulePath+row.name]; !ok {
			report("the row %s matches no package: remove it", row.name)
		}
		if slices.ContainsFunc(a.rows[:i], func(other archRow) bool { return other.name == row.name }) {
			report("the row %s is there twice", row.name)
		}
		known("the row "+row.name, row.imports)
		known("the row "+row.name, row.tests)
	}
	for _, dependency := range a.dependencies {
		known("the dependency "+dependency.path, dependency.users)
	}
	for _, ban := range a.bans {
		known("the ban of "+ban.packages, ban.rows)
	}
}

// checkImports checks what the package itself imports.
func (a *arch) checkImports(row *archRow, p goPackage, report func(string, ...any)) {
	for _, path := range p.Imports {
		name, ours := strings.CutPrefix(path, modulePath)
		switch {
		case ours && !listed(row.imports, name):
			report("%s must not import %s", row.name, name)
		case ours && a.testOnly(name) && !row.testOnly:
			report("%s must not import %s, which is for tests only", row.name, name)
		case !ours && !a.standard(path) && !a.mayDepend(row, path, false):
			report("%s must not depend on %s", row.name, path)
		}
	}
}

// checkTests checks what the package's tests import: what the package can reach,
// what its row adds for tests, and what is for tests only, except conformance.
func (a *arch) checkTests(row *archRow, p goPackage, report func(string, ...any)) {
	reached := a.reached(p.ImportPath)
	for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
		name, ours := strings.CutPrefix(path, modulePath)
		switch {
		case !ours:
			if !a.standard(path) && !a.mayDepend(row, path, true) {
				report("the tests of %s must not depend on %s", row.name, path)
			}
		case name == row.name || reached[path] || listed(row.imports, name) || listed(row.tests, name):
		case a.testOnly(name) && name != "conformance":
		default:
			report("the tests of %s must not import %s", row.name, name)
		}
	}
}

// checkBans checks the bans on the row.
func (a *arch) checkBans(row *archRow, p goPackage, report func(string, ...any)) {
	reached := slices.Sorted(maps.Keys(a.reached(p.ImportPath)))
	for _, ban := range a.bans {
		if !listed(ban.rows, row.name) {
			continue
		}
		for _, banned := range strings.Fields(ban.packages) {
			breaks := func(path string) bool { return atOrBelow(path, banned) && path != "crypto/subtle" }
			if i := slices.IndexFunc(p.Imports, breaks); i >= 0 {
				report("%s must not import %s: %s is banned there", row.name, p.Imports[i], banned)
			} else if i := slices.IndexFunc(reached, breaks); ban.transitive && i >= 0 {
				report("%s must not reach %s through its imports: %s is banned there", row.name, reached[i], banned)
			}
		}
	}
}

func (a *arch) row(name string) *archRow {
	for i := range a.rows {
		if a.rows[i].name == name {
			return &a.rows[i]
		}
	}
	return nil
}

func (a *arch) testOnly(name string) bool {
	row := a.row(name)
	return row != nil && row.testOnly
}

// standard says whether a package is of the standard library, whose import
// paths have no dot in their first element. Imports of tests are not all among
// the packages.
func (a *arch) standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return a.packages[path].Standard || !strings.Contains(first, ".")
}

// mayDepend applies the row with the longest path that matches.
func (a *arch) mayDepend(row *archRow, path string, test bool) bool {
	var best archDependency
	for _, dependency := range a.dependencies {
		if atOrBelow(path, dependency.path) && len(dependency.path) > len(best.path) {
			best = dependency
		}
	}
	return best.path != "" && listed(best.users, row.name) && (test || row.testOnly || !best.testOnly)
}

// reached returns what a package imports, directly and through others.
func (a *arch) reached(path string) map[string]bool {
	reached := map[string]bool{}
	for queue := []string{path}; len(queue) > 0; queue = queue[1:] {
		for _, imported := range a.packages[queue[0]].Imports {
			if !reached[imported] {
				reached[imported] = true
				queue = append(queue, imported)
			}
		}
	}
	return reached
}

// listed says whether a list separated by spaces has the name, or is "*".
func listed(list, name string) bool {
	return list == "*" || slices.Contains(strings.Fields(list), name)
}

// atOrBelow says whether a package is another one or lies below its path.
func atOrBelow(path, above string) bool {
	return path == above || strings.HasPrefix(path, above+"/")
}
