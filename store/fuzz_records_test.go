package store

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// recordKinds are all records in CBOR, for FuzzRecords.
func recordKinds() []any {
	return []any{
		new(schemaRecord), new(migrationRecord), new(standingRecord), new(copyRecord), new(restoredRecord),
		new(taskRecord), new(hpkeKeyRecord), new(peeringRecord), new(optInRecord),
		new(bucketRecord), new(batchRecord), new(jobRecord), new(collectionRecord), new(failureRecord),
		new(leaderCounters), new(helperCounters), new(retained), new(marksRecord), new(mark), new(helperJobRecord), new(helperReportRecord), new(shareRecord), new(ledgerRecord), new(chargeRecord),
	}
}

// TestEveryRecordIsFuzzed compares recordKinds with the package's source.
func TestEveryRecordIsFuzzed(t *testing.T) {
	fuzzed := map[string]bool{}
	for _, kind := range recordKinds() {
		fuzzed[strings.TrimPrefix(fmt.Sprintf("%T", kind), "*store.")] = true
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			types, ok := declaration.(*ast.GenDecl)
			if !ok || types.Tok != token.TYPE {
				continue
			}
			for _, spec := range types.Specs {
				named := spec.(*ast.TypeSpec)
				if !isRecord(named.Type) {
					continue
				}
				if !fuzzed[named.Name.Name] {
					t.Errorf("%s: %s is a record that FuzzRecords does not decode: add it to recordKinds", file.Name(), named.Name.Name)
				}
				delete(fuzzed, named.Name.Name)
			}
		}
	}
	for name := range fuzzed {
		t.Errorf("%s is in recordKinds, and is no record of the source", name)
	}
}

// isRecord tells whether a type is a struct with fields in CBOR.
func isRecord(expression ast.Expr) bool {
	fields, ok := expression.(*ast.StructType)
	if !ok {
		return false
	}
	for _, field := range fields.Fields.List {
		if field.Tag != nil && strings.Contains(field.Tag.Value, "cbor:") {
			return true
		}
	}
	return false
}
