package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/internal/processes"
)

// show how far it is this often, and look whether all is aggregated as often.
const glance = 100 * time.Millisecond

// running is a question's task.
type running struct {
	*question
	task       processes.Task
	clientTask client.Task
	flights    []flight
	times      []time.Time // of the flights; nil for now
}

// upload uploads the flights with the client command, while the cheating client
// uploads its own, and returns what became of the latter's reports.
func (d *demo) upload(ctx context.Context, r *running) ([]client.Outcome, error) {
	path := filepath.Join(d.dir, r.name+".csv")
	if err := writeRows(path, r.columns, r.flights[r.cheat.honest:], r.times[min(r.cheat.honest, len(r.times)):]); err != nil {
		return nil, err
	}
	args := []string{"upload", "--task", r.task.File, "--csv", path}
	for _, c := range r.columns {
		args = append(args, "--column", c.name)
	}
	if r.times != nil {
		args = append(args, "--time-column", timeColumn)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	honest := make(chan error, 1)
	go func() {
		_, err := d.programs.Run(ctx, "client", args...)
		if err != nil {
			cancel(err)
		}
		honest <- err
	}()
	outcomes, err := r.cheat.send(ctx, stage{task: r.clientTask, flights: r.flights, settled: func(ctx context.Context) error { return d.settle(ctx, r, nil) }})
	if err != nil {
		cancel(err)
	}
	if honestErr := <-honest; honestErr != nil {
		return nil, honestErr
	}
	return outcomes, err
}

// timeColumn is the column of the flights' times.
const timeColumn = "time"

// writeRows writes the columns of the flights as a CSV file, with their times if there are any.
func writeRows(path string, columns []column, flights []flight, times []time.Time) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	cells := make([]string, len(columns), len(columns)+1)
	for i, c := range columns {
		cells[i] = c.name
	}
	if times != nil {
		cells = append(cells, timeColumn)
	}
	fmt.Fprintln(w, strings.Join(cells, ","))
	for k, f := range flights {
		for i, c := range columns {
			cells[i] = strconv.Itoa(c.value(f))
		}
		if times != nil {
			cells[len(columns)] = times[k].Format(time.RFC3339)
		}
		fmt.Fprintln(w, strings.Join(cells, ","))
	}
	if err := w.Flush(); err != nil { // which tells of any error before
		return err
	}
	return file.Close()
}

// settle waits until none of a task's reports waits to be aggregated, and calls
// progress, if it is not nil, with the number that is done.
func (d *demo) settle(ctx context.Context, r *running, progress func(done uint64)) error {
	for {
		counts, err := d.system.Leader.Counts(ctx, r.clientTask.ID)
		if err != nil {
			return err
		}
		if progress != nil {
			progress(counts.Aggregated)
		}
		if counts.Waiting == 0 && counts.InJobs == 0 {
			return nil
		}
		select {
		case <-time.After(glance):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
