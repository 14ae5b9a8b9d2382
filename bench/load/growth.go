package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/operator"
	"github.com/twofold-dap/twofold/internal/processes"
	"github.com/twofold-dap/twofold/store"
)

// growthOptions are what the grown databases hold.
type growthOptions struct {
	options
	ids, waiting, buckets, days, rounds int
}

// The first report of a bucket is this old at least; the load's are newer.
const historyEnd = 24 * time.Hour

// realReports is how many reports of those that wait can be aggregated: more than a Leader takes into jobs that a Helper refuses.
const realReports = 10_000

const (
	bucketWidth      = time.Minute
	reportsPerBucket = 10
)

// growth compares a system with empty databases and one whose databases have grown.
type growth struct {
	growthOptions
	empty, grown *measurement
	idle         *idleHelper
	bucketTask   processes.Task
	bucketStart  time.Time
	figures      growthFigures
}

// measureGrowth does it all, and removes what it has made.
func measureGrowth(ctx context.Context, o growthOptions) (figures growthFigures, err error) {
	dir, err := os.MkdirTemp(o.dir, "twofold-growth-")
	if err != nil {
		return figures, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g := &growth{growthOptions: o, empty: &measurement{options: o.options}, grown: &measurement{options: o.options}}
	g.empty.profile = "" // the profiles of the others are of interest
	if g.idle, err = newIdleHelper(); err != nil {
		return figures, err
	}
	defer g.idle.Close()
	for name, m := range map[string]*measurement{"empty": g.empty, "grown": g.grown} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return figures, err
		}
		if err := m.start(ctx, filepath.Join(dir, name)); err != nil {
			return figures, err
		}
		defer func() { err = errors.Join(err, m.system.Close()) }()
	}
	for _, step := range []func(context.Context) error{g.grow, g.open, g.collect, g.load} {
		if err := step(ctx); err != nil {
			return figures, err
		}
	}
	return g.figures, nil
}

// grow fills the databases of the grown system.
func (g *growth) grow(ctx context.Context) (err error) {
	m := g.grown
	g.bucketStart = time.Now().Add(-time.Duration(g.buckets+10) * bucketWidth).Truncate(bucketWidth)
	if g.bucketTask, err = m.system.NewTask(ctx, processes.TaskSpec{Name: "buckets", VDAF: g.vdaf, MinBatchSize: 1, Precision: bucketWidth}); err != nil {
		return err
	}
	backlog, real, err := g.backlog(ctx)
	if err != nil {
		return err
	}
	if err := m.system.Close(); err != nil {
		return err
	}
	start := time.Now()
	if err := g.fill(ctx, backlog, real); err != nil {
		return err
	}
	g.figures.FillSeconds = seconds(time.Since(start))
	return nil
}

// backlog makes the task whose reports wait, and some reports that the Leader can open.
func (g *growth) backlog(ctx context.Context) (task aggregator.Task, real []aggregator.UploadReport, err error) {
	config := g.grown.clientTask.Configuration
	config.TaskInfo, config.HelperAggregatorEndpoint = []byte("backlog"), g.idle.url()
	forClients, err := client.NewTaskprovTask(config)
	if err != nil {
		return task, nil, err
	}
	encoded, err := config.Encode()
	if err != nil {
		return task, nil, err
	}
	task = aggregator.Task{
		ID: forClients.ID, Role: dap.RoleLeader, Config: config, EncodedConfig: encoded, VerifyKey: make([]byte, 32),
		HelperToken: []byte("the token of a Helper that is never ready"), CollectorTokenHash: sha256.Sum256([]byte("of nobody")),
		Taskprov: true, Name: "backlog", AddedAt: time.Now().UTC().Truncate(time.Second),
	}
	load, err := newWorkload(forClients, 1, 1)
	if err != nil {
		return task, nil, err
	}
	real = make([]aggregator.UploadReport, min(realReports, g.waiting))
	if err := load.prepare(ctx, len(real), func(int) {}); err != nil {
		return task, nil, err
	}
	for i := range real {
		if real[i], err = load.stored(i); err != nil {
			return task, nil, err
		}
	}
	return task, real, nil
}

// fill opens the databases and writes to them.
func (g *growth) fill(ctx context.Context, backlog aggregator.Task, real []aggregator.UploadReport) (err error) {
	f := &filler{random: rand.New(rand.NewPCG(1, 2)), say: g.say}
	if f.leader, f.helper, err = g.stores(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.leader.Close(), f.helper.Close()) }()
	history, err := f.leader.Task(ctx, g.grown.clientTask.ID)
	if err != nil {
		return err
	}
	g.say("filling the databases: %d report IDs of %d days", g.ids, g.days)
	hours := g.days * 24
	first, err := history.Config.TimePrecision.TimeOf(time.Now().Add(-historyEnd - time.Duration(hours)*precision))
	if err != nil {
		return err
	}
	if err := f.counted(ctx, &history, g.ids, func(i int) dap.Time { return first + dap.Time(i*hours/g.ids) }); err != nil {
		return err
	}
	if err := g.fillBuckets(ctx, f); err != nil {
		return err
	}
	if g.waiting == 0 {
		return nil
	}
	backlog.CollectorHpkeConfig = history.CollectorHpkeConfig
	if err := f.leader.PutTask(ctx, backlog); err != nil {
		return err
	}
	before, err := g.grown.system.Leader.DiskBytes()
	if err != nil {
		return err
	}
	if err := f.waiting(ctx, backlog.ID, real, g.waiting); err != nil {
		return err
	}
	after, err := g.grown.system.Leader.DiskBytes()
	g.figures.WaitingDiskRatio = hundredths(float64(after-before) / float64(g.waiting) / float64(len(real[0].Body)))
	return err
}

func (g *growth) fillBuckets(ctx context.Context, f *filler) error {
	tasks, err := f.leader.Tasks(ctx)
	if err != nil {
		return err
	}
	for i := range tasks {
		if tasks[i].Name != g.bucketTask.Name {
			continue
		}
		start, err := tasks[i].Config.TimePrecision.TimeOf(g.bucketStart)
		if err != nil {
			return err
		}
		g.say("  %d batch buckets", g.buckets)
		return f.counted(ctx, &tasks[i], g.buckets*reportsPerBucket, func(i int) dap.Time { return start + dap.Time(i/reportsPerBucket) })
	}
	return fmt.Errorf("the Leader has no task %s", g.bucketTask.Name)
}

// open measures how long it takes to open the databases, and until a server answers.
func (g *growth) open(ctx context.Context) error {
	start := time.Now()
	leader, helper, err := g.stores()
	if err != nil {
		return err
	}
	g.figures.OpenBothSeconds = seconds(time.Since(start))
	if err := errors.Join(leader.Close(), helper.Close()); err != nil {
		return err
	}
	system := g.grown.system
	if err := system.Helper.Start(ctx); err != nil {
		return err
	}
	start = time.Now()
	if err := system.Leader.Start(ctx); err != nil {
		return err
	}
	g.figures.LeaderStartSeconds = seconds(time.Since(start))
	g.say("the Leader answers after %.2f s", g.figures.LeaderStartSeconds)
	return nil
}

func (g *growth) stores() (leader *store.Leader, helper *store.Helper, err error) {
	l, err := operator.OpenDirectory(g.grown.system.Leader.Dir, dap.RoleLeader)
	if err != nil {
		return nil, nil, err
	}
	h, err := operator.OpenDirectory(g.grown.system.Helper.Dir, dap.RoleHelper)
	if err != nil {
		return nil, nil, err
	}
	if leader, err = l.OpenLeaderStore(); err != nil {
		return nil, nil, err
	}
	if helper, err = h.OpenHelperStore(); err != nil {
		return nil, nil, errors.Join(err, leader.Close())
	}
	return leader, helper, nil
}

// collect measures a collection over all buckets, from the Collector's command to its result.
func (g *growth) collect(ctx context.Context) error {
	end := g.bucketStart.Add(time.Duration(g.buckets) * bucketWidth)
	interval := g.bucketStart.UTC().Format(time.RFC3339) + "/" + end.UTC().Format(time.RFC3339)
	start := time.Now()
	collection, err := g.grown.system.Collect(ctx, g.bucketTask, "--interval", interval)
	if err != nil {
		return err
	}
	g.figures.CollectSeconds = seconds(time.Since(start))
	if collection.ReportCount != uint64(g.buckets*reportsPerBucket) {
		return fmt.Errorf("%d reports were collected from %d buckets", collection.ReportCount, g.buckets)
	}
	g.say("a collection over %d batch buckets took %.2f s", g.buckets, g.figures.CollectSeconds)
	return nil
}

// load runs the same load on both systems in turn.
func (g *growth) load(ctx context.Context) error {
	for round := range g.rounds {
		g.say("round %d of %d", round+1, g.rounds)
		for _, s := range []struct {
			m    *measurement
			into *[]report
		}{{g.empty, &g.figures.Empty}, {g.grown, &g.figures.Grown}} {
			if err := s.m.prepare(ctx); err != nil {
				return err
			}
			r, err := s.m.run(ctx)
			if err != nil {
				return err
			}
			s.m.load = nil // its reports are large
			*s.into = append(*s.into, r)
		}
	}
	usage, err := processes.ReadUsage(g.grown.system.Leader.PID())
	if err != nil {
		return err
	}
	g.figures.IDs, g.figures.WaitingReports, g.figures.Buckets = g.ids, g.waiting, g.buckets
	g.figures.LeaderPeakMiB = mebibytes(usage.PeakResident)
	start := time.Now()
	if err := g.grown.system.Leader.Kill(); err != nil {
		return err
	}
	if err := g.grown.system.Leader.Start(ctx); err != nil {
		return err
	}
	g.figures.LeaderStartAfterKillSeconds = seconds(time.Since(start))
	return nil
}
