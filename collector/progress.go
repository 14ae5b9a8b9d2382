package collector

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/dapclient"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// ErrNoProgress: the Leader does not tell the progress of tasks. It is an addition to DAP, which Leaders of others need not know.
var ErrNoProgress = errors.New("the Leader does not tell the progress of tasks")

// Coarse is a number of reports in steps of the task's minimum batch size: at least AtLeast, and fewer than FewerThan.
type Coarse struct{ AtLeast, FewerThan uint64 }

// Progress is how far a task is, as its Leader tells (docs/divergences.md). What it tells is so coarse that it
// tells nothing about a person (docs/threat-model.md).
type Progress struct {
	MinBatchSize uint64
	// Waiting are uploaded and not verified yet; Aggregated are verified, and Collected are those of them in collected batches.
	Waiting, Aggregated, Collected Coarse
	// Rejected are those that count nowhere, by DAP's names of report errors (DAP Section 4.5.2).
	Rejected map[string]Coarse
	// Next is, of a time-interval task, the first interval with enough reports that is not collected; nil if none is ready.
	Next *NextInterval
	// ReadyBatches is, of a leader-selected task, how many batches are ready.
	ReadyBatches uint64
	// Buckets are time buckets that have reports and are not collected, in the order of time.
	Buckets []Bucket
	// More is where to go on, if there are more buckets; else zero.
	More time.Time
}

// NextInterval is an interval that is ready, with the smallest end there is.
type NextInterval struct {
	Start, End time.Time
	// FreeFrom and FreeUntil bound the time around it that is not collected. Zero: no bound.
	FreeFrom, FreeUntil time.Time
}

// Bucket is how far a time bucket is.
type Bucket struct {
	Start, End          time.Time
	Waiting, Aggregated Coarse
}

// Progress asks the Leader how far the task is. Its Buckets begin with that of the time from, and are at most 1,000. The error
// is ErrNoProgress if the Leader does not know the question.
func (c *Collector[R]) Progress(ctx context.Context, from time.Time) (Progress, error) {
	precision := c.task.Configuration.TimePrecision
	first, err := precision.TimeOf(from)
	if err != nil {
		return Progress{}, err
	}
	url := c.leader.URL("tasks", c.task.ID.String(), "progress") + "?from=" + strconv.FormatUint(uint64(first), 10)
	response, err := c.http.Do(ctx, dapclient.Request{Method: http.MethodGet, URL: url, MaxAnswer: daphttp.MaxProgressBytes})
	if answer, ok := asHTTPError(err); ok && answer.Problem == nil && (answer.Status == http.StatusNotFound || answer.Status == http.StatusMethodNotAllowed) {
		return Progress{}, ErrNoProgress
	}
	if err != nil {
		return Progress{}, err
	}
	document, err := daphttp.DecodeProgress(response.Header.Get("Content-Type"), response.Body)
	if err != nil {
		return Progress{}, &AnswerError{Server: response.URL.Host, Problem: err.Error()}
	}
	return newProgress(document, precision), nil
}

func newProgress(d daphttp.ProgressDocument, precision dap.TimePrecision) Progress {
	at := func(t uint64) time.Time { return dap.Time(t).At(precision) }
	p := Progress{
		MinBatchSize: d.MinBatchSize, Waiting: Coarse(d.Waiting), Aggregated: Coarse(d.Aggregated), Collected: Coarse(d.Collected),
		Rejected: make(map[string]Coarse, len(d.Rejected)), ReadyBatches: d.ReadyBatches,
	}
	for reason, count := range d.Rejected {
		p.Rejected[daphttp.CleanText(reason)] = Coarse(count)
	}
	for _, b := range d.Buckets {
		p.Buckets = append(p.Buckets, Bucket{Start: at(b.Time), End: at(b.Time + 1), Waiting: Coarse(b.Waiting), Aggregated: Coarse(b.Aggregated)})
	}
	if n := d.Next; n != nil {
		p.Next = &NextInterval{Start: at(n.Start), End: at(n.End)}
		if n.FreeFrom > 0 {
			p.Next.FreeFrom = at(n.FreeFrom)
		}
		if n.FreeUntil != nil {
			p.Next.FreeUntil = at(*n.FreeUntil)
		}
	}
	if d.MoreFrom != nil {
		p.More = at(*d.MoreFrom)
	}
	return p
}
