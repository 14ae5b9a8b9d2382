package api_test

import (
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/api"
)

// TestPeerCountsItsTraffic: all that is sent and received counts, headers included.
func TestPeerCountsItsTraffic(t *testing.T) {
	script := newScript(t)
	answer := make([]byte, 100_000)
	script.respond = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/ppm-dap;message=aggregation-job-resp")
		w.Header().Set("Location", "/aggregation_jobs/1")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(answer)
	}
	registry := prometheus.NewRegistry()
	peer := newPeer(t, api.PeerOptions{Metrics: registry})
	request := make([]byte, 30_000)
	if _, err := peer.CreateAggregationJob(t.Context(), peerTask(t, script.URL+"/", false), request); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "twofold_leader_helper_bytes_total" {
		t.Fatalf("got %v, %v", families, err)
	}
	for _, metric := range families[0].Metric {
		direction, got := metric.Label[0].GetValue(), metric.Counter.GetValue()
		least := map[string]int{"sent": len(request), "received": len(answer)}[direction]
		if least == 0 || got <= float64(least) || got > float64(least+2000) {
			t.Errorf("%s: %v bytes, of which the body is %d", direction, got, least)
		}
	}
}
