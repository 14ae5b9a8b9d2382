// Package vdafspec is the short form in which people write a VDAF and its
// parameters, such as "histogram:length=20" or "sum:max=1000":
//
//	count
//	sum:max=N
//	sumvec:length=N,max=M[,chunk=C]
//	histogram:length=N[,chunk=C]
//	histogram:edges=0;10;20[,chunk=C]
//	multihot:length=N,max_weight=W[,chunk=C]
//
// The parameters are those of VDAF Section 7.4: max is max_measurement, chunk
// is chunk_length. A chunk that is left out is the one with the smallest
// report. n edges make a histogram of n + 1 buckets: below the first edge, from
// each edge up to but without the next, and from the last edge upward.
package vdafspec

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twofold-dap/twofold/dap"
)

// MaxLength is the largest number of characters of a specification.
const MaxLength = 1 << 20

// maxEdges bounds the edges of one histogram.
const maxEdges = 1 << 16

// Spec is a VDAF with all its parameters.
type Spec struct {
	// Config is one of the dap.Prio3…Config.
	Config dap.VdafConfiguration
	// Edges are a histogram's bucket boundaries, strictly increasing; nil for any
	// other VDAF, and for a histogram over bucket indices.
	Edges []float64
}

// Error says what is wrong with a specification.
type Error struct {
	VDAF    string // as it was written, "histogram"; empty if that is the problem
	Key     string // the parameter, "length"; empty if the problem is another
	Value   string // as it was written
	Problem string // what is wrong, and what to write instead
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("VDAF")
	if e.VDAF != "" {
		b.WriteString(" " + e.VDAF)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
		if e.Value != "" {
			fmt.Fprintf(&b, "=%s", shorten(e.Value))
		}
	}
	b.WriteString(": " + e.Problem)
	return b.String()
}

// shorten keeps an error readable when a value is long.
func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// kind is one VDAF of the short form.
type kind struct {
	name     string
	required []string
	optional []string
	example  string
	build    func(p params) (Spec, error)
}

var kinds = []kind{
	{name: "count", example: "count", build: buildCount},
	{name: "sum", required: []string{"max"}, example: "sum:max=1000", build: buildSum},
	{name: "sumvec", required: []string{"length", "max"}, optional: []string{"chunk"}, example: "sumvec:length=3,max=255", build: buildSumVec},
	{name: "histogram", optional: []string{"length", "edges", "chunk"}, example: "histogram:length=20 or histogram:edges=0;10;20", build: buildHistogram},
	{name: "multihot", required: []string{"length", "max_weight"}, optional: []string{"chunk"}, example: "multihot:length=8,max_weight=3", build: buildMultihot},
}

// Parse reads a specification. Its error is an *Error.
func Parse(text string) (Spec, error) {
	if len(text) > MaxLength {
		return Spec{}, &Error{Problem: fmt.Sprintf("the specification has %d characters; at most %d are allowed", len(text), MaxLength)}
	}
	name, rest, hasParams := strings.Cut(text, ":")
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return Spec{}, &Error{Problem: fmt.Sprintf("%q is not known; write one of count, sum:max=N, sumvec:length=N,max=M, histogram:length=N, histogram:edges=0;10;20, multihot:length=N,max_weight=W", shorten(name))}
	}
	p := params{kind: kinds[i]}
	if err := p.read(rest, hasParams); err != nil {
		return Spec{}, err
	}
	spec, err := p.kind.build(p)
	if err != nil {
		return Spec{}, err
	}
	if err := spec.check(p); err != nil {
		return Spec{}, err
	}
	return spec, nil
}

// FromConfiguration returns the specification of a task's VDAF. Its error is that
// of dap.TaskConfiguration.Vdaf, or an *Error if the VDAF has no short form or
// a parameter is out of range.
func FromConfiguration(task dap.TaskConfiguration) (Spec, error) {
	config, err := task.Vdaf()
	if err != nil {
		return Spec{}, err
	}
	spec := Spec{Config: config}
	if _, ok := config.(dap.Poplar1Config); ok {
		return Spec{}, &Error{Problem: "Poplar1 is not supported; use one of count, sum, sumvec, histogram, multihot"}
	}
	return spec, spec.check(params{kind: kind{name: spec.name()}})
}

// Encode returns the values for a TaskConfiguration's vdaf_type and
// vdaf_configuration.
func (s Spec) Encode() (dap.VdafType, []byte, error) {
	encoded, err := s.Config.Encode()
	return s.Config.VdafType(), encoded, err
}

// String returns the specification with all its parameters. Parse gives back
// the same Spec.
func (s Spec) String() string {
	switch c := s.Config.(type) {
	case dap.Prio3CountConfig:
		return "count"
	case dap.Prio3SumConfig:
		return fmt.Sprintf("sum:max=%d", c.MaxMeasurement)
	case dap.Prio3SumVecConfig:
		return fmt.Sprintf("sumvec:length=%d,max=%d,chunk=%d", c.Length, c.MaxMeasurement, c.ChunkLength)
	case dap.Prio3HistogramConfig:
		if s.Edges != nil {
			return fmt.Sprintf("histogram:edges=%s,chunk=%d", formatEdges(s.Edges), c.ChunkLength)
		}
		return fmt.Sprintf("histogram:length=%d,chunk=%d", c.Length, c.ChunkLength)
	case dap.Prio3MultihotCountVecConfig:
		return fmt.Sprintf("multihot:length=%d,max_weight=%d,chunk=%d", c.Length, c.MaxWeight, c.ChunkLength)
	}
	return fmt.Sprintf("unknown (%T)", s.Config)
}

func (s Spec) name() string {
	name, _, _ := strings.Cut(s.String(), ":")
	return name
}

// ResultLength is the number of numbers in an aggregate result: 1 for count and
// sum, whose results are single numbers, and the length otherwise.
func (s Spec) ResultLength() int {
	switch c := s.Config.(type) {
	case dap.Prio3SumVecConfig:
		return int(c.Length)
	case dap.Prio3HistogramConfig:
		return int(c.Length)
	case dap.Prio3MultihotCountVecConfig:
		return int(c.Length)
	}
	return 1
}

// Bucket returns the index of the bucket that value falls into; only for a
// histogram with edges. It looks at every edge, whatever the value.
func (s Spec) Bucket(value float64) int {
	bucket := 0
	for _, edge := range s.Edges {
		if edge <= value {
			bucket++
		}
	}
	return bucket
}

// BucketLabels names the buckets of a histogram with edges; nil for any other.
func (s Spec) BucketLabels() []string {
	if len(s.Edges) == 0 {
		return nil
	}
	labels := make([]string, 0, len(s.Edges)+1)
	labels = append(labels, "below "+formatEdge(s.Edges[0]))
	for i := 1; i < len(s.Edges); i++ {
		labels = append(labels, fmt.Sprintf("%s to below %s", formatEdge(s.Edges[i-1]), formatEdge(s.Edges[i])))
	}
	return append(labels, formatEdge(s.Edges[len(s.Edges)-1])+" or more")
}

func formatEdge(edge float64) string { return strconv.FormatFloat(edge, 'g', -1, 64) }

func formatEdges(edges []float64) string {
	texts := make([]string, len(edges))
	for i, edge := range edges {
		texts[i] = formatEdge(edge)
	}
	return strings.Join(texts, ";")
}

// parseEdges reads "0;10;20".
func parseEdges(text string) ([]float64, string) {
	texts := strings.Split(text, ";")
	if len(texts) > maxEdges {
		return nil, fmt.Sprintf("%d edges; at most %d are allowed", len(texts), maxEdges)
	}
	edges := make([]float64, len(texts))
	for i, t := range texts {
		edge, err := strconv.ParseFloat(t, 64)
		if err != nil || math.IsNaN(edge) || math.IsInf(edge, 0) {
			return nil, fmt.Sprintf("edge %d, %q, is not a number; write numbers in rising order with ; between them, such as 0;10;20", i+1, shorten(t))
		}
		if i > 0 && edge <= edges[i-1] {
			return nil, fmt.Sprintf("edge %d, %s, is not greater than the one before it; write them in rising order", i+1, formatEdge(edge))
		}
		edges[i] = edge + 0 // makes -0 a 0
	}
	return edges, ""
}
