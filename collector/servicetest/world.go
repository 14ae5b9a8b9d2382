// Package servicetest has a Collector's service with a history, for the tests of what is in front of it. It is for tests alone.
package servicetest

import (
	"context"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/collector/resultstore"
	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/internal/taskfile"
)

// Markup is in the names and labels of the history: whoever writes it into a page as it is has let it out of its place.
const Markup = `"'><img src=x onerror=1>`

// LeaderToken is the Leader's token of the tasks that have one. No answer may hold it.
const LeaderToken = "the-token-of-the-leader"

// Midnight is when the history begins, which is over by any clock.
var Midnight = time.Date(2001, 2, 3, 0, 0, 0, 0, time.UTC)

// World is a service over a store in a file that does not wait for the disk. Its history has tasks of several kinds with results, a
// private one where the Leader selects, and one that has no token yet. Nothing is collected any more: what is asked for stays
// as it is.
type World struct {
	*service.Service
	// Bearer are the analysts' tokens, one for each scope.
	Bearer map[service.Scope]string
	// TaskIDs are those of the history. The last has no token.
	TaskIDs []dap.TaskID

	path    string
	history []byte // the content of the database
	keypair dap.HpkeKeypair
	store   *resultstore.Store
}

// New makes a world, which ends with the test.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{path: filepath.Join(t.TempDir(), "collector.db"), Bearer: map[service.Scope]string{}}
	var err error
	w.keypair, err = dap.GenerateHpkeKeypair(5, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	must(t, err)
	w.open(t)
	for _, scope := range []service.Scope{service.ScopeRead, service.ScopeCollect, service.ScopeAdminister} {
		w.Bearer[scope], err = w.NewToken(t.Context(), "test-"+string(scope), scope)
		must(t, err)
	}
	w.live(t)
	must(t, w.store.Close())
	w.history, err = os.ReadFile(w.path)
	must(t, err)
	w.open(t)
	t.Cleanup(func() { must(t, w.store.Close()) })
	return w
}

// Begin puts everything back to the end of the history.
func (w *World) Begin(t testing.TB) {
	t.Helper()
	must(t, w.store.Close())
	must(t, os.WriteFile(w.path, w.history, 0o600))
	w.open(t)
}

func (w *World) open(t testing.TB) {
	t.Helper()
	var err error
	w.store, err = resultstore.Open(w.path, make(secret.Bytes, 32), resultstore.Options{NoSync: true})
	must(t, err)
	w.Service = service.New(w.store, service.Options{
		HpkeConfig: w.keypair.Config, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Dial: newLeader,
	})
}

// Draft returns what a task of the history was made of, by which tests make more.
func Draft(vdaf string, labels ...string) service.Draft {
	return service.Draft{
		Name: "late " + Markup, Leader: "https://leader.example/", Helper: "https://helper.example/", VDAF: vdaf, Labels: labels,
		MinBatchSize: 10, TimePrecision: time.Hour, Schedule: service.Schedule{Every: service.ByHand},
	}
}

// PrivateDraft is one with differential privacy, where the Leader selects.
func PrivateDraft() service.Draft {
	d := Draft("sum:max=100")
	d.LeaderSelected = true
	d.Privacy = &service.PrivacyDraft{Level: "1", Budget: "10", MaxBatchSize: 1000}
	return d
}

// live makes the tasks, and runs the service until two batches of each are collected.
func (w *World) live(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for _, draft := range []service.Draft{
		Draft("histogram:edges=0;15"), Draft("count"), Draft("multihot:length=3,max_weight=2", Markup, "=1+1", "a, \"b\""), PrivateDraft(),
	} {
		task, err := w.CreateTask(ctx, draft)
		must(t, err)
		w.TaskIDs = append(w.TaskIDs, task.ID)
		must(t, w.SetToken(ctx, task.ID, LeaderToken))
		for day := range 2 {
			request := service.CollectRequest{Start: Midnight.AddDate(0, 0, day), End: Midnight.AddDate(0, 0, day+1)}
			if draft.LeaderSelected {
				request = service.CollectRequest{}
			}
			collection, err := w.Collect(ctx, task.ID, request)
			must(t, err)
			w.await(t, collection)
		}
		_, err = w.Progress(ctx, task.ID)
		must(t, err)
	}
	task, err := w.CreateTask(ctx, Draft("sumvec:length=2,max=10"))
	must(t, err)
	w.TaskIDs = append(w.TaskIDs, task.ID)
	stop()
	must(t, <-ended)
}

// await waits until a collection is done.
func (w *World) await(t testing.TB, c service.Collection) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); c.State != service.CollectionDone; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a collection stays %+v", c)
		}
		var err error
		c, err = w.Collection(context.Background(), c.Task, c.Number)
		must(t, err)
	}
}

// leader has a batch ready whatever it is asked, and a reason for rejections that no Leader should tell.
type leader struct{ task taskfile.File }

func newLeader(task service.StoredTask) (service.Leader, error) {
	file, err := taskfile.Decode(task.File)
	return leader{file}, err
}

// Create implements service.Leader. Each time is another job.
func (l leader) Create(context.Context, service.Span) (service.Answer, error) {
	outcome := &service.Outcome{ReportCount: 12, FirstReport: Midnight, LastReport: Midnight.Add(time.Hour)}
	_, private, err := l.task.Config.Privacy()
	for i := range l.task.Spec.ResultLength() {
		value := service.Value{Number: new(big.Int).Lsh(big.NewInt(5), uint(20*i))}
		if private {
			value.Number.Neg(value.Number)
			value.StandardError, value.Low, value.High = new(2.5), new(-10.0), new(0.5)
		}
		outcome.Values = append(outcome.Values, value)
	}
	return service.Answer{JobURL: "https://leader.example/" + dap.NewCollectionJobID().String(), Outcome: outcome}, err
}

// Poll implements service.Leader.
func (l leader) Poll(ctx context.Context, _ string, span service.Span) (service.Answer, error) {
	return l.Create(ctx, span)
}

// Delete implements service.Leader.
func (leader) Delete(context.Context, string) error { return nil }

// Progress implements service.Leader. A batch is ready on the third day.
func (leader) Progress(context.Context, time.Time) (service.Progress, error) {
	start := Midnight.AddDate(0, 0, 2)
	some, few := service.Coarse{AtLeast: 10, FewerThan: 20}, service.Coarse{FewerThan: 10}
	return service.Progress{
		At: start, Waiting: few, Aggregated: some, Collected: few, Rejected: map[string]service.Coarse{"report_replayed": few, Markup: some},
		Ready: true, ReadyBatches: 2, NextStart: start, NextEnd: start.Add(time.Hour), FreeFrom: start,
		Buckets: []service.BucketProgress{{Start: start, End: start.Add(time.Hour), Waiting: few, Aggregated: some}},
	}, nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
