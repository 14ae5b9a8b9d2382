package store_test

import (
	"context"
	"errors"
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

// copier is a store of either role.
type copier interface {
	aggregator.Store
	Copy(ctx context.Context, begin func(int64) (io.Writer, error)) error
}

// copyStore copies a store to a new file.
func copyStore(t *testing.T, s copier) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Copy(t.Context(), func(int64) (io.Writer, error) { return file, nil })
	if err = errors.Join(err, file.Close(), store.MarkCopy(path, time.Now())); err != nil {
		t.Fatal(err)
	}
	return path
}

// reportAt makes a report of a time.
func reportAt(n byte, at dap.Time) aggregator.UploadReport {
	return aggregator.UploadReport{ID: dap.ReportID{n}, Time: at, Body: []byte("body")}
}

// TestRestoreLeader restores a copy with waiting, running and counted reports, and collections, in both batch modes.
func TestRestoreLeader(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		l, err := store.OpenLeader(filepath.Join(t.TempDir(), "leader.db"), testKey, store.Options{Create: true, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx := t.Context()
		task := storetest.NewTask(dap.RoleLeader, "task", mode)
		precision := time.Duration(task.Config.TimePrecision) * time.Second
		until := time.Unix(1_900_000_000, 0)
		last := dap.Time(until.Unix() / int64(precision/time.Second))
		if err := l.PutTask(ctx, task); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Start(ctx); err != nil {
			t.Fatal(err)
		}
		var reports []aggregator.UploadReport
		for n := range byte(9) {
			reports = append(reports, reportAt(n, last-2))
		}
		if outcomes, err := l.Upload(ctx, task.ID, reports); err != nil || outcomes[0] != 0 {
			t.Fatal(outcomes, err)
		}
		job := func(id byte, sequences ...uint64) aggregator.AggregationJob {
			j := aggregator.AggregationJob{ID: dap.AggregationJobID{id}, Task: task.ID, Reports: sequences, State: aggregator.JobActive, CreatedAt: time.Now()}
			if mode == dap.BatchModeLeaderSelected {
				j.BatchID = dap.BatchID{7}
			}
			return j
		}
		commits := []aggregator.Commit{{Sequence: 1, OutShare: storetest.OutShare(1)}, {Sequence: 2, OutShare: storetest.OutShare(2)}}
		err = errors.Join(
			l.CreateAggregationJob(ctx, job(1, 1, 2), nil),
			l.FinishAggregationJob(ctx, task.ID, dap.AggregationJobID{1}, commits, nil, storetest.Sums{}),
			l.CreateAggregationJob(ctx, job(2, 3, 4, 5), nil), // is active in the copy
		)
		if err != nil {
			t.Fatal(err)
		}
		collection := aggregator.CollectionJob{ID: dap.CollectionJobID{5}, Task: task.ID, Request: []byte("x"), RequestDigest: [32]byte{5}, CreatedAt: time.Now()}
		collection.Batch = aggregator.Batch{Mode: mode, Interval: dap.Interval{Start: last - 2, Duration: 1}}
		if mode == dap.BatchModeLeaderSelected {
			collection.Batch = aggregator.Batch{Mode: mode, BatchID: dap.BatchID{7}}
		}
		if _, _, err := l.CreateCollectionJob(ctx, collection); err != nil {
			t.Fatal(err)
		}
		path := copyStore(t, l)

		restored, err := store.Restore(ctx, path, dap.RoleLeader, testKey, until, store.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		if restored.Tasks != 1 || restored.GivenUp != 9 || restored.TakenAt.IsZero() {
			t.Fatalf("%+v", restored)
		}
		r, err := store.OpenLeader(path, testKey, store.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		standing, err := r.Standing(ctx)
		if err != nil || standing.Instance == (store.Standing{}).Instance {
			t.Fatal(standing, err)
		}
		before, err := l.Standing(ctx)
		if err != nil || !standing.Precedes(before) {
			t.Fatal("a restored store is taken for the one before", err)
		}
		for _, at := range []dap.Time{0, last - 2, last} { // those that are in the copy, and others
			for _, n := range []byte{0, 3, 8, 100} {
				outcomes, err := r.Upload(ctx, task.ID, []aggregator.UploadReport{reportAt(n, at)})
				if err != nil || outcomes[0] != dap.ReportErrorReportDropped {
					t.Fatalf("a report of time %d, where the restored part ends at %d: %v, %v", at, last, outcomes, err)
				}
			}
		}
		if mode == dap.BatchModeTimeInterval {
			again := collection
			again.ID, again.RequestDigest = dap.CollectionJobID{6}, [32]byte{6}
			if _, _, err := r.CreateCollectionJob(ctx, again); !errors.Is(err, aggregator.ErrBatchOverlap) {
				t.Fatalf("collecting what may have been released: %v", err)
			}
		}
		failed, err := r.CollectionJob(ctx, task.ID, collection.ID)
		if err != nil || failed.State != aggregator.CollectionFailed || failed.Failure.Type != dap.ErrorTypeBatchOverlap {
			t.Fatalf("%+v, %v", failed, err)
		}
		if jobs, err := r.AggregationJobs(ctx); err != nil || len(jobs) != 0 {
			t.Fatal(jobs, err)
		}
		if open, err := r.OpenBatches(ctx, task.ID); mode == dap.BatchModeLeaderSelected && (err != nil || len(open) != 0) {
			t.Fatal(open, err)
		}
		if outcomes, err := r.Upload(ctx, task.ID, []aggregator.UploadReport{reportAt(1, last+1)}); err != nil || outcomes[0] != 0 {
			t.Fatal(outcomes, err)
		}
		// A task that is added now may have been there before, after the copy was made.
		other := storetest.NewTask(dap.RoleLeader, "other", mode)
		if err := r.PutTask(ctx, other); err != nil {
			t.Fatal(err)
		}
		if outcomes, err := r.Upload(ctx, other.ID, []aggregator.UploadReport{reportAt(1, last), reportAt(2, last+1)}); err != nil || outcomes[0] != dap.ReportErrorReportDropped || outcomes[1] != 0 {
			t.Fatal(outcomes, err)
		}
		if violations, err := r.Check(ctx); err != nil || len(violations) > 0 {
			t.Fatal(violations, err)
		}
	}
}

// TestRestoreHelper restores a Helper: what it counted before the copy and what it may have counted since is refused.
func TestRestoreHelper(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		h, err := store.OpenHelper(filepath.Join(t.TempDir(), "helper.db"), testKey, store.Options{Create: true, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		ctx := t.Context()
		task := storetest.NewTask(dap.RoleHelper, "task", mode)
		precision := int64(task.Config.TimePrecision)
		until := time.Unix(1_900_000_000, 0)
		last := dap.Time(until.Unix() / precision)
		if err := h.PutTask(ctx, task); err != nil {
			t.Fatal(err)
		}
		commit := func(h *store.Helper, job, report byte, at dap.Time) (dap.VerifyResp, error) {
			step := aggregator.HelperStep{
				Job:       aggregator.HelperJob{ID: dap.AggregationJobID{job}, Task: task.ID, Newest: at, CreatedAt: time.Now()},
				Responses: []dap.VerifyResp{{ReportID: dap.ReportID{report}, Type: dap.VerifyRespContinue, Payload: []byte("x")}},
				Commits:   []aggregator.HelperCommit{{ID: dap.ReportID{report}, Time: at, OutShare: storetest.OutShare(1)}},
			}
			if mode == dap.BatchModeLeaderSelected {
				step.Job.BatchID = dap.BatchID{7}
			}
			stored, err := h.CommitHelperStep(ctx, step, storetest.Sums{})
			if err != nil {
				return dap.VerifyResp{}, err
			}
			response, err := dap.DecodeAggregationJobResp(stored.Response)
			if err != nil {
				return dap.VerifyResp{}, err
			}
			return response.VerifyResps[0], nil
		}
		if r, err := commit(h, 1, 1, last-2); err != nil || r.Type != dap.VerifyRespContinue {
			t.Fatal(r, err)
		}
		path := copyStore(t, h)
		// Counted after the copy was made.
		if r, err := commit(h, 2, 2, last); err != nil || r.Type != dap.VerifyRespContinue {
			t.Fatal(r, err)
		}
		if restored, err := store.Restore(ctx, path, dap.RoleHelper, testKey, until, store.Options{NoSync: true}); err != nil || restored.GivenUp != 1 {
			t.Fatalf("%+v, %v", restored, err)
		}
		r, err := store.OpenHelper(path, testKey, store.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for _, again := range []struct {
			job, report byte
			at          dap.Time
		}{{10, 1, last - 2}, {11, 2, last}} {
			if resp, err := commit(r, again.job, again.report, again.at); err != nil || resp.Type != dap.VerifyRespReject || resp.Error != dap.ReportErrorReportDropped {
				t.Fatalf("report %d: %+v, %v", again.report, resp, err)
			}
		}
		if mode == dap.BatchModeTimeInterval {
			batch := aggregator.Batch{Mode: mode, Interval: dap.Interval{Start: last - 2, Duration: 3}}
			if collected, err := r.Collected(ctx, task.ID, batch); err != nil || !collected {
				t.Fatal(collected, err)
			}
			if _, err := r.PutAggregateShare(ctx, aggregator.AggregateShareRecord{ID: dap.AggregateShareID{1}, Task: task.ID, Batch: batch, Response: []byte("x")}); !errors.Is(err, aggregator.ErrBatchOverlap) {
				t.Fatalf("a batch that may have been released: %v", err)
			}
		}
		if resp, err := commit(r, 12, 3, last+1); err != nil || resp.Type != dap.VerifyRespContinue {
			t.Fatalf("a new report: %+v, %v", resp, err)
		}
		if violations, err := r.Check(ctx); err != nil || len(violations) > 0 {
			t.Fatal(violations, err)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	l, err := store.OpenLeader(filepath.Join(t.TempDir(), "leader.db"), testKey, store.Options{Create: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	path := copyStore(t, l)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := append([]byte(nil), testKey...)
	other[0]++
	for name, test := range map[string]struct {
		content []byte
		role    dap.Role
		key     []byte
		want    error
	}{
		"another key":  {content, dap.RoleLeader, other, store.ErrWrongKey},
		"another role": {content, dap.RoleHelper, testKey, store.ErrForeign},
		"cut off":      {content[:len(content)/2], dap.RoleLeader, testKey, store.ErrCorrupt},
		"no database":  {[]byte("something else"), dap.RoleLeader, testKey, store.ErrNotStore},
	} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, test.content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := store.Restore(t.Context(), file, test.role, test.key, time.Now(), store.Options{NoSync: true})
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := store.Claim(l.Path()); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("a database in use was claimed: %v", err)
	}
	release, err := store.Claim(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

// TestRestorePrivacy restores a Helper with tasks with differential privacy: what their budgets sufficed for may have been
// collected since the copy was made.
func TestRestorePrivacy(t *testing.T) {
	ctx := t.Context()
	h, err := store.OpenHelper(filepath.Join(t.TempDir(), "helper.db"), testKey, store.Options{Create: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	known := storetest.NewPrivateTask(dap.RoleHelper, "known", dap.BatchModeTimeInterval)
	if err := h.PutTask(ctx, known); err != nil {
		t.Fatal(err)
	}
	path, until := copyStore(t, h), time.Unix(1_900_000_000, 0)
	if _, err := store.Restore(ctx, path, dap.RoleHelper, testKey, until, store.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	r, err := store.OpenHelper(path, testKey, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// One that the copy does not know may have been there; one that begins later cannot.
	unknown, later := storetest.NewPrivateTask(dap.RoleHelper, "unknown", dap.BatchModeTimeInterval), storetest.NewPrivateTask(dap.RoleHelper, "later", dap.BatchModeTimeInterval)
	start := dap.Time(until.Unix()/int64(later.Config.TimePrecision)) + 1
	later.Config.Extensions = append([]dap.TaskExtension{dap.NewTaskIntervalExtension(dap.Interval{Start: start, Duration: 100})}, later.Config.Extensions...)
	if later.EncodedConfig, err = later.Config.Encode(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		task    aggregator.Task
		assumed uint64
	}{{known, storetest.PrivateBatches}, {unknown, storetest.PrivateBatches}, {later, 0}} {
		if err := r.PutTask(ctx, test.task); err != nil {
			t.Fatal(err)
		}
		ledger, err := r.PrivacyLedger(ctx, test.task.ID)
		if err != nil || ledger.Batches != 0 || ledger.Assumed != test.assumed {
			t.Fatalf("%s: %+v, %v", test.task.Name, ledger, err)
		}
		batch := aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: dap.Interval{Start: start + 1, Duration: 1}}
		_, err = r.PutAggregateShare(ctx, aggregator.AggregateShareRecord{ID: dap.AggregateShareID{1}, Task: test.task.ID, Batch: batch, Response: []byte("x"), CreatedAt: time.Unix(1, 0)})
		if test.assumed > 0 && !errors.Is(err, aggregator.ErrPrivacy) || test.assumed == 0 && err != nil {
			t.Fatalf("%s: %v", test.task.Name, err)
		}
	}
	noViolations(t, r)
}
