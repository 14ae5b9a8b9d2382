package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/vdaf"
)

var now = time.Date(2026, 1, 31, 12, 34, 56, 0, time.UTC)

func measurements[M any](values ...M) []Measurement[M] {
	ms := make([]Measurement[M], len(values))
	for i, v := range values {
		ms[i] = Measurement[M]{v, now.Add(time.Duration(i) * time.Minute)}
	}
	return ms
}

// uploadAndCompare uploads values, aggregates them as the aggregators would, and compares
// the aggregate result.
func uploadAndCompare[M, R any](t *testing.T, config dap.VdafConfiguration, v vdaf.VDAF[M, R], want R, values ...M) {
	t.Helper()
	f := newFake(t)
	task := f.task(config)
	c := newClient[M](t, task, Options{})
	outcomes, err := c.Upload(t.Context(), measurements(values...)...)
	if err != nil || count(outcomes, StatusUploaded) != len(values) {
		t.Fatalf("outcomes %+v, %v", outcomes, err)
	}
	for id, report := range f.reports {
		if at := report.Metadata.Time.At(3600); at.After(now.Add(time.Hour)) || at.Minute() != 0 {
			t.Errorf("report %s has the time %v", id, at)
		}
	}
	header, err := dap.ParseTaskprovHeader(f.headers[0].Values(dap.TaskprovHeader))
	if err != nil || header.TaskID != task.ID {
		t.Errorf("the task advertised is %+v, %v", header, err)
	}
	got, err := v.Unshard(nil, f.aggregate(task, v), uint64(len(values)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the aggregate result is %v, %v; want %v", got, err, want)
	}
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

func TestUpload(t *testing.T) {
	t.Run("count", func(t *testing.T) {
		uploadAndCompare(t, dap.Prio3CountConfig{}, vdaf.VDAF[bool, uint64](must(vdaf.NewPrio3Count(2))), 2, true, false, true)
	})
	t.Run("sum", func(t *testing.T) {
		uploadAndCompare(t, dap.Prio3SumConfig{MaxMeasurement: 100}, vdaf.VDAF[uint64, uint64](must(vdaf.NewPrio3Sum(2, 100))), 142, 0, 100, 42)
	})
	t.Run("sumvec", func(t *testing.T) {
		uploadAndCompare(t, dap.Prio3SumVecConfig{Length: 2, MaxMeasurement: 7, ChunkLength: 2}, vdaf.VDAF[[]uint64, []uint64](must(vdaf.NewPrio3SumVec(2, 2, 7, 2))),
			[]uint64{8, 7}, []uint64{1, 0}, []uint64{7, 7})
	})
	t.Run("histogram", func(t *testing.T) {
		uploadAndCompare(t, dap.Prio3HistogramConfig{Length: 4, ChunkLength: 2}, vdaf.VDAF[int, []uint64](must(vdaf.NewPrio3Histogram(2, 4, 2))),
			[]uint64{1, 0, 0, 2}, 3, 0, 3)
	})
	t.Run("multihot", func(t *testing.T) {
		uploadAndCompare(t, dap.Prio3MultihotCountVecConfig{Length: 3, MaxWeight: 2, ChunkLength: 2}, vdaf.VDAF[[]bool, []uint64](must(vdaf.NewPrio3MultihotCountVec(2, 3, 2, 2))),
			[]uint64{1, 0, 2}, []bool{true, false, true}, []bool{false, false, true}, []bool{false, false, false})
	})
}

func TestManyRequests(t *testing.T) {
	f := newFake(t)
	f.refuse = map[int]dap.ReportError{3: dap.ReportErrorReportTooEarly}
	var progress []int
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{MaxReports: 10, Workers: 5, Progress: func(n int) { progress = append(progress, n) }})
	values := make([]uint64, 45)
	outcomes, err := c.Upload(t.Context(), measurements(values...)...)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.requests) != 5 || len(f.reports) != 40 || f.configs != 2 {
		t.Errorf("%d requests, %d reports, %d configurations", len(f.requests), len(f.reports), f.configs)
	}
	if want := []int{5, 15, 25, 35, 45}; !reflect.DeepEqual(progress, want) {
		t.Errorf("progress %v, want %v", progress, want)
	}
	for i, o := range outcomes {
		refused := i == 3 || i > 4 && (i-5)%10 == 3
		if refused != (o.Status == StatusRejected) || refused != (o.Reason == dap.ReportErrorReportTooEarly) {
			t.Errorf("measurement %d: %+v", i, o)
		}
	}
}

func TestMaxBytes(t *testing.T) {
	f := newFake(t)
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{MaxBytes: 3000, Workers: 2})
	if _, err := c.Upload(t.Context(), measurements(make([]uint64, 30)...)...); err != nil {
		t.Fatal(err)
	}
	for _, body := range f.requests {
		if len(body) > 3000 {
			t.Errorf("a request of %d bytes", len(body))
		}
	}
	// A report that is too long for any request is sent alone.
	c.options.MaxBytes = 10
	if outcomes, err := c.Upload(t.Context(), measurements[uint64](1, 2)...); err != nil || count(outcomes, StatusUploaded) != 2 {
		t.Errorf("got %v, %v", outcomes, err)
	}
}

func TestOutOfRangeIsNeverSent(t *testing.T) {
	f := newFake(t)
	late := now.Add(-200 * time.Hour)
	check := func(name string, upload func() ([]Outcome, error), index int, mentions string) {
		t.Helper()
		outcomes, err := upload()
		measurement, ok := errors.AsType[*MeasurementError](err)
		if !ok || measurement.Index != index || !strings.Contains(err.Error(), mentions) {
			t.Errorf("%s: got %v, want measurement %d and %q", name, err, index, mentions)
		}
		if count(outcomes, StatusUnknown) != len(outcomes) {
			t.Errorf("%s: outcomes %v", name, outcomes)
		}
	}
	sum := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 100}), Options{})
	check("sum", func() ([]Outcome, error) { return sum.Upload(t.Context(), measurements[uint64](1, 101)...) }, 1, "maximum, 100")
	histogram := newClient[int](t, f.task(dap.Prio3HistogramConfig{Length: 4, ChunkLength: 2}), Options{})
	check("histogram", func() ([]Outcome, error) { return histogram.Upload(t.Context(), measurements(4)...) }, 0, "0 to 3")
	check("negative", func() ([]Outcome, error) { return histogram.Upload(t.Context(), measurements(0, 1, -1)...) }, 2, "0 to 3")
	sumVec := newClient[[]uint64](t, f.task(dap.Prio3SumVecConfig{Length: 2, MaxMeasurement: 7, ChunkLength: 2}), Options{})
	check("length", func() ([]Outcome, error) { return sumVec.Upload(t.Context(), measurements([]uint64{1})...) }, 0, "have 2")
	check("number", func() ([]Outcome, error) { return sumVec.Upload(t.Context(), measurements([]uint64{1, 8})...) }, 0, "number 2")
	multihot := newClient[[]bool](t, f.task(dap.Prio3MultihotCountVecConfig{Length: 3, MaxWeight: 1, ChunkLength: 2}), Options{})
	check("weight", func() ([]Outcome, error) {
		return multihot.Upload(t.Context(), measurements([]bool{true, true, false})...)
	}, 0, "maximum, 1")
	check("flags", func() ([]Outcome, error) { return multihot.Upload(t.Context(), measurements([]bool{true})...) }, 0, "have 3")

	task := f.task(dap.Prio3CountConfig{})
	start, err := task.Configuration.TimePrecision.TimeOf(now)
	if err != nil {
		t.Fatal(err)
	}
	task.Configuration.Extensions = []dap.TaskExtension{dap.NewTaskIntervalExtension(dap.Interval{Start: start, Duration: 2})}
	task = must(NewTaskprovTask(task.Configuration))
	counter := newClient[bool](t, task, Options{Now: func() time.Time { return now }})
	check("not started", func() ([]Outcome, error) {
		return counter.Upload(t.Context(), Measurement[bool]{true, now}, Measurement[bool]{true, late})
	}, 1, "has not started")
	check("over", func() ([]Outcome, error) {
		return counter.Upload(t.Context(), Measurement[bool]{true, now.Add(2 * time.Hour)})
	}, 0, "is over")
	if err := counter.Check(Measurement[bool]{true, late}); !errors.Is(err, ErrTime) {
		t.Errorf("got %v, want ErrTime", err)
	}
	if _, err := histogram.Prepare(t.Context(), 9, now); err == nil {
		t.Error("Prepare took a measurement out of range")
	}
	if len(f.requests) != 0 || f.configs != 0 {
		t.Errorf("%d requests were sent", len(f.requests)+f.configs)
	}
}

func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		intercept func(f *fakeAggregators) func(n int, w http.ResponseWriter, body []byte) bool
		requests  int
	}{
		"busy": {func(f *fakeAggregators) func(int, http.ResponseWriter, []byte) bool {
			return func(n int, w http.ResponseWriter, _ []byte) bool {
				if n < 2 {
					w.Header().Set("Retry-After", "0")
					w.WriteHeader([]int{429, 503}[n])
				}
				return n < 2
			}
		}, 3},
		"the answer is lost": {func(f *fakeAggregators) func(int, http.ResponseWriter, []byte) bool {
			return func(n int, w http.ResponseWriter, body []byte) bool {
				if n == 0 {
					f.accept(discard{}, body)
					panic(http.ErrAbortHandler)
				}
				return false
			}
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.intercept = c.intercept(f)
			client := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{Workers: 9})
			outcomes, err := client.Upload(t.Context(), measurements[uint64](1, 2, 3)...)
			if err != nil || count(outcomes, StatusUploaded) != 3 || len(f.reports) != 3 {
				t.Fatalf("got %v, %v", outcomes, err)
			}
			if len(f.requests) != c.requests {
				t.Errorf("%d requests", len(f.requests))
			}
			for _, body := range f.requests {
				if !bytes.Equal(body, f.requests[0]) {
					t.Error("the retried request has other bytes")
				}
			}
		})
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestReplayed(t *testing.T) {
	f := newFake(t)
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{})
	report, err := c.Prepare(t.Context(), 4, now)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Outcome{
		{report.Metadata.ReportID, StatusUploaded, 0},
		{report.Metadata.ReportID, StatusRejected, dap.ReportErrorReportReplayed},
	} {
		outcomes, err := c.UploadReports(t.Context(), report)
		if err != nil || outcomes[0] != want {
			t.Errorf("upload %d: got %v, %v", i, outcomes, err)
		}
	}
}

func TestGivingUp(t *testing.T) {
	f := newFake(t)
	f.intercept = func(n int, w http.ResponseWriter, _ []byte) bool { w.WriteHeader(500); return true }
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{Attempts: 3})
	outcomes, err := c.Upload(t.Context(), measurements[uint64](1)...)
	answer, ok := errors.AsType[*HTTPError](err)
	if !ok || answer.Status != 500 || len(f.requests) != 3 || outcomes[0].Status != StatusUnknown {
		t.Errorf("got %v, %v after %d requests", outcomes, err, len(f.requests))
	}
}

func TestPermanentError(t *testing.T) {
	f := newFake(t)
	f.intercept = func(n int, w http.ResponseWriter, _ []byte) bool {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(400)
		fmt.Fprint(w, `{"type":"urn:ietf:params:ppm:dap:error:unrecognizedTask"}`)
		return true
	}
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{})
	_, err := c.Upload(t.Context(), measurements[uint64](1)...)
	if got, _ := dap.ErrorTypeOf(err); got != dap.ErrorTypeUnrecognizedTask || len(f.requests) != 1 {
		t.Errorf("got %v after %d requests", err, len(f.requests))
	}
}

func TestContext(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.intercept = func(n int, w http.ResponseWriter, _ []byte) bool { cancel(); w.WriteHeader(503); return true }
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{MaxReports: 1})
	c.backoff = func(int) time.Duration { return time.Hour }
	outcomes, err := c.Upload(ctx, measurements(make([]uint64, 20)...)...)
	if !errors.Is(err, context.Canceled) || count(outcomes, StatusUnknown) != 20 {
		t.Errorf("got %v, %v", outcomes, err)
	}
}

func TestTooLongRequestsAreSplit(t *testing.T) {
	f := newFake(t)
	f.refuse = map[int]dap.ReportError{1: dap.ReportErrorReportTooEarly}
	f.intercept = func(_ int, w http.ResponseWriter, body []byte) bool {
		if len(body) > 2000 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return true
		}
		return false
	}
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{Workers: 20})
	outcomes, err := c.Upload(t.Context(), measurements(make([]uint64, 20)...)...)
	if err != nil || count(outcomes, StatusUploaded)+count(outcomes, StatusRejected) != 20 || count(outcomes, StatusUploaded) != len(f.reports) {
		t.Errorf("%d reports arrived; outcomes %v, %v", len(f.reports), outcomes, err)
	}
	for _, o := range outcomes {
		if _, arrived := f.reports[o.ReportID]; arrived != (o.Status == StatusUploaded) {
			t.Errorf("report %s: %+v", o.ReportID, o)
		}
	}
}

func TestOutdatedConfig(t *testing.T) {
	f := newFake(t)
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{})
	if _, err := c.Upload(t.Context(), measurements[uint64](1)...); err != nil {
		t.Fatal(err)
	}
	f.rotate(2)
	outcomes, err := c.Upload(t.Context(), measurements[uint64](1, 2, 3)...)
	if err != nil || count(outcomes, StatusUploaded) != 3 || f.configs != 4 {
		t.Errorf("got %v, %v, %d configurations", outcomes, err, f.configs)
	}
	// A Leader that always says so is asked once more, and no more.
	f.intercept = func(n int, w http.ResponseWriter, body []byte) bool {
		f.mu.Unlock()
		f.rotate(f.leader.Config.ID + 1)
		f.mu.Lock()
		return false
	}
	before := len(f.requests)
	outcomes, err = c.Upload(t.Context(), measurements[uint64](1)...)
	if err != nil || outcomes[0].Reason != dap.ReportErrorOutdatedConfig || len(f.requests) != before+2 {
		t.Errorf("got %v, %v after %d requests", outcomes, err, len(f.requests)-before)
	}
}

func TestConfigCaching(t *testing.T) {
	f := newFake(t)
	clock := now
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{Now: func() time.Time { return clock }})
	fetches := func() int {
		before := f.configs
		if _, err := c.Prepare(t.Context(), 1, now); err != nil {
			t.Fatal(err)
		}
		return f.configs - before
	}
	f.cacheControl = "public, max-age=60"
	for i, step := range []struct {
		after time.Duration
		want  int
	}{{0, 2}, {59 * time.Second, 0}, {2 * time.Second, 2}} {
		clock = clock.Add(step.after)
		if got := fetches(); got != step.want {
			t.Errorf("step %d: %d requests, want %d", i, got, step.want)
		}
	}
	for header, want := range map[string]time.Duration{
		"": time.Hour, "no-store": 0, "max-age=60, no-cache": 0, "max-age=x": 0, "MAX-AGE=5": 5 * time.Second,
		"max-age=99999999": 7 * 24 * time.Hour, `max-age="7"`: 7 * time.Second,
	} {
		if got := cacheLifetime(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
	if got := cacheLifetime(http.Header{"Cache-Control": {"max-age=60"}, "Age": {"20"}}); got != 40*time.Second {
		t.Errorf("with an age: %v", got)
	}
}

func TestBadAnswers(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, id dap.ReportID){
		"media type": func(w http.ResponseWriter, id dap.ReportID) { w.Write([]byte("x")) },
		"truncated":  func(w http.ResponseWriter, id dap.ReportID) { answerErrors(w, id[:]) },
		"another ID": func(w http.ResponseWriter, id dap.ReportID) { answerErrors(w, append(make([]byte, 16), 3)) },
		"twice": func(w http.ResponseWriter, id dap.ReportID) {
			answerErrors(w, append(append(append(id[:], 3), id[:]...), 3))
		},
		"unknown error": func(w http.ResponseWriter, id dap.ReportID) { answerErrors(w, append(id[:], 99)) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.intercept = func(_ int, w http.ResponseWriter, body []byte) bool {
				answer(w, dap.ReportID(body[:16]))
				return true
			}
			c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{})
			outcomes, err := c.Upload(t.Context(), measurements[uint64](1)...)
			if _, ok := errors.AsType[*AnswerError](err); !ok || outcomes[0].Status != StatusUnknown {
				t.Errorf("got %v, %v", outcomes, err)
			}
		})
	}
}

func answerErrors(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", string(dap.MediaTypeUploadErrors))
	w.Write(body)
}

func TestNewErrors(t *testing.T) {
	f := newFake(t)
	good := f.task(dap.Prio3SumConfig{MaxMeasurement: 9})
	if _, err := New[int](good, Options{}); !isTaskError(err) || !strings.Contains(err.Error(), "uint64") {
		t.Errorf("wrong type of measurements: %v", err)
	}
	altered := good
	altered.Configuration.MinBatchSize = 1
	if _, err := New[uint64](altered, Options{}); !isTaskError(err) {
		t.Errorf("an ID of another configuration: %v", err)
	}
	altered.Taskprov = false
	if _, err := New[uint64](altered, Options{}); err != nil {
		t.Errorf("an ID of its own: %v", err)
	}
	plain := good.Configuration
	plain.HelperAggregatorEndpoint = "http://helper.example/"
	task := must(NewTaskprovTask(plain))
	_, err := New[uint64](task, Options{})
	if _, ok := errors.AsType[*daphttp.EndpointError](err); !ok {
		t.Errorf("plain http: %v", err)
	}
	if _, err := New[uint64](task, Options{AllowPlain: true}); err != nil {
		t.Errorf("plain http, allowed: %v", err)
	}
	unsound := good
	unsound.Configuration.Extensions = []dap.TaskExtension{must(dap.NewPrivacyExtension(dap.PrivacyConfig{
		Mechanism: dap.PrivacyMechanismDiscreteLaplace, Neighbours: dap.PrivacyNeighboursReplaceOne, Level: dap.Rational{Numerator: 2, Denominator: 1},
		Budget: dap.Rational{Numerator: 1, Denominator: 1}, ReportsPerClient: 1, ReportsPerBatch: 1, MaxBatchSize: 1000,
	}))}
	if _, err := New[uint64](must(NewTaskprovTask(unsound.Configuration)), Options{}); !isTaskError(err) || !strings.Contains(err.Error(), "the budget is ε = 1") {
		t.Errorf("a task whose differential privacy is unsound: %v", err)
	}
	if _, err := NewWithVDAF(good, Sharder[bool](must(vdaf.NewPrio3Count(2))), Options{}); !isTaskError(err) {
		t.Errorf("another VDAF: %v", err)
	}
	if _, err := NewWithVDAF(good, Sharder[uint64](must(vdaf.NewPrio3Sum(3, 9))), Options{}); !isTaskError(err) {
		t.Errorf("three shares: %v", err)
	}
	over := good.Configuration
	over.Extensions = []dap.TaskExtension{dap.NewTaskIntervalExtension(dap.Interval{Start: 1, Duration: 2})}
	if _, err := New[uint64](must(NewTaskprovTask(over)), Options{}); !isTaskError(err) || !strings.Contains(err.Error(), "it ended at 1970-01-01T03:00:00Z") {
		t.Errorf("a task that has ended: %v", err)
	}
	poplar := good.Configuration
	poplar.VdafType, poplar.VdafConfiguration = dap.VdafTypePoplar1, []byte{0, 8}
	if _, err := New[bool](must(NewTaskprovTask(poplar)), Options{}); !isTaskError(err) {
		t.Errorf("Poplar1: %v", err)
	}
}

func isTaskError(err error) bool { _, ok := errors.AsType[*TaskError](err); return ok }

func TestUnsupportedHpkeConfigs(t *testing.T) {
	f := newFake(t)
	f.leader.Config.KemID = 0x1234
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{})
	_, err := c.Upload(t.Context(), measurements[uint64](1)...)
	if _, ok := errors.AsType[*AnswerError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestMeasurementsAreNotPrinted(t *testing.T) {
	for _, text := range []string{fmt.Sprint(Measurement[uint64]{77, now}), fmt.Sprintf("%+v %#v", Measurement[uint64]{77, now}, []Measurement[uint64]{{77, now}})} {
		if strings.Contains(text, "77") {
			t.Error(text)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	f := newFake(t)
	c := newClient[uint64](t, f.task(dap.Prio3SumConfig{MaxMeasurement: 9}), Options{Progress: func(int) {}})
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := c.Upload(t.Context(), measurements(make([]uint64, 20)...)...)
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if len(f.reports) != 160 || f.configs != 2 {
		t.Errorf("%d reports, %d configurations", len(f.reports), f.configs)
	}
}
