package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/twofold-dap/twofold/internal/daphttp"
)

// ErrNoServer says that no server answers at an operator socket. The
// commands then work on the store directly.
var ErrNoServer = errors.New("no server is running here")

// maxOperatorAnswer bounds an answer to the operator, in bytes: a status with many thousands of tasks.
const maxOperatorAnswer = 64 << 20

// OperatorClient is an OperatorService over a unix socket: that of the server
// which NewOperatorHandler serves. It is safe for concurrent use. If no server
// is there its errors are ErrNoServer.
type OperatorClient struct {
	socket string
	client *http.Client
}

var _ OperatorService = (*OperatorClient)(nil)

// NewOperatorClient returns a client of the socket at that path.
func NewOperatorClient(socket string) *OperatorClient {
	return &OperatorClient{socket, &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			return dialSocket(ctx, socket)
		},
		MaxIdleConnsPerHost: 1,
	}}}
}

// Close closes the connections that are not in use.
func (c *OperatorClient) Close() { c.client.CloseIdleConnections() }

// Health returns nil if a server answers, ErrNoServer if none does.
func (c *OperatorClient) Health(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/health", nil, &struct{}{})
}

// Metrics returns the server's metrics in Prometheus' text form.
func (c *OperatorClient) Metrics(ctx context.Context) ([]byte, error) {
	return c.fetch(ctx, http.MethodGet, "/metrics", nil)
}

// Status implements OperatorService.
func (c *OperatorClient) Status(ctx context.Context) (result OperatorStatus, err error) {
	err = c.do(ctx, http.MethodGet, "/status", nil, &result)
	return result, err
}

// AddTask implements OperatorService.
func (c *OperatorClient) AddTask(ctx context.Context, request AddTaskRequest) (result AddTaskResult, err error) {
	err = c.do(ctx, http.MethodPost, "/tasks", request, &result)
	return result, err
}

// RotateHpkeKey implements OperatorService.
func (c *OperatorClient) RotateHpkeKey(ctx context.Context, request RotateHpkeKeyRequest) (result OperatorHpkeKey, err error) {
	err = c.do(ctx, http.MethodPost, "/hpke_keys", request, &result)
	return result, err
}

// Check implements OperatorService.
func (c *OperatorClient) Check(ctx context.Context) (result []OperatorViolation, err error) {
	err = c.do(ctx, http.MethodGet, "/check", nil, &result)
	return result, err
}

// Invite implements OperatorService.
func (c *OperatorClient) Invite(ctx context.Context, request InviteRequest) (result InviteResult, err error) {
	err = c.do(ctx, http.MethodPost, "/invitations", request, &result)
	return result, err
}

// Pair implements OperatorService.
func (c *OperatorClient) Pair(ctx context.Context, request PairRequest) (result OperatorPeer, err error) {
	err = c.do(ctx, http.MethodPost, "/peers", request, &result)
	return result, err
}

// Peers implements OperatorService.
func (c *OperatorClient) Peers(ctx context.Context) (result []OperatorPeer, err error) {
	err = c.do(ctx, http.MethodGet, "/peers", nil, &result)
	return result, err
}

// OptIn implements OperatorService.
func (c *OperatorClient) OptIn(ctx context.Context, request OptInRequest) (result OptInResult, err error) {
	err = c.do(ctx, http.MethodPost, "/opt_ins", request, &result)
	return result, err
}

// do sends a request with JSON, if it is not nil, and decodes the answer into result.
func (c *OperatorClient) do(ctx context.Context, method, path string, request, result any) error {
	body, err := c.fetch(ctx, method, path, request)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, result); err != nil {
		return fmt.Errorf("the server at %s answers in another form; is it of another version?", c.socket)
	}
	return nil
}

func (c *OperatorClient) fetch(ctx context.Context, method, path string, request any) ([]byte, error) {
	response, err := c.send(ctx, method, path, request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := daphttp.ReadBody(response.Body, response.ContentLength, maxOperatorAnswer, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of the server at %s: %w", c.socket, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, operatorErrorAnswer(response.StatusCode, body)
	}
	return body, nil
}

// send sends a request with JSON, if it is not nil.
func (c *OperatorClient) send(ctx context.Context, method, path string, request any) (*http.Response, error) {
	var sent io.Reader
	if request != nil {
		encoded, err := json.Marshal(request)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		sent = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://operator"+path, sent)
	if err != nil {
		return nil, err
	}
	if sent != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := c.client.Do(r)
	if err != nil {
		if noServer(err) {
			return nil, fmt.Errorf("%s: %w", c.socket, ErrNoServer)
		}
		return nil, fmt.Errorf("asking the server at %s: %w", c.socket, err)
	}
	return response, nil
}

// operatorErrorAnswer returns the error that an answer states.
func operatorErrorAnswer(status int, body []byte) error {
	var problem operatorProblem
	if err := json.Unmarshal(body, &problem); err != nil || operatorStatuses[problem.Kind] == 0 {
		return &OperatorError{OperatorInternal, fmt.Sprintf("the server answered with HTTP status %d", status)}
	}
	return &OperatorError{problem.Kind, problem.Detail}
}
