package pingpong_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/internal/testvdaf"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

var (
	key   = bytes.Repeat([]byte{7}, 32)
	ctx   = []byte("context")
	param = testvdaf.EncodeAggParam(3)
)

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func nonceOf(i int) []byte { return append(bytes.Repeat([]byte{1}, 15), byte(i)) }

// exchange is a Leader and a Helper over one test VDAF.
type exchange struct {
	t     testing.TB
	v     *testvdaf.VDAF
	topo  *pingpong.Topology
	param []byte
	// store makes every state go through storage before it is continued.
	store bool
}

func newExchange(tb testing.TB, rounds int) *exchange {
	tb.Helper()
	v, err := testvdaf.New(testvdaf.Config{Rounds: rounds, AggParam: true})
	check(tb, err)
	topo, err := pingpong.New(v)
	check(tb, err)
	return &exchange{t: tb, v: v, topo: topo, param: param}
}

// reports shards measurements and returns the Leader's and the Helper's reports.
func (e *exchange) reports(measurements ...uint64) (leader, helper []pingpong.Report) {
	e.t.Helper()
	for i, m := range measurements {
		publicShare, inputShares, err := e.v.Shard(ctx, m, nonceOf(i), []byte("8 random"))
		check(e.t, err)
		leader = append(leader, pingpong.Report{Nonce: nonceOf(i), PublicShare: publicShare, InputShare: inputShares[0]})
		helper = append(helper, pingpong.Report{Nonce: nonceOf(i), PublicShare: publicShare, InputShare: inputShares[1]})
	}
	return leader, helper
}

// init runs both initial transitions.
func (e *exchange) init(measurements ...uint64) (leader, helper []pingpong.State) {
	e.t.Helper()
	leaderReports, helperReports := e.reports(measurements...)
	leader = e.topo.LeaderInit(key, ctx, e.param, leaderReports)
	for i := range helperReports {
		helperReports[i].Inbound = leader[i].Outbound
	}
	helper = e.topo.HelperInit(key, ctx, e.param, helperReports)
	return e.stored(true, leader), e.stored(false, helper)
}

// stored puts states through storage, if the exchange says so.
func (e *exchange) stored(leader bool, states []pingpong.State) []pingpong.State {
	e.t.Helper()
	if !e.store {
		return states
	}
	for i, s := range states {
		encoded, err := e.topo.EncodeState(s)
		if s.Kind != pingpong.Continued && s.Kind != pingpong.FinishedWithOutbound {
			if e := new(pingpong.StateError); !errors.As(err, &e) {
				panic(fmt.Sprintf("%v could be stored: %v", s, err))
			}
			continue
		}
		check(e.t, err)
		decoded, err := e.topo.DecodeState(leader, e.param, encoded)
		check(e.t, err)
		if decoded.Kind != s.Kind || decoded.Round != s.Round || !bytes.Equal(decoded.Outbound, s.Outbound) {
			e.t.Fatalf("%v comes out of storage as %v", s, decoded)
		}
		again, err := e.topo.EncodeState(decoded)
		check(e.t, err)
		if !bytes.Equal(again, encoded) {
			e.t.Fatal("a state changes in storage")
		}
		states[i] = decoded
	}
	return states
}

// turn has the aggregator with these states consume the peer's messages, in all the
// states that go on; the others stay.
func (e *exchange) turn(isLeader bool, states, peer []pingpong.State) []pingpong.State {
	e.t.Helper()
	out := append([]pingpong.State(nil), states...)
	var at []int
	var in []pingpong.State
	var inbound [][]byte
	for i, s := range states {
		if s.Kind == pingpong.Continued && peer[i].Kind != pingpong.Rejected {
			at, in, inbound = append(at, i), append(in, s), append(inbound, peer[i].Outbound)
		}
	}
	next := e.topo.HelperContinued
	if isLeader {
		next = e.topo.LeaderContinued
	}
	result := next(ctx, e.param, in, inbound)
	if len(result) != len(in) {
		e.t.Fatalf("%d states from %d", len(result), len(in))
	}
	for k, s := range e.stored(isLeader, result) {
		out[at[k]] = s
	}
	return out
}

// run runs the exchange to its end and returns both sides' last states and the
// number of requests that the Leader made.
func (e *exchange) run(measurements ...uint64) (leader, helper []pingpong.State, requests int) {
	e.t.Helper()
	leader, helper = e.init(measurements...)
	requests = 1
	goesOn := func(states []pingpong.State) bool {
		for _, s := range states {
			if s.Kind == pingpong.Continued {
				return true
			}
		}
		return false
	}
	for {
		if !goesOn(leader) {
			return leader, helper, requests
		}
		before := leader
		leader = e.turn(true, leader, helper)
		// What the Leader has just sent is for the Helper, whose state waits for it.
		if !sent(before, leader) || !goesOn(helper) {
			return leader, helper, requests
		}
		helper = e.turn(false, helper, leader)
		requests++
	}
}

// sent tells whether a transition gave anything to send.
func sent(before, after []pingpong.State) bool {
	for i := range after {
		if before[i].Kind == pingpong.Continued && (after[i].Kind == pingpong.Continued || after[i].Kind == pingpong.FinishedWithOutbound) {
			return true
		}
	}
	return false
}

// aggregate aggregates the output shares of both and unshards.
func (e *exchange) aggregate(leader, helper []pingpong.State) uint64 {
	e.t.Helper()
	var shares [][]byte
	for _, states := range [][]pingpong.State{leader, helper} {
		var out []vdaf.OutShare
		for _, s := range states {
			if s.OutShare != nil {
				out = append(out, s.OutShare)
			}
		}
		share, err := e.topo.AggUpdate(e.param, e.topo.AggInit(e.param), out)
		check(e.t, err)
		share, err = e.topo.Merge(e.param, share, e.topo.AggInit(e.param))
		check(e.t, err)
		shares = append(shares, share)
	}
	sum, err := e.v.Unshard(e.param, shares, uint64(len(leader)))
	check(e.t, err)
	return sum
}

// TestRun runs batches through VDAFs of 1 to 5 rounds, with and without
// storage: (rounds+1)/2 requests, rounded up, and the right side is the one that
// has a last message to send.
func TestRun(t *testing.T) {
	for rounds := 1; rounds <= testvdaf.MaxRounds; rounds++ {
		for _, store := range []bool{false, true} {
			t.Run(fmt.Sprintf("rounds=%d/store=%v", rounds, store), func(t *testing.T) {
				e := newExchange(t, rounds)
				e.store = store
				leader, helper, requests := e.run(1, 20, 300, 4000, 50000)
				if want := (rounds + 2) / 2; requests != want {
					t.Errorf("%d requests, want %d", requests, want)
				}
				// In an odd number of rounds the Helper makes the last verifier message.
				leaderKind, helperKind := pingpong.Finished, pingpong.FinishedWithOutbound
				if rounds%2 == 0 {
					leaderKind, helperKind = helperKind, leaderKind
				}
				for i := range leader {
					if leader[i].Kind != leaderKind || helper[i].Kind != helperKind {
						t.Errorf("report %d ends as %v and %v", i, leader[i], helper[i])
					}
				}
				if got := e.aggregate(leader, helper); got != 3*54321 {
					t.Errorf("aggregate result %d", got)
				}
			})
		}
	}
}

// TestPlannedFailures makes reports fail at each step, in each round, at each
// aggregator: they are rejected at the one that sees the failure, and the other
// reports of the batch are counted.
func TestPlannedFailures(t *testing.T) {
	for rounds := 1; rounds <= testvdaf.MaxRounds; rounds++ {
		for _, step := range []testvdaf.Step{testvdaf.FailInit, testvdaf.FailSharesToMessage, testvdaf.FailNext} {
			for round := range rounds {
				for _, who := range []testvdaf.Who{testvdaf.Both, testvdaf.Leader, testvdaf.Helper} {
					if step == testvdaf.FailInit && round > 0 {
						continue
					}
					f := testvdaf.Failure{Step: step, Round: round, Who: who}
					e := newExchange(t, rounds)
					e.store = round%2 == 1
					leader, helper, _ := e.run(1, testvdaf.Failing(2, f), 4, testvdaf.Failing(8, f), 16)
					for i := range leader {
						bad := i == 1 || i == 3
						rejectedBy := bit(leader[i].Kind == pingpong.Rejected) + bit(helper[i].Kind == pingpong.Rejected)
						if (rejectedBy > 0) != bad {
							t.Errorf("rounds=%d %+v: report %d ends as %v and %v", rounds, f, i, leader[i], helper[i])
						}
						for _, s := range []pingpong.State{leader[i], helper[i]} {
							if s.Kind != pingpong.Rejected {
								continue
							}
							if s.OutShare != nil || len(s.Outbound) > 0 || s.Err == nil {
								t.Errorf("rounds=%d %+v: %v", rounds, f, s)
							}
							// The Helper cannot decode what a failed Leader does not send.
							if message := new(pingpong.MessageError); !errors.Is(s.Err, testvdaf.ErrPlanned) && !errors.As(s.Err, &message) {
								t.Errorf("rounds=%d %+v: error %v", rounds, f, s.Err)
							}
						}
						if bad {
							leader[i].OutShare, helper[i].OutShare = nil, nil
						}
					}
					if got := e.aggregate(leader, helper); got != 3*21 {
						t.Errorf("rounds=%d %+v: aggregate result %d", rounds, f, got)
					}
				}
			}
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestEveryWrongMessage gives to every state of every exchange every message
// but the right one: all of them reject the report.
func TestEveryWrongMessage(t *testing.T) {
	for rounds := 1; rounds <= testvdaf.MaxRounds; rounds++ {
		e := newExchange(t, rounds)
		leaderReports, helperReports := e.reports(5)
		leader := e.topo.LeaderInit(key, ctx, e.param, leaderReports)
		for what, wrong := range wrongMessages(t, leader[0].Outbound) {
			helperReports[0].Inbound = wrong
			mustReject(t, fmt.Sprintf("rounds=%d: the Helper begins with %s", rounds, what), e.topo.HelperInit(key, ctx, e.param, helperReports))
		}
		helperReports[0].Inbound = leader[0].Outbound
		helper := e.topo.HelperInit(key, ctx, e.param, helperReports)

		for requests := 1; ; requests++ {
			if leader[0].Kind != pingpong.Continued {
				break
			}
			for what, wrong := range wrongMessages(t, helper[0].Outbound) {
				mustReject(t, fmt.Sprintf("rounds=%d, response %d: %s", rounds, requests, what), e.topo.LeaderContinued(ctx, e.param, leader, [][]byte{wrong}))
			}
			leader = e.turn(true, leader, helper)
			if helper[0].Kind != pingpong.Continued {
				break
			}
			for what, wrong := range wrongMessages(t, leader[0].Outbound) {
				mustReject(t, fmt.Sprintf("rounds=%d, request %d: %s", rounds, requests+1, what), e.topo.HelperContinued(ctx, e.param, helper, [][]byte{wrong}))
			}
			helper = e.turn(false, helper, leader)
		}
		if leader[0].OutShare == nil || helper[0].OutShare == nil {
			t.Errorf("rounds=%d: ends as %v and %v", rounds, leader[0], helper[0])
		}
	}
}

// wrongMessages are messages that differ from the right one: in type, in a
// field, in length.
func wrongMessages(t *testing.T, right []byte) map[string][]byte {
	t.Helper()
	m, err := pingpong.DecodeMessage(right)
	check(t, err)
	wrong := map[string][]byte{"nothing": nil, "an unknown type": {3}, "more bytes after it": append(bytes.Clone(right), 0)}
	for n := range right {
		wrong[fmt.Sprintf("its first %d bytes", n)] = right[:n]
	}
	add := func(what string, m pingpong.Message) {
		encoded, err := m.Append(nil)
		check(t, err)
		if bytes.Equal(encoded, right) {
			t.Fatalf("%s is the right message", what)
		}
		wrong[what] = encoded
	}
	share, message := m.VerifierShare, m.VerifierMessage
	if m.Type != pingpong.Initialize {
		add("initialize", pingpong.Message{Type: pingpong.Initialize, VerifierShare: share})
	}
	if m.Type != pingpong.Continue {
		add("continue", pingpong.Message{Type: pingpong.Continue, VerifierMessage: message, VerifierShare: share})
	}
	if m.Type != pingpong.Finish {
		add("finish", pingpong.Message{Type: pingpong.Finish, VerifierMessage: message})
	}
	for what, field := range map[string]*[]byte{"verifier share": &m.VerifierShare, "verifier message": &m.VerifierMessage} {
		original := *field
		if len(original) == 0 {
			continue
		}
		for at := range original {
			*field = bytes.Clone(original)
			(*field)[at] ^= 1
			add(fmt.Sprintf("a %s with byte %d changed", what, at), m)
		}
		*field = nil
		add("an empty "+what, m)
		*field = original
	}
	return wrong
}

func mustReject(t *testing.T, what string, states []pingpong.State) {
	t.Helper()
	if len(states) != 1 || states[0].Kind != pingpong.Rejected || states[0].Err == nil || states[0].OutShare != nil || states[0].Outbound != nil {
		t.Errorf("%s: %v", what, states)
	}
}

// TestWrongState continues from states that cannot be continued.
func TestWrongState(t *testing.T) {
	e := newExchange(t, 1)
	leader, helper := e.init(5)
	finished := e.turn(true, leader, helper)
	longer := newExchange(t, 4)
	longerLeader, longerHelper := longer.init(5)
	longerLeader = longer.turn(true, longerLeader, longerHelper)
	for what, s := range map[string]pingpong.State{
		"no state": {}, "Continued without a state": {Kind: pingpong.Continued}, "Finished": finished[0],
		"FinishedWithOutbound": helper[0], "Rejected": {Kind: pingpong.Rejected, Err: errors.New("rejected")},
		"a later round than there is": longerLeader[0],
	} {
		for _, next := range []func(ctx, aggParam []byte, states []pingpong.State, inbound [][]byte) []pingpong.State{e.topo.LeaderContinued, e.topo.HelperContinued} {
			states := next(ctx, e.param, []pingpong.State{s}, [][]byte{helper[0].Outbound})
			mustReject(t, what, states)
			if e := new(pingpong.StateError); !errors.As(states[0].Err, &e) {
				t.Errorf("%s: error %v", what, states[0].Err)
			}
		}
	}
	states := e.topo.LeaderContinued(ctx, e.param, append(leader, leader...), [][]byte{helper[0].Outbound})
	if len(states) != 2 {
		t.Fatalf("%d states", len(states))
	}
	mustReject(t, "two states with one message", states[:1])
	mustReject(t, "two states with one message", states[1:])
}

// TestMixedRounds continues a batch whose reports are in different rounds.
func TestMixedRounds(t *testing.T) {
	e := newExchange(t, 5)
	earlyLeader, earlyHelper := e.init(10)
	lateLeader, lateHelper := e.init(200)
	lateLeader = e.turn(true, lateLeader, lateHelper)
	lateHelper = e.turn(false, lateHelper, lateLeader)

	leader, helper := append(earlyLeader, lateLeader...), append(earlyHelper, lateHelper...)
	for range 2 {
		leader = e.turn(true, leader, helper)
		helper = e.turn(false, helper, leader)
	}
	leader = e.turn(true, leader, helper)
	if got := e.aggregate(leader, helper); got != 3*210 {
		t.Errorf("aggregate result %d; %v and %v", got, leader, helper)
	}
}

// TestDisagreement has the aggregators disagree on what they must agree on.
func TestDisagreement(t *testing.T) {
	e := newExchange(t, 2)
	leaderReports, helperReports := e.reports(1, 2)
	helperReports[1].Nonce = nonceOf(7)
	leader := e.topo.LeaderInit(key, ctx, e.param, leaderReports)
	for i := range helperReports {
		helperReports[i].Inbound = leader[i].Outbound
	}
	for what, states := range map[string][]pingpong.State{
		"key":                   e.topo.HelperInit(bytes.Repeat([]byte{8}, 32), ctx, e.param, helperReports),
		"context":               e.topo.HelperInit(key, []byte("other"), e.param, helperReports),
		"aggregation parameter": e.topo.HelperInit(key, ctx, testvdaf.EncodeAggParam(4), helperReports),
		"nonce":                 e.topo.HelperInit(key, ctx, e.param, helperReports)[1:],
	} {
		for _, s := range states {
			mustReject(t, what, []pingpong.State{s})
		}
	}
}

// TestPrio3 runs the exchange over a real VDAF, one report of which has a proof
// that does not verify.
func TestPrio3(t *testing.T) {
	v, err := vdaf.NewPrio3Histogram(2, 10, 3)
	check(t, err)
	topo, err := pingpong.New(v)
	check(t, err)
	var leaderReports, helperReports []pingpong.Report
	for i := range 6 {
		publicShare, inputShares, err := v.Shard(ctx, i, nonceOf(i), bytes.Repeat([]byte{byte(i)}, v.RandSize()))
		check(t, err)
		leaderReports = append(leaderReports, pingpong.Report{Nonce: nonceOf(i), PublicShare: publicShare, InputShare: inputShares[0]})
		helperReports = append(helperReports, pingpong.Report{Nonce: nonceOf(i), PublicShare: publicShare, InputShare: inputShares[1]})
	}
	leaderReports[2].InputShare[0] ^= 1
	leader := topo.LeaderInit(key, ctx, nil, leaderReports)
	inbound := make([][]byte, len(leader))
	for i := range leader {
		helperReports[i].Inbound = leader[i].Outbound
	}
	helper := topo.HelperInit(key, ctx, nil, helperReports)
	for i := range helper {
		inbound[i] = helper[i].Outbound
	}
	if helper[2].Kind != pingpong.Rejected || !errors.Is(helper[2].Err, vdaf.ErrProof) {
		t.Errorf("the tampered report: %v", helper[2])
	}
	var shares [][]byte
	for _, states := range [][]pingpong.State{topo.LeaderContinued(ctx, nil, leader, inbound), helper} {
		var out []vdaf.OutShare
		for i, s := range states {
			if i == 2 {
				mustReject(t, "the tampered report", states[2:3])
				continue
			}
			out = append(out, s.OutShare)
		}
		share, err := topo.AggUpdate(nil, topo.AggInit(nil), out)
		check(t, err)
		shares = append(shares, share)
	}
	got, err := v.Unshard(nil, shares, 5)
	check(t, err)
	if fmt.Sprint(got) != "[1 1 0 1 1 1 0 0 0 0]" {
		t.Errorf("aggregate result %v", got)
	}
}

func TestNew(t *testing.T) {
	v, err := vdaf.NewPrio3Count(3)
	check(t, err)
	_, err = pingpong.New(v)
	if e := new(vdaf.ParamError); !errors.As(err, &e) {
		t.Errorf("three shares: error %v", err)
	}
	e := newExchange(t, 2)
	if e.topo.Verifier() != vdaf.Verifier(e.v) {
		t.Error("another VDAF")
	}
	check(t, e.topo.ValidAggParam(param, nil))
	if err := e.topo.ValidAggParam(param, [][]byte{param}); err == nil {
		t.Error("the same aggregation parameter twice")
	}
}

// TestEmptyBatches transitions nothing.
func TestEmptyBatches(t *testing.T) {
	e := newExchange(t, 3)
	for i, n := range []int{
		len(e.topo.LeaderInit(key, ctx, e.param, nil)), len(e.topo.HelperInit(key, ctx, e.param, nil)),
		len(e.topo.LeaderContinued(ctx, e.param, nil, nil)), len(e.topo.HelperContinued(ctx, e.param, nil, nil)),
	} {
		if n != 0 {
			t.Errorf("%d: %d states", i, n)
		}
	}
}

// TestConcurrentUse shares a topology between goroutines, for the race detector.
func TestConcurrentUse(t *testing.T) {
	e := newExchange(t, 4)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			leader, helper, _ := e.run(1, 2, 3)
			if got := e.aggregate(leader, helper); got != 18 {
				t.Errorf("aggregate result %d", got)
			}
		})
	}
	wg.Wait()
}

// TestRedaction prints reports and states.
func TestRedaction(t *testing.T) {
	e := newExchange(t, 2)
	leaderReports, _ := e.reports(5)
	leader, helper := e.init(5)
	secret := fmt.Sprintf("%x", leaderReports[0].InputShare[:8])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		for _, x := range []any{leaderReports[0], leaderReports, leader[0], helper} {
			got := fmt.Sprintf(verb, x)
			if strings.Contains(got, secret) || !strings.Contains(got, "pingpong.") {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}
