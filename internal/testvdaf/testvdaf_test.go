package testvdaf

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/vdaf"
)

var (
	key   = make([]byte, verifyKeySize)
	nonce = make([]byte, nonceSize)
	rand  = []byte("8 random")
)

func newVDAF(tb testing.TB, config Config) *VDAF {
	tb.Helper()
	v, err := New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func TestNew(t *testing.T) {
	for rounds := -1; rounds <= MaxRounds+1; rounds++ {
		v, err := New(Config{Rounds: rounds})
		if ok := rounds >= 1 && rounds <= MaxRounds; ok {
			if err != nil || v.Rounds() != rounds {
				t.Errorf("%d rounds: %v", rounds, err)
			}
		} else if e := new(vdaf.ParamError); !errors.As(err, &e) {
			t.Errorf("%d rounds: error %v", rounds, err)
		}
	}
}

func TestValidAggParam(t *testing.T) {
	with, without := newVDAF(t, Config{Rounds: 1, AggParam: true}), newVDAF(t, Config{Rounds: 1})
	for i, test := range []struct {
		v        *VDAF
		param    []byte
		previous [][]byte
		ok       bool
	}{
		{without, nil, nil, true},
		{without, nil, [][]byte{nil}, false},
		{without, EncodeAggParam(1), nil, false},
		{with, EncodeAggParam(1), nil, true},
		{with, EncodeAggParam(0), nil, false},
		{with, nil, nil, false},
		{with, append(EncodeAggParam(1), 0), nil, false},
		{with, EncodeAggParam(9), [][]byte{EncodeAggParam(2), EncodeAggParam(8)}, true},
		{with, EncodeAggParam(8), [][]byte{EncodeAggParam(2), EncodeAggParam(8)}, false},
		{with, EncodeAggParam(7), [][]byte{EncodeAggParam(2), EncodeAggParam(8)}, false},
	} {
		err := test.v.ValidAggParam(test.param, test.previous)
		if e := new(vdaf.AggParamError); (err == nil) != test.ok || err != nil && !errors.As(err, &e) {
			t.Errorf("%d: error %v", i, err)
		}
	}
}

func TestFailingEncodesEveryPlan(t *testing.T) {
	for _, f := range []Failure{
		{}, {Step: FailInit, Who: Leader}, {Step: FailSharesToMessage, Round: 4, Who: Helper}, {Step: FailNext, Round: 2, Who: Both},
	} {
		m := Failing(maxValue-5, f)
		if failureOf(m) != f || m&maxValue != maxValue-5 {
			t.Errorf("%+v: %x", f, m)
		}
	}
	for _, f := range []Failure{{Round: 1}, {Step: FailInit, Round: 1}, {Step: FailNext, Round: MaxRounds}, {Step: FailNext, Who: 3}, {Step: 4}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v did not panic", f)
				}
			}()
			Failing(1, f)
		}()
	}
}

func TestShardErrors(t *testing.T) {
	v := newVDAF(t, Config{Rounds: 1})
	var usage *vdaf.UsageError
	var measurement *vdaf.MeasurementError
	if _, _, err := v.Shard(nil, 1, nonce[1:], rand); !errors.As(err, &usage) {
		t.Errorf("short nonce: %v", err)
	}
	if _, _, err := v.Shard(nil, 1, nonce, rand[1:]); !errors.As(err, &usage) {
		t.Errorf("short rand: %v", err)
	}
	if _, _, err := v.Shard(nil, 1<<48, nonce, rand); !errors.As(err, &measurement) {
		t.Errorf("no failure plan: %v", err)
	}
}

// TestUnshard checks that no share alone tells the measurement and that the sum
// of both does.
func TestUnshard(t *testing.T) {
	v := newVDAF(t, Config{Rounds: 1})
	publicShare, inputShares, err := v.Shard(nil, 123, nonce, rand)
	if err != nil {
		t.Fatal(err)
	}
	var verifierShares [][]byte
	var states []vdaf.State
	for aggID, share := range inputShares {
		r := v.VerifyInit(key, nil, aggID, nil, []vdaf.Report{{Nonce: nonce, PublicShare: publicShare, InputShare: share}})[0]
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		states, verifierShares = append(states, r.State), append(verifierShares, r.VerifierShare)
	}
	message := v.VerifierSharesToMessage(nil, nil, 0, [][][]byte{verifierShares})[0]
	var aggShares [][]byte
	for _, next := range v.VerifyNext(nil, states, [][]byte{message.Message, message.Message}) {
		if next.Err != nil {
			t.Fatal(next.Err)
		}
		share, err := v.AggUpdate(nil, v.AggInit(nil), []vdaf.OutShare{next.OutShare})
		if err != nil {
			t.Fatal(err)
		}
		aggShares = append(aggShares, share)
	}
	if got, err := v.Unshard(nil, aggShares, 1); err != nil || got != 123 {
		t.Errorf("aggregate result %d, %v", got, err)
	}
	if _, err := v.Unshard(nil, aggShares[:1], 1); err == nil {
		t.Error("one share unshards")
	}
	for _, wrong := range [][]byte{nil, aggShares[0][1:], append(bytes.Clone(aggShares[0]), 0)} {
		if _, err := v.Merge(nil, wrong); err == nil {
			t.Errorf("%d bytes are an aggregate share", len(wrong))
		}
	}
}

// FuzzDecoders gives arbitrary bytes to every decoder.
func FuzzDecoders(f *testing.F) {
	v := newVDAF(f, Config{Rounds: 3, AggParam: true})
	param := EncodeAggParam(2)
	publicShare, inputShares, err := v.Shard(nil, Failing(7, Failure{Step: FailNext, Round: 2}), nonce, rand)
	if err != nil {
		f.Fatal(err)
	}
	r := v.VerifyInit(key, nil, 0, param, []vdaf.Report{{Nonce: nonce, PublicShare: publicShare, InputShare: inputShares[0]}})[0]
	state, err := v.AppendState(nil, r.State)
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{publicShare, inputShares[0], r.VerifierShare, state, param} {
		f.Add(b)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, b []byte) {
		v.VerifyInit(key, nil, 1, param, []vdaf.Report{{Nonce: nonce, PublicShare: publicShare, InputShare: b}, {Nonce: nonce, PublicShare: b, InputShare: inputShares[1]}})
		v.VerifierSharesToMessage(nil, param, 0, [][][]byte{{b, b}, {r.VerifierShare, b}})
		v.VerifyNext(nil, []vdaf.State{r.State}, [][]byte{b})
		if s, err := v.DecodeState(0, param, 0, b); err == nil {
			if again, err := v.AppendState(nil, s); err != nil || !bytes.Equal(again, b) {
				t.Errorf("state %x encodes to %x, %v", b, again, err)
			}
		}
		if s, err := v.DecodeOutShare(param, b); err == nil {
			if again, err := v.AppendOutShare(nil, s); err != nil || !bytes.Equal(again, b) {
				t.Errorf("output share %x encodes to %x, %v", b, again, err)
			}
		}
	})
}
