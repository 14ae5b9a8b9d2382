package conformance

import (
	"bytes"
	"slices"
	"testing"
)

// sharing is a task whose Helper has aggregated three reports, one in each of its
// first three buckets, and a request for its share of the first ten.
type sharing struct {
	*wireTask
	reports []wireReport
	leader  []byte // aggregate share
	request wireShareReq
}

func newSharing(s *wireSystem) *sharing {
	s.t.Helper()
	task := s.newTask(taskOptions{minBatch: 3})
	c := &sharing{wireTask: task}
	for i := range uint64(3) {
		c.reports = append(c.reports, task.report(reportOptions{measurement: 100 + i, at: i}))
	}
	c.leader = task.aggregate(c.reports...)
	c.request = wireShareReq{
		collectionReq: task.collectionReq(task.interval(0, 10)), selector: task.interval(0, 10),
		count: 3, checksum: checksumOf(c.reports...),
	}
	return c
}

// wantShare fails the test unless the answer holds the Helper's aggregate share
// of the reports.
func (c *sharing) wantShare(response wireResponse) {
	c.t().Helper()
	response.wantReady("aggregate-share")
	helper := c.openAggregateShare(roleHelper, c.request.collectionReq, readAggregateShare(c.t(), response.body))
	got, err := c.vdaf.unshard(nil, [][]byte{c.leader, helper}, c.request.count)
	must(c.t(), err)
	if want := sumOf(c.reports...); got[0] != want {
		c.t().Errorf("the result is %v; want %d", got, want)
	}
}

// TestAggregateShare obtains an aggregate share, again and again (DAP Section
// 4.6.4), and deletes it (DAP Section 4.6.5).
func TestAggregateShare(t *testing.T) {
	s := newSystem(t, systemOptions{})
	c := newSharing(s)
	created := c.createAggregateShare(c.request.encode())
	c.wantShare(created)
	s.run(t, "the same request again", func(t *testing.T) {
		again := c.createAggregateShare(c.request.encode())
		if again.location() != created.location() || !bytes.Equal(again.body, created.body) {
			t.Errorf("another resource: %s", again.location())
		}
		if got := c.get(created.location()); !bytes.Equal(got.body, created.body) {
			t.Error("GET has another answer")
		}
	})
	late := c.report(reportOptions{measurement: 7, at: 2})
	unused := c.report(reportOptions{measurement: 7, at: 9})
	outside := c.report(reportOptions{measurement: 7, at: 10})
	refusesLate := func(t *testing.T) {
		if got := c.rejections(nil, nil, late, unused); !slices.Equal(got, []byte{errBatchCollected, errBatchCollected}) {
			t.Errorf("late reports: report errors %v", got)
		}
		c.wantAggregated(3)
	}
	s.run(t, "late reports", refusesLate)
	s.run(t, "deletion", func(t *testing.T) {
		c.remove(created.location()).wantEmpty()
		c.get(created.location()).wantStatus(404)
		c.remove(created.location()).wantStatus(404)
		refusesLate(t)
		if got := c.rejections(nil, nil, c.reports[0]); !slices.Equal(got, []byte{errReportReplayed}) && !slices.Equal(got, []byte{errBatchCollected}) {
			t.Errorf("a replay: report errors %v", got)
		}
		c.createAggregateShare(c.request.encode()).wantProblem("batchOverlap")
	})
	s.run(t, "a report of another bucket", func(t *testing.T) {
		if got := c.rejections(nil, nil, outside); !slices.Equal(got, []byte{0}) {
			t.Errorf("report errors %v", got)
		}
	})
}

// TestAggregateShareRefuses sends requests that fail (DAP Section 4.6.4). None of
// them changes anything: the right one is answered afterwards.
func TestAggregateShareRefuses(t *testing.T) {
	s := newSystem(t, systemOptions{})
	c := newSharing(s)
	unknown := s.newTask(taskOptions{unknown: true})
	query := func(query []byte) func(*wireShareReq) {
		return func(r *wireShareReq) { r.collectionReq = c.collectionReq(query) }
	}
	selector := func(selector []byte) func(*wireShareReq) {
		return func(r *wireShareReq) { r.selector = selector }
	}
	extensions := func(list ...wireExtension) func(*wireShareReq) {
		return func(r *wireShareReq) {
			r.collectionReq = wireCollectionReq(c.interval(0, 10), nil, wireExtensions(list...))
		}
	}
	next := wireQuery(modeLeaderSelected, nil)
	for name, test := range map[string]struct {
		change      func(*wireShareReq)
		want        string
		unsupported []uint16
	}{
		"query of the other batch mode":    {query(next), "invalidMessage", nil},
		"selector of the other batch mode": {selector(wireQuery(modeLeaderSelected, randomBytes(32))), "invalidMessage", nil},
		"both of the other batch mode": {func(r *wireShareReq) {
			query(next)(r)
			r.selector = wireQuery(modeLeaderSelected, randomBytes(32))
		}, "invalidMessage", nil},
		"batch mode that there is not":    {selector(wireQuery(3, nil)), "invalidMessage", nil},
		"short interval":                  {selector(wireQuery(modeTimeInterval, make([]byte, 15))), "invalidMessage", nil},
		"selector that starts before":     {query(c.interval(1, 9)), "batchInvalid", nil},
		"selector that ends after":        {query(c.interval(0, 9)), "batchInvalid", nil},
		"empty selector":                  {selector(c.interval(0, 0)), "batchInvalid", nil},
		"empty query":                     {query(c.interval(0, 0)), "batchInvalid", nil},
		"selector without an end":         {selector(wireQuery(modeTimeInterval, wireInterval(1<<63, 1<<63))), "batchInvalid", nil},
		"too few reports":                 {func(r *wireShareReq) { r.selector, r.count = c.interval(1, 9), 2 }, "invalidBatchSize", nil},
		"no reports":                      {func(r *wireShareReq) { r.selector, r.count = c.interval(5, 1), 0 }, "invalidBatchSize", nil},
		"another aggregation parameter":   {func(r *wireShareReq) { r.collectionReq = wireCollectionReq(c.interval(0, 10), []byte{1}, nil) }, "invalidMessage", nil},
		"another count":                   {func(r *wireShareReq) { r.count = 4 }, "batchMismatch", nil},
		"another checksum":                {func(r *wireShareReq) { r.checksum[31] ^= 1 }, "batchMismatch", nil},
		"unrecognized extension":          {extensions(wireExtension{23, nil}), "unsupportedExtension", []uint16{23}},
		"two unrecognized extensions":     {extensions(wireExtension{23, nil}, wireExtension{42, []byte{1}}), "unsupportedExtension", []uint16{23, 42}},
		"extensions that are not encoded": {func(r *wireShareReq) { r.collectionReq = wireCollectionReq(c.interval(0, 10), nil, []byte{0}) }, "invalidMessage", nil},
	} {
		s.run(t, name, func(t *testing.T) {
			request := c.request
			test.change(&request)
			c.unchanged(func() {
				problem := c.createAggregateShare(request.encode()).wantProblem(test.want)
				if !slices.Equal(problem.UnsupportedExtensions, test.unsupported) {
					t.Errorf("unsupported_extensions %v; want %v", problem.UnsupportedExtensions, test.unsupported)
				}
			})
		})
	}
	s.run(t, "unrecognized task", func(t *testing.T) {
		unknown.createAggregateShare(c.request.encode()).wantProblem("unrecognizedTask")
	})
	c.wantShare(c.createAggregateShare(c.request.encode()))
	for name, test := range map[string]struct{ start, duration uint64 }{
		"overlap of the first bucket":             {0, 1},
		"overlap of a bucket without reports":     {9, 1},
		"overlap of the last bucket and the next": {9, 5},
		"overlap of all":                          {0, 1000},
	} {
		s.run(t, name, func(t *testing.T) {
			request := c.request
			request.collectionReq, request.selector = c.collectionReq(c.interval(test.start, test.duration)), c.interval(test.start, test.duration)
			c.unchanged(func() { c.createAggregateShare(request.encode()).wantProblem("batchOverlap") })
		})
	}
	s.run(t, "another request for the same batch", func(t *testing.T) {
		request := c.request
		request.collectionReq = c.collectionReq(c.interval(0, 11))
		c.unchanged(func() { c.createAggregateShare(request.encode()).wantProblem("batchOverlap") })
	})
}

// TestAggregateShareParameter has a batch that was aggregated with an aggregation
// parameter: only that one is answered.
func TestAggregateShareParameter(t *testing.T) {
	s := newSystem(t, systemOptions{})
	weighted := roundsVDAF(t, 1, true)
	task := s.newTask(taskOptions{vdaf: &weighted})
	reports := task.reports(2, 1, 0)
	task.aggregateWith([]byte{0, 5}, nil, reports...)
	request := wireShareReq{selector: task.interval(0, 1), count: 2, checksum: checksumOf(reports...)}
	for _, other := range [][]byte{{0, 6}, nil} {
		request.collectionReq = wireCollectionReq(task.interval(0, 1), other, nil)
		task.unchanged(func() { task.createAggregateShare(request.encode()).wantProblem("invalidMessage") })
	}
	request.collectionReq = wireCollectionReq(task.interval(0, 1), []byte{0, 5}, nil)
	task.createAggregateShare(request.encode()).wantReady("aggregate-share")
}

// TestAggregateShareOfBatch obtains the share of a leader-selected batch.
func TestAggregateShareOfBatch(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{mode: modeLeaderSelected, minBatch: 2})
	first, second := randomBytes(32), randomBytes(32)
	reports := task.reports(5, 1, 0)
	leader := task.aggregateWith(nil, []wireExtension{batchIDExtension(first)}, reports[:2]...)
	task.aggregateWith(nil, []wireExtension{batchIDExtension(second)}, reports[2:]...)
	c := &sharing{task, reports[:2], leader, wireShareReq{
		task.collectionReq(wireQuery(modeLeaderSelected, nil)), wireQuery(modeLeaderSelected, first), 2, checksumOf(reports[:2]...),
	}}
	unknown := c.request
	unknown.selector = wireQuery(modeLeaderSelected, randomBytes(32))
	task.createAggregateShare(unknown.encode()).wantProblem("invalidBatchSize")
	c.wantShare(task.createAggregateShare(c.request.encode()))
	late := task.report(reportOptions{measurement: 50})
	if got := task.rejections(nil, []wireExtension{batchIDExtension(first)}, late); !slices.Equal(got, []byte{errBatchCollected}) {
		t.Errorf("a report for the collected batch: report errors %v", got)
	}
	if got := task.rejections(nil, []wireExtension{batchIDExtension(second)}, late); !slices.Equal(got, []byte{0}) {
		t.Errorf("a report for the other batch: report errors %v", got)
	}
}
