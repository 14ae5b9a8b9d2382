package conformance

import (
	"slices"
	"testing"

	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// leading is a Leader by hand: an aggregation job that a test drives itself.
type leading struct {
	task     *wireTask
	aggParam []byte
	ids      [][16]byte
	inits    [][]byte // VerifyInits
	states   []pingpong.State
}

// lead begins an aggregation job with these reports as a Leader does (DAP Section
// 4.5.3.1). It does not look at what is wrong with the reports.
func (task *wireTask) lead(aggParam []byte, reports ...wireReport) *leading {
	task.t().Helper()
	l := &leading{task: task, aggParam: aggParam}
	batch := make([]pingpong.Report, len(reports))
	for i, r := range reports {
		batch[i] = pingpong.Report{Nonce: r.id[:], PublicShare: r.publicShare, InputShare: r.leaderShare}
	}
	l.states = task.vdaf.topology.LeaderInit(task.verifyKey, task.vdafContext(), aggParam, batch)
	for i, r := range reports {
		if l.states[i].Kind != pingpong.Continued {
			task.t().Fatalf("report %d: %v after initialization: %v", i, l.states[i].Kind, l.states[i].Err)
		}
		l.ids = append(l.ids, r.id)
		l.inits = append(l.inits, wireVerifyInit(r, l.states[i].Outbound))
	}
	return l
}

// initReq is the AggregationJobInitReq of the job.
func (l *leading) initReq(extensions ...wireExtension) []byte {
	return wireInitReq{aggParam: l.aggParam, extensions: wireExtensions(extensions...), inits: l.inits}.encode()
}

// batchIDExtension is the aggregation job extension leader_selected_batch_id.
func batchIDExtension(id []byte) wireExtension { return wireExtension{1, id} }

// take takes the Helper's answer, which must be about all reports of the job
// in order, and drops those that either side has rejected. It returns the
// responses.
func (l *leading) take(response wireResponse) []wireVerifyResp {
	l.task.t().Helper()
	response.wantReady("aggregation-job-resp")
	resps := readAggregationJobResp(l.task.t(), response.body)
	wantIDs(l.task.t(), resps, l.ids)
	inbound := make([][]byte, len(resps))
	for i, v := range resps {
		inbound[i] = v.payload
	}
	states := l.task.vdaf.topology.LeaderContinued(l.task.vdafContext(), l.aggParam, l.states, inbound)
	l.ids, l.states = nil, nil
	for i, v := range resps {
		if v.kind == respContinue && states[i].Kind != pingpong.Rejected {
			l.ids, l.states = append(l.ids, v.id), append(l.states, states[i])
		}
	}
	return resps
}

// wantIDs fails the test unless the responses are about these reports in order.
func wantIDs(t testing.TB, resps []wireVerifyResp, ids [][16]byte) {
	t.Helper()
	got := make([][16]byte, len(resps))
	for i, v := range resps {
		got[i] = v.id
	}
	if !slices.Equal(got, ids) {
		t.Fatalf("responses about %x; want %x", got, ids)
	}
}

// continueReq is the AggregationJobContinueReq to a step.
func (l *leading) continueReq(step uint16) []byte {
	return wireContinueReq(step, l.continues()...)
}

func (l *leading) continues() []wireContinue {
	continues := make([]wireContinue, len(l.ids))
	for i := range l.ids {
		continues[i] = wireContinue{l.ids[i], l.states[i].Outbound}
	}
	return continues
}

// aggregate has the Helper aggregate reports in a job of its own; all of them
// must be accepted. It returns the Leader's aggregate share of them.
func (task *wireTask) aggregate(reports ...wireReport) []byte {
	task.t().Helper()
	return task.aggregateWith(nil, nil, reports...)
}

func (task *wireTask) aggregateWith(aggParam []byte, extensions []wireExtension, reports ...wireReport) []byte {
	task.t().Helper()
	l := task.lead(aggParam, reports...)
	response := task.createAggregationJob(l.initReq(extensions...))
	location := response.location()
	l.take(response)
	for step := uint16(1); len(l.states) > 0 && l.states[0].Kind == pingpong.Continued; step++ {
		response = task.continueAggregationJob(location, l.continueReq(step))
		l.take(response)
	}
	if len(l.ids) != len(reports) {
		task.t().Fatalf("%d of %d reports are left", len(l.ids), len(reports))
	}
	if l.states[0].Kind == pingpong.FinishedWithOutbound {
		l.finish(task.continueAggregationJob(location, l.continueReq(uint16(task.vdaf.topology.Verifier().Rounds()/2))))
	}
	outShares := make([]vdaf.OutShare, len(l.states))
	for i := range l.states {
		outShares[i] = l.states[i].OutShare
	}
	topology := task.vdaf.topology
	aggShare, err := topology.AggUpdate(aggParam, topology.AggInit(aggParam), outShares)
	must(task.t(), err)
	return aggShare
}

// finish takes the Helper's last answer: all reports must finish.
func (l *leading) finish(response wireResponse) {
	l.task.t().Helper()
	response.wantReady("aggregation-job-resp")
	resps := readAggregationJobResp(l.task.t(), response.body)
	wantIDs(l.task.t(), resps, l.ids)
	for i, v := range resps {
		if v.kind != respFinish {
			l.task.t().Fatalf("report %d: %+v", i, v)
		}
	}
}

// rejections has the Helper initialize a job with these reports, and returns the
// report error of each, 0 where there is none.
func (task *wireTask) rejections(aggParam []byte, extensions []wireExtension, reports ...wireReport) []byte {
	task.t().Helper()
	l := task.lead(aggParam, reports...)
	response := task.createAggregationJob(l.initReq(extensions...))
	response.wantReady("aggregation-job-resp")
	resps := readAggregationJobResp(task.t(), response.body)
	wantIDs(task.t(), resps, l.ids)
	errors := make([]byte, len(resps))
	for i, v := range resps {
		switch v.kind {
		case respReject:
			errors[i] = v.error
		case respFinish:
			task.t().Fatalf("report %d: finish after initialization", i)
		}
	}
	return errors
}
