package vdaf

import (
	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
)

// Prio3Histogram counts measurements in buckets; a measurement is the index of
// its bucket, from 0 (VDAF Section 7.4.4).
type Prio3Histogram struct {
	*Prio3[field.Elem128]
	circuit *flp.Histogram[field.Elem128]
}

var _ VDAF[int, []uint64] = (*Prio3Histogram)(nil)

// NewPrio3Histogram returns Prio3Histogram for shares aggregators, 2 to 255,
// and length buckets, 1 to flp.MaxMeasLen. chunkLength should be what
// OptimalChunkLength returns. Numbers out of range are a *ParamError.
func NewPrio3Histogram(shares, length, chunkLength int) (*Prio3Histogram, error) {
	const name = "Prio3Histogram"
	circuit, err := flp.NewHistogram(field.Field128, length, chunkLength)
	if err != nil {
		return nil, namedError(name, err)
	}
	p, err := NewPrio3(name, IDPrio3Histogram, circuit, shares, 1)
	if err != nil {
		return nil, err
	}
	return &Prio3Histogram{Prio3: p, circuit: circuit}, nil
}

// Shard implements VDAF.
func (p *Prio3Histogram) Shard(ctx []byte, measurement int, nonce, rand []byte) ([]byte, [][]byte, error) {
	return shard(p.Prio3, p.circuit.Encode, ctx, measurement, nonce, rand)
}

// Unshard implements VDAF.
func (p *Prio3Histogram) Unshard(aggParam []byte, aggShares [][]byte, _ uint64) ([]uint64, error) {
	return unshard(p.Prio3, p.circuit.Decode, aggParam, aggShares)
}
