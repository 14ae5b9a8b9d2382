package simulation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// The kinds of requests from the Leader to the Helper.
const (
	requestInit        = "init"
	requestContinue    = "continue"
	requestPoll        = "poll"
	requestDelete      = "delete"
	requestShare       = "share"
	requestPollShare   = "poll share"
	requestDeleteShare = "delete share"
)

var requests = []string{requestInit, requestContinue, requestPoll, requestDelete, requestShare, requestPollShare, requestDeleteShare}

// ofAJob are the requests that are answered with an AggregationJobResp.
var ofAJob = map[string]bool{requestInit: true, requestContinue: true, requestPoll: true}

var networkFaults = []fault{
	faultLostRequest, faultLostResponse, faultErrorBefore, faultErrorAfter, faultDuplicate,
	faultLateCopy, faultLateRequest, faultSlowRequest, faultSlowResponse, faultBrokenResponse,
}

var errNetwork = errors.New("the network is down")

// network is the way between the Leader and the Helper. It implements aggregator.Peer.
type network struct {
	w *world

	mu     sync.Mutex
	armed  []*networkFault
	met    map[fault]int // faults that came to pass
	copies sync.WaitGroup
	// answers are the newest answers of the Helper to each request, which must not change.
	answers map[string][]byte
	jobs    map[string]initiated // the Helper's aggregation jobs, by location
	shares  map[string]bool      // the aggregate shares that the Helper has given
}

// networkFault is a fault that requests are going to meet.
type networkFault struct {
	operation
	skip, count int
}

// arm prepares a fault.
func (n *network) arm(o operation) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.armed = append(n.armed, &networkFault{operation: o, skip: o.Skip, count: max(1, o.Count)})
}

// calm forgets the faults that nobody has met.
func (n *network) calm() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.armed = nil
}

// meet returns the fault that a request meets, or nil.
func (n *network) meet(request string) *operation {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, f := range n.armed {
		if f.Request != "" && f.Request != request || f.Fault == faultBrokenResponse && !ofAJob[request] {
			continue
		}
		if f.skip > 0 {
			f.skip--
			continue
		}
		if f.count--; f.count == 0 {
			n.armed = append(n.armed[:i:i], n.armed[i+1:]...)
		}
		n.met[f.Fault]++
		return &f.operation
	}
	return nil
}

// exchange is one request on its way to the Helper.
type exchange struct {
	request string
	key     string // what names the request: the same again must get the same answer
	token   string
	do      func(context.Context, *aggregator.Helper) (aggregator.PeerReply, error)
}

// call sends a request through whatever happens to it.
func (n *network) call(ctx context.Context, task *aggregator.Task, x exchange) (aggregator.PeerReply, error) {
	x.token = string(task.HelperToken)
	if n.w.leader.cut() {
		return aggregator.PeerReply{}, errNetwork
	}
	reply, err := n.disturbed(ctx, &x)
	if n.w.leader.cut() {
		return aggregator.PeerReply{}, errNetwork
	}
	if change := n.w.hooks.reply; change != nil && err == nil {
		change(x.request, &reply)
	}
	return reply, err
}

func (n *network) disturbed(ctx context.Context, x *exchange) (aggregator.PeerReply, error) {
	if n.w.hooks.requestsTwice {
		n.deliver(ctx, x)
	}
	f := n.meet(x.request)
	if f == nil {
		return n.deliver(ctx, x)
	}
	switch f.Fault {
	case faultLostRequest:
		return aggregator.PeerReply{}, errNetwork
	case faultLostResponse:
		n.deliver(ctx, x)
		return aggregator.PeerReply{}, errNetwork
	case faultErrorBefore:
		return aggregator.PeerReply{}, &aggregator.PeerError{Status: 500, Detail: "before the work"}
	case faultErrorAfter:
		n.deliver(ctx, x)
		return aggregator.PeerReply{}, &aggregator.PeerError{Status: 500, Detail: "after the work"}
	case faultDuplicate:
		n.deliver(ctx, x)
	case faultLateCopy:
		n.later(ctx, x, time.Duration(f.For))
	case faultLateRequest:
		n.later(ctx, x, time.Duration(f.For))
		return aggregator.PeerReply{}, errNetwork
	case faultSlowRequest:
		if !sleep(ctx, time.Duration(f.For)) {
			return aggregator.PeerReply{}, ctx.Err()
		}
	case faultBrokenResponse:
		reply, err := n.deliver(ctx, x)
		reply.Body = reply.Body[:len(reply.Body)/2]
		return reply, err
	case faultSlowResponse:
		reply, err := n.deliver(ctx, x)
		if !sleep(ctx, time.Duration(f.For)) {
			return aggregator.PeerReply{}, ctx.Err()
		}
		return reply, err
	}
	return n.deliver(ctx, x)
}

// later delivers a copy of a request after a while; nobody waits for its answer.
func (n *network) later(ctx context.Context, x *exchange, after time.Duration) {
	n.copies.Go(func() {
		time.Sleep(after)
		n.deliver(context.WithoutCancel(ctx), x)
	})
}

// sleep waits for d or until ctx ends; it tells whether d has passed.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// deliver hands a request to the Helper, as its HTTP server would.
func (n *network) deliver(ctx context.Context, x *exchange) (aggregator.PeerReply, error) {
	h := n.w.helper.engine()
	if h == nil || n.w.helper.cut() {
		return aggregator.PeerReply{}, errNetwork
	}
	if err := h.AuthorizeLeader(ctx, n.w.id, x.token); err != nil {
		return aggregator.PeerReply{}, overHTTP(err)
	}
	reply, err := x.do(ctx, h)
	if n.w.helper.cut() {
		return aggregator.PeerReply{}, errNetwork // it has crashed over the request
	}
	if err != nil {
		return aggregator.PeerReply{}, overHTTP(err)
	}
	n.compare(x, &reply)
	return reply, nil
}

// compare checks that a request gets the answer that it got before.
func (n *network) compare(x *exchange, reply *aggregator.PeerReply) {
	if x.key == "" || !reply.Ready {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	before, ok := n.answers[x.key]
	if ok && !bytes.Equal(before, reply.Body) && !n.replaced(reply.Location) {
		n.w.violated(invariantSameAnswer, "the Helper answers a request (%s) with other bytes than before", x.request)
	}
	n.answers[x.key] = reply.Body
	if x.request == requestShare {
		n.shares[string(reply.Body)] = true
	}
}

// given is how many aggregate shares the Helper has given.
func (n *network) given() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.shares)
}

// forget drops the answers that a DELETE has allowed to change.
func (n *network) forget(location string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key := range n.answers {
		if strings.HasPrefix(key, location) {
			delete(n.answers, key)
		}
	}
}

// overHTTP is what becomes of a Helper's error on its way.
func overHTTP(err error) error {
	if e, ok := errors.AsType[*dap.Error](err); ok {
		return e
	}
	for _, e := range []struct {
		err    error
		status int
	}{
		{aggregator.ErrUnauthorized, 401}, {aggregator.ErrNotFound, 404}, {aggregator.ErrBusy, 429}, {aggregator.ErrUnavailable, 503},
	} {
		if errors.Is(err, e.err) {
			return &aggregator.PeerError{Status: e.status, Detail: err.Error()}
		}
	}
	return &aggregator.PeerError{Status: 500, Detail: err.Error()}
}

const jobsAt, sharesAt = "https://helper.example/jobs/", "https://helper.example/shares/"

func jobReply(s aggregator.AggregationStatus, err error) (aggregator.PeerReply, error) {
	return aggregator.PeerReply{Location: jobsAt + s.ID.String(), Ready: s.Ready, Body: s.Body, RetryAfter: s.RetryAfter}, err
}

func shareReply(s aggregator.AggregateShareStatus, err error) (aggregator.PeerReply, error) {
	return aggregator.PeerReply{Location: sharesAt + s.ID.String(), Ready: s.Ready, Body: s.Body, RetryAfter: s.RetryAfter}, err
}

// resource reads the identifier out of a location.
func resource[T any](location, at string, parse func(string) (T, error)) (T, error) {
	id, err := parse(strings.TrimPrefix(location, at))
	if err != nil {
		return id, fmt.Errorf("the Leader uses the location %q", location)
	}
	return id, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return string(sum[:])
}

func (n *network) CreateAggregationJob(ctx context.Context, task *aggregator.Task, req []byte) (aggregator.PeerReply, error) {
	return n.call(ctx, task, exchange{request: requestInit, do: func(ctx context.Context, h *aggregator.Helper) (aggregator.PeerReply, error) {
		reply, err := jobReply(h.CreateAggregationJob(ctx, task.ID, req))
		if err == nil {
			n.created(reply.Location, req)
		}
		return reply, err
	}})
}

func (n *network) ContinueAggregationJob(ctx context.Context, task *aggregator.Task, location string, req []byte) (aggregator.PeerReply, error) {
	return n.call(ctx, task, exchange{request: requestContinue, key: location + digest(req), do: func(ctx context.Context, h *aggregator.Helper) (aggregator.PeerReply, error) {
		id, err := resource(location, jobsAt, dap.ParseAggregationJobID)
		if err != nil {
			return aggregator.PeerReply{}, err
		}
		return jobReply(h.ContinueAggregationJob(ctx, task.ID, id, req))
	}})
}

func (n *network) PollAggregationJob(ctx context.Context, task *aggregator.Task, location string, step uint16) (aggregator.PeerReply, error) {
	return n.call(ctx, task, exchange{request: requestPoll, key: fmt.Sprint(location, step), do: func(ctx context.Context, h *aggregator.Helper) (aggregator.PeerReply, error) {
		id, err := resource(location, jobsAt, dap.ParseAggregationJobID)
		if err != nil {
			return aggregator.PeerReply{}, err
		}
		return jobReply(h.PollAggregationJob(ctx, task.ID, id, step))
	}})
}

func (n *network) DeleteAggregationJob(ctx context.Context, task *aggregator.Task, location string) error {
	n.forget(location)
	_, err := n.call(ctx, task, exchange{request: requestDelete, do: func(ctx context.Context, h *aggregator.Helper) (aggregator.PeerReply, error) {
		id, err := resource(location, jobsAt, dap.ParseAggregationJobID)
		if err != nil {
			return aggregator.PeerReply{}, err
		}
		return aggregator.PeerReply{}, h.DeleteAggregationJob(ctx, task.ID, id)
	}})
	return err
}

func (n *network) CreateAggregateShare(ctx context.Context, task *aggregator.Task, req []byte) (aggregator.PeerReply, error) {
	return n.call(ctx, task, exchange{request: requestShare, key: digest(req), do: func(ctx context.Context, h *aggregator.Helper) (aggregator.PeerReply, error) {
		return shareReply(h.CreateAggregateShare(ctx, task.ID, req))
	}})
}

func (n *network) PollAggregateShare(ctx context.Context, task *aggregator.Task, location string) (aggregator.PeerReply, error) {
	return n.call(ctx, task, exchange{request: requestPollShare, key: location, do: func(ctx context.Context, h *aggregator.Helper) (aggregator.PeerReply, error) {
		id, err := resource(location, sharesAt, dap.ParseAggregateShareID)
		if err != nil {
			return aggregator.PeerReply{}, err
		}
		return shareReply(h.PollAggregateShare(ctx, task.ID, id))
	}})
}

func (n *network) DeleteAggregateShare(ctx context.Context, task *aggregator.Task, location string) error {
	n.forget(location)
	_, err := n.call(ctx, task, exchange{request: requestDeleteShare, do: func(ctx context.Context, h *aggregator.Helper) (aggregator.PeerReply, error) {
		id, err := resource(location, sharesAt, dap.ParseAggregateShareID)
		if err != nil {
			return aggregator.PeerReply{}, err
		}
		return aggregator.PeerReply{}, h.DeleteAggregateShare(ctx, task.ID, id)
	}})
	return err
}
