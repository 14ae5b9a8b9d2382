// Package fixedseed makes the property tests of a package draw the same cases in
// every run, so that a change is what makes a test fail, and not the day. A test
// file imports it for its effect alone. Other cases are drawn with
// -rapid.seed=N, and with -rapid.seed=0 others each time; -rapid.checks=N says
// how many.
package fixedseed

import (
	"flag"

	_ "pgregory.net/rapid" // its flags must exist before they are set
)

// Seed is what the cases are drawn from when no flag says otherwise.
const Seed = "18"

func init() {
	const name = "rapid.seed"
	if err := flag.Set(name, Seed); err != nil {
		panic("fixedseed: -" + name + ": " + err.Error())
	}
	flag.Lookup(name).DefValue = Seed
}
