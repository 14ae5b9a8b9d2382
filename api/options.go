package api

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/internal/daphttp"
)

// Options configure NewLeaderHandler and NewHelperHandler. The zero value is usable.
type Options struct {
	// BasePath is the path of this aggregator's endpoint URL, percent-encoded as
	// it stands there; see BasePath, the function. Every resource lies below it. Empty: the
	// endpoint has no path.
	BasePath string
	// HpkeConfigMaxAge is how long clients may cache the HPKE configurations
	// (DAP Section 4.4.1). Retired keys must open reports for at least twice
	// as long. Zero: 24 hours.
	HpkeConfigMaxAge time.Duration
	// Limits bound what requests can take. Fields that are zero have defaults.
	Limits Limits
	// Logger takes one line a request. Nil: slog.Default().
	Logger *slog.Logger
	// Metrics, if not nil, takes the counts and durations of requests by route.
	Metrics prometheus.Registerer
}

// Limits bound what requests can take of the server. A field that is zero has
// the default in its comment.
//
// What does not fit is refused at once, and before its body is read if its
// declared length tells. The bytes in flight are those of the buffers that
// bodies are read into; a buffer grows with what arrives, a quarter more is in use while
// it does, and it counts until the request is answered. A request takes its place among those that
// are worked on when its body is there, so that slow senders hold no places.
//
// Places and bytes are shared between tasks: one task alone gets two thirds of
// them, so that a request of another task finds room. A single request within the limits is never
// refused by an idle server.
type Limits struct {
	// Greatest length of a request's body, in bytes. Longer: 413.
	UploadBytes         int64 // UploadRequest: 32 MiB
	AggregationJobBytes int64 // AggregationJobInitReq, AggregationJobContinueReq: 64 MiB
	CollectionJobBytes  int64 // CollectionJobReq, AggregateShareReq: 1 MiB

	// Greatest number of requests of any kind at once, those whose body arrives among
	// them: 4096. More: 503 with Retry-After.
	Requests int
	// Greatest number of requests that are worked on at once. More: 503 with Retry-After.
	Uploads         int // 256
	AggregationJobs int // requests about aggregation jobs: 32
	CollectionJobs  int // requests about collection jobs and aggregate shares: 64

	// Greatest number of bytes of bodies in memory at once. More: 503 with Retry-After.
	UploadBytesInFlight         int64 // 128 MiB
	AggregationJobBytesInFlight int64 // 256 MiB
	CollectionJobBytesInFlight  int64 // 4 MiB

	// BodyTimeout is how long a request's body may take to arrive: 20 seconds, and a
	// second more for every BodyBytesPerSecond bytes that have arrived: 32 KiB. Later: 408.
	BodyTimeout        time.Duration
	BodyBytesPerSecond int64
	// UploadTimeout is how long an upload may wait to be stored once it has
	// arrived: 30 seconds. Longer: 503 with Retry-After.
	UploadTimeout time.Duration
	// WriteTimeout is how long the answer may take to leave: 2 minutes.
	WriteTimeout time.Duration
	// RetryAfter is the polling interval that is suggested when the engine
	// suggests none, and when the server is busy: 1 second.
	RetryAfter time.Duration
}

func (o Options) withDefaults() Options {
	setDefault(&o.HpkeConfigMaxAge, 24*time.Hour)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	l := &o.Limits
	setDefault(&l.UploadBytes, 32<<20)
	setDefault(&l.AggregationJobBytes, 64<<20)
	setDefault(&l.CollectionJobBytes, 1<<20)
	setDefault(&l.Requests, 4096)
	setDefault(&l.Uploads, 256)
	setDefault(&l.AggregationJobs, 32)
	setDefault(&l.CollectionJobs, 64)
	// At least one request of the greatest length fits, plus the byte by which its end is noticed.
	setDefault(&l.UploadBytesInFlight, max(128<<20, l.UploadBytes+1))
	setDefault(&l.AggregationJobBytesInFlight, max(256<<20, l.AggregationJobBytes+1))
	setDefault(&l.CollectionJobBytesInFlight, max(4<<20, l.CollectionJobBytes+1))
	setDefault(&l.BodyTimeout, 20*time.Second)
	setDefault(&l.BodyBytesPerSecond, 32<<10)
	setDefault(&l.UploadTimeout, 30*time.Second)
	setDefault(&l.WriteTimeout, 2*time.Minute)
	setDefault(&l.RetryAfter, time.Second)
	return o
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// BasePath returns the path of an aggregator's endpoint URL, for
// Options.BasePath: "/api/dap" for "https://example.com/api/dap/". Plain http is allowed here: what stands before
// this server may speak TLS for it. The error is a *daphttp.EndpointError.
func BasePath(endpoint string) (string, error) {
	e, err := daphttp.ParseEndpoint(endpoint, true)
	if err != nil {
		return "", err
	}
	return e.Path(), nil
}
