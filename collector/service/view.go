package service

import (
	"context"
	"errors"
	"math/big"
	"strconv"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

var _ Analyst = (*Service)(nil)

// Tasks implements Analyst.
func (s *Service) Tasks(ctx context.Context) ([]Task, error) {
	stored, err := s.store.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	tasks := make([]Task, 0, len(stored))
	for i := range stored {
		task, err := s.view(ctx, &stored[i])
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, task)
	}
	return tasks, nil
}

// Task implements Analyst.
func (s *Service) Task(ctx context.Context, id dap.TaskID) (Task, error) {
	stored, err := s.store.Task(ctx, id)
	if err != nil {
		return Task{}, err
	}
	return s.view(ctx, &stored)
}

// TaskFile implements Analyst.
func (s *Service) TaskFile(ctx context.Context, id dap.TaskID) ([]byte, error) {
	stored, err := s.store.Task(ctx, id)
	return stored.File, err
}

// view returns a task with where it stands.
func (s *Service) view(ctx context.Context, stored *StoredTask) (Task, error) {
	k, err := s.known(stored)
	if err != nil {
		return Task{}, err
	}
	summary, err := s.store.Summary(ctx, stored.ID)
	if err != nil {
		return Task{}, err
	}
	open, err := s.store.OpenCollections(ctx, stored.ID)
	if err != nil {
		return Task{}, err
	}
	task := describe(&k.file)
	task.AddedAt, task.HasToken, task.Schedule = stored.AddedAt, len(stored.Token) > 0, stored.Schedule
	task.Results, task.Latest = summary.Results, summary.Latest
	for _, c := range open {
		if c.State == CollectionIntended || c.State == CollectionAsked {
			task.Active = append(task.Active, c)
		}
	}
	if task.Privacy, err = privacyOf(k.file.Config, uint64(summary.Results)); err != nil {
		return Task{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	task.Progress, task.Next, task.Problem = k.progress, k.next, k.problem
	if !task.HasToken {
		task.Next, task.Problem = Next{Waiting: WaitingForToken}, ErrNoToken.Error()
	}
	if n := len(task.Active); n > 0 && task.Problem == "" {
		task.Problem = task.Active[n-1].LastError
	}
	return task, nil
}

// describe returns what a task file says.
func describe(file *taskfile.File) Task {
	task := Task{
		ID: file.ID, Name: file.Name, VDAF: file.Spec.String(), Kind: kindOf(file.Spec.Config), Length: file.Spec.ResultLength(), Labels: labelsOf(file),
		Edges: file.Spec.Edges, Leader: file.Config.LeaderAggregatorEndpoint, Helper: file.Config.HelperAggregatorEndpoint,
		TimePrecision:  time.Duration(file.Config.TimePrecision) * time.Second,
		LeaderSelected: file.Config.BatchMode == dap.BatchModeLeaderSelected, MinBatchSize: file.Config.MinBatchSize,
	}
	task.Start, task.End = taskTimes(file.Config)
	return task
}

// taskTimes are when a task takes reports; zero for always.
func taskTimes(config dap.TaskConfiguration) (start, end time.Time) {
	interval, ok := config.TaskInterval()
	if !ok {
		return time.Time{}, time.Time{}
	}
	last, err := interval.End()
	if err != nil { // Validate has seen to it
		return time.Time{}, time.Time{}
	}
	return interval.Start.At(config.TimePrecision), last.At(config.TimePrecision)
}

func (r *run) taskStart() time.Time { start, _ := taskTimes(r.known.file.Config); return start }
func (r *run) taskEnd() time.Time   { _, end := taskTimes(r.known.file.Config); return end }

func kindOf(config dap.VdafConfiguration) Kind {
	switch config.(type) {
	case dap.Prio3CountConfig:
		return KindCount
	case dap.Prio3SumConfig:
		return KindSum
	case dap.Prio3SumVecConfig:
		return KindSumVec
	case dap.Prio3HistogramConfig:
		return KindHistogram
	}
	return KindMultihot
}

// labelsOf names each number of a task's results.
func labelsOf(file *taskfile.File) []string {
	if labels := file.ResultLabels(); labels != nil {
		return labels
	}
	n := file.Spec.ResultLength()
	if n == 1 {
		return []string{string(kindOf(file.Spec.Config))}
	}
	labels := make([]string, n)
	for i := range labels {
		labels[i] = strconv.Itoa(i)
	}
	return labels
}

// label gives values their labels.
func label(values []Value, labels []string) []Value {
	for i := range values {
		if i < len(labels) {
			values[i].Label = labels[i]
		}
	}
	return values
}

// privacyOf says what a task's differential privacy is, and what so many results have cost; nil if there is none.
func privacyOf(config dap.TaskConfiguration, results uint64) (*Privacy, error) {
	parameters, ok, err := taskprivacy.Parameters(config)
	if err != nil || !ok {
		return nil, err
	}
	spent := parameters.ClientLoss(results)
	privacy := &Privacy{
		Mechanism: parameters.Kind.String(), Symbol: parameters.Kind.Symbol(), Neighbours: taskprivacy.NeighboursName(parameters.Neighbours),
		Level: rational(parameters.Level), Budget: rational(parameters.Budget), Spent: rational(spent),
		Left: rational(new(big.Rat).Sub(parameters.Budget, spent)), Batches: results,
	}
	if most, limited := batchesFor(&parameters); limited {
		left := most - min(most, results)
		privacy.BatchesLeft = &left
	}
	return privacy, nil
}

func rational(r *big.Rat) float64 {
	f, _ := r.Float64()
	return f
}

// batchesFor is how many batches the budget is enough for; false if for any number.
func batchesFor(p *dp.Parameters) (uint64, bool) {
	const any = ^uint64(0)
	if p.ClientLoss(any).Cmp(p.Budget) <= 0 {
		return 0, false
	}
	low, high := uint64(0), any // the budget is enough for low, and not for high
	for high-low > 1 {
		middle := low + (high-low)/2
		if p.ClientLoss(middle).Cmp(p.Budget) <= 0 {
			low = middle
		} else {
			high = middle
		}
	}
	return low, true
}

// Collections implements Analyst.
func (s *Service) Collections(ctx context.Context, id dap.TaskID, filter Filter) ([]Collection, error) {
	return s.store.Collections(ctx, id, filter)
}

// Collection implements Analyst.
func (s *Service) Collection(ctx context.Context, id dap.TaskID, number uint64) (Collection, error) {
	return s.store.Collection(ctx, id, number)
}

// Results implements Analyst.
func (s *Service) Results(ctx context.Context, id dap.TaskID, filter Filter) ([]Result, error) {
	collections, err := s.store.Collections(ctx, id, Filter{From: filter.From, To: filter.To})
	if err != nil {
		return nil, err
	}
	var results []Result
	for i := range collections { // newest first
		if collections[i].Result != nil && (filter.Limit == 0 || len(results) < filter.Limit) {
			results = append(results, *collections[i].Result)
		}
	}
	for i, j := 0, len(results)-1; i < j; i, j = i+1, j-1 {
		results[i], results[j] = results[j], results[i]
	}
	return results, nil
}

// Progress implements Analyst.
func (s *Service) Progress(ctx context.Context, id dap.TaskID) (Progress, error) {
	r, err := s.newRun(ctx, id)
	if err != nil {
		return Progress{}, err
	}
	r.known.mu.Lock()
	told := r.known.progress
	r.known.mu.Unlock()
	if told != nil && r.now.Sub(told.At) < s.options.ProgressAge {
		return *told, nil
	}
	progress, err := r.freshProgress()
	if _, ok := errors.AsType[*LeaderError](err); err != nil && !ok && !errors.Is(err, ErrNoToken) && ctx.Err() == nil {
		err = &LeaderError{Problem: "it cannot be asked", Err: err}
	}
	return progress, err
}

// progressBuckets is how many time buckets before now are asked for.
const progressBuckets = 200

// freshProgress asks the Leader, and remembers what it tells.
func (r *run) freshProgress() (Progress, error) {
	leader, err := r.leaderOf(r.known, &r.task)
	if err != nil {
		return Progress{}, err
	}
	if err := r.enter(r.ctx); err != nil {
		return Progress{}, err
	}
	defer r.leave()
	from := r.now.Add(-progressBuckets * min(r.precision(), 365*24*time.Hour))
	if from.Unix() < 0 {
		from = time.Unix(0, 0)
	}
	progress, err := leader.Progress(r.ctx, from)
	if err != nil {
		return Progress{}, err
	}
	r.known.mu.Lock()
	defer r.known.mu.Unlock()
	r.known.progress = &progress
	return progress, nil
}
