package vdaf_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
	"github.com/twofold-dap/twofold/vdaf"
)

// TestPrio3 runs whole batches of each size around the number of lanes.
func TestPrio3(t *testing.T) {
	for _, c := range instances(t) {
		t.Run(c.name, func(t *testing.T) {
			sizes := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
			if c.v.Shares() > 100 {
				sizes = []int{3}
			}
			for _, n := range sizes {
				s := c.shardBatch(t, n, uint64(n))
				r := &verification{c: &c}
				r.run(t, s)
				for i, err := range r.errs {
					if err != nil {
						t.Fatalf("batch of %d: report %d: %v", n, i, err)
					}
				}
				r.aggregate(t, s)
			}
		})
	}
}

// TestBatchIsEachByItself checks that a report's results do not depend on what
// else is in its batch, broken reports included.
func TestBatchIsEachByItself(t *testing.T) {
	for _, c := range instances(t) {
		if c.v.Shares() > 100 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			const n = 11
			s := c.shardBatch(t, n, 42)
			for aggID := range c.v.Shares() {
				reports := s.reports(aggID)
				reports[1].InputShare = reports[1].InputShare[1:]
				reports[4].Nonce = append(reports[4].Nonce, 0)
				reports[6].PublicShare = append(reports[6].PublicShare, 0)
				if aggID == 0 {
					copy(reports[8].InputShare, bytes.Repeat([]byte{0xff}, 16)) // above the modulus
				}
				batch := c.v.VerifyInit(testKey, testCtx, aggID, nil, reports)
				for i, got := range batch {
					want := c.v.VerifyInit(testKey, testCtx, aggID, nil, reports[i:i+1])[0]
					broken := i == 1 || i == 4 || i == 6 || i == 8 && aggID == 0
					if (got.Err != nil) != broken || (want.Err != nil) != broken {
						t.Fatalf("report %d: errors %v and %v", i, got.Err, want.Err)
					}
					if broken {
						continue
					}
					if !bytes.Equal(got.VerifierShare, want.VerifierShare) {
						t.Errorf("aggregator %d, report %d: another verifier share in the batch", aggID, i)
					}
					a, err := c.v.AppendState(nil, got.State)
					check(t, err)
					b, err := c.v.AppendState(nil, want.State)
					check(t, err)
					if !bytes.Equal(a, b) {
						t.Errorf("aggregator %d, report %d: another state in the batch", aggID, i)
					}
				}
			}
		})
	}
}

// TestTampering changes one thing of some of the reports: just these are
// rejected.
func TestTampering(t *testing.T) {
	const n = 9
	bad := func(i int) bool { return i == 0 || i == 5 || i == 8 }
	flip := func(b []byte, at int) []byte {
		b[at] ^= 1
		return b
	}
	for _, name := range []string{
		"Count/shares=3", "Sum/max=1000/shares=2", "Histogram/length=11/shares=2", "MultihotCountVec/shares=5", "SumVec/shares=6",
		"SumVecField64Multiproof/proofs=3/shares=2",
	} {
		c := find(t, name)
		last := c.v.Shares() - 1
		jointRand := len(c.shardBatch(t, 1, 1).publicShares[0]) > 0
		report := func(aggID int, change func(*vdaf.Report)) *verification {
			return &verification{report: func(j, i int, r *vdaf.Report) {
				if j == aggID && bad(i) {
					change(r)
				}
			}}
		}
		share := func(aggID int, change func([]byte) []byte) *verification {
			return &verification{share: func(j, i int, b []byte) []byte {
				if j == aggID && bad(i) {
					return change(b)
				}
				return b
			}}
		}
		tests := map[string]*verification{
			"the Leader's measurement share": report(0, func(r *vdaf.Report) { flip(r.InputShare, 0) }),
			"a helper's seed":                report(last, func(r *vdaf.Report) { flip(r.InputShare, 3) }),
			"a verifier share":               share(last, func(b []byte) []byte { return flip(b, 0) }),
			"the Leader's verifier share":    share(0, func(b []byte) []byte { return flip(b, 8) }),
			"a short verifier share":         share(1, func(b []byte) []byte { return b[:len(b)-1] }),
			"an empty verifier share":        share(0, func([]byte) []byte { return nil }),
			"a verifier share out of range":  share(1, func(b []byte) []byte { copy(b, bytes.Repeat([]byte{0xff}, 16)); return b }),
			"a long message":                 {msg: func(_, i int, b []byte) []byte { return append(b, make([]byte, bit(bad(i)))...) }},
		}
		if jointRand {
			tests["the Leader's blind"] = report(0, func(r *vdaf.Report) { flip(r.InputShare, len(r.InputShare)-1) })
			tests["a helper's blind"] = report(last, func(r *vdaf.Report) { flip(r.InputShare, 40) })
			tests["another's part in the public share"] = report(0, func(r *vdaf.Report) { flip(r.PublicShare, len(r.PublicShare)-1) })
			tests["the nonce at one aggregator"] = report(1, func(r *vdaf.Report) { flip(r.Nonce, 15) })
			tests["the joint randomness part"] = share(last, func(b []byte) []byte { return flip(b, len(b)-1) })
			tests["the message"] = &verification{msg: func(_, i int, b []byte) []byte {
				if bad(i) {
					return flip(b, 31)
				}
				return b
			}}
		} else {
			tests["the Leader's proof"] = report(0, func(r *vdaf.Report) { flip(r.InputShare, len(r.InputShare)-8) })
		}
		for what, r := range tests {
			t.Run(name+"/"+what, func(t *testing.T) {
				s := c.shardBatch(t, n, 3)
				r.c = &c
				r.run(t, s)
				for i, err := range r.errs {
					if (err != nil) != bad(i) {
						t.Errorf("report %d: %v", i, err)
					}
				}
				r.aggregate(t, s)
			})
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestDisagreement has aggregators that do not agree on the key or the context,
// or that are not those of the client's context: all is rejected, with the
// errors that the standard's exceptions stand for.
func TestDisagreement(t *testing.T) {
	other := fill(32, 5)
	for _, c := range instances(t) {
		if c.v.Shares() > 100 {
			continue
		}
		for what, r := range map[string]*verification{
			"another key at one": {keys: func(j int) []byte {
				if j == 1 {
					return other
				}
				return testKey
			}},
			"another context at one": {ctx: func(j int) []byte {
				if j == 1 {
					return []byte("other")
				}
				return testCtx
			}},
			"another context than the client's": {ctx: func(int) []byte { return []byte("other") }},
		} {
			r.c = &c
			r.run(t, c.shardBatch(t, 5, 8))
			for i, err := range r.errs {
				if !errors.Is(err, vdaf.ErrProof) && !errors.Is(err, vdaf.ErrJointRand) {
					t.Errorf("%s: %s: report %d: %v", c.name, what, i, err)
				}
			}
		}
	}
}

// TestInvalidMeasurements shards encoded measurements that no honest client
// makes.
func TestInvalidMeasurements(t *testing.T) {
	histogram, err := vdaf.NewPrio3Histogram(2, 5, 2)
	check(t, err)
	sum, err := vdaf.NewPrio3Sum(2, 10)
	check(t, err)
	f, small := field.Field128, field.Field64
	one := f.FromUint64(1)
	elements := func(at ...int) []field.Elem128 {
		v := make([]field.Elem128, 5)
		for _, i := range at {
			v[i] = f.Add(v[i], one)
		}
		return v
	}
	t.Run("Histogram", func(t *testing.T) {
		testInvalid(t, histogram.Prio3, map[string][]field.Elem128{
			"two buckets": elements(1, 3), "no bucket": elements(), "a bucket twice": elements(2, 2),
			"two and minus one": {f.FromUint64(2), f.Neg(one), {}, {}, {}},
		})
	})
	t.Run("Sum", func(t *testing.T) {
		testInvalid(t, sum.Prio3, map[string][]field.Elem64{
			"a bit of two":       {0, small.FromUint64(2), 0, 0},
			"a bit of minus one": {0, 0, 0, small.Neg(small.FromUint64(1))},
		})
	})
}

func testInvalid[E field.Elem](t *testing.T, p *vdaf.Prio3[E], measurements map[string][]E) {
	for name, meas := range measurements {
		publicShare, inputShares, err := p.ShardEncoded(testCtx, meas, fill(16, 1), fill(p.RandSize(), 2))
		check(t, err)
		s := &sharded{nonces: [][]byte{fill(16, 1)}, publicShares: [][]byte{publicShare}, inputShares: [][][]byte{inputShares}}
		r := &verification{c: &instance{v: p}}
		r.run(t, s)
		if !errors.Is(r.errs[0], vdaf.ErrProof) {
			t.Errorf("%s: error %v", name, r.errs[0])
		}
	}
	var short *vdaf.MeasurementError
	if _, _, err := p.ShardEncoded(testCtx, nil, fill(16, 1), fill(p.RandSize(), 2)); !errors.As(err, &short) {
		t.Errorf("without elements: error %v", err)
	}
}

// TestConcurrentUse shares one instance between goroutines, for the race
// detector.
func TestConcurrentUse(t *testing.T) {
	for _, name := range []string{"SumVec/shares=6", "Histogram/length=11/shares=2", "Sum/max=255/shares=2"} {
		c := find(t, name)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				s := c.shardBatch(t, 6, uint64(g))
				r := &verification{c: &c}
				r.run(t, s)
				r.aggregate(t, s)
			})
		}
		wg.Wait()
	}
}

func TestParamErrors(t *testing.T) {
	drop := func(_ any, err error) error { return err }
	histogram64, err := flp.NewHistogram(field.Field64, 5, 2)
	check(t, err)
	for i, test := range []struct {
		err             error
		name, parameter string
	}{
		{drop(vdaf.NewPrio3Count(1)), "Prio3Count", "SHARES"},
		{drop(vdaf.NewPrio3Count(256)), "Prio3Count", "SHARES"},
		{drop(vdaf.NewPrio3Count(-1)), "Prio3Count", "SHARES"},
		{drop(vdaf.NewPrio3Sum(2, 0)), "Prio3Sum", "max_measurement"},
		{drop(vdaf.NewPrio3Sum(2, 1<<64-1)), "Prio3Sum", "max_measurement"},
		{drop(vdaf.NewPrio3Sum(0, 1)), "Prio3Sum", "SHARES"},
		{drop(vdaf.NewPrio3SumVec(2, 0, 1, 1)), "Prio3SumVec", "length"},
		{drop(vdaf.NewPrio3SumVec(2, 1, 0, 1)), "Prio3SumVec", "max_measurement"},
		{drop(vdaf.NewPrio3SumVec(2, 1, 1, 0)), "Prio3SumVec", "chunk_length"},
		{drop(vdaf.NewPrio3SumVec(1, 1, 1, 1)), "Prio3SumVec", "SHARES"},
		{drop(vdaf.NewPrio3SumVec(2, 1<<30, 1<<63, 1)), "Prio3SumVec", "length"},
		{drop(vdaf.NewPrio3Histogram(2, 0, 1)), "Prio3Histogram", "length"},
		{drop(vdaf.NewPrio3Histogram(2, 1<<27, 1)), "Prio3Histogram", "length"},
		{drop(vdaf.NewPrio3Histogram(2, 10, 0)), "Prio3Histogram", "chunk_length"},
		{drop(vdaf.NewPrio3Histogram(300, 10, 1)), "Prio3Histogram", "SHARES"},
		{drop(vdaf.NewPrio3MultihotCountVec(2, 0, 1, 1)), "Prio3MultihotCountVec", "length"},
		{drop(vdaf.NewPrio3MultihotCountVec(2, 3, 4, 1)), "Prio3MultihotCountVec", "max_weight"},
		{drop(vdaf.NewPrio3MultihotCountVec(2, 3, 0, 1)), "Prio3MultihotCountVec", "max_weight"},
		{drop(vdaf.NewPrio3MultihotCountVec(2, 3, 2, 0)), "Prio3MultihotCountVec", "chunk_length"},
		{drop(vdaf.NewPrio3SumVecField64Multiproof(2, 3, 2, 1, 2)), "Prio3SumVecField64Multiproof", "PROOFS"},
		{drop(vdaf.NewPrio3SumVecField64Multiproof(2, 3, 2, 1, 256)), "Prio3SumVecField64Multiproof", "PROOFS"},
		{drop(vdaf.NewPrio3SumVecField64Multiproof(2, 3, 2, 0, 3)), "Prio3SumVecField64Multiproof", "chunk_length"},
		{drop(vdaf.NewPrio3SumVecField64Multiproof(2, 3, 0, 1, 3)), "Prio3SumVecField64Multiproof", "max_measurement"},
		{drop(vdaf.NewPrio3("mine", 0xFFFF1234, flp.Circuit[field.Elem64](flp.NewCount(field.Field64)), 2, 0)), "mine", "PROOFS"},
		{drop(vdaf.NewPrio3("mine", 0xFFFF1234, histogram64, 2, 1)), "mine", "PROOFS"},
		{drop(vdaf.NewPrio3("mine", 0xFFFF1234, histogram64, 2, 2)), "mine", "PROOFS"},
	} {
		var e *vdaf.ParamError
		if !errors.As(test.err, &e) || e.VDAF != test.name || e.Parameter != test.parameter || e.Want == "" {
			t.Errorf("%d: error %v, want one of %s of %s", i, test.err, test.parameter, test.name)
		}
	}
}

func TestShardErrors(t *testing.T) {
	sum, err := vdaf.NewPrio3Sum(2, 10)
	check(t, err)
	shard := func(ctx []byte, measurement uint64, nonce, rand int) error {
		_, _, err := sum.Shard(ctx, measurement, make([]byte, nonce), make([]byte, rand))
		return err
	}
	var usage *vdaf.UsageError
	var measurement *vdaf.MeasurementError
	if err := shard(nil, 11, 16, 64); !errors.As(err, &measurement) || measurement.VDAF != "Prio3Sum" {
		t.Errorf("measurement too large: error %v", err)
	}
	for name, err := range map[string]error{
		"short nonce":  shard(nil, 1, 15, 64),
		"long nonce":   shard(nil, 1, 17, 64),
		"short rand":   shard(nil, 1, 16, 63),
		"long rand":    shard(nil, 1, 16, 65),
		"long context": shard(make([]byte, 65_528), 1, 16, 64),
	} {
		if !errors.As(err, &usage) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := shard(make([]byte, 65_527), 10, 16, 64); err != nil {
		t.Errorf("the longest context: %v", err)
	}
}

func TestValidAggParam(t *testing.T) {
	c := find(t, "Count/shares=3")
	check(t, c.v.ValidAggParam(nil, nil))
	check(t, c.v.ValidAggParam([]byte{}, [][]byte{}))
	for i, err := range []error{c.v.ValidAggParam([]byte{0}, nil), c.v.ValidAggParam(nil, [][]byte{nil})} {
		if e := new(vdaf.AggParamError); !errors.As(err, &e) {
			t.Errorf("%d: error %v", i, err)
		}
	}
}

// TestResultTooLarge unshards sums that do not fit.
func TestResultTooLarge(t *testing.T) {
	v, err := vdaf.NewPrio3SumVec(2, 2, 1<<64-1, 8)
	check(t, err)
	share := func(lo byte) []byte { return append(bytes.Repeat([]byte{lo}, 8), make([]byte, 24)...) }
	if got, err := v.Unshard(nil, [][]byte{share(0xff), share(0)}, 2); err != nil || got[0] != 1<<64-1 {
		t.Errorf("the largest result: %v, %v", got, err)
	}
	var e *vdaf.ResultError
	if _, err := v.Unshard(nil, [][]byte{share(0xff), share(1)}, 2); !errors.As(err, &e) {
		t.Errorf("error %v", err)
	}
}

// TestRedaction prints everything that is secret.
func TestRedaction(t *testing.T) {
	c := find(t, "Histogram/length=11/shares=2")
	s := c.shardBatch(t, 1, 1)
	report := s.reports(0)[0]
	result := c.v.VerifyInit(testKey, testCtx, 0, nil, []vdaf.Report{report})[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		if got := fmt.Sprintf(verb, result.State); got != "[redacted]" {
			t.Errorf("%s prints a state as %s", verb, got)
		}
		if got := fmt.Sprintf(verb, report); !bytes.Contains([]byte(got), []byte("[redacted]")) || len(got) > 200 {
			t.Errorf("%s prints a report as %s", verb, got)
		}
	}
}

func isParamError(err error) bool {
	var e *vdaf.ParamError
	return errors.As(err, &e)
}
