package aggregator_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// pair gives both aggregators a peering, which opts in if the test says so.
func (w *world) pair(leaderOptsIn, helperOptsIn bool) {
	w.Helper()
	secret := bytes.Repeat([]byte{3}, 32)
	optIn := &aggregator.TaskprovOptIn{
		CollectorHpkeConfig: w.keypair.Config, CollectorTokenHash: sha256.Sum256([]byte(collectorToken)), MinBatchSize: 3,
	}
	atLeader := aggregator.Peering{
		Name: "helper", PeerURL: w.config.HelperAggregatorEndpoint, VerifyKeyInit: secret,
		Token: []byte(leaderToken), TokenHash: sha256.Sum256([]byte(leaderToken)),
	}
	atHelper := aggregator.Peering{
		Name: "leader", PeerURL: w.config.LeaderAggregatorEndpoint, VerifyKeyInit: secret, TokenHash: sha256.Sum256([]byte(leaderToken)),
	}
	if leaderOptsIn {
		atLeader.OptIn = optIn
	}
	if helperOptsIn {
		atHelper.OptIn = optIn
	}
	w.ok(w.leader.AddPeering(ctx, atLeader))
	w.ok(w.helper.AddPeering(ctx, atHelper))
}

func TestTaskprov(t *testing.T) {
	w := newWorld(t, settings{taskprov: true})
	w.pair(true, true)
	reports, sum := w.reports(3)
	body, err := dap.UploadRequest{Reports: reports}.Encode()
	w.ok(err)
	_, err = w.leader.Upload(ctx, w.id, body)
	w.wantError("without the advertisement", err, dap.ErrorTypeUnrecognizedTask)

	w.ok(w.leader.OptIn(ctx, w.id, w.encoded))
	w.uploadAll(reports...)
	w.ok(w.leader.AuthorizeCollector(ctx, w.id, collectorToken))
	w.wantResult(w.collect(w.thisHour()), 3, sum)
	tasks, err := w.helper.Tasks(ctx)
	w.ok(err)
	if len(tasks) != 1 || !tasks[0].Taskprov || tasks[0].ID != w.id || tasks[0].VerifyKeyID != 0 {
		t.Errorf("the Helper's tasks: %v", len(tasks))
	}
	w.ok(w.leader.OptIn(ctx, w.id, w.encoded)) // again
}

func TestTaskprovOptOut(t *testing.T) {
	started := dap.Time(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Unix() / 3600)
	w := newWorld(t, settings{taskprov: true})
	w.pair(true, true)
	change := func(f func(*dap.TaskConfiguration)) []byte {
		config := w.config
		f(&config)
		encoded, err := config.Encode()
		w.ok(err)
		return encoded
	}
	for name, encoded := range map[string][]byte{
		"too small a batch":    change(func(c *dap.TaskConfiguration) { c.MinBatchSize = 2 }),
		"an unknown VDAF":      change(func(c *dap.TaskConfiguration) { c.VdafType = 0xFFFF0009 }),
		"an unknown mode":      change(func(c *dap.TaskConfiguration) { c.BatchMode = 9 }),
		"an unknown extension": change(func(c *dap.TaskConfiguration) { c.Extensions = []dap.TaskExtension{{Type: 99}} }),
		"no time precision":    change(func(c *dap.TaskConfiguration) { c.TimePrecision = 0 }),
		"an ended task": change(func(c *dap.TaskConfiguration) {
			c.Extensions = []dap.TaskExtension{dap.NewTaskIntervalExtension(dap.Interval{Start: started, Duration: 2})}
		}),
	} {
		id := dap.TaskprovTaskID(encoded)
		for role, err := range map[string]error{"leader": w.leader.OptIn(ctx, id, encoded), "helper": w.helper.OptIn(ctx, id, encoded, leaderToken)} {
			if got, ok := dap.ErrorTypeOf(err); !ok || got != dap.ErrorTypeInvalidTask {
				t.Errorf("%s at the %s: %v", name, role, err)
			}
		}
	}
	otherLeader := change(func(c *dap.TaskConfiguration) { c.LeaderAggregatorEndpoint = "https://other.example/" })
	if got, _ := dap.ErrorTypeOf(w.helper.OptIn(ctx, dap.TaskprovTaskID(otherLeader), otherLeader, leaderToken)); got != dap.ErrorTypeInvalidTask {
		t.Errorf("another Leader: %s", got)
	}
	w.wantError("another task ID, leader", w.leader.OptIn(ctx, w.id, otherLeader), dap.ErrorTypeUnrecognizedTask)
	w.wantError("another task ID, helper", w.helper.OptIn(ctx, w.id, otherLeader, leaderToken), dap.ErrorTypeUnrecognizedTask)

	// What is not a task configuration, or concerns nobody here, is ignored.
	w.ok(w.leader.OptIn(ctx, w.id, w.encoded[1:]))
	w.ok(w.helper.OptIn(ctx, w.id, nil, leaderToken))
	w.ok(w.helper.OptIn(ctx, w.id, w.encoded, "another token"))
	otherHelper := change(func(c *dap.TaskConfiguration) { c.HelperAggregatorEndpoint = "https://other.example/" })
	w.ok(w.leader.OptIn(ctx, dap.TaskprovTaskID(otherHelper), otherHelper))
	for _, tasks := range []func() ([]aggregator.Task, error){
		func() ([]aggregator.Task, error) { return w.leader.Tasks(ctx) },
		func() ([]aggregator.Task, error) { return w.helper.Tasks(ctx) },
	} {
		if all, err := tasks(); err != nil || len(all) != 0 {
			t.Errorf("%d tasks were set up, %v", len(all), err)
		}
	}
}

func TestTaskprovNotEnabled(t *testing.T) {
	w := newWorld(t, settings{taskprov: true})
	w.pair(false, false)
	w.ok(w.leader.OptIn(ctx, w.id, w.encoded))
	w.ok(w.helper.OptIn(ctx, w.id, w.encoded, leaderToken))
	_, err := w.leader.Upload(ctx, w.id, nil)
	w.wantError("upload", err, dap.ErrorTypeUnrecognizedTask)
}

// TestApprovalAfterUpload: reports wait while the Helper's operator has not approved the task.
func TestApprovalAfterUpload(t *testing.T) {
	w := newWorld(t, settings{taskprov: true, keepQuiet: true})
	w.ok(w.leader.AddTask(ctx, w.task(dap.RoleLeader)))
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.eventually("some attempts", func() bool { return w.peer.count("init") > 2 })
	w.ok(w.helper.AddTask(ctx, w.task(dap.RoleHelper)))
	w.wantResult(w.collect(w.thisHour()), 3, sum)
}

func TestAuthorization(t *testing.T) {
	w := newWorld(t, settings{})
	w.ok(w.leader.AuthorizeCollector(ctx, w.id, collectorToken))
	w.ok(w.helper.AuthorizeLeader(ctx, w.id, leaderToken))
	for _, token := range []string{"", leaderToken, collectorToken + "x"} {
		if err := w.leader.AuthorizeCollector(ctx, w.id, token); !errors.Is(err, aggregator.ErrUnauthorized) {
			t.Errorf("the Collector with %q: %v", token, err)
		}
	}
	for _, token := range []string{"", collectorToken} {
		if err := w.helper.AuthorizeLeader(ctx, w.id, token); !errors.Is(err, aggregator.ErrUnauthorized) {
			t.Errorf("the Leader with %q: %v", token, err)
		}
	}
	for _, err := range []error{w.leader.AuthorizeCollector(ctx, dap.TaskID{1}, collectorToken), w.helper.AuthorizeLeader(ctx, dap.TaskID{1}, leaderToken)} {
		if got, ok := dap.ErrorTypeOf(err); !ok || got != dap.ErrorTypeUnrecognizedTask {
			t.Errorf("an unknown task: %v", err)
		}
	}
}

func TestAddTask(t *testing.T) {
	w := newWorld(t, settings{taskprov: true, leader: func(c *aggregator.LeaderConfig) { c.Endpoint = "https://leader.example/" }})
	good := w.task(dap.RoleLeader)
	reencode := func(task *aggregator.Task) {
		var err error
		task.EncodedConfig, err = task.Config.Encode()
		w.ok(err)
	}
	for name, change := range map[string]func(*aggregator.Task){
		"the other role":    func(task *aggregator.Task) { task.Role = dap.RoleHelper },
		"no ID":             func(task *aggregator.Task) { task.ID = dap.TaskID{} },
		"an altered config": func(task *aggregator.Task) { task.Config.MinBatchSize++ },
		"no config":         func(task *aggregator.Task) { task.EncodedConfig = nil },
		"an altered file":   func(task *aggregator.Task) { task.Config.MinBatchSize++; reencode(task); task.Taskprov = true },
		"no batch size":     func(task *aggregator.Task) { task.Config.MinBatchSize = 0; reencode(task) },
		"another Leader": func(task *aggregator.Task) {
			task.Config.LeaderAggregatorEndpoint = "https://x.example/"
			reencode(task)
		},
		"an unknown VDAF":      func(task *aggregator.Task) { task.Config.VdafType = 6; reencode(task) },
		"a short key":          func(task *aggregator.Task) { task.VerifyKey = task.VerifyKey[1:] },
		"no Collector's key":   func(task *aggregator.Task) { task.CollectorHpkeConfig = dap.HpkeConfig{} },
		"no Helper's token":    func(task *aggregator.Task) { task.HelperToken = nil },
		"no Collector's token": func(task *aggregator.Task) { task.CollectorTokenHash = [32]byte{} },
	} {
		task := good
		change(&task)
		err := w.leader.AddTask(ctx, task)
		if _, ok := errors.AsType[*aggregator.TaskError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	helperTask := w.task(dap.RoleHelper)
	helperTask.LeaderTokenHash = [32]byte{}
	if _, ok := errors.AsType[*aggregator.TaskError](w.helper.AddTask(ctx, helperTask)); !ok {
		t.Error("a Helper's task without the Leader's token")
	}
	w.ok(w.leader.AddTask(ctx, good))
	w.ok(w.leader.AddTask(ctx, good)) // again
	other := good
	other.VerifyKey = bytes.Repeat([]byte{1}, len(good.VerifyKey))
	if err := w.leader.AddTask(ctx, other); !errors.Is(err, aggregator.ErrExists) {
		t.Errorf("another task under the same ID: %v", err)
	}
}
