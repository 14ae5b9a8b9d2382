package vdaf

import (
	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
)

// Prio3Count counts the measurements that are true (VDAF Section 7.4.1).
type Prio3Count struct {
	*Prio3[field.Elem64]
	circuit *flp.Count[field.Elem64]
}

var _ VDAF[bool, uint64] = (*Prio3Count)(nil)

// NewPrio3Count returns Prio3Count for shares aggregators, 2 to 255. Another
// number is a *ParamError.
func NewPrio3Count(shares int) (*Prio3Count, error) {
	circuit := flp.NewCount(field.Field64)
	p, err := NewPrio3("Prio3Count", IDPrio3Count, circuit, shares, 1)
	if err != nil {
		return nil, err
	}
	return &Prio3Count{Prio3: p, circuit: circuit}, nil
}

// Shard implements VDAF.
func (p *Prio3Count) Shard(ctx []byte, measurement bool, nonce, rand []byte) ([]byte, [][]byte, error) {
	return shard(p.Prio3, p.circuit.Encode, ctx, measurement, nonce, rand)
}

// Unshard implements VDAF.
func (p *Prio3Count) Unshard(aggParam []byte, aggShares [][]byte, _ uint64) (uint64, error) {
	return unshard(p.Prio3, p.circuit.Decode, aggParam, aggShares)
}
