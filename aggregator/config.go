package aggregator

import (
	"crypto/rand"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// Config is what both engines need. Zero values stand for the defaults.
type Config struct {
	// VDAF makes the VDAF instance of a task. Required.
	VDAF func(dap.TaskConfiguration) (*pingpong.Topology, error)
	// Now is the clock, time.Now by default.
	Now func() time.Time
	// Logger gets what operators want to know; by default nothing is logged.
	Logger *slog.Logger
	// Metrics is where the metrics are registered; nil registers none.
	Metrics prometheus.Registerer
	// Endpoint is this aggregator's own URL. If it is set, tasks must name exactly it.
	Endpoint string
	// ClockSkew is how far in the future a report's time may lie, 5 minutes by default.
	ClockSkew time.Duration
	// Workers bounds the processors that verification uses, GOMAXPROCS by default.
	Workers int
	// MaxBytesInProgress bounds the bytes of the requests that are worked on at the
	// same time, at a Helper with what their reports hold, 512 MiB by default; what
	// does not fit, or is more than a task's share, is refused with ErrBusy. A single
	// request is never too large.
	MaxBytesInProgress int64
	// MaxReportBytes is the length of a report that a Client can upload to a Leader, MaxBytesInProgress by
	// default. A task with longer ones is not added.
	MaxReportBytes int64
	// MaxBytesInVerification bounds the memory that verification works in, 256 MiB by
	// default. What does not fit waits, the tasks in turn.
	MaxBytesInVerification int64
	// MaxAdvertisedTasks bounds the tasks that were set up because they were advertised
	// (Taskprov Section 3.5) and have not ended, 1,000 by default; MaxAdvertisedTasksPerHour how
	// many more are looked at in an hour, 600 by default. Beyond, an advertisement is ErrBusy.
	MaxAdvertisedTasks, MaxAdvertisedTasksPerHour int
	// Retention says how long reports and answers are kept; for ever by default.
	Retention Retention
	// NoiseRandom gives the random bits of the noise in tasks with differential privacy, and is read by several
	// goroutines. By default, and in all but tests, it is crypto/rand's Reader: who knows the bits can take the noise off.
	NoiseRandom io.Reader
	// DrainTimeout is how long Run goes on with what it has begun when its
	// context ends, 10 seconds by default.
	DrainTimeout time.Duration
}

func (c *Config) setDefaults() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.NoiseRandom == nil {
		c.NoiseRandom = rand.Reader
	}
	setDefault(&c.ClockSkew, 5*time.Minute)
	setDefault(&c.Retention.Interval, time.Hour)
	setDefault(&c.Workers, runtime.GOMAXPROCS(0))
	setDefault(&c.MaxBytesInProgress, 512<<20)
	setDefault(&c.MaxReportBytes, c.MaxBytesInProgress)
	setDefault(&c.MaxBytesInVerification, 256<<20)
	setDefault(&c.MaxAdvertisedTasks, 1000)
	setDefault(&c.MaxAdvertisedTasksPerHour, 600)
	setDefault(&c.DrainTimeout, 10*time.Second)
}

// LeaderConfig configures a Leader.
type LeaderConfig struct {
	Config
	Store LeaderStore
	// Peer is how the Leader reaches the Helpers of its tasks.
	Peer Peer

	// MaxJobReports and MaxJobBytes bound an aggregation job: its reports (1,000 by
	// default) and the bytes of their bodies (8 MiB by default).
	MaxJobReports int
	MaxJobBytes   int
	// MaxJobsInFlight bounds each task's unfinished aggregation jobs, and, half of it added, all those
	// that hold memory at the same time; twice Workers, and at least 4, by default.
	MaxJobsInFlight int
	// MaxBytesInJobs bounds the memory of the aggregation jobs, 256 MiB by default, with a
	// quarter more for those that wait for the Helper and keep what they have computed. A
	// single job is never too large.
	MaxBytesInJobs int64
	// Linger is how long the first waiting report waits for others before a job is
	// made that is not full, 150 milliseconds by default.
	Linger time.Duration
	// MinBackoff and MaxBackoff bound the pause after a failure, 1 second and 5
	// minutes by default; SlowBackoff is the pause when the Helper's operator must
	// act first (the task is not approved yet), 1 minute by default.
	MinBackoff, MaxBackoff, SlowBackoff time.Duration
	// PollInterval is how long to wait for a Helper that has not said, 1 second
	// by default; a Helper's Retry-After counts up to MaxBackoff.
	PollInterval time.Duration
	// MaxCollections bounds the unfinished collection jobs, 1,000 by default.
	MaxCollections int
	// CollectionRetryAfter is what Collectors are told to wait, 1 second by default.
	CollectionRetryAfter time.Duration
}

func (c *LeaderConfig) setDefaults() {
	c.Config.setDefaults()
	setDefault(&c.MaxJobReports, 1000)
	setDefault(&c.MaxJobBytes, 8<<20)
	setDefault(&c.MaxJobsInFlight, max(4, 2*c.Workers))
	setDefault(&c.MaxBytesInJobs, 256<<20)
	setDefault(&c.Linger, 150*time.Millisecond)
	setDefault(&c.MinBackoff, time.Second)
	setDefault(&c.MaxBackoff, 5*time.Minute)
	setDefault(&c.SlowBackoff, time.Minute)
	setDefault(&c.PollInterval, time.Second)
	setDefault(&c.MaxCollections, 1000)
	setDefault(&c.CollectionRetryAfter, time.Second)
}

// HelperConfig configures a Helper.
type HelperConfig struct {
	Config
	Store HelperStore

	// Async defers every step of an aggregation job to Run; the Leader polls.
	Async bool
	// MaxPendingJobs bounds the steps that an asynchronous Helper has accepted and
	// not computed yet, 32 by default.
	MaxPendingJobs int
	// MaxJobsInProgress bounds the requests that are computed at the same
	// time, 8 times Workers by default.
	MaxJobsInProgress int
	// RetryAfter is what a Leader is told to wait, 1 second by default.
	RetryAfter time.Duration
}

func (c *HelperConfig) setDefaults() {
	c.Config.setDefaults()
	setDefault(&c.MaxPendingJobs, 32)
	setDefault(&c.MaxJobsInProgress, 8*c.Workers)
	setDefault(&c.RetryAfter, time.Second)
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
