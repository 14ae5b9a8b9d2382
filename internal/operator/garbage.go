package operator

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// A heap of a few megabytes that doubles before it is collected, as it does by Go's default, is collected ten times a second under load. So
// garbageKeeper lets so much garbage gather as the memory plan has room for, which is also less than the default where much
// is in use: most of that is then what has no pointers, as the filter of the report IDs, and costs the collector nothing. While what is in use
// is more than twice the room the heap grows by half. The runtime's soft limit stands above all that.
const (
	leastGarbagePercent = 50
	mostGarbagePercent  = 400
)

// garbagePercent is the garbage that may gather, in percent of the live heap, where there is room for so many bytes.
func garbagePercent(live, room int64) int {
	return int(min(max(100*room/max(live, 1), leastGarbagePercent), mostGarbagePercent))
}

// garbageKeeper sets the garbage collector's percentage after each collection.
type garbageKeeper struct {
	room int64

	mu      sync.Mutex
	percent int // as it was set last
	stopped bool
}

// keepGarbage starts a garbageKeeper, unless the operator has set the percentage in the environment. It ends with the function
// that is returned.
func keepGarbage(room int64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	k := &garbageKeeper{room: room}
	before := debug.SetGCPercent(leastGarbagePercent)
	k.percent = leastGarbagePercent
	k.watch()
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.stopped = true
		debug.SetGCPercent(before)
	}
}

// watch has collected called once after the next collection.
func (k *garbageKeeper) watch() {
	sentinel := &struct{ keeper *garbageKeeper }{k} // with a pointer it has its own place on the heap
	runtime.AddCleanup(sentinel, (*garbageKeeper).collected, k)
}

func (k *garbageKeeper) collected() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return
	}
	if live[0].Value.Kind() == metrics.KindUint64 {
		k.set(garbagePercent(int64(live[0].Value.Uint64()), k.room))
	}
	k.watch()
}

// set leaves small changes: each stops the world for a moment.
func (k *garbageKeeper) set(percent int) {
	if change := percent - k.percent; percent == leastGarbagePercent && change != 0 || max(change, -change) > k.percent/10 {
		debug.SetGCPercent(percent)
		k.percent = percent
	}
}
