package simulation

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	flagOps     = flag.Int("ops", defaultOps, "how many operations the simulation does")
	flagSeed    = flag.Uint64("seed", 1, "the seed of the simulation")
	flagEpisode = flag.Int("episode", -1, "run this episode of the seed alone")
	flagPrivate = flag.Bool("private", false, "let all tasks have differential privacy")
	flagLog     = flag.Bool("log", false, "print what the engines log")
	flagFile    = flag.String("ops-file", "", "a file with an episode that TestReplay runs")
)

// shortOps is for go test -short.
const shortOps = 5_000

// summary adds up what the episodes did.
type summary struct {
	mu       sync.Mutex
	episodes int
	outcome
	kinds    map[kind]int
	failures []string
}

func (s *summary) add(operations []operation, o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.episodes++
	s.done += o.done
	s.accepted += o.accepted
	s.counted += o.counted
	s.rejected += o.rejected
	s.results += o.results
	s.dropped += o.dropped
	s.forgotten += o.forgotten
	s.charged += o.charged
	s.refused += o.refused
	for f, n := range o.faults {
		s.faults[f] += n
	}
	for _, operation := range operations[:o.done] {
		s.kinds[operation.Kind]++
	}
}

func (s *summary) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d operations in %d episodes; reports accepted %d, counted %d, rejected %d, dropped below a floor %d; results %d; buckets forgotten %d; "+
		"batches charged %d, refused for the budget %d; violations %d\n",
		s.done, s.episodes, s.accepted, s.counted, s.rejected, s.dropped, s.results, s.forgotten, s.charged, s.refused, len(s.failures))
	for _, k := range slices.Sorted(maps.Keys(s.kinds)) {
		fmt.Fprintf(&b, "  %-28s %9d\n", k, s.kinds[k])
	}
	fmt.Fprintln(&b, "faults met:")
	for _, f := range slices.Sorted(maps.Keys(s.faults)) {
		fmt.Fprintf(&b, "  %-28s %9d\n", f, s.faults[f])
	}
	return b.String()
}

// maxFailures is after how many failures the simulation ends.
const maxFailures = 3

// TestSimulation runs episodes until so many operations are done, on all processors.
func TestSimulation(t *testing.T) {
	wanted := *flagOps
	if testing.Short() {
		wanted = min(wanted, shortOps)
	}
	if *flagEpisode >= 0 {
		c, operations := drawn(*flagSeed, *flagEpisode)
		runAndReport(t, &clients{}, c, operations, *flagEpisode, &summary{outcome: outcome{faults: map[fault]int{}}, kinds: map[kind]int{}})
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // episodes are short, and make little garbage that stays
	total := &summary{outcome: outcome{faults: make(map[fault]int)}, kinds: make(map[kind]int)}
	begun := time.Now()
	var block, done atomic.Int64
	t.Run("episodes", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				k := &clients{}
				for done.Load() < int64(wanted) && total.going() {
					first := int(block.Add(1)-1) * episodesAlike
					for episode := first; episode < first+episodesAlike && done.Load() < int64(wanted) && total.going(); episode++ {
						c, operations := drawn(*flagSeed, episode)
						runAndReport(t, k, c, operations, episode, total)
						if n := done.Add(int64(len(operations))); n/200_000 != (n-int64(len(operations)))/200_000 {
							fmt.Fprintf(os.Stderr, "%s: %d operations, %d episodes, %d violations\n", time.Since(begun).Round(time.Second), n, episode, total.failed())
						}
					}
				}
			})
		}
	})
	t.Logf("seed %d, %s, %d processors: %s", *flagSeed, time.Since(begun).Round(time.Millisecond), runtime.GOMAXPROCS(0), total)
}

func (s *summary) failed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.failures)
}

// going tells whether the simulation is to go on.
func (s *summary) going() bool {
	return s.failed() < maxFailures
}

// runAndReport runs an episode, and reports its failure with the smallest list of operations.
func runAndReport(t *testing.T, k *clients, c config, operations []operation, episode int, total *summary) {
	name := fmt.Sprintf("seed %d, episode %d", *flagSeed, episode)
	o := play(t, k, c, operations, hooks{}, name)
	total.add(operations, o)
	if o.violation == nil {
		return
	}
	total.mu.Lock()
	total.failures = append(total.failures, name)
	total.mu.Unlock()
	small, runs := minimize(t, k, c, operations[:o.done], *o.violation)
	path := filepath.Join(os.TempDir(), fmt.Sprintf("twofold-simulation-seed%d-episode%d.ops", *flagSeed, episode))
	text := encodeEpisode(c, small)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Errorf("the operations cannot be written: %v", err)
	}
	t.Errorf("%s: %s\nAgain: go test ./conformance/simulation -run TestSimulation -seed %d -episode %d -private=%t\n"+
		"Smallest list of operations, after %d runs, in %s; again: go test ./conformance/simulation -run TestReplay -ops-file %s\n%s",
		name, o.violation, *flagSeed, episode, *flagPrivate, runs, path, path, text)
}

// TestReplay runs the episode of -ops-file, several times, as the order of
// goroutines is not part of it.
func TestReplay(t *testing.T) {
	if *flagFile == "" {
		testEncoding(t)
		return
	}
	text, err := os.ReadFile(*flagFile)
	if err != nil {
		t.Fatal(err)
	}
	c, operations, err := decodeEpisode(text)
	if err != nil {
		t.Fatalf("%s: %v", *flagFile, err)
	}
	for range replayRuns {
		if o := play(t, &clients{}, c, operations, hooks{}, *flagFile); o.violation != nil {
			t.Fatalf("%s", o.violation)
		}
	}
}

// replayRuns is how often a list of operations is tried before it counts as harmless.
const replayRuns = 5

// testEncoding checks that what a failure prints is what a replay reads.
func testEncoding(t *testing.T) {
	for episode := range 50 {
		c, operations := drawn(1, episode)
		again, read, err := decodeEpisode(encodeEpisode(c, operations))
		if err != nil || again != c || !slices.Equal(read, operations) {
			t.Fatalf("episode %d reads as another: %v", episode, err)
		}
	}
}
