package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
)

const (
	clientsOfATask = 3
	mostInRequest  = 6 // reports
	clientPause    = 250 * time.Millisecond
	// remembered is how many requests a client keeps, to send one of them again much later.
	remembered = 20
)

// uploader is one of a task's clients. It belongs to one goroutine.
type uploader struct {
	*task
	random *rand.Rand
	past   []upload
}

// upload is one request.
type upload struct {
	indices []int
	reports []dap.Report
}

// uploadAll has the task's clients upload until the task's time for it is over, it has
// no more measurements, or all uploads are to end.
func (t *task) uploadAll(ctx context.Context) {
	ctx, cancel := context.WithDeadline(ctx, t.stop)
	defer cancel()
	stopping := context.AfterFunc(t.uploading, cancel)
	defer stopping()
	var clients sync.WaitGroup
	for i := range clientsOfATask {
		u := &uploader{task: t, random: rand.New(rand.NewPCG(t.seed, t.purpose+uint64(i)))}
		clients.Go(func() { u.run(ctx) })
	}
	clients.Wait()
}

// run uploads a few reports at a time.
func (u *uploader) run(ctx context.Context) {
	for ctx.Err() == nil {
		request, ok := u.prepare(ctx)
		if !ok {
			return
		}
		if len(request.reports) > 0 {
			u.sendUntilAnswered(ctx, request)
			u.remember(request)
		}
		if u.random.IntN(10) == 0 && len(u.past) > 0 {
			u.retries.Add(1)
			u.send(ctx, u.past[u.random.IntN(len(u.past))])
		}
		_ = pause(ctx, between(u.random, 0, clientPause)) // the loop sees that ctx has ended
	}
}

func (u *uploader) remember(request upload) {
	if len(u.past) < remembered {
		u.past = append(u.past, request)
		return
	}
	u.past[u.random.IntN(remembered)] = request
}

// prepare makes the next request. It has no reports if none could be made, and is
// not ok if there are no more measurements.
func (u *uploader) prepare(ctx context.Context) (request upload, ok bool) {
	n := 1 + u.random.IntN(mostInRequest)
	end := int(u.next.Add(int64(n)))
	first := end - n
	if end = min(end, u.reserved); first >= end {
		return request, false
	}
	for index := first; index < end; index++ {
		at := time.Now().Add(-between(u.random, 0, 3*u.precision()))
		if at.Before(u.start) {
			at = u.start
		}
		if report, ok := u.make(ctx, index, at); ok {
			request.indices = append(request.indices, index)
			request.reports = append(request.reports, report)
		}
	}
	return request, true
}

// make makes a report, one in twelve of them spoiled. It fails if no HPKE configuration
// can be had; its index is then not used.
func (u *uploader) make(ctx context.Context, index int, at time.Time) (dap.Report, bool) {
	for range 5 {
		report, err := u.reporter.prepare(ctx, index, at)
		if err == nil {
			spoiled := u.random.IntN(12) == 0
			if spoiled {
				u.spoil(&report)
				u.tally.spoiled.Add(1)
			}
			u.ledger.add(index, entry{time: report.Metadata.Time, spoiled: spoiled})
			u.reports.Add(1)
			return report, true
		}
		if _, ok := errors.AsType[*client.TimeError](err); ok {
			return dap.Report{}, false // the task has ended in this moment
		}
		if ctx.Err() != nil {
			break
		}
		u.checkError("fetching the HPKE configurations", err)
		if pause(ctx, between(u.random, 50*time.Millisecond, time.Second)) != nil {
			return dap.Report{}, false
		}
	}
	return dap.Report{}, false
}

// spoil makes a report that must never be counted, as a cheating or broken client
// would.
func (u *uploader) spoil(r *dap.Report) {
	flip := func(b *[]byte) {
		*b = slices.Clone(*b)
		(*b)[u.random.IntN(len(*b))] ^= 1 << u.random.IntN(8)
	}
	switch u.random.IntN(3) {
	case 0:
		flip(&r.LeaderEncryptedInputShare.Payload)
	case 1:
		flip(&r.HelperEncryptedInputShare.Payload)
	default: // the shares are bound to the time that the client has sealed
		r.Metadata.Time++
	}
}

// sendUntilAnswered sends a request until each report has a definite answer; one time
// in eight it gives up after the first failure, and one in six it sends it twice at once.
func (u *uploader) sendUntilAnswered(ctx context.Context, request upload) {
	patient := u.random.IntN(8) != 0
	if u.random.IntN(6) == 0 {
		u.duplicates.Add(1)
		var other sync.WaitGroup
		other.Go(func() { u.send(ctx, request) })
		defer other.Wait()
	}
	for !u.send(ctx, request) && patient && ctx.Err() == nil {
		u.retries.Add(1)
		if pause(ctx, between(u.random, 50*time.Millisecond, time.Second)) != nil {
			break
		}
	}
}

// send sends a request once, and tells whether there was a definite answer.
func (t *task) send(ctx context.Context, request upload) bool {
	t.requests.Add(1)
	t.ledger.begin(request.indices)
	outcomes, err := t.reporter.upload(ctx, request.reports)
	if err != nil {
		t.lostRequests.Add(1)
		t.ledger.lost(request.indices)
		if ctx.Err() == nil {
			t.checkError("uploading", err)
		}
		return false
	}
	accepted, err := t.ledger.answered(request.indices, outcomes)
	if err != nil {
		t.fail(t.wrap(err))
	}
	t.tally.accepted.Add(int64(accepted))
	for _, outcome := range outcomes {
		if outcome.Status == client.StatusRejected && outcome.Reason != dap.ReportErrorReportReplayed {
			t.refused.Add(1)
		}
	}
	return true
}

// checkError fails the run for an error that no failure of the network or of a
// server explains.
func (t *task) checkError(doing string, err error) {
	if isTransient(err) {
		return
	}
	t.fail(t.wrap(fmt.Errorf("%s: %w", doing, err)))
}

// isTransient tells whether an error may pass by itself: there was no answer, or one
// that asks to try again later.
func isTransient(err error) bool {
	if _, ok := errors.AsType[*client.NoAnswerError](err); ok {
		return true
	}
	if answer, ok := errors.AsType[*client.HTTPError](err); ok {
		return answer.Temporary()
	}
	return false
}
