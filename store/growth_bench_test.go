//go:build unix

package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

// What the grown databases hold. With a directory they are kept in it, and used again by the next run with the same numbers.
var (
	growthIDs     = flag.Int("growth.ids", 200_000, "report IDs that BenchmarkGrowth's databases remember")
	growthWaiting = flag.Int("growth.waiting", 20_000, "reports that wait at BenchmarkGrowth's Leader")
	growthDir     = flag.String("growth.dir", "", "where BenchmarkGrowth keeps its databases; empty: they are temporary")
)

const (
	growthDays    = 60
	growthBuckets = 10_000
	growthNow     = 480_000 // hours since 1970
)

// BenchmarkGrowth measures what a report costs in databases with as many IDs and waiting reports as the flags say, of
// 60 days, and what opening them and reading a batch of 10,000 buckets costs.
func BenchmarkGrowth(b *testing.B) {
	dir := *growthDir
	if dir == "" {
		dir = b.TempDir()
	}
	g := growth{B: b, dir: dir, random: rand.New(rand.NewPCG(rand.Uint64(), 0))}
	for i, ids := range []int{0, *growthIDs} {
		name := []string{"empty", "grown"}[i]
		g.fill(name, ids)
		b.Run("open/"+name, func(b *testing.B) { g.open(b, name) })
		b.Run("leader/"+name, func(b *testing.B) { g.leader(b, name) })
		b.Run("helper/"+name, func(b *testing.B) { g.helper(b, name) })
	}
	b.Run("batch", g.batch)
}

type growth struct {
	*testing.B
	dir    string
	random *rand.Rand
}

func (g *growth) path(name string, role dap.Role) string {
	return filepath.Join(g.dir, name+"-"+role.String()+".db")
}

func (g *growth) tasks(role dap.Role) (load, buckets, backlog aggregator.Task) {
	return storetest.NewTask(role, "load", dap.BatchModeTimeInterval), storetest.NewTask(role, "buckets", dap.BatchModeTimeInterval), storetest.NewTask(role, "backlog", dap.BatchModeTimeInterval)
}

func (g *growth) openLeader(b *testing.B, name string) *store.Leader {
	l, err := store.OpenLeader(g.path(name, dap.RoleLeader), testKey, store.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

func (g *growth) openHelper(b *testing.B, name string) *store.Helper {
	h, err := store.OpenHelper(g.path(name, dap.RoleHelper), testKey, store.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

func (g *growth) fill(name string, ids int) {
	if _, err := os.Stat(g.path(name, dap.RoleHelper)); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	l, h := g.openLeader(g.B, name), g.openHelper(g.B, name)
	defer l.Close()
	defer h.Close()
	load, buckets, backlog := g.tasks(dap.RoleLeader)
	atHelper, bucketsAtHelper, _ := g.tasks(dap.RoleHelper)
	ctx := g.Context()
	if err := errors.Join(l.PutTask(ctx, load), l.PutTask(ctx, buckets), l.PutTask(ctx, backlog), h.PutTask(ctx, atHelper), h.PutTask(ctx, bucketsAtHelper)); err != nil {
		g.Fatal(err)
	}
	if ids == 0 {
		return
	}
	const part = 500_000
	for done := 0; done < ids; done += part {
		n := min(part, ids-done)
		g.counted(l, h, load.ID, g.reports(n, 40, func(i int) dap.Time { return growthNow - 24 - growthDays*24 + dap.Time((done+i)*growthDays*24/ids) }))
	}
	g.counted(l, h, buckets.ID, g.reports(10*growthBuckets, 40, func(i int) dap.Time { return growthNow - growthBuckets + dap.Time(i/10) }))
	for done := 0; done < *growthWaiting; done += 50_000 {
		g.upload(g.B, l, backlog.ID, g.reports(min(50_000, *growthWaiting-done), 2600, func(int) dap.Time { return growthNow }))
	}
}

// reports makes n reports with random IDs, in order.
func (g *growth) reports(n, length int, at func(i int) dap.Time) []aggregator.UploadReport {
	reports := make([]aggregator.UploadReport, n)
	body := make([]byte, length)
	for i := range reports {
		binary.NativeEndian.PutUint64(reports[i].ID[:8], g.random.Uint64())
		binary.NativeEndian.PutUint64(reports[i].ID[8:], g.random.Uint64())
	}
	slices.SortFunc(reports, func(a, b aggregator.UploadReport) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for i := range reports {
		reports[i].Time, reports[i].Body = at(i), body
	}
	return reports
}

func (g *growth) upload(b *testing.B, l *store.Leader, task dap.TaskID, reports []aggregator.UploadReport) {
	outcomes, err := l.Upload(b.Context(), task, reports)
	if err != nil || slices.ContainsFunc(outcomes, func(e dap.ReportError) bool { return e != 0 }) {
		b.Fatal(err, "or a report was refused")
	}
}

// counted makes reports that both have counted.
func (g *growth) counted(l *store.Leader, h *store.Helper, task dap.TaskID, reports []aggregator.UploadReport) {
	g.upload(g.B, l, task, reports)
	finishJob(g.B, l, task, len(reports))
	g.step(g.B, h, task, reports)
}

func (g *growth) step(b *testing.B, h *store.Helper, task dap.TaskID, reports []aggregator.UploadReport) {
	step := aggregator.HelperStep{Job: aggregator.HelperJob{ID: dap.NewAggregationJobID(), Task: task, CreatedAt: time.Unix(1, 0)}}
	for i, r := range reports {
		step.Responses = append(step.Responses, dap.VerifyResp{ReportID: r.ID, Type: dap.VerifyRespFinish})
		step.Commits = append(step.Commits, aggregator.HelperCommit{Index: i, ID: r.ID, Time: r.Time, OutShare: storetest.OutShare(1)})
	}
	job, err := h.CommitHelperStep(b.Context(), step, wide{})
	if err != nil || job.Counted != uint64(len(reports)) {
		b.Fatal(job.Counted, err)
	}
	if err := h.DeleteHelperJob(b.Context(), task, job.ID); err != nil {
		b.Fatal(err)
	}
}

// perReport reports the CPU time of f for each of n reports.
func perReport(b *testing.B, n int, f func()) {
	before := cpuTime(b)
	b.ResetTimer()
	f()
	b.StopTimer()
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/1e3/float64(n), "CPU-µs/report")
}

func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

const growthRequest = 1000

func (g *growth) leader(b *testing.B, name string) {
	l := g.openLeader(b, name)
	defer l.Close()
	store.AwaitFilter(b, l)
	load, _, _ := g.tasks(dap.RoleLeader)
	all := make([][]aggregator.UploadReport, b.N)
	for i := range all {
		all[i] = g.reports(growthRequest, 2600, func(int) dap.Time { return growthNow })
	}
	perReport(b, b.N*growthRequest, func() {
		for _, reports := range all {
			g.upload(b, l, load.ID, reports)
			finishJob(b, l, load.ID, len(reports))
		}
	})
}

func (g *growth) helper(b *testing.B, name string) {
	h := g.openHelper(b, name)
	defer h.Close()
	store.AwaitFilter(b, h)
	load, _, _ := g.tasks(dap.RoleHelper)
	all := make([][]aggregator.UploadReport, b.N)
	for i := range all {
		all[i] = g.reports(growthRequest, 40, func(int) dap.Time { return growthNow })
	}
	perReport(b, b.N*growthRequest, func() {
		for _, reports := range all {
			g.step(b, h, load.ID, reports)
		}
	})
}

func (g *growth) open(b *testing.B, name string) {
	before := cpuTime(b)
	for range b.N {
		l := g.openLeader(b, name)
		b.StopTimer()
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "CPU-s/open")
}

func (g *growth) batch(b *testing.B) {
	l := g.openLeader(b, "grown")
	defer l.Close()
	_, task, _ := g.tasks(dap.RoleLeader)
	batch := aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: dap.Interval{Start: growthNow - growthBuckets, Duration: growthBuckets}}
	before := cpuTime(b)
	b.ResetTimer()
	for range b.N {
		a, err := l.ReadBatch(context.Background(), task.ID, batch, wide{})
		if err != nil || a.Count != 10*growthBuckets {
			b.Fatal(a.Count, err)
		}
	}
	b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "CPU-s/batch")
}
