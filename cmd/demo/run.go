package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/internal/bars"
	"github.com/twofold-dap/twofold/internal/processes"
)

const (
	// defaultReports is the number of flights of each task.
	defaultReports = 2000
	// precision is that of the tasks' times.
	precision = time.Hour
	// minBatchSize is that of the tasks, unless there are fewer flights.
	minBatchSize = 100
)

// demo is one run: what it was asked for, and what it has built.
type demo struct {
	p       *printer
	csv     string // empty: the sample
	reports int    // 0: the default, or all of csv
	forever bool   // leave the system running, with the analyst's page
	// ready, if not nil, is called when the page can be looked at.
	ready func(*analyst)

	started  time.Time
	dir      string
	programs *processes.Programs
	system   *processes.System
}

// run does everything, and leaves nothing behind but the outcomes.
func (d *demo) run(ctx context.Context) (outcomes []outcome, err error) {
	flights, err := d.flights(ctx)
	if err != nil {
		return nil, err
	}
	if d.dir, err = os.MkdirTemp("", "twofold-demo-"); err != nil {
		return nil, err
	}
	defer func() {
		if removeErr := os.RemoveAll(d.dir); err == nil {
			err = removeErr
		}
	}()
	d.p.printf("%s\n\n", d.p.style(bold, fmt.Sprintf("Five statistics of %s flights, and no server sees a flight", bars.Thousands(uint64(len(flights))))))
	if err := d.start(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := d.system.Close(); err == nil {
			err = closeErr
		}
	}()
	if d.forever {
		return nil, d.serve(ctx, flights)
	}
	tasks, err := d.createTasks(ctx, flights)
	if err != nil {
		return nil, err
	}
	if outcomes, err = d.uploadAll(ctx, tasks); err != nil {
		return nil, err
	}
	return outcomes, d.collectAll(ctx, tasks, outcomes)
}

// flights reads the data, and picks as many as were asked for.
func (d *demo) flights(ctx context.Context) ([]flight, error) {
	path, n := d.csv, d.reports
	if path == "" {
		root, err := processes.ModuleRoot(ctx)
		if err != nil {
			return nil, err
		}
		path = filepath.Join(root, "examples", "flights", "flights.csv")
		if n == 0 {
			n = defaultReports
		}
	}
	flights, err := readFlights(path)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return flights, nil
	}
	if n > len(flights) {
		return nil, &dataError{path, 0, fmt.Sprintf("it has %d flights, and --reports asks for %d; ask for fewer, or name a longer file with --csv", len(flights), n)}
	}
	return spread(flights, n), nil
}

// during takes a step: f, which may tell how far it has come and returns what
// to say at the end.
func (d *demo) during(label string, f func(s *step) (detail string, err error)) error {
	s := d.p.step("%s", label)
	detail, err := f(s)
	if err != nil {
		s.failed()
		return err
	}
	s.done("%s", detail)
	return nil
}

// start builds the commands, and starts a Leader and a Helper.
func (d *demo) start(ctx context.Context) error {
	err := d.during("Building the commands", func(*step) (string, error) {
		bin := filepath.Join(d.dir, "bin")
		err := os.Mkdir(bin, 0o700)
		if err == nil {
			d.programs, err = processes.Build(ctx, bin)
		}
		return "", err
	})
	if err != nil {
		return err
	}
	return d.during("Starting a Leader and a Helper, paired", func(*step) (_ string, err error) {
		d.system, err = processes.NewSystem(ctx, d.programs, d.dir)
		return "two processes, two databases", err
	})
}

// createTasks has the analyst create the tasks, and both operators approve them.
func (d *demo) createTasks(ctx context.Context, flights []flight) (tasks []*running, err error) {
	all := questions()
	err = d.during("Creating five tasks, approved by both", func(s *step) (string, error) {
		for i := range all {
			q := &all[i]
			s.progress("%s", q.name)
			r := &running{question: q, flights: flights}
			r.task, err = d.system.NewTask(ctx, processes.TaskSpec{
				Name: q.name, VDAF: q.vdaf, MinBatchSize: min(minBatchSize, len(flights)), Precision: precision,
			})
			if err != nil {
				return "", err
			}
			if r.clientTask, err = readTask(r.task.File); err != nil {
				return "", err
			}
			tasks = append(tasks, r)
		}
		return "", nil
	})
	return tasks, err
}

func readTask(path string) (client.Task, error) {
	file, err := os.Open(path)
	if err != nil {
		return client.Task{}, err
	}
	defer file.Close()
	return client.ReadTask(file)
}

// uploadAll uploads the flights to every task, one after the other, with the
// cheating reports among them.
func (d *demo) uploadAll(ctx context.Context, tasks []*running) ([]outcome, error) {
	outcomes := make([]outcome, len(tasks))
	for i, r := range tasks {
		o := &outcomes[i]
		*o = outcome{question: r.question, flights: uint64(len(r.flights)), atUpload: map[string]uint64{}, plain: r.plain(r.flights)}
		err := d.during(fmt.Sprintf("Uploading to %s (%s)", r.name, vdafName(r.vdaf)), func(s *step) (string, error) {
			stop := d.watch(ctx, r, s)
			defer stop()
			sent, err := d.upload(ctx, r)
			if err != nil {
				return "", err
			}
			for _, report := range sent {
				if report.Status == client.StatusRejected {
					countReason(o.atUpload, report.Reason)
				}
			}
			return fmt.Sprintf("%s honest, %d cheating", bars.Thousands(o.flights), len(sent)), nil
		})
		if err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// collectAll waits until all is aggregated, and collects every task.
func (d *demo) collectAll(ctx context.Context, tasks []*running, outcomes []outcome) error {
	err := d.during("Verifying and aggregating the rest", func(s *step) (string, error) {
		for _, r := range tasks {
			show := func(done uint64) {
				s.progress("%s: %s of %s", r.name, bars.Thousands(done), bars.Thousands(uint64(len(r.flights))))
			}
			if err := d.settle(ctx, r, show); err != nil {
				return "", err
			}
		}
		return "", nil
	})
	if err != nil {
		return err
	}
	return d.during("Collecting every task", func(*step) (string, error) {
		errs := make([]error, len(tasks))
		var collecting sync.WaitGroup
		for i, r := range tasks {
			collecting.Go(func() { errs[i] = d.collect(ctx, r, &outcomes[i]) })
		}
		collecting.Wait()
		return "", errors.Join(errs...)
	})
}

// collect collects a task, whose reports are all of the time since the start, and
// asks the Leader's operator what was rejected.
func (d *demo) collect(ctx context.Context, r *running, o *outcome) error {
	last := time.Since(d.started).Truncate(precision) + 2*precision
	collection, err := d.system.Collect(ctx, r.task, "--last", last.String(), "--through-now")
	if err != nil {
		return err
	}
	o.reportCount, o.result, o.names = collection.ReportCount, collection.Result, r.names
	if o.names == nil {
		o.names = collection.Labels
	}
	counts, err := d.system.Leader.Counts(ctx, r.clientTask.ID)
	o.atVerification = counts.Rejected
	return err
}
