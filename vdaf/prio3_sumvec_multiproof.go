package vdaf

import (
	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
)

// Prio3SumVecField64Multiproof is Prio3SumVec over the smaller field, with
// several proofs of each measurement to make up for it (VDAF Sections 7.1.2 and
// 9.7). Its algorithm identifier is for private use. A sum is modulo Field64's
// prime, 2^64 - 2^32 + 1.
type Prio3SumVecField64Multiproof struct {
	*Prio3[field.Elem64]
	circuit *flp.SumVec[field.Elem64]
}

var _ VDAF[[]uint64, []uint64] = (*Prio3SumVecField64Multiproof)(nil)

// NewPrio3SumVecField64Multiproof returns the instance for shares aggregators,
// 2 to 255, vectors of the given length of integers of at most maxMeasurement,
// and so many proofs, 3 to 255; the rest is as in NewPrio3SumVec.
func NewPrio3SumVecField64Multiproof(shares, length int, maxMeasurement uint64, chunkLength, proofs int) (*Prio3SumVecField64Multiproof, error) {
	const name = "Prio3SumVecField64Multiproof"
	circuit, err := flp.NewSumVec(field.Field64, length, maxMeasurement, chunkLength)
	if err != nil {
		return nil, namedError(name, err)
	}
	p, err := NewPrio3(name, IDPrio3SumVecField64Multiproof, circuit, shares, proofs)
	if err != nil {
		return nil, err
	}
	return &Prio3SumVecField64Multiproof{Prio3: p, circuit: circuit}, nil
}

// Shard implements VDAF.
func (p *Prio3SumVecField64Multiproof) Shard(ctx []byte, measurement []uint64, nonce, rand []byte) ([]byte, [][]byte, error) {
	return shard(p.Prio3, p.circuit.Encode, ctx, measurement, nonce, rand)
}

// Unshard implements VDAF.
func (p *Prio3SumVecField64Multiproof) Unshard(aggParam []byte, aggShares [][]byte, _ uint64) ([]uint64, error) {
	return unshard(p.Prio3, p.circuit.Decode, aggParam, aggShares)
}
