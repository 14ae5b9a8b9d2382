package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// PeerOptions configure NewPeer. The zero value is usable.
type PeerOptions struct {
	// AllowPlain lets bearer tokens and shares travel over plain http to other
	// machines. It is for private networks in tests; to this machine http is always allowed.
	AllowPlain bool
	// RootCAs are trusted to certify Helpers. Nil: those of the system.
	RootCAs *x509.CertPool
	// Metrics, if not nil, counts the bytes that are sent and received.
	Metrics prometheus.Registerer

	// Zero fields have the default in the comment.
	RequestTimeout   time.Duration // for one request and its answer: 5 minutes
	ConnectTimeout   time.Duration // for a connection, and for TLS on it: 10 seconds
	MaxResponseBytes int64         // of an answer's body: 64 MiB
	MaxRetryAfter    time.Duration // to which a Retry-After is cut: 1 hour
	MaxConnections   int           // to one Helper: 32
}

// Peer is the Helper over HTTP. It implements aggregator.Peer; it is safe for
// concurrent use and keeps connections open between requests. It never follows
// a redirect, and never sends a token to any place but the task's Helper endpoint.
type Peer struct {
	options PeerOptions
	client  *http.Client
	now     func() time.Time
}

var _ aggregator.Peer = (*Peer)(nil)

// NewPeer returns a Peer.
func NewPeer(options PeerOptions) *Peer {
	setDefault(&options.RequestTimeout, 5*time.Minute)
	setDefault(&options.ConnectTimeout, 10*time.Second)
	setDefault(&options.MaxResponseBytes, 64<<20)
	setDefault(&options.MaxRetryAfter, time.Hour)
	setDefault(&options.MaxConnections, 32)
	dialer := &net.Dialer{Timeout: options.ConnectTimeout}
	return &Peer{
		options: options,
		now:     time.Now,
		client: &http.Client{
			Timeout: options.RequestTimeout,
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            countTraffic(options.Metrics, dialer.DialContext),
				TLSHandshakeTimeout:    options.ConnectTimeout,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: options.RootCAs},
				ForceAttemptHTTP2:      true,
				MaxConnsPerHost:        options.MaxConnections,
				MaxIdleConnsPerHost:    options.MaxConnections,
				IdleConnTimeout:        90 * time.Second,
				ExpectContinueTimeout:  time.Second,
				MaxResponseHeaderBytes: 64 << 10,
				DisableCompression:     true, // shares do not compress, and lengths stay what they seem
			},
			// A redirect is an answer like any other that is not a success.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close closes the connections that are not in use.
func (p *Peer) Close() { p.client.CloseIdleConnections() }

// CreateAggregationJob implements aggregator.Peer (DAP Section 4.5.3.1).
func (p *Peer) CreateAggregationJob(ctx context.Context, task *aggregator.Task, initReq []byte) (aggregator.PeerReply, error) {
	return p.create(ctx, task, "aggregation_jobs", initReq, dap.MediaTypeAggregationJobInitReq, dap.MediaTypeAggregationJobResp)
}

// ContinueAggregationJob implements aggregator.Peer (DAP Section 4.5.4.1).
func (p *Peer) ContinueAggregationJob(ctx context.Context, task *aggregator.Task, location string, continueReq []byte) (aggregator.PeerReply, error) {
	return p.at(ctx, task, location, call{
		method:  http.MethodPost,
		body:    continueReq,
		sends:   dap.MediaTypeAggregationJobContinueReq,
		expects: dap.MediaTypeAggregationJobResp,
	})
}

// PollAggregationJob implements aggregator.Peer. The request names the step, as
// the standard wants it (DAP Section 4.5.3.2).
func (p *Peer) PollAggregationJob(ctx context.Context, task *aggregator.Task, location string, step uint16) (aggregator.PeerReply, error) {
	return p.at(ctx, task, location, call{
		method:  http.MethodGet,
		query:   url.Values{"step": {strconv.Itoa(int(step))}},
		expects: dap.MediaTypeAggregationJobResp,
	})
}

// DeleteAggregationJob implements aggregator.Peer (DAP Section 4.5.5).
func (p *Peer) DeleteAggregationJob(ctx context.Context, task *aggregator.Task, location string) error {
	_, err := p.at(ctx, task, location, call{method: http.MethodDelete})
	return err
}

// CreateAggregateShare implements aggregator.Peer (DAP Section 4.6.4).
func (p *Peer) CreateAggregateShare(ctx context.Context, task *aggregator.Task, req []byte) (aggregator.PeerReply, error) {
	return p.create(ctx, task, "aggregate_shares", req, dap.MediaTypeAggregateShareReq, dap.MediaTypeAggregateShare)
}

// PollAggregateShare implements aggregator.Peer (DAP Section 4.6.4).
func (p *Peer) PollAggregateShare(ctx context.Context, task *aggregator.Task, location string) (aggregator.PeerReply, error) {
	return p.at(ctx, task, location, call{method: http.MethodGet, expects: dap.MediaTypeAggregateShare})
}

// DeleteAggregateShare implements aggregator.Peer (DAP Section 4.6.5).
func (p *Peer) DeleteAggregateShare(ctx context.Context, task *aggregator.Task, location string) error {
	_, err := p.at(ctx, task, location, call{method: http.MethodDelete})
	return err
}

// create posts to a creation URL and takes the new resource's location from
// the answer (DAP Section 3.2).
func (p *Peer) create(ctx context.Context, task *aggregator.Task, resources string, body []byte, sends, expects dap.MediaType) (aggregator.PeerReply, error) {
	endpoint, err := p.endpoint(task)
	if err != nil {
		return aggregator.PeerReply{}, err
	}
	creation := endpoint.URL("tasks", task.ID.String(), resources)
	result, err := p.do(ctx, task, call{method: http.MethodPost, url: creation, body: body, sends: sends, expects: expects})
	if err != nil {
		return aggregator.PeerReply{}, err
	}
	if result.location == "" {
		if !result.reply.Ready {
			return aggregator.PeerReply{}, &ResponseError{"the resource is not ready, and there is no Location header to ask again at"}
		}
		return result.reply, nil
	}
	location, err := resolve(endpoint, creation, result.location)
	if err != nil {
		return aggregator.PeerReply{}, &ResponseError{err.Error()}
	}
	result.reply.Location = location
	return result.reply, nil
}

// at sends a request to a resource whose location is known. That it is at the
// task's endpoint is checked again, because the token goes there. A Location in the answer
// could only repeat it, and is not looked at.
func (p *Peer) at(ctx context.Context, task *aggregator.Task, location string, c call) (aggregator.PeerReply, error) {
	endpoint, err := p.endpoint(task)
	if err != nil {
		return aggregator.PeerReply{}, err
	}
	resource, err := resolve(endpoint, endpoint.String(), location)
	if err != nil {
		return aggregator.PeerReply{}, err
	}
	u, err := url.Parse(resource)
	if err != nil {
		return aggregator.PeerReply{}, &daphttp.LocationError{Problem: "not a URL"}
	}
	if len(c.query) > 0 {
		query := u.Query()
		for name, values := range c.query {
			query[name] = values
		}
		u.RawQuery = query.Encode()
	}
	c.url = u.String()
	result, err := p.do(ctx, task, c)
	if err != nil {
		return aggregator.PeerReply{}, err
	}
	result.reply.Location = resource
	return result.reply, nil
}

func (p *Peer) endpoint(task *aggregator.Task) (*daphttp.Endpoint, error) {
	return daphttp.ParseEndpoint(task.Config.HelperAggregatorEndpoint, p.options.AllowPlain)
}

// resolve returns the absolute URL of a resource, without the step that a
// Location names while an aggregation job is not ready.
func resolve(endpoint *daphttp.Endpoint, request, location string) (string, error) {
	base, err := url.Parse(request)
	if err != nil {
		return "", err
	}
	resolved, err := endpoint.Resolve(base, location)
	if err != nil {
		return "", err
	}
	query := resolved.Query()
	if query.Has("step") {
		query.Del("step")
		resolved.RawQuery = query.Encode()
	}
	return resolved.String(), nil
}

// ResponseError says that a Helper's successful answer cannot be used.
type ResponseError struct{ Problem string }

func (e *ResponseError) Error() string { return "the Helper's answer cannot be used: " + e.Problem }
