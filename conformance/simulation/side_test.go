package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/memorydir"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// party is one aggregator: its clock, its disk, and while it runs its store and
// its engine E, a *aggregator.Leader or a *aggregator.Helper.
type party[E comparable] struct {
	side side
	disk disk
	skew atomic.Int64 // how far its clock is ahead, in nanoseconds

	stopped  func() error  // nil, or called between stop and start
	changing chan struct{} // holds one value while the party is stopped and started
	open     func() (E, stored, func(context.Context) error, error)

	mu     sync.Mutex
	now    E
	stored stored
	stop   func() error
}

// stored is what both roles' stores have in common for a checker.
type stored interface {
	Contents(context.Context, dap.TaskID) (store.Contents, error)
	Check(context.Context) ([]aggregator.Violation, error)
	Floor(context.Context, dap.TaskID) (dap.Time, error)
	Copy(ctx context.Context, begin func(size int64) (io.Writer, error)) error
	Close() error
}

// clock is the party's clock.
func (p *party[E]) clock() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) }

// engine returns the party's engine as it is now.
func (p *party[E]) engine() E {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// store returns the party's store as it is now.
func (p *party[E]) store() stored {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stored
}

// cut tells whether the party has crashed: it neither sends nor receives.
func (p *party[E]) cut() bool { return p.disk.dead.Load() }

// start opens the store and runs the engine.
func (p *party[E]) start() error {
	engine, stored, run, err := p.open()
	if err != nil {
		return fmt.Errorf("the %s does not start: %w", p.side, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := run(ctx)
		if errors.Is(err, aggregator.ErrUnavailable) && ctx.Err() == nil {
			p.disk.dead.Store(true) // the disk failed at the start: the process ends, until it is started again
			err = nil
		}
		done <- err
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now, p.stored = engine, stored
	p.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			if closed := stored.Close(); closed != nil && !errors.Is(closed, aggregator.ErrUnavailable) {
				err = errors.Join(err, closed) // a disk that fails may prevent an orderly end, which does no harm
			}
			return err
		case <-time.After(stopTimeout):
			return fmt.Errorf("the %s does not stop within %s", p.side, stopTimeout)
		}
	})
	return nil
}

// stopTimeout is how long a party may take to stop.
const stopTimeout = 10 * time.Minute

// restart stops the party and starts it. After a crash nothing that it did until it had
// stopped has reached the disk or the network.
func (p *party[E]) restart(crash bool) error { return p.restartWith(crash, nil) }

// restartWith is restart with something that is done while the party is stopped.
func (p *party[E]) restartWith(crash bool, f func() error) error {
	p.changing <- struct{}{}
	defer func() { <-p.changing }()
	if crash {
		p.disk.dead.Store(true)
	}
	if err := p.stop(); err != nil {
		return err
	}
	p.disk.revive()
	for _, f := range []func() error{p.stopped, f} {
		if f == nil {
			continue
		}
		if err := f(); err != nil {
			return err
		}
	}
	return p.start()
}

// disk makes a store's commits fail.
type disk struct {
	dead    atomic.Bool // all commits fail
	commits atomic.Int64

	mu    sync.Mutex
	armed []diskFault
	met   map[fault]int
}

type diskFault struct {
	fault fault
	first int64 // the first commit that it strikes
	left  int   // how often it strikes
}

var errDisk = errors.New("the disk is gone")

// arm lets commits fail, after skip more.
func (d *disk) arm(o operation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.commits.Load() + int64(o.Skip) + 1
	d.armed = append(d.armed, diskFault{o.Fault, first, max(1, o.Count)})
}

// revive ends a crash; the faults that nobody has met remain.
func (d *disk) revive() { d.dead.Store(false) }

// calm ends all faults, but not a crash.
func (d *disk) calm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = nil
}

// hook is the store's commit hook.
func (d *disk) hook(stage store.CommitStage) error {
	if stage == store.BeforeCommit {
		d.commits.Add(1)
	}
	if d.dead.Load() {
		return errDisk
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.commits.Load()
	for i := range d.armed {
		f := &d.armed[i]
		if f.stage() != stage || f.left == 0 || f.fault != faultRecovery && n < f.first {
			continue
		}
		f.left--
		d.met[f.fault]++
		if f.fault == faultCrashBefore || f.fault == faultCrashAfter {
			d.dead.Store(true)
		}
		return errDisk
	}
	return nil
}

// stage is where the fault strikes.
func (f *diskFault) stage() store.CommitStage {
	switch f.fault {
	case faultCommit, faultCrashBefore:
		return store.BeforeCommit
	case faultRecovery:
		return store.AfterCommit + 1 // the store looks whether the disk is well
	}
	return store.AfterCommit
}

// world is one episode: both parties and what is between them.
type world struct {
	*client
	hooks   hooks
	dir     string
	start   time.Time
	leader  *party[*aggregator.Leader]
	helper  *party[*aggregator.Helper]
	network *network
	model   *model
	keeps   atomic.Bool // engines that start now keep everything
	copied  [2]bool     // there is a copy of the side's database
	noise   [2]noises

	beside sync.WaitGroup
	mu     sync.Mutex
	found  []violation
}

// hooks break what the checker must notice.
type hooks struct {
	leaderStore func(aggregator.LeaderStore) aggregator.LeaderStore
	helperStore func(aggregator.HelperStore) aggregator.HelperStore
	reply       func(request string, reply *aggregator.PeerReply)
	topology    func(vdaf.Verifier) (*pingpong.Topology, error)
	// stopped is called when a party has stopped, before it is started again.
	stopped func(s side, path string) error
	// noise, if not nil, gives an engine other random bits for its noise than the model expects: those of another seed.
	noise func(s side, seed [32]byte) [32]byte
	// restored is called when a side was restored, before it is started again.
	restored func(s side, path string) error
	// requestsTwice sends every request to the Helper twice.
	requestsTwice bool
	// until, if not nil, changes up to when a restored side refuses.
	until func(time.Time) time.Time
	// life, if not nil, is the episode in which what is broken shows.
	life func() (config, []operation)
}

// newWorld starts both parties. It runs within the bubble.
func newWorld(c *client, h hooks) (*world, error) {
	dir, err := os.MkdirTemp(memorydir.Root(), "twofold-simulation-")
	if err != nil {
		return nil, err
	}
	w := &world{client: c, hooks: h, dir: dir, start: time.Now()}
	w.network = &network{w: w, met: make(map[fault]int), answers: make(map[string][]byte), jobs: make(map[string]initiated), shares: make(map[string]bool)}
	w.model = newModel(w)
	w.leader = &party[*aggregator.Leader]{side: leader, changing: make(chan struct{}, 1), open: w.openLeader}
	w.helper = &party[*aggregator.Helper]{side: helper, changing: make(chan struct{}, 1), open: w.openHelper}
	if h.stopped != nil {
		w.leader.stopped = func() error { return h.stopped(leader, filepath.Join(dir, "leader.db")) }
		w.helper.stopped = func() error { return h.stopped(helper, filepath.Join(dir, "helper.db")) }
	}
	if h.topology != nil {
		if c.scheme.topology, err = h.topology(c.verifier); err != nil {
			return nil, err
		}
	}
	w.leader.disk.met, w.helper.disk.met = make(map[fault]int), make(map[fault]int)
	if err := w.setUp(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return w, nil
}

// setUp makes the stores with the common keys and the task.
func (w *world) setUp() error {
	ctx := context.Background()
	leaderStore, err := w.openLeaderStore()
	if err != nil {
		return err
	}
	helperStore, err := w.openHelperStore()
	if err != nil {
		return err
	}
	created := time.Now().UTC()
	err = errors.Join(
		leaderStore.PutHpkeKey(ctx, aggregator.HpkeKey{Keypair: keys().leader, CreatedAt: created}),
		helperStore.PutHpkeKey(ctx, aggregator.HpkeKey{Keypair: keys().helper, CreatedAt: created}),
		leaderStore.PutTask(ctx, w.aggregatorTask(dap.RoleLeader)),
		helperStore.PutTask(ctx, w.aggregatorTask(dap.RoleHelper)),
		leaderStore.Close(), helperStore.Close(),
	)
	if err != nil {
		return err
	}
	if err := w.helper.start(); err != nil {
		return err
	}
	return w.leader.start()
}

// tearDown stops both parties and removes their stores.
func (w *world) tearDown() error {
	w.leader.disk.dead.Store(true)
	w.helper.disk.dead.Store(true)
	err := w.leader.stop()
	w.network.copies.Wait()
	return errors.Join(err, w.helper.stop(), os.RemoveAll(w.dir))
}

var storeKey = make([]byte, store.KeySize)

// leastRecentIDs makes the stores sort the report IDs into their generations when there are few of them already.
const leastRecentIDs = 4

func (w *world) openLeaderStore() (*store.Leader, error) {
	return store.OpenLeader(filepath.Join(w.dir, "leader.db"), storeKey, store.Options{Create: true, NoSync: true, CommitHook: w.leader.disk.hook, LeastRecentIDs: leastRecentIDs})
}

func (w *world) openHelperStore() (*store.Helper, error) {
	return store.OpenHelper(filepath.Join(w.dir, "helper.db"), storeKey, store.Options{Create: true, NoSync: true, CommitHook: w.helper.disk.hook, LeastRecentIDs: leastRecentIDs})
}

func (w *world) openLeader() (*aggregator.Leader, stored, func(context.Context) error, error) {
	s, err := w.openLeaderStore()
	if err != nil {
		return nil, nil, nil, err
	}
	config := aggregator.LeaderConfig{
		Config: w.engineConfig(w.leader.clock, w.LeaderKeeps), Store: s, Peer: w.network,
		MaxJobReports: w.JobReports, MaxJobsInFlight: w.JobsAtATime,
		SlowBackoff: 30 * time.Second, MaxBackoff: time.Minute,
	}
	config.NoiseRandom = w.noise[0].next(leader, w.hooks)
	if w.hooks.leaderStore != nil {
		config.Store = w.hooks.leaderStore(s)
	}
	l, err := aggregator.NewLeader(config)
	if err != nil {
		return nil, nil, nil, errors.Join(err, s.Close())
	}
	return l, s, l.Run, nil
}

func (w *world) openHelper() (*aggregator.Helper, stored, func(context.Context) error, error) {
	s, err := w.openHelperStore()
	if err != nil {
		return nil, nil, nil, err
	}
	config := aggregator.HelperConfig{Config: w.engineConfig(w.helper.clock, w.HelperKeeps), Store: s, Async: w.Async, MaxPendingJobs: w.Pending}
	config.NoiseRandom = w.noise[1].next(helper, w.hooks)
	if w.hooks.helperStore != nil {
		config.Store = w.hooks.helperStore(s)
	}
	h, err := aggregator.NewHelper(config)
	if err != nil {
		return nil, nil, nil, errors.Join(err, s.Close())
	}
	return h, s, h.Run, nil
}

// sweepInterval is how often the engines look for what is too old.
const sweepInterval = 3 * time.Minute

func (w *world) engineConfig(clock func() time.Time, keeps duration) aggregator.Config {
	c := aggregator.Config{
		VDAF: w.topologyOf, Now: clock, ClockSkew: clockSkew, Workers: 1, DrainTimeout: 2 * time.Second,
		Retention: aggregator.Retention{Interval: sweepInterval},
	}
	if !w.keeps.Load() {
		c.Retention.Reports, c.Retention.Answers = time.Duration(keeps), time.Duration(w.KeepsAnswers)
	}
	if *flagLog {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	} else {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
