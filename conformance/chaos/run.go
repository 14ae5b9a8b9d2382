package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/conformance/chaos/proxy"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/processes"
)

// options are what a run is told.
type options struct {
	duration time.Duration // how long things fail
	// least is how often each server is killed and stopped at least, if need be after
	// that time.
	least    int
	seed     uint64
	tasks    int // at the same time
	race     bool
	dir      string
	programs *processes.Programs // built, if not nil
	progress time.Duration       // between two lines
	out      io.Writer
}

// The purposes of random numbers.
const (
	purposeFaults = iota
	purposeUploadNetwork
	purposeCollectNetwork
	purposePeerNetwork
	purposeTask = 1 << 32 // and the task's number
)

// run is one run.
type run struct {
	options
	tally
	system   *processes.System
	keypair  dap.HpkeKeypair // the Collector's
	taskLife time.Duration   // of the longest-lived task
	// collectors is the Collectors' way to the Leader, leader that of the clients, and
	// helper that of the Leader and of the clients to the Helper.
	collectors, leader, helper *proxy.Proxy

	// uploading ends when uploads are to end.
	uploading context.Context
	fail      context.CancelCauseFunc // ends the run with what is wrong
	started   time.Time
	usage     usage
	alive     sync.Map // the tasks that have not come to their end, by name
}

// chaos makes a run, and shows what it did. What it has made is removed, unless
// something is wrong.
func chaos(ctx context.Context, o options) error { return newRun(o).execute(ctx) }

func newRun(o options) *run {
	return &run{options: o, taskLife: min(longestLife, max(o.duration/2, shortestLife)), started: time.Now()}
}

// How long clients upload to a task, if the run is long or short.
const longestLife, shortestLife = 45 * time.Second, 2 * time.Second

func (r *run) execute(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp(r.dir, "twofold-chaos-")
	if err != nil {
		return err
	}
	defer func() { err = finish(dir, r.seed, err) }()
	r.say("seed %d", r.seed)
	if err := r.start(ctx, dir); err != nil {
		return err
	}
	err = r.run(ctx)
	r.say("\nafter %s:", time.Since(r.started).Round(time.Second))
	r.tally.write(r.out, r.proxies())
	r.usage.write(r.out)
	err = errors.Join(err, r.close())
	if err == nil {
		r.say("every result is exact, and both databases are whole")
	}
	return err
}

// finish removes the directory of a run, or, if something is wrong, says where it is and
// how to repeat the run.
func finish(dir string, seed uint64, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return fmt.Errorf("%w\n\nseed %d; the databases and logs are kept in %s", err, seed, dir)
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// random returns the random numbers for one purpose.
func (r *run) random(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(r.seed, purpose)) }

func (r *run) proxies() []namedProxy {
	return []namedProxy{{"clients to Leader", r.leader}, {"Collectors to Leader", r.collectors}, {"Leader and clients to Helper", r.helper}}
}

// start builds the programs and starts the servers, with the proxies before them.
func (r *run) start(ctx context.Context, dir string) (err error) {
	if r.keypair, err = dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm); err != nil {
		return err
	}
	if r.programs == nil {
		if r.programs, err = r.build(ctx, dir); err != nil {
			return err
		}
	}
	addresses, err := processes.FreeAddresses(5)
	if err != nil {
		return err
	}
	if err := r.listen(addresses); err != nil {
		return err
	}
	site := func(p *proxy.Proxy, listen string) processes.Site {
		return processes.Site{URL: "http://" + p.Address() + "/", Listen: listen}
	}
	r.system, err = processes.NewSystemAt(ctx, r.programs, dir, site(r.leader, addresses[3]), site(r.helper, addresses[4]))
	if err != nil {
		return errors.Join(err, r.closeProxies())
	}
	return nil
}

func (r *run) build(ctx context.Context, dir string) (*processes.Programs, error) {
	r.say("building the servers")
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return nil, err
	}
	if r.race {
		return processes.Build(ctx, bin, "-race")
	}
	return processes.Build(ctx, bin)
}

// listen starts the proxies, whose addresses come first, before the servers, whose
// addresses come last.
func (r *run) listen(addresses []string) (err error) {
	for i, p := range []struct {
		proxy   **proxy.Proxy
		target  string
		purpose uint64
		most    float64 // bytes that pass before a fault
	}{
		{&r.leader, addresses[3], purposeUploadNetwork, 2 << 20},
		{&r.collectors, addresses[3], purposeCollectNetwork, 64 << 10},
		{&r.helper, addresses[4], purposePeerNetwork, 8 << 20},
	} {
		plans := &planner{random: r.random(p.purpose), most: p.most}
		if *p.proxy, err = proxy.Listen(addresses[i], p.target, plans.plan); err != nil {
			return errors.Join(err, r.closeProxies())
		}
	}
	return nil
}

func (r *run) closeProxies() error {
	var errs []error
	for _, p := range r.proxies() {
		if p.Proxy != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
}

// close ends what is left.
func (r *run) close() error {
	return errors.Join(r.system.Leader.Kill(), r.system.Helper.Kill(), r.closeProxies())
}

// run lets things fail, and then brings everything to its end and looks at it.
func (r *run) run(ctx context.Context) error {
	ctx, r.fail = context.WithCancelCause(ctx)
	defer r.fail(nil)
	var stopUploads context.CancelFunc
	r.uploading, stopUploads = context.WithCancel(ctx)
	defer stopUploads()

	var watching, tasks sync.WaitGroup
	watch, stopWatching := context.WithCancel(ctx)
	watching.Go(func() { r.watch(watch) })
	for i := range r.options.tasks {
		tasks.Go(func() { r.runTasks(ctx, i) })
	}
	gremlin := &gremlin{run: r, random: r.random(purposeFaults)}
	gremlin.work(ctx)
	stopUploads()
	if ctx.Err() == nil {
		r.say("%7s  the faults stop; everything has to come to its end", time.Since(r.started).Round(time.Second))
	}
	for _, p := range r.proxies() {
		p.Calm()
	}
	tasks.Wait()
	stopWatching()
	watching.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.inspect(ctx)
}

// runTasks runs one task after the other, until no more are to begin.
func (r *run) runTasks(ctx context.Context, lane int) {
	for number := lane; r.uploading.Err() == nil; number += r.options.tasks {
		if err := r.newTask(number).live(ctx); err != nil {
			r.fail(err)
			return
		}
	}
}

// stuck is how long nothing may be counted, after the faults have stopped, while
// reports are due. It is longer than the longest pause of a Leader (5 minutes).
const stuck = 8 * time.Minute

// watch shows what is done, and ends the run if it is stuck.
func (r *run) watch(ctx context.Context) {
	last, since := int64(-1), time.Now()
	ticker := time.NewTicker(r.progress)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		r.usage.sample(r.system)
		r.say("%s", r.tally.line(time.Since(r.started), r.proxies()))
		if done := r.accepted.Load() + r.counted.Load() + r.killed() + r.tasksDone.Load(); done != last {
			last, since = done, time.Now()
		}
		if time.Since(since) > stuck {
			r.fail(fmt.Errorf("nothing has happened for %s: %w", stuck, r.unfinished(ctx)))
			return
		}
	}
}

// unfinished says which tasks have not come to their end, and why.
func (r *run) unfinished(ctx context.Context) error {
	var errs []error
	r.alive.Range(func(_, value any) bool {
		t := value.(*task)
		counts, err := r.system.Leader.Counts(ctx, t.file.ID)
		if err != nil {
			errs = append(errs, t.wrap(err))
			return true
		}
		errs = append(errs, t.wrap(fmt.Errorf("%d accepted reports are not counted; the Leader has %+v", t.ledger.due(func(dap.Time) bool { return true }), counts)))
		return true
	})
	return errors.Join(errs...)
}
