package simulation

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
	"github.com/twofold-dap/twofold/internal/testvdaf"
	"github.com/twofold-dap/twofold/internal/vdafspec"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// config is how an episode's task and engines are set up.
type config struct {
	// Rounds of the test VDAF; 0: Prio3Sum.
	Rounds int `json:"rounds"`
	// AggParam: the test VDAF has an aggregation parameter.
	AggParam       bool `json:"agg_param,omitempty"`
	LeaderSelected bool `json:"leader_selected,omitempty"`
	Async          bool `json:"async,omitempty"`
	MinBatch       int  `json:"min_batch"`
	// Buckets is the length of the task's interval, in time precisions; 0: it has none.
	Buckets     int `json:"buckets,omitempty"`
	JobReports  int `json:"job_reports"`
	JobsAtATime int `json:"jobs_at_a_time"`
	// Pending bounds an asynchronous Helper's queue.
	Pending int `json:"pending,omitempty"`
	// How long each side keeps reports, and the Leader its answers; 0: for ever.
	LeaderKeeps  duration `json:"leader_keeps,omitempty"`
	HelperKeeps  duration `json:"helper_keeps,omitempty"`
	KeepsAnswers duration `json:"keeps_answers,omitempty"`
	// Budget is for how many batches the privacy budget suffices, or anyNumber; 0: the task has no differential privacy.
	Budget int `json:"budget,omitempty"`
	// Gaussian: the noise is of the zero-concentrated mechanism, not of the pure one.
	Gaussian bool `json:"gaussian,omitempty"`
}

const (
	// precision is the task's time precision, short, so that an episode passes many.
	precision = time.Minute
	// clockSkew is what engines allow clients' clocks.
	clockSkew = 5 * time.Second
	// before is how long before the beginning of an episode its task's interval begins.
	before = 3
	// maxSumMeasurement is Prio3Sum's.
	maxSumMeasurement = 1<<40 - 1
)

// randomConfig draws a configuration. There are few of them in all, so that reports can be used again.
func randomConfig(r *rand.Rand) config {
	c := config{Rounds: 1 + r.IntN(testvdaf.MaxRounds), MinBatch: 1 + r.IntN(6), JobReports: []int{1, 3, 8, 1000}[r.IntN(4)], JobsAtATime: 1 + r.IntN(4)}
	if r.IntN(8) == 0 {
		c.Rounds = 0
	} else if r.IntN(3) == 0 {
		c.Rounds = 1
	}
	c.AggParam = c.Rounds > 0 && r.IntN(4) == 0
	c.LeaderSelected = r.IntN(2) == 0
	c.Async = r.IntN(2) == 0
	if r.IntN(3) == 0 {
		c.Buckets = before + 5 + 5*r.IntN(3)
	}
	c.Pending = 1 + 15*r.IntN(2)
	if r.IntN(2) == 0 {
		c.LeaderKeeps, c.HelperKeeps = randomPeriod(r), randomPeriod(r)
		if r.IntN(2) == 0 {
			c.HelperKeeps = c.LeaderKeeps
		}
		c.KeepsAnswers = randomPeriod(r)
	}
	return c
}

// scheme is a task with the VDAF that measures it, and the keys of all who take part.
type scheme struct {
	config
	id        dap.TaskID
	task      dap.TaskConfiguration
	encoded   []byte
	interval  dap.Interval // zero: none
	verifier  vdaf.Verifier
	test      *testvdaf.VDAF // nil: Prio3Sum
	sum       *vdaf.Prio3Sum
	mechanism *dp.Mechanism // nil: the task has no differential privacy
	topology  *pingpong.Topology
	verifyKey []byte
}

const (
	collectorToken = "collector's token"
	leaderToken    = "leader's token"
)

// keys are the HPKE keys of the whole process, so that reports can be used again.
var keys = sync.OnceValue(func() (k struct{ leader, helper, collector dap.HpkeKeypair }) {
	for i, pair := range []*dap.HpkeKeypair{&k.leader, &k.helper, &k.collector} {
		var err error
		if *pair, err = dap.GenerateHpkeKeypair(dap.HpkeConfigID(i), dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm); err != nil {
			panic(err)
		}
	}
	return k
})

// newScheme makes the task of a configuration. start is the time at which the episode begins.
func newScheme(c config, start time.Time) (*scheme, error) {
	s := &scheme{config: c}
	s.task = dap.TaskConfiguration{
		TaskInfo: []byte("simulation"), LeaderAggregatorEndpoint: "https://leader.example/", HelperAggregatorEndpoint: "https://helper.example/",
		TimePrecision: dap.TimePrecision(precision / time.Second), MinBatchSize: uint64(c.MinBatch), BatchMode: dap.BatchModeTimeInterval,
	}
	if c.LeaderSelected {
		s.task.BatchMode = dap.BatchModeLeaderSelected
	}
	if c.Buckets > 0 {
		s.interval = dap.Interval{Start: s.timeOf(start) - before, Duration: dap.Duration(c.Buckets)}
		s.task.Extensions = []dap.TaskExtension{dap.NewTaskIntervalExtension(s.interval)}
	}
	if err := s.chooseVDAF(); err != nil {
		return nil, err
	}
	if err := s.addPrivacy(); err != nil {
		return nil, err
	}
	var err error
	if s.encoded, err = s.task.Encode(); err != nil {
		return nil, err
	}
	if s.task, err = dap.DecodeTaskConfiguration(s.encoded); err != nil {
		return nil, err
	}
	key := sha256.Sum256([]byte("verification key"))
	s.verifyKey = key[:s.verifier.VerifyKeySize()]
	s.id = dap.TaskprovTaskID(s.encoded)
	return s, nil
}

func (s *scheme) chooseVDAF() (err error) {
	if s.Rounds == 0 {
		spec := vdafspec.Spec{Config: dap.Prio3SumConfig{MaxMeasurement: maxSumMeasurement}}
		if s.task.VdafType, s.task.VdafConfiguration, err = spec.Encode(); err != nil {
			return err
		}
		if s.topology, err = taskvdaf.Topology(s.task); err != nil {
			return err
		}
		s.sum, err = vdaf.NewPrio3Sum(2, maxSumMeasurement)
		s.verifier = s.sum
		return err
	}
	s.task.VdafType = dap.VdafType(testvdaf.ID)
	s.task.VdafConfiguration = []byte{byte(s.Rounds)}
	if s.AggParam {
		s.task.VdafConfiguration = append(s.task.VdafConfiguration, 1)
	}
	if s.test, err = testvdaf.New(testvdaf.Config{Rounds: s.Rounds, AggParam: s.AggParam}); err != nil {
		return err
	}
	s.verifier = s.test
	s.topology, err = pingpong.New(s.test)
	return err
}

// topologyOf is the engines' factory of VDAF instances.
func (s *scheme) topologyOf(c dap.TaskConfiguration) (*pingpong.Topology, error) {
	if c.VdafType != s.task.VdafType {
		return nil, fmt.Errorf("the task is another's")
	}
	return s.topology, nil
}

// timeOf is the DAP time of t.
func (s *scheme) timeOf(t time.Time) dap.Time {
	result, err := s.task.TimePrecision.TimeOf(t)
	if err != nil {
		panic(err)
	}
	return result
}

// aggregatorTask is the task as an aggregator stores it.
func (s *scheme) aggregatorTask(role dap.Role) aggregator.Task {
	task := aggregator.Task{
		ID: s.id, Role: role, Config: s.task, EncodedConfig: s.encoded, VerifyKey: s.verifyKey, VerifyKeyID: 5,
		CollectorHpkeConfig: keys().collector.Config, Name: "simulation",
	}
	if role == dap.RoleLeader {
		task.HelperToken, task.CollectorTokenHash = []byte(leaderToken), sha256.Sum256([]byte(collectorToken))
	} else {
		task.LeaderTokenHash = sha256.Sum256([]byte(leaderToken))
	}
	return task
}

// encodeParam encodes an aggregation parameter.
func (s *scheme) encodeParam(weight int) []byte {
	if !s.AggParam {
		return nil
	}
	return testvdaf.EncodeAggParam(uint16(weight))
}

// weightOf is by how much a measurement counts under an aggregation parameter.
func (s *scheme) weightOf(aggParam []byte) uint64 {
	if !s.AggParam || len(aggParam) != 2 {
		return 1
	}
	return uint64(aggParam[0])<<8 | uint64(aggParam[1])
}

// unshard adds the aggregate shares of both sides.
func (s *scheme) unshard(aggParam, leaderShare, helperShare []byte, count uint64) (uint64, error) {
	if s.test != nil {
		return s.test.Unshard(aggParam, [][]byte{leaderShare, helperShare}, count)
	}
	return s.sum.Unshard(aggParam, [][]byte{leaderShare, helperShare}, count)
}
