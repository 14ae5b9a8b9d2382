package operator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
)

// AddTask implements api.OperatorService.
func (s *service) AddTask(ctx context.Context, request api.AddTaskRequest) (api.AddTaskResult, error) {
	file, err := taskfile.Decode(request.File)
	if err != nil {
		return api.AddTaskResult{}, invalid("%v", err)
	}
	s.change.Lock()
	defer s.change.Unlock()
	result := api.AddTaskResult{TaskID: file.ID, Name: file.Name}
	token, err := s.collectorToken(file.ID, request.Token)
	if err != nil {
		return result, err
	}
	existing, err := s.existingTask(ctx, file.ID)
	if err != nil {
		return result, err
	}
	if existing != nil {
		return s.addedBefore(result, existing, &file, token)
	}
	if err := checkNotOver(&file); err != nil {
		return result, err
	}
	task := aggregator.Task{
		ID: file.ID, Role: s.local.directory.role, Config: file.Config, EncodedConfig: file.Encoded,
		CollectorHpkeConfig: file.CollectorHpkeConfig, Taskprov: file.Taskprov, Name: file.Name,
	}
	if err := s.setCredentials(ctx, &task, request); err != nil {
		return result, err
	}
	if s.local.directory.role == dap.RoleLeader {
		task.CollectorTokenHash = sha256.Sum256([]byte(token))
		result.CollectorToken = api.OperatorSecret(token)
	}
	if err := s.local.engine.AddTask(ctx, task); err != nil {
		return api.AddTaskResult{}, s.local.plan.taskError(err)
	}
	return result, nil
}

// collectorToken is the given token, or the one that is derived for the task.
func (s *service) collectorToken(id dap.TaskID, given api.OperatorSecret) (string, error) {
	if given == "" {
		return s.local.key.collectorToken(id)
	}
	if s.local.directory.role != dap.RoleLeader {
		return "", invalid("a token of the Collector is only for a leader")
	}
	return string(given), checkToken("the Collector's token", string(given))
}

// checkToken keeps out tokens that cannot be in a request, or can be guessed.
func checkToken(what, token string) error {
	const least = 16
	if len(token) < least {
		return invalid("%s has %d characters; it must have at least %d, and be random", what, len(token), least)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return invalid("%s has a character that no bearer token has", what)
	}
	return nil
}

func (s *service) existingTask(ctx context.Context, id dap.TaskID) (*aggregator.Task, error) {
	tasks, err := s.local.engine.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(tasks, func(t aggregator.Task) bool { return t.ID == id })
	if i < 0 {
		return nil, nil
	}
	return &tasks[i], nil
}

// addedBefore answers for a task that is there already: with the token again if it is
// the one that is expected.
func (s *service) addedBefore(result api.AddTaskResult, existing *aggregator.Task, file *taskfile.File, token string) (api.AddTaskResult, error) {
	if !bytes.Equal(existing.EncodedConfig, file.Encoded) {
		return api.AddTaskResult{}, &api.OperatorError{Kind: api.OperatorExists, Detail: "a task with this ID and another configuration is there already; make a task with an ID of its own"}
	}
	result.Existed = true
	hash := sha256.Sum256([]byte(token))
	if s.local.directory.role == dap.RoleLeader && subtle.ConstantTimeCompare(hash[:], existing.CollectorTokenHash[:]) == 1 {
		result.CollectorToken = api.OperatorSecret(token)
	}
	return result, nil
}

func checkNotOver(file *taskfile.File) error {
	interval, ok := file.Config.TaskInterval()
	if !ok {
		return nil
	}
	end, err := interval.End()
	if err != nil {
		return invalid("%v", err)
	}
	if at := end.At(file.Config.TimePrecision); !time.Now().Before(at) {
		return invalid("the task is over: it ended at %s", at.Format(time.RFC3339))
	}
	return nil
}

// setCredentials sets the verification key and the token between the aggregators:
// derived from the peering, or given by the operator for a task without Taskprov.
func (s *service) setCredentials(ctx context.Context, task *aggregator.Task, request api.AddTaskRequest) error {
	if task.Taskprov && (request.VerifyKey != "" || request.VerifyKeyID != 0 || request.PeerToken != "") {
		return invalid("the task uses Taskprov: its verification key and the token come from the pairing; leave the options out")
	}
	if !task.Taskprov && request.VerifyKey == "" {
		return invalid("the task has an ID of its own: give its verification key with --verify-key FILE, the same file at both aggregators")
	}
	if err := s.setVerifyKeyAndToken(ctx, task, request); err != nil {
		return err
	}
	if !task.Taskprov {
		key, err := hex.DecodeString(string(request.VerifyKey))
		if err != nil {
			return invalid("the verification key is not in hexadecimal")
		}
		task.VerifyKey, task.VerifyKeyID = key, request.VerifyKeyID
	}
	return nil
}

func (s *service) setVerifyKeyAndToken(ctx context.Context, task *aggregator.Task, request api.AddTaskRequest) error {
	if request.PeerToken != "" {
		token := string(request.PeerToken)
		if err := checkToken("the token between the aggregators", token); err != nil {
			return err
		}
		s.setPeerToken(task, secret.Bytes(token), sha256.Sum256([]byte(token)))
		return nil
	}
	peering, err := s.peeringFor(ctx, task, request.Peer)
	if err != nil {
		return err
	}
	s.setPeerToken(task, peering.Token, peering.TokenHash)
	if !task.Taskprov {
		return nil
	}
	topology, err := taskvdaf.Topology(task.Config)
	if err != nil {
		return invalid("%v", err)
	}
	init, err := dap.ParseVerifyKeyInit(peering.VerifyKeyInit)
	if err != nil {
		return err
	}
	task.VerifyKey, err = dap.TaskprovVerifyKey(init, task.ID, topology.Verifier().VerifyKeySize())
	return err
}

func (s *service) setPeerToken(task *aggregator.Task, token secret.Bytes, hash [32]byte) {
	if s.local.directory.role == dap.RoleLeader {
		task.HelperToken = token
	} else {
		task.LeaderTokenHash = hash
	}
}

// peeringFor finds the peering with the task's other aggregator: by name, by its
// URL, or, at a Helper, the one that was made for whoever holds the invitation.
func (s *service) peeringFor(ctx context.Context, task *aggregator.Task, name string) (aggregator.Peering, error) {
	peerings, err := s.local.engine.Peerings(ctx)
	if err != nil {
		return aggregator.Peering{}, err
	}
	other := task.Config.HelperAggregatorEndpoint
	if s.local.directory.role == dap.RoleHelper {
		other = task.Config.LeaderAggregatorEndpoint
	}
	if name != "" {
		i := slices.IndexFunc(peerings, func(p aggregator.Peering) bool { return p.Name == name })
		if i < 0 {
			return aggregator.Peering{}, &api.OperatorError{Kind: api.OperatorNotFound, Detail: "there is no peer named " + name + "; see the peers in the output of status"}
		}
		if url := peerings[i].PeerURL; url != "" && url != other {
			return aggregator.Peering{}, invalid("the peer %s is %s, but the task's other aggregator is %s", name, url, other)
		}
		return peerings[i], nil
	}
	for _, url := range []string{other, ""} {
		matching := slices.DeleteFunc(slices.Clone(peerings), func(p aggregator.Peering) bool { return p.PeerURL != url })
		switch {
		case len(matching) == 1:
			return matching[0], nil
		case len(matching) > 1:
			return aggregator.Peering{}, invalid("several peers may be %s: choose with --peer NAME, and take the one that its operator uses", other)
		}
	}
	remedy := "get an invitation from its operator and run leader pair"
	if s.local.directory.role == dap.RoleHelper {
		remedy = "run helper invite and give the invitation to its operator"
	}
	return aggregator.Peering{}, &api.OperatorError{Kind: api.OperatorNotFound, Detail: "there is no peering with " + other + "; " + remedy}
}

// taskError makes an error that an operator can do something about.
func taskError(err error) error {
	if problem, ok := errors.AsType[*aggregator.TaskError](err); ok {
		return invalid("%v", problem)
	}
	return err
}
