package vdaf

import (
	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
)

// OptimalChunkLength returns the chunk length that makes the shortest reports
// of Prio3SumVec, Prio3Histogram and Prio3MultihotCountVec instances whose
// encoded measurements have measLen field elements (VDAF Section 7.4.3.1):
// measLen is a histogram's length, a SumVec's length times the bits of
// max_measurement, a MultihotCountVec's length plus the bits of max_weight. It
// panics unless measLen is in [1, flp.MaxMeasLen].
func OptimalChunkLength(measLen int) int { return flp.OptimalChunkLength(measLen) }

// Prio3SumVec adds up vectors of integers of [0, max_measurement] (VDAF
// Section 7.4.3). A sum of 2^64 or more is a *ResultError.
type Prio3SumVec struct {
	*Prio3[field.Elem128]
	circuit *flp.SumVec[field.Elem128]
}

var _ VDAF[[]uint64, []uint64] = (*Prio3SumVec)(nil)

// NewPrio3SumVec returns Prio3SumVec for shares aggregators, 2 to 255, and
// vectors of the given length of integers of at most maxMeasurement, both at
// least 1; length times the bits of maxMeasurement is at most flp.MaxMeasLen.
// chunkLength should be what OptimalChunkLength returns. Numbers out of range
// are a *ParamError.
func NewPrio3SumVec(shares, length int, maxMeasurement uint64, chunkLength int) (*Prio3SumVec, error) {
	const name = "Prio3SumVec"
	circuit, err := flp.NewSumVec(field.Field128, length, maxMeasurement, chunkLength)
	if err != nil {
		return nil, namedError(name, err)
	}
	p, err := NewPrio3(name, IDPrio3SumVec, circuit, shares, 1)
	if err != nil {
		return nil, err
	}
	return &Prio3SumVec{Prio3: p, circuit: circuit}, nil
}

// Shard implements VDAF.
func (p *Prio3SumVec) Shard(ctx []byte, measurement []uint64, nonce, rand []byte) ([]byte, [][]byte, error) {
	return shard(p.Prio3, p.circuit.Encode, ctx, measurement, nonce, rand)
}

// Unshard implements VDAF.
func (p *Prio3SumVec) Unshard(aggParam []byte, aggShares [][]byte, _ uint64) ([]uint64, error) {
	return unshard(p.Prio3, p.circuit.Decode, aggParam, aggShares)
}
