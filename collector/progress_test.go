package collector

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

func TestProgress(t *testing.T) {
	f := newFake(t, dap.BatchModeTimeInterval)
	answer, status, mediaType, asked := "", http.StatusOK, daphttp.ProgressMediaType, ""
	f.intercept = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		asked = r.URL.String()
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
		return true
	}
	c := f.collector(t, Options{})
	const counts = `"waiting":{"at_least":0,"fewer_than":10},"aggregated":{"at_least":20,"fewer_than":30},"collected":{"at_least":0,"fewer_than":10}`
	answer = `{"min_batch_size":10,` + counts + `,"rejected":{"report_replayed":{"at_least":0,"fewer_than":10}},"next":{"start":5,"end":7,"free_from":3,"free_until":9},` +
		`"buckets":[{"time":6,"waiting":{"at_least":0,"fewer_than":10},"aggregated":{"at_least":10,"fewer_than":20}}],"more_from":8,"later":1}`
	got, err := c.Progress(t.Context(), time.Unix(7200, 0))
	at := func(hours int64) time.Time { return time.Unix(hours*3600, 0).UTC() }
	if err != nil || got.Aggregated != (Coarse{20, 30}) || got.Next == nil || *got.Next != (NextInterval{at(5), at(7), at(3), at(9)}) ||
		len(got.Buckets) != 1 || !got.Buckets[0].End.Equal(at(7)) || !got.More.Equal(at(8)) || len(got.Rejected) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if want := "/dap/tasks/" + f.task.ID.String() + "/progress?from=2"; asked != want {
		t.Errorf("asked %s, want %s", asked, want)
	}
	for name, text := range map[string]string{
		"no JSON":             `{`,
		"a count upside down": `{"waiting":{"at_least":10,"fewer_than":10}}`,
		"an empty interval":   `{` + counts + `,"next":{"start":5,"end":5,"free_from":0}}`,
		"not free":            `{` + counts + `,"next":{"start":5,"end":7,"free_from":6}}`,
		"unsorted":            `{` + counts + `,"buckets":[{"time":6,"waiting":{"fewer_than":1},"aggregated":{"fewer_than":1}},{"time":6,"waiting":{"fewer_than":1},"aggregated":{"fewer_than":1}}]}`,
		"more before it":      `{` + counts + `,"more_from":6}`,
	} {
		answer = text
		if _, err := c.Progress(t.Context(), start); !isAnswerError(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	answer, mediaType = `{}`, "text/html"
	if _, err := c.Progress(t.Context(), start); !isAnswerError(err) {
		t.Errorf("another media type: %v", err)
	}
	for _, status = range []int{http.StatusNotFound, http.StatusMethodNotAllowed} {
		if _, err := c.Progress(t.Context(), start); !errors.Is(err, ErrNoProgress) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	status, mediaType = http.StatusNotFound, daphttp.ProblemMediaType
	answer = `{"type":"urn:ietf:params:ppm:dap:error:unrecognizedTask"}`
	if _, err := c.Progress(t.Context(), start); errors.Is(err, ErrNoProgress) || err == nil {
		t.Errorf("an unknown task: %v", err)
	}
}

func isAnswerError(err error) bool { _, ok := errors.AsType[*AnswerError](err); return ok }
