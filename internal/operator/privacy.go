package operator

import (
	"context"
	"fmt"
	"math/big"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

// defaultDelta is the δ with which ρ is shown, unless the operator gives another.
const defaultDelta = 1e-9

// Privacy implements api.OperatorService.
func (s *service) Privacy(ctx context.Context, request api.PrivacyRequest) (api.OperatorPrivacy, error) {
	if request.Delta == 0 {
		request.Delta = defaultDelta
	}
	if !(request.Delta > 0 && request.Delta < 1) {
		return api.OperatorPrivacy{}, invalid("delta is %g; it must be above 0 and below 1", request.Delta)
	}
	task, err := s.namedTask(ctx, request.Task)
	if err != nil {
		return api.OperatorPrivacy{}, err
	}
	privacy, err := s.local.engine.Privacy(ctx, task.ID)
	if err != nil {
		return api.OperatorPrivacy{}, err
	}
	if privacy.Mechanism == nil {
		return api.OperatorPrivacy{}, invalid("task %q has no differential privacy: its results are exact", task.Name)
	}
	return operatorPrivacy(task, privacy, request.Delta)
}

// namedTask finds a task by its ID, or by a name that only one task has.
func (s *service) namedTask(ctx context.Context, text string) (*aggregator.Task, error) {
	tasks, err := s.local.engine.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	var named []*aggregator.Task
	for i := range tasks {
		if tasks[i].ID.String() == text {
			return &tasks[i], nil
		}
		if tasks[i].Name == text {
			named = append(named, &tasks[i])
		}
	}
	switch len(named) {
	case 0:
		return nil, &api.OperatorError{Kind: api.OperatorNotFound, Detail: fmt.Sprintf("there is no task %.100q here; see the tasks in the output of task list", text)}
	case 1:
		return named[0], nil
	}
	return nil, invalid("%d tasks are named %.100q; give the ID of one, as task list shows it", len(named), text)
}

// operatorPrivacy describes a ledger.
func operatorPrivacy(task *aggregator.Task, privacy aggregator.Privacy, delta float64) (api.OperatorPrivacy, error) {
	p, charged := privacy.Mechanism.Parameters(), privacy.Ledger.Spent().Batches
	spent := p.ClientLoss(charged)
	result := api.OperatorPrivacy{
		Task: task.ID, Name: task.Name, Mechanism: taskprivacy.MechanismName(p.Kind), Neighbours: taskprivacy.NeighboursName(p.Neighbours),
		Noise: privacy.Mechanism.Describe(), StandardError: privacy.Mechanism.Uncertainty().StandardError,
		Level: dp.Decimal(p.Level), ReportsPerClient: p.ReportsPerClient, ReportsPerBatch: p.ReportsPerBatch, MaxBatchSize: p.MaxBatchSize,
		Batches: privacy.Ledger.Batches, AssumedBatches: privacy.Ledger.Assumed,
		Budget: dp.Decimal(p.Budget), Spent: dp.Decimal(spent), Left: dp.Decimal(new(big.Rat).Sub(p.Budget, spent)),
	}
	if batches, unlimited := p.Affordable(); !unlimited {
		left := batches - min(charged, batches)
		result.BatchesLeft = &left
	}
	if p.Kind != dp.ZeroConcentrated {
		return result, nil
	}
	var err error
	result.Delta = delta
	if result.EpsilonSpent, err = dp.EpsilonOf(spent, delta); err != nil {
		return result, err
	}
	result.EpsilonBudget, err = dp.EpsilonOf(p.Budget, delta)
	return result, err
}
