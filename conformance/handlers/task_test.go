package handlers

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/testvdaf"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// poolSize is the number of reports of each task that requests are made of. They
// come again and again, so replays are among the requests.
const poolSize = 24

// task is a task with reports that are ready to be sent.
type task struct {
	id        dap.TaskID
	config    dap.TaskConfiguration
	encoded   []byte
	verifyKey []byte
	taskprov  bool
	topology  *pingpong.Topology
	shard     func(nonce []byte) (publicShare []byte, inputShares [][]byte, err error)
	hour      dap.Time // the current one
	pool      []*report
	collected dap.CollectionJobID // of the hour before
}

// report is a report before it is sealed, with the Leader's first message about it.
type report struct {
	task           *task
	metadata       dap.ReportMetadata
	publicShare    []byte
	leader, helper dap.PlaintextInputShare
	state          pingpong.State // the Leader's

	sealed dap.Report
}

// addTasks makes a task in the time-interval mode, one with two rounds in the
// leader-selected mode, and one that is advertised.
func (w *world) addTasks(t testing.TB) {
	t.Helper()
	peering := aggregator.Peering{Name: "peer", PeerURL: helperURL, VerifyKeyInit: storeKey, Token: []byte(leaderToken), TokenHash: hashOf(leaderToken)}
	peering.OptIn = &aggregator.TaskprovOptIn{CollectorHpkeConfig: w.keypair.Config, CollectorTokenHash: hashOf(collectorToken), MinBatchSize: 1}
	must(t, w.leaderEngine.AddPeering(context.Background(), peering))
	peering.PeerURL, peering.Token = leaderURL, nil
	must(t, w.helperEngine.AddPeering(context.Background(), peering))

	histogram, err := vdaf.NewPrio3Histogram(2, 4, 2)
	must(t, err)
	count, err := vdaf.NewPrio3Count(2)
	must(t, err)
	twoRounds, err := testvdaf.New(testvdaf.Config{Rounds: 2})
	must(t, err)
	w.tasks = []*task{
		newTask(t, w, dap.BatchModeTimeInterval, histogram, 3, dap.Prio3HistogramConfig{Length: 4, ChunkLength: 2}),
		newTask(t, w, dap.BatchModeLeaderSelected, twoRounds, 3, nil),
		newTask(t, w, dap.BatchModeTimeInterval, count, true, dap.Prio3CountConfig{}),
	}
	for _, task := range w.tasks {
		if !task.taskprov {
			must(t, w.leaderEngine.AddTask(context.Background(), w.entry(task, dap.RoleLeader)))
			must(t, w.helperEngine.AddTask(context.Background(), w.entry(task, dap.RoleHelper)))
		}
		for i := range poolSize {
			r := task.newReport(t, w, task.hour-dap.Time(i%3/2))
			r.sealed = r.seal(t, w)
			task.pool = append(task.pool, r)
		}
	}
}

func newTask[M, R any](t testing.TB, w *world, mode dap.BatchMode, v vdaf.VDAF[M, R], measurement M, vdafConfig dap.VdafConfiguration) *task {
	t.Helper()
	config := dap.TaskConfiguration{
		TaskInfo: []byte{byte(len(w.tasks)), byte(v.ID())}, LeaderAggregatorEndpoint: leaderURL, HelperAggregatorEndpoint: helperURL,
		TimePrecision: 3600, MinBatchSize: 1, BatchMode: mode, VdafType: dap.VdafType(v.ID()),
	}
	if vdafConfig != nil {
		var err error
		config.VdafConfiguration, err = vdafConfig.Encode()
		must(t, err)
	}
	encoded, err := config.Encode()
	must(t, err)
	topology, err := pingpong.New(v)
	must(t, err)
	hour, err := config.TimePrecision.TimeOf(noon)
	must(t, err)
	task := &task{id: dap.TaskprovTaskID(encoded), config: config, encoded: encoded, topology: topology, hour: hour, verifyKey: make([]byte, v.VerifyKeySize())}
	if _, task.taskprov = any(vdafConfig).(dap.Prio3CountConfig); task.taskprov {
		init, err := dap.ParseVerifyKeyInit(storeKey)
		must(t, err)
		task.verifyKey, err = dap.TaskprovVerifyKey(init, task.id, v.VerifyKeySize())
		must(t, err)
	}
	task.shard = func(nonce []byte) ([]byte, [][]byte, error) {
		random := make([]byte, v.RandSize())
		rand.Read(random)
		return v.Shard(dap.VdafContext(task.id), measurement, nonce, random)
	}
	return task
}

// entry is the task as an aggregator knows it.
func (w *world) entry(task *task, role dap.Role) aggregator.Task {
	entry := aggregator.Task{
		ID: task.id, Role: role, Config: task.config, EncodedConfig: task.encoded, VerifyKey: task.verifyKey,
		CollectorHpkeConfig: w.keypair.Config,
	}
	if role == dap.RoleLeader {
		entry.HelperToken, entry.CollectorTokenHash = []byte(leaderToken), hashOf(collectorToken)
	} else {
		entry.LeaderTokenHash = hashOf(leaderToken)
	}
	return entry
}

// newReport makes a report of that time.
func (task *task) newReport(t testing.TB, w *world, at dap.Time) *report {
	t.Helper()
	r := &report{task: task, metadata: dap.ReportMetadata{ReportID: dap.NewReportID(), Time: at}}
	public, shares, err := task.shard(r.metadata.ReportID[:])
	must(t, err)
	r.publicShare, r.leader.Payload, r.helper.Payload = public, shares[0], shares[1]
	r.state = task.topology.LeaderInit(task.verifyKey, dap.VdafContext(task.id), nil, []pingpong.Report{
		{Nonce: r.metadata.ReportID[:], PublicShare: public, InputShare: shares[0]},
	})[0]
	must(t, r.state.Err)
	return r
}

// seal encrypts the report's input shares.
func (r *report) seal(t testing.TB, w *world) dap.Report {
	t.Helper()
	sealed := dap.Report{Metadata: r.metadata, PublicShare: r.publicShare}
	aad := dap.InputShareAad{TaskID: r.task.id, TaskConfiguration: r.task.encoded, Metadata: r.metadata, PublicShare: r.publicShare}
	var err error
	sealed.LeaderEncryptedInputShare, err = dap.SealInputShare(w.configs[0], dap.RoleLeader, aad, r.leader)
	must(t, err)
	sealed.HelperEncryptedInputShare, err = dap.SealInputShare(w.configs[1], dap.RoleHelper, aad, r.helper)
	must(t, err)
	return sealed
}

// query is the request for an hour's batch, or for the next one that the Leader selects.
func (task *task) query(hour dap.Time) dap.CollectionJobReq {
	if task.config.BatchMode == dap.BatchModeLeaderSelected {
		return dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery()}
	}
	return dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(dap.Interval{Start: hour, Duration: 1})}
}
