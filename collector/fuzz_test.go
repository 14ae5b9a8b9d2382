package collector

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// FuzzProgress reads what a Leader may tell of a task's progress. What is taken is in order, and reads the same again.
func FuzzProgress(f *testing.F) {
	for _, seed := range []string{
		`{"min_batch_size":10,"waiting":{"at_least":0,"fewer_than":10},"aggregated":{"at_least":20,"fewer_than":30},"collected":{"at_least":0,"fewer_than":10}}`,
		`{"min_batch_size":10,"waiting":{"at_least":0,"fewer_than":10},"aggregated":{"at_least":20,"fewer_than":30},"collected":{"at_least":0,"fewer_than":10},` +
			`"rejected":{"report_replayed":{"at_least":10,"fewer_than":20}},"next":{"start":5,"end":7,"free_from":3,"free_until":18446744073709551615},` +
			`"buckets":[{"time":6,"waiting":{"at_least":0,"fewer_than":10},"aggregated":{"at_least":10,"fewer_than":20}}],"more_from":9}`,
		`{}`, `[]`, `{"buckets":null}`,
	} {
		f.Add([]byte(seed), uint64(3600))
		f.Add([]byte(seed), uint64(1)<<63)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, body []byte, seconds uint64) {
		d, err := daphttp.DecodeProgress(daphttp.ProgressMediaType, body)
		if err != nil {
			return
		}
		p := newProgress(d, dap.TimePrecision(seconds))
		for reason := range p.Rejected {
			if reason != daphttp.CleanText(reason) {
				t.Fatalf("the reason %q is shown as it came", reason)
			}
		}
		encoded, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := daphttp.DecodeProgress(daphttp.ProgressMediaType, encoded)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		if len(d.Rejected) == 0 {
			d.Rejected, again.Rejected = nil, nil // {} is left out
		}
		if len(d.Buckets) == 0 {
			d.Buckets, again.Buckets = nil, nil
		}
		if !reflect.DeepEqual(again, d) {
			t.Fatalf("%+v reads again as %+v", d, again)
		}
	})
}
