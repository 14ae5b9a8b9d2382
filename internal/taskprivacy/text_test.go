package taskprivacy

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/dp"
)

func TestParseRational(t *testing.T) {
	for text, want := range map[string]string{"1": "1", "0.5": "1/2", "1/3": "1/3", "2/6": "1/3", "18446744073709551615": "18446744073709551615", "0.0000000001": "1/10000000000"} {
		if got, err := ParseRational(text); err != nil || got.RatString() != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "0.0", "0/5", "1/0", "-1", "+1", "1e9", ".5", "1.", "0x1", "1_0", " 1", "1 ", "1/2/3", "1.5/2", "Inf", "NaN", "123456789012345678901"} {
		if got, err := ParseRational(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// What dp.Decimal writes is read as the same number.
func TestRationalsRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := new(big.Rat).SetFrac(
			new(big.Int).SetUint64(rapid.Uint64Min(1).Draw(r, "numerator")), new(big.Int).SetUint64(rapid.Uint64Min(1).Draw(r, "denominator")))
		if got, err := ParseRational(dp.Decimal(want)); err != nil || got.Cmp(want) != 0 {
			r.Fatalf("%s: %v, %v", dp.Decimal(want), got, err)
		}
	})
}

func TestNeighboursRoundTrip(t *testing.T) {
	for _, n := range []dp.Neighbours{dp.ReplaceOne, dp.RemoveOne} {
		if got, err := ParseNeighbours(NeighboursName(n)); err != nil || got != n {
			t.Errorf("%s: %v, %v", n, got, err)
		}
	}
	if _, err := ParseNeighbours("swap"); err == nil {
		t.Error("swap is a relation")
	}
}
