package vdaf

import (
	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
)

// Prio3Sum adds up integers of [0, max_measurement] (VDAF Section 7.4.2). The
// sum is modulo Field64's prime, 2^64 - 2^32 + 1: it is the true one as long as
// the number of measurements times max_measurement is below that.
type Prio3Sum struct {
	*Prio3[field.Elem64]
	circuit *flp.Sum[field.Elem64]
}

var _ VDAF[uint64, uint64] = (*Prio3Sum)(nil)

// NewPrio3Sum returns Prio3Sum for shares aggregators, 2 to 255, and
// measurements of at most maxMeasurement, which is 1 to 2^64 - 2^32. Other
// numbers are a *ParamError.
func NewPrio3Sum(shares int, maxMeasurement uint64) (*Prio3Sum, error) {
	const name = "Prio3Sum"
	circuit, err := flp.NewSum(field.Field64, maxMeasurement)
	if err != nil {
		return nil, namedError(name, err)
	}
	p, err := NewPrio3(name, IDPrio3Sum, circuit, shares, 1)
	if err != nil {
		return nil, err
	}
	return &Prio3Sum{Prio3: p, circuit: circuit}, nil
}

// Shard implements VDAF.
func (p *Prio3Sum) Shard(ctx []byte, measurement uint64, nonce, rand []byte) ([]byte, [][]byte, error) {
	return shard(p.Prio3, p.circuit.Encode, ctx, measurement, nonce, rand)
}

// Unshard implements VDAF.
func (p *Prio3Sum) Unshard(aggParam []byte, aggShares [][]byte, _ uint64) (uint64, error) {
	return unshard(p.Prio3, p.circuit.Decode, aggParam, aggShares)
}
