package vdaf

import (
	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
)

// Prio3MultihotCountVec counts for each place of a vector of Booleans, of which
// at most max_weight are true, the measurements that are true there (VDAF
// Section 7.4.5).
type Prio3MultihotCountVec struct {
	*Prio3[field.Elem128]
	circuit *flp.MultihotCountVec[field.Elem128]
}

var _ VDAF[[]bool, []uint64] = (*Prio3MultihotCountVec)(nil)

// NewPrio3MultihotCountVec returns Prio3MultihotCountVec for shares
// aggregators, 2 to 255, and vectors of the given length of which at most
// maxWeight elements are true, 1 to length. chunkLength should be what
// OptimalChunkLength returns. Numbers out of range are a *ParamError.
func NewPrio3MultihotCountVec(shares, length, maxWeight, chunkLength int) (*Prio3MultihotCountVec, error) {
	const name = "Prio3MultihotCountVec"
	circuit, err := flp.NewMultihotCountVec(field.Field128, length, maxWeight, chunkLength)
	if err != nil {
		return nil, namedError(name, err)
	}
	p, err := NewPrio3(name, IDPrio3MultihotCountVec, circuit, shares, 1)
	if err != nil {
		return nil, err
	}
	return &Prio3MultihotCountVec{Prio3: p, circuit: circuit}, nil
}

// Shard implements VDAF.
func (p *Prio3MultihotCountVec) Shard(ctx []byte, measurement []bool, nonce, rand []byte) ([]byte, [][]byte, error) {
	return shard(p.Prio3, p.circuit.Encode, ctx, measurement, nonce, rand)
}

// Unshard implements VDAF.
func (p *Prio3MultihotCountVec) Unshard(aggParam []byte, aggShares [][]byte, _ uint64) ([]uint64, error) {
	return unshard(p.Prio3, p.circuit.Decode, aggParam, aggShares)
}
