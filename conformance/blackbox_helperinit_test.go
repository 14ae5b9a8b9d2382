package conformance

import (
	"bytes"
	"slices"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
)

// TestHelperInitialization has the Helper initialize a job of each batch mode. The
// answer has the reports in the order of the request, the resource's location, and the
// next message of each, which the Leader's side of the VDAF accepts.
func TestHelperInitialization(t *testing.T) {
	s := newSystem(t, systemOptions{})
	for name, mode := range map[string]struct {
		mode       byte
		extensions []wireExtension
	}{
		"time interval":   {modeTimeInterval, nil},
		"leader selected": {modeLeaderSelected, []wireExtension{batchIDExtension(randomBytes(32))}},
	} {
		s.run(t, name, func(t *testing.T) {
			task := s.newTask(taskOptions{mode: mode.mode})
			reports := task.reports(7, 100, 3)
			l := task.lead(nil, reports...)
			response := task.createAggregationJob(l.initReq(mode.extensions...))
			for i, v := range l.take(response) {
				if v.kind != respContinue {
					t.Errorf("report %d: %+v", i, v)
				}
			}
			if len(l.ids) != len(reports) {
				t.Errorf("the Leader's side accepts %d of %d", len(l.ids), len(reports))
			}
			if again := task.get(response.location() + "?step=0"); !bytes.Equal(again.body, response.body) {
				t.Error("GET of the location has another answer")
			}
			if c := task.counts(); c.helper.Aggregated != uint64(len(reports)) {
				t.Errorf("counts %+v", c.helper)
			}
		})
	}
}

// TestHelperInitializationRefuses sends requests that fail the whole job (DAP
// Section 4.5.3.2). None of them changes anything.
func TestHelperInitializationRefuses(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	selected := s.newTask(taskOptions{mode: modeLeaderSelected})
	weighted := roundsVDAF(t, 1, true)
	parameter := s.newTask(taskOptions{vdaf: &weighted})
	unknown := s.newTask(taskOptions{unknown: true})
	id := randomBytes(32)

	request := func(task *wireTask, change func(*wireInitReq)) []byte {
		r := wireInitReq{inits: task.lead(weightOf(task), task.reports(2, 1, 0)...).inits, aggParam: weightOf(task)}
		change(&r)
		return r.encode()
	}
	extensions := func(list ...wireExtension) func(*wireInitReq) {
		return func(r *wireInitReq) { r.extensions = wireExtensions(list...) }
	}
	for name, c := range map[string]struct {
		task        *wireTask
		change      func(*wireInitReq)
		want        string
		unsupported []uint16
	}{
		"unrecognized task":                   {unknown, extensions(), "unrecognizedTask", nil},
		"unrecognized extension":              {task, extensions(wireExtension{23, nil}), "unsupportedExtension", []uint16{23}},
		"two unrecognized extensions":         {selected, extensions(batchIDExtension(id), wireExtension{23, nil}, wireExtension{42, id}), "unsupportedExtension", []uint16{23, 42}},
		"extension of the other batch mode":   {task, extensions(batchIDExtension(id)), "unsupportedExtension", []uint16{1}},
		"extension twice":                     {selected, extensions(batchIDExtension(id), batchIDExtension(id)), "invalidMessage", nil},
		"no batch ID":                         {selected, extensions(), "invalidMessage", nil},
		"short batch ID":                      {selected, extensions(batchIDExtension(id[1:])), "invalidMessage", nil},
		"long batch ID":                       {selected, extensions(batchIDExtension(append(id, 0))), "invalidMessage", nil},
		"aggregation parameter":               {task, func(r *wireInitReq) { r.aggParam = []byte{0} }, "invalidAggregationParameter", nil},
		"undecodable aggregation parameter":   {parameter, func(r *wireInitReq) { r.aggParam = []byte{1} }, "invalidAggregationParameter", nil},
		"aggregation parameter out of range":  {parameter, func(r *wireInitReq) { r.aggParam = []byte{0, 0} }, "invalidAggregationParameter", nil},
		"report ID twice":                     {task, func(r *wireInitReq) { r.inits[1] = r.inits[0] }, "invalidMessage", nil},
		"unknown verification key ID":         {task, func(r *wireInitReq) { r.keyID = 1 }, "invalidMessage", nil},
		"extensions that run past their end":  {task, func(r *wireInitReq) { r.extensions = []byte{0, 1, 0, 9, 0} }, "invalidMessage", nil},
		"no reports":                          {task, func(r *wireInitReq) { r.inits = nil }, "invalidMessage", nil},
		"a report share without a ciphertext": {task, func(r *wireInitReq) { r.inits[1] = r.inits[1][:40] }, "invalidMessage", nil},
	} {
		s.run(t, name, func(t *testing.T) {
			body := request(c.task, c.change)
			refused := func() {
				problem := c.task.createAggregationJob(body).wantProblem(c.want)
				if !slices.Equal(problem.UnsupportedExtensions, c.unsupported) {
					t.Errorf("unsupported_extensions %v; want %v", problem.UnsupportedExtensions, c.unsupported)
				}
			}
			if c.task == unknown {
				refused()
				return
			}
			c.task.unchanged(refused)
		})
	}
}

// weightOf is a valid aggregation parameter of the task.
func weightOf(task *wireTask) []byte {
	if len(task.vdaf.config) == 2 && task.vdaf.config[1] == 1 {
		return []byte{0, 3}
	}
	return nil
}

// reportFault is something wrong with a report that makes an aggregator reject it.
type reportFault struct {
	options reportOptions
	want    byte
}

// at names the aggregator whose share is at fault, as an index.
const (
	atLeader = 0
	atHelper = 1
)

// reportFaults are reports for a task with an interval of taskLength from its base on,
// each with something wrong at one of the aggregators (DAP Sections 4.5.3.3 and 4.5.3.4).
func reportFaults(task *wireTask, at int) map[string]reportFault {
	extension := func(kinds ...uint16) (encoded []byte) {
		for _, kind := range kinds {
			encoded = append(encoded, wireExtensions(wireExtension{kind, []byte{1}})...)
		}
		return encoded
	}
	private := func(encoded []byte) (list [2][]byte) {
		list[at] = encoded
		return list
	}
	payload := func(b []byte) (list [2][]byte) {
		list[at] = b
		return list
	}
	config := func(f func(*wireHpkeConfig)) (list [2]func(*wireHpkeConfig)) {
		list[at] = f
		return list
	}
	own := func(r *wireReport) *wireCiphertext {
		if at == atLeader {
			return &r.leader
		}
		return &r.helper
	}
	return map[string]reportFault{
		"input share that does not decode": {reportOptions{tamper: func(shares [][]byte) { shares[at] = shares[at][1:] }}, errInvalidMessage},
		"input share with an element out of range": {reportOptions{tamper: func(shares [][]byte) {
			if at == atLeader { // the Helper's is a seed: it always decodes
				copy(shares[at], bytes.Repeat([]byte{0xff}, 8))
			} else {
				shares[at] = append(shares[at], 0)
			}
		}}, errInvalidMessage},
		"plaintext that does not decode":      {reportOptions{payloads: payload([]byte{0})}, errInvalidMessage},
		"plaintext with trailing bytes":       {reportOptions{payloads: payload(wire{}.vec16(nil).vec32(make([]byte, 40)).u8(0))}, errInvalidMessage},
		"unrecognized public extension":       {reportOptions{public: extension(7)}, errInvalidMessage},
		"unrecognized private extension":      {reportOptions{private: private(extension(7))}, errInvalidMessage},
		"public extension twice":              {reportOptions{public: extension(7, 7)}, errInvalidMessage},
		"private extension twice":             {reportOptions{private: private(extension(7, 7))}, errInvalidMessage},
		"extension both public and private":   {reportOptions{public: extension(7), private: private(extension(7))}, errInvalidMessage},
		"unsorted public extensions":          {reportOptions{public: extension(8, 7)}, errInvalidMessage},
		"unsorted private extensions":         {reportOptions{private: private(extension(8, 7))}, errInvalidMessage},
		"unknown HPKE configuration":          {reportOptions{config2: config(func(c *wireHpkeConfig) { c.id ^= 0x55 })}, errHpkeDecryptError},
		"ciphertext that does not open":       {reportOptions{change: func(r *wireReport) { own(r).payload = flipped(own(r).payload, -1) }}, errHpkeDecryptError},
		"encapsulated key that does not open": {reportOptions{change: func(r *wireReport) { own(r).enc = flipped(own(r).enc, 0) }}, errHpkeDecryptError},
		"encapsulated key of another length":  {reportOptions{change: func(r *wireReport) { own(r).enc = own(r).enc[1:] }}, errHpkeDecryptError},
		"sealed for another time":             {reportOptions{change: func(r *wireReport) { r.time++ }}, errHpkeDecryptError},
		"sealed for another task":             {reportOptions{aad: func(aad []byte) []byte { return flipped(aad, 0) }}, errHpkeDecryptError},
		"sealed for another configuration":    {reportOptions{aad: func(aad []byte) []byte { return flipped(aad, 32+3) }}, errHpkeDecryptError},
		"sealed for another public share":     {reportOptions{aad: func(aad []byte) []byte { return flipped(aad, -1) }}, errHpkeDecryptError},
		"before the task's interval":          {reportOptions{at: task.base - 1, absolute: true}, errTaskNotStarted},
		"at the end of the task's interval":   {reportOptions{at: task.base + taskLength, absolute: true}, errTaskExpired},
	}
}

// TestHelperInputShares gives the Helper jobs in which one report among good ones has
// something wrong with it: that one is rejected with its error, and the others are
// accepted.
func TestHelperInputShares(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{extensions: nil})
	task = s.newTask(taskOptions{extensions: taskIntervalExtension(task.base, taskLength)})
	for name, fault := range reportFaults(task, atHelper) {
		s.run(t, name, func(t *testing.T) {
			before := task.counts().helper
			good := task.reports(2, 10, 5)
			bad := task.report(fault.options)
			if got := task.rejections(nil, nil, good[0], bad, good[1]); !slices.Equal(got, []byte{0, fault.want, 0}) {
				t.Errorf("report errors %v; want [0 %d 0]", got, fault.want)
			}
			if after := task.counts().helper; after.Aggregated != before.Aggregated+2 {
				t.Errorf("%d reports were aggregated; want 2", after.Aggregated-before.Aggregated)
			}
		})
	}
	s.run(t, "proof that does not verify", func(t *testing.T) {
		good := task.reports(2, 10, 5)
		bad := task.report(reportOptions{measurement: 4})
		bad.leaderShare = flipped(bad.leaderShare, 0)
		if got := task.rejections(nil, nil, good[0], bad, good[1]); !slices.Equal(got, []byte{0, errVdafVerifyError, 0}) {
			t.Errorf("report errors %v; want [0 %d 0]", got, errVdafVerifyError)
		}
	})
	s.run(t, "message that does not decode", func(t *testing.T) {
		l := task.lead(nil, task.reports(2, 10, 5)...)
		body := wireInitReq{inits: [][]byte{l.inits[0], append(bytes.Clone(l.inits[1][:len(l.inits[1])-1]), 0)}}.encode()
		body[len(body)-1] ^= 0xff
		resps := readAggregationJobResp(t, task.createAggregationJob(body).body)
		wantIDs(t, resps, l.ids)
		if resps[0].kind != respContinue || resps[1].kind != respReject || resps[1].error != errVdafVerifyError {
			t.Errorf("%+v", resps)
		}
	})
	s.run(t, "far in the future", func(t *testing.T) {
		open := s.newTask(taskOptions{})
		early := open.report(reportOptions{at: 1100})
		good := open.report(reportOptions{})
		if got := open.rejections(nil, nil, early, good); !slices.Equal(got, []byte{errReportTooEarly, 0}) {
			t.Errorf("report errors %v; want [%d 0]", got, errReportTooEarly)
		}
	})
}

// TestHelperReplay gives the Helper reports that it has aggregated before.
func TestHelperReplay(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	reports := task.reports(3, 1, 0)
	task.aggregate(reports...)
	fresh := task.report(reportOptions{measurement: 9})
	s.run(t, "in another job", func(t *testing.T) {
		if got := task.rejections(nil, nil, reports[1]); !slices.Equal(got, []byte{errReportReplayed}) {
			t.Errorf("report errors %v", got)
		}
		task.wantAggregated(3)
	})
	s.run(t, "beside a new report", func(t *testing.T) {
		if got := task.rejections(nil, nil, reports[2], fresh); !slices.Equal(got, []byte{errReportReplayed, 0}) {
			t.Errorf("report errors %v", got)
		}
		task.wantAggregated(4)
	})
	s.run(t, "at another time", func(t *testing.T) {
		moved := task.report(reportOptions{measurement: 5, id: reports[0].id, at: 900})
		if got := task.rejections(nil, nil, moved); !slices.Equal(got, []byte{errReportReplayed}) {
			t.Errorf("report errors %v", got)
		}
		task.wantAggregated(4)
	})
	s.run(t, "in another task", func(t *testing.T) {
		other := s.newTask(taskOptions{})
		same := other.report(reportOptions{measurement: 5, id: reports[0].id})
		if got := other.rejections(nil, nil, same); !slices.Equal(got, []byte{0}) {
			t.Errorf("report errors %v", got)
		}
	})
}

// TestHelperInitializationAgain sends the same request again: it is the same
// resource, in its current state.
func TestHelperInitializationAgain(t *testing.T) {
	s := newSystem(t, systemOptions{})
	s.run(t, "after the answer", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		body := task.lead(nil, task.reports(3, 1, 0)...).initReq()
		first := task.createAggregationJob(body)
		first.wantReady("aggregation-job-resp")
		task.unchanged(func() {
			again := task.createAggregationJob(body)
			again.wantReady("aggregation-job-resp")
			if again.location() != first.location() || !bytes.Equal(again.body, first.body) {
				t.Errorf("another answer: %s, %x; first %s, %x", again.location(), again.body, first.location(), first.body)
			}
		})
	})
	s.run(t, "with other reports", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		first := task.createAggregationJob(task.lead(nil, task.reports(3, 1, 0)...).initReq())
		second := task.createAggregationJob(task.lead(nil, task.reports(3, 1, 0)...).initReq())
		if first.location() == second.location() {
			t.Error("two jobs have the same location")
		}
	})
	s.run(t, "after a continuation", func(t *testing.T) {
		rounds := roundsVDAF(t, 4, false)
		task := s.newTask(taskOptions{vdaf: &rounds})
		l := task.lead(nil, task.reports(3, 1, 0)...)
		body := l.initReq()
		first := task.createAggregationJob(body)
		l.take(first)
		continued := task.continueAggregationJob(first.location(), l.continueReq(1))
		continued.wantReady("aggregation-job-resp")
		again := task.createAggregationJob(body)
		if again.location() != first.location() || !bytes.Equal(again.body, continued.body) {
			t.Errorf("the job is not in its current state: %s, %x", again.location(), again.body)
		}
		l.take(continued)
		finished := task.continueAggregationJob(first.location(), l.continueReq(2))
		finished.wantReady("aggregation-job-resp")
		for i, v := range readAggregationJobResp(t, finished.body) {
			if v.kind != respFinish {
				t.Errorf("report %d does not finish: %+v", i, v)
			}
		}
		task.wantAggregated(3)
	})
}

// TestHelperAsynchronous has the Helper defer its steps (DAP Section 3.1).
func TestHelperAsynchronous(t *testing.T) {
	s := newSystem(t, systemOptions{helper: func(c *aggregator.HelperConfig) { c.Async = true }})
	rounds := roundsVDAF(t, 4, false)
	task := s.newTask(taskOptions{vdaf: &rounds})
	l := task.lead(nil, task.reports(3, 1, 0)...)
	created := task.createAggregationJob(l.initReq())
	location := wantDeferred(t, created, task, "0")
	ready := task.poll(created.location())
	l.take(ready)
	if len(l.ids) != 3 {
		t.Fatalf("%d reports go on", len(l.ids))
	}
	s.run(t, "step is required", func(t *testing.T) {
		task.get(location).wantProblem("invalidMessage")
		task.get(location + "?step=x").wantProblem("invalidMessage")
		task.get(location + "?step=1").wantProblem("stepMismatch")
	})
	continued := task.continueAggregationJob(location, l.continueReq(1))
	if got := wantDeferred(t, continued, task, "1"); got != location {
		t.Errorf("the location is now %s, not %s", got, location)
	}
	l.take(task.poll(continued.location()))
	last := task.continueAggregationJob(location, l.continueReq(2))
	wantDeferred(t, last, task, "2")
	response := task.poll(last.location())
	response.wantReady("aggregation-job-resp")
	for i, v := range readAggregationJobResp(t, response.body) {
		if v.kind != respFinish {
			t.Errorf("report %d does not finish: %+v", i, v)
		}
	}
	task.wantAggregated(3)
}

// wantDeferred fails the test unless the answer says that an aggregation job is
// not ready at that step. It returns the job's URL without the step.
func wantDeferred(t *testing.T, r wireResponse, task *wireTask, step string) string {
	t.Helper()
	r.wantEmpty()
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	location, query, found := bytes.Cut([]byte(r.location()), []byte("?"))
	if !found || string(query) != "step="+step || !bytes.HasPrefix(location, []byte(task.helperPath("aggregation_jobs/"))) {
		t.Fatalf("Location %s; want one below %s with ?step=%s", r.location(), task.helperPath("aggregation_jobs/"), step)
	}
	return string(location)
}
