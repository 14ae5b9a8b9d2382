// Package explain says what a person can do about an aggregator's error.
package explain

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/dapclient"
)

// remedies are by the error that an aggregator has named.
var remedies = map[dap.ErrorType]string{
	dap.ErrorTypeUnrecognizedTask: "the aggregator does not know this task: its operator has to run task add with the task file",
	dap.ErrorTypeInvalidTask:      "the aggregator does not take part in this task: ask its operator",
	dap.ErrorTypeBatchOverlap:     "a part of this interval was collected before, and nothing can be collected twice: collect the same interval again to get the same answer, or choose one that does not overlap it",
	dap.ErrorTypeBatchInvalid:     "the interval is not one that this task can be collected over",
	dap.ErrorTypeInvalidBatchSize: "there are not enough reports in the batch: try again later, or choose a longer interval",
	dap.ErrorTypeBatchMismatch:    "the two aggregators disagree about the reports of this batch: their operators have to find out why, with check",
	dap.ErrorTypeInvalidMessage:   "the aggregator refuses the request as invalid: the task's configuration may be another there",
}

// Error adds a remedy to an error, if there is one.
func Error(err error) error {
	if errorType, ok := dap.ErrorTypeOf(err); ok {
		if remedy, ok := remedies[errorType]; ok {
			return fmt.Errorf("%w; %s", err, remedy)
		}
		return err
	}
	answer, ok := errors.AsType[*dapclient.Error](err)
	switch {
	case !ok:
		return err
	case answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden:
		return fmt.Errorf("%w; the token is not the one that this task has there: take the one that leader task add printed", err)
	case answer.Status == http.StatusNotFound:
		return fmt.Errorf("%w; the task's URL may be wrong, or not lead to an aggregator", err)
	}
	return err
}
