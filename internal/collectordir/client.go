package collectordir

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/twofold-dap/twofold/collector/web"
	"github.com/twofold-dap/twofold/collector/wire"
	"github.com/twofold-dap/twofold/dap"
)

// maxAnswer bounds an answer that is read as a whole, in bytes.
const maxAnswer = 256 << 20

// Client speaks the API of a directory as its owner. It is safe for concurrent use.
type Client struct{ http *http.Client }

// ProblemError is an answer with an error status.
type ProblemError struct{ Problem web.Problem }

func (e *ProblemError) Error() string {
	if e.Problem.Detail != "" {
		return e.Problem.Detail
	}
	return e.Problem.Title
}

// Get gets a resource, and decodes the answer.
func (c *Client) Get(ctx context.Context, path string, answer any) error {
	return c.Do(ctx, http.MethodGet, path, nil, answer)
}

// Do sends a request with a body of JSON, if it is not nil, and decodes the answer, if answer is not nil. Its error is a *ProblemError, or
// says that there was no answer.
func (c *Client) Do(ctx context.Context, method, path string, body, answer any) error {
	text, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer text.Close()
	if answer == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(text, maxAnswer)).Decode(answer)
}

// Copy copies the answer of a GET as it is.
func (c *Client) Copy(ctx context.Context, path string, w io.Writer) error {
	text, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, text)
	return errors.Join(err, text.Close())
}

func (c *Client) send(ctx context.Context, method, path string, body any) (io.ReadCloser, error) {
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://collector"+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 == 2 {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	var problem web.Problem
	if err := json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&problem); err != nil {
		return nil, fmt.Errorf("the service answers with status %d", answer.StatusCode)
	}
	return nil, &ProblemError{problem}
}

// FindTask returns the task with that ID, or with that name if no other has it.
func (c *Client) FindTask(ctx context.Context, idOrName string) (wire.Task, error) {
	if _, err := dap.ParseTaskID(idOrName); err == nil {
		var task wire.Task
		return task, c.Get(ctx, "/api/v1/tasks/"+idOrName, &task)
	}
	var all wire.Tasks
	if err := c.Get(ctx, "/api/v1/tasks", &all); err != nil {
		return wire.Task{}, err
	}
	var found []wire.Task
	for _, task := range all.Tasks {
		if task.Name == idOrName {
			found = append(found, task)
		}
	}
	switch len(found) {
	case 0:
		return wire.Task{}, fmt.Errorf("there is no task %q here; collector tasks lists those there are", idOrName)
	case 1:
		return found[0], nil
	}
	return wire.Task{}, fmt.Errorf("%d tasks have the name %q; give the ID, as collector tasks shows it", len(found), idOrName)
}

// inProcess hands requests to a handler in this process.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	t.handler.ServeHTTP(answer, r)
	return &http.Response{
		StatusCode: answer.status, Header: answer.header, Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// recorder keeps an answer.
type recorder struct {
	header  http.Header
	status  int
	written bool
	body    bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}
