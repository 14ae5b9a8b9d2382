package vdaf_test

import (
	"bytes"
	"testing"

	"github.com/twofold-dap/twofold/vdaf"
)

// TestStreamedIsHeld compares all that comes of a report whose measurement shares are
// streamed with what comes of it otherwise, for batches of each size.
func TestStreamedIsHeld(t *testing.T) {
	held, err := vdaf.NewPrio3SumVec(2, 500, 5, 33)
	check(t, err)
	streamed, err := vdaf.NewPrio3SumVec(2, 500, 5, 33)
	check(t, err)
	streamed.StreamMeasurements()
	c := newSumVec("SumVec", held, 500, 5)
	for n := 1; n <= 6; n++ {
		s := c.shardBatch(t, n, uint64(n))
		for aggID := range 2 {
			var own, other []vdaf.OutShare
			want := held.VerifyInit(testKey, testCtx, aggID, nil, s.reports(aggID))
			for i, got := range streamed.VerifyInit(testKey, testCtx, aggID, nil, s.reports(aggID)) {
				check(t, got.Err)
				check(t, want[i].Err)
				if !bytes.Equal(got.VerifierShare, want[i].VerifierShare) {
					t.Errorf("aggregator %d, report %d of %d: the verifier share differs", aggID, i, n)
				}
				a, b := outShareOf(t, streamed, got.State), outShareOf(t, held, want[i].State)
				own, other = append(own, a), append(other, b)
				encoded, err := streamed.AppendOutShare(nil, a)
				check(t, err)
				wantEncoded, err := held.AppendOutShare(nil, b)
				check(t, err)
				if !bytes.Equal(encoded, wantEncoded) {
					t.Errorf("aggregator %d, report %d of %d: the output share differs", aggID, i, n)
				}
			}
			sum, err := streamed.AggUpdate(nil, streamed.AggInit(nil), own)
			check(t, err)
			wantSum, err := held.AggUpdate(nil, held.AggInit(nil), other)
			check(t, err)
			if !bytes.Equal(sum, wantSum) {
				t.Errorf("aggregator %d: the aggregate share of %d reports differs", aggID, n)
			}
		}
	}
}

// outShareOf takes the output share out of a state, through storage and with the seed
// that is stored in it as the verifier message.
func outShareOf(tb testing.TB, v vdaf.Verifier, state vdaf.State) vdaf.OutShare {
	tb.Helper()
	stored, err := v.AppendState(nil, state)
	check(tb, err)
	decoded, err := v.DecodeState(int(stored[0]), nil, 0, stored)
	check(tb, err)
	next := v.VerifyNext(testCtx, []vdaf.State{decoded}, [][]byte{stored[1:33]})[0]
	check(tb, next.Err)
	return next.OutShare
}

// TestOutShareSeeds adds up output shares of several application contexts, which are seeds and vectors.
func TestOutShareSeeds(t *testing.T) {
	v, err := vdaf.NewPrio3SumVec(2, 20, 5, 7)
	check(t, err)
	v.StreamMeasurements()
	var shares []vdaf.OutShare
	var want [][]byte
	for i, ctx := range [][]byte{testCtx, testCtx, []byte("other"), testCtx, nil, nil, nil, nil, nil, nil} {
		_, inputShares, err := v.Shard(ctx, make([]uint64, 20), fill(16, i), fill(v.RandSize(), i))
		check(t, err)
		result := v.VerifyInit(testKey, ctx, 1, nil, []vdaf.Report{{Nonce: fill(16, i), PublicShare: fill(64, i), InputShare: inputShares[1]}})[0]
		check(t, result.Err)
		share := outShareOf(t, v, result.State)
		encoded, err := v.AppendOutShare(nil, share)
		check(t, err)
		want = append(want, encoded)
		if i%4 == 1 {
			share, err = v.DecodeOutShare(nil, encoded)
			check(t, err)
		}
		shares = append(shares, share)
	}
	sum, err := v.AggUpdate(nil, v.AggInit(nil), shares)
	check(t, err)
	wantSum, err := v.Merge(nil, want...)
	check(t, err)
	if !bytes.Equal(sum, wantSum) {
		t.Error("the aggregate share is not the sum of the output shares")
	}
}

// TestStoredSeedIsStrict decodes what is almost a state that has the seed of its
// output share.
func TestStoredSeedIsStrict(t *testing.T) {
	c := find(t, "SumVec, streamed/shares=2")
	report := c.shardBatch(t, 1, 8).reports(1)[0]
	result := c.v.VerifyInit(testKey, testCtx, 1, nil, []vdaf.Report{report})[0]
	check(t, result.Err)
	state, err := c.v.AppendState(nil, result.State)
	check(t, err)
	if want := 1 + 32 + 32 + 2 + 8 + len(testCtx); len(state) != want {
		t.Fatalf("the state has %d bytes, want %d", len(state), want)
	}
	try := func(what string, b []byte) {
		t.Helper()
		_, err := c.v.DecodeState(1, nil, 0, b)
		decodeMustFail(t, what, err)
	}
	for n := range state {
		try("a prefix", state[:n:n])
	}
	try("a byte more", append(bytes.Clone(state), 0))
	for at := 65; at < 75; at++ { // the tag's length and its fixed part
		changed := bytes.Clone(state)
		changed[at] ^= 1
		try("another tag", changed)
	}
	other, err := vdaf.NewPrio3SumVec(2, 9, 1000, 13)
	check(t, err)
	if _, err := other.AppendState(nil, result.State); err == nil {
		t.Error("an instance that does not stream takes the state")
	}
}
