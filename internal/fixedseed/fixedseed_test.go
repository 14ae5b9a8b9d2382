package fixedseed_test

import (
	"flag"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/internal/fixedseed"
)

// Two runs of a property draw the same, as long as no flag asks for others.
func TestTheSameCasesAreDrawn(t *testing.T) {
	if got := flag.Lookup("rapid.seed").DefValue; got != fixedseed.Seed {
		t.Fatalf("the seed is %s, not %s", got, fixedseed.Seed)
	}
	if flag.Lookup("rapid.seed").Value.String() == "0" {
		t.Log("the seed is another each time: nothing to compare")
		return
	}
	var runs [2][]uint64
	for i := range runs {
		rapid.Check(t, func(r *rapid.T) { runs[i] = append(runs[i], rapid.Uint64().Draw(r, "value")) })
	}
	for i, value := range runs[0] {
		if runs[1][i] != value {
			t.Fatalf("case %d is %d, then %d", i, value, runs[1][i])
		}
	}
}
