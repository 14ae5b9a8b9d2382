package pingpong

import (
	"fmt"

	"github.com/twofold-dap/twofold/vdaf"
)

// LeaderInit computes the Leader's initial transition for each report
// (ping_pong_leader_init of VDAF Section 5.7.1): Continued or Rejected.
// Reports' Inbound is not used.
func (t *Topology) LeaderInit(verifyKey, ctx, aggParam []byte, reports []Report) []State {
	states := make([]State, len(reports))
	for i, r := range t.v.VerifyInit(verifyKey, ctx, leaderID, aggParam, verifierReports(reports)) {
		if r.Err != nil {
			states[i] = rejected(r.Err)
			continue
		}
		outbound, err := encode(Message{Type: Initialize, VerifierShare: r.VerifierShare})
		if err != nil {
			states[i] = rejected(err)
			continue
		}
		states[i] = State{Kind: Continued, Outbound: outbound, verify: r.State}
	}
	return states
}

// HelperInit computes the Helper's initial transition for each report, whose
// Inbound is the Leader's message (ping_pong_helper_init of VDAF Section
// 5.7.1): Continued, FinishedWithOutbound or Rejected.
func (t *Topology) HelperInit(verifyKey, ctx, aggParam []byte, reports []Report) []State {
	states := make([]State, len(reports))

	// A report whose inbound message is malformed is not worth its proof.
	initial := make([]vdaf.Report, 0, len(reports))
	peer := make([]turn, 0, len(reports))
	for i, r := range reports {
		m, err := DecodeMessage(r.Inbound)
		if err == nil && m.Type != Initialize {
			err = &MessageError{Problem: fmt.Sprintf("%s where initialize was expected", m.Type)}
		}
		if err != nil {
			states[i] = rejected(err)
			continue
		}
		initial = append(initial, vdaf.Report{Nonce: r.Nonce, PublicShare: r.PublicShare, InputShare: r.InputShare})
		peer = append(peer, turn{index: i, peerShare: m.VerifierShare})
	}

	turns := peer[:0]
	for k, r := range t.v.VerifyInit(verifyKey, ctx, helperID, aggParam, initial) {
		p := peer[k]
		if r.Err != nil {
			states[p.index] = rejected(r.Err)
			continue
		}
		p.verify, p.ownShare = r.State, r.VerifierShare
		turns = append(turns, p)
	}
	t.transition(false, ctx, aggParam, 0, turns, states)
	return states
}

// LeaderContinued computes the Leader's next transition for each report from
// its state, which must be Continued, and the Helper's message
// (ping_pong_leader_continued of VDAF Section 5.7.1).
func (t *Topology) LeaderContinued(ctx, aggParam []byte, states []State, inbound [][]byte) []State {
	return t.continued(true, ctx, aggParam, states, inbound)
}

// HelperContinued computes the Helper's next transition for each report from
// its state, which must be Continued, and the Leader's message
// (ping_pong_helper_continued of VDAF Section 5.7.1).
func (t *Topology) HelperContinued(ctx, aggParam []byte, states []State, inbound [][]byte) []State {
	return t.continued(false, ctx, aggParam, states, inbound)
}

// continued is ping_pong_continued of VDAF Section 5.7.1 over a batch, whose
// reports may be in different rounds.
func (t *Topology) continued(isLeader bool, ctx, aggParam []byte, states []State, inbound [][]byte) []State {
	out := make([]State, len(states))
	if len(inbound) != len(states) {
		err := &StateError{Problem: fmt.Sprintf("%d states with %d inbound messages", len(states), len(inbound))}
		for i := range out {
			out[i] = rejected(err)
		}
		return out
	}

	var ready []int // the reports whose message is the expected one
	messages := make([]Message, len(states))
	for i, s := range states {
		m, err := t.expect(s, inbound[i])
		if err != nil {
			out[i] = rejected(err)
			continue
		}
		messages[i] = m
		ready = append(ready, i)
	}

	verify := make([]vdaf.State, len(ready))
	verifierMessages := make([][]byte, len(ready))
	for k, i := range ready {
		verify[k], verifierMessages[k] = states[i].verify, messages[i].VerifierMessage
	}
	turns := make(map[int][]turn) // by round
	for k, r := range t.v.VerifyNext(ctx, verify, verifierMessages) {
		i := ready[k]
		round := states[i].Round + 1
		switch {
		case r.Err != nil:
			out[i] = rejected(r.Err)
		case round == t.rounds:
			out[i] = finished(r, nil)
		case r.State == nil:
			out[i] = rejected(errNoState(round))
		default:
			turns[round] = append(turns[round], turn{
				index: i, verify: r.State, ownShare: r.VerifierShare, peerShare: messages[i].VerifierShare,
			})
		}
	}
	for round, batch := range turns {
		t.transition(isLeader, ctx, aggParam, round, batch, out)
	}
	return out
}

// expect decodes the message that arrived for a report in state s, and checks
// that it is one that the state can consume.
func (t *Topology) expect(s State, inbound []byte) (Message, error) {
	if s.Kind != Continued || s.verify == nil {
		return Message{}, &StateError{Problem: fmt.Sprintf("%s cannot be continued", s.Kind)}
	}
	if s.Round < 0 || s.Round >= t.rounds {
		return Message{}, &StateError{Problem: fmt.Sprintf("round %d of a VDAF of %d rounds", s.Round, t.rounds)}
	}
	m, err := DecodeMessage(inbound)
	if err != nil {
		return Message{}, err
	}
	want := Continue
	if s.Round+1 == t.rounds {
		want = Finish
	}
	if m.Type != want {
		return Message{}, &MessageError{Problem: fmt.Sprintf("%s where %s was expected", m.Type, want)}
	}
	return m, nil
}

// turn is one report for which an aggregator has both verifier shares of a
// round.
type turn struct {
	index     int // in the batch
	verify    vdaf.State
	ownShare  []byte
	peerShare []byte
}

// transition is ping_pong_transition of VDAF Section 5.7.1 over the turns of
// one round; the new states go to their places in states.
func (t *Topology) transition(isLeader bool, ctx, aggParam []byte, round int, turns []turn, states []State) {
	if len(turns) == 0 {
		return
	}
	shares := make([][][]byte, len(turns))
	pairs := make([][]byte, 2*len(turns))
	for k, p := range turns {
		pair := pairs[2*k : 2*k+2 : 2*k+2]
		if isLeader {
			pair[leaderID], pair[helperID] = p.ownShare, p.peerShare
		} else {
			pair[leaderID], pair[helperID] = p.peerShare, p.ownShare
		}
		shares[k] = pair
	}

	var ready []int // positions in turns
	verify := make([]vdaf.State, 0, len(turns))
	messages := make([][]byte, 0, len(turns))
	for k, r := range t.v.VerifierSharesToMessage(ctx, aggParam, round, shares) {
		if r.Err != nil {
			states[turns[k].index] = rejected(r.Err)
			continue
		}
		ready = append(ready, k)
		verify = append(verify, turns[k].verify)
		messages = append(messages, r.Message)
	}
	for k, r := range t.v.VerifyNext(ctx, verify, messages) {
		states[turns[ready[k]].index] = t.next(r, messages[k], round)
	}
}

// next is the state that a report reaches when verifier message number round
// was consumed with the result r.
func (t *Topology) next(r vdaf.NextResult, verifierMessage []byte, round int) State {
	if r.Err != nil {
		return rejected(r.Err)
	}
	if round+1 == t.rounds {
		outbound, err := encode(Message{Type: Finish, VerifierMessage: verifierMessage})
		if err != nil {
			return rejected(err)
		}
		return finished(r, outbound)
	}
	if r.State == nil {
		return rejected(errNoState(round + 1))
	}
	outbound, err := encode(Message{Type: Continue, VerifierMessage: verifierMessage, VerifierShare: r.VerifierShare})
	if err != nil {
		return rejected(err)
	}
	return State{Kind: Continued, Round: round + 1, Outbound: outbound, verify: r.State}
}

// finished is Finished or, with an outbound message, FinishedWithOutbound.
func finished(r vdaf.NextResult, outbound []byte) State {
	if r.OutShare == nil {
		return rejected(&StateError{Problem: "the VDAF gave no output share after its last round"})
	}
	if outbound == nil {
		return State{Kind: Finished, OutShare: r.OutShare}
	}
	return State{Kind: FinishedWithOutbound, OutShare: r.OutShare, Outbound: outbound}
}

func errNoState(round int) error {
	return &StateError{Problem: fmt.Sprintf("the VDAF gave no verification state for round %d", round)}
}

func verifierReports(reports []Report) []vdaf.Report {
	out := make([]vdaf.Report, len(reports))
	for i, r := range reports {
		out[i] = vdaf.Report{Nonce: r.Nonce, PublicShare: r.PublicShare, InputShare: r.InputShare}
	}
	return out
}

func encode(m Message) ([]byte, error) { return m.Append(make([]byte, 0, m.Size())) }
