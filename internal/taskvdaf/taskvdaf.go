// Package taskvdaf makes the VDAF instance that a task configuration names
// (DAP Section 4.2 and Appendix B), for the two Aggregators of a task.
package taskvdaf

import (
	"fmt"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/vdafspec"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// UnsupportedError reports a VDAF that Twofold does not implement.
type UnsupportedError struct {
	Type dap.VdafType
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("vdaf_type: %s is not supported; use Prio3Count, Prio3Sum, Prio3SumVec, Prio3Histogram or Prio3MultihotCountVec", e.Type)
}

// ParameterError reports a VDAF configuration that does not decode (Cause is a
// *dap.DecodeError) or whose parameters make no instance, or one beyond
// vdafspec's bounds (Cause is a *vdaf.ParamError).
type ParameterError struct {
	Type  dap.VdafType
	Cause error
}

func (e *ParameterError) Error() string {
	return fmt.Sprintf("vdaf_configuration of %s: %v", e.Type, e.Cause)
}

// Unwrap returns the cause.
func (e *ParameterError) Unwrap() error { return e.Cause }

// Topology returns the ping-pong topology over the VDAF of a task (DAP Section
// 4.5). Its error is an *UnsupportedError or a *ParameterError.
func Topology(config dap.TaskConfiguration) (*pingpong.Topology, error) {
	decoded, err := decode(config)
	if err != nil {
		return nil, err
	}
	verifier, err := vdafspec.NewVDAF(decoded)
	if err != nil {
		return nil, &ParameterError{Type: config.VdafType, Cause: err}
	}
	return pingpong.New(verifier)
}

// Describe returns the VDAF of a task for people, in the notation of the
// commands: "histogram:length=20,chunk=4". What it cannot decode it names as
// such.
func Describe(config dap.TaskConfiguration) string {
	decoded, err := decode(config)
	if err != nil {
		return fmt.Sprintf("%s (unsupported)", config.VdafType)
	}
	return vdafspec.Spec{Config: decoded}.String()
}

// decode decodes the VDAF configuration of a task whose VDAF is supported.
func decode(config dap.TaskConfiguration) (dap.VdafConfiguration, error) {
	switch config.VdafType {
	case dap.VdafTypePrio3Count, dap.VdafTypePrio3Sum, dap.VdafTypePrio3SumVec,
		dap.VdafTypePrio3Histogram, dap.VdafTypePrio3MultihotCountVec:
	default:
		return nil, &UnsupportedError{Type: config.VdafType}
	}
	decoded, err := config.Vdaf()
	if err != nil {
		return nil, &ParameterError{Type: config.VdafType, Cause: err}
	}
	return decoded, nil
}
