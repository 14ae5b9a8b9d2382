package vdaf

import (
	"crypto/subtle"
	"fmt"

	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/xof"
)

// prio3State is the verification state: the output share to be released, and
// the joint randomness seed that the aggregator computed.
type prio3State[E field.Elem] struct {
	Redacted
	aggID         int
	outShare      prio3OutShare[E]
	jointRandSeed [xof.SeedSize]byte // if there is joint randomness
}

// VerifierSharesToMessage implements Verifier (verifier_shares_to_message of
// VDAF Section 7.2.2).
func (p *Prio3[E]) VerifierSharesToMessage(ctx, aggParam []byte, round int, shares [][][]byte) []MessageResult {
	results := make([]MessageResult, len(shares))
	if err := p.checkCombine(ctx, aggParam, round); err != nil {
		for i := range results {
			results[i].Err = err
		}
		return results
	}
	w := p.workspaces.Get().(*prio3Workspace[E])
	defer p.workspaces.Put(w)
	w.tags.set(p.id, ctx)
	b := &combineBatch[E]{p: p, w: w, shares: shares, results: results}
	b.messages = make([]byte, len(shares)*p.sizes.seed)
	for i := range shares {
		if results[i].Err = b.decide(i); results[i].Err != nil {
			continue
		}
		if !p.hasJointRand() {
			results[i].Message = []byte{}
			continue
		}
		b.lanes[b.n] = i
		if b.n++; b.n == laneCount {
			b.combineParts()
		}
	}
	if b.n > 0 {
		b.combineParts()
	}
	return results
}

func (p *Prio3[E]) checkCombine(ctx, aggParam []byte, round int) error {
	if err := checkNoAggParam(aggParam); err != nil {
		return err
	}
	if round != 0 {
		return &UsageError{Argument: "round", Problem: fmt.Sprintf("is %d, but Prio3 has one round, 0", round)}
	}
	return p.checkContext(ctx)
}

// combineBatch is the state of VerifierSharesToMessage. Reports whose proofs
// verify collect in lanes until there are four.
type combineBatch[E field.Elem] struct {
	p        *Prio3[E]
	w        *prio3Workspace[E]
	shares   [][][]byte
	results  []MessageResult
	messages []byte // all the messages, allocated at once

	lanes [laneCount]int
	n     int
}

// decide adds up the verifier shares of report i and decides each proof.
func (b *combineBatch[E]) decide(i int) error {
	p, w := b.p, b.w
	if len(b.shares[i]) != p.shares {
		return &UsageError{Argument: "verifier shares", Problem: fmt.Sprintf("there are %d, but must be %d", len(b.shares[i]), p.shares)}
	}
	for j, encoded := range b.shares[i] {
		if err := checkSize("verifier share", encoded, p.sizes.verifierShare); err != nil {
			return err
		}
		dst := w.share
		if j == 0 {
			dst = w.verifiers
		}
		if err := p.decodeVec("verifier share", dst, encoded[:p.sizes.verifiers]); err != nil {
			return err
		}
		if j > 0 {
			p.field.AddVec(w.verifiers, w.verifiers, w.share)
		}
	}
	for j := range p.proofs {
		if !p.flp.Decide(w.flp, part(w.verifiers, j, p.flp.VerifierLen())) {
			return ErrProof
		}
	}
	return nil
}

// combineParts combines the joint randomness parts of the reports in the lanes
// into their verifier messages, and empties the lanes.
func (b *combineBatch[E]) combineParts() {
	p, w := b.p, b.w
	parts := w.binders
	for k := range b.n {
		parts[k] = parts[k][:0]
		for _, encoded := range b.shares[b.lanes[k]] {
			parts[k] = append(parts[k], encoded[p.sizes.verifiers:]...)
		}
	}
	p.jointRandSeeds(w, b.n, &parts)
	for k := range b.n {
		i, size := b.lanes[k], p.sizes.seed
		message := b.messages[i*size : (i+1)*size : (i+1)*size]
		copy(message, w.seeds[k][:])
		b.results[i].Message = message
	}
	b.n = 0
}

// VerifyNext implements Verifier (verify_next of VDAF Section 7.2.2).
func (p *Prio3[E]) VerifyNext(_ []byte, states []State, messages [][]byte) []NextResult {
	results := make([]NextResult, len(states))
	if len(messages) != len(states) {
		err := &UsageError{Argument: "verifier messages", Problem: fmt.Sprintf("there are %d for %d states", len(messages), len(states))}
		for i := range results {
			results[i].Err = err
		}
		return results
	}
	for i, s := range states {
		state, err := p.ownState(s)
		if err == nil {
			err = checkSize("verifier message", messages[i], p.sizes.seed)
		}
		if err == nil && subtle.ConstantTimeCompare(messages[i], state.jointRandSeed[:p.sizes.seed]) != 1 {
			err = ErrJointRand
		}
		if err != nil {
			results[i].Err = err
			continue
		}
		results[i].OutShare = &state.outShare
	}
	return results
}

// ownState returns the state behind an opaque one.
func (p *Prio3[E]) ownState(opaque State) (*prio3State[E], error) {
	s, ok := opaque.(*prio3State[E])
	if !ok || s == nil || !s.outShare.isOf(p) {
		return nil, &UsageError{Argument: "verification state", Problem: "was made by another VDAF"}
	}
	return s, nil
}

// ownOutShare returns the output share behind an opaque one.
func (p *Prio3[E]) ownOutShare(opaque OutShare) (*prio3OutShare[E], error) {
	s, ok := opaque.(*prio3OutShare[E])
	if !ok || s == nil || !s.isOf(p) {
		return nil, &UsageError{Argument: "output share", Problem: "was made by another VDAF"}
	}
	return s, nil
}
