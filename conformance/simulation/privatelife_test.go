package simulation

import (
	"fmt"
	"testing"
)

// privateConfig is that of a plain life in a task with differential privacy.
func privateConfig(leaderSelected bool, budget int) config {
	c := plainConfig
	c.Rounds, c.LeaderSelected, c.Budget = 0, leaderSelected, budget
	return c
}

// privateLife is a plain life in such a task, whose reports can cheat in fewer ways.
func privateLife() []operation {
	operations := plainLife()
	for i := range operations {
		if plan := &operations[i].Plan; !plan.honest() {
			plan.How = cheatMalformed
		}
	}
	return operations
}

// TestPrivateLife: a plain life with noise, whose budget suffices or does not.
func TestPrivateLife(t *testing.T) {
	for _, c := range []config{privateConfig(false, anyNumber), privateConfig(true, anyNumber), privateConfig(false, 2), privateConfig(true, 1), privateConfig(false, 1)} {
		for _, c.Gaussian = range []bool{false, true} {
			name := fmt.Sprintf("a private life with %+v", c)
			o := play(t, &clients{}, c, privateLife(), hooks{}, name)
			switch {
			case o.violation != nil:
				t.Errorf("%s: %s", name, o.violation)
			case c.Budget == anyNumber && (o.refused > 0 || o.charged != 2*o.results || o.results < 2):
				t.Errorf("%s: %d results, %d charges, %d refusals", name, o.results, o.charged, o.refused)
			case c.Budget > 0 && (o.charged != 2*c.Budget || o.results != c.Budget || c.Budget == 1 && o.refused == 0):
				t.Errorf("%s: %d results, %d charges, %d refusals", name, o.results, o.charged, o.refused)
			}
		}
	}
}
