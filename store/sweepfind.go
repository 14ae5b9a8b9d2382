package store

import (
	"bytes"
	"errors"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// findSweep finds out what a sweep of a task can delete.
func (s *store) findSweep(sp *space, limits aggregator.SweepLimits) (w sweep, err error) {
	w = sweep{limits: limits}
	floor, err := sp.floor()
	if err != nil {
		return w, err
	}
	if w.minBatch, err = s.minBatchSize(sp); err != nil {
		return w, err
	}
	if sp.mode == dap.BatchModeLeaderSelected && floor > 0 {
		batches := sp.sub(bucketBatches)
		err = batches.each(func(key, _ []byte) error {
			var id dap.BatchID
			if err := copyExactly("batch ID", id[:], key); err != nil {
				return batches.damaged(key, "%v", err)
			}
			_, _, past, err := sp.pastBatch(id, floor, w.minBatch, limits.Ended)
			if past && err == nil {
				if w.batches = append(w.batches, id); len(w.batches) >= limits.Records {
					return errEnough
				}
			}
			return err
		})
		if err != nil && !errors.Is(err, errEnough) {
			return w, err
		}
	}
	if err := w.findAnswers(sp); err != nil {
		return w, err
	}
	past, err := sp.hasPast(floor, limits.Ended)
	w.any = past || len(w.batches)+len(w.answers) > 0
	return w, err
}

func (s *store) minBatchSize(sp *space) (uint64, error) {
	tasks := sp.t.top(bucketTasks)
	task, _, err := s.decodeTask(tasks, sp.task[:], tasks.get(sp.task[:]))
	return task.Config.MinBatchSize, err
}

// findAnswers finds the answers that are older than is kept.
func (w *sweep) findAnswers(sp *space) error {
	if w.limits.AnswersBefore.IsZero() {
		return nil
	}
	name := bucketShares
	if sp.t.role == dap.RoleLeader {
		name = bucketCollections
	}
	b := sp.sub(name)
	err := b.each(func(key, encoded []byte) error {
		var old bool
		if sp.t.role == dap.RoleLeader {
			c, err := sp.decodeCollection(key, encoded)
			if err != nil {
				return err
			}
			old = c.isOld(w.limits.AnswersBefore)
		} else {
			share, err := sp.decodeShare(key, encoded)
			if err != nil {
				return err
			}
			old = share.CreatedAt.Before(w.limits.AnswersBefore)
		}
		if old {
			if w.answers = append(w.answers, bytes.Clone(key)); len(w.answers) >= w.limits.Records {
				return errEnough
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// hasPast tells whether there is something below the floor that is found by its key.
func (sp *space) hasPast(floor dap.Time, ended bool) (bool, error) {
	if floor == 0 {
		return false, nil
	}
	names := []string{bucketJobTimes}
	if sp.t.role == dap.RoleLeader {
		names = []string{bucketTimes}
	}
	if sp.mode == dap.BatchModeTimeInterval {
		names = append(names, bucketBuckets, bucketTaken)
		if sp.t.role == dap.RoleLeader {
			names = append(names, bucketClosed)
		}
	}
	for _, name := range names {
		key, _ := sp.sub(name).b.Cursor().First()
		if len(key) >= 8 && bytes.Compare(key[:8], be64(uint64(floor))) < 0 {
			return true, nil
		}
	}
	if sp.t.role == dap.RoleLeader && sp.hasInactive() {
		return true, nil
	}
	ids, err := sp.reportIDs()
	if err != nil {
		return false, err
	}
	if len(ids.generations) > 0 && ids.isPast(0, floor, ended) {
		return true, nil
	}
	return ids.recent.areBelow(floor, ended)
}

// hasInactive tells whether there is an aggregation job that is not active.
func (sp *space) hasInactive() bool {
	jobs, active := sp.sub(bucketJobs).b.Cursor(), sp.sub(bucketActive).b.Cursor()
	job, _ := jobs.First()
	listed, _ := active.First()
	for job != nil && listed != nil {
		job, _ = jobs.Next()
		listed, _ = active.Next()
	}
	return job != nil
}
