package operator

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGarbagePercent(t *testing.T) {
	for _, test := range []struct {
		live, room int64
		want       int
	}{
		{0, 64, 400}, {1, 64, 400}, {16, 64, 400}, {20, 64, 320}, {32, 64, 200}, {63, 64, 101}, {64, 64, 100}, {100, 64, 64}, {128, 64, 50}, {1 << 40, 64, 50}, {1, 0, 50},
	} {
		if got := garbagePercent(test.live, test.room); got != test.want {
			t.Errorf("garbagePercent(%d, %d) = %d, not %d", test.live, test.room, got, test.want)
		}
	}
}

// TestKeepGarbage: the percentage follows the collections, and is what it was before when the keeper has stopped.
func TestKeepGarbage(t *testing.T) {
	percent := func() uint64 {
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	t.Setenv("GOGC", "")
	before := percent()
	stop := keepGarbage(1 << 40) // whatever is in use is little beside it
	for deadline := time.Now().Add(time.Minute); percent() != mostGarbagePercent; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after collections the percentage is %d", percent())
		}
		runtime.GC()
	}
	stop()
	for range 3 {
		runtime.GC()
		if got := percent(); got != before {
			t.Fatalf("the percentage is %d, and was %d before", got, before)
		}
	}
	t.Setenv("GOGC", "150")
	defer keepGarbage(1 << 40)()
	if got := percent(); got != before {
		t.Errorf("the operator's percentage was changed to %d", got)
	}
}
