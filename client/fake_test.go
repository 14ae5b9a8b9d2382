package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf"
)

// fakeAggregators are a Leader and a Helper on one server, which keep the
// reports and refuse what they are told to.
type fakeAggregators struct {
	t      testing.TB
	server *httptest.Server

	mu           sync.Mutex
	leader       dap.HpkeKeypair
	helper       dap.HpkeKeypair
	cacheControl string
	configs      int // requests for HPKE configurations
	requests     [][]byte
	headers      []http.Header
	reports      map[dap.ReportID]dap.Report
	// intercept, if not nil, answers the n-th upload itself, from 0, if it returns true.
	intercept func(n int, w http.ResponseWriter, body []byte) bool
	refuse    map[int]dap.ReportError // by place in the request
}

func newFake(t testing.TB) *fakeAggregators {
	t.Helper()
	f := &fakeAggregators{t: t, reports: map[dap.ReportID]dap.Report{}, cacheControl: "max-age=86400"}
	f.rotate(1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /leader/hpke_config", func(w http.ResponseWriter, r *http.Request) { f.config(w, &f.leader) })
	mux.HandleFunc("GET /helper/hpke_config", func(w http.ResponseWriter, r *http.Request) { f.config(w, &f.helper) })
	mux.HandleFunc("POST /leader/tasks/{id}/reports", f.upload)
	f.server = httptest.NewServer(mux)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeAggregators) rotate(id dap.HpkeConfigID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, keypair := range []*dap.HpkeKeypair{&f.leader, &f.helper} {
		var err error
		if *keypair, err = dap.GenerateHpkeKeypair(id, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fakeAggregators) config(w http.ResponseWriter, keypair *dap.HpkeKeypair) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.configs++
	encoded, err := dap.HpkeConfigList{Configs: []dap.HpkeConfig{keypair.Config}}.Encode()
	if err != nil {
		f.t.Error(err)
	}
	w.Header().Set("Content-Type", string(dap.MediaTypeHpkeConfigList))
	w.Header().Set("Cache-Control", f.cacheControl)
	w.Write(encoded)
}

func (f *fakeAggregators) upload(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.requests)
	f.requests, f.headers = append(f.requests, body), append(f.headers, r.Header)
	if f.intercept != nil && f.intercept(n, w, body) {
		return
	}
	f.accept(w, body)
}

func (f *fakeAggregators) accept(w http.ResponseWriter, body []byte) {
	request, err := dap.DecodeUploadRequest(body)
	if err != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	var failed dap.UploadErrors
	fail := func(r dap.Report, reason dap.ReportError) {
		failed.Status = append(failed.Status, dap.ReportUploadStatus{ID: r.Metadata.ReportID, Error: reason})
	}
	for i, report := range request.Reports {
		_, replayed := f.reports[report.Metadata.ReportID]
		switch {
		case replayed:
			fail(report, dap.ReportErrorReportReplayed)
		case report.LeaderEncryptedInputShare.ConfigID != f.leader.Config.ID:
			fail(report, dap.ReportErrorOutdatedConfig)
		case f.refuse[i] != 0:
			fail(report, f.refuse[i])
		default:
			f.reports[report.Metadata.ReportID] = report
		}
	}
	if len(failed.Status) == 0 {
		return
	}
	encoded, err := failed.Encode()
	if err != nil {
		f.t.Error(err)
	}
	w.Header().Set("Content-Type", string(dap.MediaTypeUploadErrors))
	w.Write(encoded)
}

// task returns a Taskprov task with these aggregators.
func (f *fakeAggregators) task(config dap.VdafConfiguration) Task {
	f.t.Helper()
	encoded, err := config.Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	task, err := NewTaskprovTask(dap.TaskConfiguration{
		TaskInfo:                 []byte("test"),
		LeaderAggregatorEndpoint: f.server.URL + "/leader/",
		HelperAggregatorEndpoint: f.server.URL + "/helper",
		TimePrecision:            3600, MinBatchSize: 10, BatchMode: dap.BatchModeTimeInterval,
		VdafType: config.VdafType(), VdafConfiguration: encoded,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return task
}

// aggregate verifies the reports as both aggregators would, and returns their
// aggregate shares.
func (f *fakeAggregators) aggregate(task Task, v vdaf.Verifier) [][]byte {
	f.t.Helper()
	encoded, err := task.Configuration.Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	key, ctx := make([]byte, v.VerifyKeySize()), dap.VdafContext(task.ID)
	shares := [][]byte{v.AggInit(nil), v.AggInit(nil)}
	for id, report := range f.reports {
		aad := dap.InputShareAad{TaskID: task.ID, TaskConfiguration: encoded, Metadata: report.Metadata, PublicShare: report.PublicShare}
		leader, err := dap.OpenInputShare(f.leader, dap.RoleLeader, aad, report.LeaderEncryptedInputShare)
		if err != nil {
			f.t.Fatal(err)
		}
		helper, err := dap.OpenInputShare(f.helper, dap.RoleHelper, aad, report.HelperEncryptedInputShare)
		if err != nil {
			f.t.Fatal(err)
		}
		var inits [2]vdaf.InitResult
		for j, share := range [][]byte{leader.Payload, helper.Payload} {
			inits[j] = v.VerifyInit(key, ctx, j, nil, []vdaf.Report{{Nonce: id[:], PublicShare: report.PublicShare, InputShare: share}})[0]
			if inits[j].Err != nil {
				f.t.Fatal(inits[j].Err)
			}
		}
		message := v.VerifierSharesToMessage(ctx, nil, 0, [][][]byte{{inits[0].VerifierShare, inits[1].VerifierShare}})[0]
		if message.Err != nil {
			f.t.Fatal(message.Err)
		}
		for j := range inits {
			next := v.VerifyNext(ctx, []vdaf.State{inits[j].State}, [][]byte{message.Message})[0]
			if next.Err != nil {
				f.t.Fatal(next.Err)
			}
			if shares[j], err = v.AggUpdate(nil, shares[j], []vdaf.OutShare{next.OutShare}); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	return shares
}

// newClient returns a client that does not wait long between attempts.
func newClient[M any](t testing.TB, task Task, options Options) *Client[M] {
	t.Helper()
	c, err := New[M](task, options)
	if err != nil {
		t.Fatal(err)
	}
	c.backoff = func(int) time.Duration { return time.Millisecond }
	t.Cleanup(c.options.HTTP.CloseIdleConnections)
	return c
}

func count(outcomes []Outcome, status Status) int {
	n := 0
	for _, o := range outcomes {
		if o.Status == status {
			n++
		}
	}
	return n
}
