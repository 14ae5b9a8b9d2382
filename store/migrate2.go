package store

import (
	"bytes"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// From version 1 to version 2: each task has a floor and knows its newest report time,
// a pending collection job reserves nothing, and a Helper's jobs are listed by the time of their reports.

// prepareVersion2 makes what version 1 has not, and notes the task's newest report time.
func prepareVersion2(s *store, sp *space, _ []byte) ([]byte, error) {
	newest, err := sp.newestStored()
	if err != nil {
		return nil, err
	}
	if s.role == dap.RoleLeader {
		return nil, sp.changeLeaderCounters(func(c *leaderCounters) { c.Newest = uint64(newest) })
	}
	sp.t.writes++
	if _, err := sp.root.b.CreateBucketIfNotExists([]byte(bucketJobTimes)); err != nil {
		return nil, err
	}
	return nil, sp.changeHelperCounters(func(c *helperCounters) { c.Newest = uint64(newest) })
}

// newestStored is the newest time of a report that is in a batch bucket or pending.
func (sp *space) newestStored() (newest dap.Time, err error) {
	buckets := sp.sub(bucketBuckets)
	err = buckets.each(func(key, encoded []byte) error {
		r, err := buckets.decodeBatchBucket(key, encoded)
		newest = max(newest, dap.Time(r.Last))
		return err
	})
	if err != nil || sp.t.role != dap.RoleLeader {
		return newest, err
	}
	times := sp.sub(bucketTimes)
	key, _ := times.b.Cursor().Last()
	if key == nil {
		return newest, nil
	}
	last, err := times.timeOf(key)
	return max(newest, last), err
}

// releasePending gives up what pending collection jobs have reserved.
func releasePending(_ *store, sp *space, cursor []byte) (next []byte, err error) {
	if sp.t.role != dap.RoleLeader || sp.mode != dap.BatchModeTimeInterval {
		return nil, nil
	}
	if cursor == nil {
		cursor = be64(0)
	}
	unfinished := sp.sub(bucketUnfinished)
	seen := 0
	err = unfinished.between(cursor, be64(^uint64(0)), func(ordinal, id []byte) (bool, error) {
		if seen++; seen > migrationPart {
			next = bytes.Clone(ordinal)
			return false, nil
		}
		if len(id) != len(dap.CollectionJobID{}) {
			return false, unfinished.damaged(ordinal, "it has %d bytes", len(id))
		}
		c, err := sp.collection(dap.CollectionJobID(id))
		if err != nil || c.job.State != aggregator.CollectionPending {
			return err == nil, err
		}
		return true, sp.dropHold(c.job.Batch, c.job.ID)
	})
	return next, err
}

// orderHelperJobs lists a Helper's jobs by the time of their newest report. Version 1 has
// not stored that time; a report was never more than a clock's error newer than its job.
func orderHelperJobs(s *store, sp *space, cursor []byte) (next []byte, err error) {
	if s.role != dap.RoleHelper {
		return nil, nil
	}
	tasks := sp.t.top(bucketTasks)
	task, _, err := s.decodeTask(tasks, sp.task[:], tasks.get(sp.task[:]))
	if err != nil {
		return nil, err
	}
	jobs := sp.sub(bucketJobs)
	part := make(map[dap.AggregationJobID]*storedHelperJob)
	err = jobs.between(cursor, bytes.Repeat([]byte{0xff}, len(dap.AggregationJobID{})), func(id, encoded []byte) (bool, error) {
		if len(part) == migrationPart {
			next = bytes.Clone(id)
			return false, nil
		}
		stored, err := sp.decodeHelperJob(id, encoded)
		if err == nil {
			part[stored.job.ID] = stored
		}
		return err == nil, err
	})
	if err != nil {
		return nil, err
	}
	for id, stored := range part {
		last, err := task.Config.TimePrecision.TimeOf(stored.job.CreatedAt.Add(24 * time.Hour))
		if err != nil {
			return nil, jobs.damaged(id[:], "it was made at %v", stored.job.CreatedAt)
		}
		stored.record.Last = uint64(last)
		if err := firstError(jobs.put(id[:], encodeRecord(stored.record)), sp.listHelperJob(id, stored.record.Last)); err != nil {
			return nil, err
		}
	}
	return next, nil
}
