package main

import (
	"fmt"

	"github.com/cloudflare/circl/vdaf/prio3/histogram"
)

// circlInstance128 is what circl's instances over Field128 have in common, for
// measurements M and aggregate results R: their shares have the same types.
type circlInstance128[M, R any] interface {
	Shard(measurement M, nonce *histogram.Nonce, rand []byte) (histogram.PublicShare, []histogram.InputShare, error)
	Unshard(aggShares []histogram.AggShare, reports uint) (*R, error)
	circlAggregator128
}

type circlAggregator128 interface {
	PrepInit(verifyKey *histogram.VerifyKey, nonce *histogram.Nonce, aggID uint8, publicShare histogram.PublicShare, inputShare histogram.InputShare) (*histogram.PrepState, *histogram.PrepShare, error)
	PrepSharesToPrep(prepShares []histogram.PrepShare) (*histogram.PrepMessage, error)
	PrepNext(state *histogram.PrepState, message *histogram.PrepMessage) (*histogram.OutShare, error)
	AggregateInit() histogram.AggShare
	AggregateUpdate(aggShare *histogram.AggShare, outShare *histogram.OutShare)
}

// circlShares128 makes empty messages of an instance, into which encoded ones can
// be decoded.
type circlShares128 struct {
	randSize    uint // bytes that sharding consumes
	inputShare  func(aggID uint) *histogram.InputShare
	prepShare   func() *histogram.PrepShare
	publicShare func() *histogram.PublicShare
	message     func() *histogram.PrepMessage
}

// newCirclShares128 takes an instance's parameters, whose type has no name
// outside of circl, and the functions that make messages from them.
func newCirclShares128[P any, Q interface {
	*P
	RandSize() uint
}](
	params P,
	inputShare func(*histogram.InputShare, *P, uint) *histogram.InputShare,
	prepShare func(*histogram.PrepShare, *P) *histogram.PrepShare,
	publicShare func(*histogram.PublicShare, *P) *histogram.PublicShare,
	message func(*histogram.PrepMessage, *P) *histogram.PrepMessage,
) circlShares128 {
	return circlShares128{
		randSize:    Q(&params).RandSize(),
		inputShare:  func(aggID uint) *histogram.InputShare { return inputShare(new(histogram.InputShare), &params, aggID) },
		prepShare:   func() *histogram.PrepShare { return prepShare(new(histogram.PrepShare), &params) },
		publicShare: func() *histogram.PublicShare { return publicShare(new(histogram.PublicShare), &params) },
		message:     func() *histogram.PrepMessage { return message(new(histogram.PrepMessage), &params) },
	}
}

// circl128 returns the steps of an instance over Field128.
func circl128[M, R any](v circlInstance128[M, R], empty circlShares128, measurements []M, show func(R) string) circlSteps {
	steps := circlVerification128(v, empty)
	steps.shard = func(i int) (encoded []byte, inputShares [2][]byte, err error) {
		nonce := histogram.Nonce(nonceOf(i))
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
		result, err := v.Unshard([]histogram.AggShare{*aggShares[0].(*histogram.AggShare), *aggShares[1].(*histogram.AggShare)}, uint(reports))
		if err != nil {
			return "", err
		}
		return show(*result), nil
	}
	return steps
}

func circlVerification128(v circlAggregator128, empty circlShares128) circlSteps {
	key := histogram.VerifyKey(verifyKey)
	return circlSteps{
		init: func(aggID uint8, nonce *histogram.Nonce, public, input []byte) (state, prepShare any, err error) {
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
		encode: func(prepShare any) ([]byte, error) { return prepShare.(*histogram.PrepShare).MarshalBinary() },
		message: func(leader []byte, helper any) (*histogram.PrepMessage, error) {
			leaderShare := empty.prepShare()
			if err := leaderShare.UnmarshalBinary(leader); err != nil {
				return nil, fmt.Errorf("the Leader's prep share: %w", err)
			}
			return v.PrepSharesToPrep([]histogram.PrepShare{*leaderShare, *helper.(*histogram.PrepShare)})
		},
		decode: func(encoded []byte) (*histogram.PrepMessage, error) {
			message := empty.message()
			return message, message.UnmarshalBinary(encoded)
		},
		next: func(state any, message *histogram.PrepMessage) (outShare any, err error) {
			return v.PrepNext(state.(*histogram.PrepState), message)
		},
		aggregator: func() (add func(outShare any), aggShare any) {
			sum := v.AggregateInit()
			return func(outShare any) { v.AggregateUpdate(&sum, outShare.(*histogram.OutShare)) }, &sum
		},
	}
}
