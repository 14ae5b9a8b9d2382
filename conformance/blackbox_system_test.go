package conformance

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/store"
)

// Tokens of the system under test.
const (
	leaderToken    = "the-token-of-the-leader"
	collectorToken = "the-token-of-the-collector"
)

// wireSystem is a Leader and a Helper as HTTP servers on loopback, each over its
// own database, with the HTTP Peer between them. The tests speak HTTP to both.
type wireSystem struct {
	// t is the test that is running, or its subtest: see run.
	t           testing.TB
	leader      *aggregator.Leader
	helper      *aggregator.Helper
	leaderStore *store.Leader
	helperStore *store.Helper
	// The endpoints, with or without a slash at the end.
	leaderURL, helperURL string
	// traffic is what the Helper is asked, by anyone.
	traffic   *traffic
	collector wireKeypair

	// configs are the HPKE configurations that a Client takes, Leader's and Helper's.
	configs [2]wireHpkeConfig
}

// systemOptions say what a system is like. Nil fields leave the defaults.
type systemOptions struct {
	leader    func(*aggregator.LeaderConfig)
	helper    func(*aggregator.HelperConfig)
	api       func(*api.Options)
	leaderURL string // the path of the endpoint; empty: "/leader/"
	helperURL string
	paused    bool // the Leader does not aggregate until start is called
}

// newSystem starts a system, which ends with the test. At the end neither
// database may break an invariant.
func newSystem(t testing.TB, o systemOptions) *wireSystem {
	t.Helper()
	s := &wireSystem{t: t, traffic: &traffic{}, collector: newWireKeypair(t, 77)}
	dir := t.TempDir()
	var err error
	key := randomBytes(32)
	s.leaderStore, err = store.OpenLeader(filepath.Join(dir, "leader.db"), key, store.Options{Create: true})
	must(t, err)
	t.Cleanup(func() { must(t, s.leaderStore.Close()) })
	s.helperStore, err = store.OpenHelper(filepath.Join(dir, "helper.db"), key, store.Options{Create: true})
	must(t, err)
	t.Cleanup(func() { must(t, s.helperStore.Close()) })
	t.Cleanup(s.checkStores)

	peer := api.NewPeer(api.PeerOptions{})
	t.Cleanup(peer.Close)
	quiet := slog.New(slog.DiscardHandler)
	config := aggregator.Config{VDAF: wireTopology, Logger: quiet, Workers: 4} // whatever the machine has
	leaderConfig := aggregator.LeaderConfig{
		Config: config, Store: s.leaderStore, Peer: peer,
		Linger: time.Millisecond, MinBackoff: 5 * time.Millisecond, MaxBackoff: 20 * time.Millisecond,
		SlowBackoff: 20 * time.Millisecond, PollInterval: 5 * time.Millisecond,
	}
	helperConfig := aggregator.HelperConfig{Config: config, Store: s.helperStore}
	configure(o.leader, &leaderConfig)
	configure(o.helper, &helperConfig)
	s.leader, err = aggregator.NewLeader(leaderConfig)
	must(t, err)
	s.helper, err = aggregator.NewHelper(helperConfig)
	must(t, err)
	ctx := context.Background()
	_, err = s.leader.AddHpkeKey(ctx, aggregator.MandatorySuite, 0)
	must(t, err)
	_, err = s.helper.AddHpkeKey(ctx, aggregator.MandatorySuite, 0)
	must(t, err)

	options := api.Options{Logger: quiet}
	configure(o.api, &options)
	s.leaderURL = s.serve(o.leaderURL, "/leader/", options, func(options api.Options) http.Handler {
		return api.NewLeaderHandler(s.leader, options)
	})
	s.helperURL = s.serve(o.helperURL, "/helper/", options, func(options api.Options) http.Handler {
		return s.traffic.before(api.NewHelperHandler(s.helper, options))
	})
	s.fetchHpkeConfigs()
	s.background(s.helper.Run)
	if !o.paused {
		s.start()
	}
	return s
}

// run runs a subtest of t. What fails in it, fails in it.
func (s *wireSystem) run(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(sub *testing.T) {
		s.t = sub
		defer func() { s.t = t }()
		f(sub)
	})
}

func configure[T any](f func(*T), to *T) {
	if f != nil {
		f(to)
	}
}

// serve serves a handler below a path and returns its endpoint.
func (s *wireSystem) serve(path, otherwise string, options api.Options, handler func(api.Options) http.Handler) string {
	s.t.Helper()
	if path == "" {
		path = otherwise
	}
	var err error
	options.BasePath, err = api.BasePath("http://127.0.0.1" + path)
	must(s.t, err)
	server := httptest.NewServer(handler(options))
	s.t.Cleanup(server.Close)
	return server.URL + path
}

// start lets the Leader aggregate.
func (s *wireSystem) start() { s.background(s.leader.Run) }

// background runs an engine until the test ends.
func (s *wireSystem) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("the engine ended with %v", err)
		}
	})
}

// checkStores looks for broken invariants in both databases.
func (s *wireSystem) checkStores() {
	for _, check := range []func(context.Context) ([]aggregator.Violation, error){s.leaderStore.Check, s.helperStore.Check} {
		violations, err := check(context.Background())
		if err != nil {
			s.t.Errorf("check: %v", err)
		}
		for _, v := range violations {
			s.t.Errorf("broken invariant: %+v", v)
		}
	}
}

// fetchHpkeConfigs fetches the first HPKE configuration of each aggregator.
func (s *wireSystem) fetchHpkeConfigs() {
	s.t.Helper()
	for i, endpoint := range []string{s.leaderURL, s.helperURL} {
		response := s.send(wireRequest{method: "GET", url: strings.TrimSuffix(endpoint, "/") + "/hpke_config"})
		response.wantReady("hpke-config-list")
		s.configs[i] = readHpkeConfigList(s.t, response.body)[0]
	}
}

// counts are all numbers of a task at both aggregators.
type counts struct {
	leader aggregator.LeaderCounts
	helper aggregator.HelperCounts
}

func (task *wireTask) counts() counts {
	task.t().Helper()
	leader, err := task.system.leader.Counts(context.Background(), task.id)
	if !errors.Is(err, aggregator.ErrNotFound) { // a task that is not set up has no reports
		must(task.t(), err)
	}
	helper, err := task.system.helper.Counts(context.Background(), task.id)
	if !errors.Is(err, aggregator.ErrNotFound) {
		must(task.t(), err)
	}
	return counts{leader, helper}
}

// unchanged fails the test if f changes any number of the task.
func (task *wireTask) unchanged(f func()) {
	task.t().Helper()
	before := task.settled()
	f()
	if after := task.settled(); !reflect.DeepEqual(before, after) {
		task.t().Errorf("something changed:\n%+v\n%+v", before, after)
	}
}

// wantAggregated fails the test unless the Helper has aggregated n reports.
func (task *wireTask) wantAggregated(n uint64) {
	task.t().Helper()
	if got := task.counts().helper.Aggregated; got != n {
		task.t().Errorf("the Helper has aggregated %d reports; want %d", got, n)
	}
}

// settled waits until no report of the task waits or is in a job.
func (task *wireTask) settled() counts {
	task.t().Helper()
	var c counts
	eventually(task.t(), "no report waits or is in a job", func() bool {
		c = task.counts()
		return c.leader.Waiting+c.leader.InJobs == 0
	})
	return c
}

// eventually waits for a condition, much longer than it should take.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
