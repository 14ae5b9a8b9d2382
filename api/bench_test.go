package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

// idleEngine takes requests and does nothing with them.
type idleEngine struct {
	*fakeEngine
	answer []byte
}

func (idleEngine) OptIn(context.Context, dap.TaskID, []byte) error { return nil }
func (idleEngine) Upload(context.Context, dap.TaskID, []byte) (dap.UploadErrors, error) {
	return dap.UploadErrors{}, nil
}

// idleHelper is idleEngine as a Helper.
type idleHelper struct{ idleEngine }

func (idleHelper) OptIn(context.Context, dap.TaskID, []byte, string) error { return nil }
func (h idleHelper) CreateAggregationJob(context.Context, dap.TaskID, []byte) (aggregator.AggregationStatus, error) {
	return aggregator.AggregationStatus{ID: testJob, Ready: true, Body: h.answer}, nil
}

// What HTTP costs an upload of 1, 100 and 1,000 reports of 3 KB over loopback.
func BenchmarkUpload(b *testing.B) {
	server := httptest.NewServer(api.NewLeaderHandler(idleEngine{newFakeEngine(), nil}, api.Options{Logger: slog.New(slog.DiscardHandler)}))
	defer server.Close()
	for _, reports := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("reports=%d", reports), func(b *testing.B) {
			body := make([]byte, reports*3000)
			_, _ = rand.Read(body)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				response, err := server.Client().Post(server.URL+routes[0].path, string(dap.MediaTypeUploadRequest), bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if response.StatusCode != http.StatusOK {
					b.Fatal(response.Status)
				}
			}
		})
	}
}

// What HTTP costs an aggregation job of 1,000 reports, between the Peer and the
// Helper's handler: 2 MB there, 50 KB back.
func BenchmarkAggregationJob(b *testing.B) {
	helper := idleHelper{idleEngine{newFakeEngine(), make([]byte, 50_000)}}
	server := httptest.NewServer(api.NewHelperHandler(helper, api.Options{Logger: slog.New(slog.DiscardHandler)}))
	defer server.Close()
	peer := api.NewPeer(api.PeerOptions{})
	defer peer.Close()
	config, encoded := testConfig(b, server.URL)
	task := &aggregator.Task{ID: testTask, Config: config, EncodedConfig: encoded, HelperToken: []byte(testToken), Taskprov: true}
	body := make([]byte, 2_000_000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := peer.CreateAggregationJob(b.Context(), task, body); err != nil {
			b.Fatal(err)
		}
	}
}
