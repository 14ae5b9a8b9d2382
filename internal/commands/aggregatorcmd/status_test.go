package aggregatorcmd

import (
	"bytes"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/api"
)

// TestFailedBatches: batches whose collection has failed are listed under one heading, and without any there is none.
func TestFailedBatches(t *testing.T) {
	failed := api.OperatorFailedBatch{Batch: "AAAA", Reports: 100, Failures: 2, LastFailure: "batchMismatch", FailedAt: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)}
	for want, tasks := range map[string][]api.OperatorTask{
		"": {{Name: "delays"}},
		"\nFAILED BATCH\tTASK\tREPORTS\tFAILURES\tLAST\tREASON\n" +
			"AAAA\tdelays\t100\t2\t2026-03-01 12:30:00\tbatchMismatch\n" +
			"AAAA\tweights\t100\t2\t2026-03-01 12:30:00\tbatchMismatch\n": {
			{Name: "delays", FailedBatches: []api.OperatorFailedBatch{failed}}, {Name: "none"}, {Name: "weights", FailedBatches: []api.OperatorFailedBatch{failed}},
		},
	} {
		var b bytes.Buffer
		if printFailedBatches(&b, tasks); b.String() != want {
			t.Errorf("%q, want %q", b.String(), want)
		}
	}
}
