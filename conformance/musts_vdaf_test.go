package conformance

import (
	"errors"
	"testing"

	"github.com/twofold-dap/twofold/vdaf"
)

// TestVdafArguments calls a VDAF with arguments whose lengths the standard does
// not allow (VDAF Sections 4.1, 4.5 and 5.2): each is an error.
func TestVdafArguments(t *testing.T) {
	v, err := vdaf.NewPrio3Histogram(2, 5, 2)
	must(t, err)
	key, nonce, ctx := make([]byte, v.VerifyKeySize()), make([]byte, v.NonceSize()), []byte("context")
	publicShare, inputShares, err := v.Shard(ctx, 3, nonce, make([]byte, v.RandSize()))
	must(t, err)
	if len(inputShares) != v.Shares() {
		t.Errorf("%d input shares; want %d", len(inputShares), v.Shares())
	}
	init := func(key []byte, aggID int, nonce []byte) error {
		report := vdaf.Report{Nonce: nonce, PublicShare: publicShare, InputShare: inputShares[aggID&1]}
		return v.VerifyInit(key, ctx, aggID, nil, []vdaf.Report{report})[0].Err
	}
	must(t, init(key, 0, nonce))
	must(t, init(key, 1, nonce))
	aggShare := v.AggInit(nil)
	unshard := func(aggShares ...[]byte) error {
		_, err := v.Unshard(nil, aggShares, 0)
		return err
	}
	must(t, unshard(aggShare, aggShare))
	for name, err := range map[string]error{
		"verification key of 31 bytes": init(key[1:], 0, nonce),
		"verification key of 33 bytes": init(append(key, 0), 0, nonce),
		"aggregator 2 of 2":            init(key, 2, nonce),
		"nonce of 15 bytes":            init(key, 0, nonce[1:]),
		"nonce of 17 bytes":            init(key, 1, append(nonce, 0)),
		"no nonce":                     init(key, 0, nil),
		"one aggregate share":          unshard(aggShare),
		"three aggregate shares":       unshard(aggShare, aggShare, aggShare),
		"aggregate share too short":    unshard(aggShare, aggShare[1:]),
	} {
		var usage *vdaf.UsageError
		var decode *vdaf.DecodeError
		if !errors.As(err, &usage) && !errors.As(err, &decode) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
