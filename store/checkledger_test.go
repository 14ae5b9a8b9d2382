package store

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store/storetest"
)

// ledgerBreakages break what a task with differential privacy has spent: one batch of a Helper, by the share {1}.
var ledgerBreakages = []breakage{
	{"batch was not charged", false, func(b *breaker) {
		key, _ := b.sole(bucketLedger)
		b.delete(bucketLedger, key)
		b.ok(b.sp.root.delete([]byte(keyLedger)))
	}, ruleLedger, "was not charged", false},
	{"charge without its batch", false, func(b *breaker) {
		key, value := b.sole(bucketLedger)
		key[5]++
		b.put(bucketLedger, key, value)
		b.ok(b.sp.root.put([]byte(keyLedger), encodeRecord(ledgerRecord{Batches: 2})))
	}, ruleLedger, "was charged for a batch that it has not collected", false},
	{"ledger says too little", false, func(b *breaker) {
		b.ok(b.sp.root.put([]byte(keyLedger), encodeRecord(ledgerRecord{})))
	}, ruleLedger, "1 batches were charged, the ledger says 0", false},
	{"more was spent than there was", false, func(b *breaker) {
		b.ok(b.sp.root.put([]byte(keyLedger), encodeRecord(ledgerRecord{Batches: 1, Assumed: storetest.PrivateBatches})))
	}, ruleLedger, "a client has lost 1, and the budget is 2/3", false},
	{"charge does not decode", false, func(b *breaker) {
		key, value := b.sole(bucketLedger)
		b.put(bucketLedger, key, append(value, 0))
	}, ruleDecodes, "ledger/", false},
	{"ledger does not decode", false, func(b *breaker) {
		b.ok(b.sp.root.put([]byte(keyLedger), []byte{0xff}))
	}, ruleDecodes, "", false},
	{"charged without differential privacy", true, func(b *breaker) {
		b.put(bucketLedger, make([]byte, 16), encodeRecord(chargeRecord{Start: 1, Duration: 1, BatchID: make([]byte, 32)}))
	}, ruleLedger, "though it has no differential privacy", false},
}

func TestCheckFindsBrokenLedgers(t *testing.T) {
	for _, b := range ledgerBreakages {
		t.Run(b.name, func(t *testing.T) {
			h, err := OpenHelper(filepath.Join(t.TempDir(), "store.db"), checkKey, WithoutSync(Options{Create: true}))
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			collectPrivately(t, h)
			if violations, err := h.Check(t.Context()); err != nil || len(violations) > 0 {
				t.Fatalf("before it is broken: %v, %v", violations, err)
			}
			inTxn(t, &h.store, true, func(tx *txn) {
				task := storetest.NewPrivateTask(dap.RoleHelper, "private", dap.BatchModeTimeInterval)
				if b.selected {
					task = storetest.NewTask(dap.RoleHelper, "public", dap.BatchModeTimeInterval)
				}
				sp, err := tx.space(task.ID)
				if err != nil {
					t.Fatal(err)
				}
				b.do(&breaker{t, sp, dap.RoleHelper})
			})
			violations, err := h.Check(t.Context())
			if err != nil || !slices.ContainsFunc(violations, func(v aggregator.Violation) bool {
				return v.Invariant == b.rule && strings.Contains(v.Detail, b.detail)
			}) {
				t.Errorf("%v, %v; want %q with %q", violations, err, b.rule, b.detail)
			}
		})
	}
}

// collectPrivately makes two tasks, and collects a batch of one report of that with differential privacy.
func collectPrivately(t *testing.T, h *Helper) {
	t.Helper()
	ctx := t.Context()
	task := storetest.NewPrivateTask(dap.RoleHelper, "private", dap.BatchModeTimeInterval)
	for _, task := range []aggregator.Task{task, storetest.NewTask(dap.RoleHelper, "public", dap.BatchModeTimeInterval)} {
		if err := h.PutTask(ctx, task); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.CommitHelperStep(ctx, aggregator.HelperStep{
		Job:       aggregator.HelperJob{ID: dap.AggregationJobID{1}, Task: task.ID, CreatedAt: time.Unix(1, 0)},
		Responses: []dap.VerifyResp{{ReportID: dap.ReportID{1}, Type: dap.VerifyRespFinish}},
		Commits:   []aggregator.HelperCommit{{ID: dap.ReportID{1}, Time: 10, OutShare: storetest.OutShare(1)}},
	}, storetest.Sums{})
	if err != nil {
		t.Fatal(err)
	}
	batch := aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: dap.Interval{Start: 10, Duration: 1}}
	a, err := h.ReadBatch(ctx, task.ID, batch, storetest.Sums{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.PutAggregateShare(ctx, aggregator.AggregateShareRecord{
		ID: dap.AggregateShareID{1}, Task: task.ID, Batch: batch, Count: a.Count, Checksum: a.Checksum, Response: []byte("noised"), CreatedAt: time.Unix(2, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
}
