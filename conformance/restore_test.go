package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/processes"
)

// TestRestored backs up each server while it works, lets it go on, kills it and restores the copy: what was
// counted or released since is not counted or released again, and new reports count exactly.
func TestRestored(t *testing.T) {
	bin := t.TempDir()
	programs, err := processes.Build(t.Context(), bin)
	must(t, err)
	for _, role := range []string{"leader", "helper", "both"} {
		t.Run(role, func(t *testing.T) { restored(t, programs, role) })
	}
}

// restoreRun is one run. Its reports have three times, of which the first two are past.
type restoreRun struct {
	t      *testing.T
	system *processes.System
	task   processes.Task
	client *client.Client[int]
	first  time.Time // of the reports before the backup
	second time.Time // of those after it
	third  time.Time // of those after the restoration
}

const restoreReports = 40 // of each time

func newRestoreRun(t *testing.T, programs *processes.Programs) *restoreRun {
	system, err := processes.NewSystem(t.Context(), programs, t.TempDir())
	must(t, err)
	r := &restoreRun{t: t, system: system}
	t.Cleanup(func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the Leader's log ends with:\n%s\nthe Helper's with:\n%s", system.Leader.Log(), system.Helper.Log())
		}
	})
	r.task, err = system.NewTask(t.Context(), processes.TaskSpec{
		Name: "restored", VDAF: fmt.Sprintf("histogram:length=%d", 3*restoreReports), MinBatchSize: 1, Precision: time.Minute,
	})
	must(t, err)
	file, err := os.Open(r.task.File)
	must(t, err)
	defer file.Close()
	task, err := client.ReadTask(file)
	must(t, err)
	r.client, err = client.New[int](task, client.Options{})
	must(t, err)
	r.third = time.Now().Truncate(time.Minute)
	r.first, r.second = r.third.Add(-2*time.Hour), r.third.Add(-time.Hour)
	return r
}

// prepare makes the reports of one time. Report i of them has the bucket from+i.
func (r *restoreRun) prepare(from int, at time.Time) []dap.Report {
	r.t.Helper()
	reports := make([]dap.Report, restoreReports)
	for i := range reports {
		var err error
		reports[i], err = r.client.Prepare(r.t.Context(), from+i, at)
		must(r.t, err)
	}
	return reports
}

// upload uploads reports, and checks that all of them are accepted, or all rejected for the reason.
func (r *restoreRun) upload(reports []dap.Report, reason dap.ReportError) {
	r.t.Helper()
	outcomes, err := r.client.UploadReports(r.t.Context(), reports...)
	must(r.t, err)
	for i, outcome := range outcomes {
		if outcome.Reason != reason {
			r.t.Fatalf("report %d: %v, %s; want %s", i, outcome.Status, outcome.Reason, reason)
		}
	}
}

// aggregated waits until all is aggregated, on both sides.
func (r *restoreRun) aggregated(n uint64) {
	r.t.Helper()
	status, err := r.system.Leader.Status(r.t.Context())
	must(r.t, err)
	waitForCount(r.t, r.system.Leader, status.Tasks[0].ID, n)
}

func (r *restoreRun) collect(at time.Time) (processes.Collection, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	which := at.UTC().Format(time.RFC3339) + "/" + at.Add(time.Minute).UTC().Format(time.RFC3339)
	return r.system.Collect(ctx, r.task, "--interval", which, "--timeout", "100s")
}

// exactly collects the reports of one time, which have the buckets from from on.
func (r *restoreRun) exactly(from int, at time.Time) {
	r.t.Helper()
	collection, err := r.collect(at)
	must(r.t, err)
	if collection.ReportCount != restoreReports {
		r.t.Errorf("%d reports", collection.ReportCount)
	}
	for i, n := range collection.Result {
		if want := i >= from && i < from+restoreReports; (n == 1) != want || n > 1 {
			r.t.Errorf("bucket %d has %d reports", i, n)
		}
	}
}

func (r *restoreRun) refused(at time.Time) {
	r.t.Helper()
	collection, err := r.collect(at)
	if err == nil {
		r.t.Errorf("a batch is released that may have been: %+v", collection)
	} else if !strings.Contains(err.Error(), "collected before") {
		r.t.Errorf("the Collector is told %v", err)
	}
}

func (r *restoreRun) run(server *processes.Server, args ...string) (processes.Output, error) {
	return r.system.Programs.Run(r.t.Context(), server.Role, append(args, "--dir", server.Dir)...)
}

func restored(t *testing.T, programs *processes.Programs, role string) {
	r := newRestoreRun(t, programs)
	var servers []*processes.Server
	for _, server := range []*processes.Server{r.system.Leader, r.system.Helper} {
		if role == server.Role || role == "both" {
			servers = append(servers, server)
		}
	}
	first, second := r.prepare(0, r.first), r.prepare(restoreReports, r.second)
	backups := make(map[*processes.Server]string)
	// The backup is made while reports come in and are aggregated.
	r.upload(first[:restoreReports/2], 0)
	var uploading sync.WaitGroup
	uploading.Go(func() {
		for i := restoreReports / 2; i < restoreReports; i++ {
			if _, err := r.client.UploadReports(t.Context(), first[i]); err != nil {
				t.Error(err)
			}
		}
	})
	for _, server := range servers {
		backups[server] = filepath.Join(t.TempDir(), server.Role+"-backup.db")
		if _, err := r.run(server, "backup", "--out", backups[server]); err != nil {
			t.Fatal(err)
		}
		if _, err := r.run(server, "backup", "--out", backups[server]); err == nil {
			t.Error("a backup was overwritten")
		}
	}
	uploading.Wait()
	// And then the server goes on: it counts more reports, and releases the first batch.
	r.upload(second, 0)
	r.aggregated(2 * restoreReports)
	r.exactly(0, r.first)
	for _, server := range servers {
		if _, err := r.run(server, "restore", "--from", backups[server]); err == nil {
			t.Error("a copy was put into the place of a running server's database")
		}
		must(t, server.Kill())
		r.byHand(server, backups[server])
		if _, err := r.run(server, "restore", "--from", backups[server], "--until", r.second.Add(30*time.Minute).UTC().Format(time.RFC3339)); err != nil {
			t.Fatal(err)
		}
	}
	for _, server := range servers {
		must(t, server.Start(t.Context()))
	}
	if role == "helper" {
		// The Leader still remembers each report, and the answer that it gave.
		r.upload(first, dap.ReportErrorReportReplayed)
		r.upload(second, dap.ReportErrorReportReplayed)
		r.exactly(0, r.first)
	} else {
		r.upload(first, dap.ReportErrorReportDropped)
		r.upload(second, dap.ReportErrorReportDropped)
		r.refused(r.first)
	}
	r.refused(r.second)
	r.upload(r.prepare(2*restoreReports, r.third), 0)
	r.exactly(2*restoreReports, r.third)
	must(t, r.system.Check(t.Context()))
}

// byHand puts files into the place of a database that are behind, as an operator might; no server starts on them.
func (r *restoreRun) byHand(server *processes.Server, backup string) {
	r.t.Helper()
	database := filepath.Join(server.Dir, server.Role+".db")
	newest, err := os.ReadFile(database)
	must(r.t, err)
	put := func(content []byte) error {
		must(r.t, os.WriteFile(database, content, 0o600))
		_, err := r.run(server, "serve")
		return err
	}
	copied, err := os.ReadFile(backup)
	must(r.t, err)
	if err := put(copied); err == nil || !strings.Contains(err.Error(), "restore --dir") {
		r.t.Errorf("with a copy in its place: %v", err)
	}
	must(r.t, os.WriteFile(database, newest, 0o600))
}
