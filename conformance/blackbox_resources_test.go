package conformance

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// TestHpkeConfigurations fetches the HPKE configurations of both aggregators
// (DAP Section 4.4.1) while they change.
func TestHpkeConfigurations(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	before := task.report(reportOptions{measurement: 3})
	ctx := context.Background()
	type keys interface {
		AddHpkeKey(context.Context, aggregator.HpkeSuite, int) (dap.HpkeConfig, error)
		RotateHpkeKey(context.Context, aggregator.HpkeSuite) (dap.HpkeConfig, error)
	}
	for name, c := range map[string]struct {
		endpoint string
		engine   keys
	}{"Leader": {s.leaderURL, s.leader}, "Helper": {s.helperURL, s.helper}} {
		s.run(t, name, func(t *testing.T) {
			_, err := c.engine.AddHpkeKey(ctx, aggregator.HpkeSuite{KemID: 0x0010, KdfID: 0x0001, AeadID: 0x0003}, 1)
			must(t, err)
			_, err = c.engine.AddHpkeKey(ctx, aggregator.HpkeSuite{KemID: 0x647a, KdfID: 0x0001, AeadID: 0x0001}, 2)
			must(t, err)
			for range 3 { // the first one is retired each time
				_, err = c.engine.RotateHpkeKey(ctx, aggregator.MandatorySuite)
				must(t, err)
				response := s.send(wireRequest{method: "GET", url: c.endpoint + "hpke_config"})
				response.wantReady("hpke-config-list")
				if got := response.header.Get("Cache-Control"); !strings.Contains(got, "max-age=") {
					t.Errorf("Cache-Control %q", got)
				}
				list := readHpkeConfigList(t, response.body)
				ids := make(map[byte]bool)
				for _, config := range list {
					ids[config.id] = true
				}
				if len(list) != 3 || len(ids) != 3 {
					t.Fatalf("configurations %+v", list)
				}
				if first := list[0]; first.kem != 0x0020 || first.kdf != 0x0001 || first.aead != 0x0001 || list[1].kem != 0x0010 || list[2].kem != 0x647a {
					t.Errorf("the order is %+v", list)
				}
			}
		})
	}
	for i, endpoint := range []string{s.leaderURL, s.helperURL} { // each Client takes another one
		response := s.send(wireRequest{method: "GET", url: endpoint + "hpke_config"})
		s.configs[i] = readHpkeConfigList(t, response.body)[i+1]
	}
	after := task.report(reportOptions{measurement: 4})
	task.mustUpload(before, after)
	task.wantCollected(task.interval(0, 1), before, after)
}

// TestResourceURLs gives aggregators endpoints in unusual forms. They are in the
// task's configuration, and with it in all authenticated data, byte for byte (DAP Section
// 4.1), and all resources lie below them (DAP Section 3).
func TestResourceURLs(t *testing.T) {
	s := newSystem(t, systemOptions{leaderURL: "/a/%7Euser/x.y", helperURL: "/h%2Dx/"})
	rounds := roundsVDAF(t, 4, false)
	for _, taskprov := range []bool{false, true} {
		task := s.newTask(taskOptions{taskprov: taskprov, vdaf: &rounds})
		reports := task.reports(3, 8, 0)
		task.mustUpload(reports...)
		task.wantCollected(task.interval(0, 1), reports...)
		more := task.reports(2, 8, 4)
		l := task.lead(nil, more...)
		created := task.createAggregationJob(l.initReq())
		if !strings.HasPrefix(created.location(), task.helperPath("aggregation_jobs/")) || len(lastSegment(created.location())) != 22 {
			t.Errorf("Location %s", created.location())
		}
		l.take(created)
		task.continueAggregationJob(created.location(), l.continueReq(1)).wantOK()
	}
	for _, url := range []string{s.leaderURL + "s/hpke_config", strings.Replace(s.leaderURL, "/a/", "/", 1) + "/hpke_config", strings.TrimSuffix(s.helperURL, "/") + "hpke_config"} {
		s.send(wireRequest{method: "GET", url: url}).wantStatus(http.StatusNotFound)
	}
}

// TestProblemDocuments makes requests that no resource answers: they are client
// errors with a problem document, and of no type that DAP does not define (DAP Section 3.6).
func TestProblemDocuments(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	for name, c := range map[string]struct {
		method, url string
		status      int
	}{
		"no resource of the Leader":    {"GET", s.leaderURL + "nothing", http.StatusNotFound},
		"no resource of the Helper":    {"POST", s.helperURL + "tasks", http.StatusNotFound},
		"no resource of a task":        {"POST", task.leaderPath("aggregation_jobs"), http.StatusNotFound},
		"uploads to the Helper":        {"POST", task.helperPath("reports"), http.StatusNotFound},
		"method of hpke_config":        {"POST", s.leaderURL + "hpke_config", http.StatusMethodNotAllowed},
		"method of reports":            {"PUT", task.leaderPath("reports"), http.StatusMethodNotAllowed},
		"method of aggregation_jobs":   {"PUT", task.helperPath("aggregation_jobs"), http.StatusMethodNotAllowed},
		"method of an aggregation job": {"PUT", task.helperPath("aggregation_jobs/lc7aUeGpdSNosNlh-UZhKA"), http.StatusMethodNotAllowed},
		"method of a collection job":   {"PUT", task.leaderPath("collection_jobs/lc7aUeGpdSNosNlh-UZhKA"), http.StatusMethodNotAllowed},
		"method of aggregate_shares":   {"GET", task.helperPath("aggregate_shares"), http.StatusMethodNotAllowed},
	} {
		s.run(t, name, func(t *testing.T) {
			s.send(wireRequest{method: c.method, url: c.url, token: task.tokenFor(c.url)}).wantStatus(c.status)
		})
	}
	s.run(t, "collection job that is none", func(t *testing.T) {
		task.get(task.leaderPath("collection_jobs/lc7aUeGpdSNosNlh-UZhKA")).wantStatus(http.StatusNotFound)
		task.remove(task.leaderPath("collection_jobs/x")).wantStatus(http.StatusNotFound)
	})
	s.run(t, "aggregation job that is none", func(t *testing.T) {
		task.get(task.helperPath("aggregation_jobs/lc7aUeGpdSNosNlh-UZhKA?step=0")).wantProblem("unrecognizedAggregationJob")
		task.remove(task.helperPath("aggregation_jobs/x")).wantProblem("unrecognizedAggregationJob")
	})
}
