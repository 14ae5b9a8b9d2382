package storetest

import (
	"cmp"
	"slices"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// compare asks the store for everything, and checks it against the model.
func (m *leaderModel) compare(*rapid.T) {
	for _, task := range m.tasks {
		m.compareReports(task)
		m.compareJobs(task)
		m.compareBatches(task)
		m.compareCollections(task)
		comparePrivacy(m.t, m.s, task.id, task.private, task.charged)
	}
	violations, err := m.s.Check(m.t.Context())
	m.t.ok(err)
	for _, v := range violations {
		m.Errorf("%s: %s", v.Invariant, v.Detail)
	}
	if len(violations) > 0 {
		m.FailNow()
	}
}

func (m *leaderModel) compareReports(task *modelTask) {
	want := task.in(modelWaiting)
	slices.SortFunc(want, func(a, b *modelReport) int { return cmp.Compare(a.sequence, b.sequence) })
	got, err := m.s.WaitingReports(m.t.Context(), task.id, 0, 1000, 1<<30, nil)
	m.t.ok(err)
	if len(got) != len(want) {
		m.Fatalf("%d reports wait, not %d", len(got), len(want))
	}
	for i, r := range want {
		if !r.is(got[i]) {
			m.Fatalf("waiting report %d is %v, not %v", i, got[i], r)
		}
	}
	counts, err := m.s.Counts(m.t.Context(), task.id)
	m.t.ok(err)
	rejected := make(map[dap.ReportError]uint64)
	for _, r := range task.in(modelRejected) {
		rejected[r.reason]++
	}
	var collected uint64
	for _, c := range task.collections {
		collected += c.collected
	}
	number := func(states ...modelState) uint64 { return uint64(len(task.in(states...))) }
	if counts.Waiting != number(modelWaiting) || counts.InJobs != number(modelInJob) || counts.Quarantined != number(modelQuarantined) ||
		counts.Aggregated != number(modelCounted) || counts.Collected != collected || !mapsEqual(counts.Rejected, rejected) {
		m.Fatalf("counts are %+v", counts)
	}
	tasks, err := m.s.WaitingTasks(m.t.Context())
	m.t.ok(err)
	if tasks[task.id] != uint64(len(want)) {
		m.Fatalf("waiting tasks are %v", tasks)
	}
}

func mapsEqual(a, b map[dap.ReportError]uint64) bool {
	for e := range dap.ReportError(255) {
		if a[e] != b[e] {
			return false
		}
	}
	return true
}

func (r *modelReport) is(s aggregator.StoredReport) bool {
	return s.Sequence == r.sequence && s.ID == r.id && s.Time == r.time && string(s.Body) == r.body
}

func (m *leaderModel) compareJobs(task *modelTask) {
	all, err := m.s.AggregationJobs(m.t.Context())
	m.t.ok(err)
	got := slices.DeleteFunc(all, func(job aggregator.AggregationJob) bool { return job.Task != task.id })
	want := task.active()
	if len(got) != len(want) {
		m.Fatalf("%d jobs are active, not %d", len(got), len(want))
	}
	for i, job := range want {
		if !equalJobs(got[i], *job) {
			m.Fatalf("job %d is\n%+v, not\n%+v", i, got[i], *job)
		}
	}
	m.compareUnfinished(task)
	for _, job := range task.jobs {
		reports, err := m.s.JobReports(m.t.Context(), task.id, job.ID)
		m.t.ok(err)
		if len(reports) != len(job.Reports) {
			m.Fatalf("job %s has %d reports, not %d", job.ID, len(reports), len(job.Reports))
		}
		for i, sequence := range job.Reports {
			if r := task.bySequence(sequence); !r.is(reports[i]) {
				m.Fatalf("report %d of job %s is %v, not %v", i, job.ID, reports[i], r)
			}
		}
	}
}

func (m *leaderModel) compareBatches(task *modelTask) {
	batches := []aggregator.Batch{timeBatch(0, modelTimes), timeBatch(1, modelTimes-1)}
	for t := range dap.Time(modelTimes) {
		batches = append(batches, timeBatch(t, t+1))
	}
	if task.mode == dap.BatchModeLeaderSelected {
		batches = []aggregator.Batch{idBatch(batchID(1)), idBatch(batchID(2)), idBatch(batchID(3))}
	}
	for _, batch := range batches {
		got, err := m.s.ReadBatch(m.t.Context(), task.id, batch, Sums{})
		m.t.ok(err)
		sum, count, checksum, times := task.aggregate(batch)
		if sumOf(got) != sum || got.Count != count || got.Checksum != checksum || got.Interval != times {
			m.Fatalf("batch %v is %+v, not a sum of %d over %d reports of %v", batch, got, sum, count, times)
		}
		waiting, inJobs, err := m.s.PendingReports(m.t.Context(), task.id, batch)
		m.t.ok(err)
		if wantWaiting, wantInJobs := task.pending(batch); waiting != wantWaiting || inJobs != wantInJobs {
			m.Fatalf("in batch %v, %d reports wait and %d are in jobs, not %d and %d", batch, waiting, inJobs, wantWaiting, wantInJobs)
		}
	}
	var want []aggregator.OpenBatch
	for _, b := range task.batches {
		if task.holder(idBatch(b.id)) == nil {
			_, inJobs := task.pending(idBatch(b.id))
			_, count, _, _ := task.aggregate(idBatch(b.id))
			want = append(want, aggregator.OpenBatch{BatchID: b.id, InJobs: inJobs, Count: count, Closed: b.closed, CreatedAt: b.createdAt, Failures: b.failures, LastFailure: b.failure, FailedAt: b.failedAt})
		}
	}
	open, err := m.s.OpenBatches(m.t.Context(), task.id)
	m.t.ok(err)
	if !slices.Equal(open, want) {
		m.Fatalf("open batches are %+v, not %+v", open, want)
	}
}

func (m *leaderModel) compareCollections(task *modelTask) {
	var unfinished []aggregator.CollectionJob
	for _, c := range task.collections {
		got, err := m.s.CollectionJob(m.t.Context(), task.id, c.job.ID)
		if c.deleted {
			m.t.is(err, aggregator.ErrNotFound)
			continue
		}
		m.t.ok(err)
		if !equalCollections(got, c.job) {
			m.Fatalf("collection job %s is\n%+v, not\n%+v", c.job.ID, got, c.job)
		}
		if c.job.State == aggregator.CollectionPending || c.job.State == aggregator.CollectionClosed {
			unfinished = append(unfinished, c.job)
		}
	}
	all, err := m.s.CollectionJobs(m.t.Context())
	m.t.ok(err)
	got := slices.DeleteFunc(all, func(job aggregator.CollectionJob) bool { return job.Task != task.id })
	if !slices.EqualFunc(got, unfinished, equalCollections) {
		m.Fatalf("unfinished collection jobs are %+v, not %+v", got, unfinished)
	}
}
