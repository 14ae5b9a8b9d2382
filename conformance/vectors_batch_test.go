package conformance

import (
	"fmt"

	"github.com/twofold-dap/twofold/vdaf"
)

// smallestBatch is what batches are filled up to, by repeating their reports:
// enough for groups of four and a remainder.
const smallestBatch = 7

// replayBatches replays the verification of a file's reports once more, with
// one call for all reports wherever the interface takes a batch.
func replayBatches(v vectorVDAF, file *vectorFile) error {
	states := map[stateKey]vdaf.State{}
	for aggregatorID := range file.Shares {
		batch := selectOps(file, opVerifyInit, aggregatorID, -1)
		if err := batchInit(v, file, aggregatorID, batch, states); err != nil {
			return fmt.Errorf("batch of verify_init, aggregator %d: %w", aggregatorID, err)
		}
	}
	for round := range v.Rounds() {
		if err := batchMessage(v, file, round, selectOps(file, opMessage, -1, round)); err != nil {
			return fmt.Errorf("batch of verifier_shares_to_message, round %d: %w", round, err)
		}
		for aggregatorID := range file.Shares {
			batch := selectOps(file, opVerifyNext, aggregatorID, round+1)
			if err := batchNext(v, file, aggregatorID, round+1, batch, states); err != nil {
				return fmt.Errorf("batch of verify_next, aggregator %d, round %d: %w", aggregatorID, round+1, err)
			}
		}
	}
	return nil
}

// selectOps returns the operations of a kind, of an aggregator and a round unless
// these are -1, repeated until they make a batch that is worth the name.
func selectOps(file *vectorFile, kind string, aggregatorID, round int) (batch []vectorOperation) {
	for _, op := range file.Operations {
		if op.Operation == kind && (aggregatorID < 0 || *op.AggregatorID == aggregatorID) && (round < 0 || *op.Round == round) {
			batch = append(batch, op)
		}
	}
	for n := len(batch); n > 0 && len(batch) < smallestBatch; {
		batch = append(batch, batch[:n]...)
	}
	return batch
}

// each checks that a batch has as many results as operations, and then every one.
func each[R any](file *vectorFile, batch []vectorOperation, results []R, check func(op vectorOperation, result R) error) error {
	if len(results) != len(batch) {
		return fmt.Errorf("%d results for %d reports", len(results), len(batch))
	}
	for i, op := range batch {
		if err := check(op, results[i]); err != nil {
			return fmt.Errorf("element %d (%v%s): %w", i, op, file.comment(op), err)
		}
	}
	return nil
}

func batchInit(v vectorVDAF, file *vectorFile, aggregatorID int, batch []vectorOperation, states map[stateKey]vdaf.State) error {
	reports := make([]vdaf.Report, len(batch))
	for i, op := range batch {
		var err error
		if reports[i], err = file.reportFor(*op.ReportIndex, aggregatorID); err != nil {
			return err
		}
	}
	results := v.VerifyInit(file.VerifyKey, file.Ctx, aggregatorID, file.AggParam, reports)
	return each(file, batch, results, func(op vectorOperation, result vdaf.InitResult) error {
		state, err := checkInit(v, file, *op.ReportIndex, aggregatorID, *op.Success, result)
		if state != nil {
			states[stateKey{*op.ReportIndex, aggregatorID, 0}] = result.State
		}
		return err
	})
}

func batchMessage(v vectorVDAF, file *vectorFile, round int, batch []vectorOperation) error {
	shares := make([][][]byte, len(batch))
	for i, op := range batch {
		var err error
		if shares[i], err = file.verifierShares(*op.ReportIndex, round); err != nil {
			return err
		}
	}
	results := v.VerifierSharesToMessage(file.Ctx, file.AggParam, round, shares)
	return each(file, batch, results, func(op vectorOperation, result vdaf.MessageResult) error {
		return checkMessage(file, *op.ReportIndex, round, *op.Success, result)
	})
}

func batchNext(v vectorVDAF, file *vectorFile, aggregatorID, round int, batch []vectorOperation, states map[stateKey]vdaf.State) error {
	inputs := make([]vdaf.State, len(batch))
	messages := make([][]byte, len(batch))
	for i, op := range batch {
		var ok bool
		if inputs[i], ok = states[stateKey{*op.ReportIndex, aggregatorID, round - 1}]; !ok {
			return fmt.Errorf("report %d has no state of round %d", *op.ReportIndex, round-1)
		}
		message, err := at("verifier message", file.Reports[*op.ReportIndex].VerifierMessages, round-1)
		if err != nil {
			return err
		}
		messages[i] = message
	}
	results := v.VerifyNext(file.Ctx, inputs, messages)
	return each(file, batch, results, func(op vectorOperation, result vdaf.NextResult) error {
		state, err := checkNext(v, file, *op.ReportIndex, aggregatorID, round, *op.Success, result)
		if state != nil {
			states[stateKey{*op.ReportIndex, aggregatorID, round}] = result.State
		}
		return err
	})
}
