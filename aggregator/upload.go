package aggregator

import (
	"context"
	"errors"
	"io"

	"github.com/twofold-dap/twofold/dap"
)

// Upload handles an encoded UploadRequest (DAP Section 4.4.2.2). Reports that
// are not among the returned errors were accepted, and are durable; the errors have the
// order of the request. A malformed request is a *dap.Error of type
// invalidMessage, and nothing of it is accepted. The same request again accepts nothing new. Other
// errors are a *dap.Error of type unrecognizedTask, ErrBusy and those of the store.
func (l *Leader) Upload(ctx context.Context, id dap.TaskID, body []byte) (dap.UploadErrors, error) {
	t, err := l.task(ctx, id)
	if err != nil {
		return dap.UploadErrors{}, err
	}
	memory, ok := l.bytes.TryTake(id, int64(len(body)))
	if !ok {
		return dap.UploadErrors{}, ErrBusy
	}
	defer memory.Release()

	check := l.uploadCheck(t)
	var accepted []UploadReport
	var places []int // of the accepted in the request
	var ids []dap.ReportID
	var outcomes []dap.ReportError
	for reader := dap.NewUploadReader(body); ; {
		report, raw, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return dap.UploadErrors{}, malformed(id, err)
		}
		outcome := check.report(&report)
		if outcome == 0 {
			places = append(places, len(outcomes))
			accepted = append(accepted, UploadReport{ID: report.Metadata.ReportID, Time: report.Metadata.Time, Body: raw})
		}
		ids = append(ids, report.Metadata.ReportID)
		outcomes = append(outcomes, outcome)
	}
	if err := l.storeReports(ctx, t, accepted, places, outcomes); err != nil {
		return dap.UploadErrors{}, err
	}
	return l.uploadErrors(ids, outcomes), nil
}

// storeReports stores the reports that have passed, and enters the outcome of
// each at its place. The scheduler learns of those that wait now.
func (l *Leader) storeReports(ctx context.Context, t *preparedTask, reports []UploadReport, places []int, outcomes []dap.ReportError) error {
	if len(reports) == 0 {
		return nil
	}
	stored, err := l.store.Upload(ctx, t.ID, reports)
	if errors.Is(err, ErrUnavailable) {
		l.reportsArrived(t, reports, make([]dap.ReportError, len(reports))) // they may wait all the same
	}
	if err != nil {
		return err
	}
	l.metrics.uploaded.Add(float64(l.reportsArrived(t, reports, stored)))
	for i, outcome := range stored {
		outcomes[places[i]] = outcome
	}
	return nil
}

// reportsArrived lets those that aggregate know of the reports that were accepted, and counts them.
func (l *Leader) reportsArrived(t *preparedTask, reports []UploadReport, outcomes []dap.ReportError) (count int) {
	bytes := 0
	for i, outcome := range outcomes {
		if outcome == 0 {
			count++
			bytes += len(reports[i].Body)
		}
	}
	switch {
	case count == 0:
	case t.eager:
		l.schedule.uploaded(t, count, bytes)
	default:
		l.collections.signal(t.ID) // they wait for its aggregation parameter
	}
	return count
}

func (l *Leader) uploadErrors(ids []dap.ReportID, outcomes []dap.ReportError) dap.UploadErrors {
	var result dap.UploadErrors
	for i, outcome := range outcomes {
		if outcome != 0 {
			result.Status = append(result.Status, dap.ReportUploadStatus{ID: ids[i], Error: outcome})
			l.metrics.refused.WithLabelValues(outcome.String()).Inc()
		}
	}
	return result
}

// uploadCheck is what decides about the reports of one upload before they are stored.
type uploadCheck struct {
	task    *preparedTask
	keys    *keySet
	horizon dap.Time
	ended   bool
}

func (l *Leader) uploadCheck(t *preparedTask) *uploadCheck {
	now := l.now()
	c := &uploadCheck{task: t, keys: l.keys.current.Load(), horizon: l.horizon(t, now)}
	if t.hasInterval {
		// The leeway that clients' clocks have at the beginning they have at the end too.
		latest, err := t.Config.TimePrecision.TimeOf(now.Add(-l.skew))
		c.ended = err == nil && t.interval.IsBefore(latest)
	}
	return c
}

// report returns zero if the report may be stored, or why not. Unknown and
// repeated public extensions discard the report alone; the standard would also
// allow to refuse the request. The private ones and the shares are checked at aggregation.
func (c *uploadCheck) report(r *dap.Report) dap.ReportError {
	reportTime := r.Metadata.Time
	switch {
	case !c.keys.known[r.LeaderEncryptedInputShare.ConfigID]:
		return dap.ReportErrorOutdatedConfig
	case c.task.hasInterval && !c.task.interval.Contains(reportTime):
		return dap.ReportErrorReportDropped
	case c.ended:
		return dap.ReportErrorTaskExpired
	case reportTime > c.horizon:
		return dap.ReportErrorReportTooEarly
	}
	reportError, _ := dap.CheckReportExtensions(r.Metadata.PublicExtensions, nil, knownReportExtension)
	return reportError
}
