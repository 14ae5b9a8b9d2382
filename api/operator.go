package api

import (
	"context"
	"io"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// OperatorService is what an operator can have a running aggregator do. The
// same service works on the store directly when no server runs; the commands
// choose. Errors that the operator can do something about are *OperatorError.
type OperatorService interface {
	// Status describes the aggregator, its tasks, keys and peers.
	Status(ctx context.Context) (OperatorStatus, error)
	// AddTask approves a task.
	AddTask(ctx context.Context, request AddTaskRequest) (AddTaskResult, error)
	// RotateHpkeKey makes a new HPKE key, offers it, and retires the one of the
	// same suite that was offered before.
	RotateHpkeKey(ctx context.Context, request RotateHpkeKeyRequest) (OperatorHpkeKey, error)
	// Check looks for broken invariants in the store. None: an empty list.
	Check(ctx context.Context) ([]OperatorViolation, error)
	// Invite makes an invitation for a Leader; at a Helper.
	Invite(ctx context.Context, request InviteRequest) (InviteResult, error)
	// Pair takes a Helper's invitation; at a Leader.
	Pair(ctx context.Context, request PairRequest) (OperatorPeer, error)
	// Peers lists the peerings.
	Peers(ctx context.Context) ([]OperatorPeer, error)
	// OptIn begins or ends the acceptance of tasks that are advertised for a peering
	// without the operator's approval of each (Taskprov Section 3.5).
	OptIn(ctx context.Context, request OptInRequest) (OptInResult, error)
	// Jobs lists aggregation jobs in the order in which they were made, one task after the other.
	Jobs(ctx context.Context, request JobsRequest) ([]OperatorJob, error)
	// Job describes one aggregation job, with its batch buckets at a Leader.
	Job(ctx context.Context, request JobRequest) (OperatorJob, error)
	// RetryJob lets a job be tried now, and ends its quarantine.
	RetryJob(ctx context.Context, request JobRequest) (OperatorJob, error)
	// QuarantineJob puts a job in quarantine.
	QuarantineJob(ctx context.Context, request JobRequest) (OperatorJob, error)
	// Privacy tells how private a task's results are, and what was spent.
	Privacy(ctx context.Context, request PrivacyRequest) (OperatorPrivacy, error)
	// Backup writes a consistent copy of the database, while the aggregator goes on. begin is called first, with
	// the number of bytes, and returns where they go. An error after that means that the copy is not whole.
	Backup(ctx context.Context, begin func(size int64) (io.Writer, error)) error
}

// OperatorStatus is what an aggregator tells its operator about itself.
type OperatorStatus struct {
	// Role is "leader" or "helper".
	Role string `json:"role"`
	// URL is the aggregator's endpoint.
	URL string `json:"url"`
	// Listening is the address that the server listens on; empty if none runs.
	Listening string            `json:"listening,omitempty"`
	StartedAt *time.Time        `json:"started_at,omitempty"`
	Tasks     []OperatorTask    `json:"tasks"`
	HpkeKeys  []OperatorHpkeKey `json:"hpke_keys"`
	Peers     []OperatorPeer    `json:"peers"`
	Storage   OperatorStorage   `json:"storage"`
}

// OperatorStorage is how the database and its disk are doing.
type OperatorStorage struct {
	// State is "ready"; "full" if the disk has no space for uploads, while all else goes on; "failing" if
	// nothing can be written at the moment; "failed" if only a new start helps.
	State string `json:"state"`
	// The rest is empty when it is ready.
	Since   *time.Time `json:"since,omitempty"`
	Problem string     `json:"problem,omitempty"`
	Remedy  string     `json:"remedy,omitempty"`
}

// OperatorTask is a task with its numbers of reports.
type OperatorTask struct {
	ID   dap.TaskID `json:"id"`
	Name string     `json:"name,omitempty"`
	// Vdaf is the VDAF with its parameters, such as "histogram:length=20,chunk=4".
	Vdaf string `json:"vdaf"`
	// BatchMode is "time-interval" or "leader-selected".
	BatchMode    string `json:"batch_mode"`
	MinBatchSize uint64 `json:"min_batch_size"`
	// TimePrecision is in seconds.
	TimePrecision uint64    `json:"time_precision_seconds"`
	LeaderURL     string    `json:"leader_url"`
	HelperURL     string    `json:"helper_url"`
	Taskprov      bool      `json:"taskprov"`
	AddedAt       time.Time `json:"added_at"`
	// Counts are those of the role; what the other role counts is 0.
	Counts OperatorCounts `json:"counts"`
	// FailedBatches are the leader-selected batches whose collection has failed, at a Leader. They are tried
	// again after the others.
	FailedBatches []OperatorFailedBatch `json:"failed_batches,omitempty"`
}

// OperatorFailedBatch is a leader-selected batch whose collection has failed.
type OperatorFailedBatch struct {
	Batch   string `json:"batch"`
	Reports uint64 `json:"reports"`
	// Failures is how many collections of it have failed, LastFailure and FailedAt how and when the last one did.
	Failures    uint32    `json:"failures"`
	LastFailure string    `json:"last_failure"`
	FailedAt    time.Time `json:"failed_at"`
}

// OperatorCounts are a task's numbers of reports by state.
type OperatorCounts struct {
	Waiting     uint64 `json:"waiting"`     // Leader
	InJobs      uint64 `json:"in_jobs"`     // Leader
	Quarantined uint64 `json:"quarantined"` // Leader: in aggregation jobs in quarantine
	Aggregated  uint64 `json:"aggregated"`
	Collected   uint64 `json:"collected"`
	// Expired are those of Aggregated that were deleted before they were collected.
	Expired uint64 `json:"expired"`
	// Rejected is by report error, such as "vdaf_verify_error".
	Rejected map[string]uint64 `json:"rejected"`
}

// OperatorHpkeKey is an HPKE configuration without its private key.
type OperatorHpkeKey struct {
	ID uint8 `json:"id"`
	// Suite names KEM, KDF and AEAD, such as "x25519-sha256-aes128gcm".
	Suite string `json:"suite"`
	// Preference orders the offered configurations, lower first.
	Preference int        `json:"preference"`
	CreatedAt  time.Time  `json:"created_at"`
	RetiredAt  *time.Time `json:"retired_at,omitempty"`
}

// OperatorPeer is a peering without its secrets.
type OperatorPeer struct {
	Name string `json:"name"`
	// URL is the other aggregator's endpoint; empty at a Helper that invited whoever holds the invitation.
	URL       string    `json:"url,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	// OptIn tells whether tasks that are advertised for this peering are accepted without the operator.
	OptIn bool `json:"opt_in"`
}

// OperatorViolation is a broken invariant; see aggregator.Violation.
type OperatorViolation struct {
	Invariant string `json:"invariant"`
	Detail    string `json:"detail"`
}

// AddTaskRequest approves a task.
type AddTaskRequest struct {
	// File is the content of the task file.
	File []byte `json:"file"`
	// Peer names the peering to use. Empty: the one with the other aggregator's URL.
	Peer string `json:"peer,omitempty"`
	// Token, if not empty, is the token to expect of the Collector (at a
	// Leader) in place of the one that is derived from the directory's key.
	Token OperatorSecret `json:"token,omitempty"`

	// The rest is for tasks without Taskprov, whose ID and key are not derived.

	// VerifyKey is the VDAF verification key in hexadecimal, and VerifyKeyID its verification_key_id.
	VerifyKey   OperatorSecret `json:"verify_key,omitempty"`
	VerifyKeyID uint8          `json:"verify_key_id,omitempty"`
	// PeerToken is the token to present to the Helper (at a Leader), or to
	// expect of the Leader (at a Helper), in place of the peering's.
	PeerToken OperatorSecret `json:"peer_token,omitempty"`
}

// AddTaskResult says what was added.
type AddTaskResult struct {
	TaskID dap.TaskID `json:"task_id"`
	Name   string     `json:"name,omitempty"`
	// Existed tells that the task was there already and nothing changed.
	Existed bool `json:"existed"`
	// CollectorToken is what the Collector must present, at a Leader. Only its hash is
	// stored; a token that was derived is shown again when the task is added
	// again. Empty at a Helper, and if the task existed with another token.
	CollectorToken OperatorSecret `json:"collector_token,omitempty"`
}

// RotateHpkeKeyRequest asks for a new HPKE key.
type RotateHpkeKeyRequest struct {
	// Suite is as in OperatorHpkeKey. Empty: the most preferred one's.
	Suite string `json:"suite,omitempty"`
}

// InviteRequest asks a Helper for an invitation.
type InviteRequest struct {
	// Name is what the peering is called here. Empty: one is chosen.
	Name string `json:"name,omitempty"`
	// Leader is the endpoint of the one Leader who may use the invitation. Empty: any.
	Leader string `json:"leader,omitempty"`
}

// InviteResult is an invitation.
type InviteResult struct {
	Peer OperatorPeer `json:"peer"`
	// Invitation is the line to pass to the Leader's operator.
	Invitation OperatorSecret `json:"invitation"`
}

// OptInRequest begins or ends the acceptance of advertised tasks.
type OptInRequest struct {
	// Peer names the peering.
	Peer string `json:"peer"`
	// Off ends it; the rest is then empty. Tasks that were accepted stay.
	Off bool `json:"off,omitempty"`
	// CollectorHpkeConfig is the encoded HpkeConfig of the Collector of these tasks.
	CollectorHpkeConfig []byte `json:"collector_hpke_config,omitempty"`
	// MinBatchSize is the smallest min_batch_size that is accepted.
	MinBatchSize uint64 `json:"min_batch_size,omitempty"`
	// Token, if not empty, is the token to expect of the Collector (at a
	// Leader) in place of the one that is derived from the directory's key.
	Token OperatorSecret `json:"token,omitempty"`
}

// OptInResult says what was decided.
type OptInResult struct {
	Peer OperatorPeer `json:"peer"`
	// CollectorToken is what the Collector must present for these tasks, at a Leader.
	CollectorToken OperatorSecret `json:"collector_token,omitempty"`
}

// PairRequest takes an invitation.
type PairRequest struct {
	Invitation OperatorSecret `json:"invitation"`
	// Name is what the peering is called here. Empty: the Helper's host.
	Name string `json:"name,omitempty"`
}
