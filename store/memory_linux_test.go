package store_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

// BenchmarkMemory has 200,000 reports wait, works half of them off, and opens the file again.
// It reports the process's memory as the kernel counts it.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "leader.db")
		l, err := store.OpenLeader(path, testKey, store.Options{Create: true})
		if err != nil {
			b.Fatal(err)
		}
		task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
		if err := l.PutTask(b.Context(), task); err != nil {
			b.Fatal(err)
		}
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 250 {
					if _, err := l.Upload(b.Context(), task.ID, randomReports(100)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		group.Wait()
		b.ReportMetric(residentMegabytes(b), "MB-waiting")
		for range 100 {
			finishJob(b, l, task.ID, 1000)
		}
		b.ReportMetric(residentMegabytes(b), "MB-half-done")
		if _, err := l.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(residentMegabytes(b), "MB-checked")
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		if l, err = store.OpenLeader(path, testKey, store.Options{}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(residentMegabytes(b), "MB-reopened")
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/1e6, "MB-file")
		b.ReportMetric(peakMegabytes(b), "MB-peak")
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func residentMegabytes(b *testing.B) float64 { return statusMegabytes(b, "VmRSS:") }
func peakMegabytes(b *testing.B) float64     { return statusMegabytes(b, "VmHWM:") }

// statusMegabytes reads a size from the kernel's account of this process.
func statusMegabytes(b *testing.B, field string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), field)
	size, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kilobytes, err := strconv.ParseFloat(size, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kilobytes / 1e3
}
