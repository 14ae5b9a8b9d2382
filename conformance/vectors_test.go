package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shippedVectors is the directory of the vectors that this module ships. They
// come from an independent implementation: see conformance/generate.
const shippedVectors = "testdata/vdaf-18"

// What there is in shippedVectors.
const (
	shippedFiles      = 134
	shippedOperations = 4706
)

// TestVectors replays the shipped vectors, and sees that none is missing.
func TestVectors(t *testing.T) {
	vectors, operations := replayDirectory(t, shippedVectors)
	if vectors != shippedFiles || operations != shippedOperations {
		t.Errorf("replayed %d vectors with %d operations; %s must have %d with %d",
			vectors, operations, shippedVectors, shippedFiles, shippedOperations)
	}
}

// TestVectorsNameTheirGenerator sees that each shipped vector says which version of
// which implementation it comes from: the one that the generator is locked to.
func TestVectorsNameTheirGenerator(t *testing.T) {
	lock, err := os.ReadFile("generate/Cargo.lock")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^name = "prio"\nversion = "(0\.18\.\d+)"$`).FindSubmatch(lock)
	if version == nil {
		t.Fatal("the generator is not locked to a version 0.18 of prio")
	}
	paths, err := filepath.Glob(filepath.Join(shippedVectors, "*.json"))
	if err != nil || len(paths) != shippedFiles {
		t.Fatalf("%d files (%v), not %d", len(paths), err, shippedFiles)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Generator string `json:"generator"`
		}
		if err := json.Unmarshal(data, &file); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if want := fmt.Sprintf("prio %s", version[1]); file.Generator != want {
			t.Errorf("%s: the generator is %q, not %q", path, file.Generator, want)
		}
	}
}

// TestOfficialVectors replays the official vectors in the directory that the
// environment variable VDAF_VECTORS names, relative to the module's root, and fails on
// a file that it cannot run. Without the variable there are none to replay; it
// replays the shipped ones and says so.
func TestOfficialVectors(t *testing.T) {
	directory := os.Getenv("VDAF_VECTORS")
	if directory == "" {
		t.Logf("VDAF_VECTORS is not set: no official vector is replayed, but those in conformance/%s", shippedVectors)
		directory = shippedVectors
	} else if !filepath.IsAbs(directory) {
		directory = filepath.Join(moduleRoot(t), directory)
	}
	vectors, operations := replayDirectory(t, directory)
	t.Logf("%d vectors, %d operations", vectors, operations)
}

// replayDirectory replays every file of a directory, each as a test of its own.
// It fails when there are none.
func replayDirectory(t *testing.T, directory string) (vectors, operations int) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatalf("reading the vectors: %v", err)
	}
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".json" {
			t.Logf("%s is not a vector: its name does not end with .json", entry.Name())
			continue
		}
		t.Run(strings.TrimSuffix(entry.Name(), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(directory, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			n, err := replay(entry.Name(), data)
			if err != nil {
				t.Fatal(err)
			}
			vectors++
			operations += n
		})
	}
	if vectors == 0 && !t.Failed() {
		t.Fatalf("there is no vector in %s", directory)
	}
	return vectors, operations
}

// replay replays a file, and returns how many operations it has. What stands before the
// first underscore or the dot of its name says what it is a vector of.
func replay(fileName string, data []byte) (operations int, err error) {
	name, _, _ := strings.Cut(strings.TrimSuffix(fileName, ".json"), "_")
	if name == "XofTurboShake128" {
		return replayXOF(data)
	}
	return replayVDAF(name, data)
}

// moduleRoot returns the directory of go.mod, at or above the working
// directory, which is the package's.
func moduleRoot(t *testing.T) string {
	t.Helper()
	directory, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			t.Fatal("there is no go.mod at or above the working directory")
		}
		directory = parent
	}
}
