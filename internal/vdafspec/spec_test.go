package vdafspec

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/vdaf"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want Spec
		full string // String of the result
	}{
		{"count", Spec{Config: dap.Prio3CountConfig{}}, "count"},
		{"sum:max=1000", Spec{Config: dap.Prio3SumConfig{MaxMeasurement: 1000}}, "sum:max=1000"},
		{"sumvec:length=3,max=255,chunk=5", Spec{Config: dap.Prio3SumVecConfig{Length: 3, MaxMeasurement: 255, ChunkLength: 5}}, "sumvec:length=3,max=255,chunk=5"},
		{"sumvec:max=255,length=3", Spec{Config: dap.Prio3SumVecConfig{Length: 3, MaxMeasurement: 255, ChunkLength: uint32(vdaf.OptimalChunkLength(24))}}, ""},
		{"histogram:length=20", Spec{Config: dap.Prio3HistogramConfig{Length: 20, ChunkLength: uint32(vdaf.OptimalChunkLength(20))}}, ""},
		{"histogram:edges=0;10;20,chunk=2", Spec{Config: dap.Prio3HistogramConfig{Length: 4, ChunkLength: 2}, Edges: []float64{0, 10, 20}}, "histogram:edges=0;10;20,chunk=2"},
		{"histogram:edges=-1.5;0;1e3,chunk=4", Spec{Config: dap.Prio3HistogramConfig{Length: 4, ChunkLength: 4}, Edges: []float64{-1.5, 0, 1000}}, "histogram:edges=-1.5;0;1000,chunk=4"},
		{"multihot:length=8,max_weight=3", Spec{Config: dap.Prio3MultihotCountVecConfig{Length: 8, MaxWeight: 3, ChunkLength: uint32(vdaf.OptimalChunkLength(10))}}, ""},
	} {
		got, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.text, got, c.want)
		}
		if c.full != "" && got.String() != c.full {
			t.Errorf("%s: String() = %s, want %s", c.text, got, c.full)
		}
		again, err := Parse(got.String())
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%s: parsing %s again gives %+v, %v", c.text, got, again, err)
		}
		vdafType, encoded, err := got.Encode()
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		back, err := FromConfiguration(dap.TaskConfiguration{VdafType: vdafType, VdafConfiguration: encoded})
		if err != nil || !reflect.DeepEqual(back.Config, got.Config) {
			t.Errorf("%s: from its configuration: %+v, %v", c.text, back, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, key, mentions string }{
		{"", "", "is not known"},
		{"avg", "", "is not known"},
		{"Count", "", "is not known"},
		{"count:length=3", "length", "this VDAF has none"},
		{"sum", "max", "is missing"},
		{"sum:", "", "KEY=VALUE"},
		{"sum:max", "", "KEY=VALUE"},
		{"sum:max=", "", "KEY=VALUE"},
		{"sum:max=0", "max", "must be"},
		{"sum:max=-1", "max", "must be"},
		{"sum:max=1.5", "max", "must be"},
		{"sum:max=18446744073709551616", "max", "must be"},
		{"sum:max=18446744073709551615", "max", "must be"}, // not below Field64's prime
		{"sum:max=5,max=5", "max", "twice"},
		{"sum:max=5,", "", "KEY=VALUE"},
		{"sum:max=5,min=2", "min", "no such parameter"},
		{"sumvec:length=3", "max", "is missing"},
		{"sumvec:max=3", "length", "is missing"},
		{"sumvec:length=0,max=3", "length", "must be"},
		{"sumvec:length=4294967297,max=3", "length", "must be"},
		{"sumvec:length=65537,max=65535", "", "field elements"},
		{"sumvec:length=65537,max=65535,chunk=1000", "length", "field elements"},
		{"histogram:length=1048577", "length", "must be"},
		{"histogram:length=60000000", "length", "must be"},
		{"histogram:length=4,chunk=1048577", "chunk", "must be"},
		{"histogram:length=4,chunk=1048576", "chunk", "square root"},
		{"histogram:length=1048576,chunk=1", "", "leave the chunk out"},
		{"multihot:length=1048576,max_weight=5", "", "field elements"},
		{"sumvec:length=3,max=3,chunk=0", "chunk", "must be"},
		{"histogram", "", "either length"},
		{"histogram:length=3,edges=0;1", "", "either length"},
		{"histogram:edges=1;1", "edges", "not greater"},
		{"histogram:edges=2;1", "edges", "not greater"},
		{"histogram:edges=a;b", "edges", "not a number"},
		{"histogram:edges=0;NaN", "edges", "not a number"},
		{"histogram:edges=0;Inf", "edges", "not a number"},
		{"histogram:edges=0;", "edges", "not a number"},
		{"multihot:length=3", "max_weight", "is missing"},
		{"multihot:length=3,max_weight=4", "max_weight", "must be"},
		{"multihot:length=3,max_weight=0", "max_weight", "must be"},
	} {
		_, err := Parse(c.text)
		problem, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("%q: got %v, want an *Error", c.text, err)
			continue
		}
		if problem.Key != c.key || !strings.Contains(problem.Problem, c.mentions) {
			t.Errorf("%q: got key %q and %v, want key %q and a text with %q", c.text, problem.Key, err, c.key, c.mentions)
		}
	}
}

func TestFromConfigurationErrors(t *testing.T) {
	poplar, err := dap.Poplar1Config{Bits: 8}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FromConfiguration(dap.TaskConfiguration{VdafType: dap.VdafTypePoplar1, VdafConfiguration: poplar}); err == nil {
		t.Error("Poplar1 was taken")
	}
	bad, err := dap.Prio3MultihotCountVecConfig{Length: 3, ChunkLength: 1, MaxWeight: 1 << 63}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, err = FromConfiguration(dap.TaskConfiguration{VdafType: dap.VdafTypePrio3MultihotCountVec, VdafConfiguration: bad})
	if problem, ok := errors.AsType[*Error](err); !ok || problem.Key != "max_weight" {
		t.Errorf("a weight beyond the length: %v", err)
	}
}

// Nothing large is made of parameters that are out of bounds, whoever sent them.
func TestConfigurationsBeyondTheBounds(t *testing.T) {
	for name, config := range map[string]dap.VdafConfiguration{
		"sumvec length":     dap.Prio3SumVecConfig{Length: 1<<32 - 1, MaxMeasurement: 1<<64 - 1, ChunkLength: 1},
		"sumvec chunk":      dap.Prio3SumVecConfig{Length: 4, MaxMeasurement: 1, ChunkLength: 1 << 25},
		"histogram length":  dap.Prio3HistogramConfig{Length: 1 << 26, ChunkLength: 1 << 13},
		"histogram chunk":   dap.Prio3HistogramConfig{Length: 1 << 10, ChunkLength: 1<<32 - 1},
		"histogram proof":   dap.Prio3HistogramConfig{Length: 1 << 10, ChunkLength: MaxElements},
		"multihot length":   dap.Prio3MultihotCountVecConfig{Length: 1<<32 - 1, MaxWeight: 1<<32 - 1, ChunkLength: 1 << 16},
		"multihot chunk":    dap.Prio3MultihotCountVecConfig{Length: 4, MaxWeight: 2, ChunkLength: MaxElements + 1},
		"one chunk of many": dap.Prio3HistogramConfig{Length: MaxElements, ChunkLength: MaxElements},
	} {
		verifier, err := NewVDAF(config)
		if problem, ok := errors.AsType[*vdaf.ParamError](err); !ok || problem.Want == "" || verifier != nil {
			t.Errorf("%s: got %v, %v; want a *vdaf.ParamError", name, verifier, err)
		}
	}
}

func TestLargestConfigurations(t *testing.T) {
	for _, text := range []string{"sumvec:length=65536,max=65535", "histogram:length=1048576", "multihot:length=1048573,max_weight=5"} {
		if _, err := Parse(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestBuckets(t *testing.T) {
	spec, err := Parse("histogram:edges=0;10;20.5")
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[float64]int{-1e9: 0, -0.1: 0, 0: 1, 9.9: 1, 10: 2, 20: 2, 20.5: 3, 1e9: 3} {
		if got := spec.Bucket(value); got != want {
			t.Errorf("%v falls into %d, want %d", value, got, want)
		}
	}
	want := []string{"below 0", "0 to below 10", "10 to below 20.5", "20.5 or more"}
	if got := spec.BucketLabels(); !reflect.DeepEqual(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
	if got := (Spec{Config: dap.Prio3CountConfig{}}).BucketLabels(); got != nil {
		t.Errorf("labels of a count: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"count", "sum:max=7", "sumvec:length=3,max=7", "histogram:edges=0;1.5", "histogram:length=4,chunk=2", "multihot:length=4,max_weight=2"} {
		f.Add(seed)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		// Large instances are right, but slow to make thousands of times.
		if len(text) > 40 || strings.Count(text, "0") > 4 {
			return
		}
		spec, err := Parse(text)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%q: error of type %T", text, err)
			}
			return
		}
		again, err := Parse(spec.String())
		if err != nil || !reflect.DeepEqual(again, spec) {
			t.Fatalf("%q became %+v, then %+v, %v", text, spec, again, err)
		}
	})
}
