package page

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
)

// now is the tests' time.
var now = time.Date(2026, 11, 30, 12, 34, 0, 0, time.UTC)

// The tests' tokens.
const (
	readToken    = "token-to-read"
	collectToken = "token-to-collect"
	adminToken   = "token-to-administer"
)

// fake is a service that keeps what it is told, and fails as it is told.
type fake struct {
	mu        sync.Mutex
	tasks     []service.Task
	results   map[dap.TaskID][]service.Result
	failed    []service.Collection
	err       error // of the next changes
	progress  error
	asked     []service.CollectRequest
	drafts    []service.Draft
	token     string
	schedule  service.Schedule
	revoked   bool
	checkFail error
}

var (
	_ service.Analyst      = (*fake)(nil)
	_ service.TokenChecker = (*fake)(nil)
)

func (f *fake) CheckToken(_ context.Context, token string) (service.Identity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.checkFail != nil {
		return service.Identity{}, f.checkFail
	}
	scope, ok := map[string]service.Scope{readToken: service.ScopeRead, collectToken: service.ScopeCollect, adminToken: service.ScopeAdminister}[token]
	if !ok || f.revoked {
		return service.Identity{}, service.ErrUnauthorized
	}
	return service.Identity{Name: "analyst <" + string(scope) + ">", Scope: scope}, nil
}

func (f *fake) Tasks(context.Context) ([]service.Task, error) { return f.tasks, nil }

func (f *fake) Task(_ context.Context, id dap.TaskID) (service.Task, error) {
	for _, t := range f.tasks {
		if t.ID == id {
			return t, nil
		}
	}
	return service.Task{}, service.ErrNotFound
}

func (f *fake) TaskFile(_ context.Context, id dap.TaskID) ([]byte, error) {
	return []byte("the file of " + id.String()), nil
}

func (f *fake) Plan(_ context.Context, draft service.Draft) (service.Plan, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drafts = append(f.drafts, draft)
	if f.err != nil {
		return service.Plan{}, f.err
	}
	if draft.Name == "" {
		return service.Plan{}, &service.FieldError{Field: "name", Problem: "give the task a name"}
	}
	plan := service.Plan{Task: service.Task{Name: draft.Name, VDAF: draft.VDAF, Kind: service.KindHistogram, Length: 4}, ReportBytes: 1234}
	if draft.Privacy != nil {
		plan.StandardError, plan.HalfWidth95, plan.Batches = new(12.5), new(24.5), new(uint64(7))
		plan.Warnings = []string{"a batch of 100 reports is small beside noise of ± 24.5"}
	}
	return plan, nil
}

func (f *fake) CreateTask(ctx context.Context, draft service.Draft) (service.Task, error) {
	plan, err := f.Plan(ctx, draft)
	if err != nil {
		return service.Task{}, err
	}
	plan.Task.ID = dap.TaskID{byte(len(f.tasks) + 100)}
	f.tasks = append(f.tasks, plan.Task)
	return plan.Task, nil
}

func (f *fake) AddTask(_ context.Context, file []byte) (service.Task, error) {
	if string(file) != "a task" {
		return service.Task{}, &service.FieldError{Field: "file", Problem: "this is no task file"}
	}
	return f.tasks[0], f.err
}

func (f *fake) SetToken(_ context.Context, _ dap.TaskID, token string) error {
	f.token = token
	return f.err
}

func (f *fake) SetSchedule(_ context.Context, _ dap.TaskID, schedule service.Schedule) error {
	f.schedule = schedule
	return f.err
}

func (f *fake) Collect(_ context.Context, id dap.TaskID, request service.CollectRequest) (service.Collection, error) {
	f.asked = append(f.asked, request)
	return service.Collection{Task: id, Number: 99, State: service.CollectionIntended}, f.err
}

func (f *fake) Collections(_ context.Context, id dap.TaskID, _ service.Filter) ([]service.Collection, error) {
	return f.failed, nil
}

func (f *fake) Collection(_ context.Context, id dap.TaskID, number uint64) (service.Collection, error) {
	for _, r := range f.results[id] {
		if r.Number == number {
			return service.Collection{Task: id, Number: number, State: service.CollectionDone, Result: &r}, nil
		}
	}
	return service.Collection{}, service.ErrNotFound
}

func (f *fake) Results(_ context.Context, id dap.TaskID, filter service.Filter) ([]service.Result, error) {
	results := f.results[id]
	if filter.Limit > 0 && len(results) > filter.Limit {
		results = results[len(results)-filter.Limit:]
	}
	return results, nil
}

func (f *fake) Progress(ctx context.Context, id dap.TaskID) (service.Progress, error) {
	if f.progress != nil {
		return service.Progress{}, f.progress
	}
	task, err := f.Task(ctx, id)
	if err != nil || task.Progress == nil {
		return service.Progress{Unsupported: true}, err
	}
	return *task.Progress, nil
}

// hostile is a name that tries to leave its place.
const hostile = `<script>alert(1)</script>" onmouseover="alert(2)' {{.}}`

// sample returns a fake with tasks of each kind, in many states.
func sample() *fake {
	f := &fake{results: map[dap.TaskID][]service.Result{}}
	day := func(n int) time.Time { return time.Date(2026, 11, 1+n, 0, 0, 0, 0, time.UTC) }
	add := func(t service.Task, batches int, noise float64, value func(k, i int) float64) {
		t.ID = dap.TaskID{byte(len(f.tasks) + 1)}
		t.Length = len(t.Labels)
		t.Leader, t.Helper = "https://leader.example.org/", "https://helper.example.com/"
		if t.MinBatchSize == 0 {
			t.MinBatchSize = 1000
		}
		t.TimePrecision, t.AddedAt, t.Results = 24*time.Hour, day(0), batches
		for k := range batches {
			r := service.Result{Task: t.ID, Number: uint64(k + 1), Start: day(k), End: day(k + 1), FirstReport: day(k), LastReport: day(k + 1), ReportCount: 2000 + uint64(k), CollectedAt: day(k + 1).Add(time.Minute)}
			for i, label := range t.Labels {
				v := service.Value{Label: label, Number: big.NewInt(int64(value(k, i)))}
				if noise > 0 {
					v.StandardError, v.Low, v.High = new(noise), new(v.Float()-1.96*noise), new(v.Float()+1.96*noise)
				}
				r.Values = append(r.Values, v)
			}
			f.results[t.ID] = append(f.results[t.ID], r)
		}
		if batches > 0 {
			t.Latest = &f.results[t.ID][batches-1]
		}
		f.tasks = append(f.tasks, t)
	}
	progress := &service.Progress{
		At: now, Waiting: service.Coarse{FewerThan: 1000}, Aggregated: service.Coarse{AtLeast: 23000, FewerThan: 24000}, Collected: service.Coarse{AtLeast: 18000, FewerThan: 19000},
		Rejected: map[string]service.Coarse{"vdaf_verify_error": {FewerThan: 1000}, "report_replayed": {AtLeast: 2000, FewerThan: 3000}},
		Buckets: []service.BucketProgress{
			{Start: day(27), End: day(28), Aggregated: service.Coarse{AtLeast: 2000, FewerThan: 3000}}, {Start: day(28), End: day(29), Aggregated: service.Coarse{FewerThan: 1000}},
		},
	}
	delays := []string{"below -15", "-15 to below 0", "0 to below 15", "15 to below 30", "30 to below 45", "45 to below 60", "60 to below 90", "90 to below 120", "120 to below 180", "180 or more"}
	heights := []float64{222, 753, 591, 175, 102, 64, 47, 21, 16, 9}
	add(service.Task{
		Name: "Minutes that flights were late", VDAF: "histogram:edges=-15;0;15;30;45;60;90;120;180", Kind: service.KindHistogram, Labels: delays, HasToken: true, Progress: progress,
		Schedule: service.Schedule{Every: service.EveryDay}, Next: service.Next{Waiting: service.WaitingForTime, At: day(30).Add(time.Minute)},
		Privacy: &service.Privacy{Mechanism: "pure", Symbol: "ε", Neighbours: "replace-one", Level: 0.5, Budget: 10, Spent: 4.5, Left: 5.5, Batches: 9, BatchesLeft: new(uint64(11))},
	}, 9, 12, func(k, i int) float64 { return heights[i] * (1 + 0.05*float64(k)) })
	add(service.Task{Name: "Miles", VDAF: "sum:max=10000", Kind: service.KindSum, Labels: []string{"sum"}, HasToken: true, Progress: progress, Next: service.Next{Waiting: service.WaitingForReports}},
		24, 9000, func(k, _ int) float64 { return 1_400_000 + 180_000*math.Sin(float64(k)) })
	add(service.Task{Name: "late", VDAF: "count", Kind: service.KindCount, Labels: []string{"count"}, HasToken: true, Schedule: service.Schedule{Every: service.EveryHour}, Problem: "the Leader refuses the token"},
		1, 0, func(int, int) float64 { return 412 })
	add(service.Task{Name: "Totals", VDAF: "sumvec:length=3,max=10000", Kind: service.KindSumVec, Labels: []string{"minutes late", "minutes early", "miles"}, HasToken: true, LeaderSelected: true, Progress: &service.Progress{At: now, Ready: true, ReadyBatches: 2}},
		5, 0, func(k, i int) float64 { return math.Pow(30, float64(i+1)) * (5 + float64(k)) })
	add(service.Task{Name: "What kind of flights they were, of all airlines and airports of the last years, by whoever asked", VDAF: "multihot:length=5,max_weight=4", Kind: service.KindMultihot, Labels: []string{"early", "late by more than 15 minutes", "late by more than an hour", "1,000 miles or more", "in the evening"}, HasToken: true,
		Active: []service.Collection{{Start: day(27), End: day(28), State: service.CollectionAsked}}}, 3, 20, func(k, i int) float64 { return float64(300*i + 20*k - 10) })
	many := make([]string, 256)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	add(service.Task{Name: "256 buckets", VDAF: "histogram:length=256", Kind: service.KindHistogram, Labels: many, HasToken: true}, 6, 8, func(k, i int) float64 { return 900 * math.Exp(-math.Pow(float64(i-90-5*k)/40, 2)) })
	add(service.Task{Name: hostile, VDAF: "histogram:length=3", Kind: service.KindHistogram, Labels: []string{hostile, "=1+1", ""}, HasToken: true}, 2, 0, func(k, i int) float64 { return float64(k + i) })
	add(service.Task{Name: "new", VDAF: "count", Kind: service.KindCount, Labels: []string{"count"}, Next: service.Next{Waiting: service.WaitingForToken}}, 0, 0, nil)
	f.failed = []service.Collection{{Task: f.tasks[0].ID, Number: 10, Start: day(9), End: day(10), State: service.CollectionFailed, Reason: service.ReasonOverlap, Problem: "a part of it was collected by another request"}}
	return f
}

func handler(t testing.TB, f *fake) http.Handler {
	t.Helper()
	h, err := New(f, f, Options{Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
