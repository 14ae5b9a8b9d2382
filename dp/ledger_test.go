package dp

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestLosses(t *testing.T) {
	for name, test := range map[string]struct {
		kind                Kind
		perClient, perBatch uint64
		batches             uint64
		want                string // of the level 1/3
	}{
		"nothing is spent":                       {ZeroConcentrated, 4, 2, 0, "0"},
		"one report":                             {ZeroConcentrated, 1, 1, 9, "1/3"},
		"k batches cost kρ":                      {ZeroConcentrated, 5, 1, 5, "5/3"},
		"more batches than reports cost no more": {ZeroConcentrated, 5, 1, 50, "5/3"},
		"fewer batches than reports":             {ZeroConcentrated, 5, 1, 3, "1"},
		"k in one batch cost k²ρ":                {ZeroConcentrated, 5, 5, 1, "25/3"},
		"two full batches and a rest":            {ZeroConcentrated, 7, 3, 9, "19/3"}, // 9 + 9 + 1
		"pure: kε, in several batches":           {PureEpsilon, 5, 1, 5, "5/3"},
		"pure: kε, in one":                       {PureEpsilon, 5, 5, 1, "5/3"},
		"pure: with a rest":                      {PureEpsilon, 7, 3, 9, "7/3"},
		"pure: fewer batches":                    {PureEpsilon, 7, 3, 2, "2"},
		"beyond 64 bits":                         {ZeroConcentrated, math.MaxUint64, 1 << 32, math.MaxUint64, "26409387504754779194984671915"},
		"beyond 64 bits, one report for each":    {PureEpsilon, math.MaxUint64, 1, math.MaxUint64, "6148914691236517205"},
	} {
		p := Parameters{Kind: test.kind, Level: big.NewRat(1, 3), ReportsPerClient: test.perClient, ReportsPerBatch: test.perBatch}
		if got := p.ClientLoss(test.batches).RatString(); got != test.want {
			t.Errorf("%s: %s; want %s", name, got, test.want)
		}
		want := big.NewRat(1, 3)
		if test.batches == 0 {
			want = new(big.Rat)
		}
		if got := p.ReportLoss(test.batches); got.Cmp(want) != 0 {
			t.Errorf("%s: one report loses %s; want %s", name, got.RatString(), want.RatString())
		}
	}
}

// worst goes through all ways to put up to left reports into the batches, at most most in each, and returns the greatest
// sum of what cost says of each batch.
func worst(batches, left, most int, cost func(int) int) (greatest int) {
	if batches == 0 {
		return 0
	}
	for here := 0; here <= min(left, most); here++ {
		greatest = max(greatest, cost(here)+worst(batches-1, left-here, most, cost))
	}
	return greatest
}

// No way to send the reports costs a client more than its loss, and one costs as much.
func TestClientLossIsTheWorst(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		batches, all := rapid.IntRange(0, 5).Draw(r, "batches"), rapid.IntRange(1, 9).Draw(r, "reports")
		most := rapid.IntRange(1, all).Draw(r, "reports per batch")
		for kind, cost := range map[Kind]func(int) int{
			PureEpsilon:      func(n int) int { return n },
			ZeroConcentrated: func(n int) int { return n * n },
		} {
			p := Parameters{Kind: kind, Level: big.NewRat(1, 1), ReportsPerClient: uint64(all), ReportsPerBatch: uint64(most)}
			want := big.NewRat(int64(worst(batches, all, most, cost)), 1)
			if got := p.ClientLoss(uint64(batches)); got.Cmp(want) != 0 {
				r.Fatalf("%s: %s; want %s", kind, got.RatString(), want.RatString())
			}
		}
	})
}

func TestBudgetIsNotOverspent(t *testing.T) {
	p := valid(ZeroConcentrated)
	p.Level, p.Budget = big.NewRat(1, 10), big.NewRat(3, 10) // three batches exactly
	var ledger Ledger
	for i := uint64(1); i <= 3; i++ {
		next, err := ledger.Charge(p)
		if err != nil || next.Batches != i {
			t.Fatalf("batch %d: %+v, %v", i, next, err)
		}
		ledger = next
	}
	after, err := ledger.Charge(p)
	problem, ok := errors.AsType[*BudgetError](err)
	if !ok || after != ledger || problem.Batches != 3 || problem.Spent.Cmp(p.Budget) != 0 || problem.Next.RatString() != "2/5" {
		t.Errorf("the fourth batch: %+v, %v", after, err)
	}
	p.Budget = big.NewRat(299999999, 1000000000)
	if _, err := (Ledger{2}).Charge(p); err == nil {
		t.Error("a budget a little below three batches pays for three")
	}
	// A client of one report loses nothing more by further batches.
	p.ReportsPerClient, p.Budget = 1, p.Level
	if next, err := (Ledger{1 << 40}).Charge(p); err != nil || next.Batches != 1<<40+1 {
		t.Errorf("one report for each client: %v, %v", next, err)
	}
	if _, err := (Ledger{math.MaxUint64}).Charge(p); err == nil {
		t.Error("the number of batches wraps around")
	}
}

// What is affordable can be charged, and one more cannot.
func TestAffordable(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := Parameters{
			Kind: rapid.SampledFrom([]Kind{PureEpsilon, ZeroConcentrated}).Draw(r, "kind"), Level: big.NewRat(1, rapid.Int64Range(1, 9).Draw(r, "level")),
			ReportsPerClient: rapid.Uint64Min(1).Draw(r, "reports"),
		}
		p.ReportsPerBatch = rapid.Uint64Range(1, min(p.ReportsPerClient, 100)).Draw(r, "reports per batch")
		p.Budget = new(big.Rat).Mul(p.ClientLoss(1), big.NewRat(rapid.Int64Range(1, 1000).Draw(r, "budget"), rapid.Int64Range(1, 9).Draw(r, "part")))
		batches, unlimited := p.Affordable()
		if p.ClientLoss(batches).Cmp(p.Budget) > 0 {
			r.Fatalf("%d batches cost %s of %s", batches, p.ClientLoss(batches).RatString(), p.Budget.RatString())
		}
		if unlimited != (batches == math.MaxUint64) || !unlimited && p.ClientLoss(batches+1).Cmp(p.Budget) <= 0 {
			r.Fatalf("%d batches, unlimited: %t", batches, unlimited)
		}
	})
}
