package vdaf_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twofold-dap/twofold/vdaf"
)

// instance is a VDAF instance of any type with measurements for tests, which
// are numbered.
type instance struct {
	name     string
	v        vdaf.Verifier
	randSize int
	// shard shards the measurement number x.
	shard func(ctx, nonce, rand []byte, x uint64) ([]byte, [][]byte, error)
	// compare unshards and compares with the plain computation over the
	// measurements number xs.
	compare func(aggShares [][]byte, xs []uint64) error
}

// newInstance makes an instance from a VDAF, the measurement of each number,
// and how to aggregate measurements plainly.
func newInstance[M, R any](name string, v vdaf.VDAF[M, R], measurement func(x uint64) M, plain func([]M) R) instance {
	return instance{
		name: fmt.Sprintf("%s/shares=%d", name, v.Shares()), v: v, randSize: v.RandSize(),
		shard: func(ctx, nonce, rand []byte, x uint64) ([]byte, [][]byte, error) {
			return v.Shard(ctx, measurement(x), nonce, rand)
		},
		compare: func(aggShares [][]byte, xs []uint64) error {
			got, err := v.Unshard(nil, aggShares, uint64(len(xs)))
			if err != nil {
				return err
			}
			var all []M
			for _, x := range xs {
				all = append(all, measurement(x))
			}
			if want := plain(all); !reflect.DeepEqual(got, want) {
				return fmt.Errorf("aggregate result %v, want %v", got, want)
			}
			return nil
		},
	}
}

// newSumVec makes an instance of either kind of SumVec.
func newSumVec(name string, v vdaf.VDAF[[]uint64, []uint64], length int, most uint64) instance {
	return newInstance(name, v, func(x uint64) []uint64 {
		r := rand.New(rand.NewPCG(x, 1))
		m := make([]uint64, length)
		for i := range m {
			m[i] = r.Uint64N(most + 1)
		}
		return m
	}, func(all [][]uint64) []uint64 {
		sum := make([]uint64, length)
		for _, m := range all {
			for i := range m {
				sum[i] += m[i]
			}
		}
		return sum
	})
}

func instances(tb testing.TB) []instance {
	must := func(err error) {
		tb.Helper()
		check(tb, err)
	}
	var out []instance
	for _, shares := range []int{2, 3, 255} {
		v, err := vdaf.NewPrio3Count(shares)
		must(err)
		out = append(out, newInstance("Count", v, func(x uint64) bool { return x%3 == 0 }, func(all []bool) uint64 {
			n := uint64(0)
			for _, b := range all {
				if b {
					n++
				}
			}
			return n
		}))
	}
	for _, most := range []uint64{1, 255, 1000, 1 << 40} {
		v, err := vdaf.NewPrio3Sum(2, most)
		must(err)
		out = append(out, newInstance(fmt.Sprintf("Sum/max=%d", most), v, func(x uint64) uint64 { return x % (most + 1) }, func(all []uint64) uint64 {
			sum := uint64(0)
			for _, x := range all {
				sum += x
			}
			return sum
		}))
	}
	for _, shares := range []int{2, 4, 5, 6, 7, 10} {
		v, err := vdaf.NewPrio3SumVec(shares, 9, 1000, 13)
		must(err)
		out = append(out, newSumVec("SumVec", v, 9, 1000))
	}
	for _, proofs := range []int{3, 5} {
		v, err := vdaf.NewPrio3SumVecField64Multiproof(2, 10, 255, 9, proofs)
		must(err)
		out = append(out, newSumVec(fmt.Sprintf("SumVecField64Multiproof/proofs=%d", proofs), v, 10, 255))
	}
	for _, length := range []int{1, 11, 100} {
		v, err := vdaf.NewPrio3Histogram(2, length, vdaf.OptimalChunkLength(length))
		must(err)
		out = append(out, newInstance(fmt.Sprintf("Histogram/length=%d", length), v, func(x uint64) int { return int(x % uint64(length)) }, func(all []int) []uint64 {
			counts := make([]uint64, length)
			for _, i := range all {
				counts[i]++
			}
			return counts
		}))
	}
	for _, shares := range []int{2, 5} {
		v, err := vdaf.NewPrio3MultihotCountVec(shares, 12, 3, 4)
		must(err)
		out = append(out, newInstance("MultihotCountVec", v, func(x uint64) []bool {
			m := make([]bool, 12)
			m[x%12], m[x/12%12], m[x/144%12] = true, x%2 == 0, x%5 == 0
			return m
		}, func(all [][]bool) []uint64 {
			counts := make([]uint64, 12)
			for _, m := range all {
				for i, b := range m {
					if b {
						counts[i]++
					}
				}
			}
			return counts
		}))
	}
	return append(out, streamedInstances(tb)...)
}

// streamedInstances treat their measurements, of one block and of several, as instances with
// the largest ones do.
func streamedInstances(tb testing.TB) (out []instance) {
	tb.Helper()
	for _, shares := range []int{2, 7} {
		v, err := vdaf.NewPrio3SumVec(shares, 9, 1000, 13)
		check(tb, err)
		v.StreamMeasurements()
		out = append(out, newSumVec("SumVec, streamed", v, 9, 1000))
	}
	v, err := vdaf.NewPrio3SumVec(3, 300, 1000, 41)
	check(tb, err)
	v.StreamMeasurements()
	out = append(out, newSumVec("SumVec, streamed in blocks", v, 300, 1000))
	m, err := vdaf.NewPrio3SumVecField64Multiproof(2, 1500, 1, 39, 3)
	check(tb, err)
	m.StreamMeasurements()
	return append(out, newSumVec("SumVecField64Multiproof, streamed in blocks", m, 1500, 1))
}

// find returns the instance of a name.
func find(tb testing.TB, name string) instance {
	tb.Helper()
	for _, c := range instances(tb) {
		if c.name == name {
			return c
		}
	}
	tb.Fatalf("no instance is called %s", name)
	return instance{}
}

var (
	testKey = fill(32, 77)
	testCtx = []byte("some application")
)

// sharded is a batch of reports as its client made it.
type sharded struct {
	xs           []uint64
	nonces       [][]byte
	publicShares [][]byte
	inputShares  [][][]byte // by report, then by aggregator
}

func (c *instance) shardBatch(tb testing.TB, n int, seed uint64) *sharded {
	tb.Helper()
	s := &sharded{}
	for i := range n {
		x := rand.New(rand.NewPCG(seed, uint64(i))).Uint64() >> 8
		nonce := fill(c.v.NonceSize(), int(seed)*1000+i)
		publicShare, inputShares, err := c.shard(testCtx, nonce, fill(c.randSize, int(seed)*2000+i), x)
		check(tb, err)
		s.xs, s.nonces = append(s.xs, x), append(s.nonces, nonce)
		s.publicShares, s.inputShares = append(s.publicShares, publicShare), append(s.inputShares, inputShares)
	}
	return s
}

// reports are the reports as aggregator aggID has them, in memory of their own.
func (s *sharded) reports(aggID int) []vdaf.Report {
	var out []vdaf.Report
	for i := range s.nonces {
		out = append(out, vdaf.Report{
			Nonce:       bytes.Clone(s.nonces[i]),
			PublicShare: bytes.Clone(s.publicShares[i]),
			InputShare:  bytes.Clone(s.inputShares[i][aggID]),
		})
	}
	return out
}

// verification is a run of Prio3's one round over a batch, in which each step can
// be tampered with.
type verification struct {
	c      *instance
	n      int
	keys   func(aggID int) []byte
	ctx    func(aggID int) []byte
	report func(aggID, i int, r *vdaf.Report)
	share  func(aggID, i int, verifierShare []byte) []byte
	msg    func(aggID, i int, message []byte) []byte

	outShares [][]vdaf.OutShare // by aggregator; nil where the report was rejected
	errs      []error           // by report, the first
}

// run runs the verification; the first error of a report ends it.
func (r *verification) run(tb testing.TB, s *sharded) {
	tb.Helper()
	shares := r.c.v.Shares()
	r.n = len(s.nonces)
	r.errs = make([]error, r.n)
	r.outShares = make([][]vdaf.OutShare, shares)
	states := make([][]vdaf.State, shares)
	verifierShares := make([][][]byte, r.n)
	for aggID := range shares {
		reports := s.reports(aggID)
		if r.report != nil {
			for i := range reports {
				r.report(aggID, i, &reports[i])
			}
		}
		key, ctx := testKey, testCtx
		if r.keys != nil {
			key = r.keys(aggID)
		}
		if r.ctx != nil {
			ctx = r.ctx(aggID)
		}
		results := r.c.v.VerifyInit(key, ctx, aggID, nil, reports)
		if len(results) != r.n {
			tb.Fatalf("VerifyInit gave %d results for %d reports", len(results), r.n)
		}
		states[aggID] = make([]vdaf.State, r.n)
		for i, result := range results {
			r.fail(i, result.Err)
			states[aggID][i] = result.State
			share := result.VerifierShare
			if r.share != nil && result.Err == nil {
				share = r.share(aggID, i, bytes.Clone(share))
			}
			verifierShares[i] = append(verifierShares[i], share)
		}
	}
	r.finish(tb, states, verifierShares)
}

func (r *verification) finish(tb testing.TB, states [][]vdaf.State, verifierShares [][][]byte) {
	tb.Helper()
	var messages [][]byte
	for i, result := range r.c.v.VerifierSharesToMessage(testCtx, nil, 0, verifierShares) {
		r.fail(i, result.Err)
		messages = append(messages, result.Message)
	}
	if len(messages) != r.n {
		tb.Fatalf("VerifierSharesToMessage gave %d results for %d reports", len(messages), r.n)
	}
	for aggID := range states {
		var ready []int
		var of []vdaf.State
		var in [][]byte
		for i := range r.n {
			if r.errs[i] != nil {
				continue
			}
			message := bytes.Clone(messages[i])
			if r.msg != nil {
				message = r.msg(aggID, i, message)
			}
			ready, of, in = append(ready, i), append(of, states[aggID][i]), append(in, message)
		}
		results := r.c.v.VerifyNext(testCtx, of, in)
		if len(results) != len(ready) {
			tb.Fatalf("VerifyNext gave %d results for %d states", len(results), len(ready))
		}
		r.outShares[aggID] = make([]vdaf.OutShare, r.n)
		for k, result := range results {
			r.fail(ready[k], result.Err)
			if result.Err == nil && (result.OutShare == nil || result.State != nil) {
				tb.Fatal("the last round gave no output share")
			}
			r.outShares[aggID][ready[k]] = result.OutShare
		}
	}
}

func (r *verification) fail(i int, err error) {
	if r.errs[i] == nil {
		r.errs[i] = err
	}
}

// aggregate aggregates the accepted reports and compares the result.
func (r *verification) aggregate(tb testing.TB, s *sharded) {
	tb.Helper()
	var aggShares [][]byte
	var xs []uint64
	for aggID := range r.outShares {
		var accepted []vdaf.OutShare
		xs = nil
		for i := range r.n {
			if r.errs[i] == nil {
				accepted = append(accepted, r.outShares[aggID][i])
				xs = append(xs, s.xs[i])
			}
		}
		// In two parts, to be merged.
		half := len(accepted) / 2
		first, err := r.c.v.AggUpdate(nil, r.c.v.AggInit(nil), accepted[:half])
		check(tb, err)
		second, err := r.c.v.AggUpdate(nil, r.c.v.AggInit(nil), accepted[half:])
		check(tb, err)
		merged, err := r.c.v.Merge(nil, first, second)
		check(tb, err)
		whole, err := r.c.v.AggUpdate(nil, r.c.v.AggInit(nil), accepted)
		check(tb, err)
		if !bytes.Equal(merged, whole) {
			tb.Fatal("merging two parts is not the whole")
		}
		aggShares = append(aggShares, merged)
	}
	check(tb, r.c.compare(aggShares, xs))
}
