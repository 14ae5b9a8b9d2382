package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

// TestKilled kills a process that uploads, aggregates and prints what was accepted,
// several times over one file: nothing that it has printed is lost, and nothing is counted twice.
func TestKilled(t *testing.T) {
	if path := os.Getenv("TWOFOLD_TEST_WORK"); path != "" {
		work(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "leader.db")
	accepted := 0
	for round := range 4 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.v")
		child.Env = append(os.Environ(), "TWOFOLD_TEST_WORK="+path, fmt.Sprintf("TWOFOLD_TEST_FIRST=%d", round*1_000_000))
		stdout, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		enough := 50 + rand.IntN(400)
		var printed []int
		output := new(strings.Builder)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if number, ok := strings.CutPrefix(lines.Text(), "accepted "); ok {
				if n, err := strconv.Atoi(number); err == nil {
					printed = append(printed, n)
				}
				if len(printed) == enough {
					child.Process.Kill()
				}
			} else {
				fmt.Fprintln(output, lines.Text())
			}
		}
		if err := child.Wait(); err == nil || child.ProcessState.Exited() {
			t.Fatalf("the process ended by itself: %s", output)
		}
		accepted += len(printed)
		afterKill(t, path, printed)
	}
	t.Logf("%d reports", accepted)
}

// afterKill opens what a killed process has left.
func afterKill(t *testing.T, path string, accepted []int) {
	t.Helper()
	l, err := store.OpenLeader(path, testKey, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if violations, err := l.Check(t.Context()); err != nil || len(violations) > 0 {
		t.Fatal(violations, err)
	}
	task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	for _, n := range accepted {
		outcomes, err := l.Upload(t.Context(), task.ID, []aggregator.UploadReport{numbered(n)})
		if err != nil || outcomes[0] != dap.ReportErrorReportReplayed {
			t.Fatalf("report %d was accepted, and is now %v, %v", n, outcomes, err)
		}
	}
	counts, err := l.Counts(t.Context(), task.ID)
	if err != nil {
		t.Fatal(err)
	}
	all, err := l.ReadBatch(t.Context(), task.ID, aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: dap.Interval{Duration: 1000}}, storetest.Sums{})
	if err != nil || all.Count != counts.Aggregated {
		t.Fatal(all, counts, err)
	}
}

func numbered(n int) aggregator.UploadReport {
	r := aggregator.UploadReport{Time: dap.Time(n % 5), Body: []byte("the body of a report")}
	copy(r.ID[:], fmt.Sprint(n))
	return r
}

// work uploads from several goroutines, and puts what waits into jobs that it finishes.
func work(t *testing.T, path string) {
	l, err := store.OpenLeader(path, testKey, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	// The task of the first process stands; this one's has another key for the Collector.
	if err := l.PutTask(t.Context(), task); err != nil && !errors.Is(err, aggregator.ErrExists) {
		t.Fatal(err)
	}
	first, err := strconv.Atoi(os.Getenv("TWOFOLD_TEST_FIRST"))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for caller := range 4 {
		group.Go(func() {
			for n := first + caller; ; n += 4 {
				if outcomes, err := l.Upload(t.Context(), task.ID, []aggregator.UploadReport{numbered(n)}); err == nil && outcomes[0] == 0 {
					fmt.Println("accepted", n)
				}
			}
		})
	}
	for {
		reports, err := l.WaitingReports(t.Context(), task.ID, 0, 7, 1<<20, nil)
		if err != nil {
			t.Fatal(err)
		}
		job := aggregator.AggregationJob{ID: dap.NewAggregationJobID(), Task: task.ID, State: aggregator.JobActive}
		var commits []aggregator.Commit
		for _, r := range reports {
			job.Reports = append(job.Reports, r.Sequence)
			commits = append(commits, aggregator.Commit{Sequence: r.Sequence, OutShare: storetest.OutShare(1)})
		}
		if len(reports) == 0 {
			continue
		}
		if err := l.CreateAggregationJob(t.Context(), job, nil); err != nil {
			t.Fatal(err)
		}
		if err := l.FinishAggregationJob(t.Context(), task.ID, job.ID, commits, nil, storetest.Sums{}); err != nil {
			t.Fatal(err)
		}
	}
}
