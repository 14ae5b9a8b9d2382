package service

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskfile"
)

// Options configure a Service. The zero value, but for Dial and HpkeConfig, is right for most.
type Options struct {
	// HpkeConfig is the Collector's: tasks are made with it, and others are refused.
	HpkeConfig dap.HpkeConfig
	// Dial makes the Leader of a task.
	Dial Dial
	// Logger takes what happens to collections. Nil: slog.Default().
	Logger *slog.Logger
	// ProgressInterval is how often a Leader is asked for the progress of a task that waits for reports: 15 seconds.
	ProgressInterval time.Duration
	// ProgressAge is how old an answer of the Leader may be that Progress gives again: 3 seconds.
	ProgressAge time.Duration
	// MaxTasks is how many tasks are kept: 1,000.
	MaxTasks int
	// MaxRequests is how many requests to Leaders are under way at a time: 8.
	MaxRequests int
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.ProgressInterval <= 0 {
		o.ProgressInterval = 15 * time.Second
	}
	if o.ProgressAge <= 0 {
		o.ProgressAge = 3 * time.Second
	}
	if o.MaxTasks <= 0 {
		o.MaxTasks = 1000
	}
	if o.MaxRequests <= 0 {
		o.MaxRequests = 8
	}
	return o
}

// Service keeps tasks and collects them. It is an Analyst and a TokenChecker, safe for concurrent use. Nothing is
// collected unless Run runs.
type Service struct {
	store   Store
	options Options
	// places bounds the requests to Leaders.
	places chan struct{}

	adding sync.Mutex // held by what counts tasks and adds one

	mu    sync.Mutex
	tasks map[dap.TaskID]*known
	// start starts the runner of a task that was added; nil while Run does not run.
	start func(id dap.TaskID)
}

// known is what a Service remembers of a task; all of it can be had again.
type known struct {
	file taskfile.File
	// wake lets the task's runner look at once.
	wake chan struct{}

	mu       sync.Mutex
	leader   Leader // nil until the task has a token
	token    string // that leader was made with
	progress *Progress
	// problem is why the runner could not go on the last time it looked; empty if it could.
	problem string
	next    Next
	// drain, where the Leader selects: until which place of the grid all batches that were ready have been asked for.
	drained time.Time
}

// New returns a Service over a store.
func New(store Store, options Options) *Service {
	options = options.withDefaults()
	return &Service{store: store, options: options, places: make(chan struct{}, options.MaxRequests), tasks: make(map[dap.TaskID]*known)}
}

// Run collects what the schedules say until ctx ends, and waits until what is under way has stopped. What is not stored by
// then goes on with the next Run. Call it once. Its error is that of a store that cannot be read.
func (s *Service) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	started := make(map[dap.TaskID]bool)
	start := func(id dap.TaskID) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if ctx.Err() == nil && !started[id] {
			started[id] = true
			running.Go(func() { s.runTask(ctx, id) })
		}
	}
	s.setStart(start)
	defer s.setStart(nil)
	tasks, err := s.store.Tasks(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range tasks {
		start(tasks[i].ID)
	}
	<-ctx.Done()
	return nil
}

func (s *Service) setStart(start func(dap.TaskID)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start = start
}

// added starts the runner of a task that was stored, or wakes the one there is.
func (s *Service) added(id dap.TaskID) {
	s.mu.Lock()
	start := s.start
	s.mu.Unlock()
	if start != nil {
		start(id)
	}
	s.wake(id)
}

// wake lets the task's runner look at once.
func (s *Service) wake(id dap.TaskID) {
	s.mu.Lock()
	k := s.tasks[id]
	s.mu.Unlock()
	if k == nil {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// known returns what is remembered of a task, read from its file at first.
func (s *Service) known(task *StoredTask) (*known, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.tasks[task.ID]; k != nil {
		return k, nil
	}
	file, err := taskfile.Decode(task.File)
	if err != nil {
		return nil, err
	}
	k := &known{file: file, wake: make(chan struct{}, 1), next: Next{Waiting: WaitingForToken}}
	s.tasks[task.ID] = k
	return k, nil
}

// leaderOf returns the task's Leader, with the token that is stored now.
func (s *Service) leaderOf(k *known, task *StoredTask) (Leader, error) {
	if len(task.Token) == 0 {
		return nil, ErrNoToken
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.leader != nil && k.token == string([]byte(task.Token)) {
		return k.leader, nil
	}
	leader, err := s.options.Dial(*task)
	if err != nil {
		return nil, err
	}
	k.leader, k.token = leader, string([]byte(task.Token))
	return leader, nil
}

// enter takes a place for a request to a Leader; leave gives it back.
func (s *Service) enter(ctx context.Context) error {
	select {
	case s.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Service) leave() { <-s.places }
