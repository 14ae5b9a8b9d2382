// Package vdaf implements Verifiable Distributed Aggregation Functions: the
// contract of VDAF Section 5, and Prio3 with its types (VDAF Section 7), at
// VDAF wire version 18.
//
// A VDAF has two faces. Clients and collectors use the typed one, [VDAF]: a
// client shards a measurement into a public share and one input share for each
// aggregator; a collector unshards the aggregate shares into the aggregate
// result. Aggregators use the untyped one, [Verifier]: encoded messages in,
// encoded messages out, and a whole batch of reports at a time, so that many
// reports can be verified side by side.
//
// Instances are immutable and safe for concurrent use. They start no
// goroutines: a caller that wants to use several processors splits its batch, or
// has [Parallel] split it.
//
// # Secrets
//
// Measurements, input shares, verification keys, verification states, output
// shares and aggregate shares are secret. Their values steer no branch and no
// memory index; lengths, and whether a report was accepted, are public. No
// error contains any of them, and the secret types print as a redaction.
package vdaf

import (
	"fmt"
	"log/slog"
)

// Algorithm identifiers of the VDAFs that this package implements (VDAF
// Section 10).
const (
	IDPrio3Count            uint32 = 0x00000001
	IDPrio3Sum              uint32 = 0x00000002
	IDPrio3SumVec           uint32 = 0x00000003
	IDPrio3Histogram        uint32 = 0x00000004
	IDPrio3MultihotCountVec uint32 = 0x00000005

	// IDPrio3SumVecField64Multiproof is of the range that is reserved for
	// private use; the standard's test vectors use it.
	IDPrio3SumVecField64Multiproof uint32 = 0xFFFFFFFF
)

// VDAF is one VDAF instance as clients and collectors use it, with M the type
// of a measurement and R that of an aggregate result (VDAF Section 5).
type VDAF[M, R any] interface {
	Verifier

	// RandSize is the length in bytes of the randomness that Shard consumes.
	RandSize() int

	// Shard splits measurement into the public share and Shares() input shares,
	// encoded, the share of aggregator j at index j (VDAF Section 5.1). ctx is
	// the application context, nonce the report's nonce of NonceSize() bytes,
	// and rand must be RandSize() bytes from a cryptographically secure source,
	// used for this report alone. A measurement that the instance cannot
	// represent gives a *MeasurementError.
	Shard(ctx []byte, measurement M, nonce, rand []byte) (publicShare []byte, inputShares [][]byte, err error)

	// Unshard computes the aggregate result from the encoded aggregate shares of
	// all the aggregators over the same numMeasurements reports (VDAF Section
	// 5.5). The order of the shares does not matter.
	Unshard(aggParam []byte, aggShares [][]byte, numMeasurements uint64) (R, error)
}

// Verifier is a VDAF as an aggregator sees it (VDAF Sections 5.2 to 5.4).
//
// The methods over batches return as many results as they are given reports,
// in the same order, and one report's failure never affects another report.
// A report whose result has an error must be rejected (VDAF Section 5.2).
// What is wrong with the call as a whole (a verification key of the wrong
// length, an unknown aggregator) is reported in each of the results.
type Verifier interface {
	// ID is the algorithm identifier (VDAF Section 10).
	ID() uint32
	// Shares is the number of aggregators.
	Shares() int
	// Rounds is the number of rounds of verification, at least 1.
	Rounds() int
	// NonceSize is the length in bytes of a report's nonce.
	NonceSize() int
	// VerifyKeySize is the length in bytes of the verification key.
	VerifyKeySize() int

	// ValidAggParam decodes aggParam and checks that a batch may be aggregated
	// with it after it was aggregated with each of previous, in that order
	// (VDAF Section 5.3). The error is an *AggParamError.
	ValidAggParam(aggParam []byte, previous [][]byte) error

	// VerifyInit begins the verification of each report, as the aggregator
	// aggID (VDAF Section 5.2). The results take memory for one output share and
	// one verifier share a report, the work itself no more for a large batch than
	// for a small one.
	VerifyInit(verifyKey, ctx []byte, aggID int, aggParam []byte, reports []Report) []InitResult

	// VerifierSharesToMessage combines the encoded verifier shares of a round
	// into that round's verifier message: shares[i][j] is the share of
	// aggregator j for report i. Rounds count from 0: VerifyInit produces the
	// verifier shares of round 0.
	VerifierSharesToMessage(ctx, aggParam []byte, round int, shares [][][]byte) []MessageResult

	// VerifyNext consumes for each report the encoded verifier message of the
	// round that its state is in; len(states) == len(messages). It yields the
	// output share after the last round, and otherwise the state and the
	// verifier share of the next round. States are not changed.
	VerifyNext(ctx []byte, states []State, messages [][]byte) []NextResult

	// AppendState appends the encoding of a state of this VDAF to dst. The
	// encoding is this module's own (the standard defines none) and secret.
	AppendState(dst []byte, s State) ([]byte, error)
	// DecodeState decodes what AppendState wrote for a state of aggregator aggID
	// in the given round (0 after VerifyInit). It is strict.
	DecodeState(aggID int, aggParam []byte, round int, encoded []byte) (State, error)

	// AppendOutShare appends the encoding of an output share of this VDAF to
	// dst. The encoding is secret.
	AppendOutShare(dst []byte, s OutShare) ([]byte, error)
	// DecodeOutShare decodes what AppendOutShare wrote. It is strict.
	DecodeOutShare(aggParam, encoded []byte) (OutShare, error)

	// AggInit returns the encoded aggregate share of no reports (VDAF Section
	// 5.4).
	AggInit(aggParam []byte) []byte
	// AggUpdate adds output shares to an encoded aggregate share and returns the
	// new encoded aggregate share. aggShare is not changed.
	AggUpdate(aggParam, aggShare []byte, outShares []OutShare) ([]byte, error)
	// Merge adds up encoded aggregate shares of disjoint sets of reports. Of none
	// it makes what AggInit returns.
	Merge(aggParam []byte, aggShares ...[]byte) ([]byte, error)
}

// Report is one report as one aggregator holds it.
type Report struct {
	Nonce       []byte
	PublicShare []byte
	InputShare  []byte // secret
}

// Format implements fmt.Formatter: input shares are not printed.
func (r Report) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "vdaf.Report{Nonce: %x, PublicShare: %d bytes, InputShare: [redacted]}", r.Nonce, len(r.PublicShare))
}

// LogValue implements slog.LogValuer: input shares are not logged.
func (r Report) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// State is the verification state of one report at one aggregator between two
// rounds. It is opaque: only the VDAF that made it can use it, and it prints
// as a redaction. States are immutable.
type State interface {
	fmt.Formatter
	slog.LogValuer
}

// OutShare is one aggregator's output share of one accepted report. It is
// opaque: only the VDAF that made it can use it, and it prints as a redaction.
// Output shares are immutable.
type OutShare interface {
	fmt.Formatter
	slog.LogValuer
}

// InitResult is what VerifyInit yields for one report: either Err, or a State
// and the encoded verifier share of round 0.
type InitResult struct {
	State         State
	VerifierShare []byte
	Err           error
}

// MessageResult is what VerifierSharesToMessage yields for one report: either
// Err, or the encoded verifier message, which may be empty.
type MessageResult struct {
	Message []byte
	Err     error
}

// NextResult is what VerifyNext yields for one report: Err; or, after the last
// round, OutShare; or State and the encoded VerifierShare of the next round.
type NextResult struct {
	OutShare      OutShare
	State         State
	VerifierShare []byte
	Err           error
}

// Redacted is embedded in secret types to make them print as a redaction,
// whatever the verb.
type Redacted struct{}

// Format implements fmt.Formatter.
func (Redacted) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[redacted]")) }

// LogValue implements slog.LogValuer.
func (Redacted) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText implements encoding.TextMarshaler, so that encoders of text
// formats (JSON among them) redact as well.
func (Redacted) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }
