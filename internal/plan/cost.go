package plan

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/vdafspec"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// Cost is what a report costs.
type Cost struct {
	// Report is the length of a report as a client uploads it, and Forwarded of what the Leader sends the Helper of it, in bytes.
	Report, Forwarded int
	// Leader and Helper are the processor time that each takes to open and to verify one report, as measured on this machine with
	// one processor.
	Leader, Helper time.Duration
	// Sample is how many reports were verified to find out.
	Sample int
}

const (
	// A sample is verified in one batch, as the aggregators do. Its bytes are bounded, so that long reports are few.
	maxSample, maxSampleBytes = 512, 32 << 20
)

// Measure makes some reports for throw-away keys and verifies them.
func Measure(spec vdafspec.Spec) (Cost, error) {
	s, err := newSample(spec)
	if err != nil {
		return Cost{}, err
	}
	first, err := s.report()
	if err != nil {
		return Cost{}, err
	}
	encoded, err := first.Encode()
	if err != nil {
		return Cost{}, err
	}
	n := max(1, min(maxSample, maxSampleBytes/len(encoded)))
	reports := []dap.Report{first}
	for len(reports) < n {
		r, err := s.report()
		if err != nil {
			return Cost{}, err
		}
		reports = append(reports, r)
	}
	cost := Cost{Report: len(encoded), Sample: n}
	return cost, s.verify(reports, &cost)
}

// sample is what is needed to make and verify reports of a task that does not exist.
type sample struct {
	topology       *pingpong.Topology
	shard          func(ctx, nonce, random []byte) ([]byte, [][]byte, error)
	id             dap.TaskID
	config         []byte
	leader, helper dap.HpkeKeypair
}

func newSample(spec vdafspec.Spec) (*sample, error) {
	verifier, err := vdafspec.NewVDAF(spec.Config)
	if err != nil {
		return nil, err
	}
	s := &sample{id: dap.NewTaskID()}
	if s.shard, err = sharder(verifier, spec.ResultLength()); err != nil {
		return nil, err
	}
	if s.topology, err = pingpong.New(verifier); err != nil {
		return nil, err
	}
	task := dap.TaskConfiguration{
		TaskInfo: make([]byte, 48), LeaderAggregatorEndpoint: "https://leader.example/", HelperAggregatorEndpoint: "https://helper.example/",
		TimePrecision: 3600, MinBatchSize: 1, BatchMode: dap.BatchModeTimeInterval,
	}
	if task.VdafType, task.VdafConfiguration, err = spec.Encode(); err != nil {
		return nil, err
	}
	if s.config, err = task.Encode(); err != nil {
		return nil, err
	}
	for _, keypair := range []*dap.HpkeKeypair{&s.leader, &s.helper} {
		if *keypair, err = dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// sharder returns Shard of the VDAF for a measurement of zeros, of which there are length.
func sharder(verifier vdaf.Verifier, length int) (func(ctx, nonce, random []byte) ([]byte, [][]byte, error), error) {
	switch v := verifier.(type) {
	case *vdaf.Prio3Count:
		return func(ctx, nonce, random []byte) ([]byte, [][]byte, error) { return v.Shard(ctx, false, nonce, random) }, nil
	case *vdaf.Prio3Sum:
		return func(ctx, nonce, random []byte) ([]byte, [][]byte, error) { return v.Shard(ctx, 0, nonce, random) }, nil
	case *vdaf.Prio3Histogram:
		return func(ctx, nonce, random []byte) ([]byte, [][]byte, error) { return v.Shard(ctx, 0, nonce, random) }, nil
	case *vdaf.Prio3SumVec:
		zeros := make([]uint64, length)
		return func(ctx, nonce, random []byte) ([]byte, [][]byte, error) { return v.Shard(ctx, zeros, nonce, random) }, nil
	case *vdaf.Prio3MultihotCountVec:
		zeros := make([]bool, length)
		return func(ctx, nonce, random []byte) ([]byte, [][]byte, error) { return v.Shard(ctx, zeros, nonce, random) }, nil
	}
	return nil, &Error{fmt.Sprintf("no reports can be made for a VDAF of type %T", verifier)}
}

// report makes a report (DAP Section 4.4.2.1).
func (s *sample) report() (dap.Report, error) {
	r := dap.Report{Metadata: dap.ReportMetadata{ReportID: dap.NewReportID(), Time: 1}}
	random := make([]byte, s.topology.Verifier().(interface{ RandSize() int }).RandSize())
	rand.Read(random)
	public, shares, err := s.shard(dap.VdafContext(s.id), r.Metadata.ReportID[:], random)
	if err != nil {
		return r, err
	}
	r.PublicShare = public
	aad := dap.InputShareAad{TaskID: s.id, TaskConfiguration: s.config, Metadata: r.Metadata, PublicShare: public}
	if r.LeaderEncryptedInputShare, err = dap.SealInputShare(s.leader.Config, dap.RoleLeader, aad, dap.PlaintextInputShare{Payload: shares[0]}); err != nil {
		return r, err
	}
	r.HelperEncryptedInputShare, err = dap.SealInputShare(s.helper.Config, dap.RoleHelper, aad, dap.PlaintextInputShare{Payload: shares[1]})
	return r, err
}

// verify verifies the reports as both aggregators do, and measures how long each takes.
func (s *sample) verify(reports []dap.Report, cost *Cost) error {
	key := make([]byte, s.topology.Verifier().VerifyKeySize())
	rand.Read(key)
	vdafContext, n := dap.VdafContext(s.id), time.Duration(len(reports))

	begin := time.Now()
	opened, err := s.open(s.leader, dap.RoleLeader, reports)
	if err != nil {
		return err
	}
	states := s.topology.LeaderInit(key, vdafContext, nil, opened)
	leader := time.Since(begin)

	begin = time.Now()
	if opened, err = s.open(s.helper, dap.RoleHelper, reports); err != nil {
		return err
	}
	for i := range opened {
		if states[i].Err != nil {
			return fmt.Errorf("plan: verifying a report at the Leader: %w", states[i].Err)
		}
		opened[i].Inbound = states[i].Outbound
	}
	answers := s.topology.HelperInit(key, vdafContext, nil, opened)
	cost.Helper = time.Since(begin) / n

	inbound := make([][]byte, len(answers))
	for i := range answers {
		if answers[i].Err != nil {
			return fmt.Errorf("plan: verifying a report at the Helper: %w", answers[i].Err)
		}
		inbound[i] = answers[i].Outbound
	}
	begin = time.Now()
	ended := s.topology.LeaderContinued(vdafContext, nil, states, inbound)
	cost.Leader = (leader + time.Since(begin)) / n
	for i := range ended {
		if ended[i].Err != nil {
			return fmt.Errorf("plan: verifying a report at the Leader: %w", ended[i].Err)
		}
	}
	cost.Forwarded, err = forwarded(dap.VerifyInit{ReportShare: shareOf(&reports[0], dap.RoleHelper), Payload: states[0].Outbound})
	return err
}

// forwarded returns the length of a report in an AggregationJobInitReq (DAP Section 4.5.3.1).
func forwarded(init dap.VerifyInit) (int, error) {
	var lengths [2]int
	for i := range lengths {
		request := dap.AggregationJobInitReq{}
		for range i + 1 {
			request.VerifyInits = append(request.VerifyInits, init)
		}
		encoded, err := request.Encode()
		if err != nil {
			return 0, err
		}
		lengths[i] = len(encoded)
	}
	return lengths[1] - lengths[0], nil
}

func shareOf(r *dap.Report, role dap.Role) dap.ReportShare {
	share := dap.ReportShare{Metadata: r.Metadata, PublicShare: r.PublicShare, EncryptedInputShare: r.HelperEncryptedInputShare}
	if role == dap.RoleLeader {
		share.EncryptedInputShare = r.LeaderEncryptedInputShare
	}
	return share
}

// open opens the input shares of one aggregator.
func (s *sample) open(keypair dap.HpkeKeypair, role dap.Role, reports []dap.Report) ([]pingpong.Report, error) {
	opener, err := dap.NewInputShareOpener([]dap.HpkeKeypair{keypair}, role, s.id, s.config)
	if err != nil {
		return nil, err
	}
	shares := make([]dap.ReportShare, len(reports))
	for i := range reports {
		shares[i] = shareOf(&reports[i], role)
	}
	plain, errs := opener.OpenBatch(shares)
	opened := make([]pingpong.Report, len(reports))
	for i := range reports {
		if errs[i] != nil {
			return nil, errs[i]
		}
		opened[i] = pingpong.Report{Nonce: reports[i].Metadata.ReportID[:], PublicShare: reports[i].PublicShare, InputShare: plain[i].Payload}
	}
	return opened, nil
}
