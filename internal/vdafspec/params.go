package vdafspec

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/flp"
)

// params are the parameters of a specification as they were written.
type params struct {
	kind   kind
	values map[string]string
}

// read reads "key=value,key=value", and refuses keys that are unknown, repeated
// or missing.
func (p *params) read(text string, given bool) error {
	p.values = map[string]string{}
	if !given {
		return p.checkRequired()
	}
	for field := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(field, "=")
		switch {
		case !ok || key == "" || value == "":
			return &Error{VDAF: p.kind.name, Problem: fmt.Sprintf("%q is not KEY=VALUE; write it like %s", shorten(field), p.kind.example)}
		case !slices.Contains(p.kind.required, key) && !slices.Contains(p.kind.optional, key):
			return &Error{VDAF: p.kind.name, Key: key, Value: value, Problem: "there is no such parameter; " + p.kind.known()}
		}
		if _, repeated := p.values[key]; repeated {
			return &Error{VDAF: p.kind.name, Key: key, Value: value, Problem: "is given twice; leave one out"}
		}
		p.values[key] = value
	}
	return p.checkRequired()
}

func (k kind) known() string {
	all := slices.Concat(k.required, k.optional)
	if len(all) == 0 {
		return "this VDAF has none"
	}
	return "this VDAF has " + strings.Join(all, ", ")
}

func (p *params) checkRequired() error {
	for _, key := range p.kind.required {
		if _, ok := p.values[key]; !ok {
			return &Error{VDAF: p.kind.name, Key: key, Problem: "is missing; write it like " + p.kind.example}
		}
	}
	return nil
}

// number returns a parameter as a whole number in [1, most].
func (p *params) number(key string, most uint64) (uint64, error) {
	text := p.values[key]
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < 1 || n > most {
		return 0, &Error{VDAF: p.kind.name, Key: key, Value: text, Problem: fmt.Sprintf("must be a whole number, 1 to %d", most)}
	}
	return n, nil
}

func (p *params) length() (uint32, error) {
	n, err := p.number("length", MaxElements)
	return uint32(n), err
}

// chunk returns the chunk length: the given one, or the one with the shortest
// proof for an encoded measurement of measLen field elements.
func (p *params) chunk(measLen uint64) (uint32, error) {
	if _, ok := p.values["chunk"]; ok {
		n, err := p.number("chunk", MaxElements)
		return uint32(n), err
	}
	if measLen > MaxElements {
		return 0, &Error{VDAF: p.kind.name, Problem: fmt.Sprintf("a measurement would have %d field elements; at most %d are allowed: lower the length or the maximum", measLen, MaxElements)}
	}
	return uint32(flp.OptimalChunkLength(int(measLen))), nil
}

func buildCount(params) (Spec, error) { return Spec{Config: dap.Prio3CountConfig{}}, nil }

func buildSum(p params) (Spec, error) {
	largest, err := p.number("max", math.MaxUint64)
	return Spec{Config: dap.Prio3SumConfig{MaxMeasurement: largest}}, err
}

func buildSumVec(p params) (Spec, error) {
	length, err := p.length()
	if err != nil {
		return Spec{}, err
	}
	largest, err := p.number("max", math.MaxUint64)
	if err != nil {
		return Spec{}, err
	}
	chunk, err := p.chunk(uint64(length) * uint64(bits.Len64(largest)))
	return Spec{Config: dap.Prio3SumVecConfig{Length: length, MaxMeasurement: largest, ChunkLength: chunk}}, err
}

func buildHistogram(p params) (Spec, error) {
	var edges []float64
	var length uint32
	text, hasEdges := p.values["edges"]
	_, hasLength := p.values["length"]
	switch {
	case hasEdges == hasLength:
		return Spec{}, &Error{VDAF: p.kind.name, Problem: "give either length, the number of buckets, or edges, their boundaries: " + p.kind.example}
	case hasEdges:
		var problem string
		if edges, problem = parseEdges(text); problem != "" {
			return Spec{}, &Error{VDAF: p.kind.name, Key: "edges", Value: text, Problem: problem}
		}
		length = uint32(len(edges) + 1)
	default:
		var err error
		if length, err = p.length(); err != nil {
			return Spec{}, err
		}
	}
	chunk, err := p.chunk(uint64(length))
	return Spec{Config: dap.Prio3HistogramConfig{Length: length, ChunkLength: chunk}, Edges: edges}, err
}

func buildMultihot(p params) (Spec, error) {
	length, err := p.length()
	if err != nil {
		return Spec{}, err
	}
	weight, err := p.number("max_weight", uint64(length))
	if err != nil {
		return Spec{}, err
	}
	chunk, err := p.chunk(uint64(length) + uint64(bits.Len64(weight)))
	return Spec{Config: dap.Prio3MultihotCountVecConfig{Length: length, ChunkLength: chunk, MaxWeight: weight}}, err
}
