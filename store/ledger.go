package store

import (
	"context"
	"fmt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

// ledgerRecord is what a task with differential privacy has spent, under keyLedger; none before the first batch.
type ledgerRecord struct {
	// Batches is the number of records in bucketLedger.
	Batches uint64 `cbor:"1,keyasint"`
	// Assumed is how many more may have been collected before the store was restored from a copy.
	Assumed uint64 `cbor:"2,keyasint,omitempty"`
}

// chargeRecord is a batch that was charged, in bucketLedger. It is kept as long as the task, and longer than
// what is known of the batch otherwise.
type chargeRecord struct {
	Start     uint64 `cbor:"1,keyasint"` // of the batch interval
	Duration  uint64 `cbor:"2,keyasint"`
	BatchID   []byte `cbor:"3,keyasint"`
	Reports   uint64 `cbor:"4,keyasint"`
	ChargedAt int64  `cbor:"5,keyasint"`
}

func (sp *space) decodeCharge(key, encoded []byte) (batch aggregator.Batch, r chargeRecord, err error) {
	b := sp.sub(bucketLedger)
	if err := decodeRecord(encoded, &r); err != nil {
		return batch, r, b.damaged(key, "%v", err)
	}
	batch = aggregator.Batch{Mode: sp.mode, Interval: dap.Interval{Start: dap.Time(r.Start), Duration: dap.Duration(r.Duration)}}
	err = copyExactly("batch ID", batch.BatchID[:], r.BatchID)
	if err == nil && sp.mode == dap.BatchModeTimeInterval {
		err = batch.Interval.CheckWellFormed()
	}
	if err != nil || len(key) != 16 {
		return batch, r, b.damaged(key, "a key of %d bytes, %v", len(key), err)
	}
	return batch, r, nil
}

func (sp *space) ledger() (r ledgerRecord, err error) {
	encoded := sp.root.get([]byte(keyLedger))
	if encoded == nil {
		return r, nil
	}
	if err := decodeRecord(encoded, &r); err != nil {
		return r, sp.root.damaged([]byte(keyLedger), "%v", err)
	}
	return r, nil
}

func (r ledgerRecord) total() dp.Ledger {
	return aggregator.PrivacyLedger{Batches: r.Batches, Assumed: r.Assumed}.Spent()
}

// privacy returns the parameters of the task's differential privacy, and false if it has none.
func (sp *space) privacy() (dp.Parameters, bool, error) {
	tasks := sp.t.top(bucketTasks)
	var r taskRecord
	if err := decodeRecord(tasks.get(sp.task[:]), &r); err != nil {
		return dp.Parameters{}, false, tasks.damaged(sp.task[:], "%v", err)
	}
	config, err := dap.DecodeTaskConfiguration(r.EncodedConfig)
	if err != nil {
		return dp.Parameters{}, false, tasks.damaged(sp.task[:], "%v", err)
	}
	p, ok, err := taskprivacy.Parameters(config)
	if err != nil {
		return p, false, tasks.damaged(sp.task[:], "%v", err)
	}
	return p, ok, nil
}

// charge pays for a batch that becomes collected, in the transaction that makes it so. For a task without
// differential privacy it does nothing.
func (sp *space) charge(batch aggregator.Batch, owner [16]byte, reports uint64, at int64) error {
	p, ok, err := sp.privacy()
	if err != nil || !ok {
		return err
	}
	if err := p.CheckBatchSize(reports); err != nil {
		return notPrivate(err)
	}
	record, err := sp.ledger()
	if err != nil {
		return err
	}
	if _, err := record.total().Charge(p); err != nil {
		return notPrivate(err)
	}
	charges := sp.sub(bucketLedger)
	if charges.get(owner[:]) != nil {
		return charges.damaged(owner[:], "it is charged before its batch is collected")
	}
	record.Batches++
	return firstError(
		charges.put(owner[:], encodeRecord(chargeRecord{
			Start: uint64(batch.Interval.Start), Duration: uint64(batch.Interval.Duration), BatchID: batch.BatchID[:], Reports: reports, ChargedAt: at,
		})),
		sp.root.put([]byte(keyLedger), encodeRecord(record)),
	)
}

// notPrivate is aggregator.ErrPrivacy because of cause.
func notPrivate(cause error) error { return fmt.Errorf("store: %w: %w", aggregator.ErrPrivacy, cause) }

// PrivacyLedger implements aggregator.Store.
func (s *store) PrivacyLedger(ctx context.Context, task dap.TaskID) (ledger aggregator.PrivacyLedger, err error) {
	err = s.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		record, err := sp.ledger()
		ledger = aggregator.PrivacyLedger{Batches: record.Batches, Assumed: record.Assumed}
		return err
	})
	return ledger, err
}

// assumeSpent notes, in a store that was restored from a copy, that all batches of a task that its budget sufficed for may
// have been collected since the copy was made.
func (s *store) assumeSpent(ctx context.Context, task dap.TaskID) error {
	return s.update(ctx, 0, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		p, ok, err := sp.privacy()
		if err != nil || !ok {
			return err
		}
		return sp.assumeSpent(p)
	})
}

func (sp *space) assumeSpent(p dp.Parameters) error {
	record, err := sp.ledger()
	if err != nil {
		return err
	}
	// If it suffices for any number, the batches that may have been collected cost nothing more.
	affordable, unlimited := p.Affordable()
	if unlimited || affordable <= record.Batches {
		return nil
	}
	record.Assumed = affordable - record.Batches
	return sp.root.put([]byte(keyLedger), encodeRecord(record))
}

// assumeNewSpent is assumeSpent for a task that is added to a store that was restored: it may have been there before, unless it
// begins after all that the store does not know of.
func (sp *space) assumeNewSpent(config *dap.TaskConfiguration, floor dap.Time) error {
	p, ok, err := taskprivacy.Parameters(*config)
	if err != nil || !ok {
		return err
	}
	if interval, limited := config.TaskInterval(); limited && interval.Start >= floor {
		return nil
	}
	return sp.assumeSpent(p)
}

// addLedger is the step from version 3 to version 4: no task of version 3 has differential privacy, so that nothing is
// charged in any.
func addLedger(_ *store, sp *space, _ []byte) ([]byte, error) {
	sp.t.writes++
	_, err := sp.root.b.CreateBucketIfNotExists([]byte(bucketLedger))
	return nil, err
}
