package conformance

import (
	"bytes"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// TestCollection collects a batch of the time-interval mode (DAP Section 4.6.1).
func TestCollection(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	var reports []wireReport
	for i, at := range []uint64{4, 2, 6} {
		reports = append(reports, task.report(reportOptions{measurement: 100 + uint64(i), at: at}))
	}
	before, after := task.report(reportOptions{measurement: 7, at: 1}), task.report(reportOptions{measurement: 9, at: 8})
	task.mustUpload(append(reports, before, after)...)
	request := task.collectionReq(task.interval(2, 6))
	created := task.createCollectionJob(request)
	created.wantOK()
	response := task.poll(created.location())
	response.wantReady("collection-job-resp")
	c := readCollectionJobResp(t, response.body)
	if got := task.result(c, request, nil); c.count != 3 || got[0] != sumOf(reports...) {
		t.Errorf("%d reports with the result %v", c.count, got)
	}
	if c.start != task.base+2 || c.duration != 5 {
		t.Errorf("the interval is [%d, +%d); want [%d, +5)", c.start, c.duration, task.base+2)
	}

	s.run(t, "the same request again", func(t *testing.T) {
		again := task.createCollectionJob(request)
		if again.location() != created.location() || !bytes.Equal(again.body, response.body) {
			t.Errorf("another job: %s, %x", again.location(), again.body)
		}
		if len(s.traffic.seen("POST", "/aggregate_shares")) != 1 {
			t.Error("the Helper was asked again")
		}
	})
	refusesLate := func(t *testing.T) {
		late := task.report(reportOptions{measurement: 1, at: 3})
		if response := task.upload(wireUpload(late)); len(readUploadErrors(t, response.body)) != 1 {
			t.Error("a late report was accepted")
		}
	}
	s.run(t, "late reports", refusesLate)
	for name, interval := range map[string][2]uint64{
		"overlap at the begin": {0, 3}, "overlap at the end": {7, 2}, "overlap within": {5, 1}, "overlap around": {0, 100}, "overlap of a longer one": {2, 7},
	} {
		s.run(t, name, func(t *testing.T) {
			task.unchanged(func() {
				task.createCollectionJob(task.collectionReq(task.interval(interval[0], interval[1]))).wantProblem("batchOverlap")
			})
		})
	}
	s.run(t, "deletion", func(t *testing.T) {
		task.unchanged(func() { task.remove(created.location()).wantEmpty() })
		task.get(created.location()).wantStatus(404)
		task.remove(created.location()).wantStatus(404)
		refusesLate(t)
		task.createCollectionJob(request).wantProblem("batchOverlap")
		task.mustReplay(reports[0])
	})
	task.wantCollected(task.interval(1, 1), before)
	task.wantCollected(task.interval(8, 1), after)
}

// mustReplay uploads a report that was aggregated: it must not be accepted.
func (task *wireTask) mustReplay(r wireReport) {
	task.t().Helper()
	response := task.upload(wireUpload(r))
	response.wantReady("upload-errors")
	got := readUploadErrors(task.t(), response.body)
	if len(got) != 1 || (got[0].error != errReportReplayed && got[0].error != errBatchCollected) {
		task.t().Errorf("upload errors %v", got)
	}
}

// TestCollectionRefuses makes requests that fail at once (DAP Section 4.6.1).
// None changes anything, and the Helper hears of none.
func TestCollectionRefuses(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	selected := s.newTask(taskOptions{mode: modeLeaderSelected})
	weighted := roundsVDAF(t, 1, true)
	parameter := s.newTask(taskOptions{vdaf: &weighted})
	unknown := s.newTask(taskOptions{unknown: true})
	reports := task.reports(2, 1, 0)
	task.mustUpload(reports...)
	task.settled()
	before := len(s.traffic.seen("POST", ""))
	interval := task.interval(0, 10)
	next := wireQuery(modeLeaderSelected, nil)
	extensions := func(list ...wireExtension) []byte {
		return wireCollectionReq(interval, nil, wireExtensions(list...))
	}
	for name, c := range map[string]struct {
		task        *wireTask
		body        []byte
		want        string
		unsupported []uint16
	}{
		"unrecognized task":                  {unknown, task.collectionReq(interval), "unrecognizedTask", nil},
		"query of the other batch mode":      {task, task.collectionReq(next), "invalidMessage", nil},
		"interval in leader-selected":        {selected, task.collectionReq(interval), "invalidMessage", nil},
		"batch mode that there is not":       {task, task.collectionReq(wireQuery(9, nil)), "invalidMessage", nil},
		"reserved batch mode":                {task, task.collectionReq(wireQuery(0, nil)), "invalidMessage", nil},
		"malformed":                          {task, task.collectionReq(interval)[1:], "invalidMessage", nil},
		"short interval":                     {task, task.collectionReq(wireQuery(modeTimeInterval, make([]byte, 8))), "invalidMessage", nil},
		"leader-selected with content":       {selected, task.collectionReq(wireQuery(modeLeaderSelected, []byte{0})), "invalidMessage", nil},
		"aggregation parameter":              {task, wireCollectionReq(interval, []byte{0}, nil), "invalidAggregationParameter", nil},
		"undecodable aggregation parameter":  {parameter, wireCollectionReq(parameter.interval(0, 1), []byte{1}, nil), "invalidAggregationParameter", nil},
		"aggregation parameter out of range": {parameter, wireCollectionReq(parameter.interval(0, 1), []byte{0, 0}, nil), "invalidAggregationParameter", nil},
		"missing aggregation parameter":      {parameter, wireCollectionReq(parameter.interval(0, 1), nil, nil), "invalidAggregationParameter", nil},
		"empty interval":                     {task, task.collectionReq(task.interval(0, 0)), "batchInvalid", nil},
		"interval without an end":            {task, task.collectionReq(wireQuery(modeTimeInterval, wireInterval(1<<63, 1<<63))), "batchInvalid", nil},
		"unrecognized extension":             {task, extensions(wireExtension{23, nil}), "unsupportedExtension", []uint16{23}},
		"two unrecognized extensions":        {task, extensions(wireExtension{23, nil}, wireExtension{42, []byte{1, 2}}), "unsupportedExtension", []uint16{23, 42}},
		"extensions that are not encoded":    {task, wireCollectionReq(interval, nil, []byte{0, 1}), "invalidMessage", nil},
	} {
		s.run(t, name, func(t *testing.T) {
			response := c.task.createCollectionJob(c.body)
			problem := response.wantProblem(c.want)
			if !slices.Equal(problem.UnsupportedExtensions, c.unsupported) {
				t.Errorf("unsupported_extensions %v; want %v", problem.UnsupportedExtensions, c.unsupported)
			}
		})
	}
	if after := len(s.traffic.seen("POST", "")); after != before {
		t.Errorf("the Helper was asked %d times", after-before)
	}
	task.wantCollected(interval, reports...)
}

// TestCollectionWaits has a batch with too few reports: the Leader waits, asks the Helper
// for nothing, and goes on when there are enough (DAP Section 4.6.1).
func TestCollectionWaits(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{minBatch: 3})
	reports := task.reports(2, 30, 0)
	bad := task.report(reportOptions{measurement: 1, change: func(r *wireReport) { r.helper.payload = flipped(r.helper.payload, 0) }})
	task.mustUpload(append(reports, bad)...)
	task.settled()
	request := task.collectionReq(task.interval(0, 1))
	created := task.createCollectionJob(request)
	created.wantEmpty()
	if created.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for range 20 {
		polled := task.get(created.location())
		polled.wantEmpty()
		if polled.header.Get("Retry-After") == "" {
			t.Fatal("no Retry-After")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if again := task.createCollectionJob(request); again.location() != created.location() {
		t.Errorf("the same request is at %s, then at %s", created.location(), again.location())
	}
	if n := len(s.traffic.seen("POST", "/aggregate_shares")); n != 0 {
		t.Errorf("the Helper was asked %d times for its share of too small a batch", n)
	}
	third := task.report(reportOptions{measurement: 40})
	task.mustUpload(third)
	task.wantCollected(task.interval(0, 1), append(reports, third)...)
}

// TestCollectionAfterAggregation has an aggregation job pending when its batch is
// collected: it is completed first (DAP Section 4.6.1).
func TestCollectionAfterAggregation(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{minBatch: 2})
	first, second := task.reports(2, 30, 0), task.reports(1, 50, 0)
	task.mustUpload(first...)
	task.settled()
	held := make(chan struct{})
	s.traffic.set(func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		if r.creates("aggregation_jobs") {
			<-held
		}
		return pass(r.body)
	})
	jobs := len(s.traffic.seen("POST", "/aggregation_jobs"))
	task.mustUpload(second...)
	eventually(t, "the job is on its way", func() bool { return len(s.traffic.seen("POST", "/aggregation_jobs")) > jobs })
	created := task.createCollectionJob(task.collectionReq(task.interval(0, 1)))
	created.wantEmpty()
	time.Sleep(100 * time.Millisecond)
	task.get(created.location()).wantEmpty()
	if n := len(s.traffic.seen("POST", "/aggregate_shares")); n != 0 {
		t.Errorf("the Helper was asked %d times for its share while a job was pending", n)
	}
	close(held)
	task.wantCollected(task.interval(0, 1), append(first, second...)...)
}

// TestCollectionDisagreement has Aggregators that disagree on the batch: the
// Helper refuses its share, and the collection job fails with its error.
func TestCollectionDisagreement(t *testing.T) {
	s := newSystem(t, systemOptions{})
	for name, change := range map[string]func(*wireShareReq){
		"count":    func(r *wireShareReq) { r.count++ },
		"checksum": func(r *wireShareReq) { r.checksum[0] ^= 1 },
	} {
		s.run(t, name, func(t *testing.T) {
			task := s.newTask(taskOptions{})
			reports := task.reports(3, 1, 0)
			task.mustUpload(reports...)
			before := task.settled()
			s.traffic.set(func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
				if !r.creates("aggregate_shares") {
					return pass(r.body)
				}
				request := readShareReq(t, r.body)
				if request.count != 3 || request.checksum != checksumOf(reports...) || !bytes.Equal(request.collectionReq, task.collectionReq(task.interval(0, 1))) {
					t.Errorf("the Leader's request is %+v", request)
				}
				change(&request)
				return pass(request.encode())
			})
			defer s.traffic.set(nil)
			request := task.collectionReq(task.interval(0, 1))
			created := task.createCollectionJob(request)
			if created.status/100 == 2 {
				task.poll(created.location()).wantProblem("batchMismatch")
				task.poll(created.location()).wantProblem("batchMismatch")
			} else {
				created.wantProblem("batchMismatch")
			}
			if after := task.counts(); after.leader.Collected != 0 || after.helper.Collected != 0 || after.helper.Aggregated != before.helper.Aggregated {
				t.Errorf("counts %+v; before %+v", after, before)
			}
		})
	}
}

// TestCollectionFailsWithHelper has the Helper refuse its share for other reasons: the
// collection job fails with the Helper's error.
func TestCollectionFailsWithHelper(t *testing.T) {
	s := newSystem(t, systemOptions{})
	for _, errorType := range []string{"batchOverlap", "invalidBatchSize", "batchInvalid", "unsupportedExtension"} {
		s.run(t, errorType, func(t *testing.T) {
			task := s.newTask(taskOptions{})
			task.mustUpload(task.reports(3, 1, 0)...)
			task.settled()
			s.traffic.set(func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
				if r.creates("aggregate_shares") {
					return answering(400, "application/problem+json", []byte(`{"type":"urn:ietf:params:ppm:dap:error:`+errorType+`"}`))
				}
				return pass(r.body)
			})
			defer s.traffic.set(nil)
			created := task.createCollectionJob(task.collectionReq(task.interval(0, 1)))
			created.wantOK()
			task.poll(created.location()).wantProblem(errorType)
		})
	}
	s.run(t, "malformed share", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		task.mustUpload(task.reports(3, 1, 0)...)
		task.settled()
		s.traffic.set(func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			answer := pass(r.body)
			if r.creates("aggregate_shares") {
				answer = withBody(answer, append(answer.Body.Bytes(), 0))
			}
			return answer
		})
		defer s.traffic.set(nil)
		created := task.createCollectionJob(task.collectionReq(task.interval(0, 1)))
		created.wantOK()
		task.poll(created.location()).problem()
	})
}

// TestCollectionWithParameter collects a VDAF with an aggregation parameter: no
// report is aggregated before the Collector chooses it, and then all are with it.
func TestCollectionWithParameter(t *testing.T) {
	s := newSystem(t, systemOptions{})
	weighted := roundsVDAF(t, 2, true)
	task := s.newTask(taskOptions{vdaf: &weighted, minBatch: 3})
	reports := task.reports(3, 30, 0)
	task.mustUpload(reports...)
	time.Sleep(50 * time.Millisecond)
	if n := len(s.traffic.seen("POST", "/aggregation_jobs")); n != 0 {
		t.Errorf("%d requests before the aggregation parameter is known", n)
	}
	parameter := []byte{0, 7}
	request := wireCollectionReq(task.interval(0, 5), parameter, nil)
	c := task.collect(request)
	if got := task.result(c, request, parameter); c.count != 3 || got[0] != 7*sumOf(reports...) {
		t.Errorf("%d reports with the result %v", c.count, got)
	}
	for _, r := range s.traffic.seen("POST", "/aggregation_jobs") {
		if r.creates("aggregation_jobs") {
			if sent, _ := readInitReq(t, r.body); !bytes.Equal(sent.aggParam, parameter) {
				t.Errorf("a job with the aggregation parameter %x", sent.aggParam)
			}
		}
	}
	other := wireCollectionReq(task.interval(0, 5), []byte{0, 8}, nil)
	task.createCollectionJob(other).wantProblem("batchOverlap")
}

// TestCollectionOfNextBatch collects leader-selected batches (DAP Section 5.2): each
// report is in one, each collection job gets another, and each has its own ID.
func TestCollectionOfNextBatch(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{mode: modeLeaderSelected, minBatch: 3})
	var reports []wireReport
	for i := range 7 {
		reports = append(reports, task.report(reportOptions{measurement: 1 << i, at: uint64(i)}))
	}
	task.mustUpload(reports...)
	task.settled()
	request := task.collectionReq(wireQuery(modeLeaderSelected, nil))
	var seen uint64
	for i := range 2 {
		created := task.createCollectionJob(request)
		created.wantOK()
		response := task.poll(created.location())
		response.wantReady("collection-job-resp")
		c := readCollectionJobResp(t, response.body)
		result := task.result(c, request, nil)[0]
		if c.count < 3 || result&seen != 0 {
			t.Errorf("batch %d: %d reports with the result %b; before %b", i, c.count, result, seen)
		}
		seen |= result
		if again := task.createCollectionJob(request); again.location() != created.location() || !bytes.Equal(again.body, response.body) {
			t.Errorf("the same request again is another job: %s", again.location())
		}
		task.remove(created.location()).wantEmpty()
	}
	last := task.createCollectionJob(request)
	last.wantEmpty()
	task.get(last.location()).wantEmpty()

	selectors := make(map[string]bool)
	for _, r := range s.traffic.seen("POST", "/aggregate_shares") {
		selectors[string(readShareReq(t, r.body).selector)] = true
	}
	if len(selectors) != 2 {
		t.Errorf("%d different batches were collected; want 2", len(selectors))
	}
	for _, r := range s.traffic.seen("POST", "/aggregation_jobs") {
		request, _ := readInitReq(t, r.body)
		e := readWire(t, "extensions", request.extensions)
		if kind, id := e.u16(), e.vec16(); kind != 1 || len(id) != 32 || e.more() {
			t.Errorf("the extensions are %x; want one batch ID", request.extensions)
		}
	}
}
