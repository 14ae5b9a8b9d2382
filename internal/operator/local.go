package operator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
	"github.com/twofold-dap/twofold/store"
)

// engine is what both roles' engines have in common, as the operator uses it.
type engine interface {
	AddTask(ctx context.Context, task aggregator.Task) error
	Tasks(ctx context.Context) ([]aggregator.Task, error)
	AddPeering(ctx context.Context, p aggregator.Peering) error
	Peerings(ctx context.Context) ([]aggregator.Peering, error)
	AddHpkeKey(ctx context.Context, suite aggregator.HpkeSuite, preference int) (dap.HpkeConfig, error)
	RotateHpkeKey(ctx context.Context, suite aggregator.HpkeSuite) (dap.HpkeConfig, error)
	HpkeKeys(ctx context.Context) ([]aggregator.HpkeKey, error)
	Check(ctx context.Context) ([]aggregator.Violation, error)
	Privacy(ctx context.Context, id dap.TaskID) (aggregator.Privacy, error)
	Run(ctx context.Context) error
}

// database is what both roles' stores have in common.
type database interface {
	Health() store.Health
	Copy(ctx context.Context, begin func(size int64) (io.Writer, error)) error
	Start(ctx context.Context) (store.Standing, error)
	Standing(ctx context.Context) (store.Standing, error)
	Close() error
}

// local is a directory with its database open: what a server runs on, and what the
// commands work on when no server runs.
type local struct {
	directory *Directory
	plan      memoryPlan
	key       rootKey
	engine    engine
	// counts returns a task's numbers of the role.
	counts func(ctx context.Context, id dap.TaskID) (api.OperatorCounts, error)
	// failedBatches returns a Leader's batches of a task whose collection has failed.
	failedBatches func(ctx context.Context, id dap.TaskID) ([]api.OperatorFailedBatch, error)
	jobs          jobService
	// handler makes the role's HTTP handler.
	handler func(api.Options) http.Handler
	store   database
	close   []func() error
}

type openOptions struct {
	create  bool
	logger  *slog.Logger
	metrics prometheus.Registerer
}

// open opens the database and makes the engine over it.
func (d *Directory) open(key rootKey, options openOptions) (*local, error) {
	storeKey, err := key.storeKey()
	if err != nil {
		return nil, err
	}
	l := &local{directory: d, key: key}
	config := aggregator.Config{
		VDAF: taskvdaf.Topology, Logger: options.logger, Metrics: options.metrics, Endpoint: d.Config.URL,
	}
	if config.Retention, err = d.Config.Retention.retention(); err != nil {
		return nil, err
	}
	l.plan = d.Config.Limits.plan()
	l.plan.apply(&config, &d.Config.Limits)
	storeOptions := store.Options{
		Create: options.create, OnHealth: reportHealth(options.logger), FilterBytes: int(l.plan.filter), MappedBytes: l.plan.mapped,
	}
	if d.role == dap.RoleLeader {
		err = l.openLeader(config, storeKey, storeOptions)
	} else {
		err = l.openHelper(config, storeKey, storeOptions)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := options.register(l.store); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// adopt keeps an open store, and closes it in the end. It refuses one that is older than it has been.
func (l *local) adopt(s database) error {
	l.store = s
	l.close = append(l.close, s.Close)
	return l.directory.checkWitness(context.Background(), s)
}

func (l *local) openLeader(config aggregator.Config, key []byte, options store.Options) error {
	s, err := store.OpenLeader(l.directory.databasePath(), key, options)
	if err != nil {
		return err
	}
	if err := l.adopt(s); err != nil {
		return err
	}
	peer := api.NewPeer(api.PeerOptions{AllowPlain: l.directory.Config.AllowPlainHTTP, MaxResponseBytes: peerAnswer, Metrics: config.Metrics})
	l.close = append(l.close, func() error { peer.Close(); return nil })
	config.MaxBytesInProgress = l.plan.bodies
	leader, err := aggregator.NewLeader(aggregator.LeaderConfig{Config: config, Store: s, Peer: peer, MaxBytesInJobs: l.plan.jobs})
	if err != nil {
		return err
	}
	l.engine, l.jobs = leader, leaderJobs{leader}
	l.counts = func(ctx context.Context, id dap.TaskID) (api.OperatorCounts, error) {
		c, err := leader.Counts(ctx, id)
		return api.OperatorCounts{
			Waiting: c.Waiting, InJobs: c.InJobs, Quarantined: c.Quarantined, Aggregated: c.Aggregated,
			Collected: c.Collected, Expired: c.Expired, Rejected: byName(c.Rejected),
		}, err
	}
	l.failedBatches = func(ctx context.Context, id dap.TaskID) ([]api.OperatorFailedBatch, error) {
		return failedBatches(ctx, leader, id)
	}
	l.handler = func(o api.Options) http.Handler { return api.NewLeaderHandler(leader, o) }
	return nil
}

func (l *local) openHelper(config aggregator.Config, key []byte, options store.Options) error {
	s, err := store.OpenHelper(l.directory.databasePath(), key, options)
	if err != nil {
		return err
	}
	if err := l.adopt(s); err != nil {
		return err
	}
	config.MaxBytesInProgress = l.plan.jobs
	helper, err := aggregator.NewHelper(aggregator.HelperConfig{Config: config, Store: s, Async: l.directory.Config.Asynchronous})
	if err != nil {
		return err
	}
	l.engine, l.jobs = helper, helperJobs{helper}
	l.counts = func(ctx context.Context, id dap.TaskID) (api.OperatorCounts, error) {
		c, err := helper.Counts(ctx, id)
		return api.OperatorCounts{Aggregated: c.Aggregated, Collected: c.Collected, Expired: c.Expired, Rejected: byName(c.Rejected)}, err
	}
	l.failedBatches = func(context.Context, dap.TaskID) ([]api.OperatorFailedBatch, error) { return nil, nil }
	l.handler = func(o api.Options) http.Handler { return api.NewHelperHandler(helper, o) }
	return nil
}

// failedBatches returns a Leader's open batches of a task whose collection has failed.
func failedBatches(ctx context.Context, leader *aggregator.Leader, id dap.TaskID) (failed []api.OperatorFailedBatch, err error) {
	open, err := leader.OpenBatches(ctx, id)
	for _, b := range open {
		if b.Failures > 0 {
			failed = append(failed, api.OperatorFailedBatch{
				Batch: b.BatchID.String(), Reports: b.Count, Failures: b.Failures, LastFailure: b.LastFailure, FailedAt: b.FailedAt,
			})
		}
	}
	return failed, err
}

// byName has the standard's names of the report errors.
func byName(counts map[dap.ReportError]uint64) map[string]uint64 {
	named := make(map[string]uint64, len(counts))
	for reason, n := range counts {
		named[reason.String()] = n
	}
	return named
}

// Close closes the database.
func (l *local) Close() error {
	var errs []error
	for i := len(l.close) - 1; i >= 0; i-- {
		errs = append(errs, l.close[i]())
	}
	l.close = nil
	return errors.Join(errs...)
}

// Connect returns what operates the directory's aggregator, and what to call in
// the end: the running server if there is one, else the database itself.
func (d *Directory) Connect(ctx context.Context) (api.OperatorService, func() error, error) {
	remote := api.NewOperatorClient(d.Socket())
	err := remote.Health(ctx)
	if err == nil {
		return remote, func() error { remote.Close(); return nil }, nil
	}
	remote.Close()
	if !errors.Is(err, api.ErrNoServer) {
		return nil, nil, err
	}
	key, err := readRootKey(d.file(keyFile))
	if err != nil {
		return nil, nil, err
	}
	l, err := d.open(key, openOptions{})
	if err != nil {
		return nil, nil, err
	}
	return &service{local: l}, l.Close, nil
}
