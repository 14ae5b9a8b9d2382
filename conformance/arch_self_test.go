package conformance

import (
	"slices"
	"strings"
	"testing"
)

// TestArchitectureNotices gives the check of the architecture a small module that fits
// its table, and then one that breaks each of the rules.
func TestArchitectureNotices(t *testing.T) {
	if problems := sampleArch(nil, nil).problems(); len(problems) != 0 {
		t.Fatalf("the sample fits, but: %q", problems)
	}
	for name, c := range map[string]struct {
		table    func(a *arch)
		packages func(p map[string]goPackage)
		want     string
	}{
		"an arrow that is not there": {nil, adds("base", modulePath+"engine"), "base must not import engine"},
		"an arrow that points up":    {nil, adds("engine", modulePath+"web"), "engine must not import web"},
		"a package without a row":    {nil, addsPackage("extra"), "extra is in no row"},
		"a row without a package": {func(a *arch) {
			a.rows = append(a.rows, archRow{name: "gone"})
		}, nil, "the row gone matches no package"},
		"a row that is there twice": {func(a *arch) {
			a.rows = append(a.rows, archRow{name: "base"})
		}, nil, "the row base is there twice"},
		"a row that names none": {func(a *arch) {
			a.rows[0].imports = "nothing"
		}, nil, "the row base names nothing"},
		"a test helper outside tests": {func(a *arch) {
			a.rows[1].imports += " helper"
		}, adds("engine", modulePath+"helper"), "engine must not import helper, which is for tests only"},
		"tests that reach up":         {nil, addsTest("base", modulePath+"web"), "the tests of base must not import web"},
		"tests that import the tests": {nil, addsTest("base", modulePath+"conformance"), "the tests of base must not import conformance"},
		"an unknown dependency":       {nil, adds("engine", "example.org/unknown"), "engine must not depend on example.org/unknown"},
		"a dependency of others":      {nil, adds("engine", "example.org/http"), "engine must not depend on example.org/http"},
		"a dependency for tests":      {nil, adds("engine", "example.org/quick"), "engine must not depend on example.org/quick"},
		"an unknown dependency of tests": {
			nil, addsTest("engine", "example.org/unknown"), "the tests of engine must not depend on example.org/unknown"},
		"a banned package":          {nil, adds("base", "crypto/sha256"), "base must not import crypto/sha256"},
		"a banned package far away": {nil, adds("base", "middle"), "base must not reach net/http"},
		"a package that is broken": {nil, func(p map[string]goPackage) {
			broken := p[modulePath+"base"]
			broken.Error = &struct{ Err string }{"no Go files"}
			p[modulePath+"base"] = broken
		}, "base cannot be loaded: no Go files"},
	} {
		problems := sampleArch(c.table, c.packages).problems()
		if !slices.ContainsFunc(problems, func(problem string) bool { return strings.HasPrefix(problem, c.want) }) {
			t.Errorf("%s: the problems are %q, not %q", name, problems, c.want)
		}
	}
}

// sampleArch returns a module of base <- engine <- web with a helper for tests, changed
// as the arguments say.
func sampleArch(table func(*arch), change func(map[string]goPackage)) *arch {
	packages := map[string]goPackage{
		"net/http": {ImportPath: "net/http", Standard: true},
		"middle":   {ImportPath: "middle", Standard: true, Imports: []string{"net/http"}},
	}
	add := func(name string, p goPackage) {
		p.ImportPath = modulePath + name
		packages[p.ImportPath] = p
	}
	add("base", goPackage{Imports: []string{"fmt", "crypto/subtle"}, TestImports: []string{"crypto/sha256", "example.org/quick"}})
	add("engine", goPackage{Imports: []string{modulePath + "base"}, XTestImports: []string{modulePath + "helper", modulePath + "engine"}})
	add("web", goPackage{
		Imports:     []string{modulePath + "engine", "example.org/http/router"},
		TestImports: []string{modulePath + "base", modulePath + "store"},
	})
	add("store", goPackage{})
	add("helper", goPackage{Imports: []string{modulePath + "base"}})
	add("conformance", goPackage{TestImports: []string{modulePath + "web"}})
	if change != nil {
		change(packages)
	}
	a := newArch([]archRow{
		{name: "base"},
		{name: "engine", imports: "base"},
		{name: "web", imports: "engine", tests: "store"},
		{name: "store"},
		{name: "helper", imports: "base", testOnly: true},
		{name: "conformance", imports: "*", testOnly: true},
	}, []archDependency{
		{path: "example.org/http", users: "web"},
		{path: "example.org/quick", users: "*", testOnly: true},
	}, []archBan{
		{rows: "base", packages: "crypto"},
		{rows: "base engine", packages: "net/http", transitive: true},
	}, packages)
	if table != nil {
		table(a)
	}
	return a
}

// adds makes a package import another one.
func adds(name, imported string) func(map[string]goPackage) {
	return func(packages map[string]goPackage) {
		p := packages[modulePath+name]
		p.Imports = append(slices.Clone(p.Imports), imported)
		packages[modulePath+name] = p
	}
}

// addsTest makes the tests of a package import another one.
func addsTest(name, imported string) func(map[string]goPackage) {
	return func(packages map[string]goPackage) {
		p := packages[modulePath+name]
		p.XTestImports = append(slices.Clone(p.XTestImports), imported)
		packages[modulePath+name] = p
	}
}

// addsPackage adds a package that imports nothing.
func addsPackage(name string) func(map[string]goPackage) {
	return func(packages map[string]goPackage) {
		packages[modulePath+name] = goPackage{ImportPath: modulePath + name}
	}
}
