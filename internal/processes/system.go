package processes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// System is a Leader and a Helper that are paired, and the analyst's Collector,
// each with a directory of its own below Dir.
type System struct {
	Dir            string
	Leader, Helper *Server
	// Collector is nil as long as it does not run as a service (ServeCollector).
	Collector *Server
	Programs  *Programs
}

// Site is where a server is to be found.
type Site struct {
	URL    string // in the tasks
	Listen string // the address that it listens on, HOST:PORT
}

// NewSystem initializes the aggregators and the Collector below dir, pairs the
// aggregators, and starts both. Close ends what was
// started; an error leaves nothing running.
func NewSystem(ctx context.Context, programs *Programs, dir string) (*System, error) {
	addresses, err := FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	site := func(address string) Site { return Site{URL: "http://" + address + "/", Listen: address} }
	return NewSystemAt(ctx, programs, dir, site(addresses[0]), site(addresses[1]))
}

// NewSystemAt is NewSystem with the servers at given places.
func NewSystemAt(ctx context.Context, programs *Programs, dir string, leader, helper Site) (*System, error) {
	s := &System{
		Dir: dir, Programs: programs,
		Leader: newServer(programs, "leader", dir, leader),
		Helper: newServer(programs, "helper", dir, helper),
	}
	if err := s.initialize(ctx); err != nil {
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *System) collectorDir() string { return filepath.Join(s.Dir, "collector") }

// initialize makes the three directories and pairs the aggregators.
func (s *System) initialize(ctx context.Context) error {
	for _, server := range []*Server{s.Helper, s.Leader} {
		if _, err := s.Programs.Run(ctx, server.Role, "init", "--dir", server.Dir, "--url", server.URL, "--listen", server.Listen); err != nil {
			return err
		}
	}
	invitation, err := s.Programs.Run(ctx, "helper", "invite", "--dir", s.Helper.Dir)
	if err != nil {
		return err
	}
	if _, err := s.Programs.Run(ctx, "leader", "pair", "--dir", s.Leader.Dir, invitation.LastLine()); err != nil {
		return err
	}
	_, err = s.Programs.Run(ctx, "collector", "init", "--dir", s.collectorDir())
	return err
}

// Start starts both servers and waits until they answer.
func (s *System) Start(ctx context.Context) error {
	if err := s.Helper.Start(ctx); err != nil {
		return err
	}
	return s.Leader.Start(ctx)
}

// Close stops all servers.
func (s *System) Close() error {
	var err error
	if s.Collector != nil {
		err = s.Collector.Stop()
	}
	return errors.Join(err, s.Leader.Stop(), s.Helper.Stop())
}

// TaskSpec is what the analyst decides about a task.
type TaskSpec struct {
	Name         string
	VDAF         string // such as "histogram:length=20"
	MinBatchSize int
	Precision    time.Duration
	// LeaderSelected makes the batch mode leader-selected, and not time-interval.
	LeaderSelected bool
}

// Task is a task that both operators have approved.
type Task struct {
	Name  string
	File  string // path of the task file
	token string
}

// NewTask has the analyst make a task and both operators approve it.
func (s *System) NewTask(ctx context.Context, spec TaskSpec) (Task, error) {
	task := Task{Name: spec.Name, File: filepath.Join(s.Dir, spec.Name+".task")}
	args := []string{
		"task", "new", "--dir", s.collectorDir(), "--leader", s.Leader.URL, "--helper", s.Helper.URL,
		"--vdaf", spec.VDAF, "--name", spec.Name, "--min-batch-size", fmt.Sprint(spec.MinBatchSize),
		"--time-precision", spec.Precision.String(), "--out", task.File,
	}
	if spec.LeaderSelected {
		args = append(args, "--batch-mode", "leader-selected")
	}
	if _, err := s.Programs.Run(ctx, "collector", args...); err != nil {
		return Task{}, err
	}
	var err error
	task.token, err = s.Approve(ctx, task.File)
	return task, err
}

// Approve has both operators approve the task of a task file, and returns the
// Collector's token for it. It can be repeated.
func (s *System) Approve(ctx context.Context, file string) (token string, err error) {
	if _, err := s.Programs.Run(ctx, "helper", "task", "add", "--dir", s.Helper.Dir, file); err != nil {
		return "", err
	}
	added, err := s.Programs.Run(ctx, "leader", "task", "add", "--dir", s.Leader.Dir, file)
	if err != nil {
		return "", err
	}
	return added.LastLine(), nil
}

// Collection is an aggregate result as `collector collect --json` prints it.
type Collection struct {
	ReportCount uint64 `json:"report_count"`
	Interval    struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	} `json:"interval"`
	Result Numbers  `json:"result"`
	Labels []string `json:"labels"`
}

// Numbers are the numbers of an aggregate result: a JSON array of them, or a
// single one.
type Numbers []uint64

// UnmarshalJSON implements json.Unmarshaler.
func (n *Numbers) UnmarshalJSON(text []byte) error {
	var single uint64
	if err := json.Unmarshal(text, &single); err == nil {
		*n = Numbers{single}
		return nil
	}
	return json.Unmarshal(text, (*[]uint64)(n))
}

// Collect has the analyst collect a batch. which selects it: "--last", "24h" or
// "--next", and any other flags.
func (s *System) Collect(ctx context.Context, task Task, which ...string) (Collection, error) {
	args := append([]string{"collect", "--dir", s.collectorDir(), "--task", task.File, "--token", task.token, "--json"}, which...)
	output, err := s.Programs.Run(ctx, "collector", args...)
	if err != nil {
		return Collection{}, err
	}
	var collection Collection
	return collection, output.Object(&collection)
}

// Check looks for broken invariants in both stores, as the operators would. Those
// it finds are a *CommandError of the check.
func (s *System) Check(ctx context.Context) error {
	var errs []error
	for _, server := range []*Server{s.Leader, s.Helper} {
		_, err := s.Programs.Run(ctx, server.Role, "check", "--dir", server.Dir)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
