package operator

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
)

// service is the api.OperatorService over an open directory.
type service struct {
	local     *local
	listening string // empty if no server runs
	startedAt time.Time

	change sync.Mutex // held by what reads, decides and writes
}

var _ api.OperatorService = (*service)(nil)

func invalid(format string, args ...any) error {
	return &api.OperatorError{Kind: api.OperatorInvalid, Detail: fmt.Sprintf(format, args...)}
}

// Status implements api.OperatorService.
func (s *service) Status(ctx context.Context) (api.OperatorStatus, error) {
	config := s.local.directory.Config
	status := api.OperatorStatus{Role: config.Role, URL: config.URL, Listening: s.listening, Tasks: []api.OperatorTask{}, HpkeKeys: []api.OperatorHpkeKey{}}
	if !s.startedAt.IsZero() {
		status.StartedAt = &s.startedAt
	}
	status.Storage = operatorStorage(s.local.store.Health())
	tasks, err := s.local.engine.Tasks(ctx)
	if err != nil {
		return status, err
	}
	for i := range tasks {
		task, err := s.task(ctx, &tasks[i])
		if err != nil {
			return status, err
		}
		status.Tasks = append(status.Tasks, task)
	}
	keys, err := s.local.engine.HpkeKeys(ctx)
	if err != nil {
		return status, err
	}
	for _, key := range keys {
		status.HpkeKeys = append(status.HpkeKeys, operatorKey(key))
	}
	status.Peers, err = s.Peers(ctx)
	return status, err
}

func (s *service) task(ctx context.Context, task *aggregator.Task) (api.OperatorTask, error) {
	counts, err := s.local.counts(ctx, task.ID)
	if err != nil {
		return api.OperatorTask{}, err
	}
	failed, err := s.local.failedBatches(ctx, task.ID)
	if err != nil {
		return api.OperatorTask{}, err
	}
	return api.OperatorTask{
		ID: task.ID, Name: task.Name, Vdaf: taskvdaf.Describe(task.Config),
		BatchMode: taskfile.BatchModeName(task.Config.BatchMode), MinBatchSize: task.Config.MinBatchSize,
		TimePrecision: uint64(task.Config.TimePrecision),
		LeaderURL:     task.Config.LeaderAggregatorEndpoint, HelperURL: task.Config.HelperAggregatorEndpoint,
		Taskprov: task.Taskprov, AddedAt: task.AddedAt, Counts: counts, FailedBatches: failed,
	}, nil
}

func operatorKey(key aggregator.HpkeKey) api.OperatorHpkeKey {
	c := key.Keypair.Config
	result := api.OperatorHpkeKey{ID: uint8(c.ID), Suite: suiteName(c.KemID, c.KdfID, c.AeadID), Preference: key.Preference, CreatedAt: key.CreatedAt}
	if !key.RetiredAt.IsZero() {
		result.RetiredAt = &key.RetiredAt
	}
	return result
}

// RotateHpkeKey implements api.OperatorService.
func (s *service) RotateHpkeKey(ctx context.Context, request api.RotateHpkeKeyRequest) (api.OperatorHpkeKey, error) {
	s.change.Lock()
	defer s.change.Unlock()
	suite, err := s.suiteToRotate(ctx, request.Suite)
	if err != nil {
		return api.OperatorHpkeKey{}, err
	}
	config, err := s.local.engine.RotateHpkeKey(ctx, suite)
	if err != nil {
		return api.OperatorHpkeKey{}, err
	}
	keys, err := s.local.engine.HpkeKeys(ctx)
	if err != nil {
		return api.OperatorHpkeKey{}, err
	}
	i := slices.IndexFunc(keys, func(k aggregator.HpkeKey) bool { return k.Keypair.Config.ID == config.ID })
	if i < 0 {
		return api.OperatorHpkeKey{}, &api.OperatorError{Kind: api.OperatorInternal, Detail: "the new key is not in the database"}
	}
	return operatorKey(keys[i]), nil
}

// suiteToRotate is the suite that was asked for, or the most preferred one.
func (s *service) suiteToRotate(ctx context.Context, name string) (aggregator.HpkeSuite, error) {
	if name != "" {
		return parseSuite(name)
	}
	keys, err := s.local.engine.HpkeKeys(ctx)
	if err != nil {
		return aggregator.HpkeSuite{}, err
	}
	for _, key := range keys {
		if key.RetiredAt.IsZero() {
			c := key.Keypair.Config
			return aggregator.HpkeSuite{KemID: c.KemID, KdfID: c.KdfID, AeadID: c.AeadID}, nil
		}
	}
	return aggregator.MandatorySuite, nil
}

// Check implements api.OperatorService.
func (s *service) Check(ctx context.Context) ([]api.OperatorViolation, error) {
	violations, err := s.local.engine.Check(ctx)
	result := make([]api.OperatorViolation, 0, len(violations))
	for _, v := range violations {
		result = append(result, api.OperatorViolation{Invariant: v.Invariant, Detail: v.Detail})
	}
	return result, err
}

// Peers implements api.OperatorService.
func (s *service) Peers(ctx context.Context) ([]api.OperatorPeer, error) {
	peerings, err := s.local.engine.Peerings(ctx)
	result := make([]api.OperatorPeer, 0, len(peerings))
	for _, p := range peerings {
		result = append(result, operatorPeer(p))
	}
	return result, err
}

func operatorPeer(p aggregator.Peering) api.OperatorPeer {
	return api.OperatorPeer{Name: p.Name, URL: p.PeerURL, CreatedAt: p.CreatedAt, OptIn: p.OptIn != nil}
}

// Invite implements api.OperatorService.
func (s *service) Invite(ctx context.Context, request api.InviteRequest) (api.InviteResult, error) {
	if s.local.directory.role != dap.RoleHelper {
		return api.InviteResult{}, invalid("a leader cannot invite; the helper's operator runs helper invite, and the leader's runs leader pair with the invitation")
	}
	if request.Leader != "" {
		if _, err := daphttp.ParseEndpoint(request.Leader, s.local.directory.Config.AllowPlainHTTP); err != nil {
			return api.InviteResult{}, invalid("%v", err)
		}
	}
	s.change.Lock()
	defer s.change.Unlock()
	name, err := s.peeringName(ctx, request.Name, request.Leader)
	if err != nil {
		return api.InviteResult{}, err
	}
	invitation := NewInvitation(s.local.directory.Config.URL)
	line, err := invitation.Encode()
	if err != nil {
		return api.InviteResult{}, err
	}
	peering, err := s.addPeering(ctx, name, request.Leader, invitation)
	return api.InviteResult{Peer: operatorPeer(peering), Invitation: api.OperatorSecret(line)}, err
}

// Pair implements api.OperatorService. Taking the same invitation again changes
// nothing.
func (s *service) Pair(ctx context.Context, request api.PairRequest) (api.OperatorPeer, error) {
	if s.local.directory.role != dap.RoleLeader {
		return api.OperatorPeer{}, invalid("an invitation is for a leader; run leader pair at the leader")
	}
	invitation, err := ParseInvitation(string(request.Invitation))
	if err != nil {
		return api.OperatorPeer{}, invalid("%v", err)
	}
	if _, err := daphttp.ParseEndpoint(invitation.HelperURL, s.local.directory.Config.AllowPlainHTTP); err != nil {
		return api.OperatorPeer{}, invalid("%v", err)
	}
	s.change.Lock()
	defer s.change.Unlock()
	token, err := invitation.leaderToken()
	if err != nil {
		return api.OperatorPeer{}, err
	}
	peerings, err := s.local.engine.Peerings(ctx)
	if err != nil {
		return api.OperatorPeer{}, err
	}
	for _, p := range peerings {
		if p.TokenHash == sha256.Sum256([]byte(token)) {
			return operatorPeer(p), nil
		}
	}
	name, err := s.peeringName(ctx, request.Name, invitation.HelperURL)
	if err != nil {
		return api.OperatorPeer{}, err
	}
	peering, err := s.addPeering(ctx, name, invitation.HelperURL, invitation)
	return operatorPeer(peering), err
}

func (s *service) addPeering(ctx context.Context, name, peerURL string, invitation Invitation) (aggregator.Peering, error) {
	verifyKeyInit, err := invitation.verifyKeyInit()
	if err != nil {
		return aggregator.Peering{}, err
	}
	token, err := invitation.leaderToken()
	if err != nil {
		return aggregator.Peering{}, err
	}
	peering := aggregator.Peering{
		Name: name, PeerURL: peerURL, VerifyKeyInit: verifyKeyInit.Bytes(),
		TokenHash: sha256.Sum256([]byte(token)), CreatedAt: time.Now().UTC().Truncate(time.Second),
	}
	if s.local.directory.role == dap.RoleLeader {
		peering.Token = secret.Bytes(token)
	}
	return peering, s.local.engine.AddPeering(ctx, peering)
}

const maxPeeringName = 100

// peeringName checks a name, or chooses one that is free: the peer's host, or
// "peer", with a number if need be.
func (s *service) peeringName(ctx context.Context, name, peerURL string) (string, error) {
	peerings, err := s.local.engine.Peerings(ctx)
	if err != nil {
		return "", err
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(peerings, func(p aggregator.Peering) bool { return p.Name == name })
	}
	if name != "" {
		if len(name) > maxPeeringName || daphttp.CleanText(name) != name {
			return "", invalid("the name must be at most %d printable characters", maxPeeringName)
		}
		if taken(name) {
			return "", &api.OperatorError{Kind: api.OperatorExists, Detail: fmt.Sprintf("there is a peer named %q already; choose another name", name)}
		}
		return name, nil
	}
	base := "peer"
	if u, err := url.Parse(peerURL); err == nil && u.Host != "" {
		base = strings.ToLower(u.Host)
	}
	name = base
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name, nil
}
