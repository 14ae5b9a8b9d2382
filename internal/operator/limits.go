package operator

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
)

// LimitsConfig bounds what a server takes. Empty and zero values are the defaults.
type LimitsConfig struct {
	Memory                string `toml:"memory" comment:"The memory that the server may take, such as 512MB or 2GB; 256MB at least. It is shared out among all that\nthe server does; what does not fit is refused or waits."`
	Connections           int    `toml:"connections" comment:"How many connections may be open. 0: as many as the memory allows."`
	ConnectionsPerAddress int    `toml:"connections_per_address" comment:"How many of them one client's address may have. 0: any number. Behind a proxy all have the proxy's address."`
	AdvertisedTasks       int    `toml:"advertised_tasks" comment:"How many tasks may be set up because a peer or a client advertises them, see the command opt-in. 0: 1000."`
}

const (
	defaultMemory = "512MB"
	leastMemory   = 256_000_000
	mostMemory    = 1 << 50
)

var defaultLimits = LimitsConfig{Memory: defaultMemory, AdvertisedTasks: 1000}

// memoryUnits are the units of sizes, the longer names first.
var memoryUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}}

// parseMemory reads a size such as "512MB" or "2GiB", in bytes.
func parseMemory(text string) (int64, error) {
	if text == "" {
		text = defaultMemory
	}
	problem := &ConfigError{Field: "limits.memory", Problem: fmt.Sprintf("%q; it must be a number with MB, GB, MiB or GiB, such as 512MB, and at least 256MB", text)}
	for _, unit := range memoryUnits {
		number, found := strings.CutSuffix(text, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		bytes := n * float64(unit.bytes)
		if err != nil || math.IsNaN(bytes) || bytes < leastMemory || bytes > mostMemory {
			return 0, problem
		}
		return int64(bytes), nil
	}
	return 0, problem
}

func (l *LimitsConfig) check() error {
	if _, err := parseMemory(l.Memory); err != nil {
		return err
	}
	for field, value := range map[string]int{
		"connections": l.Connections, "connections_per_address": l.ConnectionsPerAddress, "advertised_tasks": l.AdvertisedTasks,
	} {
		if value < 0 {
			return &ConfigError{Field: "limits." + field, Problem: fmt.Sprintf("%d; it must be 0 or more", value)}
		}
	}
	return nil
}

// memoryPlan shares the memory of a server out among all that holds some. In bytes.
//
// A quarter is for what the Go runtime does not manage: the program itself, and the pages of the
// database that are mapped, most of it, which the store gives back when they take more. They are
// the kernel's cache, which it takes back when it must, but they count as the process's. The rest
// is the runtime's soft limit, from which on garbage is collected as often as it takes. The parts below add up
// to less than that; what is left is for transactions of the store, some 64 MiB
// at most, for connections, and for garbage.
type memoryPlan struct {
	total        int64
	runtime      int64 // the soft limit
	bodies       int64 // of requests under way
	upload       int64 // the longest
	jobBody      int64 // the longest request about an aggregation job
	jobs         int64 // what aggregation jobs hold
	verification int64 // what verification works in
	filter       int64 // the filter that knows most new report IDs for new
	garbage      int64 // what may gather before it is collected
	mapped       int64 // pages of the database, and the program
	connections  int
}

// bytesPerConnection is the part of the whole memory that there is for each connection. A connection
// without a request takes about a tenth of it.
const bytesPerConnection = 256_000

func planMemory(total int64) memoryPlan {
	bodies := total / 8
	return memoryPlan{
		total:        total,
		runtime:      total / 4 * 3,
		bodies:       bodies,
		upload:       min(32<<20, bodies/4*3),
		jobBody:      min(64<<20, bodies/2),
		jobs:         total / 6,
		verification: total / 6,
		filter:       total / 16,
		garbage:      total / 8,
		mapped:       total / 6,
		connections:  int(min(total/bytesPerConnection, 100_000)),
	}
}

// plan is the plan of a configuration that has been checked.
func (l *LimitsConfig) plan() memoryPlan {
	total, err := parseMemory(l.Memory)
	if err != nil {
		total, _ = parseMemory(defaultMemory)
	}
	p := planMemory(total)
	if l.Connections > 0 {
		p.connections = l.Connections
	}
	return p
}

// limitRuntime sets the runtime's soft limit and how much garbage may gather, unless the operator has set them in the
// environment, until the function it returns is called.
func (p *memoryPlan) limitRuntime() (restore func()) {
	stop := keepGarbage(p.garbage)
	if os.Getenv("GOMEMLIMIT") != "" {
		return stop
	}
	before := debug.SetMemoryLimit(p.runtime)
	return func() {
		debug.SetMemoryLimit(before)
		stop()
	}
}

// apply sets what both engines have in common.
func (p *memoryPlan) apply(config *aggregator.Config, limits *LimitsConfig) {
	config.MaxBytesInVerification = p.verification
	config.MaxAdvertisedTasks = limits.AdvertisedTasks
	config.MaxReportBytes = p.upload
}

func (p *memoryPlan) requestLimits() api.Limits {
	return api.Limits{
		UploadBytes: p.upload, UploadBytesInFlight: p.bodies,
		AggregationJobBytes: p.jobBody, AggregationJobBytesInFlight: p.bodies,
	}
}

// peerAnswer bounds an answer of the Helper: an aggregate share of the longest vector, or the
// answer to the largest of this Leader's aggregation jobs.
const peerAnswer = 20 << 20

// taskError makes an error of a task one that an operator can do something about.
func (p *memoryPlan) taskError(err error) error {
	memory, ok := errors.AsType[*aggregator.MemoryError](err)
	if !ok {
		return taskError(err)
	}
	// Every limit is the same part of the whole.
	needed := int64(math.Ceil(float64(p.total) / 1e6 * float64(memory.Needs) / float64(memory.Limit)))
	return invalid("%v; set memory in the section limits of config.toml to %dMB or more, and start the server again", err, needed)
}
