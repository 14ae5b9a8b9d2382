package taskvdaf_test

import (
	"errors"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
	"github.com/twofold-dap/twofold/vdaf"
)

func configuration(t *testing.T, c dap.VdafConfiguration) dap.TaskConfiguration {
	t.Helper()
	encoded, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return dap.TaskConfiguration{VdafType: c.VdafType(), VdafConfiguration: encoded}
}

func TestTopologyAndDescribe(t *testing.T) {
	for _, c := range []struct {
		config dap.VdafConfiguration
		id     uint32
		text   string
	}{
		{dap.Prio3CountConfig{}, vdaf.IDPrio3Count, "count"},
		{dap.Prio3SumConfig{MaxMeasurement: 1000}, vdaf.IDPrio3Sum, "sum:max=1000"},
		{dap.Prio3SumVecConfig{Length: 5, MaxMeasurement: 255, ChunkLength: 3}, vdaf.IDPrio3SumVec, "sumvec:length=5,max=255,chunk=3"},
		{dap.Prio3HistogramConfig{Length: 20, ChunkLength: 4}, vdaf.IDPrio3Histogram, "histogram:length=20,chunk=4"},
		{dap.Prio3MultihotCountVecConfig{Length: 8, ChunkLength: 2, MaxWeight: 3}, vdaf.IDPrio3MultihotCountVec, "multihot:length=8,max_weight=3,chunk=2"},
	} {
		config := configuration(t, c.config)
		topology, err := taskvdaf.Topology(config)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if v := topology.Verifier(); v.ID() != c.id || v.Shares() != 2 {
			t.Errorf("%s: an instance of VDAF %d with %d shares", c.text, v.ID(), v.Shares())
		}
		if text := taskvdaf.Describe(config); text != c.text {
			t.Errorf("described as %q, want %q", text, c.text)
		}
	}
}

func TestUnsupported(t *testing.T) {
	poplar := configuration(t, dap.Poplar1Config{Bits: 16})
	for _, config := range []dap.TaskConfiguration{poplar, {VdafType: 0}, {VdafType: 0xFFFFFFFF}} {
		_, err := taskvdaf.Topology(config)
		if unsupported, ok := errors.AsType[*taskvdaf.UnsupportedError](err); !ok || unsupported.Type != config.VdafType {
			t.Errorf("%s: %v", config.VdafType, err)
		}
	}
	if text := taskvdaf.Describe(poplar); text != "Poplar1 (unsupported)" {
		t.Errorf("described as %q", text)
	}
}

func TestBadParameters(t *testing.T) {
	for name, config := range map[string]dap.TaskConfiguration{
		"histogram without buckets": configuration(t, dap.Prio3HistogramConfig{Length: 0, ChunkLength: 1}),
		"histogram without chunks":  configuration(t, dap.Prio3HistogramConfig{Length: 4, ChunkLength: 0}),
		"enormous sumvec":           configuration(t, dap.Prio3SumVecConfig{Length: 1<<32 - 1, MaxMeasurement: 1 << 40, ChunkLength: 1}),
		"enormous chunk":            configuration(t, dap.Prio3HistogramConfig{Length: 4, ChunkLength: 1 << 25}),
		"weight above length":       configuration(t, dap.Prio3MultihotCountVecConfig{Length: 4, ChunkLength: 2, MaxWeight: 1<<64 - 1}),
		"sum of nothing":            configuration(t, dap.Prio3SumConfig{MaxMeasurement: 0}),
	} {
		_, err := taskvdaf.Topology(config)
		if _, ok := errors.AsType[*taskvdaf.ParameterError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := errors.AsType[*vdaf.ParamError](err); !ok {
			t.Errorf("%s: the cause of %v does not name the parameter", name, err)
		}
	}
	truncated := dap.TaskConfiguration{VdafType: dap.VdafTypePrio3Histogram, VdafConfiguration: []byte{0, 0, 0, 1}}
	_, err := taskvdaf.Topology(truncated)
	if _, ok := errors.AsType[*dap.DecodeError](err); !ok {
		t.Errorf("truncated: %v", err)
	}
}
