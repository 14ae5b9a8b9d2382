package handlers

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// FuzzHelperHandler sends a Helper what Leaders send, changed.
func FuzzHelperHandler(f *testing.F) { fuzzHelper(f, newWorld(f, false)) }

// FuzzAsynchronousHelperHandler does so with a Helper whose steps stay undone.
func FuzzAsynchronousHelperHandler(f *testing.F) { fuzzHelper(f, newWorld(f, true)) }

func fuzzHelper(f *testing.F, w *world) {
	for operation := range byte(9) {
		for task := range byte(3) {
			f.Add([]byte{operation, task})
			f.Add([]byte{operation, task, 1, 2, 3, 0, 0, 0, 2, task, 0, 0, 0, 0})
			f.Add([]byte{operation, task, 1, 0, 1, 4, 0xc1, 0, 0, 1, 2, 0xff, 0, 6, 0x9f})
			f.Add([]byte{operation, task, 0, 0, 0, 2, 0, 150, 1, 9, 0, 20, 3, 1})
		}
	}
	fuzzing.Run(f, fuzzing.Limit{Fixed: 1 << 30}, func(t testing.TB, script []byte) {
		s := fuzzing.NewScript(script)
		w.play(t, s, &w.helper, w.helperRequest)
	})
}

// helperRequest makes a request that a Helper may get.
func (w *world) helperRequest(t testing.TB, s *fuzzing.Script) *request {
	operation, task := s.Choose(9), w.tasks[s.Choose(len(w.tasks))]
	at := "/tasks/" + task.id.String() + "/"
	r := &request{Method: http.MethodGet, Token: leaderToken, task: task}
	if task.taskprov {
		r.Advertised = task.encoded
	}
	switch operation {
	case 0:
		r.kind = "aggregation_jobs"
		return r.post(t, at+r.kind, dap.MediaTypeAggregationJobInitReq, w.initReq(t, s, task))
	case 1:
		return w.continueReq(t, s, r)
	case 2:
		return w.again(t, s, r)
	case 3:
		r.kind = "aggregate_shares"
		return r.post(t, at+r.kind, dap.MediaTypeAggregateShareReq, w.shareReq(s, task))
	case 4:
		r.Path, r.Query = w.helper.resource(s, at, "aggregation_jobs"), "step="+strconv.Itoa(s.Choose(3))
	case 5:
		r.Method, r.Path = http.MethodDelete, w.helper.resource(s, at, "aggregation_jobs")
	case 6:
		r.Path = w.helper.resource(s, at, "aggregate_shares")
	case 7:
		r.Method, r.Path = http.MethodDelete, w.helper.resource(s, at, "aggregate_shares")
	default:
		r.Path = "/hpke_config"
	}
	return r
}

// initReq returns the encoding of an aggregation job over reports of the task.
func (w *world) initReq(t testing.TB, s *fuzzing.Script, task *task) func() ([]byte, error) {
	var req dap.AggregationJobInitReq
	if task.config.BatchMode == dap.BatchModeLeaderSelected {
		batch := dap.BatchID{byte(s.Choose(4))}
		req.Extensions = []dap.AggregationJobExtension{dap.NewLeaderSelectedBatchIDExtension(batch)}
	}
	for range 1 + s.Choose(3) {
		sealed := w.sealedReport(t, s, task)
		req.VerifyInits = append(req.VerifyInits, dap.VerifyInit{
			ReportShare: dap.ReportShare{Metadata: sealed.Metadata, PublicShare: sealed.PublicShare, EncryptedInputShare: sealed.HelperEncryptedInputShare},
			Payload:     task.payload(s, sealed.Metadata.ReportID),
		})
	}
	s.Edit(&req)
	return req.Encode
}

// payload returns the Leader's first message about the report with that ID, or about
// any if there is none, changed if the script says so.
func (task *task) payload(s *fuzzing.Script, id dap.ReportID) []byte {
	r := task.pool[0]
	for _, candidate := range task.pool {
		if candidate.metadata.ReportID == id {
			r = candidate
		}
	}
	message, err := pingpong.DecodeMessage(r.state.Outbound)
	if err != nil {
		return r.state.Outbound
	}
	s.Edit(&message)
	encoded, err := message.Append(nil)
	if err != nil {
		return r.state.Outbound
	}
	return encoded
}

// continueReq makes the request for the next step of a job of two rounds: that of the
// history, or one for the job that was made last.
func (w *world) continueReq(t testing.TB, s *fuzzing.Script, r *request) *request {
	task := w.tasks[1]
	at := "/tasks/" + task.id.String() + "/"
	r.task, r.Advertised = task, nil
	for _, asked := range w.asked.asked[task.id] {
		req, err := dap.DecodeAggregationJobContinueReq(asked.body)
		if err != nil || lastSegment(asked.path) == asked.path {
			continue
		}
		path := at + asked.path
		if s.Byte()&1 == 1 {
			path = w.helper.resource(s, at, "aggregation_jobs")
			req.VerifyContinues = nil
			for range 1 + s.Choose(3) {
				req.VerifyContinues = append(req.VerifyContinues, w.verifyContinue(s, task))
			}
		}
		s.Edit(&req)
		return r.post(t, path, dap.MediaTypeAggregationJobContinueReq, req.Encode)
	}
	t.Fatal("the history has no continued job")
	return nil
}

// verifyContinue returns the Leader's second message about a report of the pool.
func (w *world) verifyContinue(s *fuzzing.Script, task *task) dap.VerifyContinue {
	r := task.pool[s.Choose(len(task.pool))]
	helper := task.topology.HelperInit(task.verifyKey, dap.VdafContext(task.id), nil, []pingpong.Report{
		{Nonce: r.metadata.ReportID[:], PublicShare: r.publicShare, InputShare: r.helper.Payload, Inbound: r.state.Outbound},
	})
	next := task.topology.LeaderContinued(dap.VdafContext(task.id), nil, []pingpong.State{r.state}, [][]byte{helper[0].Outbound})
	return dap.VerifyContinue{ReportID: r.metadata.ReportID, Payload: next[0].Outbound}
}

// again makes a request that the Leader of the history has sent.
func (w *world) again(t testing.TB, s *fuzzing.Script, r *request) *request {
	list := w.asked.asked[r.task.id]
	asked := list[s.Choose(len(list))]
	r.kind = asked.path
	mediaType := dap.MediaTypeAggregationJobInitReq
	switch {
	case asked.path == "aggregate_shares":
		mediaType = dap.MediaTypeAggregateShareReq
	case asked.path != "aggregation_jobs":
		mediaType = dap.MediaTypeAggregationJobContinueReq
	}
	body := append([]byte(nil), asked.body...)
	return r.post(t, "/tasks/"+r.task.id.String()+"/"+asked.path, mediaType, func() ([]byte, error) { return body, nil })
}

// shareReq returns the encoding of a request for an aggregate share: that of the history, for
// any hour, changed.
func (w *world) shareReq(s *fuzzing.Script, task *task) func() ([]byte, error) {
	req := dap.AggregateShareReq{CollectionJobReq: task.query(task.hour), ReportCount: 1}
	for _, asked := range w.asked.asked[task.id] {
		if decoded, err := dap.DecodeAggregateShareReq(asked.body); err == nil && asked.path == "aggregate_shares" {
			req = decoded
		}
	}
	if hour := task.hour - dap.Time(s.Choose(3)); task.config.BatchMode == dap.BatchModeTimeInterval {
		req.CollectionJobReq = task.query(hour)
		req.BatchSelector = dap.NewTimeIntervalBatchSelector(dap.Interval{Start: hour, Duration: 1})
		w.claim(s, task, hour, &req)
	} else if s.Byte()&1 == 1 {
		req.BatchSelector = dap.NewLeaderSelectedBatchSelector(dap.BatchID{byte(s.Choose(4))})
	}
	s.Edit(&req)
	return req.Encode
}

// claim states the count and checksum of one report of the pool, in place of the history's.
func (w *world) claim(s *fuzzing.Script, task *task, hour dap.Time, req *dap.AggregateShareReq) {
	if s.Byte()&1 == 0 {
		return
	}
	req.ReportCount, req.Checksum = 1, dap.Checksum{}
	if r := task.pool[s.Choose(len(task.pool))]; r.metadata.Time == hour {
		req.Checksum.Add(r.metadata.ReportID)
	}
}
