package client

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/dapclient"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/vdaf"
)

// Errors of requests, for errors.As.
type (
	// HTTPError is an answer with an error status. It unwraps to a *dap.Error if
	// the aggregator has named one of DAP's error types.
	HTTPError = dapclient.Error
	// NoAnswerError says that there was no complete answer, so that it is not known
	// whether the aggregator has acted.
	NoAnswerError = dapclient.NoAnswerError
	// AnswerError says that an answer is against the standard, or not proven to be
	// the aggregator's.
	AnswerError = dapclient.AnswerError
)

// Options are what an app may decide. The zero value is right for most.
type Options struct {
	// HTTP sends the requests. Nil makes one with the system's certificate roots
	// and a timeout.
	HTTP *http.Client
	// AllowPlain allows http endpoints that are not on this machine; DAP requires
	// https (DAP Section 3).
	AllowPlain bool
	// MaxReports and MaxBytes bound a request: 1,000 reports and 4 MiB if zero. A
	// single report may be longer than MaxBytes.
	MaxReports, MaxBytes int
	// Attempts is how often a request is sent at most: 8 times if zero.
	Attempts int
	// Workers is how many goroutines prepare reports: GOMAXPROCS if zero.
	Workers int
	// Progress, if not nil, is called by Upload after each request with the number
	// of measurements whose outcome is certain. Calls do not overlap.
	Progress func(done int)
	// Now is the clock for caching, and for whether the task has ended; nil is time.Now.
	Now func() time.Time
}

const (
	defaultMaxReports = 1000
	defaultMaxBytes   = 4 << 20
	defaultAttempts   = 8
)

func (o Options) withDefaults() Options {
	if o.HTTP == nil {
		o.HTTP = dapclient.NewHTTPClient()
	}
	if o.MaxReports <= 0 {
		o.MaxReports = defaultMaxReports
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Attempts <= 0 {
		o.Attempts = defaultAttempts
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Client uploads measurements of type M to one task. It is safe for concurrent
// use.
type Client[M any] struct {
	task    Task
	encoded []byte // the task configuration
	context []byte // the VDAF's application context
	vdaf    Sharder[M]
	check   func(M) string // nil: sharding itself finds out
	options Options
	http    *dapclient.Client

	leader, helper *daphttp.Endpoint
	sealers        sealerCache
	backoff        func(attempt int) time.Duration
	progressMu     sync.Mutex
}

// New returns a client for a task with one of DAP's VDAFs. M must be the type of
// its measurements: bool for Prio3Count, uint64 for Prio3Sum, []uint64 for
// Prio3SumVec, int (the bucket's index) for Prio3Histogram, []bool for
// Prio3MultihotCountVec. Nothing is sent yet.
func New[M any](task Task, options Options) (*Client[M], error) {
	sharder, err := sharderFor[M](task.Configuration)
	if err != nil {
		return nil, err
	}
	return NewWithVDAF(task, sharder, options)
}

// NewWithVDAF is New for a task with another VDAF, which must be the one that
// the task's configuration describes.
func NewWithVDAF[M any](task Task, sharder Sharder[M], options Options) (*Client[M], error) {
	encoded, err := task.encode()
	if err != nil {
		return nil, err
	}
	if id := uint32(task.Configuration.VdafType); sharder.ID() != id {
		return nil, &TaskError{fmt.Sprintf("its VDAF has the identifier 0x%08x; the given one has 0x%08x", id, sharder.ID())}
	}
	if sharder.Shares() != 2 || sharder.NonceSize() != len(dap.ReportID{}) {
		return nil, &TaskError{"the VDAF is not one for DAP: it must have 2 shares and a nonce of 16 bytes"}
	}
	c := &Client[M]{
		task: task, encoded: encoded, context: dap.VdafContext(task.ID), vdaf: sharder,
		check: checkerFor[M](task.Configuration), options: options.withDefaults(), backoff: backoff,
	}
	if c.leader, err = daphttp.ParseEndpoint(task.Configuration.LeaderAggregatorEndpoint, options.AllowPlain); err != nil {
		return nil, err
	}
	if c.helper, err = daphttp.ParseEndpoint(task.Configuration.HelperAggregatorEndpoint, options.AllowPlain); err != nil {
		return nil, err
	}
	c.http = &dapclient.Client{HTTP: c.options.HTTP, Now: c.options.Now}
	if task.Taskprov {
		if c.http.Taskprov, err = dap.FormatTaskprovHeader(encoded); err != nil {
			return nil, err
		}
		if err := c.checkEnd(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// checkEnd checks that the task has not ended: a Client must not begin to take
// part in a task of Taskprov that has (Taskprov Section 3.5).
func (c *Client[M]) checkEnd() error {
	interval, ok := c.task.Configuration.TaskInterval()
	now, err := c.task.Configuration.TimePrecision.TimeOf(c.options.Now())
	if !ok || err != nil || !interval.IsBefore(now) {
		return nil
	}
	end, err := interval.End()
	if err != nil {
		return &TaskError{err.Error()}
	}
	return &TaskError{fmt.Sprintf("it is over: it ended at %s, and takes no more reports", end.At(c.task.Configuration.TimePrecision).Format(time.RFC3339))}
}

// Task returns the client's task.
func (c *Client[M]) Task() Task { return c.task }

// Check finds out whether a measurement can be reported, without sending
// anything. Its error is a *vdaf.MeasurementError or a *TimeError. With a VDAF
// that is not one of DAP's only the time is checked.
func (c *Client[M]) Check(m Measurement[M]) error {
	if c.check != nil {
		if problem := c.check(m.Value); problem != "" {
			return &vdaf.MeasurementError{VDAF: c.task.Configuration.VdafType.String(), Problem: problem}
		}
	}
	_, err := c.timeOf(m.Time)
	return err
}

// timeOf truncates a time to the task's precision and checks it against the task
// interval.
func (c *Client[M]) timeOf(at time.Time) (dap.Time, error) {
	precision := c.task.Configuration.TimePrecision
	t, err := precision.TimeOf(at)
	if err != nil {
		return 0, &TimeError{err.Error()}
	}
	interval, ok := c.task.Configuration.TaskInterval()
	switch {
	case ok && interval.IsAfter(t):
		return 0, &TimeError{fmt.Sprintf("the task has not started at that time: it starts at %s", interval.Start.At(precision).Format(time.RFC3339))}
	case ok && interval.IsBefore(t):
		end, err := interval.End()
		if err != nil {
			return 0, &TimeError{err.Error()}
		}
		return 0, &TimeError{fmt.Sprintf("the task is over at that time: it ended at %s", end.At(precision).Format(time.RFC3339))}
	}
	return t, nil
}
