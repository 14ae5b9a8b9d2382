package handlers

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// recordingPeer is the Helper in the same process. It keeps what the Leader asks, by task.
type recordingPeer struct {
	helper *aggregator.Helper

	mu    sync.Mutex
	asked map[dap.TaskID][]asked
}

// asked is a request to the Helper: a POST to a resource below its task.
type asked struct {
	path string
	body []byte
}

func (p *recordingPeer) prepare(ctx context.Context, task *aggregator.Task, path string, body []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		p.asked = map[dap.TaskID][]asked{}
	}
	if body != nil {
		p.asked[task.ID] = append(p.asked[task.ID], asked{path, body})
	}
	if !task.Taskprov {
		return nil
	}
	return p.helper.OptIn(ctx, task.ID, task.EncodedConfig, string(task.HelperToken))
}

func (p *recordingPeer) CreateAggregationJob(ctx context.Context, task *aggregator.Task, body []byte) (aggregator.PeerReply, error) {
	if err := p.prepare(ctx, task, "aggregation_jobs", body); err != nil {
		return aggregator.PeerReply{}, err
	}
	return jobReply(p.helper.CreateAggregationJob(ctx, task.ID, body))
}

func (p *recordingPeer) ContinueAggregationJob(ctx context.Context, task *aggregator.Task, location string, body []byte) (aggregator.PeerReply, error) {
	id, err := jobAt(location)
	if err := errors.Join(err, p.prepare(ctx, task, "aggregation_jobs/"+id.String(), body)); err != nil {
		return aggregator.PeerReply{}, err
	}
	return jobReply(p.helper.ContinueAggregationJob(ctx, task.ID, id, body))
}

func (p *recordingPeer) PollAggregationJob(ctx context.Context, task *aggregator.Task, location string, step uint16) (aggregator.PeerReply, error) {
	id, err := jobAt(location)
	if err != nil {
		return aggregator.PeerReply{}, err
	}
	return jobReply(p.helper.PollAggregationJob(ctx, task.ID, id, step))
}

// DeleteAggregationJob keeps the job, so that requests find it.
func (p *recordingPeer) DeleteAggregationJob(context.Context, *aggregator.Task, string) error {
	return nil
}

func (p *recordingPeer) CreateAggregateShare(ctx context.Context, task *aggregator.Task, body []byte) (aggregator.PeerReply, error) {
	if err := p.prepare(ctx, task, "aggregate_shares", body); err != nil {
		return aggregator.PeerReply{}, err
	}
	return shareReply(p.helper.CreateAggregateShare(ctx, task.ID, body))
}

func (p *recordingPeer) PollAggregateShare(ctx context.Context, task *aggregator.Task, location string) (aggregator.PeerReply, error) {
	id, err := dap.ParseAggregateShareID(lastSegment(location))
	if err != nil {
		return aggregator.PeerReply{}, err
	}
	return shareReply(p.helper.PollAggregateShare(ctx, task.ID, id))
}

// DeleteAggregateShare keeps the share, so that requests find it.
func (p *recordingPeer) DeleteAggregateShare(context.Context, *aggregator.Task, string) error {
	return nil
}

func jobReply(status aggregator.AggregationStatus, err error) (aggregator.PeerReply, error) {
	return aggregator.PeerReply{Location: helperURL + status.ID.String(), Ready: status.Ready, Body: status.Body}, err
}

func shareReply(status aggregator.AggregateShareStatus, err error) (aggregator.PeerReply, error) {
	return aggregator.PeerReply{Location: helperURL + status.ID.String(), Ready: status.Ready, Body: status.Body}, err
}

func jobAt(location string) (dap.AggregationJobID, error) {
	return dap.ParseAggregationJobID(lastSegment(location))
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
