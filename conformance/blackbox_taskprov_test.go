package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// newTaskprovSystem is a system whose aggregators have opted in to tasks of each
// other with batches of at least two reports.
func newTaskprovSystem(t *testing.T, o systemOptions) *wireSystem {
	t.Helper()
	s := newSystem(t, o)
	collector := dap.HpkeConfig{ID: 77, KemID: 0x20, KdfID: 1, AeadID: 1, PublicKey: s.collector.publicKey}
	peering := aggregator.Peering{Name: "other", VerifyKeyInit: verifyKeyInit, TokenHash: sha256.Sum256([]byte(leaderToken))}
	atLeader, atHelper := peering, peering
	atLeader.PeerURL, atHelper.PeerURL = s.helperURL, s.leaderURL
	atLeader.Token = []byte(leaderToken)
	atLeader.OptIn = &aggregator.TaskprovOptIn{
		CollectorHpkeConfig: collector, CollectorTokenHash: sha256.Sum256([]byte(collectorToken)), MinBatchSize: 2,
	}
	atHelper.OptIn = &aggregator.TaskprovOptIn{CollectorHpkeConfig: collector, MinBatchSize: 2}
	must(t, s.leader.AddPeering(context.Background(), atLeader))
	must(t, s.helper.AddPeering(context.Background(), atHelper))
	return s
}

// advertised makes a task of Taskprov that the aggregators do not know, and that
// its participants advertise.
func (s *wireSystem) advertised(o taskOptions) *wireTask {
	s.t.Helper()
	o.taskprov, o.unknown = true, true
	task := s.newTask(o)
	task.header = advertisement(taskprovHeader(task.config))
	return task
}

func advertisement(value string) http.Header { return http.Header{"Dap-Taskprov": {value}} }

// knows tells whether the aggregators know a task.
func (s *wireSystem) knows(task *wireTask) (leader, helper bool) {
	s.t.Helper()
	has := func(tasks []aggregator.Task, err error) bool {
		must(s.t, err)
		for i := range tasks {
			if tasks[i].ID == task.id {
				return true
			}
		}
		return false
	}
	return has(s.leader.Tasks(context.Background())), has(s.helper.Tasks(context.Background()))
}

// TestTaskprov takes an advertised task from upload to result. Its ID and its
// verification key are derived as Taskprov says, and every request of the Leader
// advertises it (Taskprov Sections 3.3, 3.4 and 3.7).
func TestTaskprov(t *testing.T) {
	s := newTaskprovSystem(t, systemOptions{})
	rounds := roundsVDAF(t, 4, false)
	for name, o := range map[string]taskOptions{
		"prio3":            {minBatch: 2},
		"several rounds":   {minBatch: 2, vdaf: &rounds},
		"with an interval": {minBatch: 2, extensions: taskIntervalExtension(uint64(time.Now().Unix())/60-2000, 4000)},
	} {
		s.run(t, name, func(t *testing.T) {
			task := s.advertised(o)
			reports := task.reports(3, 20, 0)
			task.mustUpload(reports...)
			task.settled()
			task.wantCollected(task.interval(0, 1), reports...)
			if leader, helper := s.knows(task); !leader || !helper {
				t.Errorf("opted in: Leader %v, Helper %v", leader, helper)
			}
			task.remove(task.createCollectionJob(task.collectionReq(task.interval(0, 1))).location()).wantEmpty()
			eventually(t, "the Leader deletes the aggregate share", func() bool {
				return len(s.traffic.seen("DELETE", "/tasks/"+task.idText()+"/aggregate_shares/")) == 1
			})
			for _, method := range []string{"POST", "GET", "DELETE"} {
				for _, r := range s.traffic.seen(method, task.idText()) {
					if got := r.header.Values("DAP-Taskprov"); len(got) != 1 || got[0] != taskprovHeader(task.config) {
						t.Errorf("%s %s: DAP-Taskprov %q", method, r.path, got)
					}
				}
			}
			wantLeaderKey(t, task, reports)
			// The Helper has the same key: it verifies what the test began with it.
			more := task.reports(2, 90, 7)
			task.aggregate(more...)
		})
	}
}

// wantLeaderKey fails the test unless the Leader has begun verification with
// the task's verification key.
func wantLeaderKey(t *testing.T, task *wireTask, reports []wireReport) {
	t.Helper()
	sent := 0
	for _, r := range task.system.traffic.seen("POST", "/tasks/"+task.idText()+"/aggregation_jobs") {
		if !r.creates("aggregation_jobs") {
			continue
		}
		_, inits := readInitReq(t, r.body)
		for _, init := range inits {
			for _, report := range reports {
				if report.id != init.id {
					continue
				}
				sent++
				state := task.vdaf.topology.LeaderInit(task.verifyKey, task.vdafContext(), nil, []pingpong.Report{{
					Nonce: report.id[:], PublicShare: report.publicShare, InputShare: report.leaderShare,
				}})[0]
				if !bytes.Equal(state.Outbound, init.payload) {
					t.Error("the Leader's first message was not made with the derived key")
				}
			}
		}
	}
	if sent != len(reports) {
		t.Errorf("%d reports were sent; want %d", sent, len(reports))
	}
}

// TestTaskprovRefuses advertises tasks that an aggregator must not take part in: it
// aborts, and does not set them up (Taskprov Sections 3.5, 3.7 and 3.8).
func TestTaskprovRefuses(t *testing.T) {
	s := newTaskprovSystem(t, systemOptions{})
	unsupported := sumVDAF(t, 100)
	unsupported.kind, unsupported.config = 6, []byte{0, 16} // Poplar1
	invented := sumVDAF(t, 100)
	invented.kind = 0x77777777
	ended := taskIntervalExtension(uint64(time.Now().Unix())/60-2000, 100)
	for name, c := range map[string]struct {
		options taskOptions
		change  func(task *wireTask)
		want    string
	}{
		"ended":                        {taskOptions{minBatch: 2, extensions: ended}, nil, "invalidTask"},
		"VDAF that is not implemented": {taskOptions{minBatch: 2, vdaf: &unsupported}, nil, "invalidTask"},
		"VDAF that there is not":       {taskOptions{minBatch: 2, vdaf: &invented}, nil, "invalidTask"},
		"batch mode that there is not": {taskOptions{minBatch: 2, mode: 9}, nil, "invalidTask"},
		"unrecognized task extension":  {taskOptions{minBatch: 2, extensions: wireExtensions(wireExtension{9, nil})}, nil, "invalidTask"},
		"too small batches":            {taskOptions{minBatch: 1}, nil, "invalidTask"},
		"another task's configuration": {taskOptions{minBatch: 2}, func(task *wireTask) { task.id[0] ^= 1 }, "unrecognizedTask"},
		"not advertised":               {taskOptions{minBatch: 2}, func(task *wireTask) { task.header = nil }, "unrecognizedTask"},
	} {
		s.run(t, name, func(t *testing.T) {
			task := s.advertised(c.options)
			if c.change != nil {
				c.change(task)
			}
			report := task.report(reportOptions{})
			task.upload(wireUpload(report)).wantProblem(c.want)
			task.createCollectionJob(task.collectionReq(task.interval(0, 1))).wantProblem(c.want)
			l := task.lead(nil, report)
			task.createAggregationJob(l.initReq()).wantProblem(c.want)
			share := wireShareReq{collectionReq: task.collectionReq(task.interval(0, 1)), selector: task.interval(0, 1)}
			task.createAggregateShare(share.encode()).wantProblem(c.want)
			if leader, helper := s.knows(task); leader || helper {
				t.Errorf("set up: Leader %v, Helper %v", leader, helper)
			}
		})
	}
	s.run(t, "another configuration for a task that is set up", func(t *testing.T) {
		task, other := s.advertised(taskOptions{minBatch: 2}), s.advertised(taskOptions{minBatch: 2})
		report := task.report(reportOptions{})
		task.mustUpload(report)
		l := task.lead(nil, report)
		task.createAggregationJob(l.initReq()).wantOK()
		task.header = other.header
		task.unchanged(func() {
			task.upload(wireUpload(task.report(reportOptions{}))).wantProblem("unrecognizedTask")
			task.createAggregationJob(task.lead(nil, task.report(reportOptions{})).initReq()).wantProblem("unrecognizedTask")
		})
	})
}

// TestTaskprovIgnored sends DAP-Taskprov headers that do not count (Taskprov
// Section 3.2), and ones to aggregators that have not opted in: the request is
// handled as if there were none.
func TestTaskprovIgnored(t *testing.T) {
	s := newTaskprovSystem(t, systemOptions{})
	task := s.advertised(taskOptions{minBatch: 2})
	value := taskprovHeader(task.config)
	for name, ignored := range map[string]string{
		"string":                 `"` + value[1:len(value)-1] + `"`,
		"token":                  "a",
		"integer":                "17",
		"boolean":                "?1",
		"list":                   value + ", " + value,
		"inner list":             "(" + value + ")",
		"not a structured field": ":",
		"no configuration":       "::",
		"truncated":              taskprovHeader(task.config[:len(task.config)-1]),
		"trailing bytes":         taskprovHeader(append(bytes.Clone(task.config), 0)),
	} {
		s.run(t, name, func(t *testing.T) {
			task.header = advertisement(ignored)
			task.upload(wireUpload(task.report(reportOptions{}))).wantProblem("unrecognizedTask")
			task.createAggregationJob(task.lead(nil, task.report(reportOptions{})).initReq()).wantProblem("unrecognizedTask")
		})
	}
	s.run(t, "parameters", func(t *testing.T) {
		task.header = advertisement(value + `;a=1;b="x";c`)
		reports := task.reports(2, 5, 0)
		task.mustUpload(reports...)
		task.wantCollected(task.interval(0, 1), reports...)
	})
	s.run(t, "ignored for a task that is set up", func(t *testing.T) {
		known := s.newTask(taskOptions{})
		known.header = advertisement(`"text"`)
		report := known.report(reportOptions{measurement: 4})
		known.mustUpload(report)
		known.wantCollected(known.interval(0, 1), report)
	})
	s.run(t, "Helper of another Leader", func(t *testing.T) {
		foreign := s.advertised(taskOptions{minBatch: 2})
		request := wireRequest{
			method: "POST", url: foreign.helperPath("aggregation_jobs"), message: "aggregation-job-init-req", token: "another",
			body: foreign.lead(nil, foreign.report(reportOptions{})).initReq(), header: foreign.header,
		}
		s.send(request).wantProblem("unrecognizedTask")
		if _, helper := s.knows(foreign); helper {
			t.Error("the Helper has set the task up")
		}
	})
	s.run(t, "no support", func(t *testing.T) {
		plain := newSystem(t, systemOptions{})
		unsupported := plain.advertised(taskOptions{minBatch: 2})
		unsupported.upload(wireUpload(unsupported.report(reportOptions{}))).wantProblem("unrecognizedTask")
		unsupported.createAggregationJob(unsupported.lead(nil, unsupported.report(reportOptions{})).initReq()).wantProblem("unrecognizedTask")
	})
}

// TestTaskprovStaysOptedIn lets a task end after the aggregators have opted in: what was
// uploaded is collected (Taskprov Section 5).
func TestTaskprovStaysOptedIn(t *testing.T) {
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s := newTaskprovSystem(t, systemOptions{
		leader: func(c *aggregator.LeaderConfig) { c.Now = clock },
		helper: func(c *aggregator.HelperConfig) { c.Now = clock },
	})
	base := s.newTask(taskOptions{unknown: true}).base
	task := s.advertised(taskOptions{minBatch: 2, extensions: taskIntervalExtension(base, taskLength)})
	reports := task.reports(3, 20, 0)
	task.mustUpload(reports...)
	task.settled()
	ahead.Store(int64(24 * time.Hour))
	task.mustRefuse(errTaskExpired, task.report(reportOptions{}))
	task.wantCollected(task.interval(0, 1), reports...)

	late := s.advertised(taskOptions{minBatch: 2, extensions: taskIntervalExtension(base, taskLength)})
	late.upload(wireUpload(late.report(reportOptions{}))).wantProblem("invalidTask")
}
