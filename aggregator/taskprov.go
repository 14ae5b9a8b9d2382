package aggregator

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
)

// OptIn handles the task configuration that a Client or a Collector advertises
// in the DAP-Taskprov header (Taskprov Sections 3.5 and 3.7). nil means that the
// request goes on as usual: the task is set up (now or before), or the
// advertisement is ignored because Taskprov is not enabled for its Helper.
// Otherwise it is a *dap.Error of type unrecognizedTask or invalidTask, or ErrBusy: too
// many tasks are advertised.
func (l *Leader) OptIn(ctx context.Context, id dap.TaskID, encodedConfig []byte) error {
	return l.optIn(ctx, id, encodedConfig, func(p Peering, config dap.TaskConfiguration) bool {
		return p.PeerURL == config.HelperAggregatorEndpoint
	})
}

// OptIn handles the task configuration that the Leader with that token
// advertises in the DAP-Taskprov header (Taskprov Section 3.8). nil means that
// the request goes on as usual: the task is set up (now or before), or the
// advertisement is ignored because Taskprov is not enabled for that Leader.
// Otherwise it is a *dap.Error of type unrecognizedTask or invalidTask, or ErrBusy: too
// many tasks are advertised.
func (h *Helper) OptIn(ctx context.Context, id dap.TaskID, encodedConfig []byte, token string) error {
	hash := sha256.Sum256([]byte(token))
	return h.optIn(ctx, id, encodedConfig, func(p Peering, _ dap.TaskConfiguration) bool {
		return p.TokenHash != [32]byte{} && subtle.ConstantTimeCompare(p.TokenHash[:], hash[:]) == 1
	})
}

// optIn finds the peering that is concerned, decides, and sets the task up.
func (e *engine) optIn(ctx context.Context, id dap.TaskID, encodedConfig []byte, concerns func(Peering, dap.TaskConfiguration) bool) error {
	config, err := dap.DecodeTaskConfiguration(encodedConfig)
	if err != nil {
		return nil // not a valid TaskConfiguration: the header is ignored (Taskprov Section 3.2)
	}
	peering, err := e.optInPeering(ctx, config, concerns)
	if err != nil || peering == nil {
		return err
	}
	if dap.TaskprovTaskID(encodedConfig) != id {
		return peerError(id, dap.ErrorTypeUnrecognizedTask, "the advertised task configuration is not that of this task ID")
	}
	if _, err := e.store.Task(ctx, id); !errors.Is(err, ErrNotFound) {
		return err // nil: set up already, and an aggregator does not opt out again
	}
	if !e.optIns.allow(e.now()) {
		return ErrBusy
	}
	task, err := e.advertisedTask(id, config, encodedConfig, peering)
	if err != nil {
		return err
	}
	if err := e.addAdvertised(ctx, task); err != nil && !errors.Is(err, ErrExists) {
		return err // ErrExists: another request was first
	}
	e.log.Info("task opted in", "task", id, "peering", peering.Name)
	return nil
}

// optInPeering returns the peering that enables Taskprov and is concerned, or nil.
func (e *engine) optInPeering(ctx context.Context, config dap.TaskConfiguration, concerns func(Peering, dap.TaskConfiguration) bool) (*Peering, error) {
	peerings, err := e.store.Peerings(ctx)
	if err != nil {
		return nil, err
	}
	for i := range peerings {
		if peerings[i].OptIn != nil && concerns(peerings[i], config) {
			return &peerings[i], nil
		}
	}
	return nil, nil
}

// advertisedTask decides whether to opt in to a new task (Taskprov Section 3.5),
// and completes it with what the peering holds.
func (e *engine) advertisedTask(id dap.TaskID, config dap.TaskConfiguration, encodedConfig []byte, p *Peering) (Task, error) {
	optOut := func(format string, args ...any) (Task, error) {
		return Task{}, peerError(id, dap.ErrorTypeInvalidTask, format, args...)
	}
	if err := config.Validate(); err != nil {
		return optOut("%v", err)
	}
	if peerURL := ownEndpoint(config, otherAggregator(e.role)); p.PeerURL != "" && p.PeerURL != peerURL {
		return optOut("the task's %s is not the one that this peering is with", otherAggregator(e.role))
	}
	if own := ownEndpoint(config, e.role); e.endpoint != "" && own != e.endpoint {
		return optOut("the task's %s is not this aggregator", e.role)
	}
	if config.MinBatchSize < p.OptIn.MinBatchSize {
		return optOut("min_batch_size is %d; at least %d is deemed private enough here", config.MinBatchSize, p.OptIn.MinBatchSize)
	}
	if e.hasEnded(config) {
		return optOut("the task has ended")
	}
	if _, err := taskprivacy.Mechanism(config); err != nil {
		return optOut("%v", err)
	}
	topology, err := e.vdaf(config)
	if err != nil {
		return optOut("%v", err)
	}
	if err := e.checkMemory(topology); err != nil {
		return optOut("%v", err)
	}
	key, err := taskprovVerifyKey(p.VerifyKeyInit, id, topology.Verifier().VerifyKeySize())
	if err != nil {
		return Task{}, fmt.Errorf("peering %q: %w", p.Name, err)
	}
	task := Task{
		ID: id, Role: e.role, Config: config, EncodedConfig: encodedConfig, VerifyKey: key,
		CollectorHpkeConfig: p.OptIn.CollectorHpkeConfig, Taskprov: true, AddedAt: e.now().UTC(),
	}
	if e.role == dap.RoleLeader {
		task.HelperToken, task.CollectorTokenHash = p.Token, p.OptIn.CollectorTokenHash
	} else {
		task.LeaderTokenHash = p.TokenHash
	}
	return task, e.checkTask(&task)
}

// hasEnded tells whether the task's interval is over.
func (e *engine) hasEnded(config dap.TaskConfiguration) bool {
	interval, ok := config.TaskInterval()
	if !ok {
		return false
	}
	now, err := config.TimePrecision.TimeOf(e.now())
	return err == nil && interval.IsBefore(now)
}

// taskprovVerifyKey derives a task's verification key (Taskprov Section 3.4).
func taskprovVerifyKey(init secret.Bytes, id dap.TaskID, size int) (secret.Bytes, error) {
	k, err := dap.ParseVerifyKeyInit(init)
	if err != nil {
		return nil, err
	}
	return dap.TaskprovVerifyKey(k, id, size)
}

func otherAggregator(role dap.Role) dap.Role {
	if role == dap.RoleLeader {
		return dap.RoleHelper
	}
	return dap.RoleLeader
}
