package conformance

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/processes"
)

const (
	crashClients = 3                      // of each task
	crashPause   = 180 * time.Millisecond // between a client's requests, at most
	crashRequest = 4                      // reports in a request, at most
)

// crashTask is a task whose report i has the bucket i for its measurement.
type crashTask struct {
	*crash
	task processes.Task
	// interval is the hour that all reports are of, START/END.
	interval string
	// reports are sent in order. Each is known to be accepted, or not known to be;
	// nothing has a reason to reject one.
	reports  []dap.Report
	accepted []bool
	// maySkip allows clients to give up a request that got no answer.
	maySkip  bool
	uploader *client.Client[int]
	next     atomic.Int64
}

// newTask makes a task and prepares its reports.
func (c *crash) newTask(name string, leaderSelected bool) *crashTask {
	c.t.Helper()
	spec := processes.TaskSpec{
		Name: name, VDAF: fmt.Sprintf("histogram:length=%d", crashReports), Precision: time.Hour,
		MinBatchSize: 1, LeaderSelected: leaderSelected,
	}
	if leaderSelected {
		spec.MinBatchSize = crashBatch
	}
	task, err := c.system.NewTask(c.t.Context(), spec)
	must(c.t, err)
	file, err := os.Open(task.File)
	must(c.t, err)
	defer file.Close()
	clientTask, err := client.ReadTask(file)
	must(c.t, err)
	// Attempts are counted here, so that the library makes one of each.
	uploader, err := client.New[int](clientTask, client.Options{Attempts: 1})
	must(c.t, err)
	result := &crashTask{
		crash: c, task: task, uploader: uploader, maySkip: !leaderSelected,
		reports: make([]dap.Report, crashReports), accepted: make([]bool, crashReports),
	}
	now := time.Now()
	hour := now.UTC().Truncate(time.Hour)
	result.interval = hour.Format(time.RFC3339) + "/" + hour.Add(time.Hour).Format(time.RFC3339)
	for i := range result.reports {
		result.reports[i], err = uploader.Prepare(c.t.Context(), i, now)
		must(c.t, err)
	}
	return result
}

// uploadAll has several clients upload the reports.
func (t *crashTask) uploadAll() {
	var clients sync.WaitGroup
	for i := range crashClients {
		random := t.random(uint64(len(t.task.Name))<<8 + uint64(i) + 2)
		clients.Go(func() {
			for t.uploadSome(random) {
				sleepUpTo(random, crashPause)
			}
		})
	}
	clients.Wait()
}

// uploadSome uploads the next few reports in one request, until it is answered; or, one
// time in five if that is allowed, once. It tells whether there may be more.
func (t *crashTask) uploadSome(random *rand.Rand) (more bool) {
	n := 1 + random.IntN(crashRequest)
	once := t.maySkip && random.IntN(5) == 0
	end := int(t.next.Add(int64(n)))
	start := end - n
	if end = min(end, len(t.reports)); start >= end {
		return false
	}
	tried := false
	attempt := func() error {
		outcomes, err := t.uploader.UploadReports(t.t.Context(), t.reports[start:end]...)
		if err == nil {
			t.record(start, outcomes, tried)
		}
		tried = true
		return err
	}
	if once {
		_ = attempt() // if it got no answer, nothing is known
	} else if err := t.retry(attempt); err != nil {
		t.t.Errorf("task %s, reports %d to %d: %v", t.task.Name, start, end, err)
		return false
	}
	return true
}

// record notes what the Leader has accepted. That a report is replayed means, if
// the same request was sent before, that it was accepted then.
func (t *crashTask) record(start int, outcomes []client.Outcome, tried bool) {
	for i, outcome := range outcomes {
		if outcome.Status == client.StatusUploaded || tried && outcome.Reason == dap.ReportErrorReportReplayed {
			t.accepted[start+i] = true
		} else {
			t.t.Errorf("task %s, report %d: rejected, %s", t.task.Name, start+i, outcome.Reason)
		}
	}
}

// check compares a result with what was accepted: every accepted report is counted
// once, and one that got no answer at most once.
func (t *crashTask) check(result processes.Numbers, reportCount uint64) {
	t.t.Helper()
	if len(result) != len(t.reports) {
		t.t.Fatalf("task %s: the result has %d numbers", t.task.Name, len(result))
	}
	total, accepted := uint64(0), uint64(0)
	for i, n := range result {
		total += n
		if t.accepted[i] {
			accepted++
		}
		if t.accepted[i] && n != 1 || n > 1 {
			t.t.Errorf("task %s: report %d (accepted: %t) is counted %d times", t.task.Name, i, t.accepted[i], n)
		}
	}
	if reportCount != total {
		t.t.Errorf("task %s: %d reports are counted, and the result has %d", t.task.Name, reportCount, total)
	}
	t.t.Logf("task %s: %d of %d reports were accepted for certain, and %d counted", t.task.Name, accepted, len(result), total)
}
