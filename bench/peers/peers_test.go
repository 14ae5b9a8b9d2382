package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's own program be the implementations, as the command
// is when it runs itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// small are workloads of all types that take no time.
func small() []workload {
	all := []workload{
		{kind: "count", name: "Count", length: 1, max: 1},
		{kind: "sum", name: "Sum", length: 1, max: 1_000},
		{kind: "histogram", name: "Histogram", length: 7, max: 1},
		{kind: "multihot", name: "MultihotCountVec", length: 9, weight: 3, max: 1},
		{kind: "sumvec", name: "SumVec", length: 5, max: 255},
	}
	for i := range all {
		all[i].chunk, all[i].reports = all[i].chunkLength(), 5
	}
	return all
}

func smallOptions() options {
	return options{rounds: 2, time: time.Microsecond, filter: regexp.MustCompile(""), cargo: "no-such-cargo", workloads: small(), log: io.Discard}
}

func TestMeasuresWithoutCargo(t *testing.T) {
	got, err := measure(t.Context(), smallOptions())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.Without, "cargo") {
		t.Errorf("the table does not say that cargo is missing: %q", got.Without)
	}
	if len(got.Peers) != 2 || got.Peers[0].Name != nameTwofold || got.Peers[1].Name != nameCircl {
		t.Fatalf("peers %+v, and not Twofold and circl", got.Peers)
	}
	if len(got.Workloads) != len(small()) {
		t.Fatalf("%d workloads instead of %d", len(got.Workloads), len(small()))
	}
	for _, r := range got.Workloads {
		if len(r.Steps) != len(shown) {
			t.Errorf("%s: %d steps instead of %d", r.Name, len(r.Steps), len(shown))
		}
		for _, s := range r.Steps {
			if s.Ratios[nameCircl] <= 0 || len(s.Ratios) != 1 {
				t.Errorf("%s, %s: ratios %v", r.Name, s.Step, s.Ratios)
			}
			columns := []string{nameTwofold, nameCircl, nameSingle}
			if step(s.Step) == stepShard {
				columns = columns[:2]
			}
			if len(s.Nanoseconds) != len(columns) {
				t.Errorf("%s, %s: times %v, and not of %v", r.Name, s.Step, s.Nanoseconds, columns)
			}
			for _, column := range columns {
				if s.Nanoseconds[column] <= 0 {
					t.Errorf("%s, %s, %s: %v ns", r.Name, s.Step, column, s.Nanoseconds[column])
				}
			}
		}
	}
}

func TestCommand(t *testing.T) {
	for _, test := range []struct {
		args   []string
		status int
		errors string
	}{
		{args: []string{"--filter", "["}, status: 2, errors: "--filter"},
		{args: []string{"--filter", "no workload has this name", "--cargo="}, status: 2, errors: "matches none"},
		{args: []string{"--rounds", "0"}, status: 2, errors: "--rounds"},
		{args: []string{"--no-such-flag"}, status: 2, errors: "no-such-flag"},
		{args: []string{"--filter", "^Count$", "--rounds", "1", "--time", "1us", "--cargo=", "--write", "no/such/file"}, status: 1, errors: "no/such/file"},
	} {
		var stderr strings.Builder
		if status := run(test.args, io.Discard, &stderr); status != test.status || !strings.Contains(stderr.String(), test.errors) {
			t.Errorf("%q: status %d, and %q; want %d, and something of %q", test.args, status, stderr.String(), test.status, test.errors)
		}
	}
	var stdout strings.Builder
	if status := run([]string{"--filter", "^Count$", "--rounds", "1", "--time", "1us", "--cargo=", "--json"}, &stdout, io.Discard); status != 0 {
		t.Fatalf("status %d", status)
	}
	var got table
	if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil || len(got.Workloads) != 1 || got.Workloads[0].Name != "Count" {
		t.Errorf("--json: %v, %+v", err, got)
	}
}

// pipePeer is a peer in this process.
func pipePeer(t *testing.T, name string, prepare func(workload) (bench, error)) *peer {
	requests, in := io.Pipe()
	out, answers := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- serve(requests, answers, prepare) }()
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &peer{description: description{Name: name, WireVersion: 18}, in: in, out: bufio.NewReader(out)}
}

// tampered lies about its results.
type tampered struct {
	bench
	aggregate func(string) string
	messages  func([3][]byte) [3][]byte
}

func (b tampered) result() (string, error) {
	result, err := b.bench.result()
	return b.aggregate(result), err
}

func (b tampered) trace(report [4][]byte) ([3][]byte, error) {
	messages, err := b.bench.trace(report)
	return b.messages(messages), err
}

func TestNothingWrongIsMeasured(t *testing.T) {
	honest := func(s string) string { return s }
	same := func(m [3][]byte) [3][]byte { return m }
	for name, test := range map[string]struct {
		tampered
		problem string
	}{
		"as it is":          {tampered{aggregate: honest, messages: same}, ""},
		"a wrong aggregate": {tampered{aggregate: func(s string) string { return s + ",0" }, messages: same}, "another aggregate result"},
		"a wrong share": {tampered{aggregate: honest, messages: func(m [3][]byte) [3][]byte {
			m[1] = slices.Clone(m[1])
			m[1][0] ^= 1
			return m
		}}, "different messages"},
	} {
		t.Run(name, func(t *testing.T) {
			peers := []*peer{
				pipePeer(t, nameTwofold, prepareTwofold),
				pipePeer(t, nameLibprio, func(w workload) (bench, error) {
					b, err := prepareTwofold(w)
					return tampered{b, test.aggregate, test.messages}, err
				}),
			}
			for _, w := range small() {
				_, err := measureWorkload(w, peers, smallOptions())
				if test.problem == "" && err != nil || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
					t.Errorf("%s: %v, and not %q", w.name, err, test.problem)
				}
			}
		})
	}
}

func TestServerRefuses(t *testing.T) {
	p := pipePeer(t, "peer", prepareCircl)
	refused := func(line, problem string) {
		t.Helper()
		if answer, err := p.ask(line); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: %q, %v; want an error with %q", line, answer, err, problem)
		}
	}
	refused("", "empty request")
	refused("measure step=shard by=one ns=1", "before a successful prepare")
	refused("prepare type", "not key=value")
	refused("prepare type=count", "is missing")
	refused("prepare type=poplar length=1 max=1 weight=1 chunk=1 reports=1", "unknown type")
	refused("prepare type=count length=1 max=1 weight=one chunk=1 reports=1", "must be a number")
	if _, err := p.ask(prepareLine(small()[0])); err != nil {
		t.Fatal(err)
	}
	refused("measure step=shard by=one", "ns is missing")
	refused("measure step=dance by=one ns=1", "unknown step")
	refused("trace nonce=0", "nonce")
	refused("trace nonce=00 public=- leader=- helper=-", "the nonce has 1 bytes")
	refused("dance", "unknown request")
	refused("prepare type=histogram length=1 max=1 weight=0 chunk=0 reports=1", "chunk")
	refused("report", "before a successful prepare")
}
