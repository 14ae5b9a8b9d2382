package service

import (
	"context"
	"errors"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// maxSleep is how long a task is not looked at, at most: the clock of the machine may have jumped.
const maxSleep = time.Minute

// runTask drives one task until ctx ends: what was begun first, then what the schedule says.
func (s *Service) runTask(ctx context.Context, id dap.TaskID) {
	var wake chan struct{}
	for ctx.Err() == nil {
		wait := maxSleep
		r, err := s.newRun(ctx, id)
		if err == nil {
			wake = r.known.wake
			wait, err = r.look()
		}
		if err != nil && ctx.Err() == nil {
			s.options.Logger.Error("a task cannot go on; it will be tried again", "task", id, "error", err)
			wait = maxSleep
		}
		timer := time.NewTimer(min(max(wait, 0), maxSleep))
		select {
		case <-timer.C:
		case <-wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// run is one look at a task.
type run struct {
	*Service
	ctx   context.Context
	task  StoredTask
	known *known
	now   time.Time
}

func (s *Service) newRun(ctx context.Context, id dap.TaskID) (*run, error) {
	task, err := s.store.Task(ctx, id)
	if err != nil {
		return nil, err
	}
	k, err := s.known(&task)
	if err != nil {
		return nil, err
	}
	return &run{Service: s, ctx: ctx, task: task, known: k, now: time.Now()}, nil
}

func (r *run) leaderSelected() bool {
	return r.known.file.Config.BatchMode == dap.BatchModeLeaderSelected
}

func (r *run) precision() time.Duration {
	return time.Duration(r.known.file.Config.TimePrecision) * time.Second
}

func (r *run) grid() grid { return gridOf(r.task.Schedule.Every, r.known.file.Config.TimePrecision) }

func (r *run) delay() time.Duration {
	if r.task.Schedule.Delay == nil {
		return DefaultDelay
	}
	return *r.task.Schedule.Delay
}

// String returns "START/END" as in RFC 3339; "next" for a batch that the Leader selects.
func (s Span) String() string {
	if s == (Span{}) {
		return "next"
	}
	return s.Start.Format(time.RFC3339) + "/" + s.End.Format(time.RFC3339)
}

// look does everything that can be done for the task now. It returns after how long to look again.
func (r *run) look() (time.Duration, error) {
	wait := maxSleep
	open, err := r.store.OpenCollections(r.ctx, r.task.ID)
	if err != nil {
		return 0, err
	}
	scheduled := false
	for _, c := range open {
		after, ended, err := r.advance(c)
		if err != nil {
			return 0, err
		}
		if ended {
			continue
		}
		wait = min(wait, after)
		scheduled = scheduled || !c.ByHand || r.leaderSelected()
	}
	if scheduled {
		r.known.setNext(Next{Waiting: WaitingForLeader}, "")
		return wait, nil
	}
	after, err := r.schedule()
	if err != nil {
		return 0, err
	}
	return min(wait, after), nil
}

// schedule intends the next collection of the schedule, if it is time for it.
func (r *run) schedule() (time.Duration, error) {
	switch {
	case len(r.task.Token) == 0:
		r.known.setNext(Next{Waiting: WaitingForToken}, "")
		return maxSleep, nil
	case r.task.Schedule.Every == ByHand || r.task.Schedule.Every == "":
		r.known.setNext(Next{Waiting: WaitingForAnalyst}, "")
		return maxSleep, nil
	}
	summary, err := r.store.Summary(r.ctx, r.task.ID)
	if err != nil {
		return 0, err
	}
	privacy, err := privacyOf(r.known.file.Config, uint64(summary.Results))
	if err != nil {
		return 0, err
	}
	if privacy != nil && privacy.BatchesLeft != nil && *privacy.BatchesLeft == 0 {
		r.known.setNext(Next{Waiting: WaitingForNothing}, "the task's privacy budget is spent; make a new task to go on")
		return maxSleep, nil
	}
	if last := summary.Last; last != nil && last.State == CollectionFailed {
		if last.Reason == ReasonBudget {
			r.known.setNext(Next{Waiting: WaitingForNothing}, last.Problem)
			return maxSleep, nil
		}
		if again := last.EndedAt.Add(restAfter(summary.FailedInARow)); summary.FailedInARow > 0 && r.now.Before(again) {
			r.known.setNext(Next{Waiting: WaitingForLeader, At: again}, "the last collection has failed: "+last.Problem)
			return again.Sub(r.now), nil
		}
	}
	progress, err := r.freshProgress()
	if err != nil {
		if r.ctx.Err() != nil {
			return 0, err
		}
		r.known.setNext(Next{Waiting: WaitingForLeader}, err.Error())
		return max(r.options.ProgressInterval, retryAfter(err)), nil
	}
	if r.leaderSelected() {
		return r.scheduleNextBatch(progress)
	}
	return r.scheduleInterval(progress)
}

// restAfter is how long a schedule rests after n failures in a row.
func restAfter(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(time.Minute<<min(n-1, 20), 24*time.Hour)
}

// scheduleInterval intends the next interval if it is due.
func (r *run) scheduleInterval(progress Progress) (time.Duration, error) {
	p, err := r.propose(progress)
	if err != nil {
		return 0, err
	}
	if p.due {
		return r.intend(Collection{Start: p.span.Start, End: p.span.End})
	}
	next := Next{Waiting: p.waiting, At: p.at, Start: p.span.Start, End: p.span.End}
	if r.over(progress) {
		next = Next{Waiting: WaitingForNothing}
	}
	r.known.setNext(next, "")
	wait := r.options.ProgressInterval
	if p.waiting == WaitingForTime {
		wait = p.at.Sub(r.now)
	}
	return wait, nil
}

// propose says what the schedule would ask for.
func (r *run) propose(progress Progress) (proposal, error) {
	taken, err := r.store.Taken(r.ctx, r.task.ID)
	if err != nil || !progress.Unsupported {
		return proposeInterval(r.now, r.grid(), r.delay(), progress, taken), err
	}
	last, err := r.lastScheduled()
	if err != nil {
		return proposal{}, err
	}
	from := r.task.AddedAt
	if start := r.taskStart(); start.After(from) {
		from = start
	}
	return proposeBlindly(r.now, r.grid(), r.delay(), last, from, taken), nil
}

// lastScheduled is the newest collection of the schedule, nil if there is none.
func (r *run) lastScheduled() (*Collection, error) {
	all, err := r.store.Collections(r.ctx, r.task.ID, Filter{})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if !all[i].ByHand {
			return &all[i], nil
		}
	}
	return nil, nil
}

// over tells whether the task takes no more reports, and none wait.
func (r *run) over(progress Progress) bool {
	end := r.taskEnd()
	return !end.IsZero() && r.now.After(end.Add(r.delay()+r.precision())) && !progress.Ready && !progress.Unsupported
}

// scheduleNextBatch intends the next batch that the Leader selects, if one is ready and it is the time for it.
func (r *run) scheduleNextBatch(progress Progress) (time.Duration, error) {
	ready := progress.Ready || progress.Unsupported
	if r.task.Schedule.Every != EveryBatch {
		g := gridOf(r.task.Schedule.Every, 1)
		tick := g.down(r.now)
		if r.known.drainedUntil(tick) {
			next := g.next(r.now)
			r.known.setNext(Next{Waiting: WaitingForTime, At: next}, "")
			return next.Sub(r.now), nil
		}
		if !ready {
			r.known.setDrained(tick)
			return 0, nil
		}
	}
	if ready {
		return r.intend(Collection{})
	}
	next := Next{Waiting: WaitingForReports}
	if r.over(progress) {
		next.Waiting = WaitingForNothing
	}
	r.known.setNext(next, "")
	return r.options.ProgressInterval, nil
}

// intend stores the intention, and has it looked at at once.
func (r *run) intend(c Collection) (time.Duration, error) {
	c.Task, c.State, c.CreatedAt = r.task.ID, CollectionIntended, r.now.UTC()
	stored, err := r.store.Intend(r.ctx, c)
	if overlap, ok := errors.AsType[*OverlapError](err); ok { // an analyst was faster
		r.options.Logger.Info("what the schedule wanted is collected already", "task", c.Task, "collection", overlap.Number)
		return r.options.ProgressInterval, nil
	}
	if err != nil {
		return 0, err
	}
	r.options.Logger.Info("collection intended", "task", c.Task, "collection", stored.Number, "interval", Span{c.Start, c.End}.String())
	return 0, nil
}

func (k *known) setNext(next Next, problem string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next, k.problem = next, problem
}

func (k *known) drainedUntil(tick time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !tick.After(k.drained)
}

func (k *known) setDrained(tick time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drained = tick
}
