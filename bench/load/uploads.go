package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// uploads is how the uploading went.
type uploads struct {
	took      time.Duration
	latencies []time.Duration // of the requests, sorted
}

// uploadAll has a number of clients upload n reports, each sending its next
// request when the one before was answered.
func uploadAll(ctx context.Context, w workload, n, clients, perRequest int) (uploads, error) {
	requests := (n + perRequest - 1) / perRequest
	latencies := make([]time.Duration, requests)
	var next atomic.Int64
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now()
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < requests && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				sent := time.Now()
				if err := w.upload(ctx, i*perRequest, min((i+1)*perRequest, n)); err != nil {
					cancel(err)
				}
				latencies[i] = time.Since(sent)
			}
		})
	}
	running.Wait()
	u := uploads{took: time.Since(start), latencies: latencies}
	slices.Sort(u.latencies)
	return u, context.Cause(ctx)
}

// percentile returns the latency that this part of all requests did not exceed.
func (u *uploads) percentile(part float64) time.Duration {
	return u.latencies[min(int(part*float64(len(u.latencies))), len(u.latencies)-1)]
}
