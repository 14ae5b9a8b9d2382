package conformance

import (
	"bytes"
	"slices"
	"testing"
)

// continuing is a job of three reports of a VDAF of 4 rounds after its
// initialization: steps 1 and 2 are to come.
type continuing struct {
	*leading
	location string
	first    wireResponse
}

func newContinuing(s *wireSystem) *continuing {
	s.t.Helper()
	rounds := roundsVDAF(s.t, 4, false)
	task := s.newTask(taskOptions{vdaf: &rounds})
	l := task.lead(nil, task.reports(3, 1, 0)...)
	first := task.createAggregationJob(l.initReq())
	l.take(first)
	if len(l.ids) != 3 {
		s.t.Fatalf("%d of 3 reports go on", len(l.ids))
	}
	return &continuing{l, first.location(), first}
}

// finish takes the job through both steps; all reports must be aggregated.
func (c *continuing) finish() {
	c.task.t().Helper()
	c.take(c.task.continueAggregationJob(c.location, c.continueReq(1)))
	c.finishStep2()
}

func (c *continuing) finishStep2() {
	c.task.t().Helper()
	c.leading.finish(c.task.continueAggregationJob(c.location, c.continueReq(2)))
	c.task.wantAggregated(uint64(len(c.ids)))
}

// TestHelperContinuation takes jobs of several steps to their end. The responses
// have the order of the request (DAP Section 4.5.4.2).
func TestHelperContinuation(t *testing.T) {
	s := newSystem(t, systemOptions{})
	s.run(t, "all reports", func(t *testing.T) { newContinuing(s).finish() })
	s.run(t, "a report that the Leader has rejected", func(t *testing.T) {
		c := newContinuing(s)
		c.ids, c.states = slices.Delete(c.ids, 1, 2), slices.Delete(c.states, 1, 2)
		c.finish()
	})
	s.run(t, "a report that is rejected on the way", func(t *testing.T) {
		c := newContinuing(s)
		continues := c.continues()
		continues[0].payload = flipped(continues[0].payload, -1)
		response := c.task.continueAggregationJob(c.location, wireContinueReq(1, continues...))
		resps := c.take(response)
		if resps[0].kind != respReject || resps[0].error != errVdafVerifyError || len(c.ids) != 2 {
			t.Fatalf("%+v", resps)
		}
		s.run(t, "does not come back", func(t *testing.T) {
			c.task.unchanged(func() {
				body := wireContinueReq(2, wireContinue{resps[0].id, continues[0].payload}, c.continues()[0], c.continues()[1])
				c.task.continueAggregationJob(c.location, body).wantProblem("invalidMessage")
			})
		})
		c.finishStep2()
	})
}

// TestHelperContinuationRefuses sends continuations that fail the request (DAP
// Section 4.5.4.2). None changes anything: the job then goes to its end.
func TestHelperContinuationRefuses(t *testing.T) {
	s := newSystem(t, systemOptions{})
	unknown := s.newTask(taskOptions{unknown: true})
	c := newContinuing(s)
	other := newContinuing(s)
	all := c.continues()
	step := func(step uint16, continues ...wireContinue) []byte { return wireContinueReq(step, continues...) }
	location := c.location
	for name, test := range map[string]struct {
		location string
		body     []byte
		want     string
	}{
		"unrecognized task":           {unknown.helperPath("aggregation_jobs/lc7aUeGpdSNosNlh-UZhKA"), step(1, all...), "unrecognizedTask"},
		"unrecognized job":            {c.task.helperPath("aggregation_jobs/lc7aUeGpdSNosNlh-UZhKA"), step(1, all...), "unrecognizedAggregationJob"},
		"a job ID that cannot be one": {c.task.helperPath("aggregation_jobs/1"), step(1, all...), "unrecognizedAggregationJob"},
		"a job of another task":       {c.task.helperPath("aggregation_jobs/" + lastSegment(other.location)), step(1, all...), "unrecognizedAggregationJob"},
		"step 0":                      {location, step(0, all...), "invalidMessage"},
		"a step too far":              {location, step(2, all...), "stepMismatch"},
		"the last step there can be":  {location, step(0xffff, all...), "stepMismatch"},
		"report ID twice":             {location, step(1, all[0], all[1], all[1]), "invalidMessage"},
		"unknown report ID":           {location, step(1, all[0], wireContinue{[16]byte{1}, all[1].payload}), "invalidMessage"},
		"out of order":                {location, step(1, all[1], all[0], all[2]), "invalidMessage"},
		"no reports":                  {location, step(1), "invalidMessage"},
		"half a step":                 {location, []byte{0}, "invalidMessage"},
		"an empty payload":            {location, step(1, wireContinue{all[0].id, nil}), "invalidMessage"},
	} {
		s.run(t, name, func(t *testing.T) {
			c.task.unchanged(func() { c.task.continueAggregationJob(test.location, test.body).wantProblem(test.want) })
		})
	}
	c.finish()
}

// lastSegment returns what follows the last slash.
func lastSegment(url string) string { return url[bytes.LastIndexByte([]byte(url), '/')+1:] }

// TestHelperStepSkew repeats continuations (DAP Section 4.5.4.4): the request of the
// current step gets its answer again, and nothing takes the job back.
func TestHelperStepSkew(t *testing.T) {
	s := newSystem(t, systemOptions{})
	c := newContinuing(s)
	init, request := c.initReq(), c.continueReq(1)
	answer := c.task.continueAggregationJob(c.location, request)
	answer.wantReady("aggregation-job-resp")
	s.run(t, "the same request", func(t *testing.T) {
		again := c.task.continueAggregationJob(c.location, request)
		if !bytes.Equal(again.body, answer.body) {
			t.Errorf("another answer: %x; first %x", again.body, answer.body)
		}
	})
	s.run(t, "the same step with other content", func(t *testing.T) {
		for _, body := range [][]byte{
			wireContinueReq(1, c.continues()[:2]...),
			wireContinueReq(1, c.continues()[0], c.continues()[1], wireContinue{c.ids[2], []byte{9}}),
		} {
			c.task.unchanged(func() { c.task.continueAggregationJob(c.location, body).wantProblem("stepMismatch") })
		}
	})
	if again := c.task.createAggregationJob(init); !bytes.Equal(again.body, answer.body) || again.location() != c.location {
		t.Errorf("the initialization again: %x", again.body)
	}
	c.take(answer)
	c.finishStep2()
	s.run(t, "the step before", func(t *testing.T) {
		c.task.unchanged(func() { c.task.continueAggregationJob(c.location, request).wantProblem("stepMismatch") })
	})
}

// TestHelperDeletion deletes jobs (DAP Section 4.5.5).
func TestHelperDeletion(t *testing.T) {
	s := newSystem(t, systemOptions{})
	s.run(t, "of a completed job", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		reports := task.reports(2, 1, 0)
		created := task.createAggregationJob(task.lead(nil, reports...).initReq())
		created.wantReady("aggregation-job-resp")
		task.unchanged(func() { task.remove(created.location()).wantEmpty() })
		task.get(created.location() + "?step=0").wantProblem("unrecognizedAggregationJob")
		task.remove(created.location()).wantProblem("unrecognizedAggregationJob")
		if got := task.rejections(nil, nil, reports...); !slices.Equal(got, []byte{errReportReplayed, errReportReplayed}) {
			t.Errorf("the reports again: report errors %v", got)
		}
		again := task.createAggregationJob(task.lead(nil, reports...).initReq())
		for _, v := range readAggregationJobResp(t, again.body) {
			if v.kind != respReject || v.error != errReportReplayed {
				t.Errorf("the same request again: %+v", v)
			}
		}
		task.wantAggregated(2)
	})
	s.run(t, "of an unfinished job", func(t *testing.T) {
		c := newContinuing(s)
		task := c.task
		reports := task.reports(2, 1, 0)
		l := task.lead(nil, reports...)
		created := task.createAggregationJob(l.initReq())
		created.wantReady("aggregation-job-resp")
		l.take(created)
		task.remove(created.location()).wantEmpty()
		task.continueAggregationJob(created.location(), l.continueReq(1)).wantProblem("unrecognizedAggregationJob")
		task.wantAggregated(0)
		task.aggregate(append(reports, task.report(reportOptions{measurement: 3}))...)
		task.wantAggregated(3)
	})
}
