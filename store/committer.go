package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/aggregator"
)

// maxCommitBytes bounds what one transaction writes, and with it how long an
// operation waits for the one under way.
const maxCommitBytes = 32 << 20

// releaseInterval is how many keys are read in a row before the pages are released. A key can
// stand for two pages of a report's body.
const releaseInterval = 1 << 13

// operation is one method's work within a transaction. run may be called several
// times, each time on a transaction that knows nothing of the time before, and
// so begins by forgetting its own results.
type operation struct {
	size int // bytes that it writes, roughly
	// upload: it is one of those that clients can cause at will.
	upload bool
	run    func(*txn) error
	state  atomic.Int32
	err    error
	done   chan struct{}
}

const (
	operationQueued int32 = iota
	operationRunning
	operationDropped // its caller has given up before it began
)

// committer runs operations in transactions, as many in each as are queued.
type committer struct {
	store *store
	// Uploads have a queue of their own, so that a flood of them does not keep jobs from being finished.
	uploads, steps chan *operation

	mu       sync.RWMutex // held for reading while an operation is put into a queue
	stopping bool
	stopped  chan struct{} // closed when stopping begins
	finished chan struct{} // closed when run has returned

	mapped  mappedFile
	commits int

	room   room
	outage *outage // nil if writing is possible
	newest atomic.Pointer[commitState]
}

func newCommitter(s *store) *committer {
	c := &committer{
		store:    s,
		uploads:  make(chan *operation, s.options.QueueLength),
		steps:    make(chan *operation, s.options.QueueLength),
		stopped:  make(chan struct{}),
		finished: make(chan struct{}),
		room:     room{unknown: s.options.NoSync},
	}
	go c.run()
	return c
}

// stop lets the queued operations finish and waits for them.
func (c *committer) stop() {
	c.mu.Lock()
	if !c.stopping {
		c.stopping = true
		close(c.stopped)
	}
	c.mu.Unlock()
	<-c.finished
}

// update runs f in a write transaction and returns when it is durable. size is
// roughly what f writes.
func (s *store) update(ctx context.Context, size int, f func(*txn) error) error {
	return s.committer.do(ctx, s.committer.steps, size, f)
}

// upload is update for operations that clients can cause at will.
func (s *store) upload(ctx context.Context, size int, f func(*txn) error) error {
	return s.committer.do(ctx, s.committer.uploads, size, f)
}

func (c *committer) do(ctx context.Context, queue chan *operation, size int, f func(*txn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	upload := queue == c.uploads
	if err := c.store.refusal(upload); err != nil {
		return unavailable(err)
	}
	op := &operation{size: size, run: f, upload: upload, done: make(chan struct{})}
	if err := c.enqueue(queue, op); err != nil {
		return err
	}
	select {
	case <-op.done:
		return op.err
	case <-ctx.Done():
	}
	if op.state.CompareAndSwap(operationQueued, operationDropped) {
		return ctx.Err()
	}
	<-op.done
	return op.err
}

func (c *committer) enqueue(queue chan *operation, op *operation) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.stopping {
		return unavailable(ErrClosed)
	}
	select {
	case queue <- op:
		return nil
	default:
		return aggregator.ErrBusy
	}
}

// run commits until the committer is stopped and its queues are empty.
func (c *committer) run() {
	defer close(c.finished)
	debug.SetPanicOnFault(true)
	for {
		batch, retry := c.wait()
		switch {
		case retry:
			c.retry()
		case batch == nil:
			return
		}
		if batch = begun(batch); len(batch) > 0 {
			c.commit(batch)
		}
	}
}

// wait returns the operations of the next transaction, and nil when all is done. retry: the store
// is not ready, and it is time to try again.
func (c *committer) wait() (batch []*operation, retry bool) {
	var again <-chan time.Time
	if c.store.Health().State != StateReady {
		timer := time.NewTimer(c.store.options.RetryInterval)
		defer timer.Stop()
		again = timer.C
	}
	var first *operation
	select {
	case first = <-c.steps:
	case first = <-c.uploads:
	case <-again:
		return nil, true
	case <-c.stopped:
	}
	size := 0
	take := func(op *operation) { batch, size = append(batch, op), size+op.size }
	if first != nil {
		take(first)
	}
	for size < maxCommitBytes {
		select {
		case op := <-c.steps:
			take(op)
			continue
		default:
		}
		select {
		case op := <-c.uploads:
			take(op)
			continue
		default:
		}
		break
	}
	return batch, false
}

// begun marks the operations as running and leaves out those whose callers have given up.
func begun(batch []*operation) []*operation {
	live := batch[:0]
	for _, op := range batch {
		if op.state.CompareAndSwap(operationQueued, operationRunning) {
			live = append(live, op)
		}
	}
	return live
}

// commit runs the operations in one transaction. An operation that fails does not
// spoil the others. No outcome is told before the transaction has ended: one operation may
// have been refused because of what another was about to write.
func (c *committer) commit(batch []*operation) {
	var commitErr error
	if c.outage != nil {
		commitErr = c.outage.cause
	} else {
		commitErr = c.attempt(batch)
	}
	begun := c.outage != nil && c.store.Health().State <= StateFull
	if begun && !c.outage.unsure { // the disk is full, and is given some time
		c.settleCommit()
		c.store.setHealth(StateFailing, c.outage.cause)
	}
	for _, op := range batch {
		if commitErr != nil {
			op.err = unavailable(commitErr)
		}
		close(op.done)
	}
	if begun && c.outage.unsure {
		c.firstRecovery()
	}
	c.releaseMapped()
	if f := c.store.filter.Load(); f != nil && f.worn() && c.outage == nil {
		c.store.startFilter()
	}
}

// releaseMapped gives pages of the file back to the kernel if too many are mapped: those that readers have touched, too.
func (c *committer) releaseMapped() {
	if c.store.db == nil {
		return
	}
	// A page that stays mapped harms nothing.
	_ = guard(func() error {
		return c.store.db.View(func(tx *bolt.Tx) error { c.mapped.shrink(tx, c.store.options.MappedBytes); return nil })
	})
}

// attempt runs the operations and commits. If one fails after it has written, or has no
// space on the disk, all is undone and the others run again without it. The error is the commit's.
func (c *committer) attempt(batch []*operation) error {
	live := append([]*operation(nil), batch...)
	for {
		tx, err := c.store.db.Begin(true)
		if err != nil {
			c.suspend(outage{cause: err, unsure: true})
			return err
		}
		t := c.store.newTxn(tx)
		spoilt := c.runAll(t, live)
		if spoilt >= 0 {
			if err := c.rollback(t); err != nil {
				return err
			}
			live = append(live[:spoilt], live[spoilt+1:]...)
			continue
		}
		if t.writes == 0 {
			return c.rollback(t)
		}
		full := c.reserve(t, live)
		if full == nil {
			return c.finish(t)
		}
		if err := c.rollback(t); err != nil {
			return err
		}
		others := withoutUploads(live, full)
		if len(others) == 0 || len(others) == len(live) || c.outage != nil {
			return nil
		}
		live = others
	}
}

// reserve makes sure that the disk has space for the transaction. The error is in each operation.
func (c *committer) reserve(t *txn, live []*operation) error {
	uploads := slices.ContainsFunc(live, func(op *operation) bool { return op.upload })
	err := c.room.makeRoom(c.store.file, t.tx, t.need(), uploads)
	switch {
	case err == nil:
		return nil
	case !isNoSpace(err):
		c.suspend(outage{cause: err, unsure: true})
	default:
		err = fmt.Errorf("%w: %w", ErrNoSpace, err)
		if uploads {
			c.store.setHealth(StateFull, err)
		}
	}
	for _, op := range live {
		op.err = unavailable(err)
	}
	return err
}

// withoutUploads gives the uploads their error and returns the others.
func withoutUploads(live []*operation, err error) (others []*operation) {
	for _, op := range live {
		if op.upload {
			op.err = unavailable(err)
		} else {
			others = append(others, op)
		}
	}
	return others
}

// runAll runs the operations until one fails that has written, and returns its
// index, or -1.
func (c *committer) runAll(t *txn, live []*operation) int {
	for i, op := range live {
		c.mapped.shrink(t.tx, c.store.options.MappedBytes)
		before := t.writes
		op.err = guard(func() error { return op.run(t) })
		if op.err != nil && (t.writes != before || errors.Is(op.err, ErrCorrupt)) {
			return i
		}
	}
	return -1
}

func (c *committer) rollback(t *txn) error {
	t.undone()
	err := guard(t.tx.Rollback)
	if err != nil { // bbolt may still hold its locks
		c.suspend(outage{cause: err, unsure: true, stuck: true})
	}
	return err
}

// finish makes the transaction durable.
func (c *committer) finish(t *txn) error {
	tx := t.tx
	hook := c.store.options.CommitHook
	if hook != nil {
		if err := hook(BeforeCommit); err != nil {
			return errors.Join(err, c.rollback(t))
		}
	}
	c.chooseFreelist(tx)
	c.commits++
	commit := &commitState{txid: uint64(tx.ID()), done: make(chan struct{})}
	c.newest.Store(commit)
	panicked := true
	err := guard(func() error {
		err := tx.Commit()
		panicked = false
		return err
	})
	if err == nil && hook != nil {
		err = hook(AfterCommit)
	}
	if err != nil {
		t.undone()
		c.failed(commit, err, panicked)
		return err
	}
	c.store.durable.Store(commit.txid)
	commit.ok.Store(true)
	close(commit.done)
	return nil
}

// failed begins the outage of a commit that has failed.
func (c *committer) failed(commit *commitState, err error, panicked bool) {
	visible := commit.txid
	if !panicked {
		_ = guard(func() error {
			return c.store.db.View(func(tx *bolt.Tx) error { visible = uint64(tx.ID()); return nil })
		})
	}
	// A disk that was full before the transaction was to be seen has left nothing to find out.
	unsure := !isNoSpace(err) || visible >= commit.txid
	c.suspend(outage{cause: err, unsure: unsure, stuck: panicked})
}

// The list of free pages is written with a commit if it has at most so many, or if it has at most this part of the pages in
// use.
const (
	maxSyncedFreelist  = 2048 // 16 KiB of list
	syncedFreelistPart = 128
)

// chooseFreelist decides whether the commit writes the list of free pages. With the list a file is
// opened at once. But the list is written whole by each
// commit, and after a backlog of reports is worked off it is megabytes long; then
// it is left out until the store is closed, and after a crash it is made again, see listFreePages.
func (c *committer) chooseFreelist(tx *bolt.Tx) {
	stats := c.store.db.Stats()
	free := stats.FreePageN + stats.PendingPageN
	inUse := int(tx.Size()/int64(c.store.db.Info().PageSize)) - free
	c.store.db.NoFreelistSync = free > max(maxSyncedFreelist, inUse/syncedFreelistPart)
}

// leaveFreelist writes the list of free pages into a file that is about to be closed without it.
func (c *committer) leaveFreelist() error {
	if !c.store.db.NoFreelistSync || c.commits == 0 {
		return nil
	}
	c.store.db.NoFreelistSync = false
	err := c.store.db.Update(func(*bolt.Tx) error { return nil })
	if isNoSpace(err) {
		return nil // it is made again when the file is opened
	}
	return err
}
