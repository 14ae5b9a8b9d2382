package aggregator

import (
	"context"
	"errors"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/vdaf"
)

// Errors that every Store returns, wrapped with what they are about.
var (
	// ErrNotFound: no record under that identifier.
	ErrNotFound = errors.New("not found")
	// ErrExists: another record stands under that identifier already.
	ErrExists = errors.New("exists already with other content")
	// ErrConflict: what the caller decided on has changed since; it reads
	// again and decides anew.
	ErrConflict = errors.New("changed since it was read")
	// ErrBatchOverlap: a batch bucket of the batch is collected, or reserved by another collection.
	ErrBatchOverlap = errors.New("batch overlaps a collected one")
	// ErrPrivacy: the task's differential privacy does not allow it. It comes with a *dp.BudgetError, or a
	// *dp.BatchSizeError.
	ErrPrivacy = errors.New("not allowed by the task's differential privacy")
	// ErrBusy: the store's queue is full; nothing was written. Try again later.
	ErrBusy = errors.New("store is busy")
	// ErrUnavailable: the disk refused a write, and nothing of it is kept; or it
	// failed while it confirmed the write, and all of it is. The same call again is safe:
	// it finds what the first has left, and says nil where nothing remains to be done,
	// else what it finds (a report that is replayed, a job that is not found any more).
	ErrUnavailable = errors.New("store is unavailable")
)

// BucketID identifies a batch bucket of a task (DAP Section 4.5.4.3): a time,
// in the time-interval mode, else a batch ID.
type BucketID struct {
	Time    dap.Time    // time-interval: the bucket is [Time, Time+1)
	BatchID dap.BatchID // leader-selected
}

// BatchID names a set of batch buckets: an interval in the time-interval mode,
// else one batch.
type Batch struct {
	Mode     dap.BatchMode
	Interval dap.Interval
	BatchID  dap.BatchID
}

// Aggregate is what is known of a batch: the merge of its buckets.
type Aggregate struct {
	// Share is the encoded aggregate share. Nil if the batch has no bucket.
	Share []byte
	Count uint64
	// Checksum is the XOR of the SHA-256 of each report ID (DAP Section 4.5.4.3).
	Checksum dap.Checksum
	// Interval is the smallest that contains the reports' times; zero if Count is 0.
	Interval dap.Interval
	// AggParam is the aggregation parameter of the buckets.
	AggParam []byte
}

// Aggregator is what a Store needs of a VDAF to add up shares, all of it pure;
// *pingpong.Topology is one. The store calls it inside transactions, maybe more than
// once for the same shares.
type Aggregator interface {
	AggInit(aggParam []byte) []byte
	AggUpdate(aggParam, aggShare []byte, outShares []vdaf.OutShare) ([]byte, error)
	Merge(aggParam []byte, aggShares ...[]byte) ([]byte, error)
}

// Store is the durable state that both roles need. Every method is one
// transaction: it happens wholly or not at all, and what it wrote is on the disk when
// it returns nil. All are safe for concurrent use.
type Store interface {
	// PutTask adds a task. Adding the same task again changes nothing and is
	// no error; a different one under the same ID is ErrExists.
	PutTask(ctx context.Context, task Task) error
	// Task returns a task, or ErrNotFound.
	Task(ctx context.Context, id dap.TaskID) (Task, error)
	// Tasks returns all tasks in the order in which they were added.
	Tasks(ctx context.Context) ([]Task, error)

	// PutHpkeKey adds or updates a key under its configuration ID. A key with
	// that ID and another public key is ErrExists.
	PutHpkeKey(ctx context.Context, key HpkeKey) error
	// HpkeKeys returns all keys, retired ones too, by preference.
	HpkeKeys(ctx context.Context) ([]HpkeKey, error)

	// PutPeering adds a peering or replaces the one of that name.
	PutPeering(ctx context.Context, p Peering) error
	Peerings(ctx context.Context) ([]Peering, error)

	// ReadBatch merges the buckets of a batch. A batch with no bucket gives an
	// Aggregate with Count 0. Buckets with different aggregation
	// parameters are ErrConflict. Without an Aggregator the share is left out.
	ReadBatch(ctx context.Context, task dap.TaskID, batch Batch, agg Aggregator) (Aggregate, error)

	// PrivacyLedger returns what a task with differential privacy has spent: nothing for any other.
	PrivacyLedger(ctx context.Context, task dap.TaskID) (PrivacyLedger, error)

	// RaiseFloor raises a task's floor to floor, unless it is there already, and returns what it is
	// now. Below the floor nothing is remembered report by report any more. So a report with an earlier
	// time is refused with ReportErrorReportDropped, by an upload as by CommitHelperStep, and cannot
	// go into an aggregation job; and a time-interval batch with an earlier bucket counts as
	// collected: ErrBatchOverlap.
	RaiseFloor(ctx context.Context, task dap.TaskID, floor dap.Time) (dap.Time, error)
	// AgeFloor raises a task's floor with time: to what was its newest report time a period before now. It does
	// not rise above aging.Limit nor above the beginning of a batch that a collection has reserved. The newest
	// report time is noted for later calls. It returns the floor.
	AgeFloor(ctx context.Context, task dap.TaskID, aging Aging) (dap.Time, error)
	// Floor returns a task's floor, 0 if it was never raised.
	Floor(ctx context.Context, task dap.TaskID) (dap.Time, error)
	// Sweep deletes what is below a task's floor, and answers that are too old, a bounded part of
	// it at a time; Swept.More tells that there may be more. Pending reports below the floor are rejected with
	// ReportErrorReportDropped, but for those in active jobs. Leader-selected batches go when all their reports
	// are below the floor and they take no more. As such a batch may be collected however old its reports are, what
	// may settle it stays until it is collected or gone: a Leader's jobs in quarantine, a
	// Helper's jobs that have counted reports and that the Leader has not deleted; and as long as there is such a job,
	// the Helper's batch. limits.Ended lets all of it go.
	Sweep(ctx context.Context, task dap.TaskID, limits SweepLimits) (Swept, error)

	// Check looks for broken invariants in the whole store and names each.
	Check(ctx context.Context) ([]Violation, error)

	// Close waits for the transactions under way and closes the file.
	Close() error
}

// Violation is one broken invariant that Check has found.
type Violation struct {
	// Invariant names the rule, e.g. "a report is counted once".
	Invariant string
	// Detail says which records break it. It holds nothing secret.
	Detail string
}

// LeaderStore is a Leader's durable state.
//
// A report that Upload has accepted is, at each moment, in exactly one of four
// states: waiting, in an aggregation job, counted in a batch bucket, or
// rejected with a report error. Only the first two keep its body. The
// transitions are the methods below, and no sequence of them counts a report twice.
type LeaderStore interface {
	Store

	// Upload accepts reports. outcomes[i] is zero if reports[i] was
	// accepted and is durable, ReportErrorReportReplayed if its ID was accepted
	// before in this task (whatever its time, and also within reports), and
	// ReportErrorBatchCollected if its time lies in a collected or closed batch.
	// A report that is both is replayed. Concurrent calls share commits. ErrBusy: none was
	// accepted.
	Upload(ctx context.Context, task dap.TaskID, reports []UploadReport) (outcomes []dap.ReportError, err error)

	// WaitingReports returns the oldest waiting reports of a task with a
	// sequence number above after: at most maxReports, and no more than maxBytes of bodies but for the first.
	// within, if not nil, selects those with a time in that interval.
	WaitingReports(ctx context.Context, task dap.TaskID, after uint64, maxReports, maxBytes int, within *dap.Interval) ([]StoredReport, error)
	// WaitingTasks returns the tasks that have waiting reports, with their number.
	WaitingTasks(ctx context.Context) (map[dap.TaskID]uint64, error)

	// CreateAggregationJob moves waiting reports into a new job, and
	// rejects others, in one transaction. If one of them waits no longer, nothing
	// happens and the error is ErrConflict. A job with a report in a collected bucket is
	// ErrConflict too, and so is one for a leader-selected batch that is reserved, closed or
	// collected, unless it is the job of the collection that has the batch (job.Collection); such a
	// job of a time-interval task needs the batch to be reserved by that collection. A
	// time-interval batch that is closed only refuses uploads: what waits in it may
	// go into any job. A job without Reports is not stored, only its rejections are, of the
	// reports that have not ended before. The
	// same job again changes nothing and is no error; another under its ID is ErrExists.
	CreateAggregationJob(ctx context.Context, job AggregationJob, rejected []Rejection) error
	// AggregationJobs returns the jobs that are active (JobActive), oldest first.
	AggregationJobs(ctx context.Context) ([]AggregationJob, error)
	// AggregationJob returns a job of a task, active or in quarantine, or ErrNotFound.
	AggregationJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) (AggregationJob, error)
	// UnfinishedJobs returns a task's jobs, those in quarantine too, in the order
	// in which they were made. They come without States.
	UnfinishedJobs(ctx context.Context, task dap.TaskID) ([]AggregationJob, error)
	// JobReports returns the reports of a job, in the job's order.
	JobReports(ctx context.Context, task dap.TaskID, job dap.AggregationJobID) ([]StoredReport, error)
	// AdvanceAggregationJob stores what a job needs to go on from its next step
	// and rejects reports of it; or records an attempt's failure (job.Attempts,
	// job.LastError). It never changes which reports the job has but for the rejected:
	// job.Reports are those that remain, in the same order, and States belong to them.
	// A job that is in quarantine, at a later step or restarted since is ErrConflict.
	AdvanceAggregationJob(ctx context.Context, job AggregationJob, rejected []Rejection) error
	// RestartAggregationJob lets an active job begin again at step 0, without States and
	// HelperLocation, with those of its reports that remain, and rejects the others.
	// job.Restarts is one more than what is stored; otherwise ErrConflict. The same call again is no error.
	RestartAggregationJob(ctx context.Context, job AggregationJob, rejected []Rejection) error
	// QuarantineAggregationJob puts an active job in quarantine: nothing drives it any
	// more, its reports and their bodies stay with it, and count neither as pending
	// nor in any bucket. A job in quarantine stays as it is, which is no error. ErrNotFound if there is none.
	QuarantineAggregationJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, why Quarantine) error
	// ReactivateAggregationJob ends a job's quarantine: it is active again at the step where
	// it was, without Attempts, to be tried at once, and its reports are pending again. Where all its
	// buckets are collected the reports are rejected with ReportErrorBatchCollected instead, and the job is gone:
	// active is then false. An active job is only made to be tried at once. ErrNotFound if there is none.
	ReactivateAggregationJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) (active bool, err error)
	// ReactivateQuarantined is ReactivateAggregationJob for every job in quarantine that has a report in
	// the batch of an unfinished collection job, once for each collection job
	// (CollectionJob.Reactivated). It returns the number of jobs; 0 also if it was done before.
	ReactivateQuarantined(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) (jobs int, err error)
	// FinishAggregationJob ends a job: every report of it is either in commits, and
	// its output share is added to its bucket, or in rejected. Bodies go, IDs are
	// remembered, the job is gone: doing it again is ErrNotFound. Of a job that was in
	// quarantine, reports whose bucket was collected meanwhile are rejected with
	// ReportErrorBatchCollected in place of their commits. A job in quarantine is ErrConflict. Reports of a
	// time-interval task that are below its floor by now are rejected with ReportErrorReportDropped.
	FinishAggregationJob(ctx context.Context, task dap.TaskID, job dap.AggregationJobID, commits []Commit, rejected []Rejection, agg Aggregator) error

	// OpenBatches returns the leader-selected batches of a task that are not
	// yet collected nor reserved, oldest first.
	OpenBatches(ctx context.Context, task dap.TaskID) ([]OpenBatch, error)

	// CreateCollectionJob stores a collection job. If a job with the same request stands already
	// (RequestDigest), it is returned with created false. ErrBatchOverlap if a bucket is collected or
	// reserved. A time-interval batch is not reserved by it, so that jobs of overlapping
	// batches may be pending: the first that reserves its batch has it. A
	// leader-selected job may come without a batch (job.Batch.BatchID zero) and
	// gets one by AssignBatch. A batch stays reserved until its job has failed or is deleted.
	CreateCollectionJob(ctx context.Context, job CollectionJob) (stored CollectionJob, created bool, err error)
	// AssignBatch gives a leader-selected collection job its batch and reserves it.
	AssignBatch(ctx context.Context, task dap.TaskID, id dap.CollectionJobID, batch dap.BatchID) error
	// CollectionJob returns a job, or ErrNotFound; a deleted one is ErrNotFound.
	CollectionJob(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) (CollectionJob, error)
	// CollectionJobs returns those that are neither finished nor deleted.
	CollectionJobs(ctx context.Context) ([]CollectionJob, error)
	// PendingReports counts the reports in a batch that wait or are in a job that is not in quarantine.
	// In the leader-selected mode only those in jobs count.
	PendingReports(ctx context.Context, task dap.TaskID, batch Batch) (waiting, inJobs uint64, err error)
	// ReserveBatch reserves a job's batch for it while it is pending yet: before reports
	// are aggregated with its aggregation parameter. Again, it changes nothing. ErrBatchOverlap if a
	// bucket is collected, or reserved by another job.
	ReserveBatch(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) error
	// CloseBatch reserves the job's batch if it is not reserved yet (ErrBatchOverlap as for
	// ReserveBatch), refuses further uploads into it, and makes the job's
	// State CollectionClosed. The batch stays closed for good, but a later
	// collection job may reserve it again while it is not collected.
	CloseBatch(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) error
	// UpdateCollectionJob stores the job's HelperLocation, Attempts, NextAttempt, LastError.
	UpdateCollectionJob(ctx context.Context, job CollectionJob) error
	// FinishCollectionJob marks the batch as collected and stores the response
	// (job.Response) or the failure (job.Failure); every later answer is this one. If the batch's
	// count or checksum are not those given, or a report of it is pending, nothing happens: ErrConflict.
	// In a task with differential privacy the same transaction charges the task's ledger for the batch, once. If its
	// budget does not suffice, or the batch has more reports than the task allows, nothing happens: ErrPrivacy.
	FinishCollectionJob(ctx context.Context, job CollectionJob, count uint64, checksum dap.Checksum) error
	// FailCollectionJob stores the failure without marking the batch as collected; a closed batch stays closed.
	// Of a leader-selected batch the failure is noted (OpenBatch.Failures).
	FailCollectionJob(ctx context.Context, job CollectionJob) error
	// DeleteCollectionJob forgets the job and its answer. What double collection
	// checks need stays; a batch that was not closed is free again.
	DeleteCollectionJob(ctx context.Context, task dap.TaskID, id dap.CollectionJobID) error

	// BucketCounts returns the batch buckets of a time-interval task that no collection has reserved or collected, from a time
	// on and above the floor, where at least so many reports are pending or at least so many are counted: at most that many buckets, in the order of time.
	BucketCounts(ctx context.Context, task dap.TaskID, from dap.Time, least uint64, most int) ([]BucketCounts, error)
	// ReadyInterval returns, of a time-interval task, the first interval without a gap that is collected, reserved or below the floor in which at least so many reports are
	// counted: with its first report, and the smallest end. It returns the same interval, without regard to
	// reports that have come since, until a part of it is reserved, collected or below the floor. Nil if there is none.
	ReadyInterval(ctx context.Context, task dap.TaskID, least uint64) (*ReadyInterval, error)

	// Counts returns a task's numbers, for the operator and for metrics.
	Counts(ctx context.Context, task dap.TaskID) (LeaderCounts, error)
}

// UploadReport is a report as it is stored: Body is the encoding of the whole
// dap.Report as the client sent it.
type UploadReport struct {
	ID   dap.ReportID
	Time dap.Time
	Body []byte
}

// StoredReport is an accepted report. Sequence orders a task's reports by
// acceptance and identifies one within the store.
type StoredReport struct {
	Sequence uint64
	ID       dap.ReportID
	Time     dap.Time
	Body     []byte
}

// Rejection ends a report with a report error.
type Rejection struct {
	Sequence uint64
	Error    dap.ReportError
}

// Commit adds a report's output share to its batch bucket. The bucket follows from
// the report's time or from the job's batch ID.
type Commit struct {
	Sequence uint64
	OutShare vdaf.OutShare
}

// JobState is where a Leader's aggregation job stands.
type JobState uint8

const (
	// JobActive: to be driven to its end.
	JobActive JobState = 1
	// JobQuarantined: not driven any more (DAP Section 4.5.5), for the reason in
	// Quarantine. Its reports stay with it and are counted nowhere. It can be reactivated.
	JobQuarantined JobState = 2
)

// Quarantine says why a job is in quarantine.
type Quarantine struct {
	At     time.Time
	Reason string
	// MayBeCounted tells that the Helper may have counted the job's reports by then: nothing
	// has shown that it has not. Where it is false the Helper can have counted them since, by a
	// copy of a request that came late, when its operator had released its own job from quarantine.
	MayBeCounted bool
}

// AggregationJob is a Leader's aggregation job.
type AggregationJob struct {
	ID       dap.AggregationJobID // the Leader's own; the Helper has its own in HelperLocation
	Task     dap.TaskID
	AggParam []byte
	// BatchID is set in the leader-selected mode.
	BatchID dap.BatchID
	// Collection, if not zero, is the collection job that this job was made for.
	Collection dap.CollectionJobID
	// Reports are the sequence numbers of the job's reports, in the order of the requests.
	Reports []uint64

	State JobState
	// Step is the step that the next request asks the Helper for: 0 is initialization.
	Step uint16
	// RequestDigest is the SHA-256 of that request, which is made anew from the
	// stored reports (step 0) or from States after a crash, and must come out the same.
	RequestDigest [32]byte
	// States are the encoded ping-pong states of Reports, from step 1 on.
	States [][]byte
	// HelperLocation is the Helper's URL of the job once it is known.
	HelperLocation string
	// Restarts is how often the job began again at step 0, because the Helper had lost it.
	Restarts uint32
	// Quarantine is set in the state JobQuarantined; Reactivations is how often one has ended.
	Quarantine    Quarantine
	Reactivations uint32

	CreatedAt time.Time
	// Attempts counts the failures since the last step.
	Attempts uint32
	// NextAttempt is when to try again after a failure.
	NextAttempt time.Time
	LastError   string
}

// OpenBatch is a leader-selected batch that takes reports or may be collected.
type OpenBatch struct {
	BatchID dap.BatchID
	// InJobs is the number of its reports in active jobs, Count that of those that are counted.
	InJobs, Count uint64
	// Closed batches take no more reports, and wait for another collection job.
	Closed    bool
	CreatedAt time.Time
	// Failures is how many collections of it have failed, LastFailure and FailedAt how and when the last one did.
	Failures    uint32
	LastFailure string
	FailedAt    time.Time
}

// CollectionState is where a collection job stands.
type CollectionState uint8

const (
	CollectionPending  CollectionState = 1 // waits for reports
	CollectionClosed   CollectionState = 2 // its batch takes no more uploads
	CollectionFinished CollectionState = 3 // Response is the answer
	CollectionFailed   CollectionState = 4 // Failure is the answer
)

// CollectionJob is a Leader's collection job (DAP Section 4.6.1).
type CollectionJob struct {
	ID   dap.CollectionJobID
	Task dap.TaskID
	// Request is the encoded CollectionJobReq; RequestDigest its SHA-256.
	Request       []byte
	RequestDigest [32]byte
	Batch         Batch
	State         CollectionState
	// HelperLocation is the Helper's URL of the aggregate share once known.
	HelperLocation string
	Response       []byte // the encoded CollectionJobResp
	Failure        *dap.Error
	CreatedAt      time.Time
	Attempts       uint32
	NextAttempt    time.Time
	LastError      string
	// Reactivated tells that ReactivateQuarantined has reactivated jobs for it.
	Reactivated bool
	// EndedAt is when it got its answer.
	EndedAt time.Time
}

// PrivacyLedger is what a task with differential privacy has spent at this aggregator.
type PrivacyLedger struct {
	// Batches were collected here. Assumed is how many more may have been, before the store was restored from a copy.
	Batches, Assumed uint64
}

// Spent returns the ledger that the accounting goes on with.
func (l PrivacyLedger) Spent() dp.Ledger { return dp.Ledger{Batches: l.Batches + l.Assumed} }

// LeaderCounts are a task's numbers of reports by state.
type LeaderCounts struct {
	// Quarantined are those with jobs in quarantine.
	Waiting, InJobs, Quarantined, Aggregated uint64
	Rejected                                 map[dap.ReportError]uint64
	Collected                                uint64 // reports in collected batches
	// Expired are those of Aggregated that were forgotten before they were collected.
	Expired uint64
}

// HelperStore is a Helper's durable state.
type HelperStore interface {
	Store

	// CreateHelperJob stores a job that will be computed later (asynchronous
	// Helper) with its request. If a job with that ID stands already it is returned with created false.
	// ErrNotFound if it was finished and then deleted.
	CreateHelperJob(ctx context.Context, job HelperJob) (stored HelperJob, created bool, err error)
	// HelperJob returns a job, or ErrNotFound; a deleted one is ErrNotFound.
	HelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) (HelperJob, error)
	// PendingHelperJobs returns the jobs whose step is to be computed, oldest first.
	PendingHelperJobs(ctx context.Context) ([]HelperJob, error)
	// SetHelperRequest stores the request of a job's next step to be computed
	// later. ErrConflict unless the job is ready at step-1 and not in quarantine.
	SetHelperRequest(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, step uint16, digest [32]byte, request []byte) error

	// CommitHelperStep ends one step of a job in one transaction. For each of
	// step.Commits, in order: if its bucket is collected the response at
	// Commits[i].Index becomes a rejection with ReportErrorBatchCollected; if its ID is
	// remembered in this task, whatever its time, with ReportErrorReportReplayed; else the output share is
	// added to the bucket and the ID is remembered. Below the task's floor the rejection is
	// ReportErrorReportDropped. Then the responses are
	// encoded and stored as the job's answer to step.Job.Step. If that step (or a later one) was
	// committed already nothing happens and the stored job is returned: the same
	// request twice, or two at once, give one result. A job at another step than the one before, or
	// in quarantine, is ErrConflict; one that was finished and then deleted is ErrNotFound.
	CommitHelperStep(ctx context.Context, step HelperStep, agg Aggregator) (HelperJob, error)
	// RecordHelperAttempt counts a failure to compute a job's pending step, and says why
	// it failed. Where that step is not pending any more, nothing happens.
	RecordHelperAttempt(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, step uint16, problem string) error
	// DeleteHelperJob forgets a job, but not the report IDs nor the buckets. Of a
	// finished job its ID is remembered, so that its first request, come late, does
	// not make it again. ErrNotFound if there is none.
	DeleteHelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) error

	// HelperJobs returns a task's jobs in the order in which they were made; without finished, only those that
	// are pending, between two steps or in quarantine. They come without Request, Response and States.
	HelperJobs(ctx context.Context, task dap.TaskID, finished bool) ([]HelperJob, error)
	// QuarantineHelperJob puts a job that has counted nothing in quarantine: no step of it is computed any
	// more. A request that was pending is forgotten, and the job is back where it was before it. A job that
	// has counted reports or is finished is ErrConflict; one in quarantine stays as it is.
	QuarantineHelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID, why Quarantine) error
	// ReleaseHelperJob ends a job's quarantine. What never came past step 0 is forgotten, so that the
	// Leader's request makes it anew. A job that is not in quarantine stays as it is.
	ReleaseHelperJob(ctx context.Context, task dap.TaskID, id dap.AggregationJobID) error

	// Replayed reports which of the report IDs are remembered already: an early
	// look that saves work. CommitHelperStep decides.
	Replayed(ctx context.Context, task dap.TaskID, ids []dap.ReportID) ([]bool, error)

	// PutAggregateShare marks a batch as collected and stores the answer. The same ID
	// again returns what is stored. ErrBatchOverlap if a bucket of the batch
	// is collected; ErrConflict if the batch's count or checksum are not those given. In a task with differential privacy
	// the same transaction charges the task's ledger for the batch, once: ErrPrivacy if that cannot be.
	PutAggregateShare(ctx context.Context, share AggregateShareRecord) (AggregateShareRecord, error)
	// AggregateShare returns a stored answer, or ErrNotFound; a deleted one is ErrNotFound.
	AggregateShare(ctx context.Context, task dap.TaskID, id dap.AggregateShareID) (AggregateShareRecord, error)
	// Collected reports whether any bucket of the batch is collected.
	Collected(ctx context.Context, task dap.TaskID, batch Batch) (bool, error)
	// DeleteAggregateShare forgets the answer; the batch stays collected.
	DeleteAggregateShare(ctx context.Context, task dap.TaskID, id dap.AggregateShareID) error

	// Counts returns a task's numbers, for the operator and for metrics.
	HelperCounts(ctx context.Context, task dap.TaskID) (HelperCounts, error)
}

// HelperJob is a Helper's aggregation job. Its ID follows from the request's content.
type HelperJob struct {
	ID       dap.AggregationJobID
	Task     dap.TaskID
	AggParam []byte
	BatchID  dap.BatchID // leader-selected
	// Step is the newest step that was asked for, RequestDigest the SHA-256 of its request.
	Step          uint16
	RequestDigest [32]byte
	// Pending: Request waits to be computed. Else Response is the answer to Step.
	Pending  bool
	Request  []byte
	Response []byte
	// Reports are those that are still being verified after Step, empty when all are done.
	Reports   []HelperReport
	CreatedAt time.Time
	// Newest is the newest time of all reports of the job, the rejected ones too. What is
	// stored of it never falls.
	Newest dap.Time
	// Counted is how many reports the job has added to buckets.
	Counted uint64
	// Attempts counts the failures to compute the pending step, LastError says why the last one failed.
	Attempts  uint32
	LastError string
	// Quarantine is set, with its time, while the job is in quarantine. MayBeCounted is false.
	Quarantine Quarantine
	// Expired are those of Aggregated that were forgotten before they were collected.
	Expired uint64
}

// Quarantined tells whether the job is in quarantine.
func (j *HelperJob) Quarantined() bool { return !j.Quarantine.At.IsZero() }

// Finished tells whether the job is over: no report of it is being verified any more.
func (j *HelperJob) Finished() bool { return !j.Pending && len(j.Reports) == 0 && !j.Quarantined() }

// HelperReport is a report between two steps of a job.
type HelperReport struct {
	ID    dap.ReportID
	Time  dap.Time
	State []byte // encoded ping-pong state
}

// HelperStep is what CommitHelperStep stores. Job holds the job's state after
// the step, without Response. Responses answer the request's reports in order.
type HelperStep struct {
	Job       HelperJob
	Responses []dap.VerifyResp
	Commits   []HelperCommit
}

// HelperCommit is a report that has passed verification; Index is its place in Responses.
type HelperCommit struct {
	Index    int
	ID       dap.ReportID
	Time     dap.Time
	OutShare vdaf.OutShare
}

// AggregateShareRecord is a Helper's answer to an AggregateShareReq. Its ID follows from the request's content.
type AggregateShareRecord struct {
	ID            dap.AggregateShareID
	Task          dap.TaskID
	RequestDigest [32]byte
	Batch         Batch
	Count         uint64
	Checksum      dap.Checksum
	Response      []byte // the encoded AggregateShare
	CreatedAt     time.Time
}

// HelperCounts are a task's numbers at a Helper.
type HelperCounts struct {
	Aggregated uint64
	Rejected   map[dap.ReportError]uint64
	Collected  uint64
	// Expired are those of Aggregated that were forgotten before they were collected.
	Expired uint64
}
