package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store/storetest"
)

// countedLeader is a Leader with a task and an aggregation job of one report, whose body is in pieces.
func countedLeader(t *testing.T, mode dap.BatchMode) (l *Leader, task dap.TaskID, report aggregator.UploadReport, job aggregator.AggregationJob) {
	l, err := OpenLeader(filepath.Join(t.TempDir(), "store.db"), checkKey, WithoutSync(Options{Create: true}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	stored := storetest.NewTask(dap.RoleLeader, "task", mode)
	if err := l.PutTask(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	report = aggregator.UploadReport{ID: dap.ReportID{1}, Time: 10, Body: make([]byte, 2600)}
	if outcomes, err := l.Upload(t.Context(), stored.ID, []aggregator.UploadReport{report}); err != nil || outcomes[0] != 0 {
		t.Fatal(outcomes, err)
	}
	job = aggregator.AggregationJob{ID: dap.NewAggregationJobID(), Task: stored.ID, AggParam: []byte{}, State: aggregator.JobActive, CreatedAt: time.Unix(1, 0), Reports: []uint64{1}}
	if mode == dap.BatchModeLeaderSelected {
		job.BatchID = dap.BatchID{1}
	}
	if err := l.CreateAggregationJob(t.Context(), job, nil); err != nil {
		t.Fatal(err)
	}
	return l, stored.ID, report, job
}

func finishCounted(t *testing.T, l *Leader, job aggregator.AggregationJob) error {
	commits := []aggregator.Commit{{Sequence: 1, OutShare: storetest.OutShare(1)}}
	return l.FinishAggregationJob(t.Context(), job.Task, job.ID, commits, nil, storetest.Sums{})
}

// TestCountedReport: a counted report is known as such, and refused when it comes again, though its entry in the index says
// so in the leader-selected mode alone.
func TestCountedReport(t *testing.T) {
	for mode, want := range map[dap.BatchMode]idState{dap.BatchModeTimeInterval: idOpen, dap.BatchModeLeaderSelected: idCounted} {
		l, task, report, job := countedLeader(t, mode)
		standing := func() ReportState {
			contents, err := l.Contents(t.Context(), task)
			if err != nil || len(contents.Reports) != 1 {
				t.Fatal(contents, err)
			}
			return contents.Reports[0].State
		}
		if got := standing(); got != ReportOpen {
			t.Errorf("mode %d: a report in a job is in state %d", mode, got)
		}
		if err := finishCounted(t, l, job); err != nil {
			t.Fatal(err)
		}
		inTxn(t, &l.store, false, func(tx *txn) {
			sp, err := tx.space(task)
			if err != nil {
				t.Fatal(err)
			}
			ids, err := sp.reportIDs()
			if err != nil {
				t.Fatal(err)
			}
			entry, _, found, err := ids.find(&report.ID)
			if err != nil || !found || entry.state != want || sp.standing(entry).state != idCounted {
				t.Errorf("mode %d: the entry is %+v, %t, %v", mode, entry, found, err)
			}
		})
		if got := standing(); got != ReportCounted {
			t.Errorf("mode %d: a counted report is in state %d", mode, got)
		}
		if outcomes, err := l.Upload(t.Context(), task, []aggregator.UploadReport{report}); err != nil || outcomes[0] != dap.ReportErrorReportReplayed {
			t.Errorf("mode %d: a counted report that comes again: %v, %v", mode, outcomes, err)
		}
		if violations, err := l.Check(t.Context()); err != nil || len(violations) > 0 {
			t.Errorf("mode %d: %v, %v", mode, violations, err)
		}
	}
}

// TestReportWithoutBodyIsNotCounted: that a report is pending is said by its body. A job that has one without it, which only damage can
// bring about, counts nothing.
func TestReportWithoutBodyIsNotCounted(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		l, task, _, job := countedLeader(t, mode)
		inTxn(t, &l.store, true, func(tx *txn) {
			sp, err := tx.space(task)
			if err != nil {
				t.Fatal(err)
			}
			if there, err := sp.sub(bucketBodies).takePieces(be64(1)); err != nil || !there {
				t.Fatal(there, err)
			}
		})
		if err := finishCounted(t, l, job); !errors.Is(err, ErrCorrupt) {
			t.Errorf("mode %d: %v", mode, err)
		}
		counts, err := l.Counts(t.Context(), task)
		if err != nil || counts.Aggregated != 0 || counts.InJobs != 1 {
			t.Errorf("mode %d: %+v, %v", mode, counts, err)
		}
	}
}
