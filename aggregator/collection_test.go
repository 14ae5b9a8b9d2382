package aggregator_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/testvdaf"
)

func TestCollectionErrors(t *testing.T) {
	w := newWorld(t, settings{})
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.settled()
	hour := dap.Interval{Start: w.now(), Duration: 1}
	good := dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(hour)}
	encode := func(f func(*dap.CollectionJobReq)) []byte {
		req := good
		f(&req)
		body, err := req.Encode()
		w.ok(err)
		return body
	}
	body := encode(func(*dap.CollectionJobReq) {})
	interval := func(start dap.Time, duration dap.Duration) func(*dap.CollectionJobReq) {
		return func(r *dap.CollectionJobReq) {
			r.Query = dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: duration})
		}
	}
	extensions := func(types ...dap.CollectionJobExtensionType) func(*dap.CollectionJobReq) {
		return func(r *dap.CollectionJobReq) {
			for _, e := range types {
				r.Extensions = append(r.Extensions, dap.CollectionJobExtension{Type: e})
			}
		}
	}
	for name, c := range map[string]struct {
		body []byte
		want dap.ErrorType
	}{
		"nothing":          {nil, dap.ErrorTypeInvalidMessage},
		"truncated":        {body[:len(body)-1], dap.ErrorTypeInvalidMessage},
		"trailing garbage": {append(bytes.Clone(body), 0), dap.ErrorTypeInvalidMessage},
		"the batch mode":   {encode(func(r *dap.CollectionJobReq) { r.Query = dap.NewLeaderSelectedQuery() }), dap.ErrorTypeInvalidMessage},
		"the query":        {encode(func(r *dap.CollectionJobReq) { r.Query.Config = r.Query.Config[:15] }), dap.ErrorTypeInvalidMessage},
		"a parameter":      {encode(func(r *dap.CollectionJobReq) { r.AggParam = []byte{1} }), dap.ErrorTypeInvalidAggregationParameter},
		"an empty batch":   {encode(interval(hour.Start, 0)), dap.ErrorTypeBatchInvalid},
		"no end":           {encode(interval(1<<64-1, 1)), dap.ErrorTypeBatchInvalid},
		"an extension":     {encode(extensions(7)), dap.ErrorTypeUnsupportedExtension},
		"two unsorted":     {encode(extensions(7, 3)), dap.ErrorTypeUnsupportedExtension},
	} {
		_, err := w.leader.CreateCollectionJob(ctx, w.id, c.body)
		w.wantError(name, err, c.want)
	}
	_, err := w.leader.CreateCollectionJob(ctx, dap.NewTaskID(), body)
	if got, ok := dap.ErrorTypeOf(err); !ok || got != dap.ErrorTypeUnrecognizedTask {
		t.Errorf("unknown task: %v", err)
	}
	if _, err := w.leader.PollCollectionJob(ctx, w.id, dap.NewCollectionJobID()); !errors.Is(err, aggregator.ErrNotFound) {
		t.Errorf("an unknown job: %v", err)
	}
	if err := w.leader.DeleteCollectionJob(ctx, w.id, dap.NewCollectionJobID()); !errors.Is(err, aggregator.ErrNotFound) {
		t.Errorf("deleting an unknown job: %v", err)
	}
	w.wantResult(w.collect(body), 3, sum)
}

func TestCollectionOfWrongModeLeaderSelected(t *testing.T) {
	w := newWorld(t, settings{mode: dap.BatchModeLeaderSelected})
	_, err := w.leader.CreateCollectionJob(ctx, w.id, w.query(&dap.Interval{Start: 1, Duration: 1}, nil))
	w.wantError("a time-interval query", err, dap.ErrorTypeInvalidMessage)
}

// TestCollectionIsIdempotent: the same request gives the same job and, for ever, the same bytes.
func TestCollectionIsIdempotent(t *testing.T) {
	w := newWorld(t, settings{})
	request := w.thisHour()
	first, err := w.leader.CreateCollectionJob(ctx, w.id, request)
	w.ok(err)
	again, err := w.leader.CreateCollectionJob(ctx, w.id, request)
	w.ok(err)
	if first.Ready || again.Ready || again.ID != first.ID || again.RetryAfter <= 0 {
		t.Errorf("pending: %+v, then %+v", first, again)
	}
	reports, sum := w.reports(4)
	w.uploadAll(reports...)
	w.wantResult(w.await(request, first.ID), 4, sum)
	done, err := w.leader.PollCollectionJob(ctx, w.id, first.ID)
	w.ok(err)
	w.restartLeader()
	for range 2 {
		again, err = w.leader.CreateCollectionJob(ctx, w.id, request)
		w.ok(err)
		if !again.Ready || again.ID != first.ID || !bytes.Equal(again.Body, done.Body) {
			t.Error("the same request gives another answer")
		}
	}
	if n := w.peer.count("share"); n != 1 {
		t.Errorf("%d requests for the Helper's share", n)
	}
}

func TestCollectionOverlap(t *testing.T) {
	w := newWorld(t, settings{})
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	now := w.now()
	pendingRequest := w.query(&dap.Interval{Start: now + 5, Duration: 2}, nil)
	pending, err := w.leader.CreateCollectionJob(ctx, w.id, pendingRequest)
	w.ok(err)
	w.wantResult(w.collect(w.thisHour()), 3, sum)
	for _, i := range []dap.Interval{{Start: now, Duration: 2}, {Start: now - 9, Duration: 10}, {Start: now - 1, Duration: 3}} {
		_, err := w.leader.CreateCollectionJob(ctx, w.id, w.query(&i, nil))
		w.wantError(i.String(), err, dap.ErrorTypeBatchOverlap)
	}
	// What waits for reports has reserved nothing.
	free, err := w.leader.CreateCollectionJob(ctx, w.id, w.query(&dap.Interval{Start: now + 6, Duration: 1}, nil))
	w.ok(err)
	w.ok(w.leader.DeleteCollectionJob(ctx, w.id, pending.ID))
	if _, err := w.leader.PollCollectionJob(ctx, w.id, pending.ID); !errors.Is(err, aggregator.ErrNotFound) {
		t.Errorf("a deleted job: %v", err)
	}
	w.ok(w.leader.DeleteCollectionJob(ctx, w.id, free.ID))
}

// TestFirstToCloseWins: of collection jobs that wait for overlapping batches, the first that has
// enough reports gets its batch, and the others end.
func TestFirstToCloseWins(t *testing.T) {
	for _, eager := range []bool{true, false} {
		w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: 1, AggParam: !eager}})
		var requests [][]byte
		var ids []dap.CollectionJobID
		for n := range 4 {
			var parameter []byte
			if !eager {
				parameter = aggParam(uint16(n + 1))
			}
			request := w.query(&dap.Interval{Start: w.now() - dap.Time(n), Duration: dap.Duration(n + 1)}, parameter)
			status, err := w.leader.CreateCollectionJob(ctx, w.id, request)
			w.ok(err)
			requests, ids = append(requests, request), append(ids, status.ID)
		}
		reports, sum := w.reports(3)
		w.uploadAll(reports...)
		won, over := -1, make([]bool, len(ids))
		w.eventually("one job has its answer, and the others have failed", func() bool {
			for i, id := range ids {
				status, err := w.leader.PollCollectionJob(ctx, w.id, id)
				switch {
				case err != nil:
					w.wantError("a job that came too late", err, dap.ErrorTypeBatchOverlap)
				case !status.Ready:
					return false
				case won >= 0 && won != i:
					t.Fatal("two collections of one batch")
				default:
					won = i
				}
				over[i] = true
			}
			return !slices.Contains(over, false)
		})
		factor := uint64(1)
		if !eager {
			factor = uint64(won + 1)
		}
		w.wantResult(w.await(requests[won], ids[won]), 3, factor*sum)
	}
}

// TestCollectedAfterFailure: a batch that was closed for a collection which the Helper refused for
// good can be collected by a later query, and by a wider one.
func TestCollectedAfterFailure(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		w := newWorld(t, settings{mode: mode})
		refuse := func(operation string, answered bool) error {
			if operation == "share" && !answered {
				return &dap.Error{Type: dap.ErrorTypeInvalidMessage}
			}
			return nil
		}
		w.peer.setHook(refuse)
		reports, sum := w.reports(3)
		w.uploadAll(reports...)
		request := w.query(nil, nil)
		wider := request
		if mode == dap.BatchModeTimeInterval {
			request, wider = w.thisHour(), w.query(&dap.Interval{Start: w.now() - 3, Duration: 4}, nil)
		}
		failed, err := w.leader.CreateCollectionJob(ctx, w.id, request)
		w.ok(err)
		w.eventually("the collection fails", func() bool {
			_, err := w.leader.PollCollectionJob(ctx, w.id, failed.ID)
			return err != nil
		})
		w.peer.setHook(nil)
		// Whoever asks again is told the failed job's ID, and so can delete it.
		again, err := w.leader.CreateCollectionJob(ctx, w.id, request)
		w.ok(err)
		if again.ID != failed.ID || again.Ready {
			t.Errorf("the same request gives %+v, not job %s", again, failed.ID)
		}
		w.ok(w.leader.DeleteCollectionJob(ctx, w.id, failed.ID))
		w.clock.advance(time.Minute) // a leader-selected batch rests
		w.wantResult(w.collect(wider), 3, sum)
	}
}

func TestCollectionTooSmall(t *testing.T) {
	w := newWorld(t, settings{})
	request := w.thisHour()
	reports, sum := w.reports(2)
	w.uploadAll(append(reports, w.report(1, payload(helpers, []byte{1})))...)
	w.settled()
	status, err := w.leader.CreateCollectionJob(ctx, w.id, request)
	w.ok(err)
	time.Sleep(50 * time.Millisecond)
	status, err = w.leader.PollCollectionJob(ctx, w.id, status.ID)
	w.ok(err)
	if status.Ready {
		t.Fatal("2 reports were enough for a minimum of 3")
	}
	w.restartLeader()
	more, sum2 := w.reports(1)
	w.uploadAll(more...) // the batch is still open
	w.wantResult(w.await(request, status.ID), 3, sum+sum2)
}

func TestCollectionDeletion(t *testing.T) {
	w := newWorld(t, settings{})
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	request := w.thisHour()
	status, err := w.leader.CreateCollectionJob(ctx, w.id, request)
	w.ok(err)
	w.wantResult(w.await(request, status.ID), 3, sum)
	w.ok(w.leader.DeleteCollectionJob(ctx, w.id, status.ID))
	w.eventually("the Helper is told", func() bool { return w.peer.count("delete share") == 1 })
	_, err = w.leader.CreateCollectionJob(ctx, w.id, request)
	w.wantError("a collected batch whose job was deleted", err, dap.ErrorTypeBatchOverlap)
	w.wantRefused([]dap.Report{reports[0], w.report(1)}, dap.ReportErrorReportReplayed, dap.ReportErrorBatchCollected)
}

// TestDisagreement: a report that only the Helper has counted makes the
// collection fail, and gives the Collector nothing.
func TestDisagreement(t *testing.T) {
	w := newWorld(t, settings{keepQuiet: true})
	reports, _ := w.reports(3)
	w.uploadAll(reports...)
	w.settled()
	l := w.byHand()
	l.create(l.init(nil, w.report(9)))
	request := w.thisHour()
	if e := w.collectError(request); e.Type != dap.ErrorTypeBatchMismatch {
		t.Errorf("%s", e)
	}
	w.restartLeader()
	if e := w.collectError(request); e.Type != dap.ErrorTypeBatchMismatch {
		t.Errorf("after a restart: %s", e)
	}
	// The checksum tells apart what the count does not.
	w = newWorld(t, settings{keepQuiet: true})
	reports, _ = w.reports(3)
	w.uploadAll(reports...)
	w.settled()
	l = w.byHand()
	good := l.shareRequest(reports[0], reports[1], w.report(1))
	_, err := w.helper.CreateAggregateShare(ctx, w.id, l.encode(good))
	w.wantError("another report's checksum", err, dap.ErrorTypeBatchMismatch)
}

func TestCollectionParameters(t *testing.T) {
	w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: 1, AggParam: true}})
	hour := &dap.Interval{Start: w.now(), Duration: 1}
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	for name, parameter := range map[string][]byte{"missing": nil, "zero": aggParam(0), "too long": {0, 1, 2}} {
		_, err := w.leader.CreateCollectionJob(ctx, w.id, w.query(hour, parameter))
		w.wantError(name, err, dap.ErrorTypeInvalidAggregationParameter)
	}
	w.wantResult(w.collect(w.query(hour, aggParam(7))), 3, 7*sum)
	_, err := w.leader.CreateCollectionJob(ctx, w.id, w.query(&dap.Interval{Start: hour.Start, Duration: 2}, aggParam(8)))
	w.wantError("another parameter for what is collected", err, dap.ErrorTypeBatchOverlap)
}

// TestParametersOfDeletedCollection: reports that were aggregated for a collection job
// that is deleted are never mixed with another parameter's.
func TestParametersOfDeletedCollection(t *testing.T) {
	w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: 3, AggParam: true}, keepQuiet: true})
	hour := &dap.Interval{Start: w.now(), Duration: 1}
	reports, sum := w.reports(4)
	w.uploadAll(reports...)
	w.peer.setHook(func(string, bool) error { return errNetwork })
	status, err := w.leader.CreateCollectionJob(ctx, w.id, w.query(hour, aggParam(7)))
	w.ok(err)
	w.eventually("a job is under way", func() bool { return w.counts().InJobs == 4 })
	w.ok(w.leader.DeleteCollectionJob(ctx, w.id, status.ID))
	other := w.query(hour, aggParam(8))
	second, err := w.leader.CreateCollectionJob(ctx, w.id, other)
	w.ok(err)
	time.Sleep(30 * time.Millisecond)
	w.restartLeader()
	w.peer.setHook(nil)
	w.settled()
	if e := w.collectError(other); e.Type != dap.ErrorTypeInvalidMessage {
		t.Errorf("%s", e)
	}
	w.ok(w.leader.DeleteCollectionJob(ctx, w.id, second.ID))
	w.wantResult(w.collect(w.query(hour, aggParam(7))), 4, 7*sum)
}

// TestLeaderSelectedParameters: each parameter gets a batch of its own.
func TestLeaderSelectedParameters(t *testing.T) {
	w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: 2, AggParam: true}, mode: dap.BatchModeLeaderSelected})
	var ids []dap.CollectionJobID
	requests := [][]byte{w.query(nil, aggParam(1000)), w.query(nil, aggParam(1))}
	for _, request := range requests {
		status, err := w.leader.CreateCollectionJob(ctx, w.id, request)
		w.ok(err)
		ids = append(ids, status.ID)
	}
	reports, sum := w.reports(6)
	w.uploadAll(reports...)
	first, second := w.await(requests[0], ids[0]), w.await(requests[1], ids[1])
	if first.count != 3 || second.count != 3 || first.sum/1000+second.sum != sum {
		t.Errorf("%+v and %+v, want the sum %d", first, second, sum)
	}
}

func TestCollectionLimit(t *testing.T) {
	w := newWorld(t, settings{leader: func(c *aggregator.LeaderConfig) { c.MaxCollections = 2 }})
	reports, _ := w.reports(1)
	w.uploadAll(reports...)
	w.settled() // so the Leader runs, and counts the collection jobs
	var ids []dap.CollectionJobID
	for i := range 2 {
		status, err := w.leader.CreateCollectionJob(ctx, w.id, w.query(&dap.Interval{Start: dap.Time(i), Duration: 1}, nil))
		w.ok(err)
		ids = append(ids, status.ID)
	}
	third := w.query(&dap.Interval{Start: 9, Duration: 1}, nil)
	if _, err := w.leader.CreateCollectionJob(ctx, w.id, third); !errors.Is(err, aggregator.ErrBusy) {
		t.Errorf("a third job: %v", err)
	}
	w.ok(w.leader.DeleteCollectionJob(ctx, w.id, ids[0]))
	if _, err := w.leader.CreateCollectionJob(ctx, w.id, third); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestCollectionBeforeRun: a job that comes while the Leader does not run is done when it does.
func TestCollectionBeforeRun(t *testing.T) {
	w := newWorld(t, settings{})
	w.stopRunning()
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	request := w.thisHour()
	status, err := w.leader.CreateCollectionJob(ctx, w.id, request)
	w.ok(err)
	w.runLeader()
	w.wantResult(w.await(request, status.ID), 3, sum)
}

// TestWholeBacklog: a collection waits for everything that was uploaded before its
// batch was closed, over many jobs.
func TestWholeBacklog(t *testing.T) {
	for _, eager := range []bool{true, false} {
		w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: 1, AggParam: !eager}, leader: func(c *aggregator.LeaderConfig) { c.MaxJobReports = 3 }})
		w.stopRunning()
		reports, sum := w.reports(40)
		w.uploadAll(reports...)
		request, factor := w.thisHour(), uint64(1)
		if !eager {
			request, factor = w.query(&dap.Interval{Start: w.now(), Duration: 1}, aggParam(2)), 2
		}
		w.runLeader()
		w.wantResult(w.collect(request), 40, factor*sum)
		if n := w.peer.count("init"); n < 14 {
			t.Errorf("%d jobs of at most 3 reports for 40", n)
		}
	}
}
