package store_test

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
	"github.com/twofold-dap/twofold/vdaf"
)

// bodyLength is the length of a report of Prio3Histogram with 100 buckets.
const bodyLength = 3300

// wide is an Aggregator with aggregate shares as long as those of a histogram
// of 100 buckets over Field128.
type wide struct{}

const wideLength = 1600

func (wide) AggInit([]byte) []byte { return make([]byte, wideLength) }

func (wide) AggUpdate(_, share []byte, outShares []vdaf.OutShare) ([]byte, error) {
	sum := append([]byte(nil), share...)
	for range outShares {
		for i := 0; i < wideLength; i += 8 {
			binary.LittleEndian.PutUint64(sum[i:], binary.LittleEndian.Uint64(sum[i:])+1)
		}
	}
	return sum, nil
}

func (wide) Merge(_ []byte, shares ...[]byte) ([]byte, error) {
	sum := make([]byte, wideLength)
	for _, share := range shares {
		for i := 0; i < wideLength; i += 8 {
			binary.LittleEndian.PutUint64(sum[i:], binary.LittleEndian.Uint64(sum[i:])+binary.LittleEndian.Uint64(share[i:]))
		}
	}
	return sum, nil
}

// randomReports makes reports of the last few hours.
func randomReports(n int) []aggregator.UploadReport {
	reports := make([]aggregator.UploadReport, n)
	for i := range reports {
		rand.Read(reports[i].ID[:])
		reports[i].Time = 480_000 + dap.Time(i%3)
		reports[i].Body = make([]byte, bodyLength)
		rand.Read(reports[i].Body[:32])
	}
	return reports
}

func benchLeader(b *testing.B) (*store.Leader, dap.TaskID) {
	l, err := store.OpenLeader(filepath.Join(b.TempDir(), "leader.db"), testKey, store.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	if err := l.PutTask(b.Context(), task); err != nil {
		b.Fatal(err)
	}
	return l, task.ID
}

// BenchmarkUpload measures durable uploads: callers upload at once, so many reports in each request.
func BenchmarkUpload(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		for _, each := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("callers=%d/reports=%d", callers, each), func(b *testing.B) {
				l, task := benchLeader(b)
				b.SetBytes(int64(each * bodyLength))
				var next atomic.Int64
				var group sync.WaitGroup
				b.ResetTimer()
				for range callers {
					group.Go(func() {
						for next.Add(1) <= int64(b.N) {
							outcomes, err := l.Upload(b.Context(), task, randomReports(each))
							if err != nil || outcomes[0] != 0 {
								b.Error(outcomes, err)
								return
							}
						}
					})
				}
				group.Wait()
				b.ReportMetric(float64(b.N*each)/b.Elapsed().Seconds(), "reports/s")
			})
		}
	}
}

// BenchmarkAggregationJob makes and finishes jobs of 1,000 reports, behind a
// store that has counted many reports already.
func BenchmarkAggregationJob(b *testing.B) {
	const size = 1000
	for _, before := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("before=%d", before), func(b *testing.B) {
			l, task := benchLeader(b)
			for range before / size {
				aggregateJob(b, l, task, size)
			}
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				uploadAll(b, l, task, size)
				b.StartTimer()
				finishJob(b, l, task, size)
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}

func uploadAll(b *testing.B, l *store.Leader, task dap.TaskID, n int) {
	if _, err := l.Upload(b.Context(), task, randomReports(n)); err != nil {
		b.Fatal(err)
	}
}

func aggregateJob(b *testing.B, l *store.Leader, task dap.TaskID, n int) {
	uploadAll(b, l, task, n)
	finishJob(b, l, task, n)
}

func finishJob(b *testing.B, l *store.Leader, task dap.TaskID, n int) {
	reports, err := l.WaitingReports(b.Context(), task, 0, n, 1<<30, nil)
	if err != nil || len(reports) != n {
		b.Fatal(len(reports), err)
	}
	job := aggregator.AggregationJob{ID: dap.NewAggregationJobID(), Task: task, State: aggregator.JobActive, CreatedAt: time.Unix(1, 0)}
	var commits []aggregator.Commit
	for _, r := range reports {
		job.Reports = append(job.Reports, r.Sequence)
		commits = append(commits, aggregator.Commit{Sequence: r.Sequence, OutShare: storetest.OutShare(1)})
	}
	if err := l.CreateAggregationJob(b.Context(), job, nil); err != nil {
		b.Fatal(err)
	}
	if err := l.FinishAggregationJob(b.Context(), task, job.ID, commits, nil, wide{}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCommitHelperStep commits steps of 1,000 reports.
func BenchmarkCommitHelperStep(b *testing.B) {
	const size = 1000
	for _, before := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("before=%d", before), func(b *testing.B) {
			h, err := store.OpenHelper(filepath.Join(b.TempDir(), "helper.db"), testKey, store.Options{Create: true})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			task := storetest.NewTask(dap.RoleHelper, "task", dap.BatchModeTimeInterval)
			if err := h.PutTask(b.Context(), task); err != nil {
				b.Fatal(err)
			}
			commit := func() {
				step := aggregator.HelperStep{Job: aggregator.HelperJob{ID: dap.NewAggregationJobID(), Task: task.ID, CreatedAt: time.Unix(1, 0)}}
				for i, r := range randomReports(size) {
					step.Responses = append(step.Responses, dap.VerifyResp{ReportID: r.ID, Type: dap.VerifyRespContinue, Payload: make([]byte, 22)})
					step.Commits = append(step.Commits, aggregator.HelperCommit{Index: i, ID: r.ID, Time: r.Time, OutShare: storetest.OutShare(1)})
				}
				if _, err := h.CommitHelperStep(b.Context(), step, wide{}); err != nil {
					b.Fatal(err)
				}
			}
			for range before / size {
				commit()
			}
			b.ResetTimer()
			for range b.N {
				commit()
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}

// BenchmarkCheck checks a store that has counted 100,000 reports; and opens it.
func BenchmarkCheck(b *testing.B) {
	l, task := benchLeader(b)
	for range 100 {
		aggregateJob(b, l, task, 1000)
	}
	b.ResetTimer()
	for range b.N {
		violations, err := l.Check(b.Context())
		if err != nil || len(violations) > 0 {
			b.Fatal(violations, err)
		}
	}
}

// BenchmarkOpen opens a store with 20,000 waiting reports and 50,000 counted ones.
func BenchmarkOpen(b *testing.B) {
	l, task := benchLeader(b)
	for range 50 {
		aggregateJob(b, l, task, 1000)
	}
	for range 20 {
		uploadAll(b, l, task, 1000)
	}
	path := l.Path()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		l, err := store.OpenLeader(path, testKey, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
