package simulation

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// plainLife is a short episode without faults in which every kind of thing happens.
func plainLife() []operation {
	second := operation{Kind: opAdvance, For: duration(2 * time.Second)}
	minute := operation{Kind: opAdvance, For: duration(time.Minute)}
	return []operation{
		{Kind: opUpload, Count: 4},
		{Kind: opUpload, Number: 4, Count: 1, Plan: plan{How: cheatCombine, Who: helper}}, second,
		{Kind: opUpload, Number: 5, Count: 2, Plan: plan{How: cheatInit}}, second,
		{Kind: opAgain, Count: 2}, minute,
		{Kind: opCollect, Count: 1, Offset: -1}, minute,
		{Kind: opPoll}, {Kind: opPoll}, second,
		{Kind: opUpload, Number: 10, Count: 5}, minute,
		{Kind: opRestart, Side: leader}, {Kind: opRestart, Side: helper}, second,
		{Kind: opPoll}, {Kind: opDelete}, second,
		{Kind: opCollect, Count: 1, Offset: -1}, second,
		{Kind: opPoll}, second,
		{Kind: opUpload, Number: 20, Count: 4}, second,
		{Kind: opCollect, Number: 1, Count: 1}, minute, {Kind: opPoll, Number: 1}, {Kind: opPoll, Number: 1},
	}
}

var plainConfig = config{Rounds: 2, MinBatch: 3, JobReports: 4, JobsAtATime: 2, Pending: 4}

// TestPlainLife: what the breakages break is whole without them.
func TestPlainLife(t *testing.T) {
	for _, async := range []bool{false, true} {
		c := plainConfig
		c.Async = async
		if o := play(t, &clients{}, c, plainLife(), hooks{}, "a plain life"); o.violation != nil {
			t.Errorf("asynchronous Helper: %t: %s", async, o.violation)
		} else if o.results < 2 || o.counted < 13 || o.rejected != 3 {
			t.Errorf("asynchronous Helper: %t: %d results, %d counted, %d rejected", async, o.results, o.counted, o.rejected)
		}
	}
}

// TestTheCheckerNotices breaks an engine, a store or the network in one way at a time, and
// wants the checker to name the invariant that is violated by it.
func TestTheCheckerNotices(t *testing.T) {
	noticed := make(map[string]bool)
	for _, b := range breakages() {
		noticed[b.invariant] = true
		t.Run(b.name, func(t *testing.T) {
			c, operations, h := plainConfig, plainLife(), b.hooks()
			if h.life != nil {
				c, operations = h.life()
			}
			o := play(t, &clients{}, c, operations, h, b.name)
			if !slices.ContainsFunc(o.found, func(v violation) bool { return v.invariant == b.invariant }) {
				t.Errorf("%q was not noticed; what was: %v", b.invariant, o.found)
			}
		})
	}
	for _, invariant := range invariants {
		if !noticed[invariant] {
			t.Errorf("nothing here violates %q", invariant)
		}
	}
}

// breakage is one way to break something.
type breakage struct {
	name      string
	invariant string
	hooks     func() hooks // new ones for each episode
}

func breakages() []breakage {
	return slices.Concat(uploadBreakages(), countBreakages(), collectionBreakages(), recordBreakages(), stuckBreakages(), floorBreakages(), restoreBreakages(), privacyBreakages())
}

// brokenLeader is a Leader's store with some methods replaced.
type brokenLeader struct {
	aggregator.LeaderStore
	upload        func(ctx context.Context, task dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error)
	waiting       func() ([]aggregator.StoredReport, error)
	finish        func(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, commits []aggregator.Commit, rejected []aggregator.Rejection, agg aggregator.Aggregator) error
	readBatch     func(aggregate *aggregator.Aggregate)
	pending       func(waiting, inJobs uint64) (uint64, uint64)
	collectionJob func(job *aggregator.CollectionJob)
	create        func(ctx context.Context, job aggregator.CollectionJob) (aggregator.CollectionJob, bool, error)
	job           func(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) (aggregator.CollectionJob, error)
	tasks         func() error
	age           func(task dap.TaskID, aging aggregator.Aging) error
	sweep         func(limits *aggregator.SweepLimits)
}

func (b *brokenLeader) Upload(ctx context.Context, task dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error) {
	if b.upload != nil {
		return b.upload(ctx, task, reports)
	}
	return b.LeaderStore.Upload(ctx, task, reports)
}

func (b *brokenLeader) WaitingReports(ctx context.Context, task dap.TaskID, after uint64, maxReports, maxBytes int, within *dap.Interval) ([]aggregator.StoredReport, error) {
	if b.waiting != nil {
		return b.waiting()
	}
	return b.LeaderStore.WaitingReports(ctx, task, after, maxReports, maxBytes, within)
}

func (b *brokenLeader) FinishAggregationJob(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, commits []aggregator.Commit, rejected []aggregator.Rejection, agg aggregator.Aggregator) error {
	if b.finish != nil {
		return b.finish(ctx, task, job, commits, rejected, agg)
	}
	return b.LeaderStore.FinishAggregationJob(ctx, task, job, commits, rejected, agg)
}

func (b *brokenLeader) ReadBatch(ctx context.Context, task dap.TaskID, batch aggregator.Batch, agg aggregator.Aggregator) (aggregator.Aggregate, error) {
	aggregate, err := b.LeaderStore.ReadBatch(ctx, task, batch, agg)
	if b.readBatch != nil && err == nil && aggregate.Count > 0 {
		b.readBatch(&aggregate)
	}
	return aggregate, err
}

func (b *brokenLeader) PendingReports(ctx context.Context, task dap.TaskID, batch aggregator.Batch) (waiting, inJobs uint64, err error) {
	waiting, inJobs, err = b.LeaderStore.PendingReports(ctx, task, batch)
	if b.pending != nil {
		waiting, inJobs = b.pending(waiting, inJobs)
	}
	return waiting, inJobs, err
}

func (b *brokenLeader) CreateCollectionJob(ctx context.Context, job aggregator.CollectionJob) (aggregator.CollectionJob, bool, error) {
	if b.create != nil {
		return b.create(ctx, job)
	}
	return b.LeaderStore.CreateCollectionJob(ctx, job)
}

func (b *brokenLeader) CollectionJob(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) (aggregator.CollectionJob, error) {
	if b.job != nil {
		return b.job(ctx, task, id)
	}
	job, err := b.LeaderStore.CollectionJob(ctx, task, id)
	if b.collectionJob != nil && err == nil {
		b.collectionJob(&job)
	}
	return job, err
}

func (b *brokenLeader) AgeFloor(ctx context.Context, task dap.TaskID, aging aggregator.Aging) (dap.Time, error) {
	if b.age != nil {
		if err := b.age(task, aging); err != nil {
			return 0, err
		}
	}
	return b.LeaderStore.AgeFloor(ctx, task, aging)
}

func (b *brokenLeader) Sweep(ctx context.Context, task dap.TaskID, limits aggregator.SweepLimits) (aggregator.Swept, error) {
	if b.sweep != nil {
		b.sweep(&limits)
	}
	return b.LeaderStore.Sweep(ctx, task, limits)
}

func (b *brokenLeader) HpkeKeys(ctx context.Context) ([]aggregator.HpkeKey, error) {
	if b.tasks != nil {
		if err := b.tasks(); err != nil {
			return nil, err
		}
	}
	return b.LeaderStore.HpkeKeys(ctx)
}

// breakLeader makes the hooks of a Leader's store that f breaks.
func breakLeader(f func(*brokenLeader)) func() hooks {
	return func() hooks {
		return hooks{leaderStore: func(s aggregator.LeaderStore) aggregator.LeaderStore {
			b := &brokenLeader{LeaderStore: s}
			f(b)
			return b
		}}
	}
}

// brokenHelper is a Helper's store with some methods replaced.
type brokenHelper struct {
	aggregator.HelperStore
	commit    func(step *aggregator.HelperStep)
	job       func(job *aggregator.HelperJob)
	readBatch func(aggregate *aggregator.Aggregate)
	put       func(share aggregator.AggregateShareRecord) (aggregator.AggregateShareRecord, error)
	sweep     func(limits *aggregator.SweepLimits)
}

func (b *brokenHelper) Sweep(ctx context.Context, task dap.TaskID, limits aggregator.SweepLimits) (aggregator.Swept, error) {
	if b.sweep != nil {
		b.sweep(&limits)
	}
	return b.HelperStore.Sweep(ctx, task, limits)
}

func (b *brokenHelper) CommitHelperStep(ctx context.Context, step aggregator.HelperStep, agg aggregator.Aggregator) (aggregator.HelperJob, error) {
	if b.commit != nil {
		b.commit(&step)
	}
	return b.HelperStore.CommitHelperStep(ctx, step, agg)
}

func (b *brokenHelper) HelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) (aggregator.HelperJob, error) {
	job, err := b.HelperStore.HelperJob(ctx, task, id)
	if b.job != nil && err == nil {
		b.job(&job)
	}
	return job, err
}

func (b *brokenHelper) ReadBatch(ctx context.Context, task dap.TaskID, batch aggregator.Batch, agg aggregator.Aggregator) (aggregator.Aggregate, error) {
	aggregate, err := b.HelperStore.ReadBatch(ctx, task, batch, agg)
	if b.readBatch != nil && err == nil {
		b.readBatch(&aggregate)
	}
	return aggregate, err
}

func (b *brokenHelper) PutAggregateShare(ctx context.Context, share aggregator.AggregateShareRecord) (aggregator.AggregateShareRecord, error) {
	if b.put != nil {
		return b.put(share)
	}
	return b.HelperStore.PutAggregateShare(ctx, share)
}

func breakHelper(f func(*brokenHelper)) func() hooks {
	return func() hooks {
		return hooks{helperStore: func(s aggregator.HelperStore) aggregator.HelperStore {
			b := &brokenHelper{HelperStore: s}
			f(b)
			return b
		}}
	}
}

func uploadBreakages() []breakage {
	return []breakage{
		{"a store says that it has a report that it has not", invariantNotLost, breakLeader(func(b *brokenLeader) {
			b.upload = func(ctx context.Context, task dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error) {
				outcomes, err := b.LeaderStore.Upload(ctx, task, reports[1:])
				return append([]dap.ReportError{0}, outcomes...), err
			}
		})},
		{"a store makes up a report", invariantUnknown, breakLeader(func(b *brokenLeader) {
			b.upload = func(ctx context.Context, task dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error) {
				extra := reports[0]
				extra.ID = dap.NewReportID()
				outcomes, err := b.LeaderStore.Upload(ctx, task, append(slices.Clone(reports), extra))
				return outcomes[:len(reports)], err
			}
		})},
		{"a store accepts a replay", invariantUpload, breakLeader(func(b *brokenLeader) {
			b.upload = func(ctx context.Context, task dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error) {
				outcomes, err := b.LeaderStore.Upload(ctx, task, reports)
				return make([]dap.ReportError, len(outcomes)), err
			}
		})},
		{"a store refuses a report that is new", invariantUpload, breakLeader(func(b *brokenLeader) {
			b.upload = func(_ context.Context, _ dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error) {
				return slices.Repeat([]dap.ReportError{dap.ReportErrorReportReplayed}, len(reports)), nil
			}
		})},
		{"an engine verifies nothing", invariantCheat, func() hooks {
			return hooks{topology: func(v vdaf.Verifier) (*pingpong.Topology, error) { return pingpong.New(&credulous{v}) }}
		}},
	}
}

// credulous is a VDAF that takes every report of the test VDAF for honest.
type credulous struct{ vdaf.Verifier }

func (c *credulous) VerifyInit(verifyKey, ctx []byte, aggID int, aggParam []byte, reports []vdaf.Report) []vdaf.InitResult {
	reports = slices.Clone(reports)
	for i := range reports {
		share := bytes.Clone(reports[i].InputShare)
		clear(share[len(share)-3:]) // the failure plan
		reports[i].InputShare = share
	}
	return c.Verifier.VerifyInit(verifyKey, ctx, aggID, aggParam, reports)
}

// twice adds every output share twice.
type twice struct{ aggregator.Aggregator }

func (a twice) AggUpdate(aggParam, aggShare []byte, outShares []vdaf.OutShare) ([]byte, error) {
	return a.Aggregator.AggUpdate(aggParam, aggShare, append(slices.Clone(outShares), outShares...))
}

func countBreakages() []breakage {
	return []breakage{
		{"a store counts every report twice", invariantBucket, breakLeader(func(b *brokenLeader) {
			b.finish = func(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, commits []aggregator.Commit, rejected []aggregator.Rejection, agg aggregator.Aggregator) error {
				return b.LeaderStore.FinishAggregationJob(ctx, task, job, commits, rejected, twice{agg})
			}
		})},
		{"an engine rejects an honest report", invariantReason, breakLeader(func(b *brokenLeader) {
			b.finish = func(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, commits []aggregator.Commit, rejected []aggregator.Rejection, agg aggregator.Aggregator) error {
				rejected = append(slices.Clone(rejected), aggregator.Rejection{Sequence: commits[0].Sequence, Error: dap.ReportErrorVdafVerifyError})
				return b.LeaderStore.FinishAggregationJob(ctx, task, job, commits[1:], rejected, agg)
			}
		})},
		{"the Leader rejects what the Helper has counted", invariantAgree, breakLeader(func(b *brokenLeader) {
			b.finish = func(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, commits []aggregator.Commit, rejected []aggregator.Rejection, agg aggregator.Aggregator) error {
				rejected = append(slices.Clone(rejected), aggregator.Rejection{Sequence: commits[0].Sequence, Error: dap.ReportErrorReportTooEarly})
				return b.LeaderStore.FinishAggregationJob(ctx, task, job, commits[1:], rejected, agg)
			}
		})},
		{"the Helper says that it has counted what it has not", invariantAgree, breakHelper(func(b *brokenHelper) {
			b.commit = func(step *aggregator.HelperStep) { step.Commits = step.Commits[:0] }
		})},
		{"the network changes an answer", invariantReason, func() hooks {
			return hooks{reply: func(request string, reply *aggregator.PeerReply) {
				resp, err := dap.DecodeAggregationJobResp(reply.Body)
				if request != requestContinue || err != nil {
					return
				}
				resp.VerifyResps[0] = dap.VerifyResp{ReportID: resp.VerifyResps[0].ReportID, Type: dap.VerifyRespReject, Error: dap.ReportErrorVdafVerifyError}
				reply.Body, _ = resp.Encode()
			}}
		}},
	}
}

func collectionBreakages() []breakage {
	return []breakage{
		{"a result is not that of its reports", invariantResult, breakLeader(func(b *brokenLeader) {
			b.readBatch = func(aggregate *aggregator.Aggregate) {
				if len(aggregate.Share) == 8 {
					aggregate.Share = binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(aggregate.Share)+1)
				}
			}
		})},
		{"the Helper reads another batch", invariantCollection, breakHelper(func(b *brokenHelper) {
			b.readBatch = func(aggregate *aggregator.Aggregate) { aggregate.Count++ }
		})},
		{"the Helper does not mark a batch as collected", invariantCollected, breakHelper(func(b *brokenHelper) {
			b.put = func(share aggregator.AggregateShareRecord) (aggregator.AggregateShareRecord, error) {
				return share, nil
			}
		})},
		{"a poll answers other bytes", invariantSameAnswer, breakLeader(func(b *brokenLeader) {
			polls := 0
			b.collectionJob = func(job *aggregator.CollectionJob) {
				if job.Response == nil {
					return
				}
				if polls++; polls > 1 {
					job.Response = bytes.Clone(job.Response)
					job.Response[0] ^= 1
				}
			}
		})},
		{"the Helper answers other bytes", invariantSameAnswer, func() hooks {
			n := byte(0)
			h := breakHelper(func(b *brokenHelper) {
				b.job = func(job *aggregator.HelperJob) {
					if n++; len(job.Response) > 0 && job.Step > 0 {
						job.Response = append(bytes.Clone(job.Response), n)
					}
				}
			})()
			h.requestsTwice = true
			return h
		}},
		{"a batch is given out twice", invariantOnce, giveTwice},
	}
}

// giveTwice makes a Leader's store that answers the request of a deleted collection job with the
// old result under a new ID.
func giveTwice() hooks {
	var mu sync.Mutex
	old := make(map[[32]byte]aggregator.CollectionJob)
	again := make(map[dap.CollectionJobID]aggregator.CollectionJob)
	return breakLeader(func(b *brokenLeader) {
		b.create = func(ctx context.Context, job aggregator.CollectionJob) (aggregator.CollectionJob, bool, error) {
			stored, created, err := b.LeaderStore.CreateCollectionJob(ctx, job)
			mu.Lock()
			defer mu.Unlock()
			if before, ok := old[job.RequestDigest]; ok && errors.Is(err, aggregator.ErrBatchOverlap) {
				before.ID = job.ID
				again[job.ID] = before
				return before, false, nil
			}
			return stored, created, err
		}
		b.job = func(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) (aggregator.CollectionJob, error) {
			job, err := b.LeaderStore.CollectionJob(ctx, task, id)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && job.State == aggregator.CollectionFinished {
				old[job.RequestDigest] = job
			}
			if before, ok := again[id]; ok {
				return before, nil
			}
			return job, err
		}
	})()
}

// edited changes a stopped Leader's file once, behind its back.
func edited(change func(data *bbolt.Bucket) error) func() hooks {
	return func() hooks {
		done := false
		return hooks{stopped: func(s side, path string) error {
			if s != leader || done {
				return nil
			}
			done = true
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, NoSync: true})
			if err != nil {
				return err
			}
			err = db.Update(func(tx *bbolt.Tx) error {
				data := tx.Bucket([]byte("data"))
				name, _ := data.Cursor().First()
				return change(data.Bucket(name))
			})
			return errors.Join(err, db.Close())
		}}
	}
}

// entries calls f for each entry of the index of report IDs, in its generations and in the logs of the newest ones. change
// replaces what it says; nil deletes it.
func entries(data *bbolt.Bucket, f func(entry []byte, change func([]byte) error) error) error {
	const idLength = len(dap.ReportID{})
	recent := data.Bucket([]byte("recent"))
	merged := recent.Get([]byte("merged"))
	oldest, _ := recent.Cursor().First()
	err := eachEntry(recent, func(log *bbolt.Bucket, name, key, value []byte) error {
		id, entry := value[:idLength], value[idLength:]
		if bytes.Equal(name, oldest) && bytes.Compare(id, merged) <= 0 {
			return nil // it is in its generation
		}
		return f(entry, func(changed []byte) error {
			if changed == nil {
				return log.Delete(key)
			}
			return log.Put(key, append(bytes.Clone(id), changed...))
		})
	})
	if err != nil {
		return err
	}
	return eachEntry(data.Bucket([]byte("ids")), func(generation *bbolt.Bucket, _, key, value []byte) error {
		return f(value, func(changed []byte) error {
			if changed == nil {
				return generation.Delete(key)
			}
			return generation.Put(key, changed)
		})
	})
}

// eachEntry calls f for the entries of all buckets in a bucket.
func eachEntry(b *bbolt.Bucket, f func(within *bbolt.Bucket, name, key, value []byte) error) error {
	return b.ForEachBucket(func(name []byte) error {
		within := b.Bucket(name)
		return within.ForEach(func(key, value []byte) error { return f(within, name, key, value) })
	})
}

// standing is the state of an entry of the index. That of a counted report of a time-interval task says open, and its
// body is gone.
func standing(data *bbolt.Bucket, entry []byte) store.ReportState {
	state := store.ReportState(entry[0])
	if state != store.ReportOpen {
		return state
	}
	sequence := entry[9:]
	if body, _ := data.Bucket([]byte("bodies")).Cursor().Seek(sequence); !bytes.HasPrefix(body, sequence) && data.Get([]byte("shape"))[0] == byte(dap.BatchModeTimeInterval) {
		return store.ReportCounted
	}
	return state
}

// changeFirst changes the first entry of the index that is in a state.
func changeFirst(state store.ReportState, change func(value []byte) []byte) func(*bbolt.Bucket) error {
	return func(data *bbolt.Bucket) error {
		done := false
		return entries(data, func(entry []byte, put func([]byte) error) error {
			if done || standing(data, entry) != state {
				return nil
			}
			done = true
			return put(change(bytes.Clone(entry)))
		})
	}
}

func recordBreakages() []breakage {
	return []breakage{
		{"a store forgets a report that it has counted", invariantNotLost, edited(changeFirst(store.ReportCounted, func([]byte) []byte { return nil }))},
		{"a store changes its mind about a rejection", invariantFinal, edited(changeFirst(store.ReportRejected, func(value []byte) []byte {
			value[len(value)-1] = byte(dap.ReportErrorTaskExpired)
			return value
		}))},
		{"a store loses the reports that wait", invariantOneState, func() hooks {
			h := breakLeader(func(b *brokenLeader) { b.waiting = func() ([]aggregator.StoredReport, error) { return nil, nil } })()
			h.stopped = edited(func(data *bbolt.Bucket) error {
				waiting := data.Bucket([]byte("waiting"))
				key, _ := waiting.Cursor().First()
				return waiting.Delete(key)
			})().stopped
			return h
		}},
		{"a collected bucket is gone", invariantCollected, edited(func(data *bbolt.Bucket) error {
			buckets := data.Bucket([]byte("buckets"))
			key, _ := buckets.Cursor().First()
			return buckets.Delete(key)
		})},
		{"a bucket above the floor is gone", invariantForgotten, edited(func(data *bbolt.Bucket) error {
			buckets := data.Bucket([]byte("buckets"))
			key, _ := buckets.Cursor().First()
			return buckets.Delete(key)
		})},
		{"a collected batch is not collected any more", invariantCollected, edited(func(data *bbolt.Bucket) error {
			taken := data.Bucket([]byte("taken"))
			key, _ := taken.Cursor().First()
			return taken.Delete(key)
		})},
		{"the counters are wrong", invariantCheck, edited(func(data *bbolt.Bucket) error {
			return data.Put([]byte("counters"), []byte{0xa1, 0x04, 0x18, 0x63}) // {4: 99}
		})},
	}
}

func stuckBreakages() []breakage {
	return []breakage{
		{"waiting reports are not found", invariantReportEnds, breakLeader(func(b *brokenLeader) {
			b.waiting = func() ([]aggregator.StoredReport, error) { return nil, nil }
		})},
		{"a batch seems to have a pending report for ever", invariantCollectEnds, breakLeader(func(b *brokenLeader) {
			b.pending = func(waiting, inJobs uint64) (uint64, uint64) { return waiting, inJobs + 1 }
		})},
		{"the keys cannot be read after a restart", invariantRuns, func() hooks {
			opened := 0
			return breakLeader(func(b *brokenLeader) {
				opened++
				second := opened == 2
				b.tasks = func() error {
					if second {
						return errors.New("the keys are gone")
					}
					return nil
				}
			})()
		}},
	}
}
