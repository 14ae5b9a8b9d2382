package aggregator_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
	"github.com/twofold-dap/twofold/internal/testvdaf"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

const (
	collectorToken = "collector's token"
	leaderToken    = "leader's token"
	patience       = 3 * time.Minute // for what happens in the background
)

var storeKey = bytes.Repeat([]byte{7}, 32)

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// commitHook is a store's hook that tests set at any time.
type commitHook struct {
	hook atomic.Pointer[func(store.CommitStage) error]
}

func (c *commitHook) set(hook func(store.CommitStage) error) { c.hook.Store(&hook) }

func (c *commitHook) call(stage store.CommitStage) error {
	if hook := c.hook.Load(); hook != nil && *hook != nil {
		return (*hook)(stage)
	}
	return nil
}

// settings say how a world is set up.
type settings struct {
	vdaf      testvdaf.Config
	mode      dap.BatchMode
	minBatch  uint64
	interval  *dap.Interval
	async     bool
	taskprov  bool
	leader    func(*aggregator.LeaderConfig)
	helper    func(*aggregator.HelperConfig)
	keepQuiet bool
	// prio3, if not nil, takes the place of the test VDAF: one whose measurements and results are numbers.
	prio3   dap.VdafConfiguration
	privacy *dp.Parameters
	noSync  bool // of the databases
}

// world is a Leader and a Helper with their databases, connected by a peer in
// the same process, and one task over the test VDAF.
type world struct {
	testing.TB
	settings
	dir      string
	clock    *clock
	vdafInst vdaf.VDAF[uint64, uint64]
	key      []byte // verification key
	config   dap.TaskConfiguration
	encoded  []byte
	id       dap.TaskID
	keypair  dap.HpkeKeypair // the Collector's

	peer         *testPeer
	leaderHook   commitHook
	helperHook   commitHook
	leaderStore  *store.Leader
	helperStore  *store.Helper
	leader       *aggregator.Leader
	helper       *aggregator.Helper
	stopRunning  func()
	stopHelping  func()
	leaderList   dap.HpkeConfigList
	helperList   dap.HpkeConfigList
	measurements uint64
}

func newWorld(t testing.TB, s settings) *world {
	t.Helper()
	w := &world{TB: t, settings: s, dir: t.TempDir(), clock: &clock{now: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)}}
	if w.vdaf.Rounds == 0 {
		w.vdaf.Rounds = 1
	}
	if w.mode == 0 {
		w.mode = dap.BatchModeTimeInterval
	}
	if w.minBatch == 0 {
		w.minBatch = 3
	}
	var err error
	if w.prio3 == nil {
		w.vdafInst, err = testvdaf.New(w.vdaf)
		w.ok(err)
	}
	w.keypair, err = dap.GenerateHpkeKeypair(9, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	w.ok(err)
	w.makeTask()
	w.peer = &testPeer{w: w}
	w.startHelper()
	w.startLeader()
	t.Cleanup(w.close)
	ctx := context.Background()
	_, err = w.leader.AddHpkeKey(ctx, aggregator.MandatorySuite, 0)
	w.ok(err)
	_, err = w.helper.AddHpkeKey(ctx, aggregator.MandatorySuite, 0)
	w.ok(err)
	w.leaderList, err = w.leader.HpkeConfigList(ctx)
	w.ok(err)
	w.helperList, err = w.helper.HpkeConfigList(ctx)
	w.ok(err)
	if !w.taskprov {
		w.ok(w.leader.AddTask(ctx, w.task(dap.RoleLeader)))
		w.ok(w.helper.AddTask(ctx, w.task(dap.RoleHelper)))
	}
	return w
}

func (w *world) makeTask() {
	w.config = dap.TaskConfiguration{
		TaskInfo: []byte("engine test"), LeaderAggregatorEndpoint: "https://leader.example/", HelperAggregatorEndpoint: "https://helper.example/",
		TimePrecision: 3600, MinBatchSize: w.minBatch, BatchMode: w.mode, VdafType: dap.VdafType(testvdaf.ID),
	}
	if w.interval != nil {
		w.config.Extensions = []dap.TaskExtension{dap.NewTaskIntervalExtension(*w.interval)}
	}
	var err error
	if w.prio3 != nil {
		w.usePrio3()
	}
	if w.privacy != nil {
		extension, err := taskprivacy.Extension(*w.privacy)
		w.ok(err)
		w.config.Extensions = append(w.config.Extensions, extension)
	}
	w.encoded, err = w.config.Encode()
	w.ok(err)
	w.config, err = dap.DecodeTaskConfiguration(w.encoded)
	w.ok(err)
	w.key = make([]byte, w.vdafInst.VerifyKeySize())
	rand.Read(w.key)
	w.id = dap.TaskprovTaskID(w.encoded)
}

// usePrio3 takes the VDAF of the settings in place of the test VDAF.
func (w *world) usePrio3() {
	var err error
	w.config.VdafType = w.prio3.VdafType()
	w.config.VdafConfiguration, err = w.prio3.Encode()
	w.ok(err)
	topology, err := taskvdaf.Topology(w.config)
	w.ok(err)
	w.vdafInst = topology.Verifier().(vdaf.VDAF[uint64, uint64])
}

func (w *world) task(role dap.Role) aggregator.Task {
	task := aggregator.Task{
		ID: w.id, Role: role, Config: w.config, EncodedConfig: w.encoded, VerifyKey: w.key, VerifyKeyID: 5,
		CollectorHpkeConfig: w.keypair.Config, Name: "test",
	}
	if role == dap.RoleLeader {
		task.HelperToken, task.CollectorTokenHash = []byte(leaderToken), sha256.Sum256([]byte(collectorToken))
	} else {
		task.LeaderTokenHash = sha256.Sum256([]byte(leaderToken))
	}
	return task
}

func (w *world) topology(config dap.TaskConfiguration) (*pingpong.Topology, error) {
	if w.prio3 != nil && config.VdafType == w.prio3.VdafType() {
		return taskvdaf.Topology(config)
	}
	if config.VdafType != dap.VdafType(testvdaf.ID) {
		return nil, &vdaf.ParamError{VDAF: "test", Parameter: "type", Value: config.VdafType.String(), Want: "the test VDAF"}
	}
	return pingpong.New(w.vdafInst)
}

func (w *world) engineConfig() aggregator.Config {
	c := aggregator.Config{
		VDAF: w.topology, Now: w.clock.Now, Metrics: prometheus.NewRegistry(), DrainTimeout: patience,
		Workers: 4, // how many requests there is room for must not depend on the machine
		Logger:  slog.New(slog.NewTextHandler(w.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if w.keepQuiet {
		c.Logger = nil
	}
	return c
}

// startHelper opens the Helper's database and runs the Helper.
func (w *world) startHelper() {
	w.Helper()
	var err error
	w.helperStore, err = store.OpenHelper(filepath.Join(w.dir, "helper.db"), storeKey, store.Options{Create: true, CommitHook: w.helperHook.call, NoSync: w.noSync, LeastRecentIDs: 5})
	w.ok(err)
	config := aggregator.HelperConfig{Config: w.engineConfig(), Store: w.helperStore, Async: w.async, RetryAfter: time.Millisecond}
	if w.settings.helper != nil {
		w.settings.helper(&config)
	}
	helper, err := aggregator.NewHelper(config)
	w.ok(err)
	w.helper = helper
	w.peer.set(helper)
	w.stopHelping = w.run(helper.Run)
}

// openLeader opens the Leader's database and makes the Leader, without running it.
func (w *world) openLeader() {
	w.Helper()
	var err error
	w.leaderStore, err = store.OpenLeader(filepath.Join(w.dir, "leader.db"), storeKey, store.Options{Create: true, CommitHook: w.leaderHook.call, NoSync: w.noSync, LeastRecentIDs: 5})
	w.ok(err)
	config := aggregator.LeaderConfig{
		Config: w.engineConfig(), Store: w.leaderStore, Peer: w.peer,
		Linger: 2 * time.Millisecond, MinBackoff: 2 * time.Millisecond, MaxBackoff: 20 * time.Millisecond,
		SlowBackoff: 10 * time.Millisecond, PollInterval: time.Millisecond,
	}
	if w.settings.leader != nil {
		w.settings.leader(&config)
	}
	w.leader, err = aggregator.NewLeader(config)
	w.ok(err)
}

func (w *world) startLeader() {
	w.Helper()
	w.openLeader()
	w.runLeader()
}

func (w *world) runLeader() { w.stopRunning = w.run(w.leader.Run) }

// run runs f in the background; the result stops it and waits.
func (w *world) run(f func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("Run: %v", err)
		}
	})
}

func (w *world) stopLeader() {
	if w.leaderStore == nil {
		return
	}
	if w.stopRunning != nil {
		w.stopRunning()
	}
	// A store whose last commit failed says so once more.
	if err := w.leaderStore.Close(); err != nil && !errors.Is(err, aggregator.ErrUnavailable) {
		w.Errorf("closing the Leader's database: %v", err)
	}
	w.leaderStore = nil
}

func (w *world) stopHelper() {
	if w.helperStore == nil {
		return
	}
	w.stopHelping()
	w.peer.set(nil)
	if err := w.helperStore.Close(); err != nil && !errors.Is(err, aggregator.ErrUnavailable) {
		w.Errorf("closing the Helper's database: %v", err)
	}
	w.helperStore = nil
}

func (w *world) restartLeader() {
	w.Helper()
	w.stopLeader()
	w.startLeader()
}

func (w *world) restartHelper() {
	w.Helper()
	w.stopHelper()
	w.startHelper()
}

// close checks the databases' invariants and stops everything.
func (w *world) close() {
	ctx := context.Background()
	w.leaderHook.set(nil)
	w.helperHook.set(nil)
	if w.stopRunning != nil {
		w.stopRunning()
	}
	w.stopHelping()
	for role, check := range map[string]func(context.Context) ([]aggregator.Violation, error){"leader": w.leader.Check, "helper": w.helper.Check} {
		if role == "leader" && w.leaderStore == nil || role == "helper" && w.helperStore == nil {
			continue
		}
		violations, err := check(ctx)
		if err != nil {
			w.Errorf("checking the %s: %v", role, err)
		}
		for _, v := range violations {
			w.Errorf("the %s's database breaks %q: %s", role, v.Invariant, v.Detail)
		}
	}
	w.stopLeader()
	w.stopHelper()
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// eventually waits until f is true.
func (w *world) eventually(what string, f func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("never: %s", what)
		}
	}
}

// now is the current time of the task.
func (w *world) now() dap.Time {
	t, err := w.config.TimePrecision.TimeOf(w.clock.Now())
	w.ok(err)
	return t
}

// draft is a report before it is encrypted, for tests to change.
type draft struct {
	metadata    dap.ReportMetadata
	publicShare []byte
	leader      dap.PlaintextInputShare
	helper      dap.PlaintextInputShare
	after       func(*dap.Report)
}

// report makes a report of a measurement.
func (w *world) report(measurement uint64, change ...func(*draft)) dap.Report {
	w.Helper()
	d := draft{metadata: dap.ReportMetadata{ReportID: dap.NewReportID(), Time: w.now()}}
	for _, c := range change {
		c(&d) // may set the ID and the time
	}
	rnd := make([]byte, w.vdafInst.RandSize())
	rand.Read(rnd)
	public, shares, err := w.vdafInst.Shard(dap.VdafContext(w.id), measurement, d.metadata.ReportID[:], rnd)
	w.ok(err)
	if d.publicShare == nil {
		d.publicShare = public
	}
	if d.leader.Payload == nil {
		d.leader.Payload = shares[0]
	}
	if d.helper.Payload == nil {
		d.helper.Payload = shares[1]
	}
	r := dap.Report{Metadata: d.metadata, PublicShare: d.publicShare}
	aad := dap.InputShareAad{TaskID: w.id, TaskConfiguration: w.encoded, Metadata: d.metadata, PublicShare: d.publicShare}
	r.LeaderEncryptedInputShare, err = dap.SealInputShare(w.leaderList.Configs[0], dap.RoleLeader, aad, d.leader)
	w.ok(err)
	r.HelperEncryptedInputShare, err = dap.SealInputShare(w.helperList.Configs[0], dap.RoleHelper, aad, d.helper)
	w.ok(err)
	if d.after != nil {
		d.after(&r)
	}
	return r
}

// reports makes n reports with measurements that no other report has, each a
// power of 4 or so apart, and returns their sum.
func (w *world) reports(n int, change ...func(*draft)) (reports []dap.Report, sum uint64) {
	w.Helper()
	for range n {
		w.measurements++
		measurement := w.measurements * w.measurements
		reports = append(reports, w.report(measurement, change...))
		sum += measurement
	}
	return reports, sum
}

func (w *world) upload(reports ...dap.Report) []dap.ReportUploadStatus {
	w.Helper()
	body, err := dap.UploadRequest{Reports: reports}.Encode()
	w.ok(err)
	result, err := w.leader.Upload(context.Background(), w.id, body)
	w.ok(err)
	return result.Status
}

// uploadAll uploads reports that must all be accepted.
func (w *world) uploadAll(reports ...dap.Report) {
	w.Helper()
	if refused := w.upload(reports...); len(refused) > 0 {
		w.Fatalf("%d reports were refused, the first with %s", len(refused), refused[0].Error)
	}
}

// query is a collection job's request.
func (w *world) query(interval *dap.Interval, aggParam []byte) []byte {
	w.Helper()
	req := dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery(), AggParam: aggParam}
	if interval != nil {
		req.Query = dap.NewTimeIntervalQuery(*interval)
	}
	body, err := req.Encode()
	w.ok(err)
	return body
}

// thisHour is the query for the current batch bucket.
func (w *world) thisHour() []byte {
	w.Helper()
	return w.query(&dap.Interval{Start: w.now(), Duration: 1}, nil)
}

// result is what a Collector gets.
type result struct {
	count    uint64
	interval dap.Interval
	sum      uint64
}

// collect creates a collection job, waits for it and opens the result.
func (w *world) collect(request []byte) result {
	w.Helper()
	status, err := w.leader.CreateCollectionJob(context.Background(), w.id, request)
	w.ok(err)
	return w.await(request, status.ID)
}

// await waits for a collection job and opens the result.
func (w *world) await(request []byte, id dap.CollectionJobID) result {
	w.Helper()
	var status aggregator.CollectionStatus
	w.eventually("the collection job is ready", func() bool {
		var err error
		status, err = w.leader.PollCollectionJob(context.Background(), w.id, id)
		w.ok(err)
		return status.Ready
	})
	return w.open(request, status.Body)
}

// collectError creates a collection job that must fail, at once or later.
func (w *world) collectError(request []byte) *dap.Error {
	w.Helper()
	status, err := w.leader.CreateCollectionJob(context.Background(), w.id, request)
	if err == nil {
		w.eventually("the collection job fails", func() bool {
			status, err = w.leader.PollCollectionJob(context.Background(), w.id, status.ID)
			if status.Ready {
				w.Fatal("the collection job has succeeded")
			}
			return err != nil
		})
	}
	return w.dapError(err)
}

// dapError takes an error that a peer may see, which must name the task.
func (w *world) dapError(err error) *dap.Error {
	w.Helper()
	e, ok := errors.AsType[*dap.Error](err)
	if !ok {
		w.Fatalf("not an error that a peer may see: %v", err)
	}
	if e.TaskID == nil || *e.TaskID != w.id {
		w.Errorf("the error %q does not name the task", e)
	}
	return e
}

// wantError checks the type of an error that a peer may see.
func (w *world) wantError(what string, err error, want dap.ErrorType) {
	w.Helper()
	if got := w.dapError(err); got.Type != want {
		w.Errorf("%s: %s (%s), want %s", what, got.Type, got.Detail, want)
	}
}

func (w *world) open(request, body []byte) result {
	w.Helper()
	resp, err := dap.DecodeCollectionJobResp(body)
	w.ok(err)
	req, err := dap.DecodeCollectionJobReq(request)
	w.ok(err)
	aad := dap.AggregateShareAad{TaskID: w.id, TaskConfiguration: w.encoded, CollectionJobReq: req}
	leader, err := dap.OpenAggregateShare(w.keypair, dap.RoleLeader, aad, resp.LeaderEncryptedAggShare)
	w.ok(err)
	helper, err := dap.OpenAggregateShare(w.keypair, dap.RoleHelper, aad, resp.HelperEncryptedAggShare)
	w.ok(err)
	sum, err := w.vdafInst.Unshard(req.AggParam, [][]byte{leader, helper}, resp.ReportCount)
	w.ok(err)
	return result{count: resp.ReportCount, interval: resp.Interval, sum: sum}
}

// wantResult checks a count and a sum.
func (w *world) wantResult(got result, count, sum uint64) {
	w.Helper()
	if got.count != count || got.sum != sum {
		w.Errorf("%d reports with the sum %d, want %d with %d", got.count, got.sum, count, sum)
	}
}

// counts returns the Leader's numbers.
func (w *world) counts() aggregator.LeaderCounts {
	w.Helper()
	c, err := w.leader.Counts(context.Background(), w.id)
	w.ok(err)
	return c
}

// jobs returns the Leader's unfinished jobs.
func (w *world) jobs() []aggregator.AggregationJob {
	w.Helper()
	jobs, err := w.leader.UnfinishedJobs(context.Background(), w.id)
	w.ok(err)
	return jobs
}

// settled waits until no report waits or is in a job.
func (w *world) settled() aggregator.LeaderCounts {
	w.Helper()
	var c aggregator.LeaderCounts
	w.eventually("every report is counted or rejected", func() bool {
		c = w.counts()
		return c.Waiting == 0 && c.InJobs == 0
	})
	return c
}

// testPeer connects the Leader with the Helper. hook, if not nil, is called before a
// request and after its answer: an error takes the place of the answer.
type testPeer struct {
	w      *world
	mu     sync.Mutex
	helper *aggregator.Helper
	hook   func(operation string, answered bool) error
	mangle func(operation string, reply *aggregator.PeerReply)
	calls  map[string]int
}

var errNetwork = errors.New("the network is down")

func (p *testPeer) set(h *aggregator.Helper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.helper = h
}

func (p *testPeer) setHook(hook func(operation string, answered bool) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hook = hook
}

// setMangle lets f change the Helper's answers.
func (p *testPeer) setMangle(f func(operation string, reply *aggregator.PeerReply)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mangle = f
}

func (p *testPeer) count(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[operation]
}

// call does one request.
func (p *testPeer) call(operation string, task *aggregator.Task, f func(*aggregator.Helper) (aggregator.PeerReply, error)) (aggregator.PeerReply, error) {
	p.mu.Lock()
	helper, hook, mangle := p.helper, p.hook, p.mangle
	if p.calls == nil {
		p.calls = make(map[string]int)
	}
	p.calls[operation]++
	p.mu.Unlock()
	if helper == nil {
		return aggregator.PeerReply{}, errNetwork
	}
	if hook != nil {
		if err := hook(operation, false); err != nil {
			return aggregator.PeerReply{}, err
		}
	}
	if task.Taskprov {
		if err := helper.OptIn(context.Background(), task.ID, task.EncodedConfig, string(task.HelperToken)); err != nil {
			return aggregator.PeerReply{}, err
		}
	}
	err := helper.AuthorizeLeader(context.Background(), task.ID, string(task.HelperToken))
	var reply aggregator.PeerReply
	if err == nil {
		reply, err = f(helper)
	}
	if err == nil && hook != nil {
		err = hook(operation, true)
	}
	if err != nil {
		return aggregator.PeerReply{}, overHTTP(err)
	}
	if mangle != nil {
		mangle(operation, &reply)
	}
	return reply, nil
}

// overHTTP is what becomes of a Helper's error on its way.
func overHTTP(err error) error {
	if _, ok := errors.AsType[*dap.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*aggregator.PeerError](err); ok {
		return e
	}
	for _, e := range []struct {
		err    error
		status int
	}{
		{aggregator.ErrUnauthorized, 401},
		{aggregator.ErrNotFound, 404},
		{aggregator.ErrBusy, 429},
		{aggregator.ErrUnavailable, 503},
		{errNetwork, 0},
	} {
		if errors.Is(err, e.err) && e.status != 0 {
			return &aggregator.PeerError{Status: e.status, Detail: err.Error()}
		} else if errors.Is(err, e.err) {
			return err
		}
	}
	return &aggregator.PeerError{Status: 500, Detail: err.Error()}
}

const jobsAt, sharesAt = "https://helper.example/jobs/", "https://helper.example/shares/"

func jobReply(s aggregator.AggregationStatus, err error) (aggregator.PeerReply, error) {
	return aggregator.PeerReply{Location: jobsAt + s.ID.String(), Ready: s.Ready, Body: s.Body, RetryAfter: s.RetryAfter}, err
}

func shareReply(s aggregator.AggregateShareStatus, err error) (aggregator.PeerReply, error) {
	return aggregator.PeerReply{Location: sharesAt + s.ID.String(), Ready: s.Ready, Body: s.Body, RetryAfter: s.RetryAfter}, err
}

func (p *testPeer) job(location string) dap.AggregationJobID {
	id, err := dap.ParseAggregationJobID(strings.TrimPrefix(location, jobsAt))
	if err != nil {
		p.w.Errorf("the Leader uses the location %q", location)
	}
	return id
}

func (p *testPeer) share(location string) dap.AggregateShareID {
	id, err := dap.ParseAggregateShareID(strings.TrimPrefix(location, sharesAt))
	if err != nil {
		p.w.Errorf("the Leader uses the location %q", location)
	}
	return id
}

func (p *testPeer) CreateAggregationJob(ctx context.Context, task *aggregator.Task, req []byte) (aggregator.PeerReply, error) {
	return p.call("init", task, func(h *aggregator.Helper) (aggregator.PeerReply, error) {
		return jobReply(h.CreateAggregationJob(ctx, task.ID, req))
	})
}

func (p *testPeer) ContinueAggregationJob(ctx context.Context, task *aggregator.Task, location string, req []byte) (aggregator.PeerReply, error) {
	return p.call("continue", task, func(h *aggregator.Helper) (aggregator.PeerReply, error) {
		return jobReply(h.ContinueAggregationJob(ctx, task.ID, p.job(location), req))
	})
}

func (p *testPeer) PollAggregationJob(ctx context.Context, task *aggregator.Task, location string, step uint16) (aggregator.PeerReply, error) {
	return p.call("poll", task, func(h *aggregator.Helper) (aggregator.PeerReply, error) {
		return jobReply(h.PollAggregationJob(ctx, task.ID, p.job(location), step))
	})
}

func (p *testPeer) DeleteAggregationJob(ctx context.Context, task *aggregator.Task, location string) error {
	_, err := p.call("delete", task, func(h *aggregator.Helper) (aggregator.PeerReply, error) {
		return aggregator.PeerReply{}, h.DeleteAggregationJob(ctx, task.ID, p.job(location))
	})
	return err
}

func (p *testPeer) CreateAggregateShare(ctx context.Context, task *aggregator.Task, req []byte) (aggregator.PeerReply, error) {
	return p.call("share", task, func(h *aggregator.Helper) (aggregator.PeerReply, error) {
		return shareReply(h.CreateAggregateShare(ctx, task.ID, req))
	})
}

func (p *testPeer) PollAggregateShare(ctx context.Context, task *aggregator.Task, location string) (aggregator.PeerReply, error) {
	return p.call("poll share", task, func(h *aggregator.Helper) (aggregator.PeerReply, error) {
		return shareReply(h.PollAggregateShare(ctx, task.ID, p.share(location)))
	})
}

func (p *testPeer) DeleteAggregateShare(ctx context.Context, task *aggregator.Task, location string) error {
	_, err := p.call("delete share", task, func(h *aggregator.Helper) (aggregator.PeerReply, error) {
		return aggregator.PeerReply{}, h.DeleteAggregateShare(ctx, task.ID, p.share(location))
	})
	return err
}

// aggParam encodes an aggregation parameter of the test VDAF.
func aggParam(weight uint16) []byte { return binary.BigEndian.AppendUint16(nil, weight) }
