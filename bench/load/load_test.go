package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

func TestWorkloads(t *testing.T) {
	for _, text := range []string{"count", "sum:max=1", "sum:max=18446744069414584320", "sumvec:length=3,max=18446744073709551615", "histogram:length=7", "histogram:edges=0;1", "multihot:length=5,max_weight=5"} {
		spec, err := vdafspec.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		vdafType, config, err := spec.Encode()
		if err != nil {
			t.Fatal(err)
		}
		task, err := client.NewTaskprovTask(dap.TaskConfiguration{
			TaskInfo: []byte("test"), LeaderAggregatorEndpoint: "http://127.0.0.1:1/", HelperAggregatorEndpoint: "http://127.0.0.1:2/",
			TimePrecision: 3600, MinBatchSize: 1, BatchMode: dap.BatchModeTimeInterval, VdafType: vdafType, VdafConfiguration: config,
		})
		if err != nil {
			t.Fatal(err)
		}
		load, err := newWorkload(task, 2, 10)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if problem := someAreValid(load); problem != nil {
			t.Errorf("%s: %v", text, problem)
		}
	}
}

// someAreValid checks random measurements of a workload.
func someAreValid(load workload) error {
	switch w := load.(type) {
	case *typed[bool]:
		return checkSome(w)
	case *typed[uint64]:
		return checkSome(w)
	case *typed[[]uint64]:
		return checkSome(w)
	case *typed[int]:
		return checkSome(w)
	case *typed[[]bool]:
		return checkSome(w)
	}
	return errors.New("another type of workload")
}

func checkSome[M any](w *typed[M]) error {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		if err := w.client.Check(client.Measurement[M]{Value: w.random(r), Time: time.Now()}); err != nil {
			return err
		}
	}
	return nil
}

// counting is a workload that notes what is uploaded.
type counting struct {
	mu      sync.Mutex
	seen    []int
	failing int
}

func (c *counting) prepare(context.Context, int, func(int)) error { return nil }
func (c *counting) reportBytes() (int, error)                     { return 1, nil }
func (c *counting) stored(int) (aggregator.UploadReport, error) {
	return aggregator.UploadReport{}, nil
}

var errRefused = errors.New("refused")

func (c *counting) upload(_ context.Context, from, to int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := from; i < to; i++ {
		c.seen[i]++
		if i == c.failing {
			return errRefused
		}
	}
	return nil
}

func TestEveryReportIsUploadedOnce(t *testing.T) {
	for _, n := range []int{1, 9, 10, 11, 1003} {
		load := &counting{seen: make([]int, n), failing: -1}
		up, err := uploadAll(t.Context(), load, n, 7, 10)
		if err != nil || len(up.latencies) != (n+9)/10 {
			t.Fatalf("%d reports: %d requests, %v", n, len(up.latencies), err)
		}
		for i, times := range load.seen {
			if times != 1 {
				t.Errorf("report %d of %d was uploaded %d times", i, n, times)
			}
		}
	}
	load := &counting{seen: make([]int, 100), failing: 42}
	if _, err := uploadAll(t.Context(), load, 100, 3, 5); !errors.Is(err, errRefused) {
		t.Errorf("got %v", err)
	}
}

func TestPercentiles(t *testing.T) {
	u := uploads{}
	for i := range 200 {
		u.latencies = append(u.latencies, time.Duration(i+1)*time.Millisecond)
	}
	for part, want := range map[float64]time.Duration{0: 1, 0.5: 101, 0.99: 199, 1: 200} {
		if got := u.percentile(part); got != want*time.Millisecond {
			t.Errorf("%v: got %v, want %v ms", part, got, int(want))
		}
	}
}
