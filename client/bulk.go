package client

import (
	"context"
	"errors"

	"github.com/twofold-dap/twofold/dap"
)

// Upload reports measurements to the task and returns the outcome of each, in
// order. It first checks all of them: if one cannot be reported the error is a
// *MeasurementError, and nothing is sent.
//
// Then it prepares reports, several at a time, while it sends those that are
// ready, as UploadReports does. Measurements whose report the Leader refuses
// because it knows the report's HPKE configuration no longer are reported once
// more, encrypted to the newest one. On an error the outcomes tell which
// measurements got through.
func (c *Client[M]) Upload(ctx context.Context, measurements ...Measurement[M]) ([]Outcome, error) {
	for i, m := range measurements {
		if err := c.Check(m); err != nil {
			return make([]Outcome, len(measurements)), &MeasurementError{i, err}
		}
	}
	u := &upload[M]{c: c, measurements: measurements, outcomes: make([]Outcome, len(measurements))}
	all := make([]int, len(measurements))
	for i := range all {
		all[i] = i
	}
	if err := u.run(ctx, all); err != nil {
		return u.outcomes, err
	}
	if stale := u.stale(); len(stale) > 0 {
		c.forgetSealers()
		if err := u.run(ctx, stale); err != nil {
			return u.outcomes, err
		}
	}
	return u.outcomes, nil
}

// upload is the state of one Upload.
type upload[M any] struct {
	c            *Client[M]
	measurements []Measurement[M]
	outcomes     []Outcome
	done         int // measurements with a certain outcome
}

// stale returns the measurements whose reports were encrypted to an outdated
// HPKE configuration.
func (u *upload[M]) stale() []int {
	var indices []int
	for i, outcome := range u.outcomes {
		if outcome.Status == StatusRejected && outcome.Reason == dap.ReportErrorOutdatedConfig {
			indices = append(indices, i)
		}
	}
	return indices
}

// prepared are reports that are ready to be sent, and their measurements.
type prepared struct {
	indices []int
	reports []dap.Report
	err     error
}

// run reports the measurements at these indices: one goroutine prepares, this one
// sends.
func (u *upload[M]) run(ctx context.Context, indices []int) error {
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan prepared, 1)
	go func() {
		defer close(ready)
		u.prepare(ctx, indices, ready)
	}()
	defer func() {
		cancel()
		for range ready { // until the other goroutine has ended
		}
	}()
	for p := range ready {
		if p.err != nil {
			return p.err
		}
		if err := u.send(ctx, p); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// prepare makes reports in chunks that fill a request each; the first, from which
// it learns a report's size, is small.
func (u *upload[M]) prepare(ctx context.Context, indices []int, ready chan<- prepared) {
	size := min(u.c.options.Workers, u.c.options.MaxReports)
	for len(indices) > 0 {
		chunk := indices[:min(size, len(indices))]
		indices = indices[len(chunk):]
		reports, err := u.c.prepareAll(ctx, u.measurements, chunk)
		select {
		case ready <- prepared{chunk, reports, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		size = min(u.c.options.MaxReports, max(1, u.c.options.MaxBytes/reportSize(&reports[0])))
	}
}

// reportSize is about the length of an encoded report, which is the same for all
// reports of a task.
func reportSize(r *dap.Report) int {
	return 64 + len(r.PublicShare) +
		len(r.LeaderEncryptedInputShare.Enc) + len(r.LeaderEncryptedInputShare.Payload) +
		len(r.HelperEncryptedInputShare.Enc) + len(r.HelperEncryptedInputShare.Payload)
}

func (u *upload[M]) send(ctx context.Context, p prepared) error {
	outcomes, err := u.c.UploadReports(ctx, p.reports...)
	for i, outcome := range outcomes {
		u.outcomes[p.indices[i]] = outcome
		if outcome.Status != StatusUnknown && outcome.Reason != dap.ReportErrorOutdatedConfig {
			u.done++
		}
	}
	if progress := u.c.options.Progress; progress != nil {
		u.c.progressMu.Lock()
		defer u.c.progressMu.Unlock()
		progress(u.done)
	}
	return err
}

func asHTTPError(err error) (*HTTPError, bool) { return errors.AsType[*HTTPError](err) }
