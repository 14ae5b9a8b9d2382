package aggregator_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// handLeader makes a Leader's requests by hand, for tests of the Helper alone.
type handLeader struct {
	*world
	topology *pingpong.Topology
	states   []pingpong.State
	ids      []dap.ReportID
	aggParam []byte
}

func (w *world) byHand() *handLeader {
	w.Helper()
	topology, err := pingpong.New(w.vdafInst)
	w.ok(err)
	return &handLeader{world: w, topology: topology}
}

// init makes the AggregationJobInitReq for reports.
func (l *handLeader) init(aggParam []byte, reports ...dap.Report) dap.AggregationJobInitReq {
	l.Helper()
	keys, err := l.leader.HpkeKeys(ctx)
	l.ok(err)
	req := dap.AggregationJobInitReq{VerificationKeyID: 5, AggParam: aggParam}
	var batch []pingpong.Report
	l.ids, l.aggParam = nil, aggParam
	for i := range reports {
		r := &reports[i]
		aad := dap.InputShareAad{TaskID: l.id, TaskConfiguration: l.encoded, Metadata: r.Metadata, PublicShare: r.PublicShare}
		share, err := dap.OpenInputShare(keys[0].Keypair, dap.RoleLeader, aad, r.LeaderEncryptedInputShare)
		l.ok(err)
		batch = append(batch, pingpong.Report{Nonce: r.Metadata.ReportID[:], PublicShare: r.PublicShare, InputShare: share.Payload})
		l.ids = append(l.ids, r.Metadata.ReportID)
		req.VerifyInits = append(req.VerifyInits, dap.VerifyInit{
			ReportShare: dap.ReportShare{Metadata: r.Metadata, PublicShare: r.PublicShare, EncryptedInputShare: r.HelperEncryptedInputShare},
		})
	}
	l.states = l.topology.LeaderInit(l.key, dap.VdafContext(l.id), aggParam, batch)
	for i, s := range l.states {
		l.ok(s.Err)
		req.VerifyInits[i].Payload = s.Outbound
	}
	return req
}

func (l *handLeader) encode(m interface{ Encode() ([]byte, error) }) []byte {
	l.Helper()
	body, err := m.Encode()
	l.ok(err)
	return body
}

// answered consumes an answer of the Helper in which no report is rejected.
func (l *handLeader) answered(body []byte) {
	l.Helper()
	resp, err := dap.DecodeAggregationJobResp(body)
	l.ok(err)
	inbound := make([][]byte, len(resp.VerifyResps))
	for i, r := range resp.VerifyResps {
		if r.Type != dap.VerifyRespContinue || r.ReportID != l.ids[i] {
			l.Fatalf("response %d: %s", i, r.Type)
		}
		inbound[i] = r.Payload
	}
	l.states = l.topology.LeaderContinued(dap.VdafContext(l.id), l.aggParam, l.states, inbound)
}

// next makes the AggregationJobContinueReq of a step.
func (l *handLeader) next(step uint16) dap.AggregationJobContinueReq {
	req := dap.AggregationJobContinueReq{Step: step}
	for i, s := range l.states {
		l.ok(s.Err)
		req.VerifyContinues = append(req.VerifyContinues, dap.VerifyContinue{ReportID: l.ids[i], Payload: s.Outbound})
	}
	return req
}

// create sends an AggregationJobInitReq and waits for its answer.
func (l *handLeader) create(req dap.AggregationJobInitReq) aggregator.AggregationStatus {
	l.Helper()
	status, err := l.helper.CreateAggregationJob(ctx, l.id, l.encode(req))
	l.ok(err)
	return l.ready(status)
}

// ready waits until a job is ready. One that is ready already is not polled: where reports are deleted by age
// (Config.Retention), a finished job all of whose reports are below the floor may be gone by then.
func (l *handLeader) ready(status aggregator.AggregationStatus) aggregator.AggregationStatus {
	l.Helper()
	if status.Ready {
		return status
	}
	id, step := status.ID, status.Step
	l.eventually("the aggregation job is ready", func() bool {
		var err error
		status, err = l.helper.PollAggregationJob(ctx, l.id, id, step)
		l.ok(err)
		return status.Ready
	})
	return status
}

// outcomes are the Helper's responses: 0 for a report that is not rejected.
func (l *handLeader) outcomes(body []byte) (errors []dap.ReportError) {
	l.Helper()
	resp, err := dap.DecodeAggregationJobResp(body)
	l.ok(err)
	for _, r := range resp.VerifyResps {
		errors = append(errors, r.Error)
	}
	return errors
}

func (w *world) helperCount() uint64 {
	w.Helper()
	c, err := w.helper.Counts(ctx, w.id)
	w.ok(err)
	return c.Aggregated
}

func TestHelperInitErrors(t *testing.T) {
	for _, async := range []bool{false, true} {
		w := newWorld(t, settings{async: async})
		l := w.byHand()
		reports, _ := w.reports(2)
		good := l.init(nil, reports...)
		body := l.encode(good)

		_, err := w.helper.CreateAggregationJob(ctx, dap.NewTaskID(), body)
		if got, ok := dap.ErrorTypeOf(err); !ok || got != dap.ErrorTypeUnrecognizedTask {
			t.Errorf("unknown task: %v", err)
		}
		change := func(f func(*dap.AggregationJobInitReq)) []byte {
			req := good
			f(&req)
			return l.encode(req)
		}
		extensions := func(types ...dap.AggregationJobExtensionType) []byte {
			return change(func(r *dap.AggregationJobInitReq) {
				for _, e := range types {
					r.Extensions = append(r.Extensions, dap.AggregationJobExtension{Type: e})
				}
			})
		}
		for name, c := range map[string]struct {
			body []byte
			want dap.ErrorType
		}{
			"nothing":            {nil, dap.ErrorTypeInvalidMessage},
			"truncated":          {body[:len(body)-1], dap.ErrorTypeInvalidMessage},
			"trailing garbage":   {append(bytes.Clone(body), 0), dap.ErrorTypeInvalidMessage},
			"no reports":         {change(func(r *dap.AggregationJobInitReq) { r.VerifyInits = nil }), dap.ErrorTypeInvalidMessage},
			"another key":        {change(func(r *dap.AggregationJobInitReq) { r.VerificationKeyID++ }), dap.ErrorTypeInvalidMessage},
			"a parameter":        {change(func(r *dap.AggregationJobInitReq) { r.AggParam = []byte{1} }), dap.ErrorTypeInvalidAggregationParameter},
			"a report twice":     {change(func(r *dap.AggregationJobInitReq) { r.VerifyInits = append(r.VerifyInits, r.VerifyInits[0]) }), dap.ErrorTypeInvalidMessage},
			"unknown extensions": {extensions(23, 42), dap.ErrorTypeUnsupportedExtension},
			"of another mode":    {extensions(dap.AggregationJobExtensionLeaderSelectedBatchID), dap.ErrorTypeUnsupportedExtension},
			"unknown, unsorted":  {extensions(42, 23), dap.ErrorTypeUnsupportedExtension},
			"unknown before else": {change(func(r *dap.AggregationJobInitReq) {
				r.Extensions = []dap.AggregationJobExtension{{Type: 9}}
				r.AggParam = []byte{1}
			}), dap.ErrorTypeUnsupportedExtension},
		} {
			_, err := w.helper.CreateAggregationJob(ctx, w.id, c.body)
			w.wantError(name, err, c.want)
			if e := w.dapError(err); name == "unknown extensions" && (len(e.UnsupportedExtensions) != 2 || e.UnsupportedExtensions[0] != 23 || e.UnsupportedExtensions[1] != 42) {
				t.Errorf("the error names the extensions %v", e.UnsupportedExtensions)
			}
		}
		if n := w.helperCount(); n != 0 {
			t.Errorf("%d reports were counted", n)
		}
		l.create(good)
		if n := w.helperCount(); n != 2 {
			t.Errorf("%d reports were counted", n)
		}
	}
}

func TestHelperBatchIDExtension(t *testing.T) {
	w := newWorld(t, settings{mode: dap.BatchModeLeaderSelected})
	l := w.byHand()
	reports, _ := w.reports(1)
	req := l.init(nil, reports...)
	id := dap.NewBatchID()
	batch := dap.NewLeaderSelectedBatchIDExtension(id)
	for name, extensions := range map[string][]dap.AggregationJobExtension{
		"missing":   nil,
		"too short": {{Type: batch.Type, Data: id[:31]}},
		"too long":  {{Type: batch.Type, Data: append(id[:], 0)}},
		"twice":     {batch, batch},
	} {
		req.Extensions = extensions
		_, err := w.helper.CreateAggregationJob(ctx, w.id, l.encode(req))
		w.wantError(name, err, dap.ErrorTypeInvalidMessage)
	}
	req.Extensions = []dap.AggregationJobExtension{batch}
	if got := l.outcomes(l.create(req).Body); len(got) != 1 || got[0] != 0 {
		t.Errorf("%v", got)
	}
}

func TestHelperCreatesOnce(t *testing.T) {
	for _, async := range []bool{false, true} {
		w := newWorld(t, settings{async: async})
		l := w.byHand()
		reports, _ := w.reports(5)
		body := l.encode(l.init(nil, reports...))
		statuses := make([]aggregator.AggregationStatus, 8)
		var wg sync.WaitGroup
		for i := range statuses {
			wg.Go(func() {
				status, err := w.helper.CreateAggregationJob(ctx, w.id, body)
				if err != nil {
					t.Error(err)
				}
				statuses[i] = status
			})
		}
		wg.Wait()
		first := l.ready(statuses[0])
		for _, s := range statuses {
			if s = l.ready(s); s.ID != first.ID || !bytes.Equal(s.Body, first.Body) {
				t.Error("the same request has given two jobs or answers")
			}
		}
		polled, err := w.helper.PollAggregationJob(ctx, w.id, first.ID, 0)
		w.ok(err)
		if polled.ID != first.ID || !polled.Ready || !bytes.Equal(polled.Body, first.Body) {
			t.Error("the job that is ready is polled, and gives another answer")
		}
		w.restartHelper()
		again, err := w.helper.CreateAggregationJob(ctx, w.id, body)
		w.ok(err)
		if again.ID != first.ID || !again.Ready || !bytes.Equal(again.Body, first.Body) {
			t.Error("after a restart the same request gives another job or answer")
		}
		if n := w.helperCount(); n != 5 {
			t.Errorf("5 reports were counted %d times", n)
		}
	}
}

func TestHelperReplays(t *testing.T) {
	w := newWorld(t, settings{})
	l := w.byHand()
	reports, _ := w.reports(3)
	l.create(l.init(nil, reports[:2]...))
	otherTime := w.report(9, withID(reports[0].Metadata.ReportID), at(w.now()-700))
	body := l.create(l.init(nil, reports[1], reports[2], otherTime)).Body
	got := l.outcomes(body)
	if want := []dap.ReportError{dap.ReportErrorReportReplayed, 0, dap.ReportErrorReportReplayed}; len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v, want %v", got, want)
	}
	// A deleted job's reports stay known.
	status := l.create(l.init(nil, w.report(1)))
	w.ok(w.helper.DeleteAggregationJob(ctx, w.id, status.ID))
	_, err := w.helper.PollAggregationJob(ctx, w.id, status.ID, 0)
	w.wantError("a deleted job", err, dap.ErrorTypeUnrecognizedAggregationJob)
	w.wantError("deleting it again", w.helper.DeleteAggregationJob(ctx, w.id, status.ID), dap.ErrorTypeUnrecognizedAggregationJob)
	if n := w.helperCount(); n != 4 {
		t.Errorf("4 reports, counted %d", n)
	}
}

func TestHelperContinuation(t *testing.T) {
	for _, async := range []bool{false, true} {
		w := newWorld(t, settings{async: async, vdaf: testConfig(3)})
		l := w.byHand()
		reports, _ := w.reports(4)
		init := l.init(nil, reports...)
		job := l.create(init)
		l.answered(job.Body)
		good := l.next(1)
		change := func(f func(*dap.AggregationJobContinueReq)) []byte {
			req := good
			req.VerifyContinues = append([]dap.VerifyContinue(nil), good.VerifyContinues...)
			f(&req)
			return l.encode(req)
		}
		body := l.encode(good)
		for name, c := range map[string]struct {
			body []byte
			want dap.ErrorType
		}{
			"nothing":          {nil, dap.ErrorTypeInvalidMessage},
			"truncated":        {body[:len(body)-1], dap.ErrorTypeInvalidMessage},
			"trailing garbage": {append(bytes.Clone(body), 0), dap.ErrorTypeInvalidMessage},
			"no reports":       {change(func(r *dap.AggregationJobContinueReq) { r.VerifyContinues = nil }), dap.ErrorTypeInvalidMessage},
			"step 0":           {change(func(r *dap.AggregationJobContinueReq) { r.Step = 0 }), dap.ErrorTypeInvalidMessage},
			"step 2":           {change(func(r *dap.AggregationJobContinueReq) { r.Step = 2 }), dap.ErrorTypeStepMismatch},
			"step 65535":       {change(func(r *dap.AggregationJobContinueReq) { r.Step = 65535 }), dap.ErrorTypeStepMismatch},
			"a report twice":   {change(func(r *dap.AggregationJobContinueReq) { r.VerifyContinues[1] = r.VerifyContinues[0] }), dap.ErrorTypeInvalidMessage},
			"an unknown report": {change(func(r *dap.AggregationJobContinueReq) {
				r.VerifyContinues[1].ReportID = dap.NewReportID()
			}), dap.ErrorTypeInvalidMessage},
			"another order": {change(func(r *dap.AggregationJobContinueReq) {
				v := r.VerifyContinues
				v[0], v[1] = v[1], v[0]
			}), dap.ErrorTypeInvalidMessage},
		} {
			_, err := w.helper.ContinueAggregationJob(ctx, w.id, job.ID, c.body)
			w.wantError(name, err, c.want)
		}
		_, err := w.helper.ContinueAggregationJob(ctx, w.id, dap.NewAggregationJobID(), body)
		w.wantError("an unknown job", err, dap.ErrorTypeUnrecognizedAggregationJob)
		_, err = w.helper.PollAggregationJob(ctx, w.id, job.ID, 1)
		w.wantError("polling a step to come", err, dap.ErrorTypeStepMismatch)

		// The Leader has rejected the second report.
		good.VerifyContinues = append(good.VerifyContinues[:1:1], good.VerifyContinues[2:]...)
		body = l.encode(good)
		status, err := w.helper.ContinueAggregationJob(ctx, w.id, job.ID, body)
		w.ok(err)
		first := l.ready(status)
		w.restartHelper()
		status, err = w.helper.ContinueAggregationJob(ctx, w.id, job.ID, body)
		w.ok(err)
		if again := l.ready(status); again.Step != 1 || !bytes.Equal(again.Body, first.Body) {
			t.Error("the same continuation gives another answer")
		}
		_, err = w.helper.ContinueAggregationJob(ctx, w.id, job.ID, change(func(r *dap.AggregationJobContinueReq) {
			r.VerifyContinues = r.VerifyContinues[:1]
		}))
		w.wantError("another continuation of the same step", err, dap.ErrorTypeStepMismatch)
		_, err = w.helper.PollAggregationJob(ctx, w.id, job.ID, 0)
		w.wantError("polling a past step", err, dap.ErrorTypeStepMismatch)

		// The initial request does not rewind the job.
		status, err = w.helper.CreateAggregationJob(ctx, w.id, l.encode(init))
		w.ok(err)
		if status.ID != job.ID || status.Step != 1 || !bytes.Equal(status.Body, first.Body) {
			t.Errorf("the initial request again gives step %d", status.Step)
		}
		if got := l.outcomes(first.Body); len(got) != 3 || w.helperCount() != 3 {
			t.Errorf("responses %v, %d counted, want 3", got, w.helperCount())
		}
	}
}

func TestHelperBusy(t *testing.T) {
	w := newWorld(t, settings{async: true, vdaf: testConfig(1), helper: func(c *aggregator.HelperConfig) { c.MaxPendingJobs = 2 }})
	w.stopHelping() // nothing is computed
	l := w.byHand()
	for range 2 {
		_, err := w.helper.CreateAggregationJob(ctx, w.id, l.encode(l.init(nil, w.report(1))))
		w.ok(err)
	}
	if _, err := w.helper.CreateAggregationJob(ctx, w.id, l.encode(l.init(nil, w.report(1)))); err != aggregator.ErrBusy {
		t.Errorf("a third job: %v", err)
	}
	w.restartHelper()
	w.eventually("both are computed", func() bool { return w.helperCount() == 2 })
}
