package simulation

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// A side is restored as the commands leader restore and helper restore do it: from a copy that was made while it ran,
// with a floor above whatever it has done since. Nothing of before then goes on, and nothing is released or counted again.

// restoreLeeway is by how much a restored side's floor is above its clock: by more than clocks are ever ahead.
const restoreLeeway = clockSlack + clockSkew

// indexOf is the place of a side in the model.
func indexOf(s side) int {
	if s == leader {
		return 0
	}
	return 1
}

func (w *world) databaseOf(s side) string { return filepath.Join(w.dir, string(s)+".db") }

func (w *world) copyOf(s side) string { return filepath.Join(w.dir, string(s)+".copy") }

func (w *world) storeOf(s side) stored {
	if s == leader {
		return w.leader.store()
	}
	return w.helper.store()
}

// copySide copies a side's database. If the disk fails, there is no copy.
func (w *world) copySide(s side) {
	path := w.copyOf(s)
	file, err := os.Create(path)
	if err != nil {
		w.violated(invariantRuns, "the copy of the %s: %v", s, err)
		return
	}
	err = w.storeOf(s).Copy(context.Background(), func(int64) (io.Writer, error) { return file, nil })
	if err = errors.Join(err, file.Close()); err == nil {
		err = store.MarkCopy(path, time.Now())
	}
	w.copied[indexOf(s)] = err == nil
	if err != nil && !errors.Is(err, aggregator.ErrUnavailable) {
		w.violated(invariantRuns, "the copy of the %s: %v", s, err)
	}
}

// restoreSide stops a side, and lets it go on from its copy. What has happened until then is checked first.
func (w *world) restoreSide(s side) {
	i := indexOf(s)
	if !w.copied[i] || !w.check(false) {
		return
	}
	if _, found := w.firstViolation(); found {
		return
	}
	restart, role := w.helper.restartWith, dap.RoleHelper
	if s == leader {
		restart, role = w.leader.restartWith, dap.RoleLeader
	}
	w.model.mu.Lock()
	w.noteClocks()
	until := w.model.clocks[i].Add(restoreLeeway) // a clock that was put back does not lower the floor of an earlier restore
	w.model.mu.Unlock()
	w.model.restore(i, until)
	if w.hooks.until != nil {
		until = w.hooks.until(until)
	}
	err := restart(true, func() error {
		if err := copyFile(w.databaseOf(s), w.copyOf(s)); err != nil {
			return err
		}
		_, err := store.Restore(context.Background(), w.databaseOf(s), role, storeKey, until, store.Options{NoSync: true})
		if err == nil && w.hooks.restored != nil {
			err = w.hooks.restored(s, w.databaseOf(s))
		}
		return err
	})
	if err != nil {
		w.violated(invariantRuns, "the %s is restored: %v", s, err)
	}
}

// copyFile puts a copy of a file into the place of another.
func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// restore enters into the model that a side is about to be restored.
func (m *model) restore(side int, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	floor := m.w.timeOf(until) + 1
	m.charged[side] = nil // what was charged since the copy is counted as spent
	m.restored[side], m.floor[side] = max(m.restored[side], floor), max(m.floor[side], floor)
	if side == 1 {
		return
	}
	for _, r := range m.reports {
		r.ended, r.gone = false, false // what became of it is of the past, and is not known any more
	}
	for _, j := range m.all {
		if !j.known && !j.tried {
			continue
		}
		if j.answer != nil {
			j.before = j.answer
		}
		j.restored, j.deleted, j.uncertain, j.answer, j.failure = true, true, true, nil, nil
	}
}

// mayStand tells whether the Leader may know a job with the request of j: from a copy, or because
// its deletion has failed. The model is locked.
func (m *model) mayStand(j *collectionJob) bool {
	return slices.ContainsFunc(m.all, func(other *collectionJob) bool {
		return (other.restored || other.uncertain) && string(other.request) == string(j.request)
	})
}

// givenUp checks a report at the Leader of before it was restored: it is known, and nothing happens with it any more.
func (c *checker) givenUp(r *report, standing *store.ReportStanding) {
	if r == nil || r.taken(standing.Time) == nil && (r.version(standing.Time) == nil || !r.version(standing.Time).maybe) {
		c.violated(invariantUnknown, "the restored Leader has report %s of time %d, which was not accepted", standing.ID, standing.Time)
		return
	}
	if standing.State == store.ReportOpen {
		c.violated(invariantBelow, "report %d of time %d goes on; the Leader was restored, and its floor is %d", r.number, standing.Time, c.m.restored[0])
	}
	r.present = r.present || r.accepted != nil && r.accepted.at == standing.Time
}

// lost tells whether a bucket that is there again may be of a leader-selected batch that the Helper has lost, and
// that the Leader goes on filling.
func (c *checker) lost(side int) bool {
	return side == 1 && c.LeaderSelected && c.m.restored[1] > 0
}

// lostPart tells whether the Helper has lost a leader-selected batch with some reports of it when it was restored, and may have begun it again
// with others before it was seen without it.
func (c *checker) lostPart(id aggregator.BucketID) bool {
	if _, collected := c.m.frozen[1][id]; collected || !c.lost(1) {
		return false
	}
	return slices.ContainsFunc(c.m.contents[0].Reports, func(s store.ReportStanding) bool {
		return s.State == store.ReportCounted && s.Bucket == id && s.Time < c.m.restored[1]
	})
}

// awaitFloors lets time pass until reports of now are accepted again.
func (w *world) awaitFloors() {
	w.model.mu.Lock()
	floor := max(w.model.restored[0], w.model.restored[1])
	w.model.mu.Unlock()
	for w.now() < floor {
		time.Sleep(precision)
	}
}
