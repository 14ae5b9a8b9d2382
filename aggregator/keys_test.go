package aggregator_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

func TestHpkeKeys(t *testing.T) {
	w := newWorld(t, settings{})
	before := w.report(1)
	postQuantum := aggregator.HpkeSuite{KemID: dap.HpkeKemXWing, KdfID: dap.HpkeKdfHkdfSha256, AeadID: dap.HpkeAeadAes128Gcm}
	second, err := w.leader.AddHpkeKey(ctx, postQuantum, 5)
	w.ok(err)
	w.clock.advance(time.Minute)
	rotated, err := w.leader.RotateHpkeKey(ctx, aggregator.MandatorySuite)
	w.ok(err)
	old := w.leaderList.Configs[0]
	if rotated.ID == old.ID || second.ID == old.ID || rotated.ID == second.ID {
		t.Errorf("configuration IDs %d, %d and %d", old.ID, second.ID, rotated.ID)
	}
	check := func() {
		t.Helper()
		w.leaderList, err = w.leader.HpkeConfigList(ctx)
		w.ok(err)
		if c := w.leaderList.Configs; len(c) != 2 || c[0].ID != rotated.ID || c[1].ID != second.ID {
			t.Errorf("offered: %v", c)
		}
	}
	check()
	w.restartLeader()
	check()

	// The retired key still opens.
	after := w.report(2)
	w.leaderList.Configs = w.leaderList.Configs[1:]
	w.uploadAll(before, after, w.report(4))
	w.wantResult(w.collect(w.thisHour()), 3, 7)

	w.ok(w.leader.RetireHpkeKey(ctx, second.ID))
	w.ok(w.leader.RetireHpkeKey(ctx, second.ID))
	if err := w.leader.RetireHpkeKey(ctx, 200); !errors.Is(err, aggregator.ErrNotFound) {
		t.Errorf("retiring an unknown key: %v", err)
	}
	w.ok(w.leader.RetireHpkeKey(ctx, rotated.ID))
	if _, err := w.leader.HpkeConfigList(ctx); !errors.Is(err, aggregator.ErrNoHpkeKey) {
		t.Errorf("without keys: %v", err)
	}
	if _, err := w.leader.AddHpkeKey(ctx, aggregator.HpkeSuite{KemID: 1}, 0); !errors.Is(err, dap.ErrHpkeUnsupported) {
		t.Errorf("an unknown suite: %v", err)
	}
}

func TestConfigErrors(t *testing.T) {
	w := newWorld(t, settings{async: true})
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.wantResult(w.collect(w.thisHour()), 3, sum) // so both run
	for name, err := range map[string]error{
		"no store":    second(aggregator.NewLeader(aggregator.LeaderConfig{Peer: w.peer})),
		"no peer":     second(aggregator.NewLeader(aggregator.LeaderConfig{Store: w.leaderStore})),
		"no VDAF":     second(aggregator.NewLeader(aggregator.LeaderConfig{Store: w.leaderStore, Peer: w.peer})),
		"no store, h": second(aggregator.NewHelper(aggregator.HelperConfig{})),
		"two runs":    w.leader.Run(ctx),
		"two runs, h": w.helper.Run(ctx),
	} {
		if _, ok := errors.AsType[*aggregator.ConfigError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
