package main

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// testTask is a task of one role, as far as its store looks at it.
func testTask(t *testing.T, role dap.Role) aggregator.Task {
	t.Helper()
	vdafConfig, err := dap.Prio3CountConfig{}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	keypair, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	task := aggregator.Task{
		ID: dap.TaskID{1}, Role: role, VerifyKey: make([]byte, 32), CollectorHpkeConfig: keypair.Config, Taskprov: true, AddedAt: time.Unix(1, 0).UTC(),
		Config: dap.TaskConfiguration{
			TaskInfo: []byte("fill"), LeaderAggregatorEndpoint: "https://leader.example/", HelperAggregatorEndpoint: "https://helper.example/",
			TimePrecision: 3600, MinBatchSize: 1, BatchMode: dap.BatchModeTimeInterval, VdafType: dap.VdafTypePrio3Count, VdafConfiguration: vdafConfig,
		},
	}
	if role == dap.RoleLeader {
		task.HelperToken, task.CollectorTokenHash = []byte("a token for the Helper"), [32]byte{1}
	} else {
		task.LeaderTokenHash = [32]byte{2}
	}
	if task.EncodedConfig, err = task.Config.Encode(); err != nil {
		t.Fatal(err)
	}
	return task
}

// TestFill: what is filled in is what the servers would have left, by the rules of the stores, and the same at both.
func TestFill(t *testing.T) {
	ctx, key := t.Context(), make([]byte, store.KeySize)
	options := store.Options{Create: true, NoSync: true}
	leader, err := store.OpenLeader(filepath.Join(t.TempDir(), "leader.db"), key, options)
	if err != nil {
		t.Fatal(err)
	}
	defer leader.Close()
	helper, err := store.OpenHelper(filepath.Join(t.TempDir(), "helper.db"), key, options)
	if err != nil {
		t.Fatal(err)
	}
	defer helper.Close()
	task := testTask(t, dap.RoleLeader)
	if err := leader.PutTask(ctx, task); err != nil {
		t.Fatal(err)
	}
	if err := helper.PutTask(ctx, testTask(t, dap.RoleHelper)); err != nil {
		t.Fatal(err)
	}
	f := &filler{leader: leader, helper: helper, random: rand.New(rand.NewPCG(1, 2)), say: func(string, ...any) {}}
	if err := f.counted(ctx, &task, 1000, func(i int) dap.Time { return dap.Time(100 + i/10) }); err != nil {
		t.Fatal(err)
	}
	real := []aggregator.UploadReport{{ID: dap.ReportID{1}, Time: 300, Body: make([]byte, 2000)}, {ID: dap.ReportID{2}, Time: 300, Body: make([]byte, 2000)}}
	if err := f.waiting(ctx, task.ID, real, 500); err != nil {
		t.Fatal(err)
	}
	counts, err := leader.Counts(ctx, task.ID)
	if err != nil || counts.Aggregated != 1000 || counts.Waiting != 500 || counts.InJobs != 0 {
		t.Errorf("the Leader counts %+v, %v", counts, err)
	}
	atHelper, err := helper.HelperCounts(ctx, task.ID)
	if err != nil || atHelper.Aggregated != 1000 {
		t.Errorf("the Helper counts %+v, %v", atHelper, err)
	}
	for role, s := range map[string]aggregator.Store{"leader": leader, "helper": helper} {
		if violations, err := s.Check(ctx); err != nil || len(violations) > 0 {
			t.Errorf("%s: %v, %v", role, violations, err)
		}
	}
	first, err := leader.WaitingReports(ctx, task.ID, 0, 3, 1<<20, nil)
	if err != nil || len(first) != 3 || first[0].ID != real[0].ID || first[1].ID != real[1].ID {
		t.Errorf("those that are real do not come first: %d, %v", len(first), err)
	}
}

func TestGrowthRatios(t *testing.T) {
	f := growthFigures{
		Empty: []report{{UploadsPerSecond: 100, EndToEndPerSecond: 30}, {UploadsPerSecond: 300, EndToEndPerSecond: 10}, {UploadsPerSecond: 200, EndToEndPerSecond: 20}},
		Grown: []report{{UploadsPerSecond: 100, EndToEndPerSecond: 10}, {UploadsPerSecond: 200, EndToEndPerSecond: 10}},
	}
	f.ratios()
	if f.UploadsRatio != 0.75 || f.EndToEndRatio != 0.5 {
		t.Errorf("got %v and %v", f.UploadsRatio, f.EndToEndRatio)
	}
}
