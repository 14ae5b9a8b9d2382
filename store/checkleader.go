package store

import (
	"bytes"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// leaderChecker checks what a Leader keeps of a task. The waiting reports
// and the jobs come first, then what refers to them.
type leaderChecker struct {
	spaceChecker
	members sequenceSet // reports in jobs
	pending sequenceSet // reports that wait, are in a job or have a body
	times   map[dap.Time]timeCounts
	inJobs  map[dap.BatchID]uint64 // reports in active jobs
	// Those of them whose jobs were in quarantine: their batches may be collected.
	lateTimes   map[dap.Time]uint64
	lateBatches map[dap.BatchID]uint64

	counted leaderCounters // what the counters should be
}

func (c *leaderChecker) check() error {
	for _, part := range []func() error{
		c.waiting, c.jobs, c.jobReports, c.activeJobs, c.bodies, c.leaderBatches, c.openBatches, c.ids, c.buckets,
		c.pendingTimes, c.collections, c.requests, c.unfinished, c.taken, c.closed, c.ledger, c.counters,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// waiting checks the waiting reports.
func (c *leaderChecker) waiting() error {
	b := c.sp.sub(bucketWaiting)
	return c.each(b, func(key, value []byte) error {
		sequence, err := b.ordinalOf(key)
		if err != nil {
			return err
		}
		entry, err := decodeWaiting(value)
		if err != nil {
			return b.damaged(key, "%v", err)
		}
		c.counted.Waiting++
		counts := c.times[entry.time]
		counts.waiting++
		c.times[entry.time] = counts
		return c.pendingReport("a waiting report", member{sequence, entry})
	})
}

// pendingReport checks a report that waits or is in a job.
func (c *leaderChecker) pendingReport(where string, m member) error {
	c.pending.add(m.sequence)
	if !c.sp.sub(bucketBodies).hasPieces(be64(m.sequence)) {
		c.report(ruleBody, "task %s: report %d, %s, has no body", c.sp.task, m.sequence, where)
	}
	ids, err := c.sp.reportIDs()
	if err != nil {
		return err
	}
	entry, _, found, err := ids.find(&m.id)
	if err != nil {
		return err
	}
	switch {
	case !found:
		c.report(ruleOneState, "task %s: report %d, %s, is not among the report IDs", c.sp.task, m.sequence, where)
	case entry.state != idOpen || entry.sequence != m.sequence || entry.time != m.time:
		c.report(ruleOneState, "task %s: report %d, %s, has ID %s, which is not open for it", c.sp.task, m.sequence, where, m.id)
	}
	return nil
}

// jobs checks the aggregation jobs and their reports.
func (c *leaderChecker) jobs() error {
	b := c.sp.sub(bucketJobs)
	return c.each(b, func(key, value []byte) error {
		record, job, err := b.decodeJob(key, value)
		if err != nil {
			return err
		}
		if record.active() && !bytes.Equal(c.sp.sub(bucketActive).get(be64(record.Ordinal)), key) {
			c.report(ruleIndex, "task %s: active job %s is not listed", c.sp.task, job.ID)
		}
		if !c.sp.sub(bucketJobReports).hasPieces(key) {
			c.report(ruleJob, "task %s: job %s has no list of reports", c.sp.task, job.ID)
			return nil
		}
		members, err := c.sp.members(key)
		if err != nil {
			return err
		}
		if job.Step == 0 && len(job.States) != 0 || len(job.States) != 0 && len(job.States) != len(members) {
			c.report(ruleJob, "task %s: job %s has %d states for %d reports", c.sp.task, job.ID, len(job.States), len(members))
		}
		for _, m := range members {
			if err := c.member(record, &job, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// member checks a report of a job.
func (c *leaderChecker) member(record *jobRecord, job *aggregator.AggregationJob, m member) error {
	if err := c.step(c.sp.t); err != nil {
		return err
	}
	if !c.members.add(m.sequence) {
		c.report(ruleOneState, "task %s: report %d of job %s is in two jobs, or twice in one", c.sp.task, m.sequence, job.ID)
	}
	if c.sp.sub(bucketWaiting).get(be64(m.sequence)) != nil {
		c.report(ruleOneState, "task %s: report %d of job %s waits as well", c.sp.task, m.sequence, job.ID)
	}
	if record.active() {
		c.counted.InJobs++
		counts := c.times[m.time]
		counts.inJobs++
		c.times[m.time] = counts
		c.inJobs[job.BatchID]++
		if record.Reactivations > 0 {
			c.lateTimes[m.time]++
			c.lateBatches[job.BatchID]++
		}
	} else {
		c.counted.Quarantined++
	}
	return c.damaged(c.pendingReport("in job "+job.ID.String(), m))
}

func (c *leaderChecker) jobReports() error {
	return c.eachPieced(c.sp.sub(bucketJobReports), len(dap.AggregationJobID{}), func(key []byte) error {
		if c.sp.sub(bucketJobs).get(key) == nil {
			c.report(ruleJob, "task %s: a list of reports of job %x, which does not exist", c.sp.task, key)
		}
		return nil
	})
}

func (c *leaderChecker) activeJobs() error {
	b := c.sp.sub(bucketActive)
	return c.each(b, func(key, id []byte) error {
		ordinal, err := b.ordinalOf(key)
		if err != nil {
			return err
		}
		encoded := c.sp.sub(bucketJobs).get(id)
		if encoded == nil {
			c.report(ruleIndex, "task %s: job %x is listed as active, but does not exist", c.sp.task, id)
			return nil
		}
		record, job, err := c.sp.sub(bucketJobs).decodeJob(id, encoded)
		if err != nil {
			return nil // reported by jobs
		}
		if !record.active() || record.Ordinal != ordinal {
			c.report(ruleIndex, "task %s: job %s is listed as active, but is not that job", c.sp.task, job.ID)
		}
		return nil
	})
}

// bodies checks that each body belongs to a pending report.
func (c *leaderChecker) bodies() error {
	b := c.sp.sub(bucketBodies)
	return c.eachPieced(b, 8, func(key []byte) error {
		sequence, err := b.ordinalOf(key)
		if err != nil {
			return err
		}
		c.pending.add(sequence)
		if !c.members.has(sequence) && c.sp.sub(bucketWaiting).get(key) == nil {
			c.report(ruleBody, "task %s: the body of report %d belongs to no pending report", c.sp.task, sequence)
		}
		return nil
	})
}

// leaderBatches checks the leader-selected batches.
func (c *leaderChecker) leaderBatches() error {
	err := c.eachBatch(func(id dap.BatchID, r *batchRecord) error {
		if r.InJobs != c.inJobs[id] {
			c.report(ruleBatch, "task %s: batch %s says that %d of its reports are in jobs, %d are", c.sp.task, id, r.InJobs, c.inJobs[id])
		}
		delete(c.inJobs, id)
		if listed := bytes.Equal(c.sp.sub(bucketOpen).get(be64(r.Ordinal)), id[:]); listed != (r.Hold == 0) {
			c.report(ruleIndex, "task %s: batch %s is open: %t, listed as open: %t", c.sp.task, id, r.Hold == 0, listed)
		}
		if r.Hold == 0 {
			return nil
		}
		if r.Hold == holdCollected && (!r.Closed || r.InJobs > c.lateBatches[id]) {
			c.report(rulePending, "task %s: batch %s is collected, closed: %t, with %d reports in jobs", c.sp.task, id, r.Closed, r.InJobs)
		}
		return c.holder(r.Hold, dap.CollectionJobID(r.Owner), aggregator.Batch{Mode: c.sp.mode, BatchID: id})
	})
	if c.sp.mode == dap.BatchModeLeaderSelected {
		for id, n := range c.inJobs {
			c.report(ruleBatch, "task %s: batch %s does not exist, but %d of its reports are in jobs", c.sp.task, id, n)
		}
	}
	return err
}

// holder checks that a batch that is reserved belongs to a collection job that wants it.
func (c *leaderChecker) holder(h hold, owner dap.CollectionJobID, batch aggregator.Batch) error {
	if h != holdReserved {
		return nil // a collected batch may outlive its collection job
	}
	encoded := c.sp.sub(bucketCollections).get(owner[:])
	if encoded == nil {
		c.report(ruleHold, "task %s: a batch is reserved by collection job %s, which does not exist", c.sp.task, owner)
		return nil
	}
	collection, err := c.sp.decodeCollection(owner[:], encoded)
	if err != nil {
		return nil // reported by collections
	}
	if !collection.record.unfinished() || collection.job.Batch != batch {
		c.report(ruleHold, "task %s: a batch is reserved by collection job %s, which is over or has another", c.sp.task, owner)
	}
	return nil
}

func (c *leaderChecker) openBatches() error {
	return c.each(c.sp.sub(bucketOpen), func(key, id []byte) error {
		ordinal, _ := uint64At(key)
		if batch, ok := c.batches[ordinal]; !ok || !bytes.Equal(batch[:], id) {
			c.report(ruleIndex, "task %s: batch %x is listed as open, but does not exist", c.sp.task, id)
		}
		return nil
	})
}

// ids checks the report IDs.
func (c *leaderChecker) ids() error {
	return c.reportIDs(func(id dap.ReportID, e idEntry) error {
		switch e.state {
		case idRejected:
			c.counted.reject(e.error, 1)
		case idOpen:
			if c.sp.leavesOpen() && !c.pending.has(e.sequence) && e.sequence-1 < c.sp.sub(bucketBodies).b.Sequence() {
				c.tally(id, e.counted())
				return nil
			}
			value := c.sp.sub(bucketWaiting).get(be64(e.sequence))
			waits := len(value) == waitingLength && bytes.Equal(value[8:], id[:])
			if !waits && !c.members.has(e.sequence) {
				c.report(ruleNotLost, "task %s: report %s (%d) was accepted, but neither waits nor is in a job", c.sp.task, id, e.sequence)
			}
		}
		return nil
	})
}

// pendingTimes compares the numbers of pending reports by time.
func (c *leaderChecker) pendingTimes() error {
	b := c.sp.sub(bucketTimes)
	err := c.each(b, func(key, value []byte) error {
		t, err := b.timeOf(key)
		if err != nil {
			return err
		}
		counts, err := decodeTimeCounts(b, key, value)
		if err != nil {
			return err
		}
		if want := c.times[t]; counts != want {
			c.report(ruleCounters, "task %s: at time %d, %d reports wait and %d are in jobs; recorded are %d and %d", c.sp.task, uint64(t), want.waiting, want.inJobs, counts.waiting, counts.inJobs)
		}
		delete(c.times, t)
		return nil
	})
	for t, counts := range c.times {
		c.report(ruleCounters, "task %s: at time %d, %d reports wait and %d are in jobs; nothing is recorded", c.sp.task, uint64(t), counts.waiting, counts.inJobs)
	}
	return err
}

func (c *leaderChecker) counters() error {
	got, err := c.sp.leaderCounters()
	if err != nil {
		return c.damaged(err)
	}
	c.number("waiting", got.Waiting, c.counted.Waiting)
	c.number("in-job", got.InJobs, c.counted.InJobs)
	c.number("quarantined", got.Quarantined, c.counted.Quarantined)
	c.number("aggregated", got.Aggregated, c.aggregated+got.ForgottenAggregated)
	c.number("collected", got.Collected, c.collected+got.ForgottenCollected)
	for e := range 256 {
		if n := c.counted.Rejected[uint8(e)] + got.ForgottenRejected[uint8(e)]; n != got.Rejected[uint8(e)] {
			c.number("rejected ("+dap.ReportError(e).String()+")", got.Rejected[uint8(e)], n)
		}
	}
	return nil
}
