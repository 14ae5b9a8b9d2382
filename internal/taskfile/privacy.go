package taskfile

import (
	"errors"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

const privacyField = "differential_privacy"

// privacyWire is the table of a task with differential privacy.
type privacyWire struct {
	Epsilon          string `toml:"epsilon,omitempty"`
	Rho              string `toml:"rho,omitempty"`
	Neighbours       string `toml:"neighbours"`
	Budget           string `toml:"budget" comment:"What one client may lose in all, in the measure of the level above."`
	ReportsPerClient uint64 `toml:"reports_per_client" comment:"How many reports one client sends at most, in all and for one batch."`
	ReportsPerBatch  uint64 `toml:"reports_per_batch"`
	MaxBatchSize     uint64 `toml:"max_batch_size" comment:"So that no result wraps around the field."`
}

func newPrivacyWire(p *dp.Parameters) *privacyWire {
	w := &privacyWire{
		Neighbours: taskprivacy.NeighboursName(p.Neighbours), Budget: dp.Decimal(p.Budget),
		ReportsPerClient: p.ReportsPerClient, ReportsPerBatch: p.ReportsPerBatch, MaxBatchSize: p.MaxBatchSize,
	}
	if p.Kind == dp.PureEpsilon {
		w.Epsilon = dp.Decimal(p.Level)
	} else {
		w.Rho = dp.Decimal(p.Level)
	}
	return w
}

// parameters decodes the table.
func (w *privacyWire) parameters() (p dp.Parameters, err error) {
	p = dp.Parameters{Kind: dp.PureEpsilon, ReportsPerClient: w.ReportsPerClient, ReportsPerBatch: w.ReportsPerBatch, MaxBatchSize: w.MaxBatchSize}
	field, level := "epsilon", w.Epsilon
	if w.Rho != "" {
		p.Kind, field, level = dp.ZeroConcentrated, "rho", w.Rho
	}
	if (w.Epsilon == "") == (w.Rho == "") {
		return p, &FieldError{privacyField, "needs either epsilon or rho"}
	}
	if p.Level, err = taskprivacy.ParseRational(level); err != nil {
		return p, privacyError(field, err)
	}
	if p.Budget, err = taskprivacy.ParseRational(w.Budget); err != nil {
		return p, privacyError("budget", err)
	}
	p.Neighbours, err = taskprivacy.ParseNeighbours(w.Neighbours)
	return p, privacyError("neighbours", err)
}

func privacyError(field string, err error) error {
	if problem, ok := errors.AsType[*taskprivacy.Error](err); ok {
		return &FieldError{privacyField + "." + field, problem.Problem}
	}
	return err
}

// privacyExtension returns the extensions of the parameters, none without.
func privacyExtension(p *dp.Parameters) ([]dap.TaskExtension, error) {
	if p == nil {
		return nil, nil
	}
	extension, err := taskprivacy.Extension(*p)
	if problem, ok := errors.AsType[*taskprivacy.Error](err); ok {
		return nil, &FieldError{privacyField, problem.Problem}
	}
	return []dap.TaskExtension{extension}, err
}

// checkPrivacy refuses parameters that are unsound.
func (f *File) checkPrivacy() error {
	_, err := taskprivacy.Mechanism(f.Config)
	if problem, ok := errors.AsType[*taskprivacy.Error](err); ok {
		return &FieldError{privacyField, problem.Problem}
	}
	return err
}
