package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/twofold-dap/twofold/vdaf"
)

// vectorVDAF is a VDAF whose measurements and aggregate results are JSON.
type vectorVDAF interface {
	vdaf.Verifier
	RandSize() int
	shardJSON(ctx []byte, measurement json.RawMessage, nonce, rand []byte) (publicShare []byte, inputShares [][]byte, err error)
	// unshardJSON fails when the aggregate result is not the one that is
	// expected.
	unshardJSON(aggParam []byte, aggShares [][]byte, numMeasurements uint64, expected json.RawMessage) error
}

// typedVDAF is a vectorVDAF over VDAF[M, R].
type typedVDAF[M, R any] struct {
	vdaf.VDAF[M, R]
	measurement func(json.RawMessage) (M, error)
}

func (v typedVDAF[M, R]) shardJSON(ctx []byte, measurement json.RawMessage, nonce, rand []byte) ([]byte, [][]byte, error) {
	m, err := v.measurement(measurement)
	if err != nil {
		return nil, nil, err
	}
	return v.Shard(ctx, m, nonce, rand)
}

func (v typedVDAF[M, R]) unshardJSON(aggParam []byte, aggShares [][]byte, numMeasurements uint64, expected json.RawMessage) error {
	var want R
	if err := decodeStrictly(expected, &want); err != nil {
		return fmt.Errorf("agg_result: %w", err)
	}
	got, err := v.Unshard(aggParam, aggShares, numMeasurements)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("the aggregate result is %v, not %v", got, want)
	}
	return nil
}

// newTyped wraps what a constructor returns. Measurements that the file writes
// as M is written in JSON need no function of their own.
func newTyped[M, R any](v vdaf.VDAF[M, R], err error) (vectorVDAF, error) {
	if err != nil {
		return nil, err
	}
	return typedVDAF[M, R]{v, func(data json.RawMessage) (m M, err error) {
		err = decodeStrictly(data, &m)
		return m, err
	}}, nil
}

// boolean decodes a measurement of Prio3Count, which the files write as 0 or 1.
func boolean(data json.RawMessage) (bool, error) {
	switch string(data) {
	case "0":
		return false, nil
	case "1":
		return true, nil
	}
	return false, fmt.Errorf("a measurement of Prio3Count is %s, not 0 or 1", data)
}

// parameters hands out the parameters of a file, and remembers which were
// missing and how many were used.
type parameters struct {
	file    *vectorFile
	used    int
	missing error
}

func parameter[T any](p *parameters, name string, value *T) (v T) {
	if value == nil {
		p.missing = fmt.Errorf("the parameter %s is missing", name)
		return v
	}
	p.used++
	return *value
}

func (p *parameters) length() int      { return parameter(p, "length", p.file.Length) }
func (p *parameters) chunkLength() int { return parameter(p, "chunk_length", p.file.ChunkLength) }
func (p *parameters) maxWeight() int   { return parameter(p, "max_weight", p.file.MaxWeight) }
func (p *parameters) maxMeasurement() uint64 {
	return parameter(p, "max_measurement", p.file.MaxMeasurement)
}

// proofs is 3 where the file does not say it: so it is in the official files,
// which have no parameter for it.
func (p *parameters) proofs() int {
	if p.file.Proofs == nil {
		return 3
	}
	return parameter(p, "proofs", p.file.Proofs)
}

// given is the number of parameters that the file has.
func (p *parameters) given() (n int) {
	for _, present := range []bool{
		p.file.Length != nil, p.file.ChunkLength != nil, p.file.MaxWeight != nil,
		p.file.MaxMeasurement != nil, p.file.Proofs != nil,
	} {
		if present {
			n++
		}
	}
	return n
}

// newVectorVDAF makes the instance that a file is for. What stands before the
// first underscore of the file's name says which VDAF it is.
func newVectorVDAF(name string, file *vectorFile) (vectorVDAF, error) {
	p := &parameters{file: file}
	var v vectorVDAF
	var err error
	switch name {
	case "Prio3Count":
		var count vdaf.VDAF[bool, uint64]
		count, err = vdaf.NewPrio3Count(file.Shares)
		v = typedVDAF[bool, uint64]{count, boolean}
	case "Prio3Sum":
		v, err = newTyped[uint64, uint64](vdaf.NewPrio3Sum(file.Shares, p.maxMeasurement()))
	case "Prio3SumVec":
		v, err = newTyped[[]uint64, []uint64](vdaf.NewPrio3SumVec(file.Shares, p.length(), p.maxMeasurement(), p.chunkLength()))
	case "Prio3Histogram":
		v, err = newTyped[int, []uint64](vdaf.NewPrio3Histogram(file.Shares, p.length(), p.chunkLength()))
	case "Prio3MultihotCountVec":
		v, err = newTyped[[]bool, []uint64](vdaf.NewPrio3MultihotCountVec(file.Shares, p.length(), p.maxWeight(), p.chunkLength()))
	case "Prio3SumVecWithMultiproof":
		v, err = newTyped[[]uint64, []uint64](vdaf.NewPrio3SumVecField64Multiproof(file.Shares, p.length(), p.maxMeasurement(), p.chunkLength(), p.proofs()))
	default:
		return nil, fmt.Errorf("unknown VDAF %q: this file cannot be replayed", name)
	}
	switch {
	case p.missing != nil:
		return nil, p.missing
	case err != nil:
		return nil, err
	case p.used != p.given():
		return nil, fmt.Errorf("the file has %d parameters, of which %s takes %d", p.given(), name, p.used)
	}
	return v, nil
}
