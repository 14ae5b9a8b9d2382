package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
	"github.com/twofold-dap/twofold/internal/testvdaf"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

const (
	leaderToken    = "the-token-of-the-leader"
	collectorToken = "the-token-of-the-collector"
	leaderURL      = "https://leader.example/l/"
	helperURL      = "https://helper.example/"

	// maxRequests is how many requests a world takes before it begins anew, so that
	// its databases stay small.
	maxRequests = 400
)

var (
	noon     = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	storeKey = bytes.Repeat([]byte{7}, 32)
	quiet    = slog.New(slog.NewTextHandler(io.Discard, nil))
)

// world is a Leader and a Helper with a history: a collected batch in each task, and
// what the Leader asked the Helper for it.
type world struct {
	async   bool // the Helper answers no step at once
	dir     string
	history map[string][]byte // the content of the databases
	keypair dap.HpkeKeypair   // the Collector's
	tasks   []*task
	configs [2]dap.HpkeConfig // the Leader's and the Helper's
	asked   *recordingPeer

	leaderStore    *store.Leader
	helperStore    *store.Helper
	leaderEngine   *aggregator.Leader
	helperEngine   *aggregator.Helper
	leader, helper side
	requests       int // since it began
}

// newWorld makes a world, which ends with the test.
func newWorld(t testing.TB, async bool) *world {
	t.Helper()
	w := &world{async: async, dir: t.TempDir(), history: map[string][]byte{}, asked: &recordingPeer{}}
	var err error
	w.keypair, err = dap.GenerateHpkeKeypair(9, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	must(t, err)
	w.open(t)
	ctx := context.Background()
	_, err = w.leaderEngine.AddHpkeKey(ctx, aggregator.MandatorySuite, 0)
	must(t, err)
	_, err = w.helperEngine.AddHpkeKey(ctx, aggregator.MandatorySuite, 0)
	must(t, err)
	for i, engine := range []interface {
		HpkeConfigList(context.Context) (dap.HpkeConfigList, error)
	}{w.leaderEngine, w.helperEngine} {
		list, err := engine.HpkeConfigList(ctx)
		must(t, err)
		w.configs[i] = list.Configs[0]
	}
	w.addTasks(t)
	w.live(t)
	w.close(t)
	for _, name := range []string{"leader.db", "helper.db"} {
		w.history[name], err = os.ReadFile(filepath.Join(w.dir, name))
		must(t, err)
	}
	w.begin(t)
	t.Cleanup(func() { w.close(t) })
	return w
}

// begin puts the databases back to the end of the history, and opens them.
func (w *world) begin(t testing.TB) {
	t.Helper()
	for name, content := range w.history {
		must(t, os.WriteFile(filepath.Join(w.dir, name), content, 0o600))
	}
	w.open(t)
}

func (w *world) open(t testing.TB) {
	t.Helper()
	now := func() time.Time { return noon }
	options := store.Options{Create: true, NoSync: true, Now: now}
	config := aggregator.Config{VDAF: topologyOf, Now: now}
	var err error
	w.leaderStore, err = store.OpenLeader(filepath.Join(w.dir, "leader.db"), storeKey, options)
	must(t, err)
	w.helperStore, err = store.OpenHelper(filepath.Join(w.dir, "helper.db"), storeKey, options)
	must(t, err)
	w.helperEngine, err = aggregator.NewHelper(aggregator.HelperConfig{
		Config: config, Store: w.helperStore, Async: w.async, MaxPendingJobs: 1 << 20, RetryAfter: time.Millisecond,
	})
	must(t, err)
	w.asked.helper = w.helperEngine
	w.leaderEngine, err = aggregator.NewLeader(aggregator.LeaderConfig{
		Config: config, Store: w.leaderStore, Peer: w.asked, Linger: time.Millisecond, PollInterval: time.Millisecond, MaxCollections: 1 << 20,
	})
	must(t, err)
	w.leader = side{api.NewLeaderHandler(w.leaderEngine, api.Options{BasePath: "/l", Logger: quiet}), "/l/tasks/", map[string][]string{}}
	w.helper = side{api.NewHelperHandler(w.helperEngine, api.Options{Logger: quiet}), "/tasks/", map[string][]string{}}
	w.requests = 0
}

// close checks both databases and closes them.
func (w *world) close(t testing.TB) {
	t.Helper()
	for _, check := range []func(context.Context) ([]aggregator.Violation, error){w.leaderStore.Check, w.helperStore.Check} {
		violations, err := check(context.Background())
		if err != nil {
			t.Errorf("check: %v", err)
		}
		for _, v := range violations {
			t.Errorf("broken invariant: %+v", v)
		}
	}
	must(t, w.leaderStore.Close())
	must(t, w.helperStore.Close())
}

// topologyOf knows the VDAFs of DAP, and the test VDAF of two rounds.
func topologyOf(config dap.TaskConfiguration) (*pingpong.Topology, error) {
	if config.VdafType != dap.VdafType(testvdaf.ID) {
		return taskvdaf.Topology(config)
	}
	v, err := testvdaf.New(testvdaf.Config{Rounds: 2})
	if err != nil {
		return nil, err
	}
	return pingpong.New(v)
}

// live lets both aggregators work until a batch of each task is collected.
func (w *world) live(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- w.leaderEngine.Run(ctx) }()
	go func() { ended <- w.helperEngine.Run(ctx) }()
	for _, task := range w.tasks {
		if task.taskprov {
			must(t, w.leaderEngine.OptIn(ctx, task.id, task.encoded))
		}
		var upload dap.UploadRequest
		for range 3 {
			upload.Reports = append(upload.Reports, task.newReport(t, w, task.hour-1).seal(t, w))
		}
		body, err := upload.Encode()
		must(t, err)
		failed, err := w.leaderEngine.Upload(ctx, task.id, body)
		must(t, err)
		if len(failed.Status) > 0 {
			t.Fatalf("a report is refused: %v", failed.Status[0].Error)
		}
		task.collected = w.collect(t, task)
	}
	cancel()
	must(t, <-ended)
	must(t, <-ended)
}

// collect collects the last hour's batch of a task.
func (w *world) collect(t testing.TB, task *task) dap.CollectionJobID {
	t.Helper()
	body, err := task.query(task.hour - 1).Encode()
	must(t, err)
	status, err := w.leaderEngine.CreateCollectionJob(context.Background(), task.id, body)
	must(t, err)
	for deadline := time.Now().Add(2 * time.Minute); !status.Ready; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a batch is never collected")
		}
		status, err = w.leaderEngine.PollCollectionJob(context.Background(), task.id, status.ID)
		must(t, err)
	}
	return status.ID
}

func hashOf(token string) [32]byte { return sha256.Sum256([]byte(token)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
