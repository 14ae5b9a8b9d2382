package service_test

import (
	"context"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twofold-dap/twofold/collector/resultstore"
	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
)

type taskID = dap.TaskID

// keypair makes the Collector's key once.
var keypair = sync.OnceValue(func() dap.HpkeKeypair {
	k, err := dap.GenerateHpkeKeypair(5, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		panic(err)
	}
	return k
})

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// world is a service over a store in a file, with a fake Leader. It lives in a synctest bubble, whose clock begins
// at midnight, 2000-01-01 UTC.
type world struct {
	t      *testing.T
	leader *fakeLeader
	inner  *resultstore.Store
	store  *faultyStore
	*service.Service
	id taskID

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

func newWorld(t *testing.T, min uint64, draft func(*service.Draft)) *world {
	t.Helper()
	inner, err := resultstore.Open(filepath.Join(t.TempDir(), "collector.db"), make(secret.Bytes, 32), resultstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, leader: newFakeLeader(min), inner: inner}
	w.start(math.MaxInt, false)
	zero := time.Duration(0)
	d := service.Draft{
		Name: "test", Leader: "https://leader.example/", Helper: "https://helper.example/", VDAF: "count", MinBatchSize: min,
		TimePrecision: time.Minute, Schedule: service.Schedule{Every: service.EveryHour, Delay: &zero},
	}
	if draft != nil {
		draft(&d)
	}
	w.leader.selects, w.leader.precision = d.LeaderSelected, d.TimePrecision
	task, err := w.CreateTask(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	w.id = task.ID
	if err := w.SetToken(t.Context(), w.id, "token"); err != nil {
		t.Fatal(err)
	}
	return w
}

// start runs a service over what is stored. It crashes at the commit after so many.
func (w *world) start(commits int, after bool) {
	w.ctx, w.stop = context.WithCancel(context.Background())
	w.store = &faultyStore{Store: w.inner, left: commits, after: after, crash: w.stop}
	w.Service = service.New(w.store, service.Options{
		HpkeConfig: keypair().Config, Logger: quiet, ProgressInterval: time.Minute,
		Dial: func(service.StoredTask) (service.Leader, error) { return w.leader, nil },
	})
	w.running.Go(func() {
		if err := w.Run(w.ctx); err != nil {
			w.t.Error(err)
		}
	})
}

// restart ends the service, if it has not crashed, and starts it again.
func (w *world) restart(commits int, after bool) {
	w.stop()
	w.running.Wait()
	w.start(commits, after)
}

func (w *world) close() {
	w.stop()
	w.running.Wait()
	if err := w.inner.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) results() []service.Result {
	w.t.Helper()
	results, err := w.Results(w.t.Context(), w.id, service.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	return results
}

func (w *world) collections() []service.Collection {
	w.t.Helper()
	all, err := w.Collections(w.t.Context(), w.id, service.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) task() service.Task {
	w.t.Helper()
	task, err := w.Task(w.t.Context(), w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return task
}

// at sleeps until a time of the first days.
func (w *world) at(day, hour, minute int) {
	time.Sleep(time.Until(time.Date(2000, 1, day, hour, minute, 0, 0, time.UTC)))
	synctest.Wait()
}

// check checks what must hold at each moment: no bucket was asked for in two jobs, and what was given away is here
// as often as it was given: once.
func (w *world) check(settled bool) {
	w.t.Helper()
	w.leader.mu.Lock()
	defer w.leader.mu.Unlock()
	if !w.leader.selects {
		for i, a := range w.leader.asked {
			for _, b := range w.leader.asked[:i] {
				if a.Overlaps(b) {
					w.t.Errorf("asked for %v and for %v", b, a)
				}
			}
		}
	}
	var sum uint64
	all, err := w.inner.Collections(context.Background(), w.id, service.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range all {
		if c.Result != nil {
			sum += c.Result.ReportCount
		}
	}
	if sum > w.leader.given || settled && sum != w.leader.given {
		w.t.Errorf("the results have %d reports, the Leader has given %d", sum, w.leader.given)
	}
}

// bubble runs a test in a bubble with a world.
func bubble(t *testing.T, min uint64, draft func(*service.Draft), f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, min, draft)
		defer w.close()
		f(w)
	})
}

func clock(day, hour, minute int) time.Time {
	return time.Date(2000, 1, day, hour, minute, 0, 0, time.UTC)
}
