package main

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestWorkloadsOfTheTable(t *testing.T) {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.name)
		if hasChunk := w.kind != "count" && w.kind != "sum"; hasChunk != (w.chunk > 0) {
			t.Errorf("%s: chunk length %d", w.name, w.chunk)
		}
		got, err := parseRequest(prepareLine(w))
		if err != nil {
			t.Fatal(err)
		}
		read, err := got.workload()
		if read.name = w.name; err != nil || read != w {
			t.Errorf("%q reads as %+v, %v", prepareLine(w), read, err)
		}
	}
	want := []string{"Count", "Sum, max 2^20", "Histogram, 10", "Histogram, 100", "Histogram, 1,000", "Histogram, 10,000",
		"MultihotCountVec, 100, weight 10", "MultihotCountVec, 1,000, weight 50",
		"SumVec, 100 × 16 bits", "SumVec, 1,000 × 16 bits", "SumVec, 10,000 × 1 bit", "SumVec, 100,000 × 1 bit"}
	if !slices.Equal(names, want) {
		t.Errorf("workloads %q", names)
	}
}

func TestMeasurementsAreValid(t *testing.T) {
	for _, w := range workloads() {
		for i := range w.reports {
			weight := 0
			if w.kind == "multihot" {
				for _, f := range w.flags(i) {
					weight += int(one(f))
				}
				if want := i%w.weight + 1; weight != want {
					t.Errorf("%s: measurement %d has weight %d, and not %d", w.name, i, weight, want)
				}
			}
			if w.number(i) > w.max || w.bucket(i) >= w.length || slices.Max(w.vector(i)) > w.max {
				t.Errorf("%s: measurement %d is out of range", w.name, i)
			}
		}
	}
}

// aTable has two implementations beside Twofold; one of them lacks a step.
func aTable() *table {
	s := samples{}
	for round, factor := range []float64{1, 3, 2} {
		for i, at := range measured {
			ns := factor * 1_000 * float64(i+1)
			s.add(at, nameTwofold, ns)
			s.add(at, nameLibprio, ns*float64(2+round))
			if at != stepHelperRest {
				s.add(at, nameCircl, ns*1_000)
			}
		}
	}
	return &table{
		Machine: machine{Processor: "A processor", Processors: 2, OS: "linux", Arch: "amd64", Go: "go1", Date: "2026-01-02"},
		Peers:   []description{{Name: nameTwofold}, {Name: nameLibprio, Version: "prio 0.18.1", Draft: "draft", WireVersion: 18}, {Name: nameCircl}},
		Rounds:  3, NanosecondsPerStep: 1e6,
		Workloads: []row{{Name: "Count", Reports: 64, Steps: s.summarize([]string{nameTwofold, nameSingle, nameLibprio, nameCircl})}},
	}
}

func TestSummaries(t *testing.T) {
	steps := map[step]summary{}
	for _, s := range aTable().Workloads[0].Steps {
		steps[step(s.Step)] = s
	}
	if got := steps[stepShard].Nanoseconds; got[nameTwofold] != 2_000 || got[nameLibprio] != 8_000 || len(got) != 3 {
		t.Errorf("shard: %v", got) // libprio-rs: the median of 2, 9 and 8 µs
	}
	if got := steps[stepShard].Ratios; got[nameLibprio] != 3 || got[nameCircl] != 1_000 {
		t.Errorf("shard: ratios %v", got)
	}
	if got := steps[stepLeader].Nanoseconds[nameTwofold]; got != 10_000 { // 2 × (2 + 3) µs
		t.Errorf("the Leader: %v", got)
	}
	if got := steps[stepHelper]; got.Ratios[nameLibprio] != 3 || got.Nanoseconds[nameCircl] != 0 || got.Ratios[nameCircl] != 0 {
		t.Errorf("the Helper: %+v", got)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{1: {1}, 2: {3, 1}, 3: {9, 1, 3}, 4: {9, 1, 3, 5}} {
		if got := median(values); got != want {
			t.Errorf("the median of %v is %v, and not %v", values, got, want)
		}
	}
}

func TestDigits(t *testing.T) {
	for want, x := range map[string]float64{"0.012": 0.0123, "1.23": 1.234, "12.3": 12.34, "123": 123.4, "1,234": 1234.4, "1,234,568": 1234567.8} {
		if got := digits(x); got != want {
			t.Errorf("digits(%v) = %q, and not %q", x, got, want)
		}
	}
}

func TestParseMeasured(t *testing.T) {
	if ns, err := parseMeasured("4 10"); err != nil || math.Abs(ns-2.5) > 1e-9 {
		t.Errorf("%v, %v", ns, err)
	}
	for _, bad := range []string{"", "1", "0 10", "x 10", "-1 10"} {
		if ns, err := parseMeasured(bad); err == nil {
			t.Errorf("%q is %v", bad, ns)
		}
	}
}

func TestText(t *testing.T) {
	var b strings.Builder
	if err := aTable().writeText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"medians of 3 rounds", "A processor, 2 processors", "libprio-rs: prio 0.18.1, draft (wire version 18)", "Helper: verification", "1,000×", missing} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestDocument(t *testing.T) {
	path := filepath.Join(t.TempDir(), "performance.md")
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write("# Performance\n" + markerBegin + "\nold\n" + markerEnd + "\nafter\n")
	for range 2 { // writing it again changes nothing
		if err := writeDocument(path, aTable()); err != nil {
			t.Fatal(err)
		}
		want := "# Performance\n" + markerBegin + "\n" + aTable().markdown() + markerEnd + "\nafter\n"
		if got := read(); got != want {
			t.Errorf("the document is\n%s", got)
		}
	}
	for _, broken := range []string{"", markerBegin + "\n", markerEnd, markerEnd + "\n" + markerBegin + "\n"} {
		write(broken)
		if err := writeDocument(path, aTable()); err == nil || read() != broken {
			t.Errorf("a document with %q: %v, and it holds %q", broken, err, read())
		}
	}
}

func TestMarkdownIsRectangular(t *testing.T) {
	width := 0
	for line := range strings.Lines(aTable().markdown()) {
		if !strings.HasPrefix(line, "|") {
			width = 0
			continue
		}
		if n := strings.Count(line, "|"); width != 0 && n != width {
			t.Errorf("%q has %d columns, and the line above %d", line, n-1, width-1)
		} else {
			width = n
		}
	}
}

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	files := fstest.MapFS{"root/a": {Data: []byte("one")}, "root/src/b": {Data: []byte("two")}}
	first, err := unpack(files, "root", dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := unpack(files, "root", dir)
	if err != nil || again != first {
		t.Errorf("unpacked again into %s, %v", again, err)
	}
	files["root/src/b"].Data = []byte("three")
	other, err := unpack(files, "root", dir)
	if err != nil || other == first {
		t.Errorf("changed files are in %s, %v", other, err)
	}
	for path, want := range map[string]string{filepath.Join(first, "src", "b"): "two", filepath.Join(other, "src", "b"): "three", filepath.Join(other, "a"): "one"} {
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v", path, b, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v: want the two directories alone", entries, err)
	}
}

func TestPrioVersion(t *testing.T) {
	version, err := prioVersion()
	if err != nil || !strings.HasPrefix(version, "0.18.") {
		t.Errorf("%q, %v", version, err)
	}
}

func TestCPUInfo(t *testing.T) {
	var m machine
	m.readCPUInfo(bufio.NewScanner(strings.NewReader("processor\t: 0\nmodel name\t: First\nflags\t\t: fpu avx2 avx512f sse\n\nprocessor\t: 1\nmodel name\t: Second\n")))
	if m.Processor != "First" || m.Vectors != "AVX2, AVX-512" {
		t.Errorf("%+v", m)
	}
}
