package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/collector"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskfile"
)

// reporter makes and uploads the reports of a task.
type reporter interface {
	prepare(ctx context.Context, index int, at time.Time) (dap.Report, error)
	upload(ctx context.Context, reports []dap.Report) ([]client.Outcome, error)
}

// typedReporter is the reporter of a VDAF with measurements of type M.
type typedReporter[M any] struct {
	client  *client.Client[M]
	measure func(int) any
}

func (r *typedReporter[M]) prepare(ctx context.Context, index int, at time.Time) (dap.Report, error) {
	return r.client.Prepare(ctx, r.measure(index).(M), at)
}

func (r *typedReporter[M]) upload(ctx context.Context, reports []dap.Report) ([]client.Outcome, error) {
	return r.client.UploadReports(ctx, reports...)
}

func newTypedReporter[M any](file taskfile.File, k kind, options client.Options) (reporter, error) {
	task := client.Task{ID: file.ID, Configuration: file.Config, Taskprov: file.Taskprov}
	c, err := client.New[M](task, options)
	return &typedReporter[M]{c, k.measure}, err
}

// newReporter returns the reporter of a task. Every request is sent once: the
// caller decides what follows.
func newReporter(file taskfile.File, k kind, transport *http.Client) (reporter, error) {
	options := client.Options{Attempts: 1, HTTP: transport, Workers: 1}
	switch m := k.measure(0).(type) {
	case bool:
		return newTypedReporter[bool](file, k, options)
	case uint64:
		return newTypedReporter[uint64](file, k, options)
	case int:
		return newTypedReporter[int](file, k, options)
	case []uint64:
		return newTypedReporter[[]uint64](file, k, options)
	case []bool:
		return newTypedReporter[[]bool](file, k, options)
	default:
		return nil, fmt.Errorf("there is no client for measurements of type %T", m)
	}
}

// answer is where a collection job stands, whatever the type of its result.
type answer struct {
	ready       bool
	retryAfter  time.Duration
	reportCount uint64
	start, end  time.Time
	numbers     []uint64
}

// asker asks for the results of a task.
type asker interface {
	create(ctx context.Context, query dap.Query) (collector.Job, answer, error)
	poll(ctx context.Context, job collector.Job) (answer, error)
	remove(ctx context.Context, job collector.Job) error
}

// typedAsker is the asker of a VDAF with results of type R.
type typedAsker[R any] struct {
	collector *collector.Collector[R]
	numbers   func(R) []uint64
}

func (a *typedAsker[R]) create(ctx context.Context, query dap.Query) (collector.Job, answer, error) {
	job, state, err := a.collector.Create(ctx, query)
	return job, a.answer(state), err
}

func (a *typedAsker[R]) poll(ctx context.Context, job collector.Job) (answer, error) {
	state, err := a.collector.Poll(ctx, job)
	return a.answer(state), err
}

func (a *typedAsker[R]) remove(ctx context.Context, job collector.Job) error {
	return a.collector.Delete(ctx, job)
}

func (a *typedAsker[R]) answer(state collector.State[R]) answer {
	if state.Result == nil {
		return answer{retryAfter: state.RetryAfter}
	}
	r := state.Result
	return answer{ready: true, reportCount: r.ReportCount, start: r.Start, end: r.End, numbers: a.numbers(r.Value)}
}

// newAsker returns the asker of a task.
func newAsker(file taskfile.File, keypair dap.HpkeKeypair, token string, transport *http.Client) (asker, error) {
	task := collector.Task{ID: file.ID, Configuration: file.Config, Taskprov: file.Taskprov}
	options := collector.Options{HTTP: transport}
	switch file.Spec.Config.(type) {
	case dap.Prio3CountConfig, dap.Prio3SumConfig:
		c, err := collector.New[uint64](task, keypair, token, options)
		return &typedAsker[uint64]{c, func(n uint64) []uint64 { return []uint64{n} }}, err
	default:
		c, err := collector.New[[]uint64](task, keypair, token, options)
		return &typedAsker[[]uint64]{c, func(n []uint64) []uint64 { return n }}, err
	}
}

// newHTTPClient returns an HTTP client with a timeout that makes all its
// connections to one address, whatever the URL, or to the URL's if that is empty.
func newHTTPClient(address string, timeout time.Duration) *http.Client {
	dialer := &net.Dialer{}
	transport := &http.Transport{MaxIdleConnsPerHost: 4, DialContext: dialer.DialContext}
	if address != "" {
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		}
	}
	return &http.Client{Transport: transport, Timeout: timeout}
}
