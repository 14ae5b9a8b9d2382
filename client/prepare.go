package client

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// Prepare makes a report of one measurement (DAP Section 4.4.2.1): it shards
// the measurement under a fresh report ID and encrypts the input shares. The time
// is rounded down to the task's precision. The report can be stored and
// uploaded later by UploadReports.
//
// It fetches the aggregators' HPKE configurations if they are not cached. A
// measurement that cannot be reported is an error as in Check.
func (c *Client[M]) Prepare(ctx context.Context, measurement M, at time.Time) (dap.Report, error) {
	if err := c.Check(Measurement[M]{measurement, at}); err != nil {
		return dap.Report{}, err
	}
	leader, helper, err := c.getSealers(ctx)
	if err != nil {
		return dap.Report{}, err
	}
	reports, err := c.prepareSome([]Measurement[M]{{measurement, at}}, []int{0}, leader, helper)
	if problem, ok := errors.AsType[*MeasurementError](err); ok {
		return dap.Report{}, problem.Err // there is only one measurement
	}
	if err != nil {
		return dap.Report{}, err
	}
	return reports[0], nil
}

// together is how many reports are sealed at a time, if there are enough: it
// costs less than one by one.
const together = 4

// prepareSome makes reports of those of the measurements whose indices are given.
// A measurement that cannot be reported is a *MeasurementError.
func (c *Client[M]) prepareSome(measurements []Measurement[M], indices []int, leader, helper *dap.InputShareSealer) ([]dap.Report, error) {
	reports := make([]dap.UnsealedReport, len(indices))
	for k, i := range indices {
		at, err := c.timeOf(measurements[i].Time)
		if err != nil {
			return nil, &MeasurementError{i, err}
		}
		metadata := dap.ReportMetadata{ReportID: dap.NewReportID(), Time: at}
		random := make([]byte, c.vdaf.RandSize()) // shares may keep parts of it
		rand.Read(random)
		publicShare, inputShares, err := c.vdaf.Shard(c.context, measurements[i].Value, metadata.ReportID[:], random)
		if err != nil {
			return nil, &MeasurementError{i, err}
		}
		reports[k] = dap.UnsealedReport{
			Metadata: metadata, PublicShare: publicShare,
			Leader: dap.PlaintextInputShare{Payload: inputShares[0]}, Helper: dap.PlaintextInputShare{Payload: inputShares[1]},
		}
	}
	return dap.SealReports(leader, helper, reports)
}

// prepareAll makes reports of some of the measurements, in parallel.
func (c *Client[M]) prepareAll(ctx context.Context, measurements []Measurement[M], indices []int) ([]dap.Report, error) {
	leader, helper, err := c.getSealers(ctx)
	if err != nil {
		return nil, err
	}
	workers := min(c.options.Workers, len(indices))
	size := min(together, (len(indices)+workers-1)/workers)
	groups := slices.Collect(slices.Chunk(indices, size))
	reports := make([][]dap.Report, len(groups))
	errs := make([]error, len(groups))
	var next atomic.Int64
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for {
				g := int(next.Add(1)) - 1
				if g >= len(groups) || ctx.Err() != nil {
					return
				}
				reports[g], errs[g] = c.prepareSome(measurements, groups[g], leader, helper)
			}
		})
	}
	running.Wait()
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return slices.Concat(reports...), errors.Join(errs...)
}
