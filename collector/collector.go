package collector

import (
	"fmt"
	"net/http"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/dapclient"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// Errors of requests, for errors.As.
type (
	// HTTPError is an answer with an error status. It unwraps to a *dap.Error if
	// the Leader has named one of DAP's error types.
	HTTPError = dapclient.Error
	// NoAnswerError says that there was no complete answer.
	NoAnswerError = dapclient.NoAnswerError
	// AnswerError says that an answer is against the standard, or not proven to be
	// the Leader's.
	AnswerError = dapclient.AnswerError
)

// Task is what a Collector knows of a task (DAP Section 4.2).
type Task struct {
	ID            dap.TaskID
	Configuration dap.TaskConfiguration
	// Taskprov says that the Collector advertises the configuration to the Leader
	// (Taskprov Section 3.9). The ID is then derived from the configuration.
	Taskprov bool
}

// TaskError says why no Collector can be made for a task.
type TaskError struct{ Problem string }

func (e *TaskError) Error() string { return "collector: task: " + e.Problem }

// Unsharder is what a Collector needs of a VDAF with aggregate results of type
// R. Every vdaf.VDAF[M, R] is one.
type Unsharder[R any] interface {
	ID() uint32
	Shares() int
	ValidAggParam(aggParam []byte, previous [][]byte) error
	AggInit(aggParam []byte) []byte
	Unshard(aggParam []byte, aggShares [][]byte, numMeasurements uint64) (R, error)
}

// Options are what a caller may decide. The zero value is right for most.
type Options struct {
	// HTTP sends the requests. Nil makes one with the system's certificate roots
	// and a timeout.
	HTTP *http.Client
	// AllowPlain allows an http endpoint that is not on this machine; DAP requires
	// https (DAP Section 3).
	AllowPlain bool
	// AggParam is the VDAF's aggregation parameter; empty for the Prio3 types.
	AggParam []byte
	// Waiting, if not nil, is called each time before Collect waits, with how long,
	// and the error that is the reason, nil if the batch is just not ready yet.
	Waiting func(wait time.Duration, reason error)
}

// Collector collects the aggregate results of type R of one task. It is safe for
// concurrent use.
type Collector[R any] struct {
	task    Task
	encoded []byte // the task configuration
	vdaf    Unsharder[R]
	// mechanism is nil unless the results have noise.
	mechanism *dp.Mechanism
	keypair   dap.HpkeKeypair
	options   Options
	http      *dapclient.Client
	leader    *daphttp.Endpoint
	backoff   func(attempt int) time.Duration
}

// New returns a Collector for a task with one of DAP's VDAFs. R must be the type
// of its aggregate results: uint64 for Prio3Count and Prio3Sum, []uint64 for
// Prio3SumVec, Prio3Histogram and Prio3MultihotCountVec. keypair is that of the
// Collector's HPKE configuration in the task; token is the bearer token that
// the Leader expects of the Collector.
func New[R any](task Task, keypair dap.HpkeKeypair, token string, options Options) (*Collector[R], error) {
	spec, err := vdafspec.FromConfiguration(task.Configuration)
	if err != nil {
		return nil, &TaskError{err.Error()}
	}
	instance, err := vdafspec.NewVDAF(spec.Config)
	if err != nil {
		return nil, &TaskError{err.Error()}
	}
	unsharder, ok := instance.(Unsharder[R])
	if !ok {
		var result R
		return nil, &TaskError{fmt.Sprintf("the aggregate result of %s is not of type %T; it is uint64 for Prio3Count and Prio3Sum, and []uint64 otherwise", task.Configuration.VdafType, result)}
	}
	return NewWithVDAF(task, unsharder, keypair, token, options)
}

// NewWithVDAF is New for a task with another VDAF, which must be the one that
// the task's configuration describes.
func NewWithVDAF[R any](task Task, vdaf Unsharder[R], keypair dap.HpkeKeypair, token string, options Options) (*Collector[R], error) {
	encoded, err := encodeTask(&task)
	if err != nil {
		return nil, err
	}
	if id := uint32(task.Configuration.VdafType); vdaf.ID() != id || vdaf.Shares() != 2 {
		return nil, &TaskError{fmt.Sprintf("its VDAF has the identifier 0x%08x and 2 shares; the given one has 0x%08x and %d", id, vdaf.ID(), vdaf.Shares())}
	}
	if err := vdaf.ValidAggParam(options.AggParam, nil); err != nil {
		return nil, err
	}
	if err := checkToken(token); err != nil {
		return nil, err
	}
	if options.HTTP == nil {
		options.HTTP = dapclient.NewHTTPClient()
	}
	mechanism, err := mechanismOf[R](task.Configuration)
	if err != nil {
		return nil, err
	}
	c := &Collector[R]{task: task, encoded: encoded, vdaf: vdaf, mechanism: mechanism, keypair: keypair, options: options, backoff: backoff}
	if c.leader, err = daphttp.ParseEndpoint(task.Configuration.LeaderAggregatorEndpoint, options.AllowPlain); err != nil {
		return nil, err
	}
	c.http = &dapclient.Client{HTTP: options.HTTP, Token: secret.Bytes(token)}
	if task.Taskprov {
		if c.http.Taskprov, err = dap.FormatTaskprovHeader(encoded); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// encodeTask checks a task and returns its encoded configuration.
func encodeTask(task *Task) ([]byte, error) {
	if err := task.Configuration.Validate(); err != nil {
		return nil, err
	}
	encoded, err := task.Configuration.Encode()
	if err != nil {
		return nil, err
	}
	if task.Taskprov && task.ID != dap.TaskprovTaskID(encoded) {
		return nil, &TaskError{"its ID does not belong to its configuration"}
	}
	return encoded, nil
}

// mechanismOf returns what adds noise to the task's results, nil if nothing does.
func mechanismOf[R any](config dap.TaskConfiguration) (*dp.Mechanism, error) {
	mechanism, err := taskprivacy.Mechanism(config)
	if err != nil {
		return nil, &TaskError{err.Error()}
	}
	if mechanism == nil {
		return nil, nil
	}
	return mechanism, checkNoisyType[R]()
}

// TokenError says that a token cannot be a bearer token (RFC 6750 Section 2.1).
// It does not hold the token.
type TokenError struct{ Problem string }

func (e *TokenError) Error() string { return "collector: token: " + e.Problem }

func checkToken(token string) error {
	if token == "" {
		return &TokenError{"missing; the Leader's operator has it"}
	}
	for _, r := range []byte(token) {
		if r <= ' ' || r >= 0x7f {
			return &TokenError{"has a character that no token has; copy it again, without spaces or line ends"}
		}
	}
	return nil
}

// Task returns the Collector's task.
func (c *Collector[R]) Task() Task { return c.task }

// IntervalQuery returns the query for all reports of the task with times from
// start up to but without end, which both must be multiples of the task's time
// precision (DAP Section 5.1.1). Its error is a *dap.TimeError.
func (c *Collector[R]) IntervalQuery(start, end time.Time) (dap.Query, error) {
	interval, err := c.task.Configuration.TimePrecision.IntervalOf(start, end)
	if err != nil {
		return dap.Query{}, err
	}
	if err := interval.CheckWellFormed(); err != nil {
		return dap.Query{}, err
	}
	return dap.NewTimeIntervalQuery(interval), nil
}

// NextQuery returns the query for the next batch that the Leader selects, in a
// task of the leader-selected batch mode (DAP Section 5.2.1). The query is always
// the same, and the Leader answers the same query with the same batch: delete
// the collection job to get the next.
func (c *Collector[R]) NextQuery() dap.Query { return dap.NewLeaderSelectedQuery() }
