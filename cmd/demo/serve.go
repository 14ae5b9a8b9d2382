package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twofold-dap/twofold/collector/wire"
)

const (
	// servedDays is over how many days the flights of --serve are spread: each is a batch, and has a result.
	servedDays = 5
	day        = 24 * time.Hour
)

// serve leaves the whole system running, with an analyst's page: tasks with the flights of the last days, collected day by day.
// It returns when ctx ends.
func (d *demo) serve(ctx context.Context, flights []flight) error {
	a := &analyst{}
	err := d.during("Starting the Collector, with the analyst's page", func(*step) (string, error) {
		err := d.system.ServeCollector(ctx)
		if err != nil {
			return "", err
		}
		a.address = strings.TrimSuffix(d.system.Collector.URL, "/")
		a.token, err = d.system.NewAnalystToken(ctx, "demo", "administer")
		return "", err
	})
	if err != nil {
		return err
	}
	tasks, err := d.createServed(ctx, a, flights)
	if err != nil {
		return err
	}
	if _, err := d.uploadAll(ctx, tasks); err != nil {
		return err
	}
	if err := d.collectServed(ctx, a, tasks); err != nil {
		return err
	}
	d.p.printf("\n%s\n\n  address  %s/\n  token    %s\n\nIt runs until you press Ctrl-C, and then leaves nothing behind.\n", d.p.style(bold, "The analyst's page"), a.address, a.token)
	if d.ready != nil {
		d.ready(a)
	}
	<-ctx.Done()
	return nil
}

// createServed makes the tasks by the Collector's API, and has both operators approve them. Nothing is collected yet: a day whose
// flights are still being uploaded would be closed.
func (d *demo) createServed(ctx context.Context, a *analyst, flights []flight) (tasks []*running, err error) {
	all := questions()
	err = d.during("Creating five tasks, approved by both", func(s *step) (string, error) {
		for i := range all {
			q := &all[i]
			s.progress("%s", q.name)
			r := &running{question: q, flights: flights, times: departures(flights, time.Now())}
			draft := wire.Draft{
				Name: q.title, Leader: d.system.Leader.URL, Helper: d.system.Helper.URL, VDAF: q.vdaf, Labels: q.names,
				MinBatchSize: uint64(max(1, min(minBatchSize, len(flights)/(2*servedDays)))), TimePrecisionSeconds: int64(day / time.Second), Schedule: &wire.Schedule{Every: "hand"},
			}
			var made wire.Task
			if err := a.do(ctx, http.MethodPost, "/api/v1/tasks", draft, &made); err != nil {
				return "", err
			}
			var file bytes.Buffer
			if err := a.do(ctx, http.MethodGet, "/api/v1/tasks/"+made.ID+"/file", nil, &file); err != nil {
				return "", err
			}
			r.task.Name, r.task.File = q.name, filepath.Join(d.dir, q.name+".task")
			if err := os.WriteFile(r.task.File, file.Bytes(), 0o600); err != nil {
				return "", err
			}
			token, err := d.system.Approve(ctx, r.task.File)
			if err != nil {
				return "", err
			}
			if err := a.do(ctx, http.MethodPut, "/api/v1/tasks/"+made.ID+"/token", wire.TaskToken{Token: token}, nil); err != nil {
				return "", err
			}
			if r.clientTask, err = readTask(r.task.File); err != nil {
				return "", err
			}
			tasks = append(tasks, r)
		}
		return "", nil
	})
	return tasks, err
}

// departures gives the flights times in the last days before today, evenly, at the hours at which they departed.
func departures(flights []flight, now time.Time) []time.Time {
	first := now.UTC().Truncate(day).Add(-servedDays * day)
	times := make([]time.Time, len(flights))
	for i, f := range flights {
		times[i] = first.Add(time.Duration(i*servedDays/len(flights))*day + time.Duration(f.hour)*time.Hour)
	}
	return times
}

// collectServed has the tasks collected as soon as a day is ready, and waits until each has a result.
func (d *demo) collectServed(ctx context.Context, a *analyst, tasks []*running) error {
	return d.during("Collecting every task, day by day", func(s *step) (string, error) {
		for _, r := range tasks {
			if err := d.settle(ctx, r, nil); err != nil {
				return "", err
			}
			if err := a.do(ctx, http.MethodPut, "/api/v1/tasks/"+r.clientTask.ID.String()+"/schedule", wire.Schedule{Every: "batch"}, nil); err != nil {
				return "", err
			}
		}
		for _, r := range tasks {
			for {
				var task wire.Task
				if err := a.do(ctx, http.MethodGet, "/api/v1/tasks/"+r.clientTask.ID.String(), nil, &task); err != nil {
					return "", err
				}
				s.progress("%s: %d of %d days", r.name, task.Results, servedDays)
				if task.Results > 0 {
					break
				}
				select {
				case <-time.After(glance):
				case <-ctx.Done():
					return "", context.Cause(ctx)
				}
			}
		}
		return "the rest goes on by itself", nil
	})
}

// analyst speaks the Collector's API.
type analyst struct{ address, token string }

// do sends an object, and reads the answer into an object, or as it is into a buffer.
func (a *analyst) do(ctx context.Context, method, path string, object, answer any) error {
	var body io.Reader
	if object != nil {
		text, err := json.Marshal(object)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.address+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	if object != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the Collector refuses %s %s: %s: %s", method, path, response.Status, text)
	}
	switch answer := answer.(type) {
	case nil:
		return nil
	case *bytes.Buffer:
		_, err := answer.Write(text)
		return err
	default:
		return json.Unmarshal(text, answer)
	}
}
