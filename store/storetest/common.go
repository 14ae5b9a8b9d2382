package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// runCommon is what both roles' stores must do.
func runCommon[S aggregator.Store](t *testing.T, role dap.Role, open func(testing.TB) Fixture[S]) {
	for name, test := range map[string]func(tester, Fixture[S], dap.Role){
		"Tasks":            testTasks[S],
		"TasksDiffer":      testTasksDiffer[S],
		"HpkeKeys":         testHpkeKeys[S],
		"Peerings":         testPeerings[S],
		"UnknownTask":      testUnknownTask[S],
		"Floor":            testFloor[S],
		"EmptyBatch":       testEmptyBatch[S],
		"CancelledContext": testCancelledContext[S],
		"LostCommits":      testLostCommits[S],
		"CloseTwice":       testCloseTwice[S],
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			test(tester{t}, f, role)
		})
	}
}

func sameTask(a, b aggregator.Task) bool {
	a.Config, b.Config = dap.TaskConfiguration{}, dap.TaskConfiguration{} // decoded from the encoding
	return reflect.DeepEqual(a, b)
}

func testTasks[S aggregator.Store](t tester, f Fixture[S], role dap.Role) {
	ctx := t.Context()
	var tasks []aggregator.Task
	for _, name := range []string{"zebra", "aardvark", "monkey"} {
		task := NewTask(role, name, dap.BatchModeTimeInterval)
		tasks = append(tasks, task)
		t.ok(f.Store.PutTask(ctx, task))
	}
	for _, stage := range []string{"open", "reopened", "crashed"} {
		s := f.Store
		switch stage {
		case "reopened":
			s = f.Reopen()
		case "crashed":
			s = f.Crash()
		}
		all, err := s.Tasks(ctx)
		t.ok(err)
		equal(t, "tasks", len(all), len(tasks))
		for i := range tasks {
			got, err := s.Task(ctx, tasks[i].ID)
			t.ok(err)
			if !sameTask(got, tasks[i]) || !sameTask(all[i], tasks[i]) {
				t.Fatalf("%s: task %d is not what was stored, or not in its place", stage, i)
			}
			encoded, err := got.Config.Encode()
			t.ok(err)
			if !slices.Equal(encoded, tasks[i].EncodedConfig) {
				t.Fatalf("%s: the configuration is not that of its encoding", stage)
			}
		}
		clean(t, s)
		_, err = s.Task(ctx, dap.TaskID{1})
		t.is(err, aggregator.ErrNotFound)
	}
}

func testTasksDiffer[S aggregator.Store](t tester, f Fixture[S], role dap.Role) {
	ctx := t.Context()
	task := NewTask(role, "task", dap.BatchModeTimeInterval)
	t.ok(f.Store.PutTask(ctx, task))
	again := task
	again.AddedAt = again.AddedAt.Add(time.Hour)
	t.ok(f.Store.PutTask(ctx, again))
	for name, change := range map[string]func(*aggregator.Task){
		"configuration": func(task *aggregator.Task) {
			task.Config.MinBatchSize++
			task.EncodedConfig, _ = task.Config.Encode()
		},
		"verification key":    func(task *aggregator.Task) { task.VerifyKey = []byte("another") },
		"verification key ID": func(task *aggregator.Task) { task.VerifyKeyID++ },
		"token":               func(task *aggregator.Task) { task.HelperToken = []byte("another") },
		"Leader's token":      func(task *aggregator.Task) { task.LeaderTokenHash[31]++ },
		"Collector's token":   func(task *aggregator.Task) { task.CollectorTokenHash[31]++ },
		"Collector's key":     func(task *aggregator.Task) { task.CollectorHpkeConfig = newKey(1).Keypair.Config },
		"Taskprov":            func(task *aggregator.Task) { task.Taskprov = !task.Taskprov },
	} {
		other := task
		change(&other)
		if err := f.Store.PutTask(ctx, other); !errors.Is(err, aggregator.ErrExists) {
			t.Errorf("another %s: got %v, want ErrExists", name, err)
		}
	}
	got, err := f.Store.Task(ctx, task.ID)
	t.ok(err)
	if !sameTask(got, task) {
		t.Fatal("the first task did not stay as it was")
	}
	inconsistent := NewTask(role, "other", dap.BatchModeTimeInterval)
	inconsistent.Config.MinBatchSize++
	t.fails(f.Store.PutTask(ctx, inconsistent))
	foreign := NewTask(dap.RoleLeader+dap.RoleHelper-role, "other", dap.BatchModeTimeInterval)
	t.fails(f.Store.PutTask(ctx, foreign))
	_, err = f.Store.Task(ctx, foreign.ID)
	t.is(err, aggregator.ErrNotFound)
}

func testHpkeKeys[S aggregator.Store](t tester, f Fixture[S], _ dap.Role) {
	ctx := t.Context()
	first, second, third := newKey(9), newKey(4), newKey(5)
	first.Preference, second.Preference, third.Preference = 1, 2, 1
	for _, key := range []aggregator.HpkeKey{first, second, third} {
		t.ok(f.Store.PutHpkeKey(ctx, key))
	}
	other := newKey(4)
	t.is(f.Store.PutHpkeKey(ctx, other), aggregator.ErrExists)
	second.Preference, second.RetiredAt = 0, time.Unix(1_800_000_000, 0).UTC()
	t.ok(f.Store.PutHpkeKey(ctx, second))
	for _, reopen := range []bool{false, true} {
		s := f.Store
		if reopen {
			s = f.Reopen()
		}
		keys, err := s.HpkeKeys(ctx)
		t.ok(err)
		equal(t, "keys", len(keys), 3)
		for i, want := range []aggregator.HpkeKey{second, third, first} {
			got := keys[i]
			gotPrivate, err := got.Keypair.MarshalPrivate()
			t.ok(err)
			wantPrivate, err := want.Keypair.MarshalPrivate()
			t.ok(err)
			if !slices.Equal(gotPrivate, wantPrivate) || !reflect.DeepEqual(got.Keypair.Config, want.Keypair.Config) ||
				got.Preference != want.Preference || !got.CreatedAt.Equal(want.CreatedAt) || !got.RetiredAt.Equal(want.RetiredAt) {
				t.Fatalf("key %d is not what was stored, or not in its place", i)
			}
		}
	}
}

func testPeerings[S aggregator.Store](t tester, f Fixture[S], _ dap.Role) {
	ctx := t.Context()
	p := aggregator.Peering{
		Name: "peer", PeerURL: "https://peer.example/", VerifyKeyInit: []byte("a secret of 32 bytes, more or less"),
		Token: []byte("a token"), TokenHash: [32]byte{1, 2, 3}, CreatedAt: time.Unix(1_700_000_000, 9).UTC(),
	}
	q := aggregator.Peering{Name: "open", TokenHash: [32]byte{4}, OptIn: &aggregator.TaskprovOptIn{
		CollectorHpkeConfig: collectorConfig, CollectorTokenHash: [32]byte{5}, MinBatchSize: 100,
	}}
	t.ok(f.Store.PutPeering(ctx, p))
	t.ok(f.Store.PutPeering(ctx, q))
	p.PeerURL = "https://elsewhere.example/"
	t.ok(f.Store.PutPeering(ctx, p))
	s := f.Reopen()
	all, err := s.Peerings(ctx)
	t.ok(err)
	equal(t, "peerings", len(all), 2)
	slices.SortFunc(all, func(a, b aggregator.Peering) int { return len(a.PeerURL) - len(b.PeerURL) })
	if !reflect.DeepEqual(all, []aggregator.Peering{q, p}) {
		t.Fatal("the peerings are not what was stored")
	}
	t.fails(s.PutPeering(ctx, aggregator.Peering{}))
}

func testUnknownTask[S aggregator.Store](t tester, f Fixture[S], _ dap.Role) {
	_, err := f.Store.ReadBatch(t.Context(), dap.TaskID{1}, timeBatch(0, 1), Sums{})
	t.is(err, aggregator.ErrNotFound)
}

func testEmptyBatch[S aggregator.Store](t tester, f Fixture[S], role dap.Role) {
	ctx := t.Context()
	byTime := NewTask(role, "by time", dap.BatchModeTimeInterval)
	selected := NewTask(role, "selected", dap.BatchModeLeaderSelected)
	t.ok(f.Store.PutTask(ctx, byTime))
	t.ok(f.Store.PutTask(ctx, selected))
	for _, test := range []struct {
		task  dap.TaskID
		batch aggregator.Batch
	}{{byTime.ID, timeBatch(10, 20)}, {selected.ID, idBatch(batchID(1))}} {
		a, err := f.Store.ReadBatch(ctx, test.task, test.batch, Sums{})
		t.ok(err)
		if a.Share != nil || a.Count != 0 || a.Checksum != (dap.Checksum{}) || a.Interval != (dap.Interval{}) {
			t.Fatalf("an empty batch is %+v", a)
		}
	}
	_, err := f.Store.ReadBatch(ctx, byTime.ID, idBatch(batchID(1)), Sums{})
	t.fails(err)
	_, err = f.Store.ReadBatch(ctx, selected.ID, timeBatch(10, 20), Sums{})
	t.fails(err)
	_, err = f.Store.ReadBatch(ctx, byTime.ID, timeBatch(10, 10), Sums{})
	t.fails(err)
}

func testCancelledContext[S aggregator.Store](t tester, f Fixture[S], role dap.Role) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	task := NewTask(role, "task", dap.BatchModeTimeInterval)
	t.is(f.Store.PutTask(ctx, task), context.Canceled)
	_, err := f.Store.Task(ctx, task.ID)
	t.is(err, context.Canceled)
	_, err = f.Store.Task(t.Context(), task.ID)
	t.is(err, aggregator.ErrNotFound)
}

func testLostCommits[S aggregator.Store](t tester, f Fixture[S], role dap.Role) {
	ctx := t.Context()
	task := NewTask(role, "task", dap.BatchModeTimeInterval)
	f.Fail(FailBefore)
	t.is(f.Store.PutTask(ctx, task), aggregator.ErrUnavailable)
	f.Fail(NoFault)
	_, err := f.Store.Task(ctx, task.ID)
	t.is(err, aggregator.ErrNotFound)
	clean(t, f.Store)

	f.Fail(FailAfter)
	t.is(f.Store.PutTask(ctx, task), aggregator.ErrUnavailable)
	f.Fail(NoFault)
	t.ok(f.Store.PutTask(ctx, task))
	s := f.Crash()
	_, err = s.Task(ctx, task.ID)
	t.ok(err)
	clean(t, s)
}

func testCloseTwice[S aggregator.Store](t tester, f Fixture[S], role dap.Role) {
	ctx := context.WithoutCancel(t.Context())
	t.ok(f.Store.Close())
	t.ok(f.Store.Close())
	t.is(f.Store.PutTask(ctx, NewTask(role, "task", dap.BatchModeTimeInterval)), aggregator.ErrUnavailable)
	_, err := f.Store.Tasks(ctx)
	t.is(err, aggregator.ErrUnavailable)
}
