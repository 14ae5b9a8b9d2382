package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// workload is a number of reports of one task, whatever its VDAF.
type workload interface {
	// prepare makes n reports, and calls progress with how many there are.
	prepare(ctx context.Context, n int, progress func(done int)) error
	// upload uploads the reports from one index up to but without another, in one
	// request.
	upload(ctx context.Context, from, to int) error
	// reportBytes is the length of an encoded report.
	reportBytes() (int, error)
	// stored returns a report as a Leader stores it.
	stored(i int) (aggregator.UploadReport, error)
}

// newWorkload returns the workload of random measurements for a task.
func newWorkload(task client.Task, clients, perRequest int) (workload, error) {
	spec, err := vdafspec.FromConfiguration(task.Configuration)
	if err != nil {
		return nil, err
	}
	options := client.Options{
		MaxReports: perRequest, MaxBytes: 1 << 30,
		HTTP: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: clients}},
	}
	switch c := spec.Config.(type) {
	case dap.Prio3CountConfig:
		return newTyped(task, options, func(r *rand.Rand) bool { return r.IntN(2) == 1 })
	case dap.Prio3SumConfig:
		return newTyped(task, options, func(r *rand.Rand) uint64 { return upTo(r, c.MaxMeasurement) })
	case dap.Prio3SumVecConfig:
		return newTyped(task, options, func(r *rand.Rand) []uint64 {
			numbers := make([]uint64, c.Length)
			for i := range numbers {
				numbers[i] = upTo(r, c.MaxMeasurement)
			}
			return numbers
		})
	case dap.Prio3HistogramConfig:
		return newTyped(task, options, func(r *rand.Rand) int { return r.IntN(int(c.Length)) })
	case dap.Prio3MultihotCountVecConfig:
		return newTyped(task, options, func(r *rand.Rand) []bool {
			flags := make([]bool, c.Length)
			for range c.MaxWeight {
				flags[r.IntN(len(flags))] = true
			}
			return flags
		})
	}
	return nil, fmt.Errorf("there is no workload for %s", spec)
}

// upTo returns a random number in [0, most].
func upTo(r *rand.Rand, most uint64) uint64 {
	if most == 1<<64-1 {
		return r.Uint64()
	}
	return r.Uint64N(most + 1)
}

// typed is the workload of a VDAF with measurements of type M.
type typed[M any] struct {
	client  *client.Client[M]
	random  func(*rand.Rand) M
	reports []dap.Report
}

func newTyped[M any](task client.Task, options client.Options, random func(*rand.Rand) M) (workload, error) {
	c, err := client.New[M](task, options)
	if err != nil {
		return nil, err
	}
	return &typed[M]{client: c, random: random}, nil
}

func (w *typed[M]) prepare(ctx context.Context, n int, progress func(int)) error {
	w.reports = make([]dap.Report, n)
	now := time.Now()
	var next, done atomic.Int64
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for worker := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 0))
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if w.reports[i], err = w.client.Prepare(ctx, w.random(r), now); err != nil {
					cancel(err)
				}
				if count := int(done.Add(1)); count%1000 == 0 {
					progress(count)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

func (w *typed[M]) upload(ctx context.Context, from, to int) error {
	outcomes, err := w.client.UploadReports(ctx, w.reports[from:to]...)
	if err != nil {
		return err
	}
	for _, outcome := range outcomes {
		if outcome.Status != client.StatusUploaded {
			return fmt.Errorf("the Leader has rejected a report: %s", outcome.Reason)
		}
	}
	return nil
}

func (w *typed[M]) reportBytes() (int, error) {
	encoded, err := w.reports[0].Encode()
	return len(encoded), err
}

func (w *typed[M]) stored(i int) (aggregator.UploadReport, error) {
	r := &w.reports[i]
	encoded, err := r.Encode()
	return aggregator.UploadReport{ID: r.Metadata.ReportID, Time: r.Metadata.Time, Body: encoded}, err
}
