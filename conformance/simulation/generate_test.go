package simulation

import (
	"math/rand/v2"
	"time"
)

// generator draws operations.
type generator struct {
	*rand.Rand
	config
	reports     int // numbers that were given
	collections int
	rotates     bool
	faulty      bool // there are faults at all
	operated    bool // operators put jobs in quarantine
	restores    bool // databases are copied and restored
}

// generate draws an episode's operations.
func generate(r *rand.Rand, c config, n int) []operation {
	g := &generator{Rand: r, config: c, rotates: r.IntN(6) == 0, faulty: r.IntN(8) != 0, operated: r.IntN(5) == 0}
	operations := make([]operation, 0, n)
	// A restored side has lost the keys that were made since, and clients may not know it yet.
	g.restores = !g.rotates && r.IntN(8) == 0
	for len(operations) < n {
		operations = append(operations, g.next())
	}
	operations[n-1].Beside = false
	return operations
}

// next draws an operation.
func (g *generator) next() operation {
	weights := []struct {
		weight int
		make   func() operation
	}{
		{26, g.upload}, {4, g.again}, {3, g.elsewhere}, {1, g.garbage}, {30, g.advance},
		{8, g.collect}, {12, g.poll}, {2, g.delete}, {g.faults(2), g.skew}, {g.rotations(), g.rotate},
		{2, g.restart}, {g.faults(2), g.crash}, {g.faults(4), g.disk}, {g.faults(9), g.network},
		{g.operators(), g.shelve}, {g.operators(), g.retry}, {g.copies(3), g.copy}, {g.copies(1), g.restore},
	}
	total := 0
	for _, w := range weights {
		total += w.weight
	}
	at := g.IntN(total)
	for _, w := range weights {
		if at < w.weight {
			return w.make()
		}
		at -= w.weight
	}
	panic("unreachable")
}

func (g *generator) faults(weight int) int {
	if g.faulty {
		return weight
	}
	return 0
}

func (g *generator) rotations() int {
	if g.rotates {
		return 1
	}
	return 0
}

func (g *generator) operators() int {
	if g.operated {
		return 2
	}
	return 0
}

func (g *generator) copies(weight int) int {
	if g.restores {
		return weight
	}
	return 0
}

func (g *generator) copy() operation { return operation{Kind: opCopy, Side: g.someSide()} }

func (g *generator) restore() operation { return operation{Kind: opRestore, Side: g.someSide()} }

func (g *generator) shelve() operation {
	return operation{Kind: opShelve, Side: g.someSide(), Number: g.IntN(8)}
}

func (g *generator) retry() operation {
	return operation{Kind: opRetry, Side: g.someSide(), Number: g.IntN(8)}
}

func (g *generator) someSide() side { return []side{leader, helper}[g.IntN(2)] }

func (g *generator) beside() bool { return g.IntN(6) == 0 }

func (g *generator) upload() operation {
	o := operation{Kind: opUpload, Number: g.reports, Count: 1 + g.IntN(3), Beside: g.beside()}
	if g.IntN(6) == 0 {
		o.Plan = g.plan()
	}
	switch g.IntN(8) {
	case 0:
		o.Offset = -1
	case 1:
		o.Offset = -1 - g.IntN(5)
	case 2:
		if g.IntN(3) == 0 {
			o.Offset = 1 + g.IntN(2)
		}
	}
	g.reports += o.Count
	return o
}

// plan draws how a report cheats.
func (g *generator) plan() plan {
	hows := []string{cheatUndecryptable, cheatMalformed, cheatPublicShare, cheatExtension, cheatHidden, cheatConfig}
	if g.Rounds > 0 {
		hows = append(hows, cheatInit, cheatCombine, cheatNext, cheatInit, cheatCombine, cheatNext)
	}
	p := plan{How: hows[g.IntN(len(hows))]}
	switch p.How {
	case cheatCombine, cheatNext:
		p.Round = g.IntN(g.Rounds)
	case cheatPublicShare, cheatExtension:
		return p
	}
	if g.IntN(3) > 0 {
		p.Who = g.someSide()
	}
	if s := (&scheme{config: g.config}); s.divergent(p) {
		p.Who = helper
	}
	return p
}

// known is the number of a report that was uploaded, mostly a late one.
func (g *generator) known() int {
	if g.reports == 0 {
		return 0
	}
	if g.IntN(2) == 0 {
		return g.reports - 1 - g.IntN(min(8, g.reports))
	}
	return g.IntN(g.reports)
}

func (g *generator) again() operation {
	return operation{Kind: opAgain, Number: g.known(), Count: 1 + g.IntN(3), Beside: g.beside()}
}

func (g *generator) elsewhere() operation {
	return operation{Kind: opElsewhere, Number: g.known(), Count: 1, Offset: -g.IntN(6), Beside: g.beside()}
}

func (g *generator) garbage() operation { return operation{Kind: opGarbage, Number: g.known()} }

func (g *generator) advance() operation {
	d := time.Duration(0)
	switch n := g.IntN(20); {
	case n < 9:
		d = time.Duration(1+g.IntN(200)) * 10 * time.Millisecond
	case n < 17:
		d = time.Duration(1+g.IntN(60)) * time.Second
	case n < 19:
		d = time.Duration(1+g.IntN(5)) * time.Minute
	default:
		d = time.Duration(5+g.IntN(20)) * time.Minute
	}
	return operation{Kind: opAdvance, For: duration(d)}
}

func (g *generator) collect() operation {
	o := operation{Kind: opCollect, Number: g.collections, Beside: g.beside()}
	if g.collections > 0 && g.IntN(5) == 0 {
		o.Number = g.IntN(g.collections)
	} else {
		g.collections++
	}
	if g.AggParam {
		o.Param = 1 + g.IntN(2)
	}
	if !g.LeaderSelected {
		o.Count, o.Offset = 1, -g.IntN(4)
		if g.IntN(3) == 0 {
			o.Count = 1 + g.IntN(4)
		}
		if g.IntN(30) == 0 {
			o.Count = 0 // no interval at all
		}
	}
	return o
}

func (g *generator) collection() int {
	if g.collections == 0 {
		return 0
	}
	return g.IntN(g.collections)
}

func (g *generator) poll() operation {
	return operation{Kind: opPoll, Number: g.collection(), Beside: g.beside()}
}

func (g *generator) delete() operation {
	return operation{Kind: opDelete, Number: g.collection(), Beside: g.beside()}
}

// skew puts a clock wrong; it is put right again as often.
func (g *generator) skew() operation {
	d := time.Duration(g.IntN(41)-20) * time.Second
	if g.IntN(2) == 0 {
		d = 0
	} else if g.IntN(4) == 0 {
		d *= 10
	}
	return operation{Kind: opSkew, Side: g.someSide(), For: duration(d)}
}

func (g *generator) rotate() operation { return operation{Kind: opRotate, Side: g.someSide()} }

func (g *generator) restart() operation {
	return operation{Kind: opRestart, Side: g.someSide(), Beside: g.IntN(3) == 0}
}

func (g *generator) crash() operation {
	return operation{Kind: opCrash, Side: g.someSide()}
}

func (g *generator) disk() operation {
	return operation{Kind: opDisk, Side: g.someSide(), Fault: diskFaults[g.IntN(len(diskFaults))], Skip: g.IntN(6), Count: 1 + g.IntN(3)}
}

func (g *generator) network() operation {
	o := operation{Kind: opNetwork, Fault: networkFaults[g.IntN(len(networkFaults))], Count: 1, Skip: g.IntN(3)}
	if g.IntN(2) == 0 {
		o.Request = requests[g.IntN(len(requests))]
	}
	if g.IntN(4) == 0 {
		o.Count = 1 + g.IntN(8)
	}
	switch o.Fault {
	case faultLateCopy, faultLateRequest, faultSlowRequest, faultSlowResponse:
		o.For = duration(time.Duration(1+g.IntN(400)) * 100 * time.Millisecond)
		if g.IntN(4) == 0 {
			o.For *= 10
		}
	}
	return o
}
