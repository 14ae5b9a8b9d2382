package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// Measurement is a value of the type that the task's VDAF takes, and when it was
// taken. It is secret.
type Measurement[M any] struct {
	Value M
	Time  time.Time
}

// Format implements fmt.Formatter: measurements are not printed.
func (Measurement[M]) Format(s fmt.State, _ rune) {
	_, _ = s.Write([]byte("Measurement{redacted}"))
}

// Sharder is what a client needs of a VDAF with measurements of type M. Every
// vdaf.VDAF[M, R] is one.
type Sharder[M any] interface {
	ID() uint32
	Shares() int
	NonceSize() int
	RandSize() int
	Shard(ctx []byte, measurement M, nonce, rand []byte) (publicShare []byte, inputShares [][]byte, err error)
}

// MeasurementError says that a measurement cannot be reported. It does not hold
// the measurement.
type MeasurementError struct {
	// Index is the measurement's place in the call.
	Index int
	// Err is a *vdaf.MeasurementError or a *TimeError.
	Err error
}

func (e *MeasurementError) Error() string {
	return fmt.Sprintf("client: measurement %d: %v", e.Index, e.Err)
}

// Unwrap returns Err.
func (e *MeasurementError) Unwrap() error { return e.Err }

// ErrTime is the error behind every *TimeError.
var ErrTime = errors.New("the task takes no reports of that time")

// TimeError says that the task takes no reports of a measurement's time: it has
// not started then, or is over (DAP Section 4.2.3).
type TimeError struct {
	Problem string
}

func (e *TimeError) Error() string { return e.Problem }

// Unwrap returns ErrTime.
func (e *TimeError) Unwrap() error { return ErrTime }

// sharderFor makes the VDAF of a task's configuration.
func sharderFor[M any](configuration dap.TaskConfiguration) (Sharder[M], error) {
	spec, err := vdafspec.FromConfiguration(configuration)
	if err != nil {
		return nil, &TaskError{err.Error()}
	}
	instance, err := vdafspec.NewVDAF(spec.Config)
	if err != nil {
		return nil, &TaskError{err.Error()}
	}
	sharder, ok := instance.(Sharder[M])
	if !ok {
		var measurement M
		return nil, &TaskError{fmt.Sprintf("its VDAF, %s, takes measurements of type %s; the client is for %T", configuration.VdafType, measurementType(spec.Config), measurement)}
	}
	return sharder, nil
}

func measurementType(config dap.VdafConfiguration) string {
	switch config.(type) {
	case dap.Prio3CountConfig:
		return "bool"
	case dap.Prio3SumConfig:
		return "uint64"
	case dap.Prio3SumVecConfig:
		return "[]uint64"
	case dap.Prio3HistogramConfig:
		return "int"
	case dap.Prio3MultihotCountVecConfig:
		return "[]bool"
	}
	return "unknown"
}

// checkerFor returns the check that a measurement is one of the task's: what
// sharding would refuse, found out before anything is sent. It returns what is
// wrong, or "". It is nil for a VDAF that is not one of DAP's.
func checkerFor[M any](configuration dap.TaskConfiguration) func(M) string {
	config, err := configuration.Vdaf()
	if err != nil {
		return nil
	}
	var check any
	switch c := config.(type) {
	case dap.Prio3SumConfig:
		check = func(m uint64) string { return checkMaximum(m, c.MaxMeasurement) }
	case dap.Prio3SumVecConfig:
		check = func(m []uint64) string { return checkSumVec(c, m) }
	case dap.Prio3HistogramConfig:
		check = func(m int) string {
			if m < 0 || m >= int(c.Length) {
				return fmt.Sprintf("is not a bucket's index, 0 to %d", c.Length-1)
			}
			return ""
		}
	case dap.Prio3MultihotCountVecConfig:
		check = func(m []bool) string { return checkMultihot(c, m) }
	}
	typed, _ := check.(func(M) string)
	return typed
}

func checkMaximum(m, most uint64) string {
	if m > most {
		return fmt.Sprintf("is greater than the task's maximum, %d", most)
	}
	return ""
}

func checkSumVec(c dap.Prio3SumVecConfig, m []uint64) string {
	if len(m) != int(c.Length) {
		return fmt.Sprintf("has %d numbers; the task's vectors have %d", len(m), c.Length)
	}
	for i, n := range m {
		if problem := checkMaximum(n, c.MaxMeasurement); problem != "" {
			return fmt.Sprintf("its number %d %s", i+1, problem)
		}
	}
	return ""
}

func checkMultihot(c dap.Prio3MultihotCountVecConfig, m []bool) string {
	if len(m) != int(c.Length) {
		return fmt.Sprintf("has %d flags; the task's vectors have %d", len(m), c.Length)
	}
	weight := uint64(0)
	for _, flag := range m {
		if flag {
			weight++
		}
	}
	if weight > c.MaxWeight {
		return fmt.Sprintf("has more flags set than the task's maximum, %d", c.MaxWeight)
	}
	return ""
}
