package simulation

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// outcome is what became of an episode.
type outcome struct {
	done      int // operations
	violation *violation
	found     []violation // all of them
	faults    map[fault]int
	accepted  int
	counted   int
	rejected  int
	results   int
	dropped   int // accepted, and below the floor before they were counted
	forgotten int // batch buckets that were below the floor
	charged   int // batches at both sides
	refused   int // collections, because the budget is spent
}

// episodesAlike is how many episodes in a row have the same task, so that their
// reports need not be made anew.
const episodesAlike = 16

// random is the source of randomness of an episode.
func random(seed uint64, episode int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(episode))) }

// drawn draws an episode.
func drawn(seed uint64, episode int) (config, []operation) {
	alike := random(seed, -1-episode/episodesAlike)
	c := randomPrivacy(alike, randomConfig(alike))
	r := random(seed, episode)
	own := randomConfig(r)
	c.Async, c.JobReports, c.JobsAtATime, c.Pending = own.Async, own.JobReports, own.JobsAtATime, own.Pending
	c.LeaderKeeps, c.HelperKeeps, c.KeepsAnswers = own.LeaderKeeps, own.HelperKeeps, own.KeepsAnswers
	return c, generate(r, c, 150+r.IntN(250))
}

// clients keeps the client of the last task.
type clients struct {
	config config
	client *client
}

// of returns the client for a configuration.
func (k *clients) of(c config) (*client, error) {
	task := c
	task.Async, task.JobReports, task.JobsAtATime, task.Pending = false, 0, 0, 0
	task.LeaderKeeps, task.HelperKeeps, task.KeepsAnswers = 0, 0, 0
	if k.client == nil || k.config != task {
		s, err := newScheme(c, bubbleStart)
		if err != nil {
			return nil, err
		}
		k.config, k.client = task, newClient(s)
	}
	s := *k.client.scheme
	s.config = c
	return &client{scheme: &s, made: k.client.made, sealers: k.client.sealers}, nil
}

// bubbleStart is the time at which every bubble begins (package synctest).
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// longTime is after how long an episode is named that has not ended, in case that it never does. How long it may take is
// for go test to say: on a busy machine an episode is slow.
const longTime = 3 * time.Minute

// play runs an episode in a bubble of its own.
func play(t *testing.T, k *clients, c config, operations []operation, h hooks, name string) (o outcome) {
	watch := time.AfterFunc(longTime, func() {
		fmt.Fprintf(os.Stderr, "%s has not ended after %s; its operations:\n%s", name, longTime, encodeEpisode(c, operations))
	})
	defer watch.Stop()
	client, err := k.of(c)
	if err != nil {
		return outcome{violation: &violation{invariantRuns, err.Error()}}
	}
	synctest.Test(t, func(*testing.T) {
		w, err := newWorld(client, h)
		if err != nil {
			o.violation = &violation{invariantRuns, err.Error()}
			return
		}
		o.done = w.run(operations)
		if _, found := w.firstViolation(); !found {
			w.finish()
		}
		o.count(w)
		if err := w.tearDown(); err != nil {
			w.violated(invariantRuns, "%v", err)
		}
		if v, found := w.firstViolation(); found {
			o.violation, o.found = &v, w.found
		}
	})
	return o
}

// count notes what has happened.
func (o *outcome) count(w *world) {
	o.faults = make(map[fault]int)
	for _, met := range []map[fault]int{w.network.met, w.leader.disk.met, w.helper.disk.met} {
		for f, n := range met {
			o.faults[f] += n
		}
	}
	for _, r := range w.model.reports {
		if r.accepted != nil {
			o.accepted++
		}
		if r.accepted != nil && (r.gone && !r.ended || r.ended && r.seen.Error == dap.ReportErrorReportDropped) {
			o.dropped++
		}
	}
	o.forgotten = len(w.model.gone[0]) + len(w.model.gone[1])
	o.charged, o.refused = len(w.model.charged[0])+len(w.model.charged[1]), w.model.overAll
	for i := range w.model.contents[0].Reports {
		switch w.model.contents[0].Reports[i].State {
		case 2:
			o.counted++
		case 3:
			o.rejected++
		}
	}
	for _, j := range w.model.all {
		if j.answer != nil || j.before != nil {
			o.results++
		}
	}
}
