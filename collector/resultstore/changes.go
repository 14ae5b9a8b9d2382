package resultstore

import (
	"context"
	"encoding/binary"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
)

// Intend implements service.Store.
func (s *Store) Intend(ctx context.Context, c service.Collection) (service.Collection, error) {
	err := s.update(ctx, func(tx *bolt.Tx) error {
		sp, err := openSpace(tx, c.Task)
		if err != nil {
			return err
		}
		if err := sp.free(&c); err != nil {
			return err
		}
		if c.Number, err = sp.collections.NextSequence(); err != nil {
			return err
		}
		c.State = service.CollectionIntended
		return sp.put(&c)
	})
	return c, err
}

// free says, as an error, what stands in the way of a new collection.
func (sp *space) free(c *service.Collection) error {
	if !c.Start.IsZero() {
		return sp.overlapping(service.Span{Start: c.Start, End: c.End})
	}
	key, _ := sp.open.Cursor().First()
	if key == nil {
		return nil
	}
	if len(key) != 8 {
		return damaged(bucketOpen, key, "has another length")
	}
	return &service.OverlapError{Number: binary.BigEndian.Uint64(key)}
}

// change changes a collection, if f finds it in the right state.
func (s *Store) change(ctx context.Context, id dap.TaskID, number uint64, f func(sp *space, c *service.Collection) error) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		sp, err := openSpace(tx, id)
		if err != nil {
			return err
		}
		c, err := sp.get(number)
		if err != nil {
			return err
		}
		if err := f(sp, &c); err != nil {
			return err
		}
		return sp.put(&c)
	})
}

// waits tells whether a collection may still get a result.
func waits(c *service.Collection) bool {
	return c.State == service.CollectionIntended || c.State == service.CollectionAsked
}

// Asked implements service.Store.
func (s *Store) Asked(ctx context.Context, id dap.TaskID, number uint64, jobURL string) error {
	return s.change(ctx, id, number, func(_ *space, c *service.Collection) error {
		if !waits(c) {
			return service.ErrState
		}
		c.State, c.JobURL = service.CollectionAsked, jobURL
		return nil
	})
}

// Attempted implements service.Store.
func (s *Store) Attempted(ctx context.Context, id dap.TaskID, number uint64, attempts int, problem string, next time.Time) error {
	return s.change(ctx, id, number, func(_ *space, c *service.Collection) error {
		if !c.Open() {
			return service.ErrState
		}
		c.Attempts, c.LastError, c.NextAttempt = attempts, problem, next
		return nil
	})
}

// Finish implements service.Store.
func (s *Store) Finish(ctx context.Context, id dap.TaskID, number uint64, result service.Result) error {
	return s.change(ctx, id, number, func(sp *space, c *service.Collection) error {
		if c.State.HasResult() {
			return nil
		}
		if c.State != service.CollectionAsked {
			return service.ErrState
		}
		key := jobKey(c.JobURL)
		if sp.jobs.Get(key) != nil {
			return service.ErrSameJob
		}
		c.State, c.Result, c.EndedAt = service.CollectionStored, &result, result.CollectedAt
		c.Attempts, c.LastError, c.NextAttempt = 0, "", time.Time{}
		results, err := sp.number(keyResults)
		if err != nil {
			return err
		}
		latest, err := sp.number(keyLatest)
		if err != nil {
			return err
		}
		for _, put := range []error{
			sp.jobs.Put(key, be64(number)), sp.root.Put([]byte(keyResults), be64(results+1)), sp.root.Put([]byte(keyLatest), be64(max(latest, number))),
		} {
			if put != nil {
				return put
			}
		}
		return nil
	})
}

// Fail implements service.Store.
func (s *Store) Fail(ctx context.Context, id dap.TaskID, number uint64, reason service.Reason, problem string, at time.Time, told bool) error {
	return s.change(ctx, id, number, func(_ *space, c *service.Collection) error {
		if !waits(c) {
			return service.ErrState
		}
		c.State, c.Reason, c.Problem, c.EndedAt, c.Told = service.CollectionFailed, reason, problem, at, told
		c.Attempts, c.LastError, c.NextAttempt = 0, "", time.Time{}
		return nil
	})
}

// Conclude implements service.Store.
func (s *Store) Conclude(ctx context.Context, id dap.TaskID, number uint64) error {
	return s.change(ctx, id, number, func(_ *space, c *service.Collection) error {
		switch c.State {
		case service.CollectionStored:
			c.State = service.CollectionDone
		case service.CollectionFailed:
			c.Told = true
		case service.CollectionDone:
		default:
			return service.ErrState
		}
		c.Attempts, c.LastError, c.NextAttempt = 0, "", time.Time{}
		return nil
	})
}

// read runs f with the task's part of the file.
func (s *Store) read(ctx context.Context, id dap.TaskID, f func(sp *space) error) error {
	return s.view(ctx, func(tx *bolt.Tx) error {
		sp, err := openSpace(tx, id)
		if err != nil {
			return err
		}
		return f(sp)
	})
}

// Collection implements service.Store.
func (s *Store) Collection(ctx context.Context, id dap.TaskID, number uint64) (c service.Collection, err error) {
	err = s.read(ctx, id, func(sp *space) (err error) {
		c, err = sp.get(number)
		return err
	})
	return c, err
}

// Collections implements service.Store.
func (s *Store) Collections(ctx context.Context, id dap.TaskID, filter service.Filter) (all []service.Collection, err error) {
	err = s.read(ctx, id, func(sp *space) error {
		cursor := sp.collections.Cursor()
		for key, encoded := cursor.Last(); key != nil && (filter.Limit == 0 || len(all) < filter.Limit); key, encoded = cursor.Prev() {
			c, err := sp.decode(key, encoded)
			if err != nil {
				return err
			}
			if start, end := times(&c); filter.Contains(start, end) {
				all = append(all, c)
			}
		}
		return nil
	})
	return all, err
}

// times are what a filter looks at: the interval, that of the reports where the Leader selects, else the time at
// which it was intended.
func times(c *service.Collection) (start, end time.Time) {
	switch {
	case !c.Start.IsZero():
		return c.Start, c.End
	case c.Result != nil:
		return c.Result.Start, c.Result.End
	}
	return c.CreatedAt, c.CreatedAt.Add(1)
}

// OpenCollections implements service.Store.
func (s *Store) OpenCollections(ctx context.Context, id dap.TaskID) (open []service.Collection, err error) {
	err = s.read(ctx, id, func(sp *space) error {
		return sp.open.ForEach(func(key, _ []byte) error {
			if len(key) != 8 {
				return damaged(bucketOpen, key, "has another length")
			}
			c, err := sp.get(binary.BigEndian.Uint64(key))
			open = append(open, c)
			return err
		})
	})
	return open, err
}

// Taken implements service.Store.
func (s *Store) Taken(ctx context.Context, id dap.TaskID) (taken []service.Span, err error) {
	err = s.read(ctx, id, func(sp *space) error {
		return sp.taken.ForEach(func(key, entry []byte) error {
			span, _, err := takenSpan(key, entry)
			taken = append(taken, span)
			return err
		})
	})
	return taken, err
}

// Summary implements service.Store.
func (s *Store) Summary(ctx context.Context, id dap.TaskID) (summary service.Summary, err error) {
	err = s.read(ctx, id, func(sp *space) error {
		results, err := sp.number(keyResults)
		if err != nil {
			return err
		}
		latest, err := sp.number(keyLatest)
		if err != nil {
			return err
		}
		summary.Results = int(results)
		if latest > 0 {
			c, err := sp.get(latest)
			if err != nil {
				return err
			}
			summary.Latest = c.Result
		}
		return sp.newest(&summary)
	})
	return summary, err
}

// newest looks at the newest collections, as far back as they have failed.
func (sp *space) newest(summary *service.Summary) error {
	const most = 64 // enough for the longest rest
	cursor := sp.collections.Cursor()
	looked := 0
	for key, encoded := cursor.Last(); key != nil && looked < most; key, encoded = cursor.Prev() {
		c, err := sp.decode(key, encoded)
		if err != nil {
			return err
		}
		looked++
		if c.ByHand && c.Reason != service.ReasonBudget {
			continue
		}
		if summary.Last == nil {
			summary.Last = &c
		}
		if c.State != service.CollectionFailed {
			return nil
		}
		if c.Reason != service.ReasonTooSmall {
			summary.FailedInARow++
		}
	}
	return nil
}
