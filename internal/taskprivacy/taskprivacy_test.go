package taskprivacy

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
)

func sound() dp.Parameters {
	return dp.Parameters{
		Kind: dp.ZeroConcentrated, Neighbours: dp.RemoveOne, Level: big.NewRat(1, 3), Budget: big.NewRat(5, 3),
		ReportsPerClient: 5, ReportsPerBatch: 1, MaxBatchSize: 1000,
	}
}

func task(t *testing.T, vdaf dap.VdafConfiguration, p dp.Parameters) dap.TaskConfiguration {
	t.Helper()
	extension, err := Extension(p)
	if err != nil {
		t.Fatal(err)
	}
	config, err := vdaf.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return dap.TaskConfiguration{MinBatchSize: 10, VdafType: vdaf.VdafType(), VdafConfiguration: config, Extensions: []dap.TaskExtension{extension}}
}

func TestParametersGoThroughTheExtension(t *testing.T) {
	for _, p := range []dp.Parameters{
		sound(),
		{Kind: dp.PureEpsilon, Neighbours: dp.ReplaceOne, Level: big.NewRat(1, 1<<62), Budget: big.NewRat(1<<62, 3), ReportsPerClient: 1 << 63, ReportsPerBatch: 7, MaxBatchSize: 1<<64 - 1},
	} {
		got, ok, err := Parameters(task(t, dap.Prio3CountConfig{}, p))
		if err != nil || !ok || got.Level.Cmp(p.Level) != 0 || got.Budget.Cmp(p.Budget) != 0 {
			t.Fatalf("%+v, %v, %v; want %+v", got, ok, err, p)
		}
		got.Level, got.Budget = p.Level, p.Budget
		if got != p {
			t.Errorf("%+v; want %+v", got, p)
		}
	}
	if _, ok, err := Parameters(dap.TaskConfiguration{}); ok || err != nil {
		t.Errorf("a task without: %v, %v", ok, err)
	}
	if m, err := Mechanism(dap.TaskConfiguration{}); m != nil || err != nil {
		t.Errorf("a task without: %v, %v", m, err)
	}
}

func TestMechanismIsOfTheVdaf(t *testing.T) {
	for _, test := range []struct {
		vdaf   dap.VdafConfiguration
		length int
		scale  string // σ² = Δ₂²/2ρ = 3/2·Δ₂²
	}{
		{dap.Prio3CountConfig{}, 1, "3/2"},
		{dap.Prio3SumConfig{MaxMeasurement: 10}, 1, "150"},
		{dap.Prio3SumVecConfig{Length: 4, MaxMeasurement: 10, ChunkLength: 2}, 4, "600"},
		{dap.Prio3HistogramConfig{Length: 20, ChunkLength: 4}, 20, "3/2"},
		{dap.Prio3MultihotCountVecConfig{Length: 8, MaxWeight: 3, ChunkLength: 2}, 8, "9/2"},
	} {
		m, err := Mechanism(task(t, test.vdaf, sound()))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Scale().RatString(); got != test.scale || m.Function().Length() != test.length {
			t.Errorf("%s: σ² = %s, %d numbers", test.vdaf.VdafType(), got, m.Function().Length())
		}
	}
}

func TestUnsoundParameters(t *testing.T) {
	for want, change := range map[string]func(*dp.Parameters){
		"budget":                         func(p *dp.Parameters) { p.Budget = big.NewRat(1, 4) },
		"reports per client are 0":       func(p *dp.Parameters) { p.ReportsPerClient = 0 },
		"below the task's minimum of 10": func(p *dp.Parameters) { p.MaxBatchSize = 9 },
		"may wrap around the field":      func(p *dp.Parameters) { p.MaxBatchSize = 1 << 63 },
	} {
		p := sound()
		change(&p)
		_, err := Mechanism(task(t, dap.Prio3SumConfig{MaxMeasurement: 10}, p))
		if problem, ok := errors.AsType[*Error](err); !ok || !strings.Contains(problem.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := Mechanism(task(t, dap.Poplar1Config{Bits: 16}, sound())); err == nil {
		t.Error("Poplar1 was taken")
	}
	cut := task(t, dap.Prio3CountConfig{}, sound())
	cut.Extensions[0].Data = cut.Extensions[0].Data[:57]
	if _, err := Mechanism(cut); err == nil {
		t.Error("an extension that is cut off was taken")
	}
	for name, change := range map[string]func(*dp.Parameters){
		"kind":   func(p *dp.Parameters) { p.Kind = 0 },
		"level":  func(p *dp.Parameters) { p.Level = nil },
		"digits": func(p *dp.Parameters) { p.Budget = new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), 64)) },
	} {
		p := sound()
		change(&p)
		if _, err := Extension(p); err == nil {
			t.Errorf("%s: was encoded", name)
		}
	}
}
