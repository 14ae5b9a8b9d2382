package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// task is a task on its way from its beginning to its end.
type task struct {
	*run
	random *rand.Rand // of the goroutine that runs the task
	// purpose is the first of the purposes of its clients' random numbers.
	purpose uint64
	name    string
	kind    kind
	file    taskfile.File
	path    string
	// life is how long clients upload. ends tells that the task itself ends then, too.
	life        time.Duration
	ends        bool
	start, stop time.Time // when clients upload, in whole time precisions

	reporter   reporter
	asker      asker
	transports []*http.Client

	uploaded chan struct{} // closed when the clients have ended
	ledger   *ledger
	next     atomic.Int64 // the index of the next report
	reserved int          // indices from here on are for reports that fill batches

	collected map[dap.Time]bool // time buckets that are collected, or that an unfinished collection job has
	jobs      []finishedJob
}

// newTask decides what a task is like.
func (r *run) newTask(number int) *task {
	random := r.random(purposeTask + uint64(number))
	k := kinds[random.IntN(len(kinds))]()
	leaderSelected := random.IntN(2) == 0 && k.read != nil
	t := &task{
		run: r, random: random, purpose: random.Uint64(), name: fmt.Sprintf("task %d", number), kind: k,
		path: filepath.Join(r.system.Dir, fmt.Sprintf("task-%d.task", number)),
		life: between(random, r.taskLife/2, r.taskLife), ends: !leaderSelected && random.IntN(2) == 0,
		uploaded: make(chan struct{}), ledger: newLedger(k), collected: make(map[dap.Time]bool),
	}
	draft := taskfile.Draft{
		Name: t.name, Leader: r.system.Leader.URL, Helper: r.system.Helper.URL,
		TimePrecision: []time.Duration{time.Second, 2 * time.Second, 5 * time.Second}[random.IntN(3)],
		MinBatchSize:  1 + random.Uint64N(uint64(max(1, k.capacity/12))),
		BatchMode:     dap.BatchModeTimeInterval, CollectorHpkeConfig: r.keypair.Config,
	}
	t.start = time.Now().Truncate(draft.TimePrecision)
	t.stop = t.start.Add(t.life).Truncate(draft.TimePrecision).Add(draft.TimePrecision)
	if leaderSelected { // in batches that are not so small that there are too many
		draft.BatchMode, draft.MinBatchSize = dap.BatchModeLeaderSelected, uint64(k.capacity/14+random.IntN(1+k.capacity/28))
	}
	t.reserved = k.capacity - 5*int(draft.MinBatchSize)
	if t.ends { // no more reports can fill the last batch
		draft.MinBatchSize, t.reserved = 1, k.capacity
		draft.Start, draft.Duration = t.start, t.stop.Sub(t.start)
	}
	var err error
	if draft.Spec, err = vdafspec.Parse(k.vdaf); err == nil {
		t.file, err = taskfile.New(draft)
	}
	if err != nil {
		panic(fmt.Sprintf("%s: %v", t.name, err)) // a mistake in this program
	}
	return t
}

func (t *task) leaderSelected() bool { return t.file.Config.BatchMode == dap.BatchModeLeaderSelected }

func (t *task) precision() time.Duration {
	return time.Duration(t.file.Config.TimePrecision) * time.Second
}

// run takes a task through its life: it is approved, clients upload, its batches are
// collected, and at the end every report must be where it belongs.
func (t *task) live(ctx context.Context) error {
	t.tally.tasks.Add(1)
	t.alive.Store(t.name, t)
	defer t.alive.Delete(t.name)
	if err := t.approve(ctx); errors.Is(err, errMissed) {
		t.tally.missed.Add(1)
		t.tally.tasksDone.Add(1)
		return nil
	} else if err != nil {
		return t.wrap(err)
	}
	defer func() {
		for _, transport := range t.transports {
			transport.CloseIdleConnections()
		}
	}()
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(t.uploaded)
		t.uploadAll(ctx)
	})
	err := t.collectAll(ctx)
	if err != nil {
		t.fail(t.wrap(err)) // so that the clients end, too
	}
	wait.Wait()
	if err == nil {
		err = t.ledger.verdict()
		t.unanswered.Add(int64(t.ledger.unanswered()))
	}
	if err != nil {
		return t.wrap(err)
	}
	t.tally.tasksDone.Add(1)
	return nil
}

// wrap names the task in an error.
func (t *task) wrap(err error) error {
	return fmt.Errorf("%s (%s, %s, precision %s, at least %d reports, id %s): %w", t.name, t.file.Spec.String(),
		taskfile.BatchModeName(t.file.Config.BatchMode), t.precision(), t.file.Config.MinBatchSize, t.file.ID, err)
}

// errMissed: a task was over before both servers had it. They are down now and then.
var errMissed = errors.New("the task is over")

// approve writes the task file and has both operators approve it, as often as it
// takes: the servers may be killed at any moment.
func (t *task) approve(ctx context.Context) error {
	text, err := t.file.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.path, text, 0o600); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		token, err := t.system.Approve(ctx, t.path)
		if err == nil {
			return t.connect(token)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if t.ends && time.Now().After(t.stop) {
			return errMissed
		}
		if attempt == approvals {
			return fmt.Errorf("approving the task, %d times: %w", attempt, err)
		}
		if err := pause(ctx, between(t.random, 50*time.Millisecond, 500*time.Millisecond)); err != nil {
			return err
		}
	}
}

// approvals is how often a task is tried to be approved.
const approvals = 200

// connect makes the clients and the Collector of a task. They differ in their patience.
func (t *task) connect(token string) error {
	uploads := newHTTPClient("", between(t.random, 2*time.Second, 12*time.Second))
	asks := newHTTPClient(t.collectors.Address(), between(t.random, 2*time.Second, 12*time.Second))
	t.transports = []*http.Client{uploads, asks}
	var reporterErr, askerErr error
	t.reporter, reporterErr = newReporter(t.file, t.kind, uploads)
	t.asker, askerErr = newAsker(t.file, t.keypair, token, asks)
	return errors.Join(reporterErr, askerErr)
}

// between returns a random duration in [least, most).
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(max(1, most-least))))
}

// pause waits, or returns why ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
