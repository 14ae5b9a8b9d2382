package api

import (
	"encoding/json"
	"strconv"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// progress answers GET {leader}/tasks/{task-id}/progress?from=TIME for the task's Collector. It is an addition of ours to
// DAP (docs/divergences.md).
func (h *leaderHandlers) progress(x *exchange) (response, error) {
	task, err := h.authorizedTask(x)
	if err != nil {
		return response{}, err
	}
	if err := x.enter(); err != nil {
		return response{}, err
	}
	var from uint64
	if text := x.request.URL.Query().Get("from"); text != "" {
		if from, err = strconv.ParseUint(text, 10, 64); err != nil {
			return response{}, &dap.Error{Type: dap.ErrorTypeInvalidMessage, Detail: "the URL's from: it is not a time of DAP, a number of time precisions since the Epoch"}
		}
	}
	p, err := h.engine.Progress(x.request.Context(), task, dap.Time(from))
	if err != nil {
		return response{}, err
	}
	body, err := json.Marshal(progressDocument(p))
	return response{mediaType: daphttp.ProgressMediaType, body: body}, err
}

func progressDocument(p aggregator.Progress) daphttp.ProgressDocument {
	d := daphttp.ProgressDocument{
		MinBatchSize: p.MinBatchSize, Waiting: daphttp.CoarseCount(p.Waiting), Aggregated: daphttp.CoarseCount(p.Aggregated),
		Collected: daphttp.CoarseCount(p.Collected), Rejected: make(map[string]daphttp.CoarseCount, len(p.Rejected)), ReadyBatches: p.ReadyBatches,
	}
	for reason, n := range p.Rejected {
		d.Rejected[reason.String()] = daphttp.CoarseCount(n)
	}
	if r := p.Ready; r != nil {
		start := uint64(r.Interval.Start)
		d.Next = &daphttp.ProgressNext{Start: start, End: start + uint64(r.Interval.Duration), FreeFrom: uint64(r.FreeFrom)}
		if r.FreeUntil != 0 {
			until := uint64(r.FreeUntil)
			d.Next.FreeUntil = &until
		}
	}
	for _, b := range p.Buckets {
		d.Buckets = append(d.Buckets, daphttp.ProgressBucket{
			Time: uint64(b.Time), Waiting: daphttp.CoarseCount(b.Waiting), Aggregated: daphttp.CoarseCount(b.Aggregated),
		})
	}
	if p.More {
		from := uint64(p.MoreFrom)
		d.MoreFrom = &from
	}
	return d
}
