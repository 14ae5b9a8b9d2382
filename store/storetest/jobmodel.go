package storetest

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// The operations of leaderModel on jobs that begin again, and on quarantine.

// bucketCollected tells whether the bucket of a job's report is collected.
func (m *modelTask) bucketCollected(job *aggregator.AggregationJob, r *modelReport) bool {
	batch := timeBatch(r.time, r.time+1)
	if m.mode == dap.BatchModeLeaderSelected {
		batch = idBatch(job.BatchID)
	}
	c := m.holder(batch)
	return c != nil && c.hasBatch
}

// quarantined returns the jobs in quarantine.
func (m *modelTask) quarantined() []*aggregator.AggregationJob {
	return slices.DeleteFunc(slices.Clone(m.jobs), func(job *aggregator.AggregationJob) bool { return job.State == aggregator.JobActive })
}

func (m *leaderModel) restartJob(*rapid.T) {
	task := m.task()
	if len(task.jobs) == 0 {
		return
	}
	job := rapid.SampledFrom(task.jobs).Draw(m.T, "job")
	var want error
	if job.State == aggregator.JobQuarantined {
		want = aggregator.ErrConflict
	}
	kept, refused := m.split(task, job)
	next := *job
	next.State, next.Quarantine = aggregator.JobActive, aggregator.Quarantine{}
	next.Reports, next.Step, next.States, next.HelperLocation = sequences(kept), 0, nil, ""
	next.Restarts++
	next.RequestDigest = [32]byte{byte(m.steps)}
	rejected := m.rejections(refused)
	m.do(func() error { return m.s.RestartAggregationJob(m.t.Context(), next, rejected) }, want, nil, func() {
		reject(task, rejected)
		*job = next
	})
}

func (m *leaderModel) quarantineJob(*rapid.T) {
	task := m.task()
	if len(task.jobs) == 0 {
		return
	}
	job := rapid.SampledFrom(task.jobs).Draw(m.T, "job")
	quarantine := aggregator.Quarantine{At: m.now(), Reason: "a reason", MayBeCounted: rapid.Bool().Draw(m.T, "may be counted")}
	m.do(func() error {
		return m.s.QuarantineAggregationJob(m.t.Context(), task.id, job.ID, quarantine)
	}, nil, nil, func() {
		if job.State == aggregator.JobQuarantined {
			return
		}
		job.State, job.Quarantine = aggregator.JobQuarantined, quarantine
		for _, sequence := range job.Reports {
			task.bySequence(sequence).state = modelQuarantined
		}
	})
}

// reactivated is what becomes of a job.
func (m *modelTask) reactivated(job *aggregator.AggregationJob) (active bool) {
	active = len(job.Reports) == 0
	for _, sequence := range job.Reports {
		active = active || !m.bucketCollected(job, m.bySequence(sequence))
	}
	if !active {
		for _, sequence := range job.Reports {
			r := m.bySequence(sequence)
			r.state, r.reason = modelRejected, dap.ReportErrorBatchCollected
		}
		m.jobs = slices.DeleteFunc(m.jobs, func(j *aggregator.AggregationJob) bool { return j == job })
		return false
	}
	job.State, job.Quarantine, job.Attempts = aggregator.JobActive, aggregator.Quarantine{}, 0
	job.Reactivations++
	for _, sequence := range job.Reports {
		m.bySequence(sequence).state = modelInJob
	}
	return true
}

func (m *leaderModel) reactivateJob(*rapid.T) {
	task := m.task()
	if len(task.jobs) == 0 {
		return
	}
	job := rapid.SampledFrom(task.jobs).Draw(m.T, "job")
	gone := job.State == aggregator.JobQuarantined
	for _, sequence := range job.Reports {
		gone = gone && task.bucketCollected(job, task.bySequence(sequence))
	}
	gone = gone && len(job.Reports) > 0
	var again error
	if gone {
		again = aggregator.ErrNotFound
	}
	var active bool
	m.do(func() (err error) {
		result, err := m.s.ReactivateAggregationJob(m.t.Context(), task.id, job.ID)
		if err == nil {
			active = result
		}
		return err
	}, nil, again, func() {
		if job.State == aggregator.JobQuarantined {
			task.reactivated(job)
		}
	})
	if active && gone {
		m.Fatalf("job %s is active, though its batches are collected", job.ID)
	}
}

func (m *leaderModel) reactivateQuarantined(*rapid.T) {
	task := m.task()
	c := m.collection(task)
	if c == nil {
		return
	}
	var want error
	switch {
	case c.deleted:
		want = aggregator.ErrNotFound
	case c.job.State != aggregator.CollectionPending && c.job.State != aggregator.CollectionClosed:
		want = aggregator.ErrConflict
	}
	var jobs []*aggregator.AggregationJob
	if !c.job.Reactivated {
		for _, job := range task.quarantined() {
			if slices.ContainsFunc(job.Reports, func(sequence uint64) bool {
				if task.mode == dap.BatchModeTimeInterval {
					return c.job.Batch.Interval.Contains(task.bySequence(sequence).time)
				}
				return job.BatchID == c.job.Batch.BatchID
			}) {
				jobs = append(jobs, job)
			}
		}
	}
	n := 0
	m.do(func() (err error) {
		n, err = m.s.ReactivateQuarantined(m.t.Context(), task.id, c.job.ID)
		return err
	}, want, nil, func() {
		for _, job := range jobs {
			task.reactivated(job)
			c.job.Reactivated = true
		}
	})
	if n != 0 && n != len(jobs) {
		m.Fatalf("%d jobs were reactivated, not %d", n, len(jobs))
	}
}

// compareUnfinished compares the jobs, those in quarantine too.
func (m *leaderModel) compareUnfinished(task *modelTask) {
	got, err := m.s.UnfinishedJobs(m.t.Context(), task.id)
	m.t.ok(err)
	if len(got) != len(task.jobs) {
		m.Fatalf("%d jobs are unfinished, not %d", len(got), len(task.jobs))
	}
	for i, job := range task.jobs {
		want := *job
		want.States = nil
		if !equalJobs(got[i], want) {
			m.Fatalf("unfinished job %d is\n%+v, not\n%+v", i, got[i], want)
		}
		one, err := m.s.AggregationJob(m.t.Context(), task.id, job.ID)
		m.t.ok(err)
		if !equalJobs(one, *job) {
			m.Fatalf("job %d is\n%+v, not\n%+v", i, one, *job)
		}
	}
}
