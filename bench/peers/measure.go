package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
)

// The names of the columns.
const (
	nameTwofold = "Twofold"
	nameSingle  = "Twofold, one by one"
	nameLibprio = "libprio-rs"
	nameCircl   = "circl"
)

// measure starts the implementations and takes them through the workloads.
func measure(ctx context.Context, o options) (t *table, err error) {
	// The processes end with ctx, whatever goes wrong.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t = &table{Machine: describeMachine(ctx, o), Rounds: o.rounds, NanosecondsPerStep: o.time.Nanoseconds()}
	peers, err := startPeers(ctx, o, t)
	if err != nil {
		return nil, err
	}
	for _, w := range o.workloads {
		if !o.filter.MatchString(w.name) {
			continue
		}
		row, err := measureWorkload(w, peers, o)
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		t.Workloads = append(t.Workloads, row)
	}
	if len(t.Workloads) == 0 {
		return nil, usageError{errors.New("--filter matches none of the workloads")}
	}
	for _, p := range peers {
		t.Peers = append(t.Peers, p.description)
		if err := p.stop(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// startPeers starts what there is to compare: Twofold first.
func startPeers(ctx context.Context, o options, t *table) ([]*peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	twofold := description{Name: nameTwofold, Version: "this checkout", Draft: "draft-irtf-cfrg-vdaf-20", WireVersion: 18}
	circl := description{Name: nameCircl, Version: dependencyVersion("github.com/cloudflare/circl"), Draft: "draft-irtf-cfrg-vdaf-14", WireVersion: 12}
	prio, err := prioVersion()
	if err != nil {
		return nil, err
	}
	libprio := description{Name: nameLibprio, Version: "prio " + prio, Draft: "draft-irtf-cfrg-vdaf-18", WireVersion: 18}

	var peers []*peer
	start := func(d description, name string, args ...string) error {
		p, err := startPeer(ctx, d, name, args...)
		peers = append(peers, p)
		return err
	}
	if err := start(twofold, self, "serve", "twofold"); err != nil {
		return nil, err
	}
	switch program, err := rustProgram(ctx, o); {
	case errors.Is(err, errNoCargo):
		t.Without = "libprio-rs is not in this table: cargo, which builds it, is not installed here."
	case err != nil:
		return nil, err
	case program == "":
		t.Without = "libprio-rs was left out of this table."
	default:
		if err := start(libprio, program); err != nil {
			return nil, err
		}
	}
	if t.Without != "" {
		fmt.Fprintln(o.log, t.Without)
	}
	return peers, start(circl, self, "serve", "circl")
}

// rustProgram builds the Rust program, unless it is to be left out.
func rustProgram(ctx context.Context, o options) (string, error) {
	if o.cargo == "" {
		return "", nil
	}
	return buildRust(ctx, o.cargo, o.log)
}

// measureWorkload prepares a workload everywhere, checks it, and measures it.
func measureWorkload(w workload, peers []*peer, o options) (row, error) {
	r := row{Name: w.name, ChunkLength: w.chunk, Reports: w.reports}
	fmt.Fprintf(o.log, "%s: preparing", w.name)
	defer fmt.Fprintln(o.log)
	for _, p := range peers {
		result, err := p.ask(prepareLine(w))
		if err != nil {
			return r, err
		}
		if result != w.want() {
			return r, fmt.Errorf("%s finds another aggregate result than the right one", p.Name)
		}
	}
	if err := crossCheck(peers); err != nil {
		return r, err
	}
	contestants := contestantsOf(peers)
	s := samples{}
	for round := range o.rounds {
		fmt.Fprintf(o.log, ", %d", round+1)
		for _, step := range measured {
			for turn := range contestants {
				c := contestants[(turn+round)%len(contestants)] // another one begins each round
				if c.by == byOne && step == stepShard {
					continue // there is no other way to shard
				}
				answer, err := c.peer.ask(measureLine(step, c.by, o.time))
				if err != nil {
					return r, err
				}
				ns, err := parseMeasured(answer)
				if err != nil {
					return r, fmt.Errorf("%s: %w", c.name, err)
				}
				s.add(step, c.name, ns)
			}
		}
	}
	columns := make([]string, len(contestants))
	for i, c := range contestants {
		columns[i] = c.name
	}
	r.Steps = s.summarize(columns)
	return r, nil
}

// A contestant is a column of the table: a peer, and how it gets its reports.
type contestant struct {
	name string
	peer *peer
	by   by
}

func contestantsOf(peers []*peer) []contestant {
	var all []contestant
	for _, p := range peers {
		all = append(all, contestant{p.Name, p, byBatch})
		if p.Name == nameTwofold {
			all = append(all, contestant{nameSingle, p, byOne})
		}
	}
	return all
}

// crossCheck has implementations of the same wire version verify each other's
// reports: they must compute the same verifier shares and messages.
func crossCheck(peers []*peer) error {
	for _, author := range peers {
		report, err := author.ask("report")
		if err != nil {
			return err
		}
		trace, err := traceLine(report)
		if err != nil {
			return fmt.Errorf("%s: %w", author.Name, err)
		}
		want, err := author.ask(trace)
		if err != nil {
			return err
		}
		for _, other := range peers {
			if other == author || other.WireVersion != author.WireVersion {
				continue
			}
			got, err := other.ask(trace)
			if err != nil {
				return fmt.Errorf("a report of %s: %w", author.Name, err)
			}
			if got != want {
				return fmt.Errorf("%s and %s, which speak the same wire version, verify a report to different messages", author.Name, other.Name)
			}
		}
	}
	return nil
}

// dependencyVersion is the version of a module that this program is built with.
func dependencyVersion(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of go.mod"
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return "of go.mod"
}
