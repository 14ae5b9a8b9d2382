package conformance

import (
	"context"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/collector"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/plan"
)

// TestPlanAndRun plans a histogram of 20 buckets at 10,000 reports and ε = 1, and then runs it: the client library uploads them to
// real servers, and the collector library collects the result, whose errors are as planned. Right aggregators fail each of its
// three limits with a probability below 2^-39.
func TestPlanAndRun(t *testing.T) {
	const buckets, reports, chunk = 20, 10_000, 3
	vdaf := dap.Prio3HistogramConfig{Length: buckets, ChunkLength: chunk}
	expected, err := plan.Expect(vdaf, dp.Parameters{
		Kind: dp.PureEpsilon, Neighbours: dp.ReplaceOne, Level: big.NewRat(1, 1), Budget: big.NewRat(1, 1),
		ReportsPerClient: 1, ReportsPerBatch: 1, MaxBatchSize: 1_000_000,
	}, reports, 0)
	must(t, err)

	s := newSystem(t, systemOptions{})
	v := sumVDAF(t, 1)
	v.kind, v.config = 4, wire{}.u32(buckets).u32(chunk)
	// The extension by hand, as docs/divergences.md has it.
	extension := wire{}.u8(1).u8(1).u64(1).u64(1).u64(1).u64(1).u64(1).u64(1).u64(1_000_000)
	task := s.newTask(taskOptions{vdaf: &v, minBatch: 100, precision: 3600, extensions: wireExtensions(wireExtension{0xff01, extension})})
	id, configuration := task.decoded()
	c, err := client.New[int](client.Task{ID: id, Configuration: configuration}, client.Options{})
	must(t, err)
	at := time.Unix(int64(task.base*task.precision), 0)
	truth, list := make([]int64, buckets), make([]client.Measurement[int], reports)
	for i := range list {
		bucket := i * i % 1009 % buckets
		truth[bucket]++
		list[i] = client.Measurement[int]{Value: bucket, Time: at}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	outcomes, err := c.Upload(ctx, list...)
	must(t, err)
	for i, o := range outcomes {
		if o.Status != client.StatusUploaded {
			t.Fatalf("report %d: %v", i, o)
		}
	}
	collect, err := collector.New[[]uint64](collector.Task{ID: id, Configuration: configuration}, s.collector.keypair(t), collectorToken, collector.Options{})
	must(t, err)
	query, err := collect.IntervalQuery(at, at.Add(time.Hour))
	must(t, err)
	result, err := collect.Collect(ctx, query)
	must(t, err)
	again, err := collect.Collect(ctx, query)
	must(t, err)
	if result.Noise == nil || result.ReportCount != reports || len(result.Noise.Values) != buckets {
		t.Fatalf("the result is %+v", result)
	}
	if result.Noise.StandardError != expected.StandardError || result.Noise.Margin95.Cmp(expected.Margin95) != 0 {
		t.Errorf("the result says ±%g and %s, the plan ±%g and %s", result.Noise.StandardError, result.Noise.Margin95, expected.StandardError, expected.Margin95)
	}
	bound, outside, squares := expected.Mechanism.WrapBound().Noise, 0, 0.0
	for i, value := range result.Noise.Values {
		e := new(big.Int).Sub(value, big.NewInt(truth[i]))
		if e.CmpAbs(bound) > 0 {
			t.Errorf("bucket %d is %s, not %d: further than ±%s", i, value, truth[i], bound)
		}
		if low, high := result.Noise.Interval(i); low.Cmp(big.NewInt(truth[i])) > 0 || high.Cmp(big.NewInt(truth[i])) < 0 {
			outside++
		}
		f, _ := new(big.Float).SetInt(e).Float64()
		squares += f * f
		if again.Noise.Values[i].Cmp(value) != 0 {
			t.Errorf("bucket %d is %s when it is asked for again", i, again.Noise.Values[i])
		}
	}
	// That 13 of 20 are outside of their intervals has a probability of at most C(20, 13)·0.05^13 < 2^-39, and that all 20 are right, one
	// of at most P(0)^20, where the sum of two noises is 0 with P(0) < 1/7.
	if outside > 12 || squares == 0 {
		t.Errorf("%d of 20 numbers are outside of their intervals; the sum of the squared errors is %g", outside, squares)
	}
	t.Logf("planned: standard error %.3f, %.3g%% of a bucket; got: root mean square error %.3f, %d of %d outside of their 95%% intervals",
		expected.StandardError, 100*expected.RelativeError, math.Sqrt(squares/buckets), outside, buckets)
}
