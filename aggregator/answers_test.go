package aggregator_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// TestWrongAnswers: an answer that does not fit the request proves nothing about what the Helper has
// done. Nothing of it is used, and the same request is sent again until its answer does fit.
func TestWrongAnswers(t *testing.T) {
	responses := func(f func([]dap.VerifyResp) []dap.VerifyResp) func([]byte) []byte {
		return func(body []byte) []byte {
			resp, err := dap.DecodeAggregationJobResp(body)
			if err != nil {
				panic(err)
			}
			body, err = dap.AggregationJobResp{VerifyResps: f(resp.VerifyResps)}.Encode()
			if err != nil {
				panic(err)
			}
			return body
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"truncated":        func(b []byte) []byte { return b[:len(b)-1] },
		"trailing garbage": func(b []byte) []byte { return append(slices.Clone(b), 0) },
		"nothing":          func([]byte) []byte { return []byte{} },
		"a report less":    responses(func(r []dap.VerifyResp) []dap.VerifyResp { return r[1:] }),
		"a report twice":   responses(func(r []dap.VerifyResp) []dap.VerifyResp { return append(r, r[0]) }),
		"another order":    responses(func(r []dap.VerifyResp) []dap.VerifyResp { r[0], r[1] = r[1], r[0]; return r }),
		"another report":   responses(func(r []dap.VerifyResp) []dap.VerifyResp { r[1].ReportID = dap.NewReportID(); return r }),
		"finish too early": responses(func(r []dap.VerifyResp) []dap.VerifyResp {
			r[1] = dap.VerifyResp{ReportID: r[1].ReportID, Type: dap.VerifyRespFinish}
			return r
		}),
	} {
		for _, operation := range []string{"init", "continue"} {
			if name == "finish too early" && operation == "continue" {
				continue // with two rounds it is then the right answer
			}
			t.Run(name+"/"+operation, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, settings{vdaf: testConfig(2), keepQuiet: true})
				w.peer.setMangle(func(o string, reply *aggregator.PeerReply) {
					if o == operation {
						reply.Body = change(reply.Body)
					}
				})
				reports, sum := w.reports(3)
				w.uploadAll(reports...)
				w.eventually("some attempts", func() bool {
					jobs := w.jobs()
					return len(jobs) == 1 && jobs[0].Attempts >= 3 && jobs[0].LastError != ""
				})
				if c := w.counts(); c.InJobs != 3 || c.Quarantined != 0 || w.peer.count("delete") != 0 {
					t.Errorf("%+v, %d deletions", c, w.peer.count("delete"))
				}
				w.peer.setMangle(nil)
				w.wantResult(w.collect(w.thisHour()), 3, sum)
			})
		}
	}
}

// TestWrongMessage: a message of the Helper that does not verify rejects its report alone.
func TestWrongMessage(t *testing.T) {
	w := newWorld(t, settings{vdaf: testConfig(1), minBatch: 2})
	w.peer.setMangle(func(operation string, reply *aggregator.PeerReply) {
		resp, err := dap.DecodeAggregationJobResp(reply.Body)
		if operation != "init" || err != nil {
			return
		}
		resp.VerifyResps[0].Payload = []byte{1, 2, 3}
		reply.Body, err = resp.Encode()
		w.ok(err)
	})
	reports, _ := w.reports(3)
	w.uploadAll(reports...)
	counts := w.settled()
	if counts.Rejected[dap.ReportErrorVdafVerifyError] != 1 || counts.Aggregated != 2 {
		t.Errorf("%+v", counts)
	}
}

// TestNoLocation: a job that must be continued needs to be somewhere.
func TestNoLocation(t *testing.T) {
	for rounds := 1; rounds <= 2; rounds++ {
		w := newWorld(t, settings{vdaf: testConfig(rounds), keepQuiet: true})
		w.peer.setMangle(func(operation string, reply *aggregator.PeerReply) {
			if operation == "init" {
				reply.Location = ""
			}
		})
		reports, sum := w.reports(3)
		w.uploadAll(reports...)
		if rounds == 2 {
			w.eventually("some attempts", func() bool { return len(w.jobs()) == 1 && w.jobs()[0].Attempts >= 3 })
			w.peer.setMangle(nil)
		}
		w.wantResult(w.collect(w.thisHour()), 3, sum)
	}
}

// TestRequestIsTheSame: where a job's request would come out otherwise after a restart, nothing else is
// sent in its place, and the job waits until it comes out right.
func TestRequestIsTheSame(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true})
	w.peer.setHook(func(string, bool) error { return errNetwork })
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.eventually("the job is stored", func() bool { return w.counts().InJobs == 3 })
	w.stopLeader()
	sent := w.peer.count("init")
	w.settings.leader = func(c *aggregator.LeaderConfig) { c.Store = otherDigests{c.Store} }
	w.startLeader()
	attempts := w.jobs()[0].Attempts
	w.eventually("some attempts", func() bool { return w.jobs()[0].Attempts >= attempts+3 })
	if n := w.peer.count("init"); n != sent {
		t.Errorf("%d requests were sent", n-sent)
	}
	w.peer.setHook(nil)
	w.restartLeader() // the other digest was recorded with the attempts: changed again it is right
	w.wantResult(w.collect(w.thisHour()), 3, sum)
}

// otherDigests is a store whose jobs seem to have been made with other requests.
type otherDigests struct{ aggregator.LeaderStore }

func (s otherDigests) AggregationJobs(ctx context.Context) ([]aggregator.AggregationJob, error) {
	jobs, err := s.LeaderStore.AggregationJobs(ctx)
	for i := range jobs {
		jobs[i].RequestDigest[0] ^= 1
	}
	return jobs, err
}

// TestDeferredShare: a Helper may defer its aggregate share, and may even forget it in the meantime.
func TestDeferredShare(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		w := newWorld(t, settings{keepQuiet: true})
		var deferred atomic.Bool
		w.peer.setMangle(func(operation string, reply *aggregator.PeerReply) {
			if operation == "share" && deferred.CompareAndSwap(false, true) {
				reply.Ready, reply.Body = false, nil
			}
		})
		if forgets {
			w.peer.setHook(func(operation string, answered bool) error {
				if operation == "poll share" && answered {
					return aggregator.ErrNotFound
				}
				return nil
			})
		}
		reports, sum := w.reports(3)
		w.uploadAll(reports...)
		w.wantResult(w.collect(w.thisHour()), 3, sum)
		if polls := w.peer.count("poll share"); polls != 1 {
			t.Errorf("%d polls", polls)
		}
		if asked := w.peer.count("share"); asked != 1 && !forgets || forgets && asked != 2 {
			t.Errorf("asked %d times", asked)
		}
	}
}

func TestMalformedShare(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true})
	w.peer.setMangle(func(operation string, reply *aggregator.PeerReply) {
		if operation == "share" {
			reply.Body = reply.Body[1:]
		}
	})
	reports, _ := w.reports(3)
	w.uploadAll(reports...)
	if e := w.collectError(w.thisHour()); e.Type != dap.ErrorTypeInvalidMessage {
		t.Errorf("%s", e)
	}
}

// TestDrain: Run ends in time, whatever the Helper does, and the work goes on afterwards.
func TestDrain(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true, leader: func(c *aggregator.LeaderConfig) {
		c.DrainTimeout = 20 * time.Millisecond
		c.Peer = stuckPeer{c.Peer}
	}})
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.eventually("the job is stored", func() bool { return w.counts().InJobs == 3 })
	w.stopLeader() // which would never end if it waited for the Helper
	w.settings.leader = nil
	w.startLeader()
	w.wantResult(w.collect(w.thisHour()), 3, sum)
}

// stuckPeer never answers.
type stuckPeer struct{ aggregator.Peer }

func (stuckPeer) CreateAggregationJob(ctx context.Context, _ *aggregator.Task, _ []byte) (aggregator.PeerReply, error) {
	<-ctx.Done()
	return aggregator.PeerReply{}, ctx.Err()
}

func TestMetrics(t *testing.T) {
	leaderMetrics, helperMetrics := prometheus.NewRegistry(), prometheus.NewRegistry()
	w := newWorld(t, settings{
		leader: func(c *aggregator.LeaderConfig) { c.Metrics = leaderMetrics },
		helper: func(c *aggregator.HelperConfig) { c.Metrics = helperMetrics },
	})
	reports, sum := w.reports(3)
	w.uploadAll(append(reports, w.report(1, payload(helpers, []byte{1})))...)
	w.wantRefused(reports[:1], dap.ReportErrorReportReplayed)
	w.wantResult(w.collect(w.thisHour()), 3, sum)
	w.settled()
	for _, c := range []struct {
		registry *prometheus.Registry
		name     string
		want     float64
	}{
		{leaderMetrics, "twofold_leader_reports_uploaded_total", 4},
		{leaderMetrics, "twofold_leader_reports_refused_total", 1},
		{leaderMetrics, "twofold_leader_reports_rejected_total", 1},
		{leaderMetrics, "twofold_leader_reports_aggregated_total", 3},
		{leaderMetrics, "twofold_leader_reports_waiting", 0},
		{leaderMetrics, "twofold_leader_collection_jobs_total", 2}, // created and finished
		{helperMetrics, "twofold_helper_reports_rejected_total", 1},
		{helperMetrics, "twofold_helper_reports_aggregated_total", 3},
		{helperMetrics, "twofold_helper_aggregate_shares_total", 1},
	} {
		w.eventually(c.name, func() bool { return total(w, c.registry, c.name) == c.want })
	}
}

// total is the sum of a metric over its labels.
func total(w *world, r *prometheus.Registry, name string) (sum float64) {
	families, err := r.Gather()
	w.ok(err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}
