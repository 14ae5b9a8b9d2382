package conformance

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/api"
)

// TestUpload uploads reports, one and many in a request, and collects exactly them.
func TestUpload(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{minBatch: 6})
	reports := task.reports(6, 1000, 4)
	task.mustUpload(reports[0])
	task.mustUpload(reports[1:]...)
	task.mustUpload() // an UploadRequest of no reports
	task.wantCollected(task.interval(0, 10), reports...)
}

// TestUploadRefusesReports uploads reports that the Leader does not accept, among
// ones that it does (DAP Section 4.4.2.2). The errors have the order of the
// request, and only what was accepted is counted.
func TestUploadRefusesReports(t *testing.T) {
	s := newSystem(t, systemOptions{})
	base := s.newTask(taskOptions{unknown: true}).base
	limited := s.newTask(taskOptions{extensions: taskIntervalExtension(base, taskLength)})
	for name, c := range map[string]struct {
		options reportOptions
		want    byte
	}{
		"unknown HPKE configuration": {reportOptions{change: func(r *wireReport) { r.leader.configID ^= 0x55 }}, errOutdatedConfig},
		"before the task's interval": {reportOptions{at: base - 1, absolute: true}, errReportDropped},
		"at the end of the interval": {reportOptions{at: base + taskLength, absolute: true}, errReportDropped},
		"long after the interval":    {reportOptions{at: 1 << 63, absolute: true}, errReportDropped},
		"unrecognized extension":     {reportOptions{public: wireExtensions(wireExtension{7, nil})}, errInvalidMessage},
		"extension twice":            {reportOptions{public: wireExtensions(wireExtension{7, nil}, wireExtension{7, nil})}, errInvalidMessage},
		"unsorted extensions":        {reportOptions{public: wireExtensions(wireExtension{8, nil}, wireExtension{7, nil})}, errInvalidMessage},
	} {
		s.run(t, name, func(t *testing.T) {
			bad := limited.report(c.options)
			limited.unchanged(func() { limited.mustRefuse(c.want, bad) })
		})
	}
	s.run(t, "far in the future", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		early := task.report(reportOptions{at: 1100})
		task.unchanged(func() { task.mustRefuse(errReportTooEarly, early) })
		task.mustUpload(task.report(reportOptions{at: 1001})) // within the leeway for clock skew
	})
	s.run(t, "among good ones", func(t *testing.T) {
		good := limited.reports(3, 50, 7)
		bad := []wireReport{
			limited.report(reportOptions{at: base + taskLength, absolute: true}),
			limited.report(reportOptions{public: wireExtensions(wireExtension{7, nil})}),
			limited.report(reportOptions{change: func(r *wireReport) { r.leader.configID ^= 0x55 }}),
		}
		response := limited.upload(wireUpload(bad[0], good[0], bad[1], good[1], good[2], bad[2]))
		response.wantReady("upload-errors")
		want := []wireUploadError{{bad[0].id, errReportDropped}, {bad[1].id, errInvalidMessage}, {bad[2].id, errOutdatedConfig}}
		if got := readUploadErrors(t, response.body); !slices.Equal(got, want) {
			t.Errorf("upload errors %v; want %v", got, want)
		}
		limited.wantCollected(limited.interval(0, taskLength), good...)
	})
}

// TestUploadOfEndedTask uploads to a task whose interval is over.
func TestUploadOfEndedTask(t *testing.T) {
	s := newSystem(t, systemOptions{})
	base := s.newTask(taskOptions{unknown: true}).base
	ended := s.newTask(taskOptions{extensions: taskIntervalExtension(base-1000, 100)})
	within := ended.report(reportOptions{at: base - 950, absolute: true})
	after := ended.report(reportOptions{})
	ended.unchanged(func() {
		ended.mustRefuse(errTaskExpired, within)
		ended.mustRefuse(errReportDropped, after)
	})
	later := s.newTask(taskOptions{extensions: taskIntervalExtension(base+5000, 100)})
	later.unchanged(func() { later.mustRefuse(errReportDropped, later.report(reportOptions{})) })
}

// TestUploadTwice uploads reports that the Leader has seen: they are counted once
// (DAP Section 4.4.2.2).
func TestUploadTwice(t *testing.T) {
	s := newSystem(t, systemOptions{})
	s.run(t, "the same request", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		reports := task.reports(4, 1, 0)
		task.mustUpload(reports...)
		task.mustRefuse(errReportReplayed, reports...)
		task.settled()
		task.mustRefuse(errReportReplayed, reports...)
		task.wantCollected(task.interval(0, 1), reports...)
	})
	s.run(t, "the same report in one request", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		report := task.report(reportOptions{measurement: 5})
		response := task.upload(wireUpload(report, report))
		if got := readUploadErrors(t, response.body); !slices.Equal(got, []wireUploadError{{report.id, errReportReplayed}}) {
			t.Errorf("upload errors %v", got)
		}
		task.wantCollected(task.interval(0, 1), report)
	})
	s.run(t, "the same ID with other content", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		report := task.report(reportOptions{measurement: 5})
		task.mustUpload(report)
		task.mustRefuse(errReportReplayed, task.report(reportOptions{measurement: 6, id: report.id}))
		task.settled()
		task.mustRefuse(errReportReplayed, task.report(reportOptions{measurement: 7, id: report.id, at: 990}))
		task.wantCollected(task.interval(0, 1000), report)
	})
	s.run(t, "the same report at once", func(t *testing.T) {
		task := s.newTask(taskOptions{})
		report := task.report(reportOptions{measurement: 5})
		const uploads = 16
		refused := make([]int, uploads)
		var wait sync.WaitGroup
		for i := range uploads {
			wait.Go(func() { refused[i] = len(readUploadErrors(t, task.upload(wireUpload(report)).body)) })
		}
		wait.Wait()
		accepted := 0
		for _, n := range refused {
			accepted += 1 - n
		}
		if accepted != 1 {
			t.Errorf("the Leader has accepted the report %d times", accepted)
		}
		task.wantCollected(task.interval(0, 1), report)
	})
	s.run(t, "the same ID in another task", func(t *testing.T) {
		task, other := s.newTask(taskOptions{}), s.newTask(taskOptions{})
		report := task.report(reportOptions{measurement: 5})
		same := other.report(reportOptions{measurement: 8, id: report.id})
		task.mustUpload(report)
		other.mustUpload(same)
		task.wantCollected(task.interval(0, 1), report)
		other.wantCollected(other.interval(0, 1), same)
	})
}

// TestUploadForCollectedBatch uploads a report for a batch that was collected.
func TestUploadForCollectedBatch(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	reports := task.reports(3, 1, 0)
	task.mustUpload(reports...)
	task.wantCollected(task.interval(0, 2), reports...)
	for _, at := range []uint64{0, 1} { // with reports and without
		late := task.report(reportOptions{measurement: 9, at: at})
		task.unchanged(func() {
			response := task.upload(wireUpload(late))
			response.wantReady("upload-errors")
			got := readUploadErrors(t, response.body)
			if len(got) != 1 || got[0].id != late.id || (got[0].error != errBatchCollected && got[0].error != errReportReplayed) {
				t.Errorf("upload errors %v", got)
			}
		})
	}
	next := task.report(reportOptions{measurement: 9, at: 2})
	task.mustUpload(next)
	task.wantCollected(task.interval(2, 1), next)
}

// TestUploadRefuses makes requests that fail as a whole. Nothing of them is accepted.
func TestUploadRefuses(t *testing.T) {
	s := newSystem(t, systemOptions{api: func(o *api.Options) { o.Limits.UploadBytes = 1 << 20 }})
	task := s.newTask(taskOptions{})
	unknown := s.newTask(taskOptions{unknown: true})
	reports := task.reports(3, 1, 0)
	body := wireUpload(reports...)
	post := func(change func(*wireRequest)) wireResponse {
		r := wireRequest{method: "POST", url: task.leaderPath("reports"), message: "upload-req", body: body}
		change(&r)
		return s.send(r)
	}
	s.run(t, "unrecognized task", func(t *testing.T) { unknown.upload(body).wantProblem("unrecognizedTask") })
	s.run(t, "malformed", func(t *testing.T) {
		task.unchanged(func() { task.upload(body[:len(body)-1]).wantProblem("invalidMessage") })
	})
	s.run(t, "task ID that is none", func(t *testing.T) {
		for _, id := range []string{"x", task.idText() + "A", task.idText()[:42] + "=", task.idText()[:42] + "_"} {
			if id == task.idText() {
				continue
			}
			problem := post(func(r *wireRequest) { r.url = strings.Replace(r.url, task.idText(), id, 1) }).problem()
			if problem.Type != "urn:ietf:params:ppm:dap:error:invalidMessage" && problem.Type != "urn:ietf:params:ppm:dap:error:unrecognizedTask" {
				t.Errorf("%s: %+v", id, problem)
			}
		}
	})
	s.run(t, "wrong media type", func(t *testing.T) {
		task.unchanged(func() {
			for _, message := range []string{"", "collection-job-req", "upload-errors", "upload-req2"} {
				post(func(r *wireRequest) { r.message = message }).wantStatus(http.StatusUnsupportedMediaType)
			}
			post(func(r *wireRequest) {
				r.message, r.header = "", http.Header{"Content-Type": {"application/octet-stream"}}
			}).wantStatus(http.StatusUnsupportedMediaType)
			post(func(r *wireRequest) { r.header = http.Header{"Content-Encoding": {"gzip"}} }).wantStatus(http.StatusUnsupportedMediaType)
		})
	})
	s.run(t, "body over the limit", func(t *testing.T) {
		task.unchanged(func() {
			post(func(r *wireRequest) { r.body = append(slices.Clone(body), make([]byte, 1<<20)...) }).wantStatus(http.StatusRequestEntityTooLarge)
		})
	})
	s.run(t, "wrong method", func(t *testing.T) {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			post(func(r *wireRequest) { r.method = method }).wantStatus(http.StatusMethodNotAllowed)
		}
	})
	task.mustUpload(reports...)
	task.wantCollected(task.interval(0, 1), reports...)
}
