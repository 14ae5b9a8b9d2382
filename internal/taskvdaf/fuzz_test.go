package taskvdaf

import (
	"errors"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/vdaf"
)

// Any VDAF that a stranger may advertise makes an instance or a typed error, at a cost
// within the bounds of package vdafspec, whatever it asks for.
func FuzzTopology(f *testing.F) {
	for _, config := range []dap.VdafConfiguration{
		dap.Prio3CountConfig{}, dap.Prio3SumConfig{MaxMeasurement: 100}, dap.Prio3SumVecConfig{Length: 10, MaxMeasurement: 3, ChunkLength: 4},
		dap.Prio3HistogramConfig{Length: 20, ChunkLength: 4}, dap.Prio3MultihotCountVecConfig{Length: 10, ChunkLength: 3, MaxWeight: 2},
		dap.Prio3SumVecConfig{Length: 1 << 31, MaxMeasurement: 1 << 63, ChunkLength: 1 << 31}, dap.Poplar1Config{},
		dap.Prio3HistogramConfig{Length: 1 << 20, ChunkLength: 1 << 20},
	} {
		encoded, err := config.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint32(config.VdafType()), encoded)
	}
	// The roots of unity of the largest instance are within the fixed part.
	fuzzing.Run(f, fuzzing.Limit{Fixed: 64 << 20}, func(t testing.TB, vdafType uint32, encoded []byte) {
		config := dap.TaskConfiguration{VdafType: dap.VdafType(vdafType), VdafConfiguration: encoded}
		described := Describe(config)
		topology, err := Topology(config)
		if err == nil {
			if topology.Verifier().ID() != vdafType || strings.Contains(described, "unsupported") {
				t.Fatalf("type %d is the VDAF %d, %s", vdafType, topology.Verifier().ID(), described)
			}
			return
		}
		_, unsupported := errors.AsType[*UnsupportedError](err)
		parameter, isParameter := errors.AsType[*ParameterError](err)
		if !unsupported && !isParameter {
			t.Fatalf("an error of type %T", err)
		}
		if isParameter {
			_, decode := errors.AsType[*dap.DecodeError](parameter.Cause)
			_, param := errors.AsType[*vdaf.ParamError](parameter.Cause)
			if !decode && !param {
				t.Fatalf("a cause of type %T: %v", parameter.Cause, parameter.Cause)
			}
		}
	})
}
