package vdaf

import (
	"errors"
	"fmt"
)

// ErrProof means that a report's proof does not show that its measurement is
// valid (VDAF Section 7.2.2): the report must be rejected.
var ErrProof = errors.New("proof verifier check failed")

// ErrJointRand means that the joint randomness that the aggregators computed
// is not the one that the client's public share stands for (VDAF Section
// 7.2.2): the report must be rejected. The standard has each aggregator
// compare what the client says of the others' parts; ours compares what it says of its own
// as well. Otherwise a report whose measurement is valid whatever the joint randomness,
// with a wrong part for one aggregator in its public share, could be accepted by that
// aggregator and rejected by the others.
var ErrJointRand = errors.New("joint randomness check failed")

// ParamError reports a parameter with which no instance can be made.
type ParamError struct {
	VDAF      string // the instance's type, "Prio3Histogram"
	Parameter string // the standard's name of the parameter, "chunk_length"
	Value     string // the value that was given
	Want      string // what it must be
}

func (e *ParamError) Error() string {
	return fmt.Sprintf("%s: %s is %s, but must be %s", e.VDAF, e.Parameter, e.Value, e.Want)
}

// MeasurementError reports a measurement that the instance cannot represent.
// The measurement itself, being secret, is not part of it.
type MeasurementError struct {
	VDAF    string
	Problem string // what is wrong, and what it must be
}

func (e *MeasurementError) Error() string {
	return fmt.Sprintf("%s: measurement: %s", e.VDAF, e.Problem)
}

// DecodeError reports an encoded message that is malformed.
type DecodeError struct {
	Message string // the standard's name of the message, "verifier share"
	Problem string
}

func (e *DecodeError) Error() string { return fmt.Sprintf("%s: %s", e.Message, e.Problem) }

// AggParamError reports an aggregation parameter that cannot be decoded, or
// that is not allowed after those with which the batch was aggregated before
// (VDAF Section 5.3).
type AggParamError struct {
	Problem string
}

func (e *AggParamError) Error() string { return "aggregation parameter: " + e.Problem }

// UsageError reports a call that breaks the contract of this package: a key
// or nonce of the wrong length, a value that another VDAF made.
type UsageError struct {
	Argument string
	Problem  string
}

func (e *UsageError) Error() string { return fmt.Sprintf("%s: %s", e.Argument, e.Problem) }

// ResultError reports an aggregate result that its type cannot hold.
type ResultError struct {
	VDAF    string
	Problem string
}

func (e *ResultError) Error() string {
	return fmt.Sprintf("%s: aggregate result: %s", e.VDAF, e.Problem)
}
