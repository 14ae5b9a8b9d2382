package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/twofold-dap/twofold/conformance/chaos/proxy"
	"github.com/twofold-dap/twofold/internal/processes"
)

// planner plans what happens to connections. Its calls must not overlap.
type planner struct {
	random *rand.Rand
	most   float64
}

// plan makes a plan. How many bytes pass before is spread evenly over its magnitudes, so that
// the first bytes of a request are hit as well as its middle and the requests after it.
func (p *planner) plan() proxy.Plan {
	r := p.random
	plan := proxy.Plan{
		Direction: proxy.Direction(r.IntN(2)),
		After:     int64(math.Exp(r.Float64() * math.Log(p.most))),
		Pause:     between(r, 100*time.Millisecond, 6*time.Second),
		Rate:      1 << (12 + r.IntN(6)),
	}
	switch n := r.IntN(100); {
	case n < 4:
		plan.Fault, plan.After = proxy.Reset, 0
	case n < 25:
		plan.Fault = proxy.Reset
	case n < 47:
		plan.Fault = proxy.Cut
	case n < 65:
		plan.Fault = proxy.HalfClose
	case n < 80:
		plan.Fault = proxy.Stall
	case n < 90:
		plan.Fault = proxy.Slow
	}
	return plan
}

// gremlin makes the servers fail, and has their operators act. It belongs to one goroutine.
type gremlin struct {
	*run
	random *rand.Rand
}

const (
	leaderIndex = iota
	helperIndex
)

func (g *gremlin) server(i int) *processes.Server {
	return []*processes.Server{g.system.Leader, g.system.Helper}[i]
}

// work does one thing after the other, until the time is over and enough was done. Then
// both servers run.
func (g *gremlin) work(ctx context.Context) {
	for began := time.Now(); ; {
		act := g.act
		if time.Since(began) > g.duration {
			if act = g.missing(); act == nil {
				return
			}
		}
		err := pause(ctx, between(g.random, 100*time.Millisecond, 2*time.Second))
		if err == nil {
			err = act(ctx)
		}
		if err != nil {
			g.fail(err) // if ctx has ended, it has ended for another reason before
			return
		}
	}
}

// missing is what was not done as often as the options want, if anything.
func (g *gremlin) missing() func(context.Context) error {
	for i := range 2 {
		if g.kills[i].Load() < int64(g.least) {
			return func(ctx context.Context) error { return g.kill(ctx, i) }
		}
		if g.stops[i].Load() < int64(g.least) {
			return func(ctx context.Context) error { return g.stop(ctx, i) }
		}
	}
	return nil
}

// act does one thing.
func (g *gremlin) act(ctx context.Context) error {
	i := g.random.IntN(2)
	switch n := g.random.IntN(100); {
	case n < 30:
		return g.kill(ctx, i)
	case n < 38:
		return g.kill(ctx, i, 1-i)
	case n < 44:
		return g.restart(ctx, i)
	case n < 70:
		return g.stop(ctx, i)
	case n < 88:
		return g.outage(ctx, i)
	case n < 94:
		return g.rotate(ctx, i)
	}
	return g.check(ctx, i)
}

// kill kills servers with SIGKILL and starts them again, some of them twice.
func (g *gremlin) kill(ctx context.Context, victims ...int) error {
	for _, i := range victims {
		if err := g.server(i).Kill(); err != nil {
			return err
		}
		g.kills[i].Add(1)
	}
	if err := pause(ctx, between(g.random, 0, 600*time.Millisecond)); err != nil {
		return err
	}
	for _, i := range victims {
		if g.random.IntN(4) == 0 {
			if err := g.killWhileStarting(ctx, i); err != nil {
				return err
			}
		}
		if err := g.start(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (g *gremlin) killWhileStarting(ctx context.Context, i int) error {
	if err := g.server(i).Launch(); err != nil {
		return err
	}
	if err := pause(ctx, between(g.random, 0, 150*time.Millisecond)); err != nil {
		return err
	}
	g.startKills[i].Add(1)
	return g.server(i).Kill()
}

// start starts a server, a Helper now and then in the other mode.
func (g *gremlin) start(ctx context.Context, i int) error {
	if i == helperIndex && g.random.IntN(3) == 0 {
		asynchronous := g.modes[i].Add(1)%2 == 1
		if err := g.server(i).Set("asynchronous", strconv.FormatBool(asynchronous)); err != nil {
			return err
		}
	}
	return g.server(i).Start(ctx)
}

// restart has a server end in order, and starts it again.
func (g *gremlin) restart(ctx context.Context, i int) error {
	if err := g.server(i).Stop(); err != nil {
		return err
	}
	g.restarts[i].Add(1)
	return g.start(ctx, i)
}

// stop stops a server's process for a while; now and then it is then killed.
func (g *gremlin) stop(ctx context.Context, i int) error {
	if err := g.server(i).Pause(); err != nil {
		return err
	}
	g.stops[i].Add(1)
	if err := pause(ctx, between(g.random, 100*time.Millisecond, 5*time.Second)); err != nil {
		return err
	}
	if g.random.IntN(6) == 0 {
		return g.kill(ctx, i)
	}
	return g.server(i).Resume()
}

// outage takes a server off the network for a while.
func (g *gremlin) outage(ctx context.Context, i int) error {
	for _, p := range g.network(i) {
		p.SetDown(true)
		defer p.SetDown(false)
	}
	g.outages[i].Add(1)
	return pause(ctx, between(g.random, 0, 4*time.Second))
}

func (g *gremlin) network(i int) []*proxy.Proxy {
	if i == leaderIndex {
		return []*proxy.Proxy{g.leader, g.collectors}
	}
	return []*proxy.Proxy{g.helper}
}

// rotate makes a new HPKE key.
func (g *gremlin) rotate(ctx context.Context, i int) error {
	server := g.server(i)
	if _, err := g.programs.Run(ctx, server.Role, "keys", "rotate", "--dir", server.Dir); err != nil {
		return fmt.Errorf("the operator of the %s: %w", server.Role, err)
	}
	g.rotations[i].Add(1)
	return nil
}

// check has a running server look for broken invariants.
func (g *gremlin) check(ctx context.Context, i int) error {
	server := g.server(i)
	if _, err := g.programs.Run(ctx, server.Role, "check", "--dir", server.Dir); err != nil {
		return fmt.Errorf("the operator of the %s: %w", server.Role, err)
	}
	g.checks[i].Add(1)
	return nil
}
