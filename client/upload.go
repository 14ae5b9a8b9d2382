package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/dapclient"
)

// Status is what became of a report.
type Status int

const (
	// StatusUnknown: it is not known that the Leader has accepted the report. It was
	// not sent, or there was no answer.
	StatusUnknown Status = iota
	// StatusUploaded: the Leader has accepted the report, and will not lose it.
	StatusUploaded
	// StatusRejected: the Leader has refused the report.
	StatusRejected
)

// String returns "unknown", "uploaded" or "rejected".
func (s Status) String() string {
	switch s {
	case StatusUploaded:
		return "uploaded"
	case StatusRejected:
		return "rejected"
	}
	return "unknown"
}

// Outcome says what became of a report.
type Outcome struct {
	ReportID dap.ReportID
	Status   Status
	// Reason is why the Leader has refused the report; zero otherwise.
	Reason dap.ReportError
}

const maxUploadErrors = 64 << 20 // far more than any request has reports

// UploadReports sends reports to the Leader, as many in each request as the
// options allow, and returns the outcome of each, in order. Requests that got no
// answer, or one that asks to try again later, are sent again with the same
// bytes; that the Leader then calls a report replayed means that it had
// accepted it before. On an error the outcomes tell which reports got through.
func (c *Client[M]) UploadReports(ctx context.Context, reports ...dap.Report) ([]Outcome, error) {
	outcomes := make([]Outcome, len(reports))
	for i := range reports {
		outcomes[i].ReportID = reports[i].Metadata.ReportID
	}
	for start := 0; start < len(reports); {
		body, n, err := c.encodeSome(reports[start:])
		if err != nil {
			return outcomes, err
		}
		if err := c.uploadBody(ctx, body, reports[start:start+n], outcomes[start:start+n]); err != nil {
			return outcomes, err
		}
		start += n
	}
	return outcomes, nil
}

// encodeSome encodes as many of the reports as fit into one request, at least one.
func (c *Client[M]) encodeSome(reports []dap.Report) (body []byte, n int, err error) {
	size := 0
	for i := range reports[:min(len(reports), c.options.MaxReports)] {
		longer := size + reportSize(&reports[i])
		if i > 0 && longer > c.options.MaxBytes {
			break
		}
		size = longer
	}
	body = make([]byte, 0, size)
	for n < len(reports) && n < c.options.MaxReports {
		longer, err := reports[n].AppendTo(body)
		if err != nil {
			return nil, 0, err
		}
		if n > 0 && len(longer) > c.options.MaxBytes {
			break
		}
		body, n = longer, n+1
	}
	return body, n, nil
}

// uploadBody sends one request, or two halves of it if the Leader finds it too
// long.
func (c *Client[M]) uploadBody(ctx context.Context, body []byte, reports []dap.Report, outcomes []Outcome) error {
	response, retried, err := c.sendPatiently(ctx, dapclient.Request{
		Method: http.MethodPost, URL: c.leader.URL("tasks", c.task.ID.String(), "reports"),
		MediaType: dap.MediaTypeUploadRequest, Body: body, MaxAnswer: maxUploadErrors,
	})
	if isTooLong(err) && len(reports) > 1 {
		middle := len(reports) / 2
		for _, half := range [][2]int{{0, middle}, {middle, len(reports)}} {
			part := dap.UploadRequest{Reports: reports[half[0]:half[1]]}
			body, err := part.Encode()
			if err != nil {
				return err
			}
			if err := c.uploadBody(ctx, body, part.Reports, outcomes[half[0]:half[1]]); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	return readOutcomes(response, outcomes, retried)
}

// readOutcomes reads an answer into the outcomes of the request's reports, whose
// IDs are set. The failed ones stand in the answer in the request's order.
func readOutcomes(response dapclient.Response, outcomes []Outcome, retried bool) error {
	var failed dap.UploadErrors
	if len(response.Body) > 0 {
		if err := response.CheckMediaType(dap.MediaTypeUploadErrors); err != nil {
			return err
		}
		var err error
		if failed, err = dap.DecodeUploadErrors(response.Body); err != nil {
			return &AnswerError{Server: response.URL.Host, Problem: err.Error()}
		}
	}
	reasons := make([]dap.ReportError, len(outcomes))
	i := 0
	for _, status := range failed.Status {
		for i < len(outcomes) && outcomes[i].ReportID != status.ID {
			i++
		}
		if i == len(outcomes) {
			return &AnswerError{Server: response.URL.Host, Problem: fmt.Sprintf("it names the report %s, which is not in the request or is out of order", status.ID)}
		}
		reasons[i] = status.Error
		i++
	}
	for i, reason := range reasons {
		if reason == 0 || retried && reason == dap.ReportErrorReportReplayed {
			outcomes[i].Status = StatusUploaded
		} else {
			outcomes[i].Status, outcomes[i].Reason = StatusRejected, reason
		}
	}
	return nil
}

// sendPatiently sends a request until there is an answer that settles it, at
// most as often as the options say, and tells whether it was sent more than once.
func (c *Client[M]) sendPatiently(ctx context.Context, r dapclient.Request) (response dapclient.Response, retried bool, err error) {
	for attempt := 1; ; attempt++ {
		response, err = c.http.Do(ctx, r)
		if err == nil || !dapclient.IsTemporary(err) || attempt >= c.options.Attempts {
			return response, attempt > 1, err
		}
		if sleepErr := sleep(ctx, max(c.backoff(attempt), dapclient.RetryAfter(err))); sleepErr != nil {
			return response, attempt > 1, fmt.Errorf("%w (before that: %w)", sleepErr, err)
		}
	}
}

func isTooLong(err error) bool {
	answer, ok := asHTTPError(err)
	return ok && answer.Status == http.StatusRequestEntityTooLarge
}

// backoff is how long to wait after an attempt: it doubles from a quarter of a
// second up to 15 seconds, less a random part so that many clients spread out.
func backoff(attempt int) time.Duration {
	const first, longest = 250 * time.Millisecond, 15 * time.Second
	wait := longest
	if attempt < 7 {
		wait = min(first<<(attempt-1), longest)
	}
	return wait/2 + rand.N(wait/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
