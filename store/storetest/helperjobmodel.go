package storetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
)

// The operations of helperModel on jobs that fail and are put in quarantine.

func (m *helperModel) recordAttempt(*rapid.T) {
	task := m.task()
	id := m.jobID()
	job := task.job(id)
	step := uint16(rapid.IntRange(0, 2).Draw(m.T, "step"))
	var want error
	if job == nil {
		want = aggregator.ErrNotFound
	}
	apply := func() {
		if job.Pending && job.Step == step {
			job.Attempts++
			job.LastError = "a problem"
		}
	}
	// An attempt whose recording failed may be counted twice.
	m.f.Fail(NoFault)
	err := m.s.RecordHelperAttempt(m.t.Context(), task.id, id, step, "a problem")
	m.t.is(err, want)
	if want == nil {
		apply()
	}
}

func (m *helperModel) quarantineJob(*rapid.T) {
	task := m.task()
	id := m.jobID()
	job := task.job(id)
	m.steps++
	quarantine := aggregator.Quarantine{At: time.Unix(int64(m.steps), 0).UTC(), Reason: "a reason"}
	var want error
	switch {
	case job == nil:
		want = aggregator.ErrNotFound
	case job.Quarantined():
	case job.Finished() || job.Counted > 0:
		want = aggregator.ErrConflict
	}
	m.do(func() error { return m.s.QuarantineHelperJob(m.t.Context(), task.id, id, quarantine) }, want, nil, func() {
		if job.Quarantined() {
			return
		}
		job.Quarantine = quarantine
		if job.Pending && job.Step > 0 {
			job.Step--
			job.RequestDigest = [32]byte{}
		}
		job.Pending, job.Request, job.Attempts = false, nil, 0
	})
}

func (m *helperModel) releaseJob(*rapid.T) {
	task := m.task()
	id := m.jobID()
	job := task.job(id)
	var want, again error
	if job == nil {
		want = aggregator.ErrNotFound
	} else if job.Quarantined() && len(job.Reports) == 0 {
		again = aggregator.ErrNotFound
	}
	m.do(func() error { return m.s.ReleaseHelperJob(m.t.Context(), task.id, id) }, want, again, func() {
		switch {
		case !job.Quarantined():
		case len(job.Reports) == 0:
			task.jobs = slices.DeleteFunc(task.jobs, func(j *aggregator.HelperJob) bool { return j == job })
			delete(task.last, id)
			delete(task.entered, id)
		default:
			job.Quarantine, job.LastError = aggregator.Quarantine{}, ""
		}
	})
}

// compareUnfinished compares what an operator sees.
func (m *helperModel) compareUnfinished(task *helperModelTask) {
	for _, finished := range []bool{false, true} {
		got, err := m.s.HelperJobs(m.t.Context(), task.id, finished)
		m.t.ok(err)
		n := 0
		for _, want := range task.jobs {
			if want.Finished() && !finished {
				continue
			}
			if n >= len(got) || got[n].ID != want.ID || got[n].Quarantine != want.Quarantine || len(got[n].Reports) != len(want.Reports) {
				m.Fatalf("job %d is not %s, in the list %+v", n, want.ID, got)
			}
			n++
		}
		if n != len(got) {
			m.Fatalf("there are %d jobs, not %d", len(got), n)
		}
	}
}
