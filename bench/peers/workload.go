package main

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/twofold-dap/twofold/vdaf"
)

// A workload is a VDAF instance and a batch of measurements for it. libprio's
// workload.rs has the same measurements.
type workload struct {
	kind    string // as the protocol names it
	name    string // as the table names it
	length  int    // 1 if a measurement is a single number
	max     uint64 // max_measurement
	weight  int    // max_weight
	chunk   int    // chunk_length, 0 if there is none
	reports int    // in the batch
}

// workloads are the rows of the table.
func workloads() []workload {
	all := []workload{
		{kind: "count", name: "Count", length: 1, max: 1},
		{kind: "sum", name: "Sum, max 2^20", length: 1, max: 1 << 20},
	}
	for _, length := range []int{10, 100, 1_000, 10_000} {
		all = append(all, workload{kind: "histogram", name: "Histogram, " + thousands(length), length: length, max: 1})
	}
	for _, w := range []workload{{length: 100, weight: 10}, {length: 1_000, weight: 50}} {
		w.kind, w.name, w.max = "multihot", fmt.Sprintf("MultihotCountVec, %s, weight %d", thousands(w.length), w.weight), 1
		all = append(all, w)
	}
	for _, w := range []workload{{length: 100, max: 1<<16 - 1}, {length: 1_000, max: 1<<16 - 1}, {length: 10_000, max: 1}, {length: 100_000, max: 1}} {
		w.kind, w.name = "sumvec", fmt.Sprintf("SumVec, %s × %s", thousands(w.length), bitsText(w.max))
		all = append(all, w)
	}
	for i := range all {
		all[i].chunk = all[i].chunkLength()
		all[i].reports = batch(all[i].elements())
	}
	return all
}

// elements is the length of an encoded measurement in field elements.
func (w workload) elements() int {
	switch w.kind {
	case "sum", "sumvec":
		return w.length * bits.Len64(w.max)
	case "multihot":
		return w.length + bits.Len(uint(w.weight))
	}
	return w.length
}

func (w workload) chunkLength() int {
	if w.kind == "count" || w.kind == "sum" {
		return 0
	}
	return vdaf.OptimalChunkLength(w.elements())
}

// batch is how many reports a batch has: fewer where reports are large, so that
// they fit into memory four times.
func batch(elements int) int {
	switch {
	case elements <= 2_000:
		return 64
	case elements <= 20_000:
		return 32
	}
	return 16
}

// flag, number, bucket, flags and vector are the measurement of report i, by
// type.
func (w workload) flag(i int) bool     { return i%3 != 0 }
func (w workload) number(i int) uint64 { return uint64(i) * 654_321 % (w.max + 1) }
func (w workload) bucket(i int) int    { return i * 7_919 % w.length }

func (w workload) flags(i int) []bool {
	flags := make([]bool, w.length)
	for k := range i%w.weight + 1 {
		flags[(i+k*(w.length/w.weight))%w.length] = true
	}
	return flags
}

func (w workload) vector(i int) []uint64 {
	vector := make([]uint64, w.length)
	for j := range vector {
		vector[j] = uint64(i*31+j*17) % (w.max + 1)
	}
	return vector
}

// want is the aggregate result of the batch, as a peer must state it.
func (w workload) want() string {
	sum := make([]uint64, w.length)
	for i := range w.reports {
		switch w.kind {
		case "count":
			sum[0] += one(w.flag(i))
		case "sum":
			sum[0] += w.number(i)
		case "histogram":
			sum[w.bucket(i)]++
		case "multihot":
			for j, f := range w.flags(i) {
				sum[j] += one(f)
			}
		case "sumvec":
			for j, x := range w.vector(i) {
				sum[j] += x
			}
		}
	}
	return joined(sum)
}

func one(flag bool) uint64 {
	if flag {
		return 1
	}
	return 0
}

// measurements returns what one of the functions above makes of each report.
func measurements[M any](w workload, of func(i int) M) []M {
	all := make([]M, w.reports)
	for i := range all {
		all[i] = of(i)
	}
	return all
}

func joined(numbers []uint64) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(texts, ",")
}

func bitsText(max uint64) string {
	if n := bits.Len64(max); n != 1 {
		return fmt.Sprintf("%d bits", n)
	}
	return "1 bit"
}

// thousands writes n with a comma between the thousands.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
