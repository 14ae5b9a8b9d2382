package service

import (
	"context"
	"errors"
	"math/big"
	"net/http"
	"time"

	"github.com/twofold-dap/twofold/collector"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskfile"
)

// DialOptions are what NewDial needs. Keypair's private key is secret.
type DialOptions struct {
	Keypair dap.HpkeKeypair
	// HTTP sends the requests. Nil makes one with the system's certificate roots and a timeout.
	HTTP *http.Client
	// AllowPlain allows an http endpoint that is not on this machine.
	AllowPlain bool
}

// NewDial returns what makes the Leaders of tasks, with package collector.
func NewDial(options DialOptions) Dial {
	return func(task StoredTask) (Leader, error) {
		file, err := taskfile.Decode(task.File)
		if err != nil {
			return nil, err
		}
		switch file.Spec.Config.(type) {
		case dap.Prio3CountConfig, dap.Prio3SumConfig:
			return newRemote(file, task, options, func(value uint64) []uint64 { return []uint64{value} })
		default:
			return newRemote(file, task, options, func(values []uint64) []uint64 { return values })
		}
	}
}

// remote is a Leader of a task with results of type R.
type remote[R any] struct {
	collector *collector.Collector[R]
	numbers   func(R) []uint64
}

func newRemote[R any](file taskfile.File, task StoredTask, options DialOptions, numbers func(R) []uint64) (Leader, error) {
	c, err := collector.New[R](
		collector.Task{ID: file.ID, Configuration: file.Config, Taskprov: file.Taskprov}, options.Keypair, string([]byte(task.Token)),
		collector.Options{HTTP: options.HTTP, AllowPlain: options.AllowPlain})
	if err != nil {
		return nil, err
	}
	return &remote[R]{c, numbers}, nil
}

func (r *remote[R]) query(span Span) (dap.Query, error) {
	if span == (Span{}) {
		return r.collector.NextQuery(), nil
	}
	return r.collector.IntervalQuery(span.Start, span.End)
}

// Create implements Leader.
func (r *remote[R]) Create(ctx context.Context, span Span) (Answer, error) {
	query, err := r.query(span)
	if err != nil {
		return Answer{}, err
	}
	job, state, err := r.collector.Create(ctx, query)
	if err != nil {
		return Answer{}, judge(err, job.URL)
	}
	return r.answer(job, state), nil
}

// Poll implements Leader.
func (r *remote[R]) Poll(ctx context.Context, jobURL string, span Span) (Answer, error) {
	query, err := r.query(span)
	if err != nil {
		return Answer{}, err
	}
	job := collector.Job{URL: jobURL, Request: dap.CollectionJobReq{Query: query}}
	state, err := r.collector.Poll(ctx, job)
	if answer, ok := errors.AsType[*collector.HTTPError](err); ok && answer.Problem == nil && (answer.Status == http.StatusNotFound || answer.Status == http.StatusGone) {
		return Answer{}, ErrJobGone
	}
	if err != nil {
		return Answer{}, judge(err, jobURL)
	}
	return r.answer(job, state), nil
}

func (r *remote[R]) answer(job collector.Job, state collector.State[R]) Answer {
	a := Answer{JobURL: job.URL, RetryAfter: state.RetryAfter}
	if result := state.Result; result != nil {
		a.Outcome = &Outcome{ReportCount: result.ReportCount, FirstReport: result.Start, LastReport: result.End}
		if result.Noise != nil {
			a.Outcome.Values = noisyValues(result.Noise)
		} else {
			for _, n := range r.numbers(result.Value) {
				a.Outcome.Values = append(a.Outcome.Values, Value{Number: new(big.Int).SetUint64(n)})
			}
		}
	}
	return a
}

// noisyValues are numbers with their standard errors and 95 % intervals.
func noisyValues(noise *collector.Noise) []Value {
	values := make([]Value, len(noise.Values))
	for i, number := range noise.Values {
		low, high := noise.Interval(i)
		standardError, lowest, highest := noise.StandardError, float(low), float(high)
		values[i] = Value{Number: number, StandardError: &standardError, Low: &lowest, High: &highest}
	}
	return values
}

func float(n *big.Int) float64 {
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// Delete implements Leader.
func (r *remote[R]) Delete(ctx context.Context, jobURL string) error {
	err := r.collector.Delete(ctx, collector.Job{URL: jobURL})
	if err != nil {
		return judge(err, "")
	}
	return nil
}

// Progress implements Leader.
func (r *remote[R]) Progress(ctx context.Context, from time.Time) (Progress, error) {
	told, err := r.collector.Progress(ctx, from)
	if errors.Is(err, collector.ErrNoProgress) {
		return Progress{At: time.Now().UTC(), Unsupported: true}, nil
	}
	if err != nil {
		return Progress{}, judge(err, "")
	}
	p := Progress{
		At: time.Now().UTC(), Waiting: Coarse(told.Waiting), Aggregated: Coarse(told.Aggregated), Collected: Coarse(told.Collected),
		Rejected: make(map[string]Coarse, len(told.Rejected)), Ready: told.Next != nil || told.ReadyBatches > 0, ReadyBatches: told.ReadyBatches,
	}
	for reason, count := range told.Rejected {
		p.Rejected[reason] = Coarse(count)
	}
	if next := told.Next; next != nil {
		p.NextStart, p.NextEnd, p.FreeFrom, p.FreeUntil = next.Start, next.End, next.FreeFrom, next.FreeUntil
	}
	for _, b := range told.Buckets {
		p.Buckets = append(p.Buckets, BucketProgress{Start: b.Start, End: b.End, Waiting: Coarse(b.Waiting), Aggregated: Coarse(b.Aggregated)})
	}
	return p, nil
}

// refusals are the errors of DAP that a collection ends with. The others, such as that the Leader does not know the
// task yet, can go away.
var refusals = map[dap.ErrorType]struct {
	reason  Reason
	problem string
}{
	dap.ErrorTypeBatchOverlap:                {ReasonOverlap, "a part of this time was collected by another request, and nothing can be collected twice"},
	dap.ErrorTypeInvalidBatchSize:            {ReasonTooSmall, "there are too few reports"},
	dap.ErrorTypeBatchInvalid:                {ReasonRefused, "the interval is not one that this task can be collected over"},
	dap.ErrorTypeBatchMismatch:               {ReasonRefused, "the two aggregators disagree about the reports of this batch: their operators have to find out why"},
	dap.ErrorTypeInvalidMessage:              {ReasonRefused, "the Leader refuses the request as invalid: the task's configuration may be another there"},
	dap.ErrorTypeInvalidAggregationParameter: {ReasonRefused, "the reports were aggregated in another way"},
}

// judge makes of an error of package collector one of Leader's.
func judge(err error, jobURL string) error {
	if _, ok := errors.AsType[*collector.ShareError](err); ok {
		return &RefusedError{Reason: ReasonUnreadable, Problem: err.Error(), JobURL: jobURL}
	}
	answer, ok := errors.AsType[*collector.HTTPError](err)
	if !ok {
		return &LeaderError{Problem: err.Error(), Err: err}
	}
	if answer.Problem != nil && !answer.Temporary() {
		if refusal, ok := refusals[answer.Problem.Type]; ok {
			problem := refusal.problem
			if answer.Text != "" {
				problem += " (" + answer.Text + ")"
			}
			return &RefusedError{Reason: refusal.reason, Problem: problem, JobURL: jobURL}
		}
	}
	return &LeaderError{Problem: leaderProblem(answer), RetryAfter: answer.RetryAfter, Err: err}
}

// leaderProblem says what can be done about an answer.
func leaderProblem(answer *collector.HTTPError) string {
	switch {
	case answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden:
		return "it does not take the token: give the one that leader task add printed for this task"
	case answer.Problem != nil && answer.Problem.Type == dap.ErrorTypeUnrecognizedTask:
		return "it does not know the task yet: its operator has to approve it with leader task add"
	case answer.Problem != nil && answer.Problem.Type == dap.ErrorTypeInvalidTask:
		return "it does not take part in this task: ask its operator"
	}
	return answer.Error()
}
