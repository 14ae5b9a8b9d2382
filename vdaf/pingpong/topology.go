// Package pingpong is the exchange in which two aggregators verify reports: the
// ping-pong topology of VDAF Section 5.7.1, over opaque byte strings and a
// whole batch of reports at a time.
//
// The Leader begins with [Topology.LeaderInit] and sends each report's Outbound
// message; the Helper answers with [Topology.HelperInit]. From there on they
// take turns with [Topology.LeaderContinued] and [Topology.HelperContinued],
// each of which consumes the peer's last message and may produce one, until
// both have an output share or the report is rejected:
//
//	 +--> Rejected <--+   +--------------+   Finished(out_share)
//	 |                |   |              |           ^
//	 |                |   |              v           |
//	Start -----> Continued(verify_state, verify_round, outbound)
//	 |                                               |
//	 |                                               v
//	 +---------------> FinishedWithOutbound(out_share, outbound)
//
// One report's failure never affects another. A Topology is immutable and safe
// for concurrent use.
//
// # Secrets
//
// Verification keys, input shares, verification states and output shares are
// secret; a [State] prints without them. Which reports were rejected, and why,
// is public.
package pingpong

import (
	"fmt"
	"log/slog"

	"github.com/twofold-dap/twofold/vdaf"
)

// The Leader's and the Helper's aggregator IDs (VDAF Section 5.7.1).
const (
	leaderID = 0
	helperID = 1
)

// Topology runs the exchange over one VDAF.
type Topology struct {
	v      vdaf.Verifier
	rounds int
}

// New returns the exchange over v, which must have two shares and at least one
// round; otherwise the error is a *vdaf.ParamError.
func New(v vdaf.Verifier) (*Topology, error) {
	if v.Shares() != 2 {
		return nil, &vdaf.ParamError{VDAF: "ping-pong topology", Parameter: "SHARES", Value: fmt.Sprint(v.Shares()), Want: "2"}
	}
	if v.Rounds() < 1 {
		return nil, &vdaf.ParamError{VDAF: "ping-pong topology", Parameter: "ROUNDS", Value: fmt.Sprint(v.Rounds()), Want: "at least 1"}
	}
	return &Topology{v: v, rounds: v.Rounds()}, nil
}

// Verifier returns the VDAF.
func (t *Topology) Verifier() vdaf.Verifier { return t.v }

// ValidAggParam is the VDAF's (VDAF Section 5.3).
func (t *Topology) ValidAggParam(aggParam []byte, previous [][]byte) error {
	return t.v.ValidAggParam(aggParam, previous)
}

// AggInit is the VDAF's (VDAF Section 5.4).
func (t *Topology) AggInit(aggParam []byte) []byte { return t.v.AggInit(aggParam) }

// AggUpdate is the VDAF's (VDAF Section 5.4).
func (t *Topology) AggUpdate(aggParam, aggShare []byte, outShares []vdaf.OutShare) ([]byte, error) {
	return t.v.AggUpdate(aggParam, aggShare, outShares)
}

// Merge is the VDAF's (VDAF Section 5.4).
func (t *Topology) Merge(aggParam []byte, aggShares ...[]byte) ([]byte, error) {
	return t.v.Merge(aggParam, aggShares...)
}

// Report is one report as an aggregator holds it when verification begins.
type Report struct {
	Nonce       []byte
	PublicShare []byte
	InputShare  []byte // secret
	Inbound     []byte // the Leader's encoded Message; for HelperInit only
}

// Format implements fmt.Formatter: input shares are not printed.
func (r Report) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "pingpong.Report{Nonce: %x, PublicShare: %d bytes, InputShare: [redacted], Inbound: %d bytes}",
		r.Nonce, len(r.PublicShare), len(r.Inbound))
}

// LogValue implements slog.LogValuer: input shares are not logged.
func (r Report) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// Kind tells the states of VDAF Section 5.7 apart. The zero Kind is no state.
type Kind uint8

const (
	Continued            Kind = iota + 1 // waits for the peer's next message
	Finished                             // has its output share
	FinishedWithOutbound                 // has its output share, and a last message to send
	Rejected                             // the report must not be aggregated
)

// String returns the standard's name of the state.
func (k Kind) String() string {
	switch k {
	case Continued:
		return "Continued"
	case Finished:
		return "Finished"
	case FinishedWithOutbound:
		return "FinishedWithOutbound"
	case Rejected:
		return "Rejected"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// State is one report's state after a transition (VDAF Section 5.7 and VDAF
// Appendix B).
type State struct {
	Kind     Kind
	Round    int           // Continued: verify_round, from 0
	Outbound []byte        // Continued, FinishedWithOutbound: the encoded Message for the peer
	OutShare vdaf.OutShare // Finished, FinishedWithOutbound
	Err      error         // Rejected: why; it says nothing secret

	verify vdaf.State // Continued
}

// Format implements fmt.Formatter: nothing secret is printed.
func (s State) Format(w fmt.State, _ rune) {
	fmt.Fprintf(w, "pingpong.State{Kind: %s, Round: %d, Outbound: %d bytes, Err: %v}", s.Kind, s.Round, len(s.Outbound), s.Err)
}

// LogValue implements slog.LogValuer: nothing secret is logged.
func (s State) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// StateError reports a state that does not allow what was asked of it.
type StateError struct {
	Problem string
}

func (e *StateError) Error() string { return "ping-pong state: " + e.Problem }

func rejected(err error) State { return State{Kind: Rejected, Err: err} }
