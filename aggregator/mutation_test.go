package aggregator_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/twofold-dap/twofold/dap"
)

// TestMutatedRequests sends valid requests with changed, missing and additional
// bytes: each is answered or refused with an error that a peer may see, and
// nothing is counted but what verifies.
func TestMutatedRequests(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	mutate := func(body []byte) []byte {
		b := bytes.Clone(body)
		for range 1 + random.IntN(3) {
			switch at := random.IntN(len(b)); random.IntN(4) {
			case 0, 1:
				b[at] ^= byte(1 + random.IntN(255))
			case 2:
				b = append(b[:at], b[min(len(b), at+1+random.IntN(40)):]...)
			default:
				b = append(b[:at:at], append(bytes.Repeat([]byte{byte(random.IntN(256))}, 1+random.IntN(9)), b[at:]...)...)
			}
			if len(b) == 0 {
				return b
			}
		}
		return b
	}
	w := newWorld(t, settings{keepQuiet: true})
	l := w.byHand()
	check := func(what string, err error) {
		t.Helper()
		if _, ok := errors.AsType[*dap.Error](err); err != nil && !ok {
			t.Errorf("%s: %v", what, err)
		}
	}
	made := uint64(0)
	for range 60 {
		reports, _ := w.reports(2)
		made += 2
		upload, err := dap.UploadRequest{Reports: reports}.Encode()
		w.ok(err)
		_, err = w.leader.Upload(ctx, w.id, mutate(upload))
		check("upload", err)

		init := l.encode(l.init(nil, reports...))
		_, err = w.helper.CreateAggregationJob(ctx, w.id, mutate(init))
		check("aggregation job", err)
		// The Leader aggregates in the meantime what it has accepted of the uploads so far.
		if n := w.helperCount(); n > made {
			t.Fatalf("%d reports were made, and %d are counted", made, n)
		}
		_, err = w.helper.CreateAggregateShare(ctx, w.id, mutate(l.encode(l.shareRequest(reports...))))
		check("aggregate share", err)
		_, err = w.leader.CreateCollectionJob(ctx, w.id, mutate(w.thisHour()))
		check("collection job", err)
	}
}
