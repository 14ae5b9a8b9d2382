package service

import (
	"errors"
	"fmt"
	"math"

	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

// addPrivacy adds differential privacy to a draft whose VDAF is known.
func addPrivacy(draft *taskfile.Draft, privacy *PrivacyDraft) error {
	if privacy == nil {
		return nil
	}
	p := dp.Parameters{
		Kind: dp.PureEpsilon, Neighbours: dp.ReplaceOne, MaxBatchSize: privacy.MaxBatchSize,
		ReportsPerClient: max(privacy.ReportsPerClient, 1), ReportsPerBatch: max(privacy.ReportsPerBatch, 1),
	}
	switch privacy.Mechanism {
	case "", dp.PureEpsilon.String():
	case dp.ZeroConcentrated.String():
		p.Kind = dp.ZeroConcentrated
	default:
		return &FieldError{"privacy.mechanism", fmt.Sprintf("is %q; write pure or zero-concentrated", privacy.Mechanism)}
	}
	var err error
	if privacy.Neighbours != "" {
		if p.Neighbours, err = taskprivacy.ParseNeighbours(privacy.Neighbours); err != nil {
			return privacyError("privacy.neighbours", err)
		}
	}
	if p.Level, err = taskprivacy.ParseRational(privacy.Level); err != nil {
		return privacyError("privacy.level", err)
	}
	if p.Budget, err = taskprivacy.ParseRational(privacy.Budget); err != nil {
		return privacyError("privacy.budget", err)
	}
	if p.MaxBatchSize == 0 {
		p.MaxBatchSize = largestBatch(draft, p)
	}
	if _, err := taskprivacy.MechanismOf(draft.Spec.Config, p, draft.MinBatchSize); err != nil {
		return privacyError("privacy", err)
	}
	draft.Privacy = &p
	return nil
}

// largestBatch is how many reports a batch may have at most, so that no result wraps around the field and a task file can
// hold the number; the minimum if the parameters are unsound, which shows later.
func largestBatch(draft *taskfile.Draft, p dp.Parameters) uint64 {
	p.MaxBatchSize = max(draft.MinBatchSize, 1)
	mechanism, err := taskprivacy.MechanismOf(draft.Spec.Config, p, draft.MinBatchSize)
	if err != nil {
		return p.MaxBatchSize
	}
	return max(min(mechanism.WrapBound().MaxBatchSize, math.MaxInt64), p.MaxBatchSize)
}

func privacyError(field string, err error) error {
	if problem, ok := errors.AsType[*taskprivacy.Error](err); ok {
		return &FieldError{field, problem.Problem}
	}
	return err
}
