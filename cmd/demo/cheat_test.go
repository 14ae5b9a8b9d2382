package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/vdafspec"
	"github.com/twofold-dap/twofold/vdaf"
)

// listener is a Leader and a Helper that accept everything and know each other's
// keys, so that a test can look into the reports.
type listener struct {
	keypair dap.HpkeKeypair
	reports []dap.Report
}

func newListener(t *testing.T, spec string) (*listener, client.Task) {
	t.Helper()
	keypair, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{keypair: keypair}
	server := httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(server.Close)
	parsed, err := vdafspec.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	vdafType, config, err := parsed.Encode()
	if err != nil {
		t.Fatal(err)
	}
	task, err := client.NewTaskprovTask(dap.TaskConfiguration{
		TaskInfo: []byte("test"), LeaderAggregatorEndpoint: server.URL, HelperAggregatorEndpoint: server.URL,
		TimePrecision: 3600, MinBatchSize: 1, BatchMode: dap.BatchModeTimeInterval, VdafType: vdafType, VdafConfiguration: config,
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, task
}

func (l *listener) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		encoded, err := dap.HpkeConfigList{Configs: []dap.HpkeConfig{l.keypair.Config}}.Encode()
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", string(dap.MediaTypeHpkeConfigList))
		_, _ = w.Write(encoded)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		var request dap.UploadRequest
		request, err = dap.DecodeUploadRequest(body)
		l.reports = append(l.reports, request.Reports...)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
}

// valid opens a report and verifies it as both aggregators together would.
func (l *listener) valid(t *testing.T, task client.Task, report dap.Report) bool {
	t.Helper()
	encoded, err := task.Configuration.Encode()
	if err != nil {
		t.Fatal(err)
	}
	v, err := instanceOf[vdaf.Verifier](task)
	if err != nil {
		t.Fatal(err)
	}
	key, ctx := make([]byte, v.VerifyKeySize()), dap.VdafContext(task.ID)
	aad := dap.InputShareAad{TaskID: task.ID, TaskConfiguration: encoded, Metadata: report.Metadata, PublicShare: report.PublicShare}
	shares := make([][]byte, 2)
	for j, ciphertext := range []dap.HpkeCiphertext{report.LeaderEncryptedInputShare, report.HelperEncryptedInputShare} {
		opened, err := dap.OpenInputShare(l.keypair, []dap.Role{dap.RoleLeader, dap.RoleHelper}[j], aad, ciphertext)
		if err != nil {
			t.Fatalf("a cheating report does not even open: %v", err)
		}
		init := v.VerifyInit(key, ctx, j, nil, []vdaf.Report{{Nonce: report.Metadata.ReportID[:], PublicShare: report.PublicShare, InputShare: opened.Payload}})[0]
		if init.Err != nil {
			t.Fatalf("a cheating report is malformed: %v", init.Err)
		}
		shares[j] = init.VerifierShare
	}
	return v.VerifierSharesToMessage(ctx, nil, 0, [][][]byte{shares})[0].Err == nil
}

// TestCheats looks into what the cheating clients send: it opens, it is well
// formed, and only its proof gives it away.
func TestCheats(t *testing.T) {
	for _, q := range questions() {
		t.Run(q.name, func(t *testing.T) {
			l, task := newListener(t, q.vdaf)
			outcomes, err := q.cheat.send(t.Context(), stage{task: task, flights: []flight{{1, 2, 3}}, settled: func(context.Context) error { return nil }})
			if err != nil || len(outcomes) != cheats || len(l.reports) != cheats+q.cheat.honest {
				t.Fatalf("%d outcomes, %d reports, %v", len(outcomes), len(l.reports), err)
			}
			for i, report := range l.reports {
				if q.cheat.honest > 0 && report.Metadata.ReportID != l.reports[0].Metadata.ReportID {
					t.Errorf("report %d is not a replay", i)
				}
				if honest := q.cheat.honest > 0; l.valid(t, task, report) != honest {
					t.Errorf("report %d: valid is %t", i, !honest)
				}
			}
		})
	}
}
