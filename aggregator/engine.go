package aggregator

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fairshare"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// engine is what a Leader and a Helper have in common: tasks, keys, processors.
type engine struct {
	role     dap.Role
	store    Store
	vdaf     func(dap.TaskConfiguration) (*pingpong.Topology, error)
	now      func() time.Time
	log      *slog.Logger
	endpoint string
	skew     time.Duration
	drain    time.Duration

	retainer *retainer

	cpu       *processors
	bytes     *fairshare.Pool[dap.TaskID] // of the requests in progress
	jobMemory int64                       // for one aggregation job, at most
	maxReport int64                       // length of a report
	optIns    optInLimit
	keys      keyring
	tasks     taskTable
	noise     *noisePool
}

// init sets the engine up from its configuration, with the keys of the store.
func (e *engine) init(role dap.Role, store Store, c *Config) error {
	if c.VDAF == nil {
		return &ConfigError{Field: "VDAF", Problem: "missing; it makes the VDAF instances"}
	}
	e.role, e.store, e.vdaf, e.now, e.log = role, store, c.VDAF, c.Now, c.Logger
	e.endpoint, e.skew, e.drain = c.Endpoint, c.ClockSkew, c.DrainTimeout
	e.cpu = newProcessors(c.Workers, c.MaxBytesInVerification)
	e.bytes = fairshare.New[dap.TaskID](c.MaxBytesInProgress, nil)
	e.maxReport = c.MaxReportBytes
	e.jobMemory = c.MaxBytesInProgress // a Helper's; a Leader sets its own
	e.optIns = optInLimit{tasks: c.MaxAdvertisedTasks, perHour: float64(c.MaxAdvertisedTasksPerHour)}
	e.noise = newNoisePool(c.NoiseRandom)
	var err error
	if e.retainer, err = newRetainer(e, c); err != nil {
		return err
	}
	return e.ReloadKeys(context.Background())
}

// authorize compares a presented token with the stored hash in constant time. A
// zero hash authorizes nobody.
func authorize(token string, want [32]byte) error {
	got := sha256.Sum256([]byte(token))
	if want == ([32]byte{}) || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return ErrUnauthorized
	}
	return nil
}

// workContext returns the context of what Run has begun: it outlives ctx by
// the time that is given for draining.
func (e *engine) workContext(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(e.drain)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-work.Done():
		}
	})
	return work, func() { stop(); cancel() }
}

// AddPeering stores a peering, or replaces the one of that name.
func (e *engine) AddPeering(ctx context.Context, p Peering) error {
	return e.store.PutPeering(ctx, p)
}

// Peerings returns all peerings.
func (e *engine) Peerings(ctx context.Context) ([]Peering, error) { return e.store.Peerings(ctx) }

// Check looks for broken invariants in the store.
func (e *engine) Check(ctx context.Context) ([]Violation, error) { return e.store.Check(ctx) }
