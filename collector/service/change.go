package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/internal/taskfile"
)

// AddTask implements Analyst.
func (s *Service) AddTask(ctx context.Context, text []byte) (Task, error) {
	return s.keep(ctx, text, Schedule{Every: ByHand})
}

// keep stores a task, if it is not there yet.
func (s *Service) keep(ctx context.Context, text []byte, schedule Schedule) (Task, error) {
	file, err := taskfile.Decode(text)
	if err != nil {
		return Task{}, &FieldError{"file", err.Error()}
	}
	key := s.options.HpkeConfig
	if file.CollectorHpkeConfig.ID != key.ID || string(file.CollectorHpkeConfig.PublicKey) != string(key.PublicKey) {
		return Task{}, &FieldError{"file", "the task was made with the key of another collector; its results could not be read here"}
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	tasks, err := s.store.Tasks(ctx)
	if err != nil {
		return Task{}, err
	}
	if len(tasks) >= s.options.MaxTasks {
		if _, err := s.store.Task(ctx, file.ID); errors.Is(err, ErrNotFound) {
			return Task{}, &FieldError{"file", fmt.Sprintf("there are %d tasks already, as many as are kept", len(tasks))}
		}
	}
	if _, err := s.store.PutTask(ctx, StoredTask{ID: file.ID, File: text, Schedule: schedule, AddedAt: time.Now().UTC().Truncate(time.Second)}); err != nil {
		return Task{}, err
	}
	s.added(file.ID)
	return s.Task(ctx, file.ID)
}

// SetToken implements Analyst.
func (s *Service) SetToken(ctx context.Context, id dap.TaskID, token string) error {
	if problem := tokenProblem(token); problem != "" {
		return &FieldError{"token", problem}
	}
	if err := s.store.SetToken(ctx, id, secret.Bytes(token)); err != nil {
		return err
	}
	// What has waited because of the old token is tried at once.
	open, err := s.store.OpenCollections(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range open {
		if err := s.store.Attempted(ctx, id, c.Number, 0, "", time.Time{}); err != nil && !errors.Is(err, ErrState) {
			return err
		}
	}
	s.wake(id)
	return nil
}

// maxToken bounds a Leader's token, in bytes.
const maxToken = 4096

func tokenProblem(token string) string {
	if token == "" {
		return "is missing; the Leader's operator has it from leader task add"
	}
	if len(token) > maxToken {
		return fmt.Sprintf("has more than %d characters", maxToken)
	}
	for _, b := range []byte(token) {
		if b <= ' ' || b >= 0x7f {
			return "has a character that no token has; copy it again, without spaces or line ends"
		}
	}
	return ""
}

// SetSchedule implements Analyst.
func (s *Service) SetSchedule(ctx context.Context, id dap.TaskID, schedule Schedule) error {
	schedule, err := checkSchedule(schedule)
	if err != nil {
		return err
	}
	if err := s.store.SetSchedule(ctx, id, schedule); err != nil {
		return err
	}
	s.wake(id)
	return nil
}

// maxDelay bounds a schedule's delay.
const maxDelay = 30 * 24 * time.Hour

// checkSchedule returns the schedule with what was left out.
func checkSchedule(schedule Schedule) (Schedule, error) {
	switch schedule.Every {
	case "":
		schedule.Every = ByHand
	case EveryHour, EveryDay, EveryBatch, ByHand:
	default:
		return schedule, &FieldError{"schedule.every", fmt.Sprintf("is %q; write hour, day, batch or hand", schedule.Every)}
	}
	if d := schedule.Delay; d != nil && (*d < 0 || *d > maxDelay || *d%time.Second != 0) {
		return schedule, &FieldError{"schedule.delay", "must be a whole number of seconds, from 0 to 30 days"}
	}
	return schedule, nil
}

// Collect implements Analyst.
func (s *Service) Collect(ctx context.Context, id dap.TaskID, request CollectRequest) (Collection, error) {
	r, err := s.newRun(ctx, id)
	if err != nil {
		return Collection{}, err
	}
	if len(r.task.Token) == 0 {
		return Collection{}, ErrNoToken
	}
	span := Span{request.Start.UTC(), request.End.UTC()}
	switch {
	case r.leaderSelected() && !(request.Start.IsZero() && request.End.IsZero()):
		return Collection{}, &FieldError{"start", "the Leader selects the batches of this task; give no interval"}
	case r.leaderSelected():
		return r.collectNextBatch()
	case request.Start.IsZero() && request.End.IsZero():
		span, err = r.allThatIsOver()
	default:
		err = r.checkSpan(span)
	}
	if err != nil {
		return Collection{}, err
	}
	return r.intendByHand(span)
}

func (r *run) intendByHand(span Span) (Collection, error) {
	c, err := r.store.Intend(r.ctx, Collection{
		Task: r.task.ID, Start: span.Start, End: span.End, ByHand: true, State: CollectionIntended, CreatedAt: r.now.UTC(),
	})
	if err != nil {
		return Collection{}, err
	}
	r.options.Logger.Info("collection asked for by hand", "task", c.Task, "collection", c.Number, "interval", span.String())
	r.wake(r.task.ID)
	return c, nil
}

// collectNextBatch intends the next batch that the Leader selects, or returns the collection of it that is under way.
func (r *run) collectNextBatch() (Collection, error) {
	open, err := r.store.OpenCollections(r.ctx, r.task.ID)
	if err != nil {
		return Collection{}, err
	}
	if len(open) > 0 {
		return open[0], nil
	}
	progress, err := r.freshProgress()
	if err != nil {
		return Collection{}, err
	}
	if !progress.Ready && !progress.Unsupported {
		return Collection{}, &NotReadyError{Problem: r.tooFew()}
	}
	c, err := r.intendByHand(Span{})
	if overlap, ok := errors.AsType[*OverlapError](err); ok {
		return r.store.Collection(r.ctx, r.task.ID, overlap.Number)
	}
	return c, err
}

func (r *run) tooFew() string {
	return fmt.Sprintf("no batch has the %d reports yet that it needs", r.known.file.Config.MinBatchSize)
}

// allThatIsOver is the interval of the time that is over and not collected yet.
func (r *run) allThatIsOver() (Span, error) {
	progress, err := r.freshProgress()
	if err != nil {
		return Span{}, err
	}
	if progress.Unsupported {
		return Span{}, &FieldError{"start", "this Leader does not tell which time has enough reports; give start and end"}
	}
	taken, err := r.store.Taken(r.ctx, r.task.ID)
	if err != nil {
		return Span{}, err
	}
	now := floorTo(r.now, r.precision())
	p := proposeInterval(r.now, r.grid(), 0, progress, taken)
	switch {
	case p.span == (Span{}) && p.waiting == WaitingForLeader:
		return Span{}, &NotReadyError{Problem: "what is ready is being collected already"}
	case p.span == (Span{}):
		return Span{}, &NotReadyError{Problem: r.tooFew()}
	case progress.NextEnd.After(now):
		return Span{}, &NotReadyError{Problem: "the reports that make a batch lie in a time that is not over", At: progress.NextEnd}
	}
	span := Span{p.span.Start, now}
	if !progress.FreeUntil.IsZero() && span.End.After(progress.FreeUntil) {
		span.End = progress.FreeUntil
	}
	for _, t := range taken {
		if t.Overlaps(span) {
			span.End = t.Start
			break
		}
	}
	return span, nil
}

// checkSpan checks an interval that an analyst gave.
func (r *run) checkSpan(span Span) error {
	if span.Start.IsZero() || span.End.IsZero() {
		return &FieldError{"end", "give both start and end, or none"}
	}
	interval, err := r.known.file.Config.TimePrecision.IntervalOf(span.Start, span.End)
	if err != nil {
		return &FieldError{"start, end", err.Error()}
	}
	if interval.Duration == 0 {
		return &FieldError{"end", "must be after start"}
	}
	if span.End.After(r.now) {
		return &FieldError{"end", "is in the future; only time that is over can be collected"}
	}
	return nil
}
