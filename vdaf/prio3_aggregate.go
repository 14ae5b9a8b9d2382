package vdaf

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
)

// AggInit implements Verifier (agg_init of VDAF Section 7.2.4).
func (p *Prio3[E]) AggInit([]byte) []byte { return make([]byte, p.sizes.outShare) }

// AggUpdate implements Verifier (agg_update of VDAF Section 7.2.4).
func (p *Prio3[E]) AggUpdate(aggParam, aggShare []byte, outShares []OutShare) ([]byte, error) {
	if err := checkNoAggParam(aggParam); err != nil {
		return nil, err
	}
	sum, err := p.decodeShare("aggregate share", aggShare)
	if err != nil {
		return nil, err
	}
	own := make([]*prio3OutShare[E], len(outShares))
	for i, opaque := range outShares {
		if own[i], err = p.ownOutShare(opaque); err != nil {
			return nil, err
		}
	}
	p.addOutShares(sum, own)
	return p.field.EncodeVec(make([]byte, 0, p.sizes.outShare), sum), nil
}

// Merge implements Verifier (merge of VDAF Section 7.2.4).
func (p *Prio3[E]) Merge(aggParam []byte, aggShares ...[]byte) ([]byte, error) {
	sum, err := p.sum(aggParam, aggShares)
	if err != nil {
		return nil, err
	}
	return p.field.EncodeVec(make([]byte, 0, p.sizes.outShare), sum), nil
}

// sum decodes aggregate shares and adds them up.
func (p *Prio3[E]) sum(aggParam []byte, aggShares [][]byte) ([]E, error) {
	if err := checkNoAggParam(aggParam); err != nil {
		return nil, err
	}
	sum := make([]E, p.flp.OutputLen())
	for _, encoded := range aggShares {
		share, err := p.decodeShare("aggregate share", encoded)
		if err != nil {
			return nil, err
		}
		p.field.AddVec(sum, sum, share)
	}
	return sum, nil
}

// unshard adds up the aggregators' aggregate shares and decodes the sum with
// the circuit's Decode (unshard of VDAF Section 7.2.5).
func unshard[E field.Elem, R any](p *Prio3[E], decode func([]E) (R, error), aggParam []byte, aggShares [][]byte) (R, error) {
	var none R
	if len(aggShares) != p.shares {
		return none, &UsageError{Argument: "aggregate shares", Problem: fmt.Sprintf("there are %d, but must be %d", len(aggShares), p.shares)}
	}
	sum, err := p.sum(aggParam, aggShares)
	if err != nil {
		return none, err
	}
	result, err := decode(sum)
	if err != nil {
		return none, namedError(p.name, err)
	}
	return result, nil
}
