package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// The rules that Check looks after.
const (
	rulePages     = "the file's pages are consistent"
	ruleDecodes   = "every record decodes"
	ruleTask      = "every task has its data, and all data has its task"
	ruleOnce      = "a report is counted once"
	ruleOneState  = "a report waits, or is in one job, or is counted, or is rejected"
	ruleNotLost   = "an accepted report is never lost"
	ruleBody      = "a pending report has its body, and every body has its report"
	ruleJob       = "a job has its reports"
	ruleBucket    = "a batch bucket is the sum of its reports"
	ruleBatch     = "a leader-selected batch is what its jobs and collections made it"
	ruleCounters  = "the counters are right"
	ruleOverlap   = "collected batches do not overlap"
	ruleHold      = "a batch belongs to the collection that holds it"
	ruleCollected = "a finished collection has collected its batch"
	rulePending   = "a collected batch is closed and has no pending report"
	ruleFilter    = "the filter of report IDs has every report ID"
	ruleLedger    = "what was spent of a task's privacy is the sum of its collected batches"
	ruleIndex     = "the lists of unfinished work are complete"
	maxViolations = 1000
	tooManyDetail = "there are more violations than are listed"
)

// Check implements aggregator.Store. It reads the whole file, in time that
// grows with its size, and holds in memory a few numbers for each batch bucket and each pending
// report, but no report. The pages are checked first, during which nothing is written;
// the rest is one read transaction. It lists at most 1,000 violations.
func (s *store) Check(ctx context.Context) ([]aggregator.Violation, error) {
	c := &checker{ctx: ctx, store: s}
	if err := s.update(ctx, 0, func(t *txn) error { c.pages(t.tx); return nil }); err != nil {
		return nil, err
	}
	if len(c.violations) > 0 {
		return c.violations, nil // what such pages hold is not worth reading
	}
	filter := s.filter.Load()
	complete := filter != nil && filter.complete.Load()
	err := s.view(ctx, func(t *txn) error {
		if complete && s.filter.Load() == filter { // so it has whatever this transaction sees
			c.filter = filter
		}
		t.recent = nil // of the newest IDs nothing counts but what this transaction sees
		return c.records(t)
	})
	if err != nil {
		return nil, err
	}
	return c.violations, nil
}

// checker is one Check.
type checker struct {
	ctx        context.Context
	store      *store
	violations []aggregator.Violation
	filter     *idFilter // nil if it is not to be checked
	seen       int       // records
}

// report adds a violation.
func (c *checker) report(rule, format string, args ...any) {
	switch {
	case len(c.violations) < maxViolations:
		c.violations = append(c.violations, aggregator.Violation{Invariant: rule, Detail: fmt.Sprintf(format, args...)})
	case len(c.violations) == maxViolations:
		c.violations = append(c.violations, aggregator.Violation{Invariant: rule, Detail: tooManyDetail})
	}
}

// damaged reports the error of a record and goes on; other errors end the check.
func (c *checker) damaged(err error) error {
	var record *RecordError
	if errors.As(err, &record) {
		c.report(ruleDecodes, "%s: %s", record.Record, record.Problem)
		return nil
	}
	return err
}

// step is called for each record: it notices that the caller has given up, and
// keeps the memory small that the mapped file takes.
func (c *checker) step(t *txn) error {
	if c.seen++; c.seen%releaseInterval == 0 {
		releasePages(t.tx)
	}
	if c.seen%1024 == 0 {
		return firstError(c.ctx.Err(), c.store.interrupted())
	}
	return nil
}

// each calls f for the keys of a bucket. What f says is wrong with a record is reported.
func (c *checker) each(b bucket, f func(key, value []byte) error) error {
	return b.each(func(key, value []byte) error {
		if err := c.step(b.t); err != nil {
			return err
		}
		return c.damaged(f(key, value))
	})
}

// eachPieced calls f for the keys of a bucket's values, which may be in pieces; those with missing pieces are reported.
func (c *checker) eachPieced(b bucket, keyLength int, f func(key []byte) error) error {
	var order pieceOrder
	broken := func(key []byte) error { return b.damaged(key, "a piece before it, or of it, is missing") }
	err := c.each(b, func(key, _ []byte) error {
		if first := order.complete(); order.follows(key, keyLength) {
			if first {
				return f(key[:keyLength])
			}
			return nil
		}
		order = pieceOrder{}
		if len(key) == keyLength {
			return errors.Join(broken(key), f(key))
		}
		return broken(key)
	})
	if err == nil && !order.complete() {
		err = c.damaged(broken(order.key))
	}
	return err
}

// pages is the check of Open, and then bbolt's own, which trusts what it maps and would bring the process
// down on some pages. It needs a write transaction, because the list
// of free pages is not to change meanwhile.
func (c *checker) pages(tx *bolt.Tx) {
	c.violations = nil
	if err := c.file(); err != nil {
		c.report(rulePages, "%v", err)
		return
	}
	found := tx.Check()
	release := time.NewTicker(20 * time.Millisecond)
	defer release.Stop()
	for {
		select {
		case err, more := <-found:
			if !more {
				return
			}
			c.report(rulePages, "%v", err)
		case <-release.C:
			releasePages(tx)
		}
	}
}

// file checks the pages as the file has them.
func (c *checker) file() error {
	info, err := c.store.file.Stat()
	if err != nil {
		return err
	}
	return checkPages(c.store.file, info.Size(), everyLeaf)
}

// records checks what the file says.
func (c *checker) records(t *txn) error {
	if err := c.topLevel(t); err != nil {
		return err
	}
	return t.top(bucketData).b.ForEachBucket(func(key []byte) error {
		// A bucket that is missing makes space panic; the other tasks are checked nevertheless.
		return c.damaged(guard(func() error { return c.space(t, key) }))
	})
}

// topLevel checks tasks, keys and peerings.
func (c *checker) topLevel(t *txn) error {
	tasks, data := t.top(bucketTasks), t.top(bucketData)
	ordinals := make(map[uint64]bool)
	err := c.each(tasks, func(key, value []byte) error {
		task, ordinal, err := c.store.decodeTask(tasks, key, value)
		if err != nil {
			return err
		}
		if ordinals[ordinal] {
			c.report(ruleTask, "task %s has the place of another", task.ID)
		}
		ordinals[ordinal] = true
		if data.b.Bucket(key) == nil {
			c.report(ruleTask, "task %s has no data", task.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	keys, peerings := t.top(bucketHpkeKeys), t.top(bucketPeerings)
	return firstError(
		c.each(keys, func(key, value []byte) error {
			_, err := c.store.decodeHpkeKey(keys, key, value)
			return err
		}),
		c.each(peerings, func(key, value []byte) error {
			_, err := c.store.decodePeering(peerings, key, value)
			return err
		}),
	)
}

// space checks what belongs to one task.
func (c *checker) space(t *txn, key []byte) error {
	var id dap.TaskID
	if err := copyExactly("task ID", id[:], key); err != nil {
		return t.top(bucketData).damaged(key, "%v", err)
	}
	encoded := t.top(bucketTasks).get(key)
	if encoded == nil {
		c.report(ruleTask, "there is data of task %s, but no task", id)
	}
	sp, err := t.space(id)
	if err != nil {
		return err
	}
	if encoded != nil {
		task, _, err := c.store.decodeTask(t.top(bucketTasks), key, encoded)
		if err == nil && (task.Config.BatchMode != sp.mode || generationWidth(task.Config.TimePrecision) != sp.width) {
			c.report(ruleTask, "the shape of the data of task %s is not the task's", id)
		}
	}
	floor, err := sp.floor()
	if err != nil {
		return err
	}
	common := spaceChecker{checker: c, sp: sp, floor: floor, tallies: make(map[uint64]*tally), batches: make(map[uint64]dap.BatchID)}
	if c.store.role == dap.RoleLeader {
		l := leaderChecker{spaceChecker: common, members: make(sequenceSet), pending: make(sequenceSet), times: make(map[dap.Time]timeCounts), inJobs: make(map[dap.BatchID]uint64), lateTimes: make(map[dap.Time]uint64), lateBatches: make(map[dap.BatchID]uint64)}
		return l.check()
	}
	h := helperChecker{spaceChecker: common}
	return h.check()
}
