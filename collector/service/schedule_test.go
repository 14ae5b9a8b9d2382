package service_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
)

// Hours with enough reports are collected each by itself, when they are over.
func TestEachHour(t *testing.T) {
	bubble(t, 10, nil, func(w *world) {
		for hour := range 4 {
			w.at(1, hour, 20)
			w.leader.report(10 + uint64(hour))
		}
		w.at(1, 3, 59)
		if n := len(w.results()); n != 3 {
			t.Errorf("%d results before the fourth hour is over", n)
		}
		w.at(1, 4, 1)
		w.check(true)
		results := w.results()
		if len(results) != 4 {
			t.Fatalf("%d results", len(results))
		}
		for hour, r := range results {
			if want := uint64(10 + hour); r.ReportCount != want || r.Values[0].Number.Uint64() != want || !r.Start.Equal(clock(1, hour, 0)) || !r.End.Equal(clock(1, hour+1, 0)) {
				t.Errorf("hour %d: %v to %v, %d reports", hour, r.Start, r.End, r.ReportCount)
			}
			if want := clock(1, hour+1, 0); r.CollectedAt.Before(want) || r.CollectedAt.After(want.Add(time.Minute)) {
				t.Errorf("hour %d was collected at %v", hour, r.CollectedAt)
			}
		}
		if deleted, _ := w.leader.jobCounts(); deleted != 0 {
			t.Error("the job of an interval was deleted")
		}
	})
}

// Hours with too few reports are joined with those after them, and each is asked for once.
func TestJoinedHours(t *testing.T) {
	bubble(t, 10, nil, func(w *world) {
		for hour, n := range []uint64{4, 0, 3, 5, 10} {
			w.at(1, hour, 30)
			if n > 0 {
				w.leader.report(n)
			}
		}
		w.at(1, 6, 0)
		w.check(true)
		results := w.results()
		if len(results) != 2 || results[0].ReportCount != 12 || !results[0].Start.Equal(clock(1, 0, 0)) || !results[0].End.Equal(clock(1, 4, 0)) || !results[1].Start.Equal(clock(1, 4, 0)) {
			t.Errorf("got %+v", results)
		}
	})
}

func TestEachDay(t *testing.T) {
	bubble(t, 10, func(d *service.Draft) {
		delay := 5 * time.Minute
		d.Schedule = service.Schedule{Every: service.EveryDay, Delay: &delay}
	}, func(w *world) {
		w.at(1, 1, 0)
		w.leader.report(100)
		w.at(2, 0, 4)
		if next := w.task().Next; len(w.results()) != 0 || next.Waiting != service.WaitingForTime || !next.At.Equal(clock(2, 0, 5)) || !next.End.Equal(clock(2, 0, 0)) {
			t.Errorf("before the delay: %+v", next)
		}
		w.leader.reportAt(clock(1, 23, 59), 7) // late, and within the delay
		w.at(2, 0, 6)
		w.check(true)
		if r := w.results(); len(r) != 1 || r[0].ReportCount != 107 || !r[0].Start.Equal(clock(1, 0, 0)) || !r[0].End.Equal(clock(2, 0, 0)) {
			t.Errorf("got %+v", r)
		}
	})
}

// Each batch: as soon as there are enough reports in time buckets that are over.
func TestEachBatch(t *testing.T) {
	bubble(t, 10, func(d *service.Draft) { d.Schedule.Every = service.EveryBatch }, func(w *world) {
		w.at(1, 0, 10)
		w.leader.report(6)
		w.at(1, 0, 12)
		w.leader.report(6)
		w.at(1, 0, 14)
		w.leader.report(40)
		w.at(1, 0, 16)
		w.check(true)
		r := w.results()
		if len(r) != 2 || r[0].ReportCount != 12 || !r[0].End.Equal(clock(1, 0, 13)) || r[1].ReportCount != 40 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestNextBatches(t *testing.T) {
	for every, want := range map[service.Every]int{service.EveryBatch: 3, service.EveryHour: 3, service.ByHand: 0} {
		t.Run(string(every), func(t *testing.T) {
			bubble(t, 10, func(d *service.Draft) { d.LeaderSelected, d.Schedule.Every = true, every }, func(w *world) {
				w.at(1, 0, 30)
				w.leader.report(34)
				w.at(1, 0, 40)
				if early := len(w.results()); every == service.EveryHour && early != 0 {
					t.Errorf("%d results before the hour", early)
				}
				w.at(1, 1, 5)
				w.check(true)
				deleted, left := w.leader.jobCounts()
				if n := len(w.results()); n != want || deleted != want || left != 0 {
					t.Errorf("%d results, %d jobs deleted, %d left", n, deleted, left)
				}
			})
		})
	}
}

// A Leader that tells no progress is asked for each interval when it is over: one that refuses small batches, and one that waits.
func TestSilentLeader(t *testing.T) {
	for name, refuses := range map[string]bool{"refuses": true, "waits": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 10, nil, func(w *world) {
				w.leader.set(func(f *fakeLeader) { f.silent, f.refuses = true, refuses })
				for hour, n := range []uint64{15, 4, 4, 8} {
					w.at(1, hour, 30)
					w.leader.report(n)
				}
				w.at(1, 4, 30)
				results := w.results()
				if refuses {
					if len(results) != 2 || results[1].ReportCount != 16 || !results[1].Start.Equal(clock(1, 1, 0)) || !results[1].End.Equal(clock(1, 4, 0)) {
						t.Errorf("got %+v", results)
					}
					return
				}
				w.check(true)
				if len(results) != 1 || len(w.task().Active) != 1 {
					t.Errorf("got %+v, active %+v", results, w.task().Active)
				}
				w.leader.reportAt(clock(1, 1, 10), 6)
				w.at(1, 4, 40)
				w.check(true)
				if r := w.results(); len(r) != 2 || r[1].ReportCount != 10 || !r[1].End.Equal(clock(1, 2, 0)) {
					t.Errorf("got %+v", r)
				}
			})
		})
	}
}

// What was collected elsewhere is a clear state, asked for once, and the schedule goes on after it.
func TestCollectedElsewhere(t *testing.T) {
	bubble(t, 10, nil, func(w *world) {
		w.at(1, 0, 30)
		w.leader.report(20)
		w.leader.set(func(f *fakeLeader) {
			f.collected = append(f.collected, service.Span{Start: clock(1, 0, 0), End: clock(1, 0, 40)})
		})
		w.at(1, 0, 50)
		w.leader.report(11)
		w.at(1, 1, 5)
		r := w.results()
		if len(r) != 1 || r[0].ReportCount != 11 || !r[0].Start.Equal(clock(1, 0, 40)) {
			t.Errorf("got %+v", r)
		}
		// And one that the Leader has not told of.
		w.leader.set(func(f *fakeLeader) {
			f.fault = func(request string) loss {
				if request == "create" {
					f.collected = append(f.collected, service.Span{Start: clock(1, 1, 20), End: clock(1, 1, 40)})
					f.fault = nil
				}
				return nothingLost
			}
		})
		w.at(1, 1, 30)
		w.leader.report(20)
		w.at(1, 1, 55)
		w.leader.report(12)
		w.at(1, 2, 30)
		newest := w.collections()
		if len(newest) != 3 || newest[1].State != service.CollectionFailed || newest[1].Reason != service.ReasonOverlap || newest[0].Result == nil || newest[0].Result.ReportCount != 12 {
			t.Errorf("got %+v", newest)
		}
	})
}

func TestByHand(t *testing.T) {
	bubble(t, 10, func(d *service.Draft) { d.Schedule.Every = service.ByHand }, func(w *world) {
		collect := func(start, end time.Time) (service.Collection, error) {
			return w.Collect(w.t.Context(), w.id, service.CollectRequest{Start: start, End: end})
		}
		w.at(1, 0, 30)
		w.leader.report(9)
		if _, err := collect(time.Time{}, time.Time{}); !isError[*service.NotReadyError](err) {
			t.Errorf("too few: %v", err)
		}
		w.leader.report(5)
		if _, err := collect(time.Time{}, time.Time{}); !isError[*service.NotReadyError](err) {
			t.Errorf("not over: %v", err)
		}
		w.at(1, 0, 45)
		c, err := collect(time.Time{}, time.Time{})
		if err != nil || c.State != service.CollectionIntended || !c.ByHand || !c.End.Equal(clock(1, 0, 45)) {
			t.Errorf("got %+v, %v", c, err)
		}
		w.at(1, 0, 46)
		if c, err = w.Collection(w.t.Context(), w.id, c.Number); err != nil || c.Result == nil || c.Result.ReportCount != 14 || c.State != service.CollectionDone {
			t.Errorf("got %+v, %v", c, err)
		}
		if _, err := collect(c.Start, clock(1, 0, 46)); !isError[*service.OverlapError](err) {
			t.Errorf("again: %v", err)
		}
		for _, bad := range [][2]time.Time{
			{clock(1, 0, 45), {}}, {clock(1, 0, 46), clock(1, 0, 46)}, {clock(1, 0, 50), clock(1, 0, 46)},
			{clock(1, 0, 45).Add(time.Second), clock(1, 0, 46)}, {clock(1, 0, 45), clock(1, 3, 0)},
		} {
			if _, err := collect(bad[0], bad[1]); !isError[*service.FieldError](err) {
				t.Errorf("%v: %v", bad, err)
			}
		}
		// Too few: the Leader waits, and so does the collection.
		if c, err = collect(clock(1, 0, 45), clock(1, 0, 46)); err != nil {
			t.Fatal(err)
		}
		w.at(1, 2, 0)
		if active := w.task().Active; len(active) != 1 || active[0].State != service.CollectionAsked {
			t.Errorf("active: %+v", active)
		}
		w.leader.reportAt(clock(1, 0, 45), 10)
		w.at(1, 2, 2)
		w.check(true)
		if len(w.results()) != 2 {
			t.Errorf("got %+v", w.results())
		}
	})
}

func isError[E error](err error) bool {
	for ; err != nil; err = unwrap(err) {
		if _, ok := err.(E); ok {
			return true
		}
	}
	return false
}

func unwrap(err error) error {
	if w, ok := err.(interface{ Unwrap() error }); ok {
		return w.Unwrap()
	}
	return nil
}

// Nothing is asked without a token, and all at once when it comes.
func TestToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, nil)
		defer w.close()
		other, err := w.CreateTask(t.Context(), service.Draft{
			Name: "without", Leader: "https://leader.example/", Helper: "https://helper.example/", VDAF: "count", MinBatchSize: 10,
			TimePrecision: time.Hour, Schedule: service.Schedule{Every: service.EveryHour},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.at(1, 5, 0)
		task, err := w.Task(t.Context(), other.ID)
		if err != nil || task.HasToken || task.Next.Waiting != service.WaitingForToken || task.Problem == "" {
			t.Errorf("got %+v, %v", task, err)
		}
		if _, err := w.Collect(t.Context(), other.ID, service.CollectRequest{}); !isErr(err, service.ErrNoToken) {
			t.Errorf("collect: %v", err)
		}
		if err := w.SetToken(t.Context(), other.ID, "two words"); !isError[*service.FieldError](err) {
			t.Errorf("a bad token: %v", err)
		}
	})
}

func isErr(err, want error) bool {
	for ; err != nil; err = unwrap(err) {
		if err == want {
			return true
		}
	}
	return false
}
