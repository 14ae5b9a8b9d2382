// Package wire has the objects of the HTTP API for analysts, as JSON: what package collector/web answers
// and the collector's commands read. Their names and meanings are those of collector/web's OpenAPI document.
package wire

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
)

// Task is a task and where it stands.
type Task struct {
	ID                   string       `json:"id,omitempty"` // absent in a plan
	Name                 string       `json:"name"`
	VDAF                 string       `json:"vdaf"`
	Kind                 string       `json:"kind"`
	Labels               []string     `json:"labels"`
	Edges                []float64    `json:"edges,omitempty"`
	Leader               string       `json:"leader"`
	Helper               string       `json:"helper"`
	TimePrecisionSeconds int64        `json:"time_precision_seconds"`
	BatchMode            string       `json:"batch_mode"`
	MinBatchSize         uint64       `json:"min_batch_size"`
	Start                *time.Time   `json:"start,omitempty"`
	End                  *time.Time   `json:"end,omitempty"`
	AddedAt              *time.Time   `json:"added_at,omitempty"`
	HasToken             bool         `json:"has_token"`
	Schedule             Schedule     `json:"schedule"`
	Privacy              *Privacy     `json:"privacy,omitempty"`
	Progress             *Progress    `json:"progress,omitempty"`
	Next                 Next         `json:"next"`
	Active               []Collection `json:"active"`
	Results              int          `json:"results"`
	Latest               *Result      `json:"latest,omitempty"`
	Problem              string       `json:"problem,omitempty"`
}

// Schedule is when a task is collected. DelaySeconds that is absent is the default.
type Schedule struct {
	Every        string `json:"every"`
	DelaySeconds *int64 `json:"delay_seconds,omitempty"`
}

// Next is when the next batch can be ready.
type Next struct {
	Waiting string     `json:"waiting"`
	At      *time.Time `json:"at,omitempty"`
	Start   *time.Time `json:"start,omitempty"`
	End     *time.Time `json:"end,omitempty"`
}

// Privacy is what differential privacy promises, and what of it is spent.
type Privacy struct {
	Mechanism   string  `json:"mechanism"`
	Symbol      string  `json:"symbol"`
	Neighbours  string  `json:"neighbours"`
	Level       float64 `json:"level"`
	Budget      float64 `json:"budget"`
	Spent       float64 `json:"spent"`
	Left        float64 `json:"left"`
	Batches     uint64  `json:"batches"`
	BatchesLeft *uint64 `json:"batches_left,omitempty"`
}

// Coarse is a number of reports in steps of the minimum batch size.
type Coarse struct {
	AtLeast   uint64 `json:"at_least"`
	FewerThan uint64 `json:"fewer_than"`
}

// String returns the number for people: "300 or more", "fewer than 100".
func (c Coarse) String() string {
	if c.AtLeast == 0 {
		return fmt.Sprintf("fewer than %d", c.FewerThan)
	}
	return fmt.Sprintf("%d or more", c.AtLeast)
}

// Progress is how far a task is, as its Leader tells.
type Progress struct {
	At           time.Time         `json:"at"`
	Supported    bool              `json:"supported"`
	Waiting      Coarse            `json:"waiting"`
	Aggregated   Coarse            `json:"aggregated"`
	Collected    Coarse            `json:"collected"`
	Rejected     map[string]Coarse `json:"rejected"`
	Ready        bool              `json:"ready"`
	NextStart    *time.Time        `json:"next_start,omitempty"`
	NextEnd      *time.Time        `json:"next_end,omitempty"`
	ReadyBatches uint64            `json:"ready_batches"`
	Buckets      []Bucket          `json:"buckets"`
}

// Bucket is how far a time bucket is.
type Bucket struct {
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`
	Waiting    Coarse    `json:"waiting"`
	Aggregated Coarse    `json:"aggregated"`
}

// Collection is one batch that was asked for, or will be.
type Collection struct {
	Task        string     `json:"task"`
	Number      uint64     `json:"number"`
	Start       *time.Time `json:"start,omitempty"`
	End         *time.Time `json:"end,omitempty"`
	ByHand      bool       `json:"by_hand"`
	State       string     `json:"state"`
	Reason      string     `json:"reason,omitempty"`
	Problem     string     `json:"problem,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	Attempts    int        `json:"attempts"`
	LastError   string     `json:"last_error,omitempty"`
	NextAttempt *time.Time `json:"next_attempt,omitempty"`
	Result      *Result    `json:"result,omitempty"`
}

// Result is the aggregate result of a batch.
type Result struct {
	Task        string    `json:"task"`
	Number      uint64    `json:"number"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	FirstReport time.Time `json:"first_report"`
	LastReport  time.Time `json:"last_report"`
	ReportCount uint64    `json:"report_count"`
	CollectedAt time.Time `json:"collected_at"`
	Values      []Value   `json:"values"`
}

// Value is one number of a result. Its last three members are absent if it is exact.
type Value struct {
	Label         string   `json:"label"`
	Value         *big.Int `json:"value"`
	StandardError *float64 `json:"standard_error,omitempty"`
	Low95         *float64 `json:"low_95,omitempty"`
	High95        *float64 `json:"high_95,omitempty"`
}

// Lists, so that members can be added beside them.
type (
	// Tasks is the answer with all tasks.
	Tasks struct {
		Tasks []Task `json:"tasks"`
	}
	// Collections is the answer with a task's collections.
	Collections struct {
		Collections []Collection `json:"collections"`
	}
	// Results is the answer with a task's results.
	Results struct {
		Results []Result `json:"results"`
	}
	// Tokens is the answer with the analysts' tokens.
	Tokens struct {
		Tokens []Token `json:"tokens"`
	}
)

// Token is an analyst's token, which is in Token only in the answer that made it.
type Token struct {
	Name      string     `json:"name"`
	Scope     string     `json:"scope"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	Token     string     `json:"token,omitempty"`
}

// TaskToken is the Leader's token for a task.
type TaskToken struct {
	Token string `json:"token"`
}

// TaskFile is a task file's text.
type TaskFile struct {
	File string `json:"file"`
}

// CollectRequest is what to collect; without an interval the next batch.
type CollectRequest struct {
	Start *time.Time `json:"start,omitempty"`
	End   *time.Time `json:"end,omitempty"`
}

// Draft is what an analyst decides about a new task.
type Draft struct {
	Name                 string        `json:"name"`
	Leader               string        `json:"leader"`
	Helper               string        `json:"helper"`
	VDAF                 string        `json:"vdaf"`
	Labels               []string      `json:"labels,omitempty"`
	MinBatchSize         uint64        `json:"min_batch_size"`
	TimePrecisionSeconds int64         `json:"time_precision_seconds"`
	BatchMode            string        `json:"batch_mode,omitempty"`
	Start                *time.Time    `json:"start,omitempty"`
	DurationSeconds      int64         `json:"duration_seconds,omitempty"`
	Schedule             *Schedule     `json:"schedule,omitempty"`
	Privacy              *PrivacyDraft `json:"privacy,omitempty"`
}

// PrivacyDraft is what an analyst decides about differential privacy.
type PrivacyDraft struct {
	Mechanism        string `json:"mechanism,omitempty"`
	Level            string `json:"level"`
	Budget           string `json:"budget"`
	Neighbours       string `json:"neighbours,omitempty"`
	ReportsPerClient uint64 `json:"reports_per_client,omitempty"`
	ReportsPerBatch  uint64 `json:"reports_per_batch,omitempty"`
	MaxBatchSize     uint64 `json:"max_batch_size,omitempty"`
}

// Plan is what a task would be.
type Plan struct {
	Task          Task     `json:"task"`
	ReportBytes   int      `json:"report_bytes"`
	StandardError *float64 `json:"standard_error,omitempty"`
	HalfWidth95   *float64 `json:"half_width_95,omitempty"`
	Batches       *uint64  `json:"batches,omitempty"`
	Warnings      []string `json:"warnings"`
}

// Batch modes, as the collector's commands name them.
const (
	BatchModeTimeInterval   = "time-interval"
	BatchModeLeaderSelected = "leader-selected"
)

// Service returns the draft of package service. Its error is a *service.FieldError.
func (d Draft) Service() (service.Draft, error) {
	draft := service.Draft{Name: d.Name, Leader: d.Leader, Helper: d.Helper, VDAF: d.VDAF, Labels: d.Labels, MinBatchSize: d.MinBatchSize}
	switch d.BatchMode {
	case "", BatchModeTimeInterval:
	case BatchModeLeaderSelected:
		draft.LeaderSelected = true
	default:
		return draft, &service.FieldError{Field: "batch_mode", Problem: fmt.Sprintf("is %q; write time-interval or leader-selected", d.BatchMode)}
	}
	var err error
	if draft.TimePrecision, err = seconds("time_precision_seconds", d.TimePrecisionSeconds); err != nil {
		return draft, err
	}
	if draft.Duration, err = seconds("duration_seconds", d.DurationSeconds); err != nil {
		return draft, err
	}
	if d.Start != nil {
		draft.Start = d.Start.UTC()
	}
	if d.Schedule != nil {
		if draft.Schedule, err = d.Schedule.Service(); err != nil {
			return draft, err
		}
	}
	if d.Privacy != nil {
		privacy := service.PrivacyDraft(*d.Privacy)
		draft.Privacy = &privacy
	}
	return draft, nil
}

// Service returns the schedule of package service. Its error is a *service.FieldError.
func (s Schedule) Service() (service.Schedule, error) {
	schedule := service.Schedule{Every: service.Every(s.Every)}
	if s.Every == "" {
		return schedule, &service.FieldError{Field: "schedule.every", Problem: "is missing; write hour, day, batch or hand"}
	}
	if s.DelaySeconds != nil {
		delay, err := seconds("schedule.delay_seconds", *s.DelaySeconds)
		if err != nil {
			return schedule, err
		}
		schedule.Delay = &delay
	}
	return schedule, nil
}

func seconds(field string, n int64) (time.Duration, error) {
	if n < 0 || n > math.MaxInt64/int64(time.Second) {
		return 0, &service.FieldError{Field: field, Problem: "must be a number of seconds that is not negative and less than 292 years"}
	}
	return time.Duration(n) * time.Second, nil
}

// The first and the last time that RFC 3339 can write. Leaders and task files may name others.
var (
	firstTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Written is the time in UTC, or the nearest one that RFC 3339 can write.
func Written(t time.Time) time.Time {
	switch {
	case t.Before(firstTime):
		return firstTime
	case t.After(lastTime):
		return lastTime
	}
	return t.UTC()
}

// optional is nil for the zero time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = Written(t)
	return &t
}

// NewTask returns the object of a task.
func NewTask(t *service.Task) Task {
	task := Task{
		Name: t.Name, VDAF: t.VDAF, Kind: string(t.Kind), Labels: t.Labels, Edges: t.Edges, Leader: t.Leader, Helper: t.Helper,
		TimePrecisionSeconds: int64(t.TimePrecision / time.Second), BatchMode: BatchModeTimeInterval, MinBatchSize: t.MinBatchSize,
		Start: optional(t.Start), End: optional(t.End), AddedAt: optional(t.AddedAt), HasToken: t.HasToken, Schedule: NewSchedule(t.Schedule),
		Next:   Next{Waiting: string(t.Next.Waiting), At: optional(t.Next.At), Start: optional(t.Next.Start), End: optional(t.Next.End)},
		Active: []Collection{}, Results: t.Results, Problem: t.Problem,
	}
	if t.ID != (dap.TaskID{}) {
		task.ID = t.ID.String()
	}
	if t.LeaderSelected {
		task.BatchMode = BatchModeLeaderSelected
	}
	if t.Privacy != nil {
		privacy := Privacy(*t.Privacy)
		task.Privacy = &privacy
	}
	if t.Progress != nil {
		progress := NewProgress(t.Progress)
		task.Progress = &progress
	}
	for i := range t.Active {
		task.Active = append(task.Active, NewCollection(&t.Active[i]))
	}
	if t.Latest != nil {
		latest := NewResult(t.Latest)
		task.Latest = &latest
	}
	return task
}

// NewSchedule returns the object of a schedule.
func NewSchedule(s service.Schedule) Schedule {
	schedule := Schedule{Every: string(s.Every)}
	if s.Delay != nil {
		n := int64(*s.Delay / time.Second)
		schedule.DelaySeconds = &n
	}
	return schedule
}

// NewProgress returns the object of a task's progress.
func NewProgress(p *service.Progress) Progress {
	progress := Progress{
		At: Written(p.At), Supported: !p.Unsupported, Waiting: Coarse(p.Waiting), Aggregated: Coarse(p.Aggregated), Collected: Coarse(p.Collected),
		Rejected: make(map[string]Coarse, len(p.Rejected)), Ready: p.Ready, NextStart: optional(p.NextStart), NextEnd: optional(p.NextEnd),
		ReadyBatches: p.ReadyBatches, Buckets: []Bucket{},
	}
	for reason, n := range p.Rejected {
		progress.Rejected[reason] = Coarse(n)
	}
	for _, b := range p.Buckets {
		progress.Buckets = append(progress.Buckets, Bucket{Written(b.Start), Written(b.End), Coarse(b.Waiting), Coarse(b.Aggregated)})
	}
	return progress
}

// NewCollection returns the object of a collection.
func NewCollection(c *service.Collection) Collection {
	collection := Collection{
		Task: c.Task.String(), Number: c.Number, Start: optional(c.Start), End: optional(c.End), ByHand: c.ByHand, State: string(c.State),
		Reason: string(c.Reason), Problem: c.Problem, CreatedAt: Written(c.CreatedAt), EndedAt: optional(c.EndedAt), Attempts: c.Attempts,
		LastError: c.LastError, NextAttempt: optional(c.NextAttempt),
	}
	if c.Result != nil {
		result := NewResult(c.Result)
		collection.Result = &result
	}
	return collection
}

// NewResult returns the object of a result.
func NewResult(r *service.Result) Result {
	result := Result{
		Task: r.Task.String(), Number: r.Number, Start: Written(r.Start), End: Written(r.End), FirstReport: Written(r.FirstReport), LastReport: Written(r.LastReport),
		ReportCount: r.ReportCount, CollectedAt: Written(r.CollectedAt), Values: make([]Value, len(r.Values)),
	}
	for i, v := range r.Values {
		result.Values[i] = Value{v.Label, v.Number, v.StandardError, v.Low, v.High}
	}
	return result
}

// NewPlan returns the object of a plan.
func NewPlan(p *service.Plan) Plan {
	plan := Plan{
		Task: NewTask(&p.Task), ReportBytes: p.ReportBytes, StandardError: p.StandardError, HalfWidth95: p.HalfWidth95, Batches: p.Batches,
		Warnings: p.Warnings,
	}
	if plan.Warnings == nil {
		plan.Warnings = []string{}
	}
	return plan
}
