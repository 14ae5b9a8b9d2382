package simulation

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
	"github.com/twofold-dap/twofold/store"
)

// Some tasks have differential privacy. Their results have the noise of both sides, which follows from random bits that the
// model knows too. So it knows all noise that a side has drawn, and a result without some of it must be exact.

const (
	// noiseBits is the size of the noise: it is small beside a measurement, so that a sum still tells which
	// reports it is of, and no two draws are the same, but for a chance that does not matter.
	noiseBits = 28
	// anyNumber is a budget that suffices for any number of batches.
	anyNumber = -1
	// largestBatch is the task's maximum batch size, which no batch of an episode has.
	largestBatch = 1 << 20
)

// randomPrivacy draws whether the task of a configuration has differential privacy. It comes last, so that all else is drawn as
// without it.
func randomPrivacy(r *rand.Rand, c config) config {
	if r.IntN(6) != 0 && !*flagPrivate {
		return c
	}
	c.Rounds, c.AggParam = 0, false // there is noise for real VDAFs alone
	c.Budget = []int{1, 2, 3, 5, 8, anyNumber}[r.IntN(6)]
	c.Gaussian = r.IntN(2) == 0
	return c
}

// private tells whether the task has differential privacy.
func (c config) private() bool { return c.Budget != 0 }

// privacy are the parameters. A client may have one report in each batch.
func (c config) privacy() dp.Parameters {
	p := dp.Parameters{
		Kind: dp.PureEpsilon, Neighbours: dp.ReplaceOne, Level: big.NewRat(maxSumMeasurement, 1<<noiseBits),
		ReportsPerClient: largestBatch, ReportsPerBatch: 1, MaxBatchSize: largestBatch,
	}
	if c.Gaussian { // the scale is the standard deviation
		p.Kind, p.Level = dp.ZeroConcentrated, big.NewRat(1<<(2*(40-noiseBits)-1), 1)
	}
	batches := int64(c.Budget)
	if c.Budget == anyNumber {
		batches, p.ReportsPerClient = 1, 1
	}
	p.Budget = new(big.Rat).Mul(p.Level, big.NewRat(batches, 1))
	return p
}

// addPrivacy adds the extension to the task.
func (s *scheme) addPrivacy() error {
	if !s.private() {
		return nil
	}
	extension, err := taskprivacy.Extension(s.privacy())
	if err != nil {
		return err
	}
	s.task.Extensions = append(s.task.Extensions, extension)
	s.mechanism, err = taskprivacy.Mechanism(s.task)
	return err
}

// unshardNoised adds the aggregate shares of both sides in a task with differential privacy; the sum may be below zero.
func (s *scheme) unshardNoised(leaderShare, helperShare []byte) (int64, error) {
	values, err := s.mechanism.Function().Unshard(leaderShare, helperShare)
	if err != nil {
		return 0, err
	}
	if len(values) != 1 || !values[0].IsInt64() {
		return 0, fmt.Errorf("the result is %v", values)
	}
	return values[0].Int64(), nil
}

// spending tells of a ledger whether the budget suffices for no more batches.
func (c config) spending(ledger aggregator.PrivacyLedger) bool {
	return c.Budget > 0 && ledger.Spent().Batches >= uint64(c.Budget)
}

// noises are the noise that a side draws: of each engine that it has started.
type noises struct {
	mu      sync.Mutex
	engines []*noiseOf
}

// noiseOf are one engine's random bits, and what has come of them.
type noiseOf struct {
	given  tap // what the engine reads
	replay tap // the same bits once more
	draws  []*draw
}

// draw is noise that was drawn, and the collection whose result has it.
type draw struct {
	value int64
	user  *collectionJob
}

// tap counts what is read of a stream that follows from a seed.
type tap struct {
	mu     sync.Mutex
	stream *rand.ChaCha8
	read   int
}

func newTap(seed [32]byte) tap { return tap{stream: rand.NewChaCha8(seed)} }

// Read implements io.Reader.
func (t *tap) Read(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.read += len(b)
	return t.stream.Read(b)
}

func (t *tap) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.read
}

// next returns the random bits of a side's next engine.
func (n *noises) next(s side, h hooks) io.Reader {
	n.mu.Lock()
	defer n.mu.Unlock()
	var seed [32]byte
	copy(seed[8:], s)
	binary.BigEndian.PutUint64(seed[:], uint64(len(n.engines)))
	engine := &noiseOf{given: newTap(seed), replay: newTap(seed)}
	if h.noise != nil {
		engine.given = newTap(h.noise(s, seed))
	}
	n.engines = append(n.engines, engine)
	return &engine.given
}

// drawn returns all noise that the side has drawn. Of an engine that draws, one draw too many may be among them.
func (n *noises) drawn(mechanism *dp.Mechanism) (all []*draw, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, engine := range n.engines {
		for engine.replay.count() < engine.given.count() {
			value, err := valueOf(mechanism, &engine.replay)
			if err != nil {
				return nil, err
			}
			engine.draws = append(engine.draws, &draw{value: value})
		}
		all = append(all, engine.draws...)
	}
	return all, nil
}

// valueOf draws noise, and tells what it is.
func valueOf(mechanism *dp.Mechanism, random io.Reader) (int64, error) {
	noise, err := mechanism.Draw(random)
	if err != nil {
		return 0, err
	}
	var zero [8]byte
	share, err := noise.AddTo(zero[:])
	if err != nil {
		return 0, err
	}
	values, err := mechanism.Function().Unshard(share, zero[:])
	if err != nil {
		return 0, err
	}
	return values[0].Int64(), nil
}

// explained tells whether a result can be that of reports with the sum: exactly, or with noise that both sides have drawn.
func (c *checker) explained(j *collectionJob, sum uint64) bool {
	if !c.private() {
		return sum*uint64(max(1, j.param)) == j.sum
	}
	pair, _ := c.noiseOf(int64(j.sum - sum))
	return pair[0] != nil
}

// noiseOf finds noise of the Leader and noise of the Helper that together are the difference, such as no result has yet if
// there is some.
func (c *checker) noiseOf(difference int64) (pair [2]*draw, unused bool) {
	var drawn [2][]*draw
	for i := range c.noise {
		var err error
		if drawn[i], err = c.noise[i].drawn(c.mechanism); err != nil {
			c.violated(invariantRuns, "the noise cannot be drawn again: %v", err)
		}
	}
	for _, l := range drawn[0] {
		for _, h := range drawn[1] {
			if l.value+h.value != difference {
				continue
			}
			pair = [2]*draw{l, h}
			if l.user == nil && h.user == nil {
				return pair, true
			}
		}
	}
	return pair, false
}

// useNoise notes which noise a result has, that is of reports with the sum.
func (c *checker) useNoise(j *collectionJob, sum uint64) {
	if !c.private() {
		return
	}
	pair, unused := c.noiseOf(int64(j.sum - sum))
	if !unused {
		c.violated(invariantNoise, "the result of %v has noise that another has", j.interval)
		return
	}
	pair[0].user, pair[1].user = j, j
}

// ledgers checks what both sides have spent.
func (c *checker) ledgers() {
	for i := range c.m.contents {
		c.ledger(i)
	}
	for _, batch := range c.m.contents[0].Charged {
		if c.m.restored[1] == 0 && !slices.Contains(c.m.contents[1].Charged, batch) {
			c.violated(invariantLedger, "the Leader was charged for %v, and the Helper was not", batch)
		}
	}
	if charged := len(c.m.contents[1].Charged); c.private() && c.m.restored[1] == 0 && c.given > charged {
		c.violated(invariantLedger, "the Helper has given %d aggregate shares, and was charged for %d batches", c.given, charged)
	}
	for _, problem := range c.m.overBudget {
		if !c.spending(c.m.contents[0].Ledger) && !c.spending(c.m.contents[1].Ledger) {
			c.violated(invariantBudget, "a collection fails with %v, and the ledgers are %+v and %+v", problem, c.m.contents[0].Ledger, c.m.contents[1].Ledger)
		}
	}
	c.m.overBudget = nil
}

// ledger checks a side's ledger: each batch that is collected was charged once, nothing else was, and all of it is
// within the budget. What a restored side may have spent counts as spent.
func (c *checker) ledger(side int) {
	contents := &c.m.contents[side]
	if !c.private() {
		if len(contents.Charged) > 0 || contents.Ledger != (aggregator.PrivacyLedger{}) {
			c.violated(invariantLedger, "side %d has the ledger %+v, and the task has no differential privacy", side, contents.Ledger)
		}
		return
	}
	spent := contents.Ledger.Spent().Batches
	switch {
	case contents.Ledger.Batches != uint64(len(contents.Charged)):
		c.violated(invariantLedger, "side %d has the ledger %+v, and %d batches were charged", side, contents.Ledger, len(contents.Charged))
	case c.Budget > 0 && spent > uint64(c.Budget):
		c.violated(invariantBudget, "side %d has the ledger %+v, and the budget is enough for %d batches", side, contents.Ledger, c.Budget)
	case c.Budget > 0 && c.m.restored[side] > 0 && spent < uint64(c.Budget):
		c.violated(invariantBudget, "side %d was restored, and its ledger is %+v with a budget for %d batches", side, contents.Ledger, c.Budget)
	case c.m.restored[side] == 0 && contents.Ledger.Assumed > 0:
		c.violated(invariantLedger, "side %d was not restored, and its ledger is %+v", side, contents.Ledger)
	}
	for i, batch := range contents.Charged {
		if slices.ContainsFunc(contents.Charged[:i], func(other aggregator.Batch) bool { return sameOrOverlapping(batch, other) }) {
			c.violated(invariantLedger, "side %d was charged for %v, and for a part of it", side, batch)
		}
		charged := func(b store.BucketStanding) bool { return in(batch, b.ID) }
		if slices.ContainsFunc(contents.Buckets, charged) && !slices.Contains(contents.Collected, batch) {
			c.violated(invariantLedger, "side %d was charged for %v, which it has not collected", side, batch)
		}
	}
	for _, batch := range contents.Collected {
		if !slices.Contains(contents.Charged, batch) {
			c.violated(invariantLedger, "side %d has collected %v, and was not charged for it", side, batch)
		}
	}
	for _, batch := range c.m.charged[side] {
		if !slices.Contains(contents.Charged, batch) {
			c.violated(invariantLedger, "side %d was charged for %v, and is not any more", side, batch)
		}
	}
	c.m.charged[side] = contents.Charged
}

func sameOrOverlapping(a, b aggregator.Batch) bool {
	if a.Mode == dap.BatchModeTimeInterval {
		return a.Interval.Overlaps(b.Interval)
	}
	return a.BatchID == b.BatchID
}

// unaffordable tells whether a batch bucket can never be collected because the budget is spent: at the Leader, or at the Helper, which
// still answers the requests that it has answered before.
func (m *model) unaffordable(id aggregator.BucketID) bool {
	return m.w.spending(m.contents[0].Ledger) || m.w.spending(m.contents[1].Ledger) && !m.collectedBy(1, id)
}
