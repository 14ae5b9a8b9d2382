package vdaf_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/vdaf"
)

// messages are one report's encoded messages of every kind, and how each is
// decoded.
type messages map[string]struct {
	encoded []byte
	decode  func([]byte) error
}

// messagesOf runs one report through an instance of two aggregators.
func messagesOf(tb testing.TB, c *instance) messages {
	tb.Helper()
	s := c.shardBatch(tb, 1, 4)
	leader, helper := s.reports(0)[0], s.reports(1)[0]
	v := c.v
	initAs := func(aggID int, r vdaf.Report) vdaf.InitResult {
		return v.VerifyInit(testKey, testCtx, aggID, nil, []vdaf.Report{r})[0]
	}
	combine := func(shares ...[]byte) vdaf.MessageResult {
		return v.VerifierSharesToMessage(testCtx, nil, 0, [][][]byte{shares})[0]
	}
	next := func(state vdaf.State, message []byte) vdaf.NextResult {
		return v.VerifyNext(testCtx, []vdaf.State{state}, [][]byte{message})[0]
	}
	a, b := initAs(0, leader), initAs(1, helper)
	check(tb, a.Err)
	check(tb, b.Err)
	message := combine(a.VerifierShare, b.VerifierShare)
	check(tb, message.Err)
	out := next(a.State, message.Message)
	check(tb, out.Err)
	state, err := v.AppendState(nil, a.State)
	check(tb, err)
	outShare, err := v.AppendOutShare(nil, out.OutShare)
	check(tb, err)
	aggShare, err := v.AggUpdate(nil, v.AggInit(nil), []vdaf.OutShare{out.OutShare})
	check(tb, err)

	return messages{
		"public share": {leader.PublicShare, func(x []byte) error {
			return initAs(0, vdaf.Report{Nonce: leader.Nonce, PublicShare: x, InputShare: leader.InputShare}).Err
		}},
		"the Leader's input share": {leader.InputShare, func(x []byte) error {
			return initAs(0, vdaf.Report{Nonce: leader.Nonce, PublicShare: leader.PublicShare, InputShare: x}).Err
		}},
		"the Helper's input share": {helper.InputShare, func(x []byte) error {
			return initAs(1, vdaf.Report{Nonce: helper.Nonce, PublicShare: helper.PublicShare, InputShare: x}).Err
		}},
		"verifier share":              {a.VerifierShare, func(x []byte) error { return combine(x, b.VerifierShare).Err }},
		"the Helper's verifier share": {b.VerifierShare, func(x []byte) error { return combine(a.VerifierShare, x).Err }},
		"verifier message":            {message.Message, func(x []byte) error { return next(a.State, x).Err }},
		"verification state":          {state, func(x []byte) error { _, err := v.DecodeState(0, nil, 0, x); return err }},
		"output share":                {outShare, func(x []byte) error { _, err := v.DecodeOutShare(nil, x); return err }},
		"aggregate share":             {aggShare, func(x []byte) error { _, err := v.AggUpdate(nil, x, nil); return err }},
		"aggregate share to merge":    {aggShare, func(x []byte) error { _, err := v.Merge(nil, aggShare, x); return err }},
	}
}

// TestDecodersAreStrict gives every decoder each strict prefix of its message
// and the message with something after it.
func TestDecodersAreStrict(t *testing.T) {
	for _, name := range []string{
		"Count/shares=3", "Sum/max=1000/shares=2", "Histogram/length=11/shares=2", "MultihotCountVec/shares=2",
		"SumVecField64Multiproof/proofs=3/shares=2",
	} {
		c := find(t, name)
		if c.v.Shares() != 2 {
			v, err := vdaf.NewPrio3Count(2)
			check(t, err)
			c = newInstance("Count", v, func(x uint64) bool { return x%2 == 0 }, nil)
		}
		for what, m := range messagesOf(t, &c) {
			if err := m.decode(m.encoded); err != nil {
				t.Fatalf("%s: %s: %v", name, what, err)
			}
			for n := range m.encoded {
				decodeMustFail(t, name+": "+what, m.decode(m.encoded[:n:n]))
			}
			for _, more := range [][]byte{{0}, {0xff}, make([]byte, 8), make([]byte, 16)} {
				decodeMustFail(t, name+": "+what, m.decode(append(bytes.Clone(m.encoded), more...)))
			}
		}
	}
}

func decodeMustFail(t *testing.T, what string, err error) {
	t.Helper()
	if e := new(vdaf.DecodeError); !errors.As(err, &e) {
		t.Errorf("%s: error %v", what, err)
	}
}

// TestDecodersRejectTheModulus puts a field element that is not in canonical form
// into each place of each message that has elements.
func TestDecodersRejectTheModulus(t *testing.T) {
	c := find(t, "Histogram/length=11/shares=2")
	offsets := map[string]struct{ start, tail int }{
		"the Leader's input share": {0, 32}, "verifier share": {0, 32}, "the Helper's verifier share": {0, 32},
		"verification state": {33, 0}, "output share": {0, 0}, "aggregate share": {0, 0}, "aggregate share to merge": {0, 0},
	}
	for what, m := range messagesOf(t, &c) {
		at, ok := offsets[what]
		if !ok {
			continue
		}
		delete(offsets, what)
		for i := at.start; i < len(m.encoded)-at.tail; i += 16 {
			changed := bytes.Clone(m.encoded)
			copy(changed[i:], bytes.Repeat([]byte{0xff}, 16))
			decodeMustFail(t, what, m.decode(changed))
		}
	}
	if len(offsets) > 0 {
		t.Errorf("not tried: %v", offsets)
	}
}

// TestStorage stores states and output shares between the steps.
func TestStorage(t *testing.T) {
	for _, c := range instances(t) {
		if c.v.Shares() != 2 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			s := c.shardBatch(t, 3, 6)
			r := &verification{c: &c}
			r.n, r.errs, r.outShares = 3, make([]error, 3), make([][]vdaf.OutShare, 2)
			states, shares := make([][]vdaf.State, 2), make([][][]byte, 3)
			for aggID := range 2 {
				for i, result := range c.v.VerifyInit(testKey, testCtx, aggID, nil, s.reports(aggID)) {
					check(t, result.Err)
					encoded, err := c.v.AppendState([]byte("prefix"), result.State)
					check(t, err)
					encoded = encoded[len("prefix"):]
					state, err := c.v.DecodeState(aggID, nil, 0, encoded)
					check(t, err)
					again, err := c.v.AppendState(nil, state)
					check(t, err)
					if !bytes.Equal(encoded, again) {
						t.Error("a state changes in storage")
					}
					if _, err := c.v.DecodeState(1-aggID, nil, 0, encoded); err == nil {
						t.Error("the other aggregator decodes the state")
					}
					if _, err := c.v.DecodeState(aggID, nil, 1, encoded); err == nil {
						t.Error("the state decodes in another round")
					}
					states[aggID] = append(states[aggID], state)
					shares[i] = append(shares[i], result.VerifierShare)
				}
			}
			r.finish(t, states, shares)
			for aggID := range 2 {
				for i, outShare := range r.outShares[aggID] {
					encoded, err := c.v.AppendOutShare(nil, outShare)
					check(t, err)
					r.outShares[aggID][i], err = c.v.DecodeOutShare(nil, encoded)
					check(t, err)
				}
			}
			r.aggregate(t, s)
		})
	}
}

// TestUsageErrors makes calls that break the contract.
func TestUsageErrors(t *testing.T) {
	c, other := find(t, "Histogram/length=11/shares=2"), find(t, "Histogram/length=100/shares=2")
	s := c.shardBatch(t, 2, 1)
	reports := s.reports(0)
	result := c.v.VerifyInit(testKey, testCtx, 0, nil, reports)[0]
	check(t, result.Err)
	first := func(r []vdaf.InitResult) error {
		if len(r) != 2 || r[0].Err == nil || r[1].Err == nil {
			t.Errorf("results %v", r)
		}
		return r[0].Err
	}
	outShare, err := other.v.DecodeOutShare(nil, other.v.AggInit(nil))
	check(t, err)
	second := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"a short key":             first(c.v.VerifyInit(testKey[1:], testCtx, 0, nil, reports)),
		"aggregator 2 of 2":       first(c.v.VerifyInit(testKey, testCtx, 2, nil, reports)),
		"aggregator -1":           first(c.v.VerifyInit(testKey, testCtx, -1, nil, reports)),
		"a long context":          first(c.v.VerifyInit(testKey, make([]byte, 1<<16), 0, nil, reports)),
		"round 1":                 c.v.VerifierSharesToMessage(testCtx, nil, 1, make([][][]byte, 1))[0].Err,
		"one verifier share":      c.v.VerifierSharesToMessage(testCtx, nil, 0, [][][]byte{{result.VerifierShare}})[0].Err,
		"no message":              c.v.VerifyNext(testCtx, []vdaf.State{result.State}, nil)[0].Err,
		"no state":                c.v.VerifyNext(testCtx, []vdaf.State{nil}, [][]byte{nil})[0].Err,
		"another's state":         other.v.VerifyNext(testCtx, []vdaf.State{result.State}, [][]byte{nil})[0].Err,
		"storing another's state": second(other.v.AppendState(nil, result.State)),
		"another's output share":  second(c.v.AggUpdate(nil, c.v.AggInit(nil), []vdaf.OutShare{outShare})),
		"storing another's":       second(c.v.AppendOutShare(nil, outShare)),
	} {
		if e := new(vdaf.UsageError); !errors.As(err, &e) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	param := []byte{1}
	for name, err := range map[string]error{
		"VerifyInit":              first(c.v.VerifyInit(testKey, testCtx, 0, param, reports)),
		"VerifierSharesToMessage": c.v.VerifierSharesToMessage(testCtx, param, 0, make([][][]byte, 1))[0].Err,
		"AggUpdate":               second(c.v.AggUpdate(param, c.v.AggInit(nil), nil)),
		"Merge":                   second(c.v.Merge(param)),
		"DecodeState":             second(c.v.DecodeState(0, param, 0, nil)),
		"DecodeOutShare":          second(c.v.DecodeOutShare(param, nil)),
	} {
		if e := new(vdaf.AggParamError); !errors.As(err, &e) {
			t.Errorf("%s with an aggregation parameter: error %v", name, err)
		}
	}
}

// FuzzDecoders gives arbitrary bytes to every decoder: none panics, and what is
// stored decodes to what encodes to the same bytes.
func FuzzDecoders(f *testing.F) {
	c := find(f, "Histogram/length=11/shares=2")
	decoders := messagesOf(f, &c)
	for _, m := range decoders {
		f.Add(m.encoded)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, b []byte) {
		for what, m := range decoders {
			// Most messages are of a fixed length, which bytes of the fuzzer seldom have.
			fitted := bytes.Clone(m.encoded)
			copy(fitted, b)
			for _, input := range [][]byte{b, fitted} {
				if err := m.decode(input); err == nil && len(input) != len(m.encoded) {
					t.Errorf("%s: %d bytes decode", what, len(input))
				}
			}
		}
		if state, err := c.v.DecodeState(0, nil, 0, b); err == nil {
			if again, err := c.v.AppendState(nil, state); err != nil || !bytes.Equal(again, b) {
				t.Errorf("state %x encodes to %x, %v", b, again, err)
			}
		}
		if share, err := c.v.DecodeOutShare(nil, b); err == nil {
			if again, err := c.v.AppendOutShare(nil, share); err != nil || !bytes.Equal(again, b) {
				t.Errorf("output share %x encodes to %x, %v", b, again, err)
			}
		}
	})
}
