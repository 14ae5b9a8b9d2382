package aggregator_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// ctx is for requests that nobody cancels.
var ctx = context.Background()

func at(t dap.Time) func(*draft) { return func(d *draft) { d.metadata.Time = t } }

func withID(id dap.ReportID) func(*draft) { return func(d *draft) { d.metadata.ReportID = id } }

func public(extensions ...dap.Extension) func(*draft) {
	return func(d *draft) { d.metadata.PublicExtensions = extensions }
}

func after(f func(*dap.Report)) func(*draft) { return func(d *draft) { d.after = f } }

// wantRefused checks the outcome of an upload: one error for each report, 0 if accepted.
func (w *world) wantRefused(reports []dap.Report, want ...dap.ReportError) {
	w.Helper()
	got := w.upload(reports...)
	for i, e := range want {
		switch {
		case e == 0:
		case len(got) == 0:
			w.Errorf("report %d was accepted, want %s", i, e)
		default:
			if got[0].ID != reports[i].Metadata.ReportID || got[0].Error != e {
				w.Errorf("report %d: the next error is %s, want %s for it", i, got[0].Error, e)
			}
			got = got[1:]
		}
	}
	for _, g := range got {
		w.Errorf("another report was refused with %s", g.Error)
	}
}

func TestUploadRefusals(t *testing.T) {
	// The task is a day long, and 2 hours old.
	start := dap.Time(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).Unix() / 3600)
	w := newWorld(t, settings{interval: &dap.Interval{Start: start, Duration: 24}})
	unknown := dap.Extension{Type: 23}
	good := w.report(1)
	w.wantRefused([]dap.Report{
		good,
		w.report(2, after(func(r *dap.Report) { r.LeaderEncryptedInputShare.ConfigID++ })),
		w.report(3, at(start-1)),
		w.report(4, at(w.now()+1)),
		w.report(5, at(start+24)),
		w.report(6, at(math.MaxUint64)),
		w.report(7, public(unknown)),
		w.report(8, public(unknown, unknown)),
		w.report(9, public(dap.Extension{Type: 42}, unknown)),
		good,
		w.report(10),
		w.report(11, withID(good.Metadata.ReportID), at(start)),
		w.report(12, at(start)),
	},
		0,
		dap.ReportErrorOutdatedConfig,
		dap.ReportErrorReportDropped,
		dap.ReportErrorReportTooEarly,
		dap.ReportErrorReportDropped,
		dap.ReportErrorReportDropped,
		dap.ReportErrorInvalidMessage,
		dap.ReportErrorInvalidMessage,
		dap.ReportErrorInvalidMessage,
		dap.ReportErrorReportReplayed,
		0,
		dap.ReportErrorReportReplayed,
		0,
	)
	got := w.collect(w.query(&dap.Interval{Start: start, Duration: 24}, nil))
	w.wantResult(got, 3, 1+10+12)

	w.wantRefused([]dap.Report{w.report(13), good}, dap.ReportErrorBatchCollected, dap.ReportErrorReportReplayed)
}

func TestUploadClockSkew(t *testing.T) {
	w := newWorld(t, settings{})
	w.clock.advance(24 * time.Minute) // 12:54
	next := w.now() + 1
	w.wantRefused([]dap.Report{w.report(1, at(next))}, dap.ReportErrorReportTooEarly)
	w.clock.advance(2 * time.Minute) // 12:56: within the 5 minutes
	w.uploadAll(w.report(2, at(next)))
}

func TestUploadAfterTheTask(t *testing.T) {
	start := dap.Time(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Unix() / 3600)
	interval := &dap.Interval{Start: start, Duration: 2}
	w := newWorld(t, settings{interval: interval, minBatch: 2})
	w.stopRunning()
	inTime := w.report(1)
	w.uploadAll(inTime)
	w.clock.advance(93 * time.Minute) // 14:03: over, but for the clients' clocks
	w.uploadAll(w.report(2, at(start+1)))
	w.clock.advance(3 * time.Minute) // 14:06
	w.wantRefused([]dap.Report{w.report(3, at(start)), w.report(4, at(start+1)), w.report(5)},
		dap.ReportErrorTaskExpired, dap.ReportErrorTaskExpired, dap.ReportErrorReportDropped)
	// What was accepted is aggregated all the same.
	w.runLeader()
	w.wantResult(w.collect(w.query(interval, nil)), 2, 3)
}

func TestUploadBeforeTheTask(t *testing.T) {
	start := dap.Time(time.Date(2026, 3, 1, 14, 0, 0, 0, time.UTC).Unix() / 3600)
	w := newWorld(t, settings{interval: &dap.Interval{Start: start, Duration: 2}})
	w.wantRefused([]dap.Report{w.report(1), w.report(2, at(start))}, dap.ReportErrorReportDropped, dap.ReportErrorReportTooEarly)
}

func TestUploadMalformed(t *testing.T) {
	w := newWorld(t, settings{minBatch: 1})
	good, _ := w.reports(3)
	body, err := dap.UploadRequest{Reports: good}.Encode()
	w.ok(err)
	one, err := good[0].Encode()
	w.ok(err)
	for n := range len(body) {
		if n%len(one) == 0 {
			continue // a shorter request
		}
		_, err := w.leader.Upload(ctx, w.id, body[:n])
		w.wantError("truncated", err, dap.ErrorTypeInvalidMessage)
	}
	_, err = w.leader.Upload(ctx, w.id, append(body[:len(body):len(body)], 0))
	w.wantError("trailing garbage", err, dap.ErrorTypeInvalidMessage)
	if c := w.counts(); c.Waiting+c.InJobs+c.Aggregated != 0 {
		t.Errorf("something of a malformed request was accepted: %+v", c)
	}
	if refused := w.upload(); len(refused) != 0 {
		t.Error("an upload without reports is refused")
	}
	w.uploadAll(good...)
}

func TestUploadUnknownTask(t *testing.T) {
	w := newWorld(t, settings{})
	_, err := w.leader.Upload(ctx, dap.NewTaskID(), nil)
	e, ok := errors.AsType[*dap.Error](err)
	if !ok || e.Type != dap.ErrorTypeUnrecognizedTask {
		t.Errorf("%v", err)
	}
}

func TestUploadTwiceCountsOnce(t *testing.T) {
	w := newWorld(t, settings{minBatch: 4})
	reports, sum := w.reports(4)
	w.uploadAll(reports...)
	replayed := dap.ReportErrorReportReplayed
	w.wantRefused(reports, replayed, replayed, replayed, replayed)
	w.wantResult(w.collect(w.thisHour()), 4, sum)
	w.wantRefused(reports[:1], replayed)
}

func TestUploadBusy(t *testing.T) {
	block, reached := make(chan struct{}), make(chan struct{}, 1)
	w := newWorld(t, settings{leader: func(c *aggregator.LeaderConfig) {
		c.MaxBytesInProgress = 100
		c.Store = &slowUploads{LeaderStore: c.Store, block: block, reached: reached}
	}})
	first, err := w.report(1).Encode()
	w.ok(err)
	second, err := w.report(2).Encode()
	w.ok(err)
	done := make(chan error)
	go func() {
		_, err := w.leader.Upload(ctx, w.id, first) // larger than the limit, but alone
		done <- err
	}()
	<-reached
	if _, err := w.leader.Upload(ctx, w.id, second); !errors.Is(err, aggregator.ErrBusy) {
		t.Errorf("a request over the limit: %v", err)
	}
	close(block)
	w.ok(<-done)
	if _, err := w.leader.Upload(ctx, w.id, second); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// slowUploads is a store whose uploads wait.
type slowUploads struct {
	aggregator.LeaderStore
	block, reached chan struct{}
}

func (s *slowUploads) Upload(ctx context.Context, task dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error) {
	select {
	case s.reached <- struct{}{}:
	default:
	}
	<-s.block
	return s.LeaderStore.Upload(ctx, task, reports)
}

func TestLateUpload(t *testing.T) {
	w := newWorld(t, settings{})
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.clock.advance(time.Hour)
	w.wantResult(w.collect(w.query(&dap.Interval{Start: w.now() - 1, Duration: 1}, nil)), 3, sum)
	w.wantRefused([]dap.Report{w.report(1, at(w.now()-1)), w.report(2)}, dap.ReportErrorBatchCollected, 0)
}

// TestUploadUnconfirmed: reports whose upload has failed, though they were stored, are
// aggregated like all others.
func TestUploadUnconfirmed(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		t.Run(mode.String(), func(t *testing.T) {
			w := newWorld(t, settings{mode: mode, minBatch: 3, keepQuiet: true})
			var once atomic.Bool
			w.leaderHook.set(func(stage store.CommitStage) error {
				if stage == store.AfterCommit && once.CompareAndSwap(false, true) {
					return errors.New("the disk does not confirm")
				}
				return nil
			})
			reports, _ := w.reports(3)
			body, err := dap.UploadRequest{Reports: reports}.Encode()
			w.ok(err)
			if _, err := w.leader.Upload(ctx, w.id, body); !errors.Is(err, aggregator.ErrUnavailable) {
				t.Fatalf("the upload: %v", err)
			}
			w.eventually("the reports are counted", func() bool { return w.counts().Aggregated == 3 })
		})
	}
}
