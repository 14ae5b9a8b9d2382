package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// fillPart is how many reports go into one transaction.
const fillPart = 100_000

// filler writes what a long time would have left in the databases of both servers, through the stores' own methods.
type filler struct {
	leader *store.Leader
	helper *store.Helper
	random *rand.Rand
	say    func(format string, args ...any)
}

// ids returns n report IDs in order.
func (f *filler) ids(n int) []dap.ReportID {
	ids := make([]dap.ReportID, n)
	for i := range ids {
		binary.NativeEndian.PutUint64(ids[i][:8], f.random.Uint64())
		binary.NativeEndian.PutUint64(ids[i][8:], f.random.Uint64())
	}
	slices.SortFunc(ids, func(a, b dap.ReportID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// counted makes n reports that both servers have counted, at times that at chooses for each.
func (f *filler) counted(ctx context.Context, task *aggregator.Task, n int, at func(i int) dap.Time) error {
	topology, err := taskvdaf.Topology(task.Config)
	if err != nil {
		return err
	}
	shares, err := zeroShares(topology)
	if err != nil {
		return err
	}
	for done := 0; done < n; done += fillPart {
		part := min(fillPart, n-done)
		ids, times := f.ids(part), make([]dap.Time, part)
		for i := range times {
			times[i] = at(done + i)
		}
		if err := f.countAtLeader(ctx, task.ID, topology, ids, times, shares); err != nil {
			return fmt.Errorf("leader: %w", err)
		}
		if err := f.countAtHelper(ctx, task.ID, topology, ids, times, shares); err != nil {
			return fmt.Errorf("helper: %w", err)
		}
		f.say("  %d counted", done+part)
	}
	return nil
}

// zeroShares is the output share of a report that adds nothing, which is the same at both servers.
func zeroShares(topology *pingpong.Topology) (vdaf.OutShare, error) {
	prio3, ok := topology.Verifier().(interface {
		OutShareSize() int
		DecodeOutShare(aggParam, encoded []byte) (vdaf.OutShare, error)
	})
	if !ok {
		return nil, errors.New("the VDAF's output shares cannot be made")
	}
	return prio3.DecodeOutShare([]byte{}, make([]byte, prio3.OutShareSize()))
}

func (f *filler) countAtLeader(ctx context.Context, task dap.TaskID, agg aggregator.Aggregator, ids []dap.ReportID, times []dap.Time, share vdaf.OutShare) error {
	reports := make([]aggregator.UploadReport, len(ids))
	body := []byte("a report that was counted long ago")
	for i := range reports {
		reports[i] = aggregator.UploadReport{ID: ids[i], Time: times[i], Body: body}
	}
	if err := f.upload(ctx, task, reports); err != nil {
		return err
	}
	waiting, err := f.leader.WaitingReports(ctx, task, 0, len(ids), 1<<40, nil)
	if err != nil {
		return err
	}
	job := aggregator.AggregationJob{
		ID: dap.NewAggregationJobID(), Task: task, AggParam: []byte{}, State: aggregator.JobActive, CreatedAt: time.Now(),
	}
	commits := make([]aggregator.Commit, len(waiting))
	for i := range waiting {
		job.Reports = append(job.Reports, waiting[i].Sequence)
		commits[i] = aggregator.Commit{Sequence: waiting[i].Sequence, OutShare: share}
	}
	if err := f.leader.CreateAggregationJob(ctx, job, nil); err != nil {
		return err
	}
	return f.leader.FinishAggregationJob(ctx, task, job.ID, commits, nil, agg)
}

// upload uploads reports that are all accepted.
func (f *filler) upload(ctx context.Context, task dap.TaskID, reports []aggregator.UploadReport) error {
	outcomes, err := f.leader.Upload(ctx, task, reports)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(outcomes, func(e dap.ReportError) bool { return e != 0 }); i >= 0 {
		return fmt.Errorf("a report of time %d was refused: %s", uint64(reports[i].Time), outcomes[i])
	}
	return nil
}

func (f *filler) countAtHelper(ctx context.Context, task dap.TaskID, agg aggregator.Aggregator, ids []dap.ReportID, times []dap.Time, share vdaf.OutShare) error {
	step := aggregator.HelperStep{Job: aggregator.HelperJob{
		ID: dap.NewAggregationJobID(), Task: task, AggParam: []byte{}, CreatedAt: time.Now(), Newest: slices.Max(times),
	}}
	step.Commits = make([]aggregator.HelperCommit, len(ids))
	step.Responses = make([]dap.VerifyResp, len(ids))
	for i, id := range ids {
		step.Commits[i] = aggregator.HelperCommit{Index: i, ID: id, Time: times[i], OutShare: share}
		step.Responses[i] = dap.VerifyResp{ReportID: id, Type: dap.VerifyRespFinish}
	}
	job, err := f.helper.CommitHelperStep(ctx, step, agg)
	if err != nil {
		return err
	}
	if job.Counted != uint64(len(ids)) {
		return fmt.Errorf("of %d reports %d were counted", len(ids), job.Counted)
	}
	return f.helper.DeleteHelperJob(ctx, task, job.ID)
}

// waiting makes n reports wait at the Leader: first some that are real, for the Leader will open as many as it has jobs
// for, then others of the same length.
func (f *filler) waiting(ctx context.Context, task dap.TaskID, real []aggregator.UploadReport, n int) error {
	if err := f.upload(ctx, task, real[:min(n, len(real))]); err != nil {
		return err
	}
	const part = 50_000 // of some kilobytes each
	for done := len(real); done < n; done += part {
		reports := make([]aggregator.UploadReport, min(part, n-done))
		for i, id := range f.ids(len(reports)) {
			reports[i] = aggregator.UploadReport{ID: id, Time: real[0].Time, Body: real[0].Body}
		}
		if err := f.upload(ctx, task, reports); err != nil {
			return err
		}
		if (done-len(real))%(10*part) == 0 {
			f.say("  %d waiting", done+len(reports))
		}
	}
	return nil
}
