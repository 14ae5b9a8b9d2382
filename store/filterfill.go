package store

import (
	"bytes"
	"context"
	"errors"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// fillChunk is how many IDs are read in one transaction. A read transaction keeps pages from being used again, and
// so must be short.
const fillChunk = 1 << 14

// firstFilter takes the filter that was left for the database, or starts with a new one.
func (s *store) firstFilter() {
	if s.options.FilterBytes < 0 {
		return
	}
	if f := s.loadFilter(); f != nil {
		s.filter.Store(f)
		return
	}
	s.startFilter()
}

// startFilter makes a new filter, and begins to fill it. The caller is the committer between two transactions, or
// Open: an ID is then either there for fillFilter to find, or will be put in when it is added.
func (s *store) startFilter() {
	if s.options.FilterBytes < 0 {
		return
	}
	var ids uint64
	// The number is a guess: while old IDs are deleted the counters have forgotten some that are there.
	_ = s.view(s.fillContext, func(t *txn) (err error) {
		ids, err = t.countIDs()
		return err
	})
	if old := s.filter.Load(); old != nil {
		ids = max(ids, old.found)
	}
	f := newIDFilter(ids, s.options.FilterBytes)
	s.filter.Store(f)
	s.filling.Go(func() { s.fillFilter(s.fillContext, f) })
}

// fillFilter puts all IDs in that are there. If they cannot be read the filter stays incomplete, and is of no use.
func (s *store) fillFilter(ctx context.Context, f *idFilter) {
	var at idPosition
	for !at.end {
		next := at
		err := s.view(ctx, func(t *txn) error {
			err := next.fill(t, f, fillChunk)
			if mappedMemory() > s.options.MappedBytes {
				releasePages(t.tx)
			}
			return err
		})
		switch {
		case err == nil:
			at = next
		case ctx.Err() != nil || !errors.Is(err, aggregator.ErrUnavailable):
			return
		default:
			select {
			case <-ctx.Done():
				return
			case <-time.After(s.options.RetryInterval):
			}
		}
	}
	f.found = at.found
	f.complete.Store(true)
}

// idPosition is how far fillFilter has come: up to this entry. What is added behind it meanwhile is in the filter already.
type idPosition struct {
	task   []byte
	part   int
	bucket []byte // a log or a generation
	key    []byte
	found  uint64 // IDs
	end    bool
}

// The parts of a task's index. IDs are moved from the logs into the generations. So whatever is not found in a log any more is found in a generation later.
const (
	fillLogs = iota
	fillGenerations
	fillParts
)

// fill puts the next IDs in, at most so many.
func (p *idPosition) fill(t *txn, f *idFilter, left int) error {
	data := t.top(bucketData)
	err := fromBucket(data.b, p.task, func(key []byte, space *bolt.Bucket) error {
		var task dap.TaskID
		if err := copyExactly("task ID", task[:], key); err != nil {
			return data.damaged(key, "%v", err)
		}
		if !bytes.Equal(key, p.task) {
			p.task, p.part, p.bucket, p.key = bytes.Clone(key), fillLogs, nil, nil
		}
		for ; p.part < fillParts; p.part, p.bucket, p.key = p.part+1, nil, nil {
			if err := p.fillPart(space, f, &task, &left); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	p.end = err == nil
	return err
}

// fillPart puts the next IDs of a part in.
func (p *idPosition) fillPart(space *bolt.Bucket, f *idFilter, task *dap.TaskID, left *int) error {
	name := map[int]string{fillLogs: bucketRecent, fillGenerations: bucketIDs}[p.part]
	return fromBucket(space.Bucket([]byte(name)), p.bucket, func(key []byte, ids *bolt.Bucket) error {
		if !bytes.Equal(key, p.bucket) {
			p.bucket, p.key = bytes.Clone(key), nil
		}
		return p.fillBucket(ids, f, task, left)
	})
}

// fillBucket puts the next IDs of a log or a generation in. errEnough: there are more of them than are left for this time.
func (p *idPosition) fillBucket(ids *bolt.Bucket, f *idFilter, task *dap.TaskID, left *int) error {
	cursor := ids.Cursor()
	group := make([][]byte, 0, filterGroup)
	key, value := cursor.Seek(p.key)
	for ; key != nil && *left > 0; key, value = cursor.Next() {
		id := key
		if p.part == fillLogs {
			id = value[:min(len(value), len(dap.ReportID{}))]
		}
		if group = append(group, id); len(group) == filterGroup {
			f.add(task, group...)
			group = group[:0]
		}
		p.found++
		*left--
	}
	f.add(task, group...)
	if key == nil {
		return nil
	}
	p.key = bytes.Clone(key) // the next time begins with it
	return errEnough
}

// fromBucket calls f for the buckets in a bucket, from a key on.
func fromBucket(b *bolt.Bucket, first []byte, f func(key []byte, b *bolt.Bucket) error) error {
	cursor := b.Cursor()
	for key, value := cursor.Seek(first); key != nil; key, value = cursor.Next() {
		if value != nil {
			continue
		}
		if err := f(key, b.Bucket(key)); err != nil {
			return err
		}
	}
	return nil
}

// countIDs is how many report IDs there are, by the counters: all of a Leader's accepted reports and all that a Helper
// has counted, but for those that were forgotten.
func (t *txn) countIDs() (n uint64, err error) {
	err = t.eachSpace(func(sp *space) error {
		ids, err := sp.countIDs()
		n += ids
		return err
	})
	return n, err
}

func (sp *space) countIDs() (uint64, error) {
	if sp.t.role == dap.RoleHelper {
		c, err := sp.helperCounters()
		return c.Aggregated - min(c.Aggregated, c.ForgottenAggregated), err
	}
	c, err := sp.leaderCounters()
	known, forgotten := c.Waiting+c.InJobs+c.Quarantined+c.Aggregated, c.ForgottenAggregated
	for reason, n := range c.Rejected {
		known += n
		forgotten += c.ForgottenRejected[reason]
	}
	return known - min(known, forgotten), err
}
