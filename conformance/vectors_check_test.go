package conformance

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/twofold-dap/twofold/vdaf"
)

// outcome compares how an operation ended with how it has to end. Where it has
// to fail, the error must be of the kind that the operation is to fail with, so
// that a vector is not rejected for a mistake of the replayer. failed says that the
// operation failed as expected, and that there is nothing to compare.
func outcome(success bool, err error, expected func(error) bool) (failed bool, _ error) {
	switch {
	case success:
		return false, err
	case err == nil:
		return false, fmt.Errorf("succeeded, but has to fail")
	case !expected(err):
		return false, fmt.Errorf("failed as it has to, but with an unexpected error: %T: %w", err, err)
	}
	return true, nil
}

func isMeasurementError(err error) bool {
	var measurementError *vdaf.MeasurementError
	return errors.As(err, &measurementError)
}

func isDecodeError(err error) bool {
	var decodeError *vdaf.DecodeError
	return errors.As(err, &decodeError)
}

func isDecodeOrProofError(err error) bool { return isDecodeError(err) || errors.Is(err, vdaf.ErrProof) }

func isDecodeOrJointRandError(err error) bool {
	return isDecodeError(err) || errors.Is(err, vdaf.ErrJointRand)
}

// same compares a message with the file's.
func same(what string, got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("the %s is\n%x, not\n%x", what, got, want)
	}
	return nil
}

// checkInit checks what VerifyInit yielded for a report. It returns the state, as it
// comes back from storage, unless the operation failed as it has to.
func checkInit(v vdaf.Verifier, file *vectorFile, reportIndex, aggregatorID int, success bool, result vdaf.InitResult) (vdaf.State, error) {
	if failed, err := outcome(success, result.Err, isDecodeError); failed || err != nil {
		return nil, err
	}
	shares, err := file.verifierShares(reportIndex, 0)
	if err != nil {
		return nil, err
	}
	want, err := at("verifier share", shares, aggregatorID)
	if err != nil {
		return nil, err
	}
	if err := same("verifier share", result.VerifierShare, want); err != nil {
		return nil, err
	}
	return throughStorage(v, file, aggregatorID, 0, result.State)
}

// checkMessage checks what VerifierSharesToMessage yielded for a report.
func checkMessage(file *vectorFile, reportIndex, round int, success bool, result vdaf.MessageResult) error {
	if failed, err := outcome(success, result.Err, isDecodeOrProofError); failed || err != nil {
		return err
	}
	want, err := at("verifier message", file.Reports[reportIndex].VerifierMessages, round)
	if err != nil {
		return err
	}
	return same("verifier message", result.Message, want)
}

// checkNext checks what VerifyNext yielded for a report on its way to a round:
// the output share after the last one, and otherwise the verifier share and
// the state, which it returns as it comes back from storage.
func checkNext(v vdaf.Verifier, file *vectorFile, reportIndex, aggregatorID, round int, success bool, result vdaf.NextResult) (vdaf.State, error) {
	if failed, err := outcome(success, result.Err, isDecodeOrJointRandError); failed || err != nil {
		return nil, err
	}
	if round < v.Rounds() {
		shares, err := file.verifierShares(reportIndex, round)
		if err != nil {
			return nil, err
		}
		want, err := at("verifier share", shares, aggregatorID)
		if err != nil {
			return nil, err
		}
		if err := same("verifier share", result.VerifierShare, want); err != nil {
			return nil, err
		}
		return throughStorage(v, file, aggregatorID, round, result.State)
	}
	want, err := at("output share", file.Reports[reportIndex].OutShares, aggregatorID)
	if err != nil {
		return nil, err
	}
	if result.OutShare == nil {
		return nil, fmt.Errorf("there is no output share")
	}
	got, err := v.AppendOutShare(nil, result.OutShare)
	if err != nil {
		return nil, err
	}
	return nil, same("output share", got, want)
}

// throughStorage encodes a state and decodes it.
func throughStorage(v vdaf.Verifier, file *vectorFile, aggregatorID, round int, state vdaf.State) (vdaf.State, error) {
	if state == nil {
		return nil, fmt.Errorf("there is no state")
	}
	encoded, err := v.AppendState(nil, state)
	if err != nil {
		return nil, err
	}
	state, err = v.DecodeState(aggregatorID, file.AggParam, round, encoded)
	if err != nil {
		return nil, err
	}
	again, err := v.AppendState(nil, state)
	if err != nil {
		return nil, err
	}
	return state, same("state that was decoded", again, encoded)
}
