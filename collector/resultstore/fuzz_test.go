package resultstore

import (
	"bytes"
	"math/big"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// FuzzRecords decodes records of each kind. What decodes means something, and what it means is stored the same.
func FuzzRecords(f *testing.F) {
	margin := 1.5
	collection := newCollectionRecord(&service.Collection{
		Start: time.Unix(3600, 0), End: time.Unix(7200, 0), State: service.CollectionDone, JobURL: "https://leader.example/job", Attempts: 2,
		Result: &service.Result{ReportCount: 3, Values: []service.Value{{Label: "below 0", Number: big.NewInt(-5), StandardError: &margin}}},
	})
	delay := int64(time.Minute)
	for _, seed := range []any{
		collection, taskRecord{File: []byte("a file"), Token: []byte("sealed"), Every: "hour", Delay: &delay}, tokenRecord{Scope: "read", Digest: make([]byte, 32)},
	} {
		f.Add(encodeRecord(seed))
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, encoded []byte) {
		for _, record := range []any{new(taskRecord), new(tokenRecord), new(collectionRecord)} {
			if decodeRecord("fuzzed", nil, encoded, record) != nil {
				continue
			}
			switch r := record.(type) {
			case *taskRecord:
				r.setSchedule(r.schedule())
			case *collectionRecord:
				c := r.collection(dap.TaskID{}, 1)
				once := encodeRecord(newCollectionRecord(&c))
				var read collectionRecord
				if err := decodeRecord("fuzzed", nil, once, &read); err != nil {
					t.Fatal(err)
				}
				c = read.collection(dap.TaskID{}, 1)
				if again := encodeRecord(newCollectionRecord(&c)); !bytes.Equal(once, again) {
					t.Fatalf("%x is stored again as %x", once, again)
				}
			}
			if again := encodeRecord(record); decodeRecord("fuzzed", nil, again, record) != nil {
				t.Fatalf("%T: %x does not decode", record, again)
			}
		}
	})
}
