package handlers

import (
	"net/http"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// FuzzLeaderHandler sends a Leader what clients and Collectors send, changed.
func FuzzLeaderHandler(f *testing.F) {
	w := newWorld(f, false)
	for operation := range byte(6) {
		for task := range byte(3) {
			f.Add([]byte{operation, task})
			f.Add([]byte{operation, task, 1, 2, 3, 0, 0, 0, 2, task, 0, 0, 0, 0})
			f.Add([]byte{operation, task, 1, 0, 1, 4, 0xc1, 0, 0, 1, 2, 0xff, 0, 6, 0x9f})
			f.Add([]byte{operation, task, 0, 0, 0, 2, 0, 150, 1, 9, 0, 20, 3, 1})
		}
	}
	fuzzing.Run(f, fuzzing.Limit{Fixed: 1 << 30}, func(t testing.TB, script []byte) {
		s := fuzzing.NewScript(script)
		w.play(t, s, &w.leader, w.leaderRequest)
	})
}

// leaderRequest makes a request that a Leader may get.
func (w *world) leaderRequest(t testing.TB, s *fuzzing.Script) *request {
	operation, task := s.Choose(6), w.tasks[s.Choose(len(w.tasks))]
	at := "/l/tasks/" + task.id.String() + "/"
	r := &request{Method: http.MethodGet, Token: collectorToken, task: task}
	if task.taskprov {
		r.Advertised = task.encoded
	}
	switch operation {
	case 0:
		return r.post(t, at+"reports", dap.MediaTypeUploadRequest, w.uploadRequest(t, s, task))
	case 1:
		req := task.query(task.hour - dap.Time(s.Choose(3)))
		s.Edit(&req)
		r.kind = "collection_jobs"
		return r.post(t, at+r.kind, dap.MediaTypeCollectionJobReq, req.Encode)
	case 2:
		r.Path = "/l/hpke_config"
	case 3:
		r.Path = at + "collection_jobs/" + task.collected.String()
	case 4:
		r.Path = w.leader.resource(s, at, "collection_jobs")
	default:
		r.Method, r.Path = http.MethodDelete, w.leader.resource(s, at, "collection_jobs")
	}
	return r
}

// post gives the request a body. It returns nil if the message, which was changed,
// cannot be encoded.
func (r *request) post(t testing.TB, path string, mediaType dap.MediaType, encode func() ([]byte, error)) *request {
	t.Helper()
	body, err := encode()
	if err != nil {
		return nil
	}
	r.Method, r.Path, r.MediaType, r.Body = http.MethodPost, path, mediaType, body
	return r
}

// uploadRequest returns the encoding of a request with reports of the task.
func (w *world) uploadRequest(t testing.TB, s *fuzzing.Script, task *task) func() ([]byte, error) {
	var upload dap.UploadRequest
	for range 1 + s.Choose(3) {
		upload.Reports = append(upload.Reports, w.sealedReport(t, s, task))
	}
	s.Edit(&upload)
	return upload.Encode
}

// sealedReport returns a report of the pool, perhaps with other plaintexts, metadata or
// public share than its client meant.
func (w *world) sealedReport(t testing.TB, s *fuzzing.Script, task *task) dap.Report {
	r := task.pool[s.Choose(len(task.pool))]
	if s.Byte()&1 == 0 {
		return r.sealed
	}
	changed := *r
	plain := struct {
		Metadata       dap.ReportMetadata
		PublicShare    []byte
		Leader, Helper dap.PlaintextInputShare
	}{r.metadata, r.publicShare, r.leader, r.helper}
	s.Edit(&plain)
	changed.metadata, changed.publicShare, changed.leader, changed.helper = plain.Metadata, plain.PublicShare, plain.Leader, plain.Helper
	if len(changed.leader.Payload) == 0 || len(changed.helper.Payload) == 0 {
		return r.sealed // which cannot be encoded
	}
	return changed.seal(t, w)
}
