package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// answering answers every request with the same bytes, as a connection would carry them.
type answering struct{ raw []byte }

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(a.raw)), r)
}

// httpAnswer returns an HTTP answer in the form of HTTP/1.1.
func httpAnswer(status, header, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s", status, len(body), header, body)
}

// Whatever a Helper answers, a Peer has a result that stays at the Helper's endpoint, or an error
// that says whether the Helper has stated one.
func FuzzPeerAnswer(f *testing.F) {
	task := &aggregator.Task{ID: dap.TaskID{1}, HelperToken: []byte("token")}
	task.Config.HelperAggregatorEndpoint = "https://helper.example/h/"
	const location = "Location: /h/tasks/T/aggregation_jobs/J?step=1\r\n"
	problem := `{"type":"urn:ietf:params:ppm:dap:error:batchMismatch","title":"t","status":400}`
	for _, raw := range [][]byte{
		httpAnswer("200 OK", location+"Content-Type: "+string(dap.MediaTypeAggregationJobResp)+"\r\n", "body"),
		httpAnswer("200 OK", "Content-Type: "+string(dap.MediaTypeAggregateShare)+"\r\n", "body"),
		httpAnswer("200 OK", location+"Retry-After: 7\r\n", ""),
		httpAnswer("200 OK", "Location: https://evil.example/\r\n", ""),
		httpAnswer("400 Bad Request", "Content-Type: application/problem+json\r\n", problem),
		httpAnswer("503 Unavailable", "Retry-After: Sun, 01 Mar 2099 12:00:30 GMT\r\n", ""),
		httpAnswer("307 Redirect", "Location: https://evil.example/\r\n", ""),
		[]byte("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\nContent-Type: " + dap.MediaTypeAggregateShare + "\r\n\r\nx"),
		[]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
	} {
		for call := range byte(7) {
			f.Add(raw, call)
		}
	}
	transport := &answering{}
	peer := NewPeer(PeerOptions{MaxResponseBytes: 1 << 16})
	peer.client.Transport = transport
	fuzzing.Run(f, fuzzing.Limit{Fixed: 1 << 20}, func(t testing.TB, raw []byte, call byte) {
		transport.raw = raw
		reply, err := askPeer(peer, task, call)
		if err != nil {
			if e, ok := errors.AsType[*dap.Error](err); ok && (!e.Type.IsKnown() || e.TaskID == nil || *e.TaskID != task.ID) {
				t.Fatalf("an error that the Helper has stated: %+v", e)
			}
			if e, ok := errors.AsType[*aggregator.PeerError](err); ok && (e.RetryAfter < 0 || e.RetryAfter > time.Hour || e.Status/100 == 2) {
				t.Fatalf("an error status: %+v", e)
			}
			return
		}
		if reply.Location != "" && !strings.HasPrefix(reply.Location, task.Config.HelperAggregatorEndpoint) {
			t.Fatalf("the location %q", reply.Location)
		}
		if reply.Ready != (len(reply.Body) > 0) || len(reply.Body) > 1<<16 || reply.RetryAfter < 0 || reply.RetryAfter > time.Hour {
			t.Fatalf("the reply %+v", reply)
		}
	})
}

func askPeer(peer *Peer, task *aggregator.Task, call byte) (reply aggregator.PeerReply, err error) {
	ctx, location := context.Background(), "https://helper.example/h/tasks/T/aggregation_jobs/J"
	switch call % 7 {
	case 0:
		return peer.CreateAggregationJob(ctx, task, []byte("request"))
	case 1:
		return peer.ContinueAggregationJob(ctx, task, location, []byte("request"))
	case 2:
		return peer.PollAggregationJob(ctx, task, location, 1)
	case 3:
		return reply, peer.DeleteAggregationJob(ctx, task, location)
	case 4:
		return peer.CreateAggregateShare(ctx, task, []byte("request"))
	case 5:
		return peer.PollAggregateShare(ctx, task, location)
	}
	return reply, peer.DeleteAggregateShare(ctx, task, location)
}

// Whatever answers at the operator's socket, the client has a result or an error.
func FuzzOperatorAnswer(f *testing.F) {
	encode := func(v any) string {
		encoded, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		return string(encoded)
	}
	failure := operatorProblem{plainProblem(404, "no such task"), OperatorNotFound}
	for _, raw := range [][]byte{
		httpAnswer("200 OK", "", encode(OperatorStatus{HpkeKeys: []OperatorHpkeKey{{ID: 1}}, Tasks: []OperatorTask{{}}})),
		httpAnswer("200 OK", "", encode([]OperatorViolation{{Invariant: "i", Detail: "d"}})),
		httpAnswer("200 OK", "", encode([]OperatorPeer{{Name: "p"}})),
		httpAnswer("200 OK", "", encode(AddTaskResult{CollectorToken: "token"})),
		httpAnswer("404 Not Found", "Content-Type: application/problem+json\r\n", encode(failure)),
		httpAnswer("500 Internal Server Error", "", ""),
	} {
		for call := range byte(6) {
			f.Add(raw, call)
		}
	}
	transport := &answering{}
	client := NewOperatorClient("socket")
	client.client.Transport = transport
	ctx := context.Background()
	fuzzing.Run(f, fuzzing.Limit{Fixed: 1 << 20}, func(t testing.TB, raw []byte, call byte) {
		transport.raw = raw
		err := [...]func() error{
			func() error { _, err := client.Status(ctx); return err },
			func() error { _, err := client.Check(ctx); return err },
			func() error { _, err := client.Peers(ctx); return err },
			func() error { _, err := client.AddTask(ctx, AddTaskRequest{}); return err },
			func() error { _, err := client.Pair(ctx, PairRequest{}); return err },
			func() error { _, err := client.Metrics(ctx); return err },
		}[call%6]()
		if e, ok := errors.AsType[*OperatorError](err); ok && operatorStatuses[e.Kind] == 0 {
			t.Fatalf("an error of kind %q", e.Kind)
		}
	})
}
