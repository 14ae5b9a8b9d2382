package service_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/internal/secret"
)

// fakeLeader is a Leader of a count task with a precision of a minute: what it has been asked, and what it has given away.
type fakeLeader struct {
	mu        sync.Mutex
	min       uint64
	precision time.Duration
	selects   bool // leader-selected
	silent    bool // tells no progress
	refuses   bool // a batch with too few reports, rather than to wait

	reports map[time.Time]uint64 // by bucket; where the Leader selects, all under the zero time
	jobs    map[string]*fakeJob  // by URL
	asked   []service.Span       // of every job that was made
	deleted int
	// collected are the intervals that were given away, and given the sum of their reports.
	collected []service.Span
	given     uint64

	// fault, if not nil, is asked at each request: what is lost.
	fault func(request string) loss
}

type loss int

const (
	nothingLost loss = iota
	requestLost
	answerLost
)

type fakeJob struct {
	span    service.Span
	outcome *service.Outcome
	refused *service.RefusedError
}

var errLost = &service.LeaderError{Problem: "no answer", Err: errors.New("lost")}

func newFakeLeader(min uint64) *fakeLeader {
	return &fakeLeader{min: min, precision: time.Minute, reports: map[time.Time]uint64{}, jobs: map[string]*fakeJob{}}
}

// set changes how the Leader behaves, also while it is asked.
func (f *fakeLeader) set(change func(f *fakeLeader)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// jobCounts are how many jobs were deleted, and how many are left.
func (f *fakeLeader) jobCounts() (deleted, left int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deleted, len(f.jobs)
}

// report adds reports of the present time.
func (f *fakeLeader) report(n uint64) { f.reportAt(time.Now(), n) }

func (f *fakeLeader) reportAt(t time.Time, n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.selects {
		f.reports[time.Time{}] += n
		return
	}
	f.reports[t.UTC().Truncate(f.precision)] += n
}

// request is what each method begins with.
func (f *fakeLeader) request(name string) (answer func(error) error, err error) {
	lost := nothingLost
	if f.fault != nil {
		lost = f.fault(name)
	}
	if lost == requestLost {
		return nil, errLost
	}
	return func(err error) error {
		if lost == answerLost {
			return errLost
		}
		return err
	}, nil
}

func (f *fakeLeader) Create(_ context.Context, span service.Span) (service.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer, err := f.request("create")
	if err != nil {
		return service.Answer{}, err
	}
	for url, job := range f.jobs {
		if job.span == span {
			return f.answer(url, answer)
		}
	}
	if f.isCollected(span) {
		return service.Answer{}, answer(&service.RefusedError{Reason: service.ReasonOverlap, Problem: "overlap"})
	}
	url := fmt.Sprintf("https://leader.example/job/%d", len(f.asked))
	f.jobs[url] = &fakeJob{span: span}
	f.asked = append(f.asked, span)
	return f.answer(url, answer)
}

func (f *fakeLeader) Poll(_ context.Context, url string, span service.Span) (service.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer, err := f.request("poll")
	if err != nil {
		return service.Answer{}, err
	}
	if f.jobs[url] == nil {
		return service.Answer{}, answer(service.ErrJobGone)
	}
	return f.answer(url, answer)
}

func (f *fakeLeader) answer(url string, answer func(error) error) (service.Answer, error) {
	job := f.jobs[url]
	f.step(job)
	var err error
	if job.refused != nil {
		refused := *job.refused
		refused.JobURL = url
		err = &refused
	}
	if err = answer(err); err != nil {
		return service.Answer{}, err
	}
	return service.Answer{JobURL: url, Outcome: job.outcome, RetryAfter: 2 * time.Second}, nil
}

// step gives a job its batch if it can have it now.
func (f *fakeLeader) step(job *fakeJob) {
	if job.outcome != nil || job.refused != nil {
		return
	}
	if f.isCollected(job.span) {
		job.refused = &service.RefusedError{Reason: service.ReasonOverlap, Problem: "overlap"}
		return
	}
	n := f.count(job.span)
	switch {
	case n < f.min && f.refuses:
		job.refused = &service.RefusedError{Reason: service.ReasonTooSmall, Problem: "too small"}
		return
	case n < f.min:
		return
	}
	first, last := job.span.Start, job.span.End
	if f.selects {
		n = f.min
		f.reports[time.Time{}] -= n
		first, last = time.Now().Truncate(f.precision), time.Now().Truncate(f.precision).Add(f.precision)
	}
	f.given += n
	f.collected = append(f.collected, job.span)
	job.outcome = &service.Outcome{
		ReportCount: n, FirstReport: first, LastReport: last, Values: []service.Value{{Number: new(big.Int).SetUint64(n)}},
	}
}

func (f *fakeLeader) count(span service.Span) (n uint64) {
	for t, count := range f.reports {
		if f.selects || !t.Before(span.Start) && t.Before(span.End) {
			n += count
		}
	}
	return n
}

func (f *fakeLeader) isCollected(span service.Span) bool {
	return !f.selects && slices.ContainsFunc(f.collected, span.Overlaps)
}

func (f *fakeLeader) Delete(_ context.Context, url string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer, err := f.request("delete")
	if err != nil {
		return err
	}
	if f.jobs[url] != nil {
		f.deleted++
	}
	delete(f.jobs, url)
	return answer(nil)
}

func (f *fakeLeader) Progress(context.Context, time.Time) (service.Progress, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer, err := f.request("progress")
	if err != nil {
		return service.Progress{}, err
	}
	p := service.Progress{At: time.Now().UTC(), Unsupported: f.silent}
	switch {
	case f.silent:
	case f.selects:
		p.Ready, p.ReadyBatches = f.reports[time.Time{}] >= f.min, f.reports[time.Time{}]/f.min
	default:
		f.next(&p)
	}
	return p, answer(nil)
}

// next finds the first interval that is ready.
func (f *fakeLeader) next(p *service.Progress) {
	var times []time.Time
	for t := range f.reports {
		times = append(times, t)
	}
	slices.SortFunc(times, time.Time.Compare)
	var n uint64
	for _, t := range times {
		bucket := service.Span{Start: t, End: t.Add(f.precision)}
		if f.isCollected(bucket) {
			n = 0
			continue
		}
		if n == 0 {
			p.NextStart = t
		}
		if n += f.reports[t]; n >= f.min {
			p.Ready, p.NextEnd = true, bucket.End
			break
		}
	}
	if !p.Ready {
		p.NextStart = time.Time{}
		return
	}
	for _, c := range f.collected {
		if !c.End.After(p.NextStart) && c.End.After(p.FreeFrom) {
			p.FreeFrom = c.End
		}
		if !c.Start.Before(p.NextEnd) && (p.FreeUntil.IsZero() || c.Start.Before(p.FreeUntil)) {
			p.FreeUntil = c.Start
		}
	}
}

// faultyStore is a Store that a crash ends: at a commit, before it is durable or after.
type faultyStore struct {
	service.Store
	mu sync.Mutex
	// left counts the commits that succeed; after tells that the last one is durable, and nobody learns it.
	left    int
	after   bool
	crashed bool
	crash   func()
	commits int
}

var errCrash = errors.New("the process is gone")

// commit runs a write.
func (s *faultyStore) commit(write func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashed {
		return errCrash
	}
	s.commits++
	if s.left--; s.left >= 0 {
		return write()
	}
	s.crashed = true
	if s.after {
		_ = write() // whether it could be stored nobody learns
	}
	s.crash()
	return errCrash
}

func (s *faultyStore) Intend(ctx context.Context, c service.Collection) (stored service.Collection, err error) {
	err = s.commit(func() (err error) { stored, err = s.Store.Intend(ctx, c); return err })
	return stored, err
}

func (s *faultyStore) Asked(ctx context.Context, id taskID, number uint64, url string) error {
	return s.commit(func() error { return s.Store.Asked(ctx, id, number, url) })
}

func (s *faultyStore) Attempted(ctx context.Context, id taskID, number uint64, attempts int, problem string, next time.Time) error {
	return s.commit(func() error { return s.Store.Attempted(ctx, id, number, attempts, problem, next) })
}

func (s *faultyStore) Finish(ctx context.Context, id taskID, number uint64, result service.Result) error {
	return s.commit(func() error { return s.Store.Finish(ctx, id, number, result) })
}

func (s *faultyStore) Fail(ctx context.Context, id taskID, number uint64, reason service.Reason, problem string, at time.Time, told bool) error {
	return s.commit(func() error { return s.Store.Fail(ctx, id, number, reason, problem, at, told) })
}

func (s *faultyStore) Conclude(ctx context.Context, id taskID, number uint64) error {
	return s.commit(func() error { return s.Store.Conclude(ctx, id, number) })
}

func (s *faultyStore) SetToken(ctx context.Context, id taskID, token secret.Bytes) error {
	return s.commit(func() error { return s.Store.SetToken(ctx, id, token) })
}
