package aggregator_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/testvdaf"
)

func testConfig(rounds int) testvdaf.Config { return testvdaf.Config{Rounds: rounds} }

// shareRequest is the AggregateShareReq for reports in the current bucket.
func (l *handLeader) shareRequest(reports ...dap.Report) dap.AggregateShareReq {
	interval := dap.Interval{Start: l.now(), Duration: 1}
	req := dap.AggregateShareReq{
		CollectionJobReq: dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(interval), AggParam: l.aggParam},
		BatchSelector:    dap.NewTimeIntervalBatchSelector(interval),
		ReportCount:      uint64(len(reports)),
	}
	for i := range reports {
		req.Checksum.Add(reports[i].Metadata.ReportID)
	}
	return req
}

func TestAggregateShareErrors(t *testing.T) {
	w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: 1, AggParam: true}})
	l := w.byHand()
	reports, _ := w.reports(4)
	l.create(l.init(aggParam(2), reports[:3]...))
	good := l.shareRequest(reports[:3]...)
	hour := dap.Interval{Start: w.now(), Duration: 1}

	ask := func(f func(*dap.AggregateShareReq)) error {
		req := good
		f(&req)
		_, err := w.helper.CreateAggregateShare(ctx, w.id, l.encode(req))
		return err
	}
	body := l.encode(good)
	for n := range len(body) {
		_, err := w.helper.CreateAggregateShare(ctx, w.id, body[:n])
		w.wantError("truncated", err, dap.ErrorTypeInvalidMessage)
	}
	_, err := w.helper.CreateAggregateShare(ctx, w.id, append(bytes.Clone(body), 0))
	w.wantError("trailing garbage", err, dap.ErrorTypeInvalidMessage)
	_, err = w.helper.CreateAggregateShare(ctx, dap.NewTaskID(), body)
	if got, ok := dap.ErrorTypeOf(err); !ok || got != dap.ErrorTypeUnrecognizedTask {
		t.Errorf("unknown task: %v", err)
	}

	both := func(i dap.Interval) func(*dap.AggregateShareReq) {
		return func(r *dap.AggregateShareReq) {
			r.CollectionJobReq.Query, r.BatchSelector = dap.NewTimeIntervalQuery(i), dap.NewTimeIntervalBatchSelector(i)
		}
	}
	extension := func(types ...dap.CollectionJobExtensionType) func(*dap.AggregateShareReq) {
		return func(r *dap.AggregateShareReq) {
			for _, e := range types {
				r.CollectionJobReq.Extensions = append(r.CollectionJobReq.Extensions, dap.CollectionJobExtension{Type: e})
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*dap.AggregateShareReq)
		want   dap.ErrorType
	}{
		"the query's mode":           {func(r *dap.AggregateShareReq) { r.CollectionJobReq.Query = dap.NewLeaderSelectedQuery() }, dap.ErrorTypeInvalidMessage},
		"the selector's mode":        {func(r *dap.AggregateShareReq) { r.BatchSelector = dap.NewLeaderSelectedBatchSelector(dap.NewBatchID()) }, dap.ErrorTypeInvalidMessage},
		"an empty interval":          {both(dap.Interval{Start: w.now()}), dap.ErrorTypeBatchInvalid},
		"an interval without an end": {both(dap.Interval{Start: 1<<64 - 1, Duration: 2}), dap.ErrorTypeBatchInvalid},
		"a selector beyond the query": {func(r *dap.AggregateShareReq) {
			r.BatchSelector = dap.NewTimeIntervalBatchSelector(dap.Interval{Start: hour.Start, Duration: 2})
		}, dap.ErrorTypeBatchInvalid},
		"an empty batch":     {both(dap.Interval{Start: w.now() + 1, Duration: 1}), dap.ErrorTypeInvalidBatchSize},
		"another parameter":  {func(r *dap.AggregateShareReq) { r.CollectionJobReq.AggParam = aggParam(3) }, dap.ErrorTypeInvalidMessage},
		"unknown extensions": {extension(3, 7), dap.ErrorTypeUnsupportedExtension},
		"another count":      {func(r *dap.AggregateShareReq) { r.ReportCount++ }, dap.ErrorTypeBatchMismatch},
		"another checksum":   {func(r *dap.AggregateShareReq) { r.Checksum.Add(reports[3].Metadata.ReportID) }, dap.ErrorTypeBatchMismatch},
	} {
		w.wantError(name, ask(c.change), c.want)
	}

	// After all these the batch is not collected.
	l.create(l.init(aggParam(2), reports[3]))
	good = l.shareRequest(reports...)
	body = l.encode(good)
	first, err := w.helper.CreateAggregateShare(ctx, w.id, body)
	w.ok(err)
	if !first.Ready || len(first.Body) == 0 {
		t.Error("the aggregate share is not ready")
	}
	w.restartHelper()
	again, err := w.helper.CreateAggregateShare(ctx, w.id, body)
	w.ok(err)
	polled, err := w.helper.PollAggregateShare(ctx, w.id, first.ID)
	w.ok(err)
	if again.ID != first.ID || !bytes.Equal(again.Body, first.Body) || !bytes.Equal(polled.Body, first.Body) {
		t.Error("the same request gives another share")
	}

	// Now it is.
	w.wantError("another request", ask(func(r *dap.AggregateShareReq) { r.ReportCount++ }), dap.ErrorTypeBatchOverlap)
	w.wantError("an overlapping one", ask(both(dap.Interval{Start: w.now() - 1, Duration: 3})), dap.ErrorTypeBatchOverlap)
	late := l.create(l.init(aggParam(2), w.report(1)))
	if got := l.outcomes(late.Body); len(got) != 1 || got[0] != dap.ReportErrorBatchCollected {
		t.Errorf("a late report: %v", got)
	}

	w.ok(w.helper.DeleteAggregateShare(ctx, w.id, first.ID))
	if err := w.helper.DeleteAggregateShare(ctx, w.id, first.ID); !errors.Is(err, aggregator.ErrNotFound) {
		t.Errorf("deleting it again: %v", err)
	}
	if _, err := w.helper.PollAggregateShare(ctx, w.id, first.ID); !errors.Is(err, aggregator.ErrNotFound) {
		t.Errorf("polling a deleted share: %v", err)
	}
	_, err = w.helper.CreateAggregateShare(ctx, w.id, body)
	w.wantError("a deleted share again", err, dap.ErrorTypeBatchOverlap)
}

func TestAggregateShareOfTooSmallBatch(t *testing.T) {
	w := newWorld(t, settings{})
	l := w.byHand()
	reports, _ := w.reports(2)
	l.create(l.init(nil, reports...))
	_, err := w.helper.CreateAggregateShare(ctx, w.id, l.encode(l.shareRequest(reports...)))
	w.wantError("2 of 3 reports", err, dap.ErrorTypeInvalidBatchSize)
}

func TestAggregateShareOnce(t *testing.T) {
	w := newWorld(t, settings{})
	l := w.byHand()
	reports, _ := w.reports(3)
	l.create(l.init(nil, reports...))
	body := l.encode(l.shareRequest(reports...))
	answers := make([]aggregator.AggregateShareStatus, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			var err error
			if answers[i], err = w.helper.CreateAggregateShare(ctx, w.id, body); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, a := range answers {
		if a.ID != answers[0].ID || !bytes.Equal(a.Body, answers[0].Body) {
			t.Error("the same request has given two shares")
		}
	}
}

func TestAggregateShareOfLeaderSelectedBatch(t *testing.T) {
	w := newWorld(t, settings{mode: dap.BatchModeLeaderSelected})
	l := w.byHand()
	reports, _ := w.reports(3)
	init := l.init(nil, reports...)
	batch := dap.NewBatchID()
	init.Extensions = []dap.AggregationJobExtension{dap.NewLeaderSelectedBatchIDExtension(batch)}
	l.create(init)
	req := l.shareRequest(reports...)
	_, err := w.helper.CreateAggregateShare(ctx, w.id, l.encode(req))
	w.wantError("a time-interval request", err, dap.ErrorTypeInvalidMessage)
	req.CollectionJobReq.Query = dap.NewLeaderSelectedQuery()
	req.BatchSelector = dap.NewLeaderSelectedBatchSelector(dap.NewBatchID())
	_, err = w.helper.CreateAggregateShare(ctx, w.id, l.encode(req))
	w.wantError("an unknown batch", err, dap.ErrorTypeInvalidBatchSize)
	req.BatchSelector = dap.NewLeaderSelectedBatchSelector(batch)
	_, err = w.helper.CreateAggregateShare(ctx, w.id, l.encode(req))
	w.ok(err)
}
