package plan

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

func parameters(kind dp.Kind, level *big.Rat) dp.Parameters {
	return dp.Parameters{Kind: kind, Neighbours: dp.ReplaceOne, Level: level, Budget: level, ReportsPerClient: 1, ReportsPerBatch: 1, MaxBatchSize: 1_000_000}
}

// A histogram of 20 buckets with ε = 1: Δ₁ = 2, so that each aggregator's noise has the scale 2, and the variance
// 2q/(1-q)² with q = exp(-1/2).
func TestHistogram(t *testing.T) {
	a, err := Expect(dap.Prio3HistogramConfig{Length: 20, ChunkLength: 4}, parameters(dp.PureEpsilon, big.NewRat(1, 1)), 10_000, 0)
	if err != nil {
		t.Fatal(err)
	}
	q := math.Exp(-0.5)
	want := math.Sqrt(2 * 2 * q / ((1 - q) * (1 - q)))
	if math.Abs(a.StandardError-want) > 1e-9 || a.Typical != 500 || math.Abs(a.RelativeError-want/500) > 1e-12 || a.Margin95.Int64() != 8 {
		t.Errorf("%+v; want the standard error %g", a, want)
	}
	// Below 80 reports a bucket has fewer than 4, and the standard error is 3.96.
	if a.MostlyNoise != 80 {
		t.Errorf("mostly noise below %d", a.MostlyNoise)
	}
	if a.Delta != 0 {
		t.Errorf("pure, with δ = %g", a.Delta)
	}
}

func TestMeans(t *testing.T) {
	for _, test := range []struct {
		vdaf    dap.VdafConfiguration
		typical float64
	}{
		{dap.Prio3CountConfig{}, 50},
		{dap.Prio3SumConfig{MaxMeasurement: 10}, 500},
		{dap.Prio3SumVecConfig{Length: 3, MaxMeasurement: 10, ChunkLength: 2}, 500},
		{dap.Prio3HistogramConfig{Length: 4, ChunkLength: 2}, 25},
		{dap.Prio3MultihotCountVecConfig{Length: 10, MaxWeight: 4, ChunkLength: 2}, 20},
	} {
		a, err := Expect(test.vdaf, parameters(dp.ZeroConcentrated, big.NewRat(1, 100)), 100, 0)
		if err != nil || math.Abs(a.Typical-test.typical) > 1e-9 || a.Delta != Delta || a.EpsilonOfBudget <= 0 {
			t.Errorf("%s: %+v, %v; want %g", test.vdaf.VdafType(), a, err, test.typical)
		}
	}
	for _, mean := range []float64{-1, 10.5, math.NaN(), math.Inf(1)} {
		_, err := Expect(dap.Prio3SumConfig{MaxMeasurement: 10}, parameters(dp.PureEpsilon, big.NewRat(1, 1)), 100, mean)
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("mean %g: %v", mean, err)
		}
	}
	_, err := Expect(dap.Prio3CountConfig{}, parameters(dp.PureEpsilon, big.NewRat(1, 1)), 1_000_001, 0)
	if _, ok := errors.AsType[*Error](err); !ok {
		t.Errorf("too many reports: %v", err)
	}
}

// Reports of every VDAF are made and verified, and are as long as they are.
func TestMeasure(t *testing.T) {
	for _, text := range []string{"count", "sum:max=1000", "sumvec:length=3,max=255", "histogram:length=20", "multihot:length=8,max_weight=3"} {
		spec, err := vdafspec.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		cost, err := Measure(spec)
		if err != nil || cost.Leader <= 0 || cost.Helper <= 0 || cost.Sample != maxSample || cost.Forwarded >= cost.Report || cost.Forwarded < 100 {
			t.Errorf("%s: %+v, %v", text, cost, err)
		}
	}
}
