package aggregator

import (
	"context"
	"errors"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

// preparePrivacy makes what adds noise to the task's aggregate shares, if the task has differential privacy. Parameters
// that are unsound are a *TaskError.
func (e *engine) preparePrivacy(t *preparedTask) error {
	mechanism, err := taskprivacy.Mechanism(t.Config)
	if problem, ok := errors.AsType[*taskprivacy.Error](err); ok {
		return &TaskError{Field: "extensions", Problem: problem.Error()}
	}
	if err != nil || mechanism == nil {
		return err
	}
	t.mechanism = mechanism
	t.noise = e.noise.source(mechanism, len(t.topology.AggInit(nil)))
	return nil
}

// checkPrivacy refuses a batch of that many reports if the task's ledger, as it stands, or the task's maximum does not allow
// it: with a *dap.Error. What the store is told of the batch when it becomes collected decides.
func (e *engine) checkPrivacy(ctx context.Context, t *preparedTask, reports uint64) error {
	if t.mechanism == nil {
		return nil
	}
	p := t.mechanism.Parameters()
	ledger, err := e.store.PrivacyLedger(ctx, t.ID)
	if err != nil {
		return err
	}
	if _, err := ledger.Spent().Charge(p); err != nil {
		return privacyRefusal(t.ID, err)
	}
	return privacyRefusal(t.ID, p.CheckBatchSize(reports))
}

// privacyRefusal turns what the accounting says into the error that a peer sees; other errors are returned as they
// are. DAP Sections 4.6.1 and 4.6.4 have batchInvalid for batches that cannot be collected. It is not invalidBatchSize, which
// invites to try again when there are more reports.
func privacyRefusal(id dap.TaskID, err error) error {
	if problem, ok := errors.AsType[*dp.BudgetError](err); ok {
		return peerError(id, dap.ErrorTypeBatchInvalid, "the task's privacy budget is spent: %d batches have cost a client %s = %s, one more would make it %s, and the budget is %s; make a new task to go on",
			problem.Batches, problem.Kind.Symbol(), dp.Decimal(problem.Spent), dp.Decimal(problem.Next), dp.Decimal(problem.Budget))
	}
	if problem, ok := errors.AsType[*dp.BatchSizeError](err); ok {
		return peerError(id, dap.ErrorTypeBatchInvalid, "the batch has %d reports, and the task allows %d, so that the result with its noise does not wrap around; collect a shorter interval",
			problem.Reports, problem.Max)
	}
	return err
}

// noised returns the aggregate share with this aggregator's noise, if the task has differential privacy. It is called once
// for what is then stored with the batch, before anything is released.
func (t *preparedTask) noised(ctx context.Context, share []byte) ([]byte, error) {
	if t.noise == nil {
		return share, nil
	}
	noise, err := t.noise.take(ctx)
	if err != nil {
		return nil, err
	}
	return noise.AddTo(share)
}

// Privacy is how private a task's results are at this aggregator, and what was spent.
type Privacy struct {
	Mechanism *dp.Mechanism
	Ledger    PrivacyLedger
}

// Privacy returns the differential privacy of a task, with a nil Mechanism if it has none. An unknown task is a *dap.Error of
// type unrecognizedTask.
func (e *engine) Privacy(ctx context.Context, id dap.TaskID) (Privacy, error) {
	t, err := e.task(ctx, id)
	if err != nil || t.mechanism == nil {
		return Privacy{}, err
	}
	ledger, err := e.store.PrivacyLedger(ctx, id)
	return Privacy{Mechanism: t.mechanism, Ledger: ledger}, err
}
