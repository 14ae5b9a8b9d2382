package store_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

// oldVersions are the schema versions that were ever on the main branch, before this one. Each has its examples in testdata.
var oldVersions = []int{1, 2, 3, 4, 5}

// migrationCommits is how many transactions it takes to bring a version to this one: of version 1, three steps for each of two
// tasks, then one of version 2, one for each of two tasks of version 3, one of version 4, and one for each of two tasks of version 5.
var migrationCommits = map[int]int{1: 12, 2: 6, 3: 5, 4: 3, 5: 2}

func TestEveryVersionHasItsExamples(t *testing.T) {
	if len(oldVersions) != store.SchemaVersion-1 {
		t.Fatalf("there are examples of %d versions before version %d", len(oldVersions), store.SchemaVersion)
	}
}

// example unpacks the stored example of a version.
func example(t testing.TB, version int, role string) string {
	t.Helper()
	in, err := os.Open(filepath.Join("testdata", fmt.Sprintf("schema-%d", version), role+".db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	unpacked, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), role+".db")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, unpacked); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func noViolations(t testing.TB, s aggregator.Store) {
	t.Helper()
	violations, err := s.Check(t.Context())
	if err != nil || len(violations) > 0 {
		t.Fatal(violations, err)
	}
}

// exampleTask finds a task of an example by its batch mode.
func exampleTask(t testing.TB, s aggregator.Store, mode dap.BatchMode) dap.TaskID {
	t.Helper()
	tasks, err := s.Tasks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if task.Config.BatchMode == mode {
			return task.ID
		}
	}
	t.Fatal("the example has no such task")
	return dap.TaskID{}
}

// interrupted opens a file again and again until it opens. Every commit fails once, before or after it is durable, of
// which there must be so many at least.
func interrupted[S aggregator.Store](t *testing.T, path string, stage store.CommitStage, least int, open func(string, store.Options) (S, error)) S {
	t.Helper()
	for attempts := 0; ; attempts++ {
		allowed, commits := min(attempts, 1), 0
		if stage == store.AfterCommit {
			allowed = 0 // each attempt leaves one commit behind
		}
		options := store.WithoutSync(store.Options{CommitHook: func(at store.CommitStage) error {
			if at != stage {
				return nil
			}
			if commits++; commits > allowed {
				return errInjected
			}
			return nil
		}})
		s, err := open(path, options)
		if err == nil {
			if attempts < least {
				t.Fatalf("the migration was interrupted only %d times, not %d", attempts, least)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if s, err = open(path, store.WithoutSync(store.Options{})); err != nil {
				t.Fatal(err)
			}
			return s
		}
		if !errors.Is(err, store.ErrMigration) {
			t.Fatal(err)
		}
	}
}

func TestMigrateLeader(t *testing.T) {
	open := func(path string, options store.Options) (*store.Leader, error) {
		return store.OpenLeader(path, testKey, options)
	}
	for _, version := range oldVersions {
		for name, stage := range map[string]store.CommitStage{"uninterrupted": 0, "before": store.BeforeCommit, "after": store.AfterCommit} {
			t.Run(fmt.Sprintf("%d/%s", version, name), func(t *testing.T) {
				path := example(t, version, "leader")
				var l *store.Leader
				var err error
				if stage == 0 {
					l, err = open(path, store.WithoutSync(store.Options{}))
				} else {
					l = interrupted(t, path, stage, migrationCommits[version], open)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				noViolations(t, l)
				leaderGoesOn(t, l)
				noViolations(t, l)
			})
		}
	}
}

// What the generator of the examples has made.
const exampleFirst = dap.Time(1_760_000_000/3600) - 100

func exampleBatch(start, length dap.Time) aggregator.Batch {
	return aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: dap.Interval{Start: exampleFirst + start, Duration: dap.Duration(length)}}
}

// leaderGoesOn looks at what the example holds, and takes all of it to its end.
func leaderGoesOn(t *testing.T, l *store.Leader) {
	ctx := t.Context()
	task := exampleTask(t, l, dap.BatchModeTimeInterval)
	counts, err := l.Counts(ctx, task)
	if err != nil {
		t.Fatal(err)
	}
	if counts.Waiting != 20 || counts.InJobs != 9 || counts.Aggregated != 200 || counts.Collected != 75 || counts.Rejected[dap.ReportErrorVdafVerifyError] != 40 {
		t.Fatalf("the counts are %+v", counts)
	}
	if all, err := l.ReadBatch(ctx, task, exampleBatch(0, 100), storetest.Sums{}); err != nil || all.Count != 200 || all.Share[0] != 200 {
		t.Fatal(all, err)
	}
	known := aggregator.UploadReport{Time: exampleFirst + 50, Body: []byte("the body of a report")}
	known.ID[15] = 7 // of the example
	late := aggregator.UploadReport{ID: dap.ReportID{1}, Time: exampleFirst + 12, Body: []byte("a report of a collected batch")}
	fresh := aggregator.UploadReport{ID: dap.ReportID{2}, Time: exampleFirst + 60, Body: []byte("a new report")}
	outcomes, err := l.Upload(ctx, task, []aggregator.UploadReport{known, late, fresh})
	if err != nil || outcomes[0] != dap.ReportErrorReportReplayed || outcomes[1] != dap.ReportErrorBatchCollected || outcomes[2] != 0 {
		t.Fatal(outcomes, err)
	}
	finishAll(t, l, 3)
	collections, err := l.CollectionJobs(ctx)
	if err != nil || len(collections) != 4 {
		t.Fatal(collections, err)
	}
	// Nothing is reserved for the pending job any more: another may collect what it waits for.
	rival := aggregator.CollectionJob{
		ID: dap.NewCollectionJobID(), Task: task, Batch: exampleBatch(40, 10), State: aggregator.CollectionPending, Request: []byte("rival"), RequestDigest: [32]byte{99}, CreatedAt: time.Unix(1, 0),
	}
	if _, created, err := l.CreateCollectionJob(ctx, rival); err != nil || !created {
		t.Fatal(created, err)
	}
	if err := l.DeleteCollectionJob(ctx, task, rival.ID); err != nil {
		t.Fatal(err)
	}
	finished := 0
	for _, job := range collections {
		if job.Batch.Mode == dap.BatchModeLeaderSelected && job.Batch.BatchID == (dap.BatchID{}) {
			open, err := l.OpenBatches(ctx, job.Task)
			if err != nil || len(open) != 5 {
				t.Fatal(open, err)
			}
			if err := l.AssignBatch(ctx, job.Task, job.ID, open[0].BatchID); err != nil {
				t.Fatal(err)
			}
			job.Batch.BatchID = open[0].BatchID
		}
		if err := l.CloseBatch(ctx, job.Task, job.ID); err != nil {
			t.Fatal(err)
		}
		a, err := l.ReadBatch(ctx, job.Task, job.Batch, storetest.Sums{})
		if err != nil {
			t.Fatal(err)
		}
		job.Response = []byte("the answer")
		if err := l.FinishCollectionJob(ctx, job, a.Count, a.Checksum); err != nil {
			t.Fatal(err)
		}
		finished += int(a.Count)
	}
	if finished != 140 {
		t.Fatalf("%d reports were collected", finished)
	}
}

// finishAll puts all reports that wait into jobs, and ends all active jobs.
func finishAll(t *testing.T, l *store.Leader, active int) {
	ctx := t.Context()
	jobs, err := l.AggregationJobs(ctx)
	if err != nil || len(jobs) != active {
		t.Fatal(jobs, err)
	}
	tasks, err := l.Tasks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		reports, err := l.WaitingReports(ctx, task.ID, 0, 1000, 1<<20, nil)
		if err != nil {
			t.Fatal(err)
		}
		job := aggregator.AggregationJob{ID: dap.NewAggregationJobID(), Task: task.ID, AggParam: []byte{}, State: aggregator.JobActive, CreatedAt: time.Unix(1, 0)}
		if task.Config.BatchMode == dap.BatchModeLeaderSelected {
			job.BatchID = dap.BatchID{77}
		}
		for _, r := range reports {
			job.Reports = append(job.Reports, r.Sequence)
		}
		if err := l.CreateAggregationJob(ctx, job, nil); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
	}
	for _, job := range jobs {
		var commits []aggregator.Commit
		for _, sequence := range job.Reports {
			commits = append(commits, aggregator.Commit{Sequence: sequence, OutShare: storetest.OutShare(1)})
		}
		if err := l.FinishAggregationJob(ctx, job.Task, job.ID, commits, nil, storetest.Sums{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMigrateHelper(t *testing.T) {
	open := func(path string, options store.Options) (*store.Helper, error) {
		return store.OpenHelper(path, testKey, options)
	}
	for _, version := range oldVersions {
		for name, stage := range map[string]store.CommitStage{"uninterrupted": 0, "before": store.BeforeCommit, "after": store.AfterCommit} {
			t.Run(fmt.Sprintf("%d/%s", version, name), func(t *testing.T) {
				path := example(t, version, "helper")
				var h *store.Helper
				var err error
				if stage == 0 {
					h, err = open(path, store.WithoutSync(store.Options{}))
				} else {
					h = interrupted(t, path, stage, migrationCommits[version], open)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer h.Close()
				noViolations(t, h)
				helperGoesOn(t, h)
				noViolations(t, h)
			})
		}
	}
}

// helperGoesOn looks at what the example holds, and goes on with it.
func helperGoesOn(t *testing.T, h *store.Helper) {
	ctx := t.Context()
	task := exampleTask(t, h, dap.BatchModeTimeInterval)
	counts, err := h.HelperCounts(ctx, task)
	if err != nil || counts.Aggregated != 203 || counts.Collected != 75 {
		t.Fatal(counts, err)
	}
	if share, err := h.AggregateShare(ctx, task, dap.AggregateShareID{1}); err != nil || share.Count != 50 {
		t.Fatal(share, err)
	}
	pending, err := h.PendingHelperJobs(ctx)
	if err != nil || len(pending) != 2 {
		t.Fatal(pending, err)
	}
	var continued aggregator.HelperJob
	for _, job := range pending {
		if job.Step == 1 {
			continued = job
		}
	}
	// A report of the job, one that was counted before, and one of a collected batch.
	step := aggregator.HelperStep{Job: continued}
	step.Job.Pending, step.Job.Request, step.Job.Reports = false, nil, nil
	known := dap.ReportID{}
	known[15] = 7
	for i, c := range []aggregator.HelperCommit{
		{ID: continued.Reports[0].ID, Time: continued.Reports[0].Time}, {ID: known, Time: exampleFirst + 60}, {ID: dap.ReportID{1}, Time: exampleFirst + 12},
	} {
		c.Index, c.OutShare = i, storetest.OutShare(1)
		step.Commits = append(step.Commits, c)
		step.Responses = append(step.Responses, dap.VerifyResp{ReportID: c.ID, Type: dap.VerifyRespFinish})
	}
	job, err := h.CommitHelperStep(ctx, step, storetest.Sums{})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := dap.DecodeAggregationJobResp(job.Response)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []dap.ReportError{0, dap.ReportErrorReportReplayed, dap.ReportErrorBatchCollected} {
		if answer.VerifyResps[i].Error != want {
			t.Fatalf("response %d is %+v", i, answer.VerifyResps[i])
		}
	}
	batch := exampleBatch(15, 30)
	a, err := h.ReadBatch(ctx, task, batch, storetest.Sums{})
	if err != nil || a.Count != 125+2+1+1 {
		t.Fatal(a.Count, err)
	}
	share := aggregator.AggregateShareRecord{
		ID: dap.AggregateShareID{7}, Task: task, Batch: batch, Count: a.Count, Checksum: a.Checksum, Response: []byte("the answer"), CreatedAt: time.Unix(1, 0),
	}
	if _, err := h.PutAggregateShare(ctx, share); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteHelperJob(ctx, task, job.ID); err != nil {
		t.Fatal(err)
	}
}
