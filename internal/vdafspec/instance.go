package vdafspec

import (
	"errors"
	"fmt"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf"
)

// aggregators is DAP's number of shares.
const aggregators = 2

// NewVDAF returns the VDAF with that configuration, for two aggregators: a
// *vdaf.Prio3Count, *vdaf.Prio3Sum, *vdaf.Prio3SumVec, *vdaf.Prio3Histogram or
// *vdaf.Prio3MultihotCountVec. Its error is a *vdaf.ParamError, also for
// parameters beyond MaxElements and MaxInputShare, or an *Error for another VDAF.
func NewVDAF(config dap.VdafConfiguration) (vdaf.Verifier, error) {
	if err := checkElements(config); err != nil {
		return nil, err
	}
	verifier, err := instance(config)
	if err != nil {
		return nil, err
	}
	if err := checkInputShare(config, verifier); err != nil {
		return nil, err
	}
	return verifier, nil
}

func instance(config dap.VdafConfiguration) (vdaf.Verifier, error) {
	switch c := config.(type) {
	case dap.Prio3CountConfig:
		return vdaf.NewPrio3Count(aggregators)
	case dap.Prio3SumConfig:
		return vdaf.NewPrio3Sum(aggregators, c.MaxMeasurement)
	case dap.Prio3SumVecConfig:
		return vdaf.NewPrio3SumVec(aggregators, int(c.Length), c.MaxMeasurement, int(c.ChunkLength))
	case dap.Prio3HistogramConfig:
		return vdaf.NewPrio3Histogram(aggregators, int(c.Length), int(c.ChunkLength))
	case dap.Prio3MultihotCountVecConfig:
		weight := int(min(c.MaxWeight, MaxElements+1)) // what is above the bound is refused all the same
		return vdaf.NewPrio3MultihotCountVec(aggregators, int(c.Length), weight, int(c.ChunkLength))
	}
	return nil, &Error{Problem: config.VdafType().String() + " is not supported; use one of count, sum, sumvec, histogram, multihot"}
}

// keys are the short form's names of the standard's parameters.
var keys = map[string]string{
	"length": "length", "max_measurement": "max", "max_weight": "max_weight", "chunk_length": "chunk",
}

// check makes the VDAF, to find out whether its parameters are in range.
func (s Spec) check(p params) error {
	_, err := NewVDAF(s.Config)
	if param, ok := errors.AsType[*vdaf.ParamError](err); ok {
		key, known := keys[param.Parameter]
		if !known { // what follows from the parameters, such as PROOF_LEN
			return &Error{VDAF: p.kind.name, Problem: fmt.Sprintf("%s would be %s, and must be %s; lower the length, or leave the chunk out to have the best one", param.Parameter, param.Value, param.Want)}
		}
		return &Error{VDAF: p.kind.name, Key: key, Value: param.Value, Problem: "must be " + param.Want}
	}
	return err
}
