// Package storetest says what an implementation of aggregator.LeaderStore or
// aggregator.HelperStore must do: each sentence of the contract is a test here, and so are
// lost commits, crashes, and random operations compared with a simple model.
//
//	func TestContract(t *testing.T) {
//		storetest.RunLeader(t, func(t testing.TB) storetest.Fixture[aggregator.LeaderStore] { ... })
//	}
package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"time"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
	"github.com/twofold-dap/twofold/vdaf"
)

// Fixture is a store under test, empty when it is opened.
type Fixture[S aggregator.Store] struct {
	Store S
	// Reopen closes the store and opens what it has stored.
	Reopen func() S
	// Crash opens what would be there if the process had been killed at this
	// moment. The store itself is closed.
	Crash func() S
	// Fail makes every commit fail until it is called again: before it is durable, or after. NoFault ends it.
	Fail func(Fault)
}

// Fault is how a commit fails.
type Fault int

const (
	// NoFault: commits succeed.
	NoFault Fault = iota
	// FailBefore: nothing is written.
	FailBefore
	// FailAfter: all is written, but the caller is told that it failed.
	FailAfter
)

// share is the output share of the VDAF of these tests: a number to be added up.
type share struct {
	vdaf.Redacted
	value uint64
}

// OutShare makes an output share for Sums.
func OutShare(value uint64) vdaf.OutShare { return share{value: value} }

// Sums is the aggregator.Aggregator of these tests: an aggregate share is a sum modulo 2^64, in 8 bytes.
type Sums struct{}

var errShare = errors.New("storetest: not an aggregate share of this VDAF")

func (Sums) AggInit([]byte) []byte { return make([]byte, 8) }

func (Sums) AggUpdate(_, aggShare []byte, outShares []vdaf.OutShare) ([]byte, error) {
	if len(aggShare) != 8 {
		return nil, errShare
	}
	sum := binary.LittleEndian.Uint64(aggShare)
	for _, s := range outShares {
		value, ok := s.(share)
		if !ok {
			return nil, errShare
		}
		sum += value.value
	}
	return binary.LittleEndian.AppendUint64(nil, sum), nil
}

func (Sums) Merge(_ []byte, aggShares ...[]byte) ([]byte, error) {
	var sum uint64
	for _, s := range aggShares {
		if len(s) != 8 {
			return nil, errShare
		}
		sum += binary.LittleEndian.Uint64(s)
	}
	return binary.LittleEndian.AppendUint64(nil, sum), nil
}

// NewTask makes a task for tests, with an ID made of name.
func NewTask(role dap.Role, name string, mode dap.BatchMode) aggregator.Task {
	return newTask(role, name, mode, nil)
}

// What a task of NewPrivateTask allows.
const (
	PrivateBatches   = 2 // can be collected
	PrivateBatchSize = 6 // reports at most in each
)

// NewPrivateTask is NewTask for a task with differential privacy.
func NewPrivateTask(role dap.Role, name string, mode dap.BatchMode) aggregator.Task {
	extension, err := taskprivacy.Extension(dp.Parameters{
		Kind: dp.PureEpsilon, Neighbours: dp.ReplaceOne, Level: big.NewRat(1, 3), Budget: big.NewRat(PrivateBatches, 3),
		ReportsPerClient: 100, ReportsPerBatch: 1, MaxBatchSize: PrivateBatchSize,
	})
	if err != nil {
		panic(err)
	}
	return newTask(role, name, mode, []dap.TaskExtension{extension})
}

func newTask(role dap.Role, name string, mode dap.BatchMode, extensions []dap.TaskExtension) aggregator.Task {
	task := aggregator.Task{
		Role: role,
		Config: dap.TaskConfiguration{
			TaskInfo:                 []byte(name),
			LeaderAggregatorEndpoint: "https://leader.example/",
			HelperAggregatorEndpoint: "https://helper.example/",
			TimePrecision:            3600,
			MinBatchSize:             1,
			BatchMode:                mode,
			VdafType:                 dap.VdafTypePrio3Count,
			Extensions:               extensions,
		},
		VerifyKey:           []byte("the verification key of " + name),
		VerifyKeyID:         7,
		CollectorHpkeConfig: collectorConfig,
		Taskprov:            true,
		Name:                name,
		AddedAt:             time.Unix(1_700_000_000, 5).UTC(),
	}
	copy(task.ID[:], name)
	if role == dap.RoleLeader {
		task.HelperToken = []byte("the token for the Helper of " + name)
		task.CollectorTokenHash[0] = 1
	} else {
		task.LeaderTokenHash[0] = 2
	}
	var err error
	if task.EncodedConfig, err = task.Config.Encode(); err != nil {
		panic(err)
	}
	return task
}

var collectorConfig = newKey(200).Keypair.Config

func newKey(id dap.HpkeConfigID) aggregator.HpkeKey {
	keypair, err := dap.GenerateHpkeKeypair(id, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		panic(err)
	}
	return aggregator.HpkeKey{Keypair: keypair, CreatedAt: time.Unix(1_700_000_000, 0).UTC()}
}

func reportID(n int) (id dap.ReportID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

// upload makes a report with a body of its own.
func upload(n int, t dap.Time) aggregator.UploadReport {
	return aggregator.UploadReport{ID: reportID(n), Time: t, Body: fmt.Appendf(nil, "the body of report %d", n)}
}

func interval(start, end dap.Time) *dap.Interval {
	return &dap.Interval{Start: start, Duration: dap.Duration(end - start)}
}

func timeBatch(start, end dap.Time) aggregator.Batch {
	return aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: *interval(start, end)}
}

func idBatch(id dap.BatchID) aggregator.Batch {
	return aggregator.Batch{Mode: dap.BatchModeLeaderSelected, BatchID: id}
}

func batchID(n byte) dap.BatchID { return dap.BatchID{0: n, 31: n} }

// tester has what the tests say often. It is of a test or of one run of rapid's.
type tester struct {
	testingT
}

type testingT interface {
	rapid.TB
	Context() context.Context
}

func (t tester) ok(err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func (t tester) is(err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// fails expects an error of no particular kind.
func (t tester) fails(err error) {
	t.Helper()
	if err == nil {
		t.Fatal("there was no error")
	}
}

func equal[T comparable](t tester, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// clean expects that Check finds nothing.
func clean(t tester, s aggregator.Store) {
	t.Helper()
	violations, err := s.Check(t.Context())
	t.ok(err)
	for _, v := range violations {
		t.Errorf("%s: %s", v.Invariant, v.Detail)
	}
	if len(violations) > 0 {
		t.FailNow()
	}
}

// sumOf reads an aggregate share.
func sumOf(a aggregator.Aggregate) uint64 {
	if len(a.Share) != 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(a.Share)
}
