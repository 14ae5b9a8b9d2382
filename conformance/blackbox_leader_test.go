package conformance

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/internal/testvdaf"
)

// TestLeaderInitialization looks at what a Leader sends to the Helper (DAP
// Section 4.5.3.1): the reports' shares as they were uploaded, and none of a
// report whose own share is at fault.
func TestLeaderInitialization(t *testing.T) {
	s := newSystem(t, systemOptions{paused: true})
	base := s.newTask(taskOptions{unknown: true}).base
	task := s.newTask(taskOptions{extensions: taskIntervalExtension(base, taskLength), minBatch: 4})
	good := task.reports(4, 100, 3)
	task.mustUpload(good...)
	rejected := make(map[byte]uint64)
	for name, fault := range reportFaults(task, atLeader) {
		bad := task.report(fault.options)
		response := task.upload(wireUpload(bad))
		response.wantOK()
		if len(response.body) == 0 { // it is found at aggregation
			t.Log("at aggregation:", name)
			rejected[fault.want]++
		}
	}
	if len(rejected) < 2 {
		t.Fatalf("what is to be rejected: %v", rejected)
	}
	s.start()
	c := task.settled()
	if c.leader.Aggregated != 4 || c.helper.Aggregated != 4 {
		t.Errorf("counts %+v", c)
	}
	got := make(map[byte]uint64)
	for reportError, n := range c.leader.Rejected {
		got[byte(reportError)] += n
	}
	if fmt.Sprint(got) != fmt.Sprint(rejected) {
		t.Errorf("rejected %v; want %v", got, rejected)
	}
	var sent []wireSentInit
	for _, r := range s.traffic.seen("POST", "/aggregation_jobs") {
		if got := r.header.Get("Content-Type"); got != "application/ppm-dap;message=aggregation-job-init-req" {
			t.Errorf("Content-Type %q", got)
		}
		request, inits := readInitReq(t, r.body)
		if request.keyID != 0 || len(request.aggParam) != 0 || len(request.extensions) != 0 {
			t.Errorf("request %+v", request)
		}
		sent = append(sent, inits...)
	}
	if len(sent) != len(good) {
		t.Fatalf("the Helper was sent %d reports; want %d", len(sent), len(good))
	}
	for i, r := range good {
		init := sent[i]
		passed := wire{}.metadata(init.wireMetadata).vec32(init.publicShare).ciphertext(init.share)
		if want := (wire{}.metadata(r.wireMetadata).vec32(r.publicShare).ciphertext(r.helper)); !bytes.Equal(passed, want) {
			t.Errorf("report %d: the report share is %x; want %x", i, passed, want)
		}
	}
	task.wantCollected(task.interval(0, taskLength), good...)
}

// TestLeaderRetries loses requests and answers in every way: the Leader sends
// the same bytes again, and every report is counted once.
func TestLeaderRetries(t *testing.T) {
	s := newSystem(t, systemOptions{})
	problem := func(status int) *httptest.ResponseRecorder {
		return answering(status, "application/problem+json", []byte(`{"type":"about:blank"}`))
	}
	for name, fail := range map[string]interceptor{
		"the connection breaks": func(seenRequest, func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder { return nil },
		"the answer is lost": func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			pass(r.body)
			return nil
		},
		"the answer is cut off": func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			answer := pass(r.body)
			answer.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()+1))
			return answer
		},
		"the Helper has a fault": func(seenRequest, func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			return problem(http.StatusInternalServerError)
		},
		"the Helper is busy": func(seenRequest, func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			return problem(http.StatusTooManyRequests)
		},
		"the Helper is down": func(seenRequest, func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			return problem(http.StatusServiceUnavailable)
		},
	} {
		s.run(t, name, func(t *testing.T) {
			rounds := roundsVDAF(t, 4, false)
			task := s.newTask(taskOptions{vdaf: &rounds, minBatch: 3})
			var n atomic.Int64
			s.traffic.set(func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
				if n.Add(1)%3 != 0 { // every third request gets through
					return fail(r, pass)
				}
				return pass(r.body)
			})
			defer s.traffic.set(nil)
			before := len(s.traffic.seen("POST", task.idText()))
			reports := task.reports(3, 70, 1)
			task.mustUpload(reports...)
			task.wantCollected(task.interval(0, 10), reports...)

			bodies := make(map[string]map[string]bool)
			for _, r := range s.traffic.seen("POST", task.idText())[before:] {
				key := r.path
				if r.is("POST", "aggregation_jobs/") {
					step, _ := readContinueReq(t, r.body)
					key += fmt.Sprint(step)
				}
				if bodies[key] == nil {
					bodies[key] = make(map[string]bool)
				}
				bodies[key][string(r.body)] = true
			}
			if len(bodies) != 4 { // init, two steps, aggregate share
				t.Errorf("%d requests; want 4", len(bodies))
			}
			for key, different := range bodies {
				if len(different) != 1 {
					t.Errorf("%s was sent with %d different bodies", key, len(different))
				}
			}
		})
	}
}

// TestLeaderUnfitAnswers has the Helper answer against the standard: the Leader abandons what that answer
// belongs to, uses nothing of it, and asks for the job anew with the same bytes until an
// answer fits (DAP Sections 4.5.3.1, 4.5.4.1 and 4.5.5).
func TestLeaderUnfitAnswers(t *testing.T) {
	s := newSystem(t, systemOptions{})
	changes := map[string]func(list []wireVerifyResp) []wireVerifyResp{
		"a report is missing": func(list []wireVerifyResp) []wireVerifyResp { return list[:2] },
		"another order":       func(list []wireVerifyResp) []wireVerifyResp { list[0], list[1] = list[1], list[0]; return list },
		"another report":      func(list []wireVerifyResp) []wireVerifyResp { list[2].id[0] ^= 1; return list },
		"a report more":       func(list []wireVerifyResp) []wireVerifyResp { return append(list, list[0]) },
		"a report twice":      func(list []wireVerifyResp) []wireVerifyResp { list[1] = list[0]; return list },
		"finish in place of another": func(list []wireVerifyResp) []wireVerifyResp {
			list[1].kind, list[1].payload = respFinish, nil
			return list
		},
		"a type that there is not": func(list []wireVerifyResp) []wireVerifyResp { list[0].kind = 3; return list },
	}
	for _, c := range []struct {
		name    string
		applies func(seenRequest) bool
	}{
		{"initialization", func(r seenRequest) bool { return r.creates("aggregation_jobs") }},
		{"continuation", func(r seenRequest) bool { return r.is("POST", "aggregation_jobs/") }},
	} {
		for name, change := range changes {
			s.run(t, c.name+", "+name, func(t *testing.T) {
				rounds := roundsVDAF(t, 5, false)
				task := s.newTask(taskOptions{vdaf: &rounds})
				s.traffic.set(changingResp(t, c.applies, change))
				defer s.traffic.set(nil)
				task.wantAskedAgain(c.applies)
			})
		}
	}
	s.run(t, "last step, continue in place of finish", func(t *testing.T) {
		rounds := roundsVDAF(t, 2, false)
		task := s.newTask(taskOptions{vdaf: &rounds})
		continues := func(r seenRequest) bool { return r.is("POST", "aggregation_jobs/") }
		s.traffic.set(changingResp(t, continues, func(list []wireVerifyResp) []wireVerifyResp {
			list[0].kind, list[0].payload = respContinue, []byte{2, 0, 0, 0, 0}
			return list
		}))
		defer s.traffic.set(nil)
		task.wantAskedAgain(continues)
	})
	s.run(t, "malformed answer", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		s.traffic.set(func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			answer := pass(r.body)
			if r.creates("aggregation_jobs") {
				answer = withBody(answer, answer.Body.Bytes()[:answer.Body.Len()-1])
			}
			return answer
		})
		defer s.traffic.set(nil)
		task.wantAskedAgain(func(r seenRequest) bool { return r.creates("aggregation_jobs") })
	})
	s.run(t, "refusal of the job", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		s.traffic.set(func(r seenRequest, _ func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			return answering(http.StatusBadRequest, "application/problem+json", []byte(`{"type":"urn:ietf:params:ppm:dap:error:invalidMessage"}`))
		})
		defer s.traffic.set(nil)
		task.mustUpload(task.reports(3, 1, 0)...)
		task.wantQuarantined(3)
	})
}

// wantAskedAgain has reports uploaded whose job gets answers that do not fit: the Leader
// sends the same request again and again and counts nothing, until an answer fits.
func (task *wireTask) wantAskedAgain(applies func(seenRequest) bool) {
	task.t().Helper()
	reports := task.reports(3, 1, 0)
	task.mustUpload(reports...)
	bodies := make(map[string]bool)
	eventually(task.t(), "the Leader asks again", func() bool {
		n := 0
		for _, r := range task.system.traffic.seen("POST", "/tasks/"+task.idText()+"/") {
			if applies(r) {
				bodies[string(r.body)] = true
				n++
			}
		}
		return n >= 3
	})
	if c := task.counts(); len(bodies) != 1 || c.leader.InJobs != 3 || c.leader.Aggregated != 0 {
		task.t().Errorf("%d different requests, counts %+v; want one, and 3 in jobs", len(bodies), c.leader)
	}
	if n := len(task.system.traffic.seen("DELETE", "/tasks/"+task.idText()+"/aggregation_jobs/")); n != 0 {
		task.t().Errorf("%d deletions of a job that is not over", n)
	}
	task.system.traffic.set(nil)
	task.settled()
	task.wantAggregated(3)
	task.wantCollected(task.interval(0, 1), reports...)
}

// wantQuarantined fails the test unless the Leader has given up a job of n reports, and has not told the
// Helper to forget what it may ask for again.
func (task *wireTask) wantQuarantined(n uint64) {
	task.t().Helper()
	if c := task.settled(); c.leader.Quarantined != n || c.leader.Aggregated != 0 {
		task.t().Errorf("counts %+v; want %d in quarantine", c.leader, n)
	}
	if n := len(task.system.traffic.seen("DELETE", "/tasks/"+task.idText()+"/aggregation_jobs/")); n != 0 {
		task.t().Errorf("%d deletions", n)
	}
}

// TestLeaderAbandonedReports has a job refused, and so abandoned, before the Helper has committed to
// anything: its reports count as aggregated nowhere.
func TestLeaderAbandonedReports(t *testing.T) {
	s := newSystem(t, systemOptions{})
	rounds := roundsVDAF(t, 5, false)
	task := s.newTask(taskOptions{vdaf: &rounds})
	s.traffic.set(func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		if r.is("POST", "aggregation_jobs/") {
			return answering(http.StatusBadRequest, "application/problem+json", []byte(`{"type":"urn:ietf:params:ppm:dap:error:invalidMessage"}`))
		}
		return pass(r.body)
	})
	reports := task.reports(3, 1, 0)
	task.mustUpload(reports...)
	task.wantQuarantined(3)
	s.traffic.set(nil)
	// The Helper would aggregate them in another job, ...
	task.wantAggregated(0)
	if got := task.rejections(nil, nil, reports...); !slices.Equal(got, []byte{0, 0, 0}) {
		t.Errorf("the reports again: report errors %v", got)
	}
	// ... and the batch is collected without them.
	others := task.reports(2, 50, 0)
	task.mustUpload(others...)
	task.wantCollected(task.interval(0, 1), others...)
}

// TestLeaderRejections has reports rejected by either aggregator at each step: they
// are in no further request, the others are in the order in which they were, and
// only those are counted (DAP Sections 4.5.3.1 and 4.5.4.1).
func TestLeaderRejections(t *testing.T) {
	s := newSystem(t, systemOptions{})
	rounds := roundsVDAF(t, 4, false)
	task := s.newTask(taskOptions{vdaf: &rounds})
	plans := []testvdaf.Failure{
		{},
		{Step: testvdaf.FailInit, Who: testvdaf.Leader},
		{},
		{Step: testvdaf.FailInit, Who: testvdaf.Helper},
		{Step: testvdaf.FailNext, Round: 0, Who: testvdaf.Leader},
		{},
		{Step: testvdaf.FailNext, Round: 1, Who: testvdaf.Helper},
		{Step: testvdaf.FailNext, Round: 2, Who: testvdaf.Leader},
		{},
	}
	var reports, good []wireReport
	for i, plan := range plans {
		r := task.report(reportOptions{measurement: testvdaf.Failing(uint64(1)<<i, plan)})
		reports = append(reports, r)
		if plan == (testvdaf.Failure{}) {
			good = append(good, r)
		}
	}
	task.mustUpload(reports...)
	c := task.settled()
	if c.leader.Aggregated != uint64(len(good)) || c.helper.Aggregated != uint64(len(good)) {
		t.Errorf("counts %+v; want %d aggregated", c, len(good))
	}
	ids := func(places ...int) (list [][16]byte) {
		for _, i := range places {
			list = append(list, reports[i].id)
		}
		return list
	}
	sent := make(map[uint16][][16]byte)
	for _, r := range s.traffic.seen("POST", "/aggregation_jobs") {
		if r.creates("aggregation_jobs") {
			_, inits := readInitReq(t, r.body)
			for _, init := range inits {
				sent[0] = append(sent[0], init.id)
			}
			continue
		}
		step, continues := readContinueReq(t, r.body)
		for _, c := range continues {
			sent[step] = append(sent[step], c.id)
		}
	}
	for step, want := range [][][16]byte{ids(0, 2, 3, 4, 5, 6, 7, 8), ids(0, 2, 5, 6, 7, 8), ids(0, 2, 5, 8)} {
		if got := sent[uint16(step)]; !slices.Equal(got, want) {
			t.Errorf("step %d is about %x; want %x", step, got, want)
		}
	}
	task.wantCollected(task.interval(0, 1), good...)
}

// TestLeaderDoesNotRepeatRejected has the Helper reject reports that the Leader
// accepts: they are in no later job.
func TestLeaderDoesNotRepeatRejected(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	bad := task.report(reportOptions{measurement: 1, change: func(r *wireReport) { r.helper.payload = flipped(r.helper.payload, -1) }})
	good := task.reports(2, 60, 0)
	task.mustUpload(good[0], bad)
	task.settled()
	task.mustUpload(good[1])
	task.settled()
	times := 0
	for _, r := range s.traffic.seen("POST", "/aggregation_jobs") {
		_, inits := readInitReq(t, r.body)
		for _, init := range inits {
			if init.id == bad.id {
				times++
			}
		}
	}
	if times != 1 {
		t.Errorf("the report was sent %d times", times)
	}
	if c := task.settled().leader; c.Rejected[errHpkeDecryptError] != 1 {
		t.Errorf("rejected %v", c.Rejected)
	}
	task.wantCollected(task.interval(0, 1), good...)
}

// TestLeaderPolls has a Helper that defers everything: the Leader asks for each step
// with its number (DAP Sections 3.1 and 4.5.3.2).
func TestLeaderPolls(t *testing.T) {
	s := newSystem(t, systemOptions{helper: func(c *aggregator.HelperConfig) { c.Async = true }})
	rounds := roundsVDAF(t, 4, false)
	task := s.newTask(taskOptions{vdaf: &rounds})
	reports := task.reports(3, 40, 0)
	task.mustUpload(reports...)
	task.wantCollected(task.interval(0, 1), reports...)
	polled := make(map[string]bool)
	for _, r := range s.traffic.seen("GET", "/aggregation_jobs/") {
		polled[r.query] = true
	}
	if len(polled) != 3 || !polled["step=0"] || !polled["step=1"] || !polled["step=2"] {
		t.Errorf("polled with %v", polled)
	}
}

// TestLeaderPollsShare has a Helper that defers its aggregate share: the Leader
// asks for it where the Helper has said.
func TestLeaderPollsShare(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	reports := task.reports(3, 40, 0)
	task.mustUpload(reports...)
	var polls atomic.Int64
	s.traffic.set(func(r seenRequest, pass func([]byte) *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		answer := pass(r.body)
		if r.creates("aggregate_shares") || (r.is("GET", "aggregate_shares/") && polls.Add(1) < 3) {
			answer.Header().Del("Content-Type")
			answer = withBody(answer, nil)
		}
		return answer
	})
	task.wantCollected(task.interval(0, 1), reports...)
	if n := polls.Load(); n != 3 {
		t.Errorf("the Leader has asked %d times; want 3", n)
	}
	if n := len(s.traffic.seen("POST", "/aggregate_shares")); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestCheatingClients uploads reports whose shares were tampered with before they
// were sealed, so that they open and their proofs do not verify: none of them is counted.
func TestCheatingClients(t *testing.T) {
	s := newSystem(t, systemOptions{})
	histogram := histogramVDAF(t, 6, 3)
	sum := sumVDAF(t, 1000)
	for name, c := range map[string]struct {
		vdaf wireVDAF
		size int // of a field element
	}{"histogram": {histogram, 16}, "sum": {sum, 8}} {
		s.run(t, name, func(t *testing.T) {
			task := s.newTask(taskOptions{vdaf: &c.vdaf})
			var good []wireReport
			for i := range uint64(4) {
				good = append(good, task.report(reportOptions{measurement: i}))
			}
			bad := []wireReport{
				// Something is added to the first element of the measurement: a second bucket, a bit of two.
				task.report(reportOptions{measurement: 3, tamper: func(shares [][]byte) { shares[0][0] ^= 1 }}),
				task.report(reportOptions{measurement: 3, tamper: func(shares [][]byte) { shares[0][c.size] ^= 0x80 }}),
				// A proof of something else.
				task.report(reportOptions{measurement: 3, tamper: func(shares [][]byte) { shares[0][len(shares[0])/2] ^= 1 }}),
				// Another seed for the Helper.
				task.report(reportOptions{measurement: 3, tamper: func(shares [][]byte) { shares[1][5] ^= 1 }}),
			}
			task.mustUpload(slices.Concat(bad[:2], good, bad[2:])...)
			counts := task.settled()
			if counts.leader.Aggregated != 4 || counts.helper.Aggregated != 4 || counts.leader.Rejected[errVdafVerifyError] != 4 {
				t.Errorf("counts %+v", counts)
			}
			request := task.collectionReq(task.interval(0, 1))
			collected := task.collect(request)
			got, want := task.result(collected, request, nil), []uint64{6}
			if name == "histogram" {
				want = []uint64{1, 1, 1, 1, 0, 0}
			}
			if collected.count != 4 || !slices.Equal(got, want) {
				t.Errorf("%d reports with the result %v; want 4 with %v", collected.count, got, want)
			}
		})
	}
}
