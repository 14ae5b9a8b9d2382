package storetest

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// What the model of a Helper knows of floors, and of what goes below them.

// exists notes that there is a leader-selected batch of that ID.
func (m *helperModelTask) exists(id dap.BatchID) {
	if _, there := m.batches[id]; !there && m.mode == dap.BatchModeLeaderSelected {
		m.known++
		m.batches[id] = m.known
	}
}

// committed notes what a step leaves of its job. verified: it has had reports for a batch.
func (m *helperModelTask) committed(job *aggregator.HelperJob, verified bool) {
	for i := range job.Reports {
		m.last[job.ID] = max(m.last[job.ID], job.Reports[i].Time)
	}
	if verified {
		m.exists(job.BatchID)
	}
	if at, there := m.batches[job.BatchID]; there && job.Counted > 0 && m.entered[job.ID] == 0 {
		m.entered[job.ID] = at
	}
}

// sweep raises a task's floor, and sweeps until nothing is left below it.
func (m *helperModel) sweep(*rapid.T) {
	task := m.task()
	floor := dap.Time(rapid.IntRange(0, modelTimes+1).Draw(m.T, "floor"))
	m.do(func() error {
		_, err := m.s.RaiseFloor(m.t.Context(), task.id, floor)
		return err
	}, nil, nil, func() { task.floor = max(task.floor, floor) })
	limits := aggregator.SweepLimits{Records: rapid.IntRange(1, 4).Draw(m.T, "records")}
	for more := true; more; {
		swept, err := m.s.Sweep(m.t.Context(), task.id, limits)
		m.t.ok(err)
		more = swept.More
	}
	if task.mode == dap.BatchModeTimeInterval {
		for i := range task.counted {
			task.counted[i].gone = task.counted[i].gone || task.counted[i].time < task.floor
		}
	}
	for id := range task.batches {
		task.sweepBatch(id)
	}
	task.sweepJobs()
}

// sweepBatch forgets a leader-selected batch if it is past.
func (m *helperModelTask) sweepBatch(id dap.BatchID) {
	if m.floor == 0 {
		return
	}
	collected, answered := m.collected(idBatch(id)), false
	for _, s := range m.shares {
		answered = answered || s.record.Batch.BatchID == id && !s.deleted
	}
	if !collected {
		for _, job := range m.jobs {
			if m.entered[job.ID] == m.batches[id] {
				return
			}
		}
	}
	_, count, _, times := m.aggregate(idBatch(id))
	switch {
	case count == 0 && (!collected || answered):
		return
	case count > 0 && times.Start+dap.Time(times.Duration) > m.floor:
		return
	}
	for i := range m.counted {
		m.counted[i].gone = m.counted[i].gone || m.counted[i].batch == id
	}
	if answered {
		return
	}
	delete(m.batches, id)
	for _, s := range m.shares {
		s.past = s.past || s.record.Batch.BatchID == id
	}
}

// sweepJobs forgets the jobs whose reports are all below the floor, and whose answers the Leader does not need.
func (m *helperModelTask) sweepJobs() {
	m.jobs = slices.DeleteFunc(m.jobs, func(job *aggregator.HelperJob) bool {
		at, there := m.batches[job.BatchID]
		needed := there && m.entered[job.ID] == at && !m.collected(idBatch(job.BatchID))
		if m.last[job.ID] >= m.floor || needed && m.mode == dap.BatchModeLeaderSelected {
			return false
		}
		delete(m.last, job.ID)
		delete(m.entered, job.ID)
		return true
	})
	for id, was := range m.deleted {
		if was && m.last[id] < m.floor {
			delete(m.deleted, id)
			delete(m.last, id)
		}
	}
}
