package main

import (
	"fmt"

	"github.com/cloudflare/circl/vdaf/prio3/count"
)

// circlInstance64 is what circl's instances over Field64 have in common, for
// measurements M and aggregate results R: their shares have the same types.
type circlInstance64[M, R any] interface {
	Shard(measurement M, nonce *count.Nonce, rand []byte) (count.PublicShare, []count.InputShare, error)
	Unshard(aggShares []count.AggShare, reports uint) (*R, error)
	circlAggregator64
}

type circlAggregator64 interface {
	PrepInit(verifyKey *count.VerifyKey, nonce *count.Nonce, aggID uint8, publicShare count.PublicShare, inputShare count.InputShare) (*count.PrepState, *count.PrepShare, error)
	PrepSharesToPrep(prepShares []count.PrepShare) (*count.PrepMessage, error)
	PrepNext(state *count.PrepState, message *count.PrepMessage) (*count.OutShare, error)
	AggregateInit() count.AggShare
	AggregateUpdate(aggShare *count.AggShare, outShare *count.OutShare)
}

// circlShares64 makes empty messages of an instance, into which encoded ones can
// be decoded.
type circlShares64 struct {
	randSize    uint // bytes that sharding consumes
	inputShare  func(aggID uint) *count.InputShare
	prepShare   func() *count.PrepShare
	publicShare func() *count.PublicShare
	message     func() *count.PrepMessage
}

// newCirclShares64 takes an instance's parameters, whose type has no name
// outside of circl, and the functions that make messages from them.
func newCirclShares64[P any, Q interface {
	*P
	RandSize() uint
}](
	params P,
	inputShare func(*count.InputShare, *P, uint) *count.InputShare,
	prepShare func(*count.PrepShare, *P) *count.PrepShare,
	publicShare func(*count.PublicShare, *P) *count.PublicShare,
	message func(*count.PrepMessage, *P) *count.PrepMessage,
) circlShares64 {
	return circlShares64{
		randSize:    Q(&params).RandSize(),
		inputShare:  func(aggID uint) *count.InputShare { return inputShare(new(count.InputShare), &params, aggID) },
		prepShare:   func() *count.PrepShare { return prepShare(new(count.PrepShare), &params) },
		publicShare: func() *count.PublicShare { return publicShare(new(count.PublicShare), &params) },
		message:     func() *count.PrepMessage { return message(new(count.PrepMessage), &params) },
	}
}

// circl64 returns the steps of an instance over Field64.
func circl64[M, R any](v circlInstance64[M, R], empty circlShares64, measurements []M, show func(R) string) circlSteps {
	steps := circlVerification64(v, empty)
	steps.shard = func(i int) (encoded []byte, inputShares [2][]byte, err error) {
		nonce := count.Nonce(nonceOf(i))
		random, err := randomness(empty.randSize)
		if err != nil {
			return nil, inputShares, err
		}
		publicShare, shares, err := v.Shard(measurements[i], &nonce, random)
		if err != nil {
			return nil, inputShares, err
		}
		for aggID := range inputShares {
			if inputShares[aggID], err = shares[aggID].MarshalBinary(); err != nil {
				return nil, inputShares, err
			}
		}
		encoded, err = publicShare.MarshalBinary()
		return encoded, inputShares, err
	}
	steps.unshard = func(aggShares [2]any, reports int) (string, error) {
		result, err := v.Unshard([]count.AggShare{*aggShares[0].(*count.AggShare), *aggShares[1].(*count.AggShare)}, uint(reports))
		if err != nil {
			return "", err
		}
		return show(*result), nil
	}
	return steps
}

func circlVerification64(v circlAggregator64, empty circlShares64) circlSteps {
	key := count.VerifyKey(verifyKey)
	return circlSteps{
		init: func(aggID uint8, nonce *count.Nonce, public, input []byte) (state, prepShare any, err error) {
			publicShare, inputShare := empty.publicShare(), empty.inputShare(uint(aggID))
			if len(public) > 0 { // circl cannot decode an empty public share, and need not
				if err := publicShare.UnmarshalBinary(public); err != nil {
					return nil, nil, fmt.Errorf("the public share: %w", err)
				}
			}
			if err := inputShare.UnmarshalBinary(input); err != nil {
				return nil, nil, fmt.Errorf("the input share: %w", err)
			}
			return v.PrepInit(&key, nonce, aggID, *publicShare, *inputShare)
		},
		encode: func(prepShare any) ([]byte, error) { return prepShare.(*count.PrepShare).MarshalBinary() },
		message: func(leader []byte, helper any) (*count.PrepMessage, error) {
			leaderShare := empty.prepShare()
			if err := leaderShare.UnmarshalBinary(leader); err != nil {
				return nil, fmt.Errorf("the Leader's prep share: %w", err)
			}
			return v.PrepSharesToPrep([]count.PrepShare{*leaderShare, *helper.(*count.PrepShare)})
		},
		decode: func(encoded []byte) (*count.PrepMessage, error) {
			message := empty.message()
			return message, message.UnmarshalBinary(encoded)
		},
		next: func(state any, message *count.PrepMessage) (outShare any, err error) {
			return v.PrepNext(state.(*count.PrepState), message)
		},
		aggregator: func() (add func(outShare any), aggShare any) {
			sum := v.AggregateInit()
			return func(outShare any) { v.AggregateUpdate(&sum, outShare.(*count.OutShare)) }, &sum
		},
	}
}
