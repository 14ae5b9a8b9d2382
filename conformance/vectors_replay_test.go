package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twofold-dap/twofold/vdaf"
)

// replayVDAF replays a test vector of a VDAF: its operations in their order,
// report by report, and then once more in batches over all reports. It returns
// the number of operations of the file.
func replayVDAF(name string, data []byte) (operations int, err error) {
	file := new(vectorFile)
	if err := decodeStrictly(data, file); err != nil {
		return 0, err
	}
	if len(file.Operations) == 0 || len(file.Reports) == 0 {
		return 0, fmt.Errorf("the file has no operations or no reports")
	}
	for _, op := range file.Operations {
		if err := op.check(file); err != nil {
			return 0, err
		}
	}
	v, err := newVectorVDAF(name, file)
	if err != nil {
		return 0, err
	}
	if v.Shares() != file.Shares {
		return 0, fmt.Errorf("the instance has %d shares, not %d", v.Shares(), file.Shares)
	}
	if err := v.ValidAggParam(file.AggParam, nil); err != nil {
		return 0, err
	}
	r := &replayer{vdaf: v, file: file, states: map[stateKey]vdaf.State{}}
	for i, op := range file.Operations {
		if err := r.run(op); err != nil {
			return i, fmt.Errorf("operation %d (%v%s): %w", i, op, file.comment(op), err)
		}
	}
	return len(file.Operations), replayBatches(v, file)
}

// comment returns what the file says about the operation's report.
func (f *vectorFile) comment(op vectorOperation) string {
	if op.ReportIndex == nil || f.Reports[*op.ReportIndex].Comment == "" {
		return ""
	}
	return fmt.Sprintf(", %q", f.Reports[*op.ReportIndex].Comment)
}

// stateKey says whose state it is, and after which round's verifier share.
type stateKey struct{ report, aggregator, round int }

// replayer runs the operations of one file one by one.
type replayer struct {
	vdaf   vectorVDAF
	file   *vectorFile
	states map[stateKey]vdaf.State
}

func (r *replayer) run(op vectorOperation) error {
	switch op.Operation {
	case opShard:
		return r.shard(&r.file.Reports[*op.ReportIndex], *op.Success)
	case opVerifyInit:
		return r.verifyInit(*op.ReportIndex, *op.AggregatorID, *op.Success)
	case opMessage:
		return r.verifierSharesToMessage(*op.ReportIndex, *op.Round, *op.Success)
	case opVerifyNext:
		return r.verifyNext(*op.ReportIndex, *op.AggregatorID, *op.Round, *op.Success)
	case opAggregate:
		return r.aggregate(*op.AggregatorID, *op.Success)
	case opUnshard:
		return r.unshard(*op.Success)
	}
	return fmt.Errorf("unknown operation")
}

func (r *replayer) shard(report *vectorReport, success bool) error {
	if len(report.Rand) != r.vdaf.RandSize() {
		return fmt.Errorf("rand has %d bytes, but RandSize is %d", len(report.Rand), r.vdaf.RandSize())
	}
	publicShare, inputShares, err := r.vdaf.shardJSON(r.file.Ctx, report.Measurement, report.Nonce, report.Rand)
	if failed, err := outcome(success, err, isMeasurementError); failed || err != nil {
		return err
	}
	if len(inputShares) != len(report.InputShares) {
		return fmt.Errorf("%d input shares, not %d", len(inputShares), len(report.InputShares))
	}
	for i, inputShare := range inputShares {
		if err := same(fmt.Sprintf("input share %d", i), inputShare, report.InputShares[i]); err != nil {
			return err
		}
	}
	return same("public share", publicShare, report.PublicShare)
}

func (r *replayer) verifyInit(reportIndex, aggregatorID int, success bool) error {
	report, err := r.file.reportFor(reportIndex, aggregatorID)
	if err != nil {
		return err
	}
	results := r.vdaf.VerifyInit(r.file.VerifyKey, r.file.Ctx, aggregatorID, r.file.AggParam, []vdaf.Report{report})
	if len(results) != 1 {
		return fmt.Errorf("%d results for one report", len(results))
	}
	state, err := checkInit(r.vdaf, r.file, reportIndex, aggregatorID, success, results[0])
	if state != nil {
		r.states[stateKey{reportIndex, aggregatorID, 0}] = state
	}
	return err
}

func (r *replayer) verifierSharesToMessage(reportIndex, round int, success bool) error {
	shares, err := r.file.verifierShares(reportIndex, round)
	if err != nil {
		return err
	}
	results := r.vdaf.VerifierSharesToMessage(r.file.Ctx, r.file.AggParam, round, [][][]byte{shares})
	if len(results) != 1 {
		return fmt.Errorf("%d results for one report", len(results))
	}
	return checkMessage(r.file, reportIndex, round, success, results[0])
}

// verifyNext runs the operation whose round is the one that it leads to: it
// consumes the state and the message of the round before.
func (r *replayer) verifyNext(reportIndex, aggregatorID, round int, success bool) error {
	state, ok := r.states[stateKey{reportIndex, aggregatorID, round - 1}]
	if !ok {
		return fmt.Errorf("there is no state of round %d", round-1)
	}
	message, err := at("verifier message", r.file.Reports[reportIndex].VerifierMessages, round-1)
	if err != nil {
		return err
	}
	results := r.vdaf.VerifyNext(r.file.Ctx, []vdaf.State{state}, [][]byte{message})
	if len(results) != 1 {
		return fmt.Errorf("%d results for one report", len(results))
	}
	state, err = checkNext(r.vdaf, r.file, reportIndex, aggregatorID, round, success, results[0])
	if state != nil {
		r.states[stateKey{reportIndex, aggregatorID, round}] = state
	}
	return err
}

// aggregate adds up the output shares of all reports, as one batch, and one by
// one into shares that are merged.
func (r *replayer) aggregate(aggregatorID int, success bool) error {
	if !success {
		return fmt.Errorf("no vector is known in which aggregation has to fail")
	}
	want, err := at("aggregate share", r.file.AggShares, aggregatorID)
	if err != nil {
		return err
	}
	outShares := make([]vdaf.OutShare, len(r.file.Reports))
	singles := make([][]byte, len(r.file.Reports))
	for i, report := range r.file.Reports {
		encoded, err := at("output share", report.OutShares, aggregatorID)
		if err != nil {
			return err
		}
		if outShares[i], err = r.vdaf.DecodeOutShare(r.file.AggParam, encoded); err != nil {
			return err
		}
		singles[i], err = r.vdaf.AggUpdate(r.file.AggParam, r.vdaf.AggInit(r.file.AggParam), outShares[i:i+1])
		if err != nil {
			return err
		}
	}
	aggShare, err := r.vdaf.AggUpdate(r.file.AggParam, r.vdaf.AggInit(r.file.AggParam), outShares)
	if err != nil {
		return err
	}
	merged, err := r.vdaf.Merge(r.file.AggParam, singles...)
	if err != nil {
		return err
	}
	return errors.Join(same("aggregate share", aggShare, want), same("merged aggregate share", merged, want))
}

func (r *replayer) unshard(success bool) error {
	if !success {
		return fmt.Errorf("no vector is known in which unsharding has to fail")
	}
	if len(r.file.AggResult) == 0 || bytes.Equal(r.file.AggResult, []byte("null")) {
		return fmt.Errorf("the file has no aggregate result")
	}
	aggShares := make([][]byte, len(r.file.AggShares))
	for i, share := range r.file.AggShares {
		aggShares[i] = share
	}
	return r.vdaf.unshardJSON(r.file.AggParam, aggShares, uint64(len(r.file.Reports)), json.RawMessage(r.file.AggResult))
}

// reportFor returns a report as an aggregator holds it.
func (f *vectorFile) reportFor(reportIndex, aggregatorID int) (vdaf.Report, error) {
	report := f.Reports[reportIndex]
	inputShare, err := at("input share", report.InputShares, aggregatorID)
	return vdaf.Report{Nonce: report.Nonce, PublicShare: report.PublicShare, InputShare: inputShare}, err
}

// verifierShares returns the verifier shares of a report in a round.
func (f *vectorFile) verifierShares(reportIndex, round int) ([][]byte, error) {
	list, err := at("round of verifier shares", f.Reports[reportIndex].VerifierShares, round)
	if err != nil {
		return nil, err
	}
	shares := make([][]byte, len(list))
	for i, share := range list {
		shares[i] = share
	}
	return shares, nil
}
