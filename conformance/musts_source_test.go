package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// testSource is what the tests of a package say, as far as it is needed to tell
// whether a test exists.
type testSource map[string]*testFunction // by name

// testFunction is a top-level test, fuzz test or example.
type testFunction struct {
	runs     bool            // it, or what it calls in its file, runs subtests
	skips    bool            // it may skip itself
	literals map[string]bool // strings in it, as go test would print them
	file     map[string]bool // strings in its file
}

// readTestSources parses the _test.go files below a module's root, by
// directory.
func readTestSources(root fs.FS) (map[string]testSource, error) {
	sources := make(map[string]testSource)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if entry.IsDir() {
			if name != "." && (base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if sources[dir] == nil {
			sources[dir] = make(testSource)
		}
		sources[dir].add(file)
		return nil
	})
	return sources, err
}

func (s testSource) add(file *ast.File) {
	inFile := stringLiterals(file)
	runs := callsMethod(file, "Run", "run")
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Recv != nil {
			continue
		}
		s[function.Name.Name] = &testFunction{
			runs:     runs,
			skips:    callsMethod(function, "Skip", "Skipf", "SkipNow"),
			literals: stringLiterals(function),
			file:     inFile,
		}
	}
}

// stringLiterals returns the strings of a piece of source in the form in which
// go test prints the name of a subtest.
func stringLiterals(node ast.Node) map[string]bool {
	literals := make(map[string]bool)
	ast.Inspect(node, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if value, err := strconv.Unquote(literal.Value); err == nil {
				literals[strings.ReplaceAll(value, " ", "_")] = true
			}
		}
		return true
	})
	return literals
}

// callsMethod tells whether a piece of source calls a method with one of the names.
func callsMethod(node ast.Node, names ...string) bool {
	found := false
	ast.Inspect(node, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(names, selector.Sel.Name) {
				found = true
			}
		}
		return true
	})
	return found
}

// checkTest returns what is wrong with the name of a test, or "".
func checkTest(sources map[string]testSource, test mustsTest) string {
	source, ok := sources[test.pkg]
	if !ok {
		return fmt.Sprintf("%s: the directory %s has no tests", test, test.pkg)
	}
	function, ok := source[test.name]
	if !ok {
		return fmt.Sprintf("%s: there is no such test", test)
	}
	if function.skips {
		return fmt.Sprintf("%s: the test may skip itself", test)
	}
	if len(test.subtests) > 0 && !function.runs {
		return fmt.Sprintf("%s: the test has no subtests", test)
	}
	for _, subtest := range test.subtests {
		if !function.literals[subtest] && !function.file[subtest] {
			return fmt.Sprintf("%s: there is no subtest %q", test, subtest)
		}
	}
	return ""
}
