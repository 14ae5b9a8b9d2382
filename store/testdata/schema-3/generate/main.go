// Command generate makes the examples of schema version 3. It is built with the code of the commit
// that README.md beside it names, not with the code around it:
//
//	go run ./store/testdata/schema-3/generate DIRECTORY
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

var (
	key  = secret.Bytes("0123456789abcdef0123456789abcdef")
	ctx  = context.Background()
	made = time.Unix(1_760_000_000, 0).UTC()
	sums storetest.Sums
)

// first is the time, in hours, of the first reports.
const first = dap.Time(1_760_000_000/3600) - 100

func main() {
	log.SetFlags(0)
	dir := os.Args[1]
	leader, helper := filepath.Join(dir, "leader.db"), filepath.Join(dir, "helper.db")
	options := store.Options{Create: true, Now: func() time.Time { return made }}
	l, err := store.OpenLeader(leader, key, options)
	check(err)
	makeLeader(l)
	clean(l)
	h, err := store.OpenHelper(helper, key, options)
	check(err)
	makeHelper(h)
	clean(h)
	compress(leader)
	compress(helper)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func clean(s aggregator.Store) {
	violations, err := s.Check(ctx)
	check(err)
	if len(violations) > 0 {
		log.Fatal(violations)
	}
	check(s.Close())
}

func compress(path string) {
	in, err := os.Open(path)
	check(err)
	out, err := os.Create(path + ".gz")
	check(err)
	w, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	check(err)
	_, err = io.Copy(w, in)
	check(err)
	check(w.Close())
	check(out.Close())
	check(os.Remove(path))
}

func addCommon(s aggregator.Store, role dap.Role) (interval, selected dap.TaskID) {
	a := storetest.NewTask(role, "time-interval", dap.BatchModeTimeInterval)
	b := storetest.NewTask(role, "leader-selected", dap.BatchModeLeaderSelected)
	check(s.PutTask(ctx, a))
	check(s.PutTask(ctx, b))
	keypair, err := dap.GenerateHpkeKeypair(3, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	check(err)
	check(s.PutHpkeKey(ctx, aggregator.HpkeKey{Keypair: keypair, CreatedAt: made}))
	check(s.PutPeering(ctx, aggregator.Peering{Name: "peer", PeerURL: "https://peer.example/", VerifyKeyInit: secret.Bytes("0123456789abcdef0123456789abcdef"), CreatedAt: made}))
	return a.ID, b.ID
}

func reportID(n uint64) (id dap.ReportID) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// leader makes the records of one task.
type leader struct {
	store  *store.Leader
	task   dap.TaskID
	number uint64
}

func (l *leader) upload(t dap.Time, n int) {
	// As long as that of a real report, which version 2 keeps in one value.
	body := bytes.Repeat([]byte("the body of a report"), 130)
	var reports []aggregator.UploadReport
	for range n {
		l.number++
		reports = append(reports, aggregator.UploadReport{ID: reportID(l.number), Time: t, Body: body})
	}
	outcomes, err := l.store.Upload(ctx, l.task, reports)
	check(err)
	for _, outcome := range outcomes {
		if outcome != 0 {
			log.Fatal(outcome)
		}
	}
}

// job puts what waits into a job.
func (l *leader) job(batch dap.BatchID) aggregator.AggregationJob {
	reports, err := l.store.WaitingReports(ctx, l.task, 0, 1000, 1<<20, nil)
	check(err)
	job := aggregator.AggregationJob{
		ID: dap.NewAggregationJobID(), Task: l.task, AggParam: []byte{}, BatchID: batch, State: aggregator.JobActive,
		RequestDigest: [32]byte{1}, CreatedAt: made,
	}
	for _, r := range reports {
		job.Reports = append(job.Reports, r.Sequence)
	}
	check(l.store.CreateAggregationJob(ctx, job, nil))
	return job
}

// count uploads n reports and counts all but one, which is rejected.
func (l *leader) count(t dap.Time, n int, batch dap.BatchID) {
	l.upload(t, n+1)
	job := l.job(batch)
	var commits []aggregator.Commit
	for _, sequence := range job.Reports[1:] {
		commits = append(commits, aggregator.Commit{Sequence: sequence, OutShare: storetest.OutShare(1)})
	}
	rejected := []aggregator.Rejection{{Sequence: job.Reports[0], Error: dap.ReportErrorVdafVerifyError}}
	check(l.store.FinishAggregationJob(ctx, l.task, job.ID, commits, rejected, sums))
}

func (l *leader) collection(name string, batch aggregator.Batch) aggregator.CollectionJob {
	job := aggregator.CollectionJob{
		ID: dap.NewCollectionJobID(), Task: l.task, Request: []byte(name), Batch: batch, State: aggregator.CollectionPending, CreatedAt: made,
	}
	copy(job.RequestDigest[:], name)
	_, created, err := l.store.CreateCollectionJob(ctx, job)
	check(err)
	if !created {
		log.Fatal("the collection job was there")
	}
	return job
}

func (l *leader) closed(name string, batch aggregator.Batch) aggregator.CollectionJob {
	job := l.collection(name, batch)
	check(l.store.CloseBatch(ctx, l.task, job.ID))
	job.HelperLocation = "https://helper.example/share"
	check(l.store.UpdateCollectionJob(ctx, job))
	return job
}

func (l *leader) finished(name string, batch aggregator.Batch) aggregator.CollectionJob {
	job := l.closed(name, batch)
	aggregate, err := l.store.ReadBatch(ctx, l.task, batch, sums)
	check(err)
	job.State, job.Response = aggregator.CollectionFinished, []byte("the answer")
	check(l.store.FinishCollectionJob(ctx, job, aggregate.Count, aggregate.Checksum))
	return job
}

func (l *leader) failed(name string, batch aggregator.Batch) {
	job := l.closed(name, batch)
	job.State, job.Failure = aggregator.CollectionFailed, &dap.Error{Type: dap.ErrorTypeBatchMismatch, TaskID: &l.task, Detail: "they differ"}
	check(l.store.FailCollectionJob(ctx, job))
}

func interval(start, length dap.Time) aggregator.Batch {
	return aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: dap.Interval{Start: first + start, Duration: dap.Duration(length)}}
}

func selected(n byte) aggregator.Batch {
	return aggregator.Batch{Mode: dap.BatchModeLeaderSelected, BatchID: dap.BatchID{0: n, 31: n}}
}

func makeLeader(s *store.Leader) {
	a, b := addCommon(s, dap.RoleLeader)
	l := &leader{store: s, task: a}
	for hour := range dap.Time(40) {
		l.count(first+hour, 5, dap.BatchID{})
	}
	l.finished("finished", interval(0, 10))
	deleted := l.finished("deleted", interval(10, 5))
	check(s.DeleteCollectionJob(ctx, a, deleted.ID))
	l.failed("failed", interval(15, 5))
	l.closed("closed", interval(20, 5))
	l.collection("pending", interval(25, 50))

	l.upload(first+41, 6)
	given := l.job(dap.BatchID{})
	check(s.QuarantineAggregationJob(ctx, a, given.ID, aggregator.Quarantine{At: made, Reason: "the Helper has refused it"}))
	l.upload(first+42, 6)
	l.job(dap.BatchID{})
	l.upload(first+43, 3)
	advanced := l.job(dap.BatchID{})
	advanced.Step, advanced.States, advanced.HelperLocation = 1, [][]byte{{1}, {2}, {3}}, "https://helper.example/job"
	check(s.AdvanceAggregationJob(ctx, advanced, nil))
	l.upload(first+44, 20)

	l = &leader{store: s, task: b}
	for n := range byte(5) {
		l.count(first+dap.Time(n), 5, selected(n+1).BatchID)
	}
	assigned := l.collection("finished", aggregator.Batch{Mode: dap.BatchModeLeaderSelected})
	l.assign(assigned, selected(1), aggregator.CollectionFinished)
	l.assign(l.collection("closed", aggregator.Batch{Mode: dap.BatchModeLeaderSelected}), selected(2), aggregator.CollectionClosed)
	l.collection("pending", aggregator.Batch{Mode: dap.BatchModeLeaderSelected})
	l.upload(first+41, 6)
	l.job(selected(6).BatchID)
	l.upload(first+42, 20)
}

// assign takes a collection job of a leader-selected task to a state.
func (l *leader) assign(job aggregator.CollectionJob, batch aggregator.Batch, state aggregator.CollectionState) {
	check(l.store.AssignBatch(ctx, l.task, job.ID, batch.BatchID))
	check(l.store.CloseBatch(ctx, l.task, job.ID))
	if state != aggregator.CollectionFinished {
		return
	}
	aggregate, err := l.store.ReadBatch(ctx, l.task, batch, sums)
	check(err)
	job.Batch, job.State, job.Response = batch, state, []byte("the answer")
	check(l.store.FinishCollectionJob(ctx, job, aggregate.Count, aggregate.Checksum))
}

// helper makes the records of one task.
type helper struct {
	store  *store.Helper
	task   dap.TaskID
	number uint64
}

// step makes a job of n reports; counted of them end, the others go on.
func (h *helper) step(t dap.Time, batch dap.BatchID, n, counted int) aggregator.HelperJob {
	step := aggregator.HelperStep{Job: aggregator.HelperJob{
		ID: dap.NewAggregationJobID(), Task: h.task, AggParam: []byte{}, BatchID: batch, RequestDigest: [32]byte{1}, CreatedAt: made,
	}}
	for i := range n {
		h.number++
		id := reportID(h.number)
		response := dap.VerifyResp{ReportID: id, Type: dap.VerifyRespFinish}
		if i < counted {
			step.Commits = append(step.Commits, aggregator.HelperCommit{Index: i, ID: id, Time: t, OutShare: storetest.OutShare(1)})
		} else {
			response.Type, response.Payload = dap.VerifyRespContinue, []byte("a message")
			step.Job.Reports = append(step.Job.Reports, aggregator.HelperReport{ID: id, Time: t, State: []byte("a state")})
		}
		step.Responses = append(step.Responses, response)
	}
	job, err := h.store.CommitHelperStep(ctx, step, sums)
	check(err)
	return job
}

func (h *helper) share(batch aggregator.Batch, id byte) {
	aggregate, err := h.store.ReadBatch(ctx, h.task, batch, sums)
	check(err)
	_, err = h.store.PutAggregateShare(ctx, aggregator.AggregateShareRecord{
		ID: dap.AggregateShareID{id}, Task: h.task, Batch: batch, Count: aggregate.Count, Checksum: aggregate.Checksum,
		Response: []byte("the answer"), CreatedAt: made,
	})
	check(err)
}

func makeHelper(s *store.Helper) {
	a, b := addCommon(s, dap.RoleHelper)
	h := &helper{store: s, task: a}
	for hour := range dap.Time(40) {
		job := h.step(first+hour, dap.BatchID{}, 5, 5)
		if hour%4 != 0 {
			check(s.DeleteHelperJob(ctx, a, job.ID))
		}
	}
	h.share(interval(0, 10), 1)
	h.share(interval(10, 5), 2)
	check(s.DeleteAggregateShare(ctx, a, dap.AggregateShareID{2}))
	h.step(first+41, dap.BatchID{}, 6, 2)
	continued := h.step(first+42, dap.BatchID{}, 4, 1)
	check(s.SetHelperRequest(ctx, a, continued.ID, 1, [32]byte{2}, []byte("a request")))
	_, _, err := s.CreateHelperJob(ctx, aggregator.HelperJob{
		ID: dap.AggregationJobID{9}, Task: a, AggParam: []byte{}, RequestDigest: [32]byte{3}, Pending: true, Request: []byte("a request"), CreatedAt: made,
	})
	check(err)

	h = &helper{store: s, task: b}
	for n := range byte(5) {
		h.step(first+dap.Time(n), selected(n+1).BatchID, 5, 5)
	}
	h.share(selected(1), 1)
	h.step(first+41, selected(6).BatchID, 3, 1)
}
