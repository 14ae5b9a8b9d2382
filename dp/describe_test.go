package dp

import (
	"math/big"
	"testing"
)

func TestDescribe(t *testing.T) {
	for want, p := range map[string]Parameters{
		"discrete Laplace noise with the scale 4, for ε = 0.5 of each report, replace one":  {Kind: PureEpsilon, Neighbours: ReplaceOne, Level: big.NewRat(1, 2)},
		"discrete Gaussian noise with σ² = 1.5, for ρ = 1/3 of each report, remove one":     {Kind: ZeroConcentrated, Neighbours: RemoveOne, Level: big.NewRat(1, 3)},
		"discrete Gaussian noise with σ² = 1000, for ρ = 0.001 of each report, replace one": {Kind: ZeroConcentrated, Neighbours: ReplaceOne, Level: big.NewRat(1, 1000)},
	} {
		p.Budget, p.ReportsPerClient, p.ReportsPerBatch, p.MaxBatchSize = p.Level, 1, 1, 1000
		m, err := NewMechanism(Histogram(5), p)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Describe(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := Decimal(new(big.Rat).SetFrac64(1, 1<<13)); got != "1/8192" {
		t.Errorf("2^-13 is %s", got)
	}
}
