package aggregator_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/testvdaf"
	"github.com/twofold-dap/twofold/store"
)

// scenario is one way through the engines: reports, some of them bad, and a
// collection. It is repeated with a fault at each of its steps.
type scenario struct {
	name     string
	settings settings
	request  func(w *world) []byte
}

func scenarios() []scenario {
	hour := func(w *world) []byte { return w.thisHour() }
	next := func(w *world) []byte { return w.query(nil, nil) }
	withParameter := func(w *world) []byte {
		return w.query(&dap.Interval{Start: w.now(), Duration: 1}, aggParam(3))
	}
	nextWithParameter := func(w *world) []byte { return w.query(nil, aggParam(3)) }
	return []scenario{
		{"prio3-like", settings{vdaf: testvdaf.Config{Rounds: 1}}, hour},
		{"leader-selected", settings{vdaf: testvdaf.Config{Rounds: 1}, mode: dap.BatchModeLeaderSelected}, next},
		{"two rounds", settings{vdaf: testvdaf.Config{Rounds: 2}}, hour},
		{"three rounds, asynchronous", settings{vdaf: testvdaf.Config{Rounds: 3}, async: true}, hour},
		{"four rounds, leader-selected", settings{vdaf: testvdaf.Config{Rounds: 4}, mode: dap.BatchModeLeaderSelected}, next},
		{"a parameter", settings{vdaf: testvdaf.Config{Rounds: 2, AggParam: true}}, withParameter},
		{"a parameter, leader-selected", settings{vdaf: testvdaf.Config{Rounds: 2, AggParam: true}, mode: dap.BatchModeLeaderSelected, async: true}, nextWithParameter},
	}
}

// prepare uploads 6 good reports and 2 bad ones while the Leader stands still.
func (w *world) prepare() (sum uint64) {
	w.Helper()
	w.stopRunning()
	good, sum := w.reports(6)
	last := w.vdaf.Rounds - 1
	w.uploadAll(w.report(testvdaf.Failing(1, testvdaf.Failure{Step: testvdaf.FailSharesToMessage, Round: last / 2})))
	w.uploadAll(good...)
	w.uploadAll(w.report(1, payload(helpers, []byte{1})))
	return sum
}

// want is the sum of the collection.
func (w *world) want(sum uint64) uint64 {
	if w.vdaf.AggParam {
		return 3 * sum
	}
	return sum
}

func quiet(s settings) settings {
	s.minBatch, s.keepQuiet = 6, true
	return s
}

// TestCrashes lets the disk of one aggregator fail for good at each commit of
// the scenario in turn, before or after it is durable, and then starts that aggregator again.
func TestCrashes(t *testing.T) {
	for _, s := range scenarios() {
		for _, role := range []dap.Role{dap.RoleLeader, dap.RoleHelper} {
			for stage, when := range map[store.CommitStage]string{store.BeforeCommit: "before", store.AfterCommit: "after"} {
				t.Run(fmt.Sprintf("%s/%s/%s", s.name, role, when), func(t *testing.T) {
					t.Parallel()
					for k := int64(1); ; k++ {
						if !crash(t, s, role, stage, k) {
							if k < 3 {
								t.Errorf("only %d commits", k-1)
							}
							return
						}
					}
				})
			}
		}
	}
}

// crash runs a scenario in which commit k of one aggregator fails, and all after
// it until the aggregator is started again. It tells whether there was such a commit.
func crash(t *testing.T, s scenario, role dap.Role, stage store.CommitStage, k int64) (crashed bool) {
	w := newWorld(t, quiet(s.settings))
	defer w.close()
	sum := w.prepare()
	disk := &failingDisk{commit: k, stage: stage, failed: make(chan struct{})}
	request := s.request(w)
	status, err := w.leader.CreateCollectionJob(ctx, w.id, request)
	w.ok(err)
	if role == dap.RoleLeader {
		w.leaderHook.set(disk.hook)
	} else {
		w.helperHook.set(disk.hook)
	}
	w.runLeader()
	// Commits that come only after the collection count as well.
	w.eventually("everything has come to its end, or the disk fails", func() bool {
		select {
		case <-disk.failed:
			return true
		default:
		}
		return w.allOver(status.ID)
	})
	crashed = disk.mend()
	if crashed && role == dap.RoleLeader {
		w.stopRunning()
		w.leaderHook.set(nil)
		w.restartLeader()
	} else if crashed {
		w.stopHelper()
		w.helperHook.set(nil)
		w.startHelper()
	}
	w.wantResult(w.await(request, status.ID), 6, w.want(sum))
	w.checkEnd()
	return crashed
}

// allOver tells that a collection job has its answer and that no report is on its way. While the disk fails, nothing can
// be read that it has not confirmed: then it is not known.
func (w *world) allOver(id dap.CollectionJobID) bool {
	polled, err := w.leader.PollCollectionJob(ctx, w.id, id)
	if err != nil || !polled.Ready {
		return false
	}
	c, err := w.leader.Counts(ctx, w.id)
	return err == nil && w.ended(c)
}

// failingDisk is a disk that fails for good at a stage of one commit.
type failingDisk struct {
	commit int64
	stage  store.CommitStage
	failed chan struct{} // closed when it fails

	mu      sync.Mutex
	commits int64
	gone    bool
	mended  bool
}

func (d *failingDisk) hook(at store.CommitStage) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at == store.BeforeCommit {
		d.commits++
	}
	if !d.gone && !d.mended && d.commits == d.commit && at == d.stage {
		d.gone = true
		close(d.failed)
	}
	if d.gone {
		return errors.New("the disk is gone")
	}
	return nil
}

// mend lets a disk that has not failed never fail, whatever is still committed. It tells whether it has failed.
func (d *failingDisk) mend() (failed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mended = true
	return d.gone
}

// takesOnlyNeeded tells that a collection takes no more reports than it needs,
// so that others may wait for ever.
func (w *world) takesOnlyNeeded() bool {
	return w.vdaf.AggParam && w.mode == dap.BatchModeLeaderSelected
}

// ended tells that no report is on its way.
func (w *world) ended(c aggregator.LeaderCounts) bool {
	return c.InJobs == 0 && (c.Waiting == 0 || w.takesOnlyNeeded())
}

// checkEnd checks that every report has come to its end exactly once. Where a
// collection takes no more reports than it needs, a bad one may still wait.
func (w *world) checkEnd() {
	w.Helper()
	taken := w.takesOnlyNeeded()
	var c aggregator.LeaderCounts
	w.eventually("every report is counted or rejected", func() bool {
		c = w.counts()
		return w.ended(c)
	})
	bad := c.Rejected[dap.ReportErrorVdafVerifyError] + c.Rejected[dap.ReportErrorInvalidMessage]
	if c.InJobs != 0 || c.Quarantined != 0 || c.Aggregated != 6 || c.Collected != 6 || bad+c.Waiting != 2 || c.Waiting > 0 && !taken {
		w.Errorf("the Leader's numbers: %+v", c)
	}
	if n := w.helperCount(); n != 6 {
		w.Errorf("the Helper has counted %d reports", n)
	}
}

// TestLostMessages loses each request in turn, before the Helper sees it or after it has
// answered, three times in a row.
func TestLostMessages(t *testing.T) {
	for _, s := range scenarios() {
		for _, answered := range []bool{false, true} {
			for _, restart := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/answered=%t/restart=%t", s.name, answered, restart), func(t *testing.T) {
					t.Parallel()
					for k := int64(1); lose(t, s, answered, restart, k); k++ {
					}
				})
			}
		}
	}
}

// lose runs a scenario in which request k is lost. With restart the Leader is stopped
// at that moment, and started again. It tells whether there was such a request.
func lose(t *testing.T, s scenario, answered, restart bool, k int64) (lost bool) {
	w := newWorld(t, quiet(s.settings))
	defer w.close()
	sum := w.prepare()
	var requests atomic.Int64
	reached := make(chan struct{})
	w.peer.setHook(func(operation string, after bool) error {
		if after != answered || operation == "poll" {
			return nil
		}
		n := requests.Add(1)
		if n == k {
			close(reached)
		}
		if n >= k && n < k+3 {
			return errNetwork
		}
		return nil
	})
	request := s.request(w)
	status, err := w.leader.CreateCollectionJob(ctx, w.id, request)
	w.ok(err)
	w.runLeader()
	w.eventually("the request is lost, or the collection job is ready", func() bool {
		select {
		case <-reached:
			lost = true
			return true
		default:
		}
		polled, err := w.leader.PollCollectionJob(ctx, w.id, status.ID)
		w.ok(err)
		return polled.Ready
	})
	if lost && restart {
		w.restartLeader()
	}
	w.wantResult(w.await(request, status.ID), 6, w.want(sum))
	w.checkEnd()
	return lost
}

// TestHelperDown stops the Helper for a while, at the beginning and in between.
func TestHelperDown(t *testing.T) {
	w := newWorld(t, quiet(settings{vdaf: testvdaf.Config{Rounds: 3}, async: true}))
	w.stopHelper()
	first, sum1 := w.reports(3)
	w.uploadAll(first...)
	w.eventually("some attempts", func() bool { return w.peer.count("init") > 3 })
	w.startHelper()
	w.settled()
	w.restartHelper()
	second, sum2 := w.reports(3)
	w.uploadAll(second...)
	w.wantResult(w.collect(w.thisHour()), 6, sum1+sum2)
}

// TestHelperErrors: what a Helper's errors mean for a job.
func TestHelperErrors(t *testing.T) {
	passing := map[string]error{
		"not approved yet":  &dap.Error{Type: dap.ErrorTypeUnrecognizedTask},
		"not served yet":    &aggregator.PeerError{Status: 404},
		"a token not set":   &aggregator.PeerError{Status: 401},
		"too many requests": &aggregator.PeerError{Status: 429, RetryAfter: 1},
		"bare bad request":  &aggregator.PeerError{Status: 400},
		"out of order":      &aggregator.PeerError{Status: 502},
		"the network":       errNetwork,
	}
	for name, e := range passing {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, settings{keepQuiet: true})
			var left atomic.Int64
			left.Store(5)
			w.peer.setHook(func(string, bool) error {
				if left.Add(-1) >= 0 {
					return e
				}
				return nil
			})
			reports, sum := w.reports(3)
			w.uploadAll(reports...)
			w.wantResult(w.collect(w.thisHour()), 3, sum)
		})
	}
	lasting := map[string]error{
		"invalid message": &dap.Error{Type: dap.ErrorTypeInvalidMessage},
		"gone":            &aggregator.PeerError{Status: 410},
		"too large":       &aggregator.PeerError{Status: 413},
	}
	for name, e := range lasting {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, settings{keepQuiet: true})
			var once atomic.Bool
			w.peer.setHook(func(string, bool) error {
				if once.CompareAndSwap(false, true) {
					return e
				}
				return nil
			})
			lost, _ := w.reports(2)
			w.uploadAll(lost...)
			w.eventually("the job is in quarantine", func() bool { return w.counts().Quarantined == 2 })
			reports, sum := w.reports(3)
			w.uploadAll(reports...)
			w.wantResult(w.collect(w.thisHour()), 3, sum)
		})
	}
}
