package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/internal/processes"
)

const precision = time.Hour

// options are what is to be measured.
type options struct {
	reports, clients, perRequest int
	vdaf                         string
	holdHelper                   bool
	holdFor                      time.Duration
	dir                          string
	profile                      string // the directory for profiles, or empty
	log                          io.Writer
}

func (o *options) say(format string, args ...any) { fmt.Fprintf(o.log, format+"\n", args...) }

// measurement is one run, or several with the same servers.
type measurement struct {
	options
	system *processes.System
	task   processes.Task
	load   workload

	clientTask           client.Task
	leader, helper, self *monitor
	emptyLeader          int64 // bytes on disk before the first report
	emptyHelper          int64
	before               uint64  // how many reports both have committed before
	peerBytes            float64 // between the servers before the first report
	profiles             *profiles
}

// measure does it all, and removes what it has made.
func measure(ctx context.Context, o options) (r report, err error) {
	dir, err := os.MkdirTemp(o.dir, "twofold-load-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m := &measurement{options: o}
	if err := m.start(ctx, dir); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.system.Close()) }()
	if err := m.prepare(ctx); err != nil {
		return r, err
	}
	if r, err = m.run(ctx); err != nil {
		return r, err
	}
	return r, m.verify(ctx)
}

// start builds and starts the servers, and makes the task.
func (m *measurement) start(ctx context.Context, dir string) error {
	m.say("building and starting the servers")
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	programs, err := processes.Build(ctx, bin)
	if err != nil {
		return err
	}
	if m.system, err = processes.NewSystem(ctx, programs, dir); err != nil {
		return err
	}
	m.task, m.clientTask, err = m.newTask(ctx)
	if err != nil {
		return errors.Join(err, m.system.Close())
	}
	return nil
}

func (m *measurement) newTask(ctx context.Context) (task processes.Task, clientTask client.Task, err error) {
	task, err = m.system.NewTask(ctx, processes.TaskSpec{Name: "load", VDAF: m.vdaf, MinBatchSize: 1, Precision: precision})
	if err != nil {
		return task, clientTask, err
	}
	file, err := os.Open(task.File)
	if err != nil {
		return task, clientTask, err
	}
	defer file.Close()
	clientTask, err = client.ReadTask(file)
	return task, clientTask, err
}

// prepare makes the reports, for which it asks both servers for their keys.
func (m *measurement) prepare(ctx context.Context) error {
	var err error
	if m.load, err = newWorkload(m.clientTask, m.clients, m.perRequest); err != nil {
		return err
	}
	m.say("preparing %d reports", m.reports)
	start := time.Now()
	err = m.load.prepare(ctx, m.reports, func(done int) {
		if done%20_000 == 0 {
			m.say("  %d", done)
		}
	})
	if err != nil {
		return err
	}
	m.say("  took %.1f s, %.1f µs of time a report", time.Since(start).Seconds(), float64(time.Since(start).Microseconds())/float64(m.reports))
	runtime.GC() // its cost is not the servers'
	return nil
}

// run uploads the reports and waits until both aggregators have committed them.
func (m *measurement) run(ctx context.Context) (r report, err error) {
	bytes, err := m.load.reportBytes()
	if err != nil {
		return r, err
	}
	r = report{
		VDAF: m.vdaf, Reports: m.reports, Clients: m.clients, ReportsPerRequest: m.perRequest,
		Processors: runtime.NumCPU(), HeldHelper: m.holdHelper, ReportBytes: bytes,
	}
	if err := m.measureEmpty(ctx); err != nil {
		return r, err
	}
	m.profiles = m.startProfiles(ctx)
	start := time.Now()
	up, err := m.upload(ctx, &r)
	if err != nil {
		return r, err
	}
	if m.holdHelper {
		start = time.Now()
		if err := m.startHelper(ctx); err != nil {
			return r, err
		}
	}
	if err := m.wait(ctx); err != nil {
		return r, err
	}
	r.EndToEndPerSecond = rate(m.reports, time.Since(start))
	r.UploadsPerSecond = rate(m.reports, up.took)
	r.Latency = latency{milliseconds(up.percentile(0.5)), milliseconds(up.percentile(0.9)), milliseconds(up.percentile(0.99)), milliseconds(up.percentile(1))}
	return r, errors.Join(m.profiles.finish(), m.fill(ctx, &r))
}

// measureEmpty looks at the servers before the first report.
func (m *measurement) measureEmpty(ctx context.Context) (err error) {
	if m.before, _, err = aggregated(ctx, m.system, m.clientTask.ID); err != nil {
		return err
	}
	if m.holdHelper {
		if err := m.system.Helper.Stop(); err != nil {
			return err
		}
	} else if m.helper, err = newMonitor("Helper", m.system.Helper.PID()); err != nil {
		return err
	}
	if m.leader, err = newMonitor("Leader", m.system.Leader.PID()); err != nil {
		return err
	}
	if m.self, err = ourselves(); err != nil {
		return err
	}
	if m.peerBytes, err = m.carried(ctx); err != nil {
		return err
	}
	if m.emptyLeader, err = m.system.Leader.DiskBytes(); err != nil {
		return err
	}
	m.emptyHelper, err = m.system.Helper.DiskBytes()
	return err
}

func (m *measurement) monitors() []*monitor {
	all := []*monitor{m.leader, m.self}
	if m.helper != nil {
		all = append(all, m.helper)
	}
	return all
}

func (m *measurement) upload(ctx context.Context, r *report) (uploads, error) {
	m.say("uploading")
	stop := watch(ctx, m.monitors()...)
	up, err := uploadAll(ctx, m.load, m.reports, m.clients, m.perRequest)
	if err == nil && m.holdHelper {
		r.Waiting, err = m.hold(ctx, r.ReportBytes)
	}
	return up, errors.Join(err, stop())
}

// hold lets all reports wait for a while.
func (m *measurement) hold(ctx context.Context, reportBytes int) (*waiting, error) {
	m.say("waiting for %s with the Helper stopped", m.holdFor)
	select {
	case <-time.After(m.holdFor):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	counts, err := m.system.Leader.Counts(ctx, m.clientTask.ID)
	if err != nil {
		return nil, err
	}
	disk, err := m.system.Leader.DiskBytes()
	if err != nil {
		return nil, err
	}
	m.leader.sample()
	w := waiting{
		Reports: counts.Waiting + counts.InJobs,
		PeakMiB: mebibytes(m.leader.last.PeakResident), PeakAnonymousMiB: mebibytes(m.leader.peakAnonymous),
		DiskBytesPerReport: round(float64(disk-m.emptyLeader) / float64(m.reports)),
	}
	w.DiskRatio = math.Round(100*w.DiskBytesPerReport/float64(reportBytes)) / 100
	return &w, nil
}

// carried is how many bytes Leader and Helper have sent each other.
func (m *measurement) carried(ctx context.Context) (bytes float64, err error) {
	for _, direction := range []string{"sent", "received"} {
		n, err := m.system.Leader.Metric(ctx, fmt.Sprintf("twofold_leader_helper_bytes_total{direction=%q}", direction))
		if err != nil {
			return 0, err
		}
		bytes += n
	}
	return bytes, nil
}

func (m *measurement) startHelper(ctx context.Context) (err error) {
	m.say("starting the Helper")
	if err := m.system.Helper.Start(ctx); err != nil {
		return err
	}
	m.helper, err = newMonitor("Helper", m.system.Helper.PID())
	return err
}

func (m *measurement) wait(ctx context.Context) error {
	m.say("waiting until both have committed all")
	stop := watch(ctx, m.monitors()...)
	said := time.Now()
	err := waitCommitted(ctx, m.system, m.clientTask.ID, m.before+uint64(m.reports), func(leader, helper uint64) {
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			m.say("  Leader %d, Helper %d", leader, helper)
		}
	})
	return errors.Join(err, stop())
}

// fill enters what each role has taken.
func (m *measurement) fill(ctx context.Context, r *report) error {
	carried, err := m.carried(ctx)
	if err != nil {
		return err
	}
	r.PeerBytesPerReport = round((carried - m.peerBytes) / float64(m.reports))
	r.Leader, r.Helper, r.Load = m.leader.role(m.reports), m.helper.role(m.reports), m.self.role(m.reports)
	for _, s := range []struct {
		server *processes.Server
		empty  int64
		role   *role
	}{{m.system.Leader, m.emptyLeader, &r.Leader}, {m.system.Helper, m.emptyHelper, &r.Helper}} {
		bytes, err := s.server.DiskBytes()
		if err != nil {
			return err
		}
		growth := round(float64(bytes-s.empty) / float64(m.reports))
		s.role.DiskBytesPerReport = &growth
	}
	return nil
}

// verify collects the task: every report must be counted.
func (m *measurement) verify(ctx context.Context) error {
	collection, err := m.system.Collect(ctx, m.task, "--last", (2 * precision).String(), "--through-now")
	if err != nil {
		return err
	}
	if collection.ReportCount != uint64(m.reports) {
		return fmt.Errorf("%d reports were uploaded, and %d collected", m.reports, collection.ReportCount)
	}
	return nil
}
