package aggregator

import (
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
)

// Task is what an aggregator knows of a task (DAP Section 4.2). A task never
// changes once it is stored, but for nothing: DAP makes its parameters
// immutable.
type Task struct {
	ID dap.TaskID
	// Role is this aggregator's role in the task, RoleLeader or RoleHelper.
	Role dap.Role
	// Config is the decoded form of EncodedConfig, which goes into the
	// authenticated data of every ciphertext byte for byte.
	Config        dap.TaskConfiguration
	EncodedConfig []byte

	// VerifyKey is the VDAF verification key, and VerifyKeyID the
	// verification_key_id under which the Leader names it (DAP Section
	// 4.5.4.1). Zero for tasks of Taskprov, which have one key.
	VerifyKey   secret.Bytes
	VerifyKeyID uint8

	CollectorHpkeConfig dap.HpkeConfig

	// HelperToken is the bearer token that a Leader presents to the Helper.
	// Empty at a Helper.
	HelperToken secret.Bytes
	// LeaderTokenHash is the SHA-256 of the token that a Helper expects of the
	// Leader; CollectorTokenHash that of the token that a Leader expects of the
	// Collector. Each is zero at the other role.
	LeaderTokenHash    [32]byte
	CollectorTokenHash [32]byte

	// Taskprov says that the task's ID and verification key are derived as
	// Taskprov defines, and that a Leader advertises it to the Helper.
	Taskprov bool

	// Name is for people: what the operator's lists show.
	Name    string
	AddedAt time.Time
}

// HpkeKey is one HPKE configuration of this aggregator with its private key.
type HpkeKey struct {
	Keypair dap.HpkeKeypair
	// Preference orders the configurations that are offered to clients: lower
	// first.
	Preference int
	CreatedAt  time.Time
	// RetiredAt is zero while the configuration is offered to clients. A
	// retired key still opens reports that were sealed to it.
	RetiredAt time.Time
}

// Peering is what two operators have exchanged once (see the design, Section
// 4): everything that a task between them is derived from.
type Peering struct {
	// Name identifies the peering at this aggregator.
	Name string
	// PeerURL is the other aggregator's endpoint: at a Leader the Helper's, always
	// known. At a Helper the Leader's, and empty if the invitation was for
	// whoever holds it.
	PeerURL string
	// VerifyKeyInit is Taskprov's verify_key_init (Taskprov Section 3.4).
	VerifyKeyInit secret.Bytes
	// Token is what the Leader presents (at a Leader), TokenHash its SHA-256 (at both).
	Token     secret.Bytes
	TokenHash [32]byte
	// OptIn, if not nil, accepts tasks that this peer (at a Helper) or a client
	// naming this peer (at a Leader) advertises in the DAP-Taskprov header.
	OptIn     *TaskprovOptIn
	CreatedAt time.Time
}

// TaskprovOptIn is the operator's standing approval of advertised tasks
// (Taskprov Section 3.5), and what those tasks need that the header lacks.
type TaskprovOptIn struct {
	CollectorHpkeConfig dap.HpkeConfig
	// CollectorTokenHash is the SHA-256 of the Collector's token, at a Leader.
	CollectorTokenHash [32]byte
	// MinBatchSize is the smallest min_batch_size that is deemed private enough.
	MinBatchSize uint64
}
