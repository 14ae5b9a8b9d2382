package conformance

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/internal/processes"
)

var (
	overloadFor     = flag.Duration("overload.for", 5*time.Second, "how long TestOverload keeps the servers under load")
	overloadReports = flag.Int("overload.reports", 6000, "how many reports TestOverload floods the Leader with; it sends them again and again")
	overloadWorkers = flag.Int("overload.workers", 200, "how many of TestOverload's requests are under way at the same time")
)

const (
	// overloadMemory is the servers' setting, the default.
	overloadMemory = 512_000_000
	// overloadFactor is how many times the requests that the Leader can answer it is sent.
	overloadFactor = 4
	// overloadIdle, overloadSlow and overloadLiars are connections that send nothing, that
	// send a body byte by byte, and that send another body than they declare, or one without end.
	overloadIdle, overloadSlow, overloadLiars = 1000, 200, 8
	// overloadRequest is how many reports a request of the flood has.
	overloadRequest = 50
	// overloadPatience is within what time every request is answered or refused. The clients' side of the
	// machine is as busy as the servers'.
	overloadPatience = 3 * time.Minute
)

// TestOverload sends a real Leader four times the uploads that it can carry, with idle
// connections, slow senders, bodies that lie about their length and a task whose reports have 16
// million bytes each, and beside them a small task that behaves well. The servers keep within
// their memory, answer or refuse every request, say with each refusal when to come
// again, let the small task go on, and lose nothing that was accepted.
//
//	go test ./conformance -run TestOverload -v -overload.for 60s -overload.reports 60000
func TestOverload(t *testing.T) {
	o := &overload{T: t}
	o.start()
	flood := o.newFlood("flood", "histogram:length=100", *overloadReports)
	enormous := o.newEnormous("enormous", 2)
	small := o.newSmall("small")

	capacity := flood.measure()
	background, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	var faults overloadFaults
	o.openIdle(overloadIdle)
	for range overloadSlow {
		others.Go(func() { faults.slow(background, o, flood.path) })
	}
	for i := range overloadLiars {
		others.Go(func() { faults.lie(background, o, flood.path, i) })
	}
	others.Go(func() { enormous.uploadAll(background) })
	others.Go(func() { small.run(background) })
	offered := flood.offer(overloadFactor * capacity)
	stop()
	others.Wait()

	leader, helper := o.usage(o.system.Leader), o.usage(o.system.Helper)
	flood.finish()
	enormous.uploadAll(t.Context())
	o.print(capacity, offered, flood, small, &faults, leader, helper)

	flood.check()
	enormous.check()
	small.check()
	faults.check(t)
	must(t, o.system.Check(t.Context()))
	for name, server := range map[string]*processes.Server{"Leader": o.system.Leader, "Helper": o.system.Helper} {
		if peak := o.usage(server).PeakResident; peak > overloadMemory {
			t.Errorf("the %s has taken %d bytes of memory, %d are allowed", name, peak, overloadMemory)
		}
	}
}

// overload is one run.
type overload struct {
	*testing.T
	system *processes.System
}

func (o *overload) start() {
	o.Helper()
	dir := o.TempDir()
	bin := filepath.Join(dir, "bin")
	must(o.T, os.Mkdir(bin, 0o700))
	programs, err := processes.Build(o.Context(), bin)
	must(o.T, err)
	o.system, err = processes.NewSystem(o.Context(), programs, dir)
	must(o.T, err)
	o.Cleanup(func() {
		if err := o.system.Close(); err != nil {
			o.Error(err)
		}
	})
}

func (o *overload) usage(s *processes.Server) processes.Usage {
	o.Helper()
	usage, err := processes.ReadUsage(s.PID())
	must(o.T, err)
	return usage
}

// collect collects a task when every report is committed, and compares.
func (o *overload) collect(task processes.Task, name string, want []uint64, count int) {
	o.Helper()
	collection, err := o.system.Collect(o.Context(), task, "--last", "2h", "--through-now")
	if err != nil {
		o.Fatalf("%s: %v", name, err)
	}
	if collection.ReportCount != uint64(count) || !equalNumbers(collection.Result, want) {
		o.Errorf("%s: %d reports were accepted, %d are counted; result %.200v, want %.200v", name, count, collection.ReportCount, collection.Result, want)
	}
}

func equalNumbers(a processes.Numbers, b []uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (o *overload) print(capacity, offered float64, flood *overloadFlood, small *overloadSmall, faults *overloadFaults, leader, helper processes.Usage) {
	o.Logf("the Leader answers %.0f requests of %d reports a second; then it was sent %.0f a second (%.1f times that) for %s",
		capacity, overloadRequest, offered, offered/capacity, *overloadFor)
	o.Logf("flood: %s", &flood.outcomes)
	o.Logf("slow senders, bodies that lie: %s", &faults.outcomes)
	o.Logf("small task: %s; %d reports accepted in %s", &small.outcomes, small.accepted, *overloadFor)
	for name, u := range map[string]processes.Usage{"Leader": leader, "Helper": helper} {
		o.Logf("%s: at most %.0f MB of memory, %.0f of them of its own at the end, of %d", name, float64(u.PeakResident)/1e6, float64(u.Anonymous)/1e6, overloadMemory/1_000_000)
	}
}
