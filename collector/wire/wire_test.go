package wire

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
)

// A Leader and a task file may name times that RFC 3339 cannot write. What is told of the task can be written nevertheless.
func TestFarTimes(t *testing.T) {
	for _, far := range []time.Time{
		time.Unix(1<<60, 0), time.Unix(-1<<60, 0), time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("west", -14*3600)), time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("east", 14*3600)),
	} {
		result := service.Result{Start: far, End: far, FirstReport: far, LastReport: far, CollectedAt: far}
		collection := service.Collection{Start: far, End: far, CreatedAt: far, EndedAt: far, NextAttempt: far, Result: &result}
		task := service.Task{
			Start: far, End: far, AddedAt: far, Latest: &result, Active: []service.Collection{collection}, Next: service.Next{At: far, Start: far, End: far},
			Progress: &service.Progress{At: far, NextStart: far, NextEnd: far, Buckets: []service.BucketProgress{{Start: far, End: far}}},
		}
		if _, err := json.Marshal(NewTask(&task)); err != nil {
			t.Errorf("%v: %v", far, err)
		}
	}
	at := time.Date(2026, 1, 31, 9, 0, 0, 0, time.FixedZone("east", 3600))
	if got := optional(at); !got.Equal(at) || got.Location() != time.UTC {
		t.Errorf("%v becomes %v", at, got)
	}
}
