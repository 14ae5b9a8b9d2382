package simulation

import (
	"context"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// brokenLedger is a Leader's store that says that a task has spent something else.
type brokenLedger struct {
	aggregator.LeaderStore
	ledger aggregator.PrivacyLedger
}

func (b *brokenLedger) PrivacyLedger(context.Context, dap.TaskID) (aggregator.PrivacyLedger, error) {
	return b.ledger, nil
}

// forgetful is a Helper's store that stores nothing of the shares that it gives.
func forgetful(b *brokenHelper) {
	b.put = func(share aggregator.AggregateShareRecord) (aggregator.AggregateShareRecord, error) {
		return share, nil
	}
}

// unspent gives a restored side its whole budget back.
func unspent(_ side, path string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, NoSync: true})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		data := tx.Bucket([]byte("data"))
		name, _ := data.Cursor().First()
		return data.Bucket(name).Delete([]byte("spent"))
	})
	return errors.Join(err, db.Close())
}

func privacyBreakages() []breakage {
	privately := func(budget int) func() (config, []operation) {
		return func() (config, []operation) { return privateConfig(false, budget), privateLife() }
	}
	restored := func(s side) func() (config, []operation) {
		return func() (config, []operation) {
			_, operations := restoredLife(s, false)()
			return privateConfig(false, 3), operations
		}
	}
	noise := func(change func(s side, seed *[32]byte)) func() hooks {
		return func() hooks {
			return hooks{noise: func(s side, seed [32]byte) [32]byte { change(s, &seed); return seed }}
		}
	}
	return []breakage{
		{"a share has other noise than was drawn", invariantNoise, living(privately(anyNumber), noise(func(_ side, seed *[32]byte) { seed[31]++ }))},
		{"a Helper draws the same noise again when it is started", invariantNoise, living(privately(anyNumber), noise(func(s side, seed *[32]byte) {
			if s == helper {
				clear(seed[:8])
			}
		}))},
		{"a charge is lost", invariantLedger, living(privately(anyNumber), edited(func(data *bbolt.Bucket) error {
			charges := data.Bucket([]byte("ledger"))
			key, _ := charges.Cursor().First()
			return charges.Delete(key)
		}))},
		{"a Helper gives a share that is not charged", invariantLedger, living(privately(anyNumber), breakHelper(forgetful))},
		{"a collection fails for a budget that is not spent", invariantBudget, living(privately(8), func() hooks {
			return hooks{leaderStore: func(s aggregator.LeaderStore) aggregator.LeaderStore {
				return &brokenLedger{s, aggregator.PrivacyLedger{Batches: 8}}
			}}
		})},
		{"a restored Leader has its budget again", invariantBudget, living(restored(leader), func() hooks { return hooks{restored: unspent} })},
		{"a restored Helper has its budget again", invariantBudget, living(restored(helper), func() hooks { return hooks{restored: unspent} })},
	}
}
