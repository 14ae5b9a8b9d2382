package testvdaf

import (
	"errors"
	"fmt"

	"github.com/twofold-dap/twofold/vdaf"
)

// ErrPlanned is the failure that a report's failure plan asked for.
var ErrPlanned = errors.New("testvdaf: planned failure")

// Step is where a report fails.
type Step uint8

const (
	FailNowhere         Step = iota
	FailInit                 // in VerifyInit; Failure.Round must be 0
	FailSharesToMessage      // in VerifierSharesToMessage of round Failure.Round
	FailNext                 // in VerifyNext, consuming the message of round Failure.Round
)

// Who is the aggregator at which a report fails.
type Who uint8

const (
	Both   Who = iota
	Leader     // aggregator 0
	Helper     // aggregator 1
)

// Failure is a report's failure plan. At FailSharesToMessage, Who is the
// aggregator whose verifier share makes the combination fail, whoever combines.
type Failure struct {
	Step  Step
	Round int // from 0
	Who   Who
}

const maxValue = 1<<48 - 1

// Failing returns the measurement of the given value, below 2^48, whose report
// fails as planned.
func Failing(value uint64, f Failure) uint64 {
	if value > maxValue || !f.valid() {
		panic(fmt.Sprintf("testvdaf: no measurement has the value %d and the failure plan %+v", value, f))
	}
	return uint64(f.Step)<<62 | uint64(f.Round)<<56 | uint64(f.Who)<<48 | value
}

func failureOf(measurement uint64) Failure {
	return Failure{Step: Step(measurement >> 62), Round: int(measurement >> 56 & 0x3f), Who: Who(measurement >> 48)}
}

func (f Failure) valid() bool {
	if f.Step == FailNowhere {
		return f == Failure{}
	}
	return f.Step <= FailNext && f.Round >= 0 && f.Round < MaxRounds && f.Who <= Helper && (f.Step != FailInit || f.Round == 0)
}

// at tells whether aggregator aggID fails at the given step and round.
func (f Failure) at(step Step, round, aggID int) bool {
	return f.Step == step && f.Round == round && (f.Who == Both || f.Who == Leader && aggID == 0 || f.Who == Helper && aggID == 1)
}

func (f Failure) append(dst []byte) []byte {
	return append(dst, byte(f.Step), byte(f.Round), byte(f.Who))
}

// decodeFailure decodes three bytes.
func decodeFailure(message string, b []byte) (Failure, error) {
	f := Failure{Step: Step(b[0]), Round: int(b[1]), Who: Who(b[2])}
	if !f.valid() {
		return Failure{}, &vdaf.DecodeError{Message: message, Problem: "the failure plan is none"}
	}
	return f, nil
}
