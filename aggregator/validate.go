package aggregator

import (
	"errors"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf"
)

// knownReportExtension: the standard defines no report extension (DAP Section
// 4.4.3), so that none is known.
func knownReportExtension(dap.ExtensionType) bool { return false }

// horizon returns the latest time that a report may have now.
func (e *engine) horizon(t *preparedTask, now time.Time) dap.Time {
	latest, err := t.Config.TimePrecision.TimeOf(now.Add(e.skew))
	if err != nil {
		return 0 // a clock before the Epoch accepts nothing
	}
	return latest
}

// inputShareOpening opens and validates the input shares of one task at one
// aggregator (DAP Sections 4.5.3.3 and 4.5.3.4). Many goroutines may use it.
type inputShareOpening struct {
	task   *preparedTask
	opener *dap.InputShareOpener
	// horizon is the latest acceptable time. Without checkTimes nothing that depends
	// on the clock is checked: what was decided once is only computed again.
	horizon    dap.Time
	checkTimes bool
}

// opening prepares the opening of a task's input shares as of now.
func (e *engine) opening(t *preparedTask, checkTimes bool) (*inputShareOpening, error) {
	opener, err := e.openerOf(t)
	if err != nil {
		return nil, err
	}
	return &inputShareOpening{task: t, opener: opener, horizon: e.horizon(t, e.now()), checkTimes: checkTimes}, nil
}

// shareBatch holds report shares that are opened together, each with an index of
// the caller's.
type shareBatch struct {
	shares []dap.ReportShare
	at     []int
}

func newShareBatch(capacity int) *shareBatch {
	return &shareBatch{make([]dap.ReportShare, 0, capacity), make([]int, 0, capacity)}
}

func (b *shareBatch) add(index int, share dap.ReportShare) {
	b.shares, b.at = append(b.shares, share), append(b.at, index)
}

// open calls each for every report share of the batch, in its order: with the
// payload of its input share, or with the report error with which the report is
// rejected. What costs least is checked first.
func (o *inputShareOpening) open(batch *shareBatch, each func(index int, payload []byte, rejection dap.ReportError)) {
	rejections := make([]dap.ReportError, len(batch.shares))
	sealed := make([]dap.ReportShare, 0, len(batch.shares))
	for i, share := range batch.shares {
		if rejections[i] = o.checkPublic(share.Metadata); rejections[i] == 0 {
			sealed = append(sealed, share)
		}
	}
	opened, errs := o.opener.OpenBatch(sealed)
	next := 0
	for i, rejection := range rejections {
		var payload []byte
		if rejection == 0 {
			payload, rejection = o.checkOpened(&sealed[next].Metadata, opened[next], errs[next])
			next++
		}
		each(batch.at[i], payload, rejection)
	}
}

// checkPublic checks what can be checked before a report's input share is opened.
func (o *inputShareOpening) checkPublic(metadata dap.ReportMetadata) dap.ReportError {
	if o.checkTimes {
		if reportError := o.checkTime(metadata.Time); reportError != 0 {
			return reportError
		}
	}
	reportError, _ := dap.CheckReportExtensions(metadata.PublicExtensions, nil, knownReportExtension)
	return reportError
}

// checkOpened returns the payload of an input share that was opened, or not.
func (o *inputShareOpening) checkOpened(metadata *dap.ReportMetadata, share dap.PlaintextInputShare, err error) ([]byte, dap.ReportError) {
	if err != nil {
		return nil, dap.ReportErrorOf(err)
	}
	if reportError, _ := dap.CheckReportExtensions(metadata.PublicExtensions, share.PrivateExtensions, knownReportExtension); reportError != 0 {
		return nil, reportError
	}
	return share.Payload, 0
}

// checkTime is checks 2 to 4 of DAP Section 4.5.3.4.
func (o *inputShareOpening) checkTime(reportTime dap.Time) dap.ReportError {
	switch {
	case o.task.hasInterval && o.task.interval.IsAfter(reportTime):
		return dap.ReportErrorTaskNotStarted
	case o.task.hasInterval && o.task.interval.IsBefore(reportTime):
		return dap.ReportErrorTaskExpired
	case reportTime > o.horizon:
		return dap.ReportErrorReportTooEarly
	}
	return 0
}

// verificationError returns the report error of a report whose verification
// failed with err: invalid_message if its input share does not decode as the
// VDAF specifies (check 1 of DAP Section 4.5.3.4), and vdaf_verify_error otherwise.
func verificationError(err error) dap.ReportError {
	if e, ok := errors.AsType[*vdaf.DecodeError](err); ok && (e.Message == "input share" || e.Message == "public share") {
		return dap.ReportErrorInvalidMessage
	}
	return dap.ReportErrorVdafVerifyError
}
