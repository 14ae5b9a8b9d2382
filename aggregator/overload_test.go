package aggregator_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// Tasks that are only advertised have a limit, and those that the operator approved do not count.
func TestTooManyAdvertisedTasks(t *testing.T) {
	limit := func(c *aggregator.Config) { c.MaxAdvertisedTasks = 2 }
	w := newWorld(t, settings{taskprov: true, keepQuiet: true,
		leader: func(c *aggregator.LeaderConfig) { limit(&c.Config) }, helper: func(c *aggregator.HelperConfig) { limit(&c.Config) }})
	w.pair(true, true)
	approved := w.task(dap.RoleLeader)
	approved.Taskprov = true
	approved.VerifyKey = make([]byte, len(approved.VerifyKey))
	w.ok(w.leader.AddTask(ctx, approved))
	advertise := func(size uint64) (leader, helper error) {
		config := w.config
		config.MinBatchSize = size
		encoded, err := config.Encode()
		w.ok(err)
		id := dap.TaskprovTaskID(encoded)
		return w.leader.OptIn(ctx, id, encoded), w.helper.OptIn(ctx, id, encoded, leaderToken)
	}
	for size := uint64(10); size < 12; size++ {
		leader, helper := advertise(size)
		w.ok(leader)
		w.ok(helper)
	}
	if leader, helper := advertise(12); !errors.Is(leader, aggregator.ErrBusy) || !errors.Is(helper, aggregator.ErrBusy) {
		t.Errorf("a third: %v, %v", leader, helper)
	}
	leader, helper := advertise(10) // is set up already
	w.ok(leader)
	w.ok(helper)
}

func TestAdvertisementsHaveARate(t *testing.T) {
	w := newWorld(t, settings{taskprov: true, leader: func(c *aggregator.LeaderConfig) { c.MaxAdvertisedTasksPerHour = 6 }})
	w.pair(true, true)
	bad := w.config
	bad.MinBatchSize = 1 // it is refused, and counts
	encoded, err := bad.Encode()
	w.ok(err)
	if got, _ := dap.ErrorTypeOf(w.leader.OptIn(ctx, dap.TaskprovTaskID(encoded), encoded)); got != dap.ErrorTypeInvalidTask {
		t.Errorf("too small a batch: %s", got)
	}
	if err := w.leader.OptIn(ctx, w.id, w.encoded); !errors.Is(err, aggregator.ErrBusy) {
		t.Errorf("the second: %v", err)
	}
	w.clock.advance(11 * time.Minute)
	w.ok(w.leader.OptIn(ctx, w.id, w.encoded))
}
