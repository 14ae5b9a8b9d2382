package client

import (
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// benchmarkSpecs are the tasks of bench/peers' table (docs/performance.md).
var benchmarkSpecs = []string{
	"count", "sum:max=1048576",
	"histogram:length=10", "histogram:length=100", "histogram:length=1000", "histogram:length=10000",
	"multihot:length=100,max_weight=10", "multihot:length=1000,max_weight=50",
	"sumvec:length=100,max=65535", "sumvec:length=1000,max=65535", "sumvec:length=10000,max=1", "sumvec:length=100000,max=1",
}

// BenchmarkPrepare is what a report costs an app: sharding and sealing, on one
// core if it is run with -cpu 1.
func BenchmarkPrepare(b *testing.B) {
	f := newFake(b)
	for _, text := range benchmarkSpecs {
		b.Run(text, func(b *testing.B) {
			spec, err := vdafspec.Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			task := f.task(spec.Config)
			switch config := spec.Config.(type) {
			case dap.Prio3CountConfig:
				benchmarkPrepare(b, task, true)
			case dap.Prio3SumConfig:
				benchmarkPrepare(b, task, config.MaxMeasurement)
			case dap.Prio3SumVecConfig:
				benchmarkPrepare(b, task, make([]uint64, config.Length))
			case dap.Prio3HistogramConfig:
				benchmarkPrepare(b, task, int(config.Length)-1)
			case dap.Prio3MultihotCountVecConfig:
				benchmarkPrepare(b, task, make([]bool, config.Length))
			default:
				b.Fatalf("no measurement for %T", config)
			}
		})
	}
}

func benchmarkPrepare[M any](b *testing.B, task Task, value M) {
	c := newClient[M](b, task, Options{})
	report, err := c.Prepare(b.Context(), value, now) // and the HPKE configurations are there
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Prepare(b.Context(), value, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(reportSize(&report)), "report-bytes")
}

// BenchmarkUploadReports sends 1,000 reports, made before, in one request, to a
// Leader in this process that decodes and keeps them.
func BenchmarkUploadReports(b *testing.B) {
	const n = 1000
	f := newFake(b)
	c := newClient[int](b, f.task(dap.Prio3HistogramConfig{Length: 100, ChunkLength: 10}), Options{MaxBytes: 16 << 20})
	reports := make([]dap.Report, n)
	for i := range reports {
		reports[i] = must(c.Prepare(b.Context(), i%100, now))
	}
	b.SetBytes(int64(n * reportSize(&reports[0])))
	b.ReportAllocs()
	for b.Loop() {
		outcomes, err := c.UploadReports(b.Context(), reports...)
		if err != nil || count(outcomes, StatusUploaded) != n || len(f.requests) != 1 {
			b.Fatalf("%d uploaded in %d requests, %v", count(outcomes, StatusUploaded), len(f.requests), err)
		}
		f.requests, f.headers = nil, nil
		clear(f.reports)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/report")
}

// BenchmarkUpload is the whole way of 1,000 measurements, which takes one small
// request and one with all the rest.
func BenchmarkUpload(b *testing.B) {
	const n = 1000
	f := newFake(b)
	c := newClient[int](b, f.task(dap.Prio3HistogramConfig{Length: 100, ChunkLength: 10}), Options{MaxBytes: 16 << 20})
	values := make([]int, n)
	for i := range values {
		values[i] = i % 100
	}
	b.ReportAllocs()
	for b.Loop() {
		outcomes, err := c.Upload(b.Context(), measurements(values...)...)
		if err != nil || count(outcomes, StatusUploaded) != n || len(f.requests) != 2 {
			b.Fatalf("%d uploaded in %d requests, %v", count(outcomes, StatusUploaded), len(f.requests), err)
		}
		f.requests, f.headers = nil, nil
		clear(f.reports)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/report")
}
