package operator

import (
	"context"
	"crypto/sha256"
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

// OptIn implements api.OperatorService.
func (s *service) OptIn(ctx context.Context, request api.OptInRequest) (api.OptInResult, error) {
	s.change.Lock()
	defer s.change.Unlock()
	peerings, err := s.local.engine.Peerings(ctx)
	if err != nil {
		return api.OptInResult{}, err
	}
	i := slices.IndexFunc(peerings, func(p aggregator.Peering) bool { return p.Name == request.Peer })
	if i < 0 {
		return api.OptInResult{}, &api.OperatorError{Kind: api.OperatorNotFound, Detail: "there is no peer named " + request.Peer + "; see the peers in the output of status"}
	}
	peering := peerings[i]
	result := api.OptInResult{}
	if request.Off {
		peering.OptIn = nil
	} else if peering.OptIn, result.CollectorToken, err = s.optIn(request); err != nil {
		return api.OptInResult{}, err
	}
	result.Peer = operatorPeer(peering)
	return result, s.local.engine.AddPeering(ctx, peering)
}

// optIn checks what an operator approves for all tasks to come.
func (s *service) optIn(request api.OptInRequest) (*aggregator.TaskprovOptIn, api.OperatorSecret, error) {
	config, err := dap.DecodeHpkeConfig(request.CollectorHpkeConfig)
	if err != nil {
		return nil, "", invalid("the Collector's HPKE configuration: %v", err)
	}
	if err := config.Validate(); err != nil {
		return nil, "", invalid("the Collector's HPKE configuration: %v", err)
	}
	if request.MinBatchSize == 0 {
		return nil, "", invalid("the smallest minimum batch size must be 1 or more; it protects people")
	}
	optIn := &aggregator.TaskprovOptIn{CollectorHpkeConfig: config, MinBatchSize: request.MinBatchSize}
	if s.local.directory.role != dap.RoleLeader {
		if request.Token != "" {
			return nil, "", invalid("a token of the Collector is only for a leader")
		}
		return optIn, "", nil
	}
	token := string(request.Token)
	if token == "" {
		if token, err = s.local.key.optInToken(request.Peer); err != nil {
			return nil, "", err
		}
	}
	if err := checkToken("the Collector's token", token); err != nil {
		return nil, "", err
	}
	optIn.CollectorTokenHash = sha256.Sum256([]byte(token))
	return optIn, api.OperatorSecret(token), nil
}
