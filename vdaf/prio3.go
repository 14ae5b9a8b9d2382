package vdaf

import (
	"errors"
	"fmt"
	"sync"

	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
	"github.com/twofold-dap/twofold/xof"
)

// What Prio3 derives from seeds (VDAF Section 7.2).
const (
	usageMeasShare       uint16 = 1
	usageProofShare      uint16 = 2
	usageJointRandomness uint16 = 3
	usageProveRandomness uint16 = 4
	usageQueryRandomness uint16 = 5
	usageJointRandSeed   uint16 = 6
	usageJointRandPart   uint16 = 7
)

const (
	classVDAF      = 0 // the class of a VDAF in a domain separation tag (VDAF Section 5)
	prio3NonceSize = 16
	maxShares      = 255
	maxProofs      = 255
	maxContextSize = xof.MaxDSTSize - xof.DSTPrefixSize

	// minSmallFieldProofs is how many proofs a circuit with joint randomness must
	// at least have over Field64 (VDAF Section 9.7).
	minSmallFieldProofs = 3
)

// Prio3 turns the proof system of a validity circuit over the field of E into
// a VDAF (VDAF Section 7.2), with XofTurboShake128. It is the part of the
// Prio3 types ([Prio3Count] and so on) that does not depend on the type of a
// measurement: a [Verifier], and sharding of measurements that are encoded
// already.
type Prio3[E field.Elem] struct {
	name   string
	id     uint32
	shares int
	proofs int
	flp    *flp.FLP[E]
	field  field.Field[E]
	sizes  prio3Sizes
	limits prio3Limits

	workspaces *sync.Pool // of *prio3Workspace[E]
}

// prio3Sizes are the lengths in bytes of encoded messages and their parts
// (VDAF Section 7.2.7).
type prio3Sizes struct {
	element       int
	meas          int // the Leader's measurement share
	proofs        int // the Leader's shares of all proofs
	seed          int // a blind, a joint randomness part or seed; 0 without joint randomness
	publicShare   int
	leaderShare   int
	helperShare   int
	verifiers     int // the verifier shares of all proofs
	verifierShare int
	outShare      int // also an aggregate share
}

// NewPrio3 returns Prio3 for a validity circuit: with shares aggregators, 2 to
// 255, and proofs independent proofs of each measurement, 1 to 255. name is
// what errors call it, id its algorithm identifier.
//
// Use the constructors of the standard's types instead, unless the circuit is
// none of theirs; then VDAF Section 9.7 says how to choose field and proofs.
// Over Field64 a circuit with joint randomness needs 3 proofs at least. An
// argument out of range is a *ParamError.
func NewPrio3[E field.Elem](name string, id uint32, circuit flp.Circuit[E], shares, proofs int) (*Prio3[E], error) {
	if shares < 2 || shares > maxShares {
		return nil, &ParamError{VDAF: name, Parameter: "SHARES", Value: fmt.Sprint(shares), Want: fmt.Sprintf("2 to %d", maxShares)}
	}
	if proofs < 1 || proofs > maxProofs {
		return nil, &ParamError{VDAF: name, Parameter: "PROOFS", Value: fmt.Sprint(proofs), Want: fmt.Sprintf("1 to %d", maxProofs)}
	}
	system, err := flp.New(circuit)
	if err != nil {
		return nil, namedError(name, err)
	}
	if circuit.Field().EncodedSize() < 16 && system.JointRandLen() > 0 && proofs < minSmallFieldProofs {
		return nil, &ParamError{VDAF: name, Parameter: "PROOFS", Value: fmt.Sprint(proofs), Want: fmt.Sprintf("%d to %d over %s with joint randomness", minSmallFieldProofs, maxProofs, circuit.Field().Name())}
	}
	if length := int64(system.ProofLen()) * int64(proofs); length > flp.MaxProofLen {
		return nil, &ParamError{VDAF: name, Parameter: "PROOF_LEN * PROOFS", Value: fmt.Sprint(length), Want: fmt.Sprintf("at most %d", flp.MaxProofLen)}
	}
	p := &Prio3[E]{name: name, id: id, shares: shares, proofs: proofs, flp: system, field: circuit.Field(), limits: defaultLimits}
	p.sizes = p.messageSizes()
	p.workspaces = &sync.Pool{New: func() any { return newPrio3Workspace(p) }}
	return p, nil
}

func (p *Prio3[E]) messageSizes() prio3Sizes {
	element := p.field.EncodedSize()
	s := prio3Sizes{
		element:   element,
		meas:      element * p.flp.MeasLen(),
		proofs:    element * p.flp.ProofLen() * p.proofs,
		verifiers: element * p.flp.VerifierLen() * p.proofs,
		outShare:  element * p.flp.OutputLen(),
	}
	if p.hasJointRand() {
		s.seed = xof.SeedSize
	}
	s.publicShare = s.seed * p.shares
	s.leaderShare = s.meas + s.proofs + s.seed
	s.helperShare = xof.SeedSize + s.seed
	s.verifierShare = s.verifiers + s.seed
	return s
}

func (p *Prio3[E]) hasJointRand() bool { return p.flp.JointRandLen() > 0 }

// ID implements Verifier.
func (p *Prio3[E]) ID() uint32 { return p.id }

// Shares implements Verifier.
func (p *Prio3[E]) Shares() int { return p.shares }

// Rounds implements Verifier: Prio3 has one round.
func (p *Prio3[E]) Rounds() int { return 1 }

// NonceSize implements Verifier.
func (p *Prio3[E]) NonceSize() int { return prio3NonceSize }

// VerifyKeySize implements Verifier.
func (p *Prio3[E]) VerifyKeySize() int { return xof.SeedSize }

// RandSize is the length in bytes of the randomness that sharding consumes.
func (p *Prio3[E]) RandSize() int {
	if p.hasJointRand() {
		return 2 * xof.SeedSize * p.shares
	}
	return xof.SeedSize * p.shares
}

// PublicShareSize is the length in bytes of an encoded public share, and
// InputShareSize that of the encoded input share of an aggregator. They let a
// caller refuse a report by its lengths alone.
func (p *Prio3[E]) PublicShareSize() int { return p.sizes.publicShare }

// InputShareSize is the length in bytes of the encoded input share of
// aggregator aggID.
func (p *Prio3[E]) InputShareSize(aggID int) int {
	if aggID == 0 {
		return p.sizes.leaderShare
	}
	return p.sizes.helperShare
}

// OutShareSize is the length in bytes of an output share, and VerifierShareSize that of
// an encoded verifier share. They let a caller estimate what a batch takes.
func (p *Prio3[E]) OutShareSize() int { return p.sizes.outShare }

// VerifierShareSize is the length in bytes of an encoded verifier share.
func (p *Prio3[E]) VerifierShareSize() int { return p.sizes.verifierShare }

func (p *Prio3[E]) checkContext(ctx []byte) error {
	if len(ctx) > maxContextSize {
		return &UsageError{Argument: "application context", Problem: fmt.Sprintf("has %d bytes, but must have at most %d", len(ctx), maxContextSize)}
	}
	return nil
}

// ValidAggParam implements Verifier: Prio3 has no aggregation parameter, and a
// report may be aggregated once (VDAF Section 7.2.3).
func (p *Prio3[E]) ValidAggParam(aggParam []byte, previous [][]byte) error {
	if err := checkNoAggParam(aggParam); err != nil {
		return err
	}
	if len(previous) > 0 {
		return &AggParamError{Problem: "a batch of Prio3 reports may be aggregated only once"}
	}
	return nil
}

func checkNoAggParam(aggParam []byte) error {
	if len(aggParam) != 0 {
		return &AggParamError{Problem: fmt.Sprintf("has %d bytes, but Prio3's is empty", len(aggParam))}
	}
	return nil
}

// checkSize checks the length of an encoded message.
func checkSize(message string, b []byte, want int) error {
	if len(b) != want {
		return &DecodeError{Message: message, Problem: fmt.Sprintf("has %d bytes, but must have %d", len(b), want)}
	}
	return nil
}

// checkArgument checks the length of an argument.
func checkArgument(argument string, b []byte, want int) error {
	if len(b) != want {
		return &UsageError{Argument: argument, Problem: fmt.Sprintf("has %d bytes, but must have %d", len(b), want)}
	}
	return nil
}

// decodeVec decodes field elements; len(b) has been checked.
func (p *Prio3[E]) decodeVec(message string, dst []E, b []byte) error {
	if err := p.field.DecodeVec(dst, b); err != nil {
		return &DecodeError{Message: message, Problem: "a field element is not in canonical form"}
	}
	return nil
}

// namedError makes an error of a circuit an error of the VDAF of this name.
func namedError(name string, err error) error {
	var param *flp.ParamError
	var measurement *flp.MeasurementError
	var output *flp.OutputError
	switch {
	case errors.As(err, &param):
		return &ParamError{VDAF: name, Parameter: param.Parameter, Value: param.Value, Want: param.Want}
	case errors.As(err, &measurement):
		return &MeasurementError{VDAF: name, Problem: measurement.Problem}
	case errors.As(err, &output):
		return &ResultError{VDAF: name, Problem: output.Problem}
	}
	return err
}
