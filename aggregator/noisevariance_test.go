package aggregator_test

import (
	"math"
	"math/big"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
)

// 10,000 collections of the same batch contents, one report of 42 each: what comes out differs from 42 by noise whose mean, variance
// and tail are those that the Collector is told, within what a right aggregator exceeds with a probability below 2^-40 each.
//
// Each aggregator's noise is drawn of fixed random bits, and in a fixed order. Which collection gets which varies, and so does
// the sum of two noises of which the variance is made; its limits are so wide that this does not matter either.
func TestNoiseOf10000Collections(t *testing.T) {
	t.Parallel()
	const collections, atOnce, measurement, epsilon = 10_000, 500, 42, 50
	p := parameters(big.NewRat(epsilon, 1), 1, 1000)
	p.ReportsPerClient = 1 // so that the budget suffices for any number of batches
	w := privateWorld(t, settings{minBatch: 1, keepQuiet: true, noSync: true}, p)
	for first := 0; first < collections; first += atOnce {
		var reports []dap.Report
		for i := range atOnce {
			reports = append(reports, w.report(measurement, hoursAgo(first+i)))
		}
		w.uploadAll(reports...)
	}
	w.settled()
	u := w.mechanism().Uncertainty()
	var sum, squares, outside float64
	for first := 0; first < collections; first += atOnce {
		for i, id := range w.askAtOnce(first, atOnce) {
			count, value := w.openCentred(w.hourAgo(first+i), w.answer(id))
			if count != 1 {
				t.Fatalf("a batch has %d reports", count)
			}
			noise := float64(value - measurement)
			sum += noise
			squares += noise * noise
			if big.NewInt(value-measurement).CmpAbs(u.Margin95) > 0 {
				outside++
			}
		}
	}
	w.ledgers(collections, collections)
	variance := u.StandardError * u.StandardError
	// For a normal number 7.3 standard deviations are exceeded with a probability of 2^-41. The kurtosis of the sum of two Laplace
	// numbers with the scale 2 is below 4.6, so that a mean square of n has the standard deviation √(3.6/n) of itself.
	const deviations = 7.3
	n := float64(collections)
	mean, limit := sum/n, deviations*u.StandardError/math.Sqrt(n)
	got, spread := squares/n, deviations*variance*math.Sqrt(3.6/n)
	tail := 0.05 + math.Sqrt(41*math.Ln2/(2*n)) // Hoeffding's bound
	t.Logf("mean %.4f (limit ±%.4f), variance %.4f (theory %.4f ± %.4f), %.2f%% beyond ±%s", mean, limit, got, variance, spread, 100*outside/n, u.Margin95)
	if math.Abs(mean) > limit || math.Abs(got-variance) > spread || outside/n > tail {
		t.Errorf("the noise is not that of the mechanism")
	}
}

// askAtOnce creates collection jobs for so many hours, the first of which is that long ago.
func (w *world) askAtOnce(first, n int) []dap.CollectionJobID {
	w.Helper()
	ids := make([]dap.CollectionJobID, n)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			status, err := w.leader.CreateCollectionJob(ctx, w.id, w.hourAgo(first+i))
			if err != nil {
				w.Errorf("%d hours ago: %v", first+i, err)
			}
			ids[i] = status.ID
		})
	}
	group.Wait()
	if w.Failed() {
		w.FailNow()
	}
	return ids
}

// mechanism is the one of the world's task.
func (w *world) mechanism() *dp.Mechanism {
	w.Helper()
	privacy, err := w.leader.Privacy(ctx, w.id)
	w.ok(err)
	return privacy.Mechanism
}
